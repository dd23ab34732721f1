// SPDX-License-Identifier: Apache-2.0
// Mounts and devices of the plan. Host paths end here: what is bound is cloned now, as a detached
// mount with all its attributes, so that its errors can name it and init never walks the host.
#include "kernel/kernel.h"
#include "runtime/linux/plan.h"
#include "runtime/linux/state.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

// ---- Inside /proc -------------------------------------------------------------------------------

// Single files that tools like lxcfs replace; anything else there would fool security decisions
// (CVE-2019-16884). runc's list.
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/uptime",
	"/proc/loadavg",
	"/proc/slabinfo",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/sys/crypto/fips_enabled",
};

static fallible check_proc(const struct oci_mount *m, struct plan_mount *plan)
{
	if (strcmp(plan->target, "/proc") == 0) {
		struct statfs fs;
		plan->in_proc = true;
		if (plan->source < 0 ? !strcmp(plan->type, "proc")
		                     : !fstatfs(plan->source, &fs) && fs.f_type == PROC_SUPER_MAGIC)
			return NULL;
		return error_new(ERROR_INVALID,
		                 "error mounting \"%s\" to rootfs at \"%s\": "
		                 "only a proc can be mounted there",
		                 m->source ? m->source : "", m->destination);
	}
	if (strncmp(plan->target, "/proc/", 6) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof proc_files / sizeof *proc_files; i++)
		plan->in_proc |= !strcmp(plan->target, proc_files[i]);
	if (!plan->in_proc)
		return error_new(ERROR_INVALID,
		                 "\"%s\" cannot be mounted because it is inside /proc",
		                 m->destination);
	return NULL;
}

// ---- Binds --------------------------------------------------------------------------------------

static fallible idmap_source(const struct oci_mount *m, int mount,
                             const struct mount_options *options)
{
	if (!m->uid_mappings.n)
		return options->idmap ? error_new(ERROR_UNSUPPORTED,
		                                  "%s: idmap without uidMappings of its own is "
		                                  "not supported",
		                                  m->destination)
		                      : NULL;
	struct id_map maps[2][ID_MAPS_MAX];
	const struct oci_id_mappings *lists[] = {&m->uid_mappings, &m->gid_mappings};
	for (int k = 0; k < 2; k++) {
		if (lists[k]->n > ID_MAPS_MAX)
			return error_new(ERROR_INVALID, "too many ID mappings");
		for (size_t i = 0; i < lists[k]->n; i++)
			maps[k][i] = (struct id_map){lists[k]->items[i].container_id,
			                             lists[k]->items[i].host_id,
			                             lists[k]->items[i].size};
	}
	auto_fd int userns = -1;
	TRY(idmap_make(&(struct id_maps){maps[0], maps[1], lists[0]->n, lists[1]->n}, &userns));
	int sys = mount_idmap(mount, userns, options->idmap_recursive);
	if (sys)
		return error_system(sys, "idmap");
	return NULL;
}

