// SPDX-License-Identifier: Apache-2.0
// The engine: one call per user's intention. The only room that knows all the others; every face
// (the command line today, a daemon or a library later) stands on it.
// Called by: cli. Hints that name commands are made here.
//
// Results are the caller's: X_free() where there is one. Strings in requests are borrowed for the
// call. Durability: what is kept (images, snapshots, containers without `remove`) is on disk when
// a call returns; kill -9 anywhere leaves what the next command or gc collects (docs/design.md §4).
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdint.h>

struct engine;

struct engine_progress {
	const char *item;                 // "layer sha256:12ab…"; printable
	size_t item_i, n_items;           // n_items 0: not known
	uint64_t done_bytes, total_bytes; // total 0: not known
	bool finished;                    // the item is done: worth a line where there is no bar
};

// How the engine speaks while it works; all may be NULL.
struct engine_sink {
	void (*warn)(void *context, const char *line);
	void (*debug)(void *context, const char *line);
	void (*progress)(void *context, const struct engine_progress *progress);
	void *context;
};

struct engine_options {
	const char *root;                   // NULL: /var/lib/coracle
	const char *state;                  // NULL: /run/coracle
	const char *ns;                     // containerd's namespace; NULL: "default"
	const char *snapshotter;            // NULL: overlayfs
	const char *cni_conf_dir;           // NULL: /etc/cni/net.d
	const char *const *cni_plugin_dirs; // ends in NULL; NULL: the usual two
	struct engine_sink sink;
};

// Checks names, opens nothing yet: each call opens what it needs. Errors: INVALID (namespace).
fallible engine_open(const struct engine_options *options, struct engine **ret);
void engine_close(struct engine *engine); // takes NULL

struct engine_label {
	char *key, *value;
};
struct engine_labels {
	struct engine_label *items; // sorted by key
	size_t n;
};

// --- Images

struct engine_import {
	int fd;                 // the archive, from its beginning; borrowed
	const char *base_name;  // NULL: "import-<date>" for entries without a full name
	const char *index_name; // name for the archive's index; NULL: none
	bool digests;           // also store entries under base_name@digest
	bool skip_digest_for_named;
	bool all_platforms;
	const char *platform; // NULL: the host's
	bool no_unpack;
	bool local, sync_fs, compress_blobs, discard_unpacked_layers; // accepted; see docs
	const char *const *labels;                                    // KEY=VALUE
	size_t n_labels;
	const char *snapshotter; // NULL: the engine's
};
// Reads an image archive (OCI layout or docker-archive, plain or compressed), publishes its blobs
// and images and unpacks the layers of the chosen platform. *ret gets the names stored, in order.
// Durable when it returns; before that nothing of it is listed.
fallible engine_import(struct engine *engine, const struct engine_import *request,
                       struct strings *ret);

struct engine_export {
	int fd; // takes the tar; borrowed
	const char *const *names;
	size_t n_names;
	const char *const *platforms; // n 0: the host's
	size_t n_platforms;
	bool all_platforms;          // all that are here
	bool skip_manifest_json;     // docker's part
	bool skip_non_distributable; // layers that registries may not hand on
};
// Writes images into one archive that is an OCI layout and docker's at once. All of them are looked
// up before the first byte is written. Errors: NOT_FOUND (an image, a platform, a blob), SYSTEM.
fallible engine_export(struct engine *engine, const struct engine_export *request);

// How a registry is spoken to, and as whom.
struct engine_registry {
	bool plain_http, skip_verify;
	const char *tls_ca, *tls_cert, *tls_key; // paths; NULL: none
	const char *hosts_dir;      // NULL: /etc/coracle/certs.d, /etc/containerd/certs.d
	const char *user, *secret;  // NULL: what docker's config.json says
	const char *identity_token; // a refresh token, in place of these; NULL: none
	const char *docker_config;  // the folder that config.json lies in; NULL: none
	bool dump, trace;           // the sink's `debug` is told what goes and comes; of its times
};

