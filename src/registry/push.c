// SPDX-License-Identifier: Apache-2.0
// Specification: OCI distribution-spec 1.1, "Push".
#include "oci/image.h"
#include "registry/auth.h"
#include "registry/session.h"
#include "registry/url.h"

enum { TRIES_MAX = 3 };
#define CHUNK_BYTES ((uint64_t)32 << 20) // up to this at once, above in pieces of this

static fallible choose_host(const struct registry *r, size_t *ret)
{
	for (size_t i = 0; i < r->options.hosts->n; i++) {
		if (r->options.hosts->items[i].capabilities & REGISTRY_PUSH) {
			*ret = i;
			return NULL;
		}
	}
	return error_new(ERROR_INVALID, "%s: no host takes pushes", r->options.ns);
}

static fallible is_there(struct registry *r, size_t i, const char *path, const char *accept,
                         const char *digest, bool *ret)
{
	auto_http_response struct http_response response = {0};
	struct question q = {
		.method = "HEAD", .path = path, .accept = accept, .response = &response};
	struct error *e = session_ask(r, i, &q);
	*ret = !e && response.status == 200 &&
	       (!digest || text_equal(response.content_digest, digest));
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // that is the question
	return e;
}

// What it says that it keeps must be what it was given.
static fallible check_kept(const struct http_response *response, const char *digest)
{
	const char *said = response->content_digest;
	if (!said || !oci_digest_is_sha256(said) || !strcmp(said, digest))
		return NULL;
	return error_new(ERROR_CORRUPT, "the registry has it as %.80s", said);
}

// --- blobs --------------------------------------------------------------------------------------

struct upload {
	struct registry *r;
	size_t host;
	const struct registry_upload *blob;
	char *location; // where the next piece goes; NULL: it has not begun
};

static void upload_done(struct upload *u)
{
	free(u->location);
}

static fallible take_location(struct upload *u, const struct http_response *response,
                              const char *asked)
{
	auto_free char *shown = url_shown(asked);
	if (!response->location)
		return error_new(ERROR_INVALID, "%s: no Location for the upload", shown);
	char *next;
	TRY_AS(url_resolve(asked, response->location, &next), "%s: Location", shown);
	free(u->location);
	u->location = next;
	return NULL;
}

// *ret_over: it was mounted, nothing has to be sent.
static fallible begin(struct upload *u, bool *ret_over)
{
	auto_http_response struct http_response response = {0};
	auto_free char *from = u->blob->mount_from ? auth_escape(u->blob->mount_from) : NULL;
	auto_free char *path =
		from ? alloc_printf("/blobs/uploads/?mount=%s&from=%s", u->blob->digest, from)
		     : alloc_string("/blobs/uploads/");
	struct question q = {
		.method = "POST", .path = path, .limit = 1 << 16, .response = &response};
	TRY(session_ask(u->r, u->host, &q));
	*ret_over = response.status == 201;
	auto_free char *asked = session_url(u->r, u->host, &q);
	return *ret_over ? NULL : take_location(u, &response, asked);
}

static char *with_digest(const struct upload *u)
{
	auto_free char *digest = auth_escape(u->blob->digest);
	return alloc_printf("%s%sdigest=%s", u->location, strchr(u->location, '?') ? "&" : "?",
	                    digest);
}

static fallible send(struct upload *u, const char *method, const char *url, uint64_t offset,
                     uint64_t size, bool is_chunk)
{
	auto_http_response struct http_response response = {0};
	const struct http_body body = {.content_type = "application/octet-stream",
	                               .fd = u->blob->fd,
	                               .offset = offset,
	                               .size = size,
	                               .sent = u->blob->done_bytes};
	auto_free char *range = is_chunk ? alloc_printf("%llu-%llu", (unsigned long long)offset,
	                                                (unsigned long long)(offset + size - 1))
	                                 : NULL;
	struct question q = {.method = method,
	                     .url = url,
	                     .is_location = true,
	                     .is_once = true,
	                     .body = &body,
	                     .content_range = range,
	                     .limit = 1 << 16,
	                     .response = &response};
	TRY(session_ask(u->r, u->host, &q));
	return is_chunk ? take_location(u, &response, url) : check_kept(&response, u->blob->digest);
}

static fallible send_all(struct upload *u)
{
	uint64_t size = u->blob->size_bytes, offset = 0;
	bool in_chunks = size > CHUNK_BYTES;
	while (in_chunks && offset < size) {
		uint64_t n = size - offset < CHUNK_BYTES ? size - offset : CHUNK_BYTES;
		auto_free char *url = alloc_string(u->location);
		TRY(send(u, "PATCH", url, offset, n, true));
		offset += n;
	}
	auto_free char *last = with_digest(u);
	return send(u, "PUT", last, offset, size - offset, false);
}

static fallible push_once(struct upload *u)
{
	bool over = false;
	free(take(&u->location));
	TRY(begin(u, &over));
	return over ? NULL : send_all(u);
}

fallible registry_push_blob(struct registry *r, const struct registry_upload *b, bool *ret_sent)
{
	defer(upload_done) struct upload u = {.r = r, .blob = b};
	auto_free char *path = alloc_printf("/blobs/%s", b->digest);
	bool there = false;
	*ret_sent = false;
	TRY(choose_host(r, &u.host));
	TRY(is_there(r, u.host, path, NULL, NULL, &there));
	if (there)
		return NULL;
	*ret_sent = true;
	// An upload that broke is begun anew: what of it arrived isn't known.
	struct error *e = push_once(&u);
	for (unsigned n = 1; error_is(e, ERROR_SYSTEM) && u.location && n < TRIES_MAX; n++) {
		session_debug(r, "%s; once more", e->message);
		error_drop(&e);
		e = push_once(&u);
	}
	return error_prefix(e, "blob %s", b->digest);
}

// --- manifests ----------------------------------------------------------------------------------

fallible registry_push_manifest(struct registry *r, const char *tag_or_digest,
                                const char *media_type, const char *text, size_t size,
                                bool *ret_sent)
{
	auto_http_response struct http_response response = {0};
	auto_free char *path = alloc_printf("/manifests/%s", tag_or_digest);
	char digest[OCI_DIGEST_SIZE];
	size_t host = 0;
	bool there = false;
	oci_digest_of(text, size, digest);
	TRY(choose_host(r, &host));
	TRY(is_there(r, host, path, media_type, digest, &there));
	*ret_sent = !there;
	if (there)
		return NULL;
	const struct http_body body = {
		.content_type = media_type, .bytes = text, .fd = -1, .size = size};
	struct question q = {.method = "PUT",
	                     .path = path,
	                     .body = &body,
	                     .limit = 1 << 16,
	                     .response = &response};
	TRY(session_ask(r, host, &q));
	return error_prefix(check_kept(&response, digest), "manifest %s", digest);
}
