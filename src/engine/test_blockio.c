// SPDX-License-Identifier: Apache-2.0
// What a file of classes says; which devices it means here is test/e2e/test_blockio.py.
#include "engine/blockio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

static void quantities(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {
		{"0", 0},
		{"80", 80},
		{"+5", 5},
		{"-5", -5},
		{"10k", 10000},
		{"50M", 50000000},
		{"2G", 2000000000},
		{"1T", 1000000000000},
		{"1Ki", 1024},
		{"64Mi", 64 << 20},
		{"1.5Gi", INT64_C(3) << 29},
		{"1.", 1},
		{".5k", 500},
		{"1e3", 1000},
		{"1E+3", 1000},
		{"1500e-3", 2}, // up
		{"1500m", 2},
		{"1n", 1},
		{"0.0001", 1},
		{"7Ei", INT64_C(7) << 60},
		{"8Ei", INT64_MAX}, // as Kubernetes has it
		{"999999999999999999E", INT64_MAX},
	};
	for (size_t i = 0; i < N(rows); i++) {
		int64_t value = 0;
		assert_true(blockio_quantity(rows[i].text, &value));
		assert_int_equal(value, rows[i].value);
	}
	static const char *const bad[] = {"",
	                                  ".",
	                                  "k",
	                                  "1 M",
	                                  "1K",
	                                  "1ki",
	                                  "1kk",
	                                  "1M ",
	                                  "1e",
	                                  "1e19",
	                                  "1.2.3",
	                                  "0x1",
	                                  "--1",
	                                  "1,5",
	                                  "Ki",
	                                  "1e1k",
	                                  "9999999999999999999"};
	for (size_t i = 0; i < N(bad); i++) {
		int64_t value;
		if (blockio_quantity(bad[i], &value))
			fail_msg("%s is taken", bad[i]);
	}
}

// The example of goresctrl's doc/blockio.md, shortened.
static const char example[] = "Classes:\n"
			      "  LowPrioThrottled:\n"
			      "    - Weight: 80\n"
			      "    - Devices:\n"
			      "        - /dev/sd[a-z]\n"
			      "        - /dev/vd[a-z]\n"
			      "      ThrottleReadBps: 50M   # max read bytes per second\n"
			      "      ThrottleWriteBps: 10M\n"
			      "      ThrottleReadIOPS: 10k\n"
			      "      ThrottleWriteIOPS: 5k\n"
			      "      Weight: 50\n"
			      "  HighPrioFullSpeed:\n"
			      "    - weight: 400\n"
			      "  nothing:\n";

static void classes(void **state)
{
	(void)state;
	auto_blockio_class struct blockio_class c = {0};
	assert_null(blockio_parse(example, strlen(example), "LowPrioThrottled", &c));
	assert_true(c.is_there);
	assert_int_equal(c.n, 2);
	assert_false(c.rules[0].has_devices);
	static const int64_t wanted[][BLOCKIO_VALUES] = {{80, -1, -1, -1, -1},
	                                                 {50, 50000000, 10000000, 10000, 5000}};
	for (size_t i = 0; i < 2; i++)
		assert_memory_equal(c.rules[i].values, wanted[i], sizeof wanted[i]);
	assert_int_equal(c.rules[1].devices.n, 2);
	assert_string_equal(c.rules[1].devices.items[1], "/dev/vd[a-z]");
	static const struct {
		const char *name;
		bool is_there;
		size_t n;
	} rows[] = {{"HighPrioFullSpeed", true, 1}, {"nothing", true, 0}, {"nosuch", false, 0}};
	for (size_t i = 0; i < N(rows); i++) {
		auto_blockio_class struct blockio_class other = {0};
		assert_null(blockio_parse(example, strlen(example), rows[i].name, &other));
		assert_int_equal(other.is_there, rows[i].is_there);
		assert_int_equal(other.n, rows[i].n);
	}
}

