// SPDX-License-Identifier: Apache-2.0
// Collecting: first the lives whose owners are dead, by what their rows name; then what bears this
// store's ID and stands in no row: groups, attachments, namespaces; last the store's own garbage.
#include "engine/life.h"
#include "kernel/cgroup.h"

enum { REMOVE_TIMEOUT_MS = 10000 };

void engine_garbage_free(struct engine_garbage_list *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++) {
		free(g->items[i].kind);
		free(g->items[i].name);
		free(g->items[i].reason);
	}
	free(g->items);
	free(g);
}

struct collection {
	struct engine *engine;
	bool dry_run, partials;
	struct engine_garbage_list *list;
	size_t capacity;
	struct error *errors; // one failure doesn't keep the others
};

static void tell(struct collection *c, const char *kind, const char *name, const char *reason,
                 uint64_t size_bytes)
{
	alloc_grow(&c->list->items, &c->capacity, c->list->n, sizeof(*c->list->items));
	c->list->items[c->list->n++] = (struct engine_garbage){
		.kind = alloc_string(kind),
		.name = alloc_string(name),
		.reason = alloc_string(reason),
		.size_bytes = size_bytes,
	};
}

static void collect_life(struct collection *c, const struct store_task *seen)
{
	struct engine *e = c->engine;
	struct store_claim *claim;
	struct error *error = store_claim(e->store, seen->ns, seen->id, 0, &claim);
	if (error) { // somebody is at it
		error_free(error);
		return;
	}
	defer(life_forget) struct life life = {0};
	error = life_read(e, seen->ns, seen->id, &life);
	bool dead = !error && life.task && life.owner == LIFE_DEAD;
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // cleaned meanwhile
	if (dead)
		tell(c, "container", seen->id, "its monitor and its command are gone", 0);
	if (dead && !c->dry_run)
		error = life_collect(e, &life, LIFE_REMEMBER, claim);
	else
		store_claim_release(claim);
	c->errors = error_join(c->errors, error_prefix(error, "container %s", seen->id));
}

// A passing container without a task is what a crash between two rows can leave.
static void collect_taskless(struct collection *c, const struct store_container *row)
{
	struct engine *e = c->engine;
	if (row->life != STORE_PASSING)
		return;
	struct store_claim *claim;
	struct error *error = store_claim(e->store, row->ns, row->id, 0, &claim);
	if (error) {
		error_free(error);
		return;
	}
	struct store_task *task = NULL;
	struct error *none = store_find_task(e->store, row->ns, row->id, &task);
	store_task_free(task);
	bool alone = error_is(none, ERROR_NOT_FOUND);
	error_free(none);
	if (!alone || c->dry_run) {
		if (alone)
			tell(c, "container", row->id, "it has no task", 0);
		store_claim_release(claim);
		return;
	}
	tell(c, "container", row->id, "it has no task", 0);
	error = store_remove_container(e->store, row->ns, row->id, row->instance);
	c->errors = error_join(c->errors, error_join(error, store_claim_remove(claim)));
}

static void collect_lives(struct collection *c)
{
	struct store_tasks *tasks = NULL;
	struct error *error = store_list_tasks(c->engine->store, NULL, &tasks);
	for (size_t i = 0; !error && i < tasks->n; i++)
		collect_life(c, &tasks->items[i]);
	store_tasks_free(tasks);
	c->errors = error_join(c->errors, error);
	struct store_containers *rows = NULL;
	error = store_list_containers(c->engine->store, NULL, &rows);
	for (size_t i = 0; !error && i < rows->n; i++)
		collect_taskless(c, &rows->items[i]);
	store_containers_free(rows);
	c->errors = error_join(c->errors, error);
}

static bool has_task(const struct store_tasks *tasks, const char *group)
{
	for (size_t i = 0; i < tasks->n; i++)
		if (!strcmp(tasks->items[i].cgroup, group))
			return true;
	return false;
}

// Groups are listed before the rows are read: a row is put before its group is made, so whoever is
// in the first list and in no row has no owner.
static void collect_groups(struct collection *c)
{
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_strings struct strings groups = {0};
	auto_free char *prefix = alloc_printf("coracle/%s", store_id(c->engine->store));
	struct store_tasks *tasks = NULL;
	struct error *error = cgroups_open(&cgroups);
	if (!error)
		error = cgroups_list(cgroups, prefix, 2, &groups);
	if (!error)
		error = store_list_tasks(c->engine->store, NULL, &tasks);
	for (size_t i = 0; !error && i < groups.n; i++) {
		if (has_task(tasks, groups.items[i]))
			continue;
		tell(c, "cgroup", groups.items[i], "no container has it", 0);
		if (!c->dry_run)
			c->errors = error_join(
				c->errors, runtime_reap(-1, groups.items[i], REMOVE_TIMEOUT_MS));
	}
	store_tasks_free(tasks);
	c->errors = error_join(c->errors, error);
}

