// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
const struct flag flags_registry[] = {
	{"skip-verify", "k", BOOL, "do not verify the certificate of the registry"},
	{"plain-http", NULL, BOOL, "speak HTTP instead of HTTPS to the registry"},
	{"user", "u", TEXT("USER[:PASSWORD]"), "user and password for the registry"},
	{"refresh", NULL, TEXT("TEXT"), "refresh token for the authorization server"},
	{"hosts-dir", NULL, TEXT("DIR"), "folder of hosts.toml files"},
	{"tlscacert", NULL, TEXT("FILE"), "certificate authority to trust for the registry"},
	{"tlscert", NULL, TEXT("FILE"), "client certificate for the registry"},
	{"tlskey", NULL, TEXT("FILE"), "key of the client certificate"},
	{"http-dump", NULL, BOOL, "show what is asked and answered, without bodies and secrets"},
	{"http-trace", NULL, BOOL, "show who answered each question, and how fast"},
	{NULL},
};
const struct flag flags_runtime[] = {
	{"runtime", NULL, TEXT("NAME"),
	 "runtime to record; coracle is its own", .bits = FLAG_IDLE,
	 .initial = "io.containerd.runc.v2"},
	{"runtime-config-path", NULL, TEXT("FILE"),
	 "configuration of a foreign runtime", .bits = FLAG_NOT_YET},
	{"runc-binary", NULL, TEXT("FILE"), "accepted, with a warning: coracle is its own runtime",
	 .bits = FLAG_IDLE},
	{"runc-root", NULL, TEXT("DIR"), "accepted, with a warning: coracle is its own runtime",
	 .bits = FLAG_IDLE},
	{"runc-systemd-cgroup", NULL, BOOL, "refused: coracle makes its cgroups itself"},
	{NULL},
};
const struct flag flags_snapshotter[] = {
	{"snapshotter", NULL, TEXT("NAME"),
	 "snapshotter: overlayfs (the default) or native; Windows images have their own, windows", .env = "CONTAINERD_SNAPSHOTTER"},
	{NULL},
};
const struct flag flags_container[] = {
	{"config", "c", TEXT("FILE"), "take the runtime spec from this file instead of making one"},
	{"cwd", NULL, TEXT("DIR"), "working directory of the process", .docker = "w workdir"},
	{"env", NULL, TEXTS("NAME=VALUE"), "set an environment variable", .docker = "e"},
	{"env-file", NULL, TEXT("FILE"), "set the environment variables in this file, one a line"},
	{"label", NULL, TEXTS("KEY=VALUE"), "label the container"},
	{"annotation", NULL, TEXTS("KEY=VALUE"), "annotate the runtime spec"},
	{"mount", NULL, TEXTS("SPEC"),
	 "mount more, e.g. type=bind,src=/srv,dst=/srv,options=rbind:ro"},
	{"net-host", NULL, BOOL, "use the network of the host"},
	{"privileged", NULL, BOOL, "all capabilities, all devices, nothing masked"},
	{"read-only", NULL, BOOL, "make the root file system read-only"},
	{"sandbox", NULL, TEXT("ID"),
	 "sandbox to record for the container; it joins none"},
	{"tty", "t", BOOL, "give the process a terminal"},
	{"with-ns", NULL, TEXTS("TYPE:PATH"),
	 "join an existing namespace, e.g. network:/run/netns/blue"},
	{"pid-file", NULL, TEXT("FILE"), "write the pid of the process to this file"},
	{"gpus", NULL, INTS("N"), "add GPUs by number", .bits = FLAG_NOT_YET},
	{"allow-new-privs", NULL, BOOL, "let set-user-ID programs and file capabilities work"},
	{"memory-limit", NULL, UINT("BYTES"), "limit of memory in bytes; as coracle 64m and 1g too",
	 .bits = FLAG_SIZE, .docker = "m memory"},
	{"cap-add", NULL, TEXTS("CAP"), "add a capability, e.g. CAP_NET_ADMIN"},
	{"cap-drop", NULL, TEXTS("CAP"), "take a capability away, e.g. CAP_NET_RAW"},
	{"seccomp", NULL, BOOL,
	 "filter system calls by the default profile; on unless --privileged"},
	{"seccomp-profile", NULL, TEXT("FILE"), "filter system calls by the profile in this file"},
	{"apparmor-default-profile", NULL, TEXT("NAME"),
	 "make and use the default AppArmor profile under this name; an error without AppArmor"},
	{"apparmor-profile", NULL, TEXT("NAME"),
	 "use an AppArmor profile that is loaded; an error without AppArmor"},
	{"blockio-config-file", NULL, TEXT("FILE"),
	 "file that defines classes of block I/O, in goresctrl's YAML (docs/blockio.md)"},
	{"blockio-class", NULL, TEXT("NAME"),
	 "weights and throttles of block devices, by a class of --blockio-config-file"},
	{"rdt-class", NULL, TEXT("NAME"), "resctrl class of the container; it must be there"},
	{"hostname", NULL, TEXT("NAME"), "host name inside"},
	{"user", "u", TEXT("USER[:GROUP]"), "user of the process, by name or number"},
	{"rootfs", NULL, BOOL, "the first argument is a folder, not an image"},
	{"no-pivot", NULL, BOOL, "move the root instead of pivoting it"},
	{"cpu-quota", NULL, INT("N"),
	 "microseconds of CPU in each period", .initial = "-1"},
	{"cpu-period", NULL, UINT("N"),
	 "length of a CPU period in microseconds"},
	{"rootfs-propagation", NULL, TEXT("NAME"),
	 "propagation of the root mount"},
	{"device", NULL, TEXTS("PATH"), "pass a device, e.g. /dev/fuse"},
	{NULL},
};

