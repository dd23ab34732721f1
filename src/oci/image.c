// SPDX-License-Identifier: Apache-2.0
// Index, manifest and descriptors.
#include "oci/image.h"
#include "oci/image_private.h"
#include "oci/private.h"
#include <string.h>

#define ANNOTATIONS_LIMIT 1000
#define MEDIA_TYPE_LIMIT 255

const char *oci_pair_list_value(const struct oci_pair_list *list, const char *key)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i].key, key))
			return list->items[i].value;
	return NULL;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct oci_text_pair *x = a, *y = b;
	return strcmp(x->key, y->key);
}

bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

fallible read_pair_list(const struct json *o, const struct json_path *path, const char *key,
                        size_t limit, struct arena *arena, struct oci_pair_list *ret)
{
	const struct json *map = NULL, *value;
	const char *name;
	struct json_path here = {path, key, 0};
	TRY(json_get_object(o, path, key, &map));
	size_t n = json_size(map);
	if (n > limit)
		return member_error(ERROR_LIMIT, path, key, "too many members", NULL);
	struct oci_pair_list list = {.items = n ? arena_alloc(arena, n * sizeof(*list.items))
	                                        : NULL};
	for (struct json_cursor at = {0}; json_next(map, &at, &name, &value);) {
		struct json_path member = {&here, name, 0};
		const char *text = "";
		if (has_control(name))
			return member_error(ERROR_INVALID, &member, NULL,
			                    "a control character in the name", NULL);
		if (value) // null is "" in Go
			TRY(json_as_string(value, &member, &text));
		list.items[list.n++] = (struct oci_text_pair){arena_string(arena, name),
		                                              arena_string(arena, text)};
	}
	if (list.n > 1)
		qsort(list.items, list.n, sizeof(*list.items), compare_pairs);
	*ret = list;
	return NULL;
}

static fallible read_media_type(const struct json *o, const struct json_path *path,
                                struct arena *arena, const char **ret)
{
	const char *type = NULL;
	TRY(json_get_string(o, path, "mediaType", &type));
	if (!type)
		return NULL;
	size_t size = strlen(type);
	bool plain = size <= MEDIA_TYPE_LIMIT;
	for (size_t i = 0; i < size; i++)
		plain = plain && type[i] > ' ' && type[i] < 0x7f && type[i] != '"';
	if (!plain)
		return member_error(ERROR_INVALID, path, "mediaType", "not a media type:", type);
	*ret = arena_string(arena, type);
	return NULL;
}

static fallible read_urls(const struct json *o, const struct json_path *path, struct arena *arena,
                          struct oci_descriptor *d)
{
	enum { URLS_LIMIT = 16 };
	const struct json *urls = NULL;
	TRY(json_get_array(o, path, "urls", URLS_LIMIT, &urls));
	d->urls = arena_alloc(arena, (json_size(urls) + 1) * sizeof(*d->urls));
	for (size_t i = 0; i < json_size(urls); i++) {
		const char *url = json_text(json_item(urls, i));
		if (!url)
			return member_error(ERROR_INVALID, path, "urls", "not all strings", NULL);
		d->urls[d->n_urls++] = arena_string(arena, url);
	}
	return NULL;
}

static fallible read_descriptor(const struct json *o, const struct json_path *path,
                                struct arena *arena, struct oci_descriptor *ret)
{
	struct oci_descriptor d = {.media_type = ""};
	const char *digest = "";
	const struct json *platform = NULL;
	struct json_path in_digest = {path, "digest", 0}, in_platform = {path, "platform", 0};
	TRY(json_as_object(o, path));
	TRY(read_media_type(o, path, arena, &d.media_type));
	TRY(json_require_string(o, path, "digest", &digest));
	auto_free char *where = json_path_text(&in_digest);
	TRY_AS(oci_digest_check(digest), "%s", where);
	d.digest = arena_string(arena, digest);
	TRY(json_require_u64(o, path, "size", INT64_MAX, &d.size));
	TRY(json_get_object(o, path, "platform", &platform));
	if (platform)
		TRY(oci_platform_from_json(platform, &in_platform, &d.platform));
	d.has_platform = platform;
	TRY(read_pair_list(o, path, "annotations", ANNOTATIONS_LIMIT, arena, &d.annotations));
	const char *artifact = NULL;
	TRY(json_get_string(o, path, "artifactType", &artifact));
	d.artifact_type = arena_string(arena, artifact);
	TRY(read_urls(o, path, arena, &d));
	*ret = d;
	return NULL;
}

static fallible read_descriptors(const struct json *o, const struct json_path *path,
                                 const char *key, size_t limit, struct arena *arena,
                                 struct oci_descriptor **ret, size_t *ret_n)
{
	const struct json *array = NULL;
	struct json_path here = {path, key, 0};
	TRY(json_get_array(o, path, key, limit, &array));
	size_t n = json_size(array);
	struct oci_descriptor *list = n ? arena_alloc(arena, n * sizeof(*list)) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct json_path item = {&here, NULL, i};
		TRY(read_descriptor(json_item(array, i), &item, arena, &list[i]));
	}
	*ret = list;
	*ret_n = n;
	return NULL;
}

