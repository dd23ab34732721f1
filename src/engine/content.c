// SPDX-License-Identifier: Apache-2.0
// Blobs and leases, one by one.
#include "engine/private.h"
#include "oci/filter.h"
#include "sys/process.h"
#include <stdlib.h>
#include <time.h>

// In the words of the digest library that ctr uses.
static fallible check_digest(const char *digest)
{
	const char *colon = strchr(digest, ':');
	if (!colon || colon == digest || !colon[1])
		return error_new(ERROR_INVALID, "invalid checksum digest format");
	if (strncmp(digest, "sha256:", 7) != 0)
		return error_new(ERROR_UNSUPPORTED, "unsupported digest algorithm");
	if (strlen(colon + 1) != 64)
		return error_new(ERROR_INVALID, "invalid checksum digest length");
	if (strspn(colon + 1, "0123456789abcdef") != 64)
		return error_new(ERROR_INVALID, "invalid checksum digest format");
	return NULL;
}

static struct error *not_found(struct error *e, const char *digest)
{
	if (!error_is(e, ERROR_NOT_FOUND))
		return e;
	error_free(e);
	return error_new(ERROR_NOT_FOUND, "content digest %s: not found", digest);
}

void engine_blobs_free(struct engine_blobs *blobs)
{
	if (!blobs)
		return;
	for (size_t i = 0; i < blobs->n; i++) {
		free(blobs->items[i].digest);
		engine_labels_done(&blobs->items[i].labels);
	}
	free(blobs->items);
	free(blobs);
}

fallible engine_content_list(struct engine *engine, struct engine_blobs **ret)
{
	struct store *store;
	struct store_blobs *rows;
	TRY(engine_store(engine, &store));
	TRY(store_list_blobs(store, engine->ns, &rows));
	struct engine_blobs *blobs = alloc(sizeof(*blobs));
	blobs->items = alloc_array(rows->n, sizeof(*blobs->items));
	for (size_t i = 0; i < rows->n; i++) {
		const struct store_blob *from = &rows->items[i];
		struct engine_blob *to = &blobs->items[blobs->n++];
		*to = (struct engine_blob){.digest = alloc_string(from->descriptor.digest),
		                           .size_bytes = from->descriptor.size_bytes,
		                           .created_ns = from->created_ns};
		labels_copy(&from->labels, &to->labels);
	}
	store_blobs_free(rows);
	*ret = blobs;
	return NULL;
}

fallible engine_content_open(struct engine *engine, const char *digest, int *ret_fd)
{
	struct store *store;
	uint64_t size;
	TRY(check_digest(digest));
	TRY(engine_store(engine, &store));
	return not_found(store_open_blob(store, engine->ns, digest, ret_fd, &size), digest);
}

fallible engine_content_remove(struct engine *engine, const char *digest)
{
	struct store *store;
	TRY(check_digest(digest));
	TRY(engine_store(engine, &store));
	return not_found(store_remove_blob(store, engine->ns, digest), digest);
}

fallible engine_content_label(struct engine *engine, const char *digest, const char *const *labels,
                              size_t n_labels, struct engine_labels *ret)
{
	TRY(check_digest(digest));
	return not_found(engine_set_labels(engine, STORE_BLOB, NULL, digest, labels, n_labels,
	                                   false, NULL, ret),
	                 digest);
}

// --- leases
// ---------------------------------------------------------------------------------------

void engine_leases_free(struct engine_leases *leases)
{
	if (!leases)
		return;
	for (size_t i = 0; i < leases->n; i++) {
		free(leases->items[i].id);
		engine_labels_done(&leases->items[i].labels);
	}
	free(leases->items);
	free(leases);
}

static const char *lease_field(void *context, const char *const *path, size_t n)
{
	const struct store_lease *lease = context;
	if (n == 1 && !strcmp(path[0], "id"))
		return lease->id;
	for (size_t i = 0; n == 2 && !strcmp(path[0], "labels") && i < lease->labels.n; i++)
		if (!strcmp(lease->labels.items[i].key, path[1]))
			return lease->labels.items[i].value;
	return NULL;
}

fallible engine_lease_list(struct engine *engine, const char *const *filters, size_t n_filters,
                           struct engine_leases **ret)
{
	struct store *store;
	struct store_leases *rows;
	auto_oci_filters struct oci_filters *filter = NULL;
	TRY(oci_filters_parse(filters, n_filters, &filter));
	TRY(engine_store(engine, &store));
	TRY(store_list_leases(store, engine->ns, &rows));
	struct engine_leases *leases = alloc(sizeof(*leases));
	leases->items = alloc_array(rows->n, sizeof(*leases->items));
	for (size_t i = 0; i < rows->n; i++) {
		struct store_lease *from = &rows->items[i];
		if (!oci_filters_match(filter, lease_field, from))
			continue;
		struct engine_lease *to = &leases->items[leases->n++];
		*to = (struct engine_lease){.id = alloc_string(from->id),
		                            .created_ns = from->created_ns,
		                            .expires_ns = from->expires_ns};
		labels_copy(&from->labels, &to->labels);
	}
	store_leases_free(rows);
	*ret = leases;
	return NULL;
}

fallible engine_lease_create(struct engine *engine, const char *id, int64_t life_ns,
                             const char *const *labels, size_t n_labels, char **ret_id)
{
	struct store *store;
	struct timespec now;
	auto_labels struct label_list list = {0};
	auto_free char *made =
		id ? alloc_string(id) : alloc_printf("%016llx", (unsigned long long)random_u64());
	TRY(labels_parse(labels, n_labels, true, &list));
	TRY(engine_store(engine, &store));
	clock_gettime(CLOCK_REALTIME, &now);
	const int64_t now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	int64_t expires;
	if (life_ns < 0 || __builtin_add_overflow(now_ns, life_ns, &expires))
		return error_new(ERROR_INVALID, "the lease's life is no time");
	const struct store_lease lease = {
		.id = made, .expires_ns = life_ns ? expires : 0, .labels = labels_view(&list)};
	TRY(store_create_lease(store, engine->ns, &lease));
	*ret_id = take(&made);
	return NULL;
}

fallible engine_lease_remove(struct engine *engine, const char *id)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	return store_remove_lease(store, engine->ns, id);
}
