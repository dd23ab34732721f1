// SPDX-License-Identifier: Apache-2.0
#include "kernel/process.h"
#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int result(long r)
{
	return r < 0 ? errno : 0;
}

int pidfd_open_process(pid_t pid, int *ret_pidfd)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno;
	*ret_pidfd = (int)fd;
	return 0;
}

int pidfd_take_descriptor(int pidfd, int fd, int *ret)
{
	*ret = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return *ret < 0 ? errno : 0;
}

int pidfd_signal(int pidfd, int signal)
{
	return result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int pidfd_wait_exit(int pidfd, int flags, int *ret_status)
{
	siginfo_t info = {0};
	int options = WEXITED | (flags & PIDFD_KEEP ? WNOWAIT : 0) |
	              (flags & PIDFD_NO_HANG ? WNOHANG : 0);
	while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, options) < 0) {
		if (errno != EINTR)
			return errno;
	}
	if (info.si_pid == 0)
		return EAGAIN;
	switch (info.si_code) {
	case CLD_EXITED:
		*ret_status = (info.si_status & 0xff) << 8;
		break;
	case CLD_DUMPED:
		*ret_status = info.si_status | 0x80;
		break;
	default:
		*ret_status = info.si_status;
	}
	return 0;
}

int pidfd_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int process_close_on_exec(int first)
{
	return result(syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC));
}

int process_close_from(int first)
{
	return result(syscall(SYS_close_range, first, ~0U, 0));
}

int process_no_new_privs(void)
{
	return result(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL));
}

int process_set_dumpable(bool on)
{
	return result(prctl(PR_SET_DUMPABLE, on ? 1UL : 0UL, 0UL, 0UL, 0UL));
}

int process_keep_caps(bool on)
{
	return result(prctl(PR_SET_KEEPCAPS, on ? 1UL : 0UL, 0UL, 0UL, 0UL));
}

int process_death_signal(int signal, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0UL, 0UL, 0UL) < 0)
		return errno;
	// The parent may have died before the call: then no signal will ever come. In a pid
	// namespace of our own a parent outside is 0, and the caller has to notice by its pipe.
	return parent > 0 && getppid() != parent ? ESRCH : 0;
}

int process_subreaper(void)
{
	return result(prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL));
}

int process_new_session(void)
{
	return setsid() < 0 && errno != EPERM ? errno : 0;
}

// Raw calls: glibc's would speak to threads that don't exist in a child of clone3.
int process_drop_groups(void)
{
	return result(syscall(SYS_setgroups, 0, NULL));
}

int process_set_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups)
{
	if (groups && syscall(SYS_setgroups, n_groups, groups) < 0)
		return errno;
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return errno;
	return result(syscall(SYS_setresuid, uid, uid, uid));
}
