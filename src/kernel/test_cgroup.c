// SPDX-License-Identifier: Apache-2.0
// In groups of our own below /coracle/test-PID, removed at the end.
#include "base/memory.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_devices.h"
#include "kernel/cgroup_tree.h"
#include "kernel/namespace.h"
#include "kernel/process.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONG_MS = 60000 }; // only against hanging

static struct cgroups *machine;
static char *prefix;

static int set_up(void **state)
{
	(void)state;
	prefix = alloc_printf("coracle/test-%d", (int)getpid());
	struct error *e = cgroups_open(&machine);
	return e ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	auto_strings struct strings left = {0}; // by a test that failed
	auto_error struct error *e = cgroups_list(machine, prefix, 2, &left);
	for (size_t i = 0; !e && i < left.n; i++) {
		auto_cgroup struct cgroup *g = NULL;
		e = cgroup_open(machine, left.items[i], &g);
		if (!e)
			e = cgroup_signal(g, SIGKILL);
		if (!e)
			e = cgroup_remove(g, LONG_MS);
	}
	cgroups_close(machine);
	free(prefix);
	return 0;
}

static void ok(struct error *e)
{
	if (e)
		fail_msg("%s", e->message);
}

static struct cgroup *make(const char *name)
{
	struct cgroup *g = NULL;
	auto_free char *path = alloc_printf("/%s/%s", prefix, name);
	auto_error struct error *e = cgroup_create(machine, path, &g);
	if (error_is(e, ERROR_UNSUPPORTED) || (e && (e->sys == EACCES || e->sys == EPERM))) {
		print_message("SKIP: %s\n", e->message);
		skip();
	}
	ok(take(&e));
	return g;
}

// A child born in the group that waits until it is killed, or until we end.
static pid_t start(const struct cgroup *g, int *ret_pidfd)
{
	struct namespace_clone c = {.cgroup = cgroup_fd(g), .exit_signal = SIGCHLD};
	pid_t pid;
	assert_int_equal(namespace_clone(&c, &pid, ret_pidfd), 0);
	if (pid == 0) {
		ignore(process_death_signal(SIGKILL, 0));
		for (;;)
			pause();
	}
	return pid;
}

static int reap(int pidfd)
{
	int status;
	assert_int_equal(pidfd_wait_exit(pidfd, PIDFD_REAP, &status), 0);
	close(pidfd);
	return pidfd_exit_code(status);
}

// Puts itself in and says where it is: the v1 hierarchies in which its group is ours.
static void a_process_enters(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/enters.1");
	struct cgroup_limits limits = {.set = CGROUP_PIDS_LIMIT, .pids_limit = 100};
	uint32_t missing = 0;
	ok(cgroup_apply(g, &limits, &missing));
	int entrances[CGROUP_ENTRANCES];
	ok(cgroup_open_entrances(g, entrances));
	if (missing || entrances[0] < 0) {
		for (size_t i = 0; i < CGROUP_ENTRANCES && entrances[i] >= 0; i++)
			close(entrances[i]);
		ok(cgroup_remove(g, LONG_MS));
		print_message("SKIP: no v1 hierarchy for pids here\n");
		skip();
	}
	assert_int_equal(entrances[1], -1); // only the one that a limit needed
	pid_t pid = fork();
	if (!pid) {
		auto_free char *text = NULL;
		int sys = cgroup_enter(entrances[0]);
		struct error *e = file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL);
		_exit(sys ? 1 : e ? 2 : strstr(text, "/default/enters.1") ? 0 : 3);
	}
	close(entrances[0]);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ok(cgroup_remove(g, LONG_MS));
}

// What a collector meets where another one, or the monitor, is faster.
static void removed_by_another(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/gone.1"), *other = NULL;
	auto_free char *path = alloc_printf("%s/default/gone.1", prefix);
	ok(cgroup_open(machine, path, &other));
	ok(cgroup_remove(other, LONG_MS));
	ok(cgroup_signal(g, SIGKILL));
	ok(cgroup_signal(g, SIGTERM));
	ok(cgroup_wait_empty(g, 0));
	ok(cgroup_remove(g, LONG_MS));
}

