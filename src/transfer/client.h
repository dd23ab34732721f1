// SPDX-License-Identifier: Apache-2.0
// The confined worker, as the engine speaks to it: one process of coracle-transfer per call, which
// is confined before it reads the first foreign byte and is gone when the call returns.
// Called by: engine. Links nothing but base, json, oci, sys, kernel: no compression, no crypto.
//
// The worker has no network, no /proc, a private tmpfs as root, and of the host's files only the
// folders and descriptors named in the request. If it crashes, is killed or runs out of memory, the
// call returns an error and nothing of it is left but files in the folders it was given; if the
// caller dies, the worker is killed.
// Needs CAP_SYS_ADMIN (namespaces, mounts). Not for use by several threads at once.
#pragma once
#include "base/error.h"
#include "oci/digest.h"
#include "oci/image.h"
#include "json/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transfer_progress {
	const char *item;       // what is being read: "layer sha256:12ab…", "archive"; printable
	size_t item_i, n_items; // of how many; n_items 0: not known
	uint64_t done_bytes;    // of the item's input
	uint64_t total_bytes;   // 0: not known (a pipe)
};

struct transfer {
	const char *program; // path of coracle-transfer
	// Both may be NULL. Called from within the calls below, progress at most some 20 times a
	// second.
	void (*progress)(void *arg, const struct transfer_progress *p);
	void (*warn)(void *arg, const char *line);  // what the user should know, once
	void (*debug)(void *arg, const char *line); // steps, e.g. that Landlock is missing
	void *arg;
	int stop_fd; // readable: the worker is killed, the call fails ("interrupted"); -1: none
};

// --- archives -------------------------------------------------------------------------------

struct transfer_archive_request {
	const struct transfer *transfer;
	int fd;               // the archive: a file or a pipe, at its beginning; borrowed
	int ingest_dirfd;     // an empty folder that takes the blobs; borrowed
	uint64_t limit_bytes; // what the ingest folder may take; 0: its file system's free space
	// "linux/amd64", "windows(10.0.20348.1)/amd64", best first. n_platforms 0: the host's, and
	// if nothing fits that, Windows of the host's architecture.
	const char *const *platforms;
	size_t n_platforms;
	bool all_platforms; // every manifest of the archive must be whole; `platforms` only orders
};

// A blob of the archive that something refers to; its file stands in the ingest folder, mode 0600,
// written but not synced. The digest was computed from the bytes.
struct transfer_blob {
	char *digest;     // "sha256:" and 64 hex digits
	char *media_type; // as its descriptor says
	char *name;       // of the file in the ingest folder
	uint64_t size_bytes;
	size_t *references; // indices of blobs (of `blobs`) that it names: what gc must keep with
	                    // it
	size_t n_references;
};

struct transfer_layer {
	size_t blob;   // index into `blobs`
	char *diff_id; // as the config says; verified when it is unpacked
};

// A manifest of a wanted platform, whole: config and layers are there with digest and size.
struct transfer_manifest {
	size_t blob, config_blob; // indices into `blobs`
	char *platform;           // "linux/arm64/v8", "windows(10.0.20348.1)/amd64"
	char *config; // image config, parsed, checked and written anew: for oci/ to read
	struct transfer_layer *layers; // bottom first
	size_t n_layers;
};

// One entry of the archive's top index (docker's archives: one per RepoTag, or one without names).
// Names are as the archive has them, printable UTF-8, and not yet known to be references.
struct transfer_image {
	char *name;        // io.containerd.image.name, or the RepoTag; NULL if there is none
	char *ref_name;    // org.opencontainers.image.ref.name; NULL if there is none
	size_t target;     // index into `blobs`: manifest or index
	size_t *manifests; // indices into `manifests` of those below it, the best first; never
	                   // empty
	size_t n_manifests;
};

struct transfer_archive {
	size_t index; // index into `blobs`: the top index (written by the worker for docker's
	              // archives)
	struct transfer_blob *blobs;
	size_t n_blobs;
	struct transfer_manifest *manifests;
	size_t n_manifests;
	struct transfer_image *images;
	size_t n_images;
};

// Reads an OCI layout or docker-archive tar, plain or compressed by gzip or zstd, into the ingest
// folder and checks that what is wanted is whole. Entries of other platforms may lack blobs.
// Errors: INVALID, CORRUPT (digest, size, truncated), NOT_FOUND (nothing fits the platforms),
// LIMIT, UNSUPPORTED, SYSTEM (ENOSPC…). After an error or kill -9 the ingest folder holds garbage.
// *ret is the caller's: transfer_archive_free().
fallible transfer_read_archive(const struct transfer_archive_request *r,
                               struct transfer_archive **ret);
