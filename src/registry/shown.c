// SPDX-License-Identifier: Apache-2.0
#include "registry/shown.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 1900 }; // what a packet of the worker has room for

static bool is_plain(const char *name)
{
	static const char *const names[] = {"accept",        "connection",       "content-length",
	                                    "content-range", "content-type",     "expect",
	                                    "host",          "proxy-connection", "range",
	                                    "user-agent",    "transfer-encoding"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool is_secret(const char *name)
{
	static const char *const words[] = {"cookie", "token", "auth", "secret", "key", "password"};
	if (!strcasecmp(name, "www-authenticate") || !strcasecmp(name, "proxy-authenticate"))
		return false; // what anybody is told
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

// Queries may hold what opens a door: signatures of a redirect, the state of an upload.
static void add_without_queries(struct str *to, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "?");
		str_add_bytes(to, text, n);
		if (!text[n])
			return;
		str_add(to, "?...");
		text += n + strcspn(text + n, " >\"");
	}
}

// "Basic …" keeps the scheme.
static void add_secret(struct str *to, const char *value)
{
	static const char *const schemes[] = {"Basic ", "Bearer "};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (text_starts(value, schemes[i]))
			str_add(to, schemes[i]);
	str_add(to, "[not shown]");
}

static bool is_beginning(const char *line, bool is_ours)
{
	return is_ours ? strstr(line, " HTTP/") != NULL : text_starts(line, "HTTP/");
}

static void add_header(struct str *to, char *line, bool is_ours)
{
	char *colon = strchr(line, ':');
	if (!colon || *line == ' ') { // the rest of another, or nonsense
		str_add(to, "[not shown]");
		return;
	}
	*colon = 0;
	const char *value = colon + 1 + strspn(colon + 1, " \t");
	str_printf(to, "%s: ", line);
	if (is_ours ? !is_plain(line) : is_secret(line))
		add_secret(to, value);
	else if (!strcasecmp(line, "www-authenticate"))
		str_add(to, value); // scopes are no secret, and often the reason why one looks
	else
		add_without_queries(to, value);
}

char *shown_head(const char *bytes, size_t size, bool is_ours)
{
	auto_str struct str shown = STR_LIMIT(HEAD_MAX);
	for (size_t i = 0; i < size;) {
		size_t n = 0;
		while (i + n < size && bytes[i + n] != '\n')
			n++;
		auto_free char *line = alloc_bytes(bytes + i, n);
		i += n + 1;
		for (size_t k = 0; k < n; k++)
			if ((unsigned char)line[k] < ' ' || line[k] == 127)
				line[k] = line[k] == '\r' && k + 1 == n ? 0 : k ? '.' : ' ';
		if (!*line)
			continue;
		if (shown.size)
			str_add(&shown, " | ");
		if (!shown.size && is_beginning(line, is_ours))
			add_without_queries(&shown, line);
		else
			add_header(&shown, line, is_ours);
	}
	return str_take(&shown);
}
