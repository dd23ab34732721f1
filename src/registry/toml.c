// SPDX-License-Identifier: Apache-2.0
#include "registry/toml.h"
#include "base/memory.h"
#include <stdio.h>

struct toml {
	const char *at, *end;
	unsigned line;
	size_t n_items;
};

static fallible wrong(const struct toml *t, const char *what)
{
	return error_new(ERROR_INVALID, "line %u: %s", t->line, what);
}

static int peek(const struct toml *t)
{
	return t->at < t->end ? (unsigned char)*t->at : -1;
}

static bool eat(struct toml *t, char c)
{
	if (peek(t) != c)
		return false;
	t->at++;
	return true;
}

static void skip_blanks(struct toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->at++;
}

static void skip_comment(struct toml *t)
{
	if (peek(t) == '#')
		while (peek(t) >= 0 && peek(t) != '\n')
			t->at++;
}

// Blanks, comments and ends of lines.
static void skip_lines(struct toml *t)
{
	for (;;) {
		skip_blanks(t);
		skip_comment(t);
		if (peek(t) == '\r' && t->at + 1 < t->end && t->at[1] == '\n')
			t->at++;
		if (!eat(t, '\n'))
			return;
		t->line++;
	}
}

static fallible end_line(struct toml *t)
{
	skip_blanks(t);
	skip_comment(t);
	eat(t, '\r');
	if (peek(t) < 0)
		return NULL;
	if (!eat(t, '\n'))
		return wrong(t, "the line should end here");
	t->line++;
	return NULL;
}

// --- strings ------------------------------------------------------------------------------------

static void add_utf8(struct str *s, unsigned c)
{
	if (c < 0x80) {
		str_add_char(s, (char)c);
		return;
	}
	if (c < 0x800) {
		str_add_char(s, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			str_add_char(s, (char)(0xe0 | c >> 12));
		} else {
			str_add_char(s, (char)(0xf0 | c >> 18));
			str_add_char(s, (char)(0x80 | (c >> 12 & 63)));
		}
		str_add_char(s, (char)(0x80 | (c >> 6 & 63)));
	}
	str_add_char(s, (char)(0x80 | (c & 63)));
}

static fallible parse_escape(struct toml *t, struct str *s)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	int c = peek(t);
	const char *simple = c > 0 ? strchr(names, c) : NULL;
	if (simple) {
		t->at++;
		str_add_char(s, values[simple - names]);
		return NULL;
	}
	unsigned n = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	if (!n || t->end - t->at <= (ptrdiff_t)n)
		return wrong(t, "an unknown escape in a string");
	char digits[9] = "";
	memcpy(digits, t->at + 1, n);
	uint64_t value;
	struct error *e = text_parse_u64(digits, 16, 0x10ffff, &value);
	bool bad = e || !value || (value >= 0xd800 && value < 0xe000);
	error_free(e);
	if (bad)
		return wrong(t, "a wrong escape in a string");
	t->at += n + 1;
	add_utf8(s, (unsigned)value);
	return NULL;
}

static fallible parse_string(struct toml *t, char **ret)
{
	char quote = *t->at++;
	auto_str struct str s = STR_LIMIT(65536);
	if (peek(t) == quote && t->at + 1 < t->end && t->at[1] == quote)
		return wrong(t, "strings of several lines are not supported");
	while (!eat(t, quote)) {
		int c = peek(t);
		if (c < 0 || c == '\n')
			return wrong(t, "a string without its end");
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return wrong(t, "a control character in a string");
		t->at++;
		if (c == '\\' && quote == '"')
			TRY(parse_escape(t, &s));
		else
			str_add_char(&s, (char)c);
	}
	if (s.over)
		return error_new(ERROR_LIMIT, "line %u: a string over 64 KiB", t->line);
	*ret = str_take(&s);
	return NULL;
}

static fallible parse_key(struct toml *t, char **ret)
{
	static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_-";
	if (peek(t) == '"' || peek(t) == '\'')
		return parse_string(t, ret);
	const char *start = t->at;
	while (peek(t) > 0 && strchr(bare, peek(t)))
		t->at++;
	if (t->at == start)
		return wrong(t, "a key is missing");
	*ret = alloc_bytes(start, (size_t)(t->at - start));
	return NULL;
}

// --- tables and values --------------------------------------------------------------------------

static struct json *mutable_member(struct json *table, const char *key)
{
	return (struct json *)(uintptr_t)json_member(table, key);
}

// The table `key` of `*table`, made if it isn't there.
static fallible enter(struct toml *t, const char *key, struct json **table)
{
	struct json *next = mutable_member(*table, key);
	if (!next) {
		if (++t->n_items > TOML_ITEMS_LIMIT)
			return error_new(ERROR_LIMIT, "line %u: too many keys", t->line);
		next = json_new_object();
		json_set(*table, key, next);
	}
	if (json_kind(next) != JSON_OBJECT)
		return wrong(t, "a key that is no table");
	*table = next;
	return NULL;
}

