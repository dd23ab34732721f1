// SPDX-License-Identifier: Apache-2.0
#include "registry/proxy.h"
#include "base/text.h"
#include <arpa/inet.h>

struct address {
	unsigned char bytes[16];
	unsigned n_bytes; // 4 or 16; 0: not an address
};

// With or without brackets.
static struct address read_address(const char *text)
{
	struct address a = {{0}, 0};
	size_t size = strlen(text);
	bool brackets = *text == '[' && size > 2 && text[size - 1] == ']';
	auto_free char *bare = brackets ? alloc_bytes(text + 1, size - 2) : alloc_string(text);
	if (inet_pton(AF_INET, bare, a.bytes) == 1)
		a.n_bytes = 4;
	else if (inet_pton(AF_INET6, bare, a.bytes) == 1)
		a.n_bytes = 16;
	return a;
}

static bool in_network(const struct address *network, unsigned bits, const struct address *a)
{
	if (a->n_bytes != network->n_bytes)
		return false;
	for (unsigned i = 0; i < bits; i++) {
		unsigned mask = 0x80u >> i % 8;
		if ((a->bytes[i / 8] & mask) != (network->bytes[i / 8] & mask))
			return false;
	}
	return true;
}

// "10.0.0.0/8"; *ret_matches says of `host` whether it lies in there.
static bool is_network(char *entry, const char *host, bool *ret_matches)
{
	char *slash = strchr(entry, '/');
	uint64_t bits;
	if (!slash)
		return false;
	*slash = 0;
	const struct address network = read_address(entry), a = read_address(host);
	auto_error struct error *e =
		text_parse_u64(slash + 1, 10, (uint64_t)network.n_bytes * 8, &bits);
	*ret_matches = !e && network.n_bytes && in_network(&network, (unsigned)bits, &a);
	return true;
}

static bool is_port(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == 0;
}

// Cuts ":port" off; false if it is another one.
static bool port_fits(char *entry, unsigned port)
{
	char *colon = strrchr(entry, ':');
	bool is_v6 = colon && strchr(entry, ':') != colon && colon[-1] != ']';
	uint64_t number;
	if (!colon || is_v6 || !is_port(colon + 1))
		return true;
	auto_error struct error *e = text_parse_u64(colon + 1, 10, 65535, &number);
	*colon = 0;
	return !e && number == port;
}

static bool name_fits(const char *entry, const char *host)
{
	if (text_starts(entry, "*."))
		entry++;
	size_t n = strlen(entry), size = strlen(host);
	if (*entry == '.')
		return n > 1 && size > n && !strcmp(host + size - n, entry);
	if (!strcmp(entry, host))
		return true;
	return n && size > n + 1 && host[size - n - 1] == '.' && !strcmp(host + size - n, entry);
}

static bool fits(char *entry, const struct url *u)
{
	bool matches = false;
	for (char *c = entry; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	if (!strcmp(entry, "*"))
		return true;
	if (is_network(entry, u->host, &matches))
		return matches;
	if (!port_fits(entry, u->port))
		return false;
	const struct address wanted = read_address(entry), a = read_address(u->host);
	if (wanted.n_bytes)
		return in_network(&wanted, wanted.n_bytes * 8, &a);
	return name_fits(entry, u->host);
}

static bool is_excluded(const char *none, const struct url *u)
{
	for (const char *c = none ? none : ""; *c;) {
		size_t n = strcspn(c, ", \t");
		auto_free char *entry = alloc_bytes(c, n);
		if (n && fits(entry, u))
			return true;
		c += n + (c[n] != 0);
	}
	return false;
}

const char *proxy_for(const struct proxies *p, const struct url *u)
{
	const char *proxy = u->is_https ? p->https : p->http;
	if (!proxy || !*proxy || url_host_is_loopback(u->host) || is_excluded(p->none, u))
		return "";
	return proxy;
}
