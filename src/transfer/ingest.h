// SPDX-License-Identifier: Apache-2.0
// The files of an archive, as they come: each one into the ingest folder under a number, hashed on
// the way. Afterwards they are found by path or by digest.
#pragma once
#include "base/error.h"
#include "layer/layer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ingest_file {
	char *path;    // in the archive, cleaned; "" for what was made here
	char name[16]; // in the folder
	char digest[LAYER_DIGEST_SIZE];
	uint64_t size;
	unsigned char start[4]; // its first bytes
	const char *text;       // of a document that isn't in the folder (role `fetch`); borrowed
	bool keep;
	bool is_layer; // of an image (role `fetch`)
};

struct ingest {
	int dirfd;
	uint64_t limit_bytes, bytes;
	uint64_t total_bytes; // of the archive, for progress; 0: not known
	struct layer_hash *hash;
	struct ingest_file *files;
	size_t n_files, capacity;
	struct ingest_link { // symlinks and hard links between files
		char *path, *target;
	} * links;
	size_t n_links, links_capacity;
	size_t *by_path, *by_digest; // sorted indices into `files`
	size_t n_by_path, n_by_digest;
};
void ingest_done(struct ingest *in);

// Reads the whole archive.
fallible ingest_read(struct ingest *in, struct layer_stream *stream);
// Adds a document of ours. For ingest_find_digest() call ingest_index() afterwards.
fallible ingest_add(struct ingest *in, const char *text);
void ingest_index(struct ingest *in);
// Cleans `path`, relative to the folder of `from` if that isn't NULL. Ends inside the archive. The
// caller's.
char *ingest_clean_path(const char *from, const char *path);
// NULL if there is none. By path: links are followed.
struct ingest_file *ingest_find_path(struct ingest *in, const char *path);
struct ingest_file *ingest_find_digest(struct ingest *in, const char *digest);
// Reads a document back, with a zero behind it.
fallible ingest_text(const struct ingest *in, const struct ingest_file *f, size_t limit_bytes,
                     char **ret);
// Removes the files that nobody marked `keep`.
fallible ingest_sweep(struct ingest *in);
