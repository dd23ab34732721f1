// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "layer/internal.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <zstd.h>

#include <cmocka.h>

// --- blobs ------------------------------------------------------------------------------------

static int blob(const void *bytes, size_t size)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_null(fd_write_all(fd, bytes, size));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void add_gzip(struct str *out, const char *text, size_t size)
{
	uint8_t *level = alloc(ISAL_DEF_LVL1_DEFAULT), *packed = alloc(size + 4096);
	struct isal_zstream z;
	isal_deflate_init(&z);
	z.level = 1;
	z.level_buf = level;
	z.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
	z.gzip_flag = IGZIP_GZIP;
	z.end_of_stream = 1;
	z.next_in = (uint8_t *)(uintptr_t)text;
	z.avail_in = (uint32_t)size;
	z.next_out = packed;
	z.avail_out = (uint32_t)size + 4096;
	assert_int_equal(isal_deflate(&z), COMP_OK);
	str_add_bytes(out, packed, z.total_out);
	free(level);
	free(packed);
}

static void add_zstd(struct str *out, const char *text, size_t size)
{
	size_t room = ZSTD_compressBound(size);
	auto_free char *packed = alloc(room);
	size_t n = ZSTD_compress(packed, room, text, size, 3);
	assert_false(ZSTD_isError(n));
	str_add_bytes(out, packed, n);
}

// Inflates a blob and compares; with and without a thread, from a file and from a pipe's drips.
static void inflates(const struct str *packed, const char *wanted, size_t size, const char *message)
{
	for (int flags = LAYER_HASH; flags <= (LAYER_HASH | LAYER_THREAD); flags += LAYER_THREAD) {
		auto_fd int fd = blob(packed->bytes, packed->size);
		auto_layer_stream struct layer_stream *s = NULL;
		assert_null(layer_stream_new(fd, flags, 8 << 20, &s));
		auto_str struct str got = STR_LIMIT(16 << 20);
		struct error *e;
		const void *bytes;
		size_t n;
		while (!(e = layer_stream_more(s, &bytes, &n)) && n)
			str_add_bytes(&got, bytes, n);
		assert_string_equal(e ? e->message : "", message ? message : "");
		error_free(e);
		if (message)
			continue;
		assert_int_equal(got.size, size);
		assert_memory_equal(got.bytes, wanted, size);
		struct layer_sums sums;
		assert_null(layer_stream_finish(s, &sums));
		assert_int_equal(sums.size_bytes, packed->size);
		assert_int_equal(sums.diff_size_bytes, size);
	}
}

static void sums_are_right(void **state)
{
	(void)state;
	auto_fd int fd = blob("abc", 3);
	auto_layer_stream struct layer_stream *s = NULL;
	struct layer_sums sums;
	assert_null(layer_stream_new(fd, LAYER_HASH, 100, &s));
	assert_null(layer_stream_finish(s, &sums));
	assert_string_equal(sums.digest, "sha256:ba7816bf8f01cfea414140de5dae2223"
	                                 "b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(sums.diff_id, sums.digest);
}

static char *random_text(size_t size)
{
	char *text = alloc(size);
	uint32_t x = 1;
	for (size_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)(x >> 28 ? x >> 24 : 'a');
	}
	return text;
}

static void gzip(void **state)
{
	(void)state;
	enum { SIZE = 3 << 20 };
	auto_free char *text = random_text(SIZE);
	auto_str struct str one = STR_LIMIT(16 << 20), many = STR_LIMIT(16 << 20);
	add_gzip(&one, text, SIZE);
	inflates(&one, text, SIZE, NULL);
	for (size_t at = 0; at < SIZE; at += SIZE / 16) // many members, some of them empty
		add_gzip(&many, text + at, SIZE / 16), add_gzip(&many, "", 0);
	inflates(&many, text, SIZE, NULL);
	char zeros[3000] = {0};
	str_add_bytes(&many, zeros, sizeof(zeros));
	inflates(&many, text, SIZE, NULL);
	str_add(&many, "x");
	inflates(&many, NULL, 0, "gzip: garbage behind the end");
	one.size--;
	inflates(&one, NULL, 0, "gzip: ends too early");
	one.bytes[one.size++] ^= 1; // the length at the end
	inflates(&one, NULL, 0, "gzip: wrong checksum");
	str_add(&one, "\x1f");
	one.bytes[one.size - 2] ^= 1;
	inflates(&one, NULL, 0, "gzip: garbage behind the end");
	one.size = 5;
	inflates(&one, NULL, 0, "gzip: ends too early");
	auto_str struct str bad = STR_LIMIT(100);
	str_add_bytes(&bad, "\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff\xff", 14);
	inflates(&bad, NULL, 0, "gzip: damaged data");
}

