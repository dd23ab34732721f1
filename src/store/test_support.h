// SPDX-License-Identifier: Apache-2.0
// What the tests of store/ share: a store of their own, and small things to put into it. In memory
// where that is possible: they sync thousands of times.
#pragma once
#include "store/room.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka last: it wants the headers above
#include <cmocka.h>

struct fixture {
	char folder[64]; // in /dev/shm or /tmp
	char *root, *state;
	struct store *store;
};

static inline struct store *open_again(const struct fixture *f)
{
	struct store *s = NULL;
	struct error *e =
		store_open(&(struct store_options){.root = f->root, .state = f->state}, &s);
	if (e)
		fail_msg("store_open: %s", e->message);
	return s;
}

static inline int set_up(void **arg)
{
	struct fixture *f = alloc(sizeof(*f));
	bool in_memory = access("/dev/shm", W_OK) == 0;
	snprintf(f->folder, sizeof(f->folder), "%s/coracle-store-XXXXXX",
	         in_memory ? "/dev/shm" : "/tmp");
	if (!mkdtemp(f->folder))
		return -1;
	f->root = alloc_printf("%s/root", f->folder);
	f->state = alloc_printf("%s/state", f->folder);
	f->store = open_again(f);
	*arg = f;
	return 0;
}

static inline int tear_down(void **arg)
{
	struct fixture *f = *arg;
	store_close(f->store);
	char *slash = strrchr(f->folder, '/');
	*slash = 0;
	auto_fd int above = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_error struct error *e = tree_remove(above, slash + 1);
	free(f->root);
	free(f->state);
	free(f);
	return e ? -1 : 0;
}

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

#define DIGEST(c) "sha256:" HEX(c)
// 64 times one hex digit
#define HEX(c)                                                                                    \
	c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c \
		c c c c c c c c c c c c c c c c c c c

static inline void write_file(int dirfd, const char *name, const char *text)
{
	auto_fd int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_fine(fd_write_all(fd, text, strlen(text)));
}

