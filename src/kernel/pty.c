// SPDX-License-Identifier: Apache-2.0
#include "kernel/pty.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool is_on_devpts(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC;
}

int pty_open(int devpts, int *ret_master, int *ret_slave)
{
	// First the file system, so that nothing foreign is ever opened: opening has effects.
	if (!is_on_devpts(devpts))
		return ENODEV;
	auto_fd int master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (master < 0)
		return errno;
	struct stat st;
	if (fstat(master, &st) < 0)
		return errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || !is_on_devpts(master))
		return ENODEV;
	int unlocked = 0;
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return errno;
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return errno;
	*ret_master = fd_take(&master);
	*ret_slave = slave;
	return 0;
}

int pty_number(int master, unsigned *ret)
{
	return ioctl(master, TIOCGPTN, ret) < 0 ? errno : 0;
}

int pty_set_size(int fd, uint16_t rows, uint16_t columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? errno : 0;
}

int pty_get_size(int fd, uint16_t *ret_rows, uint16_t *ret_columns)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return errno;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
	return 0;
}

int pty_adopt_slave(int slave)
{
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return errno;
	for (int fd = 0; fd < 3; fd++) {
		if (slave == fd &&
		    fcntl(fd, F_SETFD, 0) < 0) // dup2 onto itself keeps close-on-exec
			return errno;
		if (slave != fd && dup2(slave, fd) < 0)
			return errno;
	}
	return 0;
}
