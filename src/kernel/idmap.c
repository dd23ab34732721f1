// SPDX-License-Identifier: Apache-2.0
#include "kernel/idmap.h"
#include "base/memory.h"
#include "kernel/process.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static fallible map_and_open(pid_t pid, const struct id_map *uids, size_t n_uids,
                             const struct id_map *gids, size_t n_gids, int *ret_userns)
{
	TRY(id_maps_write(pid, uids, n_uids, gids, n_gids, false));
	auto_free char *path = alloc_printf("/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("%s", path);
	*ret_userns = fd;
	return NULL;
}

fallible idmap_make(const struct id_map *uids, size_t n_uids, const struct id_map *gids,
                    size_t n_gids, int *ret_userns)
{
	// The child only keeps the namespace alive while it gets its maps, and ends with us: at the
	// end of the pipe.
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	auto_fd int reader = ends[0];
	auto_fd int writer = ends[1];
	struct namespace_clone c = {.flags = CLONE_NEWUSER, .cgroup = -1, .exit_signal = SIGCHLD};
	pid_t pid;
	int child = -1;
	int sys = namespace_clone(&c, &pid, &child);
	if (sys)
		return error_system(sys, "make a user namespace");
	if (pid == 0) {
		close(ends[1]);
		char byte;
		_exit(read(ends[0], &byte, 1) < 0);
	}
	auto_fd int pidfd = child;
	auto_fd int userns = -1;
	int status;
	struct error *e = map_and_open(pid, uids, n_uids, gids, n_gids, &userns);
	ignore(pidfd_signal(pidfd, SIGKILL)); // it may only have died already
	sys = pidfd_wait_exit(pidfd, PIDFD_REAP, &status);
	if (sys)
		e = error_join(e, error_system(sys, "wait for the holder of a user namespace"));
	if (e)
		return e;
	*ret_userns = fd_take(&userns);
	return NULL;
}
