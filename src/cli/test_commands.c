// SPDX-License-Identifier: Apache-2.0
// The table against itself, and against ctr's own command tree (test/golden).
#include "cli/gotext.h"
#include "cli/invocation.h"
#include "oci/filter.h"
#include "json/json.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define GOLDEN_LIMIT ((size_t)1 << 20)

static void rows_are_whole(void **state)
{
	(void)state;
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (!c->line || !*c->line || strchr(c->line, '"') || text_ends(c->line, "."))
			fail_msg("%s: one line that says what it does, no full stop", c->path);
		assert_ptr_equal(command_find(c->path), c); // no path twice
		bool is_there = c->run != NULL;
		bool is_group = command_is_group(c);
		if (is_there + is_group + ((c->bits & COMMAND_NOT_YET) != 0) != 1)
			fail_msg("%s: is a group, or has a function, or is not there yet", c->path);
		if (is_there && !c->example)
			fail_msg("%s: no example", c->path);
		if (*c->path && !command_parent(c))
			fail_msg("%s: no parent", c->path);
	}
}

static bool has_default(const struct flag *f)
{
	bool b;
	int64_t i;
	uint64_t u;
	double d;
	if (!f->initial)
		return true;
	switch (f->type) {
	case FLAG_BOOL:
		return go_parse_bool(f->initial, &b) == GO_OK;
	case FLAG_INT:
		return go_parse_int(f->initial, &i) == GO_OK;
	case FLAG_UINT:
		return go_parse_uint(f->initial, &u) == GO_OK;
	case FLAG_FLOAT:
		return go_parse_float(f->initial, &d) == GO_OK;
	case FLAG_DURATION:
		return go_parse_duration(f->initial, &i) == GO_OK;
	case FLAG_TEXT:
		return true;
	case FLAG_TEXTS:
	case FLAG_INTS:
	case FLAG_TYPES:
		break;
	}
	return false; // lists begin empty
}

static void flags_are_whole(void **state)
{
	(void)state;
	const struct command *c;
	const struct flag *f;
	for (size_t i = 0; (c = command_at(i)); i++) {
		for (size_t j = 0; (f = command_flag_at(c, j)); j++) {
			if (c->run && (!f->help || !*f->help || strpbrk(f->help, "\"$`")))
				fail_msg("%s --%s: no help, or one that shells misread", c->path,
				         f->name);
			if ((f->type == FLAG_BOOL) != (f->value == NULL))
				fail_msg("%s --%s: a value's name, but for bools", c->path,
				         f->name);
			if (!has_default(f))
				fail_msg("%s --%s: default %s", c->path, f->name, f->initial);
			// The first row of a spelling is found: a second one would be dead.
			if (command_flag(c, f->name, true) != f ||
			    (f->letter && command_flag(c, f->letter, true) != f))
				fail_msg("%s --%s: spelt twice", c->path, f->name);
		}
	}
}

static void examples_are_understood(void **state)
{
	(void)state;
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (!c->example)
			continue;
		auto_free char *text = alloc_printf("coracle %s", c->example);
		char *words[32];
		int n = 0;
		for (char *s = text; *s && n < 32;) {
			words[n++] = s;
			s += strcspn(s, " ");
			if (*s)
				*s++ = 0;
			if (strpbrk(words[n - 1], "|>")) { // the shell's
				n--;
				break;
			}
		}
		struct invocation in = {.program = "coracle"};
		auto_error struct error *e = invocation_parse(&in, n, words);
		if (e)
			fail_msg("%s: %s", c->example, e->message);
		if (*c->path)
			assert_string_equal(in.command->path, c->path);
		assert_int_equal(in.intention, RUN_COMMAND);
		if (strstr(c->example, "..."))
			fail_msg("%s: nobody can type that", c->example);
		if (c->arguments && strstr(c->arguments, "<filter>")) {
			auto_oci_filters struct oci_filters *filters = NULL;
			assert_null(oci_filters_parse((const char *const *)in.args, in.n_args,
			                              &filters));
		}
		invocation_done(&in);
	}
}

static void counts(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		size_t min, max;
	} cases[] = {
		{"version", 0, 0},
		{"gc", 0, 0},
		{"images import", 1, 1},
		{"images list", 0, SIZE_MAX},
		{"images delete", 1, SIZE_MAX},
		{"images tag", 2, SIZE_MAX},
		{"images push", 1, 2},
		{"images export", 2, SIZE_MAX},
		{"run", 2, SIZE_MAX},
		{"snapshots prepare", 1, 2},
		{"snapshots label", 1, SIZE_MAX},
		{"leases delete", 1, SIZE_MAX},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct argument_count count = command_count(command_find(cases[i].path));
		if (count.min != cases[i].min || count.max != cases[i].max)
			fail_msg("%s: %zu to %zu", cases[i].path, count.min, count.max);
	}
}

