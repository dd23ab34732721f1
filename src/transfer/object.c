// SPDX-License-Identifier: Apache-2.0
// Role `object`: one thing of a registry, a manifest by name or a blob by digest, into a
// descriptor.
#include "oci/image.h"
#include "registry/registry.h"
#include "sys/fd.h"
#include "transfer/order.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <string.h>

static fallible fetch_document(struct registry *r, const char *name, struct worker_result *ret)
{
	struct registry_document d;
	TRY(registry_fetch_manifest(r, name, OCI_MANIFEST_SIZE_LIMIT, &d));
	struct error *e = fd_write_all(WORKER_INPUT, d.text, d.size);
	ret->bytes = d.size;
	registry_document_done(&d);
	return e;
}

fallible worker_object(const struct json *request, struct worker_result *ret)
{
	// Never freed, as in worker_fetch().
	static struct order o;
	struct registry *r;
	bool is_blob = false;
	uint64_t limit;
	TRY(order_read(request, &o));
	TRY(json_get_bool(request, NULL, "blob", &is_blob));
	TRY(json_require_u64(request, NULL, "limit", INT64_MAX, &limit));
	TRY(order_confine(&o));
	TRY(registry_new(&o.options, &r));
	if (!is_blob)
		return fetch_document(r, o.name, ret);
	const struct registry_blob blob = {.digest = o.name,
	                                   .size_bytes = limit,
	                                   .size_is_limit = true,
	                                   .fd = WORKER_INPUT,
	                                   .grown_fd = -1};
	return registry_fetch_blob(r, &blob);
}
