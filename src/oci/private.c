// SPDX-License-Identifier: Apache-2.0
#include "oci/private.h"
#include <string.h>

const char *show(const char *text, char buffer[SHOWN])
{
	size_t size = strlen(text), shown = size > 64 ? 64 : size;
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)text[i];
		buffer[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	memcpy(buffer + shown, shown < size ? "..." : "", shown < size ? 4 : 1);
	return buffer;
}

struct error *member_error(enum error_code code, const struct json_path *path, const char *key,
                           const char *what, const char *foreign)
{
	struct json_path here = {path, key, 0};
	char shown[SHOWN];
	auto_free char *where = json_path_text(key ? &here : path);
	if (!foreign)
		return error_new(code, "%s: %s", where, what);
	return error_new(code, "%s: %s \"%s\"", where, what, show(foreign, shown));
}