static const struct flag commit_flags[] = {
	{"author", "a", TEXT("NAME"), "who made it, for the image's history", .bits = FLAG_OURS},
	{"message", "m", TEXT("TEXT"), "what it is, for the image's history", .bits = FLAG_OURS},
	{"change", "c", TEXTS("INSTRUCTION"), "change the config: ENV A=1, WORKDIR /x, CMD and others",
	 .bits = FLAG_OURS},
	{"pause", "p", BOOL, "freeze the container meanwhile; --pause=false doesn't",
	 .bits = FLAG_OURS, .initial = "true"},
	{"compression", NULL, TEXT("gzip|zstd"), "how the layer is packed", .bits = FLAG_OURS,
	 .initial = "gzip"},
	{NULL},
};

static const struct flag login_flags[] = {
	{"password", "p", TEXT("PASSWORD"), "the password; others on this machine may see it here"},
	{"password-stdin", NULL, BOOL, "read the password from standard input"},
	{NULL},
};

static const struct flag run_flags[] = {
	FLAG_PULL,
	{"rm", NULL, BOOL, "remove the container when it ends"},
	{"null-io", NULL, BOOL, "connect the process to /dev/null"},
	{"log-uri", NULL, TEXT("URI"),
	 "write output to file:///var/log/x, or to a program: binary:///usr/bin/x?key=value"},
	{"detach", "d", BOOL, "do not wait for the end; output goes to a log"},
	{"fifo-dir", NULL, TEXT("DIR"),
	 "accepted: coracle's streams are pipes, which need no folder", .bits = FLAG_IDLE},
	{"cgroup", NULL, TEXT("PATH"), "put the container into this cgroup"},
	{"platform", NULL, TEXT("OS/ARCH"), "run the image for this platform"},
	{"cni", NULL, BOOL, "give the container a network by CNI"},
	{"sync-fs", NULL, BOOL, "accepted: what is unpacked is always durable", .bits = FLAG_IDLE},
	{"uidmap", NULL, TEXTS("ID:HOST:SIZE"), "map user ids: a user namespace of its own, with --gidmap"},
	{"gidmap", NULL, TEXTS("ID:HOST:SIZE"), "map group ids, with --uidmap"},
	{"remap-labels", NULL, BOOL, "accepted: ids are always mapped by mounts, nothing is copied",
	 .bits = FLAG_IDLE},
	{"privileged-without-host-devices", NULL, BOOL,
	 "with --privileged, leave the devices of the host out"},
	{"cpus", NULL, FLOAT("N"), "limit of CPUs, e.g. 1.5"},
	{"cpu-shares", NULL, INT("N"),
	 "weight against other containers", .initial = "1024"},
	{"cpuset-cpus", NULL, TEXT("LIST"), "CPUs to use, e.g. 0-2,4"},
	{"cpuset-mems", NULL, TEXT("LIST"), "memory nodes to use"},
	{"snapshotter-label", NULL, TEXTS("KEY=VALUE"), "label the snapshot; with --rm there is none"},
	{"no-seccomp", NULL, BOOL, "do not filter system calls", .bits = FLAG_OURS},
	{NULL},
};

