// SPDX-License-Identifier: Apache-2.0
// Reading: typed getters and their errors.
#include "json/private.h"
#include <inttypes.h>
#include <json-c/json_object_iterator.h>
#include <json-c/linkhash.h>
#include <string.h>

#define NAME_SHOWN 40  // bytes of one name in a message: it may be foreign
#define PATH_SHOWN 128 // bytes of a whole path

enum json_kind json_kind(const struct json *value)
{
	switch (json_object_get_type(inner(value))) {
	case json_type_boolean:
		return JSON_BOOL;
	case json_type_int:
		return JSON_NUMBER;
	case json_type_double:
		return JSON_REAL;
	case json_type_string:
		return JSON_STRING;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_object:
		return JSON_OBJECT;
	case json_type_null:
		break;
	}
	return JSON_NULL;
}

const char *json_kind_name(enum json_kind type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",        [JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",  [JSON_REAL] = "a real number",
		[JSON_STRING] = "a string",  [JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	return names[type];
}

static void add_name(struct str *out, const char *name)
{
	size_t size = strlen(name), shown = size > NAME_SHOWN ? NAME_SHOWN : size;
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)name[i];
		str_add_char(out, c < 0x20 || c >= 0x7f ? '?' : (char)c);
	}
	if (shown < size)
		str_add(out, "...");
}

#define PATH_PARTS 16 // shown, the innermost ones

static void add_path(struct str *out, const struct json_path *path)
{
	const struct json_path *parts[PATH_PARTS];
	size_t n = 0;
	for (; path && n < PATH_PARTS; path = path->parent)
		parts[n++] = path;
	while (n--) {
		if (!parts[n]->name) {
			str_printf(out, "[%zu]", parts[n]->index);
			continue;
		}
		if (out->size)
			str_add_char(out, '.');
		add_name(out, parts[n]->name);
	}
}

char *json_path_text(const struct json_path *path)
{
	auto_str struct str out = STR_LIMIT(PATH_SHOWN);
	add_path(&out, path);
	return str_take(&out);
}

static struct error *wrong(const struct json_path *path, enum error_code code, const char *what)
{
	auto_free char *where = json_path_text(path);
	return error_new(code, "%s%s%s", where, *where ? ": " : "", what);
}

static struct error *wrong_type(const struct json_path *path, const char *wanted)
{
	auto_free char *where = json_path_text(path);
	return error_new(ERROR_INVALID, "%s%snot %s", where, *where ? ": " : "", wanted);
}

fallible json_as_string(const struct json *value, const struct json_path *path, const char **ret)
{
	if (json_kind(value) != JSON_STRING)
		return wrong_type(path, "a string");
	*ret = json_object_get_string(inner(value));
	return NULL;
}

fallible json_as_bool(const struct json *value, const struct json_path *path, bool *ret)
{
	if (json_kind(value) != JSON_BOOL)
		return wrong_type(path, "a boolean");
	*ret = json_object_get_boolean(inner(value));
	return NULL;
}

fallible json_as_u64(const struct json *value, const struct json_path *path, uint64_t max,
                     uint64_t *ret)
{
	if (json_kind(value) != JSON_NUMBER)
		return wrong_type(path, "a whole number");
	int64_t low = json_object_get_int64(inner(value)); // the largest, if it's beyond
	uint64_t high = json_object_get_uint64(inner(value));
	if (low < 0 || high > max) {
		auto_free char *where = json_path_text(path);
		return error_new(ERROR_INVALID, "%s%snot a number from 0 to %" PRIu64, where,
		                 *where ? ": " : "", max);
	}
	*ret = high;
	return NULL;
}

fallible json_as_i64(const struct json *value, const struct json_path *path, int64_t min,
                     int64_t max, int64_t *ret)
{
	if (json_kind(value) != JSON_NUMBER)
		return wrong_type(path, "a whole number");
	int64_t low = json_object_get_int64(inner(value));
	bool beyond = low > 0 && json_object_get_uint64(inner(value)) > INT64_MAX;
	if (beyond || low < min || low > max) {
		auto_free char *where = json_path_text(path);
		return error_new(ERROR_INVALID, "%s%snot a number from %" PRId64 " to %" PRId64,
		                 where, *where ? ": " : "", min, max);
	}
	*ret = low;
	return NULL;
}

fallible json_as_object(const struct json *value, const struct json_path *path)
{
	return json_kind(value) == JSON_OBJECT ? NULL : wrong_type(path, "an object");
}

fallible json_as_array(const struct json *value, const struct json_path *path)
{
	return json_kind(value) == JSON_ARRAY ? NULL : wrong_type(path, "an array");
}

const struct json *json_member(const struct json *object, const char *key)
{
	struct json_object *value = NULL;
	if (json_kind(object) != JSON_OBJECT ||
	    !json_object_object_get_ex(inner(object), key, &value))
		return NULL;
	return outer(value);
}

