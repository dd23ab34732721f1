// SPDX-License-Identifier: Apache-2.0
// Role `fetch`: an image from a registry, into descriptors that the client passes, and a
// description of it. The documents are read first, one after another, and the image described; then
// the layers come, several at a time. Only the main thread speaks to the client; a downloader has a
// conversation of its own and shares nothing but the job that it was given.
#include "base/text.h"
#include "oci/image.h"
#include "registry/registry.h"
#include "sys/fd.h"
#include "sys/process.h"
#include "transfer/channel.h"
#include "transfer/describe.h"
#include "transfer/document.h"
#include "transfer/download.h"
#include "transfer/order.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"

enum {
	DEPTH_MAX = 3,
	MANIFESTS_MAX = 1000,
	DOCUMENTS_MAX = 2 * MANIFESTS_MAX + 100,
	BLOBS_NAMED_MAX = 20000, // layers, too
	SLOTS = 65536,           // more than BLOBS_NAMED_MAX and DOCUMENTS_MAX
};
#define DOCUMENTS_BYTES_MAX ((size_t)64 << 20)

struct fetch {
	struct order order;
	struct registry *registry;
	struct arena *arena;
	struct ingest in;
	struct downloads downloads;
	size_t documents_size, n_documents;
	size_t slots[SLOTS]; // of digests: 1 + where in `in`; 0: free
	uint64_t salt;
	bool with_artifacts; // all that an index names, not images alone
};

// What an index offers.
struct choice {
	struct oci_descriptor *items;
	size_t n, capacity;
};

static void choice_done(struct choice *c)
{
	free(c->items);
}

// --- documents ----------------------------------------------------------------------------------

// Where a digest stands in the table, or would. Who names blobs doesn't know `salt`.
static size_t *slot_of(struct fetch *f, const char *digest)
{
	uint64_t hash = f->salt;
	for (const char *c = digest; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3; // FNV-1a
	for (size_t i = hash ^ hash >> 32;; i++) {
		size_t *slot = &f->slots[i % SLOTS];
		if (!*slot || !strcmp(f->in.files[*slot - 1].digest, digest))
			return slot;
	}
}

static struct ingest_file *remember(struct fetch *f, const char *digest, uint64_t size,
                                    const char *text)
{
	alloc_grow(&f->in.files, &f->in.capacity, f->in.n_files, sizeof(*f->in.files));
	struct ingest_file *file = &f->in.files[f->in.n_files++];
	*slot_of(f, digest) = f->in.n_files;
	*file = (struct ingest_file){.path = alloc_string(""), .size = size, .text = text};
	memcpy(file->digest, digest, strlen(digest) + 1);
	memcpy(file->name, "-", 2);
	return file;
}

static struct ingest_file *recall(struct fetch *f, const char *digest)
{
	size_t n = *slot_of(f, digest);
	return n ? &f->in.files[n - 1] : NULL;
}

static fallible count_document(struct fetch *f, size_t size)
{
	f->documents_size += size;
	if (f->n_documents++ >= DOCUMENTS_MAX || f->documents_size > DOCUMENTS_BYTES_MAX)
		return error_new(ERROR_LIMIT, "more than %d documents, or %zu bytes of them",
		                 DOCUMENTS_MAX, DOCUMENTS_BYTES_MAX);
	return NULL;
}

static fallible write_document(const char *digest, int fd, const char *text, size_t size)
{
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("%s", digest);
	return error_prefix(fd_write_all(fd, text, size), "%s", digest);
}

static fallible both(const char *digest)
{
	return error_new(ERROR_CORRUPT, "%s: a layer and a document at once, refused", digest);
}

static fallible want_document(const char *digest, uint64_t size, enum want_kind *ret, int *ret_fd)
{
	TRY(channel_want(digest, size, WANT_DOCUMENT | WANT_PATIENTLY, ret, ret_fd, NULL));
	if (*ret == WANT_LATER || *ret_fd < 0)
		return error_new(ERROR_SYSTEM, "%s: the client gave no descriptor", digest);
	return NULL;
}

// By the digest of a descriptor: `size` bytes. Configs are blobs, the others manifests.
static fallible get_document(struct fetch *f, const struct oci_descriptor *d, bool is_config,
                             const char **ret, size_t *ret_size)
{
	auto_fd int fd = -1;
	enum want_kind kind;
	struct ingest_file *known = recall(f, d->digest);
	if (known && known->text && known->size == d->size) {
		*ret = known->text;
		*ret_size = (size_t)known->size;
		return NULL;
	}
	if (known && known->size != d->size)
		return error_new(ERROR_CORRUPT, "%s: of two sizes", d->digest);
	if (known && known->is_layer)
		return both(d->digest);
	if (!oci_digest_is_sha256(d->digest))
		return error_new(ERROR_UNSUPPORTED, "%.100s: only sha256 is supported", d->digest);
	if (d->size > OCI_MANIFEST_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "%s: a document of %llu bytes", d->digest,
		                 (unsigned long long)d->size);
	TRY(want_document(d->digest, d->size, &kind, &fd));
	if (kind == WANT_FETCH && is_config) {
		const struct registry_blob blob = {
			.digest = d->digest, .size_bytes = d->size, .fd = fd, .grown_fd = -1};
		TRY(registry_fetch_blob(f->registry, &blob));
	} else if (kind == WANT_FETCH) {
		struct registry_document fetched;
		TRY(registry_fetch_manifest(f->registry, d->digest, (size_t)d->size, &fetched));
		struct error *e = write_document(d->digest, fd, fetched.text, fetched.size);
		registry_document_done(&fetched);
		TRY(e);
	}
	TRY(document_read(f->arena, d->digest, fd, ret, ret_size));
	if (*ret_size != d->size)
		return error_new(ERROR_CORRUPT, "%s: has %zu bytes, its descriptor says %llu",
		                 d->digest, *ret_size, (unsigned long long)d->size);
	if (kind == WANT_FETCH)
		channel_got(d->digest);
	TRY(count_document(f, *ret_size));
	if (known) // as a part of no image
		known->text = *ret;
	else
		remember(f, d->digest, d->size, *ret);
	return NULL;
}

// --- the target ---------------------------------------------------------------------------------

// Where the answer's type is none of ours ("text/plain"), the document's own word is taken.
static fallible target_type(const char *said, const char *text, size_t size, const char **ret)
{
	const struct oci_media_type *type = oci_media_type(said);
	enum oci_media_kind kind;
	auto_json struct json *o = NULL;
	const char *own = NULL;
	if (type) {
		*ret = type->name;
		return NULL;
	}
	TRY(oci_document_kind(text, size, &kind));
	TRY(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o));
	TRY(json_get_string(o, NULL, "mediaType", &own));
	type = own ? oci_media_type(own) : NULL;
	*ret = type                         ? type->name
	       : kind == OCI_MEDIA_INDEX    ? OCI_TYPE_INDEX
	       : kind == OCI_MEDIA_MANIFEST ? OCI_TYPE_MANIFEST
	                                    : "";
	return **ret ? NULL : error_new(ERROR_UNSUPPORTED, "neither a manifest nor an index");
}

