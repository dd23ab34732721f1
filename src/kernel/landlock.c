// SPDX-License-Identifier: Apache-2.0
#include "kernel/landlock.h"
#include "sys/fd.h"
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's structures, since Debian 12's header ends at ABI 2.
struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};
struct path_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2, SCOPE_ABSTRACT_SOCKET = 1, SCOPE_SIGNAL = 2 };

static const struct abi {
	int since;
	size_t attr_size;
	uint64_t fs; // all rights known then
	uint64_t net, scoped;
} abis[] = {
	// clang-format off
	{6, 24, LANDLOCK_ALL,           NET_BIND_TCP | NET_CONNECT_TCP, SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL},
	{5, 16, LANDLOCK_ALL,           NET_BIND_TCP | NET_CONNECT_TCP, 0},
	{4, 16, LANDLOCK_IOCTL_DEV - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0},
	{3,  8, LANDLOCK_IOCTL_DEV - 1, 0, 0},
	{2,  8, LANDLOCK_TRUNCATE - 1,  0, 0},
	{1,  8, LANDLOCK_REFER - 1,     0, 0},
	// clang-format on
};

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

static fallible add_path(int ruleset, const struct landlock_path *p, uint64_t handled)
{
	const uint64_t file_rights = LANDLOCK_EXECUTE | LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE |
	                             LANDLOCK_TRUNCATE | LANDLOCK_IOCTL_DEV;
	struct stat st;
	if (fstat(p->fd, &st) < 0)
		FAIL_ERRNO("landlock: descriptor %d", p->fd);
	uint64_t access = p->access & handled & (S_ISDIR(st.st_mode) ? UINT64_MAX : file_rights);
	if (access == 0)
		return NULL; // the kernel calls such a rule ENOMSG; it allows nothing
	struct path_attr attr = {.allowed_access = access, .parent_fd = p->fd};
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) < 0)
		FAIL_ERRNO("landlock: descriptor %d", p->fd);
	return NULL;
}

fallible landlock_prepare(const struct landlock_rules *rules, int *ret_ruleset, int *ret_abi)
{
	int version = landlock_abi();
	if (version < 1)
		return error_new(ERROR_UNSUPPORTED, "this kernel has no Landlock");
	const struct abi *abi = abis;
	while (abi->since > version)
		abi++;
	struct ruleset_attr attr = {
		.handled_access_fs = abi->fs,
		.handled_access_net = rules->no_tcp ? abi->net : 0,
		.scoped = rules->no_scope ? abi->scoped : 0,
	};
	// landlock_create_ruleset(2) gives a descriptor that is close-on-exec.
	auto_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, abi->attr_size, 0);
	if (ruleset < 0)
		FAIL_ERRNO("landlock: make a ruleset");
	for (size_t i = 0; i < rules->n_paths; i++)
		TRY(add_path(ruleset, &rules->paths[i], abi->fs));
	if (ret_abi)
		*ret_abi = version;
	*ret_ruleset = fd_take(&ruleset);
	return NULL;
}

int landlock_restrict(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? errno : 0;
}
