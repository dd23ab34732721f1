// SPDX-License-Identifier: Apache-2.0
// From libyaml's events, so that each bound holds before anything is kept. An alias shares the
// value that its anchor had: a billion laughs take no memory, and are counted when they are told.
#include "yaml/yaml.h"
#include <string.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	size_t n_values;
	struct anchor {
		char *name;
		struct json *value;
		size_t n_values; // in it
	} anchors[YAML_ANCHORS_LIMIT];
	size_t n_anchors;
};

static void reader_done(struct reader *r)
{
	yaml_parser_delete(&r->parser);
	for (size_t i = 0; i < r->n_anchors; i++) {
		free(r->anchors[i].name);
		json_free(r->anchors[i].value);
	}
}

#define auto_event defer(yaml_event_delete) yaml_event_t

static struct error *wrong(const yaml_event_t *event, const char *why)
{
	return error_new(ERROR_INVALID, "line %zu: %s", event->start_mark.line + 1, why);
}

static struct error *too_much(const char *what, size_t limit)
{
	return error_new(ERROR_LIMIT, "more than %zu %s", limit, what);
}

static fallible next(struct reader *r, yaml_event_t *ret)
{
	if (yaml_parser_parse(&r->parser, ret))
		return NULL;
	return error_new(ERROR_INVALID, "line %zu: %s", r->parser.problem_mark.line + 1,
	                 r->parser.problem ? r->parser.problem : "no memory for it");
}

static fallible count(struct reader *r, size_t n)
{
	if (n > YAML_VALUES_LIMIT - r->n_values)
		return too_much("values", YAML_VALUES_LIMIT);
	r->n_values += n;
	return NULL;
}

static fallible read_value(struct reader *r, const yaml_event_t *event, unsigned depth,
                           struct json **ret);

static fallible read_text(const yaml_event_t *event, const char **ret)
{
	const char *text = (const char *)event->data.scalar.value;
	if (strlen(text) != event->data.scalar.length)
		return wrong(event, "a zero byte");
	*ret = text;
	return NULL;
}

static fallible read_scalar(const yaml_event_t *event, struct json **ret)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	const char *text = "";
	TRY(read_text(event, &text));
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
			if (!strcmp(text, nulls[i])) {
				*ret = NULL;
				return NULL;
			}
		}
	}
	*ret = json_new_string(text);
	return NULL;
}

static fallible read_list(struct reader *r, unsigned depth, struct json **ret)
{
	auto_json struct json *list = json_new_array();
	for (;;) {
		auto_event event = {0};
		TRY(next(r, &event));
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		struct json *item;
		TRY(read_value(r, &event, depth + 1, &item));
		json_append(list, item);
	}
	*ret = take(&list);
	return NULL;
}

static fallible read_key(const yaml_event_t *event, struct strings *keys)
{
	const char *key = "";
	if (event->type != YAML_SCALAR_EVENT)
		return wrong(event, "a key that is no text");
	TRY(read_text(event, &key));
	if (!strcmp(key, "<<"))
		return wrong(event, "merge keys (<<) are not supported");
	if (strings_has(keys, key))
		return wrong(event, "a key that stands twice");
	strings_add(keys, key);
	return NULL;
}

static fallible read_map(struct reader *r, unsigned depth, struct json **ret)
{
	auto_json struct json *map = json_new_object();
	auto_strings struct strings keys = {0};
	for (;;) {
		auto_event key = {0};
		auto_event event = {0};
		TRY(next(r, &key));
		if (key.type == YAML_MAPPING_END_EVENT)
			break;
		TRY(read_key(&key, &keys));
		TRY(next(r, &event));
		struct json *value;
		TRY(read_value(r, &event, depth + 1, &value));
		json_set(map, keys.items[keys.n - 1], value);
	}
	*ret = take(&map);
	return NULL;
}

static fallible read_alias(struct reader *r, const yaml_event_t *event, struct json **ret)
{
	const char *name = (const char *)event->data.alias.anchor;
	for (size_t i = r->n_anchors; i > 0; i--) { // the last of a name
		const struct anchor *a = &r->anchors[i - 1];
		if (strcmp(a->name, name) != 0)
			continue;
		TRY(count(r, a->n_values));
		*ret = json_share(a->value);
		return NULL;
	}
	return wrong(event, "an alias of nothing that ended before");
}

static fallible keep_anchor(struct reader *r, const yaml_char_t *name, struct json *value,
                            size_t n_values)
{
	if (!name)
		return NULL;
	if (r->n_anchors == YAML_ANCHORS_LIMIT)
		return too_much("anchors", YAML_ANCHORS_LIMIT);
	r->anchors[r->n_anchors++] =
		(struct anchor){alloc_string((const char *)name), json_share(value), n_values};
	return NULL;
}

static fallible read_value(struct reader *r, const yaml_event_t *event, unsigned depth,
                           struct json **ret)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	auto_json struct json *value = NULL;
	size_t before = r->n_values;
	if (depth > YAML_DEPTH_LIMIT)
		return too_much("levels", YAML_DEPTH_LIMIT);
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event, ret);
	TRY(count(r, 1));
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		TRY(read_scalar(event, &value));
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		TRY(read_list(r, depth, &value));
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		TRY(read_map(r, depth, &value));
		break;
	default:
		return wrong(event, "no value");
	}
	if (tag)
		return wrong(event, "tags are not supported");
	TRY(keep_anchor(r, anchor, value, r->n_values - before));
	*ret = take(&value);
	return NULL;
}

static fallible read_stream(struct reader *r, struct json **ret)
{
	auto_json struct json *value = NULL;
	bool has_one = false;
	for (;;) {
		auto_event event = {0};
		TRY(next(r, &event));
		switch (event.type) {
		case YAML_STREAM_END_EVENT:
			*ret = take(&value);
			return NULL;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		default:
			if (has_one)
				return wrong(&event, "a second document");
			has_one = true;
			TRY(read_value(r, &event, 1, &value));
		}
	}
}

fallible yaml_parse(const char *text, size_t size, size_t size_limit, struct json **ret)
{
	if (size > size_limit)
		return too_much("bytes", size_limit);
	defer(reader_done) struct reader r = {0};
	if (!yaml_parser_initialize(&r.parser))
		return error_new(ERROR_LIMIT, "no memory for it");
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	return read_stream(&r, ret);
}
