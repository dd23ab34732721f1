// SPDX-License-Identifier: Apache-2.0
// Bytes to a tree.
//
//   base block (4096)  | bin | bin | …      offsets are relative to the first bin
//   bin: header (32), then cells without gaps; a cell is its size (negative: in use), then a record
//
// 1. All bins are walked first, and the cells that are in use noted, a bit for 8 bytes.
// 2. An offset is followed only if that bit is set; records are read through struct cell, which
//    knows how long its cell is.
// 3. Keys are read from a queue, each at most once: no recursion, no loop.
#include "hive/private.h"

struct reader {
	const unsigned char *bins;
	uint32_t size; // of all bins
	uint32_t minor;
	unsigned char *cells, *seen; // bits
	size_t data_bytes;
	struct hive *hive;
	struct pending {
		uint32_t offset;
		struct hive_key *parent; // NULL: the root
		unsigned depth;
	} * queue;
	size_t n_queue, queue_capacity;
};

struct cell {
	const unsigned char *bytes; // behind the size
	uint32_t size, offset;
};

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t get16(const unsigned char *p)
{
	return (uint32_t)(p[0] | p[1] << 8);
}

static struct error *corrupt(uint32_t offset, const char *what)
{
	return error_new(ERROR_CORRUPT, "hive: offset %#x: %s", offset, what);
}

static bool has_bit(const unsigned char *bits, uint32_t offset)
{
	return bits[offset / 64] >> (offset / 8 % 8) & 1;
}

static void set_bit(unsigned char *bits, uint32_t offset)
{
	bits[offset / 64] |= (unsigned char)(1 << offset / 8 % 8);
}

// --- header, bins -----------------------------------------------------------------------------

static uint32_t checksum(const unsigned char *block)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < 508; i += 4)
		sum ^= get32(block + i);
	return sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
}

static fallible read_header(struct reader *r, const unsigned char *bytes, size_t size)
{
	if (size > HIVE_SIZE_MAX)
		return error_new(ERROR_LIMIT, "hive: %zu bytes, the limit is %d", size,
		                 HIVE_SIZE_MAX);
	if (size < 2 * BASE_BLOCK)
		return error_new(ERROR_CORRUPT, "hive: %zu bytes are too few", size);
	if (memcmp(bytes, "regf", 4) != 0)
		return error_new(ERROR_CORRUPT, "hive: does not begin with regf");
	if (get32(bytes + 508) != checksum(bytes))
		return error_new(ERROR_CORRUPT, "hive: wrong checksum");
	r->minor = get32(bytes + 24);
	if (get32(bytes + 20) != 1 || r->minor < 3 || r->minor > 6 || get32(bytes + 28) ||
	    get32(bytes + 32) != 1)
		return error_new(ERROR_CORRUPT, "hive: unknown version or kind");
	r->size = get32(bytes + 40);
	if (!r->size || r->size % BASE_BLOCK || r->size > size - BASE_BLOCK)
		return error_new(ERROR_CORRUPT, "hive: bins of %u bytes in a file of %zu", r->size,
		                 size);
	r->bins = bytes + BASE_BLOCK;
	return NULL;
}

static fallible walk_bin(struct reader *r, uint32_t start, uint32_t end)
{
	for (uint32_t at = start + BIN_HEADER; at < end;) {
		uint32_t raw = get32(r->bins + at);
		bool in_use = raw >> 31;
		uint32_t size = in_use ? 0 - raw : raw;
		if (size < 8 || size % 8 || size > end - at)
			return corrupt(at, "a cell of bad size");
		if (in_use)
			set_bit(r->cells, at);
		at += size;
	}
	return NULL;
}

static fallible walk_bins(struct reader *r)
{
	for (uint32_t at = 0; at < r->size;) {
		const unsigned char *bin = r->bins + at;
		uint32_t size = get32(bin + 8);
		if (memcmp(bin, "hbin", 4) != 0 || get32(bin + 4) != at)
			return corrupt(at, "no bin here");
		if (!size || size % BASE_BLOCK || size > r->size - at)
			return corrupt(at, "a bin of bad size");
		TRY(walk_bin(r, at, at + size));
		at += size;
	}
	return NULL;
}

// --- cells ------------------------------------------------------------------------------------

static fallible open_cell(const struct reader *r, uint32_t offset, uint32_t least, struct cell *ret)
{
	if (offset % 8 || offset >= r->size || !has_bit(r->cells, offset))
		return corrupt(offset, "no cell in use here");
	*ret = (struct cell){r->bins + offset + 4, 0 - get32(r->bins + offset) - 4, offset};
	if (ret->size < least)
		return corrupt(offset, "the cell is too short");
	return NULL;
}

