// SPDX-License-Identifier: Apache-2.0
// `snapshots diff`: a snapshot's changes as a layer, to a descriptor; with `keep` also as a blob.
#include "engine/commit.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

static fallible copy_out(int from, int to)
{
	enum { PIECE = 256 << 10 };
	auto_free char *bytes = alloc(PIECE);
	if (lseek(from, 0, SEEK_SET) < 0)
		FAIL_ERRNO("rewind");
	for (;;) {
		ssize_t n = read(from, bytes, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read the layer");
		if (!n)
			return NULL;
		TRY_AS(fd_write_all(to, bytes, (size_t)n), "the layer");
	}
}

static fallible keep(struct engine *e, struct store_session *session, const struct engine_diff *r,
                     const struct transfer_diff_result *layer)
{
	char now[32];
	time_t t = time(NULL);
	struct tm tm;
	auto_labels struct label_list labels = {0};
	TRY(labels_parse(r->labels, r->n_labels, false, &labels));
	gmtime_r(&t, &tm);
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
	labels_set(&labels, "containerd.io/gc.root", now);
	labels_set(&labels, "containerd.io/uncompressed", layer->diff_id);
	const struct store_new_blob blob = {.descriptor = {.media_type = r->media_type,
	                                                   .digest = layer->digest,
	                                                   .size_bytes = layer->size_bytes},
	                                    .name = "layer",
	                                    .labels = labels_view(&labels)};
	const struct store_publication p = {.ns = e->ns, .blobs = &blob, .n_blobs = 1};
	return store_publish(session, &p);
}

static fallible diff_into(struct engine *e, struct store_session *session,
                          const struct engine_diff *r, const char *compression)
{
	struct transfer_diff_result layer;
	defer(commit_source_done) struct commit_source source = {.upper = -1};
	const char *key = r->other ? r->other : r->key;
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
	if (r->keep)
		TRY(keep(e, session, r, &layer));
	return copy_out(blob, r->fd);
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
	struct error *error = diff_into(e, session, r, compressions[type->compression]);
	return error_join(error, engine_end_session(e, session));
}
