// SPDX-License-Identifier: Apache-2.0
#include "store/room.h"

// --- reading --------------------------------------------------------------------------------

static void read_image(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_image *)item = (struct store_image){
		.ns = rows_text(r, 0, a),
		.name = rows_text(r, 1, a),
		.target = {rows_text(r, 2, a), rows_text(r, 3, a), (uint64_t)rows_number(r, 4)},
		.created_ns = rows_number(r, 5),
		.updated_ns = rows_number(r, 6),
	};
}
#define IMAGE_COLUMNS "ns, name, media_type, digest, size, created, updated"

static void read_manifest(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_manifest *)item = (struct store_manifest){
		.descriptor = {rows_text(r, 0, a), rows_text(r, 1, a), (uint64_t)rows_number(r, 2)},
		.platform = rows_text(r, 3, a),
		.config_digest = rows_text(r, 4, a),
		.chain_id = rows_text(r, 5, a),
		.size_bytes = (uint64_t)rows_number(r, 6),
		.config = rows_text(r, 7, a),
	};
}

static void read_layer(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_layer *)item = (struct store_layer){
		.descriptor = {rows_text(r, 0, a), rows_text(r, 1, a), (uint64_t)rows_number(r, 2)},
		.diff_id = rows_text(r, 3, a),
	};
}

#define MANIFESTS(config)                                                                  \
	"SELECT m.media_type, m.digest, m.size, m.platform, m.config_digest, m.chain_id, " \
	"m.total_size, " config " FROM targets t "                                         \
	"JOIN manifests m ON m.ns = t.ns AND m.digest = t.manifest "                       \
	"WHERE t.ns = ? AND t.target = ? ORDER BY t.position"

static fallible read_rest(struct database *d, struct arena *a, bool with_config,
                          struct store_image *image)
{
	TRY(store_read_labels(d, a, STORE_IMAGE, image->ns, image->name, &image->labels));
	struct store_manifest *manifests;
	TRY(database_collect(d, with_config ? MANIFESTS("m.config") : MANIFESTS("NULL"),
	                     VALUES(TEXT(image->ns), TEXT(image->target.digest)), a,
	                     sizeof(*manifests), read_manifest, &manifests, &image->n_manifests));
	for (size_t i = 0; i < image->n_manifests; i++) {
		struct store_manifest *m = &manifests[i];
		if (!with_config)
			m->config = NULL;
		TRY(database_collect(d,
		                     "SELECT media_type, digest, size, diff_id FROM layers "
		                     "WHERE ns = ? AND manifest = ? ORDER BY position",
		                     VALUES(TEXT(image->ns), TEXT(m->descriptor.digest)), a,
		                     sizeof(*m->layers), read_layer, &m->layers, &m->n_layers));
	}
	image->manifests = manifests;
	return NULL;
}

struct search {
	struct database *meta;
	const char *ns, *name; // NULL: all
	struct store_images *found;
};

static fallible search(void *arg)
{
	struct search *x = arg;
	struct store_images *l = x->found;
	if (x->name)
		TRY(database_collect(
			x->meta, "SELECT " IMAGE_COLUMNS " FROM images WHERE ns = ? AND name = ?",
			VALUES(TEXT(x->ns), TEXT(x->name)), l->arena, sizeof(*l->items), read_image,
			&l->items, &l->n));
	else
		TRY(database_collect(
			x->meta, "SELECT " IMAGE_COLUMNS " FROM images WHERE ns = ? ORDER BY name",
			VALUES(TEXT(x->ns)), l->arena, sizeof(*l->items), read_image, &l->items,
			&l->n));
	for (size_t i = 0; i < l->n; i++)
		TRY(read_rest(x->meta, l->arena, x->name != NULL, &l->items[i]));
	return NULL;
}

