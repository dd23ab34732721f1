// SPDX-License-Identifier: Apache-2.0
// Blobs that are being fetched: content/partial/<hex>, locked by whom writes. They outlive their
// process, so that the next fetch goes on; a collector takes them when nobody has for a day.
#include "store/session.h"
#include "sys/lock.h"
#include <fcntl.h>
#include <sys/stat.h>

static fallible open_file(struct store *s, const char *digest, int *ret_folder, int *ret)
{
	TRY(store_check_digest(digest));
	TRY(store_folder(s, STORE_PARTIAL_FOLDER, ret_folder));
	*ret = openat(*ret_folder, BLOB_FILE(digest),
	              O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (*ret < 0)
		FAIL_ERRNO("content %s: create", digest);
	return NULL;
}

// Between opening and locking the file may have been published or collected. One that has a second
// name was adopted by a process that then died: it may be a blob by now, so nobody may write to it.
static fallible is_still_there(int folder, const char *digest, int fd, bool *ret)
{
	struct stat mine, there;
	*ret = false;
	if (fstat(fd, &mine) < 0)
		FAIL_ERRNO("content %s: stat", digest);
	if (!S_ISREG(mine.st_mode))
		return error_new(ERROR_CORRUPT, "content %s: not a file", digest);
	if (fstatat(folder, BLOB_FILE(digest), &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	    mine.st_dev != there.st_dev || mine.st_ino != there.st_ino)
		return NULL;
	*ret = mine.st_nlink == 1;
	if (!*ret && unlinkat(folder, BLOB_FILE(digest), 0) < 0)
		FAIL_ERRNO("content %s: remove", digest);
	return NULL;
}

fallible store_open_partial(struct store *s, const char *digest, int flags, int *ret_fd)
{
	for (;;) {
		auto_fd int folder = -1, fd = -1;
		bool there;
		TRY(open_file(s, digest, &folder, &fd));
		struct error *e = lock_try(fd, LOCK_EXCLUSIVE);
		if (error_is(e, ERROR_BUSY) && flags & STORE_PARTIAL_WAIT) {
			error_drop(&e);
			TRY(lock_take(fd, LOCK_EXCLUSIVE));
		}
		TRY(e);
		TRY(is_still_there(folder, digest, fd, &there));
		if (there) {
			*ret_fd = fd_take(&fd);
			return NULL;
		}
	}
}

fallible store_session_adopt(struct store_session *x, const char *digest, const char *name)
{
	auto_fd int folder = -1;
	TRY(store_check_digest(digest));
	TRY(store_folder(x->store, STORE_PARTIAL_FOLDER, &folder));
	if (linkat(folder, BLOB_FILE(digest), x->blobsfd, name, 0) < 0)
		FAIL_ERRNO("content %s: link", digest);
	return NULL;
}

fallible store_remove_partial(struct store *s, const char *digest)
{
	auto_fd int folder = -1;
	TRY(store_check_digest(digest));
	TRY(store_folder(s, STORE_PARTIAL_FOLDER, &folder));
	if (unlinkat(folder, BLOB_FILE(digest), 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("content %s: remove", digest);
	return NULL;
}
