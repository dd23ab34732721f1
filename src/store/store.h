// SPDX-License-Identifier: Apache-2.0
// The store: what exists. Two databases, blobs, folders of snapshots and writable layers, locks,
// garbage collection. It gives every name its meaning and every file its row.
// Called by: engine, snapshot. Knows nothing of registries, archives, processes or mounts.
//
// Promises:
//  1. A row never names what is not on disk; what is on disk without a row is garbage, and
//     store_gc_run() takes it. Holds after kill -9 and after a power cut.
//  2. What is *kept* (images, content, snapshots, leases, containers without --rm) is durable when
//     the function returns. What is *passing* (tasks, `run --rm` containers, their writable layers)
//     is never synced, and void after a reboot.
//  3. Any number of processes may use one store at once. A wait for the database ends after 30 s
//     with BUSY "the store is busy".
//  4. A namespace comes to be with the first object that is stored in it.
//
// Order of locks, never the other way:
//   container (store_claim) → network (libcni's, host-local's) → content/lock → database.
// content/lock is taken inside of the calls below and is never held while waiting for a network, a
// user or a container; no transaction is open over file work.
//
// Memory: what comes back is one block, freed by its ..._free() function (takes NULL); the texts
// in it die with it. What goes in is only read; a text that is
// NULL there counts as "". Times are nanoseconds since 1970, UTC.
// One `struct store` is for one thread. After fork() the child must not touch it.
// Design: docs/design.md §4.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum { STORE_ID_SIZE = 17 }; // 16 hex digits and a zero: also the text of an instance
#define STORE_DEFAULT_ROOT "/var/lib/coracle"
#define STORE_DEFAULT_STATE "/run/coracle"
#define STORE_LAYERS_LIMIT 500 // of one chain: overlayfs takes no more

struct store_options {
	const char *root;  // absolute; NULL: STORE_DEFAULT_ROOT. Made (0711) if it isn't there
	const char *state; // absolute; NULL: STORE_DEFAULT_STATE. Made (0700) if it isn't there
};

// Opens the store, and makes it if it isn't there. Cheap: the databases are opened by the first
// call that needs them. Wider modes of the two folders are tightened.
// Errors: UNSUPPORTED (network file system, database of a newer version), INVALID (not an absolute
// path; the store is in use with another state folder).
fallible store_open(const struct store_options *o, struct store **ret);
void store_close(struct store *s); // takes NULL
void store_rest(struct store *s);  // closes its databases until somebody needs them again

const char *store_id(const struct store *s);   // 16 hex digits, for ever the same
const char *store_root(const struct store *s); // absolute paths, without a slash at the end
const char *store_state(const struct store *s);
int store_rootfd(const struct store *s); // borrowed
int store_statefd(const struct store *s);

// INVALID, in containerd's words, unless `id` is fit for a namespace, container or lease:
// ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$, at most 76 characters.
fallible store_check_id(const char *id);
// The 16 hex digits by which the things of one life are named.
void store_instance_text(uint64_t instance, char ret[STORE_ID_SIZE]);

// --- labels ---------------------------------------------------------------------------------

struct store_labels { // sorted by key where they come back
	const struct store_label {
		const char *key, *value;
	} * items;
	size_t n;
};

enum store_kind {
	STORE_NAMESPACE,
	STORE_IMAGE,
	STORE_BLOB,
	STORE_SNAPSHOT,
	STORE_CONTAINER,
	STORE_LEASE,
	STORE_KINDS
};

struct store_labelled { // what store_set_labels() gives back
	struct arena *arena;
	struct store_labels labels;
};
void store_labelled_free(struct store_labelled *l);

// Sets the labels in `changes`; an empty value removes one. `snapshotter` is for snapshots alone.
// *ret (may be NULL) gets all labels of the object now. NOT_FOUND if there is no such object.
fallible store_set_labels(struct store *s, enum store_kind kind, const char *ns,
                          const char *snapshotter, const char *name,
                          const struct store_labels *changes, struct store_labelled **ret);

// --- namespaces -----------------------------------------------------------------------------

struct store_namespaces { // sorted by name
	struct arena *arena;
	struct store_namespace {
		const char *name;
		struct store_labels labels;
	} * items;
	size_t n;
};
fallible store_list_namespaces(struct store *s, struct store_namespaces **ret);
void store_namespaces_free(struct store_namespaces *n);
fallible store_create_namespace(struct store *s, const char *ns, const struct store_labels *labels);
// BUSY, with what is in it, unless it is empty; NOT_FOUND.
fallible store_remove_namespace(struct store *s, const char *ns);

