// SPDX-License-Identifier: Apache-2.0
// Garbage collection.
//
// Under the exclusive content/lock, so that no publication is between its files and its rows, and
// nobody else marks:
//  1. What lies there without a row goes to the trash (sweep.c).
//  2. One transaction marks the snapshots that nothing refers to.
//  3. state.db is read: who runs on what. One transaction deletes what is still garbage, and takes
//     the other marks back. (The meeting with a start: task.c.)
//  4. The files of the deleted rows go to the trash.
// Then, without the lock: claims without rows, the trash, the databases' logs. kill -9 anywhere
// leaves marks, which the next one takes back, or files without rows, which are its step 1.
#include "store/gc.h"

void gc_note(struct gc *g, const char *kind, const char *ns, const char *name, const char *reason,
             uint64_t size_bytes)
{
	struct store_garbage *l = g->garbage;
	alloc_grow(&l->items, &g->capacity, l->n, sizeof(*l->items));
	l->items[l->n++] = (struct store_garbage_item){
		.kind = kind,
		.ns = arena_string(l->arena, ns),
		.name = arena_string(l->arena, name),
		.reason = reason,
		.size_bytes = size_bytes,
	};
}

// --- what is live ---------------------------------------------------------------------------

static const char *const prepare_sql[] = {
	"CREATE TEMP TABLE IF NOT EXISTS live_blobs (ns TEXT, digest TEXT, "
	"PRIMARY KEY (ns, digest)) WITHOUT ROWID",
	"CREATE TEMP TABLE IF NOT EXISTS live_snapshots (ns TEXT, snapshotter TEXT, key TEXT, "
	"PRIMARY KEY (ns, snapshotter, key)) WITHOUT ROWID",
	"DELETE FROM live_blobs",
	"DELETE FROM live_snapshots",
};

static const char live_blobs_sql[] =
	"INSERT OR IGNORE INTO live_blobs "
	"WITH RECURSIVE live (ns, digest) AS ("
	"SELECT ns, digest FROM images "
	"UNION SELECT r.ns, r.name FROM lease_resources r "
	"JOIN leases l ON l.ns = r.ns AND l.id = r.lease "
	"WHERE r.kind = ?1 AND (l.expires = 0 OR l.expires > ?2) "
	"UNION SELECT ns, object FROM labels WHERE kind = ?1 AND key = 'containerd.io/gc.root' "
	"UNION SELECT b.ns, b.target FROM live JOIN blob_references b "
	"ON b.ns = live.ns AND b.source = live.digest) "
	"SELECT ns, digest FROM live";

// Keys that name no snapshot do no harm here.
static const char root_snapshots_sql[] =
	"INSERT OR IGNORE INTO live_snapshots "
	"SELECT m.ns, x.name, m.chain_id FROM live_blobs b "
	"JOIN manifests m ON m.ns = b.ns AND m.digest = b.digest CROSS JOIN snapshotters x "
	"UNION ALL SELECT r.ns, r.snapshotter, r.name FROM lease_resources r "
	"JOIN leases l ON l.ns = r.ns AND l.id = r.lease "
	"WHERE r.kind = ?1 AND (l.expires = 0 OR l.expires > ?2) "
	"UNION ALL SELECT ns, substr(object, 1, instr(object, '/') - 1), "
	"substr(object, instr(object, '/') + 1) FROM labels "
	"WHERE kind = ?1 AND key = 'containerd.io/gc.root' "
	"UNION ALL SELECT ns, snapshotter, snapshot_key FROM containers";

static const char below_snapshots_sql[] =
	"INSERT OR IGNORE INTO live_snapshots "
	"WITH RECURSIVE live (ns, snapshotter, key) AS ("
	"SELECT ns, snapshotter, key FROM live_snapshots "
	"UNION SELECT s.ns, s.snapshotter, s.parent FROM live JOIN snapshots s "
	"ON s.ns = live.ns AND s.snapshotter = live.snapshotter AND s.key = live.key "
	"WHERE s.parent IS NOT NULL) "
	"SELECT ns, snapshotter, key FROM live";

