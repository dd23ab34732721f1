// SPDX-License-Identifier: Apache-2.0
#include "cli/gotext.h"
#include <math.h>
#include <time.h>

enum go_result go_parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret = strcmp(text, yes[i]) == 0;
			return GO_OK;
		}
	return GO_SYNTAX;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 36;
}

enum go_result go_parse_uint(const char *text, uint64_t *ret)
{
	int base = 10;
	const char *s = text;
	bool digit_before = false; // an underscore needs a digit or a prefix before it
	if (*s == '0' && s[1]) {
		char mark = s[1] | 0x20;
		base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
		s += mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1;
		digit_before = true;
	}
	uint64_t value = 0;
	bool over = false;
	if (!*s)
		return GO_SYNTAX;
	for (; *s; s++) {
		if (*s == '_' && digit_before && s[1] && s[1] != '_')
			continue;
		int digit = digit_of(*s);
		if (digit >= base)
			return GO_SYNTAX;
		digit_before = true;
		over |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		over |= __builtin_add_overflow(value, (uint64_t)digit, &value);
	}
	if (over)
		return GO_RANGE;
	*ret = value;
	return GO_OK;
}

enum go_result go_parse_int(const char *text, int64_t *ret)
{
	bool minus = *text == '-';
	uint64_t value;
	enum go_result result = go_parse_uint(text + (minus || *text == '+'), &value);
	if (result != GO_OK)
		return result;
	if (value > (uint64_t)INT64_MAX + minus)
		return GO_RANGE;
	*ret = minus ? (int64_t)(0 - value) : (int64_t)value;
	return GO_OK;
}

enum go_result go_parse_float(const char *text, double *ret)
{
	// strtod skips blanks and takes "nan(…)"; Go does neither.
	if (!*text || strspn(text, "+-.0123456789abcdefABCDEFxXpPinftyINFTYN") != strlen(text))
		return GO_SYNTAX;
	char *end;
	double value = strtod(text, &end);
	if (*end)
		return GO_SYNTAX;
	bool infinite = strpbrk(text, "iI") != NULL;
	if (isinf(value) && !infinite)
		return GO_RANGE;
	*ret = value;
	return GO_OK;
}

// clang-format off
static const struct {
	const char *name;
	int64_t ns;
} units[] = {           // longer names first: "ms" before "m"
	{"ns", 1},
	{"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
	{"ms", 1000000},
	{"s", 1000000000},
	{"m", 60 * INT64_C(1000000000)},
	{"h", 3600 * INT64_C(1000000000)},
};
// clang-format on

// One number with its unit, at *s, which moves behind it.
static enum go_result parse_span(const char **s, uint64_t *ret_ns)
{
	uint64_t whole = 0, fraction = 0, scale = 1;
	bool over = false, digits = false;
	for (; **s >= '0' && **s <= '9'; (*s)++, digits = true) {
		over |= __builtin_mul_overflow(whole, UINT64_C(10), &whole);
		over |= __builtin_add_overflow(whole, (uint64_t)(**s - '0'), &whole);
	}
	if (**s == '.')
		for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, digits = true)
			if (scale < UINT64_C(1000000000000)) {
				fraction = fraction * 10 + (uint64_t)(**s - '0');
				scale *= 10;
			}
	if (!digits)
		return GO_SYNTAX;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!text_starts(*s, units[i].name))
			continue;
		*s += strlen(units[i].name);
		over |= __builtin_mul_overflow(whole, (uint64_t)units[i].ns, &whole);
		double rest = (double)fraction * ((double)units[i].ns / (double)scale);
		over |= __builtin_add_overflow(whole, (uint64_t)rest, &whole);
		*ret_ns = whole;
		return over ? GO_SYNTAX : GO_OK; // time.ParseDuration knows no range error
	}
	return GO_SYNTAX;
}

enum go_result go_parse_duration(const char *text, int64_t *ret_ns)
{
	bool minus = *text == '-';
	const char *s = text + (minus || *text == '+');
	uint64_t sum = 0;
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return GO_OK;
	}
	if (!*s)
		return GO_SYNTAX;
	while (*s) {
		uint64_t span;
		if (parse_span(&s, &span) != GO_OK || __builtin_add_overflow(sum, span, &sum) ||
		    sum > (uint64_t)INT64_MAX)
			return GO_SYNTAX;
	}
	*ret_ns = minus ? -(int64_t)sum : (int64_t)sum;
	return GO_OK;
}

void go_quote(struct str *out, const char *text)
{
	static const char named[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
	str_add_char(out, '"');
	for (const char *s = text; *s; s++) {
		const char *at = strchr(named, *s);
		unsigned char c = (unsigned char)*s;
		size_t width = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		if (at) {
			str_printf(out, "\\%c", letters[at - named]);
		} else if (c < 0x20 || c == 0x7f || strnlen(s, width) < width ||
		           !text_is_utf8(s, width)) {
			str_printf(out, "\\x%02x", c);
		} else if (c == 0xc2 && (unsigned char)s[1] < 0xa0) { // controls beyond ASCII
			str_printf(out, "\\u00%02x", (unsigned char)*++s);
		} else {
			str_add_bytes(out, s, width);
			s += width - 1;
		}
	}
	str_add_char(out, '"');
}

// Seconds and, if asked for, what is behind the point without trailing zeros: Go's .999999999.
static void add_time(struct str *out, int64_t ns, char between, bool fraction)
{
	int64_t second = ns / 1000000000, rest = ns % 1000000000;
	if (rest < 0) {
		rest += 1000000000;
		second--;
	}
	time_t t = (time_t)second;
	struct tm tm = {0};
	gmtime_r(&t, &tm);
	str_printf(out, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
	           tm.tm_mday, between, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (!fraction || rest == 0)
		return;
	int digits = 9;
	for (; rest % 10 == 0; rest /= 10)
		digits--;
	str_printf(out, ".%0*lld", digits, (long long)rest);
}

void go_time(struct str *out, int64_t ns)
{
	add_time(out, ns, ' ', true);
	str_add(out, " +0000 UTC");
}

void go_time_rfc3339(struct str *out, int64_t ns)
{
	add_time(out, ns, 'T', true);
	str_add_char(out, 'Z');
}

void go_time_seconds(struct str *out, int64_t ns)
{
	add_time(out, ns, 'T', false);
	str_add_char(out, 'Z');
}
