// SPDX-License-Identifier: Apache-2.0
// Namespaces, pidfds, capabilities, ptys, Landlock, copies of the executable.
#include "base/memory.h"
#include "base/text.h"
#include "kernel/capability.h"
#include "kernel/exec_copy.h"
#include "kernel/landlock.h"
#include "kernel/namespace.h"
#include "kernel/process.h"
#include "kernel/pty.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "kernel/test_child.h"

// ---- Namespaces and pidfds ----------------------------------------------------------------------

static int clone_and_enter(void)
{
	struct namespace_clone c = {CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC, -1, SIGCHLD};
	int go[2], pidfd = -1, status;
	pid_t pid;
	CHECK(pipe2(go, O_CLOEXEC) == 0);
	CHECK(namespace_clone(&c, &pid, &pidfd) == 0);
	if (pid == 0) {
		char byte;
		if (getpid() != 1 || sethostname("inside", 6) < 0)
			_exit(1);
		close(go[1]);
		_exit(read(go[0], &byte, 1) == 1 ? 7 : 2);
	}
	CHECK(pidfd_wait_exit(pidfd, PIDFD_NO_HANG, &status) == EAGAIN);
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(pidfd_wait_exit(pidfd, PIDFD_KEEP, &status) == 0 && pidfd_exit_code(status) == 7);
	CHECK(pidfd_wait_exit(pidfd, PIDFD_REAP, &status) == 0 && pidfd_exit_code(status) == 7);
	CHECK(pidfd_wait_exit(pidfd, PIDFD_REAP, &status) == ECHILD);
	CHECK(pidfd_signal(pidfd, SIGKILL) == ESRCH);
	CHECK(namespace_enter_process(pidfd, CLONE_NEWUTS) == ESRCH);
	c.flags = CLONE_VM;
	CHECK(namespace_clone(&c, &pid, &pidfd) == EINVAL);
	return CHILD_OK;
}

