// SPDX-License-Identifier: Apache-2.0
#include "network/names.h"
#include <ctype.h>
#include <string.h>

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_is_valid(const char *name)
{
	if (!name || !is_word(*name))
		return false;
	size_t n = 0;
	for (; name[n]; n++)
		if (!is_word(name[n]) && !strchr("_.-", name[n]))
			return false;
	return n <= 255;
}

fallible name_check_interface(const char *name)
{
	if (!name || !*name)
		return error_new(ERROR_INVALID, "interface name is empty");
	if (strlen(name) >= IFNAMSIZ)
		return error_new(ERROR_INVALID, "interface name is too long: \"%.64s\"", name);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_new(ERROR_INVALID, "interface name is . or ..");
	for (const char *c = name; *c; c++)
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return error_new(ERROR_INVALID,
			                 "interface name contains / or : or whitespace characters");
	return NULL;
}

bool name_is_store(const char *store_id)
{
	if (!store_id || !*store_id || *store_id == '.' || strlen(store_id) > 64)
		return false;
	for (const char *c = store_id; *c; c++)
		if (!is_word(*c) && !strchr("_.-", *c))
			return false;
	return true;
}

uint64_t name_hash(const char *text, uint64_t seed)
{
	uint64_t h = 0xcbf29ce484222325 ^ seed;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		h = (h ^ *c) * 0x100000001b3;
	// FNV leaves the upper bits of short texts poor; one round of mixing evens them out.
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93;
	return h ^ h >> 32;
}

void name_key(const char *container_id, const char *ifname, char ret[static 33])
{
	uint64_t a = name_hash(container_id, 1), b = name_hash(container_id, 2);
	snprintf(ret, 33, "%016llx%016llx", (unsigned long long)name_hash(ifname, a),
	         (unsigned long long)name_hash(ifname, b));
}

void name_host_link(uint64_t instance, const char *ifname, char ret[static IFNAMSIZ])
{
	uint64_t h = strcmp(ifname, "eth0") == 0 ? instance : name_hash(ifname, instance);
	snprintf(ret, IFNAMSIZ, "cor%012llx", (unsigned long long)(h & 0xffffffffffff));
}

void name_bridge(const char *network, char ret[static IFNAMSIZ])
{
	if (strlen(network) + 4 < IFNAMSIZ)
		snprintf(ret, IFNAMSIZ, "cor-%s", network);
	else
		snprintf(ret, IFNAMSIZ, "cor-%011llx",
		         (unsigned long long)(name_hash(network, 0) & 0xfffffffffff));
}
