// SPDX-License-Identifier: Apache-2.0
// The writer: a ustar header, and a PAX header before it for what doesn't fit into that. A sparse
// file has its real name and size there, and its map before its data (GNU tar's manual, "Storing
// Sparse Files", format 1.0), as sparse.c reads it.
#include "base/text.h"
#include "tar/internal.h"
#include <stdio.h>

enum { OCTAL_8 = 07777777, SPLIT_PREFIX = 155, SHORT_NAME = 100 };
#define OCTAL_12 077777777777

static const unsigned char type_flags[] = {
	[TAR_FILE] = '0',     [TAR_DIRECTORY] = '5',   [TAR_SYMLINK] = '2',
	[TAR_HARDLINK] = '1', [TAR_CHAR_DEVICE] = '3', [TAR_BLOCK_DEVICE] = '4',
	[TAR_FIFO] = '6',
};

static void put_octal(unsigned char *header, size_t at, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i--; value >>= 3)
		header[at + i] = (unsigned char)('0' + (value & 7));
}

static void put_checksum(unsigned char *header)
{
	unsigned sum = 0;
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += header[i];
	put_octal(header, 148, 7, sum);
	header[154] = 0;
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

// Fits `name` into name and prefix, split at a slash; false if it can't.
static bool put_name(unsigned char *header, const char *name)
{
	size_t size = strlen(name);
	if (size <= SHORT_NAME) {
		memcpy(header, name, size);
		return true;
	}
	if (size > SPLIT_PREFIX + 1 + SHORT_NAME)
		return false;
	size_t last = size - 1 < SPLIT_PREFIX ? size - 1 : SPLIT_PREFIX;
	for (size_t i = last; i; i--) {
		if (name[i] != '/' || i == size - 1)
			continue;
		if (size - i - 1 > SHORT_NAME)
			return false;
		memcpy(header, name + i + 1, size - i - 1);
		memcpy(header + 345, name, i);
		return true;
	}
	return false;
}

// The length counts its own digits.
static void add_record(struct str *block, const char *key, const char *value, size_t value_size)
{
	size_t rest = strlen(key) + value_size + 3, length = rest, before;
	do {
		char digits[24];
		before = length;
		length = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", before);
	} while (length != before);
	str_printf(block, "%zu %s=", length, key);
	str_add_bytes(block, value, value_size);
	str_add_char(block, '\n');
}

static int compare_records(const void *a, const void *b)
{
	return strcmp(((const struct tar_record *)a)->key, ((const struct tar_record *)b)->key);
}

// All records of an entry: those that replace header fields, attributes, the rest.
struct records {
	struct tar_record *items;
	size_t n, capacity;
	struct strings owned;
};

static void records_done(struct records *l)
{
	strings_done(&l->owned);
	free(l->items);
}

static void add_text(struct records *l, const char *key, const char *value)
{
	alloc_grow(&l->items, &l->capacity, l->n, sizeof(*l->items));
	l->items[l->n++] = (struct tar_record){key, value, strlen(value)};
}

static void add_made(struct records *l, const char *key, char *value)
{
	strings_adopt(&l->owned, value);
	add_text(l, key, value);
}

static void add_mtime(struct records *l, const struct tar_entry *e)
{
	if (e->mtime_s >= 0 && (uint64_t)e->mtime_s <= OCTAL_12 && !e->mtime_ns)
		return;
	bool negative = e->mtime_s < 0;
	uint64_t s = negative ? 0 - (uint64_t)e->mtime_s : (uint64_t)e->mtime_s;
	uint32_t ns = e->mtime_ns;
	if (negative && ns) {
		s--;
		ns = 1000000000 - ns;
	}
	char *text = alloc_printf("%s%llu.%09u", negative ? "-" : "", (unsigned long long)s, ns);
	size_t length = strlen(text);
	while (text[length - 1] == '0')
		text[--length] = 0;
	if (text[length - 1] == '.')
		text[length - 1] = 0;
	add_made(l, "mtime", text);
}

static void add_large(struct records *l, const char *key, uint64_t value, uint64_t most)
{
	if (value > most)
		add_made(l, key, alloc_printf("%llu", (unsigned long long)value));
}

static fallible check_key(const char *key)
{
	if (!*key || strchr(key, '='))
		return error_new(ERROR_INVALID, "tar: \"%.100s\" can't be the key of a PAX record",
		                 key);
	return NULL;
}

// What is stored of a file: its size, or, of a sparse one, its map and its pieces.
struct stored {
	uint64_t size;
	struct str map; // padded; empty for a plain file
};

static fallible gather(struct records *l, const struct tar_entry *e, const struct stored *stored,
                       bool name_fits)
{
	if (stored->map.size) {
		add_text(l, "GNU.sparse.major", "1");
		add_text(l, "GNU.sparse.minor", "0");
		add_text(l, "GNU.sparse.name", e->name);
		add_made(l, "GNU.sparse.realsize",
		         alloc_printf("%llu", (unsigned long long)e->size));
	} else if (!name_fits || !is_ascii(e->name)) {
		add_text(l, "path", e->name);
	}
	if (strlen(e->link) > SHORT_NAME || !is_ascii(e->link))
		add_text(l, "linkpath", e->link);
	add_large(l, "uid", e->uid, OCTAL_8);
	add_large(l, "gid", e->gid, OCTAL_8);
	add_large(l, "size", stored->size, OCTAL_12);
	add_mtime(l, e);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		TRY(check_key(e->xattrs[i].key));
		char *key = alloc_printf("SCHILY.xattr.%s", e->xattrs[i].key);
		strings_adopt(&l->owned, key);
		add_text(l, key, "");
		l->items[l->n - 1].value = e->xattrs[i].value;
		l->items[l->n - 1].value_size = e->xattrs[i].value_size;
	}
	for (size_t i = 0; i < e->n_records; i++) {
		TRY(check_key(e->records[i].key));
		add_text(l, e->records[i].key, "");
		l->items[l->n - 1] = e->records[i];
	}
	if (l->n)
		qsort(l->items, l->n, sizeof(*l->items), compare_records);
	return NULL;
}

