// SPDX-License-Identifier: Apache-2.0
#include "engine/private.h"
#include <time.h>

void engine_snapshots_free(struct engine_snapshots *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].key);
		free(s->items[i].parent);
		free(s->items[i].snapshotter);
		engine_labels_done(&s->items[i].labels);
	}
	free(s->items);
	free(s);
}

static const char *const kinds[] = {
	[STORE_ACTIVE] = "Active",
	[STORE_VIEW] = "View",
	[STORE_COMMITTED] = "Committed",
};

static void add_snapshot(struct engine_snapshots *to, const struct store_snapshot *from)
{
	struct engine_snapshot *s = &to->items[to->n++];
	*s = (struct engine_snapshot){
		.key = alloc_string(from->key),
		.parent = alloc_string(from->parent),
		.kind = kinds[from->kind],
		.snapshotter = alloc_string(from->snapshotter),
		.created_ns = from->created_ns,
		.updated_ns = from->updated_ns,
	};
	labels_copy(&from->labels, &s->labels);
}

fallible engine_snapshots_of(struct engine *e, const char *snapshotter, const char *key,
                             struct snapshots **ret)
{
	auto_snapshots struct snapshots *first = NULL, *second = NULL;
	TRY(engine_snapshots(e, snapshotter, &first));
	if (snapshotter || e->snapshotter || !key || !*key) {
		*ret = take(&first);
		return NULL;
	}
	struct store_snapshot *row = NULL;
	struct error *error = snapshots_stat(first, key, &row);
	if (error_is(error, ERROR_NOT_FOUND)) {
		error_drop(&error); // it may be the other's
		TRY(engine_snapshots(e, SNAPSHOTS_WINDOWS, &second));
		struct error *none = snapshots_stat(second, key, &row);
		if (error_is(none, ERROR_NOT_FOUND))
			error_drop(&none); // nobody's: the default says so
		else
			error = none;
	}
	bool is_second = second && row;
	store_snapshot_free(row);
	if (!error)
		*ret = is_second ? take(&second) : take(&first);
	return error;
}

static void add_all(struct engine_snapshots *list, const struct store_snapshots *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		add_snapshot(list, &rows->items[i]);
}

fallible engine_snapshot_list(struct engine *e, const char *snapshotter,
                              struct engine_snapshots **ret)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots(e, snapshotter, &s));
	auto_snapshots struct snapshots *windows = NULL;
	struct store_snapshots *rows, *more = NULL;
	if (!snapshotter && !e->snapshotter)
		TRY(engine_snapshots(e, SNAPSHOTS_WINDOWS, &windows));
	TRY(snapshots_list(s, &rows));
	struct error *error = windows ? snapshots_list(windows, &more) : NULL;
	struct engine_snapshots *list = alloc(sizeof(*list));
	list->items = alloc_array(rows->n + (more ? more->n : 0) + 1, sizeof(*list->items));
	add_all(list, rows);
	if (more)
		add_all(list, more);
	store_snapshots_free(rows);
	store_snapshots_free(more);
	if (error)
		engine_snapshots_free(list);
	else
		*ret = list;
	return error;
}

static fallible with_hint(struct error *e)
{
	return error_is(e, ERROR_NOT_FOUND)
	               ? error_hint(e, "coracle snapshots ls shows what is there")
	               : e;
}

fallible engine_snapshot_info(struct engine *e, const char *snapshotter, const char *key,
                              struct engine_snapshots **ret)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s));
	struct store_snapshot *row;
	TRY(with_hint(snapshots_stat(s, key, &row)));
	struct engine_snapshots *list = alloc(sizeof(*list));
	list->items = alloc(sizeof(*list->items));
	add_snapshot(list, row);
	store_snapshot_free(row);
	*ret = list;
	return NULL;
}

void engine_mounts_free(struct engine_mounts *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->items[i].type);
		free(m->items[i].source);
		free(m->items[i].target);
		strings_done(&m->items[i].options);
	}
	free(m->items);
	free(m);
}

static void give_mounts(struct snapshot_mounts *from, struct engine_mounts **ret)
{
	struct engine_mounts *to = alloc(sizeof(*to));
	to->items = alloc_array(from->n, sizeof(*to->items));
	for (size_t i = 0; i < from->n; i++) {
		struct engine_mount *m = &to->items[to->n++];
		*m = (struct engine_mount){
			.type = alloc_string(from->items[i].type),
			.source = alloc_string(from->items[i].source),
			.target = alloc_string(from->items[i].target),
		};
		for (size_t k = 0; k < from->items[i].n_options; k++)
			strings_add(&m->options, from->items[i].options[k]);
	}
	snapshot_mounts_free(from);
	*ret = to;
}

// What a person prepares by hand is kept until that person removes it.
static struct store_label root_label(char text[static 32])
{
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return (struct store_label){.key = "containerd.io/gc.root", .value = text};
}

fallible engine_snapshot_prepare(struct engine *e, const char *snapshotter, const char *key,
                                 const char *parent, bool view, struct engine_mounts **ret)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, parent, &s));
	char now[32];
	struct store_label label = root_label(now);
	struct store_labels labels = {.items = &label, .n = 1};
	struct snapshot_mounts *mounts;
	struct error *error = view ? snapshots_view(s, key, parent, &labels, &mounts)
	                           : snapshots_prepare(s, key, parent, &labels, &mounts);
	TRY(with_hint(error));
	give_mounts(mounts, ret);
	return NULL;
}