static void zstd(void **state)
{
	(void)state;
	enum { SIZE = 3 << 20 };
	auto_free char *text = random_text(SIZE);
	auto_str struct str packed = STR_LIMIT(16 << 20);
	add_zstd(&packed, text, SIZE / 2);
	str_add_bytes(&packed, "\x50\x2a\x4d\x18\3\0\0\0abc", 11); // a frame to skip
	add_zstd(&packed, text + SIZE / 2, SIZE / 2);
	inflates(&packed, text, SIZE, NULL);
	packed.size--;
	inflates(&packed, NULL, 0, "zstd: ends too early");
	packed.size++;
	str_add(&packed, "garbage");
	inflates(&packed, NULL, 0, "zstd: Unknown frame descriptor");
	// A window of 256 MiB: descriptor of one, nothing else needed.
	auto_str struct str wide = STR_LIMIT(100);
	str_add_bytes(&wide, "\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", 9);
	inflates(&wide, NULL, 0, "zstd: Frame requires too much memory for decoding");
}

static void plain_and_limit(void **state)
{
	(void)state;
	auto_str struct str text = STR_LIMIT(16 << 20);
	inflates(&text, "", 0, NULL);
	str_add(&text, "x");
	inflates(&text, "x", 1, NULL);
	while (text.size < (8 << 20))
		str_add(&text, "0123456789abcde\n");
	str_add(&text, "more");
	auto_str struct str packed = STR_LIMIT(16 << 20);
	add_gzip(&packed, text.bytes, text.size);
	inflates(&packed, NULL, 0, "inflates to more than 8388608 bytes");
	inflates(&text, NULL, 0, "inflates to more than 8388608 bytes");
}

// --- folders ----------------------------------------------------------------------------------

static char folder[64];
static int folderfd = -1;

