// SPDX-License-Identifier: Apache-2.0
// Images into one tar that is an OCI layout and, by manifest.json, docker's archive at once. Drawn
// from rows: no foreign document is parsed. Same images, same bytes.
#include "engine/private.h"
#include "oci/reference.h"
#include "tar/tar.h"
#include "json/json.h"
#include <stdlib.h>

struct export
{
	struct engine *engine;
	const struct engine_export *request;
	struct strings blobs;   // digests that go into the archive
	struct strings skipped; // manifests without a layer here
	struct json *index, *docker;
	struct tar_writer tar;
};

static void export_done(struct export *x)
{
	strings_done(&x->blobs);
	strings_done(&x->skipped);
	json_free(x->index);
	json_free(x->docker);
}

// --- what goes into it
// ----------------------------------------------------------------------------

static void need_blob(struct export *x, const char *digest)
{
	if (!strings_has(&x->blobs, digest))
		strings_add(&x->blobs, digest);
}

static char *blob_path(const char *digest)
{
	return alloc_printf("blobs/sha256/%s", oci_digest_hex(digest));
}

static bool is_left_out(const struct export *x, const struct store_layer *l)
{
	const struct oci_media_type *type = oci_media_type(l->descriptor.media_type);
	return x->request->skip_non_distributable && type && type->non_distributable;
}

// "docker.io/library/busybox:latest" is "busybox:latest" to docker.
static void add_repo_tag(struct json *tags, const char *name)
{
	auto_oci_reference struct oci_reference r = {0};
	struct error *e = oci_reference_parse(name, &r);
	bool has_tag = !e && r.tag && !r.digest;
	error_free(e); // an image whose name is no reference has no tag
	if (!has_tag)
		return;
	const char *path = r.path;
	bool hub = !strcmp(r.host, "docker.io");
	if (hub && text_starts(path, "library/"))
		path += strlen("library/");
	auto_free char *tag =
		alloc_printf("%s%s%s:%s", hub ? "" : r.host, hub ? "" : "/", path, r.tag);
	json_append_string(tags, tag);
}

static void add_docker_image(struct export *x, const struct store_image *image,
                             const struct store_manifest *m)
{
	struct json *o = json_new_object(), *tags = json_new_array(), *layers = json_new_array();
	auto_free char *config = blob_path(m->config_digest);
	json_set_string(o, "Config", config);
	add_repo_tag(tags, image->name);
	json_set(o, "RepoTags", tags);
	for (size_t i = 0; i < m->n_layers; i++) {
		auto_free char *path = blob_path(m->layers[i].descriptor.digest);
		json_append_string(layers, path);
	}
	json_set(o, "Layers", layers);
	json_append(x->docker, o);
}

static void add_manifest(struct export *x, const struct store_manifest *m)
{
	need_blob(x, m->descriptor.digest);
	need_blob(x, m->config_digest);
	for (size_t i = 0; i < m->n_layers; i++)
		if (!is_left_out(x, &m->layers[i]))
			need_blob(x, m->layers[i].descriptor.digest);
}

// Of some platforms only the documents may be here (content fetch --metadata-only).
static fallible has_no_layer(struct export *x, const struct store_manifest *m, bool *ret)
{
	*ret = m->n_layers;
	for (size_t i = 0; i < m->n_layers && *ret; i++) {
		struct store_blobs *row = NULL;
		struct error *e = is_left_out(x, &m->layers[i])
		                          ? NULL
		                          : store_find_blob(x->engine->store, x->engine->ns,
		                                            m->layers[i].descriptor.digest, &row);
		store_blobs_free(row);
		*ret = error_is(e, ERROR_NOT_FOUND);
		if (*ret)
			error_drop(&e); // that is the question
		TRY(e);
	}
	return NULL;
}

// Layers that shall stay out, of all platforms.
static bool is_unwanted(const struct export *x, const struct store_image *image, const char *digest)
{
	if (strings_has(&x->skipped, digest))
		return true;
	for (size_t i = 0; i < image->n_manifests; i++)
		for (size_t k = 0; k < image->manifests[i].n_layers; k++) {
			const struct store_layer *l = &image->manifests[i].layers[k];
			if (!strcmp(l->descriptor.digest, digest) && is_left_out(x, l))
				return true;
		}
	return false;
}

// Whatever the target names and is here, down to the last: attestations, too.
static fallible add_all(struct export *x, const struct store_image *image)
{
	auto_strings struct strings todo = {0};
	strings_add(&todo, image->target.digest);
	while (todo.n) {
		struct store_blobs *below = NULL;
		auto_free char *digest = todo.items[--todo.n];
		need_blob(x, digest);
		TRY(store_list_references(x->engine->store, x->engine->ns, digest, &below));
		for (size_t i = 0; i < below->n; i++) {
			const char *next = below->items[i].descriptor.digest;
			if (!strings_has(&x->blobs, next) && !is_unwanted(x, image, next))
				strings_add(&todo, next);
		}
		store_blobs_free(below);
	}
	return NULL;
}