#define RULE(text) "{\"Classes\": {\"a\": [{" text "}]}}"

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"- a", "not a map with the key Classes"},
		{"text", "not a map with the key Classes"},
		{"Class: {}", "unknown field \"Class\""},
		{"Classes: 1", "Classes: not an object"},
		{"Classes: [a]", "Classes: not an object"},
		{"Classes: {a: 1}", "Classes.a: not an array"},
		{"Classes: {a: [1]}", "Classes.a[0]: not an object"},
		{RULE("Wait: 1"), "unknown field \"Wait\""},
		{RULE("Weight: [1]"), "Classes.a[0].Weight: not a string"},
		{RULE("Weight: x"), "syntax error in \"Weight\" (\"x\")"},
		{RULE("Weight: 5"), "value of \"Weight\" (5) smaller than minimum (10)"},
		{RULE("Weight: 1001"), "value of \"Weight\" (1001) bigger than maximum (1000)"},
		{RULE("Devices: /dev/sda"), "Classes.a[0].Devices: not an array"},
		{RULE("Devices: [[x]]"), "Classes.a[0].Devices[0]: not a string"},
		{RULE("Devices: [x], ThrottleReadBps: -1"),
	         "value of \"ThrottleReadBps\" (-1) smaller than minimum (0)"},
		{RULE("ThrottleWriteIOPS: 1k"), "ThrottleWriteIOPS: Devices not listed"},
		{"Classes:\n  a:\n  a:\n", "line 3: a key that stands twice"},
		{"Classes: {b: [{Weight: 1}]}", // a class that nobody asked for
	         "value of \"Weight\" (1) smaller than minimum (10)"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		struct blockio_class c = {0};
		auto_error struct error *e =
			blockio_parse(rows[i].text, strlen(rows[i].text), "a", &c);
		assert_non_null(e);
		assert_string_equal(e->message, rows[i].message);
		assert_true(error_is(e, ERROR_INVALID));
		assert_false(c.is_there);
	}
}

// What a pattern makes us look at has an end, and that one soon: a pattern alone can want more than
// there is memory, and of links to their own folder there are endless paths.
static void endless_patterns(void **state)
{
	(void)state;
	char folder[] = "/tmp/blockio-XXXXXX", name[64];
	assert_non_null(mkdtemp(folder));
	for (char c = 'a'; c < 'k'; c++) {
		snprintf(name, sizeof name, "%s/%c", folder, c);
		assert_int_equal(symlink(".", name), 0);
	}
	auto_str struct str deep = STR_LIMIT(BLOCKIO_SIZE_LIMIT);
	while (deep.size < BLOCKIO_SIZE_LIMIT - 200)
		str_add(&deep, "a/");
	auto_free char *wide = alloc_printf("%s/*/*/*/*/*/*/*/*/*/*/*/*/x", folder);
	const struct {
		const char *pattern, *why;
	} rows[] = {{deep.bytes, "longer than 4096 bytes"},
	            {wide, "more than 65536 files to look at"}};
	for (size_t i = 0; i < N(rows); i++) {
		auto_free char *text = alloc_printf("Classes: {a: [{Weight: 10, Devices: [%s]}]}",
		                                    rows[i].pattern);
		const struct spec_request request = {
			.blockio_file = "f", .blockio_config = text, .blockio_class = "a"};
		struct spec_host host = {0};
		auto_error struct error *e = blockio_look(&request, &host);
		assert_non_null(e);
		assert_true(error_is(e, ERROR_LIMIT));
		assert_non_null(strstr(e->message, rows[i].why));
		strings_done(&host.warnings);
	}
	for (char c = 'a'; c < 'k'; c++) {
		snprintf(name, sizeof name, "%s/%c", folder, c);
		assert_int_equal(unlink(name), 0);
	}
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(quantities), cmocka_unit_test(classes),
	                                   cmocka_unit_test(refused),
	                                   cmocka_unit_test(endless_patterns)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
