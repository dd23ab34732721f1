// SPDX-License-Identifier: Apache-2.0
// Layers: inflating and hashing their blobs, unpacking them into folders by Linux' or Windows'
// rules. Called by: transfer's worker, confined before it gets here; nothing here relies on that.
// Knows nothing of images, manifests, media types or where folders come from.
// Specification: OCI image-spec 1.1, layer.md; RFC 1952 (gzip), RFC 8878 (zstd);
// Documentation/filesystems/overlayfs.rst (whiteouts, opaque directories).
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// --- hashing --------------------------------------------------------------------------------

enum { LAYER_DIGEST_SIZE = 72 }; // "sha256:", 64 hex digits, a zero
struct layer_hash;               // SHA-256, by libcrypto's assembler
fallible layer_hash_new(struct layer_hash **ret);
void layer_hash_free(struct layer_hash *h); // takes NULL
fallible layer_hash_add(struct layer_hash *h, const void *bytes, size_t size);
// Gives the digest; the next layer_hash_add() begins another.
fallible layer_hash_end(struct layer_hash *h, char ret[LAYER_DIGEST_SIZE]);

// --- streams --------------------------------------------------------------------------------

enum layer_compression { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD };
extern const char *const layer_compression_names[]; // "none", "gzip", "zstd"
fallible layer_compression_read(const char *name, enum layer_compression *ret); // INVALID

enum layer_stream_flags {
	LAYER_HASH = 1,   // SHA-256 of the bytes before and after inflating
	LAYER_THREAD = 2, // read and inflate in a thread of its own
};

struct layer_sums {
	char digest[LAYER_DIGEST_SIZE], diff_id[LAYER_DIGEST_SIZE]; // "sha256:…" of what was read,
	                                                            // and of what that inflates to
	uint64_t size_bytes, diff_size_bytes;
};

// Bytes of a blob, inflated. The compression is known by its first bytes: gzip (all members,
// zeros behind the last are padding), zstd (all frames, windows up to 128 MiB), or none.
struct layer_stream;

// Starts on `fd` (borrowed) where it stands; nothing is read before the first layer_stream_more().
// The thread, and everything that libcrypto wants from the system, is made here: confine the
// process between the two. More than `limit_bytes` inflated bytes are an error LIMIT.
fallible layer_stream_new(int fd, int flags, uint64_t limit_bytes, struct layer_stream **ret);
// The blob is being written meanwhile: at its end `grown_fd` (borrowed) is read, an eventfd that
// its writer adds to now and then and at the end, until `size_bytes` have come. It can be cut and
// written anew: then the sums are wrong. Call it before the first layer_stream_more().
void layer_stream_follow(struct layer_stream *s, int grown_fd, uint64_t size_bytes);
void layer_stream_free(struct layer_stream *s); // ends the thread; takes NULL

// The next bytes, valid until the next call; *ret_size 0 at the end. Fits struct tar_source.
// Errors: CORRUPT (garbage, truncated, wrong checksum), LIMIT, SYSTEM.
fallible layer_stream_more(void *stream, const void **ret_bytes, size_t *ret_size);
enum layer_compression layer_stream_compression(const struct layer_stream *s); // after the first
uint64_t layer_stream_consumed(const struct layer_stream *s); // bytes read so far, for progress
// Reads what is left and gives the sums (LAYER_HASH).
fallible layer_stream_finish(struct layer_stream *s, struct layer_sums *ret);

static inline void layer_stream_cleanup_(struct layer_stream **s)
{
	layer_stream_free(*s);
}
#define auto_layer_stream defer(layer_stream_cleanup_)

// --- unpacking ------------------------------------------------------------------------------

