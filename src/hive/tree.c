// SPDX-License-Identifier: Apache-2.0
// The tree in memory, and one tree laid over another.
#include "hive/hive.h"
#include "hive/private.h"
#include "hive/upcase.h"

struct hive *hive_new(void)
{
	struct arena *arena = arena_new();
	struct hive *h = arena_alloc(arena, sizeof(*h));
	h->arena = arena;
	h->root = arena_alloc(arena, sizeof(*h->root));
	h->root->name = arena_string(arena, "");
	h->n_keys = 1;
	return h;
}

void hive_free(struct hive *h)
{
	if (h)
		arena_free(h->arena);
}

// Decodes one character of UTF-8 that we wrote ourselves or was checked.
static uint32_t next_unit(const unsigned char **c)
{
	uint32_t first = *(*c)++;
	if (first < 0xc0)
		return first;
	uint32_t code = first & (first < 0xe0 ? 31u : first < 0xf0 ? 15u : 7u);
	while ((**c & 0xc0) == 0x80)
		code = code << 6 | (*(*c)++ & 63);
	return code;
}

int name_compare(const char *a, const char *b)
{
	const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
	while (*x && *y) {
		uint32_t u = upcase_unit(next_unit(&x)), v = upcase_unit(next_unit(&y));
		if (u != v)
			return u < v ? -1 : 1;
	}
	return (*x != 0) - (*y != 0);
}

struct hive_key *hive_find(const struct hive_key *key, const char *path)
{
	while (key && *path) {
		size_t n = strcspn(path, "\\");
		auto_free char *name = alloc_bytes(path, n);
		const struct hive_key *child = key->first;
		while (child && name_compare(child->name, name) != 0)
			child = child->next;
		key = child;
		path += n;
		path += *path == '\\';
	}
	return (struct hive_key *)(uintptr_t)key;
}

struct hive_value *hive_find_value(const struct hive_key *key, const char *name)
{
	struct hive_value *v = key->values;
	while (v && name_compare(v->name, name) != 0)
		v = v->next;
	return v;
}

struct hive_key *hive_add_key(struct hive *h, struct hive_key *parent, const char *name)
{
	struct hive_key *key = arena_alloc(h->arena, sizeof(*key));
	key->name = arena_string(h->arena, name);
	key->parent = parent;
	if (parent->last)
		parent->last->next = key;
	else
		parent->first = key;
	parent->last = key;
	parent->n_keys++;
	h->n_keys++;
	return key;
}

struct hive_value *value_add(struct hive *h, struct hive_key *key, const char *name)
{
	struct hive_value *v = arena_alloc(h->arena, sizeof(*v));
	v->name = arena_string(h->arena, name);
	if (key->last_value)
		key->last_value->next = v;
	else
		key->values = v;
	key->last_value = v;
	key->n_values++;
	h->n_values++;
	return v;
}

void hive_set_value(struct hive *h, struct hive_key *key, const char *name, uint32_t type,
                    const void *data, size_t size)
{
	struct hive_value *v = hive_find_value(key, name);
	if (!v)
		v = value_add(h, key, name);
	v->type = type;
	v->data = (const unsigned char *)arena_bytes(h->arena, data, size);
	v->size = size;
	v->is_tombstone = false;
}

char *hive_text(const struct hive_value *v)
{
	size_t n = 0;
	while (2 * n + 1 < v->size && (v->data[2 * n] || v->data[2 * n + 1]))
		n++;
	struct str s = STR_LIMIT(4 * n + 1);
	str_add(&s, "");
	name_from_utf16(v->data, n, &s);
	return str_take(&s);
}

// --- merging ----------------------------------------------------------------------------------

static void remove_value(struct hive_key *key, const char *name)
{
	struct hive_value **at = &key->values, *before = NULL;
	while (*at && name_compare((*at)->name, name) != 0) {
		before = *at;
		at = &(*at)->next;
	}
	if (!*at)
		return;
	if (key->last_value == *at)
		key->last_value = before;
	*at = (*at)->next;
	key->n_values--;
}

static void remove_key(struct hive_key *parent, struct hive_key *key)
{
	struct hive_key **at = &parent->first, *before = NULL;
	while (*at != key) {
		before = *at;
		at = &(*at)->next;
	}
	if (parent->last == key)
		parent->last = before;
	*at = key->next;
	parent->n_keys--;
}

static void clear_values(struct hive_key *key)
{
	key->values = key->last_value = NULL;
	key->n_values = 0;
}

static void merge_values(struct hive *base, struct hive_key *to, const struct hive_key *from)
{
	if (from->layer == HIVE_SUPERSEDE_LOCAL || from->layer == HIVE_SUPERSEDE_TREE)
		clear_values(to);
	if (from->layer == HIVE_SUPERSEDE_TREE) {
		to->first = to->last = NULL;
		to->n_keys = 0;
	}
	to->is_link = from->is_link;
	for (const struct hive_value *v = from->values; v; v = v->next) {
		if (v->is_tombstone)
			remove_value(to, v->name);
		else
			hive_set_value(base, to, v->name, v->type, v->data, v->size);
	}
}

fallible hive_merge(struct hive *base, const struct hive *delta)
{
	const struct hive_key *from = delta->root;
	struct hive_key *to = base->root;
	merge_values(base, to, from);
	uint64_t steps = 0; // names that were compared, at most
	// Depth first along the delta; `to` is the key that `from` is laid over.
	while (from) {
		if (from->first && from->layer != HIVE_TOMBSTONE) {
			from = from->first;
		} else {
			while (from && !from->next) {
				if (from->layer != HIVE_TOMBSTONE)
					to = to->parent;
				from = from->parent;
			}
			if (!from || !from->parent)
				break;
			if (from->layer != HIVE_TOMBSTONE)
				to = to->parent;
			from = from->next;
		}
		struct hive_key *there = hive_find(to, from->name);
		if (from->layer == HIVE_TOMBSTONE) {
			steps += to->n_keys;
			if (there)
				remove_key(to, there);
			continue;
		}
		if (!there)
			there = hive_add_key(base, to, from->name);
		to = there;
		steps += to->parent->n_keys +
		         (uint64_t)from->n_values * (to->n_values + from->n_values);
		if (steps > MERGE_STEPS_MAX)
			return error_new(ERROR_LIMIT, "the hives have too many keys to be merged");
		merge_values(base, to, from);
		if (base->n_keys > 4 * (size_t)HIVE_KEYS_MAX)
			return error_new(ERROR_LIMIT, "the merged hive has too many keys");
	}
	return NULL;
}