// Go folds by Unicode's simple folding: beside the ASCII letters, the Kelvin sign is a k and the
// long s is an s.
static char fold_one(const char **p)
{
	const unsigned char *b = (const unsigned char *)*p;
	if (b[0] == 0xe2 && b[1] == 0x84 && b[2] == 0xaa) {
		*p += 3;
		return 'k';
	}
	if (b[0] == 0xc5 && b[1] == 0xbf) {
		*p += 2;
		return 's';
	}
	(*p)++;
	return (char)(b[0] >= 'A' && b[0] <= 'Z' ? b[0] | 32 : b[0]);
}

static bool folds_equal(const char *a, const char *b)
{
	while (*a && *b)
		if (fold_one(&a) != fold_one(&b))
			return false;
	return !*a && !*b;
}

const struct json *json_member_folded(const struct json *object, const char *key)
{
	const struct json *found = NULL, *value;
	const char *name;
	for (struct json_cursor at = {0}; json_next(object, &at, &name, &value);)
		if (folds_equal(name, key))
			found = value;
	return found;
}

fallible json_get_string(const struct json *object, const struct json_path *path, const char *key,
                         const char **ret)
{
	const struct json *value = json_member(object, key);
	struct json_path here = {path, key, 0};
	return value ? json_as_string(value, &here, ret) : NULL;
}

fallible json_get_bool(const struct json *object, const struct json_path *path, const char *key,
                       bool *ret)
{
	const struct json *value = json_member(object, key);
	struct json_path here = {path, key, 0};
	return value ? json_as_bool(value, &here, ret) : NULL;
}

fallible json_get_u64(const struct json *object, const struct json_path *path, const char *key,
                      uint64_t max, uint64_t *ret)
{
	const struct json *value = json_member(object, key);
	struct json_path here = {path, key, 0};
	return value ? json_as_u64(value, &here, max, ret) : NULL;
}

fallible json_get_i64(const struct json *object, const struct json_path *path, const char *key,
                      int64_t min, int64_t max, int64_t *ret)
{
	const struct json *value = json_member(object, key);
	struct json_path here = {path, key, 0};
	return value ? json_as_i64(value, &here, min, max, ret) : NULL;
}

fallible json_get_object(const struct json *object, const struct json_path *path, const char *key,
                         const struct json **ret)
{
	const struct json *value = json_member(object, key);
	struct json_path here = {path, key, 0};
	if (!value)
		return NULL;
	TRY(json_as_object(value, &here));
	*ret = value;
	return NULL;
}

fallible json_get_array(const struct json *object, const struct json_path *path, const char *key,
                        size_t max_items, const struct json **ret)
{
	const struct json *value = json_member(object, key);
	struct json_path here = {path, key, 0};
	if (!value)
		return NULL;
	TRY(json_as_array(value, &here));
	if (json_size(value) > max_items) {
		auto_free char *where = json_path_text(&here);
		return error_new(ERROR_LIMIT, "%s: %zu items, more than %zu", where,
		                 json_size(value), max_items);
	}
	*ret = value;
	return NULL;
}

static fallible require(const struct json *object, const struct json_path *path, const char *key)
{
	struct json_path here = {path, key, 0};
	return json_member(object, key) ? NULL : wrong(&here, ERROR_INVALID, "missing");
}

fallible json_require_string(const struct json *object, const struct json_path *path,
                             const char *key, const char **ret)
{
	TRY(require(object, path, key));
	return json_get_string(object, path, key, ret);
}

fallible json_require_u64(const struct json *object, const struct json_path *path, const char *key,
                          uint64_t max, uint64_t *ret)
{
	TRY(require(object, path, key));
	return json_get_u64(object, path, key, max, ret);
}

fallible json_require_object(const struct json *object, const struct json_path *path,
                             const char *key, const struct json **ret)
{
	TRY(require(object, path, key));
	return json_get_object(object, path, key, ret);
}

fallible json_require_array(const struct json *object, const struct json_path *path,
                            const char *key, size_t max_items, const struct json **ret)
{
	TRY(require(object, path, key));
	return json_get_array(object, path, key, max_items, ret);
}

size_t json_size(const struct json *value)
{
	switch (json_kind(value)) {
	case JSON_ARRAY:
		return json_object_array_length(inner(value));
	case JSON_OBJECT:
		return (size_t)json_object_object_length(inner(value));
	default:
		return 0;
	}
}

const struct json *json_item(const struct json *array, size_t i)
{
	if (json_kind(array) != JSON_ARRAY || i >= json_size(array))
		return NULL;
	return outer(json_object_array_get_idx(inner(array), i));
}

const char *json_text(const struct json *value)
{
	return json_kind(value) == JSON_STRING ? json_object_get_string(inner(value)) : NULL;
}

bool json_next(const struct json *object, struct json_cursor *cursor, const char **ret_key,
               const struct json **ret_value)
{
	if (json_kind(object) != JSON_OBJECT)
		return false;
	const struct lh_entry *entry = cursor->position;
	entry = cursor->begun ? (entry ? entry->next : NULL)
	                      : json_object_get_object(inner(object))->head;
	cursor->begun = true;
	cursor->position = entry;
	if (!entry)
		return false;
	*ret_key = lh_entry_k(entry);
	*ret_value = outer((struct json_object *)(uintptr_t)lh_entry_v(entry));
	return true;
}
