// SPDX-License-Identifier: Apache-2.0
#include "registry/hosts.h"
#include "base/text.h"
#include "registry/url.h"

#define DOCKER_HUB "registry-1.docker.io"
enum { HOSTS_MAX = 64, HEADERS_MAX = 64, FILES_MAX = 16 };

static void host_done(struct registry_host *h)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		free(h->headers[i].name);
		free(h->headers[i].value);
	}
	free(h->headers);
	free(h->url);
	free(h->ca);
	free(h->cert);
	free(h->key);
	free(h->user);
	free(h->secret);
	free(h->identity_token);
}

void registry_hosts_done(struct registry_hosts *h)
{
	for (size_t i = 0; i < h->n; i++)
		host_done(&h->items[i]);
	free(h->items);
	*h = (struct registry_hosts){0};
}

struct parser {
	const char *host;
	const struct registry_flags *flags;
	registry_read *read;
	void *arg;
	struct registry_hosts hosts;
	size_t capacity;
};

static struct registry_host *add_host(struct parser *p)
{
	alloc_grow(&p->hosts.items, &p->capacity, p->hosts.n, sizeof(*p->hosts.items));
	struct registry_host *h = &p->hosts.items[p->hosts.n++];
	h->capabilities = REGISTRY_PULL | REGISTRY_RESOLVE | REGISTRY_PUSH;
	return h;
}

// For messages: somebody may have written a password into it.
static const char *named(const char *url)
{
	return strchr(url, '@') ? "...@..." : url;
}

// --- members of a host's table ------------------------------------------------------------------

static fallible parse_capabilities(const struct json *table, const struct json_path *path,
                                   struct registry_host *h)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
		{"pull", REGISTRY_PULL}, {"resolve", REGISTRY_RESOLVE}, {"push", REGISTRY_PUSH}};
	const struct json *list = NULL;
	TRY(json_get_array(table, path, "capabilities", 16, &list));
	if (!list)
		return NULL;
	h->capabilities = 0;
	for (size_t i = 0; i < json_size(list); i++) {
		const char *name = json_text(json_item(list, i));
		unsigned bit = 0;
		for (size_t k = 0; name && k < sizeof(known) / sizeof(*known); k++)
			if (!strcmp(name, known[k].name))
				bit = known[k].bit;
		if (!bit)
			return error_new(ERROR_INVALID, "unknown capability \"%.64s\"",
			                 name ? name : "");
		h->capabilities |= bit;
	}
	return NULL;
}

// Joins the texts of `path` to what is there already.
static fallible add_pem(struct parser *p, const char *path, char **to)
{
	auto_free char *text = NULL;
	if (!path)
		return error_new(ERROR_INVALID, "the path of a certificate isn't a string");
	TRY(p->read(p->arg, path, &text));
	if (!text_is_utf8(text, strlen(text)))
		return error_new(ERROR_INVALID, "%.200s: not a PEM file", path);
	char *all = alloc_printf("%s%s\n", *to ? *to : "", text);
	free(*to);
	*to = all;
	return NULL;
}

static fallible parse_ca(struct parser *p, const struct json *table, struct registry_host *h)
{
	const struct json *ca = json_member(table, "ca");
	if (!ca)
		return NULL;
	if (json_kind(ca) != JSON_ARRAY)
		return add_pem(p, json_text(ca), &h->ca);
	if (json_size(ca) > FILES_MAX)
		return error_new(ERROR_LIMIT, "ca: more than %d files", FILES_MAX);
	for (size_t i = 0; i < json_size(ca); i++)
		TRY(add_pem(p, json_text(json_item(ca, i)), &h->ca));
	return NULL;
}

