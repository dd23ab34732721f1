// SPDX-License-Identifier: Apache-2.0
// Any bytes as the PAX records of one entry, whose type the first byte chooses. Random bytes hardly
// ever are records, so their lengths are put right. What the reader takes, the writer must write so
// that it is read as the same again; or it refuses.
#include "base/text.h"
#include "tar/tar.h"
#include <stdio.h>
#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

// The length counts its own digits.
static void add_record(struct str *s, const char *text, size_t size)
{
	size_t length = size + 3;
	char digits[24];
	while (size + 2 + (size_t)snprintf(digits, sizeof(digits), "%zu", length) != length)
		length = size + 2 + strlen(digits);
	str_printf(s, "%s ", digits);
	str_add_bytes(s, text, size);
	str_add_char(s, '\n');
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	if (seed % 16 == 0 || size < 2)
		return size;
	auto_str struct str s = STR_LIMIT(1 << 20);
	const char *text = (const char *)data + 1, *end = (const char *)data + size;
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		line_end = line_end ? line_end : end;
		while (text < line_end && *text >= '0' && *text <= '9')
			text++;
		text += text < line_end && *text == ' ';
		add_record(&s, text, (size_t)(line_end - text));
		text = line_end + 1;
	}
	size = s.size < max_size - 1 ? s.size : max_size - 1;
	memcpy(data + 1, s.bytes, size);
	return size + 1;
}

struct feed {
	const char *bytes;
	size_t rest;
};

static fallible more(void *arg, const void **ret, size_t *ret_size)
{
	struct feed *f = arg;
	*ret = f->bytes;
	*ret_size = f->rest < 4096 ? f->rest : 4096;
	f->bytes += *ret_size;
	f->rest -= *ret_size;
	return NULL;
}

static fallible keep(void *arg, const void *bytes, size_t size)
{
	str_add_bytes(arg, bytes, size);
	return NULL;
}

static void put_header(struct str *s, char type, size_t size)
{
	char header[512] = "name";
	unsigned sum = 0;
	memcpy(header + 100, "0000644", 8);
	memcpy(header + 108, "0000001", 8);
	memcpy(header + 116, "0000002", 8);
	snprintf(header + 124, 12, "%011zo", size);
	memcpy(header + 136, "00000000003", 12);
	header[156] = type;
	if (type == '1' || type == '2')
		memcpy(header + 157, "target", 6);
	memcpy(header + 257, "ustar\00000", 8);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	str_add_bytes(s, header, sizeof(header));
}

static void put_zeros(struct str *s, size_t size)
{
	while (size--)
		str_add_char(s, 0);
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void same_records(const struct tar_record *a, size_t n_a, const struct tar_record *b,
                         size_t n_b)
{
	must(n_a == n_b);
	for (size_t i = 0; i < n_a; i++) { // the writer has sorted them
		size_t k = 0;
		while (k < n_b &&
		       (strcmp(a[i].key, b[k].key) != 0 || a[i].value_size != b[k].value_size ||
		        memcmp(a[i].value, b[k].value, a[i].value_size) != 0))
			k++;
		must(k < n_b);
	}
}

static void same(const struct tar_entry *a, const struct tar_entry *b)
{
	must(a->type == b->type && !strcmp(a->name, b->name) && !strcmp(a->link, b->link));
	must(a->mode == b->mode && a->uid == b->uid && a->gid == b->gid);
	must(a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns);
	same_records(a->xattrs, a->n_xattrs, b->xattrs, b->n_xattrs);
	same_records(a->records, a->n_records, b->records, b->n_records);
}

// Without its data: of it fuzz_tar takes care.
static void write_and_read(const struct tar_entry *e)
{
	auto_str struct str s = STR_LIMIT(16 << 20);
	struct tar_writer w = {.sink = {keep, &s}};
	struct tar_entry bare = *e;
	const struct tar_entry *again = NULL;
	bare.size = 0;
	auto_error struct error *refused = tar_write_entry(&w, &bare);
	if (refused)
		return;
	must(!tar_write_end(&w));
	struct feed feed = {s.bytes, s.size};
	struct tar_source source = {more, &feed};
	auto_tar_reader struct tar_reader *r = tar_reader_new(&source);
	struct error *failed = tar_next(r, &again);
	if (failed)
		fprintf(stderr, "%s\n", failed->message);
	must(!failed && again);
	same(&bare, again);
	must(!tar_next(r, &again) && !again);
}

static fallible read_one(struct tar_reader *r)
{
	const struct tar_entry *e;
	TRY(tar_next(r, &e));
	if (!e)
		return NULL;
	must(strlen(e->name) <= TAR_NAME_MAX && strlen(e->link) <= TAR_NAME_MAX);
	must(e->mtime_ns <= 999999999);
	write_and_read(e);
	return tar_next(r, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	static const char types[] = "0123456x";
	auto_str struct str s = STR_LIMIT(16 << 20);
	put_header(&s, 'x', size - 1);
	str_add_bytes(&s, data + 1, size - 1);
	put_zeros(&s, -(size - 1) % 512);
	put_header(&s, types[*data % 7], 0);
	put_zeros(&s, 1024);
	struct feed feed = {s.bytes, s.size};
	struct tar_source source = {more, &feed};
	auto_tar_reader struct tar_reader *r = tar_reader_new(&source);
	error_free(read_one(r));
	return 0;
}
