// SPDX-License-Identifier: Apache-2.0
// Rows and folders of snapshots. Making new ones: session.c, publish.c.
#include "store/room.h"
#include <fcntl.h>
#include <unistd.h>

static void read_snapshot(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_snapshot *)item = (struct store_snapshot){
		.ns = rows_text(r, 0, a),
		.snapshotter = rows_text(r, 1, a),
		.key = rows_text(r, 2, a),
		.parent = rows_text(r, 3, a),
		.kind = (enum store_snapshot_kind)rows_number(r, 4),
		.number = (uint64_t)rows_number(r, 5),
		.created_ns = rows_number(r, 6),
		.updated_ns = rows_number(r, 7),
		.size_bytes = (uint64_t)rows_number(r, 8),
		.n_inodes = (uint64_t)rows_number(r, 9),
	};
}
#define COLUMNS "ns, snapshotter, key, parent, kind, number, created, updated, size, inodes"

struct search {
	struct database *meta;
	const char *ns, *snapshotter, *key; // key NULL: all
	struct store_snapshots *found;
};

static fallible search(void *arg)
{
	struct search *x = arg;
	struct store_snapshots *l = x->found;
	if (x->key)
		TRY(database_collect(x->meta,
		                     "SELECT " COLUMNS " FROM snapshots "
		                     "WHERE ns = ? AND snapshotter = ? AND key = ?",
		                     VALUES(TEXT(x->ns), TEXT(x->snapshotter), TEXT(x->key)),
		                     l->arena, sizeof(*l->items), read_snapshot, &l->items, &l->n));
	else
		TRY(database_collect(x->meta,
		                     "SELECT " COLUMNS " FROM snapshots "
		                     "WHERE ns = ? AND snapshotter = ? ORDER BY key",
		                     VALUES(TEXT(x->ns), TEXT(x->snapshotter)), l->arena,
		                     sizeof(*l->items), read_snapshot, &l->items, &l->n));
	for (size_t i = 0; i < l->n; i++) {
		struct store_snapshot *row = &l->items[i];
		const char *object = SNAPSHOT_OBJECT(l->arena, row->snapshotter, row->key);
		TRY(store_read_labels(x->meta, l->arena, STORE_SNAPSHOT, row->ns, object,
		                      &row->labels));
	}
	return NULL;
}

static fallible find_snapshots(struct store *s, const char *ns, const char *snapshotter,
                               const char *key, struct store_snapshots **ret)
{
	struct search x = {.ns = ns, .snapshotter = snapshotter, .key = key};
	TRY(store_meta(s, &x.meta));
	x.found = alloc(sizeof(*x.found));
	x.found->arena = arena_new();
	struct error *e = database_transaction(x.meta, TRANSACTION_READ, search, &x);
	if (e)
		store_snapshots_free(x.found);
	else
		*ret = x.found;
	return e;
}

fallible store_find_snapshot(struct store *s, const char *ns, const char *snapshotter,
                             const char *key, struct store_snapshot **ret)
{
	struct store_snapshots *found;
	TRY(find_snapshots(s, ns, snapshotter, key, &found));
	if (found->n) {
		struct store_snapshot *row = alloc(sizeof(*row));
		*row = found->items[0];
		row->arena = take(&found->arena);
		*ret = row;
	}
	bool any = found->n;
	store_snapshots_free(found);
	return any ? NULL : store_not_found(STORE_SNAPSHOT, ns, key);
}

fallible store_list_snapshots(struct store *s, const char *ns, const char *snapshotter,
                              struct store_snapshots **ret)
{
	return find_snapshots(s, ns, snapshotter, NULL, ret);
}

void store_snapshot_free(struct store_snapshot *r)
{
	if (!r)
		return;
	arena_free(r->arena);
	free(r);
}

void store_snapshots_free(struct store_snapshots *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}

static void read_number(const struct rows *r, struct arena *a, void *item)
{
	ignore(a);
	*(uint64_t *)item = (uint64_t)rows_number(r, 0);
}

