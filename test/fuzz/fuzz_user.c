// SPDX-License-Identifier: Apache-2.0
// An image's /etc/passwd and /etc/group: foreign bytes, read by the privileged side. The user to
// look for, both files: divided by zero bytes.
#include "engine/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	// Copies of the exact size, so that a byte read too far is seen.
	char *parts[3];
	size_t sizes[3];
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *end = i < 2 && size ? memchr(bytes, 0, size) : NULL;
		sizes[i] = end ? (size_t)(end - bytes) : size;
		parts[i] = malloc(sizes[i] + (i == 0));
		if (!parts[i])
			abort();
		if (sizes[i])
			memcpy(parts[i], bytes, sizes[i]);
		bytes += sizes[i] + (end != NULL);
		size -= sizes[i] + (end != NULL);
	}
	parts[0][sizes[0]] = 0;
	struct spec_source source = {.passwd = parts[1],
	                             .passwd_size = sizes[1],
	                             .group = parts[2],
	                             .group_size = sizes[2]};
	auto_oci_spec struct oci_spec *spec = oci_spec_new();
	struct error *e = spec_set_user(spec, parts[0], &source);
	if (!e && !spec->process.user.n_additional_gids)
		abort();
	error_free(e);
	for (size_t i = 0; i < 3; i++)
		free(parts[i]);
	return 0;
}
