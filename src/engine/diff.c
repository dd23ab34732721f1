// SPDX-License-Identifier: Apache-2.0
// `snapshots diff`: a snapshot's changes as a layer, to a descriptor; with `keep` also as a blob.
#include "engine/commit.h"
#include <fcntl.h>
#include <sys/stat.h>

static fallible diff_into(struct engine *e, struct store_session *session,
                          const struct engine_diff *r, const char *compression, int *ret_blob)
{
	struct transfer_diff_result layer;
	defer(commit_source_done) struct commit_source source = {.upper = -1};
	const char *key = r->other ? r->other : r->key;
	if (r->reference)
		TRY(store_name_session(session, r->reference));
	TRY(commit_open_snapshot(e, r->snapshotter, key, &source));
	if (r->other && strcmp(source.parent, r->key) != 0)
		return error_new(ERROR_UNSUPPORTED,
		                 "snapshot %s doesn't stand on %s: only a snapshot and its parent "
		                 "can be compared",
		                 r->other, r->key);
	auto_fd int blob = openat(store_session_blobs(session), "layer",
	                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (blob < 0)
		FAIL_ERRNO("make the layer");
	TRY(commit_write_layer(e, &source, blob, compression, false, &layer));
	if (r->keep) {
		const struct store_descriptor d = {.media_type = r->media_type,
		                                   .digest = layer.digest,
		                                   .size_bytes = layer.size_bytes};
		TRY(engine_keep_blob(e, session, "layer", &d, layer.diff_id, r->labels,
		                     r->n_labels));
	}
	*ret_blob = fd_take(&blob);
	return NULL;
}

fallible engine_snapshot_diff(struct engine *e, const struct engine_diff *r)
{
	static const char *const compressions[] = {[OCI_COMPRESSION_NONE] = "none",
	                                           [OCI_COMPRESSION_GZIP] = "gzip",
	                                           [OCI_COMPRESSION_ZSTD] = "zstd"};
	struct store *store;
	struct store_session *session;
	const struct oci_media_type *type = oci_media_type(r->media_type);
	if (!type || type->kind != OCI_MEDIA_LAYER)
		return error_new(ERROR_UNSUPPORTED,
		                 "unsupported diff media type: %.100s: not implemented",
		                 r->media_type);
	TRY(engine_store(e, &store));
	TRY(engine_begin_session(e, &session));
	auto_fd int blob = -1;
	struct error *error = diff_into(e, session, r, compressions[type->compression], &blob);
	TRY(error_join(error, engine_end_session(e, session)));
	return engine_copy_out(blob,
	                       r->fd); // now that signals are let in: who reads it may be slow
}
