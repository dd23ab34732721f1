// SPDX-License-Identifier: Apache-2.0
// A tree to bytes. Two passes over the keys in one order: the first gives each cell its offset, the
// second writes.
#include "hive/private.h"
#include "hive/upcase.h"
#include <stdlib.h>

// Owner and group Administrators; everybody may read, administrators and the system may all.
static const unsigned char descriptor[] = {
	// clang-format off
	1, 0, 4, 0x80, 0x5c, 0, 0, 0, 0x6c, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0,
	2, 0, 0x48, 0, 3, 0, 0, 0,
	0, 2, 0x18, 0, 0x3f, 0, 0x0f, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0,
	0, 2, 0x14, 0, 0x3f, 0, 0x0f, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
	0, 2, 0x14, 0, 0x19, 0, 2, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
	1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0,
	1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0,
	// clang-format on
};
enum { SK_SIZE = 20 };

struct written { // a key with the places of its parts
	const struct hive_key *key;
	uint32_t nk, list, values; // of cells
	size_t parent;             // index
	size_t first_child;        // index: children stand together
	struct str name;
};

struct writer {
	struct written *keys;
	size_t n;
	uint64_t end; // offset of the next cell
	unsigned char *bins;
};

static void put16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static uint32_t cell_size(uint64_t record)
{
	return (uint32_t)((record + 4 + 7) & ~UINT64_C(7));
}

static uint32_t place(struct writer *w, uint64_t record)
{
	uint32_t offset = (uint32_t)w->end;
	w->end += cell_size(record);
	return offset;
}

// The record of a cell in the second pass.
static unsigned char *cell_at(struct writer *w, uint32_t offset, uint64_t record)
{
	put32(w->bins + offset, 0 - cell_size(record));
	return w->bins + offset + 4;
}

static int by_name(const void *a, const void *b)
{
	return name_compare((*(const struct hive_key *const *)a)->name,
	                    (*(const struct hive_key *const *)b)->name);
}

// Children in the order in which Windows looks for them.
static fallible add_children(struct writer *w, size_t parent)
{
	const struct hive_key *key = w->keys[parent].key;
	w->keys[parent].first_child = w->n;
	if (!key->n_keys)
		return NULL;
	if (key->n_keys > UINT16_MAX)
		return error_new(ERROR_LIMIT, "hive: more than %d keys in one", UINT16_MAX);
	auto_free const struct hive_key **sorted = alloc_array(key->n_keys, sizeof(*sorted));
	size_t n = 0;
	for (const struct hive_key *child = key->first; child; child = child->next)
		sorted[n++] = child;
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++)
		w->keys[w->n++] = (struct written){
			.key = sorted[i], .parent = parent, .name = STR_LIMIT(2048)};
	return NULL;
}

static fallible give_places(struct writer *w)
{
	for (size_t i = 0; i < w->n; i++) {
		TRY(add_children(w, i));
		struct written *k = &w->keys[i];
		name_to_utf16(k->key->name, &k->name);
		k->nk = place(w, NK_SIZE + k->name.size);
		if (k->key->n_keys)
			k->list = place(w, 4 + 8 * (uint64_t)k->key->n_keys);
		if (!k->key->n_values)
			continue;
		k->values = place(w, 4 * (uint64_t)k->key->n_values);
		for (const struct hive_value *v = k->key->values; v; v = v->next) {
			place(w, VK_SIZE + 2 * (uint64_t)strlen(v->name)); // enough
			if (v->size > 4)
				place(w, v->size);
		}
		if (w->end > HIVE_SIZE_MAX - 2 * BASE_BLOCK)
			return error_new(ERROR_LIMIT, "hive: more than %d bytes", HIVE_SIZE_MAX);
	}
	return NULL;
}

static uint32_t hash_of(const struct str *utf16)
{
	uint32_t hash = 0;
	const unsigned char *c = (const unsigned char *)utf16->bytes;
	for (size_t i = 0; i + 1 < utf16->size; i += 2)
		hash = hash * 37 + upcase_unit((uint32_t)(c[i] | c[i + 1] << 8));
	return hash;
}

static void write_values(struct writer *w, const struct written *k)
{
	unsigned char *list = cell_at(w, k->values, 4 * (uint64_t)k->key->n_values);
	uint64_t end = w->end; // places are given again, in the same order
	w->end = k->values + cell_size(4 * (uint64_t)k->key->n_values);
	for (const struct hive_value *v = k->key->values; v; v = v->next, list += 4) {
		uint64_t record = VK_SIZE + 2 * (uint64_t)strlen(v->name);
		auto_str struct str name = STR_LIMIT(1 << 17);
		name_to_utf16(v->name, &name);
		uint32_t offset = place(w, record);
		unsigned char *vk = cell_at(w, offset, record);
		put32(list, offset);
		memcpy(vk, "vk", 2);
		put16(vk + 2, (uint32_t)name.size);
		put32(vk + 12, v->type);
		if (name.size)
			memcpy(vk + VK_SIZE, name.bytes, name.size);
		if (v->is_tombstone) {
			put32(vk + 8, UINT32_MAX);
			put16(vk + 16, VK_TOMBSTONE);
		}
		if (v->size <= 4) {
			put32(vk + 4, (uint32_t)v->size | UINT32_C(1) << 31);
			if (v->size)
				memcpy(vk + 8, v->data, v->size);
			continue;
		}
		uint32_t at = place(w, v->size);
		put32(vk + 4, (uint32_t)v->size);
		put32(vk + 8, at);
		memcpy(cell_at(w, at, v->size), v->data, v->size);
	}
	w->end = end;
}

