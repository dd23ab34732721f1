// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
const struct flag containers_create_flags[] = {
	{"snapshotter-label", NULL, TEXTS("KEY=VALUE"), "label the snapshot"},
	FLAG_PULL,
	// What ctr has for run alone.
	{"cgroup", NULL, TEXT("PATH"), "put the container into this cgroup", .bits = FLAG_OURS},
	{"platform", NULL, TEXT("OS/ARCH"), "run the image for this platform", .bits = FLAG_OURS},
	{"cni", NULL, BOOL, "give the container a network by CNI", .bits = FLAG_OURS},
	{"privileged-without-host-devices", NULL, BOOL,
	 "with --privileged, leave the devices of the host out", .bits = FLAG_OURS},
	{"cpus", NULL, FLOAT("N"), "limit of CPUs, e.g. 1.5", .bits = FLAG_OURS},
	{"cpu-shares", NULL, INT("N"), "weight against other containers", .bits = FLAG_OURS,
	 .initial = "1024"},
	{"cpuset-cpus", NULL, TEXT("LIST"), "CPUs to use, e.g. 0-2,4", .bits = FLAG_OURS},
	{"cpuset-mems", NULL, TEXT("LIST"), "memory nodes to use", .bits = FLAG_OURS},
	{"uidmap", NULL, TEXTS("ID:HOST:SIZE"), "map user ids, with --gidmap", .bits = FLAG_OURS},
	{"gidmap", NULL, TEXTS("ID:HOST:SIZE"), "map group ids, with --uidmap", .bits = FLAG_OURS},
	{"no-seccomp", NULL, BOOL, "do not filter system calls", .bits = FLAG_OURS},
	{NULL},
};

const struct flag containers_delete_flags[] = {
	{"keep-snapshot", NULL, BOOL, "leave the snapshot"},
	{"force", "f", BOOL, "end it first if it runs", .bits = FLAG_OURS},
	{NULL},
};

const struct flag containers_info_flags[] = {
	{"spec", NULL, BOOL, "print the runtime spec only"},
	{NULL},
};

static const struct flag containers_list_flags[] = {
	{"quiet", "q", BOOL, "print names only"},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag containers_checkpoint_flags[] = {
	{"rw", NULL, BOOL},
	{"image", NULL, BOOL},
	{"task", NULL, BOOL},
	{NULL},
};

static const struct flag containers_restore_flags[] = {
	{"rw", NULL, BOOL},
	{"live", NULL, BOOL},
	{NULL},
};

const struct command commands_containers[] = {
	{"containers", NULL, "Containers: records of what runs or can run",
	 .aliases = "c container"},
	{"containers create", "[flags] Image|RootFS CONTAINER [COMMAND] [ARG...]",
	 "Make a container without starting it",
	 "containers create busybox web sleep 100", command_run_create,
	 .flags = {containers_create_flags, flags_docker, flags_container, flags_runtime,
	           flags_snapshotter},
	 .operand = "images"},
	{"containers delete", "[flags] CONTAINER [CONTAINER, ...]",
	 "Remove containers that have ended",
	 "containers rm web", command_containers_delete,
	 .flags = {containers_delete_flags}, .aliases = "del remove rm", .operand = "containers"},
	{"containers info", "[flags] CONTAINER", "Print a container with its runtime spec as JSON",
	 "containers info web", command_containers_info, .flags = {containers_info_flags},
	 .operand = "containers"},
	{"containers list", "[flags] [<filter>, ...]", "List containers",
	 "containers ls", command_containers_list, .flags = {containers_list_flags}, .aliases = "ls",
	 .operand = "containers"},
	{"containers label", "[flags] CONTAINER [<key>=<value>, ...]",
	 "Set, change and remove labels of a container",
	 "containers label web tier=front old=", command_containers_label, .operand = "containers"},
	{"containers checkpoint", "[flags] CONTAINER REF", "Save a container as an image",
	 .flags = {containers_checkpoint_flags}, .bits = COMMAND_NOT_YET},
	{"containers restore", "[flags] CONTAINER REF", "Start a container from a saved image",
	 .flags = {containers_restore_flags}, .bits = COMMAND_NOT_YET},
	{NULL},
};
// clang-format on
