// SPDX-License-Identifier: Apache-2.0
// An image in other formats: layers packed anew, documents in OCI's words. The worker reads what is
// foreign; here are rows and digests. Configs name layers by their inflated bytes: they stay.
#include "engine/private.h"
#include "oci/reference.h"
#include <fcntl.h>

struct new_layer {
	const char *from; // digest
	struct store_descriptor to;
	const char *file; // in the session
	struct store_label diff_id;
};

struct conversion {
	struct engine *engine;
	const struct engine_convert *request;
	struct store_session *session;
	struct arena *arena;
	char *name;
	struct store_image *image;
	const struct store_manifest **chosen;
	struct store_manifest *manifests; // what becomes of them
	size_t n;
	struct new_layer *layers;
	size_t n_layers, layers_capacity;
	struct store_descriptor target;
	struct store_new_blob *blobs;
	size_t n_blobs, blobs_capacity;
};

static void conversion_done(struct conversion *c)
{
	free(c->name);
	store_image_free(c->image);
	free(c->layers);
	free(c->blobs);
	arena_free(c->arena);
}

static bool is_docker(const char *media_type)
{
	const struct oci_media_type *type = oci_media_type(media_type);
	return type && type->docker;
}

// Docker's words become OCI's, if they shall.
static const char *document_type(const struct conversion *c, const char *media_type)
{
	const struct oci_media_type *type = oci_media_type(media_type);
	if (!type || !c->request->oci)
		return media_type;
	const struct oci_media_type *ours = oci_media_type_like(type, false, type->compression);
	return ours ? ours->name : media_type;
}

static struct store_new_blob *add_blob(struct conversion *c)
{
	alloc_grow(&c->blobs, &c->blobs_capacity, c->n_blobs, sizeof(*c->blobs));
	return &c->blobs[c->n_blobs++];
}

// --- layers
// ---------------------------------------------------------------------------------------

static const struct oci_media_type *wanted_type(const struct conversion *c, const char *media_type)
{
	const struct oci_media_type *type = oci_media_type(media_type);
	if (!type)
		return NULL;
	enum oci_compression compression = type->compression;
	const char *asked = c->request->compression;
	// What may not be handed on is known by its digest elsewhere.
	if (asked && !type->non_distributable)
		compression = !strcmp(asked, "none")   ? OCI_COMPRESSION_NONE
		              : !strcmp(asked, "gzip") ? OCI_COMPRESSION_GZIP
		                                       : OCI_COMPRESSION_ZSTD;
	return oci_media_type_like(type, type->docker && !c->request->oci, compression);
}

static const struct new_layer *find_layer(const struct conversion *c, const char *from)
{
	for (size_t i = 0; i < c->n_layers; i++)
		if (!strcmp(c->layers[i].from, from))
			return &c->layers[i];
	return NULL;
}

