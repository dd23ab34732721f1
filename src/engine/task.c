// SPDX-License-Identifier: Apache-2.0
// Tasks: signals, stopping, waiting, freezing, what runs in them, their removal.
// Nothing here holds a claim while it waits for a container: the command that started it may need
// the claim to clean.
#include "engine/exec.h"
#include "engine/run.h"
#include "engine/signals.h"
#include "engine/terminal.h"
#include "kernel/cgroup.h"
#include "oci/names.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static fallible ended(void)
{
	return error_new(ERROR_NOT_FOUND, "process already finished: not found");
}

// --- Signals

const char *task_stop_signal(const struct store_container *c)
{
	for (size_t i = 0; c && i < c->labels.n; i++)
		if (!strcmp(c->labels.items[i].key, "io.containerd.image.config.stop-signal"))
			return c->labels.items[i].value;
	return "SIGTERM";
}

static fallible or_ended(struct error *error)
{
	if (!error_is(error, ERROR_NOT_FOUND))
		return error;
	error_drop(&error);
	return ended();
}

static fallible signal_exec(int folder, int number)
{
	auto_runtime_close struct runtime_task *task = NULL;
	TRY(or_ended(runtime_open(folder, &task, NULL)));
	return or_ended(runtime_signal(task, number));
}

static fallible open_exec(struct engine *e, const char *id, const char *exec_id, int *ret_dirfd,
                          int *ret_folder)
{
	TRY_AS(store_check_id(exec_id), "invalid exec id %s", exec_id);
	auto_fd int dirfd = -1;
	TRY(store_open_state_dir(e->store, e->ns, id, &dirfd));
	auto_free char *name = exec_folder(exec_id);
	*ret_folder = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_folder < 0)
		return error_new(ERROR_NOT_FOUND,
		                 "no running process found: process does not exist %s: not found",
		                 exec_id);
	*ret_dirfd = fd_take(&dirfd);
	return NULL;
}

fallible engine_task_kill(struct engine *e, const char *id, const char *exec_id, const char *signal,
                          bool all)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, id, &life));
	int number;
	TRY(oci_signal_parse(signal ? signal : task_stop_signal(life.container), &number));
	auto_fd int dirfd = -1, folder = -1;
	if (exec_id) {
		TRY(open_exec(e, id, exec_id, &dirfd, &folder));
		return signal_exec(folder, number);
	}
	if (life.owner != LIFE_RUNNING)
		return ended();
	if (all)
		return runtime_signal_all(life.task->cgroup, number);
	return or_ended(runtime_signal(life.monitor, number));
}

// --- Ending

fallible life_kill(struct engine *e, const struct life *life)
{
	auto_fd int dirfd = -1;
	struct error *error = runtime_signal_all(life->task->cgroup, SIGKILL);
	if (!error) // frozen by v1, it dies when it thaws
		error = runtime_resume(life->task->cgroup);
	if (!error)
		error = store_open_state_dir(e->store, life->task->ns, life->task->id, &dirfd);
	if (!error)
		error = life_await_monitor(dirfd);
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // group or folder: it has ended meanwhile
	return error;
}

static fallible running(const char *id, bool is_frozen)
{
	return error_hint(error_new(ERROR_BUSY,
	                            "task must be stopped before deletion: %s: failed precondition",
	                            is_frozen ? "paused" : "running"),
	                  "coracle stop %s ends it", id);
}

static fallible remove_exec(struct engine *e, const char *id, const char *exec_id, bool force,
                            int *ret_exit_code)
{
	auto_fd int dirfd = -1, folder = -1;
	TRY(open_exec(e, id, exec_id, &dirfd, &folder));
	auto_runtime_close struct runtime_task *task = NULL;
	struct error *gone = runtime_open(folder, &task, NULL);
	if (!gone && !force)
		return running(id, false);
	int code = 137;
	if (!gone) {
		struct error *error = runtime_signal(task, SIGKILL);
		error_drop(&error); // it has ended meanwhile
		TRY(runtime_wait(task, -1, &code));
	}
	if (gone && !error_is(gone, ERROR_NOT_FOUND))
		return gone;
	error_drop(&gone);
	struct error *killed = runtime_read_exit(folder, &code);
	error_drop(&killed); // with its monitor: no code
	*ret_exit_code = code;
	auto_free char *name = exec_folder(exec_id);
	return tree_remove(dirfd, name);
}