fallible store_snapshot_chain(struct store *s, const char *ns, const char *snapshotter,
                              const char *key, uint64_t **ret_numbers, size_t *ret_n)
{
	struct database *meta;
	TRY(store_meta(s, &meta));
	auto_arena struct arena *a = arena_new();
	uint64_t *numbers;
	size_t n;
	// One more than the limit, so that passing it shows: one statement sees one state.
	TRY(database_collect(
		meta,
		"WITH RECURSIVE chain (number, parent, depth) AS ("
		"SELECT number, parent, 0 FROM snapshots "
		"WHERE ns = ?1 AND snapshotter = ?2 AND key = ?3 UNION ALL "
		"SELECT s.number, s.parent, c.depth + 1 FROM chain c "
		"JOIN snapshots s ON s.ns = ?1 AND s.snapshotter = ?2 "
		"AND s.key = c.parent WHERE c.depth <= ?4) "
		"SELECT number FROM chain ORDER BY depth",
		VALUES(TEXT(ns), TEXT(snapshotter), TEXT(key), NUMBER(STORE_LAYERS_LIMIT)), a,
		sizeof(*numbers), read_number, &numbers, &n));
	if (!n)
		return store_not_found(STORE_SNAPSHOT, ns, key);
	if (n > STORE_LAYERS_LIMIT + 1)
		return error_new(ERROR_LIMIT, "snapshot %s: more than %d layers", key,
		                 STORE_LAYERS_LIMIT);
	*ret_numbers = (void *)alloc_bytes(numbers, n * sizeof(*numbers));
	*ret_n = n;
	return NULL;
}

fallible store_open_snapshot(struct store *s, const char *snapshotter, uint64_t number,
                             int *ret_dirfd)
{
	auto_free char *path =
		alloc_printf("snapshots/%s/%llu", snapshotter, (unsigned long long)number);
	struct error *e = path_open_beneath(s->rootfd, path, O_RDONLY | O_DIRECTORY, 0, ret_dirfd);
	if (!error_is(e, ERROR_NOT_FOUND))
		return error_prefix(e, "%s", s->root);
	// Its row may have gone since the caller read it: then it was collected, which is no
	// damage.
	struct database *meta;
	bool named = true;
	struct error *f = store_meta(s, &meta);
	if (!f)
		f = database_has(meta,
		                 "SELECT 1 FROM snapshots WHERE snapshotter = ? AND number = ?",
		                 VALUES(TEXT(snapshotter), NUMBER(number)), &named);
	e = error_join(e, f);
	return error_prefix(named ? error_recode(e, ERROR_CORRUPT) : e, "%s", s->root);
}

// --- commit ---------------------------------------------------------------------------------

struct commit {
	struct database *meta;
	const char *ns, *snapshotter, *key, *name;
	const struct store_labels *labels;
	uint64_t size_bytes, n_inodes;
};

static fallible commit(void *arg)
{
	struct commit *c = arg;
	auto_arena struct arena *a = arena_new();
	struct store_snapshot *row;
	size_t n;
	TRY(database_collect(c->meta,
	                     "SELECT " COLUMNS " FROM snapshots "
	                     "WHERE ns = ? AND snapshotter = ? AND key = ?",
	                     VALUES(TEXT(c->ns), TEXT(c->snapshotter), TEXT(c->key)), a,
	                     sizeof(*row), read_snapshot, &row, &n));
	bool taken;
	TRY(database_has(c->meta,
	                 "SELECT 1 FROM snapshots WHERE ns = ? AND snapshotter = ? AND key = ?",
	                 VALUES(TEXT(c->ns), TEXT(c->snapshotter), TEXT(c->name)), &taken));
	if (taken)
		return error_new(ERROR_EXISTS, "snapshot \"%s\": already exists", c->name);
	if (!n)
		return store_not_found(STORE_SNAPSHOT, c->ns, c->key);
	if (row->kind != STORE_ACTIVE) {
		const char *full = arena_printf(a, "%s/%llu/%s", c->ns,
		                                (unsigned long long)row->number, c->key);
		return error_new(ERROR_INVALID,
		                 "failed to commit snapshot %s: snapshot \"%s\" is not active: "
		                 "failed precondition",
		                 full, full);
	}
	// The labels are the new one's own, as containerd has it.
	TRY(store_drop_labels(c->meta, STORE_SNAPSHOT, c->ns,
	                      SNAPSHOT_OBJECT(a, c->snapshotter, c->key)));
	TRY(database_do(c->meta,
	                "UPDATE snapshots SET key = ?1, kind = ?2, created = ?3, updated = ?3, "
	                "size = ?4, inodes = ?5 WHERE ns = ?6 AND snapshotter = ?7 AND key = ?8",
	                VALUES(TEXT(c->name), NUMBER(STORE_COMMITTED), NUMBER(store_now_ns()),
	                       NUMBER(c->size_bytes), NUMBER(c->n_inodes), TEXT(c->ns),
	                       TEXT(c->snapshotter), TEXT(c->key)),
	                NULL));
	if (!c->labels)
		return NULL;
	return store_put_labels(c->meta, STORE_SNAPSHOT, c->ns,
	                        SNAPSHOT_OBJECT(a, c->snapshotter, c->name), c->labels);
}

