// SPDX-License-Identifier: Apache-2.0
// What can be done with a task, and its end.
#include "runtime/linux/task.h"
#include "kernel/kernel.h"
#include "runtime/linux/hooks.h"
#include "runtime/linux/state.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { REMOVE_TIMEOUT_MS = 10000, LAST_WAIT_MS = 5000, EXIT_SIZE = 8 };

struct runtime_task *task_new(void)
{
	struct runtime_task *task = alloc(sizeof *task);
	*task = (struct runtime_task){.control = -1,
	                              .pidfd = -1,
	                              .state_dirfd = -1,
	                              .report = -1,
	                              .held = -1,
	                              .session = -1,
	                              .screen = -1,
	                              .pump = {-1, -1, NULL, 0, 0}};
	return task;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void task_free(struct runtime_task *task)
{
	if (!task)
		return;
	stdio_pump_done(&task->pump);
	session_close(task);
	free(task->output);
	close_fd(&task->control);
	close_fd(&task->pidfd);
	close_fd(&task->state_dirfd);
	close_fd(&task->report);
	close_fd(&task->held);
	plan_free(task->plan);
	hooks_free(task->hooks);
	cgroup_free(task->group);
	cgroups_close(task->cgroups);
	// It may have ended already; if not, it is its next parent's.
	if (task->monitor > 0)
		ignore(waitpid(task->monitor, NULL, WNOHANG));
	free(task->name);
	free(task);
}

fallible task_socket_address(int state_dirfd, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", state_dirfd,
	                 SHIM_SOCKET);
	if (n < 0 || (size_t)n >= sizeof ret->sun_path)
		return error_new(ERROR_INVALID, "%s: path too long", SHIM_SOCKET);
	return NULL;
}

// ---- Messages -----------------------------------------------------------------------------------

static fallible lost(const struct runtime_task *task)
{
	return error_new(ERROR_NOT_FOUND, "container %s: its monitor is gone", task->name);
}