// --- images ---------------------------------------------------------------------------------

struct store_descriptor {
	const char *media_type, *digest;
	uint64_t size_bytes;
};

struct store_layer {
	struct store_descriptor descriptor;
	const char *diff_id;
};

// One runnable platform of an image. The config is the one that the confined worker checked and
// wrote anew: nobody has to parse a blob again.
struct store_manifest {
	struct store_descriptor descriptor;
	const char *platform; // "linux/amd64", "linux/arm64/v8", "windows(10.0.20348.1)/amd64"
	const char *config_digest;
	const char *config;   // normalised JSON; NULL in lists
	const char *chain_id; // of all layers: key of the snapshot to stand on; "" without layers
	const struct store_layer *layers; // bottom first
	size_t n_layers;
	uint64_t size_bytes; // manifest, config and layers together, as `images ls` shows
};

struct store_image {
	const char *ns, *name;
	struct store_descriptor target; // index or manifest
	int64_t created_ns, updated_ns;
	struct store_labels labels;
	const struct store_manifest *manifests; // best platform first, as they were published
	size_t n_manifests;
	struct arena *arena; // NULL in lists
};
void store_image_free(struct store_image *i);

struct store_images { // sorted by name
	struct arena *arena;
	struct store_image *items;
	size_t n;
};
void store_images_free(struct store_images *l);

// The image of exactly this name, whole. NOT_FOUND: `image "x": not found`.
fallible store_find_image(struct store *s, const char *ns, const char *name,
                          struct store_image **ret);
fallible store_list_images(struct store *s, const char *ns, struct store_images **ret);
// Only the name: content and snapshots are the next gc's. NOT_FOUND.
fallible store_remove_image(struct store *s, const char *ns, const char *name);
// A second name for the same target. EXISTS unless `replace`; NOT_FOUND (from).
fallible store_tag_image(struct store *s, const char *ns, const char *from, const char *to,
                         bool replace);

// --- content --------------------------------------------------------------------------------

struct store_blob {
	struct store_descriptor descriptor;
	int64_t created_ns, updated_ns;
	struct store_labels labels;
};
struct store_blobs { // sorted by digest
	struct arena *arena;
	struct store_blob *items;
	size_t n;
};
void store_blobs_free(struct store_blobs *l);

// INVALID unless `digest` is "sha256:" and 64 lower-case hex digits.
fallible store_check_digest(const char *digest);
// Opens a blob of the namespace for reading. NOT_FOUND: `content sha256:…: not found`.
fallible store_open_blob(struct store *s, const char *ns, const char *digest, int *ret_fd,
                         uint64_t *ret_size_bytes);
fallible store_find_blob(struct store *s, const char *ns, const char *digest,
                         struct store_blobs **ret); // one item
fallible store_list_blobs(struct store *s, const char *ns, struct store_blobs **ret);
// What a blob names (index, manifest) and the namespace has.
fallible store_list_references(struct store *s, const char *ns, const char *digest,
                               struct store_blobs **ret);
// Removes the row, whatever refers to it; the file goes with the next gc. NOT_FOUND.
fallible store_remove_blob(struct store *s, const char *ns, const char *digest);

// --- snapshots: their rows and folders (the room snapshot/ gives them meaning) ---------------

enum store_snapshot_kind { STORE_ACTIVE, STORE_VIEW, STORE_COMMITTED };

struct store_snapshot {
	const char *ns, *snapshotter, *key;
	const char *parent; // "" for none
	enum store_snapshot_kind kind;
	uint64_t number; // its folder is snapshots/<snapshotter>/<number> below the root
	int64_t created_ns, updated_ns;
	uint64_t size_bytes, n_inodes; // of committed ones
	struct store_labels labels;
	struct arena *arena; // NULL in lists
};
void store_snapshot_free(struct store_snapshot *r);

struct store_snapshots { // sorted by key
	struct arena *arena;
	struct store_snapshot *items;
	size_t n;
};
void store_snapshots_free(struct store_snapshots *l);

// NOT_FOUND: `snapshot x does not exist: not found`.
fallible store_find_snapshot(struct store *s, const char *ns, const char *snapshotter,
                             const char *key, struct store_snapshot **ret);
fallible store_list_snapshots(struct store *s, const char *ns, const char *snapshotter,
                              struct store_snapshots **ret);
// The folders' numbers of `key` and all below it, top first; at most STORE_LAYERS_LIMIT + 1
// (LIMIT). *ret_numbers is the caller's. NOT_FOUND.
fallible store_snapshot_chain(struct store *s, const char *ns, const char *snapshotter,
                              const char *key, uint64_t **ret_numbers, size_t *ret_n);