// "both.pem", ["both.pem"] or [["cert", "key"]]; we show the first.
static fallible parse_client(struct parser *p, const struct json *table, struct registry_host *h)
{
	const struct json *client = json_member(table, "client");
	if (json_kind(client) == JSON_ARRAY)
		client = json_item(client, 0);
	if (!client)
		return NULL;
	const char *cert = json_text(client), *key = cert;
	if (json_kind(client) == JSON_ARRAY) {
		cert = json_text(json_item(client, 0));
		key = json_text(json_item(client, 1));
		if (!key || !*key)
			key = cert;
	}
	TRY(add_pem(p, cert, &h->cert));
	return add_pem(p, key, &h->key);
}

static fallible add_header(struct registry_host *h, size_t *capacity, const char *name,
                           const char *value)
{
	bool bad = !value || !*name || strpbrk(name, " \t:\r\n") ||
	           strpbrk(value ? value : "", "\r\n");
	if (bad)
		return error_new(ERROR_INVALID, "header \"%.64s\"", name);
	if (h->n_headers >= HEADERS_MAX)
		return error_new(ERROR_LIMIT, "more than %d headers", HEADERS_MAX);
	alloc_grow(&h->headers, capacity, h->n_headers, sizeof(*h->headers));
	h->headers[h->n_headers++] =
		(struct registry_header){alloc_string(name), alloc_string(value)};
	return NULL;
}

static fallible parse_headers(const struct json *table, const struct json_path *path,
                              struct registry_host *h)
{
	const struct json *headers = NULL, *value;
	struct json_cursor cursor = {0};
	const char *name;
	size_t capacity = 0;
	TRY(json_get_object(table, path, "header", &headers));
	while (json_next(headers, &cursor, &name, &value)) {
		if (json_kind(value) != JSON_ARRAY) {
			TRY(add_header(h, &capacity, name, json_text(value)));
			continue;
		}
		for (size_t i = 0; i < json_size(value); i++)
			TRY(add_header(h, &capacity, name, json_text(json_item(value, i))));
	}
	return NULL;
}

// "mirror.example:8443/path" → "https://mirror.example:8443/path/v2".
static fallible set_url(struct parser *p, struct registry_host *h, const char *text,
                        bool override_path)
{
	auto_url struct url u = {0};
	auto_free char *whole = alloc_printf("%s%s", strstr(text, "://") ? "" : "https://", text);
	TRY_AS(url_parse(whole, &u), "host \"%.64s\"", named(text));
	if (strchr(u.path_query, '?'))
		return error_new(ERROR_INVALID, "host \"%.64s\": a query", text);
	size_t size = strlen(u.path_query);
	while (size && u.path_query[size - 1] == '/')
		u.path_query[--size] = 0;
	bool add = !override_path && !text_ends(u.path_query, "/v2");
	int authority = (int)strcspn(strstr(whole, "://") + 3, "/?#");
	h->url = alloc_printf("%s://%.*s%s%s", u.is_https ? "https" : "http", authority,
	                      strstr(whole, "://") + 3, u.path_query, add ? "/v2" : "");
	auto_free char *own = alloc_printf("%s://%s", u.is_https ? "https" : "http",
	                                   !strcmp(p->host, "docker.io") ? DOCKER_HUB : p->host);
	auto_url struct url registry = {0};
	TRY_AS(url_parse(own, &registry), "registry");
	h->is_own = url_same_origin(&u, &registry);
	return NULL;
}

static fallible parse_host(struct parser *p, const char *url, const struct json *table,
                           const struct json_path *path)
{
	struct registry_host *h = add_host(p);
	bool override_path = false;
	TRY(json_get_bool(table, path, "override_path", &override_path));
	TRY(json_get_bool(table, path, "skip_verify", &h->skip_verify));
	TRY(parse_capabilities(table, path, h));
	TRY(parse_headers(table, path, h));
	TRY(parse_ca(p, table, h));
	TRY(parse_client(p, table, h));
	return set_url(p, h, url, override_path);
}

// --- the registry itself ------------------------------------------------------------------------

static void give(char **from, char **to)
{
	if (!*to)
		*to = take(from);
}