// What index and manifest have in common. A document must not be two things at once: readers that
// look at it differently would see different images (CVE-2021-41190).
static fallible check_document(const struct json *o, const struct json_path *path,
                               const char *media_type, enum oci_media_kind kind,
                               struct arena *arena, const char **ret_media_type)
{
	static const char *const words[] = {
		[OCI_MEDIA_INDEX] = "an index", [OCI_MEDIA_MANIFEST] = "a manifest"};
	uint64_t version = 2;
	const char *own = NULL;
	TRY(json_as_object(o, path));
	TRY(json_get_u64(o, path, "schemaVersion", UINT32_MAX, &version));
	if (version != 2 || json_member(o, "fsLayers"))
		return member_error(ERROR_UNSUPPORTED, path, "schemaVersion", "not 2", NULL);
	TRY(read_media_type(o, path, arena, &own));
	if (own && *media_type && strcmp(own, media_type) != 0)
		return member_error(ERROR_INVALID, path, "mediaType",
		                    "the descriptor says another type, the document", own);
	if (json_member(o, "manifests") && (json_member(o, "layers") || json_member(o, "config")))
		return member_error(ERROR_INVALID, path, NULL,
		                    "an index and a manifest at once, refused", NULL);
	const char *said = own ? own : *media_type ? media_type : NULL;
	const struct oci_media_type *known = said ? oci_media_type(said) : NULL;
	if (said && (!known || known->kind != kind)) {
		auto_free char *what = alloc_printf("not the type of %s:", words[kind]);
		return member_error(ERROR_UNSUPPORTED, path, "mediaType", what, said);
	}
	*ret_media_type = own;
	return NULL;
}

fallible oci_index_parse(const char *text, size_t size, const char *media_type, struct arena *arena,
                         struct oci_index *ret)
{
	auto_json struct json *o = NULL;
	struct oci_index index = {0};
	struct json_path path = {NULL, "index", 0};
	const struct json *manifests;
	TRY_AS(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o), "index");
	TRY(check_document(o, &path, media_type, OCI_MEDIA_INDEX, arena, &index.media_type));
	TRY(json_require_array(o, &path, "manifests", OCI_MANIFESTS_LIMIT, &manifests));
	TRY(read_descriptors(o, &path, "manifests", OCI_MANIFESTS_LIMIT, arena, &index.manifests,
	                     &index.n_manifests));
	TRY(read_pair_list(o, &path, "annotations", ANNOTATIONS_LIMIT, arena, &index.annotations));
	*ret = index;
	return NULL;
}

fallible oci_manifest_parse(const char *text, size_t size, const char *media_type,
                            struct arena *arena, struct oci_manifest *ret)
{
	auto_json struct json *o = NULL;
	struct oci_manifest manifest = {0};
	struct json_path path = {NULL, "manifest", 0}, in_config = {&path, "config", 0};
	const struct json *config, *layers;
	TRY_AS(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o), "manifest");
	TRY(check_document(o, &path, media_type, OCI_MEDIA_MANIFEST, arena, &manifest.media_type));
	TRY(json_require_object(o, &path, "config", &config));
	TRY(read_descriptor(config, &in_config, arena, &manifest.config));
	TRY(json_require_array(o, &path, "layers", OCI_LAYERS_LIMIT, &layers));
	TRY(read_descriptors(o, &path, "layers", OCI_LAYERS_LIMIT, arena, &manifest.layers,
	                     &manifest.n_layers));
	TRY(read_pair_list(o, &path, "annotations", ANNOTATIONS_LIMIT, arena,
	                   &manifest.annotations));
	*ret = manifest;
	return NULL;
}

fallible oci_document_kind(const char *text, size_t size, enum oci_media_kind *ret)
{
	auto_json struct json *o = NULL;
	const char *type = NULL;
	struct json_path path = {NULL, "document", 0};
	TRY_AS(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o), "document");
	TRY(json_as_object(o, &path));
	TRY(json_get_string(o, &path, "mediaType", &type));
	const struct oci_media_type *known = oci_media_type(type);
	bool index = json_member(o, "manifests"), manifest = json_member(o, "layers");
	if (index && manifest)
		return member_error(ERROR_INVALID, &path, NULL,
		                    "an index and a manifest at once, refused", NULL);
	if (known)
		*ret = known->kind;
	else
		*ret = index                      ? OCI_MEDIA_INDEX
		       : manifest                 ? OCI_MEDIA_MANIFEST
		       : json_member(o, "rootfs") ? OCI_MEDIA_CONFIG
		                                  : OCI_MEDIA_UNKNOWN;
	return NULL;
}

struct json *pair_list_json(const struct oci_pair_list *list)
{
	struct json *map = json_new_object();
	for (size_t i = 0; i < list->n; i++)
		json_set_string(map, list->items[i].key, list->items[i].value);
	return map;
}

struct json *oci_descriptor_to_json(const struct oci_descriptor *d)
{
	struct json *o = json_new_object();
	json_set_string(o, "mediaType", d->media_type);
	json_set_string(o, "digest", d->digest);
	json_set_u64(o, "size", d->size);
	if (d->annotations.n)
		json_set(o, "annotations", pair_list_json(&d->annotations));
	if (d->has_platform)
		json_set(o, "platform", oci_platform_to_json(&d->platform));
	json_set_string(o, "artifactType", d->artifact_type);
	return o;
}