static bool has_signature(const struct cell *c, const char *signature)
{
	return c->size >= 2 && c->bytes[0] == signature[0] && c->bytes[1] == signature[1];
}

static fallible read_name(const struct cell *c, uint32_t start, uint32_t size, bool latin1,
                          struct str *ret)
{
	if (size > c->size - start)
		return corrupt(c->offset, "the name is longer than its cell");
	ret->size = 0;
	str_add(ret, "");
	if (latin1)
		name_from_latin1(c->bytes + start, size, ret);
	else
		name_from_utf16(c->bytes + start, size / 2, ret);
	return NULL;
}

// --- values -----------------------------------------------------------------------------------

static fallible read_big_data(struct reader *r, const struct cell *db, uint32_t size,
                              unsigned char *data)
{
	struct cell list, part;
	uint32_t n = get16(db->bytes + 2), done = 0;
	TRY(open_cell(r, get32(db->bytes + 4), n * 4, &list));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t left = size - done, piece = left < SEGMENT ? left : SEGMENT;
		TRY(open_cell(r, get32(list.bytes + (size_t)4 * i), piece, &part));
		memcpy(data + done, part.bytes, piece);
		done += piece;
	}
	return done == size ? NULL : corrupt(db->offset, "big data of another size than it says");
}

static fallible read_data(struct reader *r, const struct cell *vk, struct hive_value *v)
{
	uint32_t size = get32(vk->bytes + 4);
	struct cell c;
	if (size >> 31) { // in the record itself
		size &= INT32_MAX;
		if (size > 4)
			return corrupt(vk->offset, "more than four bytes in the record");
		v->data = (unsigned char *)arena_bytes(r->hive->arena, vk->bytes + 8, size);
		v->size = size;
		return NULL;
	}
	r->data_bytes += size;
	if (size > HIVE_DATA_MAX || r->data_bytes > HIVE_DATA_MAX)
		return error_new(ERROR_LIMIT, "hive: more than %d bytes of data", HIVE_DATA_MAX);
	v->size = size;
	if (!size) {
		v->data = (const unsigned char *)"";
		return NULL;
	}
	TRY(open_cell(r, get32(vk->bytes + 8), 0, &c));
	unsigned char *data = arena_alloc(r->hive->arena, size);
	v->data = data;
	if (size > SEGMENT && r->minor > 3 && has_signature(&c, "db") && c.size < size)
		return c.size < 8 ? corrupt(c.offset, "the cell is too short")
		                  : read_big_data(r, &c, size, data);
	if (c.size < size)
		return corrupt(c.offset, "data longer than its cell");
	memcpy(data, c.bytes, size);
	return NULL;
}

static fallible read_value(struct reader *r, struct hive_key *key, uint32_t offset,
                           struct str *name)
{
	struct cell vk;
	TRY(open_cell(r, offset, VK_SIZE, &vk));
	if (!has_signature(&vk, "vk"))
		return corrupt(offset, "no value here");
	uint32_t flags = get16(vk.bytes + 16);
	TRY(read_name(&vk, VK_SIZE, get16(vk.bytes + 2), flags & VK_LATIN1, name));
	if (r->hive->n_values >= HIVE_VALUES_MAX)
		return error_new(ERROR_LIMIT, "hive: more than %d values", HIVE_VALUES_MAX);
	struct hive_value *v = value_add(r->hive, key, name->bytes);
	v->type = get32(vk.bytes + 12);
	v->is_tombstone = flags & VK_TOMBSTONE;
	v->data = (const unsigned char *)"";
	return v->is_tombstone ? NULL : read_data(r, &vk, v);
}

static fallible read_values(struct reader *r, struct hive_key *key, const struct cell *nk,
                            struct str *name)
{
	uint32_t n = get32(nk->bytes + 36);
	struct cell list;
	if (!n)
		return NULL;
	TRY(open_cell(r, get32(nk->bytes + 40), 0, &list));
	if (n > list.size / 4)
		return corrupt(list.offset, "the list of values is shorter than its count");
	for (uint32_t i = 0; i < n; i++)
		TRY(read_value(r, key, get32(list.bytes + (size_t)4 * i), name));
	return NULL;
}

// --- keys -------------------------------------------------------------------------------------