static fallible put_padded(struct tar_writer *w, const void *bytes, size_t size)
{
	static const char zeros[TAR_BLOCK];
	TRY(w->sink.put(w->sink.arg, bytes, size));
	size_t padding = -size % TAR_BLOCK;
	return padding ? w->sink.put(w->sink.arg, zeros, padding) : NULL;
}

// The PAX header's own name is for readers that don't know it: DIR/PaxHeaders.0/FILE.
static fallible put_pax(struct tar_writer *w, const struct tar_entry *e, const struct records *l)
{
	auto_str struct str block = STR_LIMIT(TAR_PAX_MAX);
	for (size_t i = 0; i < l->n; i++)
		add_record(&block, l->items[i].key, l->items[i].value, l->items[i].value_size);
	if (block.over)
		return error_new(ERROR_LIMIT, "tar: \"%.200s\": more than %d bytes of PAX records",
		                 e->name, TAR_PAX_MAX);
	unsigned char header[TAR_BLOCK] = {0};
	const char *slash = strrchr(e->name, '/');
	int dir_size = slash && slash - e->name < 50 ? (int)(slash + 1 - e->name) : 0;
	auto_free char *name =
		alloc_printf("%.*sPaxHeaders.0/%s", dir_size, e->name, slash ? slash + 1 : e->name);
	memcpy(header, name, strnlen(name, SHORT_NAME));
	for (unsigned char *c = header; *c; c++)
		if (*c >= 0x80)
			*c = '_';
	header[FIELD_TYPE] = 'x';
	put_octal(header, 100, 8, 0);
	put_octal(header, 108, 8, 0);
	put_octal(header, 116, 8, 0);
	put_octal(header, 124, 12, block.size);
	put_octal(header, 136, 12, 0);
	memcpy(header + FIELD_MAGIC, "ustar\00000", 8);
	put_checksum(header);
	TRY(w->sink.put(w->sink.arg, header, sizeof(header)));
	return put_padded(w, block.bytes, block.size);
}

static uint64_t clamp(uint64_t value, uint64_t most)
{
	return value > most ? 0 : value;
}

static fallible add_piece(struct stored *s, const struct tar_entry *e, uint64_t *end, uint64_t at,
                          uint64_t size)
{
	if (at < *end || size > e->size || at > e->size - size)
		return error_new(ERROR_INVALID, "tar: \"%.200s\": a piece lies wrong", e->name);
	str_printf(&s->map, "%llu\n%llu\n", (unsigned long long)at, (unsigned long long)size);
	s->size += size;
	*end = at + size;
	return NULL;
}

