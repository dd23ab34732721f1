// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "tar/tar.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

// --- an archive made by hand ------------------------------------------------------------------

struct archive {
	struct str bytes;
	size_t header; // where the last one begins
};
#define ARCHIVE ((struct archive){.bytes = STR_LIMIT(16 << 20)})
static void archive_done(struct archive *a)
{
	str_done(&a->bytes);
}
#define auto_archive defer(archive_done)

static void pad(struct archive *a)
{
	while (a->bytes.size % 512)
		str_add_char(&a->bytes, 0);
}

static void put(struct archive *a, size_t at, const char *text, size_t size)
{
	memcpy(a->bytes.bytes + a->header + at, text, size);
}

static void seal(struct archive *a)
{
	char *header = a->bytes.bytes + a->header, text[9];
	unsigned sum = 8 * ' ';
	for (size_t i = 0; i < 512; i++)
		if (i < 148 || i >= 156)
			sum += (unsigned char)header[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header + 148, text, 7);
	header[155] = ' ';
}

static void header(struct archive *a, const char *name, char type, uint64_t size)
{
	char empty[512] = {0}, number[24];
	pad(a);
	a->header = a->bytes.size;
	str_add_bytes(&a->bytes, empty, sizeof(empty));
	put(a, 0, name, strnlen(name, 100));
	put(a, 100, "0000644", 8);
	put(a, 108, "0001750", 8);
	put(a, 116, "0000144", 8);
	snprintf(number, sizeof(number), "%011llo", (unsigned long long)size);
	put(a, 124, number, 12);
	put(a, 136, "00000000012", 12);
	put(a, 257, "ustar\00000", 8);
	put(a, 156, &type, 1);
	seal(a);
}

static void change(struct archive *a, size_t at, const char *text, size_t size)
{
	put(a, at, text, size);
	seal(a);
}

static void data(struct archive *a, const char *bytes, size_t size)
{
	str_add_bytes(&a->bytes, bytes, size);
	pad(a);
}

static void with_data(struct archive *a, const char *name, char type, const char *text)
{
	header(a, name, type, strlen(text));
	data(a, text, strlen(text));
}

static void record(struct str *block, const char *key, const char *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, length = rest + 1;
	if (length > 9)
		length = rest + 2;
	if (length > 99)
		length = rest + 3;
	str_printf(block, "%zu %s=", length, key);
	str_add_bytes(block, value, size);
	str_add_char(block, '\n');
}

static void pax(struct archive *a, const char *key, const char *value)
{
	auto_str struct str block = STR_LIMIT(2000);
	record(&block, key, value, strlen(value));
	with_data(a, "pax", 'x', block.bytes);
}

static void end(struct archive *a)
{
	char zeros[1024] = {0};
	pad(a);
	str_add_bytes(&a->bytes, zeros, sizeof(zeros));
}

// --- reading it back --------------------------------------------------------------------------

struct feed {
	const struct str *bytes;
	size_t at, step;
};

static fallible feed_more(void *arg, const void **ret, size_t *ret_size)
{
	struct feed *f = arg;
	size_t rest = f->bytes->size - f->at;
	*ret_size = rest < f->step ? rest : f->step;
	*ret = f->bytes->bytes + f->at;
	f->at += *ret_size;
	return NULL;
}

// One line per entry: "type mode uid:gid size mtime name -> link [key=value…] |data@offset…"
static fallible list(const struct archive *a, size_t step, struct str *out)
{
	struct feed feed = {&a->bytes, 0, step};
	struct tar_source source = {feed_more, &feed};
	auto_tar_reader struct tar_reader *r = tar_reader_new(&source);
	for (;;) {
		const struct tar_entry *e;
		TRY(tar_next(r, &e));
		if (!e)
			break;
		str_printf(out, "%c %o %llu:%llu %llu %lld.%09u %s", "fdshcbp"[e->type], e -> mode,
		           (unsigned long long)e -> uid, (unsigned long long)e -> gid,
		           (unsigned long long)e -> size, (long long)e -> mtime_s, e -> mtime_ns,
		           e -> name);
		if (*e->link)
			str_printf(out, " -> %s", e->link);
		if (e->type == TAR_CHAR_DEVICE || e->type == TAR_BLOCK_DEVICE)
			str_printf(out, " %u,%u", e->dev_major, e->dev_minor);
		for (size_t i = 0; i < e->n_xattrs; i++)
			str_printf(out, " [%s=%.*s]", e->xattrs[i].key,
			           (int)e->xattrs[i].value_size, e->xattrs[i].value);
		for (size_t i = 0; i < e->n_records; i++)
			str_printf(out, " {%s=%s}", e->records[i].key, e->records[i].value);
		uint64_t next = UINT64_MAX;
		for (;;) {
			const void *bytes;
			size_t size;
			uint64_t offset;
			TRY(tar_read(r, &bytes, &size, &offset));
			if (!size)
				break;
			if (offset != next)
				str_printf(out, " %llu:", (unsigned long long)offset);
			str_add_bytes(out, bytes, size);
			next = offset + size;
		}
		str_add(out, "\n");
	}
	assert_int_equal(feed.at, a->bytes.size);
	return NULL;
}

