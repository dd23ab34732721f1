// SPDX-License-Identifier: Apache-2.0
// Any bytes to the hive reader; their checksum is made right, else nothing would be read. What was
// read must survive being merged with itself, written, and read again.
#include "hive/hive.h"
#include <stdlib.h>

static void seal(unsigned char *bytes, size_t size)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free unsigned char *bytes = malloc(size + 1);
	auto_hive struct hive *h = NULL, *other = NULL, *again = NULL;
	auto_str struct str out = STR_LIMIT(64 << 20);
	memcpy(bytes, data, size);
	seal(bytes, size);
	struct error *e = hive_read(bytes, size, &h);
	if (!e)
		e = hive_read(bytes, size, &other);
	if (!e)
		e = hive_merge(other, h);
	if (!e)
		e = hive_write(other, &out);
	if (!e) {
		e = hive_read(out.bytes, out.size, &again);
		// Big data stands once in the file and many times in the tree.
		if (e && e->code != ERROR_LIMIT)
			abort();
	}
	error_free(e);
	return 0;
}
