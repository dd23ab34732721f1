// SPDX-License-Identifier: Apache-2.0
#include "sys/lock.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

static struct flock whole(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static short type_of(enum lock_mode mode)
{
	return mode == LOCK_SHARED ? F_RDLCK : F_WRLCK;
}

fallible lock_take(int fd, enum lock_mode mode)
{
	struct flock range = whole(type_of(mode));
	while (fcntl(fd, F_OFD_SETLKW, &range) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("lock");
	return NULL;
}

fallible lock_try(int fd, enum lock_mode mode)
{
	struct flock range = whole(type_of(mode));
	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return NULL;
	if (errno == EAGAIN || errno == EACCES)
		return error_new(ERROR_BUSY, "locked by another process");
	FAIL_ERRNO("lock");
}

fallible lock_await(int fd, enum lock_mode mode, int timeout_ms)
{
	for (int waited_ms = 0, step_ms = 1;; waited_ms += step_ms, step_ms *= 2) {
		struct error *e = lock_try(fd, mode);
		if (!error_is(e, ERROR_BUSY) || waited_ms >= timeout_ms)
			return e;
		error_drop(&e);
		poll(NULL, 0, step_ms);
	}
}

fallible lock_folder(int dirfd, int timeout_ms)
{
	enum { STEP_MS = 5 };
	for (int waited_ms = 0; flock(dirfd, LOCK_EX | LOCK_NB) < 0; waited_ms += STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			FAIL_ERRNO("lock a folder");
		if (waited_ms >= timeout_ms)
			return error_new(ERROR_BUSY, "locked by another process");
		poll(NULL, 0, STEP_MS);
	}
	return NULL;
}

fallible lock_release(int fd)
{
	struct flock range = whole(F_UNLCK);
	if (fcntl(fd, F_OFD_SETLK, &range) < 0)
		FAIL_ERRNO("unlock");
	return NULL;
}

fallible lock_is_held(int fd, enum lock_mode mode, bool *ret)
{
	struct flock range = whole(type_of(mode));
	if (fcntl(fd, F_OFD_GETLK, &range) < 0)
		FAIL_ERRNO("look at a lock");
	*ret = range.l_type != F_UNLCK;
	return NULL;
}
