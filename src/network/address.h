// SPDX-License-Identifier: Apache-2.0
// Internet addresses and prefixes: text, comparison, arithmetic. Private to network/.
#pragma once
#include "network/network.h"
#include <netinet/in.h>

struct prefix {
	struct network_address address;
	unsigned length;
};

unsigned address_bits(const struct network_address *a); // 32, 128
size_t address_size(const struct network_address *a);   // 4, 16
// An IPv4-mapped IPv6 address becomes IPv4, as in Go. INVALID: "invalid IP address: …".
fallible address_parse(const char *text, struct network_address *ret);
// Address with length; host bits stay. INVALID: "invalid CIDR address: …".
fallible prefix_parse(const char *text, struct prefix *ret);
char *prefix_print(const struct network_address *a, unsigned length); // the caller's
int address_compare(const struct network_address *a, const struct network_address *b);
bool address_equal(const struct network_address *a, const struct network_address *b);
bool address_is_zero(const struct network_address *a);
// The first and the last address of a prefix.
struct network_address address_first(const struct network_address *a, unsigned length);
struct network_address address_last(const struct network_address *a, unsigned length);
// The next address, the one before; wraps around.
struct network_address address_next(const struct network_address *a);
struct network_address address_previous(const struct network_address *a);
bool prefix_contains(const struct network_address *network, unsigned length,
                     const struct network_address *a);
bool address_is_loopback(const struct network_address *a); // 127.0.0.0/8, ::1
