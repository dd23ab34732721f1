// SPDX-License-Identifier: Apache-2.0
#include "cli/print.h"
#include "cli/progress.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define SECOND INT64_C(1000000000)
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void lines(void **state)
{
	(void)state;
	static const struct {
		struct engine_progress progress;
		int64_t elapsed_ns;
		size_t width;
		const char *wanted;
		uint64_t from_bytes;
	} cases[] = {
		{{"archive", 0, 0, 5242880, 10485760, false},
	         2 * SECOND,
	         100,
	         "archive [==========>         ]  50% 5.0 MiB / 10.0 MiB, 2.5 MiB/s, 2 s left"},
		{{"layer", 1, 3, 10485760, 10485760, false},
	         2 * SECOND,
	         100,
	         "2/3 layer [====================] 100% 10.0 MiB / 10.0 MiB, 5.0 MiB/s"},
		{{"archive", 0, 0, 2048, 0, false}, 0, 100, "archive 2.0 KiB"},
		{{"resumed", 0, 0, 5242880, 10485760, false},
	         2 * SECOND,
	         100,
	         "resumed [==========>         ]  50% 5.0 MiB / 10.0 MiB, 512.0 KiB/s, 10 s left",
	         4194304},
		{{"archive", 0, 1, 0, 1024, false},
	         2 * SECOND,
	         100,
	         "archive [>                   ]   0% 0.0 B / 1.0 KiB"},
		{{"a", 0, 0, 4096, 1024, false},
	         0,
	         100,
	         "a [====================] 100% 4.0 KiB / 1.0 KiB"},
		{{"x\x1b[2J", 0, 0, 0, 0, false}, 0, 100, "x\\x1b[2J 0.0 B"},
		{{"a long name of a layer", 0, 0, 2048, 0, false}, 0, 20, "a long name  2.0 KiB"},
		{{"name", 0, 0, 2048, 0, false}, 0, 5, "n 2.0"},
		{{"download sha256:" DIGEST, 0, 3, 327680, 2097152, false},
	         SECOND,
	         100,
	         "1/3 download 0123456789ab [===>                ]  15% 320.0 KiB / 2.0 MiB, "
	         "320.0 KiB/s, 5 s left"},
		{{"download sha256:" DIGEST, 0, 3, 327680, 2097152, false},
	         SECOND,
	         79,
	         "1/3 download 01234 [=>        ]  15% 320.0 KiB / 2.0 MiB, 320.0 KiB/s, 5 s left"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str line = STR_LIMIT(1024);
		progress_line(&line, &cases[i].progress, cases[i].elapsed_ns, cases[i].from_bytes,
		              cases[i].width);
		assert_string_equal(line.bytes, cases[i].wanted);
	}
}

// Nothing in the first second; then a bar at most ten times a second, a line for what is done.
static void steps(void **state)
{
	(void)state;
	static const struct {
		bool bar;
		int64_t now_ms;
		struct engine_progress progress;
		const char *wanted;
	} cases[] = {
		{true, 1000, {"a", 0, 2, 100, 400, false}, ""},
		{true, 1900, {"a", 0, 2, 400, 400, false}, ""}, // fast: no line
		{true,
	         2000,
	         {"b", 1, 2, 100, 400, false},
	         "\r2/2 b [=====>              ]  25% 100.0 B / 400.0 B\x1b[K"},
		{true, 2050, {"b", 1, 2, 200, 400, false}, ""},
		{true, 3000, {"b", 1, 2, 400, 400, false}, "\r\x1b[Kb: done, 400.0 B in 1.0 s\n"},
		{true, 3100, {"b", 1, 2, 400, 400, true}, ""},
		{false, 1000, {"a", 0, 2, 0, 0, false}, ""},
		{false, 2500, {"a", 0, 2, 100, 0, false}, ""},
		{false, 2600, {"a", 0, 2, 200, 0, true}, "a: done, 200.0 B in 1.6 s\n"},
		{false, 2700, {"b", 1, 2, 400, 400, false}, "b: done, 400.0 B in 0.0 s\n"},
		{false, 2800, {"c", 1, 2, 0, 400, false}, ""}, // the next phase counts from there
		{false, 2900, {"c", 1, 2, 400, 400, false}, "c: done, 400.0 B in 0.1 s\n"},
	};
	struct progress p = {.bar = true};
	for (size_t i = 0; i < N(cases); i++) {
		if (p.bar != cases[i].bar)
			p = (struct progress){.bar = cases[i].bar};
		auto_str struct str out = STR_LIMIT(1024);
		str_add(&out, "");
		progress_step(&p, &cases[i].progress, cases[i].now_ms * 1000000, 79, &out);
		assert_string_equal(out.bytes, cases[i].wanted);
	}
}

// Several at once: a bar each, and they move up when one is done.
static void bars(void **state)
{
	(void)state;
	static const struct {
		int64_t now_ms;
		struct engine_progress progress;
		const char *wanted;
	} cases[] = {
		{1000, {"a", 0, 2, 100, 400, false}, ""},
		{1500, {"b", 1, 2, 100, 400, false}, ""},
		{3000,
	         {"a", 0, 2, 200, 400, false},
	         "\r1/2 a [==========>         ]  50% 200.0 B / 400.0 B, 50.0 B/s, 4 s left\x1b[K\n"
	         "2/2 b [=====>              ]  25% 100.0 B / 400.0 B\x1b[K"},
		{3200, {"b", 1, 2, 400, 400, false}, "\r\x1b[1A\x1b[Jb: done, 400.0 B in 1.7 s\n"},
		{3300, {"b", 1, 2, 400, 400, true}, ""},
		{3400,
	         {"a", 0, 2, 300, 400, false},
	         "\r1/2 a [===============>    ]  75% 300.0 B / 400.0 B, 83.0 B/s, 1 s left\x1b[K"},
		{3500, {"a", 0, 2, 400, 400, false}, "\r\x1b[Ka: done, 400.0 B in 2.5 s\n"},
	};
	struct progress p = {.bar = true};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str out = STR_LIMIT(1024);
		str_add(&out, "");
		progress_step(&p, &cases[i].progress, cases[i].now_ms * 1000000, 79, &out);
		assert_string_equal(out.bytes, cases[i].wanted);
	}
}

static void shell_words(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"/var/lib/a-b_c.d", "/var/lib/a-b_c.d"},
		{"lowerdir=/a:/b,index=off", "lowerdir=/a:/b,index=off"},
		{"a b", "'a b'"},
		{"", "''"},
		{"it's", "'it'\\''s'"},
		{"$(reboot)", "'$(reboot)'"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str s = STR_LIMIT(256);
		print_shell_word(&s, cases[i][0]);
		assert_string_equal(s.bytes, cases[i][1]);
	}
}

static void base64(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"{\"EnableCni\":true}", "eyJFbmFibGVDbmkiOnRydWV9"},
		{"a", "YQ=="},
		{"ab", "YWI="},
		{"abc", "YWJj"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_str struct str s = STR_LIMIT(256);
		print_base64(&s, cases[i][0], strlen(cases[i][0]));
		assert_string_equal(s.bytes, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),       cmocka_unit_test(steps),  cmocka_unit_test(bars),
		cmocka_unit_test(shell_words), cmocka_unit_test(base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
