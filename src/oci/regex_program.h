// SPDX-License-Identifier: Apache-2.0
// What a regular expression is compiled to, between regex.c and regex_match.c. Jumps are relative,
// so that a piece of the program can be moved and copied.
#pragma once
#include "oci/regex.h"
#include <stddef.h>
#include <stdint.h>

enum regex_op {
	REGEX_RANGES, // one character: of `a` and the following `b` ranges
	REGEX_ASSERT, // none, if `a` (enum regex_place) is so here
	REGEX_SPLIT,  // goes on at both, this + a and this + b
	REGEX_JUMP,   // to this + a
	REGEX_MATCH,
};
enum regex_place {
	REGEX_TEXT_BEGIN, // \A, and ^
	REGEX_TEXT_END,
	REGEX_LINE_BEGIN, // ^ after (?m)
	REGEX_LINE_END,
	REGEX_WORD_EDGE, // \b
	REGEX_NO_WORD_EDGE,
};
struct regex_step {
	uint8_t op;
	bool is_negated, folds; // of REGEX_RANGES
	int32_t a, b;
};
struct regex_range {
	uint32_t first, last;
};
struct regex {
	struct regex_step *steps;
	size_t n, capacity;
	struct regex_range *ranges;
	size_t n_ranges, ranges_capacity;
};

#define REGEX_RUNE_MAX 0x10ffffu
// The character at `p`, which isn't at the end of its text, and the bytes it takes. What is no
// UTF-8 is U+FFFD, byte by byte, as in Go.
uint32_t regex_rune(const char *p, size_t *ret_size);
