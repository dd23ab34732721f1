// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_SIZE = 21 };
// Writes decimal digits and a zero.
static inline void number_write(char text[NUMBER_SIZE], uint64_t value)
{
	char digits[NUMBER_SIZE];
	size_t n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (size_t i = 0; i < n; i++)
		text[i] = digits[n - 1 - i];
	text[n] = 0;
}

// Reads digits up to the first other byte, at which *text stands afterwards; false: there is none,
// or more than 64 bits.
static inline bool number_parse(const char **text, unsigned base, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *text;
	for (;; p++) {
		unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
		                 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
		                                          : base;
		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (p == *text)
		return false;
	*text = p;
	*ret = value;
	return true;
}