fallible task_tell(struct runtime_task *task, enum shim_kind kind, int value, int fd)
{
	struct shim_message message = {
		.version = SHIM_VERSION, .kind = (uint16_t)kind, .value = value};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {&message, sizeof message};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd),
		                                  .cmsg_level = SOL_SOCKET,
		                                  .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	ssize_t n;
	while ((n = sendmsg(task->control, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
		return lost(task);
	if (n < 0)
		FAIL_ERRNO("container %s: message to its monitor", task->name);
	return NULL;
}

// Takes one message; false: none came in time. An end is an error.
static fallible hear(struct runtime_task *task, int timeout_ms, struct shim_message *ret,
                     bool *ret_heard)
{
	struct pollfd p = {task->control, POLLIN, 0};
	int n = poll(&p, 1, timeout_ms);
	*ret_heard = false;
	if (n == 0 || (n < 0 && errno == EINTR))
		return NULL;
	ssize_t size = recv(task->control, ret, sizeof *ret, MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (size <= 0)
		return lost(task);
	if (size != (ssize_t)sizeof *ret || ret->version != SHIM_VERSION)
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: its monitor is of another version", task->name);
	if (ret->kind == SHIM_ENDED) {
		task->has_ended = true;
		task->exit_code = ret->value;
	}
	if (ret->kind == SHIM_LOST)
		task->lost = ret->value;
	*ret_heard = true;
	return NULL;
}

fallible task_ask(struct runtime_task *task, enum shim_kind question, int value,
                  enum shim_kind answer, struct shim_message *ret)
{
	TRY(task_tell(task, question, value, -1));
	return task_hear(task, answer, ret);
}

struct error *task_is_deaf(const char *name)
{
	return error_new(ERROR_BUSY, "container %s: its monitor doesn't answer", name);
}

fallible task_hear(struct runtime_task *task, enum shim_kind answer, struct shim_message *ret)
{
	for (;;) {
		bool heard = false;
		TRY(hear(task, ANSWER_TIMEOUT_MS, ret, &heard));
		if (!heard)
			return task_is_deaf(task->name);
		if (ret->kind == answer)
			return NULL;
	}
}

fallible task_read_report(struct runtime_task *task, struct shim_report *ret, bool *ret_over)
{
	ssize_t n;
	if (task->hooks)
		TRY(hooks_await(task->hooks, task->report));
	while ((n = read(task->report, ret, sizeof *ret)) < 0 && errno == EINTR)
		;
	if (n < 0)
		FAIL_ERRNO("container %s: report", task->name);
	if (n != 0 && n != (ssize_t)sizeof *ret)
		return error_new(ERROR_CORRUPT, "container %s: report cut off", task->name);
	if (n)
		ret->text[sizeof ret->text - 1] = 0;
	*ret_over = n == 0;
	return NULL;
}

// ---- Use ----------------------------------------------------------------------------------------

pid_t runtime_task_pid(const struct runtime_task *task)
{
	return task->pid;
}

int runtime_task_lost(const struct runtime_task *task)
{
	return task->lost;
}

fallible runtime_signal(struct runtime_task *task, int signal)
{
	int sys = ESRCH;
	if (task->is_creator) {
		sys = pidfd_signal(task->pidfd, signal);
	} else if (!task->has_ended) {
		struct shim_message answer;
		TRY(task_ask(task, SHIM_SIGNAL, signal, SHIM_DONE, &answer));
		sys = answer.value;
	}
	if (sys == ESRCH)
		return error_new(ERROR_NOT_FOUND, "process already finished");
	return sys ? error_system(sys, "signal %d", signal) : NULL;
}

fallible runtime_state(struct runtime_task *task, struct runtime_state *ret)
{
	static const enum runtime_status statuses[] = {
		[SHIM_CREATED] = RUNTIME_CREATED,
		[SHIM_RUNNING] = RUNTIME_RUNNING,
		[SHIM_STOPPED] = RUNTIME_STOPPED,
	};
	struct shim_message is;
	TRY(task_ask(task, SHIM_STATE, 0, SHIM_IS, &is));
	if (is.state > SHIM_STOPPED)
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: its monitor is of another version", task->name);
	if (!task->is_creator)
		task->pid = is.pid;
	*ret = (struct runtime_state){
		.status = statuses[is.state],
		.pid = is.state == SHIM_STOPPED ? 0 : is.pid,
		.instance = is.instance,
		.exit_code = is.value,
	};
	return NULL;
}

enum { PATIENCE = 3 }; // as docker has it

static fallible forward_signals(struct runtime_task *task, int signalfd)
{
	struct signalfd_siginfo info;
	while (read(signalfd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (task->terminal.is_attached && info.ssi_signo == SIGWINCH) {
			session_resize(task);
			continue;
		}
		if (task->terminal.is_attached) { // the program has a terminal of its own
			task->is_let_go = true;
			session_close(task);
			break;
		}
		struct error *e = task->is_creator
		                          ? runtime_signal(task, (int)info.ssi_signo)
		                          : task_tell(task, SHIM_SIGNAL, (int)info.ssi_signo, -1);
		error_drop(&e); // it has ended meanwhile, which we hear next
		if (info.ssi_signo == SIGINT && ++task->n_interrupts == PATIENCE)
			return error_new(ERROR_BUSY, "container %s: interrupted %d times",
			                 task->name, PATIENCE);
		struct pollfd more = {signalfd, POLLIN, 0};
		if (poll(&more, 1, 0) != 1)
			break;
	}
	return NULL;
}

static fallible wait_once(struct runtime_task *task, int signalfd)
{
	struct stdio_pump *pump = &task->pump;
	bool is_full = pump->begin < pump->end, is_stuck = task->output_begin < task->output_end;
	struct pollfd p[] = {
		{task->has_ended ? -1 : task->control, POLLIN, 0},
		{signalfd, POLLIN, 0},
		{is_full ? -1 : pump->from, POLLIN, 0},
		{pump->to, is_full ? POLLOUT : 0, 0}, // POLLERR: nobody reads any more
		{task->session < 0 ? -1 : task->terminal.input, POLLIN, 0},
		{is_stuck ? -1 : task->session, POLLIN, 0},
		{is_stuck ? task->screen : -1, POLLOUT, 0},
	};
	int n = poll(p, 7, is_stuck && task->has_ended ? LAST_WAIT_MS : -1);
	if (n < 0) {
		if (errno == EINTR)
			return NULL;
		FAIL_ERRNO("container %s: poll", task->name);
	}
	if (n == 0)
		session_close(task); // a screen that was stopped can't keep what has ended
	if (p[1].revents)
		TRY(forward_signals(task, signalfd));
	if (p[4].revents || p[5].revents || p[6].revents)
		session_serve(task, p[4].revents, p[5].revents | p[6].revents);
	if (p[3].revents & POLLERR)
		stdio_pump_done(pump);
	else if (p[2].revents || p[3].revents)
		stdio_pump_some(pump);
	struct shim_message message;
	bool heard;
	return p[0].revents ? hear(task, 0, &message, &heard) : NULL;
}

fallible runtime_watch(struct runtime_task *task, int *ret_fd)
{
	if (!task->is_creator && !task->has_ended)
		TRY(task_tell(task, SHIM_WAIT, 0, -1));
	*ret_fd = task->control;
	return NULL;
}

// A monitor whose init has ended may go before it hears a peer's question: it leaves the status.
static fallible or_left(struct runtime_task *task, struct error *e)
{
	if (task->is_creator || task->state_dirfd < 0 || !error_is(e, ERROR_NOT_FOUND))
		return e;
	auto_error struct error *none = runtime_read_exit(task->state_dirfd, &task->exit_code);
	if (none)
		return e;
	error_free(e);
	task->has_ended = true;
	return NULL;
}

fallible runtime_wait(struct runtime_task *task, int signalfd, int *ret_exit_code)
{
	int fd;
	TRY(or_left(task, runtime_watch(task, &fd)));
	// What the program has said last comes before its end.
	while (!task->has_ended || task->session >= 0) {
		TRY(or_left(task, wait_once(task, signalfd)));
		if (task->is_let_go && !task->has_ended)
			return error_new(ERROR_BUSY, "container %s goes on", task->name);
	}
	*ret_exit_code = task->exit_code;
	return NULL;
}

// ---- Letting go ---------------------------------------------------------------------------------

void runtime_detach(struct runtime_task *task)
{
	task_free(task);
}

void runtime_close(struct runtime_task *task)
{
	task_free(task);
}

// Until the monitor's end of the connection closes: then init is reaped and the mounts are gone.
static void dismiss_monitor(struct runtime_task *task)
{
	if (task->control < 0 || !task->monitor)
		return;
	struct error *e = task_tell(task, SHIM_BYE, 0, -1);
	// It would wait for that word as we for its end. A living child's pid is nobody else's.
	if (e && !error_is(e, ERROR_NOT_FOUND) && waitpid(task->monitor, NULL, WNOHANG) == 0) {
		ignore(pidfd_signal(task->pidfd, SIGKILL));
		kill(task->monitor, SIGKILL);
	}
	while (!e) {
		struct shim_message message;
		bool heard;
		e = hear(task, -1, &message, &heard);
	}
	error_drop(&e); // it always ends with "gone"
	// Not our child if we are a fork of its parent.
	while (waitpid(task->monitor, NULL, 0) < 0 && errno == EINTR)
		;
	task->monitor = 0;
}

static fallible remove_group(struct cgroup *group)
{
	if (!group)
		return NULL;
	// Without a pid namespace init's end isn't everybody's.
	TRY(cgroup_signal(group, SIGKILL));
	return cgroup_remove(group, REMOVE_TIMEOUT_MS);
}

// Never another's: of a monitor that lives there, or of the ID's next life.
static bool owns_state(const struct runtime_task *task)
{
	struct stat st;
	return task->lock && fstatat(task->state_dirfd, SHIM_LOCK, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == task->lock;
}

fallible runtime_release(struct runtime_task *task)
{
	if (!task)
		return NULL;
	close_fd(&task->report); // a failed init isn't waited for by its report
	dismiss_monitor(task);
	struct error *e = task->is_exec ? NULL : remove_group(task->group);
	if (owns_state(task))
		e = error_join(e, runtime_remove_state(task->state_dirfd));
	task_free(task);
	return e;
}

fallible runtime_remove_state(int state_dirfd)
{
	static const char *const names[] = {SHIM_SOCKET, SHIM_EXIT, SHIM_EXIT_NEW, SHIM_LOCK};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (unlinkat(state_dirfd, names[i], 0) < 0 && errno != ENOENT)
			FAIL_ERRNO("remove %s", names[i]);
	}
	for (unsigned i = 0; i < STATE_FILES_MAX; i++) {
		char name[STATE_FILE_SIZE];
		state_file_name(name, i);
		if (unlinkat(state_dirfd, name, 0) == 0)
			continue;
		if (errno != ENOENT)
			FAIL_ERRNO("remove %s", name);
		break; // they are numbered from 0
	}
	return NULL;
}