static fallible plan_storage(const struct tar_entry *e, struct stored *ret)
{
	if (e->type != TAR_FILE)
		return NULL;
	if (!e->sparse) {
		ret->size = e->size;
		return NULL;
	}
	if (e->n_pieces >= TAR_SPARSE_MAX)
		return error_new(ERROR_LIMIT, "tar: \"%.200s\": more than %d pieces", e->name,
		                 TAR_SPARSE_MAX);
	uint64_t end = 0;
	// A last piece of nothing says where the file ends: GNU tar cuts it there.
	const struct tar_piece *last = e->n_pieces ? &e->pieces[e->n_pieces - 1] : NULL;
	bool has_end = last && last->offset + last->size == e->size;
	str_printf(&ret->map, "%zu\n", e->n_pieces + !has_end);
	for (size_t i = 0; i < e->n_pieces; i++)
		TRY(add_piece(ret, e, &end, e->pieces[i].offset, e->pieces[i].size));
	if (!has_end)
		TRY(add_piece(ret, e, &end, e->size, 0));
	while (ret->map.size % TAR_BLOCK)
		str_add_char(&ret->map, 0);
	ret->size += ret->map.size;
	return NULL;
}

static void stored_done(struct stored *s)
{
	str_done(&s->map);
}

fallible tar_write_entry(struct tar_writer *w, const struct tar_entry *e)
{
	if (w->left)
		return error_new(ERROR_INVALID, "tar: %llu bytes lack before \"%.200s\"",
		                 (unsigned long long)w->left, e->name);
	const char *link = e->link ? e->link : "";
	if (strlen(e->name) > TAR_NAME_MAX || strlen(link) > TAR_NAME_MAX)
		return error_new(ERROR_INVALID, "tar: name longer than %d bytes: %.100s…",
		                 TAR_NAME_MAX, e->name);
	struct tar_entry whole = *e;
	whole.link = link;
	unsigned char header[TAR_BLOCK] = {0};
	defer(records_done) struct records list = {0};
	defer(stored_done) struct stored stored = {.map = STR_LIMIT(TAR_SPARSE_MAX * 48)};
	TRY(plan_storage(e, &stored));
	TRY(gather(&list, &whole, &stored, put_name(header, e->name)));
	if (list.n)
		TRY(put_pax(w, &whole, &list));
	if (!*header)
		memcpy(header, e->name, strnlen(e->name, SHORT_NAME));
	memcpy(header + 157, link, strnlen(link, SHORT_NAME));
	uint64_t size = stored.size;
	put_octal(header, 100, 8, e->mode & 07777);
	put_octal(header, 108, 8, clamp(e->uid, OCTAL_8));
	put_octal(header, 116, 8, clamp(e->gid, OCTAL_8));
	put_octal(header, 124, 12, clamp(size, OCTAL_12));
	put_octal(header, 136, 12, e->mtime_s < 0 ? 0 : clamp((uint64_t)e->mtime_s, OCTAL_12));
	put_octal(header, 329, 8, clamp(e->dev_major, OCTAL_8));
	put_octal(header, 337, 8, clamp(e->dev_minor, OCTAL_8));
	header[FIELD_TYPE] = type_flags[e->type];
	memcpy(header + FIELD_MAGIC, "ustar\00000", 8);
	put_checksum(header);
	w->left = size - stored.map.size;
	w->padding = (unsigned)(-w->left % TAR_BLOCK);
	TRY(w->sink.put(w->sink.arg, header, sizeof(header)));
	return stored.map.size ? w->sink.put(w->sink.arg, stored.map.bytes, stored.map.size) : NULL;
}

fallible tar_write(struct tar_writer *w, const void *bytes, size_t size)
{
	if (size > w->left)
		return error_new(ERROR_INVALID, "tar: more data than the entry's size");
	if (size)
		TRY(w->sink.put(w->sink.arg, bytes, size));
	w->left -= size;
	if (w->left || !w->padding)
		return NULL;
	static const char zeros[TAR_BLOCK];
	unsigned padding = w->padding;
	w->padding = 0;
	return w->sink.put(w->sink.arg, zeros, padding);
}

fallible tar_write_end(struct tar_writer *w)
{
	static const char zeros[2 * TAR_BLOCK];
	if (w->left)
		return error_new(ERROR_INVALID, "tar: %llu bytes lack at the end",
		                 (unsigned long long)w->left);
	return w->sink.put(w->sink.arg, zeros, sizeof(zeros));
}