// Opens snapshots/<snapshotter>/<number>. If it isn't there: CORRUPT when a row names it, NOT_FOUND
// when none does any more.
fallible store_open_snapshot(struct store *s, const char *snapshotter, uint64_t number,
                             int *ret_dirfd);
// Makes the active snapshot `key` the committed `name`. Everything in it is on disk before.
// NOT_FOUND, EXISTS (name), INVALID (not active).
fallible store_commit_snapshot(struct store *s, const char *ns, const char *snapshotter,
                               const char *key, const char *name, const struct store_labels *labels,
                               uint64_t size_bytes, uint64_t n_inodes);
// Removes the row, then renames the folder into the trash. NOT_FOUND; BUSY if it has children or
// is in use by a `run --rm` container. The messages lack ctr's `failed to remove "x": `.
fallible store_remove_snapshot(struct store *s, const char *ns, const char *snapshotter,
                               const char *key);

// --- sessions: how content, snapshots and images come into the store ------------------------

// A private folder whose owner is alive as long as its lock is held. What it holds at kill -9 is
// taken by the next gc.
struct store_session;
fallible store_begin_session(struct store *s, struct store_session **ret);
// An empty folder (0700) for blobs; borrowed.
int store_session_blobs(const struct store_session *x);
// Collects everything, if a session is there whose process died: for whoever begins one. Else it
// costs nothing.
fallible store_collect_dead_sessions(struct store *s);
// Makes the session's next snapshot folder, empty, 0700: *ret_layer is its number for
// store_new_snapshot, *ret_dirfd is the caller's. The driver makes `fs` and `work` in it.
fallible store_session_layer(struct store_session *x, size_t *ret_layer, int *ret_dirfd);
// Removes what has not been published, and the session. Takes NULL.
fallible store_end_session(struct store_session *x);

// Gives it the name by which store_list_ingests() knows it, once. BUSY, in containerd's words, if a
// live session has it; INVALID.
fallible store_name_session(struct store_session *x, const char *reference);
// What is being written: sessions (reference "session-<name>" if nobody named them) and blobs that
// are being fetched ("blob-sha256:…"), of all namespaces.
struct store_ingests { // sorted by reference
	struct arena *arena;
	struct store_ingest {
		const char *reference;
		uint64_t size_bytes; // so far
		int64_t started_ns;  // of a fetched blob: when bytes last came
	} * items;
	size_t n;
};
fallible store_list_ingests(struct store *s, struct store_ingests **ret);
void store_ingests_free(struct store_ingests *l);

enum store_partial_flags { STORE_PARTIAL_WAIT = 1 };
// Opens the file of a blob that is to be fetched, for reading and writing, with what an interrupted
// fetch has left in it, under an exclusive lock that belongs to the open file. BUSY if somebody
// else is fetching it, unless STORE_PARTIAL_WAIT: then it may be in the store when this returns.
// What is in it is nobody's word: hash it. The next gc takes it when it was not touched for a day.
fallible store_open_partial(struct store *s, const char *digest, int flags, int *ret_fd);
// Puts the file, whole and verified, into the session's folder of blobs as `name`; who has its lock
// may. Its first name stays, so that nobody begins the blob again before it is published: then
// remove it with store_remove_partial(), and last of all release the lock.
fallible store_session_adopt(struct store_session *x, const char *digest, const char *name);
// Removes it; who has its lock may. None is no error.
fallible store_remove_partial(struct store *s, const char *digest);

struct store_new_blob {
	struct store_descriptor
		descriptor; // digest and size have been verified by whoever wrote it
	const char *name; // in the session's folder of blobs; NULL: the store has it, only the row
	                  // is to be there
	struct store_labels labels;
	const char *const *references; // digests of blobs that it names and that are here or in the
	size_t n_references;           // store: gc keeps them with it
};

struct store_new_snapshot {
	const char *snapshotter, *key, *parent; // parent "" or NULL for none; parents come first
	enum store_snapshot_kind kind;
	size_t layer; // of this session
	bool empty;   // nothing but empty folders: spares syncing the whole file system
	struct store_labels labels;
	uint64_t size_bytes, n_inodes; // of a committed one: tree_usage() of its `fs`
};

struct store_new_image {
	const char *name;
	struct store_descriptor target;
	struct store_labels labels;
	const char *const *manifests; // digests, the best platform first
	size_t n_manifests;
};

