// SPDX-License-Identifier: Apache-2.0
// The one transaction of a publication. Every row that it makes or relies on is looked at here,
// where nothing can change it any more.
#include "store/rows.h"

static fallible put_blob(const struct publishing *g, const struct store_new_blob *b, int64_t now)
{
	const struct store_descriptor *d = &b->descriptor;
	TRY(database_do(g->meta,
	                "INSERT INTO blobs (ns, digest, media_type, size, created, updated) "
	                "VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT DO UPDATE "
	                // A fetched blob comes before it is known what it is.
	                "SET media_type = excluded.media_type WHERE media_type = ''",
	                VALUES(TEXT(g->p->ns), TEXT(d->digest), TEXT(d->media_type),
	                       NUMBER(d->size_bytes), NUMBER(now)),
	                NULL));
	return store_put_labels(g->meta, STORE_BLOB, g->p->ns, d->digest, &b->labels);
}

static fallible require_blob(const struct publishing *g, const char *digest)
{
	bool has;
	TRY(database_has(g->meta, "SELECT 1 FROM blobs WHERE ns = ? AND digest = ?",
	                 VALUES(TEXT(g->p->ns), TEXT(digest)), &has));
	return has ? NULL : store_not_found(STORE_BLOB, g->p->ns, digest);
}

static fallible put_references(const struct publishing *g, const struct store_new_blob *b)
{
	for (size_t i = 0; i < b->n_references; i++) {
		TRY(require_blob(g, b->references[i]));
		TRY(database_do(
			g->meta,
			"INSERT INTO blob_references (ns, source, target) VALUES (?, ?, ?) "
			"ON CONFLICT DO NOTHING",
			VALUES(TEXT(g->p->ns), TEXT(b->descriptor.digest), TEXT(b->references[i])),
			NULL));
	}
	return NULL;
}

struct found { // -1: no such snapshot
	int kind;
};

static fallible find_kind(const struct publishing *g, const char *snapshotter, const char *key,
                          struct found *ret)
{
	auto_rows struct rows r = {0};
	TRY(database_query(g->meta,
	                   "SELECT kind FROM snapshots "
	                   "WHERE ns = ? AND snapshotter = ? AND key = ?",
	                   VALUES(TEXT(g->p->ns), TEXT(snapshotter), TEXT(key)), &r));
	bool has;
	TRY(rows_next(&r, &has));
	ret->kind = has ? (int)rows_number(&r, 0) : -1;
	return NULL;
}

static fallible require_parent(const struct publishing *g, const struct store_new_snapshot *n)
{
	struct found parent;
	TRY(find_kind(g, n->snapshotter, n->parent, &parent));
	if (parent.kind < 0)
		return error_new(ERROR_NOT_FOUND, "parent snapshot %s does not exist: not found",
		                 n->parent);
	if (parent.kind != STORE_COMMITTED)
		return error_new(ERROR_INVALID,
		                 "parent \"%s\" is not committed snapshot: invalid argument",
		                 n->parent);
	return NULL;
}

static fallible put_snapshot(const struct publishing *g, size_t i, int64_t now)
{
	const struct store_new_snapshot *n = &g->p->snapshots[i];
	struct found there;
	TRY(find_kind(g, n->snapshotter, n->key, &there));
	if (there.kind == STORE_COMMITTED && n->kind == STORE_COMMITTED) {
		g->placed[i].lost = true;
		return NULL;
	}
	if (there.kind >= 0)
		return error_new(ERROR_EXISTS, "snapshot \"%s\": already exists", n->key);
	const char *parent = n->parent && *n->parent ? n->parent : NULL;
	if (parent)
		TRY(require_parent(g, n));
	TRY(database_do(g->meta,
	                "INSERT INTO snapshots (ns, snapshotter, key, parent, kind, number, "
	                "created, updated, size, inodes) "
	                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)",
	                VALUES(TEXT(g->p->ns), TEXT(n->snapshotter), TEXT(n->key), NULLABLE(parent),
	                       NUMBER(n->kind), NUMBER(g->placed[i].number), NUMBER(now),
	                       NUMBER(n->size_bytes), NUMBER(n->n_inodes)),
	                NULL));
	auto_free char *object = alloc_printf("%s/%s", n->snapshotter, n->key);
	return store_put_labels(g->meta, STORE_SNAPSHOT, g->p->ns, object, &n->labels);
}

static fallible put_manifest(const struct publishing *g, const struct store_manifest *m)
{
	const char *ns = g->p->ns, *digest = m->descriptor.digest;
	TRY(require_blob(g, digest));
	TRY(database_do(g->meta,
	                "INSERT INTO manifests "
	                "(ns, digest, media_type, size, platform, config_digest, config, "
	                "chain_id, total_size) "
	                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ns, digest) DO UPDATE SET "
	                "platform = excluded.platform, config_digest = excluded.config_digest, "
	                "config = excluded.config, chain_id = excluded.chain_id, "
	                "total_size = excluded.total_size",
	                VALUES(TEXT(ns), TEXT(digest), TEXT(m->descriptor.media_type),
	                       NUMBER(m->descriptor.size_bytes), TEXT(m->platform),
	                       TEXT(m->config_digest), TEXT(m->config), TEXT(m->chain_id),
	                       NUMBER(m->size_bytes)),
	                NULL));
	TRY(database_do(g->meta, "DELETE FROM layers WHERE ns = ? AND manifest = ?",
	                VALUES(TEXT(ns), TEXT(digest)), NULL));
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct store_layer *l = &m->layers[i];
		TRY(database_do(g->meta,
		                "INSERT INTO layers "
		                "(ns, manifest, position, media_type, digest, size, diff_id) "
		                "VALUES (?, ?, ?, ?, ?, ?, ?)",
		                VALUES(TEXT(ns), TEXT(digest), NUMBER(i),
		                       TEXT(l->descriptor.media_type), TEXT(l->descriptor.digest),
		                       NUMBER(l->descriptor.size_bytes), TEXT(l->diff_id)),
		                NULL));
	}
	return NULL;
}

