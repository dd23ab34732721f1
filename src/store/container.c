// SPDX-License-Identifier: Apache-2.0
// Records of containers, in both databases. An ID is free if neither has it; who asks holds the
// container's claim, so nobody puts it into the other one meanwhile.
#include "store/claim.h"
#include "store/run.h"
#include <assert.h>

// --- writing --------------------------------------------------------------------------------

fallible store_put_container_rows(struct database *d, const struct store_container *c)
{
	int64_t n;
	TRY(database_do(d,
	                "INSERT INTO containers (ns, id, instance, image, image_digest, "
	                "snapshotter, snapshot_key, runtime, runtime_options, sandbox, spec, "
	                "created, updated) "
	                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12) "
	                "ON CONFLICT DO NOTHING",
	                VALUES(TEXT(c->ns), TEXT(c->id), NUMBER(c->instance), TEXT(c->image),
	                       TEXT(c->image_digest), TEXT(c->snapshotter), TEXT(c->snapshot_key),
	                       TEXT(c->runtime), TEXT(c->runtime_options), TEXT(c->sandbox),
	                       TEXT(c->spec), NUMBER(store_now_ns())),
	                &n));
	if (!n)
		return store_container_exists(c->id);
	for (size_t i = 0; i < c->n_extensions; i++) {
		const struct store_extension *x = &c->extensions[i];
		TRY(database_do(d,
		                "INSERT INTO extensions (ns, id, key, type_url, value) "
		                "VALUES (?, ?, ?, ?, ?)",
		                VALUES(TEXT(c->ns), TEXT(c->id), TEXT(x->key), TEXT(x->type_url),
		                       TEXT(x->value)),
		                NULL));
	}
	return store_put_labels(d, STORE_CONTAINER, c->ns, c->id, &c->labels);
}

struct error *store_container_exists(const char *id)
{
	return error_new(ERROR_EXISTS, "container \"%s\": already exists", id);
}

fallible store_has_container(struct database *d, const char *ns, const char *id, bool *ret)
{
	return database_has(d, "SELECT 1 FROM containers WHERE ns = ? AND id = ?",
	                    VALUES(TEXT(ns), TEXT(id)), ret);
}

struct writing {
	struct database *database;
	const struct store_container *container;
};

static fallible put(void *arg)
{
	const struct writing *w = arg;
	if (w->container->life == STORE_KEPT)
		TRY(store_put_namespace(w->database, w->container->ns));
	return store_put_container_rows(w->database, w->container);
}

fallible store_put_container(struct store *s, const struct store_claim *claim,
                             const struct store_container *c)
{
	assert(text_equal(claim->ns, c->ns) && text_equal(claim->id, c->id));
	struct database *meta, *state;
	TRY(store_meta(s, &meta));
	TRY(store_state_db(s, &state));
	bool taken;
	TRY(store_has_container(c->life == STORE_KEPT ? state : meta, c->ns, c->id, &taken));
	if (taken)
		return store_container_exists(c->id);
	struct writing w = {c->life == STORE_KEPT ? meta : state, c};
	return database_transaction(w.database, TRANSACTION_DURABLE, put, &w);
}

// --- reading --------------------------------------------------------------------------------

static void read_container(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_container *)item = (struct store_container){
		.ns = rows_text(r, 0, a),
		.id = rows_text(r, 1, a),
		.instance = (uint64_t)rows_number(r, 2),
		.image = rows_text(r, 3, a),
		.image_digest = rows_text(r, 4, a),
		.snapshotter = rows_text(r, 5, a),
		.snapshot_key = rows_text(r, 6, a),
		.runtime = rows_text(r, 7, a),
		.runtime_options = rows_text(r, 8, a),
		.sandbox = rows_text(r, 9, a),
		.created_ns = rows_number(r, 10),
		.updated_ns = rows_number(r, 11),
		.spec = rows_text(r, 12, a),
	};
}
#define SELECT(spec)                                                                         \
	"SELECT ns, id, instance, image, image_digest, snapshotter, snapshot_key, runtime, " \
	"runtime_options, sandbox, created, updated, " spec " FROM containers "

static void read_extension(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_extension *)item = (struct store_extension){
		rows_text(r, 0, a), rows_text(r, 1, a), rows_text(r, 2, a)};
}

struct search {
	struct database *database;
	enum store_life life;
	const char *ns, *id; // id NULL: all of the namespace; both NULL: all
	struct arena *arena;
	struct store_container *items;
	size_t n;
};

