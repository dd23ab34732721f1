// SPDX-License-Identifier: Apache-2.0
#include "engine/private.h"
#include "oci/filter.h"
#include "oci/reference.h"
#include <stdlib.h>
#include <unistd.h>

void engine_images_free(struct engine_images *images)
{
	if (!images)
		return;
	for (size_t i = 0; i < images->n; i++) {
		free(images->items[i].name);
		free(images->items[i].media_type);
		free(images->items[i].digest);
		strings_done(&images->items[i].platforms);
		engine_labels_done(&images->items[i].labels);
	}
	free(images->items);
	free(images);
}

static const char *label_value(const struct store_labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->n; i++)
		if (!strcmp(labels->items[i].key, key))
			return labels->items[i].value;
	return NULL;
}

static const char *image_field(void *context, const char *const *path, size_t n)
{
	const struct store_image *image = context;
	if (n == 1 && !strcmp(path[0], "name"))
		return image->name;
	if (n == 2 && !strcmp(path[0], "target") && !strcmp(path[1], "digest"))
		return image->target.digest;
	if (n == 2 && !strcmp(path[0], "target") && !strcmp(path[1], "mediatype"))
		return image->target.media_type;
	if (n == 2 && !strcmp(path[0], "labels"))
		return label_value(&image->labels, path[1]);
	return NULL;
}

static void count_blob(struct engine *e, const struct store_descriptor *d, struct engine_image *ret)
{
	auto_fd int fd = -1;
	uint64_t size;
	auto_error struct error *missing = store_open_blob(e->store, e->ns, d->digest, &fd, &size);
	ret->n_blobs++;
	ret->blobs_bytes += d->size_bytes;
	if (missing || size != d->size_bytes)
		return;
	ret->n_present++;
	ret->present_bytes += size;
}

// `images check`: whether what the image needs here is there, and unpacked.
static fallible check_image(struct engine *e, const struct store_manifest *m,
                            const char *snapshotter, struct engine_image *ret)
{
	// As ctr counts: config and layers.
	struct store_descriptor config = {.digest = m->config_digest};
	struct store_blobs *row = NULL;
	struct error *missing = store_find_blob(e->store, e->ns, m->config_digest, &row);
	if (!missing)
		config.size_bytes = row->items[0].descriptor.size_bytes;
	error_drop(&missing); // counted as absent below
	count_blob(e, &config, ret);
	store_blobs_free(row);
	for (size_t i = 0; i < m->n_layers; i++)
		count_blob(e, &m->layers[i].descriptor, ret);
	ret->is_complete = ret->n_present == ret->n_blobs;
	auto_snapshots struct snapshots *snapshots = NULL;
	TRY(engine_snapshots(e, engine_snapshotter_for(m, snapshotter), &snapshots));
	struct store_snapshot *top = NULL;
	struct error *none = snapshots_stat(snapshots, m->chain_id, &top);
	ret->is_unpacked = !none;
	store_snapshot_free(top);
	if (error_is(none, ERROR_NOT_FOUND))
		error_drop(&none); // not unpacked
	return none;
}

static fallible fill_image(struct engine *e, const struct store_image *from, bool check,
                           const char *snapshotter, struct engine_image *ret)
{
	*ret = (struct engine_image){
		.name = alloc_string(from->name),
		.media_type = alloc_string(from->target.media_type),
		.digest = alloc_string(from->target.digest),
		.target_size_bytes = from->target.size_bytes,
		.created_ns = from->created_ns,
		.updated_ns = from->updated_ns,
	};
	labels_copy(&from->labels, &ret->labels);
	for (size_t i = 0; i < from->n_manifests; i++)
		if (!strings_has(&ret->platforms, from->manifests[i].platform))
			strings_add(&ret->platforms, from->manifests[i].platform);
	strings_sort(&ret->platforms);
	const struct store_manifest *m = NULL;
	struct error *none = engine_choose_manifest(from, NULL, &m);
	error_drop(&none); // an image for other machines has no size here, as in ctr
	ret->size_bytes = m ? m->size_bytes : from->target.size_bytes;
	return m && check ? check_image(e, m, snapshotter, ret) : NULL;
}

fallible engine_image_list(struct engine *e, const char *const *filters, size_t n_filters,
                           bool check, const char *snapshotter, struct engine_images **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	auto_oci_filters struct oci_filters *filter = NULL;
	TRY(oci_filters_parse(filters, n_filters, &filter));
	struct store_images *rows;
	TRY(store_list_images(store, e->ns, &rows));
	struct engine_images *images = alloc(sizeof(*images));
	images->items = alloc_array(rows->n, sizeof(*images->items));
	struct error *error = NULL;
	for (size_t i = 0; i < rows->n && !error; i++) {
		if (!oci_filters_match(filter, image_field, &rows->items[i]))
			continue;
		struct engine_image *image = &images->items[images->n++];
		error = fill_image(e, &rows->items[i], check, snapshotter, image);
	}
	store_images_free(rows);
	if (error)
		engine_images_free(images);
	else
		*ret = images;
	return error;
}

