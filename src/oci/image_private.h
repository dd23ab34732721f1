// SPDX-License-Identifier: Apache-2.0
// Between image.c, config.c and archive.c.
#pragma once
#include "oci/image.h"

bool has_control(const char *text);
// A member that is a map of strings; copied into the arena, sorted by key.
fallible read_pair_list(const struct json *o, const struct json_path *path, const char *key,
                        size_t limit, struct arena *arena, struct oci_pair_list *ret);
struct json *pair_list_json(const struct oci_pair_list *list);
// A member that is an array of strings of at most `size_limit` bytes each.
fallible read_text_list(const struct json *o, const struct json_path *path, const char *key,
                        size_t limit, size_t size_limit, struct arena *arena, const char ***ret,
                        size_t *ret_n);
