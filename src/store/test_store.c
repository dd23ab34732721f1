// SPDX-License-Identifier: Apache-2.0
// Opening, images, content, leases, namespaces, labels, snapshots' rows.
#include "store/test_support.h"

static void opens_again_with_the_same_id(void **arg)
{
	struct fixture *f = *arg;
	struct store *again = open_again(f);
	assert_int_equal(strlen(store_id(f->store)), 16);
	assert_string_equal(store_id(f->store), store_id(again));
	assert_string_equal(store_root(f->store), f->root);
	store_close(again);
}

static void tightens_modes(void **arg)
{
	struct fixture *f = *arg;
	assert_int_equal(chmod(f->root, 0777), 0);
	assert_int_equal(chmod(f->state, 0755), 0);
	store_close(open_again(f));
	struct stat st;
	assert_int_equal(stat(f->root, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(stat(f->state, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_fine(put_image(f->store, "x", NULL));
	assert_int_equal(fstatat(f->store->rootfd, "meta.db", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void refuses_bad_folders(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = NULL;
	assert_error(store_open(&(struct store_options){.root = "var/lib"}, &s), ERROR_INVALID,
	             "var/lib: not an absolute path");
	assert_int_equal(chmod(f->state, 01700), 0);
	auto_free char *shared = alloc_printf(
		"%s: a folder for everybody, as /tmp is (mode 1700); chmod 0711 it if it is not",
		f->state);
	assert_error(store_open(&(struct store_options){.root = f->root, .state = f->state}, &s),
	             ERROR_INVALID, shared);
	assert_int_equal(chmod(f->state, 0700), 0);
	write_file(f->store->rootfd, "id", "not hex\n");
	auto_free char *corrupt = alloc_printf("store %s: id: not a store's ID", f->root);
	assert_error(store_open(&(struct store_options){.root = f->root, .state = f->state}, &s),
	             ERROR_CORRUPT, corrupt);
}

static void refuses_a_second_state(void **arg)
{
	struct fixture *f = *arg;
	struct store_tasks *tasks;
	assert_fine(store_list_tasks(f->store, NULL, &tasks));
	store_tasks_free(tasks);
	auto_free char *other = alloc_printf("%s/other", f->folder);
	struct store *s;
	assert_fine(store_open(&(struct store_options){.root = f->root, .state = other}, &s));
	auto_free char *message = alloc_printf(
		"store %s is in use with the state folder %s, not %s", f->root, f->state, other);
	assert_error(store_list_tasks(s, NULL, &tasks), ERROR_INVALID, message);
	store_close(s);
	assert_fine(store_open(&(struct store_options){.root = other, .state = f->state}, &s));
	auto_free char *foreign =
		alloc_printf("state folder %s belongs to another store than %s", f->state, other);
	assert_error(store_list_tasks(s, NULL, &tasks), ERROR_INVALID, foreign);
	store_close(s);
}

static void checks_ids(void **arg)
{
	ignore(arg);
	static const char long_one[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaa"; // 77
	static const char *const good[] = {"a", "web.1", "a-b_c.d", "UP_x", "7"};
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_fine(store_check_id(good[i]));
	static const char *const bad[] = {"",   "a b", "-x",  "x-",       "a--b", ".",
	                                  "..", "a/b", "a\n", "\xc3\xa9", "a._b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		auto_free char *message =
			alloc_printf("identifier \"%s\" must match "
		                     "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: invalid argument",
		                     bad[i]);
		assert_error(store_check_id(bad[i]), ERROR_INVALID, message);
	}
	auto_free char *message = alloc_printf("identifier \"%s\" greater than maximum length "
	                                       "(76 characters): invalid argument",
	                                       long_one);
	assert_error(store_check_id(long_one), ERROR_INVALID, message);
	assert_fine(store_check_id(long_one + 1));
}

static void stores_and_finds_an_image(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_image(f->store, "busybox", DIGEST("5")));
	struct store_image *image;
	assert_fine(store_find_image(f->store, "default", "busybox", &image));
	assert_string_equal(image->target.digest, DIGEST("1"));
	assert_int_equal(image->n_manifests, 1);
	const struct store_manifest *m = &image->manifests[0];
	assert_string_equal(m->descriptor.digest, DIGEST("2"));
	assert_string_equal(m->platform, "linux/amd64");
	assert_string_equal(m->config, "{\"os\":\"linux\"}");
	assert_string_equal(m->config_digest, DIGEST("3"));
	assert_string_equal(m->chain_id, DIGEST("5"));
	assert_int_equal(m->size_bytes, 15);
	assert_int_equal(m->n_layers, 1);
	assert_string_equal(m->layers[0].descriptor.digest, DIGEST("4"));
	assert_string_equal(m->layers[0].diff_id, DIGEST("5"));
	store_image_free(image);

	struct store_images *list;
	assert_fine(store_tag_image(f->store, "default", "busybox", "a", false));
	assert_fine(store_list_images(f->store, "default", &list));
	assert_int_equal(list->n, 2);
	assert_string_equal(list->items[0].name, "a");
	assert_string_equal(list->items[1].name, "busybox");
	assert_int_equal(list->items[0].n_manifests, 1);
	assert_null(list->items[0].manifests[0].config);
	store_images_free(list);

	auto_fd int fd = -1;
	uint64_t size;
	assert_fine(store_open_blob(f->store, "default", DIGEST("4"), &fd, &size));
	assert_int_equal(size, 5);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_int_equal(st.st_nlink, 1); // the session has ended
}

static void says_what_is_wrong_with_images(void **arg)
{
	struct fixture *f = *arg;
	struct store_image *image;
	auto_fd int fd = -1;
	uint64_t size;
	assert_error(store_find_image(f->store, "default", "busybox", &image), ERROR_NOT_FOUND,
	             "image \"busybox\": not found");
	assert_error(store_remove_image(f->store, "default", "x"), ERROR_NOT_FOUND,
	             "image \"x\": not found");
	assert_error(store_tag_image(f->store, "default", "x", "y", true), ERROR_NOT_FOUND,
	             "image \"x\": not found");
	assert_fine(put_image(f->store, "busybox", NULL));
	assert_fine(put_image(f->store, "other", NULL));
	assert_error(store_tag_image(f->store, "default", "busybox", "other", false), ERROR_EXISTS,
	             "image \"other\": already exists");
	assert_fine(store_tag_image(f->store, "default", "busybox", "other", true));
	assert_error(store_find_image(f->store, "elsewhere", "busybox", &image), ERROR_NOT_FOUND,
	             "image \"busybox\": not found");
	assert_error(store_open_blob(f->store, "default", DIGEST("9"), &fd, &size), ERROR_NOT_FOUND,
	             "content " DIGEST("9") ": not found");
	assert_error(store_open_blob(f->store, "elsewhere", DIGEST("1"), &fd, &size),
	             ERROR_NOT_FOUND, "content " DIGEST("1") ": not found");
	assert_error(store_remove_blob(f->store, "default", DIGEST("9")), ERROR_NOT_FOUND,
	             "content " DIGEST("9") ": not found");
	auto_error struct error *e = store_check_digest("sha256:../../x");
	assert_true(error_is(e, ERROR_INVALID));
}

static void publishes_all_or_nothing(void **arg)
{
	struct fixture *f = *arg;
	struct store_session *x;
	assert_fine(store_begin_session(f->store, &x));
	write_file(store_session_blobs(x), "a", "bytes");
	struct store_new_blob blob = {
		.descriptor = {"text", DIGEST("a"), 5}, .name = "a", .n_references = 0};
	struct store_publication p = {.ns = "default", .blobs = &blob, .n_blobs = 1};

	blob.descriptor.size_bytes = 6;
	assert_error(store_publish(x, &p), ERROR_CORRUPT,
	             "content " DIGEST("a") ": has 5 bytes, not 6");
	blob.descriptor.size_bytes = 5;
	blob.name = "../a";
	assert_error(store_publish(x, &p), ERROR_INVALID,
	             "content " DIGEST("a") ": \"../a\" isn't a file name");
	blob.name = NULL;
	assert_error(store_publish(x, &p), ERROR_NOT_FOUND, "content " DIGEST("a") ": not found");
	blob.name = "a";
	static const char *const missing[] = {DIGEST("b")};
	blob.references = missing;
	blob.n_references = 1;
	assert_error(store_publish(x, &p), ERROR_NOT_FOUND, "content " DIGEST("b") ": not found");
	blob.n_references = 0;
	p.needs = &(struct store_snapshot_name){"overlayfs", "chain"};
	p.n_needs = 1;
	assert_error(store_publish(x, &p), ERROR_NOT_FOUND,
	             "snapshot chain does not exist: not found");
	p.n_needs = 0;
	p.ns = "state.db-wal";
	assert_error(store_publish(x, &p), ERROR_INVALID,
	             "namespace \"state.db-wal\": the name is taken: invalid argument");
	p.ns = "default";
	struct store_blobs *blobs;
	assert_fine(store_list_blobs(f->store, "default", &blobs));
	assert_int_equal(blobs->n, 0);
	store_blobs_free(blobs);

	assert_fine(store_publish(x, &p));
	assert_fine(store_end_session(x));
	assert_fine(store_find_blob(f->store, "default", DIGEST("a"), &blobs));
	assert_int_equal(blobs->items[0].descriptor.size_bytes, 5);
	store_blobs_free(blobs);
}

static void publishes_a_failed_snapshot_again(void **arg)
{
	struct fixture *f = *arg;
	struct store_session *x;
	assert_fine(store_begin_session(f->store, &x));
	size_t layer;
	auto_fd int dirfd = -1;
	assert_fine(store_session_layer(x, &layer, &dirfd));
	write_file(dirfd, "file", "x");
	struct store_new_snapshot n = {.snapshotter = "overlayfs",
	                               .key = "top",
	                               .parent = "below",
	                               .kind = STORE_COMMITTED,
	                               .layer = layer};
	struct store_publication p = {.ns = "default", .snapshots = &n, .n_snapshots = 1};
	assert_error(store_publish(x, &p), ERROR_NOT_FOUND,
	             "parent snapshot below does not exist: not found");
	assert_fine(put_snapshot(f->store, "below", NULL, STORE_ACTIVE));
	assert_error(store_publish(x, &p), ERROR_INVALID,
	             "parent \"below\" is not committed snapshot: invalid argument");
	assert_fine(store_commit_snapshot(f->store, "default", "overlayfs", "below", "base", NULL,
	                                  1, 2));
	n.parent = "base";
	assert_fine(store_publish(x, &p));
	assert_fine(store_end_session(x));
	uint64_t *numbers;
	size_t count;
	assert_fine(
		store_snapshot_chain(f->store, "default", "overlayfs", "top", &numbers, &count));
	assert_int_equal(count, 2);
	assert_int_equal(numbers[0], 4); // the two that failed have used up one each
	assert_int_equal(numbers[1], 2);
	auto_free char *path = alloc_printf("snapshots/overlayfs/%d/file", (int)numbers[0]);
	assert_true(is_there(f, path));
	free(numbers);
}

static void lets_the_first_win(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_snapshot(f->store, "chain", NULL, STORE_COMMITTED));
	assert_fine(put_snapshot(f->store, "chain", NULL, STORE_COMMITTED)); // theirs is used
	assert_fine(put_snapshot(f->store, "work", NULL, STORE_ACTIVE));
	assert_error(put_snapshot(f->store, "work", NULL, STORE_ACTIVE), ERROR_EXISTS,
	             "snapshot \"work\": already exists");
	assert_error(put_snapshot(f->store, "work", NULL, STORE_COMMITTED), ERROR_EXISTS,
	             "snapshot \"work\": already exists");
	assert_fine(put_image(f->store, "a", NULL));
	assert_fine(put_image(f->store, "b", NULL));
	struct store_snapshots *list;
	assert_fine(store_list_snapshots(f->store, "default", "overlayfs", &list));
	assert_int_equal(list->n, 2);
	store_snapshots_free(list);
	auto_strings struct strings left = {0};
	assert_fine(store_list_at(f->store->rootfd, "snapshots", &left));
	assert_int_equal(left.n, 1); // only the snapshotter's folder
	auto_strings struct strings sessions = {0};
	assert_fine(store_list_at(f->store->rootfd, "content/ingest", &sessions));
	assert_int_equal(sessions.n, 0);
}

static void replaces_garbage_under_a_number(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_snapshot(f->store, "one", NULL, STORE_COMMITTED));
	// What a power cut can leave: the folder, without the counter's step and the row.
	assert_int_equal(mkdirat(f->store->rootfd, "snapshots/overlayfs/2", 0700), 0);
	assert_int_equal(mkdirat(f->store->rootfd, "snapshots/overlayfs/2/old", 0700), 0);
	assert_fine(put_snapshot(f->store, "two", NULL, STORE_COMMITTED));
	assert_true(is_there(f, "snapshots/overlayfs/2/fs"));
	assert_false(is_there(f, "snapshots/overlayfs/2/old"));
}

static void commits_and_removes_snapshots(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_snapshot(s, "base", NULL, STORE_COMMITTED));
	assert_fine(put_snapshot(s, "work", "base", STORE_ACTIVE));
	assert_error(store_commit_snapshot(s, "default", "overlayfs", "nosuch", "c", NULL, 0, 0),
	             ERROR_NOT_FOUND, "snapshot nosuch does not exist: not found");
	assert_error(store_commit_snapshot(s, "default", "overlayfs", "work", "base", NULL, 0, 0),
	             ERROR_EXISTS, "snapshot \"base\": already exists");
	assert_error(store_commit_snapshot(s, "default", "overlayfs", "base", "c", NULL, 0, 0),
	             ERROR_INVALID,
	             "failed to commit snapshot default/1/base: snapshot \"default/1/base\" is "
	             "not active: failed precondition");
	assert_error(store_remove_snapshot(s, "default", "overlayfs", "base"), ERROR_BUSY,
	             "cannot remove snapshot with child: failed precondition");
	assert_error(store_remove_snapshot(s, "default", "overlayfs", "nosuch"), ERROR_NOT_FOUND,
	             "snapshot nosuch does not exist: not found");
	const struct store_label label = {"a", "1"};
	assert_fine(store_commit_snapshot(s, "default", "overlayfs", "work", "c",
	                                  &(struct store_labels){&label, 1}, 8192, 2));
	struct store_snapshot *row;
	assert_fine(store_find_snapshot(s, "default", "overlayfs", "c", &row));
	assert_int_equal(row->kind, STORE_COMMITTED);
	assert_string_equal(row->parent, "base");
	assert_int_equal(row->size_bytes, 8192);
	assert_int_equal(row->labels.n, 1);
	store_snapshot_free(row);
	assert_fine(store_remove_snapshot(s, "default", "overlayfs", "c"));
	assert_fine(store_remove_snapshot(s, "default", "overlayfs", "base"));
	assert_false(is_there(f, "snapshots/overlayfs/1"));
	assert_fine(store_empty_trash(s));
	auto_strings struct strings left = {0};
	assert_fine(store_list_at(s->rootfd, "trash", &left));
	assert_int_equal(left.n, 0);
	assert_fine(put_snapshot(s, "again", NULL, STORE_ACTIVE));
	assert_true(is_there(f, "snapshots/overlayfs/3")); // numbers are never used again
}

// A collector may come between the reading of a number and the opening of its folder.
static void tells_a_collected_snapshot_from_a_damaged_one(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	int fd;
	assert_fine(put_snapshot(s, "collected", NULL, STORE_COMMITTED));
	assert_fine(put_snapshot(s, "damaged", NULL, STORE_COMMITTED));
	assert_fine(store_remove_snapshot(s, "default", "overlayfs", "collected"));
	auto_error struct error *gone = store_open_snapshot(s, "overlayfs", 1, &fd);
	assert_true(error_is(gone, ERROR_NOT_FOUND));
	assert_fine(tree_remove(s->rootfd, "snapshots/overlayfs/2"));
	auto_error struct error *lost = store_open_snapshot(s, "overlayfs", 2, &fd);
	assert_true(error_is(lost, ERROR_CORRUPT));
}

static void changes_labels(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_image(s, "busybox", DIGEST("5")));
	struct store_labelled *all;
	const struct store_label set[] = {{"b", "2"}, {"a", "1"}};
	static const struct {
		enum store_kind kind;
		const char *name, *missing;
	} cases[] = {
		{STORE_NAMESPACE, "default", "namespace \"nosuch\": not found"},
		{STORE_IMAGE, "busybox", "image \"nosuch\": not found"},
		{STORE_BLOB, DIGEST("4"), "content nosuch: not found"},
		{STORE_SNAPSHOT, DIGEST("5"), "snapshot nosuch does not exist: not found"},
		{STORE_CONTAINER, "web",
	         "container \"nosuch\" in namespace \"default\": not found"},
		{STORE_LEASE, "l", "lease \"nosuch\": not found"},
	};
	struct store_claim *claim;
	assert_fine(store_claim(s, "default", "web", 0, &claim));
	assert_fine(store_put_container(
		s, claim, &(struct store_container){.ns = "default", .id = "web", .instance = 1}));
	store_claim_release(claim);
	assert_fine(store_create_lease(s, "default", &(struct store_lease){.id = "l"}));
	for (size_t i = 0; i < STORE_KINDS; i++) {
		assert_fine(store_set_labels(s, cases[i].kind, "default", "overlayfs",
		                             cases[i].name, &(struct store_labels){set, 2}, &all));
		assert_int_equal(all->labels.n, 2);
		assert_string_equal(all->labels.items[0].key, "a");
		store_labelled_free(all);
		const struct store_label drop = {"a", ""};
		assert_fine(store_set_labels(s, cases[i].kind, "default", "overlayfs",
		                             cases[i].name, &(struct store_labels){&drop, 1},
		                             &all));
		assert_int_equal(all->labels.n, 1);
		assert_string_equal(all->labels.items[0].value, "2");
		store_labelled_free(all);
		assert_error(store_set_labels(s, cases[i].kind, "default", "overlayfs", "nosuch",
		                              &(struct store_labels){set, 2}, &all),
		             ERROR_NOT_FOUND, cases[i].missing);
	}
}

static void keeps_namespaces(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(store_create_namespace(s, "foo", NULL));
	assert_error(store_create_namespace(s, "foo", NULL), ERROR_EXISTS,
	             "namespace \"foo\": already exists");
	assert_error(store_create_namespace(s, "b ad", NULL), ERROR_INVALID,
	             "identifier \"b ad\" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: "
	             "invalid argument");
	assert_fine(put_image(s, "busybox", DIGEST("5")));
	assert_error(store_remove_namespace(s, "default"), ERROR_BUSY,
	             "namespace \"default\" must be empty, but it still has images, blobs, "
	             "snapshots on \"overlayfs\" snapshotter: failed precondition");
	struct store_namespaces *list;
	assert_fine(store_list_namespaces(s, &list));
	assert_int_equal(list->n, 2);
	assert_string_equal(list->items[0].name, "default");
	store_namespaces_free(list);
	assert_fine(store_remove_namespace(s, "foo"));
	assert_error(store_remove_namespace(s, "foo"), ERROR_NOT_FOUND,
	             "namespace \"foo\": not found");
}

static void keeps_leases(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	const struct store_resource r = {STORE_SNAPSHOT, "overlayfs", "/mnt"};
	const struct store_lease lease = {
		.id = "/mnt", .expires_ns = 7, .resources = &r, .n_resources = 1};
	assert_fine(store_create_lease(s, "default", &lease));
	assert_error(store_create_lease(s, "default", &lease), ERROR_EXISTS,
	             "lease \"/mnt\": already exists");
	assert_fine(store_add_to_lease(s, "default", "/mnt",
	                               &(struct store_resource){STORE_BLOB, "", DIGEST("1")}));
	assert_error(store_add_to_lease(s, "default", "x", &r), ERROR_NOT_FOUND,
	             "lease \"x\": not found");
	struct store_leases *list;
	assert_fine(store_list_leases(s, "default", &list));
	assert_int_equal(list->n, 1);
	assert_int_equal(list->items[0].expires_ns, 7);
	assert_int_equal(list->items[0].n_resources, 2);
	assert_string_equal(list->items[0].resources[1].name, "/mnt");
	store_leases_free(list);
	assert_fine(store_remove_lease(s, "default", "/mnt"));
	assert_error(store_remove_lease(s, "default", "/mnt"), ERROR_NOT_FOUND,
	             "lease \"/mnt\": not found");
}

static void write_partial(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

// Two pulls of one blob: who comes second waits, whatever the first is doing, and then finds it.
static void nobody_begins_a_blob_twice(void **arg)
{
	struct fixture *f = *arg;
	struct store *other = open_again(f);
	struct store_session *x;
	int mine, theirs;
	assert_fine(store_begin_session(f->store, &x));
	assert_fine(store_open_partial(f->store, DIGEST("1"), 0, &mine));
	write_partial(mine);
	assert_fine(store_session_adopt(x, DIGEST("1"), "1"));
	assert_error(store_open_partial(other, DIGEST("1"), 0, &theirs), ERROR_BUSY,
	             "locked by another process");
	const struct store_new_blob blob = {
		.descriptor = {.media_type = "", .digest = DIGEST("1"), .size_bytes = 1},
		.name = "1"};
	assert_fine(store_publish(
		x, &(struct store_publication){.ns = "default", .blobs = &blob, .n_blobs = 1}));
	assert_error(store_open_partial(other, DIGEST("1"), 0, &theirs), ERROR_BUSY,
	             "locked by another process");
	assert_fine(store_remove_partial(f->store, DIGEST("1")));
	close(mine);
	assert_fine(store_end_session(x));
	uint64_t size;
	assert_fine(store_open_blob(other, "default", DIGEST("1"), &theirs, &size));
	assert_int_equal(size, 1);
	close(theirs);
	store_close(other);
}

// Who died between publishing and removing the first name: the blob is nobody's to write to.
static void never_hands_out_a_published_file(void **arg)
{
	struct fixture *f = *arg;
	struct store_session *x;
	int fd;
	struct stat st;
	assert_fine(store_begin_session(f->store, &x));
	assert_fine(store_open_partial(f->store, DIGEST("1"), 0, &fd));
	write_partial(fd);
	assert_fine(store_session_adopt(x, DIGEST("1"), "1"));
	close(fd);
	assert_fine(store_open_partial(f->store, DIGEST("1"), 0, &fd));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_nlink, 1);
	close(fd);
	assert_fine(store_end_session(x));
}

// Of what is being written others see the name and the size, and nothing of what died.
static void lists_what_is_written(void **arg)
{
	struct fixture *f = *arg;
	struct store *other = open_again(f);
	struct store_session *x, *y;
	struct store_ingests *list;
	int fd, partial, rest;
	assert_fine(store_begin_session(f->store, &x));
	assert_fine(store_begin_session(f->store, &y));
	assert_error(store_name_session(x, ""), ERROR_INVALID,
	             "a reference has from 1 to 4095 bytes");
	assert_fine(store_name_session(x, "mine"));
	assert_error(store_name_session(y, "mine"), ERROR_BUSY, "ref mine locked: unavailable");
	fd = openat(store_session_blobs(x), "blob", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "12345", 5), 5);
	close(fd);
	assert_fine(store_open_partial(f->store, DIGEST("1"), 0, &partial));
	write_partial(partial);
	assert_fine(store_open_partial(f->store, DIGEST("2"), 0, &rest));
	close(rest); // begun, and nobody goes on with it
	assert_fine(store_list_ingests(other, &list));
	assert_int_equal(list->n, 3);
	assert_string_equal(list->items[0].reference, "blob-" DIGEST("1"));
	assert_int_equal(list->items[0].size_bytes, 1);
	assert_string_equal(list->items[1].reference, "mine");
	assert_int_equal(list->items[1].size_bytes, 5);
	assert_memory_equal(list->items[2].reference, "session-", 8);
	store_ingests_free(list);
	close(partial);
	assert_fine(store_end_session(x));
	assert_fine(store_name_session(y, "mine")); // it is free again
	assert_fine(store_end_session(y));
	assert_fine(store_list_ingests(other, &list));
	assert_int_equal(list->n, 0);
	store_ingests_free(list);
	store_close(other);
}

static void lists_what_a_blob_names(void **arg)
{
	struct fixture *f = *arg;
	struct store_blobs *list;
	assert_fine(put_image(f->store, "busybox", DIGEST("5")));
	assert_fine(store_list_references(f->store, "default", DIGEST("2"), &list));
	assert_int_equal(list->n, 2);
	assert_string_equal(list->items[0].descriptor.digest, DIGEST("3"));
	assert_string_equal(list->items[1].descriptor.digest, DIGEST("4"));
	store_blobs_free(list);
	assert_fine(store_remove_blob(f->store, "default", DIGEST("4")));
	assert_fine(store_list_references(f->store, "default", DIGEST("2"), &list));
	assert_int_equal(list->n, 1);
	store_blobs_free(list);
	assert_fine(store_list_references(f->store, "other", DIGEST("2"), &list));
	assert_int_equal(list->n, 0);
	store_blobs_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		STORE_TEST(opens_again_with_the_same_id),
		STORE_TEST(lists_what_is_written),
		STORE_TEST(lists_what_a_blob_names),
		STORE_TEST(tightens_modes),
		STORE_TEST(refuses_bad_folders),
		STORE_TEST(refuses_a_second_state),
		STORE_TEST(checks_ids),
		STORE_TEST(stores_and_finds_an_image),
		STORE_TEST(says_what_is_wrong_with_images),
		STORE_TEST(publishes_all_or_nothing),
		STORE_TEST(publishes_a_failed_snapshot_again),
		STORE_TEST(lets_the_first_win),
		STORE_TEST(replaces_garbage_under_a_number),
		STORE_TEST(commits_and_removes_snapshots),
		STORE_TEST(tells_a_collected_snapshot_from_a_damaged_one),
		STORE_TEST(changes_labels),
		STORE_TEST(keeps_namespaces),
		STORE_TEST(keeps_leases),
		STORE_TEST(nobody_begins_a_blob_twice),
		STORE_TEST(never_hands_out_a_published_file),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
