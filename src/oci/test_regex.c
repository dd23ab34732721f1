// SPDX-License-Identifier: Apache-2.0
#include "oci/private.h"
#include "oci/regex.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// By the rules of Go's regexp/syntax.
static const struct {
	const char *pattern, *text;
	bool wanted;
} matches[] = {
	// clang-format off
	{"", "", true},
	{"", "a", true},
	{"a", "bab", true},
	{"a", "bbb", false},
	{"^a", "ba", false},
	{"a$", "ab", false},
	{"^$", "", true},
	{"^$", "a", false},
	{"a|b|c", "c", true},
	{"^(a|b|c)$", "b", true},
	{"^(a|b|c)$", "d", false},
	{"^(a|)$", "", true},
	{"^(|a)b$", "ab", true},
	{"^a*$", "aaaa", true},
	{"^a*$", "aab", false},
	{"^a+$", "", false},
	{"^a+b?$", "aab", true},
	{"^(ab)*$", "ababab", true},
	{"^(ab)*$", "ababa", false},
	{"^(a*)*$", "aaa", true},
	{"^(a*)+$", "b", false},
	{"^(a|b)*?c$", "ababc", true},
	{"^a{2}$", "aa", true},
	{"^a{2}$", "aaa", false},
	{"^a{2,}$", "aaaa", true},
	{"^a{2,3}$", "aaaa", false},
	{"^a{0}$", "", true},
	{"^(a|bc){2}$", "abc", true},
	{"^a{0,2}b$", "aab", true},
	{"a{,2}", "a{,2}", true},
	{"a{", "a{", true},
	{"a{01}", "a{01}", true},
	{"^.$", "\n", false},
	{"^(?s).$", "\n", true},
	{"^.$", "\xc3\xbc", true},
	{"^.$", "\xff", true},
	{"^\xc3\xbc+$", "\xc3\xbc\xc3\xbc", true},
	{"^[\xc3\xa4-\xc3\xbc]$", "\xc3\xb6", true},
	{"^[a-c]$", "b", true},
	{"^[^a-c]$", "b", false},
	{"^[^a-c]$", "\n", true},
	{"^[]a]+$", "a]", true},
	{"^[^]a]$", "]", false},
	{"^[a-]+$", "-a", true},
	{"^[-a]+$", "-a", true},
	{"^[a-c-e]+$", "b-e", true},
	{"^[\\]\\-x]+$", "]-x", true},
	{"^[\\d_]+$", "1_2", true},
	{"^[^\\D]+$", "12", true},
	{"^[[:alpha:]1]+$", "a1Z", true},
	{"^[[:^alpha:]]+$", "a", false},
	{"^[[:alpha:][:punct:]]+$", "a!", true},
	{"^\\d+\\.\\d+$", "1.24", true},
	{"^\\d$", "x", false},
	{"^\\w+\\W\\S+\\s$", "a-b ", true},
	{"\\bbox", "busy box", true},
	{"\\bbox", "busybox", false},
	{"\\Bbox", "busybox", true},
	{"\\Aa\\z", "a", true},
	{"(?m)^b$", "a\nb\nc", true},
	{"^b$", "a\nb\nc", false},
	{"(?i)BUSY", "busybox", true},
	{"(?i)[a-c]X", "Bx", true},
	{"(?i)[^a]", "A", false},
	{"(?i)a(?-i)b", "AB", false},
	{"(?i:a)b", "AB", false},
	{"(?i:a)b", "Ab", true},
	{"((?i)a)b", "AB", false},
	{"(?P<name>a)(?<other>b)(?:c)", "abc", true},
	{"(?U)a+", "aa", true},
	{"\\x41\\x{42}\\103", "ABC", true},
	{"^\\t\\n\\r\\f\\v\\a$", "\t\n\r\f\v\a", true},
	{"\\*\\/\\_\\|", "*/_|", true},
	{"^(a?){20}a{20}$", "aaaaaaaaaaaaaaaaaaaa", true},
	{"^docker\\.io/(library|me)/[^:@]+:(latest|v?\\d+(\\.\\d+){0,2})$", "docker.io/me/web:v1.2", true},
	// clang-format on
};

