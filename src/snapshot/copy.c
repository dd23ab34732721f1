// SPDX-License-Identifier: Apache-2.0
// Depth comes from foreign trees: nothing here recurses or holds a descriptor per level. Two
// descriptors walk, one in each tree; coming up is "..", checked by inode.
//
// Order per file, since chown takes setuid bits and capabilities away, and everything changes the
// times: data, chown, chmod, extended attributes, times.
//
// Hard links: paths would have no bound, so the first name of a file with several is also linked
// into a scratch folder, under its inode number, where the others find it.
#include "snapshot/copy.h"
#include "base/text.h"
#include "sys/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define LINKS ".links"

struct level {
	struct strings todo; // directories in it, still to be entered
	ino_t from_ino, to_ino;
	struct stat st; // attributes that the copy gets when it is left
};

struct copying {
	int from, to; // where we are
	int links;    // the scratch folder; -1 until it is needed
	int scratch;
	dev_t dev;
	struct level *levels;
	size_t n, capacity;
};

// --- attributes -----------------------------------------------------------------------------

// An object by path: a link, a device and a FIFO can't be opened for this. The last component is
// never followed.
static void path_below(int dirfd, const char *name, char ret[NAME_MAX + 32])
{
	snprintf(ret, NAME_MAX + 32, "/proc/self/fd/%d/%s", dirfd, name);
}

static fallible copy_attribute(const char *from, const char *to, const char *name)
{
	auto_free char *value = alloc(XATTR_SIZE_MAX);
	ssize_t size = lgetxattr(from, name, value, XATTR_SIZE_MAX);
	if (size < 0)
		FAIL_ERRNO("read attribute %s", name);
	if (lsetxattr(to, name, value, (size_t)size, 0) < 0)
		FAIL_ERRNO("set attribute %s", name);
	return NULL;
}

// `name` "." is the directory itself.
static fallible copy_attributes(int fromdir, int todir, const char *name)
{
	char from[NAME_MAX + 32], to[NAME_MAX + 32];
	path_below(fromdir, name, from);
	path_below(todir, name, to);
	ssize_t size = llistxattr(from, NULL, 0);
	if (size == 0 || (size < 0 && errno == ENOTSUP))
		return NULL;
	if (size < 0)
		FAIL_ERRNO("list attributes");
	auto_free char *names = alloc((size_t)size + 1);
	size = llistxattr(from, names, (size_t)size);
	if (size < 0)
		FAIL_ERRNO("list attributes");
	for (const char *at = names; at < names + size; at += strlen(at) + 1)
		TRY(copy_attribute(from, to, at));
	return NULL;
}

