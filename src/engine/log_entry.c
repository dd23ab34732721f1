// SPDX-License-Identifier: Apache-2.0
#include "engine/log_entry.h"
#include <string.h>
#include <time.h>

static bool skip(const char **p, const char *end, const char *text)
{
	size_t size = strlen(text);
	if ((size_t)(end - *p) < size || memcmp(*p, text, size) != 0)
		return false;
	*p += size;
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What follows a backslash; the monitor writes \u00XX and \ufffd alone. Returns its bytes.
static size_t unescape(const char **p, const char *end, char out[4])
{
	static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
	if (*p == end)
		return 0;
	const char *known = **p ? strchr(from, **p) : NULL;
	if (known) {
		(*p)++;
		out[0] = to[known - from];
		return 1;
	}
	unsigned value = 0;
	if (**p != 'u' || end - *p < 5)
		return 0;
	for (int i = 1; i < 5; i++) {
		int digit = hex_digit((*p)[i]);
		if (digit < 0)
			return 0;
		value = value * 16 + (unsigned)digit;
	}
	*p += 5;
	if (value == 0xfffd) {
		memcpy(out, "\xef\xbf\xbd", 3);
		return 3;
	}
	out[0] = (char)value;
	return value < 0x80 ? 1 : 0;
}

static bool read_text(const char **p, const char *end, struct log_entry *ret)
{
	size_t used = 0;
	while (*p < end && **p != '"') {
		if (used + 4 > LOG_TEXT_MAX)
			return false;
		if (**p != '\\') {
			ret->text[used++] = *(*p)++;
			continue;
		}
		(*p)++;
		size_t n = unescape(p, end, ret->text + used);
		if (!n)
			return false;
		used += n;
	}
	ret->size = used;
	return true;
}

bool log_entry_decode(const char *p, const char *end, struct log_entry *ret)
{
	if (!skip(&p, end, "{\"log\":\"") || !read_text(&p, end, ret) ||
	    !skip(&p, end, "\",\"stream\":\"std"))
		return false;
	ret->is_error = skip(&p, end, "err");
	if ((!ret->is_error && !skip(&p, end, "out")) || !skip(&p, end, "\",\"time\":\""))
		return false;
	const char *quote = memchr(p, '"', (size_t)(end - p));
	size_t n = quote ? (size_t)(quote - p) : sizeof ret->time;
	if (n >= sizeof ret->time || end - quote != 2 || quote[1] != '}')
		return false;
	memcpy(ret->time, p, n);
	ret->time[n] = 0;
	return true;
}

int64_t log_entry_ns(const struct log_entry *entry)
{
	struct tm date = {0};
	const char *rest = strptime(entry->time, "%Y-%m-%dT%H:%M:%S", &date);
	if (!rest)
		return 0;
	int64_t ns = 0, scale = 100000000;
	if (*rest == '.') {
		for (rest++; *rest >= '0' && *rest <= '9' && scale; rest++, scale /= 10)
			ns += (*rest - '0') * scale;
	}
	int64_t seconds = timegm(&date), most = INT64_MAX / 1000000000 - 1;
	if (seconds > most || seconds < -most)
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return seconds * 1000000000 + ns;
}
