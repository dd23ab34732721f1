// SPDX-License-Identifier: Apache-2.0
// coracle-init, init's last step: shim/protocol.h, SHIM_INIT. We are in the container already: its
// root, its IDs, its limits. No byte of its files was executed.
#include "base/defer.h"
#include "shim/number.h"
#include "shim/protocol.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load_filter(int fd, unsigned flags)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	void *code = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (code == MAP_FAILED)
		return errno;
	const struct sock_fprog program = {
		(unsigned short)((size_t)st.st_size / sizeof(struct sock_filter)), code};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? errno : 0;
}

// They came through exec as ambient ones, the only way for a user who isn't root.
static int set_capabilities(const char *text)
{
	uint64_t sets[4];
	for (int i = 0; i < 4; i++) {
		if (!number_parse(&text, 16, &sets[i]) || *text != (i < 3 ? ',' : 0))
			return EINVAL;
		text += i < 3;
	}
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	const struct __user_cap_data_struct data[2] = {
		{(uint32_t)sets[1], (uint32_t)sets[0], (uint32_t)sets[2]},
		{(uint32_t)(sets[1] >> 32), (uint32_t)(sets[0] >> 32), (uint32_t)(sets[2] >> 32)},
	};
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0 ||
	    syscall(SYS_capset, &header, data) < 0)
		return errno;
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (sets[3] >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0UL, 0UL) < 0)
			return errno;
	}
	return 0;
}

static _Noreturn void fail(int report, uint32_t step, int sys)
{
	const struct shim_report r = {step, sys, -1, ""};
	ignore(write(report, &r, sizeof r));
	_exit(1);
}

static bool parse_fd(const char *text, int *ret)
{
	uint64_t value;
	if (!number_parse(&text, 10, &value) || *text || value > INT32_MAX)
		return false;
	*ret = (int)value;
	return true;
}

int main(int argc, char *argv[])
{
	int report, filter = -1, sys = 0;
	uint64_t flags = 0;
	const char *text = argc > 3 ? argv[3] : "";
	if (argc <= SHIM_INIT_ARGUMENTS || !parse_fd(argv[1], &report))
		_exit(2);
	if (fcntl(report, F_SETFD, FD_CLOEXEC) < 0)
		fail(report, SHIM_REPORT_EXEC, errno);
	if ((argv[2][0] != '-' && !parse_fd(argv[2], &filter)) || !number_parse(&text, 16, &flags))
		fail(report, SHIM_REPORT_EXEC, EINVAL);
	if (argv[4][0] != '-')
		sys = set_capabilities(argv[4]);
	if (sys)
		fail(report, SHIM_REPORT_CAPABILITIES, sys);
	if (filter >= 0) {
		fcntl(filter, F_SETFD, FD_CLOEXEC);
		sys = load_filter(filter, (unsigned)flags); // last: it may forbid all but execve
	}
	if (sys)
		fail(report, SHIM_REPORT_SECCOMP, sys);
	execve(argv[5], argv + SHIM_INIT_ARGUMENTS, environ);
	fail(report, SHIM_REPORT_EXEC, errno);
}
