// SPDX-License-Identifier: Apache-2.0
// selector  := fieldpath (operator value)?
// fieldpath := field ('.' field)*
// field     := quoted | [A-Za-z0-9_]+
// operator  := '==' | '!=' | '~='
// value     := quoted | anything up to a blank or a comma
// quoted    := between two '"'; behind '~=' also between two '/' or '|'
// Blanks between tokens are passed over; a comma stands between selectors.
#include "oci/filter.h"
#include "oci/private.h"
#include "oci/regex.h"
#include <string.h>

#define PARTS_LIMIT 16
#define SIZE_LIMIT 65536
#define REGEX_LIMIT 64 // in one filter
#define AROUND 40      // bytes of the filter shown on each side of a fault

enum operator{ PRESENT, EQUAL, NOT_EQUAL, MATCHES };

struct selector {
	struct strings path;
	enum operator operator;
	char *value;
	struct regex *regex; // of MATCHES
};
struct filter { // all of them must match
	struct selector *selectors;
	size_t n, capacity;
};
struct oci_filters { // one of them must match
	struct filter *filters;
	size_t n;
};

struct scanner {
	const char *text, *p;
	size_t n_regexes;
};

static struct error *fault(const struct scanner *s, const char *at, const char *why)
{
	char before[SHOWN], after[SHOWN];
	size_t left = (size_t)(at - s->text);
	const char *from = left > AROUND ? at - AROUND : s->text;
	auto_free char *head = alloc_bytes(from, (size_t)(at - from));
	auto_free char *tail = alloc_bytes(at, strnlen(at, AROUND));
	if (!*at)
		return error_new(ERROR_INVALID, "filters: parse error: [%s]: %s",
		                 show(head, before), why);
	show(tail, after);
	return error_new(ERROR_INVALID, "filters: parse error: [%s >|%c|< %s]: %s",
	                 show(head, before), after[0], after + 1, why);
}

static void skip_blanks(struct scanner *s)
{
	s->p += strspn(s->p, " \t\r\n");
}

static bool is_field_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool is_quote(char c)
{
	return c && strchr("\"/|", c);
}

// Go's string syntax, as far as people type it. In the quotes of regular expressions a backslash
// that means nothing there stays, for the expression.
static fallible scan_quoted(struct scanner *s, bool is_regex, char **ret)
{
	static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
	const char *start = s->p++;
	auto_str struct str out = STR_LIMIT(SIZE_LIMIT);
	for (; *s->p != *start; s->p++) {
		if (!*s->p)
			return fault(s, start, "quoted literal not terminated");
		if (*s->p != '\\') {
			str_add_char(&out, *s->p);
			continue;
		}
		const char *letter = s->p[1] ? strchr(letters, s->p[1]) : NULL;
		bool is_end = s->p[1] == *start;
		if (!letter && !is_end && (!is_regex || *start == '"'))
			return fault(s, s->p, "unknown escape in a quoted literal");
		if (!letter && !is_end) {
			str_add_char(&out, '\\');
			continue;
		}
		str_add_char(&out, letter ? meanings[letter - letters] : *start);
		s->p++;
	}
	s->p++;
	if (*start != '"' && !is_regex)
		return fault(s, start, "invalid quote encountered");
	*ret = str_take(&out);
	return NULL;
}

static fallible scan_field(struct scanner *s, struct strings *path)
{
	char *field;
	skip_blanks(s);
	const char *start = s->p;
	if (is_quote(*s->p)) {
		TRY(scan_quoted(s, false, &field));
	} else {
		while (is_field_char(*s->p))
			s->p++;
		if (s->p == start)
			return fault(s, start, "expected field or quoted");
		field = alloc_bytes(start, (size_t)(s->p - start));
	}
	strings_adopt(path, field);
	if (path->n > PARTS_LIMIT)
		return fault(s, start, "too many fields");
	return NULL;
}

static fallible scan_operator(struct scanner *s, enum operator* ret)
{
	const char *start = s->p;
	if (!strncmp(start, "==", 2))
		*ret = EQUAL;
	else if (!strncmp(start, "!=", 2))
		*ret = NOT_EQUAL;
	else if (!strncmp(start, "~=", 2))
		*ret = MATCHES;
	else
		return fault(s, start, "unsupported operator");
	s->p += 2;
	return NULL;
}

