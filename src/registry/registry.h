// SPDX-License-Identifier: Apache-2.0
// Registries: what the distribution protocol says, over https and http. Mirrors, tokens, redirects,
// retries, resuming; whatever comes is bounded in size and silence, and believed only by its
// digest. Called by: transfer's worker of the role `fetch`, confined before it gets here; nothing
// here relies on that. Knows nothing of stores, layers or files: it writes to a descriptor.
// Specification: OCI distribution-spec 1.1; distribution's "Token Authentication" and "OAuth2 Token
// Authentication"; containerd's docs/hosts.md (registry/hosts.h reads it, and links no network).
//
// Rules that hold for every request:
//  1. Credentials of a host go to its origin (scheme, name, port), and in exchange for a token to
//     the realm that it names over https, if that is https itself; to nobody else.
//  2. Redirects are followed to http and https alone, at most 10, and take neither credentials nor
//     headers nor our certificate to another origin.
//  3. Link-local addresses (cloud metadata) are not spoken to unless the user wrote them down.
//  4. Retried with backoff, and by Retry-After: 408, 429, 5xx and broken transfers, 5 times without
//     progress (mirrors twice). A host that can't be resolved or reached, or whose certificate is
//     wrong, is an error at once; then the next mirror is asked.
#pragma once
#include "base/error.h"
#include "oci/digest.h"
#include "registry/hosts.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct registry; // one conversation about one repository; for one thread

struct registry_options {
	const struct registry_hosts *hosts;              // borrowed for as long as the conversation
	const char *ns;                                  // "docker.io": mirrors are told by "?ns="
	const char *repository;                          // "library/busybox"
	const char *ca_file;                             // the system's certificates; NULL: none
	const char *http_proxy, *https_proxy, *no_proxy; // NULL: none
	bool push;                                       // tokens are asked for both ways
	unsigned stall_s; // so long without (nearly) a byte ends a transfer
	void (*debug)(void *arg, const char *line); // may be NULL
	void *arg;
	bool dump;  // it is told what goes and comes, without bodies and secrets (registry/shown.h)
	bool trace; // …and of each exchange with whom it was, and how long its parts took
};
fallible registry_new(const struct registry_options *o, struct registry **ret);
void registry_free(struct registry *r); // takes NULL

static inline void registry_cleanup_(struct registry **r)
{
	registry_free(*r);
}
#define auto_registry defer(registry_cleanup_)

// What a tag stands for now. `digest` is "" if no host says it by HEAD: then fetch by tag.
struct registry_target {
	char digest[OCI_DIGEST_SIZE_MAX];
	char media_type[256];
};
// Errors: NOT_FOUND (all hosts say so), INVALID, SYSTEM…; with the URL in the message.
fallible registry_resolve(struct registry *r, const char *tag, struct registry_target *ret);

struct registry_document {
	char *text; // with a zero behind it
	size_t size;
	char digest[OCI_DIGEST_SIZE];
	char *media_type; // by Content-Type, without parameters; "" if there was none
};
void registry_document_done(struct registry_document *d);
// A manifest or index by tag or digest, at most `size_limit` bytes. A digest is checked against the
// bytes, and so is the server's Docker-Content-Digest.
fallible registry_fetch_manifest(struct registry *r, const char *tag_or_digest, size_t size_limit,
                                 struct registry_document *ret);

struct registry_blob {
	const char *digest;      // sha256
	uint64_t size_bytes;     // by its descriptor: exactly so many
	bool size_is_limit;      // nobody knows more than that: at most so many
	const char *const *urls; // of foreign layers: asked when no host has it
	size_t n_urls;
	int fd;       // readable and writable; what it holds already is gone on from
	int grown_fd; // an eventfd that is told of what was written, and of the end; -1: none
	atomic_uint_least64_t *done_bytes; // for progress; may be NULL
};
// Fetches a blob into its descriptor and checks size and digest. After an error or kill -9 the
// descriptor holds a beginning of it, if anything.
// Errors: CORRUPT (size, digest), NOT_FOUND, LIMIT, SYSTEM (also ENOSPC).
fallible registry_fetch_blob(struct registry *r, const struct registry_blob *b);

struct registry_upload {
	const char *digest;
	uint64_t size_bytes;
	int fd; // for reading
	const char
		*mount_from; // a repository of the same registry that had it; NULL: none is known
	atomic_uint_least64_t *done_bytes; // may be NULL
};
// Brings a blob to the first host that takes pushes, unless it is there (*ret_sent false) or can be
// mounted from another repository. Large ones go in chunks.
fallible registry_push_blob(struct registry *r, const struct registry_upload *u, bool *ret_sent);
// Puts a manifest or index under a tag or its digest, unless it stands there already.
fallible registry_push_manifest(struct registry *r, const char *tag_or_digest,
                                const char *media_type, const char *text, size_t size,
                                bool *ret_sent);

// Whether the registry itself (the last host) takes us for who we say we are. INVALID: it doesn't.
fallible registry_check_login(struct registry *r);
