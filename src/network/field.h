// SPDX-License-Identifier: Apache-2.0
// Members of plugin objects, found as Go's decoder finds them: by folded names, null is absent.
// *ret stays untouched if the member is absent. Private to network/.
#pragma once
#include "json/json.h"

fallible field_string(const struct json *object, const char *key, const char **ret);
fallible field_bool(const struct json *object, const char *key, bool *ret);
fallible field_int(const struct json *object, const char *key, int64_t min, int64_t max,
                   int64_t *ret);
fallible field_object(const struct json *object, const char *key, const struct json **ret);
fallible field_array(const struct json *object, const char *key, size_t max_items,
                     const struct json **ret);
// Appends the texts of an array of strings (at most 256).
fallible field_strings(const struct json *object, const char *key, struct strings *ret);
