// SPDX-License-Identifier: Apache-2.0
#include "engine/life.h"
#include "oci/filter.h"
#include "oci/names.h"
#include "json/json.h"

void engine_containers_free(struct engine_containers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		struct engine_container *item = &c->items[i];
		free(item->id);
		free(item->image);
		free(item->runtime);
		free(item->snapshotter);
		free(item->snapshot_key);
		engine_labels_done(&item->labels);
		free(item->spec);
		free(item->cni);
		free(item->command);
	}
	free(c->items);
	free(c);
}

static const char *const statuses[] = {
	[RUNTIME_CREATED] = "CREATED",
	[RUNTIME_RUNNING] = "RUNNING",
	[RUNTIME_PAUSED] = "PAUSED",
	[RUNTIME_STOPPED] = "STOPPED",
};

// Asks the monitor; a task whose monitor is gone has stopped, of one that is silent nothing is
// known.
static void fill_task(struct engine *e, const struct store_task *task, struct engine_container *ret)
{
	auto_fd int dir = -1;
	auto_runtime_close struct runtime_task *running = NULL;
	struct runtime_state state = {0};
	ret->status = "STOPPED";
	ret->pid = task->init_pid;
	struct error *error = store_open_state_dir(e->store, task->ns, task->id, &dir);
	if (!error)
		error = runtime_open(dir, &running, &state);
	if (!error && state.instance == task->instance) {
		ret->status = statuses[state.status];
		ret->pid = state.pid;
		ret->exit_code = state.exit_code;
		bool is_frozen = false;
		if (state.status == RUNTIME_RUNNING)
			error = runtime_is_frozen(task->cgroup, &is_frozen);
		if (is_frozen)
			ret->status = statuses[RUNTIME_PAUSED];
	} else if (error && !error_is(error, ERROR_NOT_FOUND)) {
		ret->status = "UNKNOWN";
	} else if (dir >= 0) {
		error_drop(&error);
		ret->exit_code = 137; // what its program has died of, if its monitor left no code
		error = runtime_read_exit(dir, &ret->exit_code);
	}
	error_drop(&error);
}

static char *shell_line(const char *spec)
{
	auto_json struct json *document = NULL;
	auto_error struct error *bad =
		json_parse(spec, strlen(spec), OCI_SPEC_SIZE_LIMIT, &document);
	const struct json *args = json_member(json_member(document, "process"), "args");
	auto_str struct str line = STR_LIMIT(4096);
	for (size_t i = 0; !bad && i < json_size(args); i++) {
		const char *word = json_text(json_item(args, i));
		if (i)
			str_add_char(&line, ' ');
		str_add(&line, word ? word : "");
	}
	return str_take(&line);
}

static void fill_container(const struct store_container *from, struct engine_container *ret)
{
	*ret = (struct engine_container){
		.id = alloc_string(from->id),
		.image = alloc_string(from->image),
		.runtime = alloc_string(from->runtime),
		.snapshotter = alloc_string(from->snapshotter),
		.snapshot_key = alloc_string(from->snapshot_key),
		.created_ns = from->created_ns,
		.updated_ns = from->updated_ns,
		.spec = from->spec ? alloc_string(from->spec) : NULL,
		.command = from->spec ? shell_line(from->spec) : NULL,
		.removes = from->life == STORE_PASSING,
	};
	labels_copy(&from->labels, &ret->labels);
	for (size_t i = 0; i < from->n_extensions; i++)
		if (!strcmp(from->extensions[i].key, "ctr.cni-containerd.metadata"))
			ret->cni = alloc_string(from->extensions[i].value);
}

static const char *container_field(void *context, const char *const *path, size_t n)
{
	const struct store_container *c = context;
	if (n == 2 && !strcmp(path[0], "labels")) {
		for (size_t i = 0; i < c->labels.n; i++)
			if (!strcmp(c->labels.items[i].key, path[1]))
				return c->labels.items[i].value;
		return NULL;
	}
	if (n == 2 && !strcmp(path[0], "runtime") && !strcmp(path[1], "name"))
		return c->runtime;
	if (n != 1)
		return NULL;
	return !strcmp(path[0], "id") ? c->id : !strcmp(path[0], "image") ? c->image : NULL;
}

static void fill_list(struct engine *e, const struct store_containers *rows,
                      const struct store_tasks *tasks, const struct oci_filters *filter,
                      struct engine_containers *list)
{
	list->items = alloc_array(rows->n, sizeof(*list->items));
	for (size_t i = 0, k = 0; i < rows->n; i++) {
		struct store_container *row = &rows->items[i];
		while (k < tasks->n && strcmp(tasks->items[k].id, row->id) < 0)
			k++; // both are sorted by ID
		if (!oci_filters_match(filter, container_field, row))
			continue;
		struct engine_container *c = &list->items[list->n++];
		struct store_container *whole = NULL;
		struct error *gone = store_find_container(e->store, row->ns, row->id, &whole);
		error_drop(&gone); // ended while we looked: listed as it was
		fill_container(whole ? whole : row, c);
		store_container_free(whole);
		if (k < tasks->n && !strcmp(tasks->items[k].id, row->id))
			fill_task(e, &tasks->items[k], c);
	}
}

