// SPDX-License-Identifier: Apache-2.0
// Any bytes to the hive reader; their checksum is made right, else nothing would be read. What was
// read must survive being merged with itself, written, and read again.
#include "hive/hive.h"
#include "seal_hive.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free unsigned char *bytes = malloc(size + 1);
	auto_hive struct hive *h = NULL, *other = NULL, *again = NULL;
	auto_str struct str out = STR_LIMIT(64 << 20);
	memcpy(bytes, data, size);
	seal_hive(bytes, size);
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