static int enter_one(void)
{
	struct namespace_clone c = {CLONE_NEWUTS, -1, SIGCHLD};
	int ready[2], pidfd = -1, status;
	pid_t pid;
	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	CHECK(namespace_clone(&c, &pid, &pidfd) == 0);
	if (pid == 0) {
		if (sethostname("inside", 6) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	char byte;
	CHECK(read(ready[0], &byte, 1) == 1);
	const struct namespace_kind *uts = namespace_find("uts"), *net = namespace_find("network");
	auto_free char *path = alloc_printf("/proc/%d/ns/uts", (int)pid);
	auto_free char *wrong = alloc_printf("%s: not a network namespace", path);
	auto_fd int ns = -1;
	int fd;
	CHECK_OK(namespace_open(uts, path, &ns));
	CHECK_ERROR(namespace_open(net, path, &fd), wrong);
	CHECK_ERROR(namespace_open(net, "/nosuch", &fd), "network namespace /nosuch: not found");
	CHECK_ERROR(namespace_open(net, "/dev/null", &fd), "/dev/null: not a namespace");
	CHECK(namespace_enter(ns, CLONE_NEWNET) == EINVAL);
	CHECK(namespace_enter_process(pidfd, CLONE_NEWUTS) == 0);
	struct utsname name;
	CHECK(uname(&name) == 0 && strcmp(name.nodename, "inside") == 0);
	CHECK(pidfd_signal(pidfd, SIGKILL) == 0);
	CHECK(pidfd_wait_exit(pidfd, PIDFD_REAP, &status) == 0 && pidfd_exit_code(status) == 137);
	return CHILD_OK;
}

static int descriptors(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_SETFD, 0) == 0);
	CHECK(process_close_on_exec(3) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(process_close_from(3) == 0 && fcntl(fd, F_GETFD) == -1);
	CHECK(process_death_signal(SIGKILL, getpid()) == ESRCH); // that isn't our parent
	CHECK(process_death_signal(SIGKILL, getppid()) == 0);
	CHECK(process_set_dumpable(false) == 0 && process_subreaper() == 0);
	CHECK(process_new_session() == 0 && process_new_session() == 0);
	return CHILD_OK;
}

// ---- Capabilities -------------------------------------------------------------------------------

static int capabilities(void)
{
	struct capability_sets before, s = {0};
	CHECK_OK(capability_get(&before));
	const uint64_t kill = 1 << CAP_KILL, chown = 1 << CAP_CHOWN;
	if (!(before.effective & 1 << CAP_SETPCAP) || !(before.permitted & kill)) {
		fprintf(stderr, "SKIP: no capabilities to give away\n");
		return CHILD_SKIPPED;
	}
	CHECK(capability_last() >= 40 && capability_last() < 64);
	CHECK(capability_known() >> capability_last() == 1);
	CHECK(capability_drop_bounding(kill | chown) == 0);
	// The way of a container's user: IDs change, permitted stays, then exactly what is asked.
	CHECK(process_keep_caps(true) == 0);
	gid_t groups[] = {7, 8};
	CHECK(process_set_ids(1000, 1000, groups, 2) == 0);
	s.permitted = s.inheritable = s.ambient = kill;
	s.effective = kill | UINT64_C(1) << 63; // one that no kernel knows
	CHECK(capability_set(&s) == 0);
	struct capability_sets now;
	CHECK_OK(capability_get(&now));
	CHECK(now.bounding == (before.bounding & (kill | chown)));
	CHECK(now.permitted == kill && now.effective == kill && now.inheritable == kill);
	CHECK(now.ambient == kill && getuid() == 1000 && getgid() == 1000 &&
	      getgroups(0, NULL) == 2);
	CHECK(capability_suspend(kill) == 0);
	CHECK_OK(capability_get(&now));
	CHECK(now.permitted == kill && now.effective == 0 && now.ambient == kill);
	s.permitted = chown;
	CHECK(capability_set(&s) == EPERM);
	s = (struct capability_sets){.permitted = kill, .ambient = kill};
	CHECK(capability_set(&s) == EPERM);             // ambient without inheritable
	CHECK(capability_drop_bounding(kill) == EPERM); // CAP_SETPCAP is gone
	CHECK(capability_drop_bounding(kill | chown) == 0);
	return CHILD_OK;
}

// ---- Terminals ----------------------------------------------------------------------------------

static int terminal(void)
{
	auto_fd int devpts = -1, master = -1, slave = -1, other = open("/tmp", O_PATH | O_CLOEXEC);
	CHECK(mount_make("devpts", NULL, NULL, &devpts, NULL, 0) == 0);
	CHECK(pty_open(other, &master, &slave) == ENODEV);
	CHECK(pty_open(devpts, &master, &slave) == 0);
	unsigned number = 99;
	CHECK(pty_number(master, &number) == 0 && number == 0); // its own instance
	CHECK(pty_set_size(master, 33, 101) == 0);
	uint16_t rows, columns;
	CHECK(pty_get_size(slave, &rows, &columns) == 0 && rows == 33 && columns == 101);
	pid_t pid = fork();
	if (pid == 0) {
		if (process_new_session() || pty_adopt_slave(slave))
			_exit(1);
		auto_fd int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
		_exit(tty < 0 || !isatty(0) || write(1, "hello", 5) != 5);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	char text[16] = "";
	CHECK(read(master, text, sizeof(text) - 1) == 5 && strcmp(text, "hello") == 0);
	close(fd_take(&slave));
	struct pollfd p = {.fd = master, .events = POLLIN};
	CHECK(poll(&p, 1, -1) == 1 && p.revents & POLLHUP);
	CHECK(pty_set_size(other, 1, 1) == EBADF);
	return CHILD_OK;
}

// ---- Landlock -----------------------------------------------------------------------------------

static int landlock(void)
{
	CHECK(mkdir("in", 0755) == 0 && mkdir("out", 0755) == 0);
	auto_fd int in = open("in", O_PATH | O_CLOEXEC),
		    null = open("/dev/null", O_PATH | O_CLOEXEC);
	struct landlock_path paths[] = {
		{in, LANDLOCK_ALL},
		{null, LANDLOCK_READ | LANDLOCK_WRITE_FILE | LANDLOCK_MAKE_REG}, // a file
		{in, 0},
	};
	struct landlock_rules rules = {paths, 3, true, true};
	auto_fd int ruleset = -1;
	int abi = 0;
	auto_error struct error *e = landlock_prepare(&rules, &ruleset, &abi);
	if (error_is(e, ERROR_UNSUPPORTED)) {
		fprintf(stderr, "SKIP: %s\n", e->message);
		return CHILD_SKIPPED;
	}
	CHECK(!e && abi == landlock_abi());
	CHECK(process_no_new_privs() == 0 && landlock_restrict(ruleset) == 0);
	CHECK(open("in/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) >= 0);
	CHECK(open("out/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0 && errno == EACCES);
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
	if (abi >= 6)
		CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
	CHECK(landlock_restrict(in) == EBADFD || landlock_restrict(in) == EBADF);
	struct landlock_path bad = {-1, LANDLOCK_ALL};
	rules = (struct landlock_rules){.paths = &bad, .n_paths = 1};
	CHECK_ERROR(landlock_prepare(&rules, &ruleset, NULL),
	            "landlock: descriptor -1: Bad file descriptor");
	return CHILD_OK;
}

// ---- Copies of the executable -------------------------------------------------------------------

static int run_copy(int fd)
{
	pid_t pid = fork();
	if (pid == 0) {
		char name[] = "coracle-copy-test";
		char *argv[] = {name, NULL}, *env[] = {NULL};
		execveat(fd, "", argv, env, AT_EMPTY_PATH);
		_exit(99);
	}
	int status;
	return waitpid(pid, &status, 0) == pid ? pidfd_exit_code(status) : -1;
}

static int executable(void)
{
	auto_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy = -1, clone = -1;
	CHECK_OK(exec_copy_sealed(self, &copy));
	CHECK(run_copy(copy) == 42);
	CHECK(write(copy, "x", 1) < 0 && errno == EPERM && ftruncate(copy, 0) < 0);
	CHECK(fcntl(copy, F_GET_SEALS) & F_SEAL_WRITE);
	CHECK(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, copy, 0) == MAP_FAILED);
	auto_fd int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_ERROR(exec_copy_sealed(dir, &copy),
	            "copy an executable: not a file of at most 67108864 bytes");
	auto_fd int any = -1, hidden = -1;
	CHECK_OK(exec_copy_hidden(self, &hidden));
	struct stat st;
	CHECK(fstat(hidden, &st) == 0 && (st.st_mode & 07777) == 0111 && run_copy(hidden) == 42);
	CHECK_OK(exec_copy_self(&any));
	CHECK(run_copy(any) == 42);
	// The mount of /proc/self/exe is that of the namespace in which we were started.
	char path_of_self[4096] = "";
	CHECK(readlink("/proc/self/exe", path_of_self, sizeof(path_of_self) - 1) > 0);
	auto_fd int here = open(path_of_self, O_RDONLY | O_CLOEXEC);
	CHECK(here >= 0);
	auto_error struct error *e = exec_clone_readonly(here, &clone);
	if (error_is(e, ERROR_UNSUPPORTED)) {
		fprintf(stderr, "SKIP: %s\n", e->message);
		return CHILD_SKIPPED;
	}
	CHECK(!e && run_copy(clone) == 42);
	auto_free char *path = alloc_printf("/proc/self/fd/%d", clone);
	CHECK(open(path, O_WRONLY | O_CLOEXEC) < 0 && (errno == EROFS || errno == ETXTBSY));
	return CHILD_OK;
}

#define CHILD_TEST(f, own_mounts)          \
	static void test_##f(void **state) \
	{                                  \
		(void)state;               \
		IN_CHILD(f, own_mounts);   \
	}
CHILD_TEST(clone_and_enter, 1)
CHILD_TEST(enter_one, 1)
CHILD_TEST(descriptors, 0)
CHILD_TEST(capabilities, 0)
CHILD_TEST(terminal, 1)
CHILD_TEST(landlock, 1)
CHILD_TEST(executable, 1)

int main(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "coracle-copy-test") == 0)
		return 42;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clone_and_enter), cmocka_unit_test(test_enter_one),
		cmocka_unit_test(test_descriptors),     cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_terminal),        cmocka_unit_test(test_landlock),
		cmocka_unit_test(test_executable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
