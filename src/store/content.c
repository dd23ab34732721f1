// SPDX-License-Identifier: Apache-2.0
#include "oci/digest.h"
#include "store/room.h"
#include <fcntl.h>
#include <sys/stat.h>

fallible store_check_digest(const char *digest)
{
	TRY(oci_digest_check(digest));
	if (!oci_digest_is_sha256(digest))
		return error_new(ERROR_INVALID, "digest \"%s\": only sha256 can be stored", digest);
	return NULL;
}

fallible store_open_blob(struct store *s, const char *ns, const char *digest, int *ret_fd,
                         uint64_t *ret_size_bytes)
{
	TRY(store_check_digest(digest));
	struct database *meta;
	TRY(store_meta(s, &meta));
	bool has;
	TRY(database_has(meta, "SELECT 1 FROM blobs WHERE ns = ? AND digest = ?",
	                 VALUES(TEXT(ns), TEXT(digest)), &has));
	if (!has)
		return store_not_found(STORE_BLOB, ns, digest);
	auto_fd int dirfd = -1, fd = -1;
	TRY(store_blob_folder(s, &dirfd));
	struct error *e = path_open_beneath(dirfd, BLOB_FILE(digest), O_RDONLY, 0, &fd);
	if (error_is(e, ERROR_NOT_FOUND))
		return error_recode(error_prefix(e, "content %s is lost", digest), ERROR_CORRUPT);
	TRY_AS(e, "content %s", digest);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("content %s: stat", digest);
	*ret_fd = fd_take(&fd);
	*ret_size_bytes = (uint64_t)st.st_size;
	return NULL;
}

static void read_blob(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_blob *)item = (struct store_blob){
		.descriptor = {.digest = rows_text(r, 0, a),
	                       .media_type = rows_text(r, 1, a),
	                       .size_bytes = (uint64_t)rows_number(r, 2)},
		.created_ns = rows_number(r, 3),
		.updated_ns = rows_number(r, 4),
	};
}

struct reading {
	struct database *meta;
	const char *sql;
	const struct value *values;
	struct store_blobs *list;
};

static fallible read_in_transaction(void *arg)
{
	struct reading *r = arg;
	struct store_blobs *l = r->list;
	TRY(database_collect(r->meta, r->sql, r->values, l->arena, sizeof(*l->items), read_blob,
	                     &l->items, &l->n));
	for (size_t i = 0; i < l->n; i++)
		TRY(store_read_labels(r->meta, l->arena, STORE_BLOB, r->values[0].text,
		                      l->items[i].descriptor.digest, &l->items[i].labels));
	return NULL;
}

static fallible blobs_of(struct store *s, const char *sql, const struct value *values,
                         struct store_blobs **ret)
{
	struct database *meta;
	TRY(store_meta(s, &meta));
	struct store_blobs *list = alloc(sizeof(*list));
	list->arena = arena_new();
	struct reading r = {meta, sql, values, list};
	struct error *e = database_transaction(meta, TRANSACTION_READ, read_in_transaction, &r);
	if (e)
		store_blobs_free(list);
	else
		*ret = list;
	return e;
}

fallible store_list_blobs(struct store *s, const char *ns, struct store_blobs **ret)
{
	return blobs_of(s,
	                "SELECT digest, media_type, size, created, updated FROM blobs "
	                "WHERE ns = ? ORDER BY digest",
	                VALUES(TEXT(ns)), ret);
}

fallible store_list_references(struct store *s, const char *ns, const char *digest,
                               struct store_blobs **ret)
{
	return blobs_of(s,
	                "SELECT b.digest, b.media_type, b.size, b.created, b.updated "
	                "FROM blob_references AS r "
	                "JOIN blobs AS b ON b.ns = r.ns AND b.digest = r.target "
	                "WHERE r.ns = ? AND r.source = ? ORDER BY b.digest",
	                VALUES(TEXT(ns), TEXT(digest)), ret);
}

fallible store_find_blob(struct store *s, const char *ns, const char *digest,
                         struct store_blobs **ret)
{
	TRY(store_check_digest(digest));
	struct store_blobs *found;
	TRY(blobs_of(s,
	             "SELECT digest, media_type, size, created, updated FROM blobs "
	             "WHERE ns = ? AND digest = ?",
	             VALUES(TEXT(ns), TEXT(digest)), &found));
	if (!found->n) {
		store_blobs_free(found);
		return store_not_found(STORE_BLOB, ns, digest);
	}
	*ret = found;
	return NULL;
}

void store_blobs_free(struct store_blobs *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}

struct removal {
	struct database *meta;
	const char *ns, *digest;
};

static fallible remove_blob(void *arg)
{
	struct removal *r = arg;
	int64_t n;
	TRY(database_do(r->meta, "DELETE FROM blobs WHERE ns = ? AND digest = ?",
	                VALUES(TEXT(r->ns), TEXT(r->digest)), &n));
	if (!n)
		return store_not_found(STORE_BLOB, r->ns, r->digest);
	return store_drop_labels(r->meta, STORE_BLOB, r->ns, r->digest);
}

fallible store_remove_blob(struct store *s, const char *ns, const char *digest)
{
	TRY(store_check_digest(digest));
	struct removal r = {.ns = ns, .digest = digest};
	TRY(store_meta(s, &r.meta));
	return database_transaction(r.meta, TRANSACTION_DURABLE, remove_blob, &r);
}