// Whatever pieces the bytes come in, the result is the same.
static void expect(const struct archive *a, const char *wanted, const char *message)
{
	static const size_t steps[] = {1, 7, 511, 512, 513, 1 << 20};
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		auto_str struct str out = STR_LIMIT(1 << 20);
		auto_error struct error *e = list(a, steps[i], &out);
		assert_string_equal(e ? e->message : "", message ? message : "");
		if (!message)
			assert_string_equal(out.bytes ? out.bytes : "", wanted);
	}
}

static void types(void **state)
{
	(void)state;
	auto_archive struct archive a = ARCHIVE;
	with_data(&a, "file", '0', "hello");
	with_data(&a, "old", 0, "x");
	header(&a, "olddir/", 0, 0);
	with_data(&a, "contiguous", '7', "c");
	header(&a, "dir/", '5', 700); // a size without data
	change(&a, 100, "0041777", 8);
	header(&a, "sym", '2', 0);
	change(&a, 157, "to/there", 8);
	header(&a, "hard", '1', 5000); // no data follows, whatever the size says
	change(&a, 157, "file", 4);
	header(&a, "null", '3', 0);
	change(&a, 329, "0000001\0000000003", 16);
	header(&a, "disk", '4', 0);
	change(&a, 329, "0000010\0000000021", 16);
	header(&a, "pipe", '6', 0);
	end(&a);
	expect(&a,
	       "f 644 1000:100 5 10.000000000 file 0:hello\n"
	       "f 644 1000:100 1 10.000000000 old 0:x\n"
	       "d 644 1000:100 0 10.000000000 olddir/\n"
	       "f 644 1000:100 1 10.000000000 contiguous 0:c\n"
	       "d 1777 1000:100 0 10.000000000 dir/\n"
	       "s 644 1000:100 0 10.000000000 sym -> to/there\n"
	       "h 644 1000:100 0 10.000000000 hard -> file\n"
	       "c 644 1000:100 0 10.000000000 null 1,3\n"
	       "b 644 1000:100 0 10.000000000 disk 8,17\n"
	       "p 644 1000:100 0 10.000000000 pipe\n",
	       NULL);
}

static void ends(void **state)
{
	(void)state;
	auto_archive struct archive empty = ARCHIVE, open = ARCHIVE, one = ARCHIVE, more = ARCHIVE;
	expect(&empty, "", NULL);
	with_data(&open, "a", '0', "1"); // no end mark at all
	expect(&open, "f 644 1000:100 1 10.000000000 a 0:1\n", NULL);
	with_data(&one, "a", '0', "1");
	char zeros[512] = {0};
	data(&one, zeros, sizeof(zeros));
	expect(&one, "f 644 1000:100 1 10.000000000 a 0:1\n", NULL);
	with_data(&one, "b", '0', "1");
	expect(&one, NULL, "tar: offset 1536: a single zero block");
	end(&more);
	with_data(&more, "behind the end", '0', "1");
	expect(&more, "", NULL);
}