static fallible remove_task(struct engine *e, const char *id, uint64_t instance, int *ret_exit_code)
{
	struct store_claim *claim;
	TRY(store_claim(e->store, e->ns, id, STORE_CLAIM_WAIT, &claim));
	struct error *error = runtime_read_exit(store_claim_dirfd(claim), ret_exit_code);
	error_drop(&error); // its monitor was killed: 137 as it stands
	store_claim_release(claim);
	return life_finish(e, id, instance, true, LIFE_FORGET);
}

fallible engine_task_remove(struct engine *e, const char *id, const char *exec_id, bool force,
                            int *ret_exit_code)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, id, &life));
	if (exec_id)
		return remove_exec(e, id, exec_id, force, ret_exit_code);
	if (life.owner == LIFE_STARTING)
		return error_new(ERROR_BUSY, "container \"%s\" is being started or cleaned", id);
	if (life.owner == LIFE_RUNNING && !force) {
		bool is_frozen = false;
		struct error *error = runtime_is_frozen(life.task->cgroup, &is_frozen);
		error_drop(&error); // just ending
		return running(id, is_frozen);
	}
	if (life.owner == LIFE_RUNNING)
		TRY(life_kill(e, &life));
	life_hang_up(&life);
	*ret_exit_code = 137;
	return remove_task(e, id, life.task->instance, ret_exit_code);
}

// Sends the signal; kills what hasn't ended by itself in time.
static fallible stop(struct engine *e, const struct life *life, int number, int64_t timeout_ms)
{
	int fd;
	TRY(runtime_watch(life->monitor, &fd));
	TRY(runtime_signal(life->monitor, number));
	TRY(runtime_resume(life->task->cgroup)); // a frozen one must see it
	struct pollfd p = {fd, POLLIN, 0};
	int64_t limit = timeout_ms < 0 || timeout_ms > INT32_MAX ? -1 : timeout_ms;
	int n;
	while ((n = poll(&p, 1, (int)limit)) < 0 && errno == EINTR)
		;
	if (n == 0)
		engine_debug(e, "container %s: %s had no effect, killing it", life->task->id,
		             oci_signal_name(number) ? oci_signal_name(number) : "the signal");
	return NULL;
}

fallible engine_task_stop(struct engine *e, const char *id, const char *signal, int64_t timeout_ms)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, id, &life));
	int number;
	TRY(oci_signal_parse(signal ? signal : task_stop_signal(life.container), &number));
	if (life.owner == LIFE_RUNNING) {
		struct error *error = stop(e, &life, number, timeout_ms);
		if (error_is(error, ERROR_NOT_FOUND))
			error_drop(&error); // it has ended meanwhile
		TRY(error);
		TRY(life_kill(e, &life)); // processes without their first one, too
	}
	return life_finish(e, id, life.task->instance, true, LIFE_REMEMBER);
}

fallible engine_task_wait(struct engine *e, const char *id, int *ret_exit_code)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, id, &life));
	auto_fd int dirfd = -1;
	TRY(store_open_state_dir(e->store, e->ns, id, &dirfd));
	if (life.monitor) {
		struct error *gone = runtime_wait(life.monitor, -1, ret_exit_code);
		if (!error_is(gone, ERROR_NOT_FOUND))
			return gone;
		error_drop(&gone);
	}
	struct error *error = runtime_read_exit(dirfd, ret_exit_code);
	if (error_is(error, ERROR_NOT_FOUND)) { // its monitor was killed, and it by that
		error_drop(&error);
		*ret_exit_code = 137;
	}
	return error;
}

// --- Attaching

// What it writes from now on stands in its log: all who are attached see the same lines.
static fallible follow_log(struct engine *e, const struct engine_attach *r, int *ret_exit_code)
{
	struct engine_logs logs = {
		.id = r->id,
		.follow = true,
		.stops_with_output = true,
		.line = r->line,
		.context = r->context,
	};
	TRY(engine_logs(e, &logs));
	return engine_task_wait(e, r->id, ret_exit_code);
}

