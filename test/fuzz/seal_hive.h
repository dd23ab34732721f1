// SPDX-License-Identifier: Apache-2.0
// Random bytes hardly ever have a hive's checksum: it is put right.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void seal_hive(unsigned char *bytes, size_t size)
{
	uint32_t sum = 0;
	if (size < 512)
		return;
	for (size_t i = 0; i < 508; i += 4) {
		uint32_t word;
		memcpy(&word, bytes + i, 4);
		sum ^= word;
	}
	sum = sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
	memcpy(bytes + 508, &sum, 4);
}