void transfer_archive_free(struct transfer_archive *a); // takes NULL

// --- registries -----------------------------------------------------------------------------

// Where the bytes of an image go, and what is there already. Called from within the call below.
enum transfer_want {    // values of protocol.h
	TRANSFER_HAVE,  // it is there; of documents *ret_fd is for reading
	TRANSFER_FETCH, // *ret_fd is for reading and writing, and holds a beginning of it, if
	                // anything
	TRANSFER_LATER, // somebody else is fetching it; not if `patiently`
};
struct transfer_wanted {
	const char *digest;  // well-formed, sha256
	uint64_t size_bytes; // 0: not known, or empty
	bool is_document;    // manifest, index or config
	bool patiently;      // wait for who is fetching it; then no other blob is being fetched
};
struct transfer_unpacking;
struct transfer_blobs {
	// *ret_grown_fd: an eventfd that is told of what is written, if anybody waits
	// for them; else it stays -1.
	fallible (*want)(void *arg, const struct transfer_wanted *wanted, enum transfer_want *ret,
	                 int *ret_fd, int *ret_grown_fd);
	// Of `fetch`, once, when all documents are there and before the first layer is wanted: what
	// the image is. `a` is the callee's. An unpacking (*ret, borrowed, may stay NULL) goes on
	// beside, whose blobs come by `want` and `got`.
	fallible (*described)(void *arg, struct transfer_archive *a,
	                      struct transfer_unpacking **ret);
	// All of it is there and has the right digest, the worker says.
	fallible (*got)(void *arg, const char *digest);
	void *arg;
};

struct registry_hosts;
struct transfer_registry {
	const struct registry_hosts *hosts;
	const char *ns, *repository, *name; // "docker.io", "library/busybox", a tag or digest
	size_t n_at_once;                   // blobs; 0: 3
	unsigned stall_s;                   // so long without a byte ends a transfer; 0: 30
	const char *http_proxy, *https_proxy, *no_proxy; // NULL: none
	const char *ca_file; // the system's certificates; NULL: where they usually are
	bool dump, trace; // `debug` of the transfer is told of each exchange (registry/registry.h)
};
struct transfer_fetch_request {
	const struct transfer *transfer; // its program is coracle-fetch
	struct transfer_registry registry;
	const char *const *platforms; // as of archives, but the best manifest of each
	size_t n_platforms;
	bool all_platforms;
	bool documents_only; // layers are described, and not asked for
	const struct transfer_blobs *blobs;
};
// Fetches an image: manifests of the wanted platforms, configs, layers. The worker has the host's
// network and no file but copies of /etc/{hosts,resolv.conf,nsswitch.conf} and the certificates.
// In what it describes blobs have no `name`; its one image is the target, and so is `index`.
// Errors: NOT_FOUND (no such image or platform), INVALID, CORRUPT, LIMIT, UNSUPPORTED, BUSY (to be
// asked again later), SYSTEM (not reached, ENOSPC…). What came stays in the descriptors.
fallible transfer_fetch(const struct transfer_fetch_request *r);

struct transfer_push_request {
	const struct transfer *transfer; // its program is coracle-fetch
	struct transfer_registry registry;
	const char *digest, *media_type; // the manifest or index that `name` shall stand for
	uint64_t size_bytes;
	bool alone;        // it may be any blob, and what it names isn't sent
	bool with_foreign; // layers that may not be handed on are sent too
	const struct transfer_source {
		const char *digest, *repository;
	} * sources; // where the same registry had blobs: they are mounted from there
	size_t n_sources;
	const struct transfer_blobs *blobs; // all are wanted as documents; `got` is never called
};
// Sends an image with all that it names; what the registry has isn't sent. Errors: NOT_FOUND (from
// `want`: a blob that isn't here), INVALID (refused), SYSTEM…
fallible transfer_push(const struct transfer_push_request *r);

// One manifest or index by the registry's `name`, or the blob of that digest, into an empty file:
// its digest is right when this returns. Errors: as transfer_fetch().
fallible transfer_fetch_object(const struct transfer *transfer, const struct transfer_registry *r,
                               bool is_blob, int fd);

// Asks the registry itself (registry_own_host()) whether it takes us for who its credentials say.
// `repository` and `name` are "". INVALID: it doesn't.
fallible transfer_check_login(const struct transfer *transfer, const struct transfer_registry *r);

// --- layers ---------------------------------------------------------------------------------

