// SPDX-License-Identifier: Apache-2.0
#include "runtime/linux/stdio.h"
#include "base/memory.h"
#include "kernel/mount.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { PUMP_SIZE = 64 << 10 };

static const char *const names[] = {"standard input", "standard output", "standard error"};

static int own(struct stdio *s, int fd)
{
	s->owned[s->n_owned++] = fd;
	return fd;
}

static fallible make_pipe(struct stdio *s, int *ret_read, int *ret_write)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	*ret_read = own(s, fds[0]);
	*ret_write = own(s, fds[1]);
	return NULL;
}

static fallible unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		FAIL_ERRNO("pipe");
	return NULL;
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

// A file opened anew through a read-only mount that nobody else has: it can be read, and that is
// all. False: it has no mount of ours (a memfd), or can't be read.
static bool clone_file(struct stdio *s, int fd)
{
	int clone = -1;
	if (mount_clone_readonly(fd, false, &clone))
		return false;
	auto_fd int mount = clone;
	auto_free char *path = alloc_printf("/proc/self/fd/%d", mount);
	auto_fd int file = open(path, O_RDONLY | O_CLOEXEC);
	off_t offset = lseek(fd, 0, SEEK_CUR);
	if (file < 0 || offset < 0 || lseek(file, offset, SEEK_SET) != offset)
		return false;
	s->init[0] = own(s, fd_take(&file));
	return true;
}

static fallible prepare_input(struct stdio *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("%s", names[0]);
	if (is_null(&st))
		return NULL;
	if (S_ISFIFO(st.st_mode)) {
		s->init[0] = fd;
		return NULL;
	}
	if (S_ISDIR(st.st_mode))
		return error_new(ERROR_INVALID, "%s: is a directory", names[0]);
	if (S_ISREG(st.st_mode) && clone_file(s, fd))
		return NULL;
	TRY_AS(make_pipe(s, &s->init[0], &s->pump.to), "%s", names[0]);
	s->n_owned--; // the pump owns its end
	s->pump.from = fd;
	return unblock(s->pump.to);
}

// A terminal is opened anew, since "don't block" belongs to the open file and the user's shell has
// the same; without that a stopped terminal would stop the monitor.
static int reopen_terminal(struct stdio *s, int fd)
{
	if (!isatty(fd))
		return fd;
	auto_free char *path = alloc_printf("/proc/self/fd/%d", fd);
	int again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return again < 0 ? fd : own(s, again);
}

static fallible prepare_output(struct stdio *s, int i, int fd, struct stat *ret)
{
	if (fstat(fd, ret) < 0)
		FAIL_ERRNO("%s", names[i]);
	if (is_null(ret))
		return NULL;
	if (S_ISFIFO(ret->st_mode)) {
		s->init[i] = fd;
		return NULL;
	}
	if (S_ISDIR(ret->st_mode))
		return error_new(ERROR_INVALID, "%s: is a directory", names[i]);
	TRY_AS(make_pipe(s, &s->from[i - 1], &s->init[i]), "%s", names[i]);
	s->to[i - 1] = reopen_terminal(s, fd);
	return unblock(s->from[i - 1]);
}

// Streams of their own, so that a line can say where it came from.
static fallible prepare_log(const struct runtime_log *log, struct stdio *s)
{
	for (int i = 1; i < 3; i++) {
		TRY_AS(make_pipe(s, &s->from[i - 1], &s->init[i]), "%s", names[i]);
		s->to[i - 1] = log->kind == RUNTIME_LOG_FILE ? log->fd : -1;
		TRY(unblock(s->from[i - 1]));
	}
	return NULL;
}

static fallible prepare(const int stdio[3], const struct runtime_log *log, struct stdio *s)
{
	struct stat out = {0}, err;
	if (stdio[0] >= 0)
		TRY(prepare_input(s, stdio[0]));
	if (log->kind)
		return prepare_log(log, s);
	if (stdio[1] >= 0)
		TRY(prepare_output(s, 1, stdio[1], &out));
	// One file for both is one pipe for both: what comes first stays first.
	if (stdio[2] >= 0 && s->from[0] >= 0 && fstat(stdio[2], &err) == 0 &&
	    err.st_dev == out.st_dev && err.st_ino == out.st_ino) {
		s->init[2] = s->init[1];
		return NULL;
	}
	return stdio[2] >= 0 ? prepare_output(s, 2, stdio[2], &err) : NULL;
}

fallible stdio_prepare(const int stdio[3], const struct runtime_log *log, struct stdio *ret)
{
	struct stdio s = {.init = {-1, -1, -1},
	                  .from = {-1, -1},
	                  .to = {-1, -1},
	                  .pump = {-1, -1, NULL, 0, 0}};
	struct error *e = prepare(stdio, log, &s);
	if (e) {
		stdio_done(&s);
		stdio_pump_done(&s.pump);
		return e;
	}
	*ret = s;
	return NULL;
}

void stdio_done(struct stdio *s)
{
	while (s->n_owned)
		close(s->owned[--s->n_owned]);
}

void stdio_pump_done(struct stdio_pump *p)
{
	if (p->to >= 0)
		close(p->to);
	free(p->buffer);
	*p = (struct stdio_pump){-1, -1, NULL, 0, 0};
}

void stdio_pump_some(struct stdio_pump *p)
{
	if (p->begin == p->end) {
		if (!p->buffer)
			p->buffer = alloc(PUMP_SIZE);
		ssize_t n = read(p->from, p->buffer, PUMP_SIZE);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) { // the end, or a terminal that was hung up
			stdio_pump_done(p);
			return;
		}
		p->begin = 0;
		p->end = (size_t)n;
	}
	ssize_t n = write(p->to, p->buffer + p->begin, p->end - p->begin);
	if (n >= 0)
		p->begin += (size_t)n;
	else if (errno != EINTR && errno != EAGAIN)
		stdio_pump_done(p); // nobody reads any more
}
