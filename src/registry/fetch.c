// SPDX-License-Identifier: Apache-2.0
#include "oci/image.h"
#include "registry/session.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

static const char accept_manifests[] = OCI_TYPE_MANIFEST
	", " OCI_TYPE_INDEX ", " OCI_TYPE_DOCKER_MANIFEST ", " OCI_TYPE_DOCKER_INDEX ", */*";

// --- manifests ----------------------------------------------------------------------------------

void registry_document_done(struct registry_document *d)
{
	free(d->text);
	free(d->media_type);
	*d = (struct registry_document){0};
}

// "application/json; charset=utf-8" → "application/json".
static char *plain_type(const char *content_type)
{
	const char *type = content_type ? content_type : "";
	return alloc_bytes(type, strcspn(type, "; \t"));
}

static bool serves(const struct registry *r, size_t i, unsigned capability)
{
	return r->options.hosts->items[i].capabilities & capability && !r->states[i].is_dead;
}

static fallible check_digest(const char *wanted, const char *got, const char *who)
{
	if (!wanted || !oci_digest_is_sha256(wanted) || !strcmp(wanted, got))
		return NULL;
	return error_new(ERROR_CORRUPT, "%s %.80s: the digest of its bytes is %s", who, wanted,
	                 got);
}

static fallible fetch_from(struct registry *r, size_t i, const char *name, size_t limit,
                           struct registry_document *ret)
{
	auto_http_response struct http_response response = {0};
	auto_free char *path = alloc_printf("/manifests/%s", name);
	struct question q = {.method = "GET",
	                     .path = path,
	                     .accept = accept_manifests,
	                     .limit = limit,
	                     .response = &response};
	TRY(session_ask(r, i, &q));
	if (response.status != 200)
		return error_new(ERROR_INVALID, "manifest %.100s: status %ld", name,
		                 response.status);
	const char *text = response.text.bytes ? response.text.bytes : "";
	char digest[OCI_DIGEST_SIZE];
	oci_digest_of(text, response.text.size, digest);
	if (strchr(name, ':'))
		TRY(check_digest(name, digest, "manifest"));
	const char *said = response.content_digest;
	if (said && text_starts(said, "sha256:"))
		TRY_AS(check_digest(said, digest, "Docker-Content-Digest"), "manifest %.100s",
		       name);
	*ret = (struct registry_document){.text = alloc_bytes(text, response.text.size),
	                                  .size = response.text.size,
	                                  .media_type = plain_type(response.content_type)};
	memcpy(ret->digest, digest, sizeof(digest));
	return NULL;
}

static fallible nobody(const struct registry *r, const char *name)
{
	return error_new(ERROR_NOT_FOUND, "%s/%s: no host to ask for %.100s", r->options.ns,
	                 r->options.repository, name);
}

fallible registry_fetch_manifest(struct registry *r, const char *tag_or_digest, size_t size_limit,
                                 struct registry_document *ret)
{
	unsigned needs = strchr(tag_or_digest, ':') ? REGISTRY_PULL : REGISTRY_RESOLVE;
	struct error *all = NULL;
	for (size_t i = 0; i < r->options.hosts->n; i++) {
		if (!serves(r, i, needs))
			continue;
		struct error *e = fetch_from(r, i, tag_or_digest, size_limit, ret);
		if (!e) {
			error_free(all);
			return NULL;
		}
		session_debug(r, "%s", e->message);
		all = session_worse(all, e);
	}
	return all ? all : nobody(r, tag_or_digest);
}

static fallible resolve_at(struct registry *r, size_t i, const char *tag,
                           struct registry_target *ret)
{
	auto_http_response struct http_response response = {0};
	auto_free char *path = alloc_printf("/manifests/%s", tag);
	struct question q = {
		.method = "HEAD", .path = path, .accept = accept_manifests, .response = &response};
	TRY(session_ask(r, i, &q));
	*ret = (struct registry_target){0};
	const char *digest = response.content_digest;
	if (!digest || !oci_digest_is_sha256(digest))
		return NULL; // then by GET
	auto_free char *type = plain_type(response.content_type);
	if (strlen(type) >= sizeof(ret->media_type))
		return error_new(ERROR_INVALID, "a media type of %zu bytes", strlen(type));
	TRY(oci_digest_check(digest));
	memcpy(ret->digest, digest, strlen(digest) + 1);
	memcpy(ret->media_type, type, strlen(type) + 1);
	return NULL;
}

