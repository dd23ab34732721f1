// SPDX-License-Identifier: Apache-2.0
// The reader. Whatever decides how many bytes follow a header (PAX size, type, sparse map) is
// settled before a byte of data is touched: parsers that differ there see different archives.
#include "base/text.h"
#include "tar/internal.h"

struct error *tar_damaged(uint64_t offset, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *what = alloc_vprintf(format, args);
	va_end(args);
	return error_new(ERROR_CORRUPT, "tar: offset %llu: %s", (unsigned long long)offset, what);
}

struct tar_reader *tar_reader_new(const struct tar_source *source)
{
	struct tar_reader *r = alloc(sizeof(*r));
	r->source = *source;
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	tar_pax_clear(&r->pax);
	free(r->pax.xattrs);
	free(r->pax.records);
	free(r->map.pieces);
	free(r->long_name);
	free(r->long_link);
	free(r);
}

// --- bytes ----------------------------------------------------------------------------------

// At most `most` bytes of the archive; *ret_size 0 at the end.
static fallible next_bytes(struct tar_reader *r, uint64_t most, const void **ret, size_t *ret_size)
{
	if (!r->chunk_size) {
		const void *chunk;
		TRY(r->source.more(r->source.arg, &chunk, &r->chunk_size));
		r->chunk = chunk;
	}
	size_t size = r->chunk_size < most ? r->chunk_size : (size_t)most;
	*ret = r->chunk;
	*ret_size = size;
	r->chunk_size -= size;
	r->offset += size;
	if (r->chunk)
		r->chunk += size;
	return NULL;
}

fallible tar_read_block(struct tar_reader *r, const unsigned char **ret)
{
	uint64_t start = r->offset;
	const void *bytes;
	size_t size;
	TRY(next_bytes(r, TAR_BLOCK, &bytes, &size));
	*ret = size ? bytes : NULL;
	if (!size || size == TAR_BLOCK)
		return NULL;
	for (size_t n = 0;;) {
		memcpy(r->block + n, bytes, size);
		n += size;
		if (n == TAR_BLOCK)
			break;
		TRY(next_bytes(r, TAR_BLOCK - n, &bytes, &size));
		if (!size)
			return tar_damaged(start, "ends within a block");
	}
	*ret = r->block;
	return NULL;
}

fallible tar_read_stored(struct tar_reader *r, size_t most, const void **ret, size_t *ret_size)
{
	*ret = NULL;
	*ret_size = 0;
	if (!r->left)
		return NULL;
	TRY(next_bytes(r, r->left < most ? r->left : most, ret, ret_size));
	if (!*ret_size)
		return tar_damaged(r->offset, "ends %llu bytes too early in \"%.200s\"",
		                   (unsigned long long)r->left, r->entry.name ? r->entry.name : "");
	r->left -= *ret_size;
	return NULL;
}

static fallible skip_rest(struct tar_reader *r)
{
	const void *bytes;
	size_t size;
	while (r->left)
		TRY(tar_read_stored(r, SIZE_MAX, &bytes, &size));
	while (r->padding) {
		TRY(next_bytes(r, r->padding, &bytes, &size));
		if (!size)
			return tar_damaged(r->offset, "ends within a block");
		r->padding -= (unsigned)size;
	}
	return NULL;
}

static void expect_data(struct tar_reader *r, uint64_t size)
{
	r->left = size;
	r->padding = (unsigned)(-size % TAR_BLOCK);
	r->position = 0;
	r->piece = 0;
	r->piece_done = 0;
}

fallible tar_read_whole(struct tar_reader *r, uint64_t size, char *to)
{
	expect_data(r, size);
	while (r->left) {
		const void *bytes;
		size_t n;
		TRY(tar_read_stored(r, SIZE_MAX, &bytes, &n));
		memcpy(to, bytes, n);
		to += n;
	}
	return skip_rest(r);
}

// --- header fields --------------------------------------------------------------------------

// GNU's base-256: the top bit marks it, the next one is the sign, the rest a two's complement.
static bool base_256(const unsigned char *field, size_t size, int64_t *ret)
{
	bool negative = field[0] & 0x40;
	uint64_t value = negative ? UINT64_MAX : 0;
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = field[i];
		if (!i)
			byte = negative ? byte : byte & 0x7f;
		if ((value >> 55) != (negative ? 0x1ff : 0)) // the next shift would lose bits
			return false;
		value = value << 8 | byte;
	}
	*ret = (int64_t)value;
	return true;
}

