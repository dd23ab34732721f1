// SPDX-License-Identifier: Apache-2.0
// Making a task: state files, group, plan, streams, then the two processes.
#include "kernel/kernel.h"
#include "runtime/linux/hooks.h"
#include "runtime/linux/launch.h"
#include "runtime/linux/limits.h"
#include "runtime/linux/task.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct making { // descriptors that are needed until the launch
	struct plan *plan;
	struct stdio stdio;
	bool has_stdio;
	int lock, listen, control, null;
	int console[2];
	int report, go[2], sync[2]; // sync[1] stays ours until IDs and groups are set
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void making_done(struct making *m)
{
	int *fds[] = {&m->lock,  &m->listen,  &m->control, &m->null,       &m->report,    &m->go[0],
	              &m->go[1], &m->sync[0], &m->sync[1], &m->console[0], &m->console[1]};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		close_fd(fds[i]);
	if (m->has_stdio)
		stdio_done(&m->stdio);
	m->has_stdio = false;
	plan_free(m->plan);
	m->plan = NULL;
}

// ---- The state directory ------------------------------------------------------------------------

static fallible take_lock(struct runtime_task *task, int *ret)
{
	auto_fd int fd = openat(task->state_dirfd, SHIM_LOCK,
	                        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("%s", SHIM_LOCK);
	TRY_AS(lock_try(fd, LOCK_EXCLUSIVE), "%s", SHIM_LOCK);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("%s", SHIM_LOCK);
	task->lock = st.st_ino;
	*ret = fd_take(&fd);
	return NULL;
}

static fallible listen_in(int state_dirfd, int *ret)
{
	struct sockaddr_un address;
	TRY(task_socket_address(state_dirfd, &address));
	// Of a life that ended badly; its lock is ours now.
	ignore(unlinkat(state_dirfd, SHIM_SOCKET, 0));
	ignore(unlinkat(state_dirfd, SHIM_EXIT, 0));
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	// The mode of the name comes from the socket.
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0)
		FAIL_ERRNO("%s", SHIM_SOCKET);
	*ret = fd_take(&fd);
	return NULL;
}

// ---- Plan ---------------------------------------------------------------------------------------

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

static void plan_keep(struct plan *plan)
{
	size_t n = 0;
	plan->kept = arena_alloc(plan->arena, (plan->n_mounts + plan->n_joins + plan->n_devices +
	                                       CGROUP_ENTRANCES + 16) *
	                                              sizeof *plan->kept);
	const int single[] = {plan->console,  plan->root,     plan->null_mount,   plan->null,
	                      plan->stdio[0], plan->stdio[1], plan->stdio[2],     plan->report,
	                      plan->go,       plan->sync,     plan->init_program, plan->filter_fd,
	                      plan->code,     plan->hooks_fd, plan->proc};
	for (size_t i = 0; i < sizeof single / sizeof *single; i++)
		plan->kept[n++] = single[i];
	for (size_t i = 0; i < plan->n_mounts; i++)
		plan->kept[n++] = plan->mounts[i].source;
	for (size_t i = 0; i < plan->n_devices; i++)
		plan->kept[n++] = plan->devices[i].source;
	for (size_t i = 0; i < plan->n_joins; i++)
		plan->kept[n++] = plan->joins[i].fd;
	for (size_t i = 0; i < CGROUP_ENTRANCES; i++)
		plan->kept[n++] = plan->entrances[i];
	qsort(plan->kept, n, sizeof *plan->kept, compare_ints);
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		if (plan->kept[i] >= 0 && (!used || plan->kept[used - 1] != plan->kept[i]))
			plan->kept[used++] = plan->kept[i];
	}
	plan->n_kept = used;
}

static bool needs_maps(const struct plan *plan)
{
	return plan->clone_flags & CLONE_NEWUSER;
}

