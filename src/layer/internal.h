// SPDX-License-Identifier: Apache-2.0
// Shared by the files that unpack.
//
// Invariants:
// 1. A path in here is resolved: components of real directories of `new`, joined by '/', "" for
//    the root, no ".", "..", links, at most PATH_BYTES bytes. A name is one component.
// 2. Every open is one component below a descriptor (O_NOFOLLOW), or a resolved path by openat2
//    with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS.
// 3. There is no /proc: nothing needs it.
#pragma once
#include "base/memory.h"
#include "base/text.h"
#include "layer/layer.h"
#include "sys/fd.h"
#include "tar/tar.h"
#include <sys/stat.h>

enum {
	PATH_BYTES = 4095,
	LINKS_MAX = 40,           // as the kernel follows
	DIRS = 64,                // open directories
	SET_BYTES_MAX = 64 << 20, // paths of opaque directories
	DIR_TIMES_MAX = 64 << 20, // bytes of remembered directories
};

// --- set.c: sets of paths and of inode numbers -------------------------------------------------

struct path_set {
	char **slots;
	size_t n, capacity, bytes;
};
fallible path_set_add(struct path_set *s, const char *path);
bool path_set_has(const struct path_set *s, const char *path, size_t size);
void path_set_done(struct path_set *s);

struct inode_set {
	uint64_t *slots; // 0: free
	size_t n, capacity;
};
void inode_set_add(struct inode_set *s, uint64_t inode);
bool inode_set_has(const struct inode_set *s, uint64_t inode);
void inode_set_done(struct inode_set *s);

// --- the work ----------------------------------------------------------------------------------

struct dir {        // an open directory of `new`
	char *path; // NULL: free, or its directory was removed while in use
	uint64_t hash, used;
	unsigned pins;
	int fd;
};

// Times of directories are set at the end: filling changes them. Two of one path: the last counts.
struct dir_time {
	char *path;
	int64_t s;
	uint32_t ns;
};

struct metadata {
	uint32_t mode; // 07777
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
};

struct windows_state;
struct unpack {
	const struct layer_unpack_request *r;
	struct layer_unpacked done;
	uint64_t promised; // sizes of files, holes included
	struct tar_reader *tar;
	const char *name; // of the entry, for messages

	struct dir dirs[DIRS];
	uint64_t clock;
	struct dir_time *times;
	size_t n_times, times_capacity, times_bytes;

	struct path_set opaque;   // directories that hide what is below; overlay only
	struct inode_set brought; // inodes of this layer; native only
	bool root_opaque;
	bool root_is_set; // its metadata, by an entry or the copy of what is below
	int lower_dirfd;  // see lower_dir()
	bool lower_is_awaited;
	unsigned warned; // bits of enum warning

	struct windows_state *windows; // NULL: Linux' rules
	struct {                       // a piece of the entry's data that was read to look at it
		bool is_read;
		const void *bytes;
		size_t size;
		uint64_t offset;
	} first;
};

enum warning {
	WARN_TRUSTED,
	WARN_XATTR,
	WARN_DEVICE_WHITEOUT,
	WARN_METADATA_NAME,
	WARN_WINDOWS_TOP,
	WARN_WINDOWS_LINK,
	WARN_WINDOWS_LINKS_LOST,
};
void unpack_warn(struct unpack *u, enum warning kind, const char *format, ...) PRINTF(3, 4);

// dirs.c
// Opens the directory that `path` (from an archive) leads to in the merged tree, size bytes long,
// making what `new` lacks. Pinned: dir_release() it.
fallible dirs_enter(struct unpack *u, const char *path, size_t size, struct dir **ret);
fallible dirs_open(struct unpack *u, const char *path, struct dir **ret); // resolved, exists
void dir_release(struct dir *d);
void dirs_forget(struct unpack *u, const char *path); // and all below: it was removed
void dirs_done(struct unpack *u);
fallible dirs_remember_time(struct unpack *u, const char *path, struct timespec mtime);
fallible dirs_apply_times(struct unpack *u);
static inline void dir_cleanup_(struct dir **d)
{
	if (*d)
		dir_release(*d);
}
#define auto_dir_pin defer(dir_cleanup_)

fallible join_path(const char *dir, const char *name, char ret[PATH_BYTES + 1]);
// Whether a directory of this layer, or one above it, hides what is below.
// What is below, merged: waits until it is whole. -1: nothing.
fallible lower_dir(struct unpack *u, int *ret);
bool unpack_hides_lower(const struct unpack *u, const char *path);
// Opens `path` below; *ret -1 if it isn't there or hidden. O_PATH|O_NOFOLLOW for looking.
fallible lower_open(struct unpack *u, const char *path, uint64_t flags, int *ret);
fallible mark_opaque(struct unpack *u, struct dir *d);
// Makes the directory `name` in `d` unless there is one; what isn't one is replaced. *ret_made.
fallible make_dir(struct unpack *u, struct dir *d, const char *name, bool *ret_made);
fallible remove_existing(struct unpack *u, struct dir *d, const char *name);
// Native: notes that the inode is this layer's.
fallible bring(struct unpack *u, int dirfd, const char *name);
bool is_whiteout(const struct stat *st);

// metadata.c
fallible entry_metadata(struct unpack *u, const struct tar_entry *e, struct metadata *ret);
fallible apply_to_fd(struct unpack *u, int fd, const struct metadata *m,
                     const struct tar_record *xattrs, size_t n_xattrs, bool with_time);
// Of a directory that was there before: an entry says all of what it has.
fallible clear_xattrs(struct unpack *u, int fd);
// For what can't be opened: links, devices, FIFOs.
fallible apply_to_name(struct unpack *u, int dirfd, const char *name, const struct metadata *m,
                       const struct tar_record *xattrs, size_t n_xattrs, bool is_link);
// Gives the directory `fd` what the same one below has; *ret_mtime is for dirs_remember_time().
fallible inherit_dir(struct unpack *u, int fd, int lower_fd, struct timespec *ret_mtime);
// Copies a file, link or device from below to `name` in `d`, with everything.
fallible copy_up(struct unpack *u, struct dir *d, const char *name);
fallible count_bytes(struct unpack *u, uint64_t size);
struct xattr_list { // owns what its records point to
	struct tar_record *items;
	size_t n, capacity;
};
void xattr_list_done(struct xattr_list *l);
// Of `fd`, or of `name` in the working directory (NULL: of fd), but trusted.* and user.overlay.*.
fallible read_xattrs(int fd, const char *name, struct xattr_list *ret);

// whiteout.c
fallible whiteout(struct unpack *u, struct dir *d, const char *name);
fallible opaque(struct unpack *u, struct dir *d);
fallible dir_is_empty(int dirfd, bool *ret);
fallible hide_lower_root(struct unpack *u); // at the end, if the root is opaque
