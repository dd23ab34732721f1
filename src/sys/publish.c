// SPDX-License-Identifier: Apache-2.0
#include "sys/publish.h"
#include "base/memory.h"
#include "sys/path.h"
#include "sys/process.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static fallible write_temporary(int dirfd, const char *temporary, const void *bytes, size_t size,
                                unsigned mode, int flags)
{
	auto_fd int fd = openat(dirfd, temporary,
	                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		FAIL_ERRNO("create");
	TRY(fd_write_all(fd, bytes, size));
	if (fchmod(fd, mode) < 0)
		FAIL_ERRNO("chmod");
	if ((flags & PUBLISH_DURABLE) && fdatasync(fd) < 0)
		FAIL_ERRNO("fdatasync");
	return fd_close(&fd);
}

fallible publish_bytes(int dirfd, const char *name, const void *bytes, size_t size, unsigned mode,
                       int flags)
{
	auto_free char *temporary = alloc_printf(".new-%016llx", (unsigned long long)random_u64());
	struct error *e = write_temporary(dirfd, temporary, bytes, size, mode, flags);
	if (!e)
		e = publish_rename(dirfd, temporary, dirfd, name, flags);
	if (e)
		ignore(unlinkat(dirfd, temporary, 0)); // it may not have been made
	return error_prefix(e, "%s", name);
}

fallible publish_rename(int fromdir, const char *from, int todir, const char *to, int flags)
{
	unsigned how = flags & PUBLISH_REPLACE ? 0 : RENAME_NOREPLACE;
	if (renameat2(fromdir, from, todir, to, how) < 0) {
		int sys = errno;
		struct error *e = error_system(sys, "rename to %s", to);
		return sys == EEXIST ? error_recode(e, ERROR_EXISTS) : e;
	}
	if (!(flags & PUBLISH_DURABLE))
		return NULL;
	TRY(path_sync_dir(todir, to));
	if (fromdir != todir)
		TRY(path_sync_dir(fromdir, from));
	return NULL;
}
