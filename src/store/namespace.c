// SPDX-License-Identifier: Apache-2.0
#include "store/room.h"
#include <ctype.h>

enum { ID_LIMIT = 76 }; // containerd, pkg/identifiers

fallible store_check_id(const char *id)
{
	if (strlen(id) > ID_LIMIT)
		return error_new(ERROR_INVALID,
		                 "identifier \"%.128s\" greater than maximum length "
		                 "(%d characters): invalid argument",
		                 id, ID_LIMIT);
	bool between = true; // a separator may neither come first nor last nor after another
	bool fits = true;
	for (const char *c = id; *c; c++) {
		bool separator = *c == '.' || *c == '_' || *c == '-';
		fits = fits && (separator ? !between : isalnum((unsigned char)*c) && *c > 0);
		between = separator;
	}
	if (fits && !between)
		return NULL;
	return error_new(ERROR_INVALID,
	                 "identifier \"%s\" must match "
	                 "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: invalid argument",
	                 id);
}

fallible store_check_namespace(const char *ns)
{
	TRY(store_check_id(ns));
	// Its folder would lie where the files of the database do.
	if (text_starts(ns, "state.db"))
		return error_new(ERROR_INVALID,
		                 "namespace \"%s\": the name is taken: invalid argument", ns);
	return NULL;
}

fallible store_put_namespace(struct database *d, const char *ns)
{
	TRY(store_check_namespace(ns));
	return database_do(d, "INSERT INTO namespaces (name) VALUES (?) ON CONFLICT DO NOTHING",
	                   VALUES(TEXT(ns)), NULL);
}

struct creation {
	struct database *database;
	const char *ns;
	const struct store_labels *labels;
};

static fallible create(void *arg)
{
	struct creation *c = arg;
	bool has;
	TRY(database_has(c->database, "SELECT 1 FROM namespaces WHERE name = ?",
	                 VALUES(TEXT(c->ns)), &has));
	if (has)
		return error_new(ERROR_EXISTS, "namespace \"%s\": already exists", c->ns);
	TRY(store_put_namespace(c->database, c->ns));
	return c->labels ? store_put_labels(c->database, STORE_NAMESPACE, "", c->ns, c->labels)
	                 : NULL;
}

fallible store_create_namespace(struct store *s, const char *ns, const struct store_labels *labels)
{
	TRY(store_check_namespace(ns));
	struct creation c = {.ns = ns, .labels = labels};
	TRY(store_meta(s, &c.database));
	return database_transaction(c.database, TRANSACTION_DURABLE, create, &c);
}

struct removal {
	struct database *meta, *state;
	const char *ns;
};

static fallible what_is_in(const struct removal *r, struct str *ret)
{
	static const struct {
		bool state;
		const char *what, *sql;
	} kinds[] = {
		{false, "images", "SELECT 1 FROM images WHERE ns = ?"},
		{false, "blobs", "SELECT 1 FROM blobs WHERE ns = ?"},
		{false, "containers", "SELECT 1 FROM containers WHERE ns = ?"},
		{true, "running containers", "SELECT 1 FROM containers WHERE ns = ?"},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		bool has;
		TRY(database_has(kinds[i].state ? r->state : r->meta, kinds[i].sql,
		                 VALUES(TEXT(r->ns)), &has));
		if (has)
			str_printf(ret, "%s%s", ret->size ? ", " : "", kinds[i].what);
	}
	auto_arena struct arena *a = arena_new();
	auto_rows struct rows rows = {0};
	TRY(database_query(r->meta,
	                   "SELECT DISTINCT snapshotter FROM snapshots WHERE ns = ? ORDER BY 1",
	                   VALUES(TEXT(r->ns)), &rows));
	for (;;) {
		bool has;
		TRY(rows_next(&rows, &has));
		if (!has)
			return NULL;
		str_printf(ret, "%ssnapshots on \"%s\" snapshotter", ret->size ? ", " : "",
		           rows_text(&rows, 0, a));
	}
}

static fallible remove_namespace(void *arg)
{
	struct removal *r = arg;
	auto_str struct str what = STR_LIMIT(4096);
	TRY(what_is_in(r, &what));
	if (what.size)
		return error_new(ERROR_BUSY,
		                 "namespace \"%s\" must be empty, but it still has %s: "
		                 "failed precondition",
		                 r->ns, what.bytes);
	TRY(database_do(r->meta, "DELETE FROM leases WHERE ns = ?", VALUES(TEXT(r->ns)), NULL));
	int64_t n;
	TRY(database_do(r->meta, "DELETE FROM namespaces WHERE name = ?", VALUES(TEXT(r->ns)), &n));
	if (!n)
		return store_not_found(STORE_NAMESPACE, "", r->ns);
	return store_drop_labels(r->meta, STORE_NAMESPACE, "", r->ns);
}

fallible store_remove_namespace(struct store *s, const char *ns)
{
	struct removal r = {.ns = ns};
	TRY(store_state_db(s, &r.state));
	TRY(store_meta(s, &r.meta));
	return database_transaction(r.meta, TRANSACTION_DURABLE, remove_namespace, &r);
}

static fallible names_of(struct database *d, const char *sql, struct arena *a, struct strings *ret)
{
	auto_rows struct rows r = {0};
	TRY(database_query(d, sql, NO_VALUES, &r));
	for (;;) {
		bool has;
		TRY(rows_next(&r, &has));
		if (!has)
			return NULL;
		const char *name = rows_text(&r, 0, a);
		if (!strings_has(ret, name))
			strings_add(ret, name);
	}
}

fallible store_list_namespaces(struct store *s, struct store_namespaces **ret)
{
	struct database *meta, *state;
	TRY(store_meta(s, &meta));
	TRY(store_state_db(s, &state));
	auto_arena struct arena *a = arena_new();
	auto_strings struct strings names = {0};
	TRY(names_of(meta, "SELECT name FROM namespaces", a, &names));
	// A passing container is an object too.
	TRY(names_of(state, "SELECT DISTINCT ns FROM containers", a, &names));
	strings_sort(&names);
	struct store_namespace *items = arena_alloc(a, (names.n + 1) * sizeof(*items));
	for (size_t i = 0; i < names.n; i++) {
		items[i].name = arena_string(a, names.items[i]);
		TRY(store_read_labels(meta, a, STORE_NAMESPACE, "", items[i].name,
		                      &items[i].labels));
	}
	struct store_namespaces *list = alloc(sizeof(*list));
	*list = (struct store_namespaces){.items = items, .n = names.n};
	list->arena = take(&a);
	*ret = list;
	return NULL;
}

void store_namespaces_free(struct store_namespaces *n)
{
	if (!n)
		return;
	arena_free(n->arena);
	free(n);
}
