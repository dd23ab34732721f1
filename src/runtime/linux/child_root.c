// SPDX-License-Identifier: Apache-2.0
// The container's file system: root, mounts, devices, masks. Everything is attached to a descriptor
// that was opened inside the root and checked; no path is used twice.
#include "runtime/linux/child.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

// The root is attached over "/" of our copy of the host's mounts: no folder is needed for it, and
// nobody else sees it. Our own root directory stays the one below until the pivot.
int child_attach_root(struct child *c)
{
	auto_fd int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return errno;
	c->root = c->plan->root;
	return mount_attach(c->root, top);
}

// ---- Mounts -------------------------------------------------------------------------------------

static int check_target(struct child *c, const struct plan_mount *m, int target)
{
	static const char words[] = "it cannot be mounted because it is inside /proc";
	struct statfs fs;
	if (m->in_proc)
		return 0;
	if (fstatfs(target, &fs) < 0)
		return errno;
	// A link in the image can lead there, whatever the path looks like (CVE-2019-16884).
	if (fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	memcpy(c->text, words, sizeof words);
	return EPERM;
}

int child_make_mount(const struct plan_mount *m, int *ret, char *text, size_t size)
{
	struct mount_options o = m->options;
	if (m->late_readonly)
		o.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	return mount_make(m->type, m->name, &o, ret, text, size);
}

static int mount_one(struct child *c, struct plan_mount *m)
{
	if (m->source < 0) {
		int sys = child_make_mount(m, &m->source, c->text, sizeof c->text);
		if (sys)
			return sys;
	}
	auto_fd int target = -1;
	int sys = child_make_target(c->root, m->target, m->is_file, m->is_strict, &target);
	if (!sys)
		sys = check_target(c, m, target);
	if (!sys)
		sys = mount_attach(m->source, target);
	if (!sys && m->is_dev) {
		c->dev = m->source;
		c->dev_is_ours = true;
	}
	return sys;
}

int child_mounts(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_mounts; i++) {
		c->index = (int)i;
		int sys = mount_one(c, &c->plan->mounts[i]);
		if (sys)
			return sys;
	}
	return 0;
}

// ---- /dev ---------------------------------------------------------------------------------------

// Where nodes can't be made: what is there already stays, as below.
static int bind_device(struct child *c, const struct plan_device *d)
{
	auto_fd int target = -1;
	int sys = child_make_target(c->root, d->path, true, false, &target);
	return sys ? sys : mount_attach(d->source, target);
}

