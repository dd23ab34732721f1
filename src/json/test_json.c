// SPDX-License-Identifier: Apache-2.0
#include "base/defer.h"
#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka needs the four above first
#include <cmocka.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

static struct json *parsed(const char *text)
{
	struct json *value = NULL;
	struct error *e = json_parse(text, strlen(text), 1 << 22, &value);
	if (e)
		print_message("%s: %s\n", text, e->message);
	assert_null(e);
	return value;
}

// clang-format off
static void parse_and_print(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ " {} ", "{}" },
		{ "[]", "[]" },
		{ "null", "null" },
		{ "true", "true" },
		{ "\"a\"", "\"a\"" },
		{ "18446744073709551615", "18446744073709551615" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "9223372036854775808", "9223372036854775808" },
		{ "18446744073709551616", "18446744073709551616" },
		{ "-0", "0" },
		{ "1.50", "1.50" },
		{ "1e400", "1e400" },
		{ "[1,[2,{\"a\":[]}],null]", "[1,[2,{\"a\":[]}],null]" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}" },
		{ "{\"a\":{\"x\":1},\"a\":[1]}", "{\"a\":[1]}" },
		{ "\"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "\"é😀/\\b\\f\\n\\r\\t\\\"\\\\\"" },
		{ "\"\\u0001\\u000b\\u2028\\u2029\"", "\"\\u0001\\u000b\\u2028\\u2029\"" },
		{ "{\"\":\"\"}", "{\"\":\"\"}" },
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_json struct json *value = parsed(cases[i].text);
		auto_free char *text = json_to_text(value, 0, JSON_PLAIN);
		assert_string_equal(text, cases[i].wanted);
		auto_json struct json *copy = json_copy(value);
		auto_free char *again = json_to_text(copy, 0, JSON_PLAIN);
		assert_string_equal(again, cases[i].wanted);
		assert_true(json_equal(value, copy));
	}
}

static void parse_errors(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "unexpected end of JSON input" },
		{ "  ", "unexpected end of JSON input" },
		{ "{", "unexpected end of JSON input" },
		{ "[1,", "unexpected end of JSON input" },
		{ "\"a", "unexpected end of JSON input" },
		{ "\"a\\", "unexpected end of JSON input" },
		{ "\"\\u12", "unexpected end of JSON input" },
		{ "-", "unexpected end of JSON input" },
		{ "1.", "unexpected end of JSON input" },
		{ "{\"a\"", "unexpected end of JSON input" },
		{ "{\"a\":", "unexpected end of JSON input" },
		{ "{} {}", "not JSON: byte 3: something behind the document's end" },
		{ "nullx", "not JSON: byte 4: something behind the document's end" },
		{ "[1,]", "not JSON: byte 3: a value expected" },
		{ "[,1]", "not JSON: byte 1: a value expected" },
		{ "{\"a\":1,}", "not JSON: byte 7: a key in double quotes expected" },
		{ "{a:1}", "not JSON: byte 1: a key in double quotes expected" },
		{ "{'a':1}", "not JSON: byte 1: a key in double quotes expected" },
		{ "{\"a\" 1}", "not JSON: byte 5: a colon expected" },
		{ "{\"a\":1 \"b\":2}", "not JSON: byte 7: a comma or } expected" },
		{ "[1 2]", "not JSON: byte 3: a comma or ] expected" },
		{ "[1}", "not JSON: byte 2: a comma or ] expected" },
		{ "/* c */ 1", "not JSON: byte 0: a value expected" },
		{ "NaN", "not JSON: byte 0: a value expected" },
		{ "Infinity", "not JSON: byte 0: a value expected" },
		{ "True", "not JSON: byte 0: a value expected" },
		{ "+1", "not JSON: byte 0: a value expected" },
		{ ".5", "not JSON: byte 0: a value expected" },
		{ "01", "not JSON: byte 1: a number with a leading zero" },
		{ "-01", "not JSON: byte 2: a number with a leading zero" },
		{ "1.x", "not JSON: byte 2: a digit expected" },
		{ "1e+x", "not JSON: byte 3: a digit expected" },
		{ "0x10", "not JSON: byte 1: something behind the document's end" },
		{ "\"\\x\"", "not JSON: byte 2: unknown escape in a string" },
		{ "\"\\u00g0\"", "not JSON: byte 5: four hexadecimal digits expected" },
		{ "\"\\u0000\"", "not JSON: byte 7: a zero character in a string" },
		{ "\"\\ud800\"", "not JSON: byte 7: half a surrogate pair" },
		{ "\"\\ud800\\u0041\"", "not JSON: byte 13: half a surrogate pair" },
		{ "\"\\udc00\"", "not JSON: byte 7: half a surrogate pair" },
		{ "\"a\nb\"", "not JSON: byte 2: control character in a string" },
		{ "\"\xff\"", "not JSON: not UTF-8" },
		{ "\"\xed\xa0\x80\"", "not JSON: not UTF-8" },
		{ "\xef\xbb\xbf{}", "not JSON: byte 0: a value expected" },
		{ "11111111111111111111111111111111111111111111111111111111111111111",
		  "not JSON: byte 0: a number of too many digits" },
	};
	// clang-format on
	for (size_t i = 0; i < N(cases); i++) {
		struct json *value = NULL;
		auto_error struct error *e =
			json_parse(cases[i].text, strlen(cases[i].text), 1 << 22, &value);
		if (!e)
			print_message("accepted: %s\n", cases[i].text);
		assert_non_null(e);
		assert_string_equal(e->message, cases[i].message);
		assert_true(error_is(e, ERROR_CORRUPT));
		assert_null(value);
	}
}

