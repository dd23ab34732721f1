// SPDX-License-Identifier: Apache-2.0
// The answer of the role `archive`: every index, count, digest and name is checked before it gets
// out of here. What can't be checked without hashing again is that a digest belongs to its file:
// that is the worker's one word that is believed.
#include "oci/digest.h"
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/client_private.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

enum { ITEMS_MAX = BLOBS_MAX, LAYERS_MAX = OCI_LAYERS_LIMIT };

void transfer_archive_free(struct transfer_archive *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_blobs; i++) {
		free(a->blobs[i].digest);
		free(a->blobs[i].media_type);
		free(a->blobs[i].name);
		free(a->blobs[i].references);
	}
	for (size_t i = 0; i < a->n_manifests; i++) {
		for (size_t j = 0; j < a->manifests[i].n_layers; j++)
			free(a->manifests[i].layers[j].diff_id);
		free(a->manifests[i].layers);
		free(a->manifests[i].platform);
		free(a->manifests[i].config);
	}
	for (size_t i = 0; i < a->n_images; i++) {
		free(a->images[i].name);
		free(a->images[i].ref_name);
		free(a->images[i].manifests);
	}
	free(a->blobs);
	free(a->manifests);
	free(a->images);
	free(a);
}

static void archive_cleanup(struct transfer_archive **a)
{
	transfer_archive_free(*a);
}

// --- members ------------------------------------------------------------------------------------

static fallible take_index(const struct json *o, const struct json_path *path, const char *key,
                           size_t n, size_t *ret)
{
	uint64_t value;
	if (!n)
		return error_new(ERROR_CORRUPT, "%s: nothing to point to", key);
	TRY(json_require_u64(o, path, key, n - 1, &value));
	*ret = (size_t)value;
	return NULL;
}

static fallible take_indices(const struct json *o, const struct json_path *path, const char *key,
                             size_t n, size_t **ret, size_t *ret_n)
{
	const struct json *array;
	struct json_path here = {path, key, 0};
	TRY(json_require_array(o, path, key, ITEMS_MAX, &array));
	size_t *list = alloc_array(json_size(array) + 1, sizeof(*list));
	*ret = list; // owned by the answer from here on
	for (size_t i = 0; i < json_size(array); i++) {
		struct json_path item = {&here, NULL, i};
		uint64_t value;
		if (!n)
			return error_new(ERROR_CORRUPT, "%s: nothing to point to", key);
		TRY(json_as_u64(json_item(array, i), &item, n - 1, &value));
		list[i] = (size_t)value;
		*ret_n = i + 1;
	}
	return NULL;
}

// Printable: what a terminal would obey is no name.
static fallible take_text(const struct json *o, const struct json_path *path, const char *key,
                          bool needed, char **ret)
{
	const char *text = NULL;
	TRY(needed ? json_require_string(o, path, key, &text)
	           : json_get_string(o, path, key, &text));
	if (!text)
		return NULL;
	auto_free char *clean = alloc_string(text);
	client_clean_text(clean);
	if (strlen(text) > 1024 || strcmp(clean, text) != 0)
		return error_new(ERROR_INVALID, "the archive's %s \"%.100s\" isn't printable", key,
		                 clean);
	*ret = take(&clean);
	return NULL;
}

static fallible take_digest(const struct json *o, const struct json_path *path, const char *key,
                            char **ret)
{
	TRY(take_text(o, path, key, true, ret));
	TRY(oci_digest_check(*ret));
	return oci_digest_is_sha256(*ret) ? NULL : error_new(ERROR_UNSUPPORTED, "digest %s", *ret);
}

// --- items --------------------------------------------------------------------------------------

