// SPDX-License-Identifier: Apache-2.0
// An archive becomes images: the worker reads it into a session, its layers are unpacked there, and
// all of it is published at once. What the worker says is checked by transfer/client.h; what names
// mean is decided here.
// Names as containerd 2.1 gives them (client/import.go): io.containerd.image.name as it stands,
// else org.opencontainers.image.ref.name: a whole name, or a tag behind --base-name.
#include "engine/private.h"
#include "oci/reference.h"
#include <fcntl.h>
#include <time.h>

struct import {
	struct engine *engine;
	const struct engine_import *request;
	struct store_session *session;
	struct transfer_archive *archive;
	struct arena *arena; // of all that goes into the publication
	struct strings names;
	struct store_publication p;
	struct store_new_blob *blobs;
	size_t n_blobs;
	struct store_manifest *manifests;
	struct store_new_image *images;
	size_t n_images, images_capacity;
	struct label_list labels;
};

static void import_done(struct import *im)
{
	transfer_archive_free(im->archive);
	arena_free(im->arena);
	strings_done(&im->names);
	free(im->blobs);
	free(im->manifests);
	free(im->images);
	labels_done(&im->labels);
}

static struct store_descriptor descriptor_of(const struct import *im, size_t blob)
{
	const struct transfer_blob *b = &im->archive->blobs[blob];
	return (struct store_descriptor){
		.media_type = b->media_type, .digest = b->digest, .size_bytes = b->size_bytes};
}

static fallible read_archive(struct import *im)
{
	struct transfer transfer;
	auto_free char *program = NULL;
	TRY(engine_transfer(im->engine, &transfer, &program));
	const struct engine_import *r = im->request;
	struct transfer_archive_request request = {
		.transfer = &transfer,
		.fd = r->fd,
		.ingest_dirfd = store_session_blobs(im->session),
		.platforms = r->platform ? &r->platform : NULL,
		.n_platforms = r->platform ? 1 : 0,
		.all_platforms = r->all_platforms,
	};
	return transfer_read_archive(&request, &im->archive);
}

static void list_blobs(struct import *im)
{
	const struct transfer_archive *a = im->archive;
	im->blobs = alloc_array(a->n_blobs, sizeof(*im->blobs));
	im->n_blobs = a->n_blobs;
	for (size_t i = 0; i < a->n_blobs; i++) {
		const struct transfer_blob *b = &a->blobs[i];
		const char **references =
			arena_alloc(im->arena, (b->n_references + 1) * sizeof(*references));
		for (size_t k = 0; k < b->n_references; k++)
			references[k] = a->blobs[b->references[k]].digest;
		im->blobs[i] = (struct store_new_blob){
			.descriptor = descriptor_of(im, i),
			.name = b->name,
			.references = references,
			.n_references = b->n_references,
		};
	}
}

// The label by which containerd knows a layer's diff ID; `content ls` shows it.
static void label_layer(struct import *im, size_t blob, const char *diff_id)
{
	struct store_label *label = arena_alloc(im->arena, sizeof(*label));
	*label = (struct store_label){.key = "containerd.io/uncompressed", .value = diff_id};
	im->blobs[blob].labels = (struct store_labels){.items = label, .n = 1};
}

