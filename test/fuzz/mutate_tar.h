// SPDX-License-Identifier: Apache-2.0
// Random bytes hardly ever have a header's checksum: after each mutation it is put right.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void fix_checksum(uint8_t *header)
{
	char text[8];
	unsigned sum = 0;
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += header[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header + 148, text, 7);
}

// The first byte is the fuzzer's own; headers stand at multiples of 512 behind it.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	for (size_t at = 1; seed % 16 && at + 512 <= size; at += 512)
		if (!memcmp(data + at + 257, "ustar", 5))
			fix_checksum(data + at);
	return size;
}
