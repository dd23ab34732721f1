// SPDX-License-Identifier: Apache-2.0
// Snapshots: file trees that stack. A snapshot is active (writable), a view, or committed (a layer,
// never changed again). Drivers: `overlayfs` (default), `native` (full copies), and `windows`
// (layers of Windows images, overlaid by whoever runs them). Called by: engine. Knows nothing of
// images, registries or containers; mounts nothing. Specification: containerd 2.1,
// core/snapshots/snapshotter.go (meaning of keys and kinds); mounts and messages are those of
// ctr 2.1.1. Layout: <root>/snapshots/<snapshotter>/N/fs, and N/work of overlayfs' active ones.
// What is made or committed here is durable when the call returns; after kill -9 in the middle it
// does not exist, and gc takes its files.
#pragma once
#include "base/error.h"
#include "store/store.h"
#include <stddef.h>
#include <stdint.h>

#define SNAPSHOTS_DEFAULT "overlayfs"
#define SNAPSHOTS_WINDOWS "windows"

struct snapshots; // one snapshotter in one namespace; the store must outlive it; for one thread

// `snapshotter` NULL is the default. INVALID: `snapshotter not loaded: x: invalid argument`.
fallible snapshots_open(struct store *store, const char *ns, const char *snapshotter,
                        struct snapshots **ret);
void snapshots_close(struct snapshots *s);             // takes NULL
const char *snapshots_name(const struct snapshots *s); // "overlayfs"
// True if a new layer must hold all that lies below it (native).
bool snapshots_copies(const struct snapshots *s);

// What to mount, as ctr prints it: one entry each.
struct snapshot_mount {
	char *type, *source; // "overlay" "overlay", "bind" "/…/fs"
	char *target;        // "" always
	char **options;      // in ctr's order; NULL behind the last
	size_t n_options;
};
struct snapshot_mounts {
	struct snapshot_mount *items;
	size_t n;
};
void snapshot_mounts_free(struct snapshot_mounts *m); // takes NULL

// Makes the active snapshot (the view) `key` on top of the committed `parent` (NULL or "": none).
// ret (may be NULL) gets what to mount, the caller's.
// EXISTS: `snapshot "x": already exists`. NOT_FOUND: `parent snapshot x does not exist: not found`.
// INVALID: the parent isn't committed. LIMIT: more than STORE_LAYERS_LIMIT layers.
fallible snapshots_prepare(struct snapshots *s, const char *key, const char *parent,
                           const struct store_labels *labels, struct snapshot_mounts **ret);
fallible snapshots_view(struct snapshots *s, const char *key, const char *parent,
                        const struct store_labels *labels, struct snapshot_mounts **ret);
// Makes the active `key` the committed `name`; nobody may write into it any more. Waits until it
// is on disk. NOT_FOUND, EXISTS, INVALID (`… is not active: failed precondition`).
fallible snapshots_commit(struct snapshots *s, const char *name, const char *key,
                          const struct store_labels *labels);
// NOT_FOUND: `snapshot x does not exist: not found`. Of an active snapshot or a view.
fallible snapshots_mounts(struct snapshots *s, const char *key, struct snapshot_mounts **ret);
// The files are renamed away; store_empty_trash() deletes them, after the answer.
// BUSY: `failed to remove "x": cannot remove snapshot with child: failed precondition`; NOT_FOUND.
fallible snapshots_remove(struct snapshots *s, const char *key);
// The row. Free it with store_snapshot_free(), store_snapshots_free().
fallible snapshots_stat(struct snapshots *s, const char *key, struct store_snapshot **ret);
fallible snapshots_list(struct snapshots *s, struct store_snapshots **ret); // sorted by key
// Its own bytes on disk and inodes, without what lies below (native: all of it).
fallible snapshots_usage(struct snapshots *s, const char *key, uint64_t *ret_size_bytes,
                         uint64_t *ret_n_inodes);
fallible snapshots_set_labels(struct snapshots *s, const char *key,
                              const struct store_labels *changes, struct store_labelled **ret);

// --- the tree of a list ---------------------------------------------------------------------

struct snapshot_tree_row {
	size_t depth; // 0: a root
	size_t i;     // index into the list
};
// Roots first to last by key, children below their parent: list->n rows, the caller's (free()).
struct snapshot_tree_row *snapshots_tree(const struct store_snapshots *list);

// --- for whoever mounts by descriptors ------------------------------------------------------

struct snapshot_layers {
	int *fds; // directories (O_PATH), top first
	size_t n;
};
void snapshot_layers_free(struct snapshot_layers *l); // closes them; takes NULL
// The `fs` folders of the committed `key` and of all below it: what overlayfs takes as lower
// layers. native: one. Key "" gives none.
fallible snapshots_open_layers(struct snapshots *s, const char *key, struct snapshot_layers **ret);

struct snapshot_active {
	int fs, work; // of the snapshot itself; work is -1 for native and for views
	struct snapshot_layers *lower; // below it, top first; n 0: `fs` is the whole tree
};
void snapshot_active_free(struct snapshot_active *a); // closes them; takes NULL
// The folders of the active snapshot or view `key`: a view's `fs` is -1 unless it is all there is.
fallible snapshots_open_active(struct snapshots *s, const char *key, struct snapshot_active **ret);

// --- for whoever unpacks --------------------------------------------------------------------

struct snapshot_new_layer {
	size_t layer; // for store_new_snapshot.layer
	int fs;       // to unpack into: empty (overlayfs), or a full copy of what is below (native)
};
void snapshot_new_layer_done(struct snapshot_new_layer *l); // closes fs
// Makes a folder in the session for a layer on top of `parent_fs`: the `fs` of the layer below,
// which may be a new one of this session; -1 for none. It is published by store_publish(), with its
// chain ID as key.
fallible snapshots_new_layer(struct snapshots *s, struct store_session *session, int parent_fs,
                             struct snapshot_new_layer *ret);

static inline void snapshots_cleanup_(struct snapshots **s)
{
	snapshots_close(*s);
}
#define auto_snapshots defer(snapshots_cleanup_)
