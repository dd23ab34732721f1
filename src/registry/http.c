// SPDX-License-Identifier: Apache-2.0
#include "registry/http.h"
#include "registry/proxy.h"
#include "registry/shown.h"
#include "registry/url.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADERS_SIZE_MAX = 65536,
	SENT_SIZE_MAX = 1 << 20,
	TEXT_MAX = 4096, // of an error's body
	CONNECT_TIMEOUT_S = 15,
	SLOW_BYTES_PER_S = 64,
};

struct http {
	CURL *curl;
	const struct registry_options *options;
	char why[CURL_ERROR_SIZE];
};

struct exchange {
	struct http *http;
	const struct http_request *request;
	struct http_response *response;
	size_t headers_size;
	uint64_t body_size;
	uint64_t sent_size;   // of the request's body
	struct error *error;  // ours, in place of curl's
	struct str sent, got; // heads, as they go and come, for a dump
	unsigned number;      // in dumps and traces
	bool is_refused;      // a link-local address
	const char *proxy;    // who resolves the name, and may itself be anywhere; "": none
};

void http_response_done(struct http_response *r)
{
	free(r->content_type);
	free(r->content_digest);
	free(r->content_range);
	free(r->location);
	auth_challenge_done(&r->challenge);
	str_done(&r->text);
	*r = (struct http_response){0};
}

// --- what comes ---------------------------------------------------------------------------------

static void set_text(char **to, const char *value)
{
	free(*to);
	*to = alloc_string(value);
}

static void set_number(uint64_t *to, const char *value)
{
	uint64_t number;
	struct error *e = text_parse_u64(value, 10, INT64_MAX, &number);
	if (!e)
		*to = number;
	error_free(e); // a date, or nonsense: as if it weren't there
}

static struct error *take_header(struct exchange *x, const char *name, const char *value)
{
	struct http_response *r = x->response;
	const struct {
		const char *name;
		char **text;
	} texts[] = {{"content-type", &r->content_type},
	             {"docker-content-digest", &r->content_digest},
	             {"content-range", &r->content_range},
	             {"location", &r->location}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!strcasecmp(name, texts[i].name))
			set_text(texts[i].text, value);
	if (!strcasecmp(name, "content-length"))
		set_number(&r->content_length, value);
	if (!strcasecmp(name, "retry-after"))
		set_number(&r->retry_after_s, value);
	if (!strcasecmp(name, "www-authenticate"))
		return auth_challenge_add(value, &r->challenge);
	return NULL;
}

static void forget_headers(struct http_response *r)
{
	http_response_done(r);
	r->content_length = UINT64_MAX;
	r->text = STR_LIMIT(TEXT_MAX);
}

static size_t on_header(char *bytes, size_t one, size_t size, void *arg)
{
	(void)one;
	struct exchange *x = arg;
	x->headers_size += size;
	if (x->headers_size > HEADERS_SIZE_MAX) {
		x->error =
			error_new(ERROR_LIMIT, "headers of more than %d bytes", HEADERS_SIZE_MAX);
		return 0;
	}
	auto_free char *line = alloc_bytes(bytes, size);
	line[strcspn(line, "\r\n")] = 0;
	if (text_starts(line, "HTTP/")) { // also behind a 100 or a proxy's answer
		forget_headers(x->response);
		return size;
	}
	char *colon = strchr(line, ':');
	if (!colon)
		return size;
	*colon = 0;
	char *value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t n = strlen(value); n && (value[n - 1] == ' ' || value[n - 1] == '\t');)
		value[--n] = 0;
	x->error = take_header(x, line, value);
	return x->error ? 0 : size;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *arg)
{
	(void)one;
	struct exchange *x = arg;
	struct http_response *r = x->response;
	curl_easy_getinfo(x->http->curl, CURLINFO_RESPONSE_CODE, &r->status);
	bool is_wanted = r->status == 200 || r->status == 206;
	uint64_t limit = is_wanted ? x->request->body_limit : TEXT_MAX * 16;
	if (size > limit - x->body_size) {
		x->error = error_new(ERROR_LIMIT, "a body of more than %llu bytes",
		                     (unsigned long long)limit);
		return 0;
	}
	x->body_size += size;
	if (is_wanted && x->request->sink) {
		x->error = x->request->sink(x->request->arg, r->status, bytes, size);
		return x->error ? 0 : size;
	}
	if (is_wanted && r->text.limit < limit)
		r->text.limit = (size_t)limit;
	str_add_bytes(&r->text, bytes, size); // of errors the beginning will do
	return size;
}

// --- what goes ----------------------------------------------------------------------------------

