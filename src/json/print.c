// SPDX-License-Identifier: Apache-2.0
// Printing, byte for byte as Go's encoding/json (1.24) prints. Recursion is bounded by
// JSON_DEPTH_LIMIT for what was parsed, and by our own code for what was built.
#include "json/private.h"
#include <inttypes.h>
#include <json-c/json_object.h>
#include <string.h>

struct printer {
	struct str *out;
	unsigned indent, level;
	enum json_style style;
};

static void print_string(struct printer *s, const char *text)
{
	str_add_char(s->out, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		static const char letters[] = "btnvfr"; // from \b; v stands for itself nowhere
		if (*p == '"' || *p == '\\')
			str_printf(s->out, "\\%c", *p);
		else if (*p >= '\b' && *p <= '\r' && *p != '\v')
			str_printf(s->out, "\\%c", letters[*p - '\b']);
		else if (*p < 0x20 || (s->style & JSON_ESCAPE_HTML && strchr("<>&", *p)))
			str_printf(s->out, "\\u%04x", *p);
		else if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
			str_printf(s->out, "\\u202%x",
			           p[2] & 15); // line separators, for JavaScript
			p += 2;
		} else
			str_add_char(s->out, (char)*p);
	}
	str_add_char(s->out, '"');
}

static void new_line(struct printer *s)
{
	if (!s->indent)
		return;
	str_add_char(s->out, '\n');
	for (unsigned i = 0; i < s->indent * s->level; i++)
		str_add_char(s->out, ' ');
}

static void print_value(struct printer *s, const struct json *value);

static void print_array(struct printer *s, const struct json *array)
{
	size_t n = json_size(array);
	str_add_char(s->out, '[');
	s->level++;
	for (size_t i = 0; i < n; i++) {
		if (i)
			str_add_char(s->out, ',');
		new_line(s);
		print_value(s, json_item(array, i));
	}
	s->level--;
	if (n)
		new_line(s);
	str_add_char(s->out, ']');
}

static void print_member(struct printer *s, const char *key, const struct json *value)
{
	new_line(s);
	print_string(s, key);
	str_add(s->out, s->indent ? ": " : ":");
	print_value(s, value);
}

static void print_object(struct printer *s, const struct json *object)
{
	auto_strings struct strings keys = {0};
	const struct json *value;
	const char *key;
	size_t n = 0;
	str_add_char(s->out, '{');
	s->level++;
	for (struct json_cursor at = {0}; json_next(object, &at, &key, &value);) {
		if (s->style & JSON_SORT_KEYS) {
			strings_add(&keys, key);
			continue;
		}
		if (n++)
			str_add_char(s->out, ',');
		print_member(s, key, value);
	}
	strings_sort(&keys);
	for (size_t i = 0; i < keys.n; i++) {
		if (n++)
			str_add_char(s->out, ',');
		print_member(s, keys.items[i], json_member(object, keys.items[i]));
	}
	s->level--;
	if (n)
		new_line(s);
	str_add_char(s->out, '}');
}

static void print_number(struct printer *s, struct json_object *number)
{
	int64_t low = json_object_get_int64(number);
	if (low < 0)
		str_printf(s->out, "%" PRId64, low);
	else
		str_printf(s->out, "%" PRIu64, json_object_get_uint64(number));
}

static void print_value(struct printer *s, const struct json *value)
{
	switch (json_kind(value)) {
	case JSON_NULL:
		str_add(s->out, "null");
		break;
	case JSON_BOOL:
		str_add(s->out, json_object_get_boolean(inner(value)) ? "true" : "false");
		break;
	case JSON_NUMBER:
		print_number(s, inner(value));
		break;
	case JSON_REAL: // as it was written
		str_add(s->out, json_object_get_userdata(inner(value)));
		break;
	case JSON_STRING:
		print_string(s, json_object_get_string(inner(value)));
		break;
	case JSON_ARRAY:
		print_array(s, value);
		break;
	case JSON_OBJECT:
		print_object(s, value);
		break;
	}
}

void json_print(const struct json *value, unsigned indent, enum json_style style, struct str *out)
{
	struct printer s = {.out = out, .indent = indent, .style = style};
	print_value(&s, value);
}

char *json_to_text(const struct json *value, unsigned indent, enum json_style style)
{
	auto_str struct str out = STR_LIMIT(SIZE_MAX / 2);
	json_print(value, indent, style, &out);
	return str_take(&out);
}
