// SPDX-License-Identifier: Apache-2.0
// Blobs, several at a time: threads that have a conversation with the registry each.
#pragma once
#include "registry/registry.h"
#include <stdatomic.h>
#include <stdbool.h>

enum { DOWNLOADERS_MAX = 32 };

struct download_job {
	struct registry_blob blob;
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
// Strings of `blob` must live as long.
void downloads_add(struct downloads *d, const struct registry_blob *blob);
// Fetches what the client hasn't. The first error ends it all.
fallible downloads_run(struct downloads *d, const struct registry_options *o, size_t n_at_once);
void downloads_done(struct downloads *d);