static void warn_line(void *context, const char *line)
{
	engine_warn(context, "%s", line);
}

// Rows, read at the first question: the network room asks after it has found a thing.
struct rows {
	struct engine *engine;
	struct store_tasks *tasks;
	bool for_namespaces;
	struct error *error;
};

static const struct store_tasks *read_rows(struct rows *rows, bool for_namespaces)
{
	if (rows->tasks && rows->for_namespaces == for_namespaces)
		return rows->tasks;
	store_tasks_free(take(&rows->tasks));
	rows->for_namespaces = for_namespaces;
	if (!rows->error)
		rows->error = store_list_tasks(rows->engine->store, NULL, &rows->tasks);
	return rows->tasks;
}

// When the rows can't be read everything lives.
static bool has_instance(void *context, uint64_t instance)
{
	const struct store_tasks *tasks = read_rows(context, false);
	for (size_t i = 0; tasks && i < tasks->n; i++)
		if (tasks->items[i].instance == instance)
			return true;
	return !tasks;
}

static bool has_namespace(void *context, const char *guid)
{
	const struct store_tasks *tasks = read_rows(context, true);
	for (size_t i = 0; tasks && i < tasks->n; i++)
		if (!strcmp(tasks->items[i].netns, guid))
			return true;
	return !tasks;
}

static void collect_network(struct collection *c)
{
	struct engine *e = c->engine;
	struct rows rows = {.engine = e};
	struct network_live live = {
		.has_instance = has_instance, .has_namespace = has_namespace, .context = &rows};
	struct network_paths paths = engine_network_paths(e);
	struct network_gc_report report = {0};
	struct error *error = network_gc(&paths, store_id(e->store), &live, warn_line, e, &report);
	store_tasks_free(rows.tasks);
	c->errors = error_join(c->errors, error_join(rows.error, error));
	if (report.n_attachments) {
		auto_free char *n = alloc_printf("%zu", report.n_attachments);
		tell(c, "network attachments", n, "no container has them", 0);
	}
	if (report.n_namespaces) {
		auto_free char *n = alloc_printf("%zu", report.n_namespaces);
		tell(c, "network namespaces", n, "no container has them", 0);
	}
}

// Leases that hold the whole blobs of pulls that died.
static fallible release_dead_pulls(struct collection *c, const char *ns)
{
	struct store_leases *leases;
	struct error *e = NULL;
	TRY(store_list_leases(c->engine->store, ns, &leases));
	for (size_t i = 0; i < leases->n && !e; i++) {
		const struct store_lease *l = &leases->items[i];
		if (!pull_is_dead(l))
			continue;
		tell(c, "lease", l->id, "an interrupted pull has left it", 0);
		if (!c->dry_run)
			e = store_remove_lease(c->engine->store, ns, l->id);
		if (error_is(e, ERROR_NOT_FOUND))
			error_drop(&e); // the same pull was made again
	}
	store_leases_free(leases);
	return e;
}

static void collect_pulls(struct collection *c)
{
	struct store_namespaces *all = NULL;
	struct error *e = store_list_namespaces(c->engine->store, &all);
	for (size_t i = 0; !e && i < all->n; i++)
		e = release_dead_pulls(c, all->items[i].name);
	store_namespaces_free(all);
	c->errors = error_join(c->errors, e);
}

static void collect_store(struct collection *c)
{
	struct store_garbage *taken = NULL;
	int flags = c->partials ? STORE_GC_PARTIALS : 0;
	struct error *error =
		c->dry_run ? store_gc_plan(c->engine->store, flags, &taken)
			   : store_gc_run(c->engine->store, flags | STORE_GC_CHECK, &taken);
	for (size_t i = 0; taken && i < taken->n; i++)
		tell(c, taken->items[i].kind, taken->items[i].name, taken->items[i].reason,
		     taken->items[i].size_bytes);
	store_garbage_free(taken);
	c->errors = error_join(c->errors, error);
}

fallible engine_gc(struct engine *e, bool dry_run, bool partials, struct engine_garbage_list **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	struct collection c = {.engine = e,
	                       .dry_run = dry_run,
	                       .partials = partials,
	                       .list = alloc(sizeof(*c.list))};
	collect_lives(&c);
	collect_groups(&c);
	if (!dry_run) // the network room tells only what it has taken
		collect_network(&c);
	if (partials)
		collect_pulls(&c);
	collect_store(&c);
	if (c.errors)
		engine_garbage_free(c.list);
	else
		*ret = c.list;
	return c.errors;
}
