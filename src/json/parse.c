// SPDX-License-Identifier: Apache-2.0
// The parser: one pass, a stack of its own, no recursion. json-c's tokener isn't used since it is
// lenient where two readers of one document must not differ (comments, quotes, leading zeros, NUL,
// surrogates), and since it forgets the order of repeated keys.
// Each value is hung into its container as soon as it begins, so the root owns all at any moment.
#include "json/private.h"
#include <string.h>

// What a document may cost in json-c's memory: an object takes about 700 bytes, even "{}", other
// values about 60. So 4 MiB of "{}," can't become a gigabyte.
#define COST_LIMIT 400000
#define COST_OBJECT 12
#define COST_VALUE 1

#define NUMBER_SIZE_LIMIT 64

struct parser {
	const char *text, *p, *end;
	struct json_object *root;
	struct json_object *open[JSON_DEPTH_LIMIT]; // containers that are not closed
	size_t n_open, cost;
	struct str key, string; // scratch; `key` waits for its value
};

static struct error *refuse(const struct parser *s, const char *what)
{
	if (s->p >= s->end)
		return error_new(ERROR_CORRUPT, "unexpected end of JSON input");
	return error_new(ERROR_CORRUPT, "not JSON: byte %zu: %s", (size_t)(s->p - s->text), what);
}

static void skip_blanks(struct parser *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static fallible parse_hex4(struct parser *s, unsigned *ret)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++, s->p++) {
		unsigned char c = s->p < s->end ? (unsigned char)*s->p : 0;
		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			value = value << 4 | ((c | 32) - 'a' + 10u);
		else
			return refuse(s, "four hexadecimal digits expected");
	}
	*ret = value;
	return NULL;
}

static void add_utf8(struct str *out, unsigned c)
{
	if (c < 0x80) {
		str_add_char(out, (char)c);
	} else if (c < 0x800) {
		str_add_char(out, (char)(0xc0 | c >> 6));
		str_add_char(out, (char)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		str_add_char(out, (char)(0xe0 | c >> 12));
		str_add_char(out, (char)(0x80 | (c >> 6 & 63)));
		str_add_char(out, (char)(0x80 | (c & 63)));
	} else {
		str_add_char(out, (char)(0xf0 | c >> 18));
		str_add_char(out, (char)(0x80 | (c >> 12 & 63)));
		str_add_char(out, (char)(0x80 | (c >> 6 & 63)));
		str_add_char(out, (char)(0x80 | (c & 63)));
	}
}

static fallible parse_unicode_escape(struct parser *s, struct str *out)
{
	unsigned c, low;
	TRY(parse_hex4(s, &c));
	if (!c)
		return refuse(s, "a zero character in a string");
	if (c >= 0xdc00 && c < 0xe000)
		return refuse(s, "half a surrogate pair");
	if (c >= 0xd800 && c < 0xdc00) {
		if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return refuse(s, "half a surrogate pair");
		s->p += 2;
		TRY(parse_hex4(s, &low));
		if (low < 0xdc00 || low >= 0xe000)
			return refuse(s, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(out, c);
	return NULL;
}

static fallible parse_escape(struct parser *s, struct str *out)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	if (s->p >= s->end)
		return refuse(s, "");
	if (*s->p == 'u') {
		s->p++;
		return parse_unicode_escape(s, out);
	}
	const char *letter = strchr(letters, *s->p); // no NUL is in the text
	if (!letter)
		return refuse(s, "unknown escape in a string");
	str_add_char(out, meanings[letter - letters]);
	s->p++;
	return NULL;
}

// At the opening quote.
static fallible parse_string(struct parser *s, struct str *out)
{
	s->p++;
	out->size = 0;
	str_add_bytes(out, "", 0);
	for (;;) {
		const char *start = s->p;
		while (s->p < s->end && *s->p != '"' && *s->p != '\\' &&
		       (unsigned char)*s->p >= 0x20)
			s->p++;
		str_add_bytes(out, start, (size_t)(s->p - start));
		if (s->p >= s->end)
			return refuse(s, "");
		if (*s->p == '"')
			break;
		if (*s->p != '\\')
			return refuse(s, "control character in a string");
		s->p++;
		TRY(parse_escape(s, out));
	}
	s->p++;
	return NULL;
}

static size_t skip_digits(struct parser *s)
{
	const char *start = s->p;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t)(s->p - start);
}

// RFC 8259 §6. Leaves *ret_real telling whether there is a fraction or an exponent.
static fallible scan_number(struct parser *s, bool *ret_real)
{
	bool real = false;
	if (s->p < s->end && *s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0') {
		s->p++;
		if (s->p < s->end && *s->p >= '0' && *s->p <= '9')
			return refuse(s, "a number with a leading zero");
	} else if (!skip_digits(s)) {
		return refuse(s, "a value expected");
	}
	if (s->p < s->end && *s->p == '.') {
		real = true;
		s->p++;
		if (!skip_digits(s))
			return refuse(s, "a digit expected");
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		real = true;
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!skip_digits(s))
			return refuse(s, "a digit expected");
	}
	*ret_real = real;
	return NULL;
}

// A whole number beyond 64 bits is kept as a real one: the typed getters refuse it.
static struct json_object *new_whole(const char *digits)
{
	bool negative = *digits == '-';
	uint64_t value = 0;
	for (const char *d = digits + negative; *d; d++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*d - '0'), &value))
			return NULL;
	if (!negative)
		return value <= INT64_MAX ? json_object_new_int64((int64_t)value)
		                          : json_object_new_uint64(value);
	if (value > (uint64_t)INT64_MAX + 1)
		return NULL;
	return json_object_new_int64(value ? -(int64_t)(value - 1) - 1 : 0);
}

