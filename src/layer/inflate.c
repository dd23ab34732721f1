// SPDX-License-Identifier: Apache-2.0
#include "layer/inflate.h"
#include "base/memory.h"
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

enum { WINDOW_LOG_MAX = 27 }; // 128 MiB: what a frame may make us hold

const char *const layer_compression_names[] = {"none", "gzip", "zstd"};

struct inflater {
	enum layer_compression compression;
	struct inflate_state gzip;
	unsigned char start[2]; // first bytes behind a gzip member, until they tell what they are
	size_t n_start;
	bool within;  // a member or frame has begun and not ended
	bool padding; // behind the last member: only zeros may come
	ZSTD_DStream *zstd;
};

enum layer_compression inflate_detect(const unsigned char *b, size_t size)
{
	if (size >= 2 && b[0] == 0x1f && b[1] == 0x8b)
		return LAYER_GZIP;
	if (size < 4)
		return LAYER_PLAIN;
	uint32_t magic = (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
	bool is_skippable = (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
	return magic == ZSTD_MAGICNUMBER || is_skippable ? LAYER_ZSTD : LAYER_PLAIN;
}

static void begin_member(struct inflater *i)
{
	isal_inflate_init(&i->gzip);
	i->gzip.crc_flag = ISAL_GZIP; // header, checksum and length are checked
}

fallible inflater_new(enum layer_compression compression, struct inflater **ret)
{
	struct inflater *i = alloc(sizeof(*i));
	i->compression = compression;
	if (compression == LAYER_ZSTD) {
		i->zstd = ZSTD_createDStream();
		if (!i->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(i->zstd, ZSTD_d_windowLogMax,
		                                                    WINDOW_LOG_MAX))) {
			inflater_free(i);
			return error_new(ERROR_UNSUPPORTED,
			                 "zstd: this library can't limit windows");
		}
	}
	*ret = i;
	return NULL;
}

void inflater_free(struct inflater *i)
{
	if (!i)
		return;
	ZSTD_freeDStream(i->zstd);
	free(i);
}

static fallible run_plain(struct inflate_input *in, void *bytes, size_t size, size_t *ret_size)
{
	*ret_size = in->size < size ? in->size : size;
	memcpy(bytes, in->bytes, *ret_size);
	in->bytes += *ret_size;
	in->size -= *ret_size;
	return NULL;
}

static const char *gzip_problem(int code)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return "wrong checksum";
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return "bad header";
	default:
		return "damaged data";
	}
}

// Decides what stands behind a member: another one, or zeros as padding up to the end.
static fallible between_members(struct inflater *i, struct inflate_input *in)
{
	while (in->size && !i->within) {
		unsigned char byte = *in->bytes;
		if (i->padding || (!i->n_start && !byte)) {
			if (byte)
				return error_new(ERROR_CORRUPT, "gzip: garbage behind the end");
			i->padding = true;
			in->bytes++;
			in->size--;
			continue;
		}
		if (byte != (i->n_start ? 0x8b : 0x1f))
			return error_new(ERROR_CORRUPT, "gzip: garbage behind the end");
		i->start[i->n_start++] = byte;
		in->bytes++;
		in->size--;
		if (i->n_start == sizeof(i->start)) {
			begin_member(i);
			i->within = true;
		}
	}
	if (i->n_start == 1 && in->ended && !in->size)
		return error_new(ERROR_CORRUPT, "gzip: garbage behind the end");
	return NULL;
}

static fallible inflate_member(struct inflater *i, struct inflate_input *in, void *bytes,
                               size_t size, size_t *ret_size)
{
	const bool is_start = i->n_start != 0; // the two bytes that between_members() took
	i->gzip.next_in = is_start ? i->start : (unsigned char *)(uintptr_t)in->bytes;
	i->gzip.avail_in = (uint32_t)(is_start ? i->n_start : in->size);
	i->gzip.next_out = bytes;
	i->gzip.avail_out = (uint32_t)size;
	uint32_t given = i->gzip.avail_in;
	int code = isal_inflate(&i->gzip);
	if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT)
		return error_new(ERROR_CORRUPT, "gzip: %s", gzip_problem(code));
	*ret_size = size - i->gzip.avail_out;
	if (is_start) {
		i->n_start = 0;
	} else {
		in->bytes += given - i->gzip.avail_in;
		in->size -= given - i->gzip.avail_in;
	}
	if (i->gzip.block_state == ISAL_BLOCK_FINISH)
		i->within = false;
	return NULL;
}

static fallible run_gzip(struct inflater *i, struct inflate_input *in, void *bytes, size_t size,
                         size_t *ret_size)
{
	*ret_size = 0;
	for (;;) {
		if (!i->within)
			TRY(between_members(i, in));
		if (!i->within)
			return NULL; // input is used up
		size_t before = in->size + i->n_start;
		TRY(inflate_member(i, in, bytes, size, ret_size));
		if (*ret_size)
			return NULL;
		if (i->within && before == in->size + i->n_start) {
			if (in->ended)
				return error_new(ERROR_CORRUPT, "gzip: ends too early");
			return NULL;
		}
	}
}

static fallible run_zstd(struct inflater *i, struct inflate_input *in, void *bytes, size_t size,
                         size_t *ret_size)
{
	*ret_size = 0;
	for (;;) {
		ZSTD_inBuffer from = {in->bytes, in->size, 0};
		ZSTD_outBuffer to = {bytes, size, 0};
		if (!in->size && !i->within)
			return NULL;
		size_t code = ZSTD_decompressStream(i->zstd, &to, &from);
		if (ZSTD_isError(code))
			return error_new(ERROR_CORRUPT, "zstd: %s", ZSTD_getErrorName(code));
		i->within = code != 0;
		in->bytes += from.pos;
		in->size -= from.pos;
		*ret_size = to.pos;
		if (to.pos)
			return NULL;
		if (!from.pos) {
			if (in->ended && i->within)
				return error_new(ERROR_CORRUPT, "zstd: ends too early");
			return NULL;
		}
	}
}

fallible inflater_run(struct inflater *i, struct inflate_input *in, void *bytes, size_t size,
                      size_t *ret_size)
{
	switch (i->compression) {
	case LAYER_GZIP:
		return run_gzip(i, in, bytes, size, ret_size);
	case LAYER_ZSTD:
		return run_zstd(i, in, bytes, size, ret_size);
	default:
		return run_plain(in, bytes, size, ret_size);
	}
}