fallible engine_snapshot_commit(struct engine *e, const char *snapshotter, const char *key,
                                const char *active)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, active, &s));
	char now[32];
	struct store_label label = root_label(now);
	struct store_labels labels = {.items = &label, .n = 1};
	return with_hint(snapshots_commit(s, key, active, &labels));
}

fallible engine_snapshot_mounts(struct engine *e, const char *snapshotter, const char *key,
                                struct engine_mounts **ret)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s));
	struct snapshot_mounts *mounts;
	TRY(with_hint(snapshots_mounts(s, key, &mounts)));
	give_mounts(mounts, ret);
	return NULL;
}

fallible engine_snapshot_remove(struct engine *e, const char *snapshotter, const char *key)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s));
	TRY(with_hint(snapshots_remove(s, key)));
	return store_empty_trash(e->store);
}

fallible engine_snapshot_usage(struct engine *e, const char *snapshotter, const char *key,
                               uint64_t *ret_bytes, uint64_t *ret_inodes)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s));
	return with_hint(snapshots_usage(s, key, ret_bytes, ret_inodes));
}

fallible engine_snapshot_label(struct engine *e, const char *snapshotter, const char *key,
                               const char *const *labels, size_t n_labels,
                               struct engine_labels *ret)
{
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s));
	return with_hint(engine_set_labels(e, STORE_SNAPSHOT, snapshots_name(s), key, labels,
	                                   n_labels, false, NULL, ret));
}

static fallible open_stored(void *context, const struct store_manifest *m, size_t i, int *ret_fd)
{
	struct engine *e = context;
	uint64_t size;
	return store_open_blob(e->store, e->ns, m->layers[i].descriptor.digest, ret_fd, &size);
}

// The manifest that `digest` names: as an image's target, or as one of its manifests.
static fallible find_manifest(struct engine *e, const char *digest, struct store_image **ret_image,
                              const struct store_manifest **ret)
{
	struct store_images *rows;
	TRY(store_list_images(e->store, e->ns, &rows));
	*ret_image = NULL;
	struct error *error = NULL;
	for (size_t i = 0; i < rows->n && !*ret_image && !error; i++) {
		bool named = !strcmp(rows->items[i].target.digest, digest);
		for (size_t k = 0; k < rows->items[i].n_manifests; k++)
			named |= !strcmp(rows->items[i].manifests[k].descriptor.digest, digest);
		if (named)
			error = store_find_image(e->store, e->ns, rows->items[i].name, ret_image);
	}
	store_images_free(rows);
	TRY(error);
	if (!*ret_image)
		return error_hint(
			error_new(ERROR_NOT_FOUND, "content digest %.80s: not found", digest),
			"coracle images ls shows the digests of images");
	for (size_t k = 0; k < (*ret_image)->n_manifests; k++)
		if (!strcmp((*ret_image)->manifests[k].descriptor.digest, digest)) {
			*ret = &(*ret_image)->manifests[k];
			return NULL;
		}
	return engine_choose_manifest(*ret_image, NULL, ret);
}

static void image_cleanup(struct store_image **image)
{
	store_image_free(*image);
}

// Unpacks a manifest of the store, unless it is; publishes its snapshots.
static fallible unpack_stored(struct engine *e, const char *snapshotter,
                              const struct store_manifest *m)
{
	struct store_session *session;
	TRY(engine_begin_session(e, &session));
	struct unpacking *u = NULL;
	struct error *error = unpacking_begin(e, session, snapshotter, &u);
	if (!error)
		error = unpacking_add(u, m, open_stored, e);
	if (!error) {
		struct store_publication p = {.ns = e->ns};
		unpacking_result(u, &p);
		error = store_publish(session, &p);
	}
	unpacking_free(u);
	return error_join(error, engine_end_session(e, session));
}

fallible engine_ensure_unpacked(struct engine *e, const char *snapshotter,
                                const struct store_manifest *m)
{
	if (!m->n_layers)
		return NULL;
	snapshotter = engine_snapshotter_for(m, snapshotter);
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots(e, snapshotter, &s));
	struct store_snapshot *top = NULL;
	struct error *error = snapshots_stat(s, m->chain_id, &top);
	store_snapshot_free(top);
	if (!error_is(error, ERROR_NOT_FOUND))
		return error;
	error_drop(&error); // it was imported without unpacking, or for another snapshotter
	error = unpack_stored(e, snapshotter, m);
	if (error_is(error, ERROR_NOT_FOUND))
		return error_hint(error, "coracle images pull IMAGE fetches the missing layers");
	return error;
}

fallible engine_snapshot_unpack(struct engine *e, const char *snapshotter, const char *digest,
                                char **ret_chain_id)
{
	struct store *store;
	TRY(engine_store(e, &store));
	TRY(store_check_digest(digest));
	defer(image_cleanup) struct store_image *image = NULL;
	const struct store_manifest *m;
	TRY(find_manifest(e, digest, &image, &m));
	TRY(engine_ensure_unpacked(e, snapshotter, m));
	*ret_chain_id = alloc_string(m->chain_id);
	return NULL;
}
