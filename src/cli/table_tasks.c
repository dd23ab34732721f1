// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
static const struct flag tasks_checkpoint_flags[] = {
	{"exit", NULL, BOOL},
	{"image-path", NULL, TEXT("TEXT")},
	{"work-path", NULL, TEXT("TEXT")},
	{NULL},
};

static const struct flag tasks_delete_flags[] = {
	{"force", "f", BOOL, "end it first if it runs"},
	{"exec-id", NULL, TEXT("ID"), "the process that tasks exec started"},
	{NULL},
};

static const struct flag tasks_attach_flags[] = {
	FLAG_DETACH_KEYS,
	{NULL},
};

static const struct flag tasks_exec_flags[] = {
	{"cwd", NULL, TEXT("DIR"), "working directory of the process"},
	{"tty", "t", BOOL, "give the process a terminal"},
	FLAG_DETACH_KEYS,
	{"detach", "d", BOOL, "do not wait for the end"},
	{"exec-id", NULL, TEXT("ID"), "name of the process, for tasks kill and tasks rm",
	 .bits = FLAG_REQUIRED},
	{"fifo-dir", NULL, TEXT("DIR"),
	 "accepted: coracle's streams are pipes, which need no folder", .bits = FLAG_IDLE},
	{"log-uri", NULL, TEXT("URI"), "write output to this place, e.g. file:///var/log/x"},
	{"user", NULL, TEXT("USER[:GROUP]"), "user of the process, by name or number"},
	{NULL},
};

static const struct flag tasks_list_flags[] = {
	{"quiet", "q", BOOL, "print names only"},
	FLAG_FORMAT,
	{NULL},
};

const struct flag tasks_kill_flags[] = {
	{"signal", "s", TEXT("SIGNAL"),
	 "signal by name or number; else the stop signal of the image"},
	{"exec-id", NULL, TEXT("ID"), "the process that tasks exec started"},
	{"all", "a", BOOL, "all processes of the container"},
	{NULL},
};

static const struct flag tasks_metrics_flags[] = {
	{"format", NULL, TEXT("table|json"), "how to print", .initial = "table"},
	{NULL},
};

const struct flag tasks_start_flags[] = {
	{"no-pivot", NULL, BOOL, "move the root instead of pivoting it"},
	{"null-io", NULL, BOOL, "connect the process to /dev/null"},
	{"log-uri", NULL, TEXT("URI"), "write output to this place, e.g. file:///var/log/x"},
	{"fifo-dir", NULL, TEXT("DIR"),
	 "accepted: coracle's streams are pipes, which need no folder", .bits = FLAG_IDLE},
	{"pid-file", NULL, TEXT("FILE"), "write the pid of the process to this file"},
	{"detach", "d", BOOL, "do not wait for the end; output goes to a log"},
	{NULL},
};

static const struct flag tasks_ps_flags[] = {
	FLAG_FORMAT,
	{NULL},
};

const struct command commands_tasks[] = {
	{"tasks", NULL, "Tasks: the processes of containers",
	 .aliases = "t task"},
	{"tasks attach", "[flags] CONTAINER", "Attach to the output of a task",
	 "tasks attach web", command_tasks_attach, .flags = {tasks_attach_flags},
	 .operand = "containers"},
	{"tasks checkpoint", "[flags] CONTAINER", "Save the state of a task",
	 .flags = {tasks_checkpoint_flags}, .bits = COMMAND_NOT_YET},
	{"tasks delete", "[flags] CONTAINER [CONTAINER, ...]", "Remove tasks that have ended",
	 "tasks rm web", command_tasks_delete, .flags = {tasks_delete_flags},
	 .aliases = "del remove rm", .operand = "containers"},
	{"tasks exec", "[flags] CONTAINER CMD [ARG...]", "Start one more process in a container",
	 "tasks exec --exec-id e1 web ps", command_tasks_exec, .flags = {tasks_exec_flags},
	 .operand = "containers"},
	{"tasks list", "[flags]", "List tasks",
	 "tasks ls", command_tasks_list, .flags = {tasks_list_flags}, .aliases = "ls"},
	{"tasks kill", "[flags] CONTAINER", "Send a signal to a task",
	 "tasks kill --signal KILL web", command_tasks_kill, .flags = {tasks_kill_flags},
	 .operand = "containers"},
	{"tasks metrics", "[flags] CONTAINER", "Show what a task uses",
	 "tasks metrics web", command_tasks_metrics, .flags = {tasks_metrics_flags},
	 .aliases = "metric", .operand = "containers"},
	{"tasks pause", "CONTAINER", "Freeze a task",
	 "tasks pause web", command_tasks_pause, .operand = "containers"},
	{"tasks ps", "CONTAINER", "List the processes of a task",
	 "tasks ps web", command_tasks_ps, .flags = {tasks_ps_flags}, .operand = "containers"},
	{"tasks resume", "CONTAINER", "Let a frozen task go on",
	 "tasks resume web", command_tasks_resume, .operand = "containers"},
	{"tasks start", "[flags] CONTAINER", "Start a container that was created",
	 "tasks start -d web", command_run_start, .flags = {tasks_start_flags, flags_log},
	 .operand = "containers"},
	{NULL},
};
// clang-format on
