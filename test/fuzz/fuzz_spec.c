// SPDX-License-Identifier: Apache-2.0
// Any bytes to the parser of runtime specs. What is taken and written must be taken again, and
// written the same.
#include "oci/spec.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_oci_spec struct oci_spec *spec = NULL, *again = NULL;
	auto_error struct error *e = oci_spec_parse((const char *)bytes, size, &spec);
	if (e)
		return 0;
	auto_json struct json *o = oci_spec_to_json(spec);
	auto_free char *text = json_to_text(o, 4, JSON_ESCAPE_HTML);
	auto_error struct error *second = oci_spec_parse(text, strlen(text), &again);
	if (second)
		abort();
	auto_json struct json *twice = oci_spec_to_json(again);
	if (!json_equal(o, twice))
		abort();
	return 0;
}
