// SPDX-License-Identifier: Apache-2.0
#include "network/field.h"

fallible field_string(const struct json *object, const char *key, const char **ret)
{
	struct json_path path = {.name = key};
	const struct json *value = json_member_folded(object, key);
	return value ? json_as_string(value, &path, ret) : NULL;
}

fallible field_bool(const struct json *object, const char *key, bool *ret)
{
	struct json_path path = {.name = key};
	const struct json *value = json_member_folded(object, key);
	return value ? json_as_bool(value, &path, ret) : NULL;
}

fallible field_int(const struct json *object, const char *key, int64_t min, int64_t max,
                   int64_t *ret)
{
	struct json_path path = {.name = key};
	const struct json *value = json_member_folded(object, key);
	return value ? json_as_i64(value, &path, min, max, ret) : NULL;
}

fallible field_object(const struct json *object, const char *key, const struct json **ret)
{
	struct json_path path = {.name = key};
	const struct json *value = json_member_folded(object, key);
	if (!value)
		return NULL;
	TRY(json_as_object(value, &path));
	*ret = value;
	return NULL;
}

fallible field_array(const struct json *object, const char *key, size_t max_items,
                     const struct json **ret)
{
	struct json_path path = {.name = key};
	const struct json *value = json_member_folded(object, key);
	if (!value)
		return NULL;
	TRY(json_as_array(value, &path));
	if (json_size(value) > max_items)
		return error_new(ERROR_LIMIT, "%s: more than %zu items", key, max_items);
	*ret = value;
	return NULL;
}

fallible field_strings(const struct json *object, const char *key, struct strings *ret)
{
	const struct json *array = NULL;
	TRY(field_array(object, key, 256, &array));
	struct json_path parent = {.name = key};
	for (size_t i = 0; i < json_size(array); i++) {
		struct json_path path = {.parent = &parent, .index = i};
		const char *text = "";
		if (json_item(array, i))
			TRY(json_as_string(json_item(array, i), &path, &text));
		strings_add(ret, text);
	}
	return NULL;
}
