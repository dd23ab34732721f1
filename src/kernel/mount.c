// SPDX-License-Identifier: Apache-2.0
#include "kernel/mount.h"
#include "kernel/decimal.h"
#include "kernel/mount_log.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

// The kernel's words are lines of one message for each read(2), "e ", "w " or "i " before them.
// Errors are collected, "; " between them.
void mount_read_log(int fs, char *text, size_t size)
{
	if (!text || size == 0)
		return;
	size_t used = 0;
	char line[512];
	for (int i = 0; i < 16; i++) {
		ssize_t n = read(fs, line, sizeof(line));
		if (n < 0 && errno == EMSGSIZE) // longer: the kernel has dropped it
			continue;
		if (n <= 0)
			break;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == 0))
			n--;
		if (n <= 2 || line[0] != 'e')
			continue;
		size_t length = (size_t)n - 2, gap = used ? 2 : 0;
		if (used + gap + length + 1 > size)
			break;
		memcpy(text + used, "; ", gap);
		// Foreign option texts are quoted in it: nothing may move a terminal's cursor.
		for (size_t j = 0; j < length; j++)
			text[used + gap + j] = line[j + 2] < ' ' ? '?' : line[j + 2];
		used += gap + length;
	}
	text[used] = 0;
}

static int configure(int fs, const char *source, const struct mount_options *o)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return errno;
	for (size_t i = 0; o && i < o->n_data; i++) {
		const struct mount_datum *d = &o->data[i];
		unsigned kind = d->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
		if (fsconfig(fs, kind, d->key, d->value, 0) < 0)
			return errno;
	}
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? errno : 0;
}

int mount_make(const char *type, const char *source, const struct mount_options *o, int *ret_mount,
               char *ret_log, size_t log_size)
{
	if (ret_log && log_size)
		ret_log[0] = 0;
	auto_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return errno;
	int sys = configure(fs, source ? source : type, o);
	if (sys) {
		mount_read_log(fs, ret_log, log_size);
		return sys;
	}
	auto_fd int mount = fsmount(fs, FSMOUNT_CLOEXEC, o ? (unsigned)o->set : 0);
	if (mount < 0)
		return errno;
	if (o && (o->propagation || o->recursive_set || o->recursive_clear)) {
		sys = mount_change_options(mount, o);
		if (sys)
			return sys;
	}
	*ret_mount = fd_take(&mount);
	return 0;
}

int mount_clone(int fd, const char *path, bool recursive, int *ret_mount)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
	if (!*path)
		flags |= AT_EMPTY_PATH;
	if (recursive)
		flags |= AT_RECURSIVE;
	auto_fd int mount = open_tree(fd, path, flags);
	if (mount < 0)
		return errno;
	struct stat st;
	if (fstat(mount, &st) < 0)
		return errno;
	if (S_ISLNK(st.st_mode))
		return ELOOP;
	*ret_mount = fd_take(&mount);
	return 0;
}

int mount_clone_readonly(int fd, bool recursive, int *ret_mount)
{
	int clone = -1;
	int sys = mount_clone(fd, "", recursive, &clone);
	if (sys)
		return sys;
	auto_fd int mount = clone;
	uint64_t set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	sys = mount_change(mount, set, 0, MS_PRIVATE, recursive);
	if (sys)
		return sys;
	*ret_mount = fd_take(&mount);
	return 0;
}

static int set_attributes(int dirfd, const char *path, struct mount_attr *attr, bool recursive)
{
	// The kinds of atime are one field: setting one needs the others cleared (else EINVAL).
	if (attr->attr_set & MOUNT_ATTR__ATIME)
		attr->attr_clr |= MOUNT_ATTR__ATIME;
	unsigned flags = (*path ? 0 : AT_EMPTY_PATH) | (recursive ? AT_RECURSIVE : 0);
	return mount_setattr(dirfd, path, flags, attr, sizeof(*attr)) < 0 ? errno : 0;
}

int mount_change(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
	return set_attributes(mount, "", &attr, recursive);
}

int mount_change_options(int mount, const struct mount_options *o)
{
	int sys = 0;
	if (o->recursive_set || o->recursive_clear)
		sys = mount_change(mount, o->recursive_set, o->recursive_clear, 0, true);
	if (!sys && (o->set || o->clear))
		sys = mount_change(mount, o->set, o->clear, 0, false);
	if (!sys && o->propagation)
		sys = mount_change(mount, 0, 0, o->propagation, o->propagation_recursive);
	return sys;
}

int mount_idmap(int mount, int userns, bool recursive)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
	return set_attributes(mount, "", &attr, recursive);
}

int mount_attach(int mount, int target)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
	return move_mount(mount, "", target, "", flags) < 0 ? errno : 0;
}

int mount_detach(int fd)
{
	// Not UMOUNT_NOFOLLOW: the magic link leads to the mount that was opened, to no other.
	char path[PROC_FD_SIZE];
	proc_fd_path(path, fd);
	return umount2(path, MNT_DETACH) < 0 ? errno : 0;
}

int mount_make_all(uint64_t propagation)
{
	struct mount_attr attr = {.propagation = propagation};
	return set_attributes(AT_FDCWD, "/", &attr, true);
}

int mount_pivot(int rootfd)
{
	// The old root lands on top of the new one, where "." still finds it: no folder is needed.
	if (fchdir(rootfd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return errno;
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return errno;
	return 0;
}

int mount_move_root(int rootfd)
{
	if (fchdir(rootfd) < 0)
		return errno;
	if (move_mount(rootfd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return errno;
	return chroot(".") < 0 || chdir("/") < 0 ? errno : 0;
}
