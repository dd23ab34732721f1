// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define assert_ok(call)                               \
	do {                                          \
		struct error *ok_ = (call);           \
		if (ok_)                              \
			fail_msg("%s", ok_->message); \
	} while (0)
#define assert_fails(call, text)                          \
	do {                                              \
		auto_error struct error *bad_ = (call);   \
		assert_non_null(bad_);                    \
		assert_string_equal(bad_->message, text); \
	} while (0)

static int scratch = -1;
static char scratch_path[] = "/tmp/test-sys-XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(scratch_path))
		return -1;
	scratch = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(scratch);
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_error struct error *e = tree_remove(tmp, scratch_path + strlen("/tmp/"));
	return e ? -1 : 0;
}

static void publishing(void **state)
{
	(void)state;
	assert_ok(publish_bytes(scratch, "a", "one", 3, 0444, PUBLISH_DURABLE));
	assert_fails(publish_bytes(scratch, "a", "two", 3, 0444, 0), "a: rename to a: File exists");
	assert_ok(publish_bytes(scratch, "a", "three", 5, 0640, PUBLISH_REPLACE));
	auto_free char *text = NULL;
	size_t size;
	assert_ok(file_read(scratch, "a", 5, &text, &size));
	assert_string_equal(text, "three");
	assert_int_equal(size, 5);
	struct stat st;
	assert_int_equal(fstatat(scratch, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	uint64_t bytes, inodes;
	assert_ok(tree_usage(scratch, &bytes, &inodes));
	assert_int_equal(inodes, 2); // the folder and "a": no temporary file was left
}

static void reading_only_what_is_a_file(void **state)
{
	(void)state;
	auto_free char *text = NULL;
	assert_ok(publish_bytes(scratch, "file", "12345", 5, 0644, 0));
	assert_fails(file_read(scratch, "file", 4, &text, NULL), "file: larger than 4 bytes");
	assert_int_equal(symlinkat("file", scratch, "link"), 0);
	assert_fails(file_read(scratch, "link", 9, &text, NULL),
	             "open link: Too many levels of symbolic links");
	assert_int_equal(mkfifoat(scratch, "fifo", 0600), 0);
	assert_fails(file_read(scratch, "fifo", 9, &text, NULL), "fifo: not a regular file");
	auto_error struct error *e = file_read(scratch, "nosuch", 9, &text, NULL);
	assert_true(error_is(e, ERROR_NOT_FOUND));
}

static void paths_stay_inside(void **state)
{
	(void)state;
	auto_fd int root = -1, fd = -1;
	assert_ok(path_make_dir_at(scratch, "root", 0755, &root));
	assert_int_equal(symlinkat("/etc", root, "out"), 0);
	assert_int_equal(symlinkat("../../../../etc/passwd", root, "up"), 0);
	assert_int_equal(mkdirat(root, "etc", 0755), 0);
	assert_fails(path_open_beneath(root, "out/passwd", O_RDONLY, 0, &fd),
	             "open out/passwd: Too many levels of symbolic links");
	assert_fails(path_open_beneath(root, "../x", O_RDONLY, 0, &fd),
	             "open ../x: Invalid cross-device link");
	// Inside the root the same links lead to the root's own /etc, where there is no passwd.
	assert_fails(path_open_in_root(root, "/up", O_RDONLY, 0, &fd),
	             "open /up: No such file or directory");
	assert_fails(path_open_in_root(root, "/proc/self/exe", O_RDONLY, 0, &fd),
	             "open /proc/self/exe: No such file or directory");
	assert_ok(path_open_in_root(root, "out", O_RDONLY | O_DIRECTORY, 0, &fd));
}

static void folders_are_tightened(void **state)
{
	(void)state;
	auto_fd int fd = -1;
	assert_int_equal(mkdirat(scratch, "wide", 0700), 0);
	assert_int_equal(fchmodat(scratch, "wide", 0777, 0), 0);
	assert_ok(path_make_dir_at(scratch, "wide", 0711, &fd));
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

static void deep_trees_go(void **state)
{
	(void)state;
	auto_fd int fd = -1;
	assert_ok(path_make_dir_at(scratch, "deep", 0755, &fd));
	char name[201];
	memset(name, 'd', 200);
	name[200] = 0;
	for (int i = 0; i < 300; i++) { // 60,000 bytes of path
		int next = -1;
		assert_ok(path_make_dir_at(fd, name, 0755, &next));
		assert_ok(publish_bytes(next, "f", "", 0, 0600, 0));
		close(fd);
		fd = next;
	}
	auto_fd int top = openat(scratch, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes, inodes;
	assert_ok(tree_usage(top, &bytes, &inodes));
	assert_int_equal(inodes, 601);
	assert_ok(tree_remove(scratch, "deep"));
	assert_int_equal(faccessat(scratch, "deep", F_OK, 0), -1);
	assert_ok(tree_remove(scratch, "deep")); // not there: no error
}

enum { TREES = 1500, REMOVERS = 4 };

static int remove_each_tree(int parentfd)
{
	for (int i = 0; i < TREES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%d", i);
		auto_error struct error *e = tree_remove(parentfd, name);
		if (e)
			fprintf(stderr, "%s\n", e->message);
		if (e || faccessat(parentfd, name, F_OK, 0) == 0)
			return 1;
	}
	return 0;
}

// A collector and the owner may meet at one tree: each finds it gone in the end, and no error. Who
// is behind has less to do, and so they meet again and again.
// Makes a file in the folder as soon as it is empty, a few times.
static int write_late(int dir)
{
	for (int made = 0; made < 4;) {
		auto_strings struct strings names = {0};
		if (tree_names(dir, ".", &names))
			return 1;
		if (names.n)
			continue;
		int fd = openat(dir, "late", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno == ENOENT ? 0 : 1; // removed before we came to it
		close(fd);
		made++;
	}
	return 0;
}

static void late_writers_are_waited_out(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		auto_fd int top = -1;
		assert_ok(path_make_dir_at(scratch, "late", 0755, &top));
		assert_int_equal(mkdirat(top, "d", 0755), 0);
		pid_t pid = fork();
		if (!pid)
			_exit(write_late(top));
		assert_ok(tree_remove(scratch, "late"));
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void names_are_sorted_and_all_there(void **state)
{
	(void)state;
	auto_fd int top = -1;
	auto_strings struct strings names = {0}, none = {0};
	assert_ok(path_make_dir_at(scratch, "names", 0755, &top));
	static const char *const made[] = {"b", ".hidden", "..x", "a", "\xff"};
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		assert_int_equal(mkdirat(top, made[i], 0755), 0);
	for (int twice = 0; twice < 2; twice++) { // no offset of `top` moves
		strings_done(&names);
		assert_ok(tree_names(top, ".", &names));
		assert_int_equal(names.n, 5);
		static const char *const wanted[] = {"..x", ".hidden", "a", "b", "\xff"};
		for (size_t i = 0; i < names.n; i++)
			assert_string_equal(names.items[i], wanted[i]);
	}
	assert_ok(tree_names(scratch, "names/a", &none));
	assert_int_equal(none.n, 0);
	struct error *e = tree_names(scratch, "nosuch", &none);
	assert_true(error_is(e, ERROR_SYSTEM));
	error_free(e);
	assert_ok(tree_remove(scratch, "names"));
}

static void several_remove_one_tree(void **state)
{
	(void)state;
	auto_fd int all = -1;
	assert_ok(path_make_dir_at(scratch, "all", 0755, &all));
	for (int i = 0; i < TREES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%d", i);
		auto_fd int top = -1, below = -1;
		assert_ok(path_make_dir_at(all, name, 0755, &top));
		assert_ok(path_make_dir_at(top, "d", 0755, &below));
		assert_int_equal(mkdirat(below, "e", 0755), 0);
		assert_int_equal(mkdirat(below, "f", 0755), 0);
	}
	pid_t pids[REMOVERS];
	for (int i = 0; i < REMOVERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(remove_each_tree(all));
	}
	for (int i = 0; i < REMOVERS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_ok(tree_remove(scratch, "all"));
}

static void hard_links_count_once(void **state)
{
	(void)state;
	auto_fd int dir = -1;
	assert_ok(path_make_dir_at(scratch, "links", 0755, &dir));
	for (int i = 0; i < 200; i++) {
		char name[16], second[16];
		snprintf(name, sizeof(name), "a%d", i);
		snprintf(second, sizeof(second), "b%d", i);
		assert_ok(publish_bytes(dir, name, "x", 1, 0644, 0));
		assert_int_equal(linkat(dir, name, dir, second, 0), 0);
	}
	uint64_t bytes, inodes;
	assert_ok(tree_usage(dir, &bytes, &inodes));
	assert_int_equal(inodes, 201);
	assert_ok(tree_remove(scratch, "links"));
}

static int remove_around_a_mount(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	if (mkdirat(scratch, "m", 0755) || mkdirat(scratch, "m/a", 0755) ||
	    mkdirat(scratch, "m/a/mnt", 0755) || mkdirat(scratch, "m/b", 0755) ||
	    chdir(scratch_path) || mount("t", "m/a/mnt", "tmpfs", 0, NULL))
		return 77;
	if (mkdirat(scratch, "m/a/mnt/data", 0755))
		return 1;
	auto_error struct error *e = tree_remove(scratch, "m");
	if (!error_is(e, ERROR_BUSY) || !strstr(e->message, "mnt"))
		return 2;
	if (faccessat(scratch, "m/a/mnt/data", F_OK, 0))
		return 3;
	return faccessat(scratch, "m/b", F_OK, 0) ? 0 : 4; // the rest is gone
}

static void mounts_are_not_crossed(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (!pid)
		_exit(remove_around_a_mount());
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("SKIP: no mount namespace here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void locks(void **state)
{
	(void)state;
	auto_fd int a = openat(scratch, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_fd int b = openat(scratch, "lock", O_RDWR | O_CLOEXEC);
	assert_ok(lock_take(a, LOCK_EXCLUSIVE));
	assert_fails(lock_try(b, LOCK_EXCLUSIVE), "locked by another process");
	bool held;
	assert_ok(lock_is_held(b, LOCK_SHARED, &held));
	assert_true(held);
	assert_ok(lock_release(a));
	assert_ok(lock_try(b, LOCK_SHARED));
	assert_ok(lock_try(a, LOCK_SHARED));
}

static void processes(void **state)
{
	(void)state;
	uint64_t start;
	assert_ok(process_start_time(getpid(), &start));
	assert_true(process_is_alive(getpid(), start));
	assert_false(process_is_alive(getpid(), start + 1));
	assert_false(process_is_alive(-1, start));
	auto_fd int fd = -1;
	assert_ok(process_open(getpid(), start, &fd));
	auto_free char *text = alloc_printf("process %d has ended", (int)getpid());
	assert_fails(process_open(getpid(), start + 1, &fd), text);
	char id[BOOT_ID_SIZE], guid[37];
	assert_ok(boot_id(id));
	assert_int_equal(strlen(id), 36);
	random_guid(guid);
	assert_int_equal(strlen(guid), 36);
	assert_int_equal(guid[14], '4');
	int status;
	static const char *const yes[] = {"/bin/sh", "-c", "exit 7", NULL};
	static const char *const no[] = {"/nosuch", NULL};
	assert_ok(process_run(yes, NULL, NULL, &status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_ok(process_run(no, NULL, (const int[]){-1, -1, -1}, &status));
	assert_int_equal(WEXITSTATUS(status), 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishing),
		cmocka_unit_test(reading_only_what_is_a_file),
		cmocka_unit_test(paths_stay_inside),
		cmocka_unit_test(folders_are_tightened),
		cmocka_unit_test(deep_trees_go),
		cmocka_unit_test(several_remove_one_tree),
		cmocka_unit_test(late_writers_are_waited_out),
		cmocka_unit_test(names_are_sorted_and_all_there),
		cmocka_unit_test(hard_links_count_once),
		cmocka_unit_test(mounts_are_not_crossed),
		cmocka_unit_test(locks),
		cmocka_unit_test(processes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