static fallible parse_number(struct parser *s, struct json_object **ret)
{
	const char *start = s->p;
	bool real = false;
	TRY(scan_number(s, &real));
	size_t size = (size_t)(s->p - start);
	if (size >= NUMBER_SIZE_LIMIT) {
		s->p = start;
		return refuse(s, "a number of too many digits");
	}
	char text[NUMBER_SIZE_LIMIT];
	memcpy(text, start, size);
	text[size] = 0;
	struct json_object *value = real ? NULL : new_whole(text);
	if (!value) // its text is what counts and what is printed
		value = json_object_new_double_s(0, text);
	*ret = json_made(value);
	return NULL;
}

static bool parse_word(struct parser *s, const char *word)
{
	size_t size = strlen(word);
	if ((size_t)(s->end - s->p) < size || memcmp(s->p, word, size) != 0)
		return false;
	s->p += size;
	return true;
}

static fallible parse_scalar(struct parser *s, struct json_object **ret)
{
	if (*s->p == '"') {
		TRY(parse_string(s, &s->string));
		*ret = json_made(json_object_new_string_len(s->string.bytes, (int)s->string.size));
	} else if (parse_word(s, "true")) {
		*ret = json_made(json_object_new_boolean(1));
	} else if (parse_word(s, "false")) {
		*ret = json_made(json_object_new_boolean(0));
	} else if (parse_word(s, "null")) {
		*ret = NULL;
	} else {
		return parse_number(s, ret);
	}
	return NULL;
}

static void attach(struct parser *s, struct json_object *value)
{
	struct json_object *top = s->n_open ? s->open[s->n_open - 1] : NULL;
	if (!top)
		s->root = value;
	else if (json_object_is_type(top, json_type_array))
		json_made(json_object_array_add(top, value) ? NULL : top);
	else
		json_put_last(top, s->key.bytes, value);
}

// Before a member: its key and colon.
static fallible parse_key(struct parser *s)
{
	skip_blanks(s);
	if (s->p >= s->end || *s->p != '"')
		return refuse(s, "a key in double quotes expected");
	TRY(parse_string(s, &s->key));
	skip_blanks(s);
	if (s->p >= s->end || *s->p != ':')
		return refuse(s, "a colon expected");
	s->p++;
	return NULL;
}

static fallible charge(struct parser *s, size_t cost)
{
	s->cost += cost;
	if (s->cost > COST_LIMIT)
		return error_new(ERROR_LIMIT, "document: too many values");
	return NULL;
}

// At a bracket. *ret_value_next: a value is next, else the container is empty and closed.
static fallible open_container(struct parser *s, bool *ret_value_next)
{
	bool object = *s->p == '{';
	if (s->n_open == JSON_DEPTH_LIMIT)
		return error_new(ERROR_LIMIT, "document: more than %d levels", JSON_DEPTH_LIMIT);
	TRY(charge(s, object ? COST_OBJECT : COST_VALUE));
	struct json_object *made =
		json_made(object ? json_object_new_object() : json_object_new_array_ext(1));
	attach(s, made);
	s->p++;
	skip_blanks(s);
	if (s->p < s->end && *s->p == (object ? '}' : ']')) {
		s->p++;
		*ret_value_next = false;
		return NULL;
	}
	s->open[s->n_open++] = made;
	*ret_value_next = true;
	return object ? parse_key(s) : NULL;
}

// After a value: closes what ends here. *ret_value_next false: the document is complete.
static fallible go_on(struct parser *s, bool *ret_value_next)
{
	while (s->n_open) {
		bool object = json_object_is_type(s->open[s->n_open - 1], json_type_object);
		skip_blanks(s);
		if (s->p < s->end && *s->p == ',') {
			s->p++;
			*ret_value_next = true;
			return object ? parse_key(s) : NULL;
		}
		if (s->p >= s->end || *s->p != (object ? '}' : ']'))
			return refuse(s,
			              object ? "a comma or } expected" : "a comma or ] expected");
		s->p++;
		s->n_open--;
	}
	*ret_value_next = false;
	return NULL;
}

static fallible parse_document(struct parser *s)
{
	for (bool value_next = true; value_next;) {
		skip_blanks(s);
		if (s->p >= s->end)
			return refuse(s, "");
		if (*s->p == '{' || *s->p == '[') {
			TRY(open_container(s, &value_next));
			if (value_next)
				continue;
		} else {
			struct json_object *value = NULL;
			TRY(charge(s, COST_VALUE));
			TRY(parse_scalar(s, &value));
			attach(s, value);
		}
		TRY(go_on(s, &value_next));
	}
	skip_blanks(s);
	if (s->p < s->end)
		return refuse(s, "something behind the document's end");
	return NULL;
}

fallible json_parse(const char *text, size_t size, size_t size_limit, struct json **ret)
{
	if (size > size_limit || size > INT32_MAX)
		return error_new(ERROR_LIMIT, "document: %zu bytes, more than %zu", size,
		                 size_limit);
	if (size && memchr(text, 0, size))
		return error_new(ERROR_CORRUPT, "not JSON: a zero byte");
	if (!text_is_utf8(text, size))
		return error_new(ERROR_CORRUPT, "not JSON: not UTF-8");
	struct parser s = {.text = text,
	                   .p = text,
	                   .end = text + size,
	                   .key = STR_LIMIT(size + 1),
	                   .string = STR_LIMIT(size + 1)};
	struct error *e = parse_document(&s);
	str_done(&s.key);
	str_done(&s.string);
	if (e) {
		json_object_put(s.root);
		return e;
	}
	*ret = outer(s.root);
	return NULL;
}
