// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
static const struct flag program_flags[] = {
	{"debug", NULL, BOOL, "show each step with its time"},
	{"address", "a", TEXT("PATH"), "accepted and ignored: there is no daemon", .bits = FLAG_IDLE,
	 .initial = "/run/containerd/containerd.sock", .env = "CONTAINERD_ADDRESS"},
	{"timeout", NULL, DURATION("TIME"), "give up after this time, e.g. 30s; not for run"},
	{"connect-timeout", NULL, DURATION("TIME"),
	 "accepted and ignored: there is no daemon", .bits = FLAG_IDLE},
	{"namespace", "n", TEXT("NAME"),
	 "namespace to work in", .initial = "default", .env = "CONTAINERD_NAMESPACE"},
	{"root", NULL, TEXT("DIR"), "where images and containers are kept", .bits = FLAG_OURS,
	 .initial = "/var/lib/coracle"},
	{"state", NULL, TEXT("DIR"), "where what runs is kept", .bits = FLAG_OURS,
	 .initial = "/run/coracle"},
	{"cni-netconfpath", NULL, TEXT("DIR"), "where network configurations are", .bits = FLAG_OURS,
	 .initial = "/etc/cni/net.d", .env = "NETCONFPATH"},
	{"cni-path", NULL, TEXT("DIR[:DIR]"), "where network plugins are", .bits = FLAG_OURS,
	 .initial = "/opt/cni/bin:/usr/lib/cni", .env = "CNI_PATH"},
	{NULL},
};

static const struct flag namespaces_list_flags[] = {
	{"quiet", "q", BOOL, "print names only"},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag namespaces_remove_flags[] = {
	{"cgroup", "c", BOOL, "remove the cgroup of the namespace", .bits = FLAG_IDLE},
	{NULL},
};

static const struct flag network_list_flags[] = {
	FLAG_FORMAT,
	{NULL},
};

static const struct flag netns_list_flags[] = {
	{"quiet", "q", BOOL, "print IDs only"},
	FLAG_FORMAT,
	{NULL},
};

const struct command commands_top[] = {
	{"", "[flags] COMMAND", "Containers without a daemon",
	 "run --rm --cni busybox web ip addr", .flags = {program_flags}},
	{NULL},
};

const struct command commands_house[] = {
	{"namespaces", NULL, "Namespaces: images and containers that do not see each other",
	 .aliases = "namespace ns"},
	{"namespaces create", "<name> [<key>=<value> ...]", "Make a namespace",
	 "namespaces create blue owner=me", command_namespaces_create, .aliases = "c"},
	{"namespaces list", "[flags]", "List namespaces",
	 "namespaces ls", command_namespaces_list, .flags = {namespaces_list_flags}, .aliases = "ls"},
	{"namespaces remove", "[flags] <name> [<name>, ...]", "Remove empty namespaces",
	 "namespaces rm blue", command_namespaces_remove,
	 .flags = {namespaces_remove_flags}, .aliases = "rm", .operand = "namespaces"},
	{"namespaces label", "<name> [<key>=<value>, ...]",
	 "Set, change and remove labels of a namespace",
	 "namespaces label blue owner=you", command_namespaces_label, .operand = "namespaces"},
	{"network", NULL, "Networks: what containers with --cni are attached to",
	 .bits = COMMAND_OURS},
	{"network list", "[flags]", "List the configured network with its endpoints",
	 "network ls", command_network_list, .flags = {network_list_flags}, .aliases = "ls",
	 .bits = COMMAND_OURS},
	{"netns", NULL, "Network namespaces that have a name", .bits = COMMAND_OURS},
	{"netns list", "[flags]", "List network namespaces with their endpoints",
	 "netns ls", command_netns_list, .flags = {netns_list_flags}, .aliases = "ls",
	 .bits = COMMAND_OURS},
	{"version", NULL, "Print the version",
	 "version", command_system_version},
	{"info", NULL, "Print what the engine runs on as JSON",
	 "info", command_system_info},
	{NULL},
};
// clang-format on
