// SPDX-License-Identifier: Apache-2.0
#include "cli/gotext.h"
#include "cli/output.h"
#include "cli/units.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

static void bools(void **state)
{
	(void)state;
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const bad[] = {"", "yes", "no", "tRUE", "2", " 1", "on", "truee"};
	bool b = false;
	for (size_t i = 0; i < N(yes); i++)
		assert_true(go_parse_bool(yes[i], &b) == GO_OK && b);
	for (size_t i = 0; i < N(no); i++)
		assert_true(go_parse_bool(no[i], &b) == GO_OK && !b);
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(go_parse_bool(bad[i], &b), GO_SYNTAX);
}

static void whole_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum go_result result;
		int64_t value;
	} cases[] = {
		{"0", GO_OK, 0},
		{"512", GO_OK, 512},
		{"0x200", GO_OK, 512},
		{"0X1f", GO_OK, 31},
		{"0o17", GO_OK, 15},
		{"017", GO_OK, 15},
		{"0b101", GO_OK, 5},
		{"1_000", GO_OK, 1000},
		{"0x_ff", GO_OK, 255},
		{"-1", GO_OK, -1},
		{"+7", GO_OK, 7},
		{"-0x10", GO_OK, -16},
		{"9223372036854775807", GO_OK, INT64_MAX},
		{"-9223372036854775808", GO_OK, INT64_MIN},
		{"9223372036854775808", GO_RANGE, 0},
		{"99999999999999999999999", GO_RANGE, 0},
		{"", GO_SYNTAX, 0},
		{"-", GO_SYNTAX, 0},
		{"--1", GO_SYNTAX, 0},
		{"64m", GO_SYNTAX, 0},
		{"x", GO_SYNTAX, 0},
		{"0x", GO_SYNTAX, 0},
		{"08", GO_SYNTAX, 0},
		{"0b2", GO_SYNTAX, 0},
		{"1__0", GO_SYNTAX, 0},
		{"_1", GO_SYNTAX, 0},
		{"1_", GO_SYNTAX, 0},
		{"1.0", GO_SYNTAX, 0},
		{" 1", GO_SYNTAX, 0},
		{"1 ", GO_SYNTAX, 0},
	};
	for (size_t i = 0; i < N(cases); i++) {
		int64_t value = 0;
		assert_int_equal(go_parse_int(cases[i].text, &value), cases[i].result);
		assert_true(value == cases[i].value);
	}
	uint64_t u = 0;
	assert_int_equal(go_parse_uint("18446744073709551615", &u), GO_OK);
	assert_true(u == UINT64_MAX);
	assert_int_equal(go_parse_uint("18446744073709551616", &u), GO_RANGE);
	assert_int_equal(go_parse_uint("-1", &u), GO_SYNTAX);
	assert_int_equal(go_parse_uint("+1", &u), GO_SYNTAX);
}

static void reals(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum go_result result;
		double value;
	} cases[] = {
		{"0.5", GO_OK, 0.5},   {"2", GO_OK, 2},        {"1e3", GO_OK, 1000},
		{"-1.5", GO_OK, -1.5}, {".5", GO_OK, 0.5},     {"0x1p-1", GO_OK, 0.5},
		{"x", GO_SYNTAX, 0},   {"", GO_SYNTAX, 0},     {"1,5", GO_SYNTAX, 0},
		{" 1", GO_SYNTAX, 0},  {"1e999", GO_RANGE, 0}, {"1.5x", GO_SYNTAX, 0},
	};
	for (size_t i = 0; i < N(cases); i++) {
		double value = 0;
		assert_int_equal(go_parse_float(cases[i].text, &value), cases[i].result);
		assert_true(fabs(value - cases[i].value) < 1e-12);
	}
}

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum go_result result;
		int64_t ns;
	} cases[] = {
		{"0", GO_OK, 0},
		{"1ns", GO_OK, 1},
		{"5s", GO_OK, 5000000000},
		{"90s", GO_OK, 90000000000},
		{"24h", GO_OK, INT64_C(86400000000000)},
		{"1h30m", GO_OK, INT64_C(5400000000000)},
		{"1.5h", GO_OK, INT64_C(5400000000000)},
		{"2us", GO_OK, 2000},
		{"2\xc2\xb5s", GO_OK, 2000},
		{"-1.5ms", GO_OK, -1500000},
		{".5s", GO_OK, 500000000},
		{"1.s", GO_OK, 1000000000},
		{"+3m", GO_OK, INT64_C(180000000000)},
		{"5", GO_SYNTAX, 0},
		{"", GO_SYNTAX, 0},
		{"-", GO_SYNTAX, 0},
		{".s", GO_SYNTAX, 0},
		{"s", GO_SYNTAX, 0},
		{"1d", GO_SYNTAX, 0},
		{"1h ", GO_SYNTAX, 0},
		{"1h30", GO_SYNTAX, 0},
		{"9999999h", GO_SYNTAX, 0},
		{"99999999999999999999s", GO_SYNTAX, 0},
	};
	for (size_t i = 0; i < N(cases); i++) {
		int64_t ns = 0;
		assert_int_equal(go_parse_duration(cases[i].text, &ns), cases[i].result);
		assert_true(ns == cases[i].ns);
	}
}