static fallible add_manifests(struct export *x, const struct store_image *image)
{
	const struct engine_export *r = x->request;
	const struct store_manifest *m;
	if (r->all_platforms) {
		const struct store_manifest *first = NULL;
		for (size_t i = 0; i < image->n_manifests; i++) {
			const struct store_manifest *one = &image->manifests[i];
			bool none;
			TRY(has_no_layer(x, one, &none));
			if (none) {
				engine_warn(x->engine, "%s: no layer is here, left out",
				            one->platform);
				strings_add(&x->skipped, one->descriptor.digest);
				continue;
			}
			first = first ? first : one;
			add_manifest(x, one);
		}
		if (image->n_manifests && !first) // what lacks will be said
			add_manifest(x, first = &image->manifests[0]);
		if (first)
			add_docker_image(x, image, first);
		return add_all(x, image);
	}
	size_t n = r->n_platforms ? r->n_platforms : 1;
	for (size_t i = 0; i < n; i++) {
		TRY(engine_choose_manifest(image, r->n_platforms ? r->platforms[i] : NULL, &m));
		add_manifest(x, m);
		if (!i)
			add_docker_image(x, image, m);
	}
	return NULL;
}

static void add_to_index(struct export *x, const struct store_image *image)
{
	struct json *o = json_new_object(), *annotations = json_new_object();
	json_set_string(o, "mediaType", image->target.media_type);
	json_set_string(o, "digest", image->target.digest);
	json_set_u64(o, "size", image->target.size_bytes);
	json_set_string(annotations, "io.containerd.image.name", image->name);
	auto_oci_reference struct oci_reference r = {0};
	struct error *e = oci_reference_parse(image->name, &r);
	const char *ref_name = e ? NULL : r.tag ? r.tag : r.digest;
	error_free(e); // as above
	json_set_string(annotations, "org.opencontainers.image.ref.name", ref_name);
	json_set(o, "annotations", annotations);
	json_append(x->index, o);
}

static fallible add_image(struct export *x, const char *name)
{
	struct store_image *image = NULL;
	TRY(engine_find_image(x->engine, name, &image));
	need_blob(x, image->target.digest);
	struct error *e = add_manifests(x, image);
	if (!e)
		add_to_index(x, image);
	store_image_free(image);
	return e;
}

// --- writing
// --------------------------------------------------------------------------------------

static fallible put(void *arg, const void *bytes, size_t size)
{
	return fd_write_all(*(const int *)arg, bytes, size);
}

static fallible write_folder(struct export *x, const char *name)
{
	const struct tar_entry entry = {
		.type = TAR_DIRECTORY, .name = name, .link = "", .mode = 0755};
	return tar_write_entry(&x->tar, &entry);
}

static fallible write_text(struct export *x, const char *name, unsigned mode, const char *text)
{
	const struct tar_entry entry = {
		.type = TAR_FILE, .name = name, .link = "", .mode = mode, .size = strlen(text)};
	TRY(tar_write_entry(&x->tar, &entry));
	return tar_write(&x->tar, text, strlen(text));
}

static fallible write_blob(struct export *x, const char *digest)
{
	enum { PIECE = 256 << 10 };
	auto_fd int fd = -1;
	uint64_t size;
	TRY(store_open_blob(x->engine->store, x->engine->ns, digest, &fd, &size));
	auto_free char *path = blob_path(digest), *piece = alloc(PIECE);
	const struct tar_entry entry = {
		.type = TAR_FILE, .name = path, .link = "", .mode = 0444, .size = size};
	TRY(tar_write_entry(&x->tar, &entry));
	for (uint64_t left = size; left;) {
		size_t n = left < PIECE ? (size_t)left : PIECE;
		TRY_AS(fd_read_all(fd, piece, n), "content %s", digest);
		TRY(tar_write(&x->tar, piece, n));
		left -= n;
	}
	const struct engine_progress done = {.item = path,
	                                     .item_i = 0,
	                                     .done_bytes = size,
	                                     .total_bytes = size,
	                                     .finished = true};
	engine_progress(x->engine, &done);
	return NULL;
}

// As containerd writes it: by name.
static fallible write_archive(struct export *x)
{
	auto_json struct json *index = json_new_object();
	json_set_u64(index, "schemaVersion", 2);
	json_set_string(index, "mediaType", OCI_TYPE_INDEX);
	json_set(index, "manifests", json_share(x->index));
	auto_free char *index_text = json_to_text(index, 0, JSON_PLAIN);
	auto_free char *docker_text = json_to_text(x->docker, 0, JSON_PLAIN);
	TRY(write_folder(x, "blobs/"));
	TRY(write_folder(x, "blobs/sha256/"));
	strings_sort(&x->blobs);
	for (size_t i = 0; i < x->blobs.n; i++)
		TRY(write_blob(x, x->blobs.items[i]));
	TRY(write_text(x, "index.json", 0644, index_text));
	if (!x->request->skip_manifest_json)
		TRY(write_text(x, "manifest.json", 0644, docker_text));
	TRY(write_text(x, "oci-layout", 0444, "{\"imageLayoutVersion\":\"1.0.0\"}"));
	return tar_write_end(&x->tar);
}

fallible engine_export(struct engine *engine, const struct engine_export *request)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	int fd = request->fd;
	defer(export_done) struct export x = {
		.engine = engine,
		.request = request,
		.index = json_new_array(),
		.docker = json_new_array(),
		.tar = {.sink = {put, &fd}},
	};
	// All is looked up before the first byte is written.
	for (size_t i = 0; i < request->n_names; i++)
		TRY(add_image(&x, request->names[i]));
	for (size_t i = 0; i < x.blobs.n; i++) {
		auto_fd int blob = -1;
		uint64_t size;
		struct error *e =
			store_open_blob(store, engine->ns, x.blobs.items[i], &blob, &size);
		if (error_is(e, ERROR_NOT_FOUND))
			return error_hint(e, "coracle images pull IMAGE fetches what is missing");
		TRY(e);
	}
	return write_archive(&x);
}
