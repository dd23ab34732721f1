// SPDX-License-Identifier: Apache-2.0
// All ways through the program at once, character by character (Thompson, CACM 11:6, 1968): each
// step is entered once for a place in the text, however many ways lead to it.
#include "base/memory.h"
#include "base/text.h"
#include "oci/regex_program.h"
#include <string.h>

struct set { // of steps
	uint16_t *items;
	size_t n;
	bool *has;
};
struct run {
	const struct regex *re;
	uint16_t *waiting; // steps that are to be entered
	bool is_found;
	uint32_t before, after; // the characters around this place
};
_Static_assert(REGEX_PROGRAM_LIMIT <= UINT16_MAX, "a step has a number");
#define NOTHING UINT32_MAX // no character: the text's beginning or end

uint32_t regex_rune(const char *p, size_t *ret_size)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t size = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	*ret_size = 1;
	if (u[0] < 0x80)
		return u[0];
	if (strnlen(p, size) < size || !text_is_utf8(p, size))
		return 0xfffd;
	uint32_t rune = u[0] & (0xffu >> (size + 1));
	for (size_t i = 1; i < size; i++)
		rune = rune << 6 | (u[i] & 0x3f);
	*ret_size = size;
	return rune;
}

static bool is_letter(uint32_t c)
{
	return c < 0x80 && (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_word(uint32_t c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static bool is_place(const struct run *r, enum regex_place place)
{
	switch (place) {
	case REGEX_TEXT_BEGIN:
		return r->before == NOTHING;
	case REGEX_TEXT_END:
		return r->after == NOTHING;
	case REGEX_LINE_BEGIN:
		return r->before == NOTHING || r->before == '\n';
	case REGEX_LINE_END:
		return r->after == NOTHING || r->after == '\n';
	case REGEX_WORD_EDGE:
		return is_word(r->before) != is_word(r->after);
	case REGEX_NO_WORD_EDGE:
		return is_word(r->before) == is_word(r->after);
	}
	return false;
}

static bool is_in(const struct regex_range *ranges, size_t n, uint32_t c)
{
	while (n) {
		size_t middle = n / 2;
		if (c >= ranges[middle].first && c <= ranges[middle].last)
			return true;
		if (c > ranges[middle].last) {
			ranges += middle + 1;
			n -= middle + 1;
		} else {
			n = middle;
		}
	}
	return false;
}

static bool has_rune(const struct regex *re, const struct regex_step *s, uint32_t c)
{
	const struct regex_range *ranges = &re->ranges[s->a];
	size_t n = (size_t)s->b;
	return (is_in(ranges, n, c) || (s->folds && is_letter(c) && is_in(ranges, n, c ^ 0x20))) !=
	       s->is_negated;
}

// Adds the steps that can be reached from `start` without a character.
static void enter(struct run *r, struct set *to, size_t start)
{
	size_t n = 0;
	if (!to->has[start])
		r->waiting[n++] = (uint16_t)start;
	to->has[start] = true;
	while (n) {
		size_t at = r->waiting[--n], next[2], n_next = 0;
		const struct regex_step *s = &r->re->steps[at];
		if (s->op == REGEX_RANGES)
			to->items[to->n++] = (uint16_t)at;
		else if (s->op == REGEX_MATCH)
			r->is_found = true;
		else if (s->op == REGEX_ASSERT && is_place(r, (enum regex_place)s->a))
			next[n_next++] = at + 1;
		if (s->op == REGEX_SPLIT || s->op == REGEX_JUMP)
			next[n_next++] = (size_t)((ptrdiff_t)at + s->a);
		if (s->op == REGEX_SPLIT)
			next[n_next++] = (size_t)((ptrdiff_t)at + s->b);
		for (size_t i = 0; i < n_next; i++) {
			if (!to->has[next[i]])
				r->waiting[n++] = (uint16_t)next[i];
			to->has[next[i]] = true;
		}
	}
}

static void set_done(struct set *s)
{
	free(s->items);
	free(s->has);
}

bool regex_matches(const struct regex *re, const char *text)
{
	auto_free uint16_t *waiting = alloc_array(re->n, sizeof *waiting);
	defer(set_done) struct set now = {alloc_array(re->n, sizeof *now.items), 0,
	                                  alloc_array(re->n, sizeof *now.has)};
	defer(set_done) struct set then = {alloc_array(re->n, sizeof *now.items), 0,
	                                   alloc_array(re->n, sizeof *now.has)};
	struct run r = {re, waiting, false, NOTHING, NOTHING};
	size_t size = 0, next_size = 0;
	r.after = *text ? regex_rune(text, &size) : NOTHING;
	for (;; text += size, size = next_size) {
		enter(&r, &now, 0); // a match may begin anywhere
		if (r.is_found || r.after == NOTHING)
			return r.is_found;
		r.before = r.after;
		r.after = text[size] ? regex_rune(text + size, &next_size) : NOTHING;
		for (size_t i = 0; i < now.n; i++) {
			if (has_rune(re, &re->steps[now.items[i]], r.before))
				enter(&r, &then, now.items[i] + 1U);
		}
		struct set old = now;
		now = then;
		then = old;
		then.n = 0;
		memset(then.has, 0, re->n * sizeof *then.has);
	}
}
