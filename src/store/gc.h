// SPDX-License-Identifier: Apache-2.0
// A collection: gc.c judges rows, sweep.c files. Private to store/.
#pragma once
#include "store/room.h"

struct gc {
	struct store *store;
	struct database *meta, *state;
	struct arena *arena; // of this collection
	struct store_garbage *garbage;
	size_t capacity;
	bool take;     // else only say
	bool partials; // take those of today, too
	int64_t now_ns;
};

// `kind` and `reason` are literals.
void gc_note(struct gc *g, const char *kind, const char *ns, const char *name, const char *reason,
             uint64_t size_bytes);

struct gc_names { // sorted
	const char **items;
	size_t n;
};
fallible gc_blob_names(struct gc *g, struct gc_names *ret); // files that have a row
bool gc_has_name(const struct gc_names *l, const char *name);

// Files, sessions and writable layers that no row knows. Under the exclusive content/lock.
fallible gc_sweep_files(struct gc *g);
// Folders of containers in the state that no row knows and nobody claims.
fallible gc_sweep_state(struct gc *g);
fallible gc_sweep_trash(struct gc *g);
