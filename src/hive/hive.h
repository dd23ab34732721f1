// SPDX-License-Identifier: Apache-2.0
// Windows registry hives (regf): bytes to a tree, layers merged, a tree to bytes. Pure.
// Called by: windows. Knows nothing of Wine, of layers of images, or of files.
// Specification: github.com/msuhanov/regf (format 1.3 to 1.6, layered keys).
//
// A hive from an image is hostile: every offset must hit a cell that is in use, every record must
// fit in its cell, no key is reached twice, and everything is counted. A hive that was not closed
// cleanly is read as it stands; its logs are ignored.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// clang-format off
enum hive_limit {
	HIVE_SIZE_MAX   = 512 << 20, // bytes of a file
	HIVE_KEYS_MAX   = 1 << 19,
	HIVE_VALUES_MAX = 1 << 20,
	HIVE_DATA_MAX   = 64 << 20,  // bytes of all values' data
	HIVE_DEPTH_MAX  = 512,
	HIVE_NAME_MAX   = 255 * 3,   // bytes of UTF-8 of a key's name; a value's: 16383 units
};

enum hive_type { // of values; others occur and are kept
	HIVE_NONE, HIVE_SZ, HIVE_EXPAND_SZ, HIVE_BINARY, HIVE_DWORD, HIVE_DWORD_BE, HIVE_LINK,
	HIVE_MULTI_SZ, HIVE_QWORD = 11,
};
// clang-format on

// What a key of a delta means for the key below (byte 13 of nk, its low two bits).
enum hive_layer { HIVE_MERGE, HIVE_TOMBSTONE, HIVE_SUPERSEDE_LOCAL, HIVE_SUPERSEDE_TREE };

struct hive_value {
	char *name; // UTF-8; "" is the default value
	uint32_t type;
	const unsigned char *data;
	size_t size;
	bool is_tombstone; // of a delta: the value below is deleted
	struct hive_value *next;
};

struct hive_key {
	char *name; // UTF-8, unpaired surrogates as U+FFFD
	enum hive_layer layer;
	bool is_link;
	struct hive_key *parent, *next, *first, *last;
	struct hive_value *values, *last_value;
	size_t n_keys, n_values;
};

struct hive {
	struct arena *arena;
	struct hive_key *root;
	size_t n_keys, n_values;
};

struct hive *hive_new(void) __attribute__((returns_nonnull)); // a root without anything
void hive_free(struct hive *h);                               // takes NULL

// Copies: the bytes may go afterwards. Errors: CORRUPT (with the offset), LIMIT.
fallible hive_read(const void *bytes, size_t size, struct hive **ret);
// Lays a delta over `base`: marks are obeyed and gone afterwards. Errors: LIMIT.
fallible hive_merge(struct hive *base, const struct hive *delta);
// One bin with everything in it, 8192 bytes at least; all keys have one security descriptor.
// Errors: LIMIT (a key with more than 65535 subkeys, the size).
fallible hive_write(const struct hive *h, struct str *out);

// NULL if there is none. `path` is "A\\B" below `key`, without case.
struct hive_key *hive_find(const struct hive_key *key, const char *path);
struct hive_value *hive_find_value(const struct hive_key *key, const char *name);
struct hive_key *hive_add_key(struct hive *h, struct hive_key *parent, const char *name);
void hive_set_value(struct hive *h, struct hive_key *key, const char *name, uint32_t type,
                    const void *data, size_t size); // replaces
// A string's data (UTF-16) as UTF-8 up to its zero. The caller's.
char *hive_text(const struct hive_value *v);

static inline void hive_cleanup_(struct hive **h)
{
	hive_free(*h);
}
#define auto_hive defer(hive_cleanup_)