fallible registry_resolve(struct registry *r, const char *tag, struct registry_target *ret)
{
	struct error *all = NULL;
	for (size_t i = 0; i < r->options.hosts->n; i++) {
		if (!serves(r, i, REGISTRY_RESOLVE))
			continue;
		struct error *e = resolve_at(r, i, tag, ret);
		if (!e) {
			error_free(all);
			return NULL;
		}
		session_debug(r, "%s", e->message);
		all = session_worse(all, e);
	}
	return all ? all : nobody(r, tag);
}

// --- blobs --------------------------------------------------------------------------------------

struct download {
	const struct registry_blob *blob;
	struct http_response *response;
	EVP_MD_CTX *hash;
	uint64_t offset;
	uint64_t told;       // so far the reader of the blob was told
	bool is_local_error; // ours: no other host would do better
};

static void download_done(struct download *d)
{
	EVP_MD_CTX_free(d->hash);
}

static fallible start_over(struct download *d)
{
	if (ftruncate(d->blob->fd, 0) < 0)
		FAIL_ERRNO("blob %s: truncate", d->blob->digest);
	if (EVP_DigestInit_ex(d->hash, EVP_sha256(), NULL) != 1)
		return error_new(ERROR_SYSTEM, "SHA-256 doesn't start");
	d->offset = d->told = 0;
	return NULL;
}

static fallible add(struct download *d, const void *bytes, size_t size)
{
	if (EVP_DigestUpdate(d->hash, bytes, size) != 1)
		return error_new(ERROR_SYSTEM, "SHA-256");
	d->offset += size;
	if (d->blob->done_bytes)
		atomic_store(d->blob->done_bytes, d->offset);
	return NULL;
}

// What the descriptor holds is hashed; it counts only if the whole is right in the end.
static fallible go_on(struct download *d)
{
	struct stat st;
	if (fstat(d->blob->fd, &st) < 0)
		FAIL_ERRNO("blob %s", d->blob->digest);
	TRY(EVP_DigestInit_ex(d->hash, EVP_sha256(), NULL) == 1
	            ? NULL
	            : error_new(ERROR_SYSTEM, "SHA-256 doesn't start"));
	if ((uint64_t)st.st_size > d->blob->size_bytes)
		return start_over(d);
	enum { PIECE = 256 << 10 };
	auto_free char *piece = alloc(PIECE);
	while (d->offset < (uint64_t)st.st_size) {
		ssize_t n = pread(d->blob->fd, piece, PIECE, (off_t)d->offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("blob %s: read", d->blob->digest);
		if (!n)
			break;
		TRY(add(d, piece, (size_t)n));
	}
	return NULL;
}

// Not of every piece: each wakes a process.
static void tell_reader(struct download *d)
{
	enum { EVERY = 512 << 10 };
	const uint64_t one = 1;
	if (d->blob->grown_fd < 0 ||
	    (d->offset - d->told < EVERY && d->offset < d->blob->size_bytes))
		return;
	d->told = d->offset;
	ignore(write(d->blob->grown_fd, &one, sizeof(one))); // nobody may wait for it
}

static fallible write_piece(struct download *d, const char *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n =
			pwrite(d->blob->fd, bytes + done, size - done, (off_t)(d->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			d->is_local_error = true;
			FAIL_ERRNO("blob %s: write", d->blob->digest);
		}
		done += (size_t)n;
	}
	TRY(add(d, bytes, size));
	tell_reader(d);
	return NULL;
}

// "bytes 100-199/200" must begin where we are.
static bool begins_at(const char *content_range, uint64_t offset)
{
	auto_free char *wanted = alloc_printf("bytes %llu-", (unsigned long long)offset);
	return content_range && text_starts(content_range, wanted);
}

static fallible take_piece(void *arg, long status, const void *bytes, size_t size)
{
	struct download *d = arg;
	if (status == 206 && d->offset && d->response->content_range) {
		if (!begins_at(d->response->content_range, d->offset))
			return error_new(ERROR_CORRUPT, "another range than the asked one: %.64s",
			                 d->response->content_range);
		free(take(&d->response->content_range)); // once per answer
	} else if (status == 200 && d->offset && !d->response->is_begun) {
		TRY(start_over(d)); // it doesn't know ranges
	}
	d->response->is_begun = true;
	if (size > d->blob->size_bytes - d->offset)
		return error_new(ERROR_CORRUPT, "more than the %llu bytes of its descriptor",
		                 (unsigned long long)d->blob->size_bytes);
	return write_piece(d, bytes, size);
}

static fallible check_bytes(struct download *d)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char digest[OCI_DIGEST_SIZE] = "sha256:";
	if (d->offset != d->blob->size_bytes && !d->blob->size_is_limit)
		return error_new(ERROR_CORRUPT, "blob %s: ends after %llu of %llu bytes",
		                 d->blob->digest, (unsigned long long)d->offset,
		                 (unsigned long long)d->blob->size_bytes);
	if (EVP_DigestFinal_ex(d->hash, sum, &n) != 1 || n != 32)
		return error_new(ERROR_SYSTEM, "SHA-256");
	for (unsigned i = 0; i < n; i++)
		snprintf(digest + 7 + 2 * i, 3, "%02x", sum[i]);
	struct error *e = check_digest(d->blob->digest, digest, "blob");
	if (e) {
		struct error *f = start_over(d);
		return error_join(e, f);
	}
	return NULL;
}