static fallible repack(struct conversion *c, const struct store_layer *l, const char *file,
                       struct transfer_repack_result *ret)
{
	struct transfer transfer;
	auto_free char *program = NULL;
	auto_fd int from = -1;
	uint64_t size;
	const char *digest = l->descriptor.digest;
	TRY(store_open_blob(c->engine->store, c->engine->ns, digest, &from, &size));
	auto_fd int blob = openat(store_session_blobs(c->session), file,
	                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (blob < 0)
		FAIL_ERRNO("make the layer");
	TRY(engine_transfer(c->engine, &transfer, &program));
	auto_free char *item = alloc_printf("layer %s", digest);
	const struct transfer_repack_request request = {.transfer = &transfer,
	                                                .item = item,
	                                                .from_fd = from,
	                                                .blob_fd = blob,
	                                                .size_bytes = size,
	                                                .compression = c->request->compression};
	TRY_AS(transfer_repack(&request, ret), "layer %s", digest);
	if (strcmp(ret->source, digest) != 0)
		return error_new(ERROR_CORRUPT, "layer %s: the digest of its bytes is %s", digest,
		                 ret->source);
	if (strcmp(ret->blob.diff_id, l->diff_id) != 0)
		return error_new(ERROR_CORRUPT, "layer %s: diff ID is %s, the image says %s",
		                 digest, ret->blob.diff_id, l->diff_id);
	return NULL;
}

static fallible is_here(struct conversion *c, const char *digest)
{
	auto_fd int fd = -1;
	uint64_t size;
	return store_open_blob(c->engine->store, c->engine->ns, digest, &fd, &size);
}

static fallible convert_layer(struct conversion *c, struct store_layer *l)
{
	const char *from = l->descriptor.digest;
	const struct oci_media_type *now = oci_media_type(l->descriptor.media_type);
	const struct oci_media_type *want = wanted_type(c, l->descriptor.media_type);
	const struct new_layer *made = find_layer(c, from);
	if (!now || !want)
		return error_new(ERROR_UNSUPPORTED, "layer %s: media type %.100s", from,
		                 l->descriptor.media_type);
	l->descriptor.media_type = want->name;
	if (made || want->compression == now->compression) {
		if (made) {
			l->descriptor = made->to;
			l->descriptor.media_type = want->name;
			return NULL;
		}
		return is_here(c, from);
	}
	struct transfer_repack_result result;
	const char *file = arena_printf(c->arena, "layer-%zu", c->n_layers);
	TRY(repack(c, l, file, &result));
	const struct store_descriptor to = {.media_type = want->name,
	                                    .digest = arena_string(c->arena, result.blob.digest),
	                                    .size_bytes = result.blob.size_bytes};
	alloc_grow(&c->layers, &c->layers_capacity, c->n_layers, sizeof(*c->layers));
	c->layers[c->n_layers++] =
		(struct new_layer){from, to, file, {"containerd.io/uncompressed", l->diff_id}};
	l->descriptor = to;
	return NULL;
}

// --- documents
// ------------------------------------------------------------------------------------

static struct oci_replacement replacement(const char *from, const struct store_descriptor *to)
{
	return (struct oci_replacement){from, to->media_type, to->digest, to->size_bytes};
}

static fallible convert_document(struct conversion *c, const struct store_descriptor *from,
                                 struct oci_replacements *r, const char *file,
                                 struct store_descriptor *ret, struct oci_replaced *ret_counts)
{
	struct transfer transfer;
	auto_free char *program = NULL, *text = NULL;
	auto_fd int fd = -1;
	uint64_t size;
	TRY(store_open_blob(c->engine->store, c->engine->ns, from->digest, &fd, &size));
	TRY(engine_transfer(c->engine, &transfer, &program));
	r->media_type = document_type(c, from->media_type);
	TRY_AS(transfer_convert(&transfer, fd, r, ret_counts), "%s", from->digest);
	text = take(&ret_counts->text);
	return engine_put_document(c->session, c->arena, file, text, r->media_type, ret);
}

static fallible config_of(struct conversion *c, const struct store_manifest *m,
                          struct store_descriptor *ret)
{
	struct store_blobs *row = NULL;
	TRY(store_find_blob(c->engine->store, c->engine->ns, m->config_digest, &row));
	*ret = (struct store_descriptor){.media_type = OCI_TYPE_CONFIG,
	                                 .digest = m->config_digest,
	                                 .size_bytes = row->items[0].descriptor.size_bytes};
	store_blobs_free(row);
	return NULL;
}

static bool is_same(const struct store_descriptor *a, const struct store_descriptor *b)
{
	return !strcmp(a->digest, b->digest) && !strcmp(a->media_type, b->media_type);
}

static fallible write_manifest(struct conversion *c, const struct store_manifest *from,
                               struct store_manifest *to)
{
	struct store_descriptor config;
	struct oci_replaced counts;
	size_t n = to->n_layers;
	struct oci_replacements r = {.items = arena_alloc(c->arena, (n + 1) * sizeof(*r.items))};
	const char **references = arena_alloc(c->arena, (n + 1) * sizeof(*references));
	TRY(config_of(c, to, &config));
	to->size_bytes = config.size_bytes;
	for (size_t i = 0; i < n; i++) {
		r.items[r.n++] =
			replacement(from->layers[i].descriptor.digest, &to->layers[i].descriptor);
		references[i] = to->layers[i].descriptor.digest;
		to->size_bytes += to->layers[i].descriptor.size_bytes;
	}
	references[n] = to->config_digest;
	if (c->request->oci) // else whatever it is stays
		r.items[r.n++] = replacement(config.digest, &config);
	const char *file = arena_printf(c->arena, "manifest-%zu", c->n_blobs);
	TRY(convert_document(c, &from->descriptor, &r, file, &to->descriptor, &counts));
	if (counts.n != n)
		return error_new(ERROR_CORRUPT, "manifest %s has other layers than its image",
		                 from->descriptor.digest);
	to->size_bytes += to->descriptor.size_bytes;
	*add_blob(c) = (struct store_new_blob){.descriptor = to->descriptor,
	                                       .name = file,
	                                       .references = references,
	                                       .n_references = n + 1};
	return NULL;
}

static fallible convert_manifest(struct conversion *c, const struct store_manifest *from,
                                 struct store_manifest *to)
{
	struct store_layer *layers = arena_alloc(c->arena, (from->n_layers + 1) * sizeof(*layers));
	bool changed = c->request->oci && is_docker(from->descriptor.media_type);
	*to = *from;
	to->layers = layers;
	for (size_t i = 0; i < from->n_layers; i++) {
		layers[i] = from->layers[i];
		TRY(convert_layer(c, &layers[i]));
		changed |= !is_same(&layers[i].descriptor, &from->layers[i].descriptor);
	}
	return changed ? write_manifest(c, from, to) : NULL;
}

static fallible write_index(struct conversion *c)
{
	const struct store_descriptor *from = &c->image->target;
	struct oci_replaced counts;
	struct oci_replacements r = {.items = arena_alloc(c->arena, c->n * sizeof(*r.items))};
	const char **references = arena_alloc(c->arena, c->n * sizeof(*references));
	for (size_t i = 0; i < c->n; i++) {
		r.items[r.n++] =
			replacement(c->chosen[i]->descriptor.digest, &c->manifests[i].descriptor);
		references[i] = c->manifests[i].descriptor.digest;
	}
	TRY(convert_document(c, from, &r, "index", &c->target, &counts));
	if (counts.n < c->n)
		return error_new(ERROR_UNSUPPORTED, "an index in an index can't be converted");
	if (counts.n_dropped && c->request->all_platforms)
		engine_warn(c->engine,
		            "%zu entries of the index are left out: they are not here, or are no "
		            "images",
		            counts.n_dropped);
	*add_blob(c) = (struct store_new_blob){.descriptor = c->target,
	                                       .name = "index",
	                                       .references = references,
	                                       .n_references = c->n};
	return NULL;
}

// --- the whole
// ------------------------------------------------------------------------------------

static void choose(struct conversion *c, const struct store_manifest *m)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->chosen[i] == m)
			return;
	c->chosen[c->n++] = m;
}

