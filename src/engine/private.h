// SPDX-License-Identifier: Apache-2.0
// What the files of engine/ share. Outsiders include engine/engine.h.
#pragma once
#include "engine/engine.h"
#include "network/network.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "snapshot/snapshot.h"
#include "store/store.h"
#include "sys/fd.h"
#include "transfer/client.h"
#include <signal.h>

struct engine {
	char *root, *state, *ns, *snapshotter; // NULL: the default of the room that it is for
	char *cni_conf_dir;
	struct strings cni_plugin_dirs;
	struct engine_sink sink;
	struct store *store; // opened by the first that needs it
	int stop_fd;         // readable: a signal wants the session to end; -1: there is none
	sigset_t signals;    // what was blocked before the session, or before the run that leaves
	bool leaves;         // life_leave() was called; `left` may be NULL
	struct runtime_task *left;
	int interrupt_fd; // readable: who runs a container won't wait for its hooks; -1
};

fallible engine_store(struct engine *e, struct store **ret); // borrowed
// session.c: a session of the (opened) store, after what killed commands left has been collected.
// SIGINT and its like end it, with nothing left. One at a time. The signal is let in by
// engine_end_session(), which then may not return.
fallible engine_begin_session(struct engine *e, struct store_session **ret);
fallible engine_end_session(struct engine *e, struct store_session *session);
void engine_warn(const struct engine *e, const char *format, ...) PRINTF(2, 3);
void engine_debug(const struct engine *e, const char *format, ...) PRINTF(2, 3);
void engine_progress(const struct engine *e, const struct engine_progress *progress);
// `snapshotter` NULL: the engine's.
fallible engine_snapshots(struct engine *e, const char *snapshotter, struct snapshots **ret);
// The worker with the engine's sinks. *ret_program holds the path; both live in the caller.
fallible engine_transfer(struct engine *e, struct transfer *ret, char **ret_program);
struct network_paths engine_network_paths(const struct engine *e);
// The path of one of our own programs; the caller's.
fallible engine_program(const char *name, char **ret);

// --- labels.c

struct label_list { // for requests: KEY=VALUE texts split; owns its items
	struct store_label *items;
	size_t n, capacity;
};
// "KEY=VALUE"; "KEY" alone is KEY=true if `bare` (containers), INVALID otherwise.
fallible labels_parse(const char *const *texts, size_t n, bool bare, struct label_list *ret);
void labels_set(struct label_list *l, const char *key, const char *value); // replaces
void labels_done(struct label_list *l);
#define auto_labels defer(labels_done)
static inline struct store_labels labels_view(const struct label_list *l)
{
	return (struct store_labels){.items = l->items, .n = l->n};
}
void labels_copy(const struct store_labels *from, struct engine_labels *ret);
// Changes labels of an object; *ret (may be NULL) gets all of them afterwards.
fallible engine_set_labels(struct engine *e, enum store_kind kind, const char *snapshotter,
                           const char *name, const char *const *labels, size_t n_labels,
                           bool replace_all, const struct store_labels *current,
                           struct engine_labels *ret);

// --- find.c

// What a name typed by a user means: the image of exactly that name, else of the completed one.
// NOT_FOUND: `image "x": not found`, with a hint.
fallible engine_find_image(struct engine *e, const char *typed, struct store_image **ret);
void engine_host_platform(struct oci_platform *ret);
// A lease that a pull made whose process is gone.
bool pull_is_dead(const struct store_lease *l);
// Where a single manifest is taken though it is for another platform.
void engine_warn_of_platform(struct engine *e, const char *name, const struct store_manifest *m,
                             const char *platform);
// The manifest to run: the best for `platform` (NULL: the host's; Windows if there is nothing
// else). An image that is a single manifest is taken as it is, as ctr does. Borrowed from `image`.
fallible engine_choose_manifest(const struct store_image *image, const char *platform,
                                const struct store_manifest **ret);

bool engine_is_windows(const struct store_manifest *m);
// Who keeps the layers of `m`: Windows' have a snapshotter of their own whatever is asked for.
const char *engine_snapshotter_for(const struct store_manifest *m, const char *snapshotter);

// --- unpack.c

// A manifest whose layers are to be unpacked: opens blob i, at its beginning.
typedef fallible open_layer(void *context, const struct store_manifest *m, size_t i, int *ret_fd);

struct unpacking; // layers of one session that were unpacked or found
fallible unpacking_begin(struct engine *e, struct store_session *session, const char *snapshotter,
                         struct unpacking **ret);
void unpacking_free(struct unpacking *u); // takes NULL
// Unpacks the layers of `m` that neither the store nor this unpacking has.
fallible unpacking_add(struct unpacking *u, const struct store_manifest *m, open_layer *open,
                       void *context);
// Beside a fetch: the layers of `m` that lack are unpacked as their blobs come, which needs and
// give are for; `m` must live until settle. What fails proves nothing, since a blob is only known
// to be right when all of it is there: settle waits for the end and keeps the layers that are
// whole, up to the first that isn't; unpacking_add() does the others and says what is wrong with
// them. *ret NULL: not with this snapshotter.
fallible unpacking_ahead(struct unpacking *u, const struct store_manifest *m,
                         struct transfer_unpacking **ret);
bool unpacking_needs(const struct unpacking *u, const char *digest);
// Takes both descriptors: the blob at its beginning, and -1 or an eventfd that tells how it grows.
void unpacking_give(struct unpacking *u, const char *digest, int blob_fd, int grown_fd);
void unpacking_settle(struct unpacking *u);
// For store_publish(): new snapshots and those that were found. Borrowed.
void unpacking_result(struct unpacking *u, struct store_publication *p);

// --- ingest.c

// Publishes the file `name` of the session as a blob that gc leaves alone; `diff_id` NULL: none.
fallible engine_keep_blob(struct engine *e, struct store_session *session, const char *name,
                          const struct store_descriptor *descriptor, const char *diff_id,
                          const char *const *labels, size_t n_labels);

// The whole file `from` to the descriptor `to`. Not while a session holds signals back.
fallible engine_copy_out(int from, int to);
// Writes a document into the session's `file`; texts of *ret go to the arena.
fallible engine_put_document(struct store_session *session, struct arena *arena, const char *file,
                             const char *text, const char *media_type,
                             struct store_descriptor *ret);

// --- snapshots.c

// The snapshotter that has `key`, where nobody chose one: the default one first, then Windows'.
fallible engine_snapshots_of(struct engine *e, const char *snapshotter, const char *key,
                             struct snapshots **ret);

// Unpacks a manifest whose blobs the store has, unless its snapshots are there.
fallible engine_ensure_unpacked(struct engine *e, const char *snapshotter,
                                const struct store_manifest *m);

static inline void unpacking_cleanup_(struct unpacking **u)
{
	unpacking_free(*u);
}
