// SPDX-License-Identifier: Apache-2.0
// An archive becomes images: the worker reads it into a session, its layers are unpacked there, and
// all of it is published at once. What the worker says is checked by transfer/client.h; what names
// mean is decided here.
// Names as containerd 2.1 gives them (client/import.go): io.containerd.image.name as it stands,
// else org.opencontainers.image.ref.name: a whole name, or a tag behind --base-name.
#include "engine/incoming.h"
#include "oci/reference.h"
#include <fcntl.h>
#include <time.h>

struct import {
	const struct engine_import *request;
	struct incoming in;
};

static void import_done(struct import *im)
{
	incoming_done(&im->in);
}

static fallible read_archive(struct import *im)
{
	struct transfer transfer;
	auto_free char *program = NULL;
	TRY(engine_transfer(im->in.engine, &transfer, &program));
	const struct engine_import *r = im->request;
	struct transfer_archive_request request = {
		.transfer = &transfer,
		.fd = r->fd,
		.ingest_dirfd = store_session_blobs(im->in.session),
		.platforms = r->platform ? &r->platform : NULL,
		.n_platforms = r->platform ? 1 : 0,
		.all_platforms = r->all_platforms,
	};
	return transfer_read_archive(&request, &im->in.archive);
}

static const char *base_name(struct import *im)
{
	if (im->request->base_name)
		return im->request->base_name;
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	return arena_printf(im->in.arena, "import-%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
	                    tm.tm_mday);
}

// A ref name is a whole name if it has more than a tag can have.
static bool is_whole_name(const char *ref_name)
{
	return strpbrk(ref_name, "/:@") != NULL;
}

// The name that an entry asks for; *ret NULL: it has none.
static fallible wanted_name(struct import *im, const struct transfer_image *image, char **ret)
{
	*ret = NULL;
	const char *full = image->name;
	if (!full && image->ref_name && is_whole_name(image->ref_name))
		full = image->ref_name;
	if (full) {
		struct oci_reference parsed;
		TRY_AS(oci_reference_parse(full, &parsed), "the archive's index");
		// Short names in archives come from docker and podman, who mean docker.io.
		*ret = alloc_string(parsed.normalised);
		oci_reference_done(&parsed);
	} else if (image->ref_name) {
		auto_free char *name = alloc_printf("%s:%s", base_name(im), image->ref_name);
		auto_free char *checked = NULL;
		TRY_AS(oci_reference_normalise(name, &checked), "the archive's index");
		*ret = take(&name);
	}
	return NULL;
}

static fallible name_images(struct import *im)
{
	const struct engine_import *r = im->request;
	const struct transfer_archive *a = im->in.archive;
	size_t n_other_base = 0;
	for (size_t i = 0; i < a->n_images; i++) {
		auto_free char *name = NULL;
		TRY(wanted_name(im, &a->images[i], &name));
		// --base-name chooses: entries with whole names of other images are left out.
		bool other = name && r->base_name && a->images[i].name &&
		             !text_starts(name, r->base_name);
		n_other_base += other;
		if (other)
			continue;
		if (name)
			incoming_name(&im->in, &a->images[i], name);
		if (!name || (r->digests && !r->skip_digest_for_named)) {
			auto_free char *by_digest = alloc_printf(
				"%s@%s", base_name(im), a->blobs[a->images[i].target].digest);
			if (!name || r->digests)
				incoming_name(&im->in, &a->images[i], by_digest);
		}
	}
	if (!im->in.n_images)
		return error_hint(error_new(ERROR_NOT_FOUND,
		                            n_other_base ? "no image of the archive is named %s"
		                                         : "%s: the archive names no image",
		                            r->base_name ? r->base_name : "import"),
		                  "leave --base-name away to take all images of the archive");
	return NULL;
}

static fallible import_into(struct import *im)
{
	TRY(read_archive(im));
	TRY(labels_parse(im->request->labels, im->request->n_labels, false, &im->in.labels));
	TRY(incoming_describe(&im->in));
	TRY(name_images(im));
	if (im->request->index_name) {
		struct transfer_image index = {.target = im->in.archive->index};
		size_t *all =
			arena_alloc(im->in.arena, (im->in.archive->n_manifests + 1) * sizeof(*all));
		for (size_t i = 0; i < im->in.archive->n_manifests; i++)
			all[i] = i;
		index.manifests = all;
		index.n_manifests = im->in.archive->n_manifests;
		incoming_name(&im->in, &index, im->request->index_name);
	}
	return incoming_publish(&im->in);
}

fallible engine_import(struct engine *engine, const struct engine_import *request,
                       struct strings *ret)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	defer(import_done) struct import im = {
		.request = request,
		.in = {.engine = engine,
	               .arena = arena_new(),
	               .snapshotter = request->snapshotter,
	               .all_platforms = request->all_platforms,
	               .no_unpack = request->no_unpack},
	};
	TRY(engine_begin_session(engine, &im.in.session));
	struct error *e = import_into(&im);
	e = error_join(e, engine_end_session(engine, im.in.session));
	if (e)
		return e;
	*ret = im.in.names;
	im.in.names = (struct strings){0};
	return NULL;
}
