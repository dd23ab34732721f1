// SPDX-License-Identifier: Apache-2.0
// What makes a new image of a container: its layer, its config.
#include "oci/digest.h"
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/client_private.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_MAX = 4096 };

static fallible take_digest(const struct json *o, const char *key, char *ret)
{
	const char *digest;
	TRY(json_require_string(o, NULL, key, &digest));
	TRY(oci_digest_check(digest));
	if (!oci_digest_is_sha256(digest))
		return error_new(ERROR_CORRUPT, "%s: no sha256 digest", key);
	memcpy(ret, digest, strlen(digest) + 1);
	return NULL;
}

static fallible read_answer(int answer, int blob, struct transfer_diff_result *ret, char *source)
{
	auto_free char *text = NULL;
	auto_json struct json *o = NULL;
	size_t size;
	struct stat st;
	if (lseek(answer, 0, SEEK_SET) < 0)
		FAIL_ERRNO("rewind");
	TRY(fd_read_to_end(answer, ANSWER_MAX, &text, &size));
	TRY(json_parse(text, size, ANSWER_MAX, &o));
	TRY(take_digest(o, "digest", ret->digest));
	TRY(take_digest(o, "diffID", ret->diff_id));
	TRY(json_require_u64(o, NULL, "size", INT64_MAX, &ret->size_bytes));
	TRY(json_require_u64(o, NULL, "diffSize", INT64_MAX, &ret->diff_size_bytes));
	if (source)
		TRY(take_digest(o, "source", source));
	if (fstat(blob, &st) < 0)
		FAIL_ERRNO("layer");
	if ((uint64_t)st.st_size != ret->size_bytes)
		return error_new(ERROR_CORRUPT, "the layer has another size");
	return NULL;
}

fallible transfer_diff(const struct transfer_diff_request *r, struct transfer_diff_result *ret)
{
	auto_fd int upper = -1, below = -1;
	uint64_t room;
	auto_fd int answer = memfd_create("answer", MFD_CLOEXEC);
	if (answer < 0)
		FAIL_ERRNO("answer of the worker");
	TRY(client_free_bytes(r->blob_fd, &room));
	TRY(client_mount(r->upper_dirfd, false, &upper));
	if (r->n_lower)
		TRY(client_merge(r->lower_dirfds, r->n_lower, &below));
	auto_json struct json *request = json_new_object();
	json_set_string(request, "compression", r->compression);
	json_set_u64(request, "limit", room);
	json_set_bool(request, "lower", below >= 0);
	json_set_bool(request, "root", r->with_root);
	struct client_job job = {.transfer = r->transfer,
	                         .role = "diff",
	                         .request = request,
	                         .input = r->blob_fd,
	                         .answer = answer,
	                         .target = upper,
	                         .lower = below,
	                         .grown = -1};
	TRY(client_space_error(client_run(&job), true));
	return error_prefix(read_answer(answer, r->blob_fd, ret, NULL), "answer of the worker");
}

// As of layers that are unpacked: a thousandfold, or a gibibyte.
static uint64_t inflated_limit(uint64_t size)
{
	const uint64_t least = (uint64_t)1 << 30;
	uint64_t limit;
	if (__builtin_mul_overflow(size, 1000, &limit) || limit > INT64_MAX)
		return INT64_MAX;
	return limit > least ? limit : least;
}

fallible transfer_repack(const struct transfer_repack_request *r,
                         struct transfer_repack_result *ret)
{
	uint64_t limit = r->limit_bytes, room;
	auto_fd int answer = memfd_create("answer", MFD_CLOEXEC);
	if (answer < 0)
		FAIL_ERRNO("answer of the worker");
	TRY(client_free_bytes(r->blob_fd, &room));
	bool is_space = !limit || room < limit;
	auto_json struct json *request = json_new_object();
	json_set_string(request, "item", r->item);
	json_set_string(request, "compression", r->compression ? r->compression : "none");
	json_set_bool(request, "inflate", r->compression != NULL);
	json_set_u64(request, "size", r->size_bytes);
	json_set_u64(request, "inflatedLimit", inflated_limit(r->size_bytes));
	json_set_u64(request, "limit", is_space ? room : limit);
	struct client_job job = {.transfer = r->transfer,
	                         .role = "repack",
	                         .request = request,
	                         .input = r->from_fd,
	                         .answer = answer,
	                         .target = r->blob_fd,
	                         .lower = -1,
	                         .grown = -1};
	TRY(client_space_error(client_run(&job), is_space));
	return error_prefix(read_answer(answer, r->blob_fd, &ret->blob, ret->source),
	                    "answer of the worker");
}

// A document in, a document out; what the DONE packet says comes back in *job.
static fallible run_document(struct client_job *job, size_t limit, char **ret)
{
	size_t size;
	auto_fd int answer = memfd_create("answer", MFD_CLOEXEC);
	if (answer < 0)
		FAIL_ERRNO("answer of the worker");
	job->answer = answer;
	job->target = job->lower = job->grown = -1;
	TRY(client_run(job));
	if (lseek(answer, 0, SEEK_SET) < 0)
		FAIL_ERRNO("rewind");
	return error_prefix(fd_read_to_end(answer, limit, ret, &size), "answer of the worker");
}

fallible transfer_convert(const struct transfer *transfer, int fd, const struct oci_replacements *r,
                          struct oci_replaced *ret)
{
	auto_json struct json *request = json_new_object();
	struct json *list = json_new_array();
	for (size_t i = 0; i < r->n; i++) {
		struct json *o = json_new_object();
		json_set_string(o, "from", r->items[i].from);
		json_set_string(o, "mediaType", r->items[i].media_type);
		json_set_string(o, "digest", r->items[i].digest);
		json_set_u64(o, "size", r->items[i].size);
		json_append(list, o);
	}
	json_set_string(request, "mediaType", r->media_type);
	json_set(request, "replace", list);
	struct client_job job = {
		.transfer = transfer, .role = "convert", .request = request, .input = fd};
	struct oci_replaced done = {0};
	TRY(run_document(&job, OCI_MANIFEST_SIZE_LIMIT, &done.text));
	done.n = (size_t)job.done;
	done.n_dropped = (size_t)job.total;
	*ret = done;
	return NULL;
}

fallible transfer_child_config(const struct transfer *transfer, int fd, const char *normal,
                               const struct json *history_entry, char **ret)
{
	auto_json struct json *ours = NULL, *request = json_new_object();
	TRY(json_parse(normal, strlen(normal), OCI_CONFIG_SIZE_LIMIT, &ours));
	json_set(request, "config", take(&ours));
	json_set(request, "entry", json_copy(history_entry));
	struct client_job job = {
		.transfer = transfer, .role = "config", .request = request, .input = fd};
	return run_document(&job, OCI_CONFIG_SIZE_LIMIT, ret);
}
