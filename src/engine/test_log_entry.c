// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "engine/log_entry.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define TIME "2026-11-26T02:15:11.123456789Z"
#define BEHIND "\",\"stream\":\"stderr\",\"time\":\"" TIME "\"}"
#define ENTRY(text) "{\"log\":\"" text BEHIND

static bool decode(const char *line, struct log_entry *ret)
{
	return log_entry_decode(line, line + strlen(line), ret);
}

static void texts(void **state)
{
	(void)state;
	static const struct {
		const char *line, *text;
	} rows[] = {
		{ENTRY("hello\\n"), "hello\n"},
		{ENTRY(""), ""},
		{ENTRY("\\t\\r\\\"\\\\"), "\t\r\"\\"},
		{ENTRY("\\u001b[0m\\u007f"), "\x1b[0m\x7f"},
		{ENTRY("gr\xc3\xbc\\ufffd"), "gr\xc3\xbc\xef\xbf\xbd"},
	};
	static struct log_entry entry;
	for (size_t i = 0; i < N(rows); i++) {
		assert_true(decode(rows[i].line, &entry));
		assert_int_equal(entry.size, strlen(rows[i].text));
		assert_memory_equal(entry.text, rows[i].text, entry.size);
		assert_true(entry.is_error);
		assert_string_equal(entry.time, TIME);
		assert_true(log_entry_ns(&entry) == INT64_C(1795659311123456789));
	}
	assert_true(decode("{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"\"}", &entry));
	assert_false(entry.is_error);
	assert_true(log_entry_ns(&entry) == 0);
}

static void passed_over(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"",
		"{",
		"{\"log\":\"",
		"{\"log\":\"x",
		"{\"log\":\"x\\",
		"{\"log\":\"x\\u00",
		ENTRY("\\q"),
		ENTRY("\\u00e9"), // the monitor writes it as it is
		ENTRY("\\u00FF"),
		ENTRY("x") " ",
		ENTRY("x") "}",
		"{\"log\":\"x\",\"stream\":\"std",
		"{\"log\":\"x\",\"stream\":\"stdin\",\"time\":\"" TIME "\"}",
		"{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"" TIME,
		"{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"" TIME "\"",
		"{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"" TIME TIME "\"}",
	};
	static struct log_entry entry;
	for (size_t i = 0; i < N(lines); i++)
		assert_false(decode(lines[i], &entry));
	auto_str struct str line = STR_LIMIT(2 * LOG_TEXT_MAX);
	str_add(&line, "{\"log\":\"");
	for (size_t i = 0; i < LOG_TEXT_MAX; i++)
		str_add_char(&line, 'x');
	str_add(&line, BEHIND);
	assert_false(decode(line.bytes, &entry));
}

// By a clock that is far off; found by test/fuzz/fuzz_log.c.
static void times_that_nobody_can_count(void **state)
{
	(void)state;
	static struct log_entry entry;
	assert_true(decode("{\"log\":\"\",\"stream\":\"stdout\",\"time\":\"9999-01-01T00:00:00Z\"}",
	                   &entry));
	assert_true(log_entry_ns(&entry) == INT64_MAX);
	assert_true(decode("{\"log\":\"\",\"stream\":\"stdout\",\"time\":\"0000-01-01T00:00:00Z\"}",
	                   &entry));
	assert_true(log_entry_ns(&entry) == INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(passed_over),
	                                   cmocka_unit_test(times_that_nobody_can_count)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
