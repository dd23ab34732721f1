// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void error_messages(void **state)
{
	(void)state;
	auto_error struct error *e = error_new(ERROR_NOT_FOUND, "image \"%s\": not found", "x");
	e = error_prefix(e, "run %s", "web");
	e = error_hint(e, "coracle images ls shows what is there");
	e = error_hint(e, "a second hint doesn't replace the first");
	assert_string_equal(e->message, "run web: image \"x\": not found");
	assert_string_equal(e->hint, "coracle images ls shows what is there");
	assert_true(error_is(e, ERROR_NOT_FOUND));
	assert_false(error_is(NULL, ERROR_NOT_FOUND));
	e = error_join(e, error_system(ENOENT, "rmdir %s", "d"));
	assert_string_equal(e->message,
	                    "run web: image \"x\": not found; rmdir d: No such file or directory");
	e = error_join(e, error_system(ENOENT, "rmdir %s", "d")); // one cause is told once
	assert_string_equal(e->message,
	                    "run web: image \"x\": not found; rmdir d: No such file or directory");
	assert_null(error_join(NULL, NULL));
	assert_null(error_prefix(NULL, "x"));
}

static void strings_are_bounded(void **state)
{
	(void)state;
	auto_str struct str s = STR_LIMIT(5);
	str_add(&s, "abc");
	assert_false(s.over);
	str_add(&s, "defg");
	assert_true(s.over);
	assert_string_equal(s.bytes, "abcde");
	str_add_char(&s, 'x');
	assert_int_equal(s.size, 5);
}

static void numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
		uint64_t value;
		unsigned base;
	} cases[] = {
		{"0", NULL, 0, 10},
		{"18446744073709551615", NULL, UINT64_MAX, 10},
		{"18446744073709551616", "18446744073709551616 is larger than 18446744073709551615",
	         0, 10},
		{"755", NULL, 0755, 8},
		{"8", "\"8\" is not a number", 0, 8},
		{"", "empty number", 0, 10},
		{" 1", "\" 1\" is not a number", 0, 10},
		{"-1", "\"-1\" is not a number", 0, 10},
		{"1x", "\"1x\" is not a number", 0, 10},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t value = 0;
		auto_error struct error *e =
			text_parse_u64(cases[i].text, cases[i].base, UINT64_MAX, &value);
		if (cases[i].message) {
			assert_non_null(e);
			assert_string_equal(e->message, cases[i].message);
		} else {
			assert_null(e);
			assert_true(value == cases[i].value);
		}
	}
	int64_t v;
	assert_null(text_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	auto_error struct error *e = text_parse_i64("-5", 0, 10, &v);
	assert_string_equal(e->message, "-5 is not between 0 and 10");
}

static void utf8(void **state)
{
	(void)state;
	assert_true(text_is_utf8("caf\xc3\xa9", 5));
	assert_false(text_is_utf8("\xc0\x80", 2));         // overlong
	assert_false(text_is_utf8("\xed\xa0\x80", 3));     // surrogate
	assert_false(text_is_utf8("\xf4\x90\x80\x80", 4)); // past U+10FFFF
	assert_false(text_is_utf8("\xe2\x82", 2));         // cut
	assert_false(text_is_utf8("\xff", 1));
}

static void distance(void **state)
{
	(void)state;
	assert_int_equal(text_distance("privileged", "priviledged"), 1);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("rm", "mr"), 2);
}

static void arenas_and_lists(void **state)
{
	(void)state;
	auto_arena struct arena *a = arena_new();
	char *big = arena_alloc(a, 100000);
	assert_int_equal(big[99999], 0);
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	assert_null(arena_string(a, NULL));
	auto_strings struct strings l = {0};
	for (int i = 20; i > 0; i--)
		strings_adopt(&l, alloc_printf("%02d", i));
	strings_sort(&l);
	assert_string_equal(l.items[0], "01");
	assert_null(l.items[20]);
	assert_true(strings_has(&l, "20"));
	assert_false(strings_has(&l, "21"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_messages), cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(numbers),        cmocka_unit_test(utf8),
		cmocka_unit_test(distance),       cmocka_unit_test(arenas_and_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
