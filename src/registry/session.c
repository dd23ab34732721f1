// SPDX-License-Identifier: Apache-2.0
#include "registry/session.h"
#include "registry/token.h"
#include "registry/url.h"
#include <time.h>

enum {
	REDIRECTS_MAX = 10,
	AUTH_ROUNDS = 2,
	TRIES_MAX = 5,
	TRIES_OF_SILENCE = 2, // each of them has taken long
	TRIES_OF_MIRRORS = 2, // there is somebody else to ask
	BACKOFF_MS = 250,
	WAIT_MAX_S = 60,
	MESSAGE_MAX = 200,
};
#define PROGRESS_BYTES ((uint64_t)1 << 20) // so much makes the counting of tries begin anew

void session_debug(const struct registry *r, const char *format, ...)
{
	if (!r->options.debug)
		return;
	va_list args;
	va_start(args, format);
	auto_free char *line = alloc_vprintf(format, args);
	va_end(args);
	r->options.debug(r->options.arg, line);
}

struct error *session_worse(struct error *before, struct error *now)
{
	if (!before)
		return now;
	bool counts = !error_is(now, ERROR_NOT_FOUND);
	enum error_code code = counts ? now->code : before->code;
	int sys = counts ? now->sys : before->sys;
	return error_because(error_recode(error_join(before, now), code), sys);
}

fallible registry_new(const struct registry_options *o, struct registry **ret)
{
	struct registry *r = alloc(sizeof(*r));
	r->options = *o;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	r->random = (uint64_t)now.tv_nsec | 1;
	r->states = alloc_array(o->hosts->n + 1, sizeof(*r->states));
	struct error *e = http_new(&r->options, &r->http);
	if (e)
		registry_free(r);
	else
		*ret = r;
	return e;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->options.hosts->n; i++)
		free(r->states[i].authorization);
	free(r->states);
	http_free(r->http);
	free(r);
}

// --- one attempt --------------------------------------------------------------------------------

static char *base_url(const struct registry *r, size_t i)
{
	const struct registry_host *h = &r->options.hosts->items[i];
	bool plain = r->states[i].is_plain && text_starts(h->url, "https");
	return alloc_printf("%s%s", plain ? "http" : "", plain ? h->url + strlen("https") : h->url);
}

static char *first_url(const struct registry *r, size_t i, const struct question *q)
{
	if (!q->path && !q->below)
		return alloc_string(q->url);
	const struct registry_host *h = &r->options.hosts->items[i];
	auto_free char *base = base_url(r, i);
	if (q->below)
		return alloc_printf("%s%s", base, q->below);
	const char *mark = strchr(q->path, '?') ? "&" : "?";
	return alloc_printf("%s/%s%s%s%s%s", base, r->options.repository, q->path,
	                    h->is_own ? "" : mark,
	                    h->is_own ? "" : "ns=", h->is_own ? "" : r->options.ns);
}

char *session_url(const struct registry *r, size_t i, const struct question *q)
{
	return first_url(r, i, q);
}

static bool is_for_host(const struct question *q)
{
	return q->path || q->below || q->is_location;
}

