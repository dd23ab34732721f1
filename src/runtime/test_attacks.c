// SPDX-License-Identifier: Apache-2.0
// Hostile images and volumes: the table of docs/design.md §6 and the runtime facts, row by row.
#include "runtime/test_fixture.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct fixture fixture;
static bool is_possible;

static void need_fixture(void)
{
	if (!is_possible)
		skip();
}

// A container whose topmost layer is the attacker's.
struct attack {
	struct life life;
	int evil;
	int lowers[2];
};

static struct attack *attack(const char *script)
{
	static struct attack a;
	static unsigned n;
	life_make(&fixture, &a.life, (const char *const[]){"sh", "-c", script, NULL});
	auto_free char *name = alloc_printf("evil%u", n++);
	assert_int_equal(mkdirat(fixture.dirfd, name, 0755), 0);
	a.evil = openat(fixture.dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	a.lowers[0] = a.evil;
	a.lowers[1] = fixture.lower;
	a.life.request.root.lowers = a.lowers;
	a.life.request.root.n_lowers = 2;
	return &a;
}

static void run(struct attack *a, struct outcome *o)
{
	life_run(&a->life, o);
	life_done(&fixture, &a->life);
	close(a->evil);
}

static void expect(struct attack *a, const char *out, int code)
{
	struct outcome o;
	run(a, &o);
	if (o.error || strcmp(o.out, out) != 0)
		printf("%s\n%s\n", o.error ? o.error->message : "", o.out);
	assert_null(o.error);
	assert_string_equal(o.out, out);
	assert_int_equal(o.code, code);
}

static void expect_error(struct attack *a, const char *message)
{
	struct outcome o;
	run(a, &o);
	if (!o.error)
		printf("%s\n", o.out);
	assert_non_null(o.error);
	assert_string_equal(o.error->message, message);
	error_free(o.error);
}

static char *outside(const char *name) // a host path that must not come to be
{
	return alloc_printf("%s/%s", fixture.dir, name);
}

static void expect_absent(const char *path)
{
	assert_int_equal(access(path, F_OK), -1);
}

// CVE-2023-27561, CVE-2019-19921, CVE-2023-28642, CVE-2026-41579: /proc, /sys, /dev as links.
static void test_linked_mount_points(void **state)
{
	(void)state;
	need_fixture();
	static const char *const names[] = {"proc", "sys", "dev"};
	static const char *const targets[] = {"/tmp", "../../../..", "bin", "/nosuch"};
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 4; k++) {
			struct attack *a = attack("true");
			assert_int_equal(symlinkat(targets[k], a->evil, names[i]), 0);
			auto_free char *message = alloc_printf(
				"\"/%s\" must be mounted on an ordinary directory", names[i]);
			expect_error(a, message);
		}
		struct attack *a = attack("true");
		int fd = openat(a->evil, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		close(fd);
		auto_free char *message =
			alloc_printf("\"/%s\" must be mounted on an ordinary directory", names[i]);
		expect_error(a, message);
	}
}

// CVE-2025-31133: masks come from the null device, whatever the image has at /dev/null.
static void test_planted_null(void **state)
{
	(void)state;
	need_fixture();
	for (int i = 0; i < 2; i++) {
		struct attack *a =
			attack("stat -c %t:%T /proc/keys; stat -L -c %t:%T /proc/self/fd/0");
		oci_spec_remove_mount(a->life.spec, "/dev");
		oci_spec_remove_mount(a->life.spec, "/dev/pts");
		oci_spec_remove_mount(a->life.spec, "/dev/shm");
		oci_spec_remove_mount(a->life.spec, "/dev/mqueue");
		assert_int_equal(mkdirat(a->evil, "dev", 0755), 0);
		if (i == 0) {
			expect(a, "1:3\n1:3\n", 0); // made where there is none
			continue;
		}
		assert_int_equal(symlinkat("/proc/sys/kernel/core_pattern", a->evil, "dev/null"),
		                 0);
		expect_error(a, "device /dev/null: File exists");
	}
	// With a /dev of our own what the image has there doesn't count.
	struct attack *a = attack("stat -c %t:%T /proc/keys /dev/null; readlink /dev/ptmx");
	assert_int_equal(mkdirat(a->evil, "dev", 0755), 0);
	assert_int_equal(symlinkat("/etc/passwd", a->evil, "dev/null"), 0);
	assert_int_equal(symlinkat("/etc/passwd", a->evil, "dev/ptmx"), 0);
	assert_int_equal(symlinkat("/etc/passwd", a->evil, "dev/pts"), 0);
	expect(a, "1:3\n1:3\npts/ptmx\n", 0);
}

