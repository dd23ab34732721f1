// SPDX-License-Identifier: Apache-2.0
// Layers become snapshots. What the store has is found by chain ID and used; the others are
// unpacked into folders of the session, to be published together with what names them.
#include "engine/private.h"
#include "oci/digest.h"

struct unpacked {
	char *key, *parent; // chain IDs; parent "" at the bottom
	bool is_new;
	struct snapshot_new_layer layer; // if new
	uint64_t size_bytes, n_inodes;
	struct store_label label; // containerd.io/snapshot.ref
};

struct unpacking {
	struct engine *engine;
	struct store_session *session;
	struct snapshots *snapshots;
	struct unpacked *layers;
	size_t n, capacity;
	// what unpacking_result() lends out
	struct store_new_snapshot *new_snapshots;
	struct store_snapshot_name *needs;
	size_t n_new, n_needs;
};

fallible unpacking_begin(struct engine *e, struct store_session *session, const char *snapshotter,
                         struct unpacking **ret)
{
	struct snapshots *snapshots;
	TRY(engine_snapshots(e, snapshotter, &snapshots));
	struct unpacking *u = alloc(sizeof(*u));
	*u = (struct unpacking){.engine = e, .session = session, .snapshots = snapshots};
	*ret = u;
	return NULL;
}

void unpacking_free(struct unpacking *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n; i++) {
		free(u->layers[i].key);
		free(u->layers[i].parent);
		if (u->layers[i].is_new)
			snapshot_new_layer_done(&u->layers[i].layer);
	}
	free(u->layers);
	free(u->new_snapshots);
	free(u->needs);
	snapshots_close(u->snapshots);
	free(u);
}

static const struct unpacked *known(const struct unpacking *u, const char *key)
{
	for (size_t i = 0; i < u->n; i++)
		if (!strcmp(u->layers[i].key, key))
			return &u->layers[i];
	return NULL;
}

static struct unpacked *remember(struct unpacking *u, const char *key, const char *parent)
{
	alloc_grow(&u->layers, &u->capacity, u->n, sizeof(*u->layers));
	struct unpacked *layer = &u->layers[u->n++];
	*layer = (struct unpacked){.key = alloc_string(key), .parent = alloc_string(parent)};
	return layer;
}

static fallible has_snapshot(struct unpacking *u, const char *key, bool *ret)
{
	struct store_snapshot *row = NULL;
	struct error *e = snapshots_stat(u->snapshots, key, &row);
	store_snapshot_free(row);
	*ret = !e;
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // that is the question
	return e;
}

// One layer that has to be unpacked, and what the worker is to know of it.
static fallible add_new(struct unpacking *u, const struct store_manifest *m, size_t i,
                        const char *key, const char *parent, int parent_fs, open_layer *open,
                        void *context, struct transfer_unpack_layer *ret)
{
	struct snapshot_new_layer made;
	TRY(snapshots_new_layer(u->snapshots, u->session, parent_fs, &made));
	struct unpacked *layer = remember(u, key, parent);
	layer->is_new = true;
	layer->layer = made;
	*ret = (struct transfer_unpack_layer){
		.blob_fd = -1,
		.size_bytes = m->layers[i].descriptor.size_bytes,
		.digest = m->layers[i].descriptor.digest,
		.media_type = m->layers[i].descriptor.media_type,
		.diff_id = m->layers[i].diff_id,
		.new_dirfd = made.fs,
	};
	return open(context, m, i, &ret->blob_fd);
}

struct batch { // layers for one call of the worker
	struct transfer_unpack_layer *items;
	size_t n;
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		fd_cleanup_(&b->items[i].blob_fd);
	free(b->items);
}

// The folders that exist below the first layer of a batch, the topmost first.
struct lower {
	int *fds;
	size_t n;
	struct snapshot_layers *opened; // of the store
};

static void lower_done(struct lower *l)
{
	free(l->fds);
	snapshot_layers_free(l->opened);
}

static fallible find_lower(struct unpacking *u, const char *key, struct lower *ret)
{
	size_t room = u->n + STORE_LAYERS_LIMIT;
	ret->fds = alloc_array(room, sizeof(*ret->fds));
	const struct unpacked *layer = known(u, key);
	for (; layer && layer->is_new; layer = known(u, key)) {
		ret->fds[ret->n++] = layer->layer.fs;
		key = layer->parent;
	}
	if (!*key)
		return NULL;
	TRY(snapshots_open_layers(u->snapshots, key, &ret->opened));
	for (size_t i = 0; i < ret->opened->n && ret->n < room; i++)
		ret->fds[ret->n++] = ret->opened->fds[i];
	return NULL;
}