struct engine_pull {
	const char *reference;        // short names are completed
	const char *const *platforms; // the best manifest of each; n 0: the host's
	size_t n_platforms;
	bool all_platforms;
	bool no_unpack;
	// Manifests and configs alone, of all platforms unless some are named: the image is listed
	// and isn't complete. Implies no_unpack.
	bool metadata_only;
	const char *snapshotter;   // NULL: the engine's
	const char *const *labels; // KEY=VALUE, of the image
	size_t n_labels;
	size_t max_downloads; // at once; 0: 3
	bool quietly;         // no word of a manifest for another platform: the caller has one
	struct engine_registry registry;
};
// Pulls an image: blobs and layers that are there are neither fetched nor unpacked again, an
// interrupted pull is gone on with. *ret_name (the caller's) is the name that is stored, *ret_chain
// (may be NULL) the chain ID of the platform that was unpacked.
// Durable when it returns. After an error what came is kept for a day for the next pull, unless it
// was wrong. Errors: NOT_FOUND (no such image or platform), INVALID, CORRUPT, LIMIT, UNSUPPORTED…
fallible engine_pull(struct engine *engine, const struct engine_pull *request, char **ret_name,
                     char **ret_chain);

// Asks the registry `server` ("" or "docker.io": Docker Hub) whether it knows the user of
// `registry`, then keeps that in the config.json of its folder, or with the credential helper that
// it names. *ret_plain (may be NULL): the secret stands there readable. INVALID: the registry says
// no.
fallible engine_login(struct engine *engine, const char *server,
                      const struct engine_registry *registry, bool *ret_plain);
// Forgets it. NOT_FOUND: nobody was logged in there.
fallible engine_logout(struct engine *engine, const char *server, const char *docker_config);

struct engine_push {
	const char *remote;   // the reference to push to
	const char *local;    // the image; NULL: of the same name
	const char *manifest; // digest of a manifest or index to push in its place; NULL
	const char *manifest_type;
	const char *platform; // its manifest alone; NULL: what the image's name stands for
	bool with_non_distributable;
	bool alone;         // `manifest`, which may be any blob then, without what it names
	size_t max_uploads; // at once; 0: 3
	struct engine_registry registry;
};
// Pushes an image with all that it names: what the registry has is not sent again, what it has in
// another repository is mounted. Errors: NOT_FOUND (the image, a blob of it), INVALID (refused)…
fallible engine_push(struct engine *engine, const struct engine_push *request);

struct engine_object {
	const char *reference;
	const char *object; // a tag or digest in its place; NULL: what it names
	bool is_blob;       // `object` is the digest of a blob; else a manifest or index
	int fd;             // takes the bytes, all of them right; borrowed
	struct engine_registry registry;
};
// Gets one object of a registry, which isn't stored. Errors: NOT_FOUND, CORRUPT, INVALID…
fallible engine_fetch_object(struct engine *engine, const struct engine_object *request);

struct engine_commit {
	const char *container, *image; // the image's name is completed
	const char *author, *message;  // NULL: none
	const char *const *changes;    // instructions of a Dockerfile: "CMD [\"sh\"]"
	size_t n_changes;
	bool no_pause;           // don't freeze a running container meanwhile
	const char *compression; // "gzip" (NULL), "zstd"
};
// Makes an image of a container's image and what the container has changed. *ret_digest (the
// caller's) is that of its manifest. A running container is frozen while its files are read and
// goes on whatever becomes of us; one that was paused stays so. Durable when it returns; before,
// nothing of it is listed. Errors: NOT_FOUND (container, or its image is gone), UNSUPPORTED (not
// overlayfs, a folder as root), INVALID (name, change), BUSY (removed meanwhile)…
fallible engine_commit(struct engine *engine, const struct engine_commit *request,
                       char **ret_digest);

struct engine_image {
	char *name, *media_type, *digest;
	uint64_t size_bytes;            // manifest, config and layers of this platform
	uint64_t target_size_bytes;     // of the target's own blob
	int64_t created_ns, updated_ns; // since 1970
	struct strings platforms;       // sorted
	struct engine_labels labels;
	// for `images check`
	size_t n_blobs, n_present;
	uint64_t blobs_bytes, present_bytes;
	bool is_complete, is_unpacked;
};
struct engine_images {
	struct engine_image *items; // sorted by name
	size_t n;
};
void engine_images_free(struct engine_images *images); // takes NULL

// `filters` are containerd's (oci/filter.h): name==X, ~=, labels."k"; several are or'ed.
fallible engine_image_list(struct engine *engine, const char *const *filters, size_t n_filters,
                           bool check, const char *snapshotter, struct engine_images **ret);
