// SPDX-License-Identifier: Apache-2.0
// An image goes to a registry: the confined worker reads its documents and asks for every blob.
#include "engine/registry_host.h"
#include <string.h>

struct push {
	struct engine *engine;
	const struct engine_push *request;
	struct oci_reference remote;
	struct registry_hosts hosts;
	struct store_image *image;
	struct store_descriptor target;
	struct arena *arena;
	struct transfer_source *sources;
	size_t n_sources, capacity;
};

static void push_done(struct push *p)
{
	oci_reference_done(&p->remote);
	registry_hosts_done(&p->hosts);
	store_image_free(p->image);
	arena_free(p->arena);
	free(p->sources);
}

static fallible want(void *arg, const struct transfer_wanted *w, enum transfer_want *ret,
                     int *ret_fd, int *ret_grown_fd)
{
	(void)ret_grown_fd; // nothing grows here
	const struct push *p = arg;
	uint64_t size;
	*ret = TRANSFER_HAVE;
	struct error *e =
		store_open_blob(p->engine->store, p->engine->ns, w->digest, ret_fd, &size);
	if (error_is(e, ERROR_NOT_FOUND))
		e = error_hint(e, "not all of the image is here: images pull fetches what is "
		                  "missing, for all platforms with --all-platforms; --platform "
		                  "OS/ARCH pushes one platform alone");
	return e;
}

static fallible got(void *arg, const char *digest)
{
	(void)arg;
	return error_new(ERROR_CORRUPT, "the worker got %s, which it wasn't given", digest);
}

// Where the same registry had a blob: its label, as pulling sets it.
static fallible add_source(struct push *p, const char *digest)
{
	struct store_blobs *row = NULL;
	struct error *e = store_find_blob(p->engine->store, p->engine->ns, digest, &row);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // the worker will say so, if it needs it
		return NULL;
	}
	TRY(e);
	auto_free char *key = alloc_printf("containerd.io/distribution.source.%s", p->remote.host);
	const struct store_labels *labels = &row->items[0].labels;
	for (size_t i = 0; i < labels->n; i++) {
		const char *value = labels->items[i].value;
		if (strcmp(labels->items[i].key, key) != 0 || !strcmp(value, p->remote.path))
			continue;
		alloc_grow(&p->sources, &p->capacity, p->n_sources, sizeof(*p->sources));
		// containerd lists several, divided by commas; one will do.
		p->sources[p->n_sources++] =
			(struct transfer_source){arena_string(p->arena, digest),
		                                 arena_bytes(p->arena, value, strcspn(value, ","))};
	}
	store_blobs_free(row);
	return NULL;
}

static fallible find_sources(struct push *p)
{
	for (size_t i = 0; i < p->image->n_manifests; i++) {
		const struct store_manifest *m = &p->image->manifests[i];
		TRY(add_source(p, m->config_digest));
		for (size_t k = 0; k < m->n_layers; k++)
			TRY(add_source(p, m->layers[k].descriptor.digest));
	}
	return NULL;
}

static fallible find_target(struct push *p)
{
	const struct engine_push *r = p->request;
	const struct store_manifest *m;
	TRY(engine_find_image(p->engine, r->local ? r->local : r->remote, &p->image));
	p->target = p->image->target;
	if (r->platform) {
		TRY(engine_choose_manifest(p->image, r->platform, &m));
		p->target = m->descriptor;
	}
	return NULL;
}

// --manifest: a blob of the store, whatever image it belongs to.
static fallible find_manifest(struct push *p)
{
	const struct engine_push *r = p->request;
	auto_fd int fd = -1;
	TRY(oci_digest_check(r->manifest));
	p->target =
		(struct store_descriptor){.digest = r->manifest, .media_type = r->manifest_type};
	return store_open_blob(p->engine->store, p->engine->ns, r->manifest, &fd,
	                       &p->target.size_bytes);
}

static fallible send(struct push *p)
{
	struct transfer transfer;
	auto_free char *unpacker = NULL, *program = NULL;
	TRY(engine_transfer(p->engine, &transfer, &unpacker));
	TRY(engine_program("coracle-fetch", &program));
	transfer.program = program;
	const struct transfer_blobs blobs = {.want = want, .got = got, .arg = p};
	const struct transfer_push_request request = {
		.transfer = &transfer,
		.registry = registry_request(&p->request->registry, &p->remote, &p->hosts,
	                                     p->request->max_uploads),
		.digest = p->target.digest,
		.media_type = p->target.media_type,
		.size_bytes = p->target.size_bytes,
		.with_foreign = p->request->with_non_distributable,
		.alone = p->request->alone,
		.sources = p->sources,
		.n_sources = p->n_sources,
		.blobs = &blobs,
	};
	return transfer_push(&request);
}

fallible engine_push(struct engine *engine, const struct engine_push *request)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	defer(push_done) struct push p = {
		.engine = engine, .request = request, .arena = arena_new()};
	TRY(oci_reference_parse(request->remote, &p.remote));
	if (request->manifest)
		TRY(find_manifest(&p));
	else
		TRY(find_target(&p));
	TRY(registry_hosts_for(engine, &request->registry, &p.remote, &p.hosts));
	if (p.image)
		TRY(find_sources(&p));
	return registry_explain(send(&p), &request->registry, "push", request->remote);
}