static fallible make_pipes(struct runtime_task *task, struct making *m)
{
	int report[2], control[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	task->report = report[0];
	m->report = report[1];
	if (pipe2(m->go, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	// A new cgroup namespace has to wait until its process has been put into all groups, a
	// user namespace for its maps.
	bool waits = m->plan->new_cgroup_namespace || needs_maps(m->plan) ||
	             hooks_precede_pivot(task->hooks);
	if (waits && pipe2(m->sync, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		FAIL_ERRNO("socket");
	task->control = control[0];
	m->control = control[1];
	m->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (m->null < 0)
		FAIL_ERRNO("/dev/null");
	return NULL;
}

static fallible make_group(const struct runtime_request *request, struct runtime_task *task,
                           bool *ret_enforces_devices)
{
	TRY(cgroups_open(&task->cgroups));
	if (request->cgroup) {
		struct error *e = cgroup_create(task->cgroups, request->cgroup, &task->group);
		// Nowhere to write: goes without, if nobody asked for a limit (limits_apply).
		if (error_is(e, ERROR_UNSUPPORTED))
			error_drop(&e);
		TRY(e);
	}
	return limits_apply(request, task->group, ret_enforces_devices);
}

// A caller without standard streams: what we open must not take their numbers, which init fills
// last.
static fallible hold_standard_numbers(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return error_new(ERROR_SYSTEM, "/dev/null: can't be opened as %d", fd);
	}
	return NULL;
}

static fallible prepare_state(const struct runtime_request *request, struct runtime_task *task,
                              struct making *m)
{
	task->state_dirfd = fcntl(request->state_dirfd, F_DUPFD_CLOEXEC, 3);
	if (task->state_dirfd < 0)
		FAIL_ERRNO("state directory");
	TRY(take_lock(task, &m->lock));
	TRY(listen_in(task->state_dirfd, &m->listen));
	plan_step(request, "state");
	return NULL;
}

static fallible prepare_container(const struct runtime_request *request, struct runtime_task *task,
                                  struct making *m)
{
	// The lock before the group: whoever finds the group finds that its maker lives.
	TRY(prepare_state(request, task, m));
	bool enforces_devices = false;
	TRY(make_group(request, task, &enforces_devices));
	plan_step(request, "cgroup");
	TRY(plan_make(request, enforces_devices, &m->plan));
	if (oci_spec_has_hooks(request->spec))
		TRY(hooks_make(request, &task->hooks));
	m->plan->hooks = task->hooks;
	return NULL;
}

static fallible prepare_exec(const struct runtime_request *request, struct runtime_task *task,
                             struct making *m)
{
	if (request->state_dirfd >= 0)
		TRY(prepare_state(request, task, m));
	TRY(cgroups_open(&task->cgroups));
	if (request->cgroup) {
		bool is_frozen;
		TRY(cgroup_open(task->cgroups, request->cgroup, &task->group));
		TRY(cgroup_is_frozen(task->group, &is_frozen));
		if (is_frozen)
			return error_new(ERROR_BUSY, "cannot exec in a paused state");
	}
	return plan_make_exec(request, task->container, task->container_pid, &m->plan);
}

static fallible prepare_terminal(const struct runtime_request *request, struct making *m)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->console) < 0)
		FAIL_ERRNO("socket");
	struct plan *plan = m->plan;
	plan->console = m->console[1];
	plan->rows = request->terminal.rows;
	plan->columns = request->terminal.columns;
	return NULL;
}

static fallible prepare_code(const struct runtime_request *request, struct plan *plan)
{
	if (!request->code_variable)
		return NULL;
	plan->code = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (plan->code < 0)
		FAIL_ERRNO("eventfd");
	plan->env[plan->n_env++] =
		arena_printf(plan->arena, "%s=%d", request->code_variable, plan->code);
	return NULL;
}

// So that its user can open /dev/stdout; from inside nobody could give it a pipe of the host's.
static void give_streams(const struct plan *plan)
{
	int64_t uid = id_map_outside(plan->ids.uids, plan->ids.n_uids, plan->uid);
	for (int i = 0; i < 3 && plan->has_user_namespace && uid >= 0; i++) {
		struct stat st;
		if (plan->stdio[i] >= 0 && fstat(plan->stdio[i], &st) == 0 && S_ISFIFO(st.st_mode))
			ignore(fchown(plan->stdio[i], (uid_t)uid, (gid_t)-1)); // as in step_stdio()
	}
}

static fallible prepare(const struct runtime_request *request, struct runtime_task *task,
                        struct making *m)
{
	TRY(hold_standard_numbers());
	TRY(task->is_exec ? prepare_exec(request, task, m) : prepare_container(request, task, m));
	if (task->group)
		TRY(cgroup_open_entrances(task->group, m->plan->entrances));
	plan_step(request, "plan");
	if (request->spec->process.terminal) {
		TRY(prepare_terminal(request, m));
	} else {
		TRY(stdio_prepare(request->stdio, &request->log, &m->stdio));
		m->has_stdio = true;
	}
	TRY(make_pipes(task, m));
	struct plan *plan = m->plan;
	if (m->has_stdio)
		memcpy(plan->stdio, m->stdio.init, sizeof plan->stdio);
	give_streams(plan);
	plan->report = m->report;
	plan->go = m->go[0];
	plan->sync = m->sync[0];
	TRY(plan_init_program(request, plan));
	TRY(prepare_code(request, plan));
	plan_keep(plan);
	return NULL;
}

// ---- Launch -------------------------------------------------------------------------------------

static fallible settle(const struct runtime_request *request, struct runtime_task *task,
                       struct making *m)
{
	// Until it hears from us the monitor reaps nobody: the pid is init's.
	int sys = pidfd_open_process(task->pid, &task->pidfd);
	if (sys)
		return error_system(sys, "process %d", (int)task->pid);
	auto_free char *path = alloc_printf("/proc/%d", (int)task->pid);
	auto_fd int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		FAIL_ERRNO("process %d", (int)task->pid);
	// The last reference to the mounts, dropped after the answer: unmounting can mean a sync.
	if (!task->is_exec)
		task->held = openat(proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
	if (task->held < 0 && !task->is_exec)
		FAIL_ERRNO("process %d", (int)task->pid);
	if (task->plan->rdt_tasks >= 0) {
		auto_free char *text = alloc_printf("%d", (int)task->pid);
		if (write(task->plan->rdt_tasks, text, strlen(text)) < 0)
			FAIL_ERRNO("resctrl class");
	}
	const struct oci_i64 *score = &request->spec->process.oom_score_adj;
	if (score->set) {
		auto_free char *text = alloc_printf("%lld", (long long)score->value);
		TRY_AS(file_write_value(proc, "oom_score_adj", text), "process.oomScoreAdj %s",
		       text);
	}
	if (needs_maps(task->plan))
		TRY(id_maps_write(task->pid, &task->plan->ids, false));
	if (m->sync[1] >= 0 && write(m->sync[1], "", 1) != 1)
		FAIL_ERRNO("process %d", (int)task->pid);
	return NULL;
}

// An init that has failed already is nothing that one could settle: its own words count.
static struct error *explain(struct runtime_task *task, struct error *e)
{
	struct shim_report report;
	struct pollfd p = {task->report, POLLIN, 0};
	bool is_over = true;
	struct error *unread =
		poll(&p, 1, 0) == 1 ? task_read_report(task, &report, &is_over) : NULL;
	error_drop(&unread); // then the first error is all that we know
	if (is_over || report.step == STEP_READY || report.step == STEP_ENVIRONMENT)
		return e;
	error_free(e);
	return report_error(task->plan, &report);
}

// Without a word from init about what went wrong.
static fallible died(const struct runtime_task *task)
{
	return error_new(ERROR_SYSTEM, "container %s: its first process was killed while starting",
	                 task->name);
}

// Waits for init to say that it has come to `step`.
static fallible await_step(struct runtime_task *task, enum child_step step)
{
	struct shim_report report;
	bool is_over = false;
	TRY(task_read_report(task, &report, &is_over));
	if (is_over)
		return died(task);
	return report.step == step ? NULL : report_error(task->plan, &report);
}

static fallible run_hooks(struct runtime_task *task, const struct making *m)
{
	if (!hooks_precede_pivot(task->hooks))
		return NULL;
	TRY(await_step(task, STEP_ENVIRONMENT));
	TRY(hooks_run(task->hooks, OCI_HOOK_PRESTART, task->pid));
	TRY(hooks_run(task->hooks, OCI_HOOK_CREATE_RUNTIME, task->pid));
	if (write(m->sync[1], "", 1) != 1)
		FAIL_ERRNO("process %d", (int)task->pid);
	return NULL;
}

static bool is_terminal_file(const struct runtime_request *request)
{
	return request->spec->process.terminal && request->log.kind == RUNTIME_LOG_FILE;
}

static fallible start_processes(const struct runtime_request *request, struct runtime_task *task,
                                struct making *m)
{
	struct launch l = {
		.request = request,
		.plan = m->plan,
		.cgroup = task->group ? cgroup_fd(task->group) : -1,
		.null = m->null,
		.fds = {[SHIM_FD_CONTROL] = m->control,
	                [SHIM_FD_GO] = m->go[1],
	                [SHIM_FD_STATE] = task->state_dirfd,
	                [SHIM_FD_LOCK] = m->lock,
	                [SHIM_FD_LISTEN] = m->listen,
	                [SHIM_FD_INIT] = -1,
	                [SHIM_FD_FROM] = m->console[0] >= 0 ? m->console[0] : m->stdio.from[0],
	                [SHIM_FD_FROM + 1] = m->stdio.from[1],
	                [SHIM_FD_TO] = is_terminal_file(request) ? request->log.fd : m->stdio.to[0],
	                [SHIM_FD_TO + 1] = m->stdio.to[1],
	                [SHIM_FD_CODE] = m->plan->code,
	                [SHIM_FD_KEEP] = request->keep_fd ? *request->keep_fd : -1}};
	TRY(launch(&l));
	task->monitor = l.ret_monitor;
	task->pid = l.ret_init;
	task->pump = m->stdio.pump;
	m->stdio.pump = (struct stdio_pump){-1, -1, NULL, 0, 0};
	// Ours would keep the root file system, the lock and the pipes alive.
	plan_close(m->plan);
	task->plan = take(&m->plan);
	// Both ends: an init that was killed meanwhile must not cost us our life (SIGPIPE).
	int sync[2] = {m->sync[0], m->sync[1]};
	m->sync[0] = m->sync[1] = -1;
	making_done(m);
	m->sync[0] = sync[0];
	m->sync[1] = sync[1];
	plan_step(request, "processes");
	struct error *e = settle(request, task, m);
	e = e ? explain(task, e) : run_hooks(task, m);
	close_fd(&m->sync[0]);
	close_fd(&m->sync[1]);
	return e;
}

static fallible create(const struct runtime_request *request, bool waits, struct runtime_task *task)
{
	struct making m = {
		.lock = -1,
		.listen = -1,
		.control = -1,
		.null = -1,
		.report = -1,
		.go = {-1, -1},
		.sync = {-1, -1},
		.console = {-1, -1},
		.stdio = {.from = {-1, -1}, .to = {-1, -1}, .pump = {-1, -1, NULL, 0, 0}}};
	struct error *e = prepare(request, task, &m);
	// Whoever dies in its hooks has started nothing yet: the monitor ends it then.
	waits |= hooks_precede_pivot(task->hooks);
	if (!e) {
		m.plan->reports_ready = waits;
		e = start_processes(request, task, &m);
	}
	stdio_pump_done(&m.stdio.pump);
	making_done(&m);
	if (!e && waits)
		e = await_step(task, STEP_READY);
	return e;
}

// container: a pidfd of its init; -1: it is made.
static fallible make_task(const struct runtime_request *request, int container, pid_t container_pid,
                          bool waits, struct runtime_task **ret)
{
	struct runtime_task *task = task_new();
	task->is_creator = true;
	task->is_exec = container >= 0;
	task->container = container;
	task->container_pid = container_pid;
	task->name = alloc_printf("%s/%s", request->ns, request->id);
	struct error *e = create(request, waits, task);
	if (!e && request->spec->process.terminal && request->terminal.is_attached)
		e = runtime_attach(task, &request->terminal);
	if (!e && !waits)
		e = runtime_start(task);
	if (e)
		return error_join(e, runtime_release(task));
	plan_step(request, waits ? "created" : "started");
	*ret = task;
	return NULL;
}

fallible runtime_create(const struct runtime_request *request, struct runtime_task **ret)
{
	return make_task(request, -1, 0, true, ret);
}

fallible runtime_run(const struct runtime_request *request, struct runtime_task **ret)
{
	return make_task(request, -1, 0, false, ret);
}

static fallible not_running(const struct runtime_request *request)
{
	return error_new(ERROR_NOT_FOUND, "container \"%s\" is not running", request->id);
}

// A pidfd of init: the pid that the monitor named when it was found is still init's if it says
// RUNNING afterwards.
static fallible open_init(const struct runtime_request *request, struct runtime_task *container,
                          int *ret)
{
	struct runtime_state now;
	auto_fd int fd = -1;
	pid_t pid = container->pid;
	if (!pid || pidfd_open_process(pid, &fd))
		return not_running(request);
	auto_error struct error *e = runtime_state(container, &now);
	if (error_is(e, ERROR_BUSY)) // deaf, which isn't paused
		return error_recode(take(&e), ERROR_SYSTEM);
	if (e && !error_is(e, ERROR_NOT_FOUND)) // with its monitor
		return take(&e);
	if (e || now.status != RUNTIME_RUNNING || now.pid != pid)
		return not_running(request);
	*ret = fd_take(&fd);
	return NULL;
}

fallible runtime_exec(const struct runtime_request *request, struct runtime_task *container,
                      struct runtime_task **ret)
{
	int opened = -1;
	TRY(open_init(request, container, &opened));
	auto_fd int init = opened;
	// The child is seen in there from its first moment on.
	int sys = process_set_dumpable(false);
	if (sys)
		return error_system(sys, "dumpable");
	struct error *e = make_task(request, init, container->pid, false, ret);
	// Init died between our look and the clone (ENOMEM: its pid namespace is dying; ENOENT:
	// /proc).
	bool is_gone = e && (e->sys == ESRCH || e->sys == ENOMEM || e->sys == ENOENT ||
	                     error_is(e, ERROR_NOT_FOUND)); // its group
	struct pollfd p = {init, POLLIN, 0};
	if (!is_gone || poll(&p, 1, 0) != 1)
		return e;
	error_free(e);
	return not_running(request);
}

fallible runtime_start(struct runtime_task *task)
{
	struct shim_report report;
	bool is_over = false;
	TRY(task_tell(task, SHIM_START, 0, task->held));
	close_fd(&task->held);
	TRY(task_read_report(task, &report, &is_over));
	if (!is_over)
		return report_error(task->plan, &report);
	close_fd(&task->report);
	plan_free(take(&task->plan));
	if (task->hooks)
		hooks_run_all(task->hooks, OCI_HOOK_POSTSTART, task->pid);
	return NULL;
}