// Removes the name; blobs and snapshots that nothing needs any more go with it. A name that isn't
// there is NOT_FOUND (ctr only warns; cli decides).
fallible engine_image_remove(struct engine *engine, const char *name);
// The keys of the snapshots that the image of the host's platform stands on, the topmost first.
// INVALID: it isn't unpacked there. *ret is the caller's: strings_done().
fallible engine_image_snapshots(struct engine *engine, const char *snapshotter, const char *name,
                                struct strings *ret);
// Removes all images that no container was made of, with what only they need; *ret gets their
// names, also after an error. A container that is just being made keeps its layers, not the name.
fallible engine_image_prune(struct engine *engine, struct strings *ret);
struct engine_convert {
	const char *source, *target;  // the target's name is completed
	bool oci;                     // Docker's media types become OCI's
	const char *compression;      // of layers: "none", "gzip", "zstd"; NULL: as they are
	const char *const *platforms; // none: the host's
	size_t n_platforms;
	bool all_platforms; // that are here
};
// Makes an image of another in other formats; an index keeps only what was converted. What needs no
// change keeps its digest. Layers' bytes are verified. Nothing is unpacked, durable when it
// returns; a name that exists is replaced. *ret_digest is the caller's. Errors: NOT_FOUND (image,
// platform, a blob), CORRUPT, UNSUPPORTED (an index in an index, an unknown media type).
fallible engine_image_convert(struct engine *engine, const struct engine_convert *request,
                              char **ret_digest);
// Makes `target` name what `source` names. An existing name is replaced if `force`, else EXISTS.
fallible engine_image_tag(struct engine *engine, const char *source, const char *target,
                          bool force);
// Sets labels (KEY=VALUE; "KEY=" removes); `replace_all` drops the others. *ret: all afterwards.
fallible engine_image_label(struct engine *engine, const char *name, const char *const *labels,
                            size_t n_labels, bool replace_all, struct engine_labels *ret);
void engine_labels_done(struct engine_labels *labels);

// A tree of what an image is made of, the image itself at its root.
struct engine_node {
	char *media_type, *digest, *platform; // platform NULL where it means nothing
	uint64_t size_bytes;
	char *content; // the document, for manifests, indexes and configs; NULL otherwise
	struct engine_labels labels;
	struct engine_node *children;
	size_t n_children;
	bool is_missing;
};
struct engine_image_tree {
	char *name;
	int64_t created_ns, updated_ns;
	struct engine_labels labels;
	struct engine_node node;
};
fallible engine_image_inspect(struct engine *engine, const char *name, bool content,
                              struct engine_image_tree **ret);
void engine_image_tree_free(struct engine_image_tree *tree); // takes NULL

struct engine_mount_image {
	const char *name, *target;
	bool rw;
	const char *platform;    // NULL: the host's
	const char *snapshotter; // NULL: the engine's
	const char *const *labels;
	size_t n_labels;
};
// Mounts the image's root at an existing directory. The snapshot's key is the target path.
// *ret_chain_id is the caller's.
fallible engine_image_mount(struct engine *engine, const struct engine_mount_image *request,
                            char **ret_chain_id);
// Unmounts; `remove` also removes the snapshot.
fallible engine_image_unmount(struct engine *engine, const char *target, bool remove,
                              const char *snapshotter);

// Windows images of our own making, in Windows' layer format: imported under `name`. *ret_name, the
// whole name, is the caller's.
struct engine_windows_base {
	const char *name;
	const char *os_version; // NULL: 10.0.20348.1
	uint64_t fill_bytes;    // programs and data besides, for benches
};
fallible engine_create_windows_base(struct engine *engine,
                                    const struct engine_windows_base *request, char **ret_name);
struct engine_windows_layer {
	const char *base, *folder, *name;
	const char *target; // where the folder's files go; NULL: C:\ itself
};
fallible engine_add_windows_layer(struct engine *engine, const struct engine_windows_layer *request,
                                  char **ret_name);

// --- Content and leases

struct engine_blob {
	char *digest;
	uint64_t size_bytes;
	int64_t created_ns;
	struct engine_labels labels;
};
struct engine_ingest {
	const char *reference;        // what engine_content_active() shows meanwhile
	int fd;                       // read to its end; borrowed
	uint64_t expected_size_bytes; // 0: any
	const char *expected_digest;  // NULL: any
};
// Stores bytes as a blob that gc leaves alone. Durable when it returns. *ret_digest is the
// caller's. Errors: INVALID (not what was expected), BUSY (reference in use), SYSTEM…
fallible engine_content_ingest(struct engine *engine, const struct engine_ingest *request,
                               char **ret_digest);
