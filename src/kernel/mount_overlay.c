// SPDX-License-Identifier: Apache-2.0
// Overlay over the years:
//   since 6.13  layers, upper and work by descriptor, any number
//   since 6.8   layers by name, one option each; here names are /proc/self/fd/N, short and exact
//   before      one string for all layers, which fsconfig(2) limits to 255 bytes; the names are
//   then
//               just descriptors' numbers, relative to /proc/self/fd. (mount(2) would take 4095
//               bytes, but cuts silently what is longer, and can't make a detached mount.)
#include "base/memory.h"
#include "base/text.h"
#include "kernel/decimal.h"
#include "kernel/mount.h"
#include "kernel/mount_log.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <unistd.h>

enum { STRING_LIMIT = 254, LOG_SIZE = 512 };

static int set_string(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? errno : 0;
}

static int set_directory(enum overlay_way way, int fs, const char *key, int fd)
{
	if (way == OVERLAY_BY_FD)
		return fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) < 0 ? errno : 0;
	char path[PROC_FD_SIZE];
	proc_fd_path(path, fd);
	return set_string(fs, key, way == OVERLAY_BY_NAME ? path : strrchr(path, '/') + 1);
}

static fallible layers_string(const struct mount_overlay *o, struct str *text)
{
	for (size_t i = 0; i < o->n_lowers; i++)
		str_printf(text, "%s%d", i ? ":" : "", o->lowers[i]);
	if (text->over)
		return error_new(ERROR_LIMIT, "overlay of %zu layers: too many for this kernel",
		                 o->n_lowers);
	return NULL;
}

static int set_layers(enum overlay_way way, int fs, const struct mount_overlay *o,
                      const char *string)
{
	if (way == OVERLAY_BY_STRING)
		return set_string(fs, "lowerdir", string);
	for (size_t i = 0; i < o->n_lowers; i++) {
		int sys = set_directory(way, fs, "lowerdir+", o->lowers[i]);
		if (sys)
			return sys;
	}
	return 0;
}

static int set_rest(enum overlay_way way, int fs, const struct mount_overlay *o)
{
	int sys = 0;
	if (o->upper >= 0)
		sys = set_directory(way, fs, "upperdir", o->upper);
	if (!sys && o->upper >= 0)
		sys = set_directory(way, fs, "workdir", o->work);
	// user.overlay.redirect is never followed, and naming redirect_dir beside userxattr is
	// refused.
	if (!sys)
		sys = o->user_xattrs ? fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0
		                               ? errno
		                               : 0
		                     : set_string(fs, "redirect_dir", "nofollow");
	if (!sys && o->is_volatile && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		sys = errno;
	if (!sys && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		sys = errno;
	return sys;
}

static fallible refused(int sys, int fs, const struct mount_overlay *o)
{
	char log[LOG_SIZE];
	mount_read_log(fs, log, sizeof(log));
	return error_system(sys, "overlay of %zu layers%s%s", o->n_lowers, *log ? ": " : "", log);
}

// Whether this kernel takes layers in that way: asked after a refusal, with a directory that is
// good.
static bool is_known(enum overlay_way way)
{
	auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fs >= 0 && root >= 0 && set_directory(way, fs, "lowerdir+", root) == 0;
}

static fallible build(enum overlay_way way, const struct mount_overlay *o, const char *string,
                      int *ret_mount, bool *ret_try_next)
{
	auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		FAIL_ERRNO("overlay");
	int sys = set_string(fs, "source", "overlay");
	if (!sys)
		sys = set_layers(way, fs, o, string);
	// Before 6.5 an unknown option is noticed only when the file system is made.
	bool unknown = sys && !is_known(way);
	if (!sys) {
		sys = set_rest(way, fs, o);
		unknown = sys == EINVAL && way == OVERLAY_BY_NAME;
	}
	if (sys) {
		*ret_try_next = unknown && way != OVERLAY_BY_STRING;
		return refused(sys, fs, o);
	}
	int mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		FAIL_ERRNO("overlay: fsmount");
	*ret_mount = mount;
	return NULL;
}

fallible mount_overlay_by(enum overlay_way way, const struct mount_overlay *o, int *ret_mount,
                          bool *ret_try_next)
{
	*ret_try_next = false;
	if (way != OVERLAY_BY_STRING)
		return build(way, o, NULL, ret_mount, ret_try_next);
	auto_str struct str string = STR_LIMIT(STRING_LIMIT);
	TRY(layers_string(o, &string));
	auto_fd int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (before < 0)
		FAIL_ERRNO("open the working directory");
	if (chdir("/proc/self/fd") < 0)
		FAIL_ERRNO("/proc/self/fd");
	struct error *e = build(way, o, string.bytes, ret_mount, ret_try_next);
	if (fchdir(before) < 0)
		e = error_join(e, error_system(errno, "back to the working directory"));
	return e;
}

static fallible view_of_one(int lower, int *ret_mount)
{
	int clone = -1;
	int sys = mount_clone(lower, "", false, &clone);
	auto_fd int mount = clone;
	if (!sys)
		sys = mount_change(mount, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false);
	if (sys)
		return error_system(sys, "read-only view of a layer");
	*ret_mount = fd_take(&mount);
	return NULL;
}

fallible mount_make_overlay(const struct mount_overlay *o, int *ret_mount)
{
	static _Atomic enum overlay_way known = OVERLAY_BY_FD;
	if (o->n_lowers == 0)
		return error_new(ERROR_INVALID, "overlay without a layer");
	if (o->n_lowers > MOUNT_LAYERS_MAX)
		return error_new(ERROR_LIMIT, "overlay of %zu layers: at most %d are possible",
		                 o->n_lowers, MOUNT_LAYERS_MAX);
	if ((o->upper < 0) != (o->work < 0))
		return error_new(ERROR_INVALID, "overlay needs both an upper and a work directory");
	if (o->upper < 0 && o->n_lowers == 1)
		return view_of_one(o->lowers[0], ret_mount);
	for (enum overlay_way way = atomic_load(&known);; way++) {
		bool try_next;
		auto_error struct error *e = mount_overlay_by(way, o, ret_mount, &try_next);
		if (!e)
			atomic_store(&known, way);
		if (!e || !try_next)
			return take(&e);
	}
}