static void a_life(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/web.1");
	auto_free char *path = alloc_printf("%s/default/web.1", prefix);
	struct cgroup *again = NULL;
	auto_error struct error *e = cgroup_create(machine, path, &again);
	auto_free char *message = alloc_printf("cgroup %s exists", path);
	assert_true(error_is(e, ERROR_EXISTS));
	assert_string_equal(e->message, message);

	int pidfd = -1;
	pid_t pid = start(g, &pidfd), *pids = NULL;
	size_t n = 0;
	ok(cgroup_join(g, pid, true));
	ok(cgroup_processes(g, &pids, &n));
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);
	free(pids);

	auto_error struct error *busy = cgroup_remove(g, 0);
	assert_true(error_is(busy, ERROR_BUSY));
	auto_free char *left = alloc_printf("cgroup %s: processes are left after 0 ms", path);
	assert_string_equal(busy->message, left);

	bool frozen = true;
	ok(cgroup_is_frozen(g, &frozen));
	assert_false(frozen);
	ok(cgroup_freeze(g, LONG_MS));
	ok(cgroup_is_frozen(g, &frozen));
	assert_true(frozen);
	ok(cgroup_signal(g, SIGTERM)); // without a handler it kills a frozen one too
	assert_int_equal(reap(pidfd), 128 + SIGTERM);
	ok(cgroup_thaw(g, LONG_MS));

	start(g, &pidfd);
	ok(cgroup_freeze(g, LONG_MS));
	ok(cgroup_signal(g, SIGKILL)); // frozen or not
	assert_int_equal(reap(pidfd), 128 + SIGKILL);
	ok(cgroup_wait_empty(g, LONG_MS));
	struct cgroup_stats stats;
	ok(cgroup_read_stats(g, &stats));
	assert_true(stats.known & CGROUP_STAT_CPU);
	ok(cgroup_remove(g, LONG_MS));
	ok(cgroup_remove(g, 0)); // twice is no error
	auto_error struct error *gone = cgroup_open(machine, path, &again);
	assert_true(error_is(gone, ERROR_NOT_FOUND));
}

