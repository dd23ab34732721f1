// SPDX-License-Identifier: Apache-2.0
// Role `repack`: bytes become a blob, as they come or inflated and packed anew.
#include "layer/layer.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <string.h>
#include <unistd.h>

struct order {
	const char *item;
	enum layer_compression compression;
	bool inflate;
	uint64_t size, inflated_limit, limit;
};

static fallible read_order(const struct json *request, struct order *o)
{
	const char *compression;
	TRY(json_require_string(request, NULL, "item", &o->item));
	TRY(json_require_string(request, NULL, "compression", &compression));
	TRY(json_require_u64(request, NULL, "size", INT64_MAX, &o->size));
	TRY(json_require_u64(request, NULL, "inflatedLimit", INT64_MAX, &o->inflated_limit));
	TRY(json_require_u64(request, NULL, "limit", INT64_MAX, &o->limit));
	TRY(json_get_bool(request, NULL, "inflate", &o->inflate));
	return layer_compression_read(compression, &o->compression);
}

static fallible copy(const struct order *o, struct layer_packer *packer)
{
	enum { PIECE = 256 << 10 };
	auto_free char *bytes = alloc(PIECE);
	for (uint64_t done = 0;;) {
		ssize_t n = read(WORKER_INPUT, bytes, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read");
		if (!n)
			return NULL;
		TRY(layer_packer_put(packer, bytes, (size_t)n));
		done += (size_t)n;
		channel_progress(o->item, 0, 1, done, o->size);
	}
}

static fallible inflate(const struct order *o, struct layer_stream *stream,
                        struct layer_packer *packer)
{
	const void *bytes;
	size_t size;
	for (;;) {
		TRY(layer_stream_more(stream, &bytes, &size));
		if (!size)
			return NULL;
		TRY(layer_packer_put(packer, bytes, size));
		channel_progress(o->item, 0, 1, layer_stream_consumed(stream), o->size);
	}
}

fallible worker_repack(const struct json *request, struct worker_result *ret)
{
	struct order o = {0};
	struct confine_role role = {0};
	auto_layer_packer struct layer_packer *packer = NULL;
	auto_layer_stream struct layer_stream *stream = NULL;
	struct layer_sums to, from;
	int landlock;
	TRY_AS(read_order(request, &o), "request");
	TRY(confine_begin(&role, &landlock));
	TRY(layer_packer_new(WORKER_TARGET, o.compression, o.limit, &packer));
	if (o.inflate)
		TRY(layer_stream_new(WORKER_INPUT, LAYER_HASH | LAYER_THREAD, o.inflated_limit,
		                     &stream));
	TRY(confine_end(CONFINE_READS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	TRY(stream ? inflate(&o, stream, packer) : copy(&o, packer));
	TRY(layer_packer_finish(packer, &to));
	from = to;
	if (stream)
		TRY(layer_stream_finish(stream, &from));
	*ret = (struct worker_result){.bytes = to.size_bytes};
	return worker_answer_sums(&to, from.digest);
}
