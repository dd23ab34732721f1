// SPDX-License-Identifier: Apache-2.0
// Text: strings that grow up to a limit given at their birth, lists of strings, checked numbers.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include <stdint.h>
#include <string.h>

// A growing byte string. Always has a zero behind its bytes once something was added.
// Going over `limit` bytes drops what does not fit and sets `over`, which the owner checks once.
struct str {
	char *bytes;
	size_t size, capacity, limit;
	bool over;
};
#define STR_LIMIT(n) ((struct str){.limit = (n)})
void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *bytes, size_t size);
void str_add_char(struct str *s, char c);
void str_printf(struct str *s, const char *format, ...) PRINTF(2, 3);
char *str_take(struct str *s); // the caller's; never NULL; *s is empty afterwards
void str_done(struct str *s);
#define auto_str defer(str_done)

// A list of strings that owns them. `items` has a NULL behind the last, once something was added.
struct strings {
	char **items;
	size_t n, capacity;
};
void strings_add(struct strings *l, const char *s); // copies
void strings_adopt(struct strings *l, char *s);     // takes over
void strings_done(struct strings *l);
bool strings_has(const struct strings *l, const char *s);
void strings_sort(struct strings *l); // bytewise
#define auto_strings defer(strings_done)

bool text_equal(const char *a, const char *b); // NULL equals only NULL
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
bool text_is_utf8(const char *bytes, size_t size); // no surrogates, no overlong forms
// Edit distance (Levenshtein) of two names of at most 63 bytes, for "did you mean"; longer: 64.
unsigned text_distance(const char *a, const char *b);

// The one checked parser of numbers. The whole text must be the number, in `base` 10, 16 or 8, no
// sign, no blank. Errors: INVALID, with the text cut to 64 bytes in the message.
fallible text_parse_u64(const char *text, unsigned base, uint64_t max, uint64_t *ret);
// The same with an optional '-'.
fallible text_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret);
