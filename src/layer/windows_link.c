// SPDX-License-Identifier: Apache-2.0
// Where symbolic links and junctions of Windows layers lead.
#include "layer/windows.h"
#include <string.h>

// The part of a link's target behind drive C:'s root; NULL if it leads elsewhere. *ret_absolute.
static const char *inside_drive(const char *target, bool *ret_absolute)
{
	static const char *const prefixes[] = {"/?"
	                                       "?/",
	                                       "//?/"};
	const char *at = target;
	bool device = false;
	for (size_t i = 0; i < 2 && !device; i++)
		if (text_starts(at, prefixes[i])) {
			at += 4;
			device = true;
		}
	bool drive =
		((at[0] >= 'a' && at[0] <= 'z') || (at[0] >= 'A' && at[0] <= 'Z')) && at[1] == ':';
	*ret_absolute = drive || *at == '/';
	if (drive)
		return (at[0] | 32) == 'c' && (!at[2] || at[2] == '/') ? at + 2 : NULL;
	return device || text_starts(at, "//") || strchr(at, ':') ? NULL : at;
}

bool windows_link_target(const char *path, const char *target, char ret[TAR_NAME_MAX + 1])
{
	char slashes[TAR_NAME_MAX + 1];
	const char *parts[TAR_DEPTH_MAX];
	int sizes[TAR_DEPTH_MAX];
	size_t n = 0, depth = 0;
	bool absolute;
	for (size_t i = 0; i <= strlen(target); i++)
		slashes[i] = target[i] == '\\' ? '/' : target[i];
	const char *rest = inside_drive(slashes, &absolute);
	if (!rest)
		return false;
	const char *below = path + strlen("Files/");
	for (const char *c = below; *c; c++)
		depth += *c == '/';
	// From the drive's root: the link's folder, then the target.
	for (const char *c = below, *end = strrchr(path, '/');
	     !absolute && end > below && c < end;) {
		size_t size = strcspn(c, "/");
		parts[n] = c;
		sizes[n++] = (int)size;
		c += size + 1;
	}
	for (const char *c = rest; *c;) {
		size_t size = strcspn(c, "/");
		if (size == 2 && c[0] == '.' && c[1] == '.') {
			if (!n)
				return false; // above the drive
			n--;
		} else if (size && !(size == 1 && *c == '.')) {
			if (n == TAR_DEPTH_MAX)
				return false;
			parts[n] = c;
			sizes[n++] = (int)size;
		}
		c += size;
		c += *c == '/';
	}
	auto_str struct str s = STR_LIMIT(4 * TAR_NAME_MAX);
	for (size_t i = 0; i < depth; i++)
		str_add(&s, i ? "/.." : "..");
	for (size_t i = 0; i < n; i++)
		str_printf(&s, "%s%.*s", s.size ? "/" : "", sizes[i], parts[i]);
	if (!s.size)
		str_add_char(&s, '.');
	if (s.over || s.size > TAR_NAME_MAX)
		return false;
	memcpy(ret, s.bytes, s.size + 1);
	return true;
}