fallible store_commit_snapshot(struct store *s, const char *ns, const char *snapshotter,
                               const char *key, const char *name, const struct store_labels *labels,
                               uint64_t size_bytes, uint64_t n_inodes)
{
	struct commit c = {
		.ns = ns,
		.snapshotter = snapshotter,
		.key = key,
		.name = name,
		.labels = labels,
		.size_bytes = size_bytes,
		.n_inodes = n_inodes,
	};
	TRY(store_meta(s, &c.meta));
	TRY(store_sync(s)); // the files before the row
	return database_transaction(c.meta, TRANSACTION_DURABLE, commit, &c);
}

// --- removal --------------------------------------------------------------------------------

struct removal {
	struct database *meta, *state;
	const char *ns, *snapshotter, *key;
	uint64_t number;
};

// The same as the collector does with many (gc.c): first the mark, then a look at who runs.
static fallible mark(void *arg)
{
	struct removal *r = arg;
	const struct value *name = VALUES(TEXT(r->ns), TEXT(r->snapshotter), TEXT(r->key));
	int64_t n;
	TRY(database_do(r->meta,
	                "UPDATE snapshots SET condemned = 1 "
	                "WHERE ns = ? AND snapshotter = ? AND key = ?",
	                name, &n));
	if (!n)
		return store_not_found(STORE_SNAPSHOT, r->ns, r->key);
	bool has;
	TRY(database_has(r->meta,
	                 "SELECT 1 FROM snapshots WHERE ns = ? AND snapshotter = ? AND parent = ?",
	                 name, &has));
	if (has)
		return error_new(ERROR_BUSY,
		                 "cannot remove snapshot with child: failed precondition");
	return NULL;
}

static fallible remove_row(void *arg)
{
	struct removal *r = arg;
	const struct value *name = VALUES(TEXT(r->ns), TEXT(r->snapshotter), TEXT(r->key));
	bool used;
	TRY(database_has(r->state,
	                 "SELECT 1 FROM tasks WHERE ns = ? AND snapshotter = ? AND layers = ?",
	                 name, &used));
	if (used)
		return error_new(ERROR_BUSY, "cannot remove snapshot in use by a container: "
		                             "failed precondition");
	auto_rows struct rows rows = {0};
	TRY(database_query(r->meta,
	                   "DELETE FROM snapshots WHERE ns = ? AND snapshotter = ? AND key = ? "
	                   "RETURNING number",
	                   name, &rows));
	bool has;
	TRY(rows_next(&rows, &has));
	if (!has)
		return store_not_found(STORE_SNAPSHOT, r->ns, r->key);
	r->number = (uint64_t)rows_number(&rows, 0);
	TRY(rows_next(&rows, &has));
	auto_free char *object = alloc_printf("%s/%s", r->snapshotter, r->key);
	return store_drop_labels(r->meta, STORE_SNAPSHOT, r->ns, object);
}

static fallible clear_marks(void *arg)
{
	return store_clear_marks(arg);
}

fallible store_remove_snapshot(struct store *s, const char *ns, const char *snapshotter,
                               const char *key)
{
	struct removal r = {.ns = ns, .snapshotter = snapshotter, .key = key};
	TRY(store_meta(s, &r.meta));
	TRY(store_state_db(s, &r.state));
	auto_fd int lockfd = -1;
	TRY(store_lock_content(s, LOCK_EXCLUSIVE, &lockfd)); // marks are made under it alone
	TRY(database_transaction(r.meta, TRANSACTION_WRITE, mark, &r));
	struct error *e = database_transaction(r.meta, TRANSACTION_DURABLE, remove_row, &r);
	if (e)
		return error_join(
			e, database_transaction(r.meta, TRANSACTION_WRITE, clear_marks, r.meta));
	auto_fd int dirfd = -1;
	TRY(store_snapshotter_folder(s, snapshotter, &dirfd));
	auto_free char *name = alloc_printf("%llu", (unsigned long long)r.number);
	return store_trash(s, dirfd, name);
}

fallible store_clear_marks(struct database *meta)
{
	return database_do(meta, "UPDATE snapshots SET condemned = 0 WHERE condemned <> 0",
	                   NO_VALUES, NULL);
}
