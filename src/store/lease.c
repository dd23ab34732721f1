// SPDX-License-Identifier: Apache-2.0
#include "store/room.h"

struct change {
	struct database *meta;
	const char *ns, *id;
	const struct store_lease *lease;
	const struct store_resource *resource;
};

static fallible has_lease(const struct change *c, bool *ret)
{
	return database_has(c->meta, "SELECT 1 FROM leases WHERE ns = ? AND id = ?",
	                    VALUES(TEXT(c->ns), TEXT(c->id)), ret);
}

static fallible put_resource(const struct change *c, const struct store_resource *r)
{
	return database_do(c->meta,
	                   "INSERT INTO lease_resources (ns, lease, kind, snapshotter, name) "
	                   "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
	                   VALUES(TEXT(c->ns), TEXT(c->id), NUMBER(r->kind), TEXT(r->snapshotter),
	                          TEXT(r->name)),
	                   NULL);
}

static fallible create(void *arg)
{
	const struct change *c = arg;
	bool has;
	TRY(has_lease(c, &has));
	if (has)
		return error_new(ERROR_EXISTS, "lease \"%s\": already exists", c->id);
	TRY(store_put_namespace(c->meta, c->ns));
	TRY(database_do(c->meta,
	                "INSERT INTO leases (ns, id, created, expires) VALUES (?, ?, ?, ?)",
	                VALUES(TEXT(c->ns), TEXT(c->id), NUMBER(store_now_ns()),
	                       NUMBER(c->lease->expires_ns)),
	                NULL));
	for (size_t i = 0; i < c->lease->n_resources; i++)
		TRY(put_resource(c, &c->lease->resources[i]));
	return store_put_labels(c->meta, STORE_LEASE, c->ns, c->id, &c->lease->labels);
}

fallible store_create_lease(struct store *s, const char *ns, const struct store_lease *l)
{
	struct change c = {.ns = ns, .id = l->id, .lease = l};
	TRY(store_meta(s, &c.meta));
	return database_transaction(c.meta, TRANSACTION_DURABLE, create, &c);
}

static fallible add(void *arg)
{
	const struct change *c = arg;
	bool has;
	TRY(has_lease(c, &has));
	return has ? put_resource(c, c->resource) : store_not_found(STORE_LEASE, c->ns, c->id);
}

fallible store_add_to_lease(struct store *s, const char *ns, const char *id,
                            const struct store_resource *r)
{
	struct change c = {.ns = ns, .id = id, .resource = r};
	TRY(store_meta(s, &c.meta));
	return database_transaction(c.meta, TRANSACTION_DURABLE, add, &c);
}

static fallible remove_lease(void *arg)
{
	const struct change *c = arg;
	int64_t n;
	TRY(database_do(c->meta, "DELETE FROM leases WHERE ns = ? AND id = ?",
	                VALUES(TEXT(c->ns), TEXT(c->id)), &n));
	if (!n)
		return store_not_found(STORE_LEASE, c->ns, c->id);
	return store_drop_labels(c->meta, STORE_LEASE, c->ns, c->id);
}

fallible store_remove_lease(struct store *s, const char *ns, const char *id)
{
	struct change c = {.ns = ns, .id = id};
	TRY(store_meta(s, &c.meta));
	return database_transaction(c.meta, TRANSACTION_DURABLE, remove_lease, &c);
}

static void read_lease(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_lease *)item = (struct store_lease){
		.id = rows_text(r, 0, a),
		.created_ns = rows_number(r, 1),
		.expires_ns = rows_number(r, 2),
	};
}

static void read_resource(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_resource *)item = (struct store_resource){
		.kind = (enum store_kind)rows_number(r, 0),
		.snapshotter = rows_text(r, 1, a),
		.name = rows_text(r, 2, a),
	};
}

struct listing {
	struct database *meta;
	const char *ns;
	struct store_leases *list;
};

static fallible list_leases(void *arg)
{
	const struct listing *x = arg;
	struct store_leases *l = x->list;
	TRY(database_collect(
		x->meta, "SELECT id, created, expires FROM leases WHERE ns = ? ORDER BY id",
		VALUES(TEXT(x->ns)), l->arena, sizeof(*l->items), read_lease, &l->items, &l->n));
	for (size_t i = 0; i < l->n; i++) {
		struct store_lease *lease = &l->items[i];
		TRY(store_read_labels(x->meta, l->arena, STORE_LEASE, x->ns, lease->id,
		                      &lease->labels));
		TRY(database_collect(x->meta,
		                     "SELECT kind, snapshotter, name FROM lease_resources "
		                     "WHERE ns = ? AND lease = ? ORDER BY kind, snapshotter, name",
		                     VALUES(TEXT(x->ns), TEXT(lease->id)), l->arena,
		                     sizeof(*lease->resources), read_resource, &lease->resources,
		                     &lease->n_resources));
	}
	return NULL;
}

fallible store_list_leases(struct store *s, const char *ns, struct store_leases **ret)
{
	struct listing x = {.ns = ns};
	TRY(store_meta(s, &x.meta));
	x.list = alloc(sizeof(*x.list));
	x.list->arena = arena_new();
	struct error *e = database_transaction(x.meta, TRANSACTION_READ, list_leases, &x);
	if (e)
		store_leases_free(x.list);
	else
		*ret = x.list;
	return e;
}

void store_leases_free(struct store_leases *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}
