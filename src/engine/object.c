// SPDX-License-Identifier: Apache-2.0
// One object of a registry to a descriptor. It lies in a session's file until its digest is right:
// nobody gets bytes that are then taken back.
#include "engine/registry_host.h"
#include <fcntl.h>

// A tag or a digest: it becomes a part of a URL.
static fallible check_object(const struct oci_reference *reference, const char *object)
{
	if (strchr(object, ':'))
		return oci_digest_check(object);
	auto_oci_reference struct oci_reference whole = {0};
	auto_free char *text = alloc_printf("%s/%s:%s", reference->host, reference->path, object);
	return oci_reference_parse(text, &whole);
}

static fallible fetch(struct engine *e, const struct engine_object *r,
                      const struct oci_reference *reference, int blob)
{
	struct transfer transfer;
	auto_registry_hosts struct registry_hosts hosts = {0};
	auto_free char *unpacker = NULL, *program = NULL;
	TRY(engine_transfer(e, &transfer, &unpacker));
	TRY(engine_program("coracle-fetch", &program));
	transfer.program = program;
	TRY(registry_hosts_for(e, &r->registry, reference, &hosts));
	struct transfer_registry registry = registry_request(&r->registry, reference, &hosts, 1);
	if (r->object)
		registry.name = r->object;
	return transfer_fetch_object(&transfer, &registry, r->is_blob, blob);
}

static fallible fetch_into(struct engine *e, struct store_session *session,
                           const struct engine_object *r, const struct oci_reference *reference,
                           int *ret)
{
	auto_fd int blob = openat(store_session_blobs(session), "object",
	                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (blob < 0)
		FAIL_ERRNO("make a file");
	TRY(fetch(e, r, reference, blob));
	*ret = fd_take(&blob);
	return NULL;
}

fallible engine_fetch_object(struct engine *e, const struct engine_object *r)
{
	struct store *store;
	struct store_session *session;
	auto_fd int blob = -1;
	auto_oci_reference struct oci_reference reference = {0};
	TRY(oci_reference_parse(r->reference, &reference));
	if (r->is_blob)
		TRY(store_check_digest(r->object));
	else if (r->object)
		TRY(check_object(&reference, r->object));
	TRY(engine_store(e, &store));
	TRY(engine_begin_session(e, &session));
	struct error *error = fetch_into(e, session, r, &reference, &blob);
	error = error_join(error, engine_end_session(e, session));
	if (error)
		return registry_explain(error, &r->registry, "fetch from", r->reference);
	return engine_copy_out(blob, r->fd);
}

// --- content prune references
// ----------------------------------------------------------------------------------------

static fallible is_unpacked(struct engine *e, const struct store_manifest *m, bool *ret)
{
	auto_snapshots struct snapshots *snapshots = NULL;
	struct store_snapshot *row = NULL;
	*ret = true;
	if (!*m->chain_id)
		return NULL;
	TRY(engine_snapshots(e, engine_snapshotter_for(m, NULL), &snapshots));
	struct error *error = snapshots_stat(snapshots, m->chain_id, &row);
	store_snapshot_free(row);
	*ret = !error;
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // that is the question
	return error;
}

// Layers of what is unpacked go to `free_`, all others to `needed`.
static fallible sort_layers(struct engine *e, const char *name, struct strings *free_,
                            struct strings *needed)
{
	struct store_image *image;
	TRY(store_find_image(e->store, e->ns, name, &image));
	struct error *error = NULL;
	for (size_t i = 0; i < image->n_manifests && !error; i++) {
		const struct store_manifest *m = &image->manifests[i];
		bool unpacked;
		error = is_unpacked(e, m, &unpacked);
		for (size_t k = 0; k < m->n_layers && !error; k++)
			strings_add(unpacked ? free_ : needed, m->layers[k].descriptor.digest);
	}
	store_image_free(image);
	return error;
}

static fallible find_unneeded(struct engine *e, struct strings *ret)
{
	struct store_images *images;
	auto_strings struct strings all = {0}, needed = {0};
	TRY(store_list_images(e->store, e->ns, &images));
	struct error *error = NULL;
	for (size_t i = 0; i < images->n && !error; i++) {
		error = sort_layers(e, images->items[i].name, &all, &needed);
		if (error_is(error, ERROR_NOT_FOUND))
			error_drop(&error); // it was just removed
	}
	store_images_free(images);
	TRY(error);
	strings_sort(&all);
	for (size_t i = 0; i < all.n; i++) {
		struct store_blobs *row = NULL;
		bool again = i && !strcmp(all.items[i], all.items[i - 1]);
		if (again || strings_has(&needed, all.items[i]))
			continue;
		struct error *none = store_find_blob(e->store, e->ns, all.items[i], &row);
		store_blobs_free(row);
		if (!none)
			strings_add(ret, all.items[i]);
		error_free(none); // it is gone already
	}
	return NULL;
}

fallible engine_content_prune(struct engine *e, bool dry, struct strings *ret)
{
	struct store *store;
	struct store_garbage *taken = NULL;
	TRY(engine_store(e, &store));
	TRY(find_unneeded(e, ret));
	for (size_t i = 0; !dry && i < ret->n; i++) {
		struct error *error = store_remove_blob(store, e->ns, ret->items[i]);
		if (error_is(error, ERROR_NOT_FOUND))
			error_drop(&error); // somebody else was quicker
		TRY(error);
	}
	if (dry || !ret->n)
		return NULL;
	struct error *error = store_gc_run(store, 0, &taken);
	store_garbage_free(taken);
	return error;
}
