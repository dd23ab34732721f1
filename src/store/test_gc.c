// SPDX-License-Identifier: Apache-2.0
// What a collection takes, and what it leaves.
#include "store/test_support.h"

static char *shown(const struct store_garbage *g)
{
	struct str text = STR_LIMIT(1 << 16);
	for (size_t i = 0; i < g->n; i++)
		str_printf(&text, "%s %s: %s\n", g->items[i].kind, g->items[i].name,
		           g->items[i].reason);
	return str_take(&text);
}

static void expect(struct fixture *f, const char *wanted)
{
	for (int take_it = 0; take_it < 2; take_it++) { // what is said is what is done
		struct store_garbage *g;
		if (take_it)
			assert_fine(store_gc_run(f->store, STORE_GC_CHECK, &g));
		else
			assert_fine(store_gc_plan(f->store, 0, &g));
		auto_free char *text = shown(g);
		store_garbage_free(g);
		assert_string_equal(text, wanted);
	}
	struct store_garbage *nothing;
	assert_fine(store_gc_run(f->store, 0, &nothing));
	assert_int_equal(nothing->n, 0);
	store_garbage_free(nothing);
}

static void keeps_what_images_need(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_image(f->store, "busybox", DIGEST("5")));
	assert_fine(store_tag_image(f->store, "default", "busybox", "second", false));
	expect(f, "");
	assert_fine(store_remove_image(f->store, "default", "busybox"));
	expect(f, "");
	assert_fine(store_remove_image(f->store, "default", "second"));
	expect(f,
	       "snapshot " DIGEST(
		       "5") ": no image, container, lease or label refers to it\n"
	                    "blob " DIGEST(
				    "1") ": no image, lease or label refers to it\n"
	                                 "blob " DIGEST(
						 "2") ": no image, lease or label refers to it\n"
	                                              "blob " DIGEST(
							      "3") ": no image, lease or label refers to it\n"
	                                                           "blob " DIGEST(
									   "4") ": no image, lease or label refers to it\n");
	assert_false(is_there(f, "content/blobs/sha256/" HEX("1")));
	assert_false(is_there(f, "snapshots/overlayfs/1"));
	struct database *meta;
	assert_fine(store_meta(f->store, &meta));
	static const char *const tables[] = {
		"SELECT 1 FROM blobs",  "SELECT 1 FROM blob_references", "SELECT 1 FROM manifests",
		"SELECT 1 FROM layers", "SELECT 1 FROM targets",         "SELECT 1 FROM snapshots",
		"SELECT 1 FROM labels",
	};
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		bool has;
		assert_fine(database_has(meta, tables[i], NO_VALUES, &has));
		assert_false(has);
	}
}

static void keeps_what_leases_and_labels_name(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_image(s, "busybox", DIGEST("5")));
	assert_fine(store_remove_image(s, "default", "busybox"));
	assert_fine(put_snapshot(s, "mnt", DIGEST("5"), STORE_ACTIVE));
	const struct store_resource r[] = {{STORE_SNAPSHOT, "overlayfs", "mnt"},
	                                   {STORE_BLOB, "", DIGEST("2")}};
	const struct store_lease lease = {.id = "l",
	                                  .expires_ns = store_now_ns() + 60000000000,
	                                  .resources = r,
	                                  .n_resources = 2};
	assert_fine(store_create_lease(s, "default", &lease));
	expect(f, "blob " DIGEST("1") ": no image, lease or label refers to it\n");
	const struct store_label root = {"containerd.io/gc.root", "now"};
	assert_fine(store_set_labels(s, STORE_SNAPSHOT, "default", "overlayfs", "mnt",
	                             &(struct store_labels){&root, 1}, NULL));
	assert_fine(store_set_labels(s, STORE_BLOB, "default", NULL, DIGEST("4"),
	                             &(struct store_labels){&root, 1}, NULL));
	assert_fine(store_remove_lease(s, "default", "l"));
	const struct store_lease expired = {
		.id = "old", .expires_ns = 1, .resources = r, .n_resources = 2};
	assert_fine(store_create_lease(s, "default", &expired));
	expect(f,
	       "lease old: expired\n"
	       "blob " DIGEST("2") ": no image, lease or label refers to it\n"
	                           "blob " DIGEST("3") ": no image, lease or label refers to it\n");
	struct store_snapshots *list;
	assert_fine(store_list_snapshots(s, "default", "overlayfs", &list));
	assert_int_equal(list->n, 2);
	store_snapshots_free(list);
}

static void keeps_snapshots_of_containers(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_snapshot(s, "base", NULL, STORE_COMMITTED));
	assert_fine(put_snapshot(s, "web", "base", STORE_ACTIVE));
	assert_fine(put_snapshot(s, "stray", "base", STORE_ACTIVE));
	struct store_claim *claim;
	assert_fine(store_claim(s, "default", "web", 0, &claim));
	const struct store_container c = {.ns = "default",
	                                  .id = "web",
	                                  .instance = 1,
	                                  .snapshotter = "overlayfs",
	                                  .snapshot_key = "web"};
	assert_fine(store_put_container(s, claim, &c));
	expect(f, "snapshot stray: no image, container, lease or label refers to it\n");
	assert_fine(store_remove_container(s, "default", "web", 1));
	assert_fine(store_claim_remove(claim));
	expect(f, "snapshot base: no image, container, lease or label refers to it\n"
	          "snapshot web: no image, container, lease or label refers to it\n");
}

