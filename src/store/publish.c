// SPDX-License-Identifier: Apache-2.0
// Publishing, in the order that makes a listed thing whole after a power cut:
//  1. blobs: fdatasync.  snapshots: one syncfs of the store, whose result is looked at.
//  2. numbers for the new snapshots: a counter, committed before they are used.
//  3. content/lock shared, from here to the end: files without rows are no garbage now.
//  4. blobs: link under their digest, fsync of the folder.
//     snapshots: rename to their number, fsync of the folder.
//  5. one transaction, synchronous=FULL.
// A crash leaves files without rows, never rows without files. If it fails the snapshots' folders
// go back to the session.
#include "store/rows.h"
#include "store/session.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static fallible check(const struct store_session *x, const struct store_publication *p)
{
	TRY(store_check_namespace(p->ns));
	for (size_t i = 0; i < p->n_blobs; i++) {
		const struct store_new_blob *b = &p->blobs[i];
		TRY(store_check_digest(b->descriptor.digest));
		if (b->name && (!*b->name || strchr(b->name, '/')))
			return error_new(ERROR_INVALID, "content %s: \"%s\" isn't a file name",
			                 b->descriptor.digest, b->name);
	}
	for (size_t i = 0; i < p->n_snapshots; i++) {
		const struct store_new_snapshot *n = &p->snapshots[i];
		TRY(store_check_id(n->snapshotter));
		if (!*n->key)
			return error_new(ERROR_INVALID, "snapshot without a key: invalid argument");
		if (n->layer >= x->n_layers)
			return error_new(ERROR_INVALID, "snapshot %s: session has no layer %zu",
			                 n->key, n->layer);
	}
	return NULL;
}

// --- 1. on disk -----------------------------------------------------------------------------

static fallible open_new_blob(const struct store_session *x, const struct store_new_blob *b,
                              int *ret)
{
	auto_fd int fd =
		openat(x->blobsfd, b->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		FAIL_ERRNO("content %s: open", b->descriptor.digest);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("content %s: stat", b->descriptor.digest);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != b->descriptor.size_bytes)
		return error_new(ERROR_CORRUPT, "content %s: has %llu bytes, not %llu",
		                 b->descriptor.digest, (unsigned long long)st.st_size,
		                 (unsigned long long)b->descriptor.size_bytes);
	*ret = fd_take(&fd);
	return NULL;
}

