// SPDX-License-Identifier: Apache-2.0
// One worker per layer, several at a time. What is below a layer, an overlay of all before it, only
// the parent can mount, and only when they are whole: a worker that needs it asks for it and waits.
// Layers begin in their order, so that nobody waits for one that hasn't begun.
#include "kernel/mount.h"
#include "oci/digest.h"
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/client_private.h"
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { AT_ONCE_MAX = CLIENT_WORKERS_MAX - 1 };

static fallible check_layer(const struct transfer_unpack_layer *l)
{
	const struct oci_media_type *type = oci_media_type(l->media_type);
	TRY(oci_digest_check(l->digest));
	TRY(oci_digest_check(l->diff_id));
	if (!type || type->kind != OCI_MEDIA_LAYER)
		return error_new(ERROR_UNSUPPORTED, "media type %.100s is no layer", l->media_type);
	if (l->size_bytes > INT64_MAX)
		return error_new(ERROR_INVALID, "size %llu", (unsigned long long)l->size_bytes);
	return NULL;
}

// 1000 times the blob, which no honest gzip reaches, but not less than what small ones may hold.
static fallible choose_limit(const struct transfer_unpack_layer *l, uint64_t *ret,
                             bool *ret_is_space)
{
	const uint64_t least = (uint64_t)1 << 30;
	uint64_t limit, free_bytes;
	*ret_is_space = false;
	if (l->limit_bytes) {
		*ret = l->limit_bytes;
		return NULL;
	}
	TRY(client_free_bytes(l->new_dirfd, &free_bytes));
	if (__builtin_mul_overflow(l->size_bytes, 1000, &limit) || limit > INT64_MAX)
		limit = INT64_MAX;
	limit = limit < least ? least : limit;
	*ret_is_space = free_bytes < limit;
	*ret = *ret_is_space ? free_bytes : limit;
	return NULL;
}

fallible client_merge(const int *lowers, size_t n, int *ret)
{
	const struct mount_overlay overlay = {
		.lowers = lowers, .n_lowers = n, .upper = -1, .work = -1};
	auto_fd int mount = -1;
	TRY_AS(mount_make_overlay(&overlay, &mount), "layers below");
	int sys = mount_change(
		mount, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		0, MS_PRIVATE, false);
	if (sys)
		return error_system(sys, "layers below");
	*ret = fd_take(&mount);
	return NULL;
}

// Layers [0, n) of the request over those that exist already: merged, read-only. -1 if there are
// none.
static fallible mount_below(const struct transfer_unpack_request *r, size_t n, int *ret)
{
	*ret = -1;
	if (r->native || n + r->n_lower == 0)
		return NULL;
	auto_free int *lowers = alloc_array(n + r->n_lower, sizeof(*lowers));
	for (size_t i = 0; i < n; i++)
		lowers[i] = r->layers[n - 1 - i].new_dirfd;
	for (size_t i = 0; i < r->n_lower; i++)
		lowers[n + i] = r->lower_dirfds[i];
	return client_merge(lowers, n + r->n_lower, ret);
}

enum lower { LOWER_NONE, LOWER_THERE, LOWER_COMES };

static struct json *make_request(const struct transfer_unpack_request *r, size_t i, uint64_t limit,
                                 enum lower lower)
{
	const struct transfer_unpack_layer *l = &r->layers[i];
	struct json *request = json_new_object();
	auto_free char *item = alloc_printf("layer %s", l->digest);
	json_set_string(request, "item", item);
	json_set_string(request, "digest", l->digest);
	json_set_string(request, "diffID", l->diff_id);
	json_set_u64(request, "size", l->size_bytes);
	json_set_u64(request, "limit", limit);
	json_set_u64(request, "index", i);
	json_set_u64(request, "count", r->n_layers);
	json_set_bool(request, "native", r->native);
	json_set_bool(request, "windows", r->windows);
	json_set_bool(request, "lower", lower == LOWER_THERE);
	json_set_bool(request, "lowerComes", lower == LOWER_COMES);
	json_set_bool(request, "grows", l->grows);
	return request;
}

// --- several at a time --------------------------------------------------------------------------

struct slot {
	enum { SLOT_WAITS, SLOT_HAS_BLOB, SLOT_RUNS, SLOT_WHOLE } state;
	struct client_job job;
	struct json *request;
	struct client_worker *worker;
	bool limit_is_space;
};

struct transfer_unpacking {
	const struct transfer_unpack_request *r;
	struct slot *slots;
	size_t n_begun, n_running, at_once;
	struct error *error; // the first; then nothing runs any more
};

static void slot_done(struct slot *s)
{
	client_kill(s->worker);
	json_free(s->request);
	s->worker = NULL;
	s->request = NULL;
}

static void fail(struct transfer_unpacking *u, size_t i, struct error *e)
{
	if (u->error)
		error_free(e);
	else
		u->error = error_prefix(e, "layer %s", u->r->layers[i].digest);
	for (size_t k = 0; k < u->r->n_layers; k++)
		slot_done(&u->slots[k]);
	u->n_running = 0;
}

static size_t count_whole(const struct transfer_unpacking *u)
{
	size_t n = 0;
	while (n < u->r->n_layers && u->slots[n].state == SLOT_WHOLE)
		n++;
	return n;
}