// Puts it into its descriptor, unless the store turns out to have it.
static fallible keep_target(const struct registry_document *d, enum want_kind kind, int fd)
{
	auto_fd int own = -1;
	if (fd < 0)
		TRY(want_document(d->digest, d->size, &kind, &own));
	if (kind != WANT_FETCH)
		return NULL;
	TRY(write_document(d->digest, fd < 0 ? own : fd, d->text, d->size));
	channel_got(d->digest);
	return NULL;
}

static fallible take_target(struct fetch *f, const char *digest, const char *type, const char *text,
                            size_t size, struct oci_descriptor *ret)
{
	*ret = (struct oci_descriptor){.digest = arena_string(f->arena, digest), .size = size};
	TRY_AS(target_type(type, text, size, &ret->media_type), "%s", digest);
	TRY(count_document(f, size));
	remember(f, digest, size, text);
	return NULL;
}

static fallible find_target(struct fetch *f, struct oci_descriptor *ret)
{
	struct registry_target target = {0};
	auto_fd int fd = -1;
	enum want_kind kind = WANT_FETCH;
	const char *digest = f->order.name;
	if (!strchr(f->order.name, ':')) {
		TRY(registry_resolve(f->registry, f->order.name, &target));
		digest = target.digest;
	}
	if (*digest && !oci_digest_is_sha256(digest))
		return error_new(ERROR_UNSUPPORTED, "%.100s: only sha256 is supported", digest);
	if (*digest)
		TRY(want_document(digest, 0, &kind, &fd));
	if (kind == WANT_HAVE) {
		const char *text;
		size_t size;
		TRY(document_read(f->arena, digest, fd, &text, &size));
		return take_target(f, digest, target.media_type, text, size, ret);
	}
	struct registry_document fetched;
	TRY(registry_fetch_manifest(f->registry, *digest ? digest : f->order.name,
	                            OCI_MANIFEST_SIZE_LIMIT, &fetched));
	const char *text = arena_bytes(f->arena, fetched.text, fetched.size);
	struct error *e = keep_target(&fetched, kind, fd);
	if (!e)
		e = take_target(f, fetched.digest, fetched.media_type, text, fetched.size, ret);
	registry_document_done(&fetched);
	return e;
}