static void keeps_blobs_of_another_namespace(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_image(s, "busybox", NULL));
	struct store_session *x;
	assert_fine(store_begin_session(s, &x));
	const struct store_new_blob blob = {.descriptor = {"text", DIGEST("4"), 5}};
	const struct store_label root = {"containerd.io/gc.root", "now"};
	assert_fine(store_publish(
		x, &(struct store_publication){.ns = "other", .blobs = &blob, .n_blobs = 1}));
	assert_fine(store_end_session(x));
	assert_fine(store_set_labels(s, STORE_BLOB, "other", NULL, DIGEST("4"),
	                             &(struct store_labels){&root, 1}, NULL));
	assert_fine(store_remove_image(s, "default", "busybox"));
	struct store_garbage *g;
	assert_fine(store_gc_run(s, 0, &g));
	assert_int_equal(g->n, 4);
	store_garbage_free(g);
	assert_true(is_there(f, "content/blobs/sha256/" HEX("4")));
	assert_false(is_there(f, "content/blobs/sha256/" HEX("3")));
}

static void takes_files_without_rows(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_image(s, "busybox", DIGEST("5")));
	auto_fd int blobs = -1, ingest = -1, upper = -1, work = -1, trash = -1;
	assert_fine(store_blob_folder(s, &blobs));
	write_file(blobs, HEX("e"), "no row");
	write_file(blobs, "foreign.txt", "stays");
	assert_int_equal(mkdirat(s->rootfd, "snapshots/overlayfs/77", 0700), 0);
	assert_int_equal(mkdirat(s->rootfd, "snapshots/overlayfs/mine", 0700), 0);
	assert_int_equal(mkdirat(s->rootfd, "snapshots/new-0123456789abcdef-0", 0700), 0);
	assert_fine(store_folder(s, "content/ingest/0123456789abcdef", &ingest));
	write_file(ingest, "lock", "");
	assert_fine(store_make_upper(s, 0xdead, -1, &upper, &work));
	assert_fine(store_folder(s, "trash/x", &trash));
	struct store_claim *claim;
	assert_fine(store_claim(s, "default", "gone", 0, &claim));
	store_claim_release(claim);
	assert_fine(store_claim(s, "default", "busy", 0, &claim)); // somebody is at it
	struct store_session *living;
	assert_fine(store_begin_session(s, &living));
	size_t layer;
	auto_fd int dirfd = -1;
	assert_fine(store_session_layer(living, &layer, &dirfd));

	struct store_garbage *g;
	assert_fine(store_gc_plan(s, 0, &g));
	auto_free char *text = shown(g);
	store_garbage_free(g);
	assert_string_equal(
		text,
		"snapshot folder new-0123456789abcdef-0: the process that made it died\n"
		"snapshot folder overlayfs/77: no row names it\n"
		"session 0123456789abcdef: its process died\n"
		"blob file " DIGEST("e") ": no row names it\n"
					 "writable layer 000000000000dead: its container is gone\n"
					 "state folder default/gone: no container has this ID\n"
					 "trash x: removed before\n");
	assert_fine(store_gc_run(s, 0, &g));
	assert_int_equal(g->n, 6);
	store_garbage_free(g);
	assert_fine(store_gc_run(s, 0, &g));
	assert_int_equal(g->n, 0);
	store_garbage_free(g);
	assert_true(is_there(f, "content/blobs/sha256/foreign.txt"));
	assert_true(is_there(f, "snapshots/overlayfs/mine"));
	auto_strings struct strings left = {0};
	assert_fine(store_list_at(s->rootfd, "trash", &left));
	assert_int_equal(left.n, 0);
	assert_int_equal(fstatat(s->statefd, "default/busy/lock", &(struct stat){0}, 0), 0);
	assert_int_equal(fstatat(s->statefd, "default/gone", &(struct stat){0}, 0), -1);
	store_claim_release(claim);
	assert_fine(store_end_session(living));
}

static void collects_dead_sessions_when_asked(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	struct store_session *living;
	assert_fine(store_begin_session(s, &living));
	assert_fine(store_collect_dead_sessions(s)); // none: nothing is touched
	auto_fd int dead = -1;
	assert_fine(store_folder(s, "content/ingest/0123456789abcdef", &dead));
	write_file(dead, "lock", "");
	assert_fine(store_collect_dead_sessions(s));
	assert_false(is_there(f, "content/ingest/0123456789abcdef"));
	auto_strings struct strings left = {0};
	assert_fine(store_list_at(s->rootfd, "content/ingest", &left));
	assert_int_equal(left.n, 1);
	assert_fine(store_end_session(living));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		STORE_TEST(keeps_what_images_need),
		STORE_TEST(keeps_what_leases_and_labels_name),
		STORE_TEST(keeps_snapshots_of_containers),
		STORE_TEST(keeps_blobs_of_another_namespace),
		STORE_TEST(takes_files_without_rows),
		STORE_TEST(collects_dead_sessions_when_asked),
	};
	return cmocka_run_group_tests_name("store: garbage", tests, NULL, NULL);
}
