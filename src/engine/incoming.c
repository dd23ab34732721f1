// SPDX-License-Identifier: Apache-2.0
#include "engine/incoming.h"
#include <fcntl.h>

static struct store_descriptor descriptor_of(const struct incoming *in, size_t blob)
{
	const struct transfer_blob *b = &in->archive->blobs[blob];
	return (struct store_descriptor){
		.media_type = b->media_type, .digest = b->digest, .size_bytes = b->size_bytes};
}

// What is a layer and no document.
static void leave_layers(struct incoming *in)
{
	const struct transfer_archive *a = in->archive;
	for (size_t i = 0; i < a->n_manifests; i++)
		for (size_t k = 0; k < a->manifests[i].n_layers; k++)
			in->left_out[a->manifests[i].layers[k].blob] = true;
	for (size_t i = 0; i < a->n_blobs; i++)
		in->left_out[i] &= !a->blobs[i].n_references;
	for (size_t i = 0; i < a->n_manifests; i++)
		in->left_out[a->manifests[i].config_blob] = false;
}

static void list_blobs(struct incoming *in)
{
	const struct transfer_archive *a = in->archive;
	in->left_out = arena_alloc(in->arena, (a->n_blobs + 1) * sizeof(*in->left_out));
	if (in->documents_only)
		leave_layers(in);
	in->blobs = alloc_array(a->n_blobs, sizeof(*in->blobs));
	in->n_blobs = a->n_blobs;
	for (size_t i = 0; i < a->n_blobs; i++) {
		const struct transfer_blob *b = &a->blobs[i];
		const char **references =
			arena_alloc(in->arena, (b->n_references + 1) * sizeof(*references));
		size_t n = 0;
		for (size_t k = 0; k < b->n_references; k++)
			if (!in->left_out[b->references[k]])
				references[n++] = a->blobs[b->references[k]].digest;
		in->blobs[i] = (struct store_new_blob){
			.descriptor = descriptor_of(in, i),
			.name = b->name,
			.references = references,
			.n_references = n,
		};
		if (in->source.key)
			in->blobs[i].labels = (struct store_labels){.items = &in->source, .n = 1};
	}
}

// The label by which containerd knows a layer's diff ID; `content ls` shows it.
static void label_layer(struct incoming *in, size_t blob, const char *diff_id)
{
	struct store_label *labels = arena_alloc(in->arena, 2 * sizeof(*labels));
	// Sorted by key.
	if (in->source.key)
		labels[0] = in->source;
	labels[in->source.key != NULL] =
		(struct store_label){.key = "containerd.io/uncompressed", .value = diff_id};
	in->blobs[blob].labels =
		(struct store_labels){.items = labels, .n = 1 + (in->source.key != NULL)};
}

static fallible list_manifests(struct incoming *in)
{
	const struct transfer_archive *a = in->archive;
	in->manifests = alloc_array(a->n_manifests, sizeof(*in->manifests));
	for (size_t i = 0; i < a->n_manifests; i++) {
		const struct transfer_manifest *m = &a->manifests[i];
		struct store_layer *layers =
			arena_alloc(in->arena, (m->n_layers + 1) * sizeof(*layers));
		const char **diff_ids =
			arena_alloc(in->arena, (m->n_layers + 1) * sizeof(*diff_ids));
		uint64_t size = a->blobs[m->blob].size_bytes + a->blobs[m->config_blob].size_bytes;
		for (size_t k = 0; k < m->n_layers; k++) {
			layers[k].descriptor = descriptor_of(in, m->layers[k].blob);
			layers[k].diff_id = diff_ids[k] = m->layers[k].diff_id;
			if (__builtin_add_overflow(size, layers[k].descriptor.size_bytes, &size) ||
			    size > INT64_MAX)
				return error_new(ERROR_LIMIT,
				                 "manifest %s: layers of %llu bytes and "
				                 "more",
				                 a->blobs[m->blob].digest,
				                 (unsigned long long)INT64_MAX);
			label_layer(in, m->layers[k].blob, m->layers[k].diff_id);
		}
		char chain[OCI_DIGEST_SIZE] = "";
		if (m->n_layers)
			oci_chain_id(diff_ids, m->n_layers, chain);
		in->manifests[i] = (struct store_manifest){
			.descriptor = descriptor_of(in, m->blob),
			.platform = m->platform,
			.config_digest = a->blobs[m->config_blob].digest,
			.config = m->config,
			.chain_id = arena_string(in->arena, chain),
			.layers = layers,
			.n_layers = m->n_layers,
			.size_bytes = size,
		};
	}
	return NULL;
}

void incoming_name(struct incoming *in, const struct transfer_image *image, const char *name)
{
	if (strings_has(&in->names, name))
		return;
	const char **manifests =
		arena_alloc(in->arena, (image->n_manifests + 1) * sizeof(*manifests));
	for (size_t i = 0; i < image->n_manifests; i++)
		manifests[i] = in->manifests[image->manifests[i]].descriptor.digest;
	strings_add(&in->names, name);
	alloc_grow(&in->images, &in->images_capacity, in->n_images, sizeof(*in->images));
	in->images[in->n_images++] = (struct store_new_image){
		.name = arena_string(in->arena, name),
		.target = descriptor_of(in, image->target),
		.labels = labels_view(&in->labels),
		.manifests = manifests,
		.n_manifests = image->n_manifests,
	};
}