// Hands a copy of the blob to `editor`, a shell's command that gets its path behind it, and stores
// what is there afterwards as above. INVALID: the editor failed.
fallible engine_content_edit(struct engine *engine, const char *digest, const char *editor,
                             char **ret_digest);
// Removes the layers' blobs of images that are unpacked: these run, and can't be pushed, exported
// or committed on until they are pulled again. *ret: the digests, also after an error; `dry`: of
// what would be removed.
fallible engine_content_prune(struct engine *engine, bool dry, struct strings *ret);
struct engine_ingests { // sorted by reference
	struct engine_active {
		char *reference;
		uint64_t size_bytes; // so far
		int64_t started_ns;
	} * items;
	size_t n;
};
// What is being written, by all processes. `pattern`: NULL or an extended regular expression of
// POSIX that the reference matches anywhere. INVALID.
fallible engine_content_active(struct engine *engine, const char *pattern,
                               struct engine_ingests **ret);
void engine_ingests_free(struct engine_ingests *l); // takes NULL

struct engine_blobs {
	struct engine_blob *items; // sorted by digest
	size_t n;
};
void engine_blobs_free(struct engine_blobs *blobs); // takes NULL
fallible engine_content_list(struct engine *engine, struct engine_blobs **ret);
// For reading, at its beginning; the caller's. Of digests: INVALID and NOT_FOUND in ctr's words.
fallible engine_content_open(struct engine *engine, const char *digest, int *ret_fd);
// Whatever needs it.
fallible engine_content_remove(struct engine *engine, const char *digest);
fallible engine_content_label(struct engine *engine, const char *digest, const char *const *labels,
                              size_t n_labels, struct engine_labels *ret);

struct engine_lease {
	char *id;
	int64_t created_ns, expires_ns; // 0: never
	struct engine_labels labels;
};
struct engine_leases {
	struct engine_lease *items; // sorted by ID
	size_t n;
};
void engine_leases_free(struct engine_leases *leases); // takes NULL
fallible engine_lease_list(struct engine *engine, const char *const *filters, size_t n_filters,
                           struct engine_leases **ret);
// `id` NULL: a random one; life 0: without an end. *ret_id is the caller's.
fallible engine_lease_create(struct engine *engine, const char *id, int64_t life_ns,
                             const char *const *labels, size_t n_labels, char **ret_id);
fallible engine_lease_remove(struct engine *engine, const char *id);

// --- Snapshots. `snapshotter` NULL: the engine's.

struct engine_snapshot {
	char *key, *parent; // parent "" for none
	const char *kind;   // "Active", "View", "Committed"
	char *snapshotter;
	struct engine_labels labels;
	int64_t created_ns, updated_ns;
};
struct engine_snapshots {
	struct engine_snapshot *items; // sorted by key
	size_t n;
};
void engine_snapshots_free(struct engine_snapshots *snapshots); // takes NULL
fallible engine_snapshot_list(struct engine *engine, const char *snapshotter,
                              struct engine_snapshots **ret);
fallible engine_snapshot_info(struct engine *engine, const char *snapshotter, const char *key,
                              struct engine_snapshots **ret); // one item

struct engine_mount {
	char *type, *source, *target;
	struct strings options;
};
struct engine_mounts {
	struct engine_mount *items;
	size_t n;
};
void engine_mounts_free(struct engine_mounts *mounts); // takes NULL
// prepare, or with `view` a read-only one.
fallible engine_snapshot_prepare(struct engine *engine, const char *snapshotter, const char *key,
                                 const char *parent, bool view, struct engine_mounts **ret);
fallible engine_snapshot_commit(struct engine *engine, const char *snapshotter, const char *key,
                                const char *active);
fallible engine_snapshot_mounts(struct engine *engine, const char *snapshotter, const char *key,
                                struct engine_mounts **ret);
fallible engine_snapshot_remove(struct engine *engine, const char *snapshotter, const char *key);
fallible engine_snapshot_usage(struct engine *engine, const char *snapshotter, const char *key,
                               uint64_t *ret_bytes, uint64_t *ret_inodes);
fallible engine_snapshot_label(struct engine *engine, const char *snapshotter, const char *key,
                               const char *const *labels, size_t n_labels,
                               struct engine_labels *ret);