static int make_device(struct child *c, const struct plan_device *d)
{
	if (d->source >= 0)
		return bind_device(c, d);
	auto_fd int parent = -1;
	const char *name = strrchr(d->path, '/') + 1;
	int dirfd = c->dev;
	// Most lie in /dev itself, whose descriptor we have.
	if (strncmp(d->path, "/dev/", 5) != 0 || name != d->path + 5) {
		char path[4096];
		size_t size = (size_t)(name - d->path);
		if (size >= sizeof path)
			return ENAMETOOLONG;
		memcpy(path, d->path, size);
		path[size] = 0;
		int sys = child_make_target(c->root, path, false, false, &parent);
		if (sys)
			return sys;
		dirfd = parent;
	}
	if (mknodat(dirfd, name, d->mode, d->number) < 0) {
		struct stat st;
		int sys = errno;
		if (sys != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return sys;
		bool is_same =
			(st.st_mode & S_IFMT) == (d->mode & S_IFMT) && st.st_rdev == d->number;
		// In our own /dev it can only be what the user has mounted there.
		return is_same || (c->dev_is_ours && dirfd == c->dev) ? 0 : sys;
	}
	if ((d->uid || d->gid) && fchownat(dirfd, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return 0;
}

static const struct {
	const char *name, *target;
} dev_links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

int child_devices(struct child *c)
{
	if (!c->plan->makes_devices)
		return 0;
	if (c->dev < 0) {
		int sys = child_make_target(c->root, "/dev", false, true, &c->dev);
		if (sys)
			return sys;
	}
	for (size_t i = 0; i < c->plan->n_devices; i++) {
		c->index = (int)i;
		int sys = make_device(c, &c->plan->devices[i]);
		if (sys)
			return sys;
	}
	for (size_t i = 0; i < sizeof dev_links / sizeof *dev_links; i++) {
		c->index = -1;
		if (symlinkat(dev_links[i].target, c->dev, dev_links[i].name) < 0 &&
		    errno != EEXIST)
			return errno;
	}
	return 0;
}

static int check_null(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) ? 0 : ENODEV;
}

int child_open_null(struct child *c, int *ret)
{
	int flags = O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
	auto_fd int fd = c->plan->null >= 0 ? fcntl(c->plan->null, F_DUPFD_CLOEXEC, 3)
	                                    : openat(c->dev, "null", flags);
	if (fd < 0)
		return errno;
	int sys = check_null(fd);
	if (!sys)
		*ret = fd_take(&fd);
	return sys;
}

// ---- Masks --------------------------------------------------------------------------------------

// Covers `target` with a source. The detached one is used up by the first place; the others get
// clones of it, which kernels before 6.15 make of attached mounts only.
static int cover(struct child_source *source, int target)
{
	if (!source->is_attached) {
		int sys = mount_attach(source->mount, target);
		source->is_attached = !sys;
		return sys;
	}
	auto_fd int clone = -1;
	int sys = mount_clone(source->mount, "", false, &clone);
	return sys ? sys : mount_attach(clone, target);
}

// One empty read-only tmpfs for all directories: fewer superblocks to tear down.
static int make_empty_dir(struct child *c)
{
	static struct mount_datum data[] = {{"nr_inodes", "1"}, {"mode", "0755"}};
	struct mount_options o = {
		.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		.data = data,
		.n_data = 2,
	};
	return mount_make("tmpfs", "tmpfs", &o, &c->empty_dir.mount, c->text, sizeof c->text);
}

// The null device, from a descriptor: never by a name that an image chose (CVE-2025-31133).
static int make_empty_file(struct child *c)
{
	if (c->plan->null_mount >= 0) {
		c->empty_file.mount = c->plan->null_mount;
		return 0;
	}
	auto_fd int fd = openat(c->dev, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int sys = check_null(fd);
	return sys ? sys : mount_clone(fd, "", false, &c->empty_file.mount);
}

static int mask_one(struct child *c, const char *path)
{
	auto_fd int target = -1;
	int sys = child_open(c->root, path, O_PATH, 0, &target);
	if (sys == ENOENT || sys == ENOTDIR)
		return 0;
	struct stat st;
	if (!sys && fstat(target, &st) < 0)
		sys = errno;
	if (sys)
		return sys;
	struct child_source *source = S_ISDIR(st.st_mode) ? &c->empty_dir : &c->empty_file;
	if (source->mount < 0)
		sys = S_ISDIR(st.st_mode) ? make_empty_dir(c) : make_empty_file(c);
	return sys ? sys : cover(source, target);
}

int child_masked_paths(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_masked; i++) {
		c->index = (int)i;
		int sys = mask_one(c, c->plan->masked[i]);
		if (sys)
			return sys;
	}
	return 0;
}

int child_readonly_paths(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_readonly; i++) {
		c->index = (int)i;
		auto_fd int target = -1, clone = -1;
		int sys = child_open(c->root, c->plan->readonly[i], O_PATH, 0, &target);
		if (sys == ENOENT || sys == ENOTDIR)
			continue;
		if (!sys)
			sys = mount_clone(target, "", true, &clone);
		if (!sys)
			sys = mount_change(clone, MOUNT_ATTR_RDONLY, 0, 0, true);
		if (!sys)
			sys = mount_attach(clone, target);
		if (sys)
			return sys;
	}
	return 0;
}

int child_readonly_root(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_mounts; i++) {
		const struct plan_mount *m = &c->plan->mounts[i];
		int sys = m->late_readonly ? mount_change(m->source, MOUNT_ATTR_RDONLY, 0, 0, false)
		                           : 0;
		if (sys)
			return sys;
	}
	return c->plan->root_readonly ? mount_change(c->root, MOUNT_ATTR_RDONLY, 0, 0, false) : 0;
}

// ---- sysctl, pivot ------------------------------------------------------------------------------

// Written through a proc of our own that nobody else sees: what is mounted at /proc may be anything
// (CVE-2025-52881).
int child_sysctls(struct child *c)
{
	if (!c->plan->n_sysctls)
		return 0;
	auto_fd int proc = -1;
	int sys = mount_make("proc", NULL, NULL, &proc, c->text, sizeof c->text);
	for (size_t i = 0; !sys && i < c->plan->n_sysctls; i++) {
		const struct plan_sysctl *s = &c->plan->sysctls[i];
		c->index = (int)i;
		auto_fd int fd = -1;
		sys = child_open(proc, s->path, O_WRONLY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
		                 &fd);
		if (!sys && write(fd, s->value, strlen(s->value)) < 0)
			sys = errno;
	}
	return sys;
}

int child_pivot(struct child *c)
{
	const struct plan *plan = c->plan;
	int sys;
	if (plan->no_pivot) // it lies over "/" already
		sys = fchdir(c->root) < 0 || chroot(".") < 0 || chdir("/") < 0 ? errno : 0;
	else
		sys = mount_pivot(c->root);
	if (!sys && plan->root_propagation)
		sys = mount_change(c->root, 0, 0, plan->root_propagation,
		                   plan->root_propagation_recursive);
	return sys;
}
