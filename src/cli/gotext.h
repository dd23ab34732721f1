// SPDX-License-Identifier: Apache-2.0
// Numbers, durations, quoting and times as Go writes and reads them, since scripts compare.
// Specification: Go's packages strconv, flag and time.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdint.h>

// What was wrong with a number.
enum go_result {
	GO_OK,
	GO_SYNTAX, // not a number
	GO_RANGE,  // a number that the type can't hold
};

enum go_result go_parse_bool(const char *text, bool *ret);
// Base 0: decimal, 0x, 0o or 0, 0b; underscores between digits where a prefix or digit precedes.
enum go_result go_parse_int(const char *text, int64_t *ret);
enum go_result go_parse_uint(const char *text, uint64_t *ret); // no sign at all
enum go_result go_parse_float(const char *text, double *ret);
// Nanoseconds. Text as 1h2m3.5s, -1.5ms, 0; units ns us µs ms s m h.
enum go_result go_parse_duration(const char *text, int64_t *ret_ns);

void go_quote(struct str *out, const char *text);  // as %q: in quotes, escaped
void go_time(struct str *out, int64_t ns);         // 2006-01-02 15:04:05.999 +0000 UTC
void go_time_rfc3339(struct str *out, int64_t ns); // 2006-01-02T15:04:05.999Z
void go_time_seconds(struct str *out, int64_t ns); // 2006-01-02T15:04:05Z
