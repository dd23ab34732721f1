// SPDX-License-Identifier: Apache-2.0
// Signals, detaching, other commands, and what is left when somebody is killed: nothing.
#include "kernel/kernel.h"
#include "runtime/linux/task.h"
#include "runtime/test_fixture.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { HANGING_MS = 60000 }; // only against hanging

static struct fixture fixture;
static bool is_possible;

static void need_fixture(void)
{
	if (!is_possible)
		skip();
}

static void ok(struct error *e)
{
	if (e)
		printf("error: %s\n", e->message);
	assert_null(e);
}

static void expect_message(struct error *e, enum error_code code, const char *message)
{
	assert_non_null(e);
	assert_string_equal(e->message, message);
	assert_int_equal(e->code, code);
	error_free(e);
}

// Starts a script and waits until it has written a line.
static struct runtime_task *start_ready(struct life *l, const char *script)
{
	int out[2];
	char byte = 0;
	struct runtime_task *task = NULL;
	life_make(&fixture, l, (const char *const[]){"sh", "-c", script, NULL});
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	l->request.stdio[1] = out[1];
	ok(runtime_run(&l->request, &task));
	close(out[1]);
	while (byte != '\n')
		assert_int_equal(read(out[0], &byte, 1), 1);
	close(out[0]);
	return task;
}

static bool has_group(const char *path)
{
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_cgroup struct cgroup *group = NULL;
	ok(cgroups_open(&cgroups));
	struct error *e = cgroup_open(cgroups, path, &group);
	bool found = !e;
	error_drop(&e); // not found, which is asked
	return found;
}

static size_t count_names(int dirfd)
{
	uint64_t bytes = 0, inodes = 0;
	ok(tree_usage(dirfd, &bytes, &inodes));
	return inodes - 1;
}

static void expect_nothing_left(struct life *l)
{
	assert_false(has_group(l->cgroup));
	assert_int_equal(count_names(l->state), 0);
	life_done(&fixture, l);
}

static void wait_dead(int pidfd)
{
	struct pollfd p = {pidfd, POLLIN, 0};
	assert_int_equal(poll(&p, 1, HANGING_MS), 1);
}

// ---- Signals ------------------------------------------------------------------------------------

static void test_signals(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	int code = -1;
	struct runtime_task *task = start_ready(&l, "echo; exec sleep 1000");
	ok(runtime_signal(task, SIGTERM)); // a first process without a handler doesn't mind
	ok(runtime_signal(task, SIGKILL));
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 137);
	expect_message(runtime_signal(task, SIGKILL), ERROR_NOT_FOUND, "process already finished");
	ok(runtime_release(task));
	expect_nothing_left(&l);

	task = start_ready(&l, "trap 'exit 3' TERM; echo; while :; do sleep 0.1; done");
	ok(runtime_signal(task, SIGTERM));
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 3);
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

