// SPDX-License-Identifier: Apache-2.0
// One worker per layer: the next one sees, as what is below, an overlay of all before it, which
// only the parent can mount, and only when they are whole.
#include "kernel/mount.h"
#include "oci/digest.h"
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/client_private.h"
#include <string.h>
#include <sys/mount.h>

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

static struct json *make_request(const struct transfer_unpack_request *r, size_t i, uint64_t limit,
                                 bool has_lower)
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
	json_set_bool(request, "lower", has_lower);
	return request;
}

static fallible unpack_one(struct transfer_unpack_request *r, size_t i)
{
	struct transfer_unpack_layer *l = &r->layers[i];
	auto_fd int target = -1, below = -1;
	uint64_t limit;
	bool is_space;
	TRY(check_layer(l));
	TRY(choose_limit(l, &limit, &is_space));
	TRY(mount_below(r, i, &below));
	TRY(client_mount(l->new_dirfd, true, &target));
	auto_json struct json *request = make_request(r, i, limit, below >= 0);
	struct client_job job = {.transfer = r->transfer,
	                         .role = "unpack",
	                         .request = request,
	                         .input = l->blob_fd,
	                         .answer = -1,
	                         .target = target,
	                         .lower = below};
	TRY(client_space_error(client_run(&job), is_space));
	l->unpacked_bytes = job.done;
	l->n_inodes = job.total;
	return NULL;
}

fallible transfer_unpack(struct transfer_unpack_request *r)
{
	for (size_t i = 0; i < r->n_layers; i++)
		TRY_AS(unpack_one(r, i), "layer %s", r->layers[i].digest);
	return NULL;
}
