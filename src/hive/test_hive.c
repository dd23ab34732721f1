// SPDX-License-Identifier: Apache-2.0
#include "hive/private.h"
#include "hive/upcase.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// A tree as lines: "Key" and, indented, "name=type:size".
static void describe(const struct hive_key *key, unsigned depth, struct str *out)
{
	static const char *const marks[] = {"", " -", " =", " =="};
	str_printf(out, "%*s[%s]%s\n", (int)depth, "", key->name, marks[key->layer]);
	for (const struct hive_value *v = key->values; v; v = v->next)
		str_printf(out, "%*s%s=%u:%zu%s\n", (int)depth + 1, "", v->name, v->type, v->size,
		           v->is_tombstone ? " -" : "");
	for (const struct hive_key *child = key->first; child; child = child->next)
		describe(child, depth + 1, out);
}

static void is_tree(const struct hive *h, const char *wanted)
{
	auto_str struct str s = STR_LIMIT(1 << 20);
	describe(h->root, 0, &s);
	assert_string_equal(s.bytes, wanted);
}

static struct hive *sample(void)
{
	static unsigned char big[20000];
	struct hive *h = hive_new();
	struct hive_key *a = hive_add_key(h, h->root, "Software");
	struct hive_key *b = hive_add_key(h, a, "\xc3\x84pfel \xf0\x9f\x98\x80");
	hive_set_value(h, b, "", HIVE_SZ, "h\0i\0\0\0", 6);
	hive_set_value(h, b, "big", HIVE_BINARY, big, sizeof(big));
	hive_set_value(h, b, "four", HIVE_DWORD, "\1\2\3\4", 4);
	hive_set_value(h, a, "odd", 0xffff0012, "", 0);
	hive_add_key(h, h->root, "Alpha");
	return h;
}

static void there_and_back(void **state)
{
	(void)state;
	auto_hive struct hive *h = sample(), *again = NULL;
	auto_str struct str bytes = STR_LIMIT(1 << 20);
	assert_null(hive_write(h, &bytes));
	assert_int_equal(bytes.size % BASE_BLOCK, 0);
	assert_null(hive_read(bytes.bytes, bytes.size, &again));
	is_tree(again, "[]\n"
	               " [Alpha]\n" // sorted, as Windows wants them
	               " [Software]\n"
	               "  odd=4294901778:0\n"
	               "  [\xc3\x84pfel \xf0\x9f\x98\x80]\n"
	               "   =1:6\n"
	               "   big=3:20000\n"
	               "   four=4:4\n");
	struct hive_key *key = hive_find(again->root, "SOFTWARE\\\xc3\xa4PFEL \xf0\x9f\x98\x80");
	assert_non_null(key);
	auto_free char *text = hive_text(hive_find_value(key, ""));
	assert_string_equal(text, "hi");
	assert_null(hive_find(again->root, "Software\\none"));
}

static void seal(unsigned char *bytes)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < 508; i += 4) {
		uint32_t word;
		memcpy(&word, bytes + i, 4);
		sum ^= word;
	}
	sum = sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
	memcpy(bytes + 508, &sum, 4);
}

// The offset in the file of the first record of that signature behind `from`.
static size_t record(const struct str *s, const char *signature, size_t from)
{
	for (size_t i = BASE_BLOCK + BIN_HEADER + 4 + from; i + 2 < s->size; i += 4)
		if (!memcmp(s->bytes + i, signature, 2))
			return i;
	fail_msg("no %s", signature);
	return 0;
}

