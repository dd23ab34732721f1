// SPDX-License-Identifier: Apache-2.0
// Role `diff`: an overlay's upper into the blob of a layer.
#include "layer/layer.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <linux/capability.h>
#include <string.h>

// Files that aren't ours may be read, nothing else.
static const uint64_t capabilities = UINT64_C(1) << CAP_DAC_READ_SEARCH;

struct order {
	enum layer_compression compression;
	uint64_t limit;
	bool has_lower, with_root;
};

static fallible read_order(const struct json *request, struct order *o)
{
	const char *compression;
	TRY(json_require_string(request, NULL, "compression", &compression));
	TRY(json_require_u64(request, NULL, "limit", INT64_MAX, &o->limit));
	TRY(json_get_bool(request, NULL, "lower", &o->has_lower));
	TRY(json_get_bool(request, NULL, "root", &o->with_root));
	return layer_compression_read(compression, &o->compression);
}

static void warn(void *arg, const char *line)
{
	(void)arg;
	channel_warn(NULL, line);
}

static void report(void *arg, uint64_t done)
{
	(void)arg;
	channel_progress("changes", 0, 1, done, 0);
}

fallible worker_answer_sums(const struct layer_sums *sums, const char *source)
{
	auto_json struct json *o = json_new_object();
	json_set_string(o, "digest", sums->digest);
	json_set_string(o, "diffID", sums->diff_id);
	json_set_u64(o, "size", sums->size_bytes);
	json_set_u64(o, "diffSize", sums->diff_size_bytes);
	json_set_string(o, "source", source);
	auto_free char *text = json_to_text(o, 0, JSON_PLAIN);
	return fd_write_all(WORKER_ANSWER, text, strlen(text));
}

fallible worker_diff(const struct json *request, struct worker_result *ret)
{
	struct order o = {0};
	TRY_AS(read_order(request, &o), "request");
	struct confine_folder folders[] = {{"upper", WORKER_TARGET, false, -1},
	                                   {"lower", WORKER_LOWER, false, -1}};
	struct confine_role role = {
		.folders = folders, .n_folders = o.has_lower ? 2 : 1, .capabilities = capabilities};
	int landlock;
	TRY(confine_begin(&role, &landlock));
	auto_layer_packer struct layer_packer *packer = NULL;
	TRY(layer_packer_new(WORKER_INPUT, o.compression, o.limit, &packer));
	TRY(confine_end(CONFINE_READS_TREES));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	const struct layer_diff_request r = {.packer = packer,
	                                     .upper_dirfd = folders[0].fd,
	                                     .lower_dirfd = o.has_lower ? folders[1].fd : -1,
	                                     .is_opaque = channel_ask_opaque,
	                                     .with_root = o.with_root,
	                                     .warn = warn,
	                                     .progress = report};
	struct layer_sums sums;
	TRY(layer_diff(&r));
	TRY(layer_packer_finish(packer, &sums));
	*ret = (struct worker_result){.bytes = sums.diff_size_bytes};
	return worker_answer_sums(&sums, NULL);
}
