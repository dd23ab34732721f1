// SPDX-License-Identifier: Apache-2.0
// alternation := sequence ('|' sequence)*
// sequence    := (piece repetition?)*                   (flags may stand between the two)
// repetition  := ('*' | '+' | '?' | '{' n (',' m?)? '}') '?'?
// piece       := '(' alternation ')' | '(?' flags ')' | '[' class ']' | '.' | '^' | '$' | '\' … |
// any The program is written while it is read: what was written since a place is the piece that a
// repetition copies and an alternative stands before.
#include "base/text.h"
#include "oci/regex_program.h"
#include <string.h>

#define REPEAT_LIMIT 1000 // Go's
#define ENDLESS UINT32_MAX
#define NO_RUNE (REGEX_RUNE_MAX + 1)
#define NO_PIECE SIZE_MAX

enum flags { FOLD = 1, LINES = 2, DOT_ALL = 4 };

struct parser {
	struct regex *re;
	const char *all, *p;
	unsigned flags, depth;
};

static struct error *bad(const char *why, const char *from, const char *to)
{
	return error_new(ERROR_INVALID, "error parsing regexp: %s: `%.*s`", why,
	                 (int)(to - from < 64 ? to - from : 64), from);
}

// ---- Writing ------------------------------------------------------------------------------------

static fallible make_room(struct regex *re, size_t n)
{
	if (re->n + n > REGEX_PROGRAM_LIMIT)
		return error_new(ERROR_INVALID, "error parsing regexp: expression too large");
	alloc_grow(&re->steps, &re->capacity, re->n + n, sizeof *re->steps);
	return NULL;
}

static fallible add(struct regex *re, struct regex_step step)
{
	TRY(make_room(re, 1));
	re->steps[re->n++] = step;
	return NULL;
}

static fallible insert(struct regex *re, size_t at, struct regex_step step)
{
	TRY(make_room(re, 1));
	memmove(&re->steps[at + 1], &re->steps[at], (re->n - at) * sizeof step);
	re->steps[at] = step;
	re->n++;
	return NULL;
}

static void add_range(struct regex *re, uint32_t first, uint32_t last)
{
	alloc_grow(&re->ranges, &re->ranges_capacity, re->n_ranges + 1, sizeof *re->ranges);
	re->ranges[re->n_ranges++] = (struct regex_range){first, last};
}

