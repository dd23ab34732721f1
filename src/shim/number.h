// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>
#include <stdint.h>

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