#define NOT_LIVE_SNAPSHOT                                                       \
	"NOT EXISTS (SELECT 1 FROM live_snapshots l WHERE l.ns = snapshots.ns " \
	"AND l.snapshotter = snapshots.snapshotter AND l.key = snapshots.key)"
#define NOT_LIVE_BLOB                                                   \
	"NOT EXISTS (SELECT 1 FROM live_blobs l WHERE l.ns = blobs.ns " \
	"AND l.digest = blobs.digest)"
#define EXPIRED "expires <> 0 AND expires <= ?"

// What containers and tasks of this boot use.
static fallible add_used(struct gc *g)
{
	auto_rows struct rows r = {0};
	TRY(database_query(g->state,
	                   "SELECT ns, snapshotter, layers FROM tasks WHERE layers <> '' "
	                   "UNION SELECT ns, snapshotter, snapshot_key FROM containers "
	                   "WHERE snapshot_key <> ''",
	                   NO_VALUES, &r));
	for (;;) {
		bool has;
		TRY(rows_next(&r, &has));
		if (!has)
			return NULL;
		TRY(database_do(g->meta, "INSERT OR IGNORE INTO live_snapshots VALUES (?, ?, ?)",
		                VALUES(TEXT(rows_text(&r, 0, g->arena)),
		                       TEXT(rows_text(&r, 1, g->arena)),
		                       TEXT(rows_text(&r, 2, g->arena))),
		                NULL));
	}
}

static fallible compute_live(struct gc *g)
{
	for (size_t i = 0; i < sizeof(prepare_sql) / sizeof(*prepare_sql); i++)
		TRY(database_do(g->meta, prepare_sql[i], NO_VALUES, NULL));
	TRY(database_do(g->meta, live_blobs_sql, VALUES(NUMBER(STORE_BLOB), NUMBER(g->now_ns)),
	                NULL));
	TRY(database_do(g->meta, root_snapshots_sql,
	                VALUES(NUMBER(STORE_SNAPSHOT), NUMBER(g->now_ns)), NULL));
	TRY(add_used(g));
	return database_do(g->meta, below_snapshots_sql, NO_VALUES, NULL);
}

// --- rows -----------------------------------------------------------------------------------

struct dead_snapshot {
	const char *ns, *snapshotter, *key;
	uint64_t number, size_bytes;
};

static void read_dead_snapshot(const struct rows *r, struct arena *a, void *item)
{
	*(struct dead_snapshot *)item =
		(struct dead_snapshot){rows_text(r, 0, a), rows_text(r, 1, a), rows_text(r, 2, a),
	                               (uint64_t)rows_number(r, 3), (uint64_t)rows_number(r, 4)};
}

struct dead_row { // blob or lease
	const char *ns, *name;
	uint64_t size_bytes;
};

static void read_dead_row(const struct rows *r, struct arena *a, void *item)
{
	*(struct dead_row *)item = (struct dead_row){rows_text(r, 0, a), rows_text(r, 1, a),
	                                             (uint64_t)rows_number(r, 2)};
}

struct dead {
	struct dead_snapshot *snapshots;
	struct dead_row *blobs, *leases;
	size_t n_snapshots, n_blobs, n_leases;
};

static fallible collect_dead(struct gc *g, struct dead *ret)
{
	TRY(compute_live(g));
	TRY(database_collect(g->meta,
	                     "SELECT ns, snapshotter, key, number, size FROM snapshots "
	                     "WHERE " NOT_LIVE_SNAPSHOT " ORDER BY ns, snapshotter, key",
	                     NO_VALUES, g->arena, sizeof(*ret->snapshots), read_dead_snapshot,
	                     &ret->snapshots, &ret->n_snapshots));
	TRY(database_collect(g->meta,
	                     "SELECT ns, digest, size FROM blobs WHERE " NOT_LIVE_BLOB
	                     " ORDER BY ns, digest",
	                     NO_VALUES, g->arena, sizeof(*ret->blobs), read_dead_row, &ret->blobs,
	                     &ret->n_blobs));
	return database_collect(g->meta,
	                        "SELECT ns, id, 0 FROM leases WHERE " EXPIRED " ORDER BY ns, id",
	                        VALUES(NUMBER(g->now_ns)), g->arena, sizeof(*ret->leases),
	                        read_dead_row, &ret->leases, &ret->n_leases);
}

