// SPDX-License-Identifier: Apache-2.0
// What stands in a file of block I/O classes.
#include "engine/blockio.h"
#include "yaml/yaml.h"
#include <string.h>
#include <strings.h>

static const struct field {
	const char *name;
	int64_t least, most; // -1: any
} fields[BLOCKIO_VALUES] = {
	[BLOCKIO_WEIGHT] = {"Weight", 10, 1000},
	[BLOCKIO_READ_BPS] = {"ThrottleReadBps", 0, -1},
	[BLOCKIO_WRITE_BPS] = {"ThrottleWriteBps", 0, -1},
	[BLOCKIO_READ_IOPS] = {"ThrottleReadIOPS", 0, -1},
	[BLOCKIO_WRITE_IOPS] = {"ThrottleWriteIOPS", 0, -1},
};

// ---- Quantities ---------------------------------------------------------------------------------

// Digits, one at least, with a point somewhere: *ret_value / 10^*ret_places. More than 18 are none
// here.
static bool read_decimal(const char **p, uint64_t *ret_value, unsigned *ret_places)
{
	unsigned n = 0, places = 0;
	bool has_point = false;
	*ret_value = 0;
	for (; (**p >= '0' && **p <= '9') || (**p == '.' && !has_point); (*p)++) {
		if (**p == '.') {
			has_point = true;
			continue;
		}
		*ret_value = *ret_value * 10 + (uint64_t)(**p - '0');
		places += has_point;
		if (++n > 18)
			return false;
	}
	*ret_places = places;
	return n > 0;
}

static bool read_suffix(const char *p, unsigned *ret_tens, unsigned *ret_twos, unsigned *ret_places)
{
	static const struct {
		char name[3];
		unsigned char tens, twos, places;
	} suffixes[] = {
		{"", 0, 0, 0},    {"n", 0, 0, 9},   {"u", 0, 0, 6},   {"m", 0, 0, 3},
		{"k", 3, 0, 0},   {"M", 6, 0, 0},   {"G", 9, 0, 0},   {"T", 12, 0, 0},
		{"P", 15, 0, 0},  {"E", 18, 0, 0},  {"Ki", 0, 10, 0}, {"Mi", 0, 20, 0},
		{"Gi", 0, 30, 0}, {"Ti", 0, 40, 0}, {"Pi", 0, 50, 0}, {"Ei", 0, 60, 0},
	};
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		if (strcmp(suffixes[i].name, p) != 0)
			continue;
		*ret_tens = suffixes[i].tens;
		*ret_twos = suffixes[i].twos;
		*ret_places += suffixes[i].places;
		return true;
	}
	int64_t exponent;
	if (*p != 'e' && *p != 'E')
		return false;
	struct error *e = text_parse_i64(p + 1 + (p[1] == '+'), -18, 18, &exponent);
	if (e) {
		error_free(e);
		return false;
	}
	*ret_tens = exponent > 0 ? (unsigned)exponent : 0;
	*ret_places += exponent < 0 ? (unsigned)-exponent : 0;
	return true;
}

bool blockio_quantity(const char *text, int64_t *ret)
{
	bool is_negative = *text == '-';
	const char *p = text + (*text == '-' || *text == '+');
	uint64_t digits = 0;
	unsigned places = 0, tens = 0, twos = 0;
	if (!read_decimal(&p, &digits, &places) || !read_suffix(p, &tens, &twos, &places))
		return false;
	// Under 10^18 · 2^60: it fits.
	unsigned __int128 value = (unsigned __int128)digits << twos;
	for (; tens; tens--)
		value *= 10;
	for (bool rest = false; places; places--) {
		rest |= value % 10 != 0;
		value = value / 10 + (places == 1 && rest);
	}
	int64_t most = value > INT64_MAX ? INT64_MAX : (int64_t)value;
	*ret = is_negative ? -most : most;
	return true;
}

// ---- Classes ------------------------------------------------------------------------------------

static void rule_done(struct blockio_rule *rule)
{
	strings_done(&rule->devices);
}

void blockio_class_done(struct blockio_class *class)
{
	for (size_t i = 0; i < class->n; i++)
		rule_done(&class->rules[i]);
	free(class->rules);
	*class = (struct blockio_class){0};
}