// The file must be what the worker says it is, a plain one of that size with no other name.
static fallible check_file(int dirfd, const struct transfer_blob *b)
{
	struct stat st;
	if (!*b->name || strspn(b->name, "0123456789") != strlen(b->name) || strlen(b->name) > 16)
		return error_new(ERROR_CORRUPT, "file name \"%.32s\"", b->name);
	if (fstatat(dirfd, b->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("file %s", b->name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (uint64_t)st.st_size != b->size_bytes)
		return error_new(ERROR_CORRUPT, "file %s isn't blob %s", b->name, b->digest);
	return NULL;
}

static fallible take_blob(const struct json *o, const struct json_path *path, int dirfd, size_t n,
                          struct transfer_blob *b)
{
	TRY(json_as_object(o, path));
	TRY(take_digest(o, path, "digest", &b->digest));
	TRY(take_text(o, path, "mediaType", true, &b->media_type));
	TRY(json_require_u64(o, path, "size", INT64_MAX, &b->size_bytes));
	TRY(take_indices(o, path, "references", n, &b->references, &b->n_references));
	if (dirfd < 0)
		return NULL;
	TRY(take_text(o, path, "name", true, &b->name));
	return check_file(dirfd, b);
}

static fallible take_config(const struct json *o, const struct json_path *path, char **ret)
{
	const char *text;
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config config;
	TRY(json_require_string(o, path, "config", &text));
	TRY(oci_config_read(text, strlen(text), arena, &config));
	*ret = alloc_string(text);
	return NULL;
}

static fallible take_layers(const struct json *o, const struct json_path *path, size_t n_blobs,
                            struct transfer_manifest *m)
{
	const struct json *layers;
	struct json_path here = {path, "layers", 0};
	TRY(json_require_array(o, path, "layers", LAYERS_MAX, &layers));
	m->layers = alloc_array(json_size(layers) + 1, sizeof(*m->layers));
	for (size_t i = 0; i < json_size(layers); i++) {
		struct json_path item = {&here, NULL, i};
		const struct json *layer = json_item(layers, i);
		TRY(json_as_object(layer, &item));
		m->n_layers = i + 1;
		TRY(take_index(layer, &item, "blob", n_blobs, &m->layers[i].blob));
		TRY(take_digest(layer, &item, "diffID", &m->layers[i].diff_id));
	}
	return NULL;
}

static fallible take_manifest(const struct json *o, const struct json_path *path, size_t n_blobs,
                              struct transfer_manifest *m)
{
	TRY(json_as_object(o, path));
	TRY(take_index(o, path, "blob", n_blobs, &m->blob));
	TRY(take_index(o, path, "configBlob", n_blobs, &m->config_blob));
	TRY(take_text(o, path, "platform", true, &m->platform));
	TRY(take_config(o, path, &m->config));
	return take_layers(o, path, n_blobs, m);
}

static fallible take_image(const struct json *o, const struct json_path *path,
                           const struct transfer_archive *a, struct transfer_image *image)
{
	TRY(json_as_object(o, path));
	TRY(take_text(o, path, "name", false, &image->name));
	TRY(take_text(o, path, "refName", false, &image->ref_name));
	TRY(take_index(o, path, "target", a->n_blobs, &image->target));
	TRY(take_indices(o, path, "manifests", a->n_manifests, &image->manifests,
	                 &image->n_manifests));
	return image->n_manifests ? NULL : error_new(ERROR_CORRUPT, "an image without manifests");
}

static fallible take_answer(const struct json *o, int dirfd, struct transfer_archive *a)
{
	const struct json *blobs, *manifests, *images;
	struct json_path root = {NULL, "answer", 0};
	TRY(json_as_object(o, &root));
	TRY(json_require_array(o, &root, "blobs", ITEMS_MAX, &blobs));
	TRY(json_require_array(o, &root, "manifests", ITEMS_MAX, &manifests));
	TRY(json_require_array(o, &root, "images", ITEMS_MAX, &images));
	a->blobs = alloc_array(json_size(blobs) + 1, sizeof(*a->blobs));
	a->manifests = alloc_array(json_size(manifests) + 1, sizeof(*a->manifests));
	a->images = alloc_array(json_size(images) + 1, sizeof(*a->images));
	a->n_blobs = json_size(blobs);
	a->n_manifests = json_size(manifests);
	a->n_images = json_size(images);
	TRY(take_index(o, &root, "index", a->n_blobs, &a->index));
	for (size_t i = 0; i < a->n_blobs; i++) {
		struct json_path item = {&root, "blobs", 0};
		TRY(take_blob(json_item(blobs, i), &item, dirfd, a->n_blobs, &a->blobs[i]));
	}
	for (size_t i = 0; i < a->n_manifests; i++) {
		struct json_path item = {&root, "manifests", 0};
		TRY(take_manifest(json_item(manifests, i), &item, a->n_blobs, &a->manifests[i]));
	}
	for (size_t i = 0; i < a->n_images; i++) {
		struct json_path item = {&root, "images", 0};
		TRY(take_image(json_item(images, i), &item, a, &a->images[i]));
	}
	return NULL;
}

// --- the call -----------------------------------------------------------------------------------

fallible client_host_platform(char **ret)
{
	struct utsname machine;
	if (uname(&machine) < 0)
		FAIL_ERRNO("uname");
	*ret = alloc_printf("linux/%s", machine.machine);
	return NULL;
}

static fallible make_request(const struct transfer_archive_request *r, struct json **ret)
{
	uint64_t limit = r->limit_bytes;
	struct stat st;
	auto_free char *host = NULL;
	if (fstat(r->fd, &st) < 0)
		FAIL_ERRNO("archive");
	TRY(client_host_platform(&host));
	if (!limit)
		TRY(client_free_bytes(r->ingest_dirfd, &limit));
	auto_json struct json *request = json_new_object();
	struct json *platforms = json_new_array();
	json_set(request, "platforms", platforms);
	json_set_string(request, "host", host);
	json_set_u64(request, "limit", limit < INT64_MAX ? limit : INT64_MAX);
	json_set_u64(request, "total", S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	json_set_bool(request, "all", r->all_platforms);
	for (size_t i = 0; i < r->n_platforms; i++)
		json_append_string(platforms, r->platforms[i]);
	*ret = take(&request);
	return NULL;
}

fallible client_read_answer(int fd, int dirfd, struct transfer_archive **ret)
{
	auto_free char *text = NULL;
	size_t size;
	auto_json struct json *o = NULL;
	defer(archive_cleanup) struct transfer_archive *a = alloc(sizeof(*a));
	if (lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("seek");
	TRY(fd_read_to_end(fd, ANSWER_SIZE_MAX, &text, &size));
	TRY(json_parse(text, size, ANSWER_SIZE_MAX, &o));
	TRY(take_answer(o, dirfd, a));
	*ret = take(&a);
	return NULL;
}

fallible transfer_read_archive(const struct transfer_archive_request *r,
                               struct transfer_archive **ret)
{
	auto_json struct json *request = NULL;
	auto_fd int target = -1;
	auto_fd int answer = memfd_create("answer", MFD_CLOEXEC);
	if (answer < 0)
		FAIL_ERRNO("answer of the worker");
	TRY(make_request(r, &request));
	TRY(client_mount(r->ingest_dirfd, true, &target));
	struct client_job job = {.transfer = r->transfer,
	                         .role = "archive",
	                         .request = request,
	                         .input = r->fd,
	                         .answer = answer,
	                         .target = target,
	                         .lower = -1,
	                         .grown = -1};
	TRY(client_space_error(client_run(&job), !r->limit_bytes));
	TRY_AS(client_read_answer(answer, r->ingest_dirfd, ret), "answer of the worker");
	return NULL;
}
