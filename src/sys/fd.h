// SPDX-License-Identifier: Apache-2.0
// Descriptors. An `int fd` parameter is borrowed; who takes one over says so in its name.
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

static inline void fd_cleanup_(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
#define auto_fd defer(fd_cleanup_)

static inline int fd_take(int *fd) // moves it out of its variable
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

// Closes *fd, if it is one, and reports what close says: write errors may appear only here.
fallible fd_close(int *fd);
// Reads or writes all `size` bytes, over EINTR and short counts. An early end is CORRUPT.
fallible fd_read_all(int fd, void *bytes, size_t size);
fallible fd_write_all(int fd, const void *bytes, size_t size);
// Reads to the end. More than `limit_bytes` is LIMIT. *ret gets a zero behind its bytes;
// ret_size may be NULL.
fallible fd_read_to_end(int fd, size_t limit_bytes, char **ret, size_t *ret_size);
// Reads a whole regular file: never a link, a FIFO or a device (INVALID). A name that is not there
// is NOT_FOUND. ret_size may be NULL. For files of /proc and cgroups too.
fallible file_read(int dirfd, const char *name, size_t limit_bytes, char **ret, size_t *ret_size);
// Writes `text` with one write(2) to an existing file: for /proc, /sys and cgroup files.
fallible file_write_value(int dirfd, const char *path, const char *text);
// Sets or clears O_CLOEXEC.
fallible fd_set_cloexec(int fd, bool on);
