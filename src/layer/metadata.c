// SPDX-License-Identifier: Apache-2.0
// Owner, mode, attributes, times: in this order, since chown takes away setuid bits and file
// capabilities. For links and devices by name in the directory, which is safe where nobody else
// writes, and the only way without /proc.
#include "layer/internal.h"
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { XATTR_VALUE_MAX = 64 << 10, XATTR_LIST_MAX = 64 << 10 }; // the kernel's

fallible count_bytes(struct unpack *u, uint64_t size)
{
	if (size > u->r->limit_bytes - u->promised)
		return error_because(error_new(ERROR_LIMIT, "unpacks to more than %llu bytes",
		                               (unsigned long long)u->r->limit_bytes),
		                     EFBIG);
	u->promised += size;
	return NULL;
}

fallible entry_metadata(struct unpack *u, const struct tar_entry *e, struct metadata *ret)
{
	(void)u;
	if (e->uid >= UINT32_MAX || e->gid >= UINT32_MAX) // -1 is "unchanged" for chown
		return error_new(ERROR_INVALID, "owner %llu:%llu", (unsigned long long)e->uid,
		                 (unsigned long long)e->gid);
	*ret = (struct metadata){.mode = e->mode,
	                         .uid = (uid_t)e->uid,
	                         .gid = (gid_t)e->gid,
	                         .mtime = {e->mtime_s, e->mtime_ns}};
	return NULL;
}

// What may never come from an image: overlay's marks, by which it could show other directories
// (trusted.* can't be set by the worker; user.overlay.* counts in user namespaces).
static bool is_refused(const char *key)
{
	return text_starts(key, "trusted.") || text_starts(key, "user.overlay.");
}

// True if a failure to set `key` is no reason to fail: the file system or the kernel doesn't have
// it (ENOTSUP), or it is for nobody without more rights (security.* but capabilities, user.* on
// what is no file or directory).
static bool may_lack(const char *key, int sys)
{
	if (sys == ENOTSUP)
		return true;
	return sys == EPERM && strcmp(key, "security.capability") != 0 &&
	       (text_starts(key, "security.") || text_starts(key, "user."));
}

static fallible check_xattr(struct unpack *u, const char *key, int sys)
{
	if (!may_lack(key, sys))
		return error_system(sys, "attribute %.255s", key);
	unpack_warn(u, WARN_XATTR, "%s: attribute %.255s can't be set here: %s", u->name, key,
	            strerror(sys));
	return NULL;
}

// On `name` in the working directory, or on `fd` if name is NULL.
static fallible set_xattrs(struct unpack *u, int fd, const char *name,
                           const struct tar_record *xattrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct tar_record *x = &xattrs[i];
		if (is_refused(x->key)) {
			unpack_warn(u, WARN_TRUSTED, "%s: attribute %.255s is left out", u->name,
			            x->key);
			continue;
		}
		int failed = name ? lsetxattr(name, x->key, x->value, x->value_size, 0)
		                  : fsetxattr(fd, x->key, x->value, x->value_size, 0);
		if (failed)
			TRY(check_xattr(u, x->key, errno));
	}
	return NULL;
}

fallible clear_xattrs(struct unpack *u, int fd)
{
	auto_free char *keys = alloc(XATTR_LIST_MAX);
	ssize_t size = flistxattr(fd, keys, XATTR_LIST_MAX);
	if (size < 0 && errno != ENOTSUP)
		FAIL_ERRNO("list attributes");
	for (const char *key = keys; size > 0 && key < keys + size; key += strlen(key) + 1)
		if (!is_refused(key) && fremovexattr(fd, key) < 0 && errno != ENODATA)
			TRY(check_xattr(u, key, errno));
	return NULL;
}

fallible apply_to_fd(struct unpack *u, int fd, const struct metadata *m,
                     const struct tar_record *xattrs, size_t n_xattrs, bool with_time)
{
	if (fchown(fd, m->uid, m->gid) < 0)
		FAIL_ERRNO("chown");
	if (fchmod(fd, m->mode) < 0)
		FAIL_ERRNO("chmod");
	TRY(set_xattrs(u, fd, NULL, xattrs, n_xattrs));
	const struct timespec times[2] = {m->mtime, m->mtime};
	if (with_time && futimens(fd, times) < 0)
		FAIL_ERRNO("set the time");
	return NULL;
}

