// SPDX-License-Identifier: Apache-2.0
#include "transfer/confine.h"
#include "kernel/capability.h"
#include "kernel/landlock.h"
#include "kernel/mount.h"
#include "kernel/process.h"
#include "kernel/seccomp.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

enum { NOFILE_MAX = 256 };
#define DATA_MAX ((rlim_t)1 << 30)

static fallible check(int sys, const char *what)
{
	return sys ? error_system(sys, "confine: %s", what) : NULL;
}

// --- root ---------------------------------------------------------------------------------------

static fallible add_folder(int root, const struct confine_folder *folder)
{
	if (mkdirat(root, folder->name, 0700) < 0)
		FAIL_ERRNO("confine: make %s", folder->name);
	if (folder->comes)
		return NULL;
	auto_fd int target =
		openat(root, folder->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		FAIL_ERRNO("confine: open %s", folder->name);
	return check(mount_attach(folder->mount, target), folder->name);
}

enum { COPY_MAX = 1 << 20 };

static fallible add_copy(int root, const struct confine_copy *copy)
{
	auto_free char *bytes = NULL;
	size_t size = 0;
	auto_fd int from = open(copy->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (from < 0)
		return NULL; // not every system has every file
	TRY_AS(fd_read_to_end(from, COPY_MAX, &bytes, &size), "confine: %s", copy->from);
	auto_fd int to = openat(root, copy->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (to < 0)
		FAIL_ERRNO("confine: make %s", copy->to);
	return error_prefix(fd_write_all(to, bytes, size), "confine: %s", copy->to);
}

static fallible add_copies(int root, const struct confine_role *role)
{
	for (const char *const *d = role->directories; d && *d; d++)
		if (mkdirat(root, *d, 0755) < 0)
			FAIL_ERRNO("confine: make %s", *d);
	for (size_t i = 0; i < role->n_copies; i++)
		TRY(add_copy(root, &role->copies[i]));
	return NULL;
}

// A root of our own, attached over the old one and then made the root of the namespace.
static fallible make_root(struct confine_role *role)
{
	struct mount_datum data[] = {
		{"mode", "0555"}, {"size", role->n_copies ? "4m" : "64k"}, {"nr_inodes", "16"}};
	struct mount_options options = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	                                       MOUNT_ATTR_NOEXEC,
	                                .data = data,
	                                .n_data = sizeof(data) / sizeof(*data)};
	auto_fd int root = -1;
	auto_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old < 0)
		FAIL_ERRNO("confine: open the root");
	TRY(check(mount_make_all(MS_PRIVATE), "make mounts private"));
	TRY(check(mount_make("tmpfs", "coracle-transfer", &options, &root, NULL, 0),
	          "make a root"));
	TRY(check(mount_attach(root, old), "attach the root"));
	for (size_t i = 0; i < role->n_folders; i++)
		TRY(add_folder(root, &role->folders[i]));
	TRY(add_copies(root, role));
	TRY(check(mount_change(root, MOUNT_ATTR_RDONLY, 0, 0, false), "close the root"));
	int sys = mount_pivot(root);
	if (sys == EINVAL) // the old root is a ramfs
		sys = mount_move_root(root);
	return check(sys, "change the root");
}

static fallible open_folders(struct confine_role *role)
{
	for (size_t i = 0; i < role->n_folders; i++) {
		struct confine_folder *f = &role->folders[i];
		fd_cleanup_(&f->mount);
		f->mount = -1;
		f->fd = open(f->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (f->fd < 0)
			FAIL_ERRNO("confine: open %s", f->name);
	}
	return NULL;
}

// --- rights -------------------------------------------------------------------------------------

static fallible set_limit(int which, rlim_t most)
{
	struct rlimit limit;
	if (getrlimit((__rlimit_resource_t)which, &limit) < 0)
		FAIL_ERRNO("confine: limits");
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (which == RLIMIT_NOFILE)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit((__rlimit_resource_t)which, &limit) < 0)
		FAIL_ERRNO("confine: limits");
	return NULL;
}

static fallible set_limits(const struct confine_role *role)
{
	TRY(set_limit(RLIMIT_CORE, 0));
	TRY(set_limit(RLIMIT_NOFILE, NOFILE_MAX));
	if (role->file_size_max)
		TRY(set_limit(RLIMIT_FSIZE, role->file_size_max));
	return IS_SANITIZED ? NULL : set_limit(RLIMIT_DATA, DATA_MAX);
}

static fallible drop_rights(uint64_t keep)
{
	const struct capability_sets sets = {.permitted = keep, .effective = keep};
	TRY(check(capability_drop_bounding(keep), "bounding set"));
	TRY(check(capability_set(&sets), "capabilities"));
	return check(process_no_new_privs(), "no_new_privs");
}

static fallible apply_landlock(const struct confine_role *role, int *ret_abi)
{
	enum { FOLDERS_MAX = 4 };
	const uint64_t write = LANDLOCK_ALL & ~(uint64_t)(LANDLOCK_EXECUTE | LANDLOCK_IOCTL_DEV |
	                                                  LANDLOCK_MAKE_SOCK);
	struct landlock_path paths[FOLDERS_MAX + 1];
	struct landlock_rules rules = {.paths = paths, .no_tcp = !role->network, .no_scope = true};
	for (; rules.n_paths < role->n_folders && rules.n_paths < FOLDERS_MAX; rules.n_paths++) {
		const struct confine_folder *f = &role->folders[rules.n_paths];
		paths[rules.n_paths] =
			(struct landlock_path){f->fd, f->writable ? write : LANDLOCK_READ};
	}
	auto_fd int root = -1;
	bool with_root = role->n_copies; // its root holds nothing else
	// What is mounted on a folder later has the rights of what is above the folder.
	for (size_t i = 0; i < role->n_folders; i++)
		with_root |= role->folders[i].comes;
	if (with_root) {
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			FAIL_ERRNO("confine: open the root");
		paths[rules.n_paths++] = (struct landlock_path){root, LANDLOCK_READ};
	}
	auto_fd int ruleset = -1;
	struct error *e = landlock_prepare(&rules, &ruleset, ret_abi);
	if (error_is(e, ERROR_UNSUPPORTED)) {
		error_drop(
			&e); // the caller says so; root, capabilities and seccomp hold without it
		*ret_abi = 0;
		return NULL;
	}
	TRY(e);
	return check(landlock_restrict(ruleset), "Landlock");
}

fallible confine_begin(struct confine_role *role, int *ret_landlock)
{
	TRY(make_root(role));
	TRY(open_folders(role));
	TRY(set_limits(role));
	TRY(drop_rights(role->capabilities));
	return apply_landlock(role, ret_landlock);
}

// --- system calls -------------------------------------------------------------------------------

// Everything else is EPERM: no exec, no mount, no ptrace, no kill, no ioctl; but for those that
// speak no socket and no clone.
// clang-format off
#define COMMON \
	SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_lseek, SYS_close, \
	SYS_openat, SYS_openat2, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_getdents64, \
	SYS_unlinkat, SYS_ftruncate, SYS_fcntl, \
	SYS_sendto, SYS_sendmsg, \
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, \
	SYS_futex, SYS_sched_yield, SYS_restart_syscall, SYS_clock_gettime, SYS_clock_nanosleep, \
	SYS_gettid, SYS_getpid, SYS_getrandom, \
	SYS_tgkill, /* abort(); in this pid namespace there is nobody else */ \
	SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn, SYS_sigaltstack, \
	SYS_exit, SYS_exit_group
static const int reads[] = {COMMON};
static const int reads_trees[] = {COMMON,
	SYS_readlinkat, SYS_fchdir, SYS_fgetxattr, SYS_lgetxattr, SYS_flistxattr, SYS_llistxattr,
	SYS_recvfrom, /* the client's answer; no socket can be made */
};
static const int writes_layers[] = {COMMON,
	SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_renameat2, SYS_readlinkat,
	SYS_fchown, SYS_fchownat, SYS_fchmod, SYS_fchmodat, SYS_utimensat, SYS_umask, SYS_fchdir,
	SYS_fsetxattr, SYS_lsetxattr, SYS_fgetxattr, SYS_lgetxattr, SYS_flistxattr, SYS_llistxattr,
	SYS_fremovexattr,
	SYS_recvfrom, /* the client's answer; no socket can be made */
};
// Threads are libcurl's resolvers and ours; the resolver's sockets have a poll and a batch of calls.
static const int speaks[] = {COMMON,
	SYS_socket, SYS_connect, SYS_bind, SYS_shutdown, SYS_getsockname, SYS_getpeername,
	SYS_getsockopt, SYS_setsockopt, SYS_recvfrom, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg,
	SYS_socketpair, SYS_pipe2, SYS_eventfd2, SYS_dup, SYS_dup3, SYS_ppoll, SYS_pselect6,
#ifdef SYS_poll
	SYS_poll, SYS_select, SYS_access, SYS_readlink, SYS_time,
#endif
	SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_prctl, SYS_sched_getaffinity,
	SYS_uname, SYS_sysinfo, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_gettimeofday,
	SYS_nanosleep, SYS_prlimit64,
};
// clang-format on

fallible confine_end(enum confine_calls what)
{
	static const struct {
		const int *calls;
		size_t n;
	} sets[] = {
		[CONFINE_READS] = {reads, sizeof(reads) / sizeof(*reads)},
		[CONFINE_READS_TREES] = {reads_trees, sizeof(reads_trees) / sizeof(*reads_trees)},
		[CONFINE_WRITES_LAYERS] = {writes_layers,
	                                   sizeof(writes_layers) / sizeof(*writes_layers)},
		[CONFINE_SPEAKS] = {speaks, sizeof(speaks) / sizeof(*speaks)},
	};
	auto_seccomp_filter struct seccomp_filter filter = {0};
	TRY(seccomp_allow_only(sets[what].calls, sets[what].n, SECCOMP_RET_ERRNO | EPERM, &filter));
	return check(seccomp_install(&filter, SECCOMP_FILTER_FLAG_TSYNC), "seccomp");
}