static size_t on_send(char *to, size_t one, size_t room, void *arg)
{
	struct exchange *x = arg;
	const struct http_body *b = x->request->body;
	uint64_t left = b->size - x->sent_size;
	size_t n = one * room < left ? one * room : (size_t)left;
	if (b->bytes) {
		memcpy(to, b->bytes + b->offset + x->sent_size, n);
	} else if (n) {
		ssize_t got;
		do
			got = pread(b->fd, to, n, (off_t)(b->offset + x->sent_size));
		while (got < 0 && errno == EINTR);
		if (got <= 0) {
			x->error = got ? error_system(errno, "read what is to be sent")
			               : error_new(ERROR_CORRUPT, "a blob that is too short");
			return CURL_READFUNC_ABORT;
		}
		n = (size_t)got;
	}
	x->sent_size += n;
	if (b->sent)
		atomic_store(b->sent, b->offset + x->sent_size);
	return n;
}

// A connection that was kept turned out to be closed: once more from the beginning.
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct exchange *x = arg;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->request->body->size)
		return CURL_SEEKFUNC_FAIL;
	x->sent_size = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

// --- whom we speak to ---------------------------------------------------------------------------

static bool is_link_local(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 16 == 0xa9fe; // 169.254.0.0/16
	}
	if (address->sa_family != AF_INET6)
		return false;
	struct sockaddr_in6 in6;
	memcpy(&in6, address, sizeof(in6));
	const unsigned char *a = in6.sin6_addr.s6_addr;
	bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
	return IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) || (is_mapped && a[12] == 169 && a[13] == 254);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = arg;
	(void)purpose;
	if (!x->request->allow_link_local && !*x->proxy && is_link_local(&a->addr)) {
		x->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

// --- what is told of it -------------------------------------------------------------------------

static void tell(const struct exchange *x, const char *format, ...) PRINTF(2, 3);
static void tell(const struct exchange *x, const char *format, ...)
{
	const struct registry_options *o = x->http->options;
	va_list args;
	va_start(args, format);
	auto_free char *text = alloc_vprintf(format, args);
	va_end(args);
	auto_free char *line = alloc_printf("[%u] %s", x->number, text);
	o->debug(o->arg, line);
}

// Conversations go on side by side: a head is told as one line, under the number of its exchange.
static void tell_sent(struct exchange *x)
{
	const struct http_request *r = x->request;
	bool chosen = r->with_headers && r->trust;
	if (!x->sent.size)
		return;
	auto_free char *shown =
		shown_request(x->sent.bytes, x->sent.size, chosen ? r->trust->headers : NULL,
	                      chosen ? r->trust->n_headers : 0);
	tell(x, "> %s", shown);
	x->sent.size = 0;
}

static void tell_got(struct exchange *x)
{
	if (!x->got.size)
		return;
	auto_free char *shown = shown_head(x->got.bytes, x->got.size, false);
	tell(x, "< %s", shown);
	x->got.size = 0;
}

static int on_debug(CURL *curl, curl_infotype type, char *bytes, size_t size, void *arg)
{
	struct exchange *x = arg;
	(void)curl;
	// In pieces, if it is long. Curl's own words would show what HTTP/2 sends.
	if (type == CURLINFO_HEADER_OUT) {
		str_add_bytes(&x->sent, bytes, size);
		if (size >= 4 && !memcmp(bytes + size - 4, "\r\n\r\n", 4))
			tell_sent(x);
	}
	if (type != CURLINFO_HEADER_IN)
		return 0;
	if (size > 5 && !memcmp(bytes, "HTTP/", 5))
		tell_got(x); // 100 Continue, or a proxy's
	str_add_bytes(&x->got, bytes, size);
	if (*bytes == '\r' || *bytes == '\n')
		tell_got(x);
	return 0;
}

static double ms_of(CURL *curl, CURLINFO what)
{
	curl_off_t us = 0;
	curl_easy_getinfo(curl, what, &us);
	return (double)us / 1000;
}

static void tell_times(const struct exchange *x)
{
	CURL *curl = x->http->curl;
	const char *address = NULL;
	long port = 0, n_new = 0;
	auto_free char *url = url_shown(x->request->url);
	curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &address);
	curl_easy_getinfo(curl, CURLINFO_PRIMARY_PORT, &port);
	curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &n_new);
	tell(x,
	     "= %s %s: %ld from %s port %ld, %s; ms: name %.1f, connected %.1f, TLS %.1f, asked "
	     "%.1f, first byte %.1f, all %.1f; %llu bytes",
	     x->request->method, url, x->response->status, address && *address ? address : "nobody",
	     port,
	     n_new                 ? "a new connection"
	     : address && *address ? "a connection used before"
	                           : "no connection",
	     ms_of(curl, CURLINFO_NAMELOOKUP_TIME_T), ms_of(curl, CURLINFO_CONNECT_TIME_T),
	     ms_of(curl, CURLINFO_APPCONNECT_TIME_T), ms_of(curl, CURLINFO_PRETRANSFER_TIME_T),
	     ms_of(curl, CURLINFO_STARTTRANSFER_TIME_T), ms_of(curl, CURLINFO_TOTAL_TIME_T),
	     (unsigned long long)x->body_size);
}

