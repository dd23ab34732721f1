// SPDX-License-Identifier: Apache-2.0
#include "sys/fd.h"
#include "base/memory.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

fallible fd_close(int *fd)
{
	if (*fd < 0)
		return NULL;
	int result = close(fd_take(fd));
	// Linux has closed it even when it says EINTR.
	if (result < 0 && errno != EINTR)
		FAIL_ERRNO("close");
	return NULL;
}

fallible fd_read_all(int fd, void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (char *)bytes + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read");
		if (!n)
			return error_new(ERROR_CORRUPT, "read: ended after %zu of %zu bytes", done,
			                 size);
		done += (size_t)n;
	}
	return NULL;
}

fallible fd_write_all(int fd, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)bytes + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("write");
		done += (size_t)n;
	}
	return NULL;
}

fallible fd_read_to_end(int fd, size_t limit_bytes, char **ret, size_t *ret_size)
{
	size_t size = 0, capacity = 0;
	auto_free char *bytes = NULL;
	for (;;) {
		// One byte past the limit is asked for, so that "too large" can be told.
		alloc_grow(&bytes, &capacity, size + 4096, 1);
		size_t room = capacity - size - 1;
		if (room > limit_bytes - size + 1)
			room = limit_bytes - size + 1;
		ssize_t n = read(fd, bytes + size, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read");
		if (!n)
			break;
		size += (size_t)n;
		if (size > limit_bytes)
			return error_new(ERROR_LIMIT, "larger than %zu bytes", limit_bytes);
	}
	bytes[size] = 0;
	if (ret_size)
		*ret_size = size;
	*ret = take(&bytes);
	return NULL;
}

fallible file_read(int dirfd, const char *name, size_t limit_bytes, char **ret, size_t *ret_size)
{
	auto_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_recode(error_system(ENOENT, "open %s", name), ERROR_NOT_FOUND);
	if (fd < 0)
		FAIL_ERRNO("open %s", name);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", name);
	if (!S_ISREG(st.st_mode))
		return error_new(ERROR_INVALID, "%s: not a regular file", name);
	TRY_AS(fd_read_to_end(fd, limit_bytes, ret, ret_size), "%s", name);
	return NULL;
}

fallible file_write_value(int dirfd, const char *path, const char *text)
{
	auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return error_recode(error_system(ENOENT, "open %s", path), ERROR_NOT_FOUND);
	if (fd < 0)
		FAIL_ERRNO("open %s", path);
	size_t size = strlen(text);
	ssize_t n;
	do
		n = write(fd, text, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		FAIL_ERRNO("write \"%.64s\" to %s", text, path);
	if ((size_t)n != size)
		return error_new(ERROR_SYSTEM, "%s took %zd of %zu bytes", path, n, size);
	return NULL;
}

fallible fd_set_cloexec(int fd, bool on)
{
	if (fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0)
		FAIL_ERRNO("fcntl F_SETFD");
	return NULL;
}
