// SPDX-License-Identifier: Apache-2.0
// One suite for every driver, and what is each driver's own. After an idea of containerd's
// core/snapshots/testsuite.
#include "base/text.h"
#include "snapshot/snapshot.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka last: it wants the headers above
#include <cmocka.h>

static const char *driver; // the suite runs once for each

struct fixture {
	char folder[64];
	char *root, *state;
	struct store *store;
	struct snapshots *s;
};

#define assert_fine(call)                                                           \
	do {                                                                        \
		struct error *error_ = (call);                                      \
		if (error_)                                                         \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, error_->message); \
	} while (0)

#define assert_error(call, wanted_code, wanted_message)                  \
	do {                                                             \
		struct error *error_ = (call);                           \
		if (!error_)                                             \
			fail_msg("%s:%d: no error", __FILE__, __LINE__); \
		assert_string_equal(error_->message, wanted_message);    \
		assert_int_equal(error_->code, wanted_code);             \
		error_free(error_);                                      \
	} while (0)

static int set_up(void **arg)
{
	struct fixture *f = alloc(sizeof(*f));
	snprintf(f->folder, sizeof(f->folder), "/tmp/coracle-snapshot-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	f->root = alloc_printf("%s/root", f->folder);
	f->state = alloc_printf("%s/state", f->folder);
	assert_fine(
		store_open(&(struct store_options){.root = f->root, .state = f->state}, &f->store));
	assert_fine(snapshots_open(f->store, "default", driver, &f->s));
	*arg = f;
	return 0;
}

static int tear_down(void **arg)
{
	struct fixture *f = *arg;
	snapshots_close(f->s);
	store_close(f->store);
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_error struct error *e = tree_remove(tmp, f->folder + sizeof("/tmp/") - 1);
	free(f->root);
	free(f->state);
	free(f);
	return e ? -1 : 0;
}

static bool is_native(const struct fixture *f)
{
	return snapshots_copies(f->s);
}

// Writes a file into the tree of the active snapshot.
static void write_into(struct fixture *f, const char *key, const char *name, const char *text)
{
	struct snapshot_active *a;
	assert_fine(snapshots_open_active(f->s, key, &a));
	auto_fd int fd = openat(a->fs, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_fine(fd_write_all(fd, text, strlen(text)));
	snapshot_active_free(a);
}

// base, then top on it, both committed.
static void make_two_layers(struct fixture *f)
{
	assert_fine(snapshots_prepare(f->s, "w1", NULL, NULL, NULL));
	write_into(f, "w1", "a", "one");
	assert_fine(snapshots_commit(f->s, "base", "w1", NULL));
	assert_fine(snapshots_prepare(f->s, "w2", "base", NULL, NULL));
	write_into(f, "w2", "b", "two");
	assert_fine(snapshots_commit(f->s, "top", "w2", NULL));
}

static char *text_of(const struct snapshot_mounts *m)
{
	struct str text = STR_LIMIT(1 << 16);
	for (size_t i = 0; i < m->n; i++) {
		str_printf(&text, "%s|%s|%s|", m->items[i].type, m->items[i].source,
		           m->items[i].target);
		for (size_t j = 0; j < m->items[i].n_options; j++)
			str_printf(&text, "%s;", m->items[i].options[j]);
	}
	return str_take(&text);
}

static void check_mounts(struct fixture *f, const char *key, const char *wanted)
{
	struct snapshot_mounts *m;
	assert_fine(snapshots_mounts(f->s, key, &m));
	auto_free char *text = text_of(m);
	snapshot_mounts_free(m);
	assert_string_equal(text, wanted);
}

// --- for every driver -----------------------------------------------------------------------

static void has_a_name(void **arg)
{
	struct fixture *f = *arg;
	assert_string_equal(snapshots_name(f->s), driver);
	struct snapshots *s;
	assert_error(snapshots_open(f->store, "default", "nosuch", &s), ERROR_INVALID,
	             "snapshotter not loaded: nosuch: invalid argument");
	assert_fine(snapshots_open(f->store, "default", NULL, &s));
	assert_string_equal(snapshots_name(s), "overlayfs");
	snapshots_close(s);
}

static void prepares_and_commits(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	struct store_snapshots *list;
	assert_fine(snapshots_list(f->s, &list));
	assert_int_equal(list->n, 2);
	assert_string_equal(list->items[0].key, "base");
	assert_string_equal(list->items[0].parent, "");
	assert_int_equal(list->items[0].kind, STORE_COMMITTED);
	assert_string_equal(list->items[1].key, "top");
	assert_string_equal(list->items[1].parent, "base");
	store_snapshots_free(list);
	struct snapshot_layers *l;
	assert_fine(snapshots_open_layers(f->s, "top", &l));
	assert_int_equal(l->n, is_native(f) ? 1 : 2);
	assert_int_equal(faccessat(l->fds[0], "b", F_OK, 0), 0);
	assert_int_equal(faccessat(l->fds[l->n - 1], "a", F_OK, 0), 0);
	snapshot_layers_free(l);
	assert_fine(snapshots_open_layers(f->s, "", &l));
	assert_int_equal(l->n, 0);
	snapshot_layers_free(l);
}

static void says_what_is_wrong(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	struct snapshot_mounts *m = NULL;
	struct snapshot_active *a;
	struct snapshot_layers *l;
	struct store_snapshot *row;
	uint64_t size_bytes, n_inodes;
	assert_fine(snapshots_prepare(f->s, "s1", "top", NULL, NULL));
	assert_error(snapshots_prepare(f->s, "s1", "top", NULL, NULL), ERROR_EXISTS,
	             "snapshot \"s1\": already exists");
	assert_error(snapshots_view(f->s, "base", "top", NULL, NULL), ERROR_EXISTS,
	             "snapshot \"base\": already exists");
	assert_error(snapshots_prepare(f->s, "s5", "nosuch", NULL, NULL), ERROR_NOT_FOUND,
	             "parent snapshot nosuch does not exist: not found");
	assert_error(snapshots_prepare(f->s, "s6", "s1", NULL, NULL), ERROR_INVALID,
	             "parent \"s1\" is not committed snapshot: invalid argument");
	assert_error(snapshots_prepare(f->s, "", NULL, NULL, NULL), ERROR_INVALID,
	             "snapshot key of 0 bytes: invalid argument");
	assert_error(snapshots_mounts(f->s, "nosuch", &m), ERROR_NOT_FOUND,
	             "snapshot nosuch does not exist: not found");
	assert_error(snapshots_mounts(f->s, "base", &m), ERROR_INVALID,
	             "snapshot base is committed: failed precondition");
	assert_error(snapshots_open_active(f->s, "base", &a), ERROR_INVALID,
	             "snapshot base is committed: failed precondition");
	assert_error(snapshots_open_layers(f->s, "nosuch", &l), ERROR_NOT_FOUND,
	             "snapshot nosuch does not exist: not found");
	assert_error(snapshots_stat(f->s, "nosuch", &row), ERROR_NOT_FOUND,
	             "snapshot nosuch does not exist: not found");
	assert_error(snapshots_usage(f->s, "nosuch", &size_bytes, &n_inodes), ERROR_NOT_FOUND,
	             "snapshot nosuch does not exist: not found");
	assert_error(snapshots_commit(f->s, "base", "s1", NULL), ERROR_EXISTS,
	             "snapshot \"base\": already exists");
	assert_error(snapshots_commit(f->s, "c3", "nosuch", NULL), ERROR_NOT_FOUND,
	             "snapshot nosuch does not exist: not found");
	assert_error(snapshots_commit(f->s, "c2", "base", NULL), ERROR_INVALID,
	             "failed to commit snapshot default/1/base: snapshot \"default/1/base\" is not "
	             "active: failed precondition");
	assert_error(snapshots_remove(f->s, "base"), ERROR_BUSY,
	             "failed to remove \"base\": cannot remove snapshot with child: failed "
	             "precondition");
	assert_error(snapshots_remove(f->s, "nosuch"), ERROR_NOT_FOUND,
	             "failed to remove \"nosuch\": snapshot nosuch does not exist: not found");
	assert_null(m);
}

static void removes_from_the_top(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	assert_fine(snapshots_view(f->s, "v", "top", NULL, NULL));
	assert_fine(snapshots_remove(f->s, "v"));
	assert_fine(snapshots_remove(f->s, "top"));
	assert_fine(snapshots_remove(f->s, "base"));
	assert_fine(store_empty_trash(f->store));
	struct store_snapshots *list;
	assert_fine(snapshots_list(f->s, &list));
	assert_int_equal(list->n, 0);
	store_snapshots_free(list);
	auto_free char *path = alloc_printf("%s/snapshots/%s", f->root, driver);
	assert_int_equal(rmdir(path), 0); // nothing is left in it
}

static void keeps_views_and_layers_as_they_are(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	assert_fine(snapshots_prepare(f->s, "work", "top", NULL, NULL));
	write_into(f, "work", "a", "changed");
	struct snapshot_layers *l;
	assert_fine(snapshots_open_layers(f->s, "top", &l));
	auto_free char *text = NULL;
	auto_fd int dirfd = openat(l->fds[l->n - 1], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_fine(file_read(dirfd, "a", 16, &text, NULL));
	assert_string_equal(text, "one");
	snapshot_layers_free(l);
}

static void gives_the_root_the_attributes_below(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(snapshots_prepare(f->s, "w", NULL, NULL, NULL));
	struct snapshot_active *a;
	assert_fine(snapshots_open_active(f->s, "w", &a));
	assert_int_equal(fchmodat(a->fs, ".", 0555, 0), 0);
	snapshot_active_free(a);
	assert_fine(snapshots_commit(f->s, "base", "w", NULL));
	assert_fine(snapshots_prepare(f->s, "c", "base", NULL, NULL));
	assert_fine(snapshots_open_active(f->s, "c", &a));
	struct stat st;
	assert_int_equal(fstat(a->fs, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	snapshot_active_free(a);
}

static void counts_usage(void **arg)
{
	struct fixture *f = *arg;
	uint64_t size_bytes, n_inodes;
	make_two_layers(f);
	assert_fine(snapshots_usage(f->s, "base", &size_bytes, &n_inodes));
	assert_int_equal(n_inodes, 2);
	assert_fine(snapshots_usage(f->s, "top", &size_bytes, &n_inodes));
	assert_int_equal(n_inodes, is_native(f) ? 3 : 2);
	assert_fine(snapshots_prepare(f->s, "s", NULL, NULL, NULL));
	assert_fine(snapshots_usage(f->s, "s", &size_bytes, &n_inodes));
	assert_int_equal(n_inodes, 1);
}

static void draws_the_tree(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	assert_fine(snapshots_prepare(f->s, "z", NULL, NULL, NULL));
	assert_fine(snapshots_prepare(f->s, "m", "base", NULL, NULL));
	assert_fine(snapshots_view(f->s, "k", "top", NULL, NULL));
	struct store_snapshots *list;
	assert_fine(snapshots_list(f->s, &list));
	auto_free struct snapshot_tree_row *rows = snapshots_tree(list);
	auto_str struct str text = STR_LIMIT(1024);
	for (size_t i = 0; i < list->n; i++)
		str_printf(&text, "%zu%s ", rows[i].depth, list->items[rows[i].i].key);
	store_snapshots_free(list);
	assert_string_equal(text.bytes, "0base 1m 1top 2k 0z ");
}

static void keeps_namespaces_apart(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	struct snapshots *other;
	assert_fine(snapshots_open(f->store, "elsewhere", driver, &other));
	struct store_snapshots *list;
	assert_fine(snapshots_list(other, &list));
	assert_int_equal(list->n, 0);
	store_snapshots_free(list);
	assert_error(snapshots_prepare(other, "x", "top", NULL, NULL), ERROR_NOT_FOUND,
	             "parent snapshot top does not exist: not found");
	assert_fine(snapshots_prepare(other, "top", NULL, NULL, NULL));
	snapshots_close(other);
}

static void sets_labels(void **arg)
{
	struct fixture *f = *arg;
	const struct store_label root = {"containerd.io/gc.root", "2026-11-24T23:11:06Z"};
	const struct store_label more[] = {{"a", "1"}, {"b", "2"}};
	assert_fine(snapshots_prepare(f->s, "s2", NULL, &(struct store_labels){&root, 1}, NULL));
	struct store_labelled *all;
	assert_fine(snapshots_set_labels(f->s, "s2", &(struct store_labels){more, 2}, &all));
	assert_int_equal(all->labels.n, 3);
	assert_string_equal(all->labels.items[2].key, "containerd.io/gc.root");
	store_labelled_free(all);
	assert_fine(snapshots_commit(f->s, "c", "s2", NULL)); // labels aren't inherited
	struct store_snapshot *row;
	assert_fine(snapshots_stat(f->s, "c", &row));
	assert_int_equal(row->labels.n, 0);
	store_snapshot_free(row);
}

static void unpacks_layers(void **arg)
{
	struct fixture *f = *arg;
	struct store_session *x;
	assert_fine(store_begin_session(f->store, &x));
	struct snapshot_new_layer lower, upper;
	assert_fine(snapshots_new_layer(f->s, x, -1, &lower));
	assert_int_equal(mkdirat(lower.fs, "etc", 0755), 0);
	assert_fine(snapshots_new_layer(f->s, x, lower.fs, &upper));
	assert_int_equal(faccessat(upper.fs, "etc", F_OK, 0), is_native(f) ? 0 : -1);
	const struct store_new_snapshot both[] = {
		{.snapshotter = driver,
	         .key = "sha256:1",
	         .kind = STORE_COMMITTED,
	         .layer = lower.layer},
		{.snapshotter = driver,
	         .key = "sha256:2",
	         .parent = "sha256:1",
	         .kind = STORE_COMMITTED,
	         .layer = upper.layer},
	};
	snapshot_new_layer_done(&lower);
	snapshot_new_layer_done(&upper);
	assert_fine(store_publish(
		x,
		&(struct store_publication){.ns = "default", .snapshots = both, .n_snapshots = 2}));
	assert_fine(store_end_session(x));
	struct snapshot_layers *l;
	assert_fine(snapshots_open_layers(f->s, "sha256:2", &l));
	assert_int_equal(l->n, is_native(f) ? 1 : 2);
	assert_int_equal(faccessat(l->fds[l->n - 1], "etc", F_OK, 0), 0);
	snapshot_layers_free(l);
}

static void leaves_nothing_of_what_failed(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(snapshots_prepare(f->s, "w", NULL, NULL, NULL));
	assert_fine(snapshots_commit(f->s, "base", "w", NULL));
	// The key is taken between the first look and the publication.
	struct store_session *x;
	assert_fine(store_begin_session(f->store, &x));
	struct snapshot_new_layer l;
	assert_fine(snapshots_new_layer(f->s, x, -1, &l));
	assert_fine(snapshots_prepare(f->s, "s", "base", NULL, NULL));
	const struct store_new_snapshot n = {
		.snapshotter = driver, .key = "s", .kind = STORE_ACTIVE, .layer = l.layer};
	snapshot_new_layer_done(&l);
	assert_error(store_publish(x, &(struct store_publication){.ns = "default",
	                                                          .snapshots = &n,
	                                                          .n_snapshots = 1}),
	             ERROR_EXISTS, "snapshot \"s\": already exists");
	assert_fine(store_end_session(x));
	assert_fine(snapshots_remove(f->s, "s"));
	assert_fine(snapshots_remove(f->s, "base"));
	struct store_garbage *g;
	assert_fine(store_empty_trash(f->store));
	assert_fine(store_gc_plan(f->store, 0, &g));
	assert_int_equal(g->n, 0);
	store_garbage_free(g);
}

// --- each driver's own ----------------------------------------------------------------------

static void prints_mounts_as_ctr(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);                                              // 1, 2
	assert_fine(snapshots_prepare(f->s, "alone", NULL, NULL, NULL)); // 3
	assert_fine(snapshots_prepare(f->s, "on", "top", NULL, NULL));   // 4
	assert_fine(snapshots_view(f->s, "one", "base", NULL, NULL));    // 5
	assert_fine(snapshots_view(f->s, "two", "top", NULL, NULL));     // 6
	auto_free char *p = alloc_printf("%s/snapshots/%s", f->root, driver);
	auto_free char *alone =
		alloc_printf("bind|%s/3/fs||%s", p, is_native(f) ? "rbind;rw;" : "rw;rbind;");
	check_mounts(f, "alone", alone);
	auto_free char *on =
		is_native(f) ? alloc_printf("bind|%s/4/fs||rbind;rw;", p)
			     : alloc_printf("overlay|overlay||workdir=%s/4/work;upperdir=%s/4/fs;"
	                                    "lowerdir=%s/2/fs:%s/1/fs;index=off;",
	                                    p, p, p, p);
	check_mounts(f, "on", on);
	auto_free char *one = is_native(f) ? alloc_printf("bind|%s/5/fs||rbind;ro;", p)
	                                   : alloc_printf("bind|%s/1/fs||ro;rbind;", p);
	check_mounts(f, "one", one);
	auto_free char *two =
		is_native(f) ? alloc_printf("bind|%s/6/fs||rbind;ro;", p)
			     : alloc_printf("overlay|overlay||lowerdir=%s/2/fs:%s/1/fs;index=off;",
	                                    p, p);
	check_mounts(f, "two", two);
}

static void opens_active_ones(void **arg)
{
	struct fixture *f = *arg;
	make_two_layers(f);
	struct snapshot_active *a;
	assert_fine(snapshots_prepare(f->s, "on", "top", NULL, NULL));
	assert_fine(snapshots_open_active(f->s, "on", &a));
	assert_true(a->fs >= 0);
	assert_int_equal(a->work >= 0, !is_native(f));
	assert_int_equal(a->lower->n, is_native(f) ? 0 : 2);
	snapshot_active_free(a);
	assert_fine(snapshots_view(f->s, "v", "top", NULL, NULL));
	assert_fine(snapshots_open_active(f->s, "v", &a));
	assert_int_equal(a->fs >= 0, is_native(f));
	assert_int_equal(a->work, -1);
	assert_int_equal(a->lower->n, is_native(f) ? 0 : 2);
	snapshot_active_free(a);
}

int main(void)
{
	const struct CMUnitTest suite[] = {
#define SNAPSHOT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		SNAPSHOT_TEST(has_a_name),
		SNAPSHOT_TEST(prepares_and_commits),
		SNAPSHOT_TEST(says_what_is_wrong),
		SNAPSHOT_TEST(removes_from_the_top),
		SNAPSHOT_TEST(keeps_views_and_layers_as_they_are),
		SNAPSHOT_TEST(gives_the_root_the_attributes_below),
		SNAPSHOT_TEST(counts_usage),
		SNAPSHOT_TEST(draws_the_tree),
		SNAPSHOT_TEST(keeps_namespaces_apart),
		SNAPSHOT_TEST(sets_labels),
		SNAPSHOT_TEST(unpacks_layers),
		SNAPSHOT_TEST(leaves_nothing_of_what_failed),
		SNAPSHOT_TEST(prints_mounts_as_ctr),
		SNAPSHOT_TEST(opens_active_ones),
	};
	int failed = 0;
	driver = "overlayfs";
	failed += cmocka_run_group_tests_name("snapshot: overlayfs", suite, NULL, NULL);
	driver = "native";
	failed += cmocka_run_group_tests_name("snapshot: native", suite, NULL, NULL);
	return failed;
}