static void liars(void **state)
{
	(void)state;
	const struct {
		const char *record; // NULL: the file
		size_t at, size;
		uint32_t value;
		const char *message; // from its start; offsets are left out where they vary
	} cases[] = {
		{NULL, 0, 4, 0, "hive: does not begin with regf"},
		{NULL, 20, 4, 2, "hive: unknown version or kind"},
		{NULL, 24, 4, 7, "hive: unknown version or kind"},
		{NULL, 40, 4, 0, "hive: bins of 0 bytes in a file of "},
		{NULL, 40, 4, 0x7ffff000, "hive: bins of 2147479552 bytes in a file of "},
		{NULL, 40, 4, 4097, "hive: bins of 4097 bytes in a file of "},
		{NULL, 36, 4, 0x24, "hive: offset 0x24: no cell in use here"},
		{NULL, 36, 4, 0xfffffff8, "hive: offset 0xfffffff8: no cell in use here"},
		{NULL, 36, 4, 0x20, "hive: offset 0x20: no key here"},
		{NULL, BASE_BLOCK, 4, 0, "hive: offset 0: no bin here"},
		{NULL, BASE_BLOCK + 4, 4, 8, "hive: offset 0: no bin here"},
		{NULL, BASE_BLOCK + 8, 4, 0, "hive: offset 0: a bin of bad size"},
		{NULL, BASE_BLOCK + 8, 4, 0x10000000, "hive: offset 0: a bin of bad size"},
		{NULL, BASE_BLOCK + 32, 4, 0, "hive: offset 0x20: a cell of bad size"},
		{NULL, BASE_BLOCK + 32, 4, 0x80000000, "hive: offset 0x20: a cell of bad size"},
		{NULL, BASE_BLOCK + 32, 4, (uint32_t)-12, "hive: offset 0x20: a cell of bad size"},
		{"nk", 72, 2, 0xffff, "hive: offset 0x"},
		{"nk", 28, 4, 0x20, "hive: offset 0x20: no list of keys here"},
		{"nk", 28, 4, 4, "hive: offset 0x4: no cell in use here"},
		{"lh", 2, 2, 0xffff, "hive: offset 0x"},
		{"lh", 4, 4, 0x20, "hive: offset 0x20: no key here"},
		{"vk", 2, 2, 0xffff, "hive: offset 0x"},
		{"vk", 4, 4, 0x80000005, "hive: offset 0x"},
	};
	auto_hive struct hive *h = sample();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_str struct str s = STR_LIMIT(1 << 20);
		struct hive *read = NULL;
		assert_null(hive_write(h, &s));
		size_t at = cases[i].record ? record(&s, cases[i].record, 0) : 0;
		memcpy(s.bytes + at + cases[i].at, &cases[i].value, cases[i].size);
		seal((unsigned char *)s.bytes);
		struct error *e = hive_read(s.bytes, s.size, &read);
		if (!e || strncmp(e->message, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("case %zu: %s", i, e ? e->message : "no error");
		assert_null(read);
		error_free(e);
	}
}

static void loops(void **state)
{
	(void)state;
	auto_hive struct hive *h = sample();
	auto_str struct str s = STR_LIMIT(1 << 20);
	struct hive *read = NULL;
	assert_null(hive_write(h, &s));
	// The root becomes its own child.
	memcpy(s.bytes + record(&s, "lh", 0) + 4, s.bytes + 36, 4);
	struct error *e = hive_read(s.bytes, s.size, &read);
	assert_non_null(e);
	assert_string_equal(strrchr(e->message, ':'), ": the key is reached twice");
	error_free(e);
	// A list of lists that leads to itself.
	size_t lh = record(&s, "lh", 0);
	uint32_t own = (uint32_t)(lh - 4 - BASE_BLOCK);
	memcpy(s.bytes + lh, "ri", 2);
	memcpy(s.bytes + lh + 4, &own, 4);
	e = hive_read(s.bytes, s.size, &read);
	assert_string_equal(strrchr(e->message, ':'), ": no list of keys here");
	error_free(e);
	assert_int_equal(s.bytes[508], s.bytes[508]);
	s.bytes[508] ^= 1;
	e = hive_read(s.bytes, s.size, &read);
	assert_string_equal(e->message, "hive: wrong checksum");
	error_free(e);
	e = hive_read(s.bytes, 8191, &read);
	assert_string_equal(e->message, "hive: 8191 bytes are too few");
	error_free(e);
}

static void deep(void **state)
{
	(void)state;
	auto_hive struct hive *h = hive_new(), *again = NULL;
	struct hive_key *key = h->root;
	for (int i = 0; i < HIVE_DEPTH_MAX; i++)
		key = hive_add_key(h, key, "k");
	auto_str struct str s = STR_LIMIT(1 << 20);
	assert_null(hive_write(h, &s));
	assert_null(hive_read(s.bytes, s.size, &again));
	hive_add_key(h, key, "k");
	s.size = 0;
	assert_null(hive_write(h, &s));
	struct hive *none = NULL;
	struct error *e = hive_read(s.bytes, s.size, &none);
	assert_string_equal(e ? e->message : "", "hive: keys deeper than 512");
	error_free(e);
}

// Names that a path can't hold: a delta with one would be laid over another key than its own, and
// Wine would take "Wine\\Drivers" for a key of its own.
static void names_of_keys(void **state)
{
	(void)state;
	static const char *const names[] = {"", "a\\b", "\\"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		auto_hive struct hive *h = hive_new(), *read = NULL;
		auto_str struct str s = STR_LIMIT(1 << 20);
		hive_add_key(h, h->root, names[i]);
		assert_null(hive_write(h, &s));
		struct error *e = hive_read(s.bytes, s.size, &read);
		assert_non_null(e);
		assert_int_equal(e->code, ERROR_CORRUPT);
		assert_string_equal(strrchr(e->message, ':') + 2, "no name of a key");
		error_free(e);
	}
}

// db with a count beyond its list: libhivex reads past its mapping there.
static void big_data(void **state)
{
	(void)state;
	auto_hive struct hive *h = hive_new();
	static unsigned char list[16384], db[16] = "db";
	hive_set_value(h, h->root, "list", HIVE_BINARY, list, sizeof(list));
	hive_set_value(h, h->root, "db", HIVE_BINARY, db, sizeof(db));
	auto_str struct str s = STR_LIMIT(1 << 20);
	assert_null(hive_write(h, &s));
	size_t vk = record(&s, "vk", record(&s, "vk", 0) - BASE_BLOCK - BIN_HEADER);
	uint32_t size = 40000, list_cell;
	memcpy(s.bytes + vk + 4, &size, 4);
	size_t at = record(&s, "db", 0);
	memcpy(&list_cell, s.bytes + record(&s, "vk", 0) + 8, 4);
	memcpy(s.bytes + at + 4, &list_cell, 4);
	static const struct {
		uint16_t count;
		const char *message;
	} cases[] = {
		{0, "big data of another size than it says"},
		{0xffff, "the cell is too short"},
		{3, "no cell in use here"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hive *read = NULL;
		memcpy(s.bytes + at + 2, &cases[i].count, 2);
		struct error *e = hive_read(s.bytes, s.size, &read);
		assert_non_null(e);
		assert_string_equal(strrchr(e->message, ':') + 2, cases[i].message);
		error_free(e);
	}
}

static void deltas(void **state)
{
	(void)state;
	auto_hive struct hive *base = hive_new(), *delta = hive_new(), *read = NULL;
	static const char *const names[] = {"gone", "local", "tree", "stays"};
	for (size_t i = 0; i < 4; i++) {
		struct hive_key *k = hive_add_key(base, base->root, names[i]);
		hive_set_value(base, k, "v", HIVE_DWORD, "abcd", 4);
		hive_set_value(base, k, "old", HIVE_DWORD, "abcd", 4);
		hive_set_value(base, hive_add_key(base, k, "sub"), "w", HIVE_DWORD, "abcd", 4);
	}
	for (size_t i = 0; i < 4; i++) {
		struct hive_key *k = hive_add_key(delta, delta->root, names[i]);
		k->layer = (enum hive_layer[]){HIVE_TOMBSTONE, HIVE_SUPERSEDE_LOCAL,
		                               HIVE_SUPERSEDE_TREE, HIVE_MERGE}[i];
		if (i)
			hive_set_value(delta, k, "V", HIVE_SZ, "", 0);
	}
	struct hive_value *mark = value_add(delta, hive_find(delta->root, "stays"), "OLD");
	mark->is_tombstone = true;
	hive_add_key(delta, hive_find(delta->root, "tree"), "other");
	hive_add_key(delta, hive_add_key(delta, delta->root, "new"), "inner");
	auto_str struct str s = STR_LIMIT(1 << 20);
	assert_null(hive_write(delta, &s));
	assert_null(hive_read(s.bytes, s.size, &read));
	assert_null(hive_merge(base, read));
	is_tree(base, "[]\n"
	              " [local]\n  V=1:0\n  [sub]\n   w=4:4\n"
	              " [tree]\n  V=1:0\n  [other]\n"
	              " [stays]\n  v=1:0\n  [sub]\n   w=4:4\n"
	              " [new]\n  [inner]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(liars),
		cmocka_unit_test(loops),          cmocka_unit_test(deep),
		cmocka_unit_test(big_data),       cmocka_unit_test(deltas),
		cmocka_unit_test(names_of_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
