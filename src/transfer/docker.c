// SPDX-License-Identifier: Apache-2.0
// docker-archives become OCI layouts with Docker's media types, written as containerd's importer
// writes them: the digests are the same as its.
// Specification: containerd 2.1, core/images/archive/importer.go.
#include "base/text.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "transfer/describe.h"

static const char *layer_type(const struct ingest_file *f)
{
	if (f->size >= 2 && f->start[0] == 0x1f && f->start[1] == 0x8b)
		return OCI_TYPE_DOCKER_LAYER_GZIP;
	if (f->size >= 4 && !memcmp(f->start, "\x28\xb5\x2f\xfd", 4))
		return OCI_TYPE_LAYER_ZSTD;
	return OCI_TYPE_DOCKER_LAYER;
}

static struct json *descriptor(const char *media_type, const struct ingest_file *f)
{
	const struct oci_descriptor d = {
		.media_type = media_type, .digest = f->digest, .size = f->size};
	return oci_descriptor_to_json(&d);
}

static fallible find(struct ingest *in, const char *path, struct ingest_file **ret)
{
	auto_free char *clean = ingest_clean_path(NULL, path); // "./layer.tar" is what some write
	*ret = ingest_find_path(in, clean);
	return *ret ? NULL : error_new(ERROR_NOT_FOUND, "%.200s: not in the archive", path);
}

static fallible write_manifest(struct ingest *in, const struct oci_archive_image *image, char **ret)
{
	struct ingest_file *f;
	auto_json struct json *manifest = json_new_object();
	struct json *layers = json_new_array();
	json_set_i64(manifest, "schemaVersion", 2);
	json_set_string(manifest, "mediaType", OCI_TYPE_DOCKER_MANIFEST);
	json_set(manifest, "config", NULL);
	json_set(manifest, "layers", layers);
	TRY(find(in, image->config, &f));
	json_set(manifest, "config", descriptor(OCI_TYPE_DOCKER_CONFIG, f));
	for (size_t i = 0; i < image->n_layers; i++) {
		TRY(find(in, image->layers[i], &f));
		json_append(layers, descriptor(layer_type(f), f));
	}
	*ret = json_to_text(manifest, 0, JSON_ESCAPE_HTML);
	return NULL;
}

static fallible config_platform(struct ingest *in, const char *path, struct oci_platform *ret)
{
	struct ingest_file *f;
	auto_free char *text = NULL;
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config config;
	TRY(find(in, path, &f));
	TRY_AS(ingest_text(in, f, OCI_CONFIG_SIZE_LIMIT, &text), "%.200s", path);
	TRY_AS(oci_config_parse(text, (size_t)f->size, arena, &config), "%.200s", path);
	*ret = config.platform;
	return NULL;
}

static void append(struct json *manifests, struct oci_descriptor *d, const char *name,
                   const char *tag)
{
	struct oci_text_pair annotations[] = {{"io.containerd.image.name", name},
	                                      {"org.opencontainers.image.ref.name", tag}};
	d->annotations.items = annotations;
	d->annotations.n = name ? (tag ? 2 : 1) : 0;
	json_append(manifests, oci_descriptor_to_json(d));
	d->annotations.items = NULL;
}

static fallible add_image(struct ingest *in, const struct oci_archive_image *image,
                          struct json *manifests)
{
	auto_free char *manifest = NULL;
	char digest[OCI_DIGEST_SIZE];
	TRY(write_manifest(in, image, &manifest));
	TRY(ingest_add(in, manifest));
	oci_digest_of(manifest, strlen(manifest), digest);
	struct oci_descriptor d = {.media_type = OCI_TYPE_DOCKER_MANIFEST,
	                           .digest = digest,
	                           .size = strlen(manifest),
	                           .has_platform = true};
	TRY(config_platform(in, image->config, &d.platform));
	if (!image->n_repo_tags)
		append(manifests, &d, NULL, NULL);
	for (size_t i = 0; i < image->n_repo_tags; i++) {
		auto_oci_reference struct oci_reference r = {0};
		TRY(oci_reference_parse(image->repo_tags[i], &r));
		append(manifests, &d, r.normalised, r.tag);
	}
	return NULL;
}

fallible docker_convert(struct ingest *in, struct ingest_file **ret_index)
{
	struct ingest_file *f;
	auto_free char *text = NULL;
	auto_arena struct arena *arena = arena_new();
	struct oci_archive archive;
	TRY(find(in, "manifest.json", &f));
	TRY_AS(ingest_text(in, f, OCI_MANIFEST_SIZE_LIMIT, &text), "manifest.json");
	TRY(oci_archive_parse(text, (size_t)f->size, arena, &archive));
	auto_json struct json *index = json_new_object();
	struct json *manifests = json_new_array();
	json_set_i64(index, "schemaVersion", 2);
	json_set(index, "manifests", manifests);
	for (size_t i = 0; i < archive.n_images; i++)
		TRY_AS(add_image(in, &archive.images[i], manifests), "image %zu of manifest.json",
		       i);
	auto_free char *index_text = json_to_text(index, 0, JSON_ESCAPE_HTML);
	TRY(ingest_add(in, index_text));
	*ret_index = &in->files[in->n_files - 1];
	ingest_index(in);
	return NULL;
}
