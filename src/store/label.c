// SPDX-License-Identifier: Apache-2.0
// Labels and namespaces.
#include "store/room.h"

static void read_label(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_label *)item = (struct store_label){rows_text(r, 0, a), rows_text(r, 1, a)};
}

fallible store_read_labels(struct database *d, struct arena *a, enum store_kind kind,
                           const char *ns, const char *object, struct store_labels *ret)
{
	return database_collect(
		d,
		"SELECT key, value FROM labels WHERE kind = ? AND ns = ? AND object = ? "
		"ORDER BY key",
		VALUES(NUMBER(kind), TEXT(ns), TEXT(object)), a, sizeof(struct store_label),
		read_label, &ret->items, &ret->n);
}

fallible store_put_labels(struct database *d, enum store_kind kind, const char *ns,
                          const char *object, const struct store_labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct store_label *l = &labels->items[i];
		if (!*l->value)
			TRY(database_do(d,
			                "DELETE FROM labels WHERE kind = ? AND ns = ? AND "
			                "object = ? AND key = ?",
			                VALUES(NUMBER(kind), TEXT(ns), TEXT(object), TEXT(l->key)),
			                NULL));
		else
			TRY(database_do(d,
			                "INSERT INTO labels (kind, ns, object, key, value) "
			                "VALUES (?, ?, ?, ?, ?) "
			                "ON CONFLICT DO UPDATE SET value = excluded.value",
			                VALUES(NUMBER(kind), TEXT(ns), TEXT(object), TEXT(l->key),
			                       TEXT(l->value)),
			                NULL));
	}
	return NULL;
}

fallible store_drop_labels(struct database *d, enum store_kind kind, const char *ns,
                           const char *object)
{
	return database_do(d, "DELETE FROM labels WHERE kind = ? AND ns = ? AND object = ?",
	                   VALUES(NUMBER(kind), TEXT(ns), TEXT(object)), NULL);
}

struct error *store_not_found(enum store_kind kind, const char *ns, const char *name)
{
	switch (kind) {
	case STORE_NAMESPACE:
		return error_new(ERROR_NOT_FOUND, "namespace \"%s\": not found", name);
	case STORE_IMAGE:
		return error_new(ERROR_NOT_FOUND, "image \"%s\": not found", name);
	case STORE_BLOB:
		return error_new(ERROR_NOT_FOUND, "content %s: not found", name);
	case STORE_SNAPSHOT:
		return error_new(ERROR_NOT_FOUND, "snapshot %s does not exist: not found", name);
	case STORE_CONTAINER:
		return error_new(ERROR_NOT_FOUND, "container \"%s\" in namespace \"%s\": not found",
		                 name, ns);
	case STORE_LEASE:
	case STORE_KINDS:
		break;
	}
	return error_new(ERROR_NOT_FOUND, "lease \"%s\": not found", name);
}

// Marks the object as changed: ?1 namespace, ?2 name, ?3 snapshotter, ?4 now.
static const char *const touch_sql[] = {
	[STORE_NAMESPACE] = "UPDATE namespaces SET name = name "
			    "WHERE name = ?2 AND ?1 = '' AND ?3 = '' AND ?4 > 0",
	[STORE_IMAGE] = "UPDATE images SET updated = ?4 WHERE ns = ?1 AND name = ?2 AND ?3 = ''",
	[STORE_BLOB] = "UPDATE blobs SET updated = ?4 WHERE ns = ?1 AND digest = ?2 AND ?3 = ''",
	[STORE_SNAPSHOT] = "UPDATE snapshots SET updated = ?4 "
			   "WHERE ns = ?1 AND key = ?2 AND snapshotter = ?3",
	[STORE_CONTAINER] = "UPDATE containers SET updated = ?4 "
			    "WHERE ns = ?1 AND id = ?2 AND ?3 = ''",
	[STORE_LEASE] = "UPDATE leases SET id = id "
			"WHERE ns = ?1 AND id = ?2 AND ?3 = '' AND ?4 > 0",
};

struct change {
	struct database *database;
	enum store_kind kind;
	const char *ns, *snapshotter, *name;
	const struct store_labels *labels;
	struct store_labelled *all;
};

static fallible change_labels(void *arg)
{
	struct change *c = arg;
	int64_t n;
	TRY(database_do(
		c->database, touch_sql[c->kind],
		VALUES(TEXT(c->ns), TEXT(c->name), TEXT(c->snapshotter), NUMBER(store_now_ns())),
		&n));
	if (!n)
		return store_not_found(c->kind, c->ns, c->name);
	const char *object = c->name;
	if (c->kind == STORE_SNAPSHOT)
		object = SNAPSHOT_OBJECT(c->all->arena, c->snapshotter, c->name);
	TRY(store_put_labels(c->database, c->kind, c->ns, object, c->labels));
	return store_read_labels(c->database, c->all->arena, c->kind, c->ns, object,
	                         &c->all->labels);
}

fallible store_set_labels(struct store *s, enum store_kind kind, const char *ns,
                          const char *snapshotter, const char *name,
                          const struct store_labels *changes, struct store_labelled **ret)
{
	struct store_labelled *all = alloc(sizeof(*all));
	all->arena = arena_new();
	struct change c = {
		.kind = kind,
		.ns = kind == STORE_NAMESPACE ? "" : ns,
		.snapshotter = kind == STORE_SNAPSHOT ? snapshotter : "",
		.name = name,
		.labels = changes,
		.all = all,
	};
	struct error *e = NULL;
	if (kind == STORE_CONTAINER) {
		e = store_state_db(s, &c.database);
		if (!e)
			e = database_transaction(c.database, TRANSACTION_WRITE, change_labels, &c);
	}
	if (kind != STORE_CONTAINER || error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // not a passing container
		e = store_meta(s, &c.database);
		if (!e)
			e = database_transaction(c.database, TRANSACTION_DURABLE, change_labels,
			                         &c);
	}
	if (e || !ret)
		store_labelled_free(all);
	else
		*ret = all;
	return e;
}

void store_labelled_free(struct store_labelled *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}