// ctr's tree, or NULL and a reason printed.
static struct json *read_golden(void)
{
	int fd = open(GOLDEN "/commands.json", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("SKIP: no %s/commands.json\n", GOLDEN);
		return NULL;
	}
	char *text = alloc(GOLDEN_LIMIT);
	ssize_t size = read(fd, text, GOLDEN_LIMIT);
	close(fd);
	assert_true(size > 0 && (size_t)size < GOLDEN_LIMIT);
	struct json *value = NULL;
	assert_null(json_parse(text, (size_t)size, GOLDEN_LIMIT, &value));
	free(text);
	return value;
}

static const char *member_text(const struct json *object, const char *key)
{
	return json_text(json_member(object, key));
}

static enum flag_type golden_type(const char *name)
{
	static const struct {
		const char *name;
		enum flag_type type;
	} types[] = {
		{"Bool", FLAG_BOOL},         {"String", FLAG_TEXT}, {"StringSlice", FLAG_TEXTS},
		{"IntSlice", FLAG_INTS},     {"Int", FLAG_INT},     {"Int64", FLAG_INT},
		{"Uint", FLAG_UINT},         {"Uint64", FLAG_UINT}, {"Float64", FLAG_FLOAT},
		{"Duration", FLAG_DURATION},
	};
	for (size_t i = 0; i < N(types); i++)
		if (text_equal(types[i].name, name))
			return types[i].type;
	return FLAG_TYPES;
}

// Go's default of an empty list is written as []; a zero is none.
static const char *golden_default(const struct json *flag)
{
	const char *text = member_text(flag, "default");
	return text_equal(text, "[]") ? NULL : text;
}

static void compare_flag(const struct command *c, const struct json *golden)
{
	const struct json *names = json_member(golden, "names");
	const char *name = json_text(json_item(names, 0));
	const struct flag *f = command_flag(c, name, false);
	if (!f)
		fail_msg("%s: ctr has --%s", c->path, name);
	if (!text_equal(f->name, name) || !text_equal(f->letter, json_text(json_item(names, 1))))
		fail_msg("%s --%s: other names", c->path, name);
	if (f->type != golden_type(member_text(golden, "type")))
		fail_msg("%s --%s: ctr's is %s", c->path, name, member_text(golden, "type"));
	if (!text_equal(f->initial, golden_default(golden)))
		fail_msg("%s --%s: ctr's default is %s", c->path, name, golden_default(golden));
	if (!text_equal(f->env, json_text(json_item(json_member(golden, "env"), 0))))
		fail_msg("%s --%s: another environment variable", c->path, name);
	if (f->bits & (FLAG_OURS | FLAG_DOCKER))
		fail_msg("%s --%s: is ctr's", c->path, name);
}

static void compare_command(const struct json *golden)
{
	const char *path = member_text(golden, "path");
	path += strcspn(path, " ");
	path += *path == ' ';
	const struct command *c = command_find(path);
	if (!c)
		fail_msg("ctr has the command %s", path);
	if (c->bits & COMMAND_OURS)
		fail_msg("%s: is ctr's", path);
	const struct json *aliases = json_member(golden, "aliases");
	for (size_t i = 0; i < json_size(aliases); i++)
		if (!words_have(c->aliases, json_text(json_item(aliases, i))))
			fail_msg("%s: ctr's alias %s", path, json_text(json_item(aliases, i)));
	const struct json *flags = json_member(golden, "flags");
	for (size_t i = 0; i < json_size(flags); i++)
		compare_flag(c, json_item(flags, i));
	size_t ours = 0;
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++)
		ours += (f->bits & (FLAG_OURS | FLAG_DOCKER)) == 0;
	if (ours != json_size(flags))
		fail_msg("%s: %zu flags said to be ctr's, ctr has %zu", path, ours,
		         json_size(flags));
}

static void table_is_ctrs_tree(void **state)
{
	(void)state;
	auto_json struct json *golden = read_golden();
	if (!golden)
		skip();
	for (size_t i = 0; i < json_size(golden); i++)
		compare_command(json_item(golden, i));
	size_t n = 0;
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++)
		n += !(c->bits & COMMAND_OURS);
	assert_int_equal(n, json_size(golden));
}

static void nearest(void **state)
{
	(void)state;
	const struct command *run = command_find("run"), *program = command_find("");
	static const struct {
		const char *typed, *flag, *child;
	} cases[] = {
		{"priviledged", "privileged", NULL},
		{"memory", NULL, NULL},
		{"snapshoter", "snapshotter", "snapshots"},
		{"namspace", "namespace", "namespaces"}, // the program's flag, from run
		{"rn", "rm", "run"},
		{"image", NULL, "images"},
		{"zzzzzz", NULL, NULL},
		{"", NULL, NULL},
	};
	for (size_t i = 0; i < N(cases); i++) {
		const char *flag = command_nearest_flag(run, cases[i].typed, true);
		if (!text_equal(flag, cases[i].flag))
			fail_msg("flag for %s: %s", cases[i].typed, flag ? flag : "none");
		const char *child = command_nearest_child(program, cases[i].typed);
		if (!text_equal(child, cases[i].child))
			fail_msg("command for %s: %s", cases[i].typed, child ? child : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),          cmocka_unit_test(flags_are_whole),
		cmocka_unit_test(examples_are_understood), cmocka_unit_test(counts),
		cmocka_unit_test(table_is_ctrs_tree),      cmocka_unit_test(nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