// CVE-2024-45310, CVE-2021-30465: targets that lead out, or that don't exist.
static void test_mount_targets(void **state)
{
	(void)state;
	need_fixture();
	auto_free char *escaped = outside("escaped");
	auto_free char *link = alloc_printf("../../../../../../..%s", escaped);
	static const char *const directs[] = {"/v", "/v/deeper/still"};
	for (size_t i = 0; i < 4; i++) {
		// Inside the same path is made, in the container's own layer.
		auto_free char *script = alloc_printf(
			"test -d %s && grep -c ' %s' /proc/self/mountinfo", escaped, escaped);
		struct attack *a = attack(script);
		assert_int_equal(symlinkat(i < 2 ? link : escaped, a->evil, "v"), 0);
		oci_spec_add_mount(a->life.spec, directs[i % 2], "tmpfs", "tmpfs", "", ',');
		expect(a, "1\n", 0);
		expect_absent(escaped);
	}
	struct attack *a = attack("true");
	assert_int_equal(symlinkat("w", a->evil, "v"), 0);
	assert_int_equal(symlinkat("v", a->evil, "w"), 0);
	oci_spec_add_mount(a->life.spec, "/v/x", "tmpfs", "tmpfs", "", ',');
	expect_error(
		a,
		"error mounting \"tmpfs\" to rootfs at \"/v/x\": too many levels of symbolic links");
}

static void test_files_through_links(void **state)
{
	(void)state;
	need_fixture();
	auto_free char *escaped = outside("hosts");
	const struct runtime_file file = {"/etc/hosts", "ours\n", 5, 0644, false};
	struct attack *a = attack("cat /etc/hosts");
	assert_int_equal(mkdirat(a->evil, "etc", 0755), 0);
	assert_int_equal(symlinkat(escaped, a->evil, "etc/hosts"), 0);
	a->life.request.files = &file;
	a->life.request.n_files = 1;
	expect(a, "ours\n", 0);
	expect_absent(escaped);
}

// Magic links lead to descriptors of ours or to the host's root: never followed.
static void test_magic_links(void **state)
{
	(void)state;
	need_fixture();
	static const char *const links[] = {"/proc/self/root", "/proc/self/cwd", "/proc/1/root",
	                                    "/proc/self/fd/3"};
	for (size_t i = 0; i < 4; i++) {
		struct attack *a = attack("true");
		struct outcome o;
		assert_int_equal(symlinkat(links[i], a->evil, "v"), 0);
		oci_spec_add_mount(a->life.spec, "/v/x", "tmpfs", "tmpfs", "", ',');
		run(a, &o);
		assert_non_null(o.error);
		assert_non_null(
			strstr(o.error->message, "error mounting \"tmpfs\" to rootfs at \"/v/x\""));
		error_free(o.error);
	}
}

// CVE-2019-16884: nothing is mounted inside /proc, by its name or by a link.
static void test_mounts_in_proc(void **state)
{
	(void)state;
	need_fixture();
	struct attack *a = attack("true");
	oci_spec_add_mount(a->life.spec, "/proc/../proc/sys", "tmpfs", "tmpfs", "", ',');
	expect_error(a, "error mounting \"tmpfs\" to rootfs at \"/proc/../proc/sys\": "
	                "\"/proc/../proc/sys\" cannot be mounted because it is inside /proc");
	a = attack("true");
	oci_spec_remove_mount(a->life.spec, "/proc");
	oci_spec_add_mount(a->life.spec, "/proc", "bind", fixture.dir, "rbind", ',');
	struct outcome o;
	run(a, &o);
	assert_non_null(o.error);
	assert_non_null(strstr(o.error->message, "only a proc can be mounted there"));
	error_free(o.error);
	a = attack("true");
	assert_int_equal(symlinkat("/proc/sys", a->evil, "v"), 0);
	oci_spec_add_mount(a->life.spec, "/v", "tmpfs", "tmpfs", "", ',');
	expect_error(a, "error mounting \"tmpfs\" to rootfs at \"/v\": "
	                "it cannot be mounted because it is inside /proc");
	a = attack("cat /proc/uptime");
	auto_free char *file = outside("uptime");
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "1 1\n", 4), 4);
	close(fd);
	oci_spec_add_mount(a->life.spec, "/proc/uptime", "bind", file, "bind", ',');
	expect(a, "1 1\n", 0);
	unlink(file);
}