static fallible list_manifests(struct import *im)
{
	const struct transfer_archive *a = im->archive;
	im->manifests = alloc_array(a->n_manifests, sizeof(*im->manifests));
	for (size_t i = 0; i < a->n_manifests; i++) {
		const struct transfer_manifest *m = &a->manifests[i];
		struct store_layer *layers =
			arena_alloc(im->arena, (m->n_layers + 1) * sizeof(*layers));
		const char **diff_ids =
			arena_alloc(im->arena, (m->n_layers + 1) * sizeof(*diff_ids));
		uint64_t size = a->blobs[m->blob].size_bytes + a->blobs[m->config_blob].size_bytes;
		for (size_t k = 0; k < m->n_layers; k++) {
			layers[k].descriptor = descriptor_of(im, m->layers[k].blob);
			layers[k].diff_id = diff_ids[k] = m->layers[k].diff_id;
			size += layers[k].descriptor.size_bytes;
			label_layer(im, m->layers[k].blob, m->layers[k].diff_id);
		}
		char chain[OCI_DIGEST_SIZE] = "";
		if (m->n_layers)
			oci_chain_id(diff_ids, m->n_layers, chain);
		im->manifests[i] = (struct store_manifest){
			.descriptor = descriptor_of(im, m->blob),
			.platform = m->platform,
			.config_digest = a->blobs[m->config_blob].digest,
			.config = m->config,
			.chain_id = arena_string(im->arena, chain),
			.layers = layers,
			.n_layers = m->n_layers,
			.size_bytes = size,
		};
	}
	return NULL;
}

static const char *base_name(struct import *im)
{
	if (im->request->base_name)
		return im->request->base_name;
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	return arena_printf(im->arena, "import-%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
	                    tm.tm_mday);
}

// A ref name is a whole name if it has more than a tag can have.
static bool is_whole_name(const char *ref_name)
{
	return strpbrk(ref_name, "/:@") != NULL;
}

static void name_image(struct import *im, const struct transfer_image *image, const char *name)
{
	if (strings_has(&im->names, name))
		return;
	const char **manifests =
		arena_alloc(im->arena, (image->n_manifests + 1) * sizeof(*manifests));
	for (size_t i = 0; i < image->n_manifests; i++)
		manifests[i] = im->manifests[image->manifests[i]].descriptor.digest;
	strings_add(&im->names, name);
	alloc_grow(&im->images, &im->images_capacity, im->n_images, sizeof(*im->images));
	im->images[im->n_images++] = (struct store_new_image){
		.name = arena_string(im->arena, name),
		.target = descriptor_of(im, image->target),
		.labels = labels_view(&im->labels),
		.manifests = manifests,
		.n_manifests = image->n_manifests,
	};
}

// The name that an entry asks for; *ret NULL: it has none.
static fallible wanted_name(struct import *im, const struct transfer_image *image, char **ret)
{
	*ret = NULL;
	const char *full = image->name;
	if (!full && image->ref_name && is_whole_name(image->ref_name))
		full = image->ref_name;
	if (full) {
		struct oci_reference parsed;
		TRY_AS(oci_reference_parse(full, &parsed), "the archive's index");
		// Short names in archives come from docker and podman, who mean docker.io.
		*ret = alloc_string(parsed.normalised);
		oci_reference_done(&parsed);
	} else if (image->ref_name) {
		auto_free char *name = alloc_printf("%s:%s", base_name(im), image->ref_name);
		auto_free char *checked = NULL;
		TRY_AS(oci_reference_normalise(name, &checked), "the archive's index");
		*ret = take(&name);
	}
	return NULL;
}

static fallible name_images(struct import *im)
{
	const struct engine_import *r = im->request;
	const struct transfer_archive *a = im->archive;
	size_t n_other_base = 0;
	for (size_t i = 0; i < a->n_images; i++) {
		auto_free char *name = NULL;
		TRY(wanted_name(im, &a->images[i], &name));
		// --base-name chooses: entries with whole names of other images are left out.
		bool other = name && r->base_name && a->images[i].name &&
		             !text_starts(name, r->base_name);
		n_other_base += other;
		if (other)
			continue;
		if (name)
			name_image(im, &a->images[i], name);
		if (!name || (r->digests && !r->skip_digest_for_named)) {
			auto_free char *by_digest = alloc_printf(
				"%s@%s", base_name(im), a->blobs[a->images[i].target].digest);
			if (!name || r->digests)
				name_image(im, &a->images[i], by_digest);
		}
	}
	if (!im->n_images)
		return error_hint(error_new(ERROR_NOT_FOUND,
		                            n_other_base ? "no image of the archive is named %s"
		                                         : "%s: the archive names no image",
		                            r->base_name ? r->base_name : "import"),
		                  "leave --base-name away to take all images of the archive");
	return NULL;
}