static fallible attach_terminal(const struct engine_attach *r, struct runtime_task *task,
                                int signalfd, int *ret_exit_code)
{
	auto_free char *keys = NULL;
	struct runtime_terminal terminal;
	TRY(terminal_of(r->stdio, r->detach_keys, &terminal, &keys));
	TRY(runtime_attach(task, &terminal));
	struct error *error = run_watch(task, &terminal, signalfd, ret_exit_code);
	if (error_is(error, ERROR_BUSY)) { // let go of
		error_drop(&error);
		*ret_exit_code = 0;
	}
	return error;
}

fallible engine_task_attach(struct engine *e, const struct engine_attach *request,
                            int *ret_exit_code)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, request->id, &life));
	if (life.owner != LIFE_RUNNING)
		return error_new(ERROR_INVALID, "cannot attach to a stopped container");
	if (!life.task->terminal && !life.task->detached)
		return error_new(ERROR_INVALID,
		                 "container \"%s\": its output goes to the command that started "
		                 "it, and to nobody else",
		                 request->id);
	if (!life.task->terminal) {
		life_hang_up(&life);
		return follow_log(e, request, ret_exit_code);
	}
	int signals = -1;
	sigset_t old;
	TRY(signals_catch(&signals, &old));
	auto_fd int signalfd = signals;
	struct error *error = attach_terminal(request, life.monitor, signalfd, ret_exit_code);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return error;
}

// --- Freezing

static fallible freezable(struct engine *e, const char *id, const char *verb, struct life *life,
                          int *ret_lock, bool *ret_frozen)
{
	TRY(life_of_task(e, id, life));
	if (life->owner != LIFE_RUNNING)
		return error_new(ERROR_INVALID, "cannot %s a stopped container", verb);
	TRY(life_lock_freezer(e, id, false, ret_lock));
	return runtime_is_frozen(life->task->cgroup, ret_frozen);
}

fallible engine_task_pause(struct engine *e, const char *id)
{
	defer(life_forget) struct life life = {0};
	auto_fd int lock = -1;
	bool is_frozen = false;
	TRY(freezable(e, id, "pause", &life, &lock, &is_frozen));
	if (is_frozen)
		return error_new(ERROR_INVALID, "cannot pause a paused container");
	return runtime_pause(life.task->cgroup);
}

fallible engine_task_resume(struct engine *e, const char *id)
{
	defer(life_forget) struct life life = {0};
	auto_fd int lock = -1;
	bool is_frozen = false;
	TRY(freezable(e, id, "resume", &life, &lock, &is_frozen));
	if (!is_frozen)
		return error_new(ERROR_INVALID, "cannot resume a running process");
	return runtime_resume(life.task->cgroup);
}

// --- Processes

void engine_processes_free(struct engine_processes *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].exec_id);
		free(p->items[i].command);
	}
	free(p->items);
	free(p);
}

// Field i of /proc/PID/stat, counted from the state, which is 0: the name before may hold blanks.
static uint64_t stat_field(const char *stat, size_t i)
{
	const char *p = strrchr(stat, ')');
	for (size_t k = 0; p && k <= i; k++)
		p = strchr(p + 1, ' ');
	uint64_t value = 0;
	for (; p && p[1] >= '0' && p[1] <= '9'; p++)
		value = value * 10 + (uint64_t)(p[1] - '0');
	return value;
}

// What there is of it; a process may end while we look.
static void describe(struct engine_process *p)
{
	auto_free char *path = alloc_printf("/proc/%lld", (long long)p->pid);
	auto_fd int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *stat = NULL, *command = NULL;
	size_t size = 0;
	struct error *e = proc < 0 ? ended() : file_read(proc, "stat", 4096, &stat, NULL);
	if (!e) {
		const char *name_end = strrchr(stat, ')');
		p->state = name_end && name_end[1] ? name_end[2] : '?';
		p->parent = (int64_t)stat_field(stat, 1);
		long ticks = sysconf(_SC_CLK_TCK);
		p->cpu_ms = (stat_field(stat, 11) + stat_field(stat, 12)) * 1000 / (uint64_t)ticks;
		p->resident_bytes = stat_field(stat, 21) * (uint64_t)sysconf(_SC_PAGESIZE);
		e = file_read(proc, "cmdline", 1 << 20, &command, &size);
	}
	while (command && size > 1 && !command[size - 2]) // whoever renames itself leaves such
		size--;
	for (size_t i = 0; command && i + 1 < size; i++)
		if (!command[i])
			command[i] = ' ';
	error_drop(&e);
	const char *name = stat ? strchr(stat, '(') : NULL, *end = stat ? strrchr(stat, ')') : NULL;
	if (command && size) // a zombie and a kernel thread have only a name
		p->command = take(&command);
	else if (name && end)
		p->command = alloc_printf("[%.*s]", (int)(end - name - 1), name + 1);
}

