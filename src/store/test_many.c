// SPDX-License-Identifier: Apache-2.0
// Twelve processes at once.
#include "store/test_support.h"

enum { PROCESSES = 12 };

static void run_many(int (*body)(const struct fixture *f, int i), struct fixture *f)
{
	pid_t pids[PROCESSES];
	store_close(f->store);
	f->store = NULL;
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(body(f, i));
	}
	int failed = 0;
	for (int i = 0; i < PROCESSES; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		failed += status != 0;
	}
	f->store = open_again(f);
	assert_int_equal(failed, 0);
}

static int complain(struct error *e)
{
	fprintf(stderr, "%s\n", e->message);
	error_free(e);
	return 1;
}

static const char *const counter_versions[] = {"CREATE TABLE counter (n INTEGER NOT NULL);"
                                               "INSERT INTO counter VALUES (0)"};
static const struct schema counter_schema = {"counter.db", counter_versions, 1, true, 30000};

static fallible count_one(void *arg)
{
	auto_rows struct rows r = {0};
	TRY(database_query(arg, "SELECT n FROM counter", NO_VALUES, &r));
	bool has;
	TRY(rows_next(&r, &has));
	int64_t n = rows_number(&r, 0);
	return database_do(arg, "UPDATE counter SET n = ?", VALUES(NUMBER(n + 1)), NULL);
}

static fallible open_counter(const struct fixture *f, int dirfd, struct database **ret)
{
	return database_open(&counter_schema, f->root, dirfd, dirfd, "id", ret);
}

static int count(const struct fixture *f, int i)
{
	auto_fd int dirfd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int k = 0; k < 40; k++) {
		struct database *d;
		struct error *e = open_counter(f, dirfd, &d);
		if (e)
			return complain(e);
		e = database_transaction(d, i % 2 ? TRANSACTION_WRITE : TRANSACTION_DURABLE,
		                         count_one, d);
		database_close(d);
		if (e)
			return complain(e);
	}
	return 0;
}

static void counts_right(void **arg)
{
	struct fixture *f = *arg;
	run_many(count, f);
	struct database *d;
	assert_fine(open_counter(f, f->store->rootfd, &d));
	bool right;
	assert_fine(database_has(d, "SELECT 1 FROM counter WHERE n = ?",
	                         VALUES(NUMBER(PROCESSES * 40)), &right));
	assert_true(right);
	database_close(d);
}

static int publish_and_collect(const struct fixture *f, int i)
{
	struct store *s;
	struct error *e =
		store_open(&(struct store_options){.root = f->root, .state = f->state}, &s);
	for (int k = 0; k < 6 && !e; k++) {
		auto_free char *key = alloc_printf("s%d-%d", i, k);
		struct store_garbage *g;
		e = put_image(s, "busybox", DIGEST("5")); // the same for all
		if (!e)
			e = put_snapshot(s, key, NULL, STORE_COMMITTED);
		if (!e && i % 3 == 0 && !(e = store_gc_run(s, 0, &g)))
			store_garbage_free(g);
		if (!e && i % 3 == 1) {
			e = store_remove_image(s, "default", "busybox");
			if (error_is(e, ERROR_NOT_FOUND))
				error_drop(&e); // another one did
		}
	}
	if (e)
		return complain(e);
	store_close(s);
	return 0;
}

static void publishes_and_collects_at_once(void **arg)
{
	struct fixture *f = *arg;
	run_many(publish_and_collect, f);
	check_whole(f->store);
	clean_up(f->store);
}

static int start_and_stop(const struct fixture *f, int i)
{
	struct store *s;
	struct error *e =
		store_open(&(struct store_options){.root = f->root, .state = f->state}, &s);
	for (int k = 0; k < 10 && !e; k++) {
		auto_free char *id = alloc_printf("c%d", i);
		const uint64_t instance = random_u64();
		const struct store_container c = {
			.ns = "default", .id = id, .instance = instance, .life = STORE_PASSING};
		const struct store_task t = {.ns = "default",
		                             .id = id,
		                             .instance = instance,
		                             .snapshotter = "overlayfs",
		                             .layers = DIGEST("5")};
		struct store_claim *claim = NULL;
		struct store_garbage *g;
		int fs = -1, work = -1;
		if (i == 0) {
			if (!(e = store_gc_run(s, 0, &g)))
				store_garbage_free(g);
			continue;
		}
		e = store_claim(s, "default", id, STORE_CLAIM_WAIT, &claim);
		if (!e)
			e = store_put_run(s, claim, &c, &t);
		if (!e)
			e = store_make_upper(s, instance, -1, &fs, &work);
		if (!e)
			e = store_trash_upper(s, instance);
		if (!e)
			e = store_remove_run(s, "default", id, instance);
		if (!e)
			e = store_claim_remove(claim);
		if (!e)
			e = store_empty_trash(s);
		close(fs);
		close(work);
	}
	if (e)
		return complain(e);
	store_close(s);
	return 0;
}

static void starts_beside_a_collector(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_image(f->store, "busybox", DIGEST("5")));
	run_many(start_and_stop, f);
	struct store_garbage *g;
	assert_fine(store_gc_run(f->store, STORE_GC_CHECK, &g));
	assert_int_equal(g->n, 0);
	store_garbage_free(g);
}

static int claim_and_go(const struct fixture *f, int i)
{
	struct store *s;
	struct error *e =
		store_open(&(struct store_options){.root = f->root, .state = f->state}, &s);
	for (int k = 0; k < 30 && !e; k++) {
		struct store_claim *claim;
		e = store_claim(s, "default", "web", STORE_CLAIM_WAIT, &claim);
		if (e)
			break;
		// Nobody else is inside.
		auto_fd int fd = openat(s->rootfd, "inside", O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || unlinkat(s->rootfd, "inside", 0) < 0)
			return 1;
		if ((i + k) % 3)
			e = store_claim_remove(claim);
		else
			store_claim_release(claim);
	}
	if (e)
		return complain(e);
	store_close(s);
	return 0;
}

static void claims_one_at_a_time(void **arg)
{
	struct fixture *f = *arg;
	run_many(claim_and_go, f);
}

static int make_the_store(const struct fixture *f, int i)
{
	struct store *s;
	struct error *e =
		store_open(&(struct store_options){.root = f->root, .state = f->state}, &s);
	auto_free char *key = alloc_printf("s%d", i);
	if (!e)
		e = put_snapshot(s, key, NULL, STORE_ACTIVE);
	struct store_tasks *tasks;
	if (!e && !(e = store_list_tasks(s, NULL, &tasks)))
		store_tasks_free(tasks);
	return e ? complain(e) : 0;
}

static void makes_one_store(void **arg)
{
	struct fixture *f = *arg;
	run_many(make_the_store, f); // none of the databases was there
	struct store_snapshots *list;
	assert_fine(store_list_snapshots(f->store, "default", "overlayfs", &list));
	assert_int_equal(list->n, PROCESSES);
	store_snapshots_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		STORE_TEST(counts_right),
		STORE_TEST(publishes_and_collects_at_once),
		STORE_TEST(starts_beside_a_collector),
		STORE_TEST(claims_one_at_a_time),
		STORE_TEST(makes_one_store),
	};
	return cmocka_run_group_tests_name("store: many at once", tests, NULL, NULL);
}
