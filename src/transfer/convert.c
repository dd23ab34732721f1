// SPDX-License-Identifier: Apache-2.0
// Role `convert`: a foreign manifest or index gets other descriptors.
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <string.h>

static fallible read_order(const struct json *request, struct arena *arena,
                           struct oci_replacements *ret)
{
	const struct json *list;
	TRY(json_require_string(request, NULL, "mediaType", &ret->media_type));
	TRY(json_require_array(request, NULL, "replace", OCI_MANIFESTS_LIMIT, &list));
	ret->n = json_size(list);
	ret->items = arena_alloc(arena, (ret->n + 1) * sizeof(*ret->items));
	for (size_t i = 0; i < ret->n; i++) {
		const struct json *o = json_item(list, i);
		struct oci_replacement *r = &ret->items[i];
		TRY(json_require_string(o, NULL, "from", &r->from));
		TRY(json_require_string(o, NULL, "mediaType", &r->media_type));
		TRY(json_require_string(o, NULL, "digest", &r->digest));
		TRY(json_require_u64(o, NULL, "size", INT64_MAX, &r->size));
	}
	return NULL;
}

fallible worker_convert(const struct json *request, struct worker_result *ret)
{
	struct confine_role role = {.file_size_max = ANSWER_SIZE_MAX};
	auto_arena struct arena *arena = arena_new();
	auto_free char *foreign = NULL;
	struct oci_replacements order = {0};
	struct oci_replaced done;
	size_t size;
	int landlock;
	TRY(confine_begin(&role, &landlock));
	TRY(confine_end(CONFINE_READS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	TRY_AS(read_order(request, arena, &order), "request");
	TRY(fd_read_to_end(WORKER_INPUT, OCI_MANIFEST_SIZE_LIMIT, &foreign, &size));
	TRY(oci_document_convert(foreign, size, &order, &done));
	*ret = (struct worker_result){.bytes = done.n, .n_inodes = done.n_dropped};
	struct error *e = fd_write_all(WORKER_ANSWER, done.text, strlen(done.text));
	free(done.text);
	return e;
}