static fallible push(struct reader *r, uint32_t offset, struct hive_key *parent, unsigned depth)
{
	if (offset % 8 || offset >= r->size || !has_bit(r->cells, offset))
		return corrupt(offset, "no cell in use here");
	if (has_bit(r->seen, offset))
		return corrupt(offset, "the key is reached twice");
	if (depth > HIVE_DEPTH_MAX)
		return error_new(ERROR_LIMIT, "hive: keys deeper than %d", HIVE_DEPTH_MAX);
	if (r->n_queue >= HIVE_KEYS_MAX)
		return error_new(ERROR_LIMIT, "hive: more than %d keys", HIVE_KEYS_MAX);
	set_bit(r->seen, offset);
	alloc_grow(&r->queue, &r->queue_capacity, r->n_queue, sizeof(*r->queue));
	r->queue[r->n_queue++] = (struct pending){offset, parent, depth};
	return NULL;
}

static fallible push_leaf(struct reader *r, const struct cell *c, struct hive_key *key,
                          unsigned depth)
{
	bool hinted = has_signature(c, "lf") || has_signature(c, "lh");
	uint32_t n = c->size >= 4 ? get16(c->bytes + 2) : 0, item = hinted ? 8 : 4;
	if (!hinted && !has_signature(c, "li"))
		return corrupt(c->offset, "no list of keys here");
	if (n > (c->size - 4) / item)
		return corrupt(c->offset, "the list of keys is shorter than its count");
	for (uint32_t i = 0; i < n; i++)
		TRY(push(r, get32(c->bytes + 4 + (size_t)item * i), key, depth));
	return NULL;
}

static fallible push_subkeys(struct reader *r, const struct cell *nk, struct hive_key *key,
                             unsigned depth)
{
	struct cell list, leaf;
	if (!get32(nk->bytes + 20))
		return NULL;
	TRY(open_cell(r, get32(nk->bytes + 28), 4, &list));
	if (!has_signature(&list, "ri"))
		return push_leaf(r, &list, key, depth);
	uint32_t n = get16(list.bytes + 2);
	if (n > (list.size - 4) / 4)
		return corrupt(list.offset, "the list of keys is shorter than its count");
	for (uint32_t i = 0; i < n; i++) {
		TRY(open_cell(r, get32(list.bytes + 4 + (size_t)4 * i), 4, &leaf));
		TRY(push_leaf(r, &leaf, key, depth));
	}
	return NULL;
}

static fallible read_key(struct reader *r, const struct pending *p, struct str *name)
{
	struct cell nk;
	TRY(open_cell(r, p->offset, NK_SIZE, &nk));
	if (!has_signature(&nk, "nk"))
		return corrupt(p->offset, "no key here");
	uint32_t flags = get16(nk.bytes + 2);
	TRY(read_name(&nk, NK_SIZE, get16(nk.bytes + 72), flags & NK_LATIN1, name));
	if (p->parent && (!name->size || strchr(name->bytes, '\\')))
		return corrupt(p->offset, "no name of a key"); // paths couldn't hold it
	if (name->size > HIVE_NAME_MAX)
		return corrupt(p->offset, "a name of more than 255 characters");
	struct hive_key *key =
		p->parent ? hive_add_key(r->hive, p->parent, name->bytes) : r->hive->root;
	key->layer = nk.bytes[13] & 3;
	key->is_link = flags & NK_LINK;
	if (key->layer == HIVE_TOMBSTONE)
		return NULL; // nothing else of it counts
	TRY(read_values(r, key, &nk, name));
	return push_subkeys(r, &nk, key, p->depth + 1);
}

static fallible read_all(struct reader *r, const unsigned char *bytes, size_t size)
{
	TRY(read_header(r, bytes, size));
	r->cells = alloc_array(r->size / 64 + 1, 1);
	r->seen = alloc_array(r->size / 64 + 1, 1);
	TRY(walk_bins(r));
	auto_str struct str name = STR_LIMIT(1 << 18);
	TRY(push(r, get32(bytes + 36), NULL, 0));
	for (size_t i = 0; i < r->n_queue; i++) {
		struct pending p = r->queue[i]; // reading moves the queue
		TRY(read_key(r, &p, &name));
	}
	return NULL;
}

fallible hive_read(const void *bytes, size_t size, struct hive **ret)
{
	struct reader r = {.hive = hive_new()};
	struct error *e = read_all(&r, bytes, size);
	free(r.cells);
	free(r.seen);
	free(r.queue);
	if (e)
		hive_free(r.hive);
	else
		*ret = r.hive;
	return e;
}
