// SPDX-License-Identifier: Apache-2.0
// A registry's image becomes ours: the worker that speaks to the network asks for every blob, and
// is told that it is there or given a file to fetch into. A blob that came is published at once,
// under a lease, so that a killed pull keeps it and others share it; what was not finished stays
// as a partial file. Layers are unpacked as they come; in the end all is published under the
// image's name.
#include "engine/incoming.h"
#include "engine/registry_host.h"
#include "oci/reference.h"
#include "sys/lock.h"
#include "sys/process.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define LABEL_OWNER "coracle/pull.owner" // pid and start time
#define LABEL_REFERENCE "coracle/pull.reference"
#define LEASE_LIFE_NS (INT64_C(24) * 3600 * 1000000000)

struct pulled {
	char *digest;
	int fd; // its partial file, locked, while it is being fetched; else -1
	bool is_document;
};

struct pull {
	const struct engine_pull *request;
	struct incoming in;
	struct oci_reference reference;
	struct registry_hosts hosts;
	struct pulled *blobs;
	size_t n_blobs, capacity;
	size_t n_adopted;
	uint64_t room_bytes; // that was free when it began, less what has been promised
	char lease[32];      // "" until there is one
};

static void pull_done(struct pull *p)
{
	for (size_t i = 0; i < p->n_blobs; i++) {
		free(p->blobs[i].digest);
		fd_cleanup_(&p->blobs[i].fd);
	}
	free(p->blobs);
	registry_hosts_done(&p->hosts);
	oci_reference_done(&p->reference);
	incoming_done(&p->in);
}

static struct store *store_of(const struct pull *p)
{
	return p->in.engine->store;
}

// --- what the worker asks for -------------------------------------------------------------------

// Every reader has its own place in the blob.
static fallible give_whole(struct pull *p, const char *digest)
{
	while (p->in.ahead && unpacking_needs(p->in.ahead, digest)) {
		auto_fd int fd = -1;
		uint64_t size;
		TRY(store_open_blob(store_of(p), p->in.engine->ns, digest, &fd, &size));
		unpacking_give(p->in.ahead, digest, fd_take(&fd), -1);
	}
	return NULL;
}

// To a reader that follows who writes it. Two can't follow: they would take each other's news.
static fallible give_growing(struct pull *p, const char *digest, int fd, int *ret_grown_fd)
{
	if (!p->in.ahead || !unpacking_needs(p->in.ahead, digest))
		return NULL;
	auto_free char *path = alloc_printf("/proc/self/fd/%d", fd);
	auto_fd int reader = open(path, O_RDONLY | O_CLOEXEC);
	auto_fd int grown = reader < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
	*ret_grown_fd = grown < 0 ? -1 : fcntl(grown, F_DUPFD_CLOEXEC, 0);
	if (*ret_grown_fd < 0)
		FAIL_ERRNO("blob %s", digest);
	unpacking_give(p->in.ahead, digest, fd_take(&reader), fd_take(&grown));
	return NULL;
}

static fallible find_in_store(struct pull *p, const struct transfer_wanted *w, bool *ret_has,
                              int *ret_fd)
{
	auto_fd int fd = -1;
	uint64_t size = 0;
	struct error *e = store_open_blob(store_of(p), p->in.engine->ns, w->digest, &fd, &size);
	*ret_has = !e;
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // that is the question
		return NULL;
	}
	TRY(e);
	if (w->size_bytes && size != w->size_bytes)
		return error_new(ERROR_CORRUPT, "blob %s: has %llu bytes, its descriptor says %llu",
		                 w->digest, (unsigned long long)size,
		                 (unsigned long long)w->size_bytes);
	if (w->is_document)
		*ret_fd = fd_take(&fd);
	else if (p->in.ahead && unpacking_needs(p->in.ahead, w->digest))
		TRY(give_whole(p, w->digest));
	return NULL;
}