// However it is spelled: ":443" may be said or not.
static bool is_same(const char *a, const char *b)
{
	auto_url struct url x = {0}, y = {0};
	struct error *bad = url_parse(a, &x);
	if (!bad)
		bad = url_parse(b, &y);
	bool same = !bad && url_same_origin(&x, &y) && !strcmp(x.path_query, y.path_query);
	error_free(bad); // both were parsed before
	return same;
}

// A section that names the registry itself stands for it, in its place: it isn't asked once more
// behind the others, as somebody else. What the file says above all sections fills what it leaves
// open. Gives the registry.
static struct registry_host *join_section(struct parser *p)
{
	struct registry_host *own = &p->hosts.items[p->hosts.n - 1];
	for (size_t i = 0; i + 1 < p->hosts.n; i++) {
		struct registry_host *h = &p->hosts.items[i];
		if (!is_same(h->url, own->url))
			continue;
		h->capabilities |= own->capabilities;
		h->skip_verify |= own->skip_verify && !h->ca;
		give(&own->ca, &h->ca);
		if (!h->cert)
			give(&own->key, &h->key);
		give(&own->cert, &h->cert);
		if (!h->n_headers) {
			h->headers = take(&own->headers);
			h->n_headers = own->n_headers;
			own->n_headers = 0;
		}
		host_done(own);
		p->hosts.n--;
		return h;
	}
	return own;
}

size_t registry_own_host(const struct registry_hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++)
		if (hosts->items[i].is_registry)
			return i;
	return hosts->n - 1;
}

// Loopback: https first, http only if nobody asked for TLS and what answers doesn't speak it.
static fallible add_own(struct parser *p, const struct json *toml)
{
	const struct registry_flags *f = p->flags;
	const struct json_path path = {NULL, "hosts.toml", 0};
	const char *server = NULL;
	TRY(json_get_string(toml, &path, "server", &server));
	const char *name = !strcmp(p->host, "docker.io") ? DOCKER_HUB : p->host;
	auto_free char *plain = alloc_printf("%s://%s", f->plain_http ? "http" : "https", name);
	TRY(parse_host(p, server && *server ? server : plain, toml, &path));
	size_t n = p->hosts.n;
	struct registry_host *h = join_section(p);
	h->is_registry = true;
	auto_url struct url u = {0};
	TRY(url_parse(h->url, &u));
	h->skip_verify |= f->skip_verify;
	p->arg = NULL; // the flags' paths are the user's, and no part of the folder
	if (f->ca)
		TRY_AS(add_pem(p, f->ca, &h->ca), "--tlscacert");
	if (f->cert)
		TRY_AS(add_pem(p, f->cert, &h->cert), "--tlscert");
	if (f->key)
		TRY_AS(add_pem(p, f->key, &h->key), "--tlskey");
	bool wants_tls = h->skip_verify || h->ca || h->cert || server || p->hosts.n < n;
	h->http_fallback = u.is_https && !wants_tls && url_host_is_loopback(u.host);
	return NULL;
}

static fallible parse_all(struct parser *p, const struct json *toml)
{
	const struct json_path root = {NULL, "hosts.toml", 0};
	const struct json_path here = {&root, "host", 0};
	const struct json *hosts = NULL, *table;
	struct json_cursor cursor = {0};
	const char *url;
	TRY(json_get_object(toml, &root, "host", &hosts));
	if (json_size(hosts) > HOSTS_MAX)
		return error_new(ERROR_LIMIT, "hosts.toml: more than %d hosts", HOSTS_MAX);
	while (json_next(hosts, &cursor, &url, &table)) {
		const struct json_path item = {&here, named(url), 0};
		if (json_kind(table) != JSON_OBJECT)
			return error_new(ERROR_INVALID, "host \"%.64s\": not a table", named(url));
		TRY_AS(parse_host(p, url, table, &item), "host \"%.64s\"", named(url));
	}
	return add_own(p, toml);
}

