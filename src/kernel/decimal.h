// SPDX-License-Identifier: Apache-2.0
// Numbers as text without stdio, for a child between clone3 and exec. Private to kernel/.
#pragma once
#include <stdint.h>
#include <string.h>

enum { DECIMAL_SIZE = 21, PROC_FD_SIZE = 14 + DECIMAL_SIZE };

// Writes `value` and a zero; returns the number of digits.
static inline size_t decimal(char text[DECIMAL_SIZE], uint64_t value)
{
	char reversed[DECIMAL_SIZE];
	size_t n = 0;
	do
		reversed[n++] = (char)('0' + value % 10);
	while (value /= 10);
	for (size_t i = 0; i < n; i++)
		text[i] = reversed[n - 1 - i];
	text[n] = 0;
	return n;
}

static inline void proc_fd_path(char path[PROC_FD_SIZE], int fd)
{
	memcpy(path, "/proc/self/fd/", 14);
	decimal(path + 14, (uint64_t)fd);
}
