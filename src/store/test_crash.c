// SPDX-License-Identifier: Apache-2.0
// Order on disk, death at every step, migrations, reboots.
//
// The calls that change files are replaced here by ones that write down what they do, or end the
// process at the n-th of them, as kill -9 would: SQLite's and sys/'s calls come here too.
#include "store/test_support.h"
#include <signal.h>
#include <sys/syscall.h>

static struct str record = STR_LIMIT(1 << 16);
static bool recording;
static int n_calls, die_at; // 0: never

static void step(const char *what, int fd, const char *name)
{
	n_calls++;
	if (die_at && n_calls == die_at)
		kill(getpid(), SIGKILL);
	if (!recording)
		return;
	auto_free char *path = NULL;
	auto_error struct error *e = name ? NULL : path_of_fd(fd, &path);
	const char *shown = name ? name : e ? "?" : strrchr(path, '/') + 1;
	str_printf(&record, "%s %.12s\n", what, shown);
}

int fdatasync(int fd)
{
	step("fdatasync", fd, NULL);
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	step("fsync", fd, NULL);
	return (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	step("syncfs", fd, NULL);
	return (int)syscall(SYS_syncfs, fd);
}

int linkat(int fromdir, const char *from, int todir, const char *to, int flags)
{
	step("link", -1, to);
	return (int)syscall(SYS_linkat, fromdir, from, todir, to, flags);
}

int renameat2(int fromdir, const char *from, int todir, const char *to, unsigned flags)
{
	step("rename", -1, to);
	return (int)syscall(SYS_renameat2, fromdir, from, todir, to, flags);
}

int renameat(int fromdir, const char *from, int todir, const char *to)
{
	return renameat2(fromdir, from, todir, to, 0);
}

int mkdirat(int dirfd, const char *name, mode_t mode)
{
	bool was = recording;
	recording = false; // steps to die at, but no part of the order
	step("mkdir", -1, name);
	recording = was;
	return (int)syscall(SYS_mkdirat, dirfd, name, mode);
}

int unlinkat(int dirfd, const char *name, int flags)
{
	bool was = recording;
	recording = false;
	step("unlink", -1, name);
	recording = was;
	return (int)syscall(SYS_unlinkat, dirfd, name, flags);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	bool was = recording;
	recording = false;
	step("write", fd, NULL);
	recording = was;
	return syscall(SYS_pwrite64, fd, bytes, size, at);
}

static void writes_before_it_names(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_snapshot(f->store, "first", NULL, STORE_COMMITTED)); // folders, databases
	record.size = 0;
	recording = true;
	assert_fine(put_image(f->store, "busybox", DIGEST("5")));
	recording = false;
	// The log's fdatasync is the row. What follows (writing the log back) isn't our promise.
	char *row = strstr(record.bytes, "fdatasync meta.db-wal\n");
	assert_non_null(row);
	*row = 0;
	assert_string_equal(record.bytes, "fdatasync index\n"
	                                  "fdatasync manifest\n"
	                                  "fdatasync config\n"
	                                  "fdatasync layer\n"
	                                  "syncfs root\n"
	                                  "fsync root\n"
	                                  "fsync content\n"
	                                  "fsync blobs\n"
	                                  "link 111111111111\n"
	                                  "link 222222222222\n"
	                                  "link 333333333333\n"
	                                  "link 444444444444\n"
	                                  "fsync sha256\n"
	                                  "rename 2\n"
	                                  "fsync overlayfs\n");
	str_done(&record);
}

static void syncs_no_file_system_for_empty_folders(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_snapshot(f->store, "first", NULL, STORE_COMMITTED));
	record.size = 0;
	recording = true;
	assert_fine(put_snapshot(f->store, "second", "first", STORE_ACTIVE));
	recording = false;
	assert_null(strstr(record.bytes, "syncfs"));
	assert_non_null(strstr(record.bytes, "fsync fs\nfsync new-"));
	str_done(&record);
}

// --- death ----------------------------------------------------------------------------------