struct transfer_unpack_layer {
	int blob_fd;            // the (compressed) blob, at its beginning; borrowed
	bool grows;             // it is being written meanwhile
	int grown_fd;           // if so: an eventfd that is told of what is written; borrowed
	uint64_t size_bytes;    // by its descriptor: the blob has exactly so many
	const char *digest;     // verified again while it is read
	const char *media_type; // one of a layer; the compression is known by the bytes
	const char *diff_id;    // verified
	int new_dirfd; // overlay: an empty folder; native: a full copy of what is below; borrowed
	uint64_t limit_bytes; // unpacked; 0: 1000 × size_bytes, at least 1 GiB, at most the free
	                      // space
	// Written by transfer_unpack:
	uint64_t unpacked_bytes; // file data, holes not counted
	uint64_t n_inodes;
};

struct transfer_unpack_request {
	const struct transfer *transfer;
	bool native;  // whiteouts remove at once; else they become overlay's devices and marks
	bool windows; // the layers are Windows' (layer/windows.c)
	struct transfer_unpack_layer *layers; // bottom first; each sees the ones before it as lower
	size_t n_layers;
	const int *lower_dirfds; // layers that exist already, below layers[0], top first; borrowed
	size_t n_lower;
};

// Unpacks layers into their folders; metadata as in the layer, opaque marks set. Nothing is synced:
// the caller does (one syncfs), then renames. In native mode `lower_dirfds` are not needed.
// Errors: CORRUPT (digest, diff ID, damaged tar), INVALID (what may not be in a layer), LIMIT,
// UNSUPPORTED (media type), SYSTEM. After an error or kill -9 the folders hold garbage.
fallible transfer_unpack(struct transfer_unpack_request *r);

// The same by steps: layers begin in their order, when their blobs were given, several at a time;
// one that needs what is below waits for it. The request and all it points to must live as long;
// its blob_fd and grown_fd are set by transfer_unpacking_give(), and belong to the unpacking then.
fallible transfer_unpacking_begin(const struct transfer_unpack_request *r,
                                  struct transfer_unpacking **ret);
void transfer_unpacking_give(struct transfer_unpacking *u, size_t i, int blob_fd, bool grows,
                             int grown_fd);
bool transfer_unpacking_has(const struct transfer_unpacking *u, size_t i);
// Waits for all. *ret_n_whole: so many from the bottom are whole, also after an error.
fallible transfer_unpacking_finish(struct transfer_unpacking *u, size_t *ret_n_whole);
void transfer_unpacking_free(struct transfer_unpacking *u); // ends its workers; takes NULL

struct transfer_diff_request {
	const struct transfer *transfer;
	int upper_dirfd;         // an overlay's upper; borrowed; read only
	const int *lower_dirfds; // layers below it, top first; borrowed
	size_t n_lower;
	int blob_fd;             // an empty file that takes the layer; borrowed
	const char *compression; // "none", "gzip", "zstd"
	bool with_root;          // the root's own metadata too
};
struct transfer_diff_result {
	char digest[OCI_DIGEST_SIZE], diff_id[OCI_DIGEST_SIZE];
	uint64_t size_bytes, diff_size_bytes;
};
// Writes what the upper changes as a layer (layer/layer.h). Nothing is synced.
// Errors: INVALID (a name that a layer can't have), LIMIT, CORRUPT (it vanished meanwhile), SYSTEM.
fallible transfer_diff(const struct transfer_diff_request *r, struct transfer_diff_result *ret);

// Bytes become a blob.
struct transfer_repack_request {
	const struct transfer *transfer;
	const char *item;        // for progress
	int from_fd;             // read to its end, from where it stands; borrowed
	int blob_fd;             // an empty file; borrowed
	uint64_t size_bytes;     // of what is read, if that is known; else 0
	uint64_t limit_bytes;    // most that may be written; 0: what is free
	const char *compression; // "none", "gzip", "zstd" of what is written, after inflating;
	                         // NULL: the bytes as they come
};
struct transfer_repack_result {
	struct transfer_diff_result blob; // diff_id: digest of the inflated bytes
	char source[OCI_DIGEST_SIZE];     // digest of what was read
};
// Nothing is synced. Errors: CORRUPT (damaged data), LIMIT, SYSTEM.
fallible transfer_repack(const struct transfer_repack_request *r,
                         struct transfer_repack_result *ret);

// The foreign manifest or index in `fd` with other descriptors (oci_document_convert()). Errors:
// its.
fallible transfer_convert(const struct transfer *transfer, int fd,
                          const struct oci_replacements *replacements, struct oci_replaced *ret);

// The config of an image that stands on one whose foreign config `fd` holds (oci_config_child()):
// `normal` is ours, in the normal form. What comes back is as foreign as what `fd` holds; the
// caller's. Errors: CORRUPT, INVALID, LIMIT, SYSTEM.
fallible transfer_child_config(const struct transfer *transfer, int fd, const char *normal,
                               const struct json *history_entry, char **ret);
