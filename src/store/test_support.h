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
