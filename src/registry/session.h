// SPDX-License-Identifier: Apache-2.0
// One question to one host, until there is an answer: tokens, redirects, retries. Private.
#pragma once
#include "registry/conversation.h"

struct question {
	const char *method;
	const char *path;  // below the repository: "/manifests/latest"; NULL:
	const char *below; // …below the host's URL: \"/\"; NULL:
	const char *url;   // …a URL: a foreign one, without host, or if
	bool is_location;  // …host `i` has named it, for an upload
	bool is_once;      // the asker has to begin anew if it goes wrong
	const struct http_body *body;
	const char *content_range; // header of a chunk; NULL: none
	const char *accept;        // NULL: anything
	uint64_t limit;
	fallible (*sink)(void *arg, long status, const void *bytes, size_t size);
	void *arg;
	struct http_response *response; // written; to be freed by the asker
	// For downloads: what the sink has got so far; asked for from there on. NULL: all at once.
	const uint64_t *offset;
};

// Asks host `i`. On success the status is below 400 and no redirect, or 416.
// Errors: NOT_FOUND (404), what http_exchange() says, …
fallible session_ask(struct registry *r, size_t i, struct question *q);
// The URL that it asks first; the caller's.
char *session_url(const struct registry *r, size_t i, const struct question *q);
// What several hosts say, one behind another; the code is the last's, NOT_FOUND only if all say so.
// Takes both.
struct error *session_worse(struct error *before, struct error *now);
void session_debug(const struct registry *r, const char *format, ...) PRINTF(2, 3);