// Bodies that are short without the connection's breaking are asked for again, from there on.
static fallible download(struct registry *r, size_t i, struct download *d, const char *url)
{
	enum { SHORT_MAX = 5 };
	auto_http_response struct http_response response = {0};
	auto_free char *path = alloc_printf("/blobs/%s", d->blob->digest);
	struct question q = {.method = "GET",
	                     .path = url ? NULL : path,
	                     .url = url,
	                     .limit = UINT64_MAX >> 1,
	                     .sink = take_piece,
	                     .arg = d,
	                     .response = &response,
	                     .offset = &d->offset};
	bool had_some = d->offset;
	for (unsigned n = 0; d->offset < d->blob->size_bytes && n < SHORT_MAX; n++) {
		uint64_t before = d->offset;
		d->response = &response;
		TRY_AS(session_ask(r, i, &q), "blob %s", d->blob->digest);
		if (d->blob->size_is_limit)
			break; // the answer's own length was kept
		if (response.status == 416 || d->offset < before) {
			TRY(start_over(d));
			had_some = false;
		}
	}
	struct error *e = check_bytes(d);
	if (!e || !had_some || d->offset)
		return e;
	// What was there before was bad: from the beginning, once.
	session_debug(r, "%s; from its beginning", e->message);
	error_free(e);
	return download(r, i, d, url);
}

static fallible download_anywhere(struct registry *r, struct download *d)
{
	const struct registry_blob *b = d->blob;
	struct error *all = NULL;
	size_t n_hosts = r->options.hosts->n;
	for (size_t i = 0; i < n_hosts + b->n_urls; i++) {
		if (i < n_hosts && !serves(r, i, REGISTRY_PULL))
			continue;
		struct error *e = download(r, i < n_hosts ? i : n_hosts, d,
		                           i < n_hosts ? NULL : b->urls[i - n_hosts]);
		if (!e) {
			error_free(all);
			return NULL;
		}
		session_debug(r, "%s", e->message);
		all = session_worse(all, e);
		if (d->is_local_error)
			break;
	}
	return all ? all : nobody(r, b->digest);
}

fallible registry_fetch_blob(struct registry *r, const struct registry_blob *b)
{
	defer(download_done) struct download d = {.blob = b, .hash = EVP_MD_CTX_new()};
	if (!d.hash)
		return error_new(ERROR_SYSTEM, "SHA-256 doesn't start");
	TRY(go_on(&d));
	if (d.offset < b->size_bytes)
		return download_anywhere(r, &d);
	// All of it is there already, unless it is something else.
	struct error *e = check_bytes(&d);
	if (!e || !b->size_bytes)
		return e;
	error_drop(&e);
	return download_anywhere(r, &d);
}
