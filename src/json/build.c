// SPDX-License-Identifier: Apache-2.0
// Making, sharing, copying and comparing values.
#include "json/private.h"
#include <json-c/linkhash.h>
#include <string.h>

struct json_object *json_made(struct json_object *object)
{
	if (!object) // json-c has no memory
		abort();
	return object;
}

void json_put_last(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_get_ex(object, key, NULL))
		json_object_object_del(object, key);
	if (json_object_object_add(object, key, value))
		abort();
}

void json_free(struct json *value)
{
	json_object_put(inner(value));
}

struct json *json_share(struct json *value)
{
	return outer(json_object_get(inner(value)));
}

struct json *json_copy(const struct json *value)
{
	struct json_object *copy = NULL;
	if (!value)
		return NULL;
	if (json_object_deep_copy(inner(value), &copy, NULL))
		abort();
	return outer(copy);
}

static bool members_equal(const struct json *a, const struct json *b)
{
	const char *key;
	const struct json *value;
	struct json_object *other;
	if (json_size(a) != json_size(b))
		return false;
	for (struct json_cursor at = {0}; json_next(a, &at, &key, &value);)
		if (!json_object_object_get_ex(inner(b), key, &other) ||
		    !json_equal(value, outer(other)))
			return false;
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	enum json_kind type = json_kind(a);
	if (type != json_kind(b))
		return false;
	switch (type) {
	case JSON_NULL:
		return true;
	case JSON_ARRAY:
		if (json_size(a) != json_size(b))
			return false;
		for (size_t i = 0; i < json_size(a); i++)
			if (!json_equal(json_item(a, i), json_item(b, i)))
				return false;
		return true;
	case JSON_OBJECT:
		return members_equal(a, b);
	case JSON_REAL:
		return text_equal(json_object_get_userdata(inner(a)),
		                  json_object_get_userdata(inner(b)));
	default:
		return json_object_equal(inner(a), inner(b));
	}
}

struct json *json_new_object(void)
{
	return outer(json_made(json_object_new_object()));
}

struct json *json_new_array(void)
{
	return outer(json_made(json_object_new_array()));
}

// Bytes that aren't UTF-8 (a path, an argument) can't stand in a document.
static struct json_object *new_repaired(const char *text, size_t size)
{
	auto_str struct str out = STR_LIMIT(size * 3);
	while (size) {
		size_t n = size < 4 ? size : 4;
		while (n && !text_is_utf8(text, n))
			n--;
		str_add_bytes(&out, n ? text : "\xef\xbf\xbd", n ? n : 3);
		text += n ? n : 1;
		size -= n ? n : 1;
	}
	return json_object_new_string_len(out.bytes, (int)out.size);
}

struct json *json_new_string(const char *text)
{
	if (!text)
		return NULL;
	size_t size = strlen(text);
	if (size > INT32_MAX / 3)
		abort();
	if (!text_is_utf8(text, size))
		return outer(json_made(new_repaired(text, size)));
	return outer(json_made(json_object_new_string_len(text, (int)size)));
}

struct json *json_new_bool(bool value)
{
	return outer(json_made(json_object_new_boolean(value)));
}

struct json *json_new_i64(int64_t value)
{
	return outer(json_made(json_object_new_int64(value)));
}

struct json *json_new_u64(uint64_t value)
{
	return outer(json_made(json_object_new_uint64(value)));
}

void json_set(struct json *object, const char *key, struct json *value)
{
	if (json_object_object_add(inner(object), key, inner(value)))
		abort();
}

void json_set_string(struct json *object, const char *key, const char *text)
{
	if (text)
		json_set(object, key, json_new_string(text));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
	json_set(object, key, json_new_bool(value));
}

void json_set_i64(struct json *object, const char *key, int64_t value)
{
	json_set(object, key, json_new_i64(value));
}

void json_set_u64(struct json *object, const char *key, uint64_t value)
{
	json_set(object, key, json_new_u64(value));
}

void json_unset(struct json *object, const char *key)
{
	json_object_object_del(inner(object), key);
}

void json_append(struct json *array, struct json *value)
{
	if (json_object_array_add(inner(array), inner(value)))
		abort();
}

void json_append_string(struct json *array, const char *text)
{
	json_append(array, json_new_string(text));
}