struct store_publication {
	const char *ns;
	const struct store_new_blob *blobs;
	size_t n_blobs;
	const struct store_new_snapshot *snapshots;
	size_t n_snapshots;
	const struct store_manifest
		*manifests; // their descriptor's blob is in `blobs` or the store
	size_t n_manifests;
	const struct store_new_image *images; // an image of that name is replaced
	size_t n_images;
	// Committed snapshots that the caller found and does not bring: must still be there.
	const struct store_snapshot_name {
		const char *snapshotter, *key;
	} * needs;
	size_t n_needs;
};

// Publishes all of it or nothing, durably, in the order of facts: blobs synced and linked,
// snapshots synced and renamed, folders synced, then one transaction.
// A blob or committed snapshot that somebody published meanwhile is used in place of ours.
// Several publications of one session are fine (a layer or blob only once).
// Errors: EXISTS (active snapshot or view of that key: `snapshot "x": already exists`), NOT_FOUND
// (parent: `parent snapshot x does not exist: not found`; a reference, manifest or need that a gc
// took meanwhile: begin anew), INVALID (parent isn't committed), SYSTEM (ENOSPC…).
fallible store_publish(struct store_session *x, const struct store_publication *p);

// --- containers -----------------------------------------------------------------------------

// The right to change one container: an exclusive lock on state/NS/ID/lock. Held until released or
// the process dies.
struct store_claim;
enum store_claim_flags { STORE_CLAIM_WAIT = 1 };
// Makes the folder state/NS/ID (0700) if it isn't there and takes its lock; BUSY if another process
// holds it and STORE_CLAIM_WAIT isn't set. INVALID: ns or id.
fallible store_claim(struct store *s, const char *ns, const char *id, int flags,
                     struct store_claim **ret);
int store_claim_dirfd(const struct store_claim *c); // of state/NS/ID; borrowed
void store_claim_release(struct store_claim *c);    // takes NULL; the folder stays
// Removes the folder with all in it, then releases. For when the container is gone.
fallible store_claim_remove(struct store_claim *c);
// Opens state/NS/ID without the lock. NOT_FOUND.
fallible store_open_state_dir(struct store *s, const char *ns, const char *id, int *ret_dirfd);

enum store_life {
	STORE_KEPT,    // row in meta.db: outlives its process and a reboot
	STORE_PASSING, // `run --rm`: row in state.db
};

struct store_extension {
	const char *key, *type_url, *value; // value: text, as JSON
};

struct store_container {
	const char *ns, *id;
	uint64_t instance; // random_u64(): this life's name in everything that is made for it
	enum store_life life;
	const char *image, *image_digest; // "" without an image
	const char *snapshotter,
		*snapshot_key; // "" with --rootfs. A row of a kept container is put
	                       // before its snapshot is made: gc then leaves it alone
	const char *runtime, *runtime_options; // name, type URL
	const char *sandbox;                   // "" for none
	const char *spec;                      // JSON
	struct store_labels labels;
	const struct store_extension *extensions; // ctr.cni-containerd.metadata
	size_t n_extensions;
	int64_t created_ns, updated_ns; // set by store_put_…()
	struct arena *arena;            // NULL in lists
};
void store_container_free(struct store_container *c);

struct store_containers { // sorted by namespace and id
	struct arena *arena;
	struct store_container *items;
	size_t n;
};
void store_containers_free(struct store_containers *l);

// What lives: void after a reboot. Pids come with their start times; 0 is "not yet".
struct store_task {
	const char *ns, *id;
	uint64_t instance;
	int32_t owner_pid, monitor_pid, init_pid; // owner: the CLI, until there is a monitor
	uint64_t owner_start, monitor_start, init_start;
	const char *netns;                // GUID of /run/netns/cni-<guid>; "" for none
	bool cni;                         // DEL has to be called
	const char *network_id;           // container ID that ADD was called with; "" for none
	bool upper;                       // uppers/<instance> is its writable layer
	const char *cgroup;               // "" for none
	const char *snapshotter, *layers; // chain ID of the layers in use; "" for none
	const char *log_uri;
	bool terminal, detached;
	int64_t created_ns;  // set by store_put_…()
	struct arena *arena; // NULL in lists
};
void store_task_free(struct store_task *t);

struct store_tasks { // sorted by namespace and id
	struct arena *arena;
	struct store_task *items;
	size_t n;
};
void store_tasks_free(struct store_tasks *l);

// Puts the row of a kept or passing container, under its claim. EXISTS: `container "x": already
// exists`, if either database has it.
fallible store_put_container(struct store *s, const struct store_claim *claim,
                             const struct store_container *c);