static void name_exec(int dirfd, const char *folder, struct engine_processes *list)
{
	auto_fd int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_runtime_close struct runtime_task *task = NULL;
	struct runtime_state state = {0};
	struct error *error = fd < 0 ? ended() : runtime_open(fd, &task, &state);
	for (size_t i = 0; !error && i < list->n; i++)
		if (list->items[i].pid == state.pid && !list->items[i].exec_id)
			list->items[i].exec_id = alloc_string(folder + strlen(EXEC_FOLDER));
	error_drop(&error); // it has ended
}

static fallible name_execs(int dirfd, struct engine_processes *list)
{
	auto_strings struct strings names = {0};
	TRY_AS(tree_names(dirfd, ".", &names), "state folder");
	for (size_t i = 0; i < names.n; i++)
		if (text_starts(names.items[i], EXEC_FOLDER))
			name_exec(dirfd, names.items[i], list);
	return NULL;
}

fallible engine_task_processes(struct engine *e, const char *id, struct engine_processes **ret)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, id, &life));
	auto_free pid_t *pids = NULL;
	size_t n = 0;
	struct error *error = NULL;
	if (life.owner == LIFE_RUNNING)
		error = runtime_processes(life.task->cgroup, &pids, &n);
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // it has ended
	TRY(error);
	struct engine_processes *list = alloc(sizeof(*list));
	list->items = alloc_array(n + 1, sizeof(*list->items));
	list->n = n;
	for (size_t i = 0; i < n; i++) {
		list->items[i].pid = pids[i];
		describe(&list->items[i]);
	}
	auto_fd int dirfd = -1;
	error = store_open_state_dir(e->store, e->ns, id, &dirfd);
	if (!error)
		error = name_execs(dirfd, list);
	error_drop(&error); // the folder has gone with the container: then there are no names
	*ret = list;
	return NULL;
}

fallible engine_task_metrics(struct engine *e, const char *id, struct engine_metrics *ret)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_task(e, id, &life));
	if (!*life.task->cgroup)
		return error_new(ERROR_NOT_FOUND, "task %s: has ended, and its cgroup is gone", id);
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_cgroup struct cgroup *group = NULL;
	struct cgroup_stats stats;
	*ret = (struct engine_metrics){0};
	TRY(cgroups_open(&cgroups));
	TRY(cgroup_open(cgroups, life.task->cgroup, &group));
	TRY(cgroup_read_stats(group, &stats));
	// Without a memory controller: what its processes have, pages that they share counted
	// twice.
	auto_free pid_t *all = NULL;
	size_t n_all = 0;
	TRY(cgroup_processes(group, &all, &n_all));
	for (size_t i = 0; !(stats.known & CGROUP_STAT_MEMORY) && i < n_all; i++) {
		struct engine_process p = {.pid = all[i]};
		describe(&p);
		ret->resident_bytes += p.resident_bytes;
		free(p.command);
	}
	*ret = (struct engine_metrics){
		.n_processes = n_all,
		.resident_bytes = ret->resident_bytes,
		.has_memory = stats.known & CGROUP_STAT_MEMORY,
		.has_cpu = stats.known & CGROUP_STAT_CPU,
		.has_pids = stats.known & CGROUP_STAT_PIDS,
		.memory_usage_bytes = stats.memory_usage_bytes,
		.memory_limit_bytes = stats.memory_limit_bytes,
		.cpu_usage_ns = stats.cpu_usage_us * 1000,
		.pids = stats.pids,
		.pids_limit = stats.pids_limit,
	};
	return NULL;
}