const struct flag flags_log[] = {
	FLAG_DETACH_KEYS,
	{"log-size", NULL, TEXT("SIZE"), "size of a file of the log, e.g. 512k, 10m",
	 .bits = FLAG_OURS, .initial = "10m", .env = "CORACLE_LOG_SIZE"},
	{"log-files", NULL, UINT("N"), "files of the log; the oldest goes, 9 at most",
	 .bits = FLAG_OURS, .initial = "3", .env = "CORACLE_LOG_FILES"},
	{NULL},
};

// As docker writes them: understood as `coracle` only.
const struct flag flags_docker[] = {
	{"volume", "v", TEXTS("SRC:DST[:ro]"), "bind-mount a folder or file", .bits = FLAG_DOCKER},
	{"tmpfs", NULL, TEXTS("DIR[:OPTIONS]"), "mount a tmpfs", .bits = FLAG_DOCKER},
	{"shm-size", NULL, TEXT("SIZE"), "size of /dev/shm, e.g. 1g", .bits = FLAG_DOCKER},
	{"ulimit", NULL, TEXTS("NAME=SOFT[:HARD]"), "a limit of the process, e.g. nofile=4096",
	 .bits = FLAG_DOCKER},
	{"stop-signal", NULL, TEXT("SIGNAL"), "what stop sends", .bits = FLAG_DOCKER},
	{"name", NULL, TEXT("ID"), "the container's id, which is then no argument",
	 .bits = FLAG_DOCKER},
	{"entrypoint", NULL, TEXT("PROGRAM"), "program to start in place of the image's",
	 .bits = FLAG_DOCKER},
	{"init", NULL, BOOL, "start the program as the child of an init that forwards signals and reaps",
	 .bits = FLAG_DOCKER},
	{"interactive", "i", BOOL, "accepted: standard input is always passed on",
	 .bits = FLAG_DOCKER | FLAG_IDLE},
	{NULL},
};