static int open_folder(const char *name)
{
	int fd = openat(folderfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%.40s/layer-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	folderfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return mkdirat(folderfd, "new", 0755) || mkdirat(folderfd, "lower", 0755);
}

static int tear_down(void **state)
{
	(void)state;
	close(folderfd);
	auto_fd int parent = open(dirname(folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_null(tree_remove(parent, folder + strlen(folder) + 1));
	return 0;
}

static bool lacks_root(void)
{
	if (!geteuid())
		return false;
	print_message("skipped: unpacking needs root (chown, mknod)\n");
	return true;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void list_one(int dirfd, const char *name, const char *path, struct str *out)
{
	struct stat st;
	char target[512] = "", proc[600], keys[1024];
	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	char type = S_ISDIR(st.st_mode)   ? 'd'
	            : S_ISLNK(st.st_mode) ? 'l'
	            : S_ISREG(st.st_mode) ? 'f'
	            : S_ISCHR(st.st_mode) ? 'c'
	            : S_ISBLK(st.st_mode) ? 'b'
	                                  : 'p';
	if (is_whiteout(&st))
		st.st_mtim = (struct timespec){0};
	str_printf(out, "%s %c%o %u:%u %lld", path, type, st.st_mode & 07777, st.st_uid, st.st_gid,
	           (long long)st.st_mtim.tv_sec);
	if (st.st_mtim.tv_nsec)
		str_printf(out, ".%09ld", st.st_mtim.tv_nsec);
	if (type == 'c' || type == 'b')
		str_printf(out, " %u,%u", major(st.st_rdev), minor(st.st_rdev));
	if (type == 'l' && readlinkat(dirfd, name, target, sizeof(target) - 1) > 0)
		str_printf(out, " -> %s", target);
	if (type != 'd' && st.st_nlink > 1)
		str_printf(out, " links=%u", (unsigned)st.st_nlink);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", dirfd, name);
	ssize_t n = llistxattr(proc, keys, sizeof(keys));
	for (const char *k = keys; n > 0 && k < keys + n; k += strlen(k) + 1)
		if (strcmp(k, "security.selinux") != 0) {
			char value[64] = "";
			lgetxattr(proc, k, value, sizeof(value) - 1);
			str_printf(out, " [%s=%s]", k, value);
		}
	if (type == 'f' && st.st_size < 100) {
		auto_free char *text = NULL;
		assert_null(file_read(dirfd, name, 100, &text, NULL));
		str_printf(out, " %s", text);
	} else if (type == 'f') {
		str_printf(out, " %lld bytes", (long long)st.st_size);
	}
	str_add(out, "\n");
}

static void list_tree(int dirfd, const char *path, struct str *out)
{
	struct dirent **names;
	int n = scandirat(dirfd, ".", &names, NULL, compare_names);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			auto_free char *full = alloc_printf("%s%s", path, name);
			list_one(dirfd, name, full, out);
			auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
			auto_free char *below = alloc_printf("%s/", full);
			if (fd >= 0)
				list_tree(fd, below, out);
		}
		free(names[i]);
	}
	free(names);
}

// --- layers made of rows ------------------------------------------------------------------------

struct row {
	char type;               // f d l (symlink) h (hard link) c b p; 0 ends the list
	const char *name, *text; // text: a file's bytes, a link's target
	unsigned mode, uid, gid;
	int64_t mtime;
	const char *xattr, *value;
	unsigned major, minor;
};

static fallible collect(void *arg, const void *bytes, size_t size)
{
	str_add_bytes(arg, bytes, size);
	return NULL;
}

static int layer_of(const struct row *rows)
{
	auto_str struct str out = STR_LIMIT(16 << 20);
	struct tar_writer w = {.sink = {collect, &out}};
	for (; rows->type; rows++) {
		const struct tar_record x = {rows->xattr, rows->value,
		                             rows->value ? strlen(rows->value) : 0};
		struct tar_entry e = {.name = rows->name,
		                      .mode = rows->mode ? rows->mode : 0644,
		                      .uid = rows->uid,
		                      .gid = rows->gid,
		                      .mtime_s = rows->mtime ? rows->mtime : 1,
		                      .dev_major = rows->major,
		                      .dev_minor = rows->minor,
		                      .xattrs = &x,
		                      .n_xattrs = rows->xattr != NULL};
		e.type = (enum tar_type)(strchr("fdlhcbp", rows->type) - "fdlhcbp");
		const char *text = rows->text ? rows->text : "";
		if (e.type == TAR_FILE)
			e.size = strlen(text);
		else
			e.link = text;
		assert_null(tar_write_entry(&w, &e));
		if (e.type == TAR_FILE)
			assert_null(tar_write(&w, text, strlen(text)));
	}
	assert_null(tar_write_end(&w));
	return blob(out.bytes, out.size);
}

static fallible note_opaque(void *arg, int dirfd)
{
	(void)arg;
	return fsetxattr(dirfd, "user.opaque", "y", 1, 0) ? error_system(errno, "mark") : NULL;
}

static char warning[200];
static void note_warning(void *arg, const char *line)
{
	(void)arg;
	snprintf(warning, sizeof(warning), "%s", line);
}

enum way { OVERLAY, NATIVE };

static fallible unpack_into(const char *new, const char *lower, const struct row *rows,
                            enum way way)
{
	auto_fd int fd = layer_of(rows);
	auto_fd int newfd = open_folder(new);
	auto_fd int lowerfd = lower ? open_folder(lower) : -1;
	auto_layer_stream struct layer_stream *s = NULL;
	TRY(layer_stream_new(fd, LAYER_HASH | LAYER_THREAD, 1 << 30, &s));
	struct layer_unpack_request r = {.stream = s,
	                                 .new_dirfd = newfd,
	                                 .lower_dirfd = lowerfd,
	                                 .native = way == NATIVE,
	                                 .limit_bytes = 1 << 20,
	                                 .on_opaque = note_opaque,
	                                 .warn = note_warning};
	struct layer_unpacked unpacked;
	return layer_unpack(&r, &unpacked);
}

static void good(struct error *e)
{
	assert_string_equal(e ? e->message : "", "");
	error_free(e);
}

static void new_is(const char *name, const char *wanted)
{
	auto_fd int fd = open_folder(name);
	auto_str struct str out = STR_LIMIT(1 << 20);
	list_tree(fd, "", &out);
	assert_string_equal(out.bytes ? out.bytes : "", wanted);
}

static void one_layer(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	const struct row rows[] = {
		{'d', "d/", .mode = 01777, .mtime = 5, .xattr = "user.d", .value = "1"},
		{'f', "./d/f", "hello", 04755, 1000, 1001, 7, "user.f", "2"},
		{'h', "/hard", "d/f"},
		{'l', "sym", "/d/f", 0777, 3, 4, 9},
		{'c', "null", .mode = 0666, .major = 1, .minor = 3, .uid = 5},
		{'b', "disk", .mode = 0600, .major = 8, .minor = 17},
		{'p', "pipe", .mode = 0622, .mtime = -5},
		{'f', "deep/in/side", "x"}, // parents are missing
		{'f', "../../out", "inside"},
		{'f', "d/../up", "u"},
		{'f', "f\xff\xfe", "bytes"},
		{0},
	};
	good(unpack_into("new", NULL, rows, OVERLAY));
	new_is("new", "d d1777 0:0 5 [user.d=1]\n"
	              "d/f f4755 1000:1001 7 links=2 [user.f=2] hello\n"
	              "deep d755 0:0 0\n"
	              "deep/in d755 0:0 0\n"
	              "deep/in/side f644 0:0 1 x\n"
	              "disk b600 0:0 1 8,17\n"
	              "f\xff\xfe f644 0:0 1 bytes\n"
	              "hard f4755 1000:1001 7 links=2 [user.f=2] hello\n"
	              "null c666 5:0 1 1,3\n"
	              "out f644 0:0 1 inside\n"
	              "pipe p622 0:0 -5\n"
	              "sym l777 3:4 9 -> /d/f\n"
	              "up f644 0:0 1 u\n");
}

static void last_wins(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	const struct row rows[] = {
		{'f', "a", "old"},
		{'f', "a", "new"},
		{'d', "b", .mode = 0755},
		{'f', "b/x", "gone"},
		{'f', "b", "file"},
		{'l', "c", "/etc"},
		{'d', "c", .mode = 0700, .mtime = 3},
		{'f', "c/passwd", "ours"},
		{'f', "d", "1"},
		{'h', "d", "a"},
		{'d', "e", .mode = 0711, .xattr = "user.gone", .value = "1"},
		{'d', "e", .mode = 0755},
		{0},
	};
	good(unpack_into("new", NULL, rows, OVERLAY));
	new_is("new", "a f644 0:0 1 links=2 new\n"
	              "b f644 0:0 1 file\n"
	              "c d700 0:0 3 [user.opaque=y]\n"
	              "c/passwd f644 0:0 1 ours\n"
	              "d f644 0:0 1 links=2 new\n"
	              "e d755 0:0 1\n");
}

static const struct row below[] = {
	{'d', "usr", .mode = 0751, .uid = 7, .mtime = 77, .xattr = "user.u", .value = "v"},
	{'d', "usr/lib64", .mode = 0755, .mtime = 78},
	{'f', "usr/lib64/one", "1", 04711, 9, 9, 79, "user.one", "1"},
	{'l', "lib64", "usr/lib64"},
	{'l', "abs", "/usr"},
	{'l', "up", "../../../usr"},
	{'l', "loop", "loop"},
	{'l', "dangling", "no/where"},
	{'f', "file", "f"},
	{'d', "o", .mode = 0755, .mtime = 80},
	{'f', "o/x", "x"},
	{'f', "o/y", "y"},
	{'p', "pipe", .mode = 0600, .uid = 3},
	{0},
};

static void in_the_merged_tree(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	good(unpack_into("lower", NULL, below, OVERLAY));
	const struct row rows[] = {
		{'f', "lib64/two", "2"}, // umoci: through the link; the directory looks as below
		{'f', "abs/three", "3"},
		{'f', "up/four", "4"},
		{'f', "dangling/five", "5"},
		{'h', "hard", "lib64/one"},
		{'h', "link", "lib64"},
		{'h', "fifo", "pipe"},
		{0},
	};
	good(unpack_into("new", "lower", rows, OVERLAY));
	new_is("new", "fifo p600 3:0 1 links=2\n"
	              "hard f4711 9:9 79 links=2 [user.one=1] 1\n"
	              "lib64 l777 0:0 1 -> usr/lib64 links=2\n"
	              "link l777 0:0 1 -> usr/lib64 links=2\n"
	              "no d755 0:0 0\n"
	              "no/where d755 0:0 0\n"
	              "no/where/five f644 0:0 1 5\n"
	              "pipe p600 3:0 1 links=2\n"
	              "usr d751 7:0 77 [user.u=v]\n"
	              "usr/four f644 0:0 1 4\n"
	              "usr/lib64 d755 0:0 78\n"
	              "usr/lib64/one f4711 9:9 79 links=2 [user.one=1] 1\n"
	              "usr/lib64/two f644 0:0 1 2\n"
	              "usr/three f644 0:0 1 3\n");
}

static void whiteouts_overlay(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	good(unpack_into("lower", NULL, below, OVERLAY));
	const struct row rows[] = {
		{'f', ".wh.file"},
		{'f', "k", "stays"},
		{'f', ".wh.k"},
		{'f', ".wh.j"},
		{'f', "j", "stays"},
		{'f', ".wh.usr"},
		{'f', "usr/fresh", "1"}, // nothing is inherited from below
		{'f', "o/new", "1"},
		{'f', "o/.wh..wh..opq"},
		{'f', "o/newer", "2"},
		{'c', "pipe", .major = 0, .minor = 0},
		{'d', ".wh..wh.plnk"},
		{'f', ".wh..wh.plnk/1.2", "x"},
		{0},
	};
	good(unpack_into("new", "lower", rows, OVERLAY));
	assert_string_equal(warning, ".wh..wh.plnk: metadata of aufs, left out");
	new_is("new", "file c0 0:0 0 0,0\n"
	              "j f644 0:0 1 stays\n"
	              "k f644 0:0 1 stays\n"
	              "o d755 0:0 80 [user.opaque=y]\n"
	              "o/new f644 0:0 1 1\n"
	              "o/newer f644 0:0 1 2\n"
	              "pipe c0 0:0 0 0,0\n"
	              "usr d755 0:0 0 [user.opaque=y]\n"
	              "usr/fresh f644 0:0 1 1\n");
}

static void whiteouts_native(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	good(unpack_into("new", NULL, below, OVERLAY));
	const struct row rows[] = {
		{'f', ".wh.file"},
		{'f', "k", "stays"},
		{'f', ".wh.k"},
		{'f', ".wh.usr"},
		{'f', "usr/fresh", "1"},
		{'f', "o/new", "1"},
		{'f', "o/sub/deep", "1"},
		{'f', "o/.wh..wh..opq"},
		{'f', "o/newer", "2"},
		{'c', "pipe", .major = 0, .minor = 0},
		{'f', ".wh.abs"},
		{'f', ".wh.up"},
		{'f', ".wh.lib64"},
		{'f', ".wh.loop"},
		{'f', ".wh.dangling"},
		{'f', ".wh.never"},
		{0},
	};
	good(unpack_into("new", NULL, rows, NATIVE));
	new_is("new", "k f644 0:0 1 stays\n"
	              "o d755 0:0 80\n"
	              "o/new f644 0:0 1 1\n"
	              "o/newer f644 0:0 1 2\n"
	              "o/sub d755 0:0 0\n"
	              "o/sub/deep f644 0:0 1 1\n"
	              "usr d755 0:0 0\n"
	              "usr/fresh f644 0:0 1 1\n");
}

static void opaque_root(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	const struct row low[] = {
		{'f', "a", "1"}, {'d', "d", .mode = 0755}, {'d', "e", .mode = 0755}, {0}};
	good(unpack_into("lower", NULL, low, OVERLAY));
	const struct row rows[] = {
		{'f', "b", "1"}, {'d', "d", .mode = 0755}, {'f', ".wh..wh..opq"}, {0}};
	good(unpack_into("new", "lower", rows, OVERLAY));
	new_is("new", "a c0 0:0 0 0,0\n"
	              "b f644 0:0 1 1\n"
	              "d d755 0:0 1 [user.opaque=y]\n"
	              "e c0 0:0 0 0,0\n");
}

static void never_set(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	const struct row rows[] = {
		{'d', "d", .xattr = "trusted.overlay.redirect", .value = "/etc"},
		{'d', "e", .xattr = "user.overlay.opaque", .value = "y"},
		{'l', "l", "x", .xattr = "user.on-a-link", .value = "1"},
		{0},
	};
	good(unpack_into("new", NULL, rows, OVERLAY));
	new_is("new", "d d644 0:0 1\ne d644 0:0 1\nl l777 0:0 1 -> x\n");
}

static void file_capabilities(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	// VFS_CAP_REVISION_2 with the effective bit, CAP_NET_RAW
	static const char value[20] = {1, 0, 0, 2, 0, 0x20};
	const struct tar_record x = {"security.capability", value, sizeof(value)};
	const struct tar_entry e = {
		.name = "ping", .mode = 04755, .uid = 3, .xattrs = &x, .n_xattrs = 1};
	auto_str struct str out = STR_LIMIT(1 << 20);
	struct tar_writer w = {.sink = {collect, &out}};
	assert_null(tar_write_entry(&w, &e));
	assert_null(tar_write_end(&w));
	auto_fd int fd = blob(out.bytes, out.size);
	auto_fd int newfd = open_folder("new");
	auto_layer_stream struct layer_stream *s = NULL;
	assert_null(layer_stream_new(fd, LAYER_HASH, 1 << 20, &s));
	struct layer_unpack_request r = {
		.stream = s, .new_dirfd = newfd, .lower_dirfd = -1, .limit_bytes = 1 << 20};
	struct layer_unpacked unpacked;
	good(layer_unpack(&r, &unpacked));
	char got[32];
	auto_fd int ping = openat(newfd, "ping", O_RDONLY);
	assert_int_equal(fgetxattr(ping, x.key, got, sizeof(got)), sizeof(value));
	assert_memory_equal(got, value, sizeof(value));
	struct stat st;
	assert_int_equal(fstat(ping, &st), 0);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_uid, 3);
	assert_int_equal(unpacked.n_inodes, 1);
}

static void refused(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	// clang-format off
	static const struct {
		struct row rows[3];
		const char *message;
	} cases[] = {
		{{{'f', "file/x", "1"}}, "file/x: file: Not a directory"},
		{{{'f', "loop/x", "1"}}, "loop/x: loop/x: too many links in the path"},
		{{{'f', "d/.wh."}}, "d/.wh.: invalid whiteout name"},
		{{{'f', ".wh.."}}, ".wh..: invalid whiteout name"},
		{{{'f', ".wh..."}}, ".wh...: invalid whiteout name"},
		{{{'h', "h", "nowhere"}}, "h: links to nowhere, which isn't there"},
		{{{'h', "h", "usr"}}, "h: links to usr, a directory"},
		{{{'h', "h", "/"}}, "h: links to /, a directory"},
		{{{'h', "h", "./h"}}, "h: links to itself"},
		{{{'f', ".wh.file"}, {'h', "h", "file"}}, "h: links to file, which isn't there"},
		{{{'f', "o/.wh..wh..opq"}, {'h', "h", "o/x"}}, "h: links to o/x, which isn't there"},
		{{{'f', "u", "", .uid = UINT32_MAX}}, "u: owner 4294967295:0"},
		{{{'l', "l", ""}}, "l: create: No such file or directory"},
	};
	// clang-format on
	good(unpack_into("lower", NULL, below, OVERLAY));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_error struct error *e = unpack_into("new", "lower", cases[i].rows, OVERLAY);
		assert_string_equal(e ? e->message : "", cases[i].message);
		assert_null(tree_remove(folderfd, "new"));
		assert_int_equal(mkdirat(folderfd, "new", 0755), 0);
	}
}