// CVE-2025-52881: sysctls are written through a proc of our own.
static void test_fake_proc(void **state)
{
	(void)state;
	need_fixture();
	struct attack *a = attack("cat /proc/sys/kernel/shm_rmid_forced");
	assert_int_equal(mkdirat(a->evil, "sys", 0755), 0);
	assert_int_equal(symlinkat("/etc", a->evil, "sys/kernel"), 0);
	oci_spec_set_pair(a->life.spec, &a->life.spec->linux_.sysctl, "kernel.shm_rmid_forced",
	                  "1");
	expect(a, "1\n", 0);
	a = attack("true");
	oci_spec_set_pair(a->life.spec, &a->life.spec->linux_.sysctl, "net/../kernel/core_pattern",
	                  "|/x");
	expect_error(a,
	             "sysctl \"net/../kernel/core_pattern\" is not in a separate kernel namespace");
}

// CVE-2024-21626: a working directory that is a descriptor of ours.
static void test_working_directory(void **state)
{
	(void)state;
	need_fixture();
	int leaked = open("/", O_RDONLY | O_DIRECTORY); // not close-on-exec
	for (int fd = 3; fd < 40; fd++) {
		struct outcome o;
		auto_free char *path = alloc_printf("/proc/self/fd/%d", fd);
		struct attack *a = attack("pwd; ls /");
		if (fd % 2)
			assert_int_equal(symlinkat(path, a->evil, "w"), 0);
		a->life.spec->process.cwd = oci_spec_string(a->life.spec, fd % 2 ? "/w" : path);
		run(a, &o);
		assert_non_null(o.error);
		assert_non_null(strstr(o.error->message, "working directory /"));
		error_free(o.error);
	}
	close(leaked);
}

// An image's passwd is foreign: a FIFO, a huge one, wild numbers, a link out.
static void test_passwd(void **state)
{
	(void)state;
	need_fixture();
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"root:x:18446744073709551616:0:::/evil:/bin/sh\n", "/\n"},
		{"root:x:-0:0::/evil:/bin/sh\n", "/\n"},
		{"root:x:4294967296:0::/evil:/bin/sh\n", "/\n"},
		{"root:x::0::/empty:/bin/sh\n", "/empty\n"},
		{":::::\n\n\nroot:x:0:0::/good", "/good\n"},
		{"root:x:0:0::", "/\n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct attack *a = attack("echo $HOME");
		assert_int_equal(mkdirat(a->evil, "etc", 0755), 0);
		int fd = openat(a->evil, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)),
		                 strlen(rows[i].text));
		close(fd);
		if (i == 3) // an empty number is 0 for nobody
			expect(a, "/\n", 0);
		else
			expect(a, rows[i].want, 0);
	}
	struct attack *a = attack("echo $HOME");
	assert_int_equal(mkdirat(a->evil, "etc", 0755), 0);
	assert_int_equal(mkfifoat(a->evil, "etc/passwd", 0644), 0);
	expect(a, "/\n", 0);
	a = attack("echo $HOME");
	assert_int_equal(mkdirat(a->evil, "etc", 0755), 0);
	int fd = openat(a->evil, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
	close(fd);
	expect(a, "/\n", 0);
	a = attack("echo $HOME");
	assert_int_equal(mkdirat(a->evil, "etc", 0755), 0);
	assert_int_equal(symlinkat("../../../../../../../etc/passwd", a->evil, "etc/passwd"), 0);
	expect(a, "/\n", 0); // a link to itself, inside
}