static void names(void **state)
{
	(void)state;
	auto_archive struct archive a = ARCHIVE;
	header(&a, "name", '0', 0);
	change(&a, 345, "pre/fix", 7);
	header(&a, "gnu", '0', 0); // GNU's header has other things where ustar has the prefix
	change(&a, 257, "ustar  ", 8);
	change(&a, 345, "12345", 5);
	with_data(&a, "././@LongLink", 'L', "long/name");
	with_data(&a, "././@LongLink", 'K', "long/link");
	header(&a, "short", '2', 0);
	pax(&a, "path", "p/\xff\xfe");
	header(&a, "raw", '0', 0);
	pax(&a, "linkpath", "elsewhere");
	header(&a, "l", '2', 0);
	change(&a, 157, "here", 4);
	pax(&a, "path", ""); // takes the record back
	header(&a, "own", '0', 0);
	with_data(&a, "g", 'g', "19 path=for-global\n");
	header(&a, "unchanged", '0', 0);
	end(&a);
	expect(&a,
	       "f 644 1000:100 0 10.000000000 pre/fix/name\n"
	       "f 644 1000:100 0 10.000000000 gnu\n"
	       "s 644 1000:100 0 10.000000000 long/name -> long/link\n"
	       "f 644 1000:100 0 10.000000000 p/\xff\xfe\n"
	       "s 644 1000:100 0 10.000000000 l -> elsewhere\n"
	       "f 644 1000:100 0 10.000000000 own\n"
	       "f 644 1000:100 0 10.000000000 unchanged\n",
	       NULL);
}