struct layer_unpack_request {
	struct layer_stream *stream; // the tar
	// The folder to fill, and nothing outside of it: empty, or, if `native`, a full copy of
	// what is below. Nobody else may write there meanwhile.
	int new_dirfd;
	// What is below, merged, read-only: parents that the layer takes for granted, links and
	// files to link to may lie there. -1: nothing (and if `native`).
	int lower_dirfd;
	// Instead: what is below isn't whole yet. It is called once, when the layer needs something
	// of it, waits, and gives a descriptor (borrowed; -1: nothing). NULL: lower_dirfd it is.
	fallible (*await_lower)(void *arg, int *ret_dirfd);
	// Whiteouts remove at once. Else they become overlay's devices 0/0, and opaque folders are
	// told to on_opaque, which marks them (trusted.overlay.opaque needs CAP_SYS_ADMIN).
	bool native;
	// By the rules of Windows' layers (windows.c); not with `native`.
	bool windows;
	uint64_t limit_bytes; // of file contents, holes included
	fallible (*on_opaque)(void *arg, int dirfd);
	void (*warn)(void *arg, const char *line);  // each kind once; may be NULL
	void (*debug)(void *arg, const char *line); // what isn't worth a warning; may be NULL
	void (*progress)(void *arg);                // often; may be NULL
	void *arg;
};

struct layer_unpacked {
	uint64_t bytes;    // of file contents written, holes not counted
	uint64_t n_inodes; // made
};

// Unpacks the whole layer; the caller then checks layer_stream_finish(). Owner, mode, extended
// attributes and times are set; trusted.* and user.overlay.* never. Not synced.
// Parents are resolved in the merged tree, links inside the root: with `lib64 -> usr/lib64` below,
// `lib64/x` is made as usr/lib64/x (umoci does so; containerd would shadow the link).
// A whiteout hides what is below, never what the same layer brings, in either order.
// Errors: CORRUPT (the tar), INVALID (a name, whiteout, owner or link that can't be), LIMIT,
// UNSUPPORTED (entry type), SYSTEM (ENOSPC…). After an error the folder holds garbage.
fallible layer_unpack(const struct layer_unpack_request *r, struct layer_unpacked *ret);

// --- writing --------------------------------------------------------------------------------

struct layer_packer; // bytes → digest of them → compressed → digest → file
// `fd` (borrowed) is an empty file. Makes what libcrypto wants from the system: confine afterwards.
// More than `limit_bytes` written are an error LIMIT (EFBIG).
fallible layer_packer_new(int fd, enum layer_compression compression, uint64_t limit_bytes,
                          struct layer_packer **ret);
void layer_packer_free(struct layer_packer *p); // takes NULL
// Takes bytes in order. Fits struct tar_sink. The same bytes give the same file.
fallible layer_packer_put(void *packer, const void *bytes, size_t size);
fallible layer_packer_finish(struct layer_packer *p, struct layer_sums *ret);

static inline void layer_packer_cleanup_(struct layer_packer **p)
{
	layer_packer_free(*p);
}
#define auto_layer_packer defer(layer_packer_cleanup_)

struct layer_diff_request {
	struct layer_packer *packer; // takes the tar; the caller finishes it
	// What overlayfs wrote over `lower_dirfd`: hostile, and read only. Whiteouts are devices
	// 0/0.
	int upper_dirfd;
	int lower_dirfd; // what is below, merged, read-only; -1: nothing
	// Whether a directory hides what is below: its mark can't be seen without CAP_SYS_ADMIN.
	fallible (*is_opaque)(void *arg, int dirfd, bool *ret);
	bool with_root;                             // an entry for the root too, for its time
	void (*warn)(void *arg, const char *line);  // each kind once; may be NULL
	void (*progress)(void *arg, uint64_t done); // bytes read so far; may be NULL
	void *arg;
};

// Writes what the upper changes as the tar of a layer: sorted names, a directory before what is in
// it, whiteouts as OCI has them, hard links within the upper, extended attributes but trusted.*
// and user.overlay.*, nanoseconds, holes as holes. A file, link or device that is equal to the one
// below (metadata and bytes) is left out. Sockets are, with a warning.
// Errors: INVALID (a name too long for a tar), LIMIT, SYSTEM. CORRUPT: something vanished while it
// was read.
fallible layer_diff(const struct layer_diff_request *r);