static void test_forwarding(void **state)
{
	(void)state;
	need_fixture();
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	int fd = signalfd(-1, &set, SFD_CLOEXEC), code = -1;
	struct life l;
	struct runtime_task *task =
		start_ready(&l, "trap 'exit 5' USR1; echo; while :; do sleep 0.1; done");
	raise(SIGUSR1);
	ok(runtime_wait(task, fd, &code));
	assert_int_equal(code, 5);
	ok(runtime_release(task));
	expect_nothing_left(&l);
	close(fd);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

// ---- Created, detached, opened ------------------------------------------------------------------

static void test_created(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	int code = -1;
	struct runtime_task *task = NULL;
	const char *const argv[] = {"sh", "-c", "exit 9", NULL};
	life_make(&fixture, &l, argv);
	ok(runtime_create(&l.request, &task));
	assert_true(has_group(l.cgroup));
	assert_true(runtime_task_pid(task) > 0);
	ok(runtime_start(task));
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 9);
	ok(runtime_release(task));
	expect_nothing_left(&l);

	life_make(&fixture, &l, argv); // never started
	ok(runtime_create(&l.request, &task));
	ok(runtime_release(task));
	expect_nothing_left(&l);

	const char *const nosuch[] = {"nosuch", NULL};
	life_make(&fixture, &l, nosuch);
	ok(runtime_create(&l.request, &task));
	expect_message(runtime_start(task), ERROR_NO_PROGRAM,
	               "exec: \"nosuch\": executable file not found in $PATH");
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

static void test_killed_before_start(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	int code = -1;
	struct runtime_task *task = NULL;
	life_make(&fixture, &l, (const char *const[]){"true", NULL});
	ok(runtime_create(&l.request, &task));
	struct pollfd init = {task->pidfd, POLLIN, 0};
	ok(runtime_signal(task, SIGKILL));
	assert_int_equal(poll(&init, 1, HANGING_MS), 1);
	ok(runtime_start(task));
	int control;
	ok(runtime_watch(task, &control));
	struct pollfd told = {control, POLLIN, 0};
	assert_int_equal(poll(&told, 1, HANGING_MS / 6), 1);
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 137);
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

static void test_exists(void **state)
{
	(void)state;
	need_fixture();
	struct life l, other;
	struct runtime_task *task = start_ready(&l, "echo; exec sleep 1000"), *second = NULL;
	expect_message(runtime_run(&l.request, &second), ERROR_BUSY,
	               "monitor.lock: locked by another process");
	const char *const argv[] = {"true", NULL};
	life_make(&fixture, &other, argv);
	auto_free char *group = alloc_string(l.cgroup);
	other.request.cgroup = group;
	auto_free char *message = alloc_printf("cgroup %s exists", group);
	expect_message(runtime_run(&other.request, &second), ERROR_EXISTS, message);
	life_done(&fixture, &other);
	ok(runtime_open(l.state, &second, NULL)); // the first is unharmed
	runtime_close(second);
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

// The names are gone before the answer; what is done late leaves those of the ID's next life.
static void test_next_life(void **state)
{
	(void)state;
	need_fixture();
	struct life l, next;
	int code = -1;
	struct runtime_task *task = start_ready(&l, "echo; exit 4"), *second = NULL;
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 4);
	ok(runtime_remove_state(l.state));
	const char *const argv[] = {"sleep", "1000", NULL};
	life_make(&fixture, &next, argv);
	next.request.state_dirfd = l.state;
	ok(runtime_run(&next.request, &second));
	ok(runtime_release(task));
	struct runtime_task *other = NULL;
	ok(runtime_open(l.state, &other, NULL));
	runtime_close(other);
	ok(runtime_release(second));
	expect_nothing_left(&next);
	expect_nothing_left(&l);
}

static void test_open(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	struct runtime_state is;
	int code = -1;
	struct runtime_task *task = start_ready(&l, "echo; exec sleep 1000"), *other = NULL;
	ok(runtime_open(l.state, &other, NULL));
	ok(runtime_state(other, &is));
	assert_int_equal(is.status, RUNTIME_RUNNING);
	assert_int_equal(is.pid, runtime_task_pid(task));
	assert_int_equal(runtime_task_pid(other), is.pid);
	assert_int_equal(is.instance, 0x1234);
	expect_message(runtime_read_exit(l.state, &code), ERROR_NOT_FOUND,
	               "open exit: No such file or directory");
	expect_message(runtime_reap(l.state, l.cgroup, 1000), ERROR_BUSY,
	               "monitor.lock: locked by another process");
	runtime_detach(task);
	ok(runtime_state(other, &is)); // goes on
	ok(runtime_signal(other, SIGKILL));
	ok(runtime_wait(other, -1, &code));
	assert_int_equal(code, 137);
	expect_message(runtime_signal(other, SIGKILL), ERROR_NOT_FOUND, "process already finished");
	runtime_close(other);
	code = -1;
	ok(runtime_read_exit(l.state, &code));
	assert_int_equal(code, 137);
	// No cleaner was given: the monitor just goes, and the next command collects.
	int lock = openat(l.state, SHIM_LOCK, O_RDWR | O_CLOEXEC);
	ok(lock_take(lock, LOCK_EXCLUSIVE));
	close(lock);
	expect_message(runtime_open(l.state, &other, NULL), ERROR_NOT_FOUND,
	               "no monitor is running");
	ok(runtime_reap(l.state, l.cgroup, HANGING_MS));
	ok(runtime_reap(l.state, l.cgroup, HANGING_MS)); // again is fine
	ok(runtime_reap(-1, l.cgroup, HANGING_MS));
	ok(runtime_remove_state(l.state));
	expect_nothing_left(&l);
}

static void test_signal_all(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	int code = -1;
	struct runtime_task *task = start_ready(&l, "sleep 1000 & echo; wait; echo; sleep 1000");
	ok(runtime_signal_all(l.cgroup, SIGKILL));
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 137);
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

// Nobody is there at the end: the cleaner runs, with what it was given and nothing else.
static void test_cleaner(void **state)
{
	(void)state;
	need_fixture();
	for (int moment = 0; moment < 3; moment++) {
		struct life l;
		auto_free char *fifo = alloc_printf("%s/fifo%d", fixture.dir, moment);
		auto_free char *script =
			alloc_printf("(echo $WORD $1; echo /proc/self/fd/*) > %s", fifo);
		const char *const cleaner[] = {"/bin/busybox", "sh",       "-c", script,
		                               "sh",           "argument", NULL};
		const char *const environment[] = {"WORD=word", NULL};
		const char *const argv[] = {"true", NULL};
		assert_int_equal(mkfifo(fifo, 0600), 0);
		life_make(&fixture, &l, argv);
		l.request.cleaner = cleaner;
		l.request.cleaner_environment = environment;
		struct runtime_task *task = NULL;
		int code = -1;
		if (moment == 0) // detached after creating: init never runs
			ok(runtime_create(&l.request, &task));
		else
			ok(runtime_run(&l.request, &task));
		if (moment == 2) // told, and gone before it has cleaned
			ok(runtime_wait(task, -1, &code));
		runtime_detach(task);
		auto_fd int fd = open(fifo, O_RDONLY | O_CLOEXEC);
		auto_free char *text = NULL;
		ok(fd_read_to_end(fd, 1000, &text, NULL));
		assert_string_equal(text, "word argument\n/proc/self/fd/0 /proc/self/fd/1 "
		                          "/proc/self/fd/2 /proc/self/fd/3\n");
		ok(runtime_reap(l.state, l.cgroup, HANGING_MS)); // its lock is free: it has gone
		ok(runtime_remove_state(l.state));
		expect_nothing_left(&l);
	}
}

// ---- Peers that misbehave -----------------------------------------------------------------------

static void test_peers(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	int code = -1, peers[40];
	struct runtime_task *task = start_ready(&l, "echo; exec sleep 1000"), *other = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", l.state,
	         SHIM_SOCKET);
	static const struct shim_message messages[] = {
		{.version = SHIM_VERSION + 1, .kind = SHIM_STATE},
		{.version = SHIM_VERSION, .kind = SHIM_START},
		{.version = SHIM_VERSION, .kind = SHIM_BYE},
		{.version = SHIM_VERSION, .kind = 9999},
		{.version = SHIM_VERSION, .kind = SHIM_SIGNAL, .value = 9999},
		{.version = SHIM_VERSION, .kind = SHIM_WAIT},
	};
	for (size_t i = 0; i < 40; i++) {
		peers[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(peers[i], (struct sockaddr *)&address, sizeof address), 0);
		size_t size = i % 7 < 6 ? sizeof *messages : 3;
		ignore(send(peers[i], &messages[i % 6], size, MSG_NOSIGNAL));
	}
	for (size_t i = 0; i < 40; i++)
		close(peers[i]);
	ok(runtime_open(l.state, &other, NULL));
	expect_message(runtime_signal(other, 9999), ERROR_SYSTEM, "signal 9999: Invalid argument");
	struct runtime_state is;
	ok(runtime_state(other, &is));
	assert_int_equal(is.status, RUNTIME_RUNNING);
	runtime_close(other);
	ok(runtime_signal(task, SIGKILL));
	ok(runtime_wait(task, -1, &code));
	assert_int_equal(code, 137);
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

// ---- Killed -------------------------------------------------------------------------------------

static void test_monitor_killed(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	int code = -1;
	struct runtime_task *task = start_ready(&l, "echo; exec sleep 1000");
	int pidfd = fcntl(task->pidfd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(kill(task->monitor, SIGKILL), 0);
	auto_free char *message = alloc_printf("container test/%s: its monitor is gone", l.name);
	expect_message(runtime_wait(task, -1, &code), ERROR_NOT_FOUND, message);
	wait_dead(pidfd);
	close(pidfd);
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

// A program that changed its user has lost its death signal: who finds the monitor dead kills it.
static void test_monitor_killed_other_user(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	struct runtime_task *task =
		start_ready(&l, "exec su user -s /bin/sh -c 'echo; sleep 1000; sleep 1000'");
	int pidfd = fcntl(task->pidfd, F_DUPFD_CLOEXEC, 3);
	pid_t monitor = task->monitor;
	task->monitor = 0;
	runtime_detach(task);
	assert_int_equal(kill(monitor, SIGKILL), 0);
	assert_int_equal(waitpid(monitor, NULL, 0), monitor);
	ok(runtime_reap(l.state, l.cgroup, HANGING_MS));
	wait_dead(pidfd);
	close(pidfd);
	ok(runtime_remove_state(l.state));
	expect_nothing_left(&l);
}

// The starter is killed at any moment: the container runs to its end or has never begun, and what
// is left can be collected.
static void test_starter_killed(void **state)
{
	(void)state;
	need_fixture();
	for (int round = 0; round < 60; round++) {
		struct life l;
		const char *const argv[] = {"sleep", "0.002", NULL};
		life_make(&fixture, &l, argv);
		pid_t starter = fork();
		if (starter == 0) {
			struct runtime_task *task = NULL;
			int code;
			struct error *e = runtime_run(&l.request, &task);
			_exit(e || runtime_wait(task, -1, &code) ? 1 : 0);
		}
		int pidfd = -1;
		assert_int_equal(pidfd_open_process(starter, &pidfd), 0);
		struct pollfd p = {pidfd, POLLIN, 0};
		const struct timespec moment = {0, (long)(random_u64() % 6000000)};
		ppoll(&p, 1, &moment, NULL);
		kill(starter, SIGKILL);
		assert_int_equal(waitpid(starter, NULL, 0), starter);
		close(pidfd);
		int lock = openat(l.state, SHIM_LOCK, O_RDWR | O_CLOEXEC);
		if (lock >= 0) { // until the monitor has gone
			ok(lock_take(lock, LOCK_EXCLUSIVE));
			close(lock);
		}
		ok(runtime_reap(l.state, l.cgroup, HANGING_MS));
		ok(runtime_remove_state(l.state));
		expect_nothing_left(&l);
	}
}

// ---- Many, and how much -------------------------------------------------------------------------

static void test_twelve_at_once(void **state)
{
	(void)state;
	need_fixture();
	pid_t children[12];
	for (unsigned i = 0; i < 12; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		fixture.count = 1000 * (i + 1);
		int failures = 0;
		for (int k = 0; k < 4; k++) {
			struct outcome o;
			fixture_sh(&fixture, "echo $$", &o);
			failures += o.error || o.code != 0 || strcmp(o.out, "1\n") != 0;
		}
		_exit(failures);
	}
	for (int i = 0; i < 12; i++) {
		int status = -1;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
}

static void test_idle_monitor(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	struct runtime_task *task = start_ready(&l, "echo; exec sleep 1000");
	auto_free char *path = alloc_printf("/proc/%d/smaps_rollup", (int)task->monitor);
	auto_free char *text = NULL;
	ok(file_read(AT_FDCWD, path, 4096, &text, NULL));
	const char *pss = strstr(text, "Pss:");
	assert_non_null(pss);
	pss += 4 + strspn(pss + 4, " ");
	auto_free char *number = alloc_bytes(pss, strspn(pss, "0123456789"));
	uint64_t kib = 0;
	ok(text_parse_u64(number, 10, UINT32_MAX, &kib));
	printf("idle monitor: %llu KiB PSS\n", (unsigned long long)kib);
#ifndef BIG_SHIM
	assert_true(kib <= 250);
#endif
	ok(runtime_release(task));
	expect_nothing_left(&l);
}

static size_t count_descriptors(void)
{
	size_t n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_no_leaks(void **state)
{
	(void)state;
	need_fixture();
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; // monitors of detached ones
	size_t before = count_descriptors();
	struct outcome o;
	fixture_sh(&fixture, "true", &o);
	ok(o.error);
	struct life l;
	const char *const nosuch[] = {"nosuch", NULL};
	life_make(&fixture, &l, nosuch);
	life_run(&l, &o);
	life_done(&fixture, &l);
	assert_non_null(o.error);
	error_free(o.error);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no children either
	auto_free char *prefix = alloc_printf("coracle/test-runtime-%d", (int)getpid());
	assert_false(has_group(prefix));
}

static int setup(void **state)
{
	(void)state;
	is_possible = fixture_make(&fixture, SHIM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (is_possible)
		fixture_done(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_forwarding),
		cmocka_unit_test(test_created),
		cmocka_unit_test(test_killed_before_start),
		cmocka_unit_test(test_exists),
		cmocka_unit_test(test_next_life),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_signal_all),
		cmocka_unit_test(test_cleaner),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_monitor_killed),
		cmocka_unit_test(test_monitor_killed_other_user),
		cmocka_unit_test(test_starter_killed),
		cmocka_unit_test(test_twelve_at_once),
		cmocka_unit_test(test_idle_monitor),
		cmocka_unit_test(test_no_leaks),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
