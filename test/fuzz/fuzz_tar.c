// SPDX-License-Identifier: Apache-2.0
// Any bytes to the tar reader, in pieces whose size the first byte decides. Every piece of data
// must lie in its file, in order; the writer must take or refuse what was read.
#include "base/text.h"
#include "mutate_tar.h"
#include "tar/tar.h"

struct feed {
	const uint8_t *bytes;
	size_t rest, step;
};

static fallible more(void *arg, const void **ret, size_t *ret_size)
{
	struct feed *f = arg;
	*ret = f->bytes;
	*ret_size = f->rest < f->step ? f->rest : f->step;
	f->bytes += *ret_size;
	f->rest -= *ret_size;
	return NULL;
}

static fallible count(void *arg, const void *bytes, size_t size)
{
	(void)bytes;
	*(size_t *)arg += size;
	return NULL;
}

static fallible read_all(struct tar_reader *r)
{
	size_t written = 0;
	struct tar_writer w = {.sink = {count, &written}};
	for (;;) {
		const struct tar_entry *e;
		TRY(tar_next(r, &e));
		if (!e)
			return NULL;
		if (strlen(e->name) > TAR_NAME_MAX || e->mtime_ns > 999999999)
			abort();
		struct tar_entry bare = *e;
		bare.size = 0;
		struct error *refused = tar_write_entry(&w, &bare);
		error_free(refused);
		for (uint64_t end = 0;;) {
			const void *bytes;
			size_t size;
			uint64_t offset;
			TRY(tar_read(r, &bytes, &size, &offset));
			if (!size)
				break;
			if (offset < end || offset + size > e->size)
				abort(); // a piece outside the file, or backwards
			end = offset + size;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct feed feed = {data + 1, size - 1, (size_t)*data * 8 + 1};
	struct tar_source source = {more, &feed};
	auto_tar_reader struct tar_reader *r = tar_reader_new(&source);
	error_free(read_all(r));
	return 0;
}
