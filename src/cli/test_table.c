// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CHAIN "sha256:799147e94b30efb36b31b079c798ce2cda2af23613468e02acd857f76ca19aad"

static void expect(struct table *t, const char *wanted)
{
	auto_str struct str out = STR_LIMIT(65536);
	table_print(t, &out);
	assert_string_equal(out.bytes, wanted);
}

// The lines are those of ctr 2.1.1 (test/golden).
static void narrow(void **state)
{
	(void)state;
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"KEY", "PARENT", "KIND", NULL});
	expect(&t, "KEY PARENT KIND \n");
	table_row(&t, (const char *[]){CHAIN, "", "Committed", NULL});
	expect(&t, "KEY                                                                     "
	           "PARENT KIND      \n" CHAIN "        Committed \n");
}

static void wide(void **state)
{
	(void)state;
	auto_table struct table t = TABLE_WIDE;
	table_row(&t, (const char *[]){"TASK", "PID", "STATUS", NULL});
	expect(&t, "TASK    PID    STATUS    \n");
	table_cell(&t, "web");
	table_printf(&t, "%d", 24979);
	table_end(&t, "RUNNING"); // ctr ends this cell without a tab
	expect(&t, "TASK    PID      STATUS    \n"
	           "web     24979    RUNNING\n");
}

// A column ends with the first line that lacks it.
static void columns_are_runs_of_lines(void **state)
{
	(void)state;
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"a", "b", NULL});
	table_end(&t, "alone and very long");
	table_row(&t, (const char *[]){"longer", "b", NULL});
	table_cell(&t, "x");
	table_end(&t, "last");
	expect(&t, "a b \nalone and very long\nlonger b \nx      last\n");
}

static void width_is_in_characters(void **state)
{
	(void)state;
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"caf\xc3\xa9", "1", NULL});
	table_row(&t, (const char *[]){"tea", "2", NULL});
	expect(&t, "caf\xc3\xa9 1 \ntea  2 \n");
}

static void cells_are_clean(void **state)
{
	(void)state;
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"a\tb\nc\x1b[0m", "", NULL});
	expect(&t, "a\\x09b\\x0ac\\x1b[0m  \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrow),
		cmocka_unit_test(wide),
		cmocka_unit_test(columns_are_runs_of_lines),
		cmocka_unit_test(width_is_in_characters),
		cmocka_unit_test(cells_are_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
