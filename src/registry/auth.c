// SPDX-License-Identifier: Apache-2.0
#include "registry/auth.h"
#include "base/text.h"
#include <strings.h>

enum { HEADER_MAX = 16384, VALUE_MAX = 8192 };

void auth_challenge_done(struct auth_challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct auth_challenge){0};
}

static size_t token_size(const char *s)
{
	static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789!#$%&'*+-.^_`|~";
	return strspn(s, token);
}

static const char *skip(const char *s, const char *what)
{
	return s + strspn(s, what);
}

// A token or a quoted string.
static fallible parse_value(const char **at, char **ret)
{
	auto_str struct str s = STR_LIMIT(VALUE_MAX);
	const char *c = *at;
	if (*c != '"') {
		size_t n = token_size(c);
		if (!n)
			return error_new(ERROR_INVALID, "a parameter without its value");
		*at = c + n;
		*ret = alloc_bytes(c, n);
		return NULL;
	}
	for (c++; *c != '"'; c++) {
		if (*c == '\\' && c[1])
			c++;
		if (!*c)
			return error_new(ERROR_INVALID, "a quoted string without its end");
		str_add_char(&s, *c);
	}
	if (s.over)
		return error_new(ERROR_LIMIT, "a parameter over %d bytes", VALUE_MAX);
	*at = c + 1;
	*ret = str_take(&s);
	return NULL;
}

static void keep_parameter(struct auth_challenge *c, const char *name, size_t size, char *value)
{
	struct {
		const char *name;
		char **to;
	} known[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i].name) == size && !strncasecmp(known[i].name, name, size) &&
		    !*known[i].to) {
			*known[i].to = value;
			return;
		}
	}
	if (size == 5 && !strncasecmp(name, "error", 5))
		c->is_insufficient =
			!strcmp(value, "insufficient_scope") || !strcmp(value, "invalid_token");
	free(value);
}

// The parameters of one challenge: up to the end, or to what must be the next challenge.
static fallible parse_parameters(const char **at, struct auth_challenge *c)
{
	for (const char *s = skip(*at, " \t,");; s = skip(s, " \t,")) {
		*at = s;
		size_t n = token_size(s);
		const char *equals = skip(s + n, " \t");
		if (!n || *equals != '=')
			return NULL;
		const char *value_at = skip(equals + 1, " \t");
		char *value = NULL;
		if (equals == s + n && (*value_at == '=' || !*value_at || *value_at == ',')) {
			s = skip(value_at, "="); // token68 data: of no scheme that we know
			continue;
		}
		TRY(parse_value(&value_at, &value));
		keep_parameter(c, s, n, value);
		s = value_at;
	}
}

static enum auth_scheme scheme_of(const char *name, size_t size)
{
	if (size == 5 && !strncasecmp(name, "basic", size))
		return AUTH_BASIC;
	if (size == 6 && !strncasecmp(name, "bearer", size))
		return AUTH_BEARER;
	return AUTH_NONE;
}

fallible auth_challenge_add(const char *header, struct auth_challenge *c)
{
	if (strlen(header) > HEADER_MAX)
		return error_new(ERROR_LIMIT, "WWW-Authenticate: over %d bytes", HEADER_MAX);
	for (const char *s = skip(header, " \t,"); *s; s = skip(s, " \t,")) {
		size_t n = token_size(s);
		if (!n)
			return error_new(ERROR_INVALID, "WWW-Authenticate: no scheme");
		auto_auth_challenge struct auth_challenge found = {.scheme = scheme_of(s, n)};
		s += n;
		TRY_AS(parse_parameters(&s, &found), "WWW-Authenticate");
		if (found.scheme > c->scheme) {
			auth_challenge_done(c);
			*c = found;
			found = (struct auth_challenge){0};
		}
	}
	return NULL;
}

// --- texts --------------------------------------------------------------------------------------

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *auth_basic(const char *user, const char *secret)
{
	auto_free char *pair = alloc_printf("%s:%s", user, secret);
	size_t size = strlen(pair);
	auto_str struct str s = STR_LIMIT(size * 2 + 16);
	str_add(&s, "Basic ");
	for (size_t i = 0; i < size; i += 3) {
		unsigned n = size - i < 3 ? (unsigned)(size - i) : 3;
		unsigned bits = 0;
		for (unsigned k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)pair[i + k] : 0);
		for (unsigned k = 0; k < 4; k++)
			str_add_char(&s, k <= n ? base64[bits >> (18 - 6 * k) & 63] : '=');
	}
	return str_take(&s);
}

fallible auth_decode(const char *text, char **ret)
{
	size_t size = strlen(text);
	while (size && text[size - 1] == '=')
		size--;
	auto_str struct str s = STR_LIMIT(size + 1);
	unsigned bits = 0, n = 0;
	for (size_t i = 0; i < size; i++) {
		const char *digit = strchr(base64, text[i]);
		if (!digit)
			return error_new(ERROR_INVALID, "not base64");
		bits = bits << 6 | (unsigned)(digit - base64);
		n += 6;
		if (n >= 8) {
			n -= 8;
			char byte = (char)(bits >> n & 255);
			if (!byte)
				return error_new(ERROR_INVALID, "a zero byte");
			str_add_char(&s, byte);
		}
	}
	if (n == 6)
		return error_new(ERROR_INVALID, "not base64");
	*ret = str_take(&s);
	return NULL;
}

char *auth_escape(const char *text)
{
	auto_str struct str s = STR_LIMIT(strlen(text) * 3 + 1);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		             (*c >= '0' && *c <= '9') || strchr("-._~", *c);
		if (plain)
			str_add_char(&s, (char)*c);
		else
			str_printf(&s, "%%%02X", *c);
	}
	return str_take(&s);
}