// --- options ------------------------------------------------------------------------------------

#define SET(option, value)                                                              \
	do {                                                                            \
		CURLcode code_ = curl_easy_setopt(h->curl, option, value);              \
		if (code_)                                                              \
			return error_new(ERROR_UNSUPPORTED, "libcurl: " #option ": %s", \
			                 curl_easy_strerror(code_));                    \
	} while (0)

static fallible set_blob(struct http *h, CURLoption option, const char *text)
{
	struct curl_blob blob = {(void *)(uintptr_t)text, text ? strlen(text) : 0, CURL_BLOB_COPY};
	SET(option, text ? &blob : NULL);
	return NULL;
}

// A CA of the host's own comes beside the system's: who reads the order has joined them.
static fallible set_trust(struct http *h, const struct http_request *r)
{
	const struct registry_host *t = r->trust;
	bool verify = !t || !t->skip_verify;
	SET(CURLOPT_SSL_VERIFYPEER, (long)verify);
	SET(CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_CAINFO, t && t->ca ? NULL : h->options->ca_file);
	TRY(set_blob(h, CURLOPT_CAINFO_BLOB, t ? t->ca : NULL));
	bool show = r->with_certificate && t && t->cert;
	SET(CURLOPT_SSLCERTTYPE, "PEM");
	TRY(set_blob(h, CURLOPT_SSLCERT_BLOB, show ? t->cert : NULL));
	return set_blob(h, CURLOPT_SSLKEY_BLOB, show ? (t->key ? t->key : t->cert) : NULL);
}

static fallible set_limits(struct http *h)
{
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
	SET(CURLOPT_LOW_SPEED_TIME, (long)h->options->stall_s);
	SET(CURLOPT_HTTP_TRANSFER_DECODING, 1L);
	SET(CURLOPT_BUFFERSIZE, 256L << 10);
	SET(CURLOPT_ERRORBUFFER, h->why);
	SET(CURLOPT_USERAGENT, "coracle/" CORACLE_VERSION);
	return NULL;
}

static fallible set_method(struct http *h, const struct http_request *r)
{
	SET(CURLOPT_URL, r->url);
	if (!strcmp(r->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else if (!strcmp(r->method, "GET"))
		SET(CURLOPT_HTTPGET, 1L);
	else if (!r->body)
		SET(CURLOPT_COPYPOSTFIELDS, r->form ? r->form : "");
	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
		SET(CURLOPT_CUSTOMREQUEST, r->method);
	return NULL;
}

static fallible set_body(struct exchange *x)
{
	struct http *h = x->http;
	const struct http_body *b = x->request->body;
	if (!b)
		return NULL;
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, on_send);
	SET(CURLOPT_READDATA, x);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, x);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)b->size);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
	return NULL;
}

static void add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (!longer)
		abort(); // as alloc() does
	*list = longer;
}

static struct curl_slist *header_lines(const struct http_request *r)
{
	struct curl_slist *list = NULL;
	add_line(&list, "Expect:");
	if (r->body) {
		auto_free char *line = alloc_printf("Content-Type: %s", r->body->content_type);
		add_line(&list, line);
	}
	for (size_t i = 0; r->headers && i < r->headers->n; i++)
		add_line(&list, r->headers->items[i]);
	for (size_t i = 0; r->with_headers && r->trust && i < r->trust->n_headers; i++) {
		auto_free char *line = alloc_printf("%s: %s", r->trust->headers[i].name,
		                                    r->trust->headers[i].value);
		add_line(&list, line);
	}
	return list;
}

static fallible prepare(struct exchange *x, const struct url *u, struct curl_slist *headers)
{
	struct http *h = x->http;
	const struct proxies proxies = {h->options->http_proxy, h->options->https_proxy,
	                                h->options->no_proxy};
	const char *proxy = proxy_for(&proxies, u);
	curl_easy_reset(h->curl); // keeps the connections
	x->proxy = proxy;
	TRY(set_limits(h));
	TRY(set_method(h, x->request));
	TRY(set_body(x));
	TRY(set_trust(h, x->request));
	SET(CURLOPT_PROXY, proxy);
	SET(CURLOPT_NOPROXY, ""); // that is decided
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, x);
	if (!h->options->dump)
		return NULL;
	SET(CURLOPT_DEBUGFUNCTION, on_debug);
	SET(CURLOPT_DEBUGDATA, x);
	SET(CURLOPT_VERBOSE, 1L);
	return NULL;
}