static fallible find_images(struct store *s, const char *ns, const char *name,
                            struct store_images **ret)
{
	struct search x = {.ns = ns, .name = name};
	TRY(store_meta(s, &x.meta));
	x.found = alloc(sizeof(*x.found));
	x.found->arena = arena_new();
	struct error *e = database_transaction(x.meta, TRANSACTION_READ, search, &x);
	if (e)
		store_images_free(x.found);
	else
		*ret = x.found;
	return e;
}

fallible store_find_image(struct store *s, const char *ns, const char *name,
                          struct store_image **ret)
{
	struct store_images *found;
	TRY(find_images(s, ns, name, &found));
	if (found->n) {
		struct store_image *image = alloc(sizeof(*image));
		*image = found->items[0];
		image->arena = take(&found->arena);
		*ret = image;
	}
	bool any = found->n;
	store_images_free(found);
	return any ? NULL : store_not_found(STORE_IMAGE, ns, name);
}

fallible store_list_images(struct store *s, const char *ns, struct store_images **ret)
{
	return find_images(s, ns, NULL, ret);
}

void store_image_free(struct store_image *i)
{
	if (!i)
		return;
	arena_free(i->arena);
	free(i);
}

void store_images_free(struct store_images *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}

// --- changing -------------------------------------------------------------------------------

struct change {
	struct database *meta;
	const char *ns, *from, *to;
	bool replace;
};

static fallible remove_image(void *arg)
{
	struct change *c = arg;
	int64_t n;
	TRY(database_do(c->meta, "DELETE FROM images WHERE ns = ? AND name = ?",
	                VALUES(TEXT(c->ns), TEXT(c->from)), &n));
	if (!n)
		return store_not_found(STORE_IMAGE, c->ns, c->from);
	return store_drop_labels(c->meta, STORE_IMAGE, c->ns, c->from);
}

fallible store_remove_image(struct store *s, const char *ns, const char *name)
{
	struct change c = {.ns = ns, .from = name};
	TRY(store_meta(s, &c.meta));
	return database_transaction(c.meta, TRANSACTION_DURABLE, remove_image, &c);
}

static fallible tag_image(void *arg)
{
	struct change *c = arg;
	bool has;
	TRY(database_has(c->meta, "SELECT 1 FROM images WHERE ns = ? AND name = ?",
	                 VALUES(TEXT(c->ns), TEXT(c->from)), &has));
	if (!has)
		return store_not_found(STORE_IMAGE, c->ns, c->from);
	TRY(database_has(c->meta, "SELECT 1 FROM images WHERE ns = ? AND name = ?",
	                 VALUES(TEXT(c->ns), TEXT(c->to)), &has));
	if (has && !c->replace)
		return error_new(ERROR_EXISTS, "image \"%s\": already exists", c->to);
	TRY(database_do(c->meta,
	                "INSERT INTO images (ns, name, media_type, digest, size, created, updated) "
	                "SELECT ns, ?3, media_type, digest, size, ?4, ?4 FROM images "
	                "WHERE ns = ?1 AND name = ?2 "
	                "ON CONFLICT DO UPDATE SET media_type = excluded.media_type, "
	                "digest = excluded.digest, size = excluded.size, "
	                "updated = excluded.updated",
	                VALUES(TEXT(c->ns), TEXT(c->from), TEXT(c->to), NUMBER(store_now_ns())),
	                NULL));
	return database_do(c->meta,
	                   "INSERT INTO labels (kind, ns, object, key, value) "
	                   "SELECT kind, ns, ?4, key, value FROM labels "
	                   "WHERE kind = ?1 AND ns = ?2 AND object = ?3 "
	                   "ON CONFLICT DO UPDATE SET value = excluded.value",
	                   VALUES(NUMBER(STORE_IMAGE), TEXT(c->ns), TEXT(c->from), TEXT(c->to)),
	                   NULL);
}

fallible store_tag_image(struct store *s, const char *ns, const char *from, const char *to,
                         bool replace)
{
	struct change c = {.ns = ns, .from = from, .to = to, .replace = replace};
	TRY(store_meta(s, &c.meta));
	return database_transaction(c.meta, TRANSACTION_DURABLE, tag_image, &c);
}
