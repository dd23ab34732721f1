// SPDX-License-Identifier: Apache-2.0
// Finding what was read, by path or digest.
#include "base/text.h"
#include "sys/fd.h"
#include "transfer/ingest.h"
#include <fcntl.h>

enum { FOLLOW_MAX = 8 };

static int by_path(const void *a, const void *b, void *arg)
{
	const struct ingest_file *files = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int order = strcmp(files[i].path, files[j].path);
	return order ? order : (i > j) - (i < j);
}

static int by_digest(const void *a, const void *b, void *arg)
{
	const struct ingest_file *files = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int order = strcmp(files[i].digest, files[j].digest);
	return order ? order : (i > j) - (i < j);
}

static size_t *sorted(struct ingest *in, int (*compare)(const void *, const void *, void *))
{
	size_t *order = alloc_array(in->n_files ? in->n_files : 1, sizeof(*order));
	for (size_t i = 0; i < in->n_files; i++)
		order[i] = i;
	if (in->n_files)
		qsort_r(order, in->n_files, sizeof(*order), compare, in->files);
	return order;
}

void ingest_index(struct ingest *in)
{
	free(in->by_path);
	free(in->by_digest);
	in->by_path = sorted(in, by_path);
	in->by_digest = sorted(in, by_digest);
	in->n_by_path = in->n_by_digest = in->n_files;
}

// The last of a path counts, as in every tar.
static struct ingest_file *find_file(struct ingest *in, const char *path)
{
	size_t low = 0, high = in->n_by_path;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(in->files[in->by_path[middle]].path, path) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || strcmp(in->files[in->by_path[low - 1]].path, path) != 0)
		return NULL;
	return &in->files[in->by_path[low - 1]];
}

struct ingest_file *ingest_find_path(struct ingest *in, const char *path)
{
	for (unsigned i = 0; i < FOLLOW_MAX; i++) {
		struct ingest_file *f = find_file(in, path);
		const char *target = NULL;
		for (size_t j = in->n_links; !f && !target && j--;)
			if (!strcmp(in->links[j].path, path))
				target = in->links[j].target;
		if (f || !target)
			return f;
		path = target;
	}
	return NULL;
}

struct ingest_file *ingest_find_digest(struct ingest *in, const char *digest)
{
	size_t low = 0, high = in->n_by_digest;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(in->files[in->by_digest[middle]].digest, digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == in->n_by_digest || strcmp(in->files[in->by_digest[low]].digest, digest) != 0)
		return NULL;
	return &in->files[in->by_digest[low]];
}

fallible ingest_text(const struct ingest *in, const struct ingest_file *f, size_t limit_bytes,
                     char **ret)
{
	if (f->size > limit_bytes)
		return error_new(ERROR_LIMIT, "a document of %llu bytes",
		                 (unsigned long long)f->size);
	if (f->text) {
		*ret = alloc_bytes(f->text, (size_t)f->size);
		return NULL;
	}
	auto_fd int fd = openat(in->dirfd, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("open");
	auto_free char *text = alloc((size_t)f->size + 1);
	TRY(fd_read_all(fd, text, (size_t)f->size));
	*ret = take(&text);
	return NULL;
}
