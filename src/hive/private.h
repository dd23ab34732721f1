// SPDX-License-Identifier: Apache-2.0
// Between the files of hive/.
#pragma once
#include "hive/hive.h"

enum {
	BASE_BLOCK = 4096,
	BIN_HEADER = 32,
	SEGMENT = 16344, // of big data
	NK_SIZE = 76,
	VK_SIZE = 20,
	NK_LINK = 0x10,
	NK_LATIN1 = 0x20,
	VK_LATIN1 = 1,
	VK_TOMBSTONE = 2,
	MERGE_STEPS_MAX = 1 << 28,
};

int name_compare(const char *a, const char *b); // without case
struct hive_value *value_add(struct hive *h, struct hive_key *key, const char *name);
// n units, little-endian; unpaired surrogates become U+FFFD.
void name_from_utf16(const unsigned char *units, size_t n, struct str *out);
void name_from_latin1(const unsigned char *bytes, size_t n, struct str *out);
// UTF-8 to UTF-16, little-endian, without a zero.
void name_to_utf16(const char *name, struct str *out);
