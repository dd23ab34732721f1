// SPDX-License-Identifier: Apache-2.0
#include "registry/shown.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 1900 }; // what a packet of the worker has room for

#define NOT_SHOWN "[not shown]"

struct showing {
	bool is_ours;
	const struct registry_header *chosen; // by a user
	size_t n_chosen;
};

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool is_plain(const struct showing *s, const char *name)
{
	static const char *const names[] = {"accept",        "connection",       "content-length",
	                                    "content-range", "content-type",     "expect",
	                                    "host",          "proxy-connection", "range",
	                                    "user-agent",    "transfer-encoding"};
	for (size_t i = 0; i < s->n_chosen; i++)
		if (!strcasecmp(name, s->chosen[i].name))
			return false;
	return is_one_of(name, names, sizeof(names) / sizeof(*names));
}

static const char *scheme_of(const char *value)
{
	static const char *const schemes[] = {"Basic ", "Bearer "};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (!strncasecmp(value, schemes[i], strlen(schemes[i])))
			return schemes[i];
	return NULL;
}

static bool is_secret(const char *name, const char *value)
{
	static const char *const words[] = {"cookie",    "token",   "auth", "secret",
	                                    "key",       "pass",    "jwt",  "credential",
	                                    "signature", "session", "csrf"};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return scheme_of(value);
}

// What is or may be URLs: without users, up to the first query or fragment.
static void add_url(struct str *to, const char *text, size_t size)
{
	auto_free char *all = alloc_bytes(text, size);
	char *rest = all, *slashes;
	bool is_cut = all[strcspn(all, "?#")];
	all[strcspn(all, "?#")] = 0;
	while ((slashes = strstr(rest, "//"))) {
		char *authority = slashes + 2;
		char *at = memrchr(authority, '@', strcspn(authority, "/ >\","));
		str_add_bytes(to, rest, (size_t)(authority - rest));
		str_add(to, at ? NOT_SHOWN : "");
		rest = at ? at : authority;
	}
	str_add(to, rest);
	str_add(to, is_cut ? "?..." : "");
}

// "Basic …" keeps the scheme.
static void add_secret(struct str *to, const char *value)
{
	const char *scheme = scheme_of(value);
	str_add(to, scheme ? scheme : "");
	str_add(to, NOT_SHOWN);
}

// ", scope=" or "realm=": a name that a quoted value follows.
static bool is_name(const char *text, size_t size)
{
	size_t n = strspn(text, ", "), letters = strspn(text + n, "abcdefghijklmnopqrstuvwxyz_");
	return letters && n + letters + 1 == size && text[n + letters] == '=';
}

// What anybody is told: who looks at a dump mostly looks for the scope. The realm is a URL, and
// other schemes than ours go on in a conversation that is nobody's business.
static void add_challenge(struct str *to, const char *value)
{
	const char *scheme = scheme_of(value);
	if (!scheme) {
		size_t n = strcspn(value, " ");
		str_add_bytes(to, value, n);
		str_add(to, value[n] ? " " NOT_SHOWN : "");
		return;
	}
	str_add(to, scheme);
	for (value += strlen(scheme); *value;) {
		size_t n = strcspn(value, "\""), size = value[n] ? strcspn(value + n + 1, "\"") : 0;
		if (!value[n] || !is_name(value, n)) {
			str_add(to, NOT_SHOWN);
			return;
		}
		str_add_bytes(to, value, n + 1);
		add_url(to, value + n + 1, size);
		str_add_char(to, '"');
		value += n + 1 + size;
		value += *value == '"';
	}
}

static void add_header(struct str *to, const struct showing *s, char *line)
{
	static const char *const challenges[] = {"www-authenticate", "proxy-authenticate"};
	char *colon = strchr(line, ':');
	if (!colon || *line == ' ') { // the rest of another, or nonsense
		str_add(to, NOT_SHOWN);
		return;
	}
	*colon = 0;
	const char *value = colon + 1 + strspn(colon + 1, " \t");
	str_printf(to, "%s: ", line);
	if (!s->is_ours && is_one_of(line, challenges, 2))
		add_challenge(to, value);
	else if (s->is_ours ? !is_plain(s, line) : is_secret(line, value))
		add_secret(to, value);
	else
		add_url(to, value, strlen(value));
}

// The first line; false: it is none.
static bool add_beginning(struct str *to, const struct showing *s, const char *line)
{
	const char *end = NULL, *last = line;
	if (!s->is_ours && text_starts(line, "HTTP/")) {
		add_url(to, line, strlen(line));
		return true;
	}
	while (s->is_ours && (last = strstr(last, " HTTP/")))
		end = last++;
	if (!end)
		return false;
	add_url(to, line, (size_t)(end - line));
	str_add(to, end);
	return true;
}

static char *show(const struct showing *s, const char *bytes, size_t size)
{
	auto_str struct str shown = STR_LIMIT(HEAD_MAX);
	for (size_t i = 0; i < size;) {
		size_t n = 0;
		while (i + n < size && bytes[i + n] != '\n')
			n++;
		auto_free char *line = alloc_bytes(bytes + i, n);
		i += n + 1;
		for (size_t k = 0; k < n; k++)
			if ((unsigned char)line[k] < ' ' || (unsigned char)line[k] > '~')
				line[k] = line[k] == '\r' && k + 1 == n ? 0 : k ? '.' : ' ';
		if (!*line)
			continue;
		bool is_first = !shown.size;
		if (!is_first)
			str_add(&shown, " | ");
		if (!is_first || !add_beginning(&shown, s, line))
			add_header(&shown, s, line);
	}
	return str_take(&shown);
}

char *shown_head(const char *bytes, size_t size, bool is_ours)
{
	const struct showing s = {.is_ours = is_ours};
	return show(&s, bytes, size);
}

char *shown_request(const char *bytes, size_t size, const struct registry_header *chosen,
                    size_t n_chosen)
{
	const struct showing s = {.is_ours = true, .chosen = chosen, .n_chosen = n_chosen};
	return show(&s, bytes, size);
}