static fallible read_quantity(const struct field *f, const char *text, int64_t *ret)
{
	int64_t value;
	if (!*text)
		return NULL;
	if (!blockio_quantity(text, &value))
		return error_new(ERROR_INVALID, "syntax error in \"%s\" (\"%.64s\")", f->name,
		                 text);
	if (value < f->least)
		return error_new(ERROR_INVALID,
		                 "value of \"%s\" (%lld) smaller than minimum (%lld)", f->name,
		                 (long long)value, (long long)f->least);
	if (f->most != -1 && value > f->most)
		return error_new(ERROR_INVALID, "value of \"%s\" (%lld) bigger than maximum (%lld)",
		                 f->name, (long long)value, (long long)f->most);
	*ret = value;
	return NULL;
}

static fallible read_devices(const struct json *value, const struct json_path *path,
                             struct blockio_rule *rule)
{
	rule->has_devices = true;
	TRY(json_as_array(value, path));
	if (json_size(value) > BLOCKIO_DEVICES_LIMIT)
		return error_new(ERROR_LIMIT, "more than %d devices in one list",
		                 BLOCKIO_DEVICES_LIMIT);
	for (size_t i = 0; i < json_size(value); i++) {
		const struct json_path item = {path, NULL, i};
		const char *text = "";
		TRY(json_as_string(json_item(value, i), &item, &text));
		strings_add(&rule->devices, text);
	}
	return NULL;
}

// A member, by Go's rules: in whatever case, and none but these.
static fallible read_member(const char *key, const struct json *value,
                            const struct json_path *parent, struct blockio_rule *rule)
{
	const struct json_path path = {parent, key, 0};
	if (!strcasecmp(key, "Devices"))
		return value ? read_devices(value, &path, rule) : NULL;
	for (size_t i = 0; i < BLOCKIO_VALUES; i++) {
		const char *text = "";
		if (strcasecmp(key, fields[i].name) != 0)
			continue;
		if (value)
			TRY(json_as_string(value, &path, &text));
		return read_quantity(&fields[i], text, &rule->values[i]);
	}
	return error_new(ERROR_INVALID, "unknown field \"%.64s\"", key);
}

static fallible read_rule(const struct json *value, const struct json_path *path,
                          struct blockio_rule *rule)
{
	struct json_cursor cursor = {0};
	const char *key;
	const struct json *member;
	for (size_t i = 0; i < BLOCKIO_VALUES; i++)
		rule->values[i] = -1;
	if (!value)
		return NULL;
	TRY(json_as_object(value, path));
	while (json_next(value, &cursor, &key, &member))
		TRY(read_member(key, member, path, rule));
	for (size_t i = BLOCKIO_READ_BPS; i < BLOCKIO_VALUES && !rule->has_devices; i++) {
		if (rule->values[i] != -1)
			return error_new(ERROR_INVALID, "%s: Devices not listed", fields[i].name);
	}
	return NULL;
}

static fallible read_class(const struct json *value, const struct json_path *path,
                           struct blockio_class *class)
{
	class->is_there = true;
	if (value)
		TRY(json_as_array(value, path));
	for (size_t i = 0; i < json_size(value); i++) {
		const struct json_path item = {path, NULL, i};
		alloc_grow(&class->rules, &class->capacity, class->n + 1, sizeof *class->rules);
		TRY(read_rule(json_item(value, i), &item, &class->rules[class->n++]));
	}
	return NULL;
}

static fallible read_classes(const struct json *classes, const char *wanted,
                             struct blockio_class *ret)
{
	const struct json_path path = {NULL, "Classes", 0};
	struct json_cursor cursor = {0};
	const char *name;
	const struct json *value;
	if (!classes)
		return NULL;
	TRY(json_as_object(classes, &path));
	while (json_next(classes, &cursor, &name, &value)) {
		const struct json_path here = {&path, name, 0};
		auto_blockio_class struct blockio_class class = {0};
		TRY(read_class(value, &here, &class));
		if (strcmp(name, wanted) != 0)
			continue;
		blockio_class_done(ret);
		*ret = class;
		class = (struct blockio_class){0};
	}
	return NULL;
}

fallible blockio_parse(const char *text, size_t size, const char *wanted, struct blockio_class *ret)
{
	auto_json struct json *document = NULL;
	auto_blockio_class struct blockio_class class = {0};
	struct json_cursor cursor = {0};
	const char *key;
	const struct json *value;
	TRY(yaml_parse(text, size, BLOCKIO_SIZE_LIMIT, &document));
	if (document && json_kind(document) != JSON_OBJECT)
		return error_new(ERROR_INVALID, "not a map with the key Classes");
	while (document && json_next(document, &cursor, &key, &value)) {
		if (strcasecmp(key, "Classes") != 0)
			return error_new(ERROR_INVALID, "unknown field \"%.64s\"", key);
		TRY(read_classes(value, wanted, &class));
	}
	*ret = class;
	class = (struct blockio_class){0};
	return NULL;
}
