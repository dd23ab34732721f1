// SPDX-License-Identifier: Apache-2.0
// TOML, as much of it as hosts.toml needs, into a json tree: tables, dotted and quoted keys, basic
// and literal strings, booleans, integers, arrays, inline tables, comments. Refused with the line
// they stand in: multi-line strings, arrays of tables, floats, dates, a key twice. Pure.
// Specification: TOML 1.0.
#pragma once
#include "base/error.h"
#include "json/json.h"

enum { TOML_SIZE_LIMIT = 1 << 20, TOML_DEPTH_LIMIT = 16, TOML_ITEMS_LIMIT = 10000 };

// *ret is the caller's. Errors: INVALID, `line 3: …`; LIMIT.
fallible toml_parse(const char *text, size_t size, struct json **ret);
