// SPDX-License-Identifier: Apache-2.0
// docker-archive's manifest.json and OCI's oci-layout. `repositories` and the per-layer `json` of
// older docker versions are not read: manifest.json has stood beside them since docker 1.10.
#include "oci/image.h"
#include "oci/image_private.h"
#include "oci/private.h"
#include "oci/reference.h"
#include <string.h>

#define IMAGES_LIMIT 1000
#define TAGS_LIMIT 1000
#define PATH_LIMIT 1024

// Relative, no empty part, no "." or ".." but a "./" before it as tar(1) writes it, no control
// characters, no backslash.
static bool is_member_path(const char *path)
{
	if (!*path || has_control(path) || strchr(path, '\\'))
		return false;
	for (const char *p = strncmp(path, "./", 2) ? path : path + 2;;) {
		size_t size = strcspn(p, "/");
		if (!size || (size == 1 && *p == '.') || (size == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += size;
		if (!*p)
			return true;
		p++;
	}
}

static fallible check_member(const struct json_path *path, const char *text)
{
	if (strlen(text) > PATH_LIMIT)
		return member_error(ERROR_LIMIT, path, NULL, "too long", NULL);
	if (!is_member_path(text))
		return member_error(ERROR_INVALID, path, NULL,
		                    "not a path inside the archive:", text);
	return NULL;
}

static fallible read_image(const struct json *o, const struct json_path *path, struct arena *arena,
                           struct oci_archive_image *ret)
{
	struct oci_archive_image image = {0};
	const char *config = "";
	struct json_path in_config = {path, "Config", 0}, in_tags = {path, "RepoTags", 0},
			 in_layers = {path, "Layers", 0};
	TRY(json_as_object(o, path));
	TRY(json_require_string(o, path, "Config", &config));
	TRY(check_member(&in_config, config));
	image.config = arena_string(arena, config);
	TRY(read_text_list(o, path, "RepoTags", TAGS_LIMIT, PATH_LIMIT, arena, &image.repo_tags,
	                   &image.n_repo_tags));
	for (size_t i = 0; i < image.n_repo_tags; i++) {
		struct json_path item = {&in_tags, NULL, i};
		auto_free char *where = json_path_text(&item), *name = NULL;
		TRY_AS(oci_reference_normalise(image.repo_tags[i], &name), "%s", where);
	}
	TRY(read_text_list(o, path, "Layers", OCI_LAYERS_LIMIT, PATH_LIMIT, arena, &image.layers,
	                   &image.n_layers));
	for (size_t i = 0; i < image.n_layers; i++) {
		struct json_path item = {&in_layers, NULL, i};
		TRY(check_member(&item, image.layers[i]));
	}
	*ret = image;
	return NULL;
}

fallible oci_archive_parse(const char *text, size_t size, struct arena *arena,
                           struct oci_archive *ret)
{
	auto_json struct json *o = NULL;
	struct json_path path = {NULL, "manifest.json", 0};
	TRY_AS(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o), "manifest.json");
	TRY(json_as_array(o, &path));
	size_t n = json_size(o);
	if (n > IMAGES_LIMIT)
		return member_error(ERROR_LIMIT, &path, NULL, "too many images", NULL);
	struct oci_archive archive = {
		.images = n ? arena_alloc(arena, n * sizeof(*archive.images)) : NULL,
		.n_images = n,
	};
	for (size_t i = 0; i < n; i++) {
		struct json_path item = {&path, NULL, i};
		TRY(read_image(json_item(o, i), &item, arena, &archive.images[i]));
	}
	*ret = archive;
	return NULL;
}

fallible oci_layout_check(const char *text, size_t size)
{
	auto_json struct json *o = NULL;
	struct json_path path = {NULL, "oci-layout", 0};
	const char *version = "";
	TRY_AS(json_parse(text, size, 4096, &o), "oci-layout");
	TRY(json_as_object(o, &path));
	TRY(json_require_string(o, &path, "imageLayoutVersion", &version));
	if (strcmp(version, "1.0.0") != 0)
		return member_error(ERROR_UNSUPPORTED, &path, "imageLayoutVersion",
		                    "not 1.0.0:", version);
	return NULL;
}
