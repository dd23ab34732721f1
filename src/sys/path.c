// SPDX-License-Identifier: Apache-2.0
#include "sys/path.h"
#include "base/memory.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static fallible open_how(int dirfd, const char *path, uint64_t flags, unsigned mode,
                         uint64_t resolve, int *ret)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode : 0,
		.resolve = resolve,
	};
	long fd;
	// EAGAIN: a rename somewhere raced with the walk (openat2(2)); it says nothing of the path.
	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0) {
		int sys = errno;
		struct error *e = error_system(sys, "open %s", path);
		return sys == ENOENT ? error_recode(e, ERROR_NOT_FOUND) : e;
	}
	*ret = (int)fd;
	return NULL;
}

fallible path_open_beneath(int dirfd, const char *path, uint64_t flags, unsigned mode, int *ret)
{
	return open_how(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, ret);
}

fallible path_open_in_root(int rootfd, const char *path, uint64_t flags, unsigned mode, int *ret)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, ret);
}

fallible path_open_dir(const char *path, int *ret)
{
	return open_how(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, 0, ret);
}

fallible path_make_dirs(const char *path, unsigned mode, int *ret)
{
	if (*path != '/')
		return error_new(ERROR_INVALID, "%s: not an absolute path", path);
	auto_free char *copy = alloc_string(path);
	for (char *slash = copy + 1;; slash++) {
		while (*slash && *slash != '/')
			slash++;
		char end = *slash;
		*slash = 0;
		if (mkdir(copy, end ? 0755 : mode) < 0 && errno != EEXIST)
			FAIL_ERRNO("mkdir %s", copy);
		if (!end)
			break;
		*slash = end;
	}
	return path_open_dir(path, ret);
}

fallible path_make_dir_at(int dirfd, const char *name, unsigned mode, int *ret)
{
	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		FAIL_ERRNO("mkdir %s", name);
	auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("open %s", name);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", name);
	if ((st.st_mode & 07777 & ~mode) && fchmod(fd, st.st_mode & mode) < 0)
		FAIL_ERRNO("chmod %s", name);
	*ret = fd_take(&fd);
	return NULL;
}

fallible path_of_fd(int fd, char **ret)
{
	auto_free char *link = alloc_printf("/proc/self/fd/%d", fd);
	for (size_t size = 256;; size *= 2) {
		auto_free char *text = alloc(size);
		ssize_t n = readlink(link, text, size);
		if (n < 0)
			FAIL_ERRNO("readlink %s", link);
		if ((size_t)n < size) {
			*ret = take(&text);
			return NULL;
		}
	}
}

fallible path_sync_dir(int dirfd, const char *what)
{
	if (fsync(dirfd) < 0)
		FAIL_ERRNO("fsync %s", what);
	return NULL;
}