fallible tar_number(const unsigned char *header, size_t at, size_t size, uint64_t offset,
                    const char *what, int64_t *ret)
{
	const unsigned char *c = header + at, *end = c + size;
	if (*c & 0x80) {
		if (!base_256(c, size, ret))
			return tar_damaged(offset, "%s: number too large", what);
		return NULL;
	}
	while (c < end && (*c == ' ' || !*c))
		c++;
	int64_t value = 0; // 12 octal digits can't overflow
	for (; c < end && *c >= '0' && *c <= '7'; c++)
		value = value * 8 + (*c - '0');
	while (c < end && (*c == ' ' || !*c))
		c++;
	if (c < end)
		return tar_damaged(offset, "%s: not an octal number", what);
	*ret = value;
	return NULL;
}

static fallible natural(const unsigned char *header, size_t at, size_t size, uint64_t offset,
                        const char *what, uint64_t *ret)
{
	int64_t value;
	TRY(tar_number(header, at, size, offset, what, &value));
	if (value < 0)
		return tar_damaged(offset, "%s: negative", what);
	*ret = (uint64_t)value;
	return NULL;
}

// Unsigned bytes by POSIX; some old writers summed signed ones.
static fallible check_sum(const unsigned char *header, uint64_t offset)
{
	int64_t wanted, is_unsigned = 8 * ' ', is_signed = 8 * ' ';
	TRY(tar_number(header, FIELD_CHECKSUM, offset, "checksum", &wanted));
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		if (i >= 148 && i < 156)
			continue;
		is_unsigned += header[i];
		is_signed += (signed char)header[i];
	}
	if (wanted != is_unsigned && wanted != is_signed)
		return tar_damaged(offset, "header checksum doesn't match");
	return NULL;
}

