// SPDX-License-Identifier: Apache-2.0
#include "registry/url.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { SHOWN_MAX = 300 };

void url_done(struct url *u)
{
	free(u->host);
	free(u->path_query);
	*u = (struct url){0};
}

static fallible parse_port(const char *text, struct url *u)
{
	uint64_t port;
	struct error *e = text_parse_u64(text, 10, 65535, &port);
	bool bad = e || !port;
	error_free(e); // its text may be half a password
	u->port = bad ? 0 : (unsigned)port;
	return bad ? error_new(ERROR_INVALID, "a port that is none") : NULL;
}

static fallible parse_host(const char *text, size_t size, struct url *u)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
	static const char allowed_v6[] = "abcdef0123456789:.";
	auto_free char *authority = alloc_bytes(text, size);
	for (char *c = authority; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	char *port = NULL;
	size_t host_size;
	if (*authority == '[') {
		host_size = 1 + strspn(authority + 1, allowed_v6);
		if (host_size == 1 || authority[host_size] != ']')
			return error_new(ERROR_INVALID, "no address in the brackets");
		host_size++;
	} else {
		host_size = strspn(authority, allowed);
	}
	if (authority[host_size] == ':')
		port = authority + host_size + 1;
	else if (authority[host_size])
		return error_new(ERROR_INVALID, "a character that no host has");
	if (!host_size)
		return error_new(ERROR_INVALID, "no host");
	if (port)
		TRY(parse_port(port, u));
	u->host = alloc_bytes(authority, host_size);
	return NULL;
}

// Of what is no URL of ours, for messages: without query, fragment and user.
static const char *scheme_and_host(const char *text, char shown[65])
{
	size_t n = strcspn(text, "?#");
	const char *authority = strstr(text, "://"), *at = strrchr(text, '@');
	if (at) // wherever it is: a password may have any character
		n = authority && authority < at ? (size_t)(authority + 3 - text) : 0;
	snprintf(shown, 65, "%.*s", n < 64 ? (int)n : 64, text);
	return shown;
}

fallible url_parse(const char *text, struct url *ret)
{
	struct url u = {0};
	char shown[65];
	if (strlen(text) > URL_SIZE_MAX)
		return error_new(ERROR_INVALID, "a URL of more than %d bytes", URL_SIZE_MAX);
	for (const char *c = text; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '\\')
			return error_new(ERROR_INVALID, "a character that no URL has");
	if (text_starts(text, "https://"))
		u.is_https = true;
	else if (!text_starts(text, "http://"))
		return error_new(ERROR_INVALID, "%.64s: only http and https are followed",
		                 scheme_and_host(text, shown));
	const char *authority = strstr(text, "://") + 3;
	size_t size = strcspn(authority, "/?#");
	if (memchr(authority, '@', size))
		return error_new(ERROR_INVALID, "a URL with user information");
	u.port = u.is_https ? 443 : 80;
	TRY_AS(parse_host(authority, size, &u), "%.64s", scheme_and_host(text, shown));
	const char *rest = authority + size;
	int rest_size = (int)strcspn(rest, "#");
	u.path_query = alloc_printf("%s%.*s", *rest == '/' ? "" : "/", rest_size, rest);
	*ret = u;
	return NULL;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->is_https == b->is_https && a->port == b->port && !strcmp(a->host, b->host);
}

fallible url_resolve(const char *base, const char *location, char **ret)
{
	auto_url struct url b = {0}, checked = {0};
	TRY(url_parse(base, &b));
	const char *scheme = b.is_https ? "https" : "http";
	const char *authority = strstr(base, "://") + 3;
	int authority_size = (int)strcspn(authority, "/?#");
	size_t plain = strcspn(location, ":/?#");
	auto_free char *whole = NULL;
	if (location[plain] == ':') {
		whole = alloc_string(location);
	} else if (text_starts(location, "//")) {
		whole = alloc_printf("%s:%s", scheme, location);
	} else if (*location == '/') {
		whole = alloc_printf("%s://%.*s%s", scheme, authority_size, authority, location);
	} else {
		int folder = (int)strcspn(b.path_query, "?");
		while (folder && b.path_query[folder - 1] != '/')
			folder--;
		whole = alloc_printf("%s://%.*s%.*s%s", scheme, authority_size, authority, folder,
		                     b.path_query, location);
	}
	TRY(url_parse(whole, &checked));
	*ret = take(&whole);
	return NULL;
}

char *url_shown(const char *url)
{
	size_t n = strcspn(url, "?#");
	bool is_cut = url[n] || n > SHOWN_MAX;
	return alloc_printf("%.*s%s%s", (int)(n < SHOWN_MAX ? n : SHOWN_MAX), url,
	                    url[n] ? "?" : "", is_cut ? "..." : "");
}

// Every spelling that a name resolver takes for an address: 0xa9fea9fe, 0251.254.43518, a dot at
// the end. What a name stands for is known when a connection is made, and checked again there; but
// a proxy is told the name.
static bool parse_ipv4(const char *host, unsigned char ret[4])
{
	size_t size = strlen(host);
	auto_free char *bare = alloc_bytes(host, size - (size && host[size - 1] == '.'));
	struct in_addr address;
	if (*bare < '0' || *bare > '9' || !inet_aton(bare, &address))
		return false;
	memcpy(ret, &address, 4);
	return true;
}

// An IPv6 address in its brackets; those that stand for an IPv4 address give that.
static bool parse_ipv6(const char *host, struct in6_addr *ret, unsigned char ret_v4[4],
                       bool *ret_is_v4)
{
	static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
	size_t size = strlen(host);
	if (*host != '[' || size < 4)
		return false;
	auto_free char *bare = alloc_bytes(host + 1, size - 2);
	if (inet_pton(AF_INET6, bare, ret) != 1)
		return false;
	*ret_is_v4 = IN6_IS_ADDR_V4MAPPED(ret) || IN6_IS_ADDR_V4COMPAT(ret) ||
	             !memcmp(ret->s6_addr, nat64, sizeof(nat64));
	memcpy(ret_v4, ret->s6_addr + 12, 4);
	return true;
}

bool url_host_is_loopback(const char *host)
{
	unsigned char a[4];
	return !strcmp(host, "localhost") || !strcmp(host, "[::1]") ||
	       (parse_ipv4(host, a) && a[0] == 127);
}

bool url_host_is_link_local(const char *host)
{
	unsigned char a[4];
	struct in6_addr in6;
	bool is_v4 = true;
	if (!parse_ipv4(host, a) && !parse_ipv6(host, &in6, a, &is_v4))
		return false;
	return is_v4 ? a[0] == 169 && a[1] == 254 : IN6_IS_ADDR_LINKLOCAL(&in6);
}
