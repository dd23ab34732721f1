// SPDX-License-Identifier: Apache-2.0
// Blobs, several at a time: threads that have a conversation with the registry each.
#pragma once
#include "registry/registry.h"
#include <stdatomic.h>
#include <stdbool.h>

enum { DOWNLOADERS_MAX = 32 };

struct download_job {
	struct registry_blob blob;
	bool is_upload;         // it goes out
	const char *mount_from; // of uploads: a repository that may have it; NULL: none
	bool is_sent;           // of uploads: it wasn't there
	atomic_uint_least64_t done_bytes;
	enum { JOB_WAITS, JOB_RUNS, JOB_ENDED, JOB_OVER } state;
	bool is_late; // somebody else is fetching it
	struct error *error;
};
struct downloads {
	struct download_job **jobs;
	size_t n, capacity;
	uint64_t bytes; // of all blobs that were fetched
};
// Strings of `blob` must live as long. The job may be made an upload.
struct download_job *downloads_add(struct downloads *d, const struct registry_blob *blob);
// Fetches what the client hasn't; sends what is an upload. The first error ends it all.
fallible downloads_run(struct downloads *d, const struct registry_options *o, size_t n_at_once);
void downloads_done(struct downloads *d);