static void limits(void **state)
{
	(void)state;
	struct json *value = NULL;
	auto_error struct error *zero = json_parse("\"a\0b\"", 5, 100, &value);
	assert_string_equal(zero->message, "not JSON: a zero byte");
	auto_error struct error *big = json_parse("[1,2]", 5, 4, &value);
	assert_string_equal(big->message, "document: 5 bytes, more than 4");
	assert_true(error_is(big, ERROR_LIMIT));

	size_t size = 4 << 20;
	auto_free char *text = alloc(size);
	memset(text, '[', size);
	auto_error struct error *deep = json_parse(text, size, size, &value);
	assert_string_equal(deep->message, "document: more than 64 levels");
	memset(text + 64, ']', 64);
	assert_null(json_parse(text, 128, size, &value));
	json_free(value);

	for (size_t i = 0; i + 3 < size; i += 3)
		memcpy(text + i, i ? "{}," : "[1,", 3);
	auto_error struct error *wide = json_parse(text, size, size, &value);
	assert_string_equal(wide->message, "document: too many values");
	assert_true(error_is(wide, ERROR_LIMIT));
}

static void printing_as_go(void **state)
{
	(void)state;
	auto_json struct json *value =
		parsed("{\"b\":[],\"a\":{},\"c\":[1,{\"x\":\"<&>/\"}],\"A\":[[]]}");
	auto_free char *four = json_to_text(value, 4, JSON_ESCAPE_HTML);
	assert_string_equal(four, "{\n"
	                          "    \"b\": [],\n"
	                          "    \"a\": {},\n"
	                          "    \"c\": [\n"
	                          "        1,\n"
	                          "        {\n"
	                          "            \"x\": \"\\u003c\\u0026\\u003e/\"\n"
	                          "        }\n"
	                          "    ],\n"
	                          "    \"A\": [\n"
	                          "        []\n"
	                          "    ]\n"
	                          "}");
	auto_free char *sorted = json_to_text(value, 0, JSON_SORT_KEYS);
	assert_string_equal(sorted, "{\"A\":[[]],\"a\":{},\"b\":[],\"c\":[1,{\"x\":\"<&>/\"}]}");
}

