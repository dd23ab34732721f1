// SPDX-License-Identifier: Apache-2.0
// Shared by the reader's files.
#pragma once
#include "base/memory.h"
#include "tar/tar.h"

enum { TAR_BLOCK = 512 };

// Header fields: offset and size (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar's tar.h).
// clang-format off
#define FIELD_NAME      0, 100
#define FIELD_MODE      100, 8
#define FIELD_UID       108, 8
#define FIELD_GID       116, 8
#define FIELD_SIZE      124, 12
#define FIELD_MTIME     136, 12
#define FIELD_CHECKSUM  148, 8
#define FIELD_TYPE      156
#define FIELD_LINK      157, 100
#define FIELD_MAGIC     257
#define FIELD_DEVMAJOR  329, 8
#define FIELD_DEVMINOR  337, 8
#define FIELD_PREFIX    345, 155
// clang-format on

// What PAX records say; a pointer is NULL where there was no (non-empty) record.
struct tar_pax {
	char *block; // owns what the pointers below point to
	size_t block_size;
	bool present;
	const char *path, *linkpath, *size, *uid, *gid, *mtime;
	const char *sparse_major, *sparse_minor, *sparse_name, *sparse_size, *sparse_realsize;
	const char *sparse_map, *sparse_count;
	bool sparse_pairs; // 0.0: offset and numbytes repeat; they are in `pieces`
	struct tar_record *xattrs, *records;
	size_t n_xattrs, n_records, xattrs_capacity, records_capacity;
};

// The pieces of a sparse file.
struct tar_map {
	struct tar_piece *pieces;
	size_t n, capacity;
};

struct tar_reader {
	struct tar_source source;
	const unsigned char *chunk;
	size_t chunk_size;
	uint64_t offset; // in the archive, of the next byte
	unsigned char block[TAR_BLOCK];

	uint64_t entries;
	struct tar_entry entry;
	char name[TAR_NAME_MAX + 1], link[TAR_NAME_MAX + 1];
	char *long_name, *long_link; // GNU's L and K, waiting for their entry
	struct tar_pax pax;

	uint64_t left;     // stored bytes of the entry still to be read
	unsigned padding;  // behind them
	uint64_t position; // in the file, of a plain one
	struct tar_map map;
	size_t piece;        // of a sparse one
	uint64_t piece_done; // bytes of it
	bool ended;
};

// reader.c
struct error *tar_damaged(uint64_t offset, const char *format, ...) PRINTF(2, 3);
fallible tar_read_block(struct tar_reader *r, const unsigned char **ret); // NULL at the end
fallible tar_read_whole(struct tar_reader *r, uint64_t size, char *to);   // and the padding
// The next stored bytes of the entry, at most `most`.
fallible tar_read_stored(struct tar_reader *r, size_t most, const void **ret, size_t *ret_size);
fallible tar_number(const unsigned char *header, size_t at, size_t size, uint64_t offset,
                    const char *what, int64_t *ret);

// pax.c
// Reads `block` (block_size bytes and a zero) into the fields. Pieces of sparse 0.0 go to `map`.
fallible tar_pax_parse(struct tar_pax *p, struct tar_map *map, uint64_t offset);
void tar_pax_clear(struct tar_pax *p);
fallible tar_pax_number(const char *text, uint64_t offset, const char *key, uint64_t *ret);
fallible tar_pax_time(const char *text, uint64_t offset, int64_t *ret_s, uint32_t *ret_ns);

// sparse.c
fallible tar_sparse_add(struct tar_map *map, uint64_t offset, uint64_t at, uint64_t size);
fallible tar_sparse_old(struct tar_reader *r, const unsigned char *header);
fallible tar_sparse_pax(struct tar_reader *r);