static fallible exchange(struct registry *r, size_t i, struct question *q, const char *first,
                         const char *url)
{
	const struct registry_host *h = is_for_host(q) ? &r->options.hosts->items[i] : NULL;
	auto_free char *base = h ? base_url(r, i) : alloc_string(first);
	auto_url struct url origin = {0}, here = {0};
	auto_strings struct strings headers = {0};
	TRY(url_parse(base, &origin));
	TRY(url_parse(url, &here));
	bool is_own = h && url_same_origin(&origin, &here);
	if (q->accept)
		strings_adopt(&headers, alloc_printf("Accept: %s", q->accept));
	if (q->content_range)
		strings_adopt(&headers, alloc_printf("Content-Range: %s", q->content_range));
	if (q->offset && *q->offset)
		strings_adopt(&headers,
		              alloc_printf("Range: bytes=%llu-", (unsigned long long)*q->offset));
	if (is_own && r->states[i].authorization)
		strings_adopt(&headers,
		              alloc_printf("Authorization: %s", r->states[i].authorization));
	const struct http_request request = {
		.method = q->method,
		.url = url,
		.trust = h,
		.with_certificate = is_own,
		.with_headers = is_own,
		.allow_link_local = is_own,
		.headers = &headers,
		.body = q->body,
		.sink = q->sink,
		.arg = q->arg,
		.body_limit = q->limit,
	};
	http_response_done(q->response);
	return http_exchange(r->http, &request, q->response);
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Goes where it is sent; *url is what was asked last.
static fallible follow(struct registry *r, size_t i, struct question *q, char **url)
{
	auto_free char *first = alloc_string(*url), *shown = url_shown(*url);
	for (unsigned n = 0;; n++) {
		TRY(exchange(r, i, q, first, *url));
		if (!is_redirect(q->response->status))
			return NULL;
		if (n == REDIRECTS_MAX)
			return error_new(ERROR_INVALID, "%s: more than %d redirects", shown,
			                 REDIRECTS_MAX);
		auto_free char *from = url_shown(*url);
		if (!q->response->location)
			return error_new(ERROR_INVALID, "%s: a redirect to nowhere", from);
		char *next;
		TRY_AS(url_resolve(*url, q->response->location, &next), "%s: redirect", from);
		free(*url);
		*url = next;
		auto_free char *to = url_shown(next);
		session_debug(r, "redirected to %s", to);
	}
}

static fallible attempt(struct registry *r, size_t i, struct question *q, char **ret_url)
{
	struct host_state *state = &r->states[i];
	for (unsigned round = 0;;) {
		auto_free char *first = first_url(r, i, q), *url = alloc_string(first);
		struct error *e = follow(r, i, q, &url);
		bool is_itself = !strcmp(first, url); // nobody it redirected to
		free(*ret_url);
		*ret_url = take(&url);
		bool fall_back = e && is_for_host(q) && q->response->is_not_tls && is_itself &&
		                 !state->is_plain && r->options.hosts->items[i].http_fallback;
		if (fall_back) {
			session_debug(r, "%s: no TLS, asked by http", *ret_url);
			error_drop(&e); // loopback, and nobody insists on TLS
			state->is_plain = true;
			continue;
		}
		TRY(e);
		if (q->response->status != 401 || !is_for_host(q) || round++ == AUTH_ROUNDS)
			return NULL;
		bool known = false;
		TRY(token_get(r, i, q->response, *ret_url, &known));
		if (!known)
			return NULL;
	}
}

// --- statuses -----------------------------------------------------------------------------------

// What the registry says in its error's body, if it says anything.
static char *registry_message(const struct http_response *response)
{
	auto_json struct json *body = NULL;
	const struct json *errors = NULL;
	const char *message = NULL;
	struct error *e = json_parse(response->text.bytes ? response->text.bytes : "",
	                             response->text.size, 1 << 16, &body);
	if (!e)
		e = json_get_array(body, NULL, "errors", 64, &errors);
	if (!e && json_size(errors))
		e = json_get_string(json_item(errors, 0), NULL, "message", &message);
	error_free(e); // a page for people, or nothing: the status has to do
	return alloc_printf("%s%.*s", message ? ": " : "", MESSAGE_MAX, message ? message : "");
}

static fallible check_status(const struct question *q, const char *url)
{
	long status = q->response->status;
	auto_free char *message = registry_message(q->response), *shown = url_shown(url);
	if ((status >= 200 && status < 300) || status == 416)
		return NULL;
	enum error_code code = status == 404 || status == 410   ? ERROR_NOT_FOUND
	                       : status == 401 || status == 403 ? ERROR_INVALID
	                                                        : ERROR_SYSTEM;
	const char *meaning = status == 404   ? " Not Found"
	                      : status == 401 ? " Unauthorized"
	                      : status == 403 ? " Forbidden"
	                      : status == 429 ? " Too Many Requests"
	                                      : "";
	return error_new(code, "%s %s: %ld%s%s", q->method, shown, status, meaning, message);
}

static bool is_passing(long status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
	       status == 504;
}

// --- again --------------------------------------------------------------------------------------

static uint64_t backoff_ms(struct registry *r, unsigned tries)
{
	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	uint64_t full = (uint64_t)BACKOFF_MS << tries;
	return full / 2 + (r->random >> 33) % (full / 2 + 1);
}

static fallible wait_for(struct registry *r, const struct question *q, unsigned tries,
                         const char *url)
{
	uint64_t seconds = q->response->retry_after_s;
	if (seconds > WAIT_MAX_S) {
		auto_free char *shown = url_shown(url);
		return error_new(ERROR_BUSY, "%s: %ld, to be asked again in %llu seconds", shown,
		                 q->response->status, (unsigned long long)seconds);
	}
	uint64_t ms = seconds ? seconds * 1000 : backoff_ms(r, tries);
	struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
	return NULL;
}

fallible session_ask(struct registry *r, size_t i, struct question *q)
{
	auto_free char *url = NULL;
	uint64_t begun = q->offset ? *q->offset : 0;
	bool is_last = i + 1 >= r->options.hosts->n;
	unsigned tries_max = is_last ? TRIES_MAX : TRIES_OF_MIRRORS;
	for (unsigned tries = 1;; tries++) {
		struct error *e = attempt(r, i, q, &url);
		bool again = e ? q->response->is_transient : is_passing(q->response->status);
		if (!e)
			e = check_status(q, url);
		if (!again || q->is_once) {
			r->states[i].is_dead |= e && q->path && !q->response->status;
			return e;
		}
		if (q->offset && *q->offset - begun >= PROGRESS_BYTES) {
			begun = *q->offset;
			tries = 1;
		}
		if (tries == tries_max ||
		    (e && q->response->is_stalled && tries == TRIES_OF_SILENCE))
			return e;
		session_debug(r, "%s; again", e->message);
		struct error *never = wait_for(r, q, tries, url);
		error_free(e);
		TRY(never);
	}
}

fallible registry_check_login(struct registry *r)
{
	auto_http_response struct http_response response = {0};
	size_t own = registry_own_host(r->options.hosts);
	struct question q = {
		.method = "GET", .below = "/", .limit = 1 << 16, .response = &response};
	return session_ask(r, own, &q);
}