static fallible open_source(const struct oci_mount *m, int *ret)
{
	if (!m->source)
		return error_new(ERROR_INVALID, "a bind mount without a source");
	int fd = open(m->source, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return error_new(ERROR_NOT_FOUND, "stat %s: %s", m->source, plan_errno_text(errno));
	*ret = fd;
	return NULL;
}

static fallible bind_source(const struct oci_mount *m, struct plan_mount *plan)
{
	auto_fd int fd = -1;
	TRY(open_source(m, &fd));
	const struct mount_options *o = &plan->options;
	int sys = mount_clone(fd, "", o->recursive, &plan->source);
	// A clone of a shared mount is its peer: what the container mounts below would be the
	// host's. The other way, runc leaves a slave: new mounts of the host appear.
	if (!sys && !o->propagation)
		sys = mount_change(plan->source, 0, 0, MS_SLAVE, o->recursive);
	if (!sys)
		sys = mount_change_options(plan->source, o);
	if (sys)
		return error_system(sys, "bind");
	TRY(idmap_source(m, plan->source, o));
	struct stat st;
	if (fstat(plan->source, &st) < 0)
		FAIL_ERRNO("stat");
	plan->is_file = !S_ISDIR(st.st_mode);
	return NULL;
}

// ---- New file systems ---------------------------------------------------------------------------

static fallible refuse_type(const struct plan_mount *plan)
{
	if (plan->options.copy_up)
		return error_new(ERROR_UNSUPPORTED, "tmpcopyup is not supported yet");
	if (plan->options.idmap)
		return error_new(ERROR_INVALID, "idmap: only for bind mounts");
	struct statfs fs;
	if (!strcmp(plan->type, "cgroup") &&
	    (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC))
		return error_new(
			ERROR_UNSUPPORTED,
			"a cgroup mount is only supported where /sys/fs/cgroup is version 2");
	return NULL;
}

static fallible plan_one(const struct oci_mount *m, struct plan *plan, struct plan_mount *ret)
{
	TRY(mount_options_parse((const char *const *)m->options.items, m->options.n,
	                        &ret->options));
	ret->target = plan_clean_path(plan->arena, m->destination);
	ret->type = m->type && *m->type ? m->type : "bind";
	bool is_bind = ret->options.bind || !strcmp(ret->type, "bind");
	if (!ret->target[1])
		return error_new(ERROR_INVALID, "the root can't be mounted over");
	bool is_dev = !strcmp(ret->target, "/dev");
	ret->is_strict = is_dev || !strcmp(ret->target, "/proc") || !strcmp(ret->target, "/sys");
	if (is_bind) {
		TRY(bind_source(m, ret));
		ret->name = m->source;
		ret->type = NULL;
		plan->makes_devices &= !is_dev;
	} else {
		TRY(refuse_type(ret));
		ret->name = m->source;
		ret->is_dev = is_dev && !strcmp(ret->type, "tmpfs");
		ret->late_readonly =
			ret->options.set & MOUNT_ATTR_RDONLY && !strcmp(ret->type, "tmpfs");
		// "proc" and "sysfs" are trusted by what comes later, wherever they are.
		ret->is_strict |= !strcmp(ret->type, "proc") || !strcmp(ret->type, "sysfs");
		if (!strcmp(ret->type, "cgroup"))
			ret->type = "cgroup2";
	}
	return check_proc(m, ret);
}

// ---- Files of ours ------------------------------------------------------------------------------

// The content lies in the state directory, and is bound from there: it keeps its name, since what
// has lost it can't be attached any more (ENOENT).
static fallible plan_file(int state_dirfd, const char *name, const struct runtime_file *file,
                          struct plan_mount *ret)
{
	ignore(unlinkat(state_dirfd, name, 0)); // of a creator that was killed
	auto_fd int fd = openat(state_dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("%s", name);
	TRY(fd_write_all(fd, file->bytes, file->size));
	if (fchmod(fd, file->mode) < 0)
		FAIL_ERRNO("%s: chmod", name);
	int sys = mount_clone(fd, "", false, &ret->source);
	if (!sys)
		sys = mount_change(ret->source,
		                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		                           MOUNT_ATTR_NOEXEC,
		                   0, MS_PRIVATE, false);
	if (sys)
		return error_system(sys, "clone");
	ret->is_file = true;
	return NULL;
}

static bool is_mounted(const struct plan *plan, const char *target)
{
	for (size_t i = 0; i < plan->n_mounts; i++) {
		if (!strcmp(plan->mounts[i].target, target))
			return true;
	}
	return false;
}

static fallible add_files(const struct runtime_request *request, struct plan *plan)
{
	if (request->n_files > STATE_FILES_MAX)
		return error_new(ERROR_LIMIT, "more than %d files", STATE_FILES_MAX);
	unsigned n = 0;
	for (size_t i = 0; i < request->n_files; i++) {
		const struct runtime_file *file = &request->files[i];
		char name[STATE_FILE_SIZE];
		const char *target = plan_clean_path(plan->arena, file->path);
		if (file->unless_mounted && is_mounted(plan, target))
			continue;
		state_file_name(name, n++);
		struct plan_mount *m = &plan->mounts[plan->n_mounts++];
		*m = (struct plan_mount){.target = target, .source = -1};
		TRY_AS(plan_file(request->state_dirfd, name, file, m), "%s", file->path);
	}
	return NULL;
}

// Without a /dev of our own, /dev/null is the host's: verified, read-only, so that nothing of it
// can be changed through the container.
fallible plan_null(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_mounts; i++) {
		if (plan->mounts[i].is_dev)
			return NULL;
	}
	auto_fd int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		FAIL_ERRNO("/dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return error_new(ERROR_INVALID, "/dev/null: not the null device");
	int sys = mount_clone(fd, "", false, &plan->null_mount);
	if (!sys)
		sys = mount_change(plan->null_mount, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false);
	if (sys)
		return error_system(sys, "/dev/null: clone");
	auto_free char *path = alloc_printf("/proc/self/fd/%d", plan->null_mount);
	plan->null = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (plan->null < 0)
		FAIL_ERRNO("/dev/null");
	return NULL;
}

fallible plan_mounts(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_mounts *list = &request->spec->mounts;
	size_t n = list->n + request->n_files;
	plan->mounts = arena_alloc(plan->arena, (n + 1) * sizeof *plan->mounts);
	plan->makes_devices = true;
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_mount *m = &list->items[i];
		struct plan_mount *ret = &plan->mounts[plan->n_mounts++];
		*ret = (struct plan_mount){.source = -1};
		TRY_AS(plan_one(m, plan, ret), "error mounting \"%s\" to rootfs at \"%s\"",
		       m->source ? m->source
		       : m->type ? m->type
		                 : "",
		       m->destination);
	}
	TRY(add_files(request, plan));
	return plan_null(plan);
}

// ---- Devices ------------------------------------------------------------------------------------

static const struct {
	const char *path;
	unsigned major, minor;
} default_devices[] = {
	// runtime-spec, config-linux.md, default devices
	{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
	{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};
enum { DEFAULT_DEVICES = sizeof default_devices / sizeof *default_devices };

static fallible plan_device(const struct oci_device *d, struct plan *plan, struct plan_device *ret)
{
	mode_t kind = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
	ret->source = -1;
	if (d->major < 0 || d->minor < 0 || d->major > INT32_MAX || d->minor > INT32_MAX)
		return error_new(ERROR_INVALID, "device %s: not a device number", d->path);
	*ret = (struct plan_device){
		.path = plan_clean_path(plan->arena, d->path),
		.mode = kind | (d->file_mode.set ? (mode_t)d->file_mode.value & 07777 : 0666),
		.number = kind == S_IFIFO ? 0 : makedev((unsigned)d->major, (unsigned)d->minor),
		.source = -1,
		.uid = d->uid.set ? (uid_t)d->uid.value : 0,
		.gid = d->gid.set ? (gid_t)d->gid.value : 0,
	};
	if (!ret->path[1])
		return error_new(ERROR_INVALID, "device %s: not a file name", d->path);
	return NULL;
}

// Nobody makes nodes in a user namespace: the host's, verified, are bound there.
static fallible bind_device(struct plan_device *d)
{
	auto_fd int fd = open(d->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (S_ISFIFO(d->mode))
		return error_new(ERROR_UNSUPPORTED, "device %s: a FIFO in a user namespace",
		                 d->path);
	if (fd < 0 || fstat(fd, &st) < 0)
		FAIL_ERRNO("device %s", d->path);
	if ((st.st_mode & S_IFMT) != (d->mode & S_IFMT) || st.st_rdev != d->number)
		return error_new(ERROR_INVALID,
		                 "device %s: the host's is another, and none can be made in a user "
		                 "namespace",
		                 d->path);
	int sys = mount_clone(fd, "", false, &d->source);
	if (!sys)
		sys = mount_change(d->source, 0, 0, MS_PRIVATE, false);
	return sys ? error_system(sys, "device %s: clone", d->path) : NULL;
}

fallible plan_devices(const struct oci_spec *spec, struct plan *plan)
{
	const struct oci_devices *list = &spec->linux_.devices;
	plan->devices =
		arena_alloc(plan->arena, (list->n + DEFAULT_DEVICES) * sizeof *plan->devices);
	for (size_t i = 0; i < list->n; i++)
		TRY(plan_device(&list->items[i], plan, &plan->devices[plan->n_devices++]));
	for (size_t i = 0; i < DEFAULT_DEVICES; i++) {
		bool is_given = false;
		for (size_t k = 0; k < list->n; k++)
			is_given |= !strcmp(plan->devices[k].path, default_devices[i].path);
		if (is_given && strcmp(default_devices[i].path, "/dev/null") != 0)
			continue;
		plan->devices[plan->n_devices++] = (struct plan_device){
			.path = default_devices[i].path,
			.source = -1,
			.mode = S_IFCHR | 0666,
			.number = makedev(default_devices[i].major, default_devices[i].minor),
		};
	}
	for (size_t i = 0; i < plan->n_devices && plan->has_user_namespace; i++)
		TRY(bind_device(&plan->devices[i]));
	return NULL;
}
