// SPDX-License-Identifier: Apache-2.0
// Between the files of this room: `struct json` is json-c's object under our name.
#pragma once
#include "json/json.h"
#include <json-c/json_object.h>

static inline struct json_object *inner(const struct json *value)
{
	return (struct json_object *)(uintptr_t)value;
}

static inline struct json *outer(struct json_object *object)
{
	return (struct json *)object;
}

// json-c says NULL when memory is short; alloc() ends the process in that case, and so does this.
struct json_object *json_made(struct json_object *object);
// Puts `value` under `key` as the last member, an earlier one of that name goes.
void json_put_last(struct json_object *object, const char *key, struct json_object *value);