static int compare_ranges(const void *a, const void *b)
{
	const struct regex_range *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

// In order and apart from each other, since they are looked up by halves: a class has thousands if
// somebody wants it so, in a thousand places.
static void tidy_ranges(struct regex *re, size_t first)
{
	struct regex_range *ranges = &re->ranges[first];
	size_t n = re->n_ranges - first, kept = 0;
	qsort(ranges, n, sizeof *ranges, compare_ranges);
	for (size_t i = 1; i < n; i++) {
		if (ranges[i].first > ranges[kept].last)
			ranges[++kept] = ranges[i];
		else if (ranges[i].last > ranges[kept].last)
			ranges[kept].last = ranges[i].last;
	}
	re->n_ranges = first + kept + 1;
}

// What was added since `first_range`, which is one at least.
static fallible add_ranges(struct parser *p, size_t first_range, bool is_negated)
{
	tidy_ranges(p->re, first_range);
	return add(p->re, (struct regex_step){.op = REGEX_RANGES,
	                                      .is_negated = is_negated,
	                                      .folds = p->flags & FOLD,
	                                      .a = (int32_t)first_range,
	                                      .b = (int32_t)(p->re->n_ranges - first_range)});
}

static fallible add_rune(struct parser *p, uint32_t rune)
{
	size_t first = p->re->n_ranges;
	add_range(p->re, rune, rune);
	return add_ranges(p, first, false);
}

static fallible add_assert(struct parser *p, enum regex_place place)
{
	return add(p->re, (struct regex_step){.op = REGEX_ASSERT, .a = (int32_t)place});
}

// ---- Classes ------------------------------------------------------------------------------------

static const struct class
{
	const char *name;
	const char *ranges; // pairs, in order
} classes[] = {
	{"d", "09"},
	{"s", "\t\n\f\r  "},
	{"w", "09AZ__az"},
	{"[:alnum:]", "09AZaz"},
	{"[:alpha:]", "AZaz"},
	{"[:ascii:]", "\x01\x7f"},
	{"[:blank:]", "\t\t  "},
	{"[:cntrl:]", "\x01\x1f\x7f\x7f"},
	{"[:digit:]", "09"},
	{"[:graph:]", "!~"},
	{"[:lower:]", "az"},
	{"[:print:]", " ~"},
	{"[:punct:]", "!/:@[`{~"},
	{"[:space:]", "\t\r  "},
	{"[:upper:]", "AZ"},
	{"[:word:]", "09AZ__az"},
	{"[:xdigit:]", "09AFaf"},
};

static void add_class(struct regex *re, const struct class *class, bool is_negated)
{
	uint32_t next = 0;
	for (const char *r = class->ranges; *r; r += 2) {
		uint32_t first = (unsigned char)r[0], last = (unsigned char)r[1];
		if (!is_negated)
			add_range(re, first, last);
		else if (first > next)
			add_range(re, next, first - 1);
		next = last + 1;
	}
	if (is_negated)
		add_range(re, next, REGEX_RUNE_MAX);
}

// \d, \D…; false: it isn't one.
static bool read_letter_class(struct parser *p)
{
	for (size_t i = 0; i < 3 && *p->p == '\\'; i++) {
		if ((p->p[1] | 0x20) != *classes[i].name)
			continue;
		add_class(p->re, &classes[i], p->p[1] != *classes[i].name);
		p->p += 2;
		return true;
	}
	return false;
}

// [:alpha:], [:^alpha:] inside of a class.
static fallible read_named_class(struct parser *p, bool *ret_is_one)
{
	const char *end = strstr(p->p, ":]");
	*ret_is_one = text_starts(p->p, "[:") && end && end > p->p + 1;
	if (!*ret_is_one)
		return NULL;
	bool is_negated = p->p[2] == '^';
	const char *name = p->p + 2 + is_negated;
	for (size_t i = 3; i < sizeof classes / sizeof *classes; i++) {
		size_t size = strlen(classes[i].name) - 2; // "alpha:]"
		if (strncmp(name, classes[i].name + 2, size) != 0)
			continue;
		add_class(p->re, &classes[i], is_negated);
		p->p = name + size;
		return NULL;
	}
	return bad("invalid character class range", p->p, end + 2);
}

// ---- Characters ---------------------------------------------------------------------------------

static uint32_t read_rune(struct parser *p)
{
	size_t size;
	uint32_t rune = regex_rune(p->p, &size);
	p->p += size;
	return rune;
}

static int digit_of(char c, uint32_t base)
{
	int value = c >= '0' && c <= '9'                     ? c - '0'
	            : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
	                                                     : 16;
	return value < (int)base ? value : -1;
}

// Up to `most` digits; returns how many there were.
static size_t read_digits(struct parser *p, uint32_t base, size_t most, uint32_t *ret)
{
	size_t n = 0;
	*ret = 0;
	for (int digit; n < most && *ret <= REGEX_RUNE_MAX && (digit = digit_of(*p->p, base)) >= 0;
	     n++) {
		*ret = *ret * base + (uint32_t)digit;
		p->p++;
	}
	return n;
}

static fallible read_number_escape(struct parser *p, const char *start, uint32_t *ret)
{
	size_t n;
	if (*p->p != 'x') {
		bool is_zero = *p->p == '0';
		n = read_digits(p, 8, 3, ret);
		// A digit alone would be what Perl calls a backreference.
		return n > 1 || is_zero ? NULL : bad("invalid escape sequence", start, p->p);
	}
	p->p++;
	bool is_braced = *p->p == '{';
	p->p += is_braced;
	n = read_digits(p, 16, is_braced ? SIZE_MAX : 2, ret);
	bool is_one = *ret <= REGEX_RUNE_MAX && n >= (is_braced ? 1 : 2);
	if (is_braced && *p->p == '}' && *ret <= REGEX_RUNE_MAX)
		p->p++;
	if (!is_one || (is_braced && p->p[-1] != '}'))
		return bad("invalid escape sequence", start, p->p);
	return NULL;
}

// What stands behind a backslash and means one character.
static fallible read_escape(struct parser *p, uint32_t *ret)
{
	static const char letters[] = "afnrtv", meanings[] = "\a\f\n\r\t\v";
	const char *start = p->p++;
	unsigned char c = (unsigned char)*p->p;
	if (!c)
		return error_new(
			ERROR_INVALID,
			"error parsing regexp: trailing backslash at end of expression: ``");
	const char *letter = strchr(letters, c);
	if ((c >= '0' && c <= '7') || c == 'x')
		return read_number_escape(p, start, ret);
	*ret = letter ? (unsigned char)meanings[letter - letters] : read_rune(p);
	p->p += letter != NULL;
	bool is_letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
	return !letter && (is_letter || c >= 0x80) ? bad("invalid escape sequence", start, p->p)
	                                           : NULL;
}

static fallible read_class_rune(struct parser *p, const char *start, uint32_t *ret)
{
	if (!*p->p)
		return bad("missing closing ]", start, p->p);
	if (*p->p == '\\')
		return read_escape(p, ret);
	*ret = read_rune(p);
	return NULL;
}

static fallible read_class_range(struct parser *p, const char *start)
{
	const char *from = p->p;
	uint32_t first = 0, last = 0;
	TRY(read_class_rune(p, start, &first));
	last = first;
	if (*p->p == '-' && p->p[1] && p->p[1] != ']') {
		p->p++;
		TRY(read_class_rune(p, start, &last));
	}
	if (last < first)
		return bad("invalid character class range", from, p->p);
	add_range(p->re, first, last);
	return NULL;
}

static fallible read_class(struct parser *p)
{
	const char *start = p->p++;
	size_t first_range = p->re->n_ranges;
	bool is_negated = *p->p == '^', is_first = true, is_class = false;
	p->p += is_negated;
	for (; *p->p != ']' || is_first; is_first = false) {
		TRY(read_named_class(p, &is_class));
		if (!is_class && !read_letter_class(p))
			TRY(read_class_range(p, start));
	}
	p->p++;
	return add_ranges(p, first_range, is_negated);
}

// ---- Pieces -------------------------------------------------------------------------------------

static fallible read_alternation(struct parser *p);

// (?flags) sets them up to the group's end, (?flags:…) inside; *ret_is_open: a group follows.
static fallible read_flags(struct parser *p, const char *start, bool *ret_is_open)
{
	static const char letters[] = "imsU";
	static const unsigned meanings[] = {FOLD, LINES, DOT_ALL, 0}; // U: which match, not whether
	bool clears = false, has_one = false;
	for (;; p->p++) {
		const char *letter = *p->p ? strchr(letters, *p->p) : NULL;
		if (letter && clears)
			p->flags &= ~meanings[letter - letters];
		else if (letter)
			p->flags |= meanings[letter - letters];
		else if (*p->p == '-' && !clears)
			clears = true;
		else
			break;
		has_one = letter != NULL;
	}
	*ret_is_open = *p->p == ':';
	uint32_t end = *p->p ? read_rune(p) : 0;
	if ((end != ':' && end != ')') || (clears && !has_one))
		return bad("invalid or unsupported Perl syntax", start, p->p);
	return NULL;
}

static fallible read_group_name(struct parser *p, const char *start)
{
	p->p += *p->p == 'P';
	const char *name = ++p->p;
	while ((*p->p >= '0' && *p->p <= '9') || *p->p == '_' ||
	       ((*p->p | 0x20) >= 'a' && (*p->p | 0x20) <= 'z'))
		p->p++;
	if (p->p == name || *p->p != '>') {
		const char *end = strchr(start, '>');
		return bad("invalid named capture", start, end ? end + 1 : start + strlen(start));
	}
	p->p++;
	return NULL;
}

// Which part of the text a group matched is nobody's question here.
static fallible read_group(struct parser *p, bool *ret_is_piece)
{
	const char *start = p->p++;
	unsigned flags = p->flags;
	if (++p->depth > REGEX_DEPTH_LIMIT)
		return error_new(ERROR_INVALID,
		                 "error parsing regexp: expression nests too deeply");
	if (text_starts(p->p, "?P<") || text_starts(p->p, "?<")) {
		p->p++;
		TRY(read_group_name(p, start));
	} else if (*p->p == '?') {
		p->p++;
		TRY(read_flags(p, start, ret_is_piece));
		if (!*ret_is_piece) {
			p->depth--;
			return NULL;
		}
	}
	TRY(read_alternation(p));
	if (*p->p != ')')
		return bad("missing closing )", p->all, p->p);
	p->p++;
	p->depth--;
	p->flags = flags;
	return NULL;
}

static fallible read_backslash(struct parser *p)
{
	static const char letters[] = "AzbB";
	static const enum regex_place places[] = {REGEX_TEXT_BEGIN, REGEX_TEXT_END, REGEX_WORD_EDGE,
	                                          REGEX_NO_WORD_EDGE};
	size_t first_range = p->re->n_ranges;
	if (read_letter_class(p))
		return add_ranges(p, first_range, false);
	const char *letter = p->p[1] ? strchr(letters, p->p[1]) : NULL;
	if (letter) {
		p->p += 2;
		return add_assert(p, places[letter - letters]);
	}
	if (p->p[1] == 'p' || p->p[1] == 'P')
		return bad("invalid character class range", p->p, p->p + 2);
	uint32_t rune;
	TRY(read_escape(p, &rune));
	return add_rune(p, rune);
}

// *ret_is_piece: not for flags, behind which a repetition is of what stands before.
static fallible read_piece(struct parser *p, bool *ret_is_piece)
{
	size_t first_range = p->re->n_ranges;
	uint32_t rune;
	switch (*p->p) {
	case '(':
		return read_group(p, ret_is_piece);
	case '[':
		return read_class(p);
	case '\\':
		return read_backslash(p);
	case '.':
		p->p++;
		rune = p->flags & DOT_ALL ? NO_RUNE : '\n';
		add_range(p->re, rune, rune);
		return add_ranges(p, first_range, true);
	case '^':
		p->p++;
		return add_assert(p, p->flags & LINES ? REGEX_LINE_BEGIN : REGEX_TEXT_BEGIN);
	case '$':
		p->p++;
		return add_assert(p, p->flags & LINES ? REGEX_LINE_END : REGEX_TEXT_END);
	default:
		return add_rune(p, read_rune(p));
	}
}

// ---- Repetitions --------------------------------------------------------------------------------

static bool read_count(const char **p, uint32_t *ret)
{
	const char *start = *p;
	for (*ret = 0; **p >= '0' && **p <= '9'; (*p)++)
		*ret = *ret > REPEAT_LIMIT ? *ret : *ret * 10 + (uint32_t)(**p - '0');
	return *p > start && (*start != '0' || *p == start + 1);
}

// False: none stands here. A brace that isn't of this form is a character.
static bool read_repetition(const char **p, uint32_t *ret_least, uint32_t *ret_most)
{
	const char *at = *p;
	switch (*at++) {
	case '*':
		*ret_least = 0, *ret_most = ENDLESS;
		break;
	case '+':
		*ret_least = 1, *ret_most = ENDLESS;
		break;
	case '?':
		*ret_least = 0, *ret_most = 1;
		break;
	case '{':
		if (!read_count(&at, ret_least))
			return false;
		*ret_most = *ret_least;
		if (*at == ',' && at[1] == '}') {
			*ret_most = ENDLESS;
			at++;
		} else if (*at == ',') {
			at++;
			if (!read_count(&at, ret_most))
				return false;
		}
		if (*at++ != '}')
			return false;
		break;
	default:
		return false;
	}
	*p = at + (*at == '?'); // which match, not whether
	return true;
}

static fallible add_copy(struct regex *re, const struct regex_step *piece, size_t n)
{
	TRY(make_room(re, n));
	if (n)
		memcpy(&re->steps[re->n], piece, n * sizeof *piece);
	re->n += n;
	return NULL;
}

// The piece is what stands from `start` to the end; it is taken away and written as often as
// wanted.
static fallible repeat(struct regex *re, size_t start, uint32_t least, uint32_t most)
{
	size_t n = re->n - start;
	auto_free struct regex_step *piece = alloc_array(n + !n, sizeof *piece);
	if (n)
		memcpy(piece, &re->steps[start], n * sizeof *piece);
	re->n = start;
	for (uint32_t i = 0; i < least; i++)
		TRY(add_copy(re, piece, n));
	const int32_t size = (int32_t)n;
	if (most == ENDLESS && least) // back to the last one
		return add(re, (struct regex_step){.op = REGEX_SPLIT, .a = -size, .b = 1});
	for (uint32_t i = least; i < (most == ENDLESS ? 1 : most); i++) {
		int32_t behind = size + 1 + (most == ENDLESS);
		TRY(add(re, (struct regex_step){.op = REGEX_SPLIT, .a = 1, .b = behind}));
		TRY(add_copy(re, piece, n));
	}
	if (most == ENDLESS)
		return add(re, (struct regex_step){.op = REGEX_JUMP, .a = -size - 1});
	return NULL;
}

// The next piece, which is *last then, or a repetition of the last.
static fallible read_next(struct parser *p, size_t *last)
{
	uint32_t least = 0, most = 0, ignored;
	const char *begin = p->p;
	if (!read_repetition(&p->p, &least, &most)) {
		size_t start = p->re->n;
		bool is_piece = true;
		TRY(read_piece(p, &is_piece));
		*last = is_piece ? start : *last;
		return NULL;
	}
	if (*last == NO_PIECE)
		return bad("missing argument to repetition operator", begin, p->p);
	const char *after = p->p;
	if (read_repetition(&after, &ignored, &ignored))
		return bad("invalid nested repetition operator", begin, after);
	if (least > REPEAT_LIMIT || (most != ENDLESS && (most > REPEAT_LIMIT || most < least)))
		return bad("invalid repeat count", begin, p->p);
	return repeat(p->re, *last, least, most);
}

static fallible read_alternation(struct parser *p)
{
	struct regex *re = p->re;
	size_t start = re->n;
	for (;;) {
		size_t begin = re->n, last = NO_PIECE;
		while (*p->p && *p->p != '|' && *p->p != ')')
			TRY(read_next(p, &last));
		if (begin > start) // the jump over this alternative, behind those before
			re->steps[begin - 1].a = (int32_t)(re->n - begin + 1);
		if (*p->p != '|')
			return NULL;
		p->p++;
		int32_t size = (int32_t)(re->n - start);
		TRY(insert(re, start,
		           (struct regex_step){.op = REGEX_SPLIT, .a = 1, .b = size + 2}));
		TRY(add(re, (struct regex_step){.op = REGEX_JUMP}));
	}
}

fallible regex_parse(const char *pattern, struct regex **ret)
{
	size_t size = strnlen(pattern, REGEX_SIZE_LIMIT + 1);
	if (size > REGEX_SIZE_LIMIT)
		return error_new(ERROR_INVALID, "error parsing regexp: expression too large");
	if (!text_is_utf8(pattern, size))
		return error_new(ERROR_INVALID, "error parsing regexp: invalid UTF-8");
	auto_regex struct regex *re = alloc(sizeof *re);
	struct parser p = {.re = re, .all = pattern, .p = pattern};
	TRY(read_alternation(&p));
	if (*p.p)
		return bad("unexpected )", pattern, pattern + size);
	TRY(add(re, (struct regex_step){.op = REGEX_MATCH}));
	*ret = take(&re);
	return NULL;
}

void regex_free(struct regex *re)
{
	if (!re)
		return;
	free(re->steps);
	free(re->ranges);
	free(re);
}