// --- which manifests ----------------------------------------------------------------------------

static fallible offer(struct choice *c, const struct oci_descriptor *d)
{
	if (c->n >= MANIFESTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d manifests", MANIFESTS_MAX);
	alloc_grow(&c->items, &c->capacity, c->n, sizeof(*c->items));
	c->items[c->n++] = *d;
	return NULL;
}

static bool is_index(const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	return type && type->kind == OCI_MEDIA_INDEX;
}

// The manifests of an index and of the indexes in it. No recursion without a bound: a digest can't
// hold itself, but depth costs the server nothing.
static fallible open_index(struct fetch *f, const struct oci_descriptor *d, unsigned depth,
                           struct choice *c)
{
	const char *text;
	size_t size;
	struct oci_index index;
	if (depth >= DEPTH_MAX)
		return error_new(ERROR_LIMIT, "indexes more than %d deep", DEPTH_MAX);
	TRY(get_document(f, d, false, &text, &size));
	TRY_AS(oci_index_parse(text, size, d->media_type, f->arena, &index), "index %s", d->digest);
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct oci_descriptor *item = &index.manifests[i];
		if (is_index(item))
			TRY(open_index(f, item, depth + 1, c));
		else
			TRY(offer(c, item));
	}
	return NULL;
}

static const struct oci_descriptor *best(const struct choice *c, const struct oci_platform *want)
{
	const struct oci_descriptor *found = NULL;
	unsigned most = 0;
	uint64_t newest = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct oci_descriptor *d = &c->items[i];
		unsigned match = d->has_platform ? oci_platform_match(want, &d->platform) : 0;
		uint64_t version = oci_platform_version(&d->platform);
		if (match > most || (match && match == most && version > newest)) {
			most = match;
			newest = version;
			found = d;
		}
	}
	return found;
}

// Attestations have the platform unknown/unknown: nothing runs there.
static bool is_image(const struct oci_descriptor *d)
{
	return !d->has_platform || strcmp(d->platform.os, "unknown") != 0;
}

static fallible choose(struct fetch *f, const struct choice *c, struct choice *ret)
{
	for (size_t i = 0; f->order.all && i < c->n; i++)
		TRY(offer(ret, &c->items[i]));
	for (size_t i = 0; !f->order.all && i < f->order.n_platforms; i++) {
		const struct oci_descriptor *d = best(c, &f->order.platforms[i]);
		if (d)
			TRY(offer(ret, d));
	}
	if (!ret->n && f->order.is_default) {
		struct oci_platform windows = f->order.host;
		memcpy(windows.os, "windows", sizeof("windows"));
		const struct oci_descriptor *d = best(c, &windows);
		if (d)
			f->order.platforms[0] = windows;
		if (d)
			TRY(offer(ret, d));
	}
	// Without a platform the manifests' configs have to say it.
	for (size_t i = 0; !ret->n && i < c->n; i++)
		if (!c->items[i].has_platform)
			TRY(offer(ret, &c->items[i]));
	if (ret->n)
		return NULL;
	auto_free char *platform = oci_platform_format(&f->order.platforms[0]);
	auto_str struct str there = STR_LIMIT(256);
	for (size_t i = 0; i < c->n; i++) {
		if (!is_image(&c->items[i]))
			continue;
		auto_free char *one = oci_platform_format(&c->items[i].platform);
		str_printf(&there, "%s%s", there.size ? ", " : "; there are ", one);
	}
	return error_new(ERROR_NOT_FOUND, "no match for platform in manifest: %s: not found%s",
	                 platform, there.size ? there.bytes : "");
}

// --- a manifest ---------------------------------------------------------------------------------

static fallible add_blob(struct fetch *f, const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	if (!oci_digest_is_sha256(d->digest))
		return error_new(ERROR_UNSUPPORTED, "layer %.100s: only sha256 is supported",
		                 d->digest);
	const struct ingest_file *known = recall(f, d->digest);
	if (known && known->size == d->size)
		return NULL;
	if (known)
		return error_new(ERROR_CORRUPT, "%s: of two sizes", d->digest);
	if (f->in.n_files >= BLOBS_NAMED_MAX)
		return error_new(ERROR_LIMIT, "more than %d blobs", BLOBS_NAMED_MAX);
	remember(f, d->digest, d->size, NULL);
	if (f->order.documents_only)
		return NULL;
	const struct registry_blob blob = {
		.digest = d->digest,
		.size_bytes = d->size,
		.fd = -1,
		.grown_fd = -1,
		// Elsewhere is only asked for what registries may not have.
		.urls = (const char *const *)d->urls,
		.n_urls = type && type->non_distributable ? d->n_urls : 0,
	};
	downloads_add(&f->downloads, &blob);
	return NULL;
}