static bool is_zero(const unsigned char *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

// Behind the end mark (two zero blocks) there may be anything, but not without end. A single zero
// block at the very end counts as one, as for Go.
static fallible read_trailer(struct tar_reader *r)
{
	uint64_t start = r->offset;
	const unsigned char *block;
	TRY(tar_read_block(r, &block));
	if (block && !is_zero(block))
		return tar_damaged(start, "a single zero block");
	for (size_t size = 1; size;) {
		const void *bytes;
		TRY(next_bytes(r, SIZE_MAX, &bytes, &size));
		if (r->offset - start > TAR_TRAILER_MAX)
			return error_new(ERROR_LIMIT, "tar: more than %d bytes behind the end mark",
			                 TAR_TRAILER_MAX);
	}
	return NULL;
}

// --- headers that belong to the next entry ----------------------------------------------------

static fallible read_pax(struct tar_reader *r, uint64_t size, struct tar_pax *p)
{
	uint64_t offset = r->offset;
	tar_pax_clear(p);
	if (size > TAR_PAX_MAX)
		return error_new(ERROR_LIMIT, "tar: offset %llu: PAX records of %llu bytes",
		                 (unsigned long long)offset, (unsigned long long)size);
	p->block = alloc((size_t)size + 1);
	p->block_size = (size_t)size;
	TRY(tar_read_whole(r, size, p->block));
	return tar_pax_parse(p, &r->map, offset);
}

// Global records are read, so that damage is found, and ignored, as the other engines do.
static fallible read_global(struct tar_reader *r, uint64_t size)
{
	struct tar_pax global = {0};
	struct error *e = read_pax(r, size, &global);
	tar_pax_clear(&global);
	free(global.xattrs);
	free(global.records);
	return e;
}

static fallible read_long(struct tar_reader *r, uint64_t size, char **to)
{
	uint64_t offset = r->offset;
	if (size > TAR_NAME_MAX + 1)
		return error_new(ERROR_LIMIT, "tar: offset %llu: a name of %llu bytes",
		                 (unsigned long long)offset, (unsigned long long)size);
	free(*to);
	*to = alloc((size_t)size + 1);
	return tar_read_whole(r, size, *to);
}

// --- entries ----------------------------------------------------------------------------------

static fallible copy_name(char *to, const char *from, size_t size, uint64_t offset)
{
	if (size > TAR_NAME_MAX)
		return error_new(ERROR_LIMIT,
		                 "tar: offset %llu: name longer than %d bytes: %.100s…",
		                 (unsigned long long)offset, TAR_NAME_MAX, from);
	memcpy(to, from, size);
	to[size] = 0;
	return NULL;
}

static fallible check_name(const char *name, uint64_t offset)
{
	unsigned depth = 0;
	for (const char *c = name; *c;) {
		size_t length = strcspn(c, "/");
		if (length > TAR_COMPONENT_MAX)
			return error_new(
				ERROR_LIMIT,
				"tar: offset %llu: component longer than %d bytes: %.100s…",
				(unsigned long long)offset, TAR_COMPONENT_MAX, c);
		depth += length != 0;
		c += length + (c[length] == '/');
	}
	if (depth > TAR_DEPTH_MAX)
		return error_new(ERROR_LIMIT, "tar: offset %llu: name deeper than %d: %.100s…",
		                 (unsigned long long)offset, TAR_DEPTH_MAX, name);
	return NULL;
}

// The header's own name: ustar has a prefix (star a shorter one), v7 and GNU have none.
static fallible header_name(struct tar_reader *r, const unsigned char *h)
{
	char name[256 + 2];
	size_t n = 0;
	if (!memcmp(h + FIELD_MAGIC, "ustar", 6) && h[345]) {
		size_t most = !memcmp(h + 508, "tar", 4) ? 131 : 155;
		n = strnlen((const char *)h + 345, most);
		memcpy(name, h + 345, n);
		name[n++] = '/';
	}
	size_t m = strnlen((const char *)h, 100);
	memcpy(name + n, h, m);
	return copy_name(r->name, name, n + m, r->entry.offset);
}

static fallible take_names(struct tar_reader *r, const unsigned char *h)
{
	const struct tar_pax *p = &r->pax;
	const char *name = r->long_name ? r->long_name : p->sparse_name ? p->sparse_name : p->path;
	const char *link = r->long_link ? r->long_link : p->linkpath;
	if (name)
		TRY(copy_name(r->name, name, strlen(name), r->entry.offset));
	else
		TRY(header_name(r, h));
	if (link)
		TRY(copy_name(r->link, link, strlen(link), r->entry.offset));
	else
		TRY(copy_name(r->link, (const char *)h + 157, strnlen((const char *)h + 157, 100),
		              r->entry.offset));
	r->entry.name = r->name;
	r->entry.link = r->link;
	return check_name(r->name, r->entry.offset);
}

static fallible take_numbers(struct tar_reader *r, const unsigned char *h)
{
	struct tar_entry *e = &r->entry;
	const struct tar_pax *p = &r->pax;
	uint64_t mode = 0, major = 0, minor = 0;
	TRY(natural(h, FIELD_MODE, e->offset, "mode", &mode));
	TRY(natural(h, FIELD_UID, e->offset, "uid", &e->uid));
	TRY(natural(h, FIELD_GID, e->offset, "gid", &e->gid));
	TRY(tar_number(h, FIELD_MTIME, e->offset, "mtime", &e->mtime_s));
	if (e->type == TAR_CHAR_DEVICE || e->type == TAR_BLOCK_DEVICE) {
		TRY(natural(h, FIELD_DEVMAJOR, e->offset, "device number", &major));
		TRY(natural(h, FIELD_DEVMINOR, e->offset, "device number", &minor));
	}
	if (major > UINT32_MAX || minor > UINT32_MAX)
		return tar_damaged(e->offset, "device number: too large");
	e->mode = mode & 07777;
	e->dev_major = (uint32_t)major;
	e->dev_minor = (uint32_t)minor;
	if (p->uid)
		TRY(tar_pax_number(p->uid, e->offset, "uid", &e->uid));
	if (p->gid)
		TRY(tar_pax_number(p->gid, e->offset, "gid", &e->gid));
	if (p->mtime)
		TRY(tar_pax_time(p->mtime, e->offset, &e->mtime_s, &e->mtime_ns));
	return NULL;
}

static fallible take_type(struct tar_reader *r, unsigned char flag)
{
	struct tar_entry *e = &r->entry;
	size_t length = strlen(r->name);
	switch (flag) {
	case 0: // v7 marked directories by a slash
		e->type = length && r->name[length - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
		return NULL;
	case '0':
	case '7': // "contiguous"
	case 'S': // sparse
		e->type = TAR_FILE;
		return NULL;
	case '1':
		e->type = TAR_HARDLINK;
		return NULL;
	case '2':
		e->type = TAR_SYMLINK;
		return NULL;
	case '3':
		e->type = TAR_CHAR_DEVICE;
		return NULL;
	case '4':
		e->type = TAR_BLOCK_DEVICE;
		return NULL;
	case '5':
		e->type = TAR_DIRECTORY;
		return NULL;
	case '6':
		e->type = TAR_FIFO;
		return NULL;
	default:
		break;
	}
	if (flag > ' ' && flag < 0x7f)
		return error_new(ERROR_UNSUPPORTED, "tar: offset %llu: \"%.200s\": entry type '%c'",
		                 (unsigned long long)e->offset, r->name, flag);
	return error_new(ERROR_UNSUPPORTED, "tar: offset %llu: \"%.200s\": entry type 0x%02x",
	                 (unsigned long long)e->offset, r->name, flag);
}

// `size` is the header's. Links, directories and devices have no data, whatever it says.
static fallible take_size(struct tar_reader *r, const unsigned char *h, uint64_t size)
{
	struct tar_entry *e = &r->entry;
	if (r->pax.size)
		TRY(tar_pax_number(r->pax.size, e->offset, "size", &size));
	if (e->type != TAR_FILE)
		size = 0;
	if (size > INT64_MAX - 2 * TAR_BLOCK)
		return tar_damaged(e->offset, "size: too large");
	e->size = size;
	expect_data(r, size);
	if (e->type != TAR_FILE)
		return NULL;
	return h[FIELD_TYPE] == 'S' ? tar_sparse_old(r, h) : tar_sparse_pax(r);
}

static fallible take_entry(struct tar_reader *r, const unsigned char *block, uint64_t offset,
                           uint64_t size)
{
	unsigned char header[TAR_BLOCK]; // the block itself goes when more is read
	memcpy(header, block, TAR_BLOCK);
	if (++r->entries > TAR_ENTRIES_MAX)
		return error_new(ERROR_LIMIT, "tar: more than %d entries", TAR_ENTRIES_MAX);
	r->entry = (struct tar_entry){.offset = offset};
	TRY(take_names(r, header));
	TRY(take_type(r, header[FIELD_TYPE]));
	TRY(take_numbers(r, header));
	TRY(take_size(r, header, size));
	r->entry.xattrs = r->pax.xattrs;
	r->entry.n_xattrs = r->pax.n_xattrs;
	r->entry.records = r->pax.records;
	r->entry.n_records = r->pax.n_records;
	return NULL;
}

static void forget_entry(struct tar_reader *r)
{
	tar_pax_clear(&r->pax);
	r->entry = (struct tar_entry){0};
	r->map.n = 0;
	free(take(&r->long_name));
	free(take(&r->long_link));
}

static bool has_pending(const struct tar_reader *r)
{
	return r->pax.present || r->long_name || r->long_link;
}

fallible tar_next(struct tar_reader *r, const struct tar_entry **ret)
{
	TRY(skip_rest(r));
	forget_entry(r);
	while (!r->ended) {
		uint64_t offset = r->offset, size = 0;
		const unsigned char *block;
		TRY(tar_read_block(r, &block));
		r->ended = !block || is_zero(block);
		if (r->ended) {
			if (has_pending(r))
				return tar_damaged(offset, "ends between a header and its entry");
			if (block)
				TRY(read_trailer(r));
			break;
		}
		TRY(check_sum(block, offset));
		TRY(natural(block, FIELD_SIZE, offset, "size", &size));
		switch (block[FIELD_TYPE]) {
		case 'x':
			TRY(read_pax(r, size, &r->pax));
			continue;
		case 'g':
			if (has_pending(r))
				return tar_damaged(offset, "a global header before an entry's own");
			TRY(read_global(r, size));
			continue;
		case 'L':
			TRY(read_long(r, size, &r->long_name));
			continue;
		case 'K':
			TRY(read_long(r, size, &r->long_link));
			continue;
		default:
			TRY(take_entry(r, block, offset, size));
			*ret = &r->entry;
			return NULL;
		}
	}
	*ret = NULL;
	return NULL;
}

fallible tar_read(struct tar_reader *r, const void **ret_bytes, size_t *ret_size,
                  uint64_t *ret_offset)
{
	uint64_t most = SIZE_MAX, offset = r->position;
	if (r->entry.sparse && r->left) {
		while (r->piece_done == r->map.pieces[r->piece].size) {
			r->piece++; // check_map: the pieces add up to what is stored
			r->piece_done = 0;
		}
		offset = r->map.pieces[r->piece].offset + r->piece_done;
		most = r->map.pieces[r->piece].size - r->piece_done;
	}
	TRY(tar_read_stored(r, most < SIZE_MAX ? (size_t)most : SIZE_MAX, ret_bytes, ret_size));
	r->piece_done += *ret_size;
	r->position += *ret_size;
	*ret_offset = offset;
	return NULL;
}