static fallible scan_value(struct scanner *s, bool is_regex, char **ret)
{
	skip_blanks(s);
	if (is_quote(*s->p))
		return scan_quoted(s, is_regex, ret);
	size_t size = strcspn(s->p, ", \t\r\n");
	if (!size)
		return fault(s, s->p, "expected value or quoted");
	*ret = alloc_bytes(s->p, size);
	s->p += size;
	return NULL;
}

static fallible scan_regex(struct scanner *s, struct selector *ret)
{
	skip_blanks(s);
	const char *start = s->p;
	TRY(scan_value(s, true, &ret->value));
	if (++s->n_regexes > REGEX_LIMIT)
		return fault(s, start, "too many regular expressions");
	auto_error struct error *e = regex_parse(ret->value, &ret->regex);
	return e ? fault(s, start, e->message) : NULL;
}

// labels.a.b means the label "a.b", as in containerd's adaptors.
static void join_key(struct strings *path)
{
	if (path->n < 3 ||
	    (strcmp(path->items[0], "labels") && strcmp(path->items[0], "annotations")))
		return;
	auto_str struct str key = STR_LIMIT(SIZE_LIMIT);
	for (size_t i = 1; i < path->n; i++)
		str_printf(&key, "%s%s", i > 1 ? "." : "", path->items[i]);
	struct strings joined = {0};
	strings_add(&joined, path->items[0]);
	strings_add(&joined, key.bytes);
	strings_done(path);
	*path = joined;
}

static fallible scan_selector(struct scanner *s, struct selector *ret)
{
	TRY(scan_field(s, &ret->path));
	skip_blanks(s);
	while (*s->p == '.') {
		s->p++;
		TRY(scan_field(s, &ret->path));
		skip_blanks(s);
	}
	join_key(&ret->path);
	if (!*s->p || !strchr("=!~", *s->p))
		return NULL;
	TRY(scan_operator(s, &ret->operator));
	if (ret->operator== MATCHES)
		TRY(scan_regex(s, ret));
	else
		TRY(scan_value(s, false, &ret->value));
	skip_blanks(s);
	return NULL;
}

static fallible parse_filter(const char *text, struct filter *f)
{
	struct scanner s = {text, text, 0};
	if (!*text) // matches all
		return NULL;
	if (strnlen(text, SIZE_LIMIT + 1) > SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "filters: longer than %d bytes", SIZE_LIMIT);
	for (;;) {
		alloc_grow(&f->selectors, &f->capacity, f->n + 1, sizeof(*f->selectors));
		TRY(scan_selector(&s, &f->selectors[f->n++]));
		if (!*s.p)
			return NULL;
		if (*s.p != ',')
			return fault(&s, s.p, "unexpected input");
		s.p++;
	}
}

fallible oci_filters_parse(const char *const *texts, size_t n, struct oci_filters **ret)
{
	auto_oci_filters struct oci_filters *filters = alloc(sizeof(*filters));
	filters->filters = alloc_array(n, sizeof(*filters->filters));
	filters->n = n;
	for (size_t i = 0; i < n; i++) {
		struct error *e = parse_filter(texts[i], &filters->filters[i]);
		if (e && *texts[i] == '-')
			e = error_hint(e, "flags come before filters");
		TRY(e);
	}
	*ret = take(&filters);
	return NULL;
}

void oci_filters_free(struct oci_filters *filters)
{
	if (!filters)
		return;
	for (size_t i = 0; i < filters->n; i++) {
		struct filter *f = &filters->filters[i];
		for (size_t j = 0; j < f->n; j++) {
			strings_done(&f->selectors[j].path);
			free(f->selectors[j].value);
			regex_free(f->selectors[j].regex);
		}
		free(f->selectors);
	}
	free(filters->filters);
	free(filters);
}

static bool selector_matches(const struct selector *s, oci_filter_field *field, void *context)
{
	const char *value = field(context, (const char *const *)s->path.items, s->path.n);
	switch (s->operator) {
	case EQUAL:
		return value && !strcmp(value, s->value);
	case NOT_EQUAL: // what is not there differs too
		return strcmp(value ? value : "", s->value) != 0;
	case MATCHES:
		return regex_matches(s->regex, value ? value : "");
	case PRESENT:
		break;
	}
	return value;
}

bool oci_filters_match(const struct oci_filters *filters, oci_filter_field *field, void *context)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct filter *f = &filters->filters[i];
		size_t j = 0;
		while (j < f->n && selector_matches(&f->selectors[j], field, context))
			j++;
		if (j == f->n)
			return true;
	}
	return !filters->n;
}