static fallible hand_out(struct pull *p, const struct transfer_wanted *w, int fd, int *ret_fd)
{
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (*ret_fd < 0)
		FAIL_ERRNO("blob %s", w->digest);
	alloc_grow(&p->blobs, &p->capacity, p->n_blobs, sizeof(*p->blobs));
	p->blobs[p->n_blobs++] = (struct pulled){
		.digest = alloc_string(w->digest), .fd = fd, .is_document = w->is_document};
	return NULL;
}

// A size is the registry's word until the bytes are here: it mustn't fill the disk.
static fallible claim_room(struct pull *p, const struct transfer_wanted *w, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("blob %s", w->digest);
	uint64_t have = (uint64_t)st.st_size;
	uint64_t needs = w->size_bytes > have ? w->size_bytes - have : 0;
	if (needs > p->room_bytes)
		return error_new(ERROR_LIMIT, "blob %s: %llu bytes are needed, %llu are free",
		                 w->digest, (unsigned long long)needs,
		                 (unsigned long long)p->room_bytes);
	p->room_bytes -= needs;
	return NULL;
}

static fallible find_room(struct pull *p)
{
	struct statvfs fs;
	if (fstatvfs(store_rootfd(store_of(p)), &fs) < 0)
		FAIL_ERRNO("free space");
	if (__builtin_mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &p->room_bytes))
		p->room_bytes = UINT64_MAX;
	return NULL;
}

static struct pulled *find_pulled(struct pull *p, const char *digest)
{
	for (size_t i = 0; i < p->n_blobs; i++)
		if (p->blobs[i].fd >= 0 && !strcmp(p->blobs[i].digest, digest))
			return &p->blobs[i];
	return NULL;
}

static fallible want(void *arg, const struct transfer_wanted *w, enum transfer_want *ret,
                     int *ret_fd, int *ret_grown_fd)
{
	struct pull *p = arg;
	bool has = false;
	auto_fd int fd = -1;
	*ret = TRANSFER_HAVE;
	if (find_pulled(p, w->digest))
		return error_new(ERROR_CORRUPT, "the worker asked for %s twice", w->digest);
	TRY(find_in_store(p, w, &has, ret_fd));
	if (has)
		return NULL;
	struct error *e = store_open_partial(store_of(p), w->digest,
	                                     w->patiently ? STORE_PARTIAL_WAIT : 0, &fd);
	if (error_is(e, ERROR_BUSY)) {
		error_drop(&e); // another pull is fetching it: it will be shared
		*ret = TRANSFER_LATER;
		return NULL;
	}
	TRY(e);
	struct stat st;
	e = claim_room(p, w, fd);
	if (e && !fstat(fd, &st) && !st.st_size) // nothing of it came yet
		e = error_join(e, store_remove_partial(store_of(p), w->digest));
	TRY(e);
	// Whoever had the lock may have published it.
	TRY(find_in_store(p, w, &has, ret_fd));
	if (has)
		return store_remove_partial(store_of(p), w->digest);
	*ret = TRANSFER_FETCH;
	if (!w->is_document)
		TRY(give_growing(p, w->digest, fd, ret_grown_fd));
	return hand_out(p, w, fd_take(&fd), ret_fd);
}

// --- what came ----------------------------------------------------------------------------------

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static fallible hold(struct pull *p, const char *digest)
{
	const struct store_resource resource = {
		.kind = STORE_BLOB, .snapshotter = "", .name = digest};
	if (*p->lease)
		return store_add_to_lease(store_of(p), p->in.engine->ns, p->lease, &resource);
	snprintf(p->lease, sizeof(p->lease), "pull-%016llx", (unsigned long long)random_u64());
	uint64_t start;
	TRY(process_start_time(getpid(), &start));
	const struct store_label labels[] = {
		{LABEL_OWNER,
	         arena_printf(p->in.arena, "%ld %llu", (long)getpid(), (unsigned long long)start)},
		{LABEL_REFERENCE, p->reference.normalised},
	};
	const struct store_lease lease = {.id = p->lease,
	                                  .expires_ns = now_ns() + LEASE_LIFE_NS,
	                                  .labels = {labels, 2},
	                                  .resources = &resource,
	                                  .n_resources = 1};
	return store_create_lease(store_of(p), p->in.engine->ns, &lease);
}

