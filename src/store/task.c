// SPDX-License-Identifier: Apache-2.0
// Tasks, and the layers that they use.
//
// A start and a collector may meet. The start commits its use of layers to state.db, *then* reads
// meta.db; the collector marks what it condemns in meta.db, commits, *then* reads state.db. So at
// least one of the two sees the other. A start that finds the mark waits for content/lock, which
// the collector holds: then the row is gone, or the mark was left by one that died.
#include "store/claim.h"
#include "store/run.h"
#include <assert.h>

struct writing {
	struct database *state;
	const struct store_container *container; // NULL: only the task
	const struct store_task *task;
};

static fallible put_task(struct database *d, const struct store_task *t)
{
	int64_t n;
	TRY(database_do(d,
	                "INSERT INTO tasks (ns, id, instance, owner_pid, owner_start, monitor_pid, "
	                "monitor_start, init_pid, init_start, netns, cni, network_id, upper, "
	                "cgroup, snapshotter, layers, log_uri, terminal, detached, created) VALUES "
	                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
	                "ON CONFLICT DO UPDATE SET owner_pid = excluded.owner_pid, "
	                "owner_start = excluded.owner_start, monitor_pid = excluded.monitor_pid, "
	                "monitor_start = excluded.monitor_start, init_pid = excluded.init_pid, "
	                "init_start = excluded.init_start, netns = excluded.netns, "
	                "cni = excluded.cni, network_id = excluded.network_id, "
	                "upper = excluded.upper, cgroup = excluded.cgroup, "
	                "snapshotter = excluded.snapshotter, layers = excluded.layers, "
	                "log_uri = excluded.log_uri, terminal = excluded.terminal, "
	                "detached = excluded.detached WHERE instance = excluded.instance",
	                VALUES(TEXT(t->ns), TEXT(t->id), NUMBER(t->instance), NUMBER(t->owner_pid),
	                       NUMBER(t->owner_start), NUMBER(t->monitor_pid),
	                       NUMBER(t->monitor_start), NUMBER(t->init_pid), NUMBER(t->init_start),
	                       TEXT(t->netns), NUMBER(t->cni), TEXT(t->network_id),
	                       NUMBER(t->upper), TEXT(t->cgroup), TEXT(t->snapshotter),
	                       TEXT(t->layers), TEXT(t->log_uri), NUMBER(t->terminal),
	                       NUMBER(t->detached), NUMBER(store_now_ns())),
	                &n));
	return n ? NULL : error_new(ERROR_EXISTS, "task %s: already exists", t->id);
}

static fallible put(void *arg)
{
	const struct writing *w = arg;
	if (w->container)
		TRY(store_put_container_rows(w->state, w->container));
	return put_task(w->state, w->task);
}

struct removal {
	struct database *state;
	const char *ns, *id;
	uint64_t instance;
	bool container;
};

static fallible remove_rows(void *arg)
{
	const struct removal *r = arg;
	TRY(database_do(r->state, "DELETE FROM tasks WHERE ns = ? AND id = ? AND instance = ?",
	                VALUES(TEXT(r->ns), TEXT(r->id), NUMBER(r->instance)), NULL));
	return r->container ? store_remove_container_rows(r->state, r->ns, r->id, r->instance)
	                    : NULL;
}

enum layers { LAYERS_GONE, LAYERS_MARKED, LAYERS_THERE };

static fallible look_at_layers(struct database *meta, const struct store_task *t, enum layers *ret)
{
	auto_rows struct rows r = {0};
	TRY(database_query(meta,
	                   "SELECT condemned FROM snapshots "
	                   "WHERE ns = ? AND snapshotter = ? AND key = ?",
	                   VALUES(TEXT(t->ns), TEXT(t->snapshotter), TEXT(t->layers)), &r));
	bool has;
	TRY(rows_next(&r, &has));
	*ret = !has ? LAYERS_GONE : rows_number(&r, 0) ? LAYERS_MARKED : LAYERS_THERE;
	return NULL;
}

static fallible clear_marks(void *arg)
{
	return store_clear_marks(arg);
}

// After the use has been committed.
static fallible confirm_layers(struct store *s, struct database *meta, const struct store_task *t)
{
	if (!t->layers || !*t->layers)
		return NULL;
	enum layers layers;
	TRY(look_at_layers(meta, t, &layers));
	if (layers == LAYERS_MARKED) {
		auto_fd int lockfd = -1;
		TRY(store_lock_content(s, LOCK_SHARED, &lockfd));
		TRY(look_at_layers(meta, t, &layers));
		if (layers == LAYERS_MARKED)
			TRY(database_transaction(meta, TRANSACTION_WRITE, clear_marks, meta));
	}
	return layers == LAYERS_GONE ? store_not_found(STORE_SNAPSHOT, t->ns, t->layers) : NULL;
}

static fallible confirm(struct store *s, const struct writing *w)
{
	struct database *meta;
	TRY(store_meta(s, &meta));
	if (w->container) {
		bool taken;
		TRY(store_has_container(meta, w->container->ns, w->container->id, &taken));
		if (taken)
			return store_container_exists(w->container->id);
	}
	return confirm_layers(s, meta, w->task);
}

