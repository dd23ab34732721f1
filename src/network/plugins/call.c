// SPDX-License-Identifier: Apache-2.0
#include "network/plugins/call.h"

void plugin_warn(const struct plugin_call *c, const char *format, ...)
{
	if (!c->warn)
		return;
	va_list args;
	va_start(args, format);
	auto_free char *text = alloc_vprintf(format, args);
	va_end(args);
	c->warn(c->warn_context, text);
}

char *plugin_argument(const struct plugin_call *c, const char *key)
{
	size_t n = strlen(key);
	for (const char *at = c->cni_args; at && *at;) {
		size_t size = strcspn(at, ";");
		if (size > n && strncmp(at, key, n) == 0 && at[n] == '=')
			return alloc_bytes(at + n + 1, size - n - 1);
		at += size + (at[size] == ';');
	}
	return NULL;
}

static bool is_known(const char *pair, size_t key_size, const char *const *known)
{
	for (; *known; known++)
		if (strlen(*known) == key_size && strncmp(pair, *known, key_size) == 0)
			return true;
	return key_size == strlen("IgnoreUnknown") && strncmp(pair, "IgnoreUnknown", key_size) == 0;
}

fallible plugin_check_arguments(const struct plugin_call *c, const char *const *known)
{
	auto_free char *ignore_text = plugin_argument(c, "IgnoreUnknown");
	bool ignore_unknown = ignore_text && (strcmp(ignore_text, "1") == 0 ||
	                                      strcasecmp(ignore_text, "true") == 0);
	auto_str struct str unknown = STR_LIMIT(1024);
	for (const char *at = c->cni_args; at && *at;) {
		size_t size = strcspn(at, ";");
		const char *equals = memchr(at, '=', size);
		if (!equals || memchr(equals + 1, '=', (size_t)(at + size - equals - 1)))
			return error_new(ERROR_INVALID, "ARGS: invalid pair \"%.*s\"",
			                 size > 64 ? 64 : (int)size, at);
		if (!is_known(at, (size_t)(equals - at), known))
			str_printf(&unknown, "%s\"%.*s\"", unknown.size ? " " : "",
			           size > 64 ? 64 : (int)size, at);
		at += size + (at[size] == ';');
	}
	if (unknown.size && !ignore_unknown)
		return error_new(ERROR_INVALID, "ARGS: unknown args [%s]", unknown.bytes);
	return NULL;
}