// Documents are small: their digests needn't be believed.
static fallible check_document(const struct pulled *b, uint64_t size)
{
	if (size > OCI_MANIFEST_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "%s: a document of %llu bytes", b->digest,
		                 (unsigned long long)size);
	auto_free char *text = alloc((size_t)size + 1);
	char digest[OCI_DIGEST_SIZE];
	if (pread(b->fd, text, (size_t)size, 0) != (ssize_t)size)
		return error_new(ERROR_CORRUPT, "%s: can't be read back", b->digest);
	oci_digest_of(text, (size_t)size, digest);
	if (strcmp(digest, b->digest) != 0)
		return error_new(ERROR_CORRUPT, "%s: the digest of its bytes is %s", b->digest,
		                 digest);
	return NULL;
}

static fallible got(void *arg, const char *digest)
{
	struct pull *p = arg;
	struct pulled *b = find_pulled(p, digest);
	struct stat st;
	if (!b)
		return error_new(ERROR_CORRUPT, "the worker got %s, which it wasn't given", digest);
	if (fstat(b->fd, &st) < 0)
		FAIL_ERRNO("blob %s", digest);
	if (b->is_document)
		TRY(check_document(b, (uint64_t)st.st_size));
	char name[32];
	snprintf(name, sizeof(name), "%zu", ++p->n_adopted);
	TRY(hold(p, digest));
	TRY(store_session_adopt(p->in.session, digest, name));
	const struct store_new_blob blob = {
		.descriptor = {.media_type = "",
	                       .digest = digest,
	                       .size_bytes = (uint64_t)st.st_size},
		.name = name,
	};
	const struct store_publication publication = {
		.ns = p->in.engine->ns, .blobs = &blob, .n_blobs = 1};
	TRY(store_publish(p->in.session, &publication));
	TRY(store_remove_partial(store_of(p), digest)); // now that others find the blob
	TRY(lock_release(b->fd));                       // the worker may have its copy open still
	fd_cleanup_(&b->fd);
	b->fd = -1;
	return give_whole(p, digest);
}

// --- what it is ---------------------------------------------------------------------------------

static fallible described(void *arg, struct transfer_archive *a, struct transfer_unpacking **ret)
{
	struct pull *p = arg;
	p->in.archive = a;
	TRY(incoming_describe(&p->in));
	return incoming_ahead(&p->in, ret);
}

// --- asking -----------------------------------------------------------------------------------

static fallible fetch(struct pull *p)
{
	struct transfer transfer;
	auto_free char *unpacker = NULL, *program = NULL;
	TRY(engine_transfer(p->in.engine, &transfer, &unpacker));
	TRY(engine_program("coracle-fetch", &program));
	transfer.program = program;
	const struct engine_pull *r = p->request;
	const struct transfer_blobs blobs = {
		.want = want, .described = described, .got = got, .arg = p};
	const struct transfer_fetch_request request = {
		.transfer = &transfer,
		.registry =
			registry_request(&r->registry, &p->reference, &p->hosts, r->max_downloads),
		.platforms = r->platforms,
		.n_platforms = r->n_platforms,
		.all_platforms = r->all_platforms || (r->metadata_only && !r->n_platforms),
		.documents_only = r->metadata_only,
		.blobs = &blobs,
	};
	return transfer_fetch(&request);
}