static void note_dead(struct gc *g, const struct dead *d)
{
	for (size_t i = 0; i < d->n_leases; i++)
		gc_note(g, "lease", d->leases[i].ns, d->leases[i].name, "expired", 0);
	for (size_t i = 0; i < d->n_snapshots; i++)
		gc_note(g, "snapshot", d->snapshots[i].ns, d->snapshots[i].key,
		        "no image, container, lease or label refers to it",
		        d->snapshots[i].size_bytes);
	for (size_t i = 0; i < d->n_blobs; i++)
		gc_note(g, "blob", d->blobs[i].ns, d->blobs[i].name,
		        "no image, lease or label refers to it", d->blobs[i].size_bytes);
}

struct collection {
	struct gc *gc;
	struct dead dead;
};

static fallible plan_rows(void *arg)
{
	struct collection *c = arg;
	return collect_dead(c->gc, &c->dead);
}

static fallible mark_rows(void *arg)
{
	struct collection *c = arg;
	struct gc *g = c->gc;
	TRY(store_clear_marks(g->meta));
	TRY(compute_live(g));
	return database_do(g->meta, "UPDATE snapshots SET condemned = 1 WHERE " NOT_LIVE_SNAPSHOT,
	                   NO_VALUES, NULL);
}

#define STALE_LABELS(kind, same) \
	"DELETE FROM labels WHERE kind = " kind " AND NOT EXISTS (SELECT 1 FROM " same ")"
static const char *const stale_labels_sql[] = {
	STALE_LABELS("0", "namespaces o WHERE labels.object = o.name"),
	STALE_LABELS("1", "images o WHERE o.ns = labels.ns AND o.name = labels.object"),
	STALE_LABELS("2", "blobs o WHERE o.ns = labels.ns AND o.digest = labels.object"),
	STALE_LABELS("3", "snapshots o WHERE o.ns = labels.ns AND o.snapshotter = "
                          "substr(labels.object, 1, instr(labels.object, '/') - 1) "
                          "AND o.key = substr(labels.object, instr(labels.object, '/') + 1)"),
	STALE_LABELS("4", "containers o WHERE o.ns = labels.ns AND o.id = labels.object"),
	STALE_LABELS("5", "leases o WHERE o.ns = labels.ns AND o.id = labels.object"),
};

static fallible delete_rows(void *arg)
{
	struct collection *c = arg;
	struct gc *g = c->gc;
	// Not marked: garbage since the mark. A start may rely on it without having seen one.
	TRY(collect_dead(g, &c->dead));
	TRY(database_do(g->meta,
	                "DELETE FROM snapshots WHERE condemned <> 0 AND " NOT_LIVE_SNAPSHOT,
	                NO_VALUES, NULL));
	TRY(database_do(g->meta, "DELETE FROM blobs WHERE " NOT_LIVE_BLOB, NO_VALUES, NULL));
	TRY(database_do(g->meta, "DELETE FROM leases WHERE " EXPIRED, VALUES(NUMBER(g->now_ns)),
	                NULL));
	TRY(store_clear_marks(g->meta));
	for (size_t i = 0; i < sizeof(stale_labels_sql) / sizeof(*stale_labels_sql); i++)
		TRY(database_do(g->meta, stale_labels_sql[i], NO_VALUES, NULL));
	return NULL;
}

// --- files of deleted rows ------------------------------------------------------------------