struct engine_diff {
	const char *key;   // what it changes against its parent
	const char *other; // NULL, or a snapshot on top of `key`
	const char *snapshotter, *media_type;
	int fd;                    // takes the layer; borrowed
	bool keep;                 // as a blob too
	const char *reference;     // NULL, or what `content active` shows meanwhile; BUSY if in use
	const char *const *labels; // of the blob
	size_t n_labels;
};
fallible engine_snapshot_diff(struct engine *engine, const struct engine_diff *request);
// Unpacks the manifest or index `digest` that is in the store; *ret_chain_id is the caller's.
fallible engine_snapshot_unpack(struct engine *engine, const char *snapshotter, const char *digest,
                                char **ret_chain_id);

// --- Running

struct spec_request; // engine/spec.h: what the flags say of the spec; cli fills it

struct engine_run {
	const char *image; // NULL with `config`; a folder with spec->rootfs
	const char *id;
	bool is_named;                   // `id` came by a flag: it is no word behind the image
	const char *config;              // path of a config.json, or NULL
	const struct spec_request *spec; // what the flags say
	// How the image is pulled if it isn't there, or anew, with `pull_always`; its reference and
	// platform are those of this request. NULL: never.
	const struct engine_pull *pull;
	bool pull_always;
	const char *platform;      // NULL: the host's, Windows if the image has only that
	const char *snapshotter;   // NULL: the engine's
	const char *pid_file;      // NULL: none
	const char *const *labels; // KEY=VALUE
	size_t n_labels;
	const char *const *snapshot_labels; // KEY=VALUE, of the snapshot that is kept
	size_t n_snapshot_labels;
	const char *stop_signal; // a signal's name or number; NULL: the image's
	const char *sandbox;     // for the record; NULL: none
	bool remove;             // --rm
	bool cni;
	bool null_io;
	bool no_pivot;
	const char *cgroup;  // literal; NULL: ours
	const char *runtime; // for the record; NULL: io.containerd.runc.v2
	int stdio[3];        // the program's; -1: /dev/null
	bool detach;         // don't wait; output goes to a log, input is /dev/null
	const char *log_uri; // file:///path, binary:///program (engine/logger.h); NULL: none
	// If the spec asks for a terminal: keys that let go of it, as docker writes them; NULL:
	// "ctrl-p,ctrl-q", "": none. Standard input must be a terminal then, unless `detach`.
	const char *detach_keys;
	// The log of a detached container: `log_files` (1 to 9) of `log_size_bytes` each; 0: the
	// usual 3 of 10 MiB.
	uint64_t log_size_bytes;
	unsigned log_files;
};
// Runs a container to its end: claims the ID, makes everything, starts, forwards the signals that
// the caller gets, waits, reports the exit code (128+n on a signal), and cleans up.
// With `detach` it returns once the program runs (*ret_exit_code 0); whoever is there at its end
// cleans. A kept container's task then stays, stopped, with its exit code and its log.
// Errors: NO_PROGRAM, NOT_EXECUTABLE, EXISTS (ID in use), NOT_FOUND (image), INVALID, …; then
// nothing is left behind, also without `remove`. (ctr leaves a snapshot.)
fallible engine_run(struct engine *engine, const struct engine_run *request, int *ret_exit_code);
// The config.json that engine_run() would use; JSON text, the caller's. Nothing is made.
fallible engine_spec(struct engine *engine, const struct engine_run *request, char **ret);

// Makes the container without starting it: record and writable layer, durable. `detach`, `stdio`
// and the log mean nothing yet. Errors as engine_run().
fallible engine_container_create(struct engine *engine, const struct engine_run *request);
// Starts the process of a kept container that has none. Of the request count: id, detach, null_io,
// no_pivot, pid_file, log_uri and the log's sizes, stdio; its network is attached as at first.
// Waits as engine_run(). A task that has ended is EXISTS, unless `replace` lets it go first.
fallible engine_task_start(struct engine *engine, const struct engine_run *request, bool replace,
                           int *ret_exit_code);