static fallible put_target(const struct publishing *g, const char *target, size_t position,
                           const char *manifest)
{
	return database_do(
		g->meta, "INSERT INTO targets (ns, target, position, manifest) VALUES (?, ?, ?, ?)",
		VALUES(TEXT(g->p->ns), TEXT(target), NUMBER(position), TEXT(manifest)), NULL);
}

static void read_text(const struct rows *r, struct arena *a, void *item)
{
	*(const char **)item = rows_text(r, 0, a);
}

static bool is_new(const struct store_new_image *image, const char *manifest)
{
	for (size_t i = 0; i < image->n_manifests; i++)
		if (text_equal(image->manifests[i], manifest))
			return true;
	return false;
}

// The manifests that are published now come first, in their order; those that the store had below
// the same target (an import of another platform) follow.
static fallible put_targets(const struct publishing *g, const struct store_new_image *image)
{
	const char *target = image->target.digest;
	const struct value *values = VALUES(TEXT(g->p->ns), TEXT(target));
	auto_arena struct arena *a = arena_new();
	const char **old;
	size_t n_old, position = 0;
	TRY(database_collect(g->meta,
	                     "SELECT manifest FROM targets WHERE ns = ? AND target = ? "
	                     "ORDER BY position",
	                     values, a, sizeof(*old), read_text, &old, &n_old));
	TRY(database_do(g->meta, "DELETE FROM targets WHERE ns = ? AND target = ?", values, NULL));
	for (size_t i = 0; i < image->n_manifests; i++)
		TRY(put_target(g, target, position++, image->manifests[i]));
	for (size_t i = 0; i < n_old; i++)
		if (!is_new(image, old[i]))
			TRY(put_target(g, target, position++, old[i]));
	return NULL;
}

static fallible require_manifest(const struct publishing *g, const char *digest)
{
	bool has;
	TRY(database_has(g->meta, "SELECT 1 FROM manifests WHERE ns = ? AND digest = ?",
	                 VALUES(TEXT(g->p->ns), TEXT(digest)), &has));
	return has ? NULL : error_new(ERROR_NOT_FOUND, "manifest %s: not found", digest);
}

static fallible put_image(const struct publishing *g, const struct store_new_image *image,
                          int64_t now)
{
	const char *ns = g->p->ns;
	TRY(require_blob(g, image->target.digest));
	for (size_t i = 0; i < image->n_manifests; i++)
		TRY(require_manifest(g, image->manifests[i]));
	TRY(database_do(g->meta,
	                "INSERT INTO images (ns, name, media_type, digest, size, created, updated) "
	                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT DO UPDATE SET "
	                "media_type = excluded.media_type, digest = excluded.digest, "
	                "size = excluded.size, updated = excluded.updated",
	                VALUES(TEXT(ns), TEXT(image->name), TEXT(image->target.media_type),
	                       TEXT(image->target.digest), NUMBER(image->target.size_bytes),
	                       NUMBER(now)),
	                NULL));
	TRY(store_put_labels(g->meta, STORE_IMAGE, ns, image->name, &image->labels));
	return put_targets(g, image);
}

static fallible require_snapshots(const struct publishing *g)
{
	for (size_t i = 0; i < g->p->n_needs; i++) {
		struct found found;
		TRY(find_kind(g, g->p->needs[i].snapshotter, g->p->needs[i].key, &found));
		if (found.kind != STORE_COMMITTED)
			return store_not_found(STORE_SNAPSHOT, g->p->ns, g->p->needs[i].key);
	}
	return NULL;
}

fallible store_publish_rows(void *arg)
{
	const struct publishing *g = arg;
	const struct store_publication *p = g->p;
	int64_t now = store_now_ns();
	TRY(store_clear_marks(g->meta)); // no collector lives while we hold content/lock
	TRY(store_put_namespace(g->meta, p->ns));
	TRY(require_snapshots(g));
	for (size_t i = 0; i < p->n_blobs; i++)
		TRY(put_blob(g, &p->blobs[i], now));
	for (size_t i = 0; i < p->n_blobs; i++)
		TRY(put_references(g, &p->blobs[i]));
	for (size_t i = 0; i < p->n_snapshots; i++)
		TRY(put_snapshot(g, i, now));
	for (size_t i = 0; i < p->n_manifests; i++)
		TRY(put_manifest(g, &p->manifests[i]));
	for (size_t i = 0; i < p->n_images; i++)
		TRY(put_image(g, &p->images[i], now));
	return NULL;
}