// CVE-2019-5736: our own executable never runs inside; what /proc/self/exe leads to is the
// monitor's read-only clone, which does nothing there and can't be written.
static void test_own_executable(void **state)
{
	(void)state;
	need_fixture();
	struct attack *a = attack("true");
	int fd = openat(a->evil, "again", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "#!/proc/self/exe\n", 17), 17);
	close(fd);
	oci_spec_set_strings(a->life.spec, &a->life.spec->process.args,
	                     (const char *const[]){"/again"}, 1);
	expect(a, "", 2);
	a = attack("true");
	oci_spec_set_strings(a->life.spec, &a->life.spec->process.args,
	                     (const char *const[]){"/proc/self/exe", "x"}, 2);
	expect(a, "", 2);
}

// A volume that another container changes all the time: what is mounted below it lands inside, or
// the start fails; the host sees nothing.
static void test_swapped_target(void **state)
{
	(void)state;
	need_fixture();
	auto_free char *volume = outside("shared"), *escaped = outside("escaped");
	assert_int_equal(mkdir(volume, 0755), 0);
	auto_fd int dirfd = open(volume, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dirfd, "a", 0755), 0);
	auto_free char *link = alloc_printf("../../../../../..%s", fixture.dir);
	assert_int_equal(symlinkat(link, dirfd, "b"), 0);
	pid_t swapper = fork();
	if (swapper == 0) {
		for (;;)
			ignore(renameat2(dirfd, "a", dirfd, "b", RENAME_EXCHANGE));
	}
	for (int i = 0; i < 40; i++) {
		struct attack *a = attack("true");
		struct outcome o;
		oci_spec_add_mount(a->life.spec, "/shared", "bind", volume, "rbind", ',');
		oci_spec_add_mount(a->life.spec, "/shared/a/escaped", "tmpfs", "tmpfs", "", ',');
		run(a, &o);
		error_free(o.error); // either is fine
		expect_absent(escaped);
	}
	kill(swapper, SIGKILL);
	waitpid(swapper, NULL, 0);
	assert_null(tree_remove(fixture.dirfd, "shared"));
}

// An exit code of 32 bits comes through a descriptor that init has, too: what it does to it neither
// holds the monitor nor makes a code of garbage.
static void test_exit_code_descriptor(void **state)
{
	(void)state;
	need_fixture();
	static const struct {
		const char *script;
		int code;
	} rows[] = {
		{"exit 3", 3},
		{"printf '\\1\\1\\0\\0\\0\\0\\0\\0' >&$CODE; exit 3", 256},
		{"printf '\\0\\0\\0\\0\\1\\0\\0\\0' >&$CODE; exit 3", -1},
		{"printf '\\1\\0\\0\\0\\1\\0\\0\\0' >&$CODE; exit 3", 3}, // too large
		{"printf '\\0\\0\\0\\0\\0\\0\\0\\0' >&$CODE; exit 3", 3},
		{"exec /blocks", 7},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct attack *a = attack(rows[i].script);
		a->life.request.code_variable = "CODE";
		auto_fd int from = open(BLOCKS_CODE, O_RDONLY | O_CLOEXEC);
		auto_fd int to = openat(a->evil, "blocks", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		assert_true(sendfile(to, from, NULL, INT32_MAX) > 0);
		fd_cleanup_(&to);
		to = -1;
		expect(a, "", rows[i].code);
	}
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
		cmocka_unit_test(test_linked_mount_points),
		cmocka_unit_test(test_planted_null),
		cmocka_unit_test(test_mount_targets),
		cmocka_unit_test(test_files_through_links),
		cmocka_unit_test(test_magic_links),
		cmocka_unit_test(test_mounts_in_proc),
		cmocka_unit_test(test_fake_proc),
		cmocka_unit_test(test_working_directory),
		cmocka_unit_test(test_passwd),
		cmocka_unit_test(test_own_executable),
		cmocka_unit_test(test_swapped_target),
		cmocka_unit_test(test_exit_code_descriptor),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