static fallible begin_layer(struct transfer_unpacking *u, size_t i)
{
	struct transfer_unpack_layer *l = &u->r->layers[i];
	struct slot *s = &u->slots[i];
	auto_fd int target = -1, below = -1;
	uint64_t limit;
	enum lower lower = count_whole(u) < i ? LOWER_COMES : LOWER_NONE;
	TRY(check_layer(l));
	TRY(choose_limit(l, &limit, &s->limit_is_space));
	if (lower == LOWER_NONE) {
		TRY(mount_below(u->r, i, &below));
		lower = below >= 0 ? LOWER_THERE : LOWER_NONE;
	}
	TRY(client_mount(l->new_dirfd, true, &target));
	s->request = make_request(u->r, i, limit, lower);
	s->job = (struct client_job){.transfer = u->r->transfer,
	                             .role = "unpack",
	                             .request = s->request,
	                             .input = l->blob_fd,
	                             .answer = -1,
	                             .target = target,
	                             .lower = below,
	                             .lower_comes = lower == LOWER_COMES,
	                             .grown = l->grows ? l->grown_fd : -1};
	TRY(client_start(&s->job, &s->worker));
	s->state = SLOT_RUNS;
	u->n_running++;
	return NULL;
}

// Whether layer n_begun may begin. Native ones are copies of what is below, and those of Windows
// look there for every name.
static bool may_begin(const struct transfer_unpacking *u)
{
	bool one_by_one = u->r->native || u->r->windows;
	return !u->error && u->n_begun < u->r->n_layers && u->n_running < u->at_once &&
	       u->slots[u->n_begun].state == SLOT_HAS_BLOB && !(one_by_one && u->n_running);
}

static void begin_layers(struct transfer_unpacking *u)
{
	while (may_begin(u)) {
		size_t i = u->n_begun++;
		struct error *e = begin_layer(u, i);
		if (e)
			fail(u, i, e);
	}
}

// Who waits for what is below, and can have it now.
static fallible give_lower(struct transfer_unpacking *u, size_t i)
{
	auto_fd int below = -1;
	TRY(mount_below(u->r, i, &below));
	return client_give_lower(u->slots[i].worker, below);
}

static void give_lowers(struct transfer_unpacking *u)
{
	size_t i = count_whole(u);
	if (i == u->r->n_layers || !u->slots[i].worker || !client_awaits_lower(u->slots[i].worker))
		return;
	struct error *e = give_lower(u, i);
	if (e)
		fail(u, i, e);
}

static struct slot *running(const struct transfer_unpacking *u, size_t nth)
{
	for (struct slot *s = u->slots;; s++)
		if (s->state == SLOT_RUNS && !nth--)
			return s;
}

size_t client_unpack_workers(struct transfer_unpacking *u, struct client_worker **ret)
{
	begin_layers(u);
	give_lowers(u);
	for (size_t i = 0; i < u->n_running; i++)
		ret[i] = running(u, i)->worker;
	return u->n_running;
}

void client_unpack_listen(struct transfer_unpacking *u, size_t nth)
{
	struct slot *s = running(u, nth);
	struct transfer_unpack_layer *l = &u->r->layers[s - u->slots];
	bool ended;
	struct error *e = client_listen(&s->worker, &ended);
	if (e) {
		fail(u, (size_t)(s - u->slots), client_space_error(e, s->limit_is_space));
		return;
	}
	if (!ended)
		return;
	l->unpacked_bytes = s->job.done;
	l->n_inodes = s->job.total;
	slot_done(s);
	s->state = SLOT_WHOLE;
	u->n_running--;
}

static size_t count_at_once(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 2 ? 2 : n > AT_ONCE_MAX ? AT_ONCE_MAX : (size_t)n;
}

fallible transfer_unpacking_begin(const struct transfer_unpack_request *r,
                                  struct transfer_unpacking **ret)
{
	struct transfer_unpacking *u = alloc(sizeof(*u));
	*u = (struct transfer_unpacking){.r = r,
	                                 .slots = alloc_array(r->n_layers, sizeof(*u->slots)),
	                                 .at_once = count_at_once()};
	*ret = u;
	return NULL;
}

void transfer_unpacking_give(struct transfer_unpacking *u, size_t i, int blob_fd, bool grows,
                             int grown_fd)
{
	struct transfer_unpack_layer *l = &u->r->layers[i];
	l->blob_fd = blob_fd;
	l->grows = grows;
	l->grown_fd = grown_fd;
	u->slots[i].state = SLOT_HAS_BLOB;
}

bool transfer_unpacking_has(const struct transfer_unpacking *u, size_t i)
{
	return u->slots[i].state != SLOT_WAITS;
}

fallible transfer_unpacking_finish(struct transfer_unpacking *u, size_t *ret_n_whole)
{
	struct client_worker *workers[CLIENT_WORKERS_MAX];
	for (size_t n; (n = client_unpack_workers(u, workers));) {
		size_t i;
		struct error *e = client_wait(workers, n, u->r->transfer->stop_fd, &i);
		if (e)
			fail(u, 0, e);
		else
			client_unpack_listen(u, i);
	}
	*ret_n_whole = count_whole(u);
	return take(&u->error);
}

void transfer_unpacking_free(struct transfer_unpacking *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->r->n_layers; i++)
		slot_done(&u->slots[i]);
	error_free(u->error);
	free(u->slots);
	free(u);
}

fallible transfer_unpack(struct transfer_unpack_request *r)
{
	struct transfer_unpacking *u;
	size_t n_whole;
	TRY(transfer_unpacking_begin(r, &u));
	for (size_t i = 0; i < r->n_layers; i++)
		transfer_unpacking_give(u, i, r->layers[i].blob_fd, false, -1);
	struct error *e = transfer_unpacking_finish(u, &n_whole);
	transfer_unpacking_free(u);
	return e;
}