struct engine_exec {
	const char *id;          // of a running container
	const char *exec_id;     // by which others find the process; NULL: nobody does
	const char *const *args; // ends with NULL
	const char *const *env;  // NAME=VALUE over the container's; NULL: none
	size_t n_env;
	const char *cwd, *user;  // NULL: the container's
	bool tty;                // give it a terminal
	const char *detach_keys; // as engine_run's
	bool detach;             // don't wait; without log_uri the output is dropped
	const char *log_uri;     // as engine_run's
	int stdio[3];            // as engine_run's
};
// Runs one more process in a container, with its namespaces, groups and limits. Waits as
// engine_run(). A detached one with an ID stays known, after its end too, until
// engine_task_remove(). Errors: NOT_FOUND (container, task), INVALID (`cannot exec in a paused
// state`, ID, user, cwd), EXISTS (exec_id), NO_PROGRAM, NOT_EXECUTABLE.
fallible engine_exec(struct engine *engine, const struct engine_exec *request, int *ret_exit_code);

// What a monitor executes when nobody is there at the end of a container.
fallible engine_clean_up(struct engine *engine, const char *id, uint64_t instance);

// --- Containers and tasks

struct engine_container {
	char *id, *image, *runtime, *snapshotter, *snapshot_key;
	struct engine_labels labels;
	int64_t created_ns, updated_ns;
	char *spec;   // JSON
	char *cni;    // JSON of the extension, NULL for none
	bool removes; // run --rm
	// its task, if it has one
	const char *status; // "CREATED", "RUNNING", "PAUSED", "STOPPED"; NULL: no task
	int64_t pid;
	int exit_code; // of a stopped one
	char *command; // the spec's args as a shell would show them
};
struct engine_containers {
	struct engine_container *items; // sorted by ID
	size_t n;
};
void engine_containers_free(struct engine_containers *containers); // takes NULL
fallible engine_container_list(struct engine *engine, const char *const *filters, size_t n_filters,
                               struct engine_containers **ret);
fallible engine_container_info(struct engine *engine, const char *id,
                               struct engine_containers **ret); // one item
// Removes a container that isn't running, its snapshot too unless `keep_snapshot`. With `force` a
// running one is killed first.
fallible engine_container_remove(struct engine *engine, const char *id, bool keep_snapshot,
                                 bool force);
fallible engine_container_label(struct engine *engine, const char *id, const char *const *labels,
                                size_t n_labels, struct engine_labels *ret);
struct engine_log_line {
	const char *bytes; // with its "\n", but for a line that was divided or cut off
	size_t size;
	const char *time; // RFC 3339, UTC
	bool is_error;    // it came from standard error
};
struct engine_logs {
	const char *id;
	bool follow;            // wait for more until the container ends
	bool stops_with_output; // …or until nobody reads our standard output
	int64_t tail;           // the last so many lines; -1: all
	int64_t since_ns;       // lines from then on; 0: all
	bool (*line)(void *context, const struct engine_log_line *line); // false: no more
	void *context;
};
// Reads the log of a detached container. NOT_FOUND: no container, no task, or it has no log.
fallible engine_logs(struct engine *engine, const struct engine_logs *request);

// `signal` as ctr takes it ("9", "kill", "SIGKILL"); NULL: the image's stop signal, else SIGTERM.
// `all`: every process of the container; `exec_id`: that one of engine_exec() (NULL: the first
// process). Ended already: NOT_FOUND.
fallible engine_task_kill(struct engine *engine, const char *id, const char *exec_id,
                          const char *signal, bool all);
// Sends the signal (NULL: as above), and SIGKILL to all that hasn't ended after `timeout_ms` (-1:
// never). Returns when it has ended; one that has is fine.
fallible engine_task_stop(struct engine *engine, const char *id, const char *signal,
                          int64_t timeout_ms);
struct engine_attach {
	const char *id;
	const char *detach_keys; // as engine_run's
	int stdio[3];
	// Lines of its log, where it has no terminal.
	bool (*line)(void *context, const struct engine_log_line *line); // false: no more
	void *context;
};
// Shows what a running container says from now on, until its end: its terminal, with input, or its
// log. Signals go to its first process. INVALID: it has neither.
fallible engine_task_attach(struct engine *engine, const struct engine_attach *request,
                            int *ret_exit_code);
// Waits for the end of a running one, or gives the code of one that has ended.
fallible engine_task_wait(struct engine *engine, const char *id, int *ret_exit_code);
// Removes a task that has ended, its log too; the container stays. `force` kills it first, else
// BUSY. With `exec_id` the process of that ID alone.
fallible engine_task_remove(struct engine *engine, const char *id, const char *exec_id, bool force,
                            int *ret_exit_code);