fallible registry_parse_hosts(const char *host, const struct json *toml,
                              const struct registry_flags *flags, registry_read *read, void *arg,
                              struct registry_hosts *ret)
{
	struct parser p = {.host = host, .flags = flags, .read = read, .arg = arg};
	struct error *e = parse_all(&p, toml);
	if (e)
		registry_hosts_done(&p.hosts);
	else
		*ret = p.hosts;
	return e;
}

// --- for the worker -----------------------------------------------------------------------------

struct member {
	const char *name;
	size_t offset;
};
#define MEMBER(m)                                     \
	{                                             \
#m, offsetof(struct registry_host, m) \
	}
static const struct member texts[] = {
	MEMBER(url),  MEMBER(ca),     MEMBER(cert),           MEMBER(key),
	MEMBER(user), MEMBER(secret), MEMBER(identity_token),
};
static const struct member flags[] = {MEMBER(is_own), MEMBER(is_registry), MEMBER(http_fallback),
                                      MEMBER(skip_verify)};
enum { N_TEXTS = sizeof(texts) / sizeof(*texts), N_FLAGS = sizeof(flags) / sizeof(*flags) };

static void *member_of(const struct registry_host *h, const struct member *m)
{
	return (char *)(uintptr_t)h + m->offset;
}

struct json *registry_hosts_to_json(const struct registry_hosts *hosts)
{
	struct json *array = json_new_array();
	for (size_t i = 0; i < hosts->n; i++) {
		const struct registry_host *h = &hosts->items[i];
		struct json *o = json_new_object(), *headers = json_new_array();
		for (size_t k = 0; k < N_TEXTS; k++)
			json_set_string(o, texts[k].name, *(char **)member_of(h, &texts[k]));
		for (size_t k = 0; k < N_FLAGS; k++)
			json_set_bool(o, flags[k].name, *(bool *)member_of(h, &flags[k]));
		json_set_u64(o, "capabilities", h->capabilities);
		for (size_t k = 0; k < h->n_headers; k++) {
			struct json *header = json_new_object();
			json_set_string(header, "name", h->headers[k].name);
			json_set_string(header, "value", h->headers[k].value);
			json_append(headers, header);
		}
		json_set(o, "headers", headers);
		json_append(array, o);
	}
	return array;
}

static fallible host_from_json(const struct json *o, struct registry_host *h)
{
	const struct json *headers = NULL;
	uint64_t capabilities = 0;
	size_t capacity = 0;
	for (size_t k = 0; k < N_TEXTS; k++) {
		const char *text = NULL;
		TRY(json_get_string(o, NULL, texts[k].name, &text));
		*(char **)member_of(h, &texts[k]) = text ? alloc_string(text) : NULL;
	}
	for (size_t k = 0; k < N_FLAGS; k++)
		TRY(json_get_bool(o, NULL, flags[k].name, member_of(h, &flags[k])));
	TRY(json_require_u64(o, NULL, "capabilities", 7, &capabilities));
	h->capabilities = (unsigned)capabilities;
	TRY(json_get_array(o, NULL, "headers", HEADERS_MAX, &headers));
	for (size_t k = 0; k < json_size(headers); k++) {
		const char *name, *value;
		TRY(json_require_string(json_item(headers, k), NULL, "name", &name));
		TRY(json_require_string(json_item(headers, k), NULL, "value", &value));
		TRY(add_header(h, &capacity, name, value));
	}
	return h->url ? NULL : error_new(ERROR_INVALID, "a host without a URL");
}

fallible registry_hosts_from_json(const struct json *array, struct registry_hosts *ret)
{
	struct parser p = {0};
	struct error *e = NULL;
	for (size_t i = 0; !e && i < json_size(array); i++)
		e = host_from_json(json_item(array, i), add_host(&p));
	if (e)
		registry_hosts_done(&p.hosts);
	else
		*ret = p.hosts;
	return e;
}
