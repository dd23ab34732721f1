// SPDX-License-Identifier: Apache-2.0
// Single blobs on their way in, from a descriptor; and what is on its way in at all. The worker
// hashes: we link no libcrypto, and a signal ends it while a pipe gives nothing.
#include "engine/private.h"
#include "oci/digest.h"
#include <fcntl.h>
#include <regex.h>
#include <time.h>

fallible engine_keep_blob(struct engine *e, struct store_session *session, const char *name,
                          const struct store_descriptor *descriptor, const char *diff_id,
                          const char *const *labels, size_t n_labels)
{
	char now[32];
	time_t t = time(NULL);
	struct tm tm;
	auto_labels struct label_list list = {0};
	TRY(labels_parse(labels, n_labels, false, &list));
	gmtime_r(&t, &tm);
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
	labels_set(&list, "containerd.io/gc.root", now);
	if (diff_id)
		labels_set(&list, "containerd.io/uncompressed", diff_id);
	const struct store_new_blob blob = {
		.descriptor = *descriptor, .name = name, .labels = labels_view(&list)};
	const struct store_publication p = {.ns = e->ns, .blobs = &blob, .n_blobs = 1};
	return store_publish(session, &p);
}

fallible engine_copy_out(int from, int to)
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
			FAIL_ERRNO("read it back");
		if (!n)
			return NULL;
		TRY_AS(fd_write_all(to, bytes, (size_t)n), "what was asked for");
	}
}

fallible engine_put_document(struct store_session *session, struct arena *arena, const char *file,
                             const char *text, const char *media_type, struct store_descriptor *ret)
{
	char digest[OCI_DIGEST_SIZE];
	size_t size = strlen(text);
	auto_fd int fd = openat(store_session_blobs(session), file,
	                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("%s of the image", file);
	TRY_AS(fd_write_all(fd, text, size), "%s of the image", file);
	oci_digest_of(text, size, digest);
	*ret = (struct store_descriptor){.media_type = arena_string(arena, media_type),
	                                 .digest = arena_string(arena, digest),
	                                 .size_bytes = size};
	return NULL;
}

static fallible check_expected(const struct engine_ingest *r, const char *digest, uint64_t size)
{
	if (r->expected_size_bytes && size != r->expected_size_bytes)
		return error_new(ERROR_INVALID,
		                 "unexpected commit size %llu, expected %llu: failed precondition",
		                 (unsigned long long)size,
		                 (unsigned long long)r->expected_size_bytes);
	if (r->expected_digest && strcmp(digest, r->expected_digest) != 0)
		return error_new(
			ERROR_INVALID,
			"unexpected commit digest %s, expected %.100s: failed precondition", digest,
			r->expected_digest);
	return NULL;
}

static fallible ingest_into(struct engine *e, struct store_session *session,
                            const struct engine_ingest *r, char **ret_digest)
{
	struct transfer transfer;
	struct transfer_repack_result made;
	auto_free char *program = NULL;
	TRY(store_name_session(session, r->reference));
	auto_fd int blob = openat(store_session_blobs(session), "blob",
	                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (blob < 0)
		FAIL_ERRNO("make the blob");
	TRY(engine_transfer(e, &transfer, &program));
	const struct transfer_repack_request request = {.transfer = &transfer,
	                                                .item = r->reference,
	                                                .from_fd = r->fd,
	                                                .blob_fd = blob,
	                                                .size_bytes = r->expected_size_bytes,
	                                                .limit_bytes = r->expected_size_bytes};
	TRY(transfer_repack(&request, &made));
	TRY(check_expected(r, made.blob.digest, made.blob.size_bytes));
	const struct store_descriptor d = {
		.media_type = "", .digest = made.blob.digest, .size_bytes = made.blob.size_bytes};
	TRY(engine_keep_blob(e, session, "blob", &d, NULL, NULL, 0));
	*ret_digest = alloc_string(made.blob.digest);
	return NULL;
}

fallible engine_content_ingest(struct engine *e, const struct engine_ingest *r, char **ret_digest)
{
	struct store *store;
	struct store_session *session;
	auto_free char *digest = NULL;
	TRY(engine_store(e, &store));
	if (r->expected_digest)
		TRY(store_check_digest(r->expected_digest));
	TRY(engine_begin_session(e, &session));
	struct error *error = ingest_into(e, session, r, &digest);
	TRY(error_join(error, engine_end_session(e, session)));
	*ret_digest = take(&digest);
	return NULL;
}

void engine_ingests_free(struct engine_ingests *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].reference);
	free(l->items);
	free(l);
}

static fallible compile(const char *pattern, regex_t *ret)
{
	char why[128];
	int bad = regcomp(ret, pattern, REG_EXTENDED | REG_NOSUB);
	if (!bad)
		return NULL;
	regerror(bad, ret, why, sizeof(why));
	return error_new(ERROR_INVALID, "pattern \"%.100s\": %s", pattern, why);
}

fallible engine_content_active(struct engine *e, const char *pattern, struct engine_ingests **ret)
{
	struct store *store;
	struct store_ingests *rows;
	regex_t expression;
	TRY(engine_store(e, &store));
	TRY(compile(pattern ? pattern : "", &expression));
	struct error *error = store_list_ingests(store, &rows);
	if (error) {
		regfree(&expression);
		return error;
	}
	struct engine_ingests *list = alloc(sizeof(*list));
	list->items = alloc_array(rows->n, sizeof(*list->items));
	for (size_t i = 0; i < rows->n; i++)
		if (!regexec(&expression, rows->items[i].reference, 0, NULL, 0))
			list->items[list->n++] = (struct engine_active){
				.reference = alloc_string(rows->items[i].reference),
				.size_bytes = rows->items[i].size_bytes,
				.started_ns = rows->items[i].started_ns};
	regfree(&expression);
	store_ingests_free(rows);
	*ret = list;
	return NULL;
}