static void numbers(void **state)
{
	(void)state;
	auto_archive struct archive a = ARCHIVE;
	header(&a, "base256", '0', 0);
	change(&a, 108, "\x80\x00\x00\x00\xff\xff\xff\xfe", 8);
	change(&a, 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf6", 12); // -10
	header(&a, "blanks", '0', 0);
	change(&a, 108, "  12 \0 ", 8);
	change(&a, 100, "\0\0\0\0\0\0\0", 8);
	pax(&a, "uid", "4000000000");
	header(&a, "pax", '0', 0);
	pax(&a, "gid", "3000000");
	header(&a, "pax", '0', 0);
	pax(&a, "mtime", "1.5");
	header(&a, "time", '0', 0);
	pax(&a, "mtime", "-0.25");
	header(&a, "time", '0', 0);
	pax(&a, "mtime", "-7");
	header(&a, "time", '0', 0);
	pax(&a, "mtime", "1700000000.1234567899");
	header(&a, "time", '0', 0);
	pax(&a, "size", "3"); // decides how much is data
	header(&a, "size", '0', 1000);
	data(&a, "abc", 3);
	header(&a, "next", '0', 0);
	end(&a);
	expect(&a,
	       "f 644 4294967294:100 0 -10.000000000 base256\n"
	       "f 0 10:100 0 10.000000000 blanks\n"
	       "f 644 4000000000:100 0 10.000000000 pax\n"
	       "f 644 1000:3000000 0 10.000000000 pax\n"
	       "f 644 1000:100 0 1.500000000 time\n"
	       "f 644 1000:100 0 -1.750000000 time\n"
	       "f 644 1000:100 0 -7.000000000 time\n"
	       "f 644 1000:100 0 1700000000.123456789 time\n"
	       "f 644 1000:100 3 10.000000000 size 0:abc\n"
	       "f 644 1000:100 0 10.000000000 next\n",
	       NULL);
}

static void records(void **state)
{
	(void)state;
	auto_archive struct archive a = ARCHIVE;
	auto_str struct str block = STR_LIMIT(2000);
	record(&block, "SCHILY.xattr.user.a", "1=2", 3);
	record(&block, "LIBARCHIVE.xattr.user.b%3d", "aGVsbG8", 7);
	record(&block, "LIBARCHIVE.xattr.user.a", "bm8=", 4); // SCHILY's counts
	record(&block, "SCHILY.xattr.user.a", "last", 4);
	record(&block, "MSWINDOWS.rawsd", "AQAEgBQ=", 8);
	record(&block, "comment", "kept", 4);
	with_data(&a, "x", 'x', block.bytes);
	header(&a, "f", '0', 0);
	end(&a);
	expect(&a,
	       "f 644 1000:100 0 10.000000000 f [user.a=last] [user.b==hello] "
	       "{MSWINDOWS.rawsd=AQAEgBQ=} {comment=kept}\n",
	       NULL);
}

static void sparse(void **state)
{
	(void)state;
	auto_archive struct archive a = ARCHIVE;
	header(&a, "old", 'S', 5);
	change(&a, 257, "ustar  ", 8);
	change(&a, 386, "00000000004\00000000000003", 24);
	change(&a, 410, "00000000020\00000000000002", 24);
	change(&a, 483, "00000000100", 12);
	data(&a, "abcde", 5);
	auto_str struct str pairs = STR_LIMIT(2000), map = STR_LIMIT(2000), one = STR_LIMIT(2000);
	record(&pairs, "GNU.sparse.size", "100", 3);
	record(&pairs, "GNU.sparse.numblocks", "2", 1);
	record(&pairs, "GNU.sparse.offset", "10", 2);
	record(&pairs, "GNU.sparse.numbytes", "2", 1);
	record(&pairs, "GNU.sparse.offset", "50", 2);
	record(&pairs, "GNU.sparse.numbytes", "1", 1);
	with_data(&a, "x", 'x', pairs.bytes);
	with_data(&a, "0.0", '0', "abc");
	record(&map, "GNU.sparse.size", "100", 3);
	record(&map, "GNU.sparse.name", "real", 4);
	record(&map, "GNU.sparse.map", "0,1,99,1,100,0", 14);
	with_data(&a, "x", 'x', map.bytes);
	with_data(&a, "0.1", '0', "ab");
	record(&one, "GNU.sparse.major", "1", 1);
	record(&one, "GNU.sparse.minor", "0", 1);
	record(&one, "GNU.sparse.realsize", "1000", 4);
	record(&one, "GNU.sparse.name", "one", 3);
	with_data(&a, "x", 'x', one.bytes);
	header(&a, "1.0", '0', 512 + 3);
	data(&a, "1\n500\n3\n", 8);
	data(&a, "xyz", 3);
	header(&a, "after", '0', 0);
	end(&a);
	expect(&a,
	       "f 644 1000:100 64 10.000000000 old 4:abc 16:de\n"
	       "f 644 1000:100 100 10.000000000 0.0 10:ab 50:c\n"
	       "f 644 1000:100 100 10.000000000 real 0:a 99:b\n"
	       "f 644 1000:100 1000 10.000000000 one 500:xyz\n"
	       "f 644 1000:100 0 10.000000000 after\n",
	       NULL);
}

static void old_sparse_goes_on(void **state)
{
	(void)state;
	auto_archive struct archive a = ARCHIVE;
	char block[512] = {0};
	header(&a, "old", 'S', 5);
	for (size_t i = 0; i < 4; i++) {
		char piece[25];
		snprintf(piece, sizeof(piece), "%011zo%c%011o", i * 2, 0, 1);
		change(&a, 386 + i * 24, piece, 24);
	}
	change(&a, 482, "\1", 1);
	change(&a, 483, "00000000100", 12);
	memcpy(block, "00000000040\00000000000001", 24);
	data(&a, block, sizeof(block));
	data(&a, "abcde", 5);
	end(&a);
	expect(&a, "f 644 1000:100 64 10.000000000 old 0:a 2:b 4:c 6:d 32:e\n", NULL);
}

// --- damage -----------------------------------------------------------------------------------

static void bad_sum(struct archive *a)
{
	header(a, "a", '0', 0);
	put(a, 0, "b", 1);
}
static void bad_size(struct archive *a)
{
	header(a, "a", '0', 0);
	change(a, 124, "12x", 3);
}
static void negative_size(struct archive *a)
{
	header(a, "a", '0', 0);
	change(a, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}
static void huge_size(struct archive *a)
{
	header(a, "a", '0', 0);
	change(a, 124, "\x80\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12);
}
static void cut_data(struct archive *a)
{
	header(a, "a", '0', 1000);
	data(a, "x", 1);
}
static void cut_block(struct archive *a)
{
	header(a, "a", '0', 0);
	str_add(&a->bytes, "junk");
}
static void volume(struct archive *a)
{
	header(a, "label", 'V', 0);
}
static void multi_volume(struct archive *a)
{
	header(a, "part", 'M', 0);
}
static void odd_type(struct archive *a)
{
	header(a, "odd", '\x01', 0);
}
static void pax_length(struct archive *a)
{
	with_data(a, "x", 'x', "99 path=a\n");
}
static void pax_short(struct archive *a)
{
	with_data(a, "x", 'x', "9 path=ab\n");
}
static void pax_text(struct archive *a)
{
	with_data(a, "x", 'x', "nonsense");
}
static void pax_no_key(struct archive *a)
{
	with_data(a, "x", 'x', "6 =ab\n");
}
static void pax_zero(struct archive *a)
{
	header(a, "x", 'x', 11);
	data(a, "11 path=a\0\n", 11);
}
static void pax_size(struct archive *a)
{
	pax(a, "size", "-1");
	header(a, "a", '0', 0);
}
static void pax_uid(struct archive *a)
{
	pax(a, "uid", "12 ");
	header(a, "a", '0', 0);
}
static void pax_mtime(struct archive *a)
{
	pax(a, "mtime", "1.2e3");
	header(a, "a", '0', 0);
}
static void pax_large(struct archive *a)
{
	header(a, "x", 'x', (1 << 20) + 1);
}
static void pax_alone(struct archive *a)
{
	pax(a, "path", "a");
}
static void pax_then_global(struct archive *a)
{
	pax(a, "path", "a");
	with_data(a, "g", 'g', "9 path=b\n");
}
static void bad_base64(struct archive *a)
{
	pax(a, "LIBARCHIVE.xattr.user.a", "a*b");
}
static void bad_percent(struct archive *a)
{
	pax(a, "LIBARCHIVE.xattr.user.%0", "YQ");
}
static void zero_percent(struct archive *a)
{
	pax(a, "LIBARCHIVE.xattr.user.%00", "YQ");
}
static void long_name(struct archive *a)
{
	header(a, "L", 'L', 4098);
}
static void long_component(struct archive *a)
{
	char name[257] = {0};
	memset(name, 'a', 256);
	with_data(a, "L", 'L', name);
	header(a, "a", '0', 0);
}
static void deep_name(struct archive *a)
{
	char name[2051] = {0};
	for (size_t i = 0; i < 2050; i++)
		name[i] = i % 2 ? '/' : 'a';
	with_data(a, "L", 'L', name);
	header(a, "a", '0', 0);
}
static void map_descends(struct archive *a)
{
	auto_str struct str block = STR_LIMIT(2000);
	record(&block, "GNU.sparse.size", "100", 3);
	record(&block, "GNU.sparse.map", "50,1,10,1", 9);
	with_data(a, "x", 'x', block.bytes);
	with_data(a, "s", '0', "ab");
}
static void map_outside(struct archive *a)
{
	auto_str struct str block = STR_LIMIT(2000);
	record(&block, "GNU.sparse.size", "10", 2);
	record(&block, "GNU.sparse.map", "9,2", 3);
	with_data(a, "x", 'x', block.bytes);
	with_data(a, "s", '0', "ab");
}
static void map_wrong_sum(struct archive *a)
{
	auto_str struct str block = STR_LIMIT(2000);
	record(&block, "GNU.sparse.size", "10", 2);
	record(&block, "GNU.sparse.map", "0,1", 3);
	with_data(a, "x", 'x', block.bytes);
	with_data(a, "s", '0', "ab");
}
static void map_odd(struct archive *a)
{
	auto_str struct str block = STR_LIMIT(2000);
	record(&block, "GNU.sparse.map", "0,1,2", 5);
	with_data(a, "x", 'x', block.bytes);
	with_data(a, "s", '0', "a");
}
static void map_sizes_first(struct archive *a)
{
	pax(a, "GNU.sparse.numbytes", "1");
	with_data(a, "s", '0', "a");
}
static void map_too_many(struct archive *a)
{
	pax(a, "GNU.sparse.major", "1");
	header(a, "s", '0', 512);
	data(a, "99999999\n", 9);
}
static void map_cut(struct archive *a)
{
	pax(a, "GNU.sparse.major", "1");
	with_data(a, "s", '0', "1\n0\n");
}
static void map_new_format(struct archive *a)
{
	pax(a, "GNU.sparse.major", "2");
	with_data(a, "s", '0', "1\n0\n");
}
static void device_number(struct archive *a)
{
	header(a, "d", '3', 0);
	change(a, 329, "99", 2);
}

static void damage(void **state)
{
	(void)state;
	// clang-format off
	static const struct {
		void (*make)(struct archive *a);
		const char *message;
	} cases[] = {
		{bad_sum, "tar: offset 0: header checksum doesn't match"},
		{bad_size, "tar: offset 0: size: not an octal number"},
		{negative_size, "tar: offset 0: size: negative"},
		{huge_size, "tar: offset 0: size: number too large"},
		{cut_data, "tar: offset 1024: ends 488 bytes too early in \"a\""},
		{cut_block, "tar: offset 512: ends within a block"},
		{volume, "tar: offset 0: \"label\": entry type 'V'"},
		{multi_volume, "tar: offset 0: \"part\": entry type 'M'"},
		{odd_type, "tar: offset 0: \"odd\": entry type 0x01"},
		{pax_length, "tar: offset 512: PAX record at 0: wrong length 99"},
		{pax_short, "tar: offset 512: PAX record at 0: wrong length 9"},
		{pax_text, "tar: offset 512: PAX record at 0: no length"},
		{pax_no_key, "tar: offset 512: PAX record at 0: no key"},
		{pax_zero, "tar: offset 512: PAX record path: holds a zero byte"},
		{pax_size, "tar: offset 1024: PAX record size: \"-1\" is not a number"},
		{pax_uid, "tar: offset 1024: PAX record uid: \"12 \" is not a number"},
		{pax_mtime, "tar: offset 1024: PAX record mtime: \"1.2e3\" is not a time"},
		{pax_large, "tar: offset 512: PAX records of 1048577 bytes"},
		{pax_alone, "tar: offset 1024: ends between a header and its entry"},
		{pax_then_global, "tar: offset 1024: a global header before an entry's own"},
		{bad_base64, "tar: offset 512: PAX record LIBARCHIVE.xattr.user.a: bad encoding"},
		{bad_percent, "tar: offset 512: PAX record LIBARCHIVE.xattr.user.%0: bad encoding"},
		{zero_percent, "tar: offset 512: PAX record LIBARCHIVE.xattr.user.%00: bad encoding"},
		{long_name, "tar: offset 512: a name of 4098 bytes"},
		{long_component, "tar: offset 1024: component longer than 255 bytes: "
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"},
		{deep_name, "tar: offset 3072: name deeper than 1024: "
			"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"
			"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/…"},
		{map_descends, "tar: offset 1024: sparse map: piece 1 lies wrong"},
		{map_outside, "tar: offset 1024: sparse map: piece 0 lies wrong"},
		{map_wrong_sum, "tar: offset 1024: sparse map: names 1 bytes, 2 are stored"},
		{map_odd, "tar: offset 1024: PAX record GNU.sparse.map: odd"},
		{map_sizes_first, "tar: offset 512: PAX record GNU.sparse.numbytes: out of order"},
		{map_too_many, "tar: offset 1024: more than 262144 pieces in a sparse file"},
		{map_cut, "tar: offset 1024: sparse map: a line without end"},
		{map_new_format, "tar: offset 1024: sparse format 2"},
		{device_number, "tar: offset 0: device number: not an octal number"},
	};
	// clang-format on
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_archive struct archive a = ARCHIVE;
		cases[i].make(&a);
		expect(&a, NULL, cases[i].message);
	}
}

// --- writing ----------------------------------------------------------------------------------

static fallible collect(void *arg, const void *bytes, size_t size)
{
	str_add_bytes(arg, bytes, size);
	return NULL;
}

static void written_is_read(void **state)
{
	(void)state;
	char deep[400];
	memset(deep, 'd', sizeof(deep));
	for (size_t i = 90; i < 399; i += 90)
		deep[i] = '/';
	deep[399] = 0;
	const struct tar_record xattrs[] = {{"user.b", "2", 1}, {"user.a", "1", 1}};
	const struct tar_record others[] = {{"MSWINDOWS.fileattr", "32", 2}};
	const struct tar_entry entries[] = {
		{.type = TAR_FILE, .name = "f", .mode = 04755, .size = 5, .mtime_s = 3},
		{.type = TAR_DIRECTORY,
	         .name = "d/",
	         .mode = 0700,
	         .mtime_s = -2,
	         .mtime_ns = 500000000},
		{.type = TAR_FILE, .name = deep, .mode = 0600, .uid = 4000000000, .gid = 2097152},
		{.type = TAR_FILE, .name = deep + 200, .mode = 0600},
		{.type = TAR_SYMLINK, .name = "\xff", .link = deep, .mtime_s = 68719476736},
		{.type = TAR_CHAR_DEVICE, .name = "c", .dev_major = 1, .dev_minor = 3},
		{.type = TAR_FILE,
	         .name = "x",
	         .xattrs = xattrs,
	         .n_xattrs = 2,
	         .records = others,
	         .n_records = 1},
	};
	auto_archive struct archive a = ARCHIVE;
	struct tar_writer w = {.sink = {collect, &a.bytes}};
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		assert_null(tar_write_entry(&w, &entries[i]));
		if (entries[i].size)
			assert_null(tar_write(&w, "hello", 5));
	}
	assert_null(tar_write_end(&w));
	auto_free char *wanted = alloc_printf("f 4755 0:0 5 3.000000000 f 0:hello\n"
	                                      "d 700 0:0 0 -2.500000000 d/\n"
	                                      "f 600 4000000000:2097152 0 0.000000000 %s\n"
	                                      "f 600 0:0 0 0.000000000 %s\n"
	                                      "s 0 0:0 0 68719476736.000000000 \xff -> %s\n"
	                                      "c 0 0:0 0 0.000000000 c 1,3\n"
	                                      "f 0 0:0 0 0.000000000 x [user.a=1] [user.b=2] "
	                                      "{MSWINDOWS.fileattr=32}\n",
	                                      deep, deep + 200, deep);
	expect(&a, wanted, NULL);
}

static void holes_are_written(void **state)
{
	(void)state;
	const struct tar_piece pieces[] = {{4, 3}, {5000000000, 2}};
	const struct tar_entry e = {
		.name = "s", .size = 8000000000, .sparse = true, .pieces = pieces, .n_pieces = 2};
	const struct tar_entry hole = {.name = "h\xff", .size = 9, .sparse = true};
	auto_archive struct archive a = ARCHIVE;
	struct tar_writer w = {.sink = {collect, &a.bytes}};
	assert_null(tar_write_entry(&w, &e));
	assert_null(tar_write(&w, "abcde", 5));
	assert_null(tar_write_entry(&w, &hole));
	assert_null(tar_write_end(&w));
	expect(&a,
	       "f 0 0:0 8000000000 0.000000000 s 4:abc 5000000000:de\n"
	       "f 0 0:0 9 0.000000000 h\xff\n",
	       NULL);
	const struct tar_piece wrong[] = {{4, 3}, {6, 1}};
	struct tar_entry bad = {
		.name = "b", .size = 9, .sparse = true, .pieces = wrong, .n_pieces = 2};
	auto_error struct error *lies = tar_write_entry(&w, &bad);
	assert_string_equal(lies->message, "tar: \"b\": a piece lies wrong");
}

static void writer_refuses(void **state)
{
	(void)state;
	auto_str struct str out = STR_LIMIT(1 << 20);
	struct tar_writer w = {.sink = {collect, &out}};
	struct tar_entry e = {.name = "f", .size = 3};
	assert_null(tar_write_entry(&w, &e));
	auto_error struct error *early = tar_write_entry(&w, &e);
	assert_string_equal(early->message, "tar: 3 bytes lack before \"f\"");
	auto_error struct error *last = tar_write_end(&w);
	assert_string_equal(last->message, "tar: 3 bytes lack at the end");
	auto_error struct error *more = tar_write(&w, "1234", 4);
	assert_string_equal(more->message, "tar: more data than the entry's size");
	assert_null(tar_write(&w, "123", 3));
	const struct tar_record record = {"a=b", "", 0};
	e = (struct tar_entry){.name = "f", .records = &record, .n_records = 1};
	auto_error struct error *key = tar_write_entry(&w, &e);
	assert_string_equal(key->message, "tar: \"a=b\" can't be the key of a PAX record");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(ends),
		cmocka_unit_test(names),
		cmocka_unit_test(numbers),
		cmocka_unit_test(records),
		cmocka_unit_test(sparse),
		cmocka_unit_test(old_sparse_goes_on),
		cmocka_unit_test(damage),
		cmocka_unit_test(written_is_read),
		cmocka_unit_test(holes_are_written),
		cmocka_unit_test(writer_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
