// SPDX-License-Identifier: Apache-2.0
#include "runtime/linux/child.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PATH_SIZE = 4096, LINKS_MAX = 40, RACES_MAX = 1000 };

static int open_how(int dirfd, const char *path, uint64_t flags, uint64_t resolve, int *ret)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
	// EAGAIN: something was renamed meanwhile, so that the kernel couldn't be sure of "..".
	for (int i = 0; i < RACES_MAX; i++) {
		long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
		if (fd >= 0) {
			*ret = (int)fd;
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return errno;
	}
	return EAGAIN;
}

int child_open(int root, const char *path, uint64_t flags, uint64_t resolve, int *ret)
{
	return open_how(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve, ret);
}

// One name that isn't there yet. A link that appears instead is refused: the walk begins again.
static int make_one(int parent, const char *name, bool is_file, int *ret)
{
	int fd = is_file ? openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)
	                 : mkdirat(parent, name, 0755);
	if (fd < 0 && errno != EEXIST)
		return errno;
	if (fd >= 0 && is_file)
		close(fd);
	return open_how(parent, name, O_PATH | O_NOFOLLOW,
	                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV, ret);
}

// Puts the target of the dangling link path[begin..end) into the path, as the kernel would walk it.
static int expand_link(int parent, char path[PATH_SIZE], size_t begin, size_t end)
{
	char name[NAME_MAX + 1], link[PATH_SIZE], rest[PATH_SIZE];
	if (end - begin > NAME_MAX)
		return ENAMETOOLONG;
	memcpy(name, path + begin, end - begin);
	name[end - begin] = 0;
	ssize_t n = readlinkat(parent, name, link, sizeof link);
	if (n < 0)
		return errno;
	size_t n_rest = strlen(path + end), kept = link[0] == '/' ? 0 : begin;
	if (kept + (size_t)n + n_rest >= PATH_SIZE)
		return ENAMETOOLONG;
	memcpy(rest, path + end, n_rest + 1);
	memcpy(path + kept, link, (size_t)n);
	memcpy(path + kept + n, rest, n_rest + 1);
	return 0;
}

// Walks the path once, prefix by prefix: each is resolved by the kernel from the root, so that a
// link in the middle can't be swapped between check and use. Sets *ret_again after expanding a
// link.
static int walk(int root, char path[PATH_SIZE], bool is_file, bool *ret_again, int *ret)
{
	auto_fd int parent = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (parent < 0)
		return errno;
	size_t begin = strspn(path, "/");
	while (path[begin]) {
		size_t end = begin + strcspn(path + begin, "/");
		size_t next = end + strspn(path + end, "/");
		char after = path[end];
		path[end] = 0;
		int fd = -1, sys = child_open(root, path, O_PATH, 0, &fd);
		struct stat st;
		if (sys == ENOENT && fstatat(parent, path + begin, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode)) {
			path[end] = after;
			*ret_again = true;
			return expand_link(parent, path, begin, end);
		}
		if (sys == ENOENT)
			sys = make_one(parent, path + begin, is_file && !path[next], &fd);
		path[end] = after;
		if (sys)
			return sys;
		close(parent);
		parent = fd;
		begin = next;
	}
	*ret = fd_take(&parent);
	return 0;
}

int child_make_target(int root, const char *path, bool is_file, bool is_strict, int *ret)
{
	uint64_t strict = is_strict ? RESOLVE_NO_SYMLINKS : 0;
	uint64_t kind = is_strict && !is_file ? O_DIRECTORY : 0;
	int sys = child_open(root, path, O_PATH | kind, strict, ret);
	if (sys != ENOENT)
		return sys;
	char text[PATH_SIZE];
	size_t size = strlen(path) + 1;
	if (size > sizeof text)
		return ENAMETOOLONG;
	memcpy(text, path, size);
	for (int links = 0; links < LINKS_MAX; links++) {
		bool again = false;
		int fd = -1;
		sys = walk(root, text, is_file, &again, &fd);
		if (sys)
			return sys;
		if (again && !is_strict)
			continue;
		if (again)
			return ELOOP;
		if (!is_strict) {
			*ret = fd;
			return 0;
		}
		close(fd); // made; opened again without links
		return child_open(root, path, O_PATH | kind, strict, ret);
	}
	return ELOOP;
}