fallible engine_container_list(struct engine *e, const char *const *filters, size_t n_filters,
                               struct engine_containers **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	auto_oci_filters struct oci_filters *filter = NULL;
	TRY(oci_filters_parse(filters, n_filters, &filter));
	struct store_containers *rows;
	TRY(store_list_containers(store, e->ns, &rows));
	struct store_tasks *tasks = NULL;
	struct error *error = store_list_tasks(store, e->ns, &tasks);
	if (!error) {
		struct engine_containers *list = alloc(sizeof(*list));
		fill_list(e, rows, tasks, filter, list);
		*ret = list;
	}
	store_containers_free(rows);
	store_tasks_free(tasks);
	return error;
}

static fallible with_hint(struct error *e)
{
	return error_is(e, ERROR_NOT_FOUND) ? error_hint(e, "coracle ps -a shows what is there")
	                                    : e;
}

fallible engine_container_info(struct engine *e, const char *id, struct engine_containers **ret)
{
	defer(life_forget) struct life life = {0};
	TRY(life_of_container(e, id, &life));
	struct engine_containers *list = alloc(sizeof(*list));
	list->items = alloc(sizeof(*list->items));
	fill_container(life.container, &list->items[list->n++]);
	if (life.task)
		fill_task(e, life.task, &list->items[0]);
	*ret = list;
	return NULL;
}

static fallible still_running(const char *id)
{
	return error_hint(error_new(ERROR_BUSY,
	                            "cannot delete a non stopped container: \"%s\" is running", id),
	                  "coracle stop %s ends it; coracle rm -f %s does both", id, id);
}

// What is left of a kept container once its task is gone.
static fallible remove_kept(struct engine *e, const struct store_container *c, bool keep_snapshot)
{
	struct error *error = NULL;
	if (*c->snapshot_key && !keep_snapshot) {
		auto_snapshots struct snapshots *snapshots = NULL;
		TRY(engine_snapshots(e, c->snapshotter, &snapshots));
		error = snapshots_remove(snapshots, c->snapshot_key);
		if (error_is(error, ERROR_NOT_FOUND))
			error_drop(&error); // removed by hand before
	}
	TRY(error);
	return store_remove_container(e->store, c->ns, c->id, c->instance);
}

static fallible remove_claimed(struct engine *e, const char *id, bool keep_snapshot,
                               struct store_claim *claim)
{
	defer(life_forget) struct life life = {0};
	struct error *error = life_read(e, e->ns, id, &life);
	if (!error)
		error = life_answers(&life);
	if (!error && life.owner == LIFE_STARTING)
		error = error_new(ERROR_BUSY, "container \"%s\" is being started or cleaned", id);
	if (!error && life.owner == LIFE_RUNNING)
		error = still_running(id);
	if (error && error_is(error, ERROR_NOT_FOUND)) {
		error_drop(&error); // whoever waited for its end has cleaned
		return store_claim_remove(claim);
	}
	if (error) {
		store_claim_release(claim);
		return error;
	}
	if (!life.task) {
		error = remove_kept(e, life.container, keep_snapshot);
		return error_join(error, store_claim_remove(claim));
	}
	if (life.container && life.container->life == STORE_KEPT)
		error = remove_kept(e, life.container, keep_snapshot);
	if (!error)
		return life_collect(e, &life, LIFE_FORGET, claim);
	store_claim_release(claim);
	return error;
}

fallible engine_container_remove(struct engine *e, const char *id, bool keep_snapshot, bool force)
{
	struct store *store;
	TRY(engine_store(e, &store));
	TRY(store_check_id(id));
	defer(life_forget) struct life life = {0};
	TRY(with_hint(life_read(e, e->ns, id, &life)));
	TRY(life_answers(&life));
	if (life.owner == LIFE_RUNNING && !force)
		return still_running(id);
	if (life.owner == LIFE_RUNNING) // no claim meanwhile: who waits for it may need that to end
		TRY(life_kill(e, &life));
	struct store_claim *claim;
	TRY(store_claim(store, e->ns, id, STORE_CLAIM_WAIT, &claim));
	TRY(remove_claimed(e, id, keep_snapshot, claim));
	return store_empty_trash(store);
}

fallible engine_container_label(struct engine *e, const char *id, const char *const *labels,
                                size_t n_labels, struct engine_labels *ret)
{
	return engine_set_labels(e, STORE_CONTAINER, NULL, id, labels, n_labels, false, NULL, ret);
}