// In the session, or in the store already.
static fallible open_layer_of(void *context, const struct store_manifest *m, size_t i, int *ret_fd)
{
	const struct incoming *in = context;
	size_t k = (size_t)(m - in->manifests);
	const struct transfer_blob *b =
		&in->archive->blobs[in->archive->manifests[k].layers[i].blob];
	uint64_t size;
	if (!b->name)
		return store_open_blob(in->engine->store, in->engine->ns, b->digest, ret_fd, &size);
	int fd = openat(store_session_blobs(in->session), b->name,
	                O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		FAIL_ERRNO("open blob %s", b->digest);
	*ret_fd = fd;
	return NULL;
}

// Which manifests are unpacked: the best of each image, all if asked for; `windows` says whose.
static fallible unpack_images(struct incoming *in, struct unpacking *u, bool windows)
{
	const struct transfer_archive *a = in->archive;
	for (size_t i = 0; i < a->n_images; i++) {
		const struct transfer_image *image = &a->images[i];
		for (size_t k = 0; k < image->n_manifests; k++) {
			const struct store_manifest *m = &in->manifests[image->manifests[k]];
			if (k && !in->all_platforms)
				break;
			if (engine_is_windows(m) == windows)
				TRY(unpacking_add(u, m, open_layer_of, in));
		}
	}
	return NULL;
}

// The snapshots of both snapshotters, as one list.
static void join_results(struct incoming *in, struct unpacking *linux_ones,
                         struct unpacking *windows_ones)
{
	struct store_publication a = {0}, b = {0};
	unpacking_result(linux_ones, &a);
	unpacking_result(windows_ones, &b);
	size_t n = a.n_snapshots + b.n_snapshots, n_needs = a.n_needs + b.n_needs;
	struct store_new_snapshot *snapshots = arena_alloc(in->arena, (n + 1) * sizeof(*snapshots));
	struct store_snapshot_name *needs = arena_alloc(in->arena, (n_needs + 1) * sizeof(*needs));
	for (size_t i = 0; i < n; i++)
		snapshots[i] = i < a.n_snapshots ? a.snapshots[i] : b.snapshots[i - a.n_snapshots];
	for (size_t i = 0; i < n_needs; i++)
		needs[i] = i < a.n_needs ? a.needs[i] : b.needs[i - a.n_needs];
	in->p.snapshots = snapshots;
	in->p.n_snapshots = n;
	in->p.needs = needs;
	in->p.n_needs = n_needs;
}

static bool is_windows(const struct incoming *in)
{
	return engine_is_windows(&in->manifests[in->archive->images[0].manifests[0]]);
}

static fallible begin(struct incoming *in, const char *snapshotter, struct unpacking **u)
{
	if (*u)
		unpacking_settle(*u);
	return *u ? NULL : unpacking_begin(in->engine, in->session, snapshotter, u);
}

fallible incoming_ahead(struct incoming *in, struct transfer_unpacking **ret)
{
	const struct store_manifest *m = &in->manifests[in->archive->images[0].manifests[0]];
	if (in->no_unpack)
		return NULL;
	TRY(begin(in, is_windows(in) ? SNAPSHOTS_WINDOWS : in->snapshotter, &in->ahead));
	return unpacking_ahead(in->ahead, m, ret);
}

static fallible publish(struct incoming *in)
{
	defer(unpacking_cleanup_) struct unpacking *u = NULL, *w = NULL;
	if (!in->no_unpack) {
		*(is_windows(in) ? &w : &u) = take(&in->ahead);
		TRY(begin(in, in->snapshotter, &u));
		TRY(begin(in, SNAPSHOTS_WINDOWS, &w));
		TRY(unpack_images(in, u, false));
		TRY(unpack_images(in, w, true));
	}
	in->p = (struct store_publication){
		.ns = in->engine->ns,
		.blobs = in->blobs,
		.n_blobs = in->n_blobs,
		.manifests = in->manifests,
		.n_manifests = in->archive->n_manifests,
		.images = in->images,
		.n_images = in->n_images,
	};
	if (u)
		join_results(in, u, w);
	return store_publish(in->session, &in->p);
}

fallible incoming_describe(struct incoming *in)
{
	list_blobs(in);
	return list_manifests(in);
}

// The archive's own index is kept only if a name leads to it: nothing else would hold it.
static void leave_unnamed_index(struct incoming *in)
{
	size_t index = in->archive->index;
	bool is_named = false;
	for (size_t i = 0; i < in->n_images; i++)
		is_named |=
			!strcmp(in->images[i].target.digest, in->blobs[index].descriptor.digest);
	in->left_out[index] |= !is_named;
}

// When nothing is looked up by a blob's index any more.
static void leave_out(struct incoming *in)
{
	size_t n = 0;
	for (size_t i = 0; i < in->n_blobs; i++)
		if (!in->left_out[i])
			in->blobs[n++] = in->blobs[i];
	in->n_blobs = n;
}

fallible incoming_publish(struct incoming *in)
{
	leave_unnamed_index(in);
	leave_out(in);
	// NOT_FOUND: a gc took a layer that was found; once more, it is unpacked here.
	struct error *e = publish(in);
	for (int tries = 0; error_is(e, ERROR_NOT_FOUND) && tries < 3; tries++) {
		error_drop(&e);
		e = publish(in);
	}
	return e;
}

void incoming_done(struct incoming *in)
{
	unpacking_free(in->ahead);
	transfer_archive_free(in->archive);
	arena_free(in->arena);
	strings_done(&in->names);
	free(in->blobs);
	free(in->manifests);
	free(in->images);
	labels_done(&in->labels);
}
