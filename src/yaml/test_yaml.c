// SPDX-License-Identifier: Apache-2.0
#include "yaml/yaml.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define LIMIT 65536

static void values(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{"", "null"},
		{"# nothing\n", "null"},
		{"---\n...\n", "null"},
		{"a", "\"a\""},
		{"a: 1\nb: 50M # a comment\nc: yes\n", "{\"a\":\"1\",\"b\":\"50M\",\"c\":\"yes\"}"},
		{"a: ~\nb:\nc: null\nd: \"\"\ne: 'null'",
	         "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\",\"e\":\"null\"}"},
		{"- a\n- - b\n  - c\n- {d: [e, f]}", "[\"a\",[\"b\",\"c\"],{\"d\":[\"e\",\"f\"]}]"},
		{"{\"a\": [1, null, true], \"b\": {}}", "{\"a\":[\"1\",null,\"true\"],\"b\":{}}"},
		{"a: &x [1]\nb: *x\nc: &x 2\nd: *x",
	         "{\"a\":[\"1\"],\"b\":[\"1\"],\"c\":\"2\",\"d\":\"2\"}"},
		{"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
		{"gr\xc3\xbc: \"\\u00fc\\x41\"", "{\"gr\xc3\xbc\":\"\xc3\xbc"
	                                         "A\"}"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		auto_json struct json *value = NULL;
		assert_null(yaml_parse(rows[i].yaml, strlen(rows[i].yaml), LIMIT, &value));
		auto_free char *text = json_to_text(value, 0, JSON_PLAIN);
		assert_string_equal(text, rows[i].json);
	}
}

static void check_refused(const char *yaml, size_t size, const char *message)
{
	struct json *value = NULL;
	auto_error struct error *e = yaml_parse(yaml, size, LIMIT, &value);
	assert_null(value);
	assert_non_null(e);
	assert_string_equal(e->message, message);
}

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *message;
	} rows[] = {
		{"a: b: c", "line 1: mapping values are not allowed in this context"},
		{"a:\n\t- b", "line 2: found character that cannot start any token"},
		{"[a", "line 2: did not find expected ',' or ']'"},
		{"\"a", "line 1: found unexpected end of stream"},
		{"a: 1\nb: 2\na: 3", "line 3: a key that stands twice"},
		{"a:\na:", "line 2: a key that stands twice"},
		{"? [a]\n: b", "line 1: a key that is no text"},
		{"a: &x {b: 1}\nc:\n  <<: *x", "line 3: merge keys (<<) are not supported"},
		{"a: !!int 1", "line 1: tags are not supported"},
		{"!x [1]", "line 1: tags are not supported"},
		{"a: *x", "line 1: an alias of nothing that ended before"},
		{"a: &x [*x]", "line 1: an alias of nothing that ended before"},
		{"a\n---\nb", "line 3: a second document"},
		{"\"\\0\"", "line 1: a zero byte"},
		{"\xff", "line 1: invalid leading UTF-8 octet"},
		{"\x01", "line 1: control characters are not allowed"},
		{"[[[[[[[[[[[[[[[[[", "more than 16 levels"},
	};
	for (size_t i = 0; i < N(rows); i++)
		check_refused(rows[i].yaml, strlen(rows[i].yaml), rows[i].message);
	check_refused("", LIMIT + 1, "more than 65536 bytes");
}

static void bounded(void **state)
{
	(void)state;
	auto_str struct str laughs = STR_LIMIT(LIMIT), many = STR_LIMIT(LIMIT),
			    anchors = STR_LIMIT(LIMIT);
	str_add(&laughs, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (unsigned i = 1; i < 20; i++) {
		str_printf(&laughs, "a%u: &a%u [", i, i);
		for (unsigned k = 0; k < 9; k++)
			str_printf(&laughs, "*a%u,", i - 1);
		str_add(&laughs, "]\n");
	}
	check_refused(laughs.bytes, laughs.size, "more than 4096 values");
	for (unsigned i = 0; i < 5000; i++)
		str_add(&many, "- a\n");
	check_refused(many.bytes, many.size, "more than 4096 values");
	for (unsigned i = 0; i < 65; i++)
		str_printf(&anchors, "- &a%u x\n", i);
	check_refused(anchors.bytes, anchors.size, "more than 64 anchors");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(refused),
	                                   cmocka_unit_test(bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
