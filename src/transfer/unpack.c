// SPDX-License-Identifier: Apache-2.0
// Role `unpack`: one layer into one folder, perhaps while its blob is coming and the layers below
// it are being unpacked.
#include "layer/layer.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include "windows/hives.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>

#define CAPABILITY(name) (UINT64_C(1) << (name))
// Owners, modes, devices, file capabilities; what isn't ours may be read and written.
static const uint64_t capabilities = CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) |
                                     CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_FSETID) |
                                     CAPABILITY(CAP_MKNOD) | CAPABILITY(CAP_SETFCAP);

struct order {
	const char *digest, *diff_id, *item;
	uint64_t size, limit;
	uint64_t item_i, n_items;
	bool native, windows, has_lower;
	bool lower_comes; // when what is below is whole
	bool grows;       // the blob is still being written
	int lower_dirfd;  // the folder `lower`; its mount isn't seen through it
	struct layer_stream *stream;
};

static fallible read_order(const struct json *request, struct order *o)
{
	TRY(json_require_string(request, NULL, "digest", &o->digest));
	TRY(json_require_string(request, NULL, "diffID", &o->diff_id));
	TRY(json_require_string(request, NULL, "item", &o->item));
	TRY(json_require_u64(request, NULL, "size", INT64_MAX, &o->size));
	TRY(json_require_u64(request, NULL, "limit", INT64_MAX, &o->limit));
	TRY(json_get_u64(request, NULL, "index", UINT32_MAX, &o->item_i));
	TRY(json_get_u64(request, NULL, "count", UINT32_MAX, &o->n_items));
	TRY(json_get_bool(request, NULL, "native", &o->native));
	TRY(json_get_bool(request, NULL, "windows", &o->windows));
	TRY(json_get_bool(request, NULL, "lower", &o->has_lower));
	TRY(json_get_bool(request, NULL, "lowerComes", &o->lower_comes));
	return json_get_bool(request, NULL, "grows", &o->grows);
}

static void report(void *arg)
{
	const struct order *o = arg;
	channel_progress(o->item, o->item_i, o->n_items, layer_stream_consumed(o->stream), o->size);
}

static void warn(void *arg, const char *line)
{
	(void)arg;
	channel_warn(NULL, line);
}

static void debug(void *arg, const char *line)
{
	(void)arg;
	channel_debug(line);
}

static fallible opaque(void *arg, int dirfd)
{
	(void)arg;
	return channel_opaque(NULL, dirfd);
}

static fallible await_lower(void *arg, int *ret_dirfd)
{
	struct order *o = arg;
	channel_await_lower();
	o->lower_dirfd = open("/lower", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (o->lower_dirfd < 0)
		FAIL_ERRNO("what is below");
	*ret_dirfd = o->lower_dirfd;
	return NULL;
}

static fallible check_sums(const struct order *o)
{
	struct layer_sums sums;
	TRY(layer_stream_finish(o->stream, &sums));
	if (sums.size_bytes != o->size)
		return error_new(ERROR_CORRUPT, "has %llu bytes, not %llu",
		                 (unsigned long long)sums.size_bytes, (unsigned long long)o->size);
	if (strcmp(sums.digest, o->digest) != 0)
		return error_new(ERROR_CORRUPT, "digest of the bytes is %s", sums.digest);
	if (strcmp(sums.diff_id, o->diff_id) != 0)
		return error_new(ERROR_CORRUPT, "diff ID is %s, the image says %s", sums.diff_id,
		                 o->diff_id);
	return NULL;
}

// A wrong digest explains whatever else went wrong.
static fallible unpack(struct order *o, const struct confine_folder *folders,
                       struct worker_result *ret)
{
	const struct layer_unpack_request r = {.stream = o->stream,
	                                       .new_dirfd = folders[0].fd,
	                                       .lower_dirfd = o->has_lower ? folders[1].fd : -1,
	                                       .await_lower = o->lower_comes ? await_lower : NULL,
	                                       .native = o->native,
	                                       .windows = o->windows,
	                                       .limit_bytes = o->limit,
	                                       .on_opaque = opaque,
	                                       .warn = warn,
	                                       .debug = debug,
	                                       .progress = report,
	                                       .arg = o};
	struct layer_unpacked unpacked;
	TRY(layer_unpack(&r, &unpacked));
	TRY(check_sums(o));
	if (o->windows)
		TRY(windows_convert_hives(r.new_dirfd, r.lower_dirfd));
	*ret = (struct worker_result){unpacked.bytes, unpacked.n_inodes};
	return NULL;
}

// Headers and padding of the tar come on top of the files' bytes; small files have more of them.
static uint64_t stream_limit(uint64_t limit)
{
	const uint64_t more = (uint64_t)1 << 30;
	return limit < INT64_MAX / 2 ? limit * 2 + more : INT64_MAX;
}

fallible worker_unpack(const struct json *request, struct worker_result *ret)
{
	struct order o = {0};
	TRY_AS(read_order(request, &o), "request");
	struct confine_folder folders[] = {
		{"new", WORKER_TARGET, true, -1, false},
		{"lower", o.lower_comes ? -1 : WORKER_LOWER, false, -1, o.lower_comes}};
	struct confine_role role = {.folders = folders,
	                            .n_folders = o.has_lower || o.lower_comes ? 2 : 1,
	                            .capabilities = capabilities};
	int landlock;
	TRY(confine_begin(&role, &landlock));
	TRY(layer_stream_new(WORKER_INPUT, LAYER_HASH | LAYER_THREAD, stream_limit(o.limit),
	                     &o.stream));
	if (o.grows)
		layer_stream_follow(o.stream, WORKER_GROWN, o.size);
	TRY(confine_end(CONFINE_WRITES_LAYERS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	return unpack(&o, folders, ret);
}