static fallible search(void *arg)
{
	struct search *x = arg;
	const char *sql = x->id   ? SELECT("spec") "WHERE ns = ? AND id = ?"
	                  : x->ns ? SELECT("NULL") "WHERE ns = ?"
	                          : SELECT("NULL");
	TRY(database_collect(x->database, sql,
	                     x->id   ? VALUES(TEXT(x->ns), TEXT(x->id))
	                     : x->ns ? VALUES(TEXT(x->ns))
	                             : NO_VALUES,
	                     x->arena, sizeof(*x->items), read_container, &x->items, &x->n));
	for (size_t i = 0; i < x->n; i++) {
		struct store_container *c = &x->items[i];
		c->life = x->life;
		if (!x->id)
			c->spec = NULL;
		TRY(store_read_labels(x->database, x->arena, STORE_CONTAINER, c->ns, c->id,
		                      &c->labels));
		TRY(database_collect(x->database,
		                     "SELECT key, type_url, value FROM extensions "
		                     "WHERE ns = ? AND id = ? ORDER BY key",
		                     VALUES(TEXT(c->ns), TEXT(c->id)), x->arena,
		                     sizeof(*c->extensions), read_extension, &c->extensions,
		                     &c->n_extensions));
	}
	return NULL;
}

static fallible search_in(struct store *s, enum store_life life, struct search *x)
{
	x->life = life;
	TRY(life == STORE_PASSING ? store_state_db(s, &x->database) : store_meta(s, &x->database));
	return database_transaction(x->database, TRANSACTION_READ, search, x);
}

fallible store_find_container(struct store *s, const char *ns, const char *id,
                              struct store_container **ret)
{
	auto_arena struct arena *a = arena_new();
	struct search x = {.ns = ns, .id = id, .arena = a};
	TRY(search_in(s, STORE_PASSING, &x));
	if (!x.n)
		TRY(search_in(s, STORE_KEPT, &x));
	if (!x.n)
		return store_not_found(STORE_CONTAINER, ns, id);
	struct store_container *c = alloc(sizeof(*c));
	*c = x.items[0];
	c->arena = take(&a);
	*ret = c;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct store_container *x = a, *y = b;
	int order = strcmp(x->ns, y->ns);
	return order ? order : strcmp(x->id, y->id);
}

fallible store_list_containers(struct store *s, const char *ns, struct store_containers **ret)
{
	auto_arena struct arena *a = arena_new();
	struct search passing = {.ns = ns, .arena = a}, kept = {.ns = ns, .arena = a};
	TRY(search_in(s, STORE_PASSING, &passing));
	TRY(search_in(s, STORE_KEPT, &kept));
	size_t n = passing.n + kept.n;
	struct store_container *items = arena_alloc(a, (n + 1) * sizeof(*items));
	if (passing.n)
		memcpy(items, passing.items, passing.n * sizeof(*items));
	if (kept.n)
		memcpy(items + passing.n, kept.items, kept.n * sizeof(*items));
	qsort(items, n, sizeof(*items), by_name);
	struct store_containers *l = alloc(sizeof(*l));
	*l = (struct store_containers){.items = items, .n = n};
	l->arena = take(&a);
	*ret = l;
	return NULL;
}

void store_container_free(struct store_container *c)
{
	if (!c)
		return;
	arena_free(c->arena);
	free(c);
}

void store_containers_free(struct store_containers *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}

// --- removal --------------------------------------------------------------------------------

struct removal {
	struct database *database;
	const char *ns, *id;
	uint64_t instance;
};

fallible store_remove_container_rows(struct database *d, const char *ns, const char *id,
                                     uint64_t instance)
{
	int64_t n;
	TRY(database_do(d, "DELETE FROM containers WHERE ns = ? AND id = ? AND instance = ?",
	                VALUES(TEXT(ns), TEXT(id), NUMBER(instance)), &n));
	return n ? store_drop_labels(d, STORE_CONTAINER, ns, id) : NULL;
}

static fallible remove_rows(void *arg)
{
	const struct removal *r = arg;
	return store_remove_container_rows(r->database, r->ns, r->id, r->instance);
}

fallible store_remove_container(struct store *s, const char *ns, const char *id, uint64_t instance)
{
	struct removal r = {.ns = ns, .id = id, .instance = instance};
	TRY(store_state_db(s, &r.database));
	TRY(database_transaction(r.database, TRANSACTION_WRITE, remove_rows, &r));
	TRY(store_meta(s, &r.database));
	return database_transaction(r.database, TRANSACTION_DURABLE, remove_rows, &r);
}
