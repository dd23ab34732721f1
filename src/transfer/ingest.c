// SPDX-License-Identifier: Apache-2.0
#include "transfer/ingest.h"
#include "base/text.h"
#include "sys/fd.h"
#include "tar/tar.h"
#include "transfer/channel.h"
#include "transfer/protocol.h"
#include <fcntl.h>
#include <stdio.h>

enum { LINKS_MAX = 4096 }; // they are searched one by one

void ingest_done(struct ingest *in)
{
	for (size_t i = 0; i < in->n_files; i++)
		free(in->files[i].path);
	for (size_t i = 0; i < in->n_links; i++) {
		free(in->links[i].path);
		free(in->links[i].target);
	}
	free(in->files);
	free(in->links);
	free(in->by_path);
	free(in->by_digest);
	layer_hash_free(in->hash);
}

char *ingest_clean_path(const char *from, const char *path)
{
	const char *slash = from && *path != '/' ? strrchr(from, '/') : NULL;
	auto_free char *whole = slash ? alloc_printf("%.*s/%s", (int)(slash - from), from, path)
	                              : alloc_string(path);
	char *clean = alloc(strlen(whole) + 1);
	size_t out = 0;
	for (const char *c = whole; *c;) {
		size_t size = strcspn(c, "/");
		if (size == 2 && !strncmp(c, "..", 2)) {
			while (out && clean[--out] != '/')
				;
		} else if (size && !(size == 1 && *c == '.')) {
			if (out)
				clean[out++] = '/';
			memcpy(clean + out, c, size);
			out += size;
		}
		c += size + (c[size] == '/');
	}
	clean[out] = 0;
	return clean;
}

// --- writing ------------------------------------------------------------------------------------

static fallible begin_file(struct ingest *in, char *path, int *ret_fd, struct ingest_file **ret)
{
	if (in->n_files >= BLOBS_MAX) {
		free(path);
		return error_new(ERROR_LIMIT, "more than %d files in the archive", BLOBS_MAX);
	}
	alloc_grow(&in->files, &in->capacity, in->n_files, sizeof(*in->files));
	struct ingest_file *f = &in->files[in->n_files++];
	f->path = path;
	snprintf(f->name, sizeof(f->name), "%zu", in->n_files);
	int fd = openat(in->dirfd, f->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                0600);
	if (fd < 0)
		FAIL_ERRNO("create a file for %.200s", path);
	*ret_fd = fd;
	*ret = f;
	return NULL;
}

static fallible add_bytes(struct ingest *in, struct ingest_file *f, int fd, const void *bytes,
                          size_t size)
{
	if (size > in->limit_bytes - in->bytes)
		return error_because(error_new(ERROR_LIMIT,
		                               "the archive holds more than %llu bytes",
		                               (unsigned long long)in->limit_bytes),
		                     EFBIG);
	for (size_t i = 0; f->size + i < sizeof(f->start) && i < size; i++)
		f->start[f->size + i] = ((const unsigned char *)bytes)[i];
	in->bytes += size;
	f->size += size;
	TRY(layer_hash_add(in->hash, bytes, size));
	return fd_write_all(fd, bytes, size);
}

// A blob's name is its digest.
static fallible check_name(const struct ingest_file *f)
{
	static const char prefix[] = "blobs/sha256/";
	if (!text_starts(f->path, prefix) || !strcmp(f->path + strlen(prefix), f->digest + 7))
		return NULL;
	return error_new(ERROR_CORRUPT, "the digest of its bytes is %s", f->digest);
}

static fallible ingest_entry(struct ingest *in, struct layer_stream *stream, struct tar_reader *tar,
                             const struct tar_entry *e)
{
	struct ingest_file *f;
	auto_fd int fd = -1;
	TRY(begin_file(in, ingest_clean_path(NULL, e->name), &fd, &f));
	if (e->sparse)
		return error_new(ERROR_UNSUPPORTED, "a sparse file");
	auto_free char *item = alloc_printf("archive: %s", f->path);
	for (;;) {
		const void *bytes;
		size_t size;
		uint64_t offset;
		TRY(tar_read(tar, &bytes, &size, &offset));
		if (!size)
			break;
		TRY(add_bytes(in, f, fd, bytes, size));
		channel_progress(item, 0, 0, layer_stream_consumed(stream), in->total_bytes);
	}
	TRY(layer_hash_end(in->hash, f->digest));
	TRY(check_name(f));
	return fd_close(&fd);
}

static fallible add_link(struct ingest *in, const struct tar_entry *e)
{
	if (in->n_links >= LINKS_MAX)
		return error_new(ERROR_LIMIT, "more than %d links in the archive", LINKS_MAX);
	alloc_grow(&in->links, &in->links_capacity, in->n_links, sizeof(*in->links));
	struct ingest_link *l = &in->links[in->n_links++];
	l->path = ingest_clean_path(NULL, e->name);
	l->target = ingest_clean_path(e->type == TAR_SYMLINK ? l->path : NULL, e->link);
	return NULL;
}

fallible ingest_read(struct ingest *in, struct layer_stream *stream)
{
	struct tar_source source = {layer_stream_more, stream};
	auto_tar_reader struct tar_reader *tar = tar_reader_new(&source);
	for (;;) {
		const struct tar_entry *e;
		TRY(tar_next(tar, &e));
		if (!e)
			break;
		if (e->type == TAR_FILE)
			TRY_AS(ingest_entry(in, stream, tar, e), "%.200s", e->name);
		else if (e->type == TAR_SYMLINK || e->type == TAR_HARDLINK)
			TRY(add_link(in, e));
	}
	ingest_index(in);
	return NULL;
}

fallible ingest_add(struct ingest *in, const char *text)
{
	struct ingest_file *f;
	auto_fd int fd = -1;
	TRY(begin_file(in, alloc_string(""), &fd, &f));
	TRY(add_bytes(in, f, fd, text, strlen(text)));
	TRY(layer_hash_end(in->hash, f->digest));
	return fd_close(&fd);
}

fallible ingest_sweep(struct ingest *in)
{
	for (size_t i = 0; i < in->n_files; i++)
		if (!in->files[i].keep && unlinkat(in->dirfd, in->files[i].name, 0) < 0)
			FAIL_ERRNO("remove %s", in->files[i].name);
	return NULL;
}
