// SPDX-License-Identifier: Apache-2.0
// Regular expressions as Go's regexp takes them (RE2's syntax), for filters: is there a match
// anywhere in a text? In a time of at most the pattern's size by the text's, without backtracking,
// and with bounded memory, whatever the pattern is.
// Unlike Go's: \pL and other classes of Unicode and \Q…\E are refused, as is what becomes more than
// REGEX_PROGRAM_LIMIT steps; (?i) knows the letters of ASCII alone.
// Specification: https://github.com/google/re2/wiki/Syntax; Go 1.24, regexp/syntax (messages).
#pragma once
#include "base/error.h"
#include <stdbool.h>

enum { REGEX_SIZE_LIMIT = 4096, REGEX_PROGRAM_LIMIT = 8192, REGEX_DEPTH_LIMIT = 100 };

struct regex;
// Errors: INVALID, "error parsing regexp: missing closing ): `(a`", in Go's words.
fallible regex_parse(const char *pattern, struct regex **ret);
void regex_free(struct regex *re); // takes NULL
bool regex_matches(const struct regex *re, const char *text);

static inline void regex_cleanup_(struct regex **re)
{
	regex_free(*re);
}
#define auto_regex defer(regex_cleanup_)
