// SPDX-License-Identifier: Apache-2.0
#include "network/address.h"
#include <arpa/inet.h>

unsigned address_bits(const struct network_address *a)
{
	return a->family == AF_INET ? 32 : 128;
}

size_t address_size(const struct network_address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

static bool parse(const char *text, struct network_address *ret)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct network_address a = {.family = AF_INET};
	if (inet_pton(AF_INET, text, a.bytes) != 1) {
		a.family = AF_INET6;
		if (inet_pton(AF_INET6, text, a.bytes) != 1)
			return false;
		if (memcmp(a.bytes, mapped, sizeof(mapped)) == 0) {
			a.family = AF_INET;
			memmove(a.bytes, a.bytes + 12, 4);
			memset(a.bytes + 4, 0, 12);
		}
	}
	*ret = a;
	return true;
}

fallible address_parse(const char *text, struct network_address *ret)
{
	if (!text || !parse(text, ret))
		return error_new(ERROR_INVALID, "invalid IP address: %.64s", text ? text : "");
	return NULL;
}

fallible prefix_parse(const char *text, struct prefix *ret)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	char address[INET6_ADDRSTRLEN + 1];
	struct prefix p = {0};
	uint64_t length = 0;
	bool ok = slash && (size_t)(slash - text) < sizeof(address) && strlen(slash) <= 4;
	if (ok) {
		memcpy(address, text, (size_t)(slash - text));
		address[slash - text] = 0;
		ok = parse(address, &p.address);
	}
	if (ok) {
		auto_error struct error *e =
			text_parse_u64(slash + 1, 10, address_bits(&p.address), &length);
		ok = !e;
	}
	if (!ok)
		return error_new(ERROR_INVALID, "invalid CIDR address: %.64s", text ? text : "");
	p.length = (unsigned)length;
	*ret = p;
	return NULL;
}

char *network_address_print(const struct network_address *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	if (address->family)
		inet_ntop(address->family, address->bytes, text, sizeof(text));
	return alloc_string(text);
}

char *prefix_print(const struct network_address *a, unsigned length)
{
	auto_free char *text = network_address_print(a);
	return alloc_printf("%s/%u", text, length);
}

int address_compare(const struct network_address *a, const struct network_address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, address_size(a));
}

bool address_equal(const struct network_address *a, const struct network_address *b)
{
	return address_compare(a, b) == 0;
}

bool address_is_zero(const struct network_address *a)
{
	static const unsigned char zeros[16];
	return memcmp(a->bytes, zeros, address_size(a)) == 0;
}

// Sets all bits behind the prefix.
static struct network_address fill(const struct network_address *a, unsigned length, bool ones)
{
	struct network_address r = *a;
	for (unsigned i = length; i < address_bits(a); i++) {
		unsigned char bit = (unsigned char)(0x80 >> i % 8);
		r.bytes[i / 8] =
			(unsigned char)(ones ? r.bytes[i / 8] | bit : r.bytes[i / 8] & ~bit);
	}
	return r;
}

struct network_address address_first(const struct network_address *a, unsigned length)
{
	return fill(a, length, false);
}

struct network_address address_last(const struct network_address *a, unsigned length)
{
	return fill(a, length, true);
}

struct network_address address_next(const struct network_address *a)
{
	struct network_address r = *a;
	for (size_t i = address_size(a); i-- && ++r.bytes[i] == 0;)
		;
	return r;
}

struct network_address address_previous(const struct network_address *a)
{
	struct network_address r = *a;
	for (size_t i = address_size(a); i-- && r.bytes[i]-- == 0;)
		;
	return r;
}

bool prefix_contains(const struct network_address *network, unsigned length,
                     const struct network_address *a)
{
	if (network->family != a->family)
		return false;
	struct network_address x = address_first(network, length), y = address_first(a, length);
	return address_equal(&x, &y);
}

bool address_is_loopback(const struct network_address *a)
{
	if (a->family == AF_INET)
		return a->bytes[0] == 127;
	struct network_address before = address_previous(a);
	return a->family == AF_INET6 && address_is_zero(&before);
}