// --- the exchange -------------------------------------------------------------------------------

// OpenSSL's words for "that is no TLS record": wrong version number, packet length too long,
// http request. A certificate error has another code and never gets here.
static bool says_not_tls(const char *why)
{
	static const char *const codes[] = {"0A00010B", "0A0000C6", "0A00009C",
	                                    "wrong version number", "packet length too long"};
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strstr(why, codes[i]))
			return true;
	return false;
}

// The other side has said why it doesn't talk to us: it wants a certificate, say.
static bool is_alert(const char *why)
{
	return strstr(why, "SSL") && strstr(why, "alert");
}

// A proxy that wants a login, or doesn't go there.
static bool is_refused_by_proxy(const struct exchange *x)
{
	long status = 0;
	curl_easy_getinfo(x->http->curl, CURLINFO_HTTP_CONNECTCODE, &status);
	return status >= 400 && status < 500 && status != 408 && status != 429;
}

static bool is_transient(const struct exchange *x, CURLcode code)
{
	uint64_t connected = 0;
	curl_off_t us = 0;
	if (!curl_easy_getinfo(x->http->curl, CURLINFO_PRETRANSFER_TIME_T, &us) && us > 0)
		connected = 1;
	if (is_alert(x->http->why) || is_refused_by_proxy(x))
		return false;
	switch (code) {
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	case CURLE_OPERATION_TIMEDOUT: // stalled, or never connected
		return connected;
	default:
		return false;
	}
}

static struct error *explain(struct exchange *x, CURLcode code)
{
	const char *why = *x->http->why ? x->http->why : curl_easy_strerror(code);
	const char *method = x->request->method;
	auto_free char *url = url_shown(x->request->url);
	// Whole in curl's text if it can't be used, with its password; that text ends somewhere.
	auto_free char *beginning = alloc_printf("%.32s", x->proxy);
	if (strchr(x->proxy, '@') && strstr(why, beginning))
		why = "HTTP_PROXY or HTTPS_PROXY isn't http://[NAME:PASSWORD@]HOST:PORT";
	if (x->is_refused)
		return error_new(ERROR_INVALID, "%s %s: a link-local address is not asked", method,
		                 url);
	if (x->error)
		return error_prefix(take(&x->error), "%s %s", method, url);
	return error_new(ERROR_SYSTEM, "%s %s: %.300s", method, url, why);
}

fallible http_exchange(struct http *h, const struct http_request *r, struct http_response *ret)
{
	auto_url struct url u = {0};
	static atomic_uint last_number;
	struct exchange x = {.http = h,
	                     .request = r,
	                     .response = ret,
	                     .sent = STR_LIMIT(SENT_SIZE_MAX),
	                     .got = STR_LIMIT(HEADERS_SIZE_MAX),
	                     .number = ++last_number,
	                     .proxy = ""};
	*ret = (struct http_response){.content_length = UINT64_MAX, .text = STR_LIMIT(TEXT_MAX)};
	TRY(url_parse(r->url, &u));
	if (!r->allow_link_local && url_host_is_link_local(u.host)) {
		auto_free char *shown = url_shown(r->url);
		return error_new(ERROR_INVALID, "%s: a link-local address is not asked", shown);
	}
	*h->why = 0;
	struct curl_slist *headers = header_lines(r);
	struct error *e = prepare(&x, &u, headers);
	CURLcode code = e ? CURLE_OK : curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &ret->status);
	curl_slist_free_all(headers);
	tell_sent(&x); // what was broken off
	tell_got(&x);
	str_done(&x.sent);
	str_done(&x.got);
	if (e)
		return e;
	if (h->options->trace)
		tell_times(&x);
	if (!code)
		return NULL;
	ret->is_transient = !x.error && !x.is_refused && is_transient(&x, code);
	ret->is_stalled = code == CURLE_OPERATION_TIMEDOUT;
	ret->is_not_tls = code == CURLE_SSL_CONNECT_ERROR && says_not_tls(h->why);
	return explain(&x, code);
}

fallible http_new(const struct registry_options *o, struct http **ret)
{
	struct http *h = alloc(sizeof(*h));
	h->options = o;
	h->curl = curl_easy_init();
	if (!h->curl) {
		free(h);
		return error_new(ERROR_SYSTEM, "libcurl doesn't start");
	}
	*ret = h;
	return NULL;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}
