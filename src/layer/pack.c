// SPDX-License-Identifier: Apache-2.0
// The way of a blob that is written: hash → compress → hash → file.
#include "base/memory.h"
#include "layer/layer.h"
#include "sys/fd.h"
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

// isa-l's level 2 packs nearly as zlib's 3, several times as fast.
enum { GZIP_LEVEL = 2, ZSTD_LEVEL = 3, OUTPUT_SIZE = 256 << 10, INPUT_MAX = 1 << 20 };

fallible layer_compression_read(const char *name, enum layer_compression *ret)
{
	for (enum layer_compression c = LAYER_PLAIN; c <= LAYER_ZSTD; c++)
		if (!strcmp(layer_compression_names[c], name)) {
			*ret = c;
			return NULL;
		}
	return error_new(ERROR_INVALID, "no such compression: %.20s", name);
}

struct layer_packer {
	int fd;
	enum layer_compression compression;
	uint64_t limit, size, diff_size;
	struct layer_hash *hash, *diff_hash;
	unsigned char *output, *level;
	struct isal_zstream gzip;
	ZSTD_CStream *zstd;
};

void layer_packer_free(struct layer_packer *p)
{
	if (!p)
		return;
	layer_hash_free(p->hash);
	layer_hash_free(p->diff_hash);
	ZSTD_freeCStream(p->zstd);
	free(p->output);
	free(p->level);
	free(p);
}

static fallible start(struct layer_packer *p)
{
	TRY(layer_hash_new(&p->hash));
	TRY(layer_hash_new(&p->diff_hash));
	p->output = alloc(OUTPUT_SIZE);
	if (p->compression == LAYER_GZIP) {
		isal_deflate_init(&p->gzip);
		p->level = alloc(ISAL_DEF_LVL2_DEFAULT);
		p->gzip.level = GZIP_LEVEL;
		p->gzip.level_buf = p->level;
		p->gzip.level_buf_size = ISAL_DEF_LVL2_DEFAULT;
		p->gzip.gzip_flag = IGZIP_GZIP; // its header has no time and no name
		p->gzip.flush = NO_FLUSH;
	}
	if (p->compression == LAYER_ZSTD) {
		p->zstd = ZSTD_createCStream();
		if (!p->zstd || ZSTD_isError(ZSTD_initCStream(p->zstd, ZSTD_LEVEL)))
			return error_new(ERROR_SYSTEM, "zstd doesn't start");
	}
	return NULL;
}

fallible layer_packer_new(int fd, enum layer_compression compression, uint64_t limit_bytes,
                          struct layer_packer **ret)
{
	auto_layer_packer struct layer_packer *p = alloc(sizeof(*p));
	p->fd = fd;
	p->compression = compression;
	p->limit = limit_bytes;
	TRY(start(p));
	*ret = take(&p);
	return NULL;
}

static fallible write_out(struct layer_packer *p, const void *bytes, size_t size)
{
	if (!size)
		return NULL;
	if (size > p->limit - p->size)
		return error_because(error_new(ERROR_LIMIT, "the blob has more than %llu bytes",
		                               (unsigned long long)p->limit),
		                     EFBIG);
	p->size += size;
	TRY(layer_hash_add(p->hash, bytes, size));
	return error_prefix(fd_write_all(p->fd, bytes, size), "the blob");
}

static fallible run_gzip(struct layer_packer *p, const void *bytes, size_t size, bool is_end)
{
	struct isal_zstream *z = &p->gzip;
	z->next_in = (uint8_t *)(uintptr_t)bytes;
	z->avail_in = (uint32_t)size;
	z->end_of_stream = is_end;
	do {
		z->next_out = p->output;
		z->avail_out = OUTPUT_SIZE;
		if (isal_deflate(z) != COMP_OK)
			return error_new(ERROR_SYSTEM, "gzip: deflating failed");
		TRY(write_out(p, p->output, OUTPUT_SIZE - z->avail_out));
	} while (is_end ? z->internal_state.state != ZSTATE_END : z->avail_in || !z->avail_out);
	return NULL;
}

static fallible run_zstd(struct layer_packer *p, const void *bytes, size_t size, bool is_end)
{
	ZSTD_inBuffer in = {bytes, size, 0};
	for (;;) {
		ZSTD_outBuffer out = {p->output, OUTPUT_SIZE, 0};
		size_t left = ZSTD_compressStream2(p->zstd, &out, &in,
		                                   is_end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return error_new(ERROR_SYSTEM, "zstd: %s", ZSTD_getErrorName(left));
		TRY(write_out(p, p->output, out.pos));
		if (is_end ? !left : in.pos == in.size)
			return NULL;
	}
}

static fallible run(struct layer_packer *p, const void *bytes, size_t size, bool is_end)
{
	switch (p->compression) {
	case LAYER_GZIP:
		return run_gzip(p, bytes, size, is_end);
	case LAYER_ZSTD:
		return run_zstd(p, bytes, size, is_end);
	default:
		return write_out(p, bytes, size);
	}
}

fallible layer_packer_put(void *packer, const void *bytes, size_t size)
{
	struct layer_packer *p = packer;
	const char *at = bytes;
	p->diff_size += size;
	TRY(layer_hash_add(p->diff_hash, bytes, size));
	while (size) { // isa-l counts in 32 bits
		size_t n = size < INPUT_MAX ? size : INPUT_MAX;
		TRY(run(p, at, n, false));
		at += n;
		size -= n;
	}
	return NULL;
}

fallible layer_packer_finish(struct layer_packer *p, struct layer_sums *ret)
{
	struct layer_sums sums = {.diff_size_bytes = p->diff_size};
	TRY(run(p, "", 0, true));
	sums.size_bytes = p->size;
	TRY(layer_hash_end(p->hash, sums.digest));
	TRY(layer_hash_end(p->diff_hash, sums.diff_id));
	*ret = sums;
	return NULL;
}
