// SPDX-License-Identifier: Apache-2.0
// PAX records: "LENGTH KEY=VALUE\n", the length counting all of it.
#include "base/text.h"
#include "tar/internal.h"

void tar_pax_clear(struct tar_pax *p)
{
	free(p->block);
	struct tar_record *xattrs = p->xattrs, *records = p->records;
	*p = (struct tar_pax){.xattrs = xattrs,
	                      .records = records,
	                      .xattrs_capacity = p->xattrs_capacity,
	                      .records_capacity = p->records_capacity};
}

fallible tar_pax_number(const char *text, uint64_t offset, const char *key, uint64_t *ret)
{
	auto_error struct error *e = text_parse_u64(text, 10, INT64_MAX, ret);
	return e ? tar_damaged(offset, "PAX record %s: %s", key, e->message) : NULL;
}

// "[-]SECONDS[.FRACTION]": digits behind the ninth are cut off, as Go does.
fallible tar_pax_time(const char *text, uint64_t offset, int64_t *ret_s, uint32_t *ret_ns)
{
	const char *point = strchr(text, '.');
	auto_free char *whole = alloc_bytes(text, point ? (size_t)(point - text) : strlen(text));
	int64_t s;
	auto_error struct error *e = text_parse_i64(whole, INT64_MIN + 1, INT64_MAX - 1, &s);
	uint32_t ns = 0, scale = 100000000;
	for (const char *c = point ? point + 1 : ""; !e && *c; c++, scale /= 10) {
		if (*c < '0' || *c > '9')
			e = error_new(ERROR_CORRUPT, "\"%.64s\" is not a time", text);
		else
			ns += (uint32_t)(*c - '0') * scale;
	}
	if (e)
		return tar_damaged(offset, "PAX record mtime: %s", e->message);
	if (*text == '-' && ns) { // -0.5 lies in second -1
		s--;
		ns = 1000000000 - ns;
	}
	*ret_s = s;
	*ret_ns = ns;
	return NULL;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// In place; libarchive writes no '=' at the end, others may.
static bool decode_base64(char *text, size_t *size)
{
	size_t n = *size, out = 0;
	uint32_t bits = 0;
	unsigned n_bits = 0;
	while (n && text[n - 1] == '=')
		n--;
	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int value = base64_value(text[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			text[out++] = (char)(bits >> n_bits);
		}
	}
	text[out] = 0;
	*size = out;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_percent(char *text)
{
	char *out = text;
	for (const char *c = text; *c; c++) {
		if (*c != '%') {
			*out++ = *c;
			continue;
		}
		int high = hex_value(c[1]), low = high < 0 ? -1 : hex_value(c[2]);
		if (low < 0 || !(high | low))
			return false;
		*out++ = (char)(high << 4 | low);
		c += 2;
	}
	*out = 0;
	return true;
}

static void keep(struct tar_record **list, size_t *n, size_t *capacity, struct tar_record record)
{
	alloc_grow(list, capacity, *n, sizeof(**list));
	(*list)[(*n)++] = record;
}

// The last of a key wins.
static void keep_xattr(struct tar_pax *p, const char *name, const char *value, size_t size)
{
	for (size_t i = 0; i < p->n_xattrs; i++)
		if (!strcmp(p->xattrs[i].key, name)) {
			p->xattrs[i] = (struct tar_record){name, value, size};
			return;
		}
	keep(&p->xattrs, &p->n_xattrs, &p->xattrs_capacity, (struct tar_record){name, value, size});
}

static fallible take_xattr(struct tar_pax *p, uint64_t offset, char *key, char *value, size_t size)
{
	enum { XATTRS_MAX = 1024 }; // the search above is linear
	if (p->n_xattrs >= XATTRS_MAX)
		return error_new(ERROR_LIMIT, "tar: offset %llu: more than %d extended attributes",
		                 (unsigned long long)offset, XATTRS_MAX);
	if (text_starts(key, "SCHILY.xattr.")) {
		keep_xattr(p, key + strlen("SCHILY.xattr."), value, size);
		return NULL;
	}
	char *name = key + strlen("LIBARCHIVE.xattr.");
	if (!decode_percent(name) || !decode_base64(value, &size))
		return tar_damaged(offset, "PAX record %.100s: bad encoding", key);
	// libarchive writes both forms; SCHILY's, the plain one, wins wherever it stands.
	for (size_t i = 0; i < p->n_xattrs; i++)
		if (!strcmp(p->xattrs[i].key, name))
			return NULL;
	keep_xattr(p, name, value, size);
	return NULL;
}

static fallible take_piece(struct tar_map *map, uint64_t offset, const char *key, const char *value,
                           bool *half)
{
	uint64_t number;
	TRY(tar_pax_number(value, offset, key, &number));
	bool is_size = !strcmp(key, "GNU.sparse.numbytes");
	if (is_size != *half)
		return tar_damaged(offset, "PAX record %s: out of order", key);
	*half = !is_size;
	if (!is_size) {
		TRY(tar_sparse_add(map, offset, number, 0));
	} else {
		map->pieces[map->n - 1].size = number;
	}
	return NULL;
}

// One record. An empty value takes the record back (POSIX), so the header's field counts.
static fallible take_record(struct tar_pax *p, struct tar_map *map, uint64_t offset, char *key,
                            char *value, size_t size, bool *half)
{
	const struct {
		const char *key;
		const char **to;
	} known[] = {
		{"path", &p->path},
		{"linkpath", &p->linkpath},
		{"size", &p->size},
		{"uid", &p->uid},
		{"gid", &p->gid},
		{"mtime", &p->mtime},
		{"GNU.sparse.major", &p->sparse_major},
		{"GNU.sparse.minor", &p->sparse_minor},
		{"GNU.sparse.name", &p->sparse_name},
		{"GNU.sparse.size", &p->sparse_size},
		{"GNU.sparse.realsize", &p->sparse_realsize},
		{"GNU.sparse.map", &p->sparse_map},
		{"GNU.sparse.numblocks", &p->sparse_count},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(key, known[i].key) != 0)
			continue;
		if (memchr(value, 0, size))
			return tar_damaged(offset, "PAX record %s: holds a zero byte", key);
		*known[i].to = size ? value : NULL;
		return NULL;
	}
	if (!strcmp(key, "GNU.sparse.offset") || !strcmp(key, "GNU.sparse.numbytes")) {
		p->sparse_pairs = true;
		return take_piece(map, offset, key, value, half);
	}
	if (text_starts(key, "SCHILY.xattr.") || text_starts(key, "LIBARCHIVE.xattr."))
		return take_xattr(p, offset, key, value, size);
	keep(&p->records, &p->n_records, &p->records_capacity,
	     (struct tar_record){key, value, size});
	return NULL;
}

// Cuts one record out of the block at `at`: zeros replace '=' and the newline.
static fallible cut_record(struct tar_pax *p, uint64_t offset, size_t *at, char **ret_key,
                           char **ret_value, size_t *ret_size)
{
	char *record = p->block + *at;
	size_t rest = p->block_size - *at, length = 0, digits = 0;
	for (; digits < rest && digits < 8 && record[digits] >= '0' && record[digits] <= '9';
	     digits++)
		length = length * 10 + (size_t)(record[digits] - '0');
	if (!digits || digits == rest || record[digits] != ' ')
		return tar_damaged(offset, "PAX record at %zu: no length", *at);
	if (length > rest || length < digits + 3 || record[length - 1] != '\n')
		return tar_damaged(offset, "PAX record at %zu: wrong length %zu", *at, length);
	char *key = record + digits + 1;
	char *equals = memchr(key, '=', length - digits - 2);
	if (!equals || equals == key || memchr(key, 0, (size_t)(equals - key)))
		return tar_damaged(offset, "PAX record at %zu: no key", *at);
	*equals = 0;
	record[length - 1] = 0;
	*ret_key = key;
	*ret_value = equals + 1;
	*ret_size = (size_t)(record + length - 1 - *ret_value);
	*at += length;
	return NULL;
}

fallible tar_pax_parse(struct tar_pax *p, struct tar_map *map, uint64_t offset)
{
	bool half = false;
	map->n = 0;
	p->present = true;
	for (size_t at = 0; at < p->block_size;) {
		char *key = NULL, *value = NULL;
		size_t size = 0;
		TRY(cut_record(p, offset, &at, &key, &value, &size));
		TRY(take_record(p, map, offset, key, value, size, &half));
	}
	if (half)
		return tar_damaged(offset, "PAX record GNU.sparse.offset: no size follows");
	return NULL;
}
