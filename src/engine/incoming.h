// SPDX-License-Identifier: Apache-2.0
// Images on their way in, from an archive or a registry: what the worker says of them becomes one
// publication, with their layers unpacked beside.
#pragma once
#include "engine/private.h"

struct incoming {
	struct engine *engine;
	struct store_session *session;
	struct transfer_archive *archive; // blobs without a `name` are in the store already
	struct arena *arena;              // of all that goes into the publication
	struct label_list labels;         // of the images
	struct store_label source;        // of every blob; key NULL: none
	const char *snapshotter;          // NULL: the engine's
	struct unpacking *ahead;          // of the first manifest, begun while blobs come; or NULL
	bool all_platforms, no_unpack;
	bool documents_only;  // layers aren't here; whoever has them keeps them. With no_unpack
	bool *left_out;       // by the archive's index: blobs that aren't published
	struct strings names; // of the images, in order
	// what becomes the publication
	struct store_publication p;
	struct store_new_blob *blobs;
	size_t n_blobs;
	struct store_manifest *manifests;
	struct store_new_image *images;
	size_t n_images, images_capacity;
};

// Lists what `archive` holds; then the images can be named.
fallible incoming_describe(struct incoming *in);
void incoming_name(struct incoming *in, const struct transfer_image *image, const char *name);
// Begins to unpack the image's first manifest while its blobs come (engine/private.h).
fallible incoming_ahead(struct incoming *in, struct transfer_unpacking **ret);
// Unpacks what lacks and publishes all of it.
fallible incoming_publish(struct incoming *in);
void incoming_done(struct incoming *in);