// The start of `run --rm`: container and task in one transaction, and the layers are in use from
// then on; gc doesn't take them. EXISTS as above; NOT_FOUND: the layers are gone meanwhile, nothing
// was put: look the image up again.
fallible store_put_run(struct store *s, const struct store_claim *claim,
                       const struct store_container *c, const struct store_task *t);
// Puts or replaces the task of this instance. EXISTS: `task x: already exists` (of another
// instance). Layers in use as above.
fallible store_put_task(struct store *s, const struct store_claim *claim,
                        const struct store_task *t);
// NOT_FOUND: `container "x" in namespace "default": not found`. Looks at both databases.
fallible store_find_container(struct store *s, const char *ns, const char *id,
                              struct store_container **ret);
// Of one namespace, or of all (NULL). The specs are left out (NULL).
fallible store_list_containers(struct store *s, const char *ns, struct store_containers **ret);
// NOT_FOUND: `no running task found: task x not found`.
fallible store_find_task(struct store *s, const char *ns, const char *id, struct store_task **ret);
fallible store_list_tasks(struct store *s, const char *ns, struct store_tasks **ret);
// Remove the rows of this instance; a row of another life is left alone; none is no error.
fallible store_remove_container(struct store *s, const char *ns, const char *id, uint64_t instance);
fallible store_remove_task(struct store *s, const char *ns, const char *id, uint64_t instance);
// The end of `run --rm`: both in one transaction.
fallible store_remove_run(struct store *s, const char *ns, const char *id, uint64_t instance);

// --- writable layers of passing containers, trash -------------------------------------------

// Makes uppers/<instance>/{fs,work}; the task's row must be there already. `fs` gets the mode and
// owner of `like_fd` (-1: 0755, root). The two descriptors are the caller's.
fallible store_make_upper(struct store *s, uint64_t instance, int like_fd, int *ret_fs,
                          int *ret_work);
// Renames it into the trash: quick, and it can't be seen any more. None is no error.
fallible store_trash_upper(struct store *s, uint64_t instance);
// Deletes what has been renamed away, by anybody. Slow: after the answer. Two at once are fine.
// Mount points below are left (BUSY).
fallible store_empty_trash(struct store *s);

// --- leases ---------------------------------------------------------------------------------

struct store_resource {
	enum store_kind kind;    // STORE_BLOB or STORE_SNAPSHOT
	const char *snapshotter; // "" for blobs
	const char *name;        // digest, key
};
struct store_leases { // sorted by id
	struct arena *arena;
	struct store_lease {
		const char *id;
		int64_t created_ns, expires_ns; // 0: never
		struct store_labels labels;
		const struct store_resource *resources;
		size_t n_resources;
	} * items;
	size_t n;
};
void store_leases_free(struct store_leases *l);

// EXISTS: `lease "x": already exists`.
fallible store_create_lease(struct store *s, const char *ns, const struct store_lease *l);
fallible store_list_leases(struct store *s, const char *ns, struct store_leases **ret);
fallible store_add_to_lease(struct store *s, const char *ns, const char *id,
                            const struct store_resource *r);
// NOT_FOUND: `lease "x": not found`.
fallible store_remove_lease(struct store *s, const char *ns, const char *id);

// --- garbage --------------------------------------------------------------------------------

// Kept are: images with all they refer to and the snapshots of their chain IDs; resources of leases
// that have not expired; snapshots and blobs with the label containerd.io/gc.root; snapshots of
// containers; layers that a task uses; and what lies below any of these.
// Rows whose process died are not judged here: the engine removes containers and tasks of the dead
// first (it knows how to ask), then calls this.
struct store_garbage {
	struct arena *arena;
	struct store_garbage_item {
		const char *
			kind; // "blob", "snapshot", "lease", "blob file", "partial blob", "snapshot
		              // folder", "session", "writable layer", "state folder", "trash"
		const char *ns; // "" where it has none
		const char *name;
		const char *reason;
		uint64_t size_bytes; // 0: not known
	} * items;
	size_t n;
};
void store_garbage_free(struct store_garbage *g);

enum store_gc_flags {
	STORE_GC_CHECK = 1,    // the databases' own integrity too (CORRUPT)
	STORE_GC_PARTIALS = 2, // and blobs that are partly here, however new, unless they are held
};
// What would be taken now; takes nothing.
fallible store_gc_plan(struct store *s, int flags, struct store_garbage **ret);
// Takes it, says what, empties the trash and writes the databases' logs back. Several at once are
// fine; kill -9 at any moment is.
fallible store_gc_run(struct store *s, int flags, struct store_garbage **ret);

static inline void store_cleanup_(struct store **s)
{
	store_close(*s);
}
#define auto_store defer(store_cleanup_)