static void they_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(matches); i++) {
		auto_regex struct regex *re = NULL;
		auto_error struct error *e = regex_parse(matches[i].pattern, &re);
		if (e || regex_matches(re, matches[i].text) != matches[i].wanted)
			fail_msg("%s on %s: %s", matches[i].pattern, matches[i].text,
			         e                   ? e->message
			         : matches[i].wanted ? "no match"
			                             : "a match");
	}
}

static const struct {
	const char *pattern, *message;
} refused[] = {
	// clang-format off
	{"(a", "missing closing ): `(a`"},
	{"a|(b|(c)", "missing closing ): `a|(b|(c)`"},
	{"a)", "unexpected ): `a)`"},
	{"[a", "missing closing ]: `[a`"},
	{"[", "missing closing ]: `[`"},
	{"[]", "missing closing ]: `[]`"},
	{"[z-a]", "invalid character class range: `z-a`"},
	{"[[:nosuch:]]", "invalid character class range: `[:nosuch:]`"},
	{"\\pL", "invalid character class range: `\\p`"},
	{"*", "missing argument to repetition operator: `*`"},
	{"a|+", "missing argument to repetition operator: `+`"},
	{"({2})", "missing argument to repetition operator: `{2}`"},
	{"a**", "invalid nested repetition operator: `**`"},
	{"a*?+", "invalid nested repetition operator: `*?+`"},
	{"a{2}{3}", "invalid nested repetition operator: `{2}{3}`"},
	{"a{1001}", "invalid repeat count: `{1001}`"},
	{"a{3,2}", "invalid repeat count: `{3,2}`"},
	{"\\", "trailing backslash at end of expression: ``"},
	{"[\\", "trailing backslash at end of expression: ``"},
	{"\\1", "invalid escape sequence: `\\1`"},
	{"\\8", "invalid escape sequence: `\\8`"},
	{"\\q", "invalid escape sequence: `\\q`"},
	{"\\Qa", "invalid escape sequence: `\\Q`"},
	{"\\x4", "invalid escape sequence: `\\x4`"},
	{"\\x{110000}", "invalid escape sequence: `\\x{110000`"},
	{"\\x{}", "invalid escape sequence: `\\x{}`"},
	{"(?=a)", "invalid or unsupported Perl syntax: `(?=`"},
	{"(?<!a)", "invalid named capture: `(?<!a)`"},
	{"(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"},
	{"(?P<>a)", "invalid named capture: `(?P<>`"},
	{"(?", "invalid or unsupported Perl syntax: `(?`"},
	{"\xff", "invalid UTF-8"},
	{"(a{1000}){1000}", "expression too large"},
	{"((((a{9}){9}){9}){9}){9}", "expression too large"},
	// clang-format on
};

static void they_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(refused); i++) {
		struct regex *re = NULL;
		auto_error struct error *e = regex_parse(refused[i].pattern, &re);
		auto_free char *wanted =
			alloc_printf("error parsing regexp: %s", refused[i].message);
		assert_null(re);
		assert_non_null(e);
		assert_string_equal(e->message, wanted);
		assert_true(error_is(e, ERROR_INVALID));
	}
	auto_free char *deep = alloc(REGEX_SIZE_LIMIT + 2);
	memset(deep, '(', REGEX_SIZE_LIMIT);
	struct regex *re = NULL;
	struct error *e = regex_parse(deep, &re);
	assert_string_equal(e->message, "error parsing regexp: expression nests too deeply");
	error_free(e);
	memset(deep, 'a', REGEX_SIZE_LIMIT + 1);
	e = regex_parse(deep, &re);
	assert_string_equal(e->message, "error parsing regexp: expression too large");
	error_free(e);
}

// What takes a backtracking matcher until the end of the world.
static void hostile_ones_end(void **state)
{
	(void)state;
	static const char *const patterns[] = {"^(a+)+$", "^(a|aa)+$", "^(a?){1000}a{1000}$",
	                                       "^([ac-eg-ik-z].*){1000}$", "((((a*)*)*)*)*b$"};
	auto_free char *text = alloc(4097);
	memset(text, 'a', 4095);
	text[4095] = '!';
	for (size_t i = 0; i < N(patterns); i++) {
		auto_regex struct regex *re = NULL;
		assert_null(regex_parse(patterns[i], &re));
		assert_int_equal(regex_matches(re, text), i == 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(they_match),
	                                   cmocka_unit_test(they_are_refused),
	                                   cmocka_unit_test(hostile_ones_end)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
