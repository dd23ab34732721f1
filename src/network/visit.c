// SPDX-License-Identifier: Apache-2.0
#include "network/visit.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

fallible visit_enter(int netns_fd, struct visit *ret)
{
	auto_fd int home = open(VISIT_OWN, O_RDONLY | O_CLOEXEC);
	if (home < 0)
		FAIL_ERRNO("open %s", VISIT_OWN);
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		FAIL_ERRNO("enter network namespace");
	ret->home = fd_take(&home);
	return NULL;
}

fallible visit_leave(struct visit *visit)
{
	if (setns(visit->home, CLONE_NEWNET) < 0) {
		// Whatever came next would happen to the container's network instead of the host's.
		perror("coracle: leave network namespace");
		abort();
	}
	return fd_close(&visit->home);
}

fallible visit_check_netns(int fd, const char *path)
{
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		FAIL_ERRNO("statfs %s", path);
	if (fs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return error_new(ERROR_INVALID, "%s is not a network namespace", path);
	return NULL;
}

fallible visit_check_foreign(int netns_fd, const char *path)
{
	TRY(visit_check_netns(netns_fd, path));
	struct stat own, other;
	if (stat(VISIT_OWN, &own) < 0)
		FAIL_ERRNO("stat %s", VISIT_OWN);
	if (fstat(netns_fd, &other) < 0)
		FAIL_ERRNO("stat %s", path);
	if (own.st_ino == other.st_ino && own.st_dev == other.st_dev)
		return error_new(ERROR_BUSY, "%s is the host's own network namespace", path);
	return NULL;
}
