// SPDX-License-Identifier: Apache-2.0
// Depth comes from foreign trees: nothing here recurses or holds a descriptor per level.
#include "sys/tree.h"
#include "sys/fd.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TRIES_MAX = 32 };

static void dir_cleanup(DIR **dir)
{
	int saved = errno;
	if (*dir)
		closedir(*dir);
	errno = saved;
}

// Opens `name` in `dirfd` for reading its entries; on another device it is a mount point: BUSY.
static fallible open_entries(int dirfd, const char *name, dev_t dev, DIR **ret)
{
	auto_fd int fd =
		openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		FAIL_ERRNO("open %s", name);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", name);
	if (dev && st.st_dev != dev)
		return error_new(ERROR_BUSY, "%s is a mount point", name);
	DIR *dir = fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("read directory %s", name);
	fd_take(&fd);
	*ret = dir;
	return NULL;
}

static struct dirent *next_entry(DIR *dir)
{
	struct dirent *d;
	do
		d = readdir(dir);
	while (d && (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..")));
	return d;
}

enum removed { REMOVED, IS_FULL_DIRECTORY };

static fallible remove_one(int dirfd, const char *name, enum removed *ret)
{
	*ret = REMOVED;
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return NULL;
	if (errno != EISDIR && errno != EPERM)
		FAIL_ERRNO("unlink %s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return NULL;
	if (errno == EBUSY)
		return error_new(ERROR_BUSY, "%s is a mount point", name);
	if (errno != ENOTEMPTY)
		FAIL_ERRNO("rmdir %s", name);
	*ret = IS_FULL_DIRECTORY;
	return NULL;
}

struct removal {
	int topfd;
	dev_t dev;
	uint64_t n_lifted; // names given to directories moved up to the top
	bool progress;
	struct error *first; // what could not be removed
};

static void note(struct removal *r, struct error *e)
{
	if (r->first)
		error_free(e);
	else
		r->first = e;
}

// Empties one directory: what in it is a full directory itself is renamed up to the top, where its
// turn comes. (rename(2) refuses mount points with EBUSY.)
static void empty_directory(struct removal *r, const char *name)
{
	defer(dir_cleanup) DIR *dir = NULL;
	struct error *e = open_entries(r->topfd, name, r->dev, &dir);
	if (e && e->sys == ENOENT)
		error_drop(&e); // another one removes it, too
	if (e)
		note(r, e);
	if (!dir)
		return;
	for (struct dirent *d; (d = next_entry(dir));) {
		enum removed what;
		e = remove_one(dirfd(dir), d->d_name, &what);
		if (!e && what == IS_FULL_DIRECTORY) {
			char lifted[40];
			snprintf(lifted, sizeof(lifted), ".lifted-%llu",
			         (unsigned long long)++r->n_lifted);
			// EEXIST: the tree has such a name itself; the next pass takes the next
			// number. ENOENT: another one was quicker.
			if (renameat2(dirfd(dir), d->d_name, r->topfd, lifted, RENAME_NOREPLACE) <
			            0 &&
			    errno != EEXIST && errno != ENOENT)
				e = error_recode(error_system(errno, "%s", d->d_name), ERROR_BUSY);
		}
		if (e)
			note(r, e);
		else
			r->progress = true;
	}
}

// One pass over the top directory.
static fallible remove_pass(struct removal *r)
{
	defer(dir_cleanup) DIR *dir = NULL;
	struct error *e = open_entries(r->topfd, ".", 0, &dir);
	if (e && e->sys == ENOENT) {
		error_drop(&e); // another one has removed it
		return NULL;
	}
	TRY(e);
	for (struct dirent *d; (d = next_entry(dir));) {
		enum removed what;
		e = remove_one(r->topfd, d->d_name, &what);
		if (!e && what == IS_FULL_DIRECTORY) {
			empty_directory(r, d->d_name);
			e = remove_one(r->topfd, d->d_name, &what);
			if (!e && what == IS_FULL_DIRECTORY)
				continue; // the next pass, or stuck
		}
		if (e)
			note(r, e);
		else
			r->progress = true;
	}
	return NULL;
}

fallible tree_remove(int parentfd, const char *name)
{
	enum removed what;
	TRY(remove_one(parentfd, name, &what));
	if (what == REMOVED)
		return NULL;
	auto_fd int topfd = openat(parentfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (topfd < 0 && errno == ENOENT)
		return NULL;
	if (topfd < 0)
		FAIL_ERRNO("open %s", name);
	struct stat st, parent;
	if (fstat(topfd, &st) < 0 || fstat(parentfd, &parent) < 0)
		FAIL_ERRNO("stat %s", name);
	if (st.st_dev != parent.st_dev)
		return error_new(ERROR_BUSY, "%s is a mount point", name);
	struct removal r = {.topfd = topfd, .dev = st.st_dev};
	// Who had opened it before it lost its name may make a file or two yet.
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		do {
			r.progress = false;
			error_drop(&r.first); // only what the last pass met still stands
			TRY(remove_pass(&r));
		} while (r.progress);
		if (r.first)
			return error_prefix(r.first, "remove %s", name);
		TRY(remove_one(parentfd, name, &what));
		if (what == REMOVED)
			return NULL;
	}
	return error_new(ERROR_BUSY, "remove %s: somebody is still writing below it", name);
}

// The way down as a list of directories still to be entered, per level. Coming up is "..".
struct usage_level {
	struct strings todo;
	ino_t ino;
};

struct usage {
	struct usage_level *levels;
	size_t n, capacity;
	uint64_t bytes, inodes;
	ino_t *links; // inodes of files with several names: a hash table, 0 is free
	size_t n_links, links_capacity;
};

static void usage_done(struct usage *u)
{
	for (size_t i = 0; i < u->n; i++)
		strings_done(&u->levels[i].todo);
	free(u->levels);
	free(u->links);
}

static ino_t *link_slot(const struct usage *u, ino_t ino)
{
	size_t mask = u->links_capacity - 1;
	size_t at = (size_t)(ino * 0x9e3779b97f4a7c15u >> 32) & mask;
	while (u->links[at] && u->links[at] != ino)
		at = (at + 1) & mask;
	return &u->links[at];
}

static bool counted_before(struct usage *u, const struct stat *st)
{
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return false;
	if (u->n_links * 2 >= u->links_capacity) {
		ino_t *old = u->links;
		size_t n_old = u->links_capacity;
		u->links_capacity = n_old ? n_old * 2 : 64;
		u->links = alloc_array(u->links_capacity, sizeof(*u->links));
		for (size_t i = 0; i < n_old; i++)
			if (old[i])
				*link_slot(u, old[i]) = old[i];
		free(old);
	}
	ino_t *slot = link_slot(u, st->st_ino);
	if (*slot)
		return true;
	*slot = st->st_ino;
	u->n_links++;
	return false;
}

static fallible usage_enter(struct usage *u, int fd, dev_t dev)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat");
	u->bytes += (uint64_t)st.st_blocks * 512;
	u->inodes++;
	alloc_grow(&u->levels, &u->capacity, u->n, sizeof(*u->levels));
	struct usage_level *level = &u->levels[u->n++];
	*level = (struct usage_level){.ino = st.st_ino};
	defer(dir_cleanup) DIR *dir = NULL;
	TRY(open_entries(fd, ".", 0, &dir));
	for (struct dirent *d; (d = next_entry(dir));) {
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue; // went away meanwhile
			FAIL_ERRNO("stat %s", d->d_name);
		}
		// A mount point isn't ours. (Files may show another device: overlays of several.)
		if (S_ISDIR(st.st_mode) && st.st_dev != dev)
			continue;
		if (S_ISDIR(st.st_mode)) {
			strings_add(&level->todo, d->d_name);
		} else if (!counted_before(u, &st)) {
			u->bytes += (uint64_t)st.st_blocks * 512;
			u->inodes++;
		}
	}
	return NULL;
}

fallible tree_usage(int dirfd, uint64_t *ret_bytes, uint64_t *ret_inodes)
{
	defer(usage_done) struct usage u = {0};
	auto_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		FAIL_ERRNO("open a directory");
	TRY(usage_enter(&u, fd, st.st_dev));
	while (u.n) {
		struct usage_level *level = &u.levels[u.n - 1];
		bool down = level->todo.n > 0;
		auto_free char *name = down ? level->todo.items[--level->todo.n] : NULL;
		if (!down) {
			strings_done(&level->todo);
			if (!--u.n)
				break;
		}
		int next = openat(fd, down ? name : "..",
		                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && down && errno == ENOENT)
			continue;
		if (next < 0)
			FAIL_ERRNO("open %s", down ? name : "..");
		TRY(fd_close(&fd));
		fd = next;
		if (down)
			TRY(usage_enter(&u, fd, st.st_dev));
		struct stat now;
		if (fstat(fd, &now) < 0)
			FAIL_ERRNO("stat");
		if (now.st_ino != u.levels[u.n - 1].ino)
			return error_new(ERROR_BUSY, "the tree is being moved");
	}
	*ret_bytes = u.bytes;
	*ret_inodes = u.inodes;
	return NULL;
}

fallible tree_names(int dirfd, const char *path, struct strings *ret)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("list %s", path);
	defer(dir_cleanup) DIR *dir = fdopendir(fd);
	if (!dir) {
		int sys = errno;
		close(fd);
		return error_system(sys, "list %s", path);
	}
	const struct dirent *entry;
	while ((errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strings_add(ret, entry->d_name);
	if (errno)
		FAIL_ERRNO("list %s", path);
	strings_sort(ret);
	return NULL;
}