static int live(const struct fixture *f)
{
	struct store *s;
	struct store_claim *claim;
	struct store_garbage *g;
	const struct store_container c = {.ns = "default",
	                                  .id = "web",
	                                  .instance = 7,
	                                  .snapshotter = "overlayfs",
	                                  .snapshot_key = "web"};
	if (store_open(&(struct store_options){.root = f->root, .state = f->state}, &s) ||
	    put_image(s, "busybox", DIGEST("5")) || store_claim(s, "default", "web", 0, &claim) ||
	    store_put_container(s, claim, &c) ||
	    put_snapshot(s, "web", DIGEST("5"), STORE_ACTIVE) ||
	    store_commit_snapshot(s, "default", "overlayfs", "web", "mine", NULL, 1, 1) ||
	    store_remove_image(s, "default", "busybox") || store_gc_run(s, 0, &g) ||
	    store_remove_container(s, "default", "web", 7) || store_claim_remove(claim))
		return 1;
	store_garbage_free(g);
	store_close(s);
	return 0;
}

static int live_and_pass(const struct fixture *f)
{
	struct store *s;
	struct store_claim *claim;
	int fs, work;
	const struct store_container c = {
		.ns = "default", .id = "web", .instance = 7, .life = STORE_PASSING};
	struct store_task t = {.ns = "default", .id = "web", .instance = 7, .upper = true};
	if (store_open(&(struct store_options){.root = f->root, .state = f->state}, &s) ||
	    store_claim(s, "default", "web", 0, &claim) || store_put_run(s, claim, &c, &t) ||
	    store_make_upper(s, 7, -1, &fs, &work))
		return 1;
	t.init_pid = 1;
	if (store_put_task(s, claim, &t) || store_trash_upper(s, 7) ||
	    store_remove_run(s, "default", "web", 7) || store_claim_remove(claim) ||
	    store_empty_trash(s))
		return 1;
	store_close(s);
	return 0;
}

// Lives until it lived whole, ended at the next step each time.
static int die_at_every_step(struct fixture *f, int (*life)(const struct fixture *f))
{
	store_close(f->store); // no connection over a fork
	f->store = NULL;
	int n = 1;
	for (int status = -1; status != 0; n++) {
		pid_t pid = fork();
		if (pid == 0) {
			n_calls = 0;
			die_at = n;
			_exit(life(f));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
			fail_msg("step %d: status %x", n, (unsigned)status);
		struct store *s = open_again(f);
		check_whole(s);
		clean_up(s);
		store_close(s);
	}
	f->store = open_again(f);
	return n - 1;
}

static void survives_death_at_every_step(void **arg)
{
	int n = die_at_every_step(*arg, live);
	print_message("%d steps\n", n);
	assert_true(n > 100);
}

static void survives_death_of_what_passes(void **arg)
{
	int n = die_at_every_step(*arg, live_and_pass);
	print_message("%d steps\n", n);
	assert_true(n > 15);
}

// --- databases ------------------------------------------------------------------------------

static const char *const versions[] = {
	"CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)",
	"ALTER TABLE t ADD COLUMN b INTEGER; UPDATE t SET b = a + 1",
	"CREATE TABLE u (a INTEGER); INSERT INTO nosuch VALUES (1)",
};
static const struct schema version_1 = {"v.db", versions, 1, true, 100};
static const struct schema version_2 = {"v.db", versions, 2, true, 100};
static const struct schema broken_3 = {"v.db", versions, 3, true, 100};

static void migrates_forward(void **arg)
{
	struct fixture *f = *arg;
	int dirfd = f->store->rootfd;
	struct database *d;
	assert_fine(database_open(&version_1, f->root, dirfd, dirfd, "id", &d));
	database_close(d);
	assert_fine(database_open(&version_2, f->root, dirfd, dirfd, "id", &d));
	bool has;
	assert_fine(database_has(d, "SELECT 1 FROM t WHERE b = 2", NO_VALUES, &has));
	assert_true(has);
	database_close(d);
	assert_error(database_open(&version_1, f->root, dirfd, dirfd, "id", &d), ERROR_UNSUPPORTED,
	             "v.db was made by a newer version (2, this one knows 1)");
	assert_error(database_open(&broken_3, f->root, dirfd, dirfd, "id", &d), ERROR_SYSTEM,
	             "version 3: v.db: no such table: nosuch");
	assert_fine(database_open(&version_2, f->root, dirfd, dirfd, "id", &d)); // undone whole
	assert_fine(
		database_has(d, "SELECT 1 FROM sqlite_schema WHERE name = 'u'", NO_VALUES, &has));
	assert_false(has);
	database_close(d);
}

static void names_a_damaged_file(void **arg)
{
	struct fixture *f = *arg;
	int dirfd = f->store->rootfd;
	write_file(dirfd, "v.db",
	           "This is not a database, and it is longer than a header of one "
	           "would be, so that it is looked at: 0123456789 0123456789");
	struct database *d;
	assert_error(database_open(&version_1, f->root, dirfd, dirfd, "id", &d), ERROR_CORRUPT,
	             "v.db is damaged: file is not a database");
}

static fallible wait_for_end(void *arg)
{
	char c;
	const int *ends = arg;
	if (write(ends[1], "x", 1) != 1 || read(ends[0], &c, 1) != 1)
		FAIL_ERRNO("pipe");
	return NULL;
}

static void says_who_is_busy(void **arg)
{
	struct fixture *f = *arg;
	int dirfd = f->store->rootfd;
	int go[2], ready[2];
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct database *mine;
		int ends[2] = {go[0], ready[1]};
		_exit(database_open(&version_1, f->root, dirfd, dirfd, "id", &mine) ||
		      database_transaction(mine, TRANSACTION_WRITE, wait_for_end, ends));
	}
	char c;
	assert_int_equal(read(ready[0], &c, 1), 1);
	struct database *d;
	assert_fine(database_open(&version_1, f->root, dirfd, dirfd, "id", &d));
	auto_free char *message =
		alloc_printf("the store is busy: process %d writes v.db", (int)pid);
	assert_error(database_transaction(d, TRANSACTION_WRITE, wait_for_end, NULL), ERROR_BUSY,
	             message);
	database_close(d);
	assert_int_equal(write(go[1], "x", 1), 1);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(ready[i]);
	}
}

