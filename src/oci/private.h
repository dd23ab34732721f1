// SPDX-License-Identifier: Apache-2.0
// Between the files of this room.
#pragma once
#include "base/text.h"
#include "json/json.h"
#include <stddef.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

// Foreign text in a message: at most 64 bytes, nothing that a terminal would obey.
#define SHOWN 68
const char *show(const char *text, char buffer[SHOWN]);

// "PATH.KEY: what" or `PATH.KEY: what "foreign"`; key may be NULL.
struct error *member_error(enum error_code code, const struct json_path *path, const char *key,
                           const char *what, const char *foreign);
