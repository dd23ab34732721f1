// SPDX-License-Identifier: Apache-2.0
// An image as an OCI layout in a tar. Specification: OCI image-spec 1.1, image-layout.md.
#include "windows/image.h"
#include "base/text.h"
#include "oci/digest.h"
#include "oci/platform.h"
#include "sys/sys.h"
#include "windows/layer_writer.h"
#include <fcntl.h>

void windows_blob_done(struct windows_blob *b)
{
	fd_cleanup_(&b->fd);
	b->fd = -1;
}

static fallible put(void *arg, const void *bytes, size_t size)
{
	return fd_write_all(*(int *)arg, bytes, size);
}

static fallible add_bytes(struct tar_writer *w, const char *name, const char *bytes, size_t size)
{
	const struct tar_entry e = {
		.type = TAR_FILE, .name = name, .link = "", .mode = 0644, .size = size};
	TRY(tar_write_entry(w, &e));
	return tar_write(w, bytes, size);
}

static fallible add_document(struct tar_writer *w, const char *text)
{
	char digest[OCI_DIGEST_SIZE];
	oci_digest_of(text, strlen(text), digest);
	auto_free char *name = alloc_printf("blobs/sha256/%s", oci_digest_hex(digest));
	return add_bytes(w, name, text, strlen(text));
}

static fallible add_blob(struct tar_writer *w, const struct windows_blob *b)
{
	auto_free char *name = alloc_printf("blobs/sha256/%s", oci_digest_hex(b->digest));
	auto_free char *buffer = alloc(1 << 16);
	const struct tar_entry e = {
		.type = TAR_FILE, .name = name, .link = "", .mode = 0644, .size = b->size_bytes};
	TRY(tar_write_entry(w, &e));
	for (uint64_t at = 0; at < b->size_bytes;) {
		ssize_t n = pread(b->fd, buffer, 1 << 16, (off_t)at);
		if (n < 0)
			FAIL_ERRNO("read %s", b->digest);
		if (!n)
			return error_new(ERROR_CORRUPT, "%s: became shorter", b->digest);
		TRY(tar_write(w, buffer, (size_t)n));
		at += (uint64_t)n;
	}
	return NULL;
}

static struct json *descriptor(const char *media_type, const char *digest, uint64_t size)
{
	struct json *o = json_new_object();
	json_set_string(o, "mediaType", media_type);
	json_set_string(o, "digest", digest);
	json_set_u64(o, "size", size);
	return o;
}

static struct json *descriptor_of(const char *media_type, const char *text)
{
	char digest[OCI_DIGEST_SIZE];
	oci_digest_of(text, strlen(text), digest);
	return descriptor(media_type, digest, strlen(text));
}

static char *make_manifest(const char *config, const struct windows_blob *layers, size_t n)
{
	auto_json struct json *m = json_new_object();
	struct json *list = json_new_array();
	json_set_u64(m, "schemaVersion", 2);
	json_set_string(m, "mediaType", "application/vnd.oci.image.manifest.v1+json");
	json_set(m, "config", descriptor_of("application/vnd.oci.image.config.v1+json", config));
	for (size_t i = 0; i < n; i++)
		json_append(list, descriptor(layers[i].media_type, layers[i].digest,
		                             layers[i].size_bytes));
	json_set(m, "layers", list);
	return json_to_text(m, 0, JSON_PLAIN);
}

static char *make_index(const char *name, const char *manifest, const struct oci_platform *platform)
{
	auto_json struct json *index = json_new_object();
	struct json *list = json_new_array(), *notes = json_new_object();
	struct json *d = descriptor_of("application/vnd.oci.image.manifest.v1+json", manifest);
	json_set(d, "platform", oci_platform_to_json(platform));
	json_set_string(notes, "io.containerd.image.name", name);
	json_set(d, "annotations", notes);
	json_append(list, d);
	json_set_u64(index, "schemaVersion", 2);
	json_set_string(index, "mediaType", "application/vnd.oci.image.index.v1+json");
	json_set(index, "manifests", list);
	return json_to_text(index, 0, JSON_PLAIN);
}

fallible windows_temporary(int work_dirfd, int *ret)
{
	int fd = openat(work_dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("temporary file");
	*ret = fd;
	return NULL;
}

fallible windows_write_image(int work_dirfd, const char *name,
                             const struct oci_image_config *config,
                             const struct windows_blob *layers, size_t n_layers, int *ret_fd)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	auto_fd int fd = -1;
	TRY(windows_temporary(work_dirfd, &fd));
	auto_free char *config_text = oci_config_write(config);
	auto_free char *manifest = make_manifest(config_text, layers, n_layers);
	auto_free char *index = make_index(name, manifest, &config->platform);
	struct tar_writer w = {.sink = {put, &fd}};
	TRY(add_bytes(&w, "oci-layout", layout, strlen(layout)));
	TRY(add_bytes(&w, "index.json", index, strlen(index)));
	TRY(add_document(&w, manifest));
	TRY(add_document(&w, config_text));
	for (size_t i = 0; i < n_layers; i++)
		TRY(add_blob(&w, &layers[i]));
	TRY(tar_write_end(&w));
	if (lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("rewind");
	*ret_fd = fd_take(&fd);
	return NULL;
}