static fallible finish(int fromdir, int todir, const char *name, const struct stat *st)
{
	if (fchownat(todir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("chown");
	// A link has no mode of its own. What is at `name` was made by us, so nothing is followed.
	if (!S_ISLNK(st->st_mode) && fchmodat(todir, name, st->st_mode & 07777, 0) < 0)
		FAIL_ERRNO("chmod");
	TRY(copy_attributes(fromdir, todir, name));
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	if (utimensat(todir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("set times");
	return NULL;
}

// --- file data ------------------------------------------------------------------------------

static fallible copy_by_hand(int from, int to, off_t at, off_t end)
{
	enum { PIECE = 1 << 17 };
	auto_free char *bytes = alloc(PIECE);
	while (at < end) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t n = pread(from, bytes, want, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read");
		if (n == 0)
			return error_new(ERROR_BUSY, "the file shrinks");
		if (lseek(to, at, SEEK_SET) < 0)
			FAIL_ERRNO("seek");
		TRY(fd_write_all(to, bytes, (size_t)n));
		at += n;
	}
	return NULL;
}

static fallible copy_range(int from, int to, off_t at, off_t end)
{
	off_t from_at = at, to_at = at;
	while (from_at < end) {
		ssize_t n = copy_file_range(from, &from_at, to, &to_at, (size_t)(end - from_at), 0);
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
		    errno != EOPNOTSUPP)
			FAIL_ERRNO("copy");
		return copy_by_hand(from, to, from_at, end); // 0 at once: some file systems' no
	}
	return NULL;
}

static fallible copy_data(int from, int to, off_t size)
{
	if (ioctl(to, FICLONE, from) == 0)
		return NULL;
	if (ftruncate(to, size) < 0)
		FAIL_ERRNO("truncate");
	for (off_t at = 0; at < size;) {
		off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return NULL; // a hole up to the end
		if (data < 0)
			FAIL_ERRNO("seek data");
		off_t hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			FAIL_ERRNO("seek hole");
		TRY(copy_range(from, to, data, hole < size ? hole : size));
		at = hole;
	}
	return NULL;
}

static fallible copy_file(struct copying *c, const char *name, const struct stat *st)
{
	auto_fd int from = openat(c->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (from < 0)
		FAIL_ERRNO("open");
	auto_fd int to = openat(c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		FAIL_ERRNO("create");
	TRY(copy_data(from, to, st->st_size));
	return fd_close(&to);
}

// --- other types ----------------------------------------------------------------------------

static fallible copy_link(struct copying *c, const char *name)
{
	auto_free char *target = alloc(PATH_MAX);
	ssize_t n = readlinkat(c->from, name, target, PATH_MAX);
	if (n < 0 || n == PATH_MAX)
		FAIL_ERRNO("read link");
	if (symlinkat(target, c->to, name) < 0)
		FAIL_ERRNO("make link");
	return NULL;
}

static fallible make_copy(struct copying *c, const char *name, const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		TRY(copy_file(c, name, st));
	else if (S_ISLNK(st->st_mode))
		TRY(copy_link(c, name));
	else if (mknodat(c->to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
		FAIL_ERRNO("make node");
	return finish(c->from, c->to, name, st);
}

static fallible open_links(struct copying *c)
{
	if (c->links >= 0)
		return NULL;
	return path_make_dir_at(c->scratch, LINKS, 0700, &c->links);
}

static fallible copy_one_of_several(struct copying *c, const char *name, const struct stat *st)
{
	TRY(open_links(c));
	char inode[24];
	snprintf(inode, sizeof(inode), "%llu", (unsigned long long)st->st_ino);
	if (linkat(c->links, inode, c->to, name, 0) == 0)
		return NULL;
	if (errno != ENOENT && errno != EMLINK)
		FAIL_ERRNO("link");
	if (errno == EMLINK && unlinkat(c->links, inode, 0) < 0) // no more names: a new file
		FAIL_ERRNO("unlink");
	TRY(make_copy(c, name, st));
	if (linkat(c->to, name, c->links, inode, 0) < 0)
		FAIL_ERRNO("link");
	return NULL;
}

static fallible copy_entry(struct copying *c, const char *name)
{
	struct stat st;
	if (fstatat(c->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("stat");
	// Not of files: where an overlay lies over several file systems they show the one below.
	if (S_ISDIR(st.st_mode) && st.st_dev != c->dev)
		return error_new(ERROR_BUSY, "is a mount point");
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(c->to, name, 0700) < 0)
			FAIL_ERRNO("mkdir");
		strings_add(&c->levels[c->n - 1].todo, name);
		return NULL;
	}
	return st.st_nlink > 1 ? copy_one_of_several(c, name, &st) : make_copy(c, name, &st);
}

// --- the walk -------------------------------------------------------------------------------

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static fallible enter(struct copying *c)
{
	struct stat to;
	alloc_grow(&c->levels, &c->capacity, c->n, sizeof(*c->levels));
	struct level *level = &c->levels[c->n++];
	*level = (struct level){0};
	if (fstat(c->from, &level->st) < 0 || fstat(c->to, &to) < 0)
		FAIL_ERRNO("stat");
	level->from_ino = level->st.st_ino;
	level->to_ino = to.st_ino;
	auto_fd int fd = openat(c->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	defer(dir_cleanup) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("read directory");
	fd_take(&fd);
	for (;;) {
		errno = 0;
		struct dirent *d = readdir(dir);
		if (!d && errno)
			FAIL_ERRNO("read directory");
		if (!d)
			return NULL;
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			TRY_AS(copy_entry(c, d->d_name), "%s", d->d_name);
	}
}

static fallible step(int *fd, const char *name)
{
	int next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		FAIL_ERRNO("open %s", name);
	close(*fd);
	*fd = next;
	return NULL;
}

static fallible go(struct copying *c, const char *name)
{
	TRY(step(&c->from, name));
	return step(&c->to, name);
}

static fallible check_place(const struct copying *c)
{
	struct stat from, to;
	if (fstat(c->from, &from) < 0 || fstat(c->to, &to) < 0)
		FAIL_ERRNO("stat");
	const struct level *level = &c->levels[c->n - 1];
	if (from.st_ino != level->from_ino || to.st_ino != level->to_ino)
		return error_new(ERROR_BUSY, "the tree is being moved");
	return NULL;
}

static fallible walk(struct copying *c)
{
	TRY(enter(c));
	for (;;) {
		struct level *level = &c->levels[c->n - 1];
		if (level->todo.n) {
			auto_free char *name = level->todo.items[--level->todo.n];
			level->todo.items[level->todo.n] = NULL;
			TRY(go(c, name));
			TRY_AS(enter(c), "%s", name);
			continue;
		}
		TRY(finish(c->from, c->to, ".", &level->st));
		strings_done(&level->todo);
		if (!--c->n)
			return NULL;
		TRY(go(c, ".."));
		TRY(check_place(c));
	}
}

static void copying_done(struct copying *c)
{
	for (size_t i = 0; i < c->n; i++)
		strings_done(&c->levels[i].todo);
	free(c->levels);
	fd_cleanup_(&c->from);
	fd_cleanup_(&c->to);
	fd_cleanup_(&c->links);
}

fallible copy_tree(int from, int to, int scratch)
{
	defer(copying_done) struct copying c = {
		.from = -1, .to = -1, .links = -1, .scratch = scratch};
	struct stat st;
	if (fstat(from, &st) < 0)
		FAIL_ERRNO("stat");
	c.dev = st.st_dev;
	c.from = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c.to = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.from < 0 || c.to < 0)
		FAIL_ERRNO("open a directory");
	struct error *e = walk(&c);
	if (c.links >= 0)
		e = error_join(e, tree_remove(scratch, LINKS));
	return error_prefix(e, "copy");
}