static fallible choose_manifests(struct conversion *c)
{
	const struct engine_convert *r = c->request;
	const struct store_image *image = c->image;
	const struct store_manifest *m;
	c->chosen = arena_alloc(c->arena, (image->n_manifests + 1) * sizeof(*c->chosen));
	for (size_t i = 0; r->all_platforms && i < image->n_manifests; i++)
		choose(c, &image->manifests[i]);
	for (size_t i = 0; !r->all_platforms && i < r->n_platforms; i++) {
		TRY(engine_choose_manifest(image, r->platforms[i], &m));
		choose(c, m);
	}
	if (!r->all_platforms && !r->n_platforms) {
		TRY(engine_choose_manifest(image, NULL, &m));
		choose(c, m);
	}
	return c->n ? NULL
	            : error_new(ERROR_NOT_FOUND, "image %s: nothing of it is here", image->name);
}

static fallible publish(struct conversion *c)
{
	const char **digests = arena_alloc(c->arena, c->n * sizeof(*digests));
	for (size_t i = 0; i < c->n; i++)
		digests[i] = c->manifests[i].descriptor.digest;
	for (size_t i = 0; i < c->n_layers; i++)
		*add_blob(c) = (struct store_new_blob){.descriptor = c->layers[i].to,
		                                       .name = c->layers[i].file,
		                                       .labels = {&c->layers[i].diff_id, 1}};
	const struct store_new_image image = {.name = c->name,
	                                      .target = c->target,
	                                      .labels = c->image->labels,
	                                      .manifests = digests,
	                                      .n_manifests = c->n};
	const struct store_publication p = {.ns = c->engine->ns,
	                                    .blobs = c->blobs,
	                                    .n_blobs = c->n_blobs,
	                                    .manifests = c->manifests,
	                                    .n_manifests = c->n,
	                                    .images = &image,
	                                    .n_images = 1};
	return store_publish(c->session, &p);
}

static fallible convert(struct conversion *c)
{
	const struct oci_media_type *type = oci_media_type(c->image->target.media_type);
	bool is_index = type && type->kind == OCI_MEDIA_INDEX;
	bool changed = c->n < c->image->n_manifests ||
	               (c->request->oci && is_docker(c->image->target.media_type));
	c->manifests = arena_alloc(c->arena, c->n * sizeof(*c->manifests));
	for (size_t i = 0; i < c->n; i++) {
		TRY(convert_manifest(c, c->chosen[i], &c->manifests[i]));
		changed |= !is_same(&c->manifests[i].descriptor, &c->chosen[i]->descriptor);
	}
	c->target = is_index ? c->image->target : c->manifests[0].descriptor;
	if (is_index && (changed || !c->request->all_platforms))
		TRY(write_index(c));
	return publish(c);
}

fallible engine_image_convert(struct engine *e, const struct engine_convert *request,
                              char **ret_digest)
{
	struct store *store;
	const char *compression = request->compression;
	defer(conversion_done) struct conversion c = {
		.engine = e, .request = request, .arena = arena_new()};
	if (compression && strcmp(compression, "none") != 0 && strcmp(compression, "gzip") != 0 &&
	    strcmp(compression, "zstd") != 0)
		return error_new(ERROR_USAGE, "--compression %.20s: none, gzip or zstd",
		                 compression);
	TRY(engine_store(e, &store));
	TRY(oci_reference_normalise(request->target, &c.name));
	TRY(engine_find_image(e, request->source, &c.image));
	TRY(choose_manifests(&c));
	TRY(engine_begin_session(e, &c.session));
	struct error *error = error_prefix(convert(&c), "convert \"%.100s\"", request->source);
	TRY(error_join(error, engine_end_session(e, c.session)));
	*ret_digest = alloc_string(c.target.digest);
	return NULL;
}
