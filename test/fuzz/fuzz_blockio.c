// SPDX-License-Identifier: Apache-2.0
// Files of block I/O classes, which are YAML; what is read keeps to its bounds. And a quantity.
#include "engine/blockio.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free char *text = alloc_bytes(bytes, size);
	int64_t value;
	(void)blockio_quantity(text, &value);
	auto_blockio_class struct blockio_class class = {0};
	auto_error struct error *e = blockio_parse((const char *)bytes, size, "a", &class);
	if (e && class.is_there)
		abort();
	for (size_t i = 0; i < class.n; i++) {
		const struct blockio_rule *rule = &class.rules[i];
		int64_t weight = rule->values[BLOCKIO_WEIGHT];
		if ((weight != -1 && (weight < 10 || weight > 1000)) ||
		    rule->devices.n > BLOCKIO_DEVICES_LIMIT)
			abort();
		for (size_t k = BLOCKIO_READ_BPS; k < BLOCKIO_VALUES; k++) {
			if (rule->values[k] < -1 || (rule->values[k] != -1 && !rule->has_devices))
				abort();
		}
	}
	return 0;
}