static void write_key(struct writer *w, size_t i, uint32_t sk)
{
	const struct written *k = &w->keys[i];
	unsigned char *nk = cell_at(w, k->nk, NK_SIZE + k->name.size);
	memcpy(nk, "nk", 2);
	put16(nk + 2, (i ? 0 : 0xcu) | (k->key->is_link ? NK_LINK : 0));
	nk[13] = (unsigned char)k->key->layer;
	put32(nk + 16, i ? w->keys[k->parent].nk : UINT32_MAX);
	put32(nk + 20, (uint32_t)k->key->n_keys);
	put32(nk + 28, k->key->n_keys ? k->list : UINT32_MAX);
	put32(nk + 32, UINT32_MAX);
	put32(nk + 36, (uint32_t)k->key->n_values);
	put32(nk + 40, k->key->n_values ? k->values : UINT32_MAX);
	put32(nk + 44, sk);
	put32(nk + 48, UINT32_MAX);
	put16(nk + 72, (uint32_t)k->name.size);
	if (k->name.size)
		memcpy(nk + NK_SIZE, k->name.bytes, k->name.size);
	uint32_t longest = 0;
	for (size_t c = 0; c < k->key->n_keys; c++)
		if (w->keys[k->first_child + c].name.size > longest)
			longest = (uint32_t)w->keys[k->first_child + c].name.size;
	put16(nk + 52, longest);
	if (k->key->n_keys) {
		unsigned char *list = cell_at(w, k->list, 4 + 8 * (uint64_t)k->key->n_keys);
		memcpy(list, "lh", 2);
		put16(list + 2, (uint32_t)k->key->n_keys);
		for (size_t c = 0; c < k->key->n_keys; c++) {
			const struct written *child = &w->keys[k->first_child + c];
			put32(list + 4 + 8 * c, child->nk);
			put32(list + 8 + 8 * c, hash_of(&child->name));
		}
	}
	if (k->key->n_values)
		write_values(w, k);
}

static void write_security(struct writer *w, uint32_t sk)
{
	unsigned char *record = cell_at(w, sk, SK_SIZE + sizeof(descriptor));
	memcpy(record, "sk", 2);
	put32(record + 4, sk); // a ring of one
	put32(record + 8, sk);
	put32(record + 12, (uint32_t)w->n);
	put32(record + 16, sizeof(descriptor));
	memcpy(record + SK_SIZE, descriptor, sizeof(descriptor));
}

static void write_header(unsigned char *block, uint32_t root, uint32_t size)
{
	uint32_t sum = 0;
	memcpy(block, "regf", 4);
	put32(block + 4, 1);
	put32(block + 8, 1);
	put32(block + 20, 1);
	put32(block + 24, 5);
	put32(block + 32, 1);
	put32(block + 36, root);
	put32(block + 40, size);
	put32(block + 44, 1);
	for (size_t i = 0; i < 508; i += 4)
		sum ^= (uint32_t)block[i] | (uint32_t)block[i + 1] << 8 |
		       (uint32_t)block[i + 2] << 16 | (uint32_t)block[i + 3] << 24;
	put32(block + 508, sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum);
}

static fallible write_all(struct writer *w, struct str *out)
{
	w->end = BIN_HEADER;
	uint32_t sk = place(w, SK_SIZE + sizeof(descriptor));
	TRY(give_places(w));
	uint32_t size = (uint32_t)((w->end + BASE_BLOCK - 1) / BASE_BLOCK * BASE_BLOCK);
	auto_free unsigned char *bytes = alloc((size_t)size + BASE_BLOCK);
	w->bins = bytes + BASE_BLOCK;
	memcpy(w->bins, "hbin", 4);
	put32(w->bins + 8, size);
	write_security(w, sk);
	for (size_t i = 0; i < w->n; i++)
		write_key(w, i, sk);
	if (w->end < size)
		put32(w->bins + w->end, size - (uint32_t)w->end);
	write_header(bytes, w->keys[0].nk, size);
	str_add_bytes(out, bytes, (size_t)size + BASE_BLOCK);
	return out->over ? error_new(ERROR_LIMIT, "hive: more than %zu bytes", out->limit) : NULL;
}

fallible hive_write(const struct hive *h, struct str *out)
{
	// More than there are after a merge: removed ones are still counted.
	struct writer w = {.keys = alloc_array(h->n_keys + 1, sizeof(*w.keys)), .n = 1};
	w.keys[0] = (struct written){.key = h->root, .name = STR_LIMIT(2048)};
	struct error *e = write_all(&w, out);
	for (size_t i = 0; i < w.n; i++)
		str_done(&w.keys[i].name);
	free(w.keys);
	return e;
}
