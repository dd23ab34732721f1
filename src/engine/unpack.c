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

struct run;
struct unpacking {
	struct engine *engine;
	struct store_session *session;
	struct snapshots *snapshots;
	struct unpacked *layers;
	size_t n, capacity;
	struct run *ahead; // what goes on beside a fetch
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

static void forget(struct unpacked *layer)
{
	free(layer->key);
	free(layer->parent);
	if (layer->is_new)
		snapshot_new_layer_done(&layer->layer);
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
                        const char *key, const char *parent, int parent_fs,
                        struct transfer_unpack_layer *ret)
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
		.grown_fd = -1,
	};
	return NULL;
}

struct batch { // layers for one call of the worker
	struct transfer_unpack_layer *items;
	size_t n;
};

static void close_blob(struct transfer_unpack_layer *l)
{
	fd_cleanup_(&l->blob_fd);
	fd_cleanup_(&l->grown_fd);
	l->blob_fd = l->grown_fd = -1;
}

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		close_blob(&b->items[i]);
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

// One call of the workers: layers in a row, the last of those that are known.
struct run {
	struct batch batch;
	struct lower lower;
	struct transfer transfer;
	char *program;
	struct transfer_unpack_request request;
	struct transfer_unpacking *unpacking; // if it goes on beside a fetch
};

static void run_done(struct run *r)
{
	transfer_unpacking_free(r->unpacking);
	lower_done(&r->lower);
	batch_done(&r->batch);
	free(r->program);
}

static fallible prepare(struct unpacking *u, struct run *r, const char *below)
{
	TRY(find_lower(u, below, &r->lower));
	TRY(engine_transfer(u->engine, &r->transfer, &r->program));
	r->request = (struct transfer_unpack_request){
		.transfer = &r->transfer,
		.native = snapshots_copies(u->snapshots),
		.windows = !strcmp(snapshots_name(u->snapshots), SNAPSHOTS_WINDOWS),
		.layers = r->batch.items,
		.n_layers = r->batch.n,
		.lower_dirfds = r->lower.fds,
		.n_lower = r->lower.n,
	};
	return NULL;
}