// INVALID: `cannot pause a paused container`, `cannot resume a running process`, …
fallible engine_task_pause(struct engine *engine, const char *id);
fallible engine_task_resume(struct engine *engine, const char *id);

struct engine_processes {
	struct engine_process {
		int64_t pid, parent; // as the host sees them
		char *exec_id;       // NULL: none
		char state;          // as proc(5): R, S, D, Z…
		uint64_t cpu_ms, resident_bytes;
		char *command; // its arguments, foreign text
	} * items;
	size_t n;
};
void engine_processes_free(struct engine_processes *processes); // takes NULL
fallible engine_task_processes(struct engine *engine, const char *id,
                               struct engine_processes **ret);

struct engine_metrics {
	bool has_memory, has_cpu, has_pids; // this machine counts it
	uint64_t memory_usage_bytes, memory_limit_bytes, cpu_usage_ns, pids,
		pids_limit; // UINT64_MAX: no limit
	uint64_t n_processes,
		resident_bytes; // by looking at each; resident only without has_memory
};
fallible engine_task_metrics(struct engine *engine, const char *id, struct engine_metrics *ret);

struct engine_copy {
	const char *id;
	const char *container_path; // links in it stay inside the container's root
	const char *host_path;
	bool is_into; // from the host into the container
};
// Copies a file or a folder with all in it between the host and a container, running or not. The
// target is a folder to copy into, or a new name. Modes are kept, owners and set-user-ID aren't;
// what is no file, folder or link is passed over with a warning, as are mounts below.
fallible engine_copy(struct engine *engine, const struct engine_copy *request);

// --- Namespaces (containerd's)

struct engine_namespace {
	char *name;
	struct engine_labels labels;
};
struct engine_namespaces {
	struct engine_namespace *items;
	size_t n;
};
void engine_namespaces_free(struct engine_namespaces *namespaces); // takes NULL
fallible engine_namespace_list(struct engine *engine, struct engine_namespaces **ret);
fallible engine_namespace_create(struct engine *engine, const char *name, const char *const *labels,
                                 size_t n_labels);
// It must be empty; what it still has is named in the error, as ctr does. Absent: NOT_FOUND.
fallible engine_namespace_remove(struct engine *engine, const char *name);
fallible engine_namespace_label(struct engine *engine, const char *name, const char *const *labels,
                                size_t n_labels);

// --- The house itself

struct engine_garbage {
	char *kind, *name, *reason; // "snapshot", "sha256:…", "no image needs it"
	uint64_t size_bytes;        // 0: not known
};
struct engine_garbage_list {
	struct engine_garbage *items;
	size_t n;
};
void engine_garbage_free(struct engine_garbage_list *garbage); // takes NULL
// Collects what nobody owns: of dead owners, of interrupted commands, of removed images; only what
// bears this store's ID. `dry_run` only tells. `partials`: also what interrupted pulls have got,
// blobs in part and whole.
fallible engine_gc(struct engine *engine, bool dry_run, bool partials,
                   struct engine_garbage_list **ret);

// Whether the first network configuration can be used here: makes and removes one attachment.
// *ret_file is the file it looked at, the caller's, also on an error (NULL if there is none).
fallible engine_network_check(struct engine *engine, char **ret_file);

// The configured network, what is attached to it and to others, and the namespaces with a name.
struct engine_endpoint {
	char *network, *container; // "nat", "default-web"
	char *address;             // "172.20.0.2/16"
	char *netns;               // ID of a namespace of ours; ""
};
struct engine_networks {
	char *name, *type, *subnet, *gateway; // name NULL: no configuration
	struct engine_endpoint *items;        // sorted by network and container
	size_t n;
	struct strings netns; // IDs, sorted
};
void engine_networks_free(struct engine_networks *networks); // takes NULL
fallible engine_network_list(struct engine *engine, struct engine_networks **ret);

// Beside our programs; for install.sh. Without it the first use makes one in the store.
fallible engine_make_windows_template(void);

struct engine_info {
	char *version, *root, *state, *store_id, *kernel;
	char *wine;                    // version; NULL: it isn't here
	struct strings wine_is_unlike; // Windows, a line each
};
fallible engine_info(struct engine *engine, struct engine_info **ret);
void engine_info_free(struct engine_info *info); // takes NULL