// What lies is thrown away at once; what broke is kept for the next pull. Takes and returns `e`.
static struct error *after_error(struct pull *p, struct error *e)
{
	bool is_wrong = e->code == ERROR_CORRUPT || e->code == ERROR_INVALID ||
	                e->code == ERROR_LIMIT || e->code == ERROR_UNSUPPORTED ||
	                e->code == ERROR_NOT_FOUND || e->sys == ENOSPC;
	for (size_t i = 0; is_wrong && i < p->n_blobs; i++)
		if (p->blobs[i].fd >= 0)
			error_free(store_remove_partial(store_of(p), p->blobs[i].digest));
	struct store_garbage *taken = NULL;
	if (is_wrong && *p->lease)
		error_free(store_remove_lease(store_of(p), p->in.engine->ns, p->lease));
	if (is_wrong && *p->lease)
		error_free(store_gc_run(store_of(p), 0, &taken)); // else the next gc does
	store_garbage_free(taken);
	return is_wrong || !p->n_blobs
	               ? e
	               : error_hint(
				 e,
				 "what came is kept for a day: the same again goes on from there");
}

static fallible publish(struct pull *p)
{
	TRY(labels_parse(p->request->labels, p->request->n_labels, false, &p->in.labels));
	incoming_name(&p->in, &p->in.archive->images[0], p->reference.normalised);
	return incoming_publish(&p->in);
}

static const char *label_of(const struct store_lease *l, const char *key)
{
	for (size_t i = 0; i < l->labels.n; i++)
		if (!strcmp(l->labels.items[i].key, key))
			return l->labels.items[i].value;
	return "";
}

bool pull_is_dead(const struct store_lease *l)
{
	long pid = 0;
	unsigned long long start = 0;
	return sscanf(label_of(l, LABEL_OWNER), "%ld %llu", &pid, &start) == 2 &&
	       !process_is_alive((pid_t)pid, start);
}

// What killed pulls of this image had got is the image's now, or nobody's.
static fallible release_forerunners(struct pull *p)
{
	struct store_leases *leases;
	struct error *e = NULL;
	TRY(store_list_leases(store_of(p), p->in.engine->ns, &leases));
	for (size_t i = 0; !e && i < leases->n; i++) {
		const struct store_lease *l = &leases->items[i];
		if (!strcmp(label_of(l, LABEL_REFERENCE), p->reference.normalised) &&
		    pull_is_dead(l))
			e = store_remove_lease(store_of(p), p->in.engine->ns, l->id);
		if (error_is(e, ERROR_NOT_FOUND))
			error_drop(&e); // another pull was quicker
	}
	store_leases_free(leases);
	return e;
}

static fallible pull_into(struct pull *p)
{
	TRY(find_room(p));
	TRY(registry_hosts_for(p->in.engine, &p->request->registry, &p->reference, &p->hosts));
	struct error *e = fetch(p);
	if (!e)
		e = publish(p);
	if (e)
		return after_error(p, e);
	if (*p->lease)
		TRY(store_remove_lease(store_of(p), p->in.engine->ns, p->lease));
	return release_forerunners(p);
}

fallible engine_pull(struct engine *engine, const struct engine_pull *request, char **ret_name,
                     char **ret_chain)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	defer(pull_done) struct pull p = {
		.request = request,
		.in = {.engine = engine,
	               .arena = arena_new(),
	               .snapshotter = request->snapshotter,
	               .all_platforms = request->all_platforms || request->n_platforms > 1,
	               .no_unpack = request->no_unpack || request->metadata_only,
	               .documents_only = request->metadata_only},
	};
	TRY(oci_reference_parse(request->reference, &p.reference));
	p.in.source = (struct store_label){
		.key = arena_printf(p.in.arena, "containerd.io/distribution.source.%s",
	                            p.reference.host),
		.value = p.reference.path};
	TRY(engine_begin_session(engine, &p.in.session));
	struct error *e = pull_into(&p);
	e = error_join(e, engine_end_session(engine, p.in.session));
	if (e)
		return registry_explain(e, &request->registry, "pull", request->reference);
	*ret_name = alloc_string(p.reference.normalised);
	const struct store_manifest *best = &p.in.manifests[p.in.archive->images[0].manifests[0]];
	if (request->n_platforms == 1 && !request->all_platforms && !request->quietly)
		engine_warn_of_platform(engine, request->reference, best, request->platforms[0]);
	if (ret_chain)
		*ret_chain = alloc_string(best->chain_id);
	return NULL;
}
