// SPDX-License-Identifier: Apache-2.0
// For other commands than the creator: finding monitors, and collecting what dead ones left.
#include "base/text.h"
#include "kernel/kernel.h"
#include "runtime/linux/task.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { EXIT_SIZE_MAX = 16, LOCK_TIMEOUT_MS = 1000, FREEZE_TIMEOUT_MS = 10000 };

static fallible no_monitor(void)
{
	return error_new(ERROR_NOT_FOUND, "no monitor is running");
}

// The lock file of a state directory; -1 if there is none.
static fallible open_lock(int state_dirfd, int *ret)
{
	int fd = openat(state_dirfd, SHIM_LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		FAIL_ERRNO("%s", SHIM_LOCK);
	*ret = fd;
	return NULL;
}

// NS/ID, as its creator calls it.
static fallible name_of(int state_dirfd, char **ret)
{
	auto_free char *path = NULL;
	TRY(path_of_fd(state_dirfd, &path));
	const char *name = path + strlen(path);
	for (int n = 0; name > path; name--) {
		n += name[-1] == '/';
		if (n == 2)
			break;
	}
	*ret = alloc_string(name);
	return NULL;
}

static fallible connect_to(int state_dirfd, const char *name, int *ret)
{
	struct sockaddr_un address;
	TRY(task_socket_address(state_dirfd, &address));
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		FAIL_ERRNO("%s", SHIM_SOCKET);
	// One that doesn't answer doesn't accept either: whoever asked keeps a place until it does.
	const struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_MS / 1000};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
		FAIL_ERRNO("%s", SHIM_SOCKET);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		if (errno == EAGAIN)
			return task_is_deaf(name);
		if (errno == ENOENT || errno == ECONNREFUSED) // just ending
			return no_monitor();
		FAIL_ERRNO("%s", SHIM_SOCKET);
	}
	*ret = fd_take(&fd);
	return NULL;
}

fallible runtime_open(int state_dirfd, struct runtime_task **ret, struct runtime_state *ret_state)
{
	int opened = -1;
	TRY(open_lock(state_dirfd, &opened));
	auto_fd int lock = opened;
	bool is_held = false;
	if (lock >= 0)
		TRY_AS(lock_is_held(lock, LOCK_EXCLUSIVE, &is_held), "%s", SHIM_LOCK);
	if (!is_held)
		return no_monitor();
	auto_runtime_close struct runtime_task *task = task_new();
	TRY(name_of(state_dirfd, &task->name));
	TRY(connect_to(state_dirfd, task->name, &task->control));
	task->state_dirfd = fcntl(state_dirfd, F_DUPFD_CLOEXEC, 3);
	if (task->state_dirfd < 0)
		FAIL_ERRNO("state directory");
	struct runtime_state state;
	TRY(runtime_state(task, &state));
	if (ret_state)
		*ret_state = state;
	*ret = take(&task);
	return NULL;
}

fallible runtime_signal_all(const char *path, int signal)
{
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_cgroup struct cgroup *group = NULL;
	TRY(cgroups_open(&cgroups));
	TRY(cgroup_open(cgroups, path, &group));
	return cgroup_signal(group, signal);
}

static fallible with_group(const char *path, fallible (*call)(const struct cgroup *, void *),
                           void *context)
{
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_cgroup struct cgroup *group = NULL;
	TRY(cgroups_open(&cgroups));
	TRY(cgroup_open(cgroups, path, &group));
	return call(group, context);
}

static fallible freeze(const struct cgroup *group, void *context)
{
	(void)context;
	struct error *e = cgroup_freeze(group, FREEZE_TIMEOUT_MS);
	if (e) // half frozen is not what anybody wants
		e = error_join(e, cgroup_thaw(group, FREEZE_TIMEOUT_MS));
	return e;
}

static fallible thaw(const struct cgroup *group, void *context)
{
	(void)context;
	return cgroup_thaw(group, FREEZE_TIMEOUT_MS);
}

static fallible is_frozen(const struct cgroup *group, void *context)
{
	return cgroup_is_frozen(group, context);
}

fallible runtime_pause(const char *path)
{
	return with_group(path, freeze, NULL);
}

fallible runtime_resume(const char *path)
{
	return with_group(path, thaw, NULL);
}

fallible runtime_is_frozen(const char *path, bool *ret)
{
	return with_group(path, is_frozen, ret);
}

struct process_list {
	pid_t *pids;
	size_t n;
};

static fallible list_processes(const struct cgroup *group, void *context)
{
	struct process_list *list = context;
	return cgroup_processes(group, &list->pids, &list->n);
}

fallible runtime_processes(const char *path, pid_t **ret, size_t *ret_n)
{
	struct process_list list = {0};
	TRY(with_group(path, list_processes, &list));
	*ret = list.pids;
	*ret_n = list.n;
	return NULL;
}

fallible runtime_read_exit(int state_dirfd, int *ret_exit_code)
{
	auto_free char *text = NULL;
	size_t size = 0;
	TRY(file_read(state_dirfd, SHIM_EXIT, EXIT_SIZE_MAX, &text, &size));
	if (size && text[size - 1] == '\n')
		text[size - 1] = 0;
	uint64_t code = 0;
	TRY_AS(text_parse_u64(text, 10, UINT32_MAX, &code), "%s", SHIM_EXIT);
	*ret_exit_code = (int)(uint32_t)code;
	return NULL;
}

fallible runtime_leave_exit(int state_dirfd, int exit_code)
{
	auto_free char *text = alloc_printf("%u\n", (unsigned)exit_code);
	struct error *e = publish_bytes(state_dirfd, SHIM_EXIT, text, strlen(text), 0600, 0);
	if (error_is(e, ERROR_EXISTS))
		error_drop(&e); // the monitor came so far
	return e;
}

static fallible reap_group(const char *path, int timeout_ms)
{
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_cgroup struct cgroup *group = NULL;
	TRY(cgroups_open(&cgroups));
	struct error *e = cgroup_open(cgroups, path, &group);
	if (error_is(e, ERROR_NOT_FOUND)) { // nothing left: what is wanted
		error_drop(&e);
		return NULL;
	}
	TRY(e);
	TRY(cgroup_signal(group, SIGKILL));
	TRY(cgroup_wait_empty(group, timeout_ms));
	return cgroup_remove(group, timeout_ms);
}

fallible runtime_reap(int state_dirfd, const char *cgroup, int timeout_ms)
{
	int opened = -1;
	if (state_dirfd >= 0)
		TRY(open_lock(state_dirfd, &opened));
	auto_fd int lock = opened;
	// A creator that is killed while it makes its two processes leaves them with a copy of the
	// lock for the moments until they notice.
	if (lock >= 0)
		TRY_AS(lock_await(lock, LOCK_EXCLUSIVE,
		                  LOCK_TIMEOUT_MS < timeout_ms ? LOCK_TIMEOUT_MS : timeout_ms),
		       "%s", SHIM_LOCK);
	return cgroup ? reap_group(cgroup, timeout_ms) : NULL;
}