static fallible add_layer(struct fetch *f, const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	if (!type || type->kind != OCI_MEDIA_LAYER)
		return error_new(ERROR_UNSUPPORTED, "layer %s: media type %.100s", d->digest,
		                 d->media_type);
	TRY(add_blob(f, d));
	struct ingest_file *file = recall(f, d->digest);
	file->is_layer = true;
	return file->text ? both(d->digest) : NULL;
}

// No image: bytes that go with the index that names it.
static fallible add_artifact(struct fetch *f, const struct oci_manifest *m)
{
	if (f->order.documents_only)
		return NULL;
	TRY(add_blob(f, &m->config));
	for (size_t i = 0; i < m->n_layers; i++)
		TRY(add_blob(f, &m->layers[i]));
	return NULL;
}

static fallible open_manifest(struct fetch *f, const struct oci_descriptor *d)
{
	const char *text;
	size_t size;
	struct oci_manifest m;
	TRY(get_document(f, d, false, &text, &size));
	TRY(oci_manifest_parse(text, size, d->media_type, f->arena, &m));
	const struct oci_media_type *type = oci_media_type(m.config.media_type);
	bool is_attestation = f->with_artifacts && !is_image(d);
	if (!type || type->kind != OCI_MEDIA_CONFIG || is_attestation)
		return f->with_artifacts ? add_artifact(f, &m)
		       : f->order.all
		               ? NULL
		               : error_new(ERROR_UNSUPPORTED, "not an image: its config is %.100s",
		                           m.config.media_type);
	if (m.n_layers > OCI_LAYERS_LIMIT)
		return error_new(ERROR_LIMIT, "%zu layers, the limit is %d", m.n_layers,
		                 OCI_LAYERS_LIMIT);
	TRY_AS(get_document(f, &m.config, true, &text, &size), "config");
	for (size_t i = 0; i < m.n_layers; i++)
		TRY(add_layer(f, &m.layers[i]));
	return NULL;
}

static fallible open_all(struct fetch *f, const struct oci_descriptor *target)
{
	if (!is_index(target)) {
		f->order.all = true; // a single manifest is taken as it is, as ctr does
		return error_prefix(open_manifest(f, target), "manifest %s", target->digest);
	}
	defer(choice_done) struct choice offered = {0}, chosen = {0};
	TRY(open_index(f, target, 0, &offered));
	TRY(choose(f, &offered, &chosen));
	f->with_artifacts = f->order.all;
	for (size_t i = 0; i < chosen.n; i++)
		TRY_AS(open_manifest(f, &chosen.items[i]), "manifest %s", chosen.items[i].digest);
	return NULL;
}

// --- all of it ----------------------------------------------------------------------------------

static fallible answer(struct fetch *f, const struct oci_descriptor *target)
{
	auto_json struct json *said = NULL;
	struct describe_request r = {.host = f->order.host,
	                             .platforms = f->order.platforms,
	                             .n_platforms = f->order.n_platforms,
	                             .all = f->order.all};
	ingest_index(&f->in);
	TRY(describe_target(&f->in, &r, target, &said));
	auto_free char *text = json_to_text(said, 0, JSON_PLAIN);
	size_t size = strlen(text);
	if (size > ANSWER_SIZE_MAX)
		return error_new(ERROR_LIMIT, "the image's description is too large");
	return fd_write_all(WORKER_ANSWER, text, size);
}

static fallible fetch(struct fetch *f, struct worker_result *ret)
{
	struct oci_descriptor target;
	TRY(registry_new(&f->order.options, &f->registry));
	TRY(find_target(f, &target));
	TRY(open_all(f, &target));
	TRY(answer(f, &target));
	channel_described();
	TRY(downloads_run(&f->downloads, &f->order.options, f->order.n_at_once));
	ret->bytes = f->downloads.bytes;
	return NULL;
}

fallible worker_fetch(const struct json *request, struct worker_result *ret)
{
	// Never freed: after an error downloaders may still use it; it goes with the process.
	static struct fetch f;
	f.arena = arena_new();
	f.in.dirfd = -1;
	f.salt = random_u64();
	TRY(order_read(request, &f.order));
	TRY(order_confine(&f.order));
	return fetch(&f, ret);
}
