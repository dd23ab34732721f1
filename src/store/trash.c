// SPDX-License-Identifier: Apache-2.0
// Writable layers of passing containers, and the trash: what is renamed away first and deleted
// later.
#include "store/room.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static fallible make_upper(int dirfd, int like_fd, int *ret_fs, int *ret_work)
{
	// The merged root shows the upper one's attributes: they are to be the image's.
	struct stat like = {.st_mode = 0755};
	if (like_fd >= 0 && fstat(like_fd, &like) < 0)
		FAIL_ERRNO("stat of the layer below");
	auto_fd int fs = -1, work = -1;
	TRY(path_make_dir_at(dirfd, "fs", 0755, &fs));
	TRY(path_make_dir_at(dirfd, "work", 0711, &work));
	if ((like.st_uid || like.st_gid) && fchown(fs, like.st_uid, like.st_gid) < 0)
		FAIL_ERRNO("chown fs");
	if (fchmod(fs, like.st_mode & 07777) < 0)
		FAIL_ERRNO("chmod fs");
	*ret_fs = fd_take(&fs);
	*ret_work = fd_take(&work);
	return NULL;
}

fallible store_make_upper(struct store *s, uint64_t instance, int like_fd, int *ret_fs,
                          int *ret_work)
{
	char name[STORE_ID_SIZE];
	store_instance_text(instance, name);
	auto_fd int uppers = -1, dirfd = -1;
	TRY(store_folder(s, "uppers", &uppers));
	TRY_AS(path_make_dir_at(uppers, name, 0700, &dirfd), "%s/uppers", s->root);
	TRY_AS(make_upper(dirfd, like_fd, ret_fs, ret_work), "%s/uppers/%s", s->root, name);
	return NULL;
}

fallible store_trash(struct store *s, int dirfd, const char *name)
{
	auto_fd int trash = -1;
	TRY(store_folder(s, "trash", &trash));
	char as[STORE_ID_SIZE];
	store_instance_text(random_u64(), as);
	if (renameat(dirfd, name, trash, as) < 0 && errno != ENOENT)
		FAIL_ERRNO("rename %s into the trash", name);
	return NULL;
}

fallible store_trash_upper(struct store *s, uint64_t instance)
{
	char name[STORE_ID_SIZE];
	store_instance_text(instance, name);
	auto_fd int uppers = -1;
	TRY(store_folder(s, "uppers", &uppers));
	return store_trash(s, uppers, name);
}

// Two that delete one tree would be in each other's way: who comes second leaves it.
static fallible empty_one(int trash, const char *name)
{
	auto_fd int dirfd = openat(trash, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd < 0 && errno == ENOENT)
		return NULL;
	if (dirfd >= 0 && flock(dirfd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return NULL;
		FAIL_ERRNO("lock trash/%s", name);
	}
	return tree_remove(trash, name);
}

fallible store_empty_trash(struct store *s)
{
	auto_strings struct strings names = {0};
	TRY(store_list_at(s->rootfd, "trash", &names));
	if (!names.n)
		return NULL;
	auto_fd int trash = -1;
	TRY(store_folder(s, "trash", &trash));
	struct error *e = NULL;
	for (size_t i = 0; i < names.n; i++)
		e = error_join(e, empty_one(trash, names.items[i]));
	return error_prefix(e, "%s/trash", s->root);
}