static fallible sync_blobs(const struct store_session *x, const struct store_publication *p)
{
	for (size_t i = 0; i < p->n_blobs; i++) {
		auto_fd int fd = -1;
		if (!p->blobs[i].name)
			continue;
		TRY(open_new_blob(x, &p->blobs[i], &fd));
		// All start being written, then each is waited for.
		ignore(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	}
	for (size_t i = 0; i < p->n_blobs; i++) {
		const char *digest = p->blobs[i].descriptor.digest;
		auto_fd int fd = -1;
		if (!p->blobs[i].name)
			continue;
		TRY(open_new_blob(x, &p->blobs[i], &fd));
		if (fchmod(fd, 0444) < 0)
			FAIL_ERRNO("content %s: chmod", digest);
		if (fdatasync(fd) < 0)
			FAIL_ERRNO("content %s: fdatasync", digest);
	}
	return NULL;
}

fallible store_sync(struct store *s)
{
	if (syncfs(s->rootfd) < 0) // since Linux 5.8 it tells of failed writes
		FAIL_ERRNO("syncfs %s", s->root);
	return NULL;
}

// A folder with nothing in it but empty folders: cheaper than everybody's dirty pages.
static fallible sync_empty(int snapshotsfd, const char *name)
{
	auto_fd int dirfd = -1;
	TRY(path_open_beneath(snapshotsfd, name, O_RDONLY | O_DIRECTORY, 0, &dirfd));
	auto_strings struct strings below = {0};
	TRY(store_list_at(dirfd, ".", &below));
	for (size_t i = 0; i < below.n; i++) {
		auto_fd int fd = -1;
		TRY(path_open_beneath(dirfd, below.items[i], O_RDONLY | O_DIRECTORY, 0, &fd));
		TRY(path_sync_dir(fd, below.items[i]));
	}
	return path_sync_dir(dirfd, name);
}

static fallible sync_snapshots(const struct store_session *x, const struct store_publication *p)
{
	bool all_empty = true;
	for (size_t i = 0; i < p->n_snapshots; i++)
		all_empty = all_empty && p->snapshots[i].empty;
	if (!all_empty)
		return store_sync(x->store);
	for (size_t i = 0; i < p->n_snapshots; i++) {
		auto_free char *name = alloc_printf(SESSION_LAYER, x->name, p->snapshots[i].layer);
		TRY_AS(sync_empty(x->snapshotsfd, name), "snapshot %s", p->snapshots[i].key);
	}
	return NULL;
}

// --- 2. numbers -----------------------------------------------------------------------------

static fallible take_numbers(void *arg)
{
	struct publishing *g = arg;
	for (size_t i = 0; i < g->p->n_snapshots; i++) {
		auto_rows struct rows r = {0};
		TRY(database_query(g->meta,
		                   "INSERT INTO snapshotters (name, last_number) VALUES (?, 1) "
		                   "ON CONFLICT DO UPDATE SET last_number = last_number + 1 "
		                   "RETURNING last_number",
		                   VALUES(TEXT(g->p->snapshots[i].snapshotter)), &r));
		bool has;
		TRY(rows_next(&r, &has));
		g->placed[i].number = (uint64_t)rows_number(&r, 0);
		TRY(rows_next(&r, &has));
	}
	return NULL;
}

// --- 4. names -------------------------------------------------------------------------------

static fallible link_blob(const struct store_session *x, int blobs, const struct store_new_blob *b)
{
	const char *digest = b->descriptor.digest, *file = BLOB_FILE(digest);
	if (!b->name) {
		if (faccessat(blobs, file, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return store_not_found(STORE_BLOB, "", digest);
		return NULL;
	}
	if (linkat(x->blobsfd, b->name, blobs, file, 0) == 0)
		return NULL;
	if (errno != EEXIST)
		FAIL_ERRNO("content %s: link", digest);
	// Somebody else's, synced like ours; or what a broken disk left.
	struct stat st;
	if (fstatat(blobs, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("content %s: stat", digest);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == b->descriptor.size_bytes)
		return NULL;
	if (renameat(x->blobsfd, b->name, blobs, file) < 0)
		FAIL_ERRNO("content %s: rename", digest);
	return NULL;
}

static fallible link_blobs(const struct store_session *x, const struct store_publication *p)
{
	if (!p->n_blobs)
		return NULL;
	auto_fd int blobs = -1;
	TRY(store_blob_folder(x->store, &blobs));
	for (size_t i = 0; i < p->n_blobs; i++)
		TRY(link_blob(x, blobs, &p->blobs[i]));
	return path_sync_dir(blobs, "content/blobs/sha256");
}

static fallible place_snapshot(const struct store_session *x, const struct store_new_snapshot *n,
                               struct placed *placed)
{
	auto_fd int folder = -1;
	TRY(store_snapshotter_folder(x->store, n->snapshotter, &folder));
	auto_free char *from = alloc_printf(SESSION_LAYER, x->name, n->layer);
	auto_free char *to = alloc_printf("%llu", (unsigned long long)placed->number);
	struct error *e = publish_rename(x->snapshotsfd, from, folder, to, 0);
	if (error_is(e, ERROR_EXISTS)) {
		// A power cut took the counter's last steps, and the rows with them.
		error_drop(&e);
		TRY(store_trash(x->store, folder, to));
		e = publish_rename(x->snapshotsfd, from, folder, to, 0);
	}
	TRY_AS(e, "snapshot %s", n->key);
	placed->is_there = true;
	return path_sync_dir(folder, n->snapshotter);
}

// Back to the session, which removes them unless they are published again.
static fallible take_back(const struct publishing *g, bool all)
{
	struct error *e = NULL;
	for (size_t i = 0; i < g->p->n_snapshots; i++) {
		struct placed *placed = &g->placed[i];
		if (!placed->is_there || !(all || placed->lost))
			continue;
		const struct store_new_snapshot *n = &g->p->snapshots[i];
		auto_fd int folder = -1;
		struct error *f = store_snapshotter_folder(g->x->store, n->snapshotter, &folder);
		auto_free char *from = alloc_printf("%llu", (unsigned long long)placed->number);
		auto_free char *to = alloc_printf(SESSION_LAYER, g->x->name, n->layer);
		if (!f)
			f = publish_rename(folder, from, g->x->snapshotsfd, to, 0);
		e = error_join(e, error_prefix(f, "snapshot %s", n->key));
	}
	return e;
}

static fallible publish_names(struct publishing *g)
{
	TRY(link_blobs(g->x, g->p));
	for (size_t i = 0; i < g->p->n_snapshots; i++)
		TRY(place_snapshot(g->x, &g->p->snapshots[i], &g->placed[i]));
	return database_transaction(g->meta, TRANSACTION_DURABLE, store_publish_rows, g);
}

fallible store_publish(struct store_session *x, const struct store_publication *p)
{
	TRY(check(x, p));
	auto_free struct placed *placed = alloc_array(p->n_snapshots + 1, sizeof(*placed));
	struct publishing g = {.x = x, .p = p, .placed = placed};
	TRY(store_meta(x->store, &g.meta));
	TRY(sync_blobs(x, p));
	if (p->n_snapshots) {
		TRY(sync_snapshots(x, p));
		TRY(database_transaction(g.meta, TRANSACTION_WRITE, take_numbers, &g));
	}
	auto_fd int lockfd = -1;
	TRY(store_lock_content(x->store, LOCK_SHARED, &lockfd));
	struct error *e = publish_names(&g);
	return error_join(e, take_back(&g, e != NULL));
}