static void nested_by_the_container(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/deep.2");
	// a/…/a 40 deep with two children each
	auto_fd int fd = fcntl(cgroup_fd(g), F_DUPFD_CLOEXEC, 0);
	for (int i = 0; i < 40; i++) {
		if (mkdirat(fd, "a", 0755) < 0 || mkdirat(fd, "b", 0755) < 0)
			break; // a limit of this machine
		int below = openat(fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	ok(cgroup_remove(g, LONG_MS));
}

static void listed_for_gc(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *a = make("ns1/a.1"), *b = make("ns1/b.2"), *c = make("ns2/a.3");
	assert_int_equal(mkdirat(cgroup_fd(c), ".inner", 0755), 0);
	auto_strings struct strings list = {0};
	ok(cgroups_list(machine, prefix, 2, &list));
	assert_int_equal(list.n, 3);
	size_t n = strlen(prefix);
	assert_string_equal(list.items[0] + n, "/ns1/a.1");
	assert_string_equal(list.items[1] + n, "/ns1/b.2");
	assert_string_equal(list.items[2] + n, "/ns2/a.3");
	ok(cgroup_remove(a, LONG_MS));
	ok(cgroup_remove(b, LONG_MS));
	auto_cgroup struct cgroup *found = NULL; // as gc does it
	ok(cgroup_open(machine, list.items[2], &found));
	ok(cgroup_signal(found, SIGKILL));
	ok(cgroup_remove(found, LONG_MS));
	auto_strings struct strings none = {0};
	ok(cgroups_list(machine, prefix, 2, &none));
	ok(cgroups_list(machine, "coracle-never-made", 2, &none));
	assert_int_equal(none.n, 0);
}

static void bad_paths(void **state)
{
	(void)state;
	static const char *const bad[] = {"",     "/",  "a/../b", "..", "./a",
	                                  "a//b", "a/", "a\nb",   ".",  "1/2/3/4/5/6/7/8/9"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct cgroup *g = NULL;
		auto_error struct error *e = cgroup_create(machine, bad[i], &g);
		assert_true(error_is(e, ERROR_INVALID));
		assert_non_null(strstr(e->message, "not a path of 1 to 8 names"));
	}
}

static char *read_v1(const char *hierarchy, const char *name, const char *file)
{
	auto_free char *path =
		alloc_printf("/sys/fs/cgroup/%s/%s/%s/%s", hierarchy, prefix, name, file);
	char *text = NULL;
	auto_error struct error *e = file_read(AT_FDCWD, path, 4096, &text, NULL);
	return e ? NULL : text;
}

static void expect_v1(const char *hierarchy, const char *file, const char *wanted)
{
	auto_free char *text = read_v1(hierarchy, "default/limits.3", file);
	if (text)
		assert_string_equal(text, wanted);
	else
		print_message("SKIP: no v1 %s\n", file);
}

static void limits(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/limits.3");
	struct cgroup_limits l = {
		.set = CGROUP_MEMORY_LIMIT | CGROUP_MEMORY_SWAP | CGROUP_CPU_SHARES |
	               CGROUP_CPU_QUOTA | CGROUP_CPU_PERIOD | CGROUP_PIDS_LIMIT |
	               CGROUP_CPUSET_CPUS,
		.memory_limit_bytes = 32 << 20,
		.memory_swap_bytes = 64 << 20,
		.cpu_shares = 512,
		.cpu_quota_us = 50000,
		.cpu_period_us = 100000,
		.pids_limit = 5,
		.cpuset_cpus = "0",
	};
	uint32_t missing = 0, possible = cgroups_possible(machine);
	ok(cgroup_apply(g, &l, &missing));
	for (uint32_t bit = 1; bit < 1U << CGROUP_LIMITS; bit <<= 1) {
		if (missing & bit)
			print_message("SKIP: %s\n", cgroup_limit_name((enum cgroup_limit)bit));
		if (l.set & bit & ~possible)
			assert_true(missing & bit); // said before, and said when it is tried
	}
	expect_v1("memory", "memory.limit_in_bytes", "33554432\n");
	expect_v1("cpu", "cpu.shares", "512\n");
	expect_v1("cpu", "cpu.cfs_quota_us", "50000\n");
	expect_v1("pids", "pids.max", "5\n");
	expect_v1("cpuset", "cpuset.cpus", "0\n");

	int pidfd = -1;
	pid_t pid = start(g, &pidfd);
	ok(cgroup_join(g, pid, true));
	struct cgroup_stats stats;
	ok(cgroup_read_stats(g, &stats));
	if (!(missing & CGROUP_PIDS_LIMIT)) {
		assert_true(stats.pids == 1 && stats.pids_limit == 5);
		assert_true(stats.known & CGROUP_STAT_PIDS);
	}
	if (!(missing & CGROUP_MEMORY_LIMIT))
		assert_true(stats.memory_limit_bytes == 32 << 20);
	l.memory_limit_bytes = 128 << 20; // over the old swap limit: the order turns round
	l.memory_swap_bytes = 256 << 20;
	ok(cgroup_apply(g, &l, &missing));
	expect_v1("memory", "memory.limit_in_bytes", "134217728\n");
	ok(cgroup_signal(g, SIGKILL));
	reap(pidfd);

	l = (struct cgroup_limits){.set = CGROUP_CPUSET_CPUS, .cpuset_cpus = "9-x"};
	auto_error struct error *e = cgroup_apply(g, &l, &missing);
	if (!(missing & CGROUP_CPUSET_CPUS)) {
		auto_free char *wanted = alloc_printf(
			"cgroup %s/default/limits.3: cpuset.cpus 9-x: Invalid argument", prefix);
		assert_non_null(e);
		assert_string_equal(e->message, wanted);
		assert_true(error_is(e, ERROR_INVALID));
	}
	ok(cgroup_remove(g, LONG_MS));
	assert_null(read_v1("memory", "", "memory.limit_in_bytes")); // parents went too
}

// Folders with these files, since few machines have BFQ, and none today what came before it.
static const struct weight_case {
	bool v2;
	const char *file; // that is there; NULL: none of them
	struct cgroup_weight weight;
	const char *wanted; // in it; NULL: it is missing
} weight_cases[] = {
	// clang-format off
	{false, "blkio.bfq.weight",        {false, false, 0, 0, 300}, "300"},
	{false, "blkio.weight",            {false, false, 0, 0, 300}, "300"},
	{false, "blkio.bfq.weight_device", {false, true,  8, 16, 10}, "8:16 10"},
	{false, "blkio.weight_device",     {false, true,  8, 16, 10}, "8:16 10"},
	{false, "blkio.leaf_weight",       {true,  false, 0, 0, 500}, "500"},
	{false, "blkio.leaf_weight_device", {true, true,  8, 0, 1000}, "8:0 1000"},
	{false, NULL,                      {false, true,  8, 16, 10}, NULL},
	{false, "blkio.weight_device",     {true,  true,  8, 16, 10}, NULL},
	{true,  "io.bfq.weight",           {false, false, 0, 0, 300}, "300"},
	{true,  "io.bfq.weight",           {false, true,  8, 16, 10}, "8:16 10"},
	{true,  "io.weight",               {false, false, 0, 0, 10}, "1"},
	{true,  "io.weight",               {false, true,  259, 3, 1000}, "259:3 10000"},
	{true,  "io.weight",               {true,  false, 0, 0, 500}, NULL},
	{true,  NULL,                      {false, false, 0, 0, 500}, NULL},
	// clang-format on
};

static void weight_is_written(int dirfd, const struct weight_case *w)
{
	char controllers[] = " io ", path[] = "g";
	struct cgroups c = {.v2 = dirfd, .is_v2_writable = true, .v2_controllers = controllers};
	for (size_t i = 0; i < V1_HIERARCHIES; i++)
		c.v1[i] = -1;
	if (!w->v2)
		c.v1[V1_BLKIO] = dirfd;
	struct cgroup g = {&c, path, openat(dirfd, "g", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	auto_fd int file =
		w->file ? openat(g.v2, w->file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600) : -1;
	uint32_t bit = w->weight.is_leaf ? CGROUP_BLKIO_LEAF_WEIGHTS : CGROUP_BLKIO_WEIGHTS;
	const struct cgroup_limits l = {.set = bit, .weights = &w->weight, .n_weights = 1};
	uint32_t missing = 0;
	struct error *e = cgroup_apply(&g, &l, &missing);
	char got[32] = "";
	ssize_t n = file < 0 ? 0 : pread(file, got, sizeof got - 1, 0);
	if (w->file)
		unlinkat(g.v2, w->file, 0);
	close(g.v2);
	ok(e);
	assert_true(n >= 0);
	assert_string_equal(got, w->wanted ? w->wanted : "");
	assert_int_equal(missing, w->wanted ? 0 : bit);
}

static void weights(void **state)
{
	(void)state;
	char folder[] = "/tmp/test-cgroup-XXXXXX";
	assert_non_null(mkdtemp(folder));
	auto_fd int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int control =
		openat(dirfd, "cgroup.subtree_control", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(mkdirat(dirfd, "g", 0700), 0);
	for (size_t i = 0; i < sizeof weight_cases / sizeof *weight_cases; i++)
		weight_is_written(dirfd, &weight_cases[i]);
	unlinkat(dirfd, "cgroup.subtree_control", 0);
	unlinkat(dirfd, "g", AT_REMOVEDIR);
	assert_int_equal(rmdir(folder), 0);
}

static int open_devices(int go)
{
	char byte;
	if (read(go, &byte, 1) != 1)
		return 100;
	int wrong = 0;
	wrong |= open("/dev/null", O_RDWR | O_CLOEXEC) < 0 ? 1 : 0;
	wrong |= open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0 ? 2 : 0;
	wrong |= open("/dev/zero", O_RDWR | O_CLOEXEC) >= 0 || errno != EPERM ? 4 : 0;
	wrong |= open("/dev/full", O_RDONLY | O_CLOEXEC) >= 0 || errno != EPERM ? 8 : 0;
	return wrong;
}

static const struct cgroup_device rules[] = {
	{false, 'a', -1, -1, true, true, true}, // as ctr's default begins
	{true, 'c', 1, 3, true, false, false},  // null in two steps
	{true, 'c', 1, 3, false, true, true},
	{true, 'a', 1, 5, true, false, false}, // zero, for reading; not "everything"
	{true, 'c', 136, -1, true, true, true},
};

static void check_devices(struct cgroup *g, uint32_t missing)
{
	if (missing) {
		ok(cgroup_remove(g, LONG_MS));
		print_message("SKIP: no device rules here\n");
		skip();
	}
	int go[2], pidfd = -1;
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	struct namespace_clone c = {.cgroup = cgroup_fd(g), .exit_signal = SIGCHLD};
	pid_t pid;
	assert_int_equal(namespace_clone(&c, &pid, &pidfd), 0);
	if (pid == 0) {
		close(go[1]);
		_exit(open_devices(go[0]));
	}
	ok(cgroup_join(g, pid, true));
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(reap(pidfd), 0);
	close(go[0]);
	close(go[1]);
	ok(cgroup_remove(g, LONG_MS));
}

static void devices(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/devices.4");
	struct cgroup_limits l = {.set = CGROUP_DEVICES, .devices = rules, .n_devices = 5};
	uint32_t missing = 0;
	ok(cgroup_apply(g, &l, &missing));
	check_devices(g, missing);
}

// As on a machine without v1.
static void devices_by_program(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/devices.6");
	struct cgroup_device bad = {true, 'c', INT64_C(1) << 40, 0, true, true, true};
	uint32_t missing = 0;
	auto_error struct error *e = cgroup_devices_attach(cgroup_fd(g), &bad, 1, &missing);
	assert_string_equal(e->message, "device 1099511627776:0: no such number");
	ok(cgroup_devices_attach(cgroup_fd(g), rules, 5, &missing));
	assert_true(!missing == cgroup_devices_possible());
	check_devices(g, missing);
	// The verifier takes the longest list, too.
	auto_cgroup struct cgroup *h = make("default/devices.7");
	struct cgroup_device *many = alloc_array(1025, sizeof(*many));
	for (int i = 0; i < 1025; i++)
		many[i] = (struct cgroup_device){i % 3 > 0, 'c', i, i, true, true, i < 960};
	ok(cgroup_devices_attach(cgroup_fd(h), many, 1024, &missing));
	assert_int_equal(missing, 0);
	auto_error struct error *f = cgroup_devices_attach(cgroup_fd(h), many, 1025, &missing);
	assert_string_equal(f->message, "more than 1024 device rules");
	free(many);
	ok(cgroup_remove(h, LONG_MS));
}

static void bad_unified(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *g = make("default/unified.5");
	static const char *const bad[] = {"../x.y", "cgroup.procs", "memory", ".x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct cgroup_file file = {bad[i], "1"};
		struct cgroup_limits l = {.set = CGROUP_UNIFIED, .unified = &file, .n_unified = 1};
		uint32_t missing;
		auto_error struct error *e = cgroup_apply(g, &l, &missing);
		assert_true(error_is(e, ERROR_INVALID));
		assert_non_null(strstr(e->message, "not a controller's file"));
	}
	ok(cgroup_remove(g, LONG_MS));
}

// Twelve at once make and remove groups with common parents.
static void many_at_once(void **state)
{
	(void)state;
	auto_cgroup struct cgroup *probe = make("race/probe");
	ok(cgroup_remove(probe, LONG_MS));
	pid_t children[12];
	for (int i = 0; i < 12; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		for (int j = 0; j < 30; j++) {
			struct cgroup *g = NULL;
			auto_free char *path = alloc_printf("%s/race/%d.%d", prefix, i, j);
			struct error *e = cgroup_create(machine, path, &g);
			if (!e)
				e = cgroup_remove(g, LONG_MS);
			if (e) {
				fprintf(stderr, "%s\n", e->message);
				_exit(1);
			}
		}
		_exit(0);
	}
	int bad = 0;
	for (int i = 0; i < 12; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		bad += status != 0;
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_enters),
		cmocka_unit_test(a_life),
		cmocka_unit_test(removed_by_another),
		cmocka_unit_test(nested_by_the_container),
		cmocka_unit_test(listed_for_gc),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(limits),
		cmocka_unit_test(weights),
		cmocka_unit_test(devices),
		cmocka_unit_test(devices_by_program),
		cmocka_unit_test(bad_unified),
		cmocka_unit_test(many_at_once),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
