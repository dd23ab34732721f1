// SPDX-License-Identifier: Apache-2.0
// Entries as go-winio's backuptar writes them.
#include "windows/layer_writer.h"
#include "base/text.h"
#include "sys/sys.h"
#include <stdio.h>

enum { TIME = 1704067200 }; // 2024-01-01: the same request gives the same layer

static fallible put(void *arg, const void *bytes, size_t size)
{
	struct layer_writer *w = arg;
	sha256_add(&w->hash, bytes, size);
	w->size_bytes += size;
	return fd_write_all(w->fd, bytes, size);
}

fallible layer_begin(struct layer_writer *w, int work_dirfd)
{
	*w = (struct layer_writer){.fd = -1};
	TRY(windows_temporary(work_dirfd, &w->fd));
	sha256_init(&w->hash);
	w->tar = (struct tar_writer){.sink = {put, w}};
	return NULL;
}

// Owner and group BUILTIN\Users, no list of rights: what builders on Linux write, and without which
// Windows runs no program of the layer.
#define DESCRIPTOR "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA=="

static fallible add(struct layer_writer *w, enum tar_type type, const char *name, uint64_t size)
{
	const char *attributes = type == TAR_DIRECTORY ? "16" : "32";
	char created[16];
	int n = snprintf(created, sizeof(created), "%d", TIME);
	const struct tar_record records[] = {
		{"LIBARCHIVE.creationtime", created, (size_t)n},
		{"MSWINDOWS.fileattr", attributes, 2},
		{"MSWINDOWS.rawsd", DESCRIPTOR, strlen(DESCRIPTOR)},
	};
	const struct tar_entry e = {
		.type = type,
		.name = name,
		.link = "",
		.size = size,
		.mtime_s = TIME,
		.records = records,
		.n_records = sizeof(records) / sizeof(*records),
	};
	return tar_write_entry(&w->tar, &e);
}

fallible layer_folder(struct layer_writer *w, const char *name)
{
	return add(w, TAR_DIRECTORY, name, 0);
}

fallible layer_file(struct layer_writer *w, const char *name, uint64_t size)
{
	return add(w, TAR_FILE, name, size);
}

fallible layer_text(struct layer_writer *w, const char *name, const void *bytes, size_t size)
{
	TRY(layer_file(w, name, size));
	return tar_write(&w->tar, bytes, size);
}

fallible layer_end(struct layer_writer *w, struct windows_blob *ret)
{
	TRY(tar_write_end(&w->tar));
	unsigned char sum[32];
	sha256_done(&w->hash, sum);
	*ret = (struct windows_blob){
		.fd = w->fd,
		.size_bytes = w->size_bytes,
		.media_type = "application/vnd.oci.image.layer.v1.tar",
	};
	int n = snprintf(ret->digest, sizeof(ret->digest), "sha256:");
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(ret->digest + n + 2 * i, 3, "%02x", sum[i]);
	w->fd = -1;
	return NULL;
}