static void quoting(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"", "\"\""},
		{"a b", "\"a b\""},
		{"\"\\", "\"\\\"\\\\\""},
		{"a\n\t\x1b[31m", "\"a\\n\\t\\x1b[31m\""},
		{"caf\xc3\xa9", "\"caf\xc3\xa9\""},
		{"\xc2\x9b", "\"\\u009b\""},
		{"\xff\xc3", "\"\\xff\\xc3\""},
		{"\xe2\x82", "\"\\xe2\\x82\""},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str s = STR_LIMIT(256);
		go_quote(&s, cases[i].text);
		assert_string_equal(s.bytes, cases[i].wanted);
	}
}

static void times(void **state)
{
	(void)state;
	static const struct {
		int64_t ns;
		const char *text, *rfc3339, *seconds;
	} cases[] = {
		{INT64_C(1795562962436625639), "2026-11-24 23:29:22.436625639 +0000 UTC",
	         "2026-11-24T23:29:22.436625639Z", "2026-11-24T23:29:22Z"},
		{INT64_C(1795562962530000000), "2026-11-24 23:29:22.53 +0000 UTC",
	         "2026-11-24T23:29:22.53Z", "2026-11-24T23:29:22Z"},
		{0, "1970-01-01 00:00:00 +0000 UTC", "1970-01-01T00:00:00Z",
	         "1970-01-01T00:00:00Z"},
		{-1, "1969-12-31 23:59:59.999999999 +0000 UTC", "1969-12-31T23:59:59.999999999Z",
	         "1969-12-31T23:59:59Z"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str a = STR_LIMIT(64), b = STR_LIMIT(64), c = STR_LIMIT(64);
		go_time(&a, cases[i].ns);
		go_time_rfc3339(&b, cases[i].ns);
		go_time_seconds(&c, cases[i].ns);
		assert_string_equal(a.bytes, cases[i].text);
		assert_string_equal(b.bytes, cases[i].rfc3339);
		assert_string_equal(c.bytes, cases[i].seconds);
	}
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		uint64_t bytes;
		const char *binary, *decimal;
	} cases[] = {
		{0, "0.0 B", "0B"},
		{233, "233.0 B", "233B"},
		{307, "307.0 B", "307B"},
		{1023, "1023.0 B", "1.023kB"},
		{1024, "1.0 KiB", "1.024kB"},
		{8192, "8.0 KiB", "8.192kB"},
		{1031478, "1007.3 KiB", "1.031MB"},
		{1032207, "1008.0 KiB", "1.032MB"},
		{2097152, "2.0 MiB", "2.097MB"},
		{UINT64_MAX, "16.0 EiB", "18.45EB"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str a = STR_LIMIT(64), b = STR_LIMIT(64);
		units_binary(&a, cases[i].bytes);
		units_decimal(&b, cases[i].bytes);
		assert_string_equal(a.bytes, cases[i].binary);
		assert_string_equal(b.bytes, cases[i].decimal);
	}
}

static void ages(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		const char *wanted;
	} cases[] = {
		{-5, "Less than a second"}, {0, "Less than a second"}, {1, "1 second"},
		{45, "45 seconds"},         {60, "About a minute"},    {119, "About a minute"},
		{120, "2 minutes"},         {3599, "59 minutes"},      {3600, "About an hour"},
		{5399, "About an hour"},    {5400, "2 hours"},         {47 * 3600, "47 hours"},
		{48 * 3600, "2 days"},      {13 * 86400, "13 days"},   {14 * 86400, "2 weeks"},
		{59 * 86400, "8 weeks"},    {60 * 86400, "2 months"},  {729 * 86400, "24 months"},
		{730 * 86400, "2 years"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str s = STR_LIMIT(64);
		units_age(&s, cases[i].seconds * INT64_C(1000000000));
		assert_string_equal(s.bytes, cases[i].wanted);
	}
}

static void foreign_text_is_harmless(void **state)
{
	(void)state;
	auto_str struct str s = STR_LIMIT(256);
	output_clean(&s, "a\x1b[2Jb\nc\xc2\x9b\xc3\xa9");
	assert_string_equal(s.bytes, "a\\x1b[2Jb\\x0ac\\x9b\xc3\xa9");
	auto_str struct str lines = STR_LIMIT(256);
	output_clean_lines(&lines, "a\n\tb\r");
	assert_string_equal(lines.bytes, "a\n\tb\\x0d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bools),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(reals),
		cmocka_unit_test(durations),
		cmocka_unit_test(quoting),
		cmocka_unit_test(times),
		cmocka_unit_test(sizes),
		cmocka_unit_test(ages),
		cmocka_unit_test(foreign_text_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