static inline bool is_there(const struct fixture *f, const char *path)
{
	return faccessat(f->store->rootfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// Puts the image `name` of one platform and one layer: index 1…, manifest 2…, config 3…, layer 4…;
// unpacked for overlayfs with the key `chain`, unless that is NULL.
static inline fallible put_image(struct store *s, const char *name, const char *chain)
{
	struct store_session *x;
	TRY(store_begin_session(s, &x));
	static const char *const refs_index[] = {DIGEST("2")};
	static const char *const refs_manifest[] = {DIGEST("3"), DIGEST("4")};
	const struct store_new_blob blobs[] = {
		{.descriptor = {"application/vnd.oci.image.index.v1+json", DIGEST("1"), 5},
	         .name = "index",
	         .references = refs_index,
	         .n_references = 1},
		{.descriptor = {"application/vnd.oci.image.manifest.v1+json", DIGEST("2"), 5},
	         .name = "manifest",
	         .references = refs_manifest,
	         .n_references = 2},
		{.descriptor = {"application/vnd.oci.image.config.v1+json", DIGEST("3"), 5},
	         .name = "config"},
		{.descriptor = {"application/vnd.oci.image.layer.v1.tar+gzip", DIGEST("4"), 5},
	         .name = "layer"},
	};
	for (size_t i = 0; i < 4; i++)
		write_file(store_session_blobs(x), blobs[i].name, "bytes");
	size_t layer = 0;
	auto_fd int dirfd = -1;
	if (chain) {
		TRY(store_session_layer(x, &layer, &dirfd));
		if (mkdirat(dirfd, "fs", 0755) < 0)
			FAIL_ERRNO("mkdir");
	}
	const struct store_layer layers[] = {
		{{"application/vnd.oci.image.layer.v1.tar+gzip", DIGEST("4"), 5}, DIGEST("5")}};
	const struct store_manifest manifest = {
		.descriptor = blobs[1].descriptor,
		.platform = "linux/amd64",
		.config_digest = DIGEST("3"),
		.config = "{\"os\":\"linux\"}",
		.chain_id = DIGEST("5"),
		.layers = layers,
		.n_layers = 1,
		.size_bytes = 15,
	};
	static const char *const manifests[] = {DIGEST("2")};
	struct error *e = store_publish(
		x, &(struct store_publication){
			   .ns = "default",
			   .blobs = blobs,
			   .n_blobs = 4,
			   .snapshots = &(struct store_new_snapshot){.snapshotter = "overlayfs",
	                                                             .key = chain,
	                                                             .kind = STORE_COMMITTED,
	                                                             .layer = layer,
	                                                             .size_bytes = 4096,
	                                                             .n_inodes = 1},
			   .n_snapshots = chain ? 1 : 0,
			   .manifests = &manifest,
			   .n_manifests = 1,
			   .images = &(struct store_new_image){.name = name,
	                                                       .target = blobs[0].descriptor,
	                                                       .manifests = manifests,
	                                                       .n_manifests = 1},
			   .n_images = 1,
		   });
	return error_join(e, store_end_session(x));
}

// A snapshot without anything below or in it.
static inline fallible put_snapshot(struct store *s, const char *key, const char *parent,
                                    enum store_snapshot_kind kind)
{
	struct store_session *x;
	TRY(store_begin_session(s, &x));
	size_t layer;
	auto_fd int dirfd = -1;
	TRY(store_session_layer(x, &layer, &dirfd));
	if (mkdirat(dirfd, "fs", 0755) < 0)
		FAIL_ERRNO("mkdir");
	struct error *e = store_publish(
		x, &(struct store_publication){
			   .ns = "default",
			   .snapshots = &(struct store_new_snapshot){.snapshotter = "overlayfs",
	                                                             .key = key,
	                                                             .parent = parent,
	                                                             .kind = kind,
	                                                             .layer = layer,
	                                                             .empty = true},
			   .n_snapshots = 1,
		   });
	return error_join(e, store_end_session(x));
}

// Everything that is listed is whole.
static inline void check_whole(struct store *s)
{
	struct database *meta;
	assert_fine(store_meta(s, &meta));
	auto_arena struct arena *a = arena_new();
	auto_rows struct rows r = {0};
	assert_fine(database_query(meta,
	                           "SELECT 'content/blobs/sha256/' || substr(digest, 8) FROM blobs "
	                           "UNION ALL SELECT 'snapshots/' || snapshotter || '/' || number "
	                           "|| '/fs' FROM snapshots",
	                           NO_VALUES, &r));
	for (;;) {
		bool has;
		assert_fine(rows_next(&r, &has));
		if (!has)
			break;
		const char *path = rows_text(&r, 0, a);
		if (faccessat(s->rootfd, path, F_OK, 0) < 0)
			fail_msg("%s is listed and missing", path);
	}
	struct store_images *images;
	assert_fine(store_list_images(s, "default", &images));
	for (size_t i = 0; i < images->n; i++) {
		const struct store_image *image = &images->items[i];
		assert_int_equal(image->n_manifests, 1);
		auto_fd int fd = -1;
		uint64_t size;
		assert_fine(store_open_blob(s, "default", image->target.digest, &fd, &size));
		assert_int_equal(size, 5);
	}
	store_images_free(images);
}

static inline void forgive(struct error *e)
{
	if (e && e->code != ERROR_NOT_FOUND)
		fail_msg("%s", e->message);
	error_free(e);
}

// Back to nothing: whatever was, the collector can take it.
static inline void clean_up(struct store *s)
{
	forgive(store_remove_image(s, "default", "busybox"));
	forgive(store_remove_container(s, "default", "web", 7));
	forgive(store_remove_run(s, "default", "web", 7));
	struct store_garbage *g;
	assert_fine(store_gc_run(s, STORE_GC_CHECK, &g));
	store_garbage_free(g);
	static const char *const folders[] = {"content/blobs/sha256", "content/ingest",
	                                      "snapshots/overlayfs", "trash", "uppers"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		auto_strings struct strings left = {0};
		assert_fine(store_list_at(s->rootfd, folders[i], &left));
		if (left.n)
			fail_msg("%s/%s is left", folders[i], left.items[0]);
	}
	auto_strings struct strings state = {0};
	assert_fine(store_list_at(s->statefd, ".", &state));
	for (size_t i = 0; i < state.n; i++)
		if (!text_starts(state.items[i], "state.db") &&
		    strcmp(state.items[i], ".boot") != 0 && strcmp(state.items[i], ".reserve") != 0)
			fail_msg("%s is left in the state", state.items[i]);
}
