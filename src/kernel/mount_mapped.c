// SPDX-License-Identifier: Apache-2.0
// An overlay whose layers are seen through an ID map: overlay itself takes none, so every layer is
// a clone of its mount, and the clones are mapped. Before 6.15 overlay takes only what is mounted
// in the caller's namespace: a child has one of its own and attaches them there. The overlay
// outlives it, and nobody else has seen them.
#include "base/memory.h"
#include "kernel/mount.h"
#include "kernel/namespace.h"
#include "kernel/process.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct clones {
	int *fds;
	size_t n;
};

static void clones_done(struct clones *c)
{
	while (c->n)
		close(c->fds[--c->n]);
	free(c->fds);
}

static fallible map_layer(int layer, int userns, int *ret)
{
	auto_fd int mount = -1;
	int sys = mount_clone(layer, "", false, &mount);
	if (sys)
		return error_system(sys, "clone of a layer");
	sys = mount_idmap(mount, userns, false);
	if (sys == EINVAL || sys == EOPNOTSUPP || sys == ENOSYS)
		return error_new(ERROR_UNSUPPORTED,
		                 "this kernel can't map the IDs of the file system that the layers "
		                 "lie on");
	if (sys)
		return error_system(sys, "map a layer");
	*ret = fd_take(&mount);
	return NULL;
}

struct answer {
	int sys, fd; // fd: the overlay, in the child
	enum error_code code;
	char text[300];
};

// The same directory as the caller's, but in our copy of the mounts.
static fallible find_again(int fd, int *ret)
{
	char link[40], path[PATH_MAX];
	struct stat theirs, ours;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path);
	if (n < 0)
		FAIL_ERRNO("%s", link);
	if ((size_t)n == sizeof path)
		return error_new(ERROR_LIMIT, "a layer's path is too long");
	path[n] = 0;
	auto_fd int again = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (again < 0 || fstat(fd, &theirs) < 0 || fstat(again, &ours) < 0)
		FAIL_ERRNO("%s", path);
	if (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino)
		return error_new(ERROR_SYSTEM, "%s: is covered by a mount", path);
	*ret = fd_take(&again);
	return NULL;
}

static fallible attach_mapped(int layer, int userns, int *ret)
{
	auto_fd int place = -1, mount = -1;
	TRY(find_again(layer, &place));
	TRY(map_layer(place, userns, &mount));
	int sys = mount_attach(mount, place);
	if (sys)
		return error_system(sys, "attach a layer");
	*ret = fd_take(&mount);
	return NULL;
}

static fallible make_here(const struct mount_overlay *o, int userns, int *ret_mount)
{
	auto_fd int upper = -1, work = -1;
	defer(clones_done) struct clones lowers = {alloc_array(o->n_lowers, sizeof *lowers.fds), 0};
	int sys = mount_make_all(MS_PRIVATE);
	if (sys)
		return error_system(sys, "make mounts private");
	// Before anything covers them.
	if (o->upper >= 0)
		TRY(find_again(o->upper, &upper));
	if (o->upper >= 0)
		TRY(find_again(o->work, &work));
	for (size_t i = 0; i < o->n_lowers; i++, lowers.n++)
		TRY(attach_mapped(o->lowers[i], userns, &lowers.fds[i]));
	struct mount_overlay mapped = *o;
	mapped.lowers = lowers.fds;
	mapped.upper = upper;
	mapped.work = work;
	return mount_make_overlay(&mapped, ret_mount);
}

static _Noreturn void make_and_wait(int socket, const struct mount_overlay *o, int userns)
{
	struct answer answer = {.fd = -1};
	struct error *e = make_here(o, userns, &answer.fd);
	if (e) {
		answer.sys = e->sys;
		answer.code = e->code;
		snprintf(answer.text, sizeof answer.text, "%s", e->message);
	}
	char byte;
	_exit(write(socket, &answer, sizeof answer) < 0 || read(socket, &byte, 1) < 0);
}

static fallible take_answer(int socket, int pidfd, int *ret_mount)
{
	struct answer answer;
	if (read(socket, &answer, sizeof answer) != sizeof answer)
		return error_new(ERROR_SYSTEM, "the child that makes an overlay was killed");
	if (answer.fd >= 0) {
		int sys = pidfd_take_descriptor(pidfd, answer.fd, ret_mount);
		return sys ? error_system(sys, "take an overlay") : NULL;
	}
	struct error *e = error_new(answer.code, "%s", answer.text);
	e->sys = answer.sys;
	return e;
}

fallible mount_make_mapped_overlay(const struct mount_overlay *o, int userns, int *ret_mount)
{
	int ends[2], child = -1, status;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		FAIL_ERRNO("socket");
	auto_fd int ours = ends[0], theirs = ends[1];
	const struct namespace_clone how = {CLONE_NEWNS, -1, SIGCHLD};
	pid_t pid;
	int sys = namespace_clone(&how, &pid, &child);
	if (sys)
		return error_system(sys, "make a mount namespace");
	if (pid == 0) {
		close(ours);
		make_and_wait(theirs, o, userns);
	}
	auto_fd int pidfd = child;
	fd_cleanup_(&theirs);
	theirs = -1;
	struct error *e = take_answer(ours, pidfd, ret_mount);
	ignore(pidfd_signal(pidfd, SIGKILL)); // it may only have died already
	sys = pidfd_wait_exit(pidfd, PIDFD_REAP, &status);
	return error_join(e, sys ? error_system(sys, "wait for a child") : NULL);
}