static const struct flag ps_flags[] = {
	{"quiet", "q", BOOL, "print names only", .bits = FLAG_OURS},
	{"all", "a", BOOL, "containers that do not run too", .bits = FLAG_OURS},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag exec_flags[] = {
	{"env", "e", TEXTS("NAME=VALUE"), "set an environment variable", .bits = FLAG_OURS},
	{"cwd", "w", TEXT("DIR"), "working directory of the process", .bits = FLAG_OURS,
	 .docker = "workdir"},
	{"user", "u", TEXT("USER[:GROUP]"), "user of the process, by name or number",
	 .bits = FLAG_OURS},
	{"interactive", "i", BOOL, "pass standard input on", .bits = FLAG_OURS},
	{"tty", "t", BOOL, "give the process a terminal", .bits = FLAG_OURS},
	FLAG_DETACH_KEYS,
	{"detach", "d", BOOL, "do not wait for the end; output is dropped", .bits = FLAG_OURS},
	{NULL},
};

static const struct flag logs_flags[] = {
	{"follow", "f", BOOL, "go on until the container ends", .bits = FLAG_OURS},
	{"tail", "n", TEXT("N"), "only the last N lines", .bits = FLAG_OURS, .initial = "all"},
	{"since", NULL, TEXT("TIME"),
	 "only lines since then: 10m (ago), seconds since 1970, 2026-11-26T02:15:00Z",
	 .bits = FLAG_OURS},
	{"timestamps", "t", BOOL, "each line with its time", .bits = FLAG_OURS},
	{NULL},
};

static const struct flag attach_flags[] = {
	FLAG_DETACH_KEYS,
	{NULL},
};

static const struct flag top_flags[] = {
	FLAG_FORMAT,
	{NULL},
};

static const struct flag stats_flags[] = {
	{"no-stream", NULL, BOOL, "once; so it is without a terminal", .bits = FLAG_OURS},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag stop_flags[] = {
	{"time", NULL, INT("SECONDS"), "how long to wait before killing; -1: for ever",
	 .bits = FLAG_OURS, .initial = "10", .docker = "t"},
	{"signal", "s", TEXT("SIGNAL"), "signal by name or number; else the stop signal of the image",
	 .bits = FLAG_OURS},
	{NULL},
};

static const struct flag gc_flags[] = {
	{"dry-run", NULL, BOOL, "only tell what would go", .bits = FLAG_OURS},
	{"partial", NULL, BOOL, "also what interrupted pulls have got, which is kept for a day",
	 .bits = FLAG_OURS},
	FLAG_FORMAT,
	{NULL},
};

const struct command commands_run[] = {
	{"run", "[flags] IMAGE|ROOTFS ID [COMMAND] [ARG...]",
	 "Make a container, start it, and wait for its end",
	 "run --rm --cni busybox web ip addr", command_run_run,
	 .flags = {run_flags, flags_docker, flags_container, flags_runtime, flags_snapshotter, flags_log},
	 .more = "A COMMAND replaces both the image's entrypoint and its command. What stands "
	         "behind the image belongs to the container: flags come before it. The exit "
	         "status is the process's own, 128+n if signal n ended it.", .operand = "images"},
	{"ps", "[flags] [<filter>, ...]", "List what runs",
	 "ps", command_containers_ps, .flags = {ps_flags}, .bits = COMMAND_OURS},
	{"commit", "[flags] CONTAINER IMAGE", "Make an image of a container's changes",
	 "commit -m tools web mine:1", command_commit, .flags = {commit_flags},
	 .bits = COMMAND_OURS, .operand = "containers"},
	{"login", "[flags] [<server>]", "Log in at a registry, as docker login does",
	 "login --user me --password-stdin registry.example", command_login,
	 .flags = {login_flags, flags_registry}, .bits = COMMAND_OURS},
	{"logout", "[<server>]", "Forget a login", "logout registry.example", command_logout,
	 .bits = COMMAND_OURS},
	{"pull", "[flags] <ref>", "Pull an image: images pull",
	 "pull busybox", command_images_pull,
	 .flags = {images_pull_flags, flags_registry, flags_snapshotter}, .operand = "images",
	 .bits = COMMAND_OURS},
	{"exec", "[flags] CONTAINER COMMAND [ARG...]", "Start one more process in a container",
	 "exec -i web sh", command_tasks_exec_anonymous, .flags = {exec_flags},
	 .bits = COMMAND_OURS, .operand = "containers",
	 .more = "The exit status is the process's own; 126 and 127 if it can't be executed or is "
	         "not there."},
	{"logs", "[flags] CONTAINER", "Show the output of a detached container",
	 "logs -f --tail 100 web", command_tasks_logs, .flags = {logs_flags},
	 .bits = COMMAND_OURS, .operand = "containers",
	 .more = "The log stays until the task is removed: with the container, by tasks rm, or by "
	         "the next start."},
	{"rm", "[flags] CONTAINER [CONTAINER, ...]", "Remove containers: containers delete",
	 "rm -f web", command_containers_delete, .flags = {containers_delete_flags},
	 .bits = COMMAND_OURS, .operand = "containers"},
	{"kill", "[flags] CONTAINER", "Send a signal to a container: tasks kill",
	 "kill --signal HUP web", command_tasks_kill, .flags = {tasks_kill_flags},
	 .bits = COMMAND_OURS, .operand = "containers"},
	{"stop", "[flags] CONTAINER [CONTAINER, ...]",
	 "Ask containers to end, and end them if they do not",
	 "stop --time 3 web", command_tasks_stop, .flags = {stop_flags}, .bits = COMMAND_OURS,
	 .operand = "containers"},
	{"start", "[flags] CONTAINER", "Start a container that was created, or has ended: tasks start",
	 "start -d web", command_run_start, .flags = {tasks_start_flags, flags_log},
	 .bits = COMMAND_OURS, .operand = "containers"},
	{"attach", "[flags] CONTAINER", "Attach to a running container: its terminal, or its output",
	 "attach web", command_tasks_attach, .flags = {attach_flags}, .bits = COMMAND_OURS,
	 .operand = "containers"},
	{"top", "CONTAINER", "List the processes of a container with what they do",
	 "top web", command_tasks_top, .flags = {top_flags}, .bits = COMMAND_OURS,
	 .operand = "containers"},
	{"stats", "[flags] [CONTAINER, ...]", "Show what running containers use, again and again",
	 "stats --no-stream web", command_tasks_stats, .flags = {stats_flags},
	 .bits = COMMAND_OURS, .operand = "containers"},
	{"cp", "CONTAINER:SOURCE TARGET|SOURCE CONTAINER:TARGET",
	 "Copy files between the host and a container",
	 "cp web:/etc/hosts .", command_tasks_copy, .bits = COMMAND_OURS, .operand = "containers",
	 .more = "The container may run or not. Owners are not kept, devices and mounts are passed "
	         "over."},
	{"wait", "CONTAINER [CONTAINER, ...]", "Wait for the end and print the exit codes",
	 "wait web", command_tasks_wait, .bits = COMMAND_OURS, .operand = "containers"},
	{"inspect", "CONTAINER", "Print a container with its runtime spec as JSON: containers info",
	 "inspect web", command_containers_info, .flags = {containers_info_flags},
	 .bits = COMMAND_OURS, .operand = "containers"},
	{"pause", "CONTAINER", "Freeze a container: tasks pause",
	 "pause web", command_tasks_pause, .bits = COMMAND_OURS, .operand = "containers"},
	{"unpause", "CONTAINER", "Let a frozen container go on: tasks resume",
	 "unpause web", command_tasks_resume, .bits = COMMAND_OURS, .operand = "containers"},
	{"create", "[flags] IMAGE|ROOTFS ID [COMMAND] [ARG...]",
	 "Make a container without starting it: containers create",
	 "create busybox web sleep 100", command_run_create,
	 .flags = {containers_create_flags, flags_docker, flags_container, flags_runtime, flags_snapshotter},
	 .bits = COMMAND_OURS, .operand = "images"},
	{"spec", "[flags] IMAGE|ROOTFS ID [COMMAND] [ARG...]",
	 "Print the config.json that run would use",
	 "spec --cni busybox web ip addr > config.json", command_run_spec,
	 .flags = {run_flags, flags_docker, flags_container, flags_runtime, flags_snapshotter, flags_log},
	 .bits = COMMAND_OURS,
	 .more = "run --config FILE ID starts the same container, its network included.",
	 .operand = "images"},
	{"gc", "[flags]", "Collect what nobody owns any more",
	 "gc --dry-run", command_system_gc, .flags = {gc_flags}, .bits = COMMAND_OURS},
	{NULL},
};
// clang-format on