static fallible run_batch(struct unpacking *u, struct batch *batch, const char *below)
{
	if (!batch->n)
		return NULL;
	defer(lower_done) struct lower lower = {0};
	TRY(find_lower(u, below, &lower));
	struct transfer transfer;
	auto_free char *program = NULL;
	TRY(engine_transfer(u->engine, &transfer, &program));
	struct transfer_unpack_request request = {
		.transfer = &transfer,
		.native = snapshots_copies(u->snapshots),
		.windows = !strcmp(snapshots_name(u->snapshots), SNAPSHOTS_WINDOWS),
		.layers = batch->items,
		.n_layers = batch->n,
		.lower_dirfds = lower.fds,
		.n_lower = lower.n,
	};
	TRY(transfer_unpack(&request));
	struct unpacked *first = &u->layers[u->n - batch->n];
	for (size_t i = 0; i < batch->n; i++) {
		first[i].size_bytes = batch->items[i].unpacked_bytes;
		first[i].n_inodes = batch->items[i].n_inodes;
		auto_free char *item = alloc_printf("layer %s", batch->items[i].digest);
		struct engine_progress done = {
			.item = item,
			.item_i = i,
			.n_items = batch->n,
			.done_bytes = batch->items[i].size_bytes,
			.total_bytes = batch->items[i].size_bytes,
			.finished = true,
		};
		engine_progress(u->engine, &done);
	}
	return NULL;
}

// Native layers are full copies of what is below: each has to be whole before the next is begun.
static fallible parent_folder(struct unpacking *u, const char *parent, struct lower *hold, int *ret)
{
	*ret = -1;
	if (!*parent || !snapshots_copies(u->snapshots))
		return NULL;
	TRY(find_lower(u, parent, hold));
	*ret = hold->n ? hold->fds[0] : -1;
	return NULL;
}

fallible unpacking_add(struct unpacking *u, const struct store_manifest *m, open_layer *open,
                       void *context)
{
	if (m->n_layers > STORE_LAYERS_LIMIT)
		return error_new(ERROR_LIMIT, "manifest %s: %zu layers, the limit is %d",
		                 m->descriptor.digest, m->n_layers, STORE_LAYERS_LIMIT);
	bool windows = !strcmp(snapshots_name(u->snapshots), SNAPSHOTS_WINDOWS);
	if (windows != engine_is_windows(m))
		return error_new(ERROR_UNSUPPORTED, "manifest %s: snapshotter %s is not for %s",
		                 m->descriptor.digest, snapshots_name(u->snapshots), m->platform);
	auto_free const char **diff_ids = alloc_array(m->n_layers, sizeof(*diff_ids));
	for (size_t i = 0; i < m->n_layers; i++)
		diff_ids[i] = m->layers[i].diff_id;
	defer(batch_done) struct batch batch = {
		.items = alloc_array(m->n_layers, sizeof(*batch.items)),
	};
	char parent[OCI_DIGEST_SIZE] = "", below[OCI_DIGEST_SIZE] = "";
	for (size_t i = 0; i < m->n_layers; i++) {
		char key[OCI_DIGEST_SIZE];
		oci_chain_id(diff_ids, i + 1, key);
		bool there = known(u, key) != NULL;
		if (!there && !batch.n) {
			TRY(has_snapshot(u, key, &there));
			if (there)
				remember(u, key, parent);
		}
		if (!there) {
			defer(lower_done) struct lower hold = {0};
			int parent_fs;
			TRY(parent_folder(u, parent, &hold, &parent_fs));
			TRY(add_new(u, m, i, key, parent, parent_fs, open, context,
			            &batch.items[batch.n]));
			if (!batch.n++)
				memcpy(below, parent, sizeof(below));
			if (snapshots_copies(u->snapshots)) {
				TRY(run_batch(u, &batch, below));
				fd_cleanup_(&batch.items[0].blob_fd);
				batch.n = 0;
			}
		}
		memcpy(parent, key, sizeof(parent));
	}
	return run_batch(u, &batch, below);
}

void unpacking_result(struct unpacking *u, struct store_publication *p)
{
	free(u->new_snapshots);
	free(u->needs);
	u->new_snapshots = alloc_array(u->n, sizeof(*u->new_snapshots));
	u->needs = alloc_array(u->n, sizeof(*u->needs));
	u->n_new = u->n_needs = 0;
	const char *snapshotter = snapshots_name(u->snapshots);
	for (size_t i = 0; i < u->n; i++) {
		struct unpacked *layer = &u->layers[i];
		if (!layer->is_new) {
			u->needs[u->n_needs++] = (struct store_snapshot_name){
				.snapshotter = snapshotter, .key = layer->key};
			continue;
		}
		layer->label = (struct store_label){.key = "containerd.io/snapshot.ref",
		                                    .value = layer->key};
		u->new_snapshots[u->n_new++] = (struct store_new_snapshot){
			.snapshotter = snapshotter,
			.key = layer->key,
			.parent = layer->parent,
			.kind = STORE_COMMITTED,
			.layer = layer->layer.layer,
			.labels = {.items = &layer->label, .n = 1},
			.size_bytes = layer->size_bytes,
			.n_inodes = layer->n_inodes,
		};
	}
	p->snapshots = u->new_snapshots;
	p->n_snapshots = u->n_new;
	p->needs = u->needs;
	p->n_needs = u->n_needs;
}