// a."b".c: all but the last are entered.
static fallible parse_keys(struct toml *t, struct json **table, char **ret_last)
{
	auto_free char *key = NULL;
	TRY(parse_key(t, &key));
	skip_blanks(t);
	for (unsigned depth = 1; eat(t, '.'); depth++) {
		if (depth >= TOML_DEPTH_LIMIT)
			return error_new(ERROR_LIMIT, "line %u: keys too deep", t->line);
		TRY(enter(t, key, table));
		skip_blanks(t);
		free(take(&key));
		TRY(parse_key(t, &key));
		skip_blanks(t);
	}
	*ret_last = take(&key);
	return NULL;
}

static fallible parse_value(struct toml *t, unsigned depth, struct json **ret);

static fallible parse_pair(struct toml *t, unsigned depth, struct json *table)
{
	auto_free char *key = NULL;
	auto_json struct json *value = NULL;
	TRY(parse_keys(t, &table, &key));
	if (!eat(t, '='))
		return wrong(t, "\"=\" is missing");
	if (json_member(table, key))
		return wrong(t, "a key twice");
	skip_blanks(t);
	TRY(parse_value(t, depth, &value));
	json_set(table, key, take(&value));
	return NULL;
}

static fallible parse_array(struct toml *t, unsigned depth, struct json **ret)
{
	auto_json struct json *array = json_new_array();
	for (;;) {
		auto_json struct json *value = NULL;
		skip_lines(t);
		if (eat(t, ']'))
			break;
		TRY(parse_value(t, depth, &value));
		json_append(array, take(&value));
		skip_lines(t);
		if (!eat(t, ',') && peek(t) != ']')
			return wrong(t, "\",\" or \"]\" is missing");
	}
	*ret = take(&array);
	return NULL;
}

static fallible parse_inline_table(struct toml *t, unsigned depth, struct json **ret)
{
	auto_json struct json *table = json_new_object();
	skip_blanks(t);
	for (bool more = !eat(t, '}'); more;) {
		skip_blanks(t);
		TRY(parse_pair(t, depth, table));
		skip_blanks(t);
		more = eat(t, ',');
		if (!more && !eat(t, '}'))
			return wrong(t, "\",\" or \"}\" is missing");
	}
	*ret = take(&table);
	return NULL;
}

static fallible parse_word(struct toml *t, struct json **ret)
{
	static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_-+.:";
	const char *start = t->at;
	while (peek(t) > 0 && strchr(word, peek(t)) && t->at - start < 64)
		t->at++;
	auto_free char *text = alloc_bytes(start, (size_t)(t->at - start));
	if (!strcmp(text, "true") || !strcmp(text, "false")) {
		*ret = json_new_bool(*text == 't');
		return NULL;
	}
	int64_t number;
	struct error *e = text_parse_i64(text, INT64_MIN, INT64_MAX, &number);
	if (e) {
		error_free(e);
		return wrong(t, "a value that is no string, number, boolean, array or table");
	}
	*ret = json_new_i64(number);
	return NULL;
}

static fallible parse_value(struct toml *t, unsigned depth, struct json **ret)
{
	if (depth >= TOML_DEPTH_LIMIT || ++t->n_items > TOML_ITEMS_LIMIT)
		return error_new(ERROR_LIMIT, "line %u: too deep or too many values", t->line);
	if (peek(t) == '"' || peek(t) == '\'') {
		auto_free char *text = NULL;
		TRY(parse_string(t, &text));
		*ret = json_new_string(text);
		return NULL;
	}
	if (eat(t, '['))
		return parse_array(t, depth + 1, ret);
	if (eat(t, '{'))
		return parse_inline_table(t, depth + 1, ret);
	return parse_word(t, ret);
}

static fallible parse_header(struct toml *t, struct json *root, struct json **ret)
{
	auto_free char *key = NULL;
	if (peek(t) == '[')
		return wrong(t, "arrays of tables are not supported");
	*ret = root;
	skip_blanks(t);
	TRY(parse_keys(t, ret, &key));
	TRY(enter(t, key, ret));
	if (!eat(t, ']'))
		return wrong(t, "\"]\" is missing");
	return end_line(t);
}

fallible toml_parse(const char *text, size_t size, struct json **ret)
{
	if (size > TOML_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "more than %d bytes", TOML_SIZE_LIMIT);
	if (!text_is_utf8(text, size) || memchr(text, 0, size))
		return error_new(ERROR_INVALID, "not UTF-8");
	struct toml t = {.at = text, .end = text + size, .line = 1};
	auto_json struct json *root = json_new_object();
	struct json *table = root;
	for (skip_lines(&t); peek(&t) >= 0; skip_lines(&t)) {
		if (eat(&t, '[')) {
			TRY(parse_header(&t, root, &table));
		} else {
			TRY(parse_pair(&t, 0, table));
			TRY(end_line(&t));
		}
	}
	*ret = take(&root);
	return NULL;
}