static fallible put_and_confirm(struct store *s, struct writing *w)
{
	TRY(store_state_db(s, &w->state));
	TRY(database_transaction(w->state, TRANSACTION_WRITE, put, w));
	struct error *e = confirm(s, w);
	if (!e)
		return NULL;
	const struct store_task *t = w->task;
	struct removal r = {w->state, t->ns, t->id, t->instance, w->container != NULL};
	return error_join(e, database_transaction(w->state, TRANSACTION_WRITE, remove_rows, &r));
}

fallible store_put_run(struct store *s, const struct store_claim *claim,
                       const struct store_container *c, const struct store_task *t)
{
	assert(c->life == STORE_PASSING && c->instance == t->instance);
	assert(text_equal(claim->ns, c->ns) && text_equal(claim->id, c->id));
	assert(text_equal(claim->ns, t->ns) && text_equal(claim->id, t->id));
	struct writing w = {.container = c, .task = t};
	return put_and_confirm(s, &w);
}

fallible store_put_task(struct store *s, const struct store_claim *claim,
                        const struct store_task *t)
{
	assert(text_equal(claim->ns, t->ns) && text_equal(claim->id, t->id));
	struct writing w = {.task = t};
	TRY(store_state_db(s, &w.state));
	// An update of a life that is known already doesn't come anew to its layers.
	bool known;
	TRY(database_has(w.state,
	                 "SELECT 1 FROM tasks WHERE ns = ? AND id = ? AND instance = ? "
	                 "AND snapshotter = ? AND layers = ?",
	                 VALUES(TEXT(t->ns), TEXT(t->id), NUMBER(t->instance), TEXT(t->snapshotter),
	                        TEXT(t->layers)),
	                 &known));
	if (known || !t->layers || !*t->layers)
		return database_transaction(w.state, TRANSACTION_WRITE, put, &w);
	return put_and_confirm(s, &w);
}

static fallible remove_run(struct store *s, struct removal *r)
{
	TRY(store_state_db(s, &r->state));
	return database_transaction(r->state, TRANSACTION_WRITE, remove_rows, r);
}

fallible store_remove_task(struct store *s, const char *ns, const char *id, uint64_t instance)
{
	struct removal r = {NULL, ns, id, instance, false};
	return remove_run(s, &r);
}

fallible store_remove_run(struct store *s, const char *ns, const char *id, uint64_t instance)
{
	struct removal r = {NULL, ns, id, instance, true};
	return remove_run(s, &r);
}

// --- reading --------------------------------------------------------------------------------

static void read_task(const struct rows *r, struct arena *a, void *item)
{
	*(struct store_task *)item = (struct store_task){
		.ns = rows_text(r, 0, a),
		.id = rows_text(r, 1, a),
		.instance = (uint64_t)rows_number(r, 2),
		.owner_pid = (int32_t)rows_number(r, 3),
		.owner_start = (uint64_t)rows_number(r, 4),
		.monitor_pid = (int32_t)rows_number(r, 5),
		.monitor_start = (uint64_t)rows_number(r, 6),
		.init_pid = (int32_t)rows_number(r, 7),
		.init_start = (uint64_t)rows_number(r, 8),
		.netns = rows_text(r, 9, a),
		.cni = rows_number(r, 10) != 0,
		.network_id = rows_text(r, 11, a),
		.upper = rows_number(r, 12) != 0,
		.cgroup = rows_text(r, 13, a),
		.snapshotter = rows_text(r, 14, a),
		.layers = rows_text(r, 15, a),
		.log_uri = rows_text(r, 16, a),
		.terminal = rows_number(r, 17) != 0,
		.detached = rows_number(r, 18) != 0,
		.created_ns = rows_number(r, 19),
	};
}
#define SELECT                                                                               \
	"SELECT ns, id, instance, owner_pid, owner_start, monitor_pid, monitor_start, "      \
	"init_pid, init_start, netns, cni, network_id, upper, cgroup, snapshotter, layers, " \
	"log_uri, terminal, detached, created FROM tasks "

fallible store_find_task(struct store *s, const char *ns, const char *id, struct store_task **ret)
{
	struct database *state;
	TRY(store_state_db(s, &state));
	auto_arena struct arena *a = arena_new();
	struct store_task *found;
	size_t n;
	TRY(database_collect(state, SELECT "WHERE ns = ? AND id = ?", VALUES(TEXT(ns), TEXT(id)), a,
	                     sizeof(*found), read_task, &found, &n));
	if (!n)
		return error_new(ERROR_NOT_FOUND, "no running task found: task %s not found", id);
	struct store_task *t = alloc(sizeof(*t));
	*t = *found;
	t->arena = take(&a);
	*ret = t;
	return NULL;
}

fallible store_list_tasks(struct store *s, const char *ns, struct store_tasks **ret)
{
	struct database *state;
	TRY(store_state_db(s, &state));
	auto_arena struct arena *a = arena_new();
	struct store_tasks list = {0};
	const char *sql = ns ? SELECT "WHERE ns = ? ORDER BY id" : SELECT "ORDER BY ns, id";
	TRY(database_collect(state, sql, ns ? VALUES(TEXT(ns)) : NO_VALUES, a, sizeof(*list.items),
	                     read_task, &list.items, &list.n));
	struct store_tasks *l = alloc(sizeof(*l));
	*l = list;
	l->arena = take(&a);
	*ret = l;
	return NULL;
}

void store_task_free(struct store_task *t)
{
	if (!t)
		return;
	arena_free(t->arena);
	free(t);
}

void store_tasks_free(struct store_tasks *l)
{
	if (!l)
		return;
	arena_free(l->arena);
	free(l);
}
