// SPDX-License-Identifier: Apache-2.0
// Role `archive`: an image archive into the ingest folder, and a description of it.
#include "base/text.h"
#include "layer/layer.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/describe.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"

enum { PLATFORMS_MAX = 64 };

struct order {
	uint64_t limit, total;
	bool all;
	bool is_default; // no platform was asked for
	struct oci_platform host;
	struct oci_platform platforms[PLATFORMS_MAX];
	size_t n_platforms;
};

static fallible read_order(const struct json *request, struct order *o)
{
	const char *host;
	const struct json *platforms = NULL;
	const struct oci_platform any = {.os = "linux", .architecture = "amd64"};
	TRY(json_require_u64(request, NULL, "limit", INT64_MAX, &o->limit));
	TRY(json_get_u64(request, NULL, "total", INT64_MAX, &o->total));
	TRY(json_get_bool(request, NULL, "all", &o->all));
	TRY(json_require_string(request, NULL, "host", &host));
	TRY(oci_platform_parse(host, &any, &o->host));
	TRY(json_get_array(request, NULL, "platforms", PLATFORMS_MAX, &platforms));
	for (size_t i = 0; i < json_size(platforms); i++) {
		const char *text = json_text(json_item(platforms, i));
		TRY(oci_platform_parse(text ? text : "", &o->host,
		                       &o->platforms[o->n_platforms++]));
	}
	o->is_default = !o->n_platforms;
	if (o->is_default)
		o->platforms[o->n_platforms++] = o->host;
	return NULL;
}

static fallible write_answer(const struct json *answer)
{
	auto_free char *text = json_to_text(answer, 0, JSON_PLAIN);
	size_t size = strlen(text);
	if (size > ANSWER_SIZE_MAX)
		return error_new(ERROR_LIMIT, "the archive's description is too large");
	return fd_write_all(WORKER_ANSWER, text, size);
}

static fallible find_index(struct ingest *in, struct ingest_file **ret)
{
	struct ingest_file *layout = ingest_find_path(in, "oci-layout");
	if (layout) { // also when docker's manifest.json stands beside it
		auto_free char *text = NULL;
		TRY_AS(ingest_text(in, layout, 4096, &text), "oci-layout");
		TRY(oci_layout_check(text, (size_t)layout->size));
		*ret = ingest_find_path(in, "index.json");
		return *ret ? NULL : error_new(ERROR_INVALID, "index.json: not in the archive");
	}
	if (ingest_find_path(in, "manifest.json"))
		return docker_convert(in, ret);
	return error_new(ERROR_INVALID, "not an image archive: neither oci-layout nor "
	                                "manifest.json is in it");
}

// Nothing for the host's own system: Windows of the same architecture will do.
static fallible describe(struct ingest *in, struct order *o, struct json **ret)
{
	struct describe_request r = {.host = o->host,
	                             .platforms = o->platforms,
	                             .n_platforms = o->n_platforms,
	                             .all = o->all};
	struct ingest_file *index = NULL;
	TRY(find_index(in, &index));
	struct error *e = describe_index(in, &r, index, ret);
	if (!error_is(e, ERROR_NOT_FOUND) || !o->is_default || o->all)
		return e;
	struct oci_platform windows = o->host;
	memcpy(windows.os, "windows", sizeof("windows"));
	r.platforms = &windows;
	struct error *second = describe_index(in, &r, index, ret);
	if (!second) {
		error_free(e);
		return NULL;
	}
	error_free(second); // what lacks is the host's
	return e;
}

static fallible read_archive(struct ingest *in, struct layer_stream *stream, struct order *o)
{
	auto_json struct json *answer = NULL;
	TRY(ingest_read(in, stream));
	TRY(describe(in, o, &answer));
	TRY(ingest_sweep(in));
	return write_answer(answer);
}

fallible worker_archive(const struct json *request, struct worker_result *ret)
{
	struct order o = {0};
	TRY(read_order(request, &o));
	struct confine_folder folder = {"ingest", WORKER_TARGET, true, -1};
	// No capability at all: the folder is ours.
	struct confine_role role = {
		.folders = &folder,
		.n_folders = 1,
		.file_size_max = o.limit > ANSWER_SIZE_MAX ? o.limit : ANSWER_SIZE_MAX,
	};
	int landlock;
	TRY(confine_begin(&role, &landlock));
	const uint64_t headers = (uint64_t)1 << 30;
	struct layer_stream *stream;
	TRY(layer_stream_new(WORKER_INPUT, LAYER_THREAD,
	                     o.limit < INT64_MAX - headers ? o.limit + headers : INT64_MAX,
	                     &stream));
	defer(ingest_done) struct ingest in = {
		.dirfd = folder.fd, .limit_bytes = o.limit, .total_bytes = o.total};
	TRY(layer_hash_new(&in.hash));
	TRY(confine_end(CONFINE_READS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	TRY(read_archive(&in, stream, &o));
	*ret = (struct worker_result){in.bytes, in.n_files};
	return NULL;
}
