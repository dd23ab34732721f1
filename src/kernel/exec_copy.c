// SPDX-License-Identifier: Apache-2.0
#include "kernel/exec_copy.h"
#include "kernel/mount.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { COPY_LIMIT_BYTES = 64 << 20 };

fallible exec_clone_readonly(int fd, int *ret)
{
	int clone = -1;
	int sys = mount_clone_readonly(fd, false, &clone);
	if (sys == EPERM || sys == ENOSYS || sys == EINVAL)
		return error_new(ERROR_UNSUPPORTED, "no detached mount of that executable");
	if (sys)
		return error_system(sys, "read-only clone of an executable");
	*ret = clone;
	return NULL;
}

static fallible copy_file(int from, int to, off_t size)
{
	off_t at = 0;
	while (at < size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(size - at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("copy an executable");
		if (n == 0)
			return error_new(ERROR_CORRUPT, "copy an executable: it became shorter");
	}
	return NULL;
}

static fallible copy_sealed(int fd, mode_t mode, int *ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("copy an executable");
	if (!S_ISREG(st.st_mode) || st.st_size > COPY_LIMIT_BYTES)
		return error_new(ERROR_INVALID,
		                 "copy an executable: not a file of at most %d bytes",
		                 COPY_LIMIT_BYTES);
	// MFD_EXEC since 6.3, and needed where vm.memfd_noexec is set; unknown before.
	auto_fd int copy = memfd_create("coracle", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (copy < 0 && errno == EINVAL)
		copy = memfd_create("coracle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0)
		FAIL_ERRNO("memfd_create");
	TRY(copy_file(fd, copy, st.st_size));
	if (fchmod(copy, mode) < 0)
		FAIL_ERRNO("copy an executable: chmod");
	if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		FAIL_ERRNO("copy an executable: seal it");
	*ret = fd_take(&copy);
	return NULL;
}

fallible exec_copy_sealed(int fd, int *ret)
{
	return copy_sealed(fd, 0555, ret);
}

fallible exec_copy_hidden(int fd, int *ret)
{
	return copy_sealed(fd, 0111, ret);
}

fallible exec_copy(int fd, int *ret)
{
	auto_error struct error *e = exec_clone_readonly(fd, ret);
	if (!e)
		return NULL;
	// Whatever the reason (rights, an unbindable mount): the copy needs none of it.
	return exec_copy_sealed(fd, ret);
}

fallible exec_copy_self(int *ret)
{
	auto_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self < 0)
		FAIL_ERRNO("/proc/self/exe");
	return exec_copy(self, ret);
}
