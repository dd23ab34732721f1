// SPDX-License-Identifier: Apache-2.0
// Maps of sparse files, in GNU tar's four forms (its manual, "Storing Sparse Files"):
//   old 'S'  four pieces in the header, more in blocks of 21 behind it
//   0.0      PAX records GNU.sparse.offset and .numbytes, repeated
//   0.1      PAX record GNU.sparse.map, "offset,size,offset,size"
//   1.0      the map stands before the data: "count\noffset\nsize\n…", padded to a block
#include "base/text.h"
#include "tar/internal.h"

fallible tar_sparse_add(struct tar_map *map, uint64_t offset, uint64_t at, uint64_t size)
{
	if (map->n >= TAR_SPARSE_MAX)
		return error_new(ERROR_LIMIT,
		                 "tar: offset %llu: more than %d pieces in a sparse file",
		                 (unsigned long long)offset, TAR_SPARSE_MAX);
	alloc_grow(&map->pieces, &map->capacity, map->n, sizeof(*map->pieces));
	map->pieces[map->n++] = (struct tar_piece){at, size};
	return NULL;
}

// Pieces ascend, lie within the file, and together are what is stored.
static fallible check_map(struct tar_reader *r, uint64_t size)
{
	uint64_t end = 0, sum = 0;
	for (size_t i = 0; i < r->map.n; i++) {
		struct tar_piece piece = r->map.pieces[i];
		if (piece.offset < end || piece.size > size || piece.offset > size - piece.size)
			return tar_damaged(r->entry.offset, "sparse map: piece %zu lies wrong", i);
		end = piece.offset + piece.size;
		sum += piece.size;
	}
	if (sum != r->left)
		return tar_damaged(r->entry.offset, "sparse map: names %llu bytes, %llu are stored",
		                   (unsigned long long)sum, (unsigned long long)r->left);
	r->entry.sparse = true;
	r->entry.size = size;
	return NULL;
}

// `n` pieces of two 12-byte numbers; one whose offset field is empty ends the list.
static fallible old_pieces(struct tar_reader *r, const unsigned char *at, size_t n, bool *ended)
{
	for (size_t i = 0; i < n && !*ended; i++, at += 24) {
		int64_t offset, size;
		if (!at[0]) {
			*ended = true;
			break;
		}
		TRY(tar_number(at, 0, 12, r->entry.offset, "sparse offset", &offset));
		TRY(tar_number(at, 12, 12, r->entry.offset, "sparse size", &size));
		if (offset < 0 || size < 0)
			return tar_damaged(r->entry.offset, "sparse map: negative number");
		TRY(tar_sparse_add(&r->map, r->entry.offset, (uint64_t)offset, (uint64_t)size));
	}
	return NULL;
}

fallible tar_sparse_old(struct tar_reader *r, const unsigned char *header)
{
	int64_t size;
	bool ended = false;
	bool more = header[482];
	r->map.n = 0;
	TRY(tar_number(header, 483, 12, r->entry.offset, "sparse file size", &size));
	if (size < 0)
		return tar_damaged(r->entry.offset, "sparse file size: negative");
	TRY(old_pieces(r, header + 386, 4, &ended));
	while (more) { // these blocks do not count to the stored size
		const unsigned char *block;
		TRY(tar_read_block(r, &block));
		if (!block)
			return tar_damaged(r->offset, "ends in a sparse map");
		more = block[504];
		if (ended && more)
			return tar_damaged(r->entry.offset, "sparse map: goes on after its end");
		TRY(old_pieces(r, block, 21, &ended));
	}
	return check_map(r, (uint64_t)size);
}

static fallible map_0_1(struct tar_reader *r)
{
	uint64_t values[2];
	unsigned n = 0;
	for (const char *c = r->pax.sparse_map; *c;) {
		size_t length = strcspn(c, ",");
		auto_free char *number = alloc_bytes(c, length < 32 ? length : 32);
		TRY(tar_pax_number(number, r->entry.offset, "GNU.sparse.map", &values[n++]));
		if (n == 2) {
			TRY(tar_sparse_add(&r->map, r->entry.offset, values[0], values[1]));
			n = 0;
		}
		c += length + (c[length] == ',');
	}
	return n ? tar_damaged(r->entry.offset, "PAX record GNU.sparse.map: odd") : NULL;
}

// One line of a 1.0 map. `used` counts the stored bytes taken for the map.
static fallible map_line(struct tar_reader *r, uint64_t *used, uint64_t *ret)
{
	char text[24];
	for (size_t n = 0; n < sizeof(text); n++) {
		const void *byte;
		size_t size;
		TRY(tar_read_stored(r, 1, &byte, &size));
		if (!size)
			break;
		++*used;
		text[n] = *(const char *)byte;
		if (text[n] == '\n') {
			text[n] = 0;
			return tar_pax_number(text, r->entry.offset, "sparse map", ret);
		}
	}
	return tar_damaged(r->entry.offset, "sparse map: a line without end");
}

static fallible map_1_0(struct tar_reader *r)
{
	uint64_t used = 0, n, values[2];
	TRY(map_line(r, &used, &n));
	if (n > TAR_SPARSE_MAX)
		return error_new(ERROR_LIMIT,
		                 "tar: offset %llu: more than %d pieces in a sparse file",
		                 (unsigned long long)r->entry.offset, TAR_SPARSE_MAX);
	for (uint64_t i = 0; i < n; i++) {
		TRY(map_line(r, &used, &values[0]));
		TRY(map_line(r, &used, &values[1]));
		TRY(tar_sparse_add(&r->map, r->entry.offset, values[0], values[1]));
	}
	for (size_t rest = (size_t)(-used % TAR_BLOCK), size; rest; rest -= size) {
		const void *padding;
		TRY(tar_read_stored(r, rest, &padding, &size));
		if (!size)
			return tar_damaged(r->entry.offset, "sparse map: not padded");
	}
	return NULL;
}

fallible tar_sparse_pax(struct tar_reader *r)
{
	const struct tar_pax *p = &r->pax;
	const char *size_text = p->sparse_realsize ? p->sparse_realsize : p->sparse_size;
	bool is_1_0 = p->sparse_major && !strcmp(p->sparse_major, "1");
	if (p->sparse_major && strcmp(p->sparse_major, "0") != 0 && !is_1_0)
		return error_new(ERROR_UNSUPPORTED, "tar: offset %llu: sparse format %.16s",
		                 (unsigned long long)r->entry.offset, p->sparse_major);
	if (is_1_0 && p->sparse_minor && strcmp(p->sparse_minor, "0") != 0)
		return error_new(ERROR_UNSUPPORTED, "tar: offset %llu: sparse format 1.%.16s",
		                 (unsigned long long)r->entry.offset, p->sparse_minor);
	if (!is_1_0 && !p->sparse_map && !p->sparse_pairs)
		return NULL; // a size or name alone doesn't make it sparse
	uint64_t size = r->left;
	if (size_text)
		TRY(tar_pax_number(size_text, r->entry.offset, "GNU.sparse.size", &size));
	if (is_1_0 || p->sparse_map)
		r->map.n = 0;
	if (is_1_0)
		TRY(map_1_0(r));
	else if (p->sparse_map)
		TRY(map_0_1(r));
	return check_map(r, size);
}