static fallible open_ingested(void *context, const struct store_manifest *m, size_t i, int *ret_fd)
{
	const struct import *im = context;
	size_t k = (size_t)(m - im->manifests);
	const struct transfer_blob *b =
		&im->archive->blobs[im->archive->manifests[k].layers[i].blob];
	int fd = openat(store_session_blobs(im->session), b->name,
	                O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		FAIL_ERRNO("open blob %s", b->digest);
	*ret_fd = fd;
	return NULL;
}

// Which manifests are unpacked: the best of each image, all if asked for.
static fallible unpack_images(struct import *im, struct unpacking *u)
{
	const struct transfer_archive *a = im->archive;
	for (size_t i = 0; i < a->n_images; i++) {
		const struct transfer_image *image = &a->images[i];
		for (size_t k = 0; k < image->n_manifests; k++) {
			const struct store_manifest *m = &im->manifests[image->manifests[k]];
			if (k && !im->request->all_platforms)
				break;
			// Windows' layers are not files of Linux; their snapshotter is to come.
			if (text_starts(m->platform, "windows"))
				continue;
			TRY(unpacking_add(u, m, open_ingested, im));
		}
	}
	return NULL;
}

static fallible publish(struct import *im)
{
	defer(unpacking_cleanup_) struct unpacking *u = NULL;
	if (!im->request->no_unpack) {
		TRY(unpacking_begin(im->engine, im->session, im->request->snapshotter, &u));
		TRY(unpack_images(im, u));
	}
	im->p = (struct store_publication){
		.ns = im->engine->ns,
		.blobs = im->blobs,
		.n_blobs = im->n_blobs,
		.manifests = im->manifests,
		.n_manifests = im->archive->n_manifests,
		.images = im->images,
		.n_images = im->n_images,
	};
	if (u)
		unpacking_result(u, &im->p);
	return store_publish(im->session, &im->p);
}

// The archive's own index is kept only if a name leads to it: nothing else would hold it. Called
// when nothing is looked up by a blob's index any more.
static void leave_unnamed_index(struct import *im)
{
	size_t index = im->archive->index;
	for (size_t i = 0; i < im->n_images; i++)
		if (!strcmp(im->images[i].target.digest, im->blobs[index].descriptor.digest))
			return;
	im->n_blobs--;
	memmove(&im->blobs[index], &im->blobs[index + 1],
	        (im->n_blobs - index) * sizeof(*im->blobs));
}

static fallible import_into(struct import *im)
{
	TRY(read_archive(im));
	TRY(labels_parse(im->request->labels, im->request->n_labels, false, &im->labels));
	list_blobs(im);
	TRY(list_manifests(im));
	TRY(name_images(im));
	if (im->request->index_name) {
		struct transfer_image index = {.target = im->archive->index};
		size_t *all = arena_alloc(im->arena, (im->archive->n_manifests + 1) * sizeof(*all));
		for (size_t i = 0; i < im->archive->n_manifests; i++)
			all[i] = i;
		index.manifests = all;
		index.n_manifests = im->archive->n_manifests;
		name_image(im, &index, im->request->index_name);
	}
	leave_unnamed_index(im);
	// NOT_FOUND: a gc took a layer that was found; once more, it is unpacked here.
	struct error *e = publish(im);
	for (int tries = 0; error_is(e, ERROR_NOT_FOUND) && tries < 3; tries++) {
		error_drop(&e);
		e = publish(im);
	}
	return e;
}

fallible engine_import(struct engine *engine, const struct engine_import *request,
                       struct strings *ret)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	defer(import_done) struct import im = {
		.engine = engine, .request = request, .arena = arena_new()};
	TRY(store_begin_session(store, &im.session));
	struct error *e = import_into(&im);
	e = error_join(e, store_end_session(im.session));
	if (e)
		return e;
	*ret = im.names;
	im.names = (struct strings){0};
	return NULL;
}