// The stored name that a typed one means.
static fallible stored_name(struct engine *e, const char *typed, char **ret)
{
	struct store_image *image;
	TRY(engine_find_image(e, typed, &image));
	*ret = alloc_string(image->name);
	store_image_free(image);
	return NULL;
}

fallible engine_image_remove(struct engine *e, const char *name)
{
	auto_free char *stored = NULL;
	TRY(stored_name(e, name, &stored));
	TRY(store_remove_image(e->store, e->ns, stored));
	struct store_garbage *taken = NULL;
	TRY(store_gc_run(e->store, 0, &taken));
	store_garbage_free(taken);
	return NULL;
}

static bool is_used(const struct store_containers *containers, const char *image)
{
	for (size_t i = 0; i < containers->n; i++)
		if (!strcmp(containers->items[i].image, image))
			return true;
	return false;
}

static fallible prune(struct engine *e, const struct store_images *images, struct strings *ret)
{
	struct store_containers *containers = NULL;
	TRY(store_list_containers(e->store, e->ns, &containers));
	struct error *error = NULL;
	for (size_t i = 0; i < images->n && !error; i++) {
		const char *name = images->items[i].name;
		if (is_used(containers, name))
			continue;
		error = store_remove_image(e->store, e->ns, name);
		if (!error)
			strings_add(ret, name);
		else if (error_is(error, ERROR_NOT_FOUND))
			error_drop(&error); // somebody else was quicker
	}
	store_containers_free(containers);
	return error;
}

fallible engine_image_prune(struct engine *e, struct strings *ret)
{
	struct store *store;
	struct store_images *images;
	struct store_garbage *taken = NULL;
	TRY(engine_store(e, &store));
	TRY(store_list_images(store, e->ns, &images));
	struct error *error = prune(e, images, ret);
	store_images_free(images);
	if (ret->n)
		error = error_join(error, store_gc_run(store, 0, &taken));
	store_garbage_free(taken);
	return error;
}

static fallible list_chain(struct engine *e, const struct store_manifest *m,
                           const char *snapshotter, struct strings *ret)
{
	auto_snapshots struct snapshots *snapshots = NULL;
	struct store_snapshot *row = NULL;
	TRY(engine_snapshots(e, engine_snapshotter_for(m, snapshotter), &snapshots));
	auto_free char *key = alloc_string(m->chain_id);
	while (*key) {
		struct error *none = snapshots_stat(snapshots, key, &row);
		if (error_is(none, ERROR_NOT_FOUND)) {
			error_free(none);
			return error_hint(
				error_new(ERROR_INVALID, "it isn't unpacked by the snapshotter %s",
			                  snapshots_name(snapshots)),
				"coracle snapshots unpack %s does that", m->descriptor.digest);
		}
		TRY(none);
		strings_add(ret, key);
		free(key);
		key = alloc_string(row->parent);
		store_snapshot_free(row);
	}
	return NULL;
}

fallible engine_image_snapshots(struct engine *e, const char *snapshotter, const char *name,
                                struct strings *ret)
{
	struct store_image *image;
	const struct store_manifest *m;
	TRY(engine_find_image(e, name, &image));
	struct error *error = engine_choose_manifest(image, NULL, &m);
	if (!error)
		error = error_prefix(list_chain(e, m, snapshotter, ret), "image %s", image->name);
	store_image_free(image);
	return error;
}

fallible engine_image_tag(struct engine *e, const char *source, const char *target, bool force)
{
	auto_free char *stored = NULL, *checked = NULL;
	TRY(stored_name(e, source, &stored));
	TRY(oci_reference_normalise(target, &checked));
	return error_hint(store_tag_image(e->store, e->ns, stored, target, force),
	                  "--force replaces it");
}

fallible engine_image_label(struct engine *e, const char *name, const char *const *labels,
                            size_t n_labels, bool replace_all, struct engine_labels *ret)
{
	struct store_image *image;
	TRY(engine_find_image(e, name, &image));
	struct error *error = engine_set_labels(e, STORE_IMAGE, NULL, image->name, labels, n_labels,
	                                        replace_all, &image->labels, ret);
	store_image_free(image);
	return error;
}
