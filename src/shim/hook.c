// SPDX-License-Identifier: Apache-2.0
#include "shim/hook.h"
#include "base/defer.h"
#include "shim/number.h"
#include "shim/signals.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

// What lies between us and the hook; -1: not, or no more.
struct ends {
	int state;     // its standard input: a file, so that one that doesn't read blocks nobody
	int said[2];   // its output
	int failed[2]; // an errno, if it can't be executed
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_ends(struct ends *e)
{
	int *const fds[] = {&e->state, &e->said[0], &e->said[1], &e->failed[0], &e->failed[1]};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		close_fd(fds[i]);
}

// ---- The hook's process -------------------------------------------------------------------------

static int arrange_descriptors(const struct ends *e, int *failed)
{
	int from[] = {e->state, e->said[1], e->said[1], *failed};
	// None of 0 to 2 may be overwritten before it was taken from.
	for (int i = 0; i < 4; i++) {
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (from[i] < 0)
			return errno;
	}
	*failed = from[3];
	for (int i = 0; i < 3; i++) {
		if (dup2(from[i], i) < 0)
			return errno;
	}
	return syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? errno : 0;
}

static _Noreturn void become_hook(const struct hook_call *call, const struct ends *e, pid_t parent)
{
	int failed = e->failed[1], sys = 0;
	signals_reset();
	if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0)
		sys = errno;
	if (!sys && getppid() != parent)
		_exit(127);
	if (!sys)
		sys = arrange_descriptors(e, &failed);
	if (!sys && call->enter)
		sys = call->enter(call->context);
	if (!sys) {
		execve(call->hook.path, call->hook.argv, call->hook.env);
		sys = errno;
	}
	ignore(write(failed, &sys, sizeof sys)); // whoever would read it is dead
	_exit(127);
}

// ---- Ours ---------------------------------------------------------------------------------------

static int put_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = write(fd, text, left);
		if (n < 0 && errno != EINTR)
			return errno;
		text += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int make_state(const struct hook_call *call, int *ret)
{
	char pid[NUMBER_SIZE];
	number_write(pid, (uint64_t)call->pid);
	*ret = memfd_create("state", MFD_CLOEXEC);
	if (*ret < 0)
		return errno;
	int sys = put_all(*ret, call->before);
	if (!sys && call->behind)
		sys = put_all(*ret, pid);
	if (!sys && call->behind)
		sys = put_all(*ret, call->behind);
	return sys ? sys : lseek(*ret, 0, SEEK_SET) < 0 ? errno : 0;
}

static int make_ends(const struct hook_call *call, struct ends *ret)
{
	int sys = make_state(call, &ret->state);
	if (!sys && (pipe2(ret->said, O_CLOEXEC) < 0 || pipe2(ret->failed, O_CLOEXEC) < 0 ||
	             fcntl(ret->said[0], F_SETFL, O_NONBLOCK) < 0 ||
	             fcntl(ret->failed[0], F_SETFL, O_NONBLOCK) < 0))
		sys = errno;
	return sys;
}

// Like fork. By clone(2): filters of containers may hide clone3.
static int fork_process(pid_t *ret_pid, int *ret_pidfd)
{
	int pidfd = -1;
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0UL);
	if (pid < 0)
		return errno;
	*ret_pid = (pid_t)pid;
	*ret_pidfd = pidfd;
	return 0;
}

// Keeps the end of what is said. False: there is no more now.
static bool hear(int fd, char said[HOOK_TEXT])
{
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	const size_t room = HOOK_TEXT - 1;
	size_t size = (size_t)n, kept = strlen(said);
	const char *from = bytes;
	if (size > room) {
		from += size - room;
		size = room;
	}
	if (kept + size > room) {
		size_t dropped = kept + size - room;
		kept -= dropped;
		memmove(said, said + dropped, kept);
	}
	for (size_t i = 0; i < size; i++) // a zero would hide what comes behind it
		said[kept + i] = from[i] ? from[i] : ' ';
	said[kept + size] = 0;
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

// Until its end (0), or until we have waited long enough: why.
static int watch(const struct hook_call *call, int process, int voice, char said[HOOK_TEXT])
{
	enum { LAST_WORDS = 16 }; // a pipe holds no more; others may write on
	int64_t end = call->hook.timeout_s ? now_ms() + call->hook.timeout_s * INT64_C(1000) : -1;
	for (;;) {
		struct pollfd p[] = {
			{process, POLLIN, 0}, {voice, POLLIN, 0}, {call->interrupt_fd, POLLIN, 0}};
		int64_t left = end < 0 ? -1 : end - now_ms();
		if (end >= 0 && left <= 0)
			return ETIMEDOUT;
		int n = poll(p, 3, left > INT_MAX ? INT_MAX : (int)left);
		if (n < 0 && errno != EINTR)
			return errno;
		if (n <= 0)
			continue;
		for (int i = 0; p[0].revents && i < LAST_WORDS && hear(voice, said); i++)
			;
		if (p[0].revents)
			return 0;
		if (p[2].revents)
			return ECANCELED;
		if (!hear(voice, said))
			voice = -1; // it has closed them
	}
}

static int reap(int process)
{
	siginfo_t info = {0};
	while (waitid((idtype_t)P_PIDFD, (id_t)process, &info, WEXITED) < 0) {
		if (errno != EINTR)
			return errno;
	}
	return info.si_code == CLD_EXITED ? -((info.si_status & 255) << 8) : -info.si_status;
}

static int await_end(const struct hook_call *call, pid_t pid, int process, const struct ends *e,
                     char said[HOOK_TEXT])
{
	int sys = watch(call, process, e->said[0], said);
	if (sys) {
		// Its group is its session's, once it has one. A hook of other IDs may be none of
		// ours to kill: then it dies with us.
		if (kill(-pid, SIGKILL) == 0 || kill(pid, SIGKILL) == 0)
			ignore(reap(process));
		return sys;
	}
	int status = reap(process);
	return read(e->failed[0], &sys, sizeof sys) == (ssize_t)sizeof sys ? sys : status;
}

int hook_run(const struct hook_call *call, char said[HOOK_TEXT])
{
	struct ends e = {-1, {-1, -1}, {-1, -1}};
	pid_t pid = 0, parent = getpid();
	int process = -1, sys = make_ends(call, &e);
	said[0] = 0;
	if (!sys)
		sys = fork_process(&pid, &process);
	if (!sys && !pid)
		become_hook(call, &e, parent);
	close_fd(&e.said[1]);
	close_fd(&e.failed[1]);
	if (!sys)
		sys = await_end(call, pid, process, &e, said);
	close_fd(&process);
	close_ends(&e);
	if (!sys)
		said[0] = 0;
	return sys;
}