// The first `n` layers of the batch are whole.
static void take_results(struct unpacking *u, const struct batch *batch, size_t n)
{
	struct unpacked *first = &u->layers[u->n - batch->n];
	for (size_t i = 0; i < n; i++) {
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
}

static fallible run_now(struct unpacking *u, struct run *r, const char *below)
{
	if (!r->batch.n)
		return NULL;
	TRY(prepare(u, r, below));
	TRY(transfer_unpack(&r->request));
	take_results(u, &r->batch, r->batch.n);
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

static fallible check_manifest(const struct unpacking *u, const struct store_manifest *m)
{
	bool windows = !strcmp(snapshots_name(u->snapshots), SNAPSHOTS_WINDOWS);
	if (m->n_layers > STORE_LAYERS_LIMIT)
		return error_new(ERROR_LIMIT, "manifest %s: %zu layers, the limit is %d",
		                 m->descriptor.digest, m->n_layers, STORE_LAYERS_LIMIT);
	if (windows != engine_is_windows(m))
		return error_new(ERROR_UNSUPPORTED, "manifest %s: snapshotter %s is not for %s",
		                 m->descriptor.digest, snapshots_name(u->snapshots), m->platform);
	return NULL;
}

// A walk over the layers of a manifest: those that are there, then those that aren't.
struct chain {
	const char **diff_ids;
	char key[OCI_DIGEST_SIZE], parent[OCI_DIGEST_SIZE]; // of the layer; below it
	char below[OCI_DIGEST_SIZE];                        // below the first of the batch
};

static void chain_done(struct chain *c)
{
	free(c->diff_ids);
}

static void chain_begin(struct chain *c, const struct store_manifest *m)
{
	c->diff_ids = alloc_array(m->n_layers, sizeof(*c->diff_ids));
	for (size_t i = 0; i < m->n_layers; i++)
		c->diff_ids[i] = m->layers[i].diff_id;
}

// Layer i: adds it to the batch unless it is there.
static fallible chain_step(struct unpacking *u, const struct store_manifest *m, size_t i,
                           struct chain *c, struct batch *batch)
{
	memcpy(c->parent, c->key, sizeof(c->parent));
	oci_chain_id(c->diff_ids, i + 1, c->key);
	bool there = known(u, c->key) != NULL;
	if (!there && !batch->n) {
		TRY(has_snapshot(u, c->key, &there));
		if (there)
			remember(u, c->key, c->parent);
	}
	if (there)
		return NULL;
	defer(lower_done) struct lower hold = {0};
	int parent_fs;
	TRY(parent_folder(u, c->parent, &hold, &parent_fs));
	TRY(add_new(u, m, i, c->key, c->parent, parent_fs, &batch->items[batch->n]));
	if (!batch->n++)
		memcpy(c->below, c->parent, sizeof(c->below));
	return NULL;
}

fallible unpacking_add(struct unpacking *u, const struct store_manifest *m, open_layer *open,
                       void *context)
{
	TRY(check_manifest(u, m));
	defer(chain_done) struct chain chain = {0};
	defer(run_done) struct run run = {
		.batch.items = alloc_array(m->n_layers, sizeof(*run.batch.items))};
	struct batch *batch = &run.batch;
	chain_begin(&chain, m);
	for (size_t i = 0; i < m->n_layers; i++) {
		size_t n = batch->n;
		TRY(chain_step(u, m, i, &chain, batch));
		if (batch->n == n)
			continue;
		TRY(open(context, m, i, &batch->items[n].blob_fd));
		if (!snapshots_copies(u->snapshots))
			continue;
		defer(run_done) struct run one = {.batch = {batch->items, 1}};
		batch->items = alloc_array(m->n_layers, sizeof(*batch->items));
		batch->n = 0;
		TRY(run_now(u, &one, chain.below));
	}
	return run_now(u, &run, chain.below);
}

// --- beside a fetch -----------------------------------------------------------------------------

fallible unpacking_ahead(struct unpacking *u, const struct store_manifest *m,
                         struct transfer_unpacking **ret)
{
	if (snapshots_copies(u->snapshots))
		return NULL; // each needs the one below: nothing to gain
	TRY(check_manifest(u, m));
	defer(chain_done) struct chain chain = {0};
	struct run *r = u->ahead = alloc(sizeof(*r));
	r->batch.items = alloc_array(m->n_layers, sizeof(*r->batch.items));
	chain_begin(&chain, m);
	for (size_t i = 0; i < m->n_layers; i++)
		TRY(chain_step(u, m, i, &chain, &r->batch));
	TRY(prepare(u, r, chain.below));
	TRY(transfer_unpacking_begin(&r->request, &r->unpacking));
	*ret = r->unpacking;
	return NULL;
}

bool unpacking_needs(const struct unpacking *u, const char *digest)
{
	for (size_t i = 0; u->ahead && i < u->ahead->batch.n; i++)
		if (!strcmp(u->ahead->batch.items[i].digest, digest) &&
		    !transfer_unpacking_has(u->ahead->unpacking, i))
			return true;
	return false;
}

// The blob of a layer that needs it; of one digest several may.
void unpacking_give(struct unpacking *u, const char *digest, int blob_fd, int grown_fd)
{
	struct run *r = u->ahead;
	for (size_t i = 0; i < r->batch.n; i++)
		if (!strcmp(r->batch.items[i].digest, digest) &&
		    !transfer_unpacking_has(r->unpacking, i)) {
			transfer_unpacking_give(r->unpacking, i, blob_fd, grown_fd >= 0, grown_fd);
			return;
		}
}

void unpacking_settle(struct unpacking *u)
{
	struct run *r = u->ahead;
	size_t n_whole;
	if (!r)
		return;
	struct error *e = transfer_unpacking_finish(r->unpacking, &n_whole);
	if (e)
		engine_debug(u->engine, "%s; once more", e->message);
	error_free(e);
	take_results(u, &r->batch, n_whole);
	for (size_t i = n_whole; i < r->batch.n; i++)
		forget(&u->layers[--u->n]);
	run_done(r);
	free(take(&u->ahead));
}

void unpacking_free(struct unpacking *u)
{
	if (!u)
		return;
	if (u->ahead)
		run_done(u->ahead);
	free(u->ahead);
	for (size_t i = 0; i < u->n; i++)
		forget(&u->layers[i]);
	free(u->layers);
	free(u->new_snapshots);
	free(u->needs);
	snapshots_close(u->snapshots);
	free(u);
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
