// SPDX-License-Identifier: Apache-2.0
// A child confines itself as the worker does, then tries what a taken-over worker would.
#include "base/text.h"
#include "kernel/landlock.h"
#include "kernel/mount.h"
#include "kernel/namespace.h"
#include "sys/fd.h"
#include "sys/tree.h"
#include "transfer/confine.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#define BIT(n) (UINT64_C(1) << (n))
static const uint64_t unpacking = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) |
                                  BIT(CAP_FSETID) | BIT(CAP_MKNOD) | BIT(CAP_SETFCAP);

static int new = -1, lower = -1; // in the child

// Each gives 0 or an errno.
#define OUTCOME(call) ((call) < 0 ? errno : 0)
static int opens(const char *path)
{
	return OUTCOME(open(path, O_RDONLY | O_CLOEXEC));
}
static int host_file(void)
{
	return opens("/etc/passwd");
}
static int proc_file(void)
{
	return opens("/proc/self/status");
}
static int above_new(void)
{
	return OUTCOME(openat(new, "../../etc/passwd", O_RDONLY | O_CLOEXEC));
}
static int network(void)
{
	return OUTCOME(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int local_socket(void)
{
	return OUTCOME(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int mounts(void)
{
	return OUTCOME(mount("none", "/new", "tmpfs", 0, NULL));
}
static int opens_tree(void)
{
	return OUTCOME(syscall(SYS_open_tree, new, "", AT_EMPTY_PATH));
}
static int traces(void)
{
	return OUTCOME((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}
static int kills(void)
{
	return OUTCOME(kill(-1, 0));
}
static int forks(void)
{
	pid_t pid = fork();
	if (!pid)
		_exit(0);
	return OUTCOME(pid);
}
static int executes(void)
{
	char name[] = "x";
	return OUTCOME(execve("/new/x", (char *[]){name, NULL}, (char *[]){NULL}));
}
static int new_namespace(void)
{
	return OUTCOME(unshare(CLONE_NEWUSER));
}
static int changes_root(void)
{
	return OUTCOME(chroot("/new"));
}
static int loads_bpf(void)
{
	return OUTCOME(syscall(SYS_bpf, 0, NULL, 0));
}
static int controls_terminal(void)
{
	return OUTCOME(ioctl(0, TIOCSTI, "x"));
}
static int becomes_other(void)
{
	return OUTCOME(setuid(1));
}
static int writes_lower(void)
{
	return OUTCOME(openat(lower, "file", O_WRONLY | O_CLOEXEC));
}
static int makes_in_lower(void)
{
	return OUTCOME(openat(lower, "fresh", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}
static int modes_lower(void)
{
	return OUTCOME(fchmodat(lower, "file", 0777, 0));
}
static int owns_lower(void)
{
	return OUTCOME(fchownat(lower, "file", 1, 1, AT_SYMLINK_NOFOLLOW));
}
static int removes_lower(void)
{
	return OUTCOME(unlinkat(lower, "file", 0));
}
static int links_lower(void)
{
	return OUTCOME(linkat(lower, "file", new, "linked", 0));
}
static int marks_lower(void)
{
	auto_fd int fd = openat(lower, "file", O_RDONLY | O_CLOEXEC);
	return OUTCOME(fsetxattr(fd, "user.x", "1", 1, 0));
}
static int fills_root(void)
{
	return OUTCOME(mkdirat(AT_FDCWD, "/more", 0700));
}
static int modes_by_link(void) // new/link leads to a file of the host
{
	return OUTCOME(fchmodat(new, "link", 0777, 0));
}
static int owns_by_link(void)
{
	return OUTCOME(fchownat(new, "link", 1, 1, 0));
}
static int writes_by_link(void)
{
	return OUTCOME(openat(new, "link", O_WRONLY | O_CLOEXEC));
}
static int sets_trusted(void)
{
	return OUTCOME(fsetxattr(new, "trusted.overlay.redirect", "/", 1, 0));
}
static int opens_device(void) // it may be made, but not opened
{
	int sys = OUTCOME(mknodat(new, "null", S_IFCHR | 0666, makedev(1, 3)));
	return sys ? -sys : OUTCOME(openat(new, "null", O_RDONLY | O_CLOEXEC));
}

static const struct attempt {
	const char *name;
	int (*try)(void);
	int wanted, or_else; // the second where Landlock speaks before the mount
} attempts[] = {
	// clang-format off
	{"a file of the host",        host_file,         ENOENT, EACCES},
	{"/proc",                     proc_file,         ENOENT, EACCES},
	{"above its folder",          above_new,         ENOENT, EACCES},
	{"a socket",                  network,           EPERM, 0},
	{"a local socket",            local_socket,      EPERM, 0},
	{"mount",                     mounts,            EPERM, 0},
	{"open_tree",                 opens_tree,        EPERM, 0},
	{"ptrace",                    traces,            EPERM, 0},
	{"kill",                      kills,             EPERM, 0},
	{"fork",                      forks,             EPERM, 0},
	{"exec",                      executes,          EPERM, 0},
	{"unshare",                   new_namespace,     EPERM, 0},
	{"chroot",                    changes_root,      EPERM, 0},
	{"bpf",                       loads_bpf,         EPERM, 0},
	{"TIOCSTI",                   controls_terminal, EPERM, 0},
	{"setuid",                    becomes_other,     EPERM, 0},
	{"write below",               writes_lower,      EROFS, EACCES},
	{"create below",              makes_in_lower,    EROFS, EACCES},
	{"chmod below",               modes_lower,       EROFS, 0},
	{"chown below",               owns_lower,        EROFS, 0},
	{"unlink below",              removes_lower,     EROFS, EACCES},
	{"link to below",             links_lower,       EXDEV, EACCES},
	{"attribute below",           marks_lower,       EROFS, 0},
	{"mkdir in the root",         fills_root,        EROFS, EACCES},
	{"chmod by a planted link",   modes_by_link,     ENOENT, EACCES},
	{"chown by a planted link",   owns_by_link,      ENOENT, EACCES},
	{"write by a planted link",   writes_by_link,    ENOENT, EACCES},
	{"trusted.*",                 sets_trusted,      EPERM, 0},
	{"open a device that it made", opens_device,     EACCES, 0},
	// clang-format on
};
enum { ATTEMPTS = sizeof(attempts) / sizeof(*attempts) };

struct outcome {
	int results[ATTEMPTS];
	int allowed; // the first that should have worked and did not, or 0
	int landlock;
	char message[200];
};

static int does_its_work(void)
{
	static const char capability[20] = {1, 0, 0, 2, 0, 0x20};
	auto_fd int fd = openat(new, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	auto_fd int below = openat(lower, "file", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || below < 0 || write(fd, "x", 1) != 1)
		return 1;
	if (fchown(fd, 5, 6) || fchmod(fd, 04755) ||
	    fsetxattr(fd, "security.capability", capability, sizeof(capability), 0))
		return 2;
	if (mknodat(new, "disk", S_IFBLK | 0600, makedev(8, 0)) || mkdirat(new, "dir", 0700) ||
	    linkat(new, "file", new, "dir/hard", 0) || mknodat(new, "gone", S_IFCHR, 0))
		return 3;
	return unlinkat(new, "dir/hard", 0) || unlinkat(new, "dir", AT_REMOVEDIR) ? 4 : 0;
}

static _Noreturn void be_child(int new_mount, int lower_mount, int out)
{
	struct outcome o = {0};
	struct confine_folder folders[] = {{"new", new_mount, true, -1},
	                                   {"lower", lower_mount, false, -1}};
	struct confine_role role = {.folders = folders, .n_folders = 2, .capabilities = unpacking};
	struct error *e = confine_begin(&role, &o.landlock);
	if (!e)
		e = confine_end(CONFINE_WRITES_LAYERS);
	if (e) {
		snprintf(o.message, sizeof(o.message), "%s", e->message);
	} else {
		new = folders[0].fd;
		lower = folders[1].fd;
		o.allowed = does_its_work();
		for (size_t i = 0; i < ATTEMPTS; i++)
			o.results[i] = attempts[i].try();
	}
	_exit(write(out, &o, sizeof(o)) != sizeof(o));
}

static char folder[] = "/tmp/confine-XXXXXX";

static int detached(int dirfd, const char *name, uint64_t attributes)
{
	auto_fd int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int mount = -1;
	assert_int_equal(mount_clone(fd, "", false, &mount), 0);
	assert_int_equal(
		mount_change(mount,
	                     attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	                     0, MS_PRIVATE, false),
		0);
	return mount;
}

static void set_up_folder(int dirfd)
{
	assert_int_equal(mkdirat(dirfd, "new", 0700), 0);
	assert_int_equal(mkdirat(dirfd, "lower", 0700), 0);
	auto_fd int victim = openat(dirfd, "victim", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	auto_fd int file = openat(dirfd, "lower/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(victim >= 0 && file >= 0);
	auto_free char *target = alloc_printf("%s/victim", folder);
	assert_int_equal(symlinkat(target, dirfd, "new/link"), 0);
}

static void run_child(int dirfd, struct outcome *ret)
{
	int out[2], status;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	auto_fd int new_mount = detached(dirfd, "new", 0);
	auto_fd int lower_mount = detached(dirfd, "lower", MOUNT_ATTR_RDONLY);
	const struct namespace_clone clone = {.flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
	                                               CLONE_NEWUTS | CLONE_NEWPID,
	                                      .cgroup = -1,
	                                      .exit_signal = SIGCHLD};
	pid_t pid;
	int pidfd = -1;
	assert_int_equal(namespace_clone(&clone, &pid, &pidfd), 0);
	if (!pid)
		be_child(new_mount, lower_mount, out[1]);
	close(out[1]);
	assert_null(fd_read_all(out[0], ret, sizeof(*ret)));
	close(out[0]);
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void holds(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("skipped: needs root (mount namespaces)\n");
		skip();
	}
	struct outcome o = {0};
	assert_non_null(mkdtemp(folder));
	auto_fd int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	set_up_folder(dirfd);
	run_child(dirfd, &o);
	struct stat victim;
	assert_int_equal(fstatat(dirfd, "victim", &victim, 0), 0);
	auto_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_null(tree_remove(tmp, folder + strlen("/tmp/")));

	assert_string_equal(o.message, "");
	assert_int_equal(o.landlock, landlock_abi());
	assert_int_equal(o.allowed, 0);
	for (size_t i = 0; i < ATTEMPTS; i++)
		if (o.results[i] != attempts[i].wanted &&
		    (o.results[i] != attempts[i].or_else || !o.results[i]))
			fail_msg("%s: %s", attempts[i].name,
			         o.results[i] ? strerror(o.results[i]) : "worked");
	assert_int_equal(victim.st_mode & 07777, 0600);
	assert_int_equal(victim.st_uid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(holds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
