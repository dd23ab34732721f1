// SPDX-License-Identifier: Apache-2.0
// The log's format and files; what a full disk does is test/e2e/test_detached.py.
#include "base/defer.h"
#include "base/text.h"
#include "shim/log.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test-log-XXXXXX";
static int dirfd = -1;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	static const char *const names[] = {"log", "log.1", "log.2", "log.3"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(dirfd, names[i], 0);
	close(dirfd);
	return rmdir(folder);
}

// What the log has got since the last time, without the times; empties it.
static void take_log(char *ret, size_t size)
{
	int fd = openat(dirfd, "log", O_RDWR | O_CLOEXEC);
	ssize_t n = read(fd, ret, size - 1);
	assert_true(n >= 0 && ftruncate(fd, 0) == 0);
	close(fd);
	ret[n] = 0;
	for (char *p = ret; (p = strstr(p, "\"time\":\"")); p++) {
		char *end = strchr(p + 8, '"');
		assert_int_equal(end - p - 8, sizeof "2026-11-26T02:15:11.123456789Z" - 1);
		memmove(p + 8, end, strlen(end) + 1);
	}
}

#define ENTRY(text, stream) "{\"log\":\"" text "\",\"stream\":\"" stream "\",\"time\":\"\"}\n"

static const struct put {
	const char *a, *b; // two reads of one stream
	const char *wanted;
} puts_table[] = {
	// clang-format off
	{"one\n",          "two\n",      ENTRY("one\\n", "stdout") ENTRY("two\\n", "stdout")},
	{"be",             "gin\n",      ENTRY("begin\\n", "stdout")},
	{"a\nb\nc",        "",           ENTRY("a\\n", "stdout") ENTRY("b\\n", "stdout") ENTRY("c", "stdout")},
	{"\n",             "\n",         ENTRY("\\n", "stdout") ENTRY("\\n", "stdout")},
	{"\"q\" \\ \t\r\n", "",          ENTRY("\\\"q\\\" \\\\ \\t\\r\\n", "stdout")},
	{"\x1b[31m\x7f\n", "",           ENTRY("\\u001b[31m\\u007f\\n", "stdout")},
	{"gr\xc3",         "\xbc\xc3\x9f\n", ENTRY("gr\xc3\xbc\xc3\x9f\\n", "stdout")},
	{"\xff\xc0\xaf\n", "",           ENTRY("\\ufffd\\ufffd\\ufffd\\n", "stdout")},
	{"\xed\xa0\x80\n", "",           ENTRY("\\ufffd\\ufffd\\ufffd\\n", "stdout")},
	{"\xf0\x9f\x98",   "\n",         ENTRY("\\ufffd\\ufffd\\ufffd\\n", "stdout")},
	{"\xf0\x9f\x98\x80\n", "",       ENTRY("\xf0\x9f\x98\x80\\n", "stdout")},
	// clang-format on
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof puts_table / sizeof *puts_table; i++) {
		const struct put *p = &puts_table[i];
		char got[4096];
		log_begin(dirfd, 1 << 20, 1);
		log_put(0, p->a, strlen(p->a));
		log_put(0, p->b, strlen(p->b));
		log_end(0);
		take_log(got, sizeof got);
		assert_string_equal(got, p->wanted);
	}
}

static void test_streams_keep_their_beginnings(void **state)
{
	(void)state;
	char got[4096];
	log_put(0, "out", 3);
	log_put(1, "err\n", 4);
	log_put(0, "put\n", 4);
	take_log(got, sizeof got);
	assert_string_equal(got, ENTRY("err\\n", "stderr") ENTRY("output\\n", "stdout"));
}

// Divided at LOG_LINE_MAX, but never inside of a character.
static void test_long_lines(void **state)
{
	(void)state;
	static char line[2 * LOG_LINE_MAX + 2], got[4 * LOG_LINE_MAX];
	for (size_t i = 0; i < 2 * LOG_LINE_MAX; i += 2)
		memcpy(line + i, "\xc3\xbc", 2);
	memmove(line + 1, line, 2 * LOG_LINE_MAX);
	line[0] = 'x'; // so that the limit is in the middle of one
	line[2 * LOG_LINE_MAX + 1] = '\n';
	log_put(0, line, sizeof line);
	take_log(got, sizeof got);
	assert_null(strstr(got, "ufffd"));
	size_t entries = 0;
	for (const char *p = got; (p = strchr(p, '\n')); p++)
		entries++;
	assert_int_equal(entries, 3);
}

// The limit is behind the first, or the second, byte of a character, and there the first read
// ended.
static void test_a_character_at_the_limit(void **state)
{
	(void)state;
	static const char end[] = "\xe2\x82\xac\n";
	static char line[LOG_LINE_MAX], got[2 * LOG_LINE_MAX];
	for (size_t before = 1; before < 3; before++) {
		memset(line, 'x', sizeof line);
		memcpy(line + LOG_LINE_MAX - before, end, before);
		log_put(0, line, LOG_LINE_MAX);
		log_put(0, &end[before], 4 - before);
		take_log(got, sizeof got);
		assert_null(strstr(got, "ufffd"));
		assert_non_null(strstr(got, ENTRY("\xe2\x82\xac\\n", "stdout")));
	}
}

static uint64_t size_of(const char *name)
{
	struct stat st;
	return fstatat(dirfd, name, &st, 0) < 0 ? 0 : (uint64_t)st.st_size;
}

static void test_rotation(void **state)
{
	(void)state;
	log_begin(dirfd, 8192, 3);
	for (int i = 0; i < 1000; i++)
		log_put(0, "a line of thirty-two characters\n", 32);
	assert_in_range(size_of("log"), 1, 8192);
	assert_in_range(size_of("log.1"), 8000, 8192);
	assert_in_range(size_of("log.2"), 8000, 8192);
	assert_int_equal(size_of("log.3"), 0);
}

// An entry that is larger than the cap goes into a file of its own.
static void test_larger_than_the_cap(void **state)
{
	(void)state;
	static char line[LOG_LINE_MAX];
	memset(line, 1, sizeof line - 1);
	line[sizeof line - 1] = '\n';
	log_begin(dirfd, 4096, 2);
	log_put(1, line, sizeof line);
	log_put(1, "after\n", 6);
	assert_in_range(size_of("log.1"), 6 * LOG_LINE_MAX - 10, 6 * LOG_LINE_MAX + 100);
	assert_in_range(size_of("log"), 60, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_streams_keep_their_beginnings),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_a_character_at_the_limit),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_larger_than_the_cap),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
