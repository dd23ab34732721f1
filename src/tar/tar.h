// SPDX-License-Identifier: Apache-2.0
// Reading and writing tar: bytes in, entries out. Pure: no files, no clock.
// Called by: layer, transfer. Knows nothing of layers, whiteouts or file systems.
// Reads v7, ustar, PAX (POSIX.1-2017, pax, "pax Interchange Format") and GNU's format (tar's
// manual, "Basic Tar Format", "Storing Sparse Files": old 'S', 0.0, 0.1 and 1.0), as Go's
// archive/tar does, since the other container engines read by it. What is damaged is an error that
// names the thing and its offset; nothing is ever skipped to find the next good header.
//
// Names, links, keys and values are bytes, not characters. Nothing larger than a header, one PAX
// block and one sparse map is held.
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// clang-format off
enum tar_limit {
	TAR_NAME_MAX      = 4096,     // bytes of a name or link
	TAR_COMPONENT_MAX = 255,      // bytes between two slashes of a name
	TAR_DEPTH_MAX     = 1024,     // components of a name
	TAR_PAX_MAX       = 1 << 20,  // bytes of one entry's PAX records
	TAR_SPARSE_MAX    = 1 << 18,  // pieces of a sparse file
	TAR_ENTRIES_MAX   = 10000000,
	TAR_TRAILER_MAX   = 64 << 20, // bytes behind the end mark
};
// clang-format on

enum tar_type {
	TAR_FILE,
	TAR_DIRECTORY,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_CHAR_DEVICE,
	TAR_BLOCK_DEVICE,
	TAR_FIFO,
};

struct tar_piece { // of a sparse file: where data is
	uint64_t offset, size;
};

struct tar_record {
	const char *key, *value; // both with a zero behind them; the value may hold others
	size_t value_size;
};

struct tar_entry {
	enum tar_type type;
	const char *name; // as written: may be empty, absolute, hold "..", end in a slash
	const char *link; // target of a symlink or hard link, else ""
	uint32_t mode;    // 07777
	uint64_t uid, gid;
	uint64_t size; // of the file, holes included; 0 for everything that is no file
	int64_t mtime_s;
	uint32_t mtime_ns; // 0…999999999, added to mtime_s: -0.5 is {-1, 500000000}
	uint32_t dev_major, dev_minor;
	// SCHILY.xattr.* and LIBARCHIVE.xattr.*, decoded; the key is the attribute's name.
	const struct tar_record *xattrs;
	size_t n_xattrs;
	// All other PAX records but those that the fields above were made of.
	const struct tar_record *records;
	size_t n_records;
	bool sparse;
	// For writing: of a sparse file, ascending, within its size; the reader leaves them NULL.
	const struct tar_piece *pieces;
	size_t n_pieces;
	uint64_t offset; // of its header in the archive
};

// --- reading --------------------------------------------------------------------------------

// Gives the next bytes, *ret_size 0 at the end; they stay valid until the next call.
struct tar_source {
	fallible (*more)(void *arg, const void **ret_bytes, size_t *ret_size);
	void *arg;
};

struct tar_reader;
struct tar_reader *tar_reader_new(const struct tar_source *source);
void tar_reader_free(struct tar_reader *r); // takes NULL

// The next entry, valid until the next call; NULL at the end, after the whole source was read.
// Data of the last entry that wasn't read is skipped.
// Errors: CORRUPT (damaged), LIMIT, UNSUPPORTED (unknown type), and the source's own.
fallible tar_next(struct tar_reader *r, const struct tar_entry **ret);

// The next piece of the entry's data and where in the file it lies; *ret_size 0 at the end. Holes
// are skipped: whoever writes the file sets its size. Valid until the next call.
fallible tar_read(struct tar_reader *r, const void **ret_bytes, size_t *ret_size,
                  uint64_t *ret_offset);

static inline void tar_reader_cleanup_(struct tar_reader **r)
{
	tar_reader_free(*r);
}
#define auto_tar_reader defer(tar_reader_cleanup_)

// --- writing --------------------------------------------------------------------------------

// Takes bytes in order; all of them, or it fails.
struct tar_sink {
	fallible (*put)(void *arg, const void *bytes, size_t size);
	void *arg;
};

struct tar_writer {
	struct tar_sink sink;
	uint64_t left;    // data of the current entry that is still to come
	unsigned padding; // zeros after it
};

// Same entries, same bytes: no names of users, no time of ours, records sorted by key.
// ustar where it suffices, else a PAX header before it. `offset` is ignored. A sparse file is
// written in GNU's format 1.0; then the data that follows is that of its pieces alone.
// Errors: INVALID (a name longer than the limit, a key with '=', pieces that lie wrong), LIMIT (too
// many), the sink's own.
fallible tar_write_entry(struct tar_writer *w, const struct tar_entry *entry);
fallible tar_write(struct tar_writer *w, const void *bytes, size_t size); // INVALID: too many
fallible tar_write_end(struct tar_writer *w);                             // INVALID: data lacks
