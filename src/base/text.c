// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include <stdio.h>

void str_add_bytes(struct str *s, const void *bytes, size_t size)
{
	if (size > s->limit - s->size) {
		s->over = true;
		size = s->limit - s->size;
	}
	if (s->size + size >= s->capacity) {
		size_t more = s->capacity ? s->capacity * 2 : 64;
		while (more <= s->size + size)
			more *= 2;
		char *grown = alloc(more);
		if (s->size)
			memcpy(grown, s->bytes, s->size);
		free(s->bytes);
		s->bytes = grown;
		s->capacity = more;
	}
	if (size)
		memcpy(s->bytes + s->size, bytes, size);
	s->size += size;
	s->bytes[s->size] = 0;
}

void str_add(struct str *s, const char *text)
{
	str_add_bytes(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
	str_add_bytes(s, &c, 1);
}

void str_printf(struct str *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *text = alloc_vprintf(format, args);
	va_end(args);
	str_add(s, text);
}

char *str_take(struct str *s)
{
	char *bytes = s->bytes ? s->bytes : alloc(1);
	*s = (struct str){.limit = s->limit};
	return bytes;
}

void str_done(struct str *s)
{
	defer_free_(&s->bytes);
	*s = (struct str){.limit = s->limit};
}

void strings_adopt(struct strings *l, char *s)
{
	alloc_grow(&l->items, &l->capacity, l->n + 1, sizeof(*l->items));
	l->items[l->n++] = s;
	l->items[l->n] = NULL;
}

void strings_add(struct strings *l, const char *s)
{
	strings_adopt(l, alloc_string(s));
}

void strings_done(struct strings *l)
{
	int saved = errno;
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct strings){0};
	errno = saved;
}

bool strings_has(const struct strings *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->items[i], s))
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *l)
{
	if (l->n > 1)
		qsort(l->items, l->n, sizeof(*l->items), compare);
}

bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool text_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool text_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && !memcmp(s + n - m, suffix, m);
}

// One sequence per RFC 3629 §4: its length, or 0 if the bytes aren't one.
static size_t utf8_length(const unsigned char *b, size_t size)
{
	if (b[0] < 0x80)
		return 1;
	size_t n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] > 0xf4 || size < n)
		return 0;
	unsigned char low = 0x80, high = 0xbf; // narrower for the second byte of some
	if (b[0] == 0xe0)
		low = 0xa0;
	else if (b[0] == 0xed)
		high = 0x9f;
	else if (b[0] == 0xf0)
		low = 0x90;
	else if (b[0] == 0xf4)
		high = 0x8f;
	if (b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (b[i] < 0x80 || b[i] > 0xbf)
			return 0;
	return n;
}

bool text_is_utf8(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t n = utf8_length((const unsigned char *)bytes + i, size - i);
		if (!n)
			return false;
		i += n;
	}
	return true;
}

unsigned text_distance(const char *a, const char *b)
{
	enum { MOST = 63 };
	size_t n = strlen(a), m = strlen(b);
	if (n > MOST || m > MOST)
		return MOST + 1;
	unsigned row[MOST + 1];
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned corner = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

fallible text_parse_u64(const char *text, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	if (!*text)
		return error_new(ERROR_INVALID, "empty number");
	for (const char *c = text; *c; c++) {
		unsigned digit = (unsigned)digit_value(*c);
		if (digit >= base)
			return error_new(ERROR_INVALID, "\"%.64s\" is not a number", text);
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value) || value > max)
			return error_new(ERROR_INVALID, "%.64s is larger than %llu", text,
			                 (unsigned long long)max);
	}
	*ret = value;
	return NULL;
}

fallible text_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = *text == '-';
	uint64_t value, most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	TRY(text_parse_u64(text + negative, 10, most, &value));
	int64_t result = negative ? (int64_t)(0 - value) : (int64_t)value;
	if (result < min || result > max)
		return error_new(ERROR_INVALID, "%.64s is not between %lld and %lld", text,
		                 (long long)min, (long long)max);
	*ret = result;
	return NULL;
}