static fallible trash_snapshots(struct gc *g, const struct dead *d)
{
	for (size_t i = 0; i < d->n_snapshots; i++) {
		auto_fd int folder = -1;
		TRY(store_snapshotter_folder(g->store, d->snapshots[i].snapshotter, &folder));
		auto_free char *name =
			alloc_printf("%llu", (unsigned long long)d->snapshots[i].number);
		TRY(store_trash(g->store, folder, name));
	}
	return NULL;
}

static fallible trash_blobs(struct gc *g, const struct dead *d)
{
	if (!d->n_blobs)
		return NULL;
	auto_fd int folder = -1;
	TRY(store_blob_folder(g->store, &folder));
	struct gc_names kept;
	TRY(gc_blob_names(g, &kept));
	for (size_t i = 0; i < d->n_blobs; i++) // another namespace may have it
		if (!gc_has_name(&kept, BLOB_FILE(d->blobs[i].name)))
			TRY(store_trash(g->store, folder, BLOB_FILE(d->blobs[i].name)));
	return NULL;
}

// Only what was deleted: a row that turned into garbage after the mark is the next one's.
static fallible drop_unmarked(struct gc *g, struct dead *d)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n_snapshots; i++) {
		const struct dead_snapshot *x = &d->snapshots[i];
		bool has;
		TRY(database_has(
			g->meta,
			"SELECT 1 FROM snapshots WHERE ns = ? AND snapshotter = ? AND key = ?",
			VALUES(TEXT(x->ns), TEXT(x->snapshotter), TEXT(x->key)), &has));
		if (!has)
			d->snapshots[n++] = *x;
	}
	d->n_snapshots = n;
	return NULL;
}

static fallible collect_under_lock(struct gc *g)
{
	auto_fd int lockfd = -1;
	TRY(store_lock_content(g->store, LOCK_EXCLUSIVE, &lockfd));
	TRY(gc_sweep_files(g));
	struct collection c = {.gc = g};
	if (!g->take) {
		TRY(database_transaction(g->meta, TRANSACTION_READ, plan_rows, &c));
		note_dead(g, &c.dead);
		return NULL;
	}
	TRY(database_transaction(g->meta, TRANSACTION_WRITE, mark_rows, &c));
	TRY(database_transaction(g->meta, TRANSACTION_DURABLE, delete_rows, &c));
	TRY(drop_unmarked(g, &c.dead));
	note_dead(g, &c.dead);
	TRY(trash_snapshots(g, &c.dead));
	return trash_blobs(g, &c.dead);
}

// --- all of it ------------------------------------------------------------------------------

static fallible collect(struct gc *g, int flags)
{
	TRY(store_meta(g->store, &g->meta));
	TRY(store_state_db(g->store, &g->state));
	if (flags & STORE_GC_CHECK) {
		TRY(database_check(g->meta));
		TRY(database_check(g->state));
	}
	TRY(collect_under_lock(g));
	TRY(gc_sweep_state(g));
	TRY(gc_sweep_trash(g));
	if (!g->take)
		return NULL;
	TRY(database_checkpoint(g->meta));
	return database_checkpoint(g->state);
}

static fallible run(struct store *s, bool take, int flags, struct store_garbage **ret)
{
	auto_arena struct arena *a = arena_new();
	struct store_garbage *garbage = alloc(sizeof(*garbage));
	garbage->arena = arena_new();
	struct gc g = {.store = s,
	               .arena = a,
	               .garbage = garbage,
	               .take = take,
	               .now_ns = store_now_ns(),
	               .partials = flags & STORE_GC_PARTIALS};
	struct error *e = collect(&g, flags);
	if (e)
		store_garbage_free(garbage);
	else
		*ret = garbage;
	return e;
}

fallible store_gc_plan(struct store *s, int flags, struct store_garbage **ret)
{
	return run(s, false, flags, ret);
}

fallible store_gc_run(struct store *s, int flags, struct store_garbage **ret)
{
	return run(s, true, flags, ret);
}

void store_garbage_free(struct store_garbage *g)
{
	if (!g)
		return;
	free(g->items);
	arena_free(g->arena);
	free(g);
}
