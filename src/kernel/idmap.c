// SPDX-License-Identifier: Apache-2.0
#include "kernel/idmap.h"
#include "base/memory.h"
#include "kernel/process.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

// A child that is in a namespace for as long as we need one there, and ends with us: at the end of
// the socket.
struct holder {
	pid_t pid;
	int pidfd, socket;
};

static _Noreturn void hold(int socket, int userns)
{
	int sys = userns < 0 ? 0 : namespace_enter(userns, CLONE_NEWUSER);
	char byte;
	_exit(write(socket, &sys, sizeof sys) < 0 || read(socket, &byte, 1) < 0);
}

// In `userns`, or in a new one: -1.
static fallible holder_start(int userns, struct holder *h)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		FAIL_ERRNO("socket");
	auto_fd int theirs = ends[1];
	h->socket = ends[0];
	struct namespace_clone c = {
		.flags = userns < 0 ? CLONE_NEWUSER : 0, .cgroup = -1, .exit_signal = SIGCHLD};
	int sys = namespace_clone(&c, &h->pid, &h->pidfd);
	if (sys)
		return error_system(sys, "make a user namespace");
	if (h->pid == 0) {
		close(ends[0]);
		hold(ends[1], userns);
	}
	return NULL;
}

static fallible holder_entered(const struct holder *h)
{
	int sys = ECHILD;
	if (read(h->socket, &sys, sizeof sys) != sizeof sys)
		sys = ECHILD; // it was killed
	return sys ? error_system(sys, "enter a user namespace") : NULL;
}

static fallible holder_end(struct holder *h)
{
	int status, sys = 0;
	if (h->pidfd >= 0) {
		ignore(pidfd_signal(h->pidfd, SIGKILL)); // it may only have died already
		sys = pidfd_wait_exit(h->pidfd, PIDFD_REAP, &status);
		close(h->pidfd);
	}
	if (h->socket >= 0)
		close(h->socket);
	return sys ? error_system(sys, "wait for the holder of a user namespace") : NULL;
}

static fallible map_and_open(pid_t pid, const struct id_maps *maps, int *ret_userns)
{
	TRY(id_maps_write(pid, maps, false));
	auto_free char *path = alloc_printf("/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("%s", path);
	*ret_userns = fd;
	return NULL;
}

fallible idmap_make(const struct id_maps *maps, int *ret_userns)
{
	struct holder h = {.pidfd = -1, .socket = -1};
	auto_fd int userns = -1;
	struct error *e = holder_start(-1, &h);
	if (!e)
		e = map_and_open(h.pid, maps, &userns);
	TRY(error_join(e, holder_end(&h)));
	*ret_userns = fd_take(&userns);
	return NULL;
}

fallible idmap_read(int userns, struct arena *arena, struct id_maps *ret, bool *ret_denies_groups)
{
	struct holder h = {.pidfd = -1, .socket = -1};
	struct error *e = holder_start(userns, &h);
	if (!e)
		e = holder_entered(&h);
	if (!e)
		e = id_maps_read(h.pid, arena, ret, ret_denies_groups);
	return error_join(e, holder_end(&h));
}