fallible apply_to_name(struct unpack *u, int dirfd, const char *name, const struct metadata *m,
                       const struct tar_record *xattrs, size_t n_xattrs, bool is_link)
{
	if (fchownat(dirfd, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("chown");
	if (!is_link && fchmodat(dirfd, name, m->mode, 0) < 0)
		FAIL_ERRNO("chmod");
	if (n_xattrs) {
		if (fchdir(dirfd) < 0)
			FAIL_ERRNO("enter the directory");
		TRY(set_xattrs(u, -1, name, xattrs, n_xattrs));
	}
	const struct timespec times[2] = {m->mtime, m->mtime};
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("set the time");
	return NULL;
}

// --- from below -------------------------------------------------------------------------------

void xattr_list_done(struct xattr_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((char *)(uintptr_t)l->items[i].key);
		free((char *)(uintptr_t)l->items[i].value);
	}
	free(l->items);
}

fallible read_xattrs(int fd, const char *name, struct xattr_list *ret)
{
	auto_free char *keys = alloc(XATTR_LIST_MAX), *value = alloc(XATTR_VALUE_MAX);
	ssize_t size = name ? llistxattr(name, keys, XATTR_LIST_MAX)
	                    : flistxattr(fd, keys, XATTR_LIST_MAX);
	if (size < 0 && errno == ENOTSUP)
		return NULL;
	if (size < 0)
		FAIL_ERRNO("list attributes");
	for (const char *key = keys; key < keys + size; key += strlen(key) + 1) {
		if (is_refused(key))
			continue;
		ssize_t n = name ? lgetxattr(name, key, value, XATTR_VALUE_MAX)
		                 : fgetxattr(fd, key, value, XATTR_VALUE_MAX);
		if (n < 0 && (errno == ENODATA || errno == EPERM))
			continue;
		if (n < 0)
			FAIL_ERRNO("read attribute %s", key);
		alloc_grow(&ret->items, &ret->capacity, ret->n, sizeof(*ret->items));
		ret->items[ret->n++] = (struct tar_record){
			alloc_string(key), alloc_bytes(value, (size_t)n), (size_t)n};
	}
	return NULL;
}

static struct metadata metadata_of(const struct stat *st)
{
	return (struct metadata){st->st_mode & 07777, st->st_uid, st->st_gid, st->st_mtim};
}

fallible inherit_dir(struct unpack *u, int fd, int lower_fd, struct timespec *ret_mtime)
{
	struct stat st;
	if (fstat(lower_fd, &st) < 0)
		FAIL_ERRNO("stat a directory below");
	defer(xattr_list_done) struct xattr_list xattrs = {0};
	TRY(read_xattrs(lower_fd, NULL, &xattrs));
	const struct metadata m = metadata_of(&st);
	TRY(apply_to_fd(u, fd, &m, xattrs.items, xattrs.n, false));
	*ret_mtime = st.st_mtim;
	return NULL;
}

// Data only where there is some: holes stay holes.
static fallible copy_data(struct unpack *u, int from, int to, uint64_t size)
{
	enum { PIECE = 128 << 10 };
	auto_free char *bytes = alloc(PIECE);
	TRY(count_bytes(u, size));
	if (ftruncate(to, (off_t)size) < 0)
		FAIL_ERRNO("set the size");
	for (off_t at = 0; (at = lseek(from, at, SEEK_DATA)) >= 0;) {
		off_t end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			FAIL_ERRNO("find a hole");
		while (at < end) {
			size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
			ssize_t n = pread(from, bytes, want, at);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return error_system(n ? errno : EIO, "read");
			if (lseek(to, at, SEEK_SET) < 0)
				FAIL_ERRNO("seek");
			TRY(fd_write_all(to, bytes, (size_t)n));
			u->done.bytes += (uint64_t)n;
			at += n;
		}
	}
	return errno == ENXIO ? NULL : error_system(errno, "find data");
}

static fallible copy_file(struct unpack *u, struct dir *d, const char *name, const char *path)
{
	auto_fd int from = -1;
	TRY(lower_open(u, path, O_RDONLY, &from));
	struct stat st;
	if (from < 0 || fstat(from, &st) < 0)
		FAIL_ERRNO("open below");
	auto_fd int to =
		openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		FAIL_ERRNO("create");
	defer(xattr_list_done) struct xattr_list xattrs = {0};
	TRY(read_xattrs(from, NULL, &xattrs));
	TRY(copy_data(u, from, to, (uint64_t)st.st_size));
	const struct metadata m = metadata_of(&st);
	return apply_to_fd(u, to, &m, xattrs.items, xattrs.n, true);
}

static fallible copy_other(struct unpack *u, struct dir *d, const char *name, const struct stat *st,
                           int seen)
{
	bool is_link = S_ISLNK(st->st_mode);
	if (is_link) {
		char target[PATH_BYTES + 1];
		ssize_t n = readlinkat(seen, "", target, PATH_BYTES);
		if (n < 0)
			FAIL_ERRNO("read link");
		target[n] = 0;
		if (symlinkat(target, d->fd, name) < 0)
			FAIL_ERRNO("make link");
	} else if (mknodat(d->fd, name, st->st_mode, st->st_rdev) < 0) {
		FAIL_ERRNO("make node");
	}
	defer(xattr_list_done) struct xattr_list xattrs = {0};
	auto_fd int parent = -1;
	TRY(lower_open(u, d->path, O_RDONLY | O_DIRECTORY, &parent));
	if (parent < 0 || fchdir(parent) < 0)
		FAIL_ERRNO("enter the directory below");
	TRY(read_xattrs(-1, name, &xattrs));
	const struct metadata m = metadata_of(st);
	return apply_to_name(u, d->fd, name, &m, xattrs.items, xattrs.n, is_link);
}

fallible copy_up(struct unpack *u, struct dir *d, const char *name)
{
	char path[PATH_BYTES + 1];
	auto_fd int seen = -1;
	struct stat st;
	TRY(join_path(d->path, name, path));
	TRY(lower_open(u, path, O_PATH, &seen));
	if (seen < 0)
		return error_new(ERROR_INVALID, "links to %s, which isn't there", path);
	if (fstat(seen, &st) < 0)
		FAIL_ERRNO("stat %s below", path);
	if (S_ISDIR(st.st_mode))
		return error_new(ERROR_INVALID, "links to %s, a directory", path);
	if (S_ISREG(st.st_mode))
		TRY_AS(copy_file(u, d, name, path), "copy %s from below", path);
	else
		TRY_AS(copy_other(u, d, name, &st, seen), "copy %s from below", path);
	return bring(u, d->fd, name);
}
