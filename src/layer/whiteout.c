// SPDX-License-Identifier: Apache-2.0
// Whiteouts concern what is below, never what the same layer brings, in either order. Overlay:
// a character device 0/0, and a mark on directories; native: removed at once, but for what is of
// this layer, which is known by its inode numbers.
#include "layer/internal.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>

static fallible hide_overlay(struct unpack *u, struct dir *d, const char *name)
{
	struct stat st;
	if (!mknodat(d->fd, name, S_IFCHR, 0)) {
		u->done.n_inodes++;
		return NULL;
	}
	if (errno != EEXIST)
		FAIL_ERRNO("make whiteout");
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("stat");
	if (!S_ISDIR(st.st_mode))
		return NULL; // it hides what is below by itself
	char path[PATH_BYTES + 1];
	TRY(join_path(d->path, name, path));
	auto_dir_pin struct dir *inner = NULL;
	TRY(dirs_open(u, path, &inner));
	return mark_opaque(u, inner);
}

// --- native -----------------------------------------------------------------------------------

// Removes `name` in `d`, or, if it is a directory of this layer, adds it to those to look through.
static fallible prune_one(struct unpack *u, struct dir *d, const char *name, struct strings *todo)
{
	struct stat st;
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return NULL;
		FAIL_ERRNO("stat %s", name);
	}
	if (!inode_set_has(&u->brought, st.st_ino)) {
		if (!S_ISDIR(st.st_mode))
			return remove_existing(u, d, name);
		char path[PATH_BYTES + 1];
		TRY(join_path(d->path, name, path));
		dirs_forget(u, path);
		return tree_remove(d->fd, name);
	}
	if (!S_ISDIR(st.st_mode))
		return NULL;
	char path[PATH_BYTES + 1];
	TRY(join_path(d->path, name, path));
	strings_add(todo, path);
	return NULL;
}

fallible dir_is_empty(int dirfd, bool *ret)
{
	auto_strings struct strings names = {0};
	TRY(tree_names(dirfd, ".", &names));
	*ret = !names.n;
	return NULL;
}

static fallible prune_in(struct unpack *u, const char *path, struct strings *todo)
{
	auto_dir_pin struct dir *d = NULL;
	TRY(dirs_open(u, path, &d));
	auto_strings struct strings names = {0};
	TRY(tree_names(d->fd, ".", &names));
	for (size_t i = 0; i < names.n; i++)
		TRY(prune_one(u, d, names.items[i], todo));
	return NULL;
}

static fallible prune_all(struct unpack *u, struct strings *todo)
{
	while (todo->n) {
		auto_free char *path = todo->items[--todo->n];
		TRY(prune_in(u, path, todo));
	}
	return NULL;
}

// --- both -------------------------------------------------------------------------------------

fallible whiteout(struct unpack *u, struct dir *d, const char *name)
{
	if (!u->r->native)
		return hide_overlay(u, d, name);
	auto_strings struct strings todo = {0};
	TRY(prune_one(u, d, name, &todo));
	return prune_all(u, &todo);
}

fallible opaque(struct unpack *u, struct dir *d)
{
	if (!u->r->native)
		return mark_opaque(u, d);
	auto_strings struct strings todo = {0};
	strings_add(&todo, d->path);
	return prune_all(u, &todo);
}

fallible hide_lower_root(struct unpack *u)
{
	int lower = -1;
	if (u->root_opaque)
		TRY(lower_dir(u, &lower));
	if (lower < 0)
		return NULL;
	auto_strings struct strings names = {0};
	TRY_AS(tree_names(lower, ".", &names), "root below");
	auto_dir_pin struct dir *root = NULL;
	TRY(dirs_open(u, "", &root));
	for (size_t i = 0; i < names.n; i++)
		TRY_AS(hide_overlay(u, root, names.items[i]), "hide %s", names.items[i]);
	return NULL;
}