// --- reboot ---------------------------------------------------------------------------------

static void forgets_the_state_of_another_boot(void **arg)
{
	struct fixture *f = *arg;
	struct store_claim *claim;
	assert_fine(store_claim(f->store, "default", "web", 0, &claim));
	const struct store_container c = {
		.ns = "default", .id = "web", .instance = 7, .life = STORE_PASSING};
	const struct store_task t = {.ns = "default", .id = "web", .instance = 7};
	assert_fine(store_put_run(f->store, claim, &c, &t));
	store_claim_release(claim);
	assert_int_equal(mkdirat(f->store->statefd, "foreign", 0700), 0);
	write_file(f->store->statefd, "foreign/file", "stays");
	write_file(f->store->statefd, ".boot", "00000000-0000-0000-0000-000000000000 x\n");
	store_close(f->store);
	f->store = open_again(f);
	struct store_tasks *tasks;
	assert_fine(store_list_tasks(f->store, NULL, &tasks));
	assert_int_equal(tasks->n, 0);
	store_tasks_free(tasks);
	struct store_container *found;
	assert_error(store_find_container(f->store, "default", "web", &found), ERROR_NOT_FOUND,
	             "container \"web\" in namespace \"default\": not found");
	struct stat st;
	assert_int_equal(fstatat(f->store->statefd, "default", &st, 0), -1);
	assert_int_equal(fstatat(f->store->statefd, "foreign/file", &st, 0), 0);
	auto_strings struct strings left = {0};
	assert_fine(store_list_at(f->store->statefd, ".", &left));
	for (size_t i = 0; i < left.n; i++)
		assert_false(text_starts(left.items[i], ".gone-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		STORE_TEST(writes_before_it_names),
		STORE_TEST(syncs_no_file_system_for_empty_folders),
		STORE_TEST(survives_death_at_every_step),
		STORE_TEST(survives_death_of_what_passes),
		STORE_TEST(migrates_forward),
		STORE_TEST(names_a_damaged_file),
		STORE_TEST(says_who_is_busy),
		STORE_TEST(forgets_the_state_of_another_boot),
	};
	return cmocka_run_group_tests_name("store: crashes", tests, NULL, NULL);
}