static void limits(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	auto_free char *large = alloc((1 << 20) + 1);
	memset(large, 'x', 1 << 20);
	const struct row fits[] = {{'f', "f", large}, {0}};
	good(unpack_into("new", NULL, fits, OVERLAY));
	const struct row over[] = {{'f', "f", large}, {'f', "g", "x"}, {0}};
	auto_error struct error *e = unpack_into("new", NULL, over, OVERLAY);
	assert_string_equal(e->message, "g: unpacks to more than 1048576 bytes");
	assert_int_equal(e->code, ERROR_LIMIT);
}

// Many directories, deeper than the cache holds, in an order that jumps.
static void many_directories(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	enum { N = 300 };
	struct row *rows = alloc_array(N + 1, sizeof(*rows));
	auto_strings struct strings names = {0};
	for (size_t i = 0; i < N; i++)
		strings_adopt(&names,
		              alloc_printf("a%zu/b%zu/c%zu/d/e/f%zu", i % 7, i % 5, i % 3, i));
	for (size_t i = 0; i < N; i++)
		rows[i] = (struct row){'f', names.items[i], "x"};
	good(unpack_into("new", NULL, rows, OVERLAY));
	auto_fd int newfd = open_folder("new");
	for (size_t i = 0; i < N; i++)
		assert_int_equal(faccessat(newfd, names.items[i], F_OK, 0), 0);
	free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_right),
		cmocka_unit_test(gzip),
		cmocka_unit_test(zstd),
		cmocka_unit_test(plain_and_limit),
		cmocka_unit_test_setup_teardown(one_layer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(last_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(in_the_merged_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whiteouts_overlay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whiteouts_native, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opaque_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(never_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(file_capabilities, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_directories, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
