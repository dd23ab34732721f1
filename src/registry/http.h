// SPDX-License-Identifier: Apache-2.0
// One exchange with one server, over libcurl: no redirects, no retries, no credentials of its own.
// Everything that comes is bounded: headers, body, silence.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "registry/auth.h"
#include "registry/registry.h"

struct http; // a handle with its connections; one thread

struct http_body { // of PUT and PATCH
	const char *content_type;
	const char *bytes; // or NULL:
	int fd;            // …these of a file
	uint64_t offset, size;
	atomic_uint_least64_t *sent; // for progress; may be NULL
};

struct http_request {
	const char *method; // "GET", "HEAD", "POST"
	const char *url;
	const struct registry_host *trust; // whose ca and skip_verify count; NULL: the system's
	bool with_certificate;             // and its client certificate is shown
	bool with_headers;                 // and its own headers are sent
	bool allow_link_local;             // an address that a user has written down
	const struct strings *headers;     // "Name: value"
	const char *form;                  // data of a POST; NULL: none
	const struct http_body *body;      // NULL: none
	// Takes the body of 200 and 206; NULL: it goes to response.text.
	fallible (*sink)(void *arg, long status, const void *bytes, size_t size);
	void *arg;
	uint64_t body_limit; // more is LIMIT
};

struct http_response {
	long status;
	char *content_type, *content_digest, *content_range, *location;
	struct auth_challenge challenge;
	uint64_t retry_after_s;  // 0: not given
	uint64_t content_length; // UINT64_MAX: not given
	struct str text;         // the body; of errors its beginning
	bool is_begun;           // for the sink: it has got a piece of this answer
	bool is_stalled;         // with an error: it was silent
	bool is_transient;       // with an error: the same again may go well
	bool is_not_tls;         // with an error: what answered doesn't speak TLS
};

fallible http_new(const struct registry_options *o, struct http **ret);
void http_free(struct http *h); // takes NULL
// *ret is always to be freed by http_response_done(). An answer of any status is no error.
fallible http_exchange(struct http *h, const struct http_request *r, struct http_response *ret);
void http_response_done(struct http_response *r);
#define auto_http_response defer(http_response_done)
