// SPDX-License-Identifier: Apache-2.0
// Mounts by descriptor: made detached (seen by nobody), attached to a descriptor that was checked.
// Functions returning `int` (0 or an errno) are child-safe (kernel/kernel.h); results are
// O_CLOEXEC. Specification: fsopen(2), open_tree(2), move_mount(2), mount_setattr(2);
// Documentation/ filesystems/overlayfs.rst; options as runc's table, which containerd's users
// write.
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOUNT_LAYERS_MAX = 500 }; // the kernel's OVL_MAX_STACK; one more is EINVAL

// ---- Options ------------------------------------------------------------------------------------

struct mount_datum {
	const char *key, *value; // value NULL: a flag
};

// What a list of option strings means. All pointers belong to `text`.
struct mount_options {
	uint64_t set, clear;                     // MOUNT_ATTR_* of the mount itself
	uint64_t recursive_set, recursive_clear; // MOUNT_ATTR_* of it and all below ("rro"…)
	uint64_t propagation;       // MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0
	bool propagation_recursive; // "rshared"…
	bool bind, recursive;       // "bind", "rbind" (both set)
	bool remount;
	bool copy_up;                // "tmpcopyup": the tmpfs starts with what it covers
	bool idmap, idmap_recursive; // "idmap", "ridmap"
	struct mount_datum *data;    // the file system's own options
	size_t n_data;
	char *text;
};

// Parses `n` option strings ("nosuid", "mode=755", …); one string may hold several, separated by
// commas. The last word on a subject wins. What the table doesn't know is the file system's.
// Errors: INVALID (an empty key, more than 256 options, a value over 4 KiB).
fallible mount_options_parse(const char *const *options, size_t n, struct mount_options *ret);
void mount_options_done(struct mount_options *o);
#define auto_mount_options defer(mount_options_done)

// ---- Making detached mounts ---------------------------------------------------------------------

// A new file system of `type`, with the options' data, set and propagation (recursive_set too);
// `source` is what /proc/mounts shows (NULL: the type). tmpfs, proc, sysfs, devpts, mqueue,
// cgroup2, ext4… proc, mqueue and devpts show the caller's namespaces: make them in the child.
// EBUSY or EPERM on proc/sysfs in a user namespace: the kernel's "mount_too_revealing".
// *ret_log (of `log_size` bytes, may be NULL) gets the kernel's own words, "" if it said nothing.
int mount_make(const char *type, const char *source, const struct mount_options *o, int *ret_mount,
               char *ret_log, size_t log_size);

// A detached clone of what `fd` (and `path` below it, "" for itself) stands on: the source of a
// bind mount. `path` may not end in a link. Must be called in the mount namespace of `fd`.
int mount_clone(int fd, const char *path, bool recursive, int *ret_mount);
// The same made read-only (nosuid and nodev too), to hand out or to execute from.
int mount_clone_readonly(int fd, bool recursive, int *ret_mount);

// ---- Changing, attaching, removing --------------------------------------------------------------

// mount_setattr on a mount descriptor. propagation: as above or 0.
int mount_change(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive);
// Applies the options' attributes and propagation (not the data) to a detached or attached mount.
int mount_change_options(int mount, const struct mount_options *o);
// Gives a detached mount the ID mapping of a user namespace (kernel/idmap.h). EINVAL: that file
// system can't (overlay itself, proc, sysfs): map the layers instead.
int mount_idmap(int mount, int userns, bool recursive);
// Attaches a detached mount onto what `target` (O_PATH) stands on: directory onto directory, file
// onto file (EINVAL otherwise). The mount's descriptor stays valid.
int mount_attach(int mount, int target);
// Lazily unmounts the topmost mount whose root `fd` is. Needs /proc.
int mount_detach(int fd);
// Makes every mount of this namespace private or a slave (MS_PRIVATE, MS_SLAVE), from "/" down.
int mount_make_all(uint64_t propagation);
// Makes the directory `rootfd` (root of a mount) the root of this mount namespace, drops the old
// one; the working directory is the new root.
int mount_pivot(int rootfd);
// The same without pivot_root(2), for roots on a ramfs: moves it over "/" and changes the root.
int mount_move_root(int rootfd);

// ---- Overlay ------------------------------------------------------------------------------------

struct mount_overlay {
	const int *lowers; // O_PATH directories, the topmost layer first; 1 to MOUNT_LAYERS_MAX
	size_t n_lowers;
	int upper, work;  // on one file system; -1 and -1: read-only
	bool is_volatile; // never synced; afterwards upper and work may only be deleted
	bool user_xattrs; // "userxattr": marks in user.overlay.*, for user namespaces
};
// A detached overlay. Always redirect_dir=nofollow: a forged redirect in a layer can't show another
// directory. One lower without an upper is no overlay for the kernel: gives a read-only clone.
// On kernels before 6.13 layers go by name, before 6.8 in one short string: then about 80 layers.
// How is found out once in a process, by the errors. The working directory is restored; call it
// with one thread. The lowers must be in this mount namespace, or (since 6.15) detached clones.
// Errors: LIMIT (too many layers), INVALID, SYSTEM with the kernel's words.
fallible mount_make_overlay(const struct mount_overlay *o, int *ret_mount);
// The same, with the lowers seen through the ID map of `userns` (kernel/idmap.h); upper and work
// are as they are. All of them must be in this mount namespace, not covered, and have paths.
// UNSUPPORTED: their file system takes no map.
fallible mount_make_mapped_overlay(const struct mount_overlay *o, int userns, int *ret_mount);
