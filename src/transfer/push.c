// SPDX-License-Identifier: Apache-2.0
// Role `push`: an image of the store to a registry, by descriptors that the client passes. Blobs
// first, then manifests, then the indexes that name them, the target last, under its tag.
#include "base/text.h"
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/document.h"
#include "transfer/download.h"
#include "transfer/order.h"
#include "transfer/worker.h"

enum { DEPTH_MAX = 3, DOCUMENTS_MAX = 2000 };

struct document {
	const char *digest, *media_type, *text;
	size_t size;
};

struct push {
	struct order order;
	struct registry *registry;
	struct arena *arena;
	const struct json *sources; // digest → repository of the same registry that had it
	bool with_foreign;          // layers that may not be handed on are sent too
	struct downloads uploads;
	struct document *documents; // children before who names them
	size_t n_documents, capacity;
};

static fallible read_document(struct push *p, const struct oci_descriptor *d, const char **ret,
                              size_t *ret_size)
{
	auto_fd int fd = -1;
	enum want_kind kind;
	TRY(channel_want(d->digest, d->size, WANT_DOCUMENT, &kind, &fd, NULL));
	if (kind != WANT_HAVE || fd < 0)
		return error_new(ERROR_NOT_FOUND, "content digest %s: not found", d->digest);
	return document_read(p->arena, d->digest, fd, ret, ret_size);
}

static bool is_known(const struct push *p, const char *digest)
{
	for (size_t i = 0; i < p->n_documents; i++)
		if (!strcmp(p->documents[i].digest, digest))
			return true;
	for (size_t i = 0; i < p->uploads.n; i++)
		if (!strcmp(p->uploads.jobs[i]->blob.digest, digest))
			return true;
	return false;
}

static fallible keep_document(struct push *p, const struct oci_descriptor *d, const char *text,
                              size_t size)
{
	if (p->n_documents >= DOCUMENTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d documents", DOCUMENTS_MAX);
	alloc_grow(&p->documents, &p->capacity, p->n_documents, sizeof(*p->documents));
	p->documents[p->n_documents++] = (struct document){d->digest, d->media_type, text, size};
	return NULL;
}

static void add_blob(struct push *p, const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	bool is_foreign = type && type->non_distributable;
	if (is_known(p, d->digest) || (is_foreign && !p->with_foreign))
		return;
	const struct registry_blob blob = {
		.digest = d->digest, .size_bytes = d->size, .fd = -1, .grown_fd = -1};
	struct download_job *job = downloads_add(&p->uploads, &blob);
	job->is_upload = true;
	job->mount_from = json_text(json_member(p->sources, d->digest));
}

static fallible add_manifest(struct push *p, const struct oci_descriptor *d)
{
	const char *text;
	size_t size;
	struct oci_manifest m;
	TRY(read_document(p, d, &text, &size));
	TRY(oci_manifest_parse(text, size, d->media_type, p->arena, &m));
	for (size_t i = 0; i < m.n_layers; i++)
		add_blob(p, &m.layers[i]);
	add_blob(p, &m.config);
	return keep_document(p, d, text, size);
}

// Depth is bounded; a digest can't hold itself.
static fallible add_target(struct push *p, const struct oci_descriptor *d, unsigned depth)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	const char *text;
	size_t size;
	struct oci_index index;
	if (is_known(p, d->digest))
		return NULL;
	if (!type || (type->kind != OCI_MEDIA_INDEX && type->kind != OCI_MEDIA_MANIFEST))
		return error_new(ERROR_UNSUPPORTED, "%s: neither a manifest nor an index: %.100s",
		                 d->digest, d->media_type);
	if (type->kind == OCI_MEDIA_MANIFEST)
		return error_prefix(add_manifest(p, d), "manifest %s", d->digest);
	if (depth >= DEPTH_MAX)
		return error_new(ERROR_LIMIT, "indexes more than %d deep", DEPTH_MAX);
	TRY(read_document(p, d, &text, &size));
	TRY_AS(oci_index_parse(text, size, d->media_type, p->arena, &index), "index %s", d->digest);
	for (size_t i = 0; i < index.n_manifests; i++)
		TRY(add_target(p, &index.manifests[i], depth + 1));
	return keep_document(p, d, text, size);
}

// Whether the registry has what a document names is its business.
static fallible add_alone(struct push *p, const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	const char *text;
	size_t size;
	if (!type || (type->kind != OCI_MEDIA_INDEX && type->kind != OCI_MEDIA_MANIFEST)) {
		p->with_foreign = true;
		add_blob(p, d);
		return NULL;
	}
	TRY(read_document(p, d, &text, &size));
	return keep_document(p, d, text, size);
}

static fallible push_documents(struct push *p)
{
	for (size_t i = 0; i < p->n_documents; i++) {
		const struct document *d = &p->documents[i];
		const char *name = i + 1 == p->n_documents ? p->order.name : d->digest;
		bool sent;
		TRY_AS(registry_push_manifest(p->registry, name, d->media_type, d->text, d->size,
		                              &sent),
		       "manifest %s", d->digest);
	}
	return NULL;
}

static fallible read_target(const struct json *request, struct oci_descriptor *ret)
{
	TRY(json_require_string(request, NULL, "digest", &ret->digest));
	TRY(json_require_string(request, NULL, "mediaType", &ret->media_type));
	return json_require_u64(request, NULL, "size", INT64_MAX, &ret->size);
}

fallible worker_push(const struct json *request, struct worker_result *ret)
{
	// Never freed, as in worker_fetch().
	static struct push p;
	struct oci_descriptor target = {0};
	bool alone = false;
	p.arena = arena_new();
	TRY(order_read(request, &p.order));
	TRY(read_target(request, &target));
	TRY(json_get_object(request, NULL, "sources", &p.sources));
	TRY(json_get_bool(request, NULL, "foreign", &p.with_foreign));
	TRY(json_get_bool(request, NULL, "alone", &alone));
	p.order.options.push = true;
	TRY(order_confine(&p.order));
	TRY(alone ? add_alone(&p, &target) : add_target(&p, &target, 0));
	TRY(registry_new(&p.order.options, &p.registry));
	TRY(downloads_run(&p.uploads, &p.order.options, p.order.n_at_once));
	TRY(push_documents(&p));
	ret->bytes = p.uploads.bytes;
	return NULL;
}

// Role `login`: whether the registry takes us for who we say we are.
fallible worker_login(const struct json *request, struct worker_result *ret)
{
	static struct order o;
	struct registry *r;
	(void)ret;
	TRY(order_read(request, &o));
	TRY(order_confine(&o));
	TRY(registry_new(&o.options, &r));
	return registry_check_login(r);
}