static void getters(void **state)
{
	(void)state;
	auto_json struct json *doc =
		parsed("{\"s\":\"x\",\"n\":5,\"neg\":-1,\"big\":18446744073709551615,\"b\":true,"
	               "\"o\":{},\"a\":[1,2],\"r\":1.5,\"z\":null}");
	struct json_path path = {NULL, "config", 0};
	const char *s = NULL;
	uint64_t u = 0;
	int64_t i = 7;
	bool b = false;
	const struct json *v = NULL;
	assert_null(json_get_string(doc, &path, "s", &s));
	assert_string_equal(s, "x");
	assert_null(json_get_u64(doc, &path, "big", UINT64_MAX, &u));
	assert_true(u == UINT64_MAX);
	assert_null(json_get_i64(doc, &path, "neg", -1, 0, &i));
	assert_int_equal(i, -1);
	assert_null(json_get_bool(doc, &path, "b", &b));
	assert_true(b);
	assert_null(json_get_i64(doc, &path, "nosuch", 0, 0, &i));
	assert_null(json_get_string(doc, &path, "z", &s));
	assert_int_equal(i, -1);
	assert_null(json_require_array(doc, &path, "a", 2, &v));
	assert_int_equal(json_size(v), 2);
	assert_null(json_item(v, 2));
	assert_null(json_item(doc, 0));
	assert_null(json_member(v, "s"));
	struct {
		struct error *e;
		const char *message;
	} bad[] = {
		{json_get_string(doc, &path, "n", &s), "config.n: not a string"},
		{json_get_u64(doc, NULL, "s", 1, &u), "s: not a whole number"},
		{json_get_u64(doc, &path, "neg", 9, &u), "config.neg: not a number from 0 to 9"},
		{json_get_u64(doc, &path, "r", 9, &u), "config.r: not a whole number"},
		{json_get_i64(doc, &path, "big", 0, INT64_MAX, &i),
	         "config.big: not a number from 0 to 9223372036854775807"},
		{json_get_i64(doc, &path, "n", 6, 9, &i), "config.n: not a number from 6 to 9"},
		{json_get_bool(doc, &path, "n", &b), "config.n: not a boolean"},
		{json_get_object(doc, &path, "a", &v), "config.a: not an object"},
		{json_get_array(doc, &path, "o", 9, &v), "config.o: not an array"},
		{json_get_array(doc, &path, "a", 1, &v), "config.a: 2 items, more than 1"},
		{json_require_string(doc, &path, "z", &s), "config.z: missing"},
		{json_require_object(doc, &path, "nosuch", &v), "config.nosuch: missing"},
		{json_as_string(NULL, &(struct json_path){&path, NULL, 3}, &s),
	         "config[3]: not a string"},
	};
	for (size_t n = 0; n < N(bad); n++) {
		assert_non_null(bad[n].e);
		assert_string_equal(bad[n].e->message, bad[n].message);
		error_free(bad[n].e);
	}
}

static void foreign_names_are_cut(void **state)
{
	(void)state;
	char name[300];
	memset(name, '\x1b', sizeof(name));
	name[299] = 0;
	struct json_path path = {NULL, "labels", 0}, here = {&path, name, 0};
	auto_free char *text = json_path_text(&here);
	assert_string_equal(text, "labels.????????????????????????????????????????...");
	struct json_path chain[100];
	for (size_t i = 0; i < N(chain); i++)
		chain[i] = (struct json_path){i ? &chain[i - 1] : NULL, name, 0};
	auto_free char *deep = json_path_text(&chain[99]);
	assert_int_equal(strlen(deep), 128);
}

static void folded(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int wanted;
	} cases[] = {
		{"{\"dns\":1,\"DNS\":2}", 2},
		{"{\"DNS\":1,\"dns\":2}", 2},
		{"{\"DNS\":1,\"dns\":2,\"DNS\":3}", 3},
		{"{\"dn\xc5\xbf\":4}", 4},
		{"{\"dnss\":4}", 0},
		{"{\"dn\":4}", 0},
		{"{}", 0},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_json struct json *doc = parsed(cases[i].text);
		const struct json *value = json_member_folded(doc, "dns");
		uint64_t n = 0;
		if (value)
			assert_null(json_as_u64(value, NULL, 9, &n));
		assert_int_equal(n, cases[i].wanted);
	}
}

static void building(void **state)
{
	(void)state;
	auto_json struct json *o = json_new_object();
	struct json *list = json_new_array();
	json_append_string(list, "a\xff\xc3\xa9\xe2\x82");
	json_append(list, json_new_u64(UINT64_MAX));
	json_append(list, NULL);
	json_set_i64(o, "z", -3);
	json_set(o, "list", list);
	json_set_string(o, "none", NULL);
	json_set_bool(o, "t", false);
	json_set_string(o, "z", "replaced in place");
	auto_json struct json *shared = json_share(list);
	auto_free char *text = json_to_text(o, 0, JSON_PLAIN);
	assert_string_equal(text,
	                    "{\"z\":\"replaced in place\",\"list\":[\"a\xef\xbf\xbd\xc3\xa9"
	                    "\xef\xbf\xbd\xef\xbf\xbd\",18446744073709551615,null],\"t\":false}");
	json_unset(o, "list");
	json_unset(o, "list");
	assert_int_equal(json_size(shared), 3);
	auto_json struct json *a = parsed("{\"x\":[1,2.0],\"y\":null}");
	auto_json struct json *b = parsed("{\"y\":null,\"x\":[1,2.0]}");
	auto_json struct json *c = parsed("{\"q\":null,\"x\":[1,2.0]}");
	assert_true(json_equal(a, b));
	assert_false(json_equal(a, c));
	json_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_and_print), cmocka_unit_test(parse_errors),
		cmocka_unit_test(limits),          cmocka_unit_test(printing_as_go),
		cmocka_unit_test(getters),         cmocka_unit_test(foreign_names_are_cut),
		cmocka_unit_test(folded),          cmocka_unit_test(building),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
