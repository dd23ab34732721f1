// SPDX-License-Identifier: Apache-2.0
// An upper becomes a layer: what its tar holds, entry by entry, and what the packer makes of bytes.
#include "base/text.h"
#include "layer/internal.h"
#include "sys/tree.h"
#include <fcntl.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cmocka.h>

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
	snprintf(folder, sizeof(folder), "%.40s/diff-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	folderfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return mkdirat(folderfd, "upper", 0755) || mkdirat(folderfd, "lower", 0755);
}

static int tear_down(void **state)
{
	(void)state;
	close(folderfd);
	auto_fd int parent = open(dirname(folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_null(tree_remove(parent, folder + strlen(folder) + 1));
	return 0;
}

// --- trees made of rows
// ---------------------------------------------------------------------------

struct row {
	char type;             // f d l h (hard link) c p s (socket); 0 ends the list
	const char *name;      // below the folder
	const char *text;      // a file's bytes, a link's target
	unsigned mode;         // 0: 0644, of directories 0755
	const char *xattr;     // its value is "v"
	unsigned major, minor; // of c
	int64_t mtime;
};

static void make_socket(int dirfd, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
}

static void make_one(int dirfd, const struct row *r)
{
	const char *text = r->text ? r->text : "";
	unsigned mode = r->mode ? r->mode : r->type == 'd' ? 0755 : 0644;
	if (r->type == 'd')
		assert_return_code(mkdirat(dirfd, r->name, 0755), errno);
	if (r->type == 'l')
		assert_return_code(symlinkat(text, dirfd, r->name), errno);
	if (r->type == 'h')
		assert_return_code(linkat(dirfd, text, dirfd, r->name, 0), errno);
	if (r->type == 'c')
		assert_return_code(
			mknodat(dirfd, r->name, S_IFCHR | mode, makedev(r->major, r->minor)),
			errno);
	if (r->type == 'p')
		assert_return_code(mkfifoat(dirfd, r->name, mode), errno);
	if (r->type == 's')
		make_socket(dirfd, r->name);
	if (r->type == 'f') {
		auto_fd int fd =
			openat(dirfd, r->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_return_code(fd, errno);
		assert_null(fd_write_all(fd, text, strlen(text)));
		if (r->xattr)
			assert_return_code(fsetxattr(fd, r->xattr, "v", 1, 0), errno);
	}
	if (r->type != 'l' && r->type != 'h')
		assert_return_code(fchmodat(dirfd, r->name, mode, 0), errno);
}

static void make(const char *where, const struct row *rows)
{
	auto_fd int dirfd = open_folder(where);
	size_t n = 0;
	for (; rows[n].type; n++)
		make_one(dirfd, &rows[n]);
	while (n--) { // directories after what is in them
		const struct timespec times[] = {{rows[n].mtime, 0}, {rows[n].mtime, 0}};
		assert_return_code(utimensat(dirfd, rows[n].name, times, AT_SYMLINK_NOFOLLOW),
		                   errno);
	}
}

// --- the tar, as text
// -----------------------------------------------------------------------------

struct bytes {
	const char *at;
	size_t size;
	bool is_read;
};

static fallible give(void *arg, const void **ret_bytes, size_t *ret_size)
{
	struct bytes *b = arg;
	*ret_bytes = b->at;
	*ret_size = b->is_read ? 0 : b->size;
	b->is_read = true;
	return NULL;
}

static void list_entry(struct tar_reader *tar, const struct tar_entry *e, struct str *out)
{
	str_printf(out, "%c %s %o", "fdlhcbp"[e->type], e -> name, e -> mode);
	if (*e->link)
		str_printf(out, " -> %s", e->link);
	if (e->type == TAR_CHAR_DEVICE)
		str_printf(out, " %u,%u", e->dev_major, e->dev_minor);
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (strcmp(e->xattrs[i].key, "security.selinux") != 0)
			str_printf(out, " [%s]", e->xattrs[i].key);
	if (e->sparse)
		str_printf(out, " %llu bytes", (unsigned long long)e->size);
	const void *bytes;
	size_t size;
	uint64_t at;
	for (bool is_first = true;; is_first = false) {
		assert_null(tar_read(tar, &bytes, &size, &at));
		if (!size)
			break;
		if (e->sparse) // where data lies is the file system's choice
			continue;
		str_printf(out, "%s%.*s", is_first ? " " : "", (int)size, (const char *)bytes);
	}
	str_add(out, "\n");
}

static char *list_layer(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	auto_free char *text = alloc((size_t)size + 1);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	struct bytes bytes = {text, (size_t)size, false};
	auto_tar_reader struct tar_reader *tar = tar_reader_new(&(struct tar_source){give, &bytes});
	auto_str struct str out = STR_LIMIT(1 << 20);
	const struct tar_entry *e;
	for (;;) {
		assert_null(tar_next(tar, &e));
		if (!e)
			break;
		list_entry(tar, e, &out);
	}
	return alloc_string(out.bytes ? out.bytes : "");
}

// The mark that this process can set, in place of trusted.overlay.opaque.
static fallible ask_opaque(void *arg, int dirfd, bool *ret)
{
	(void)arg;
	char value;
	*ret = fgetxattr(dirfd, "user.opaque", &value, 1) == 1;
	return NULL;
}

static unsigned n_warnings;
static void count_warning(void *arg, const char *line)
{
	(void)arg;
	assert_string_equal(line, "a: a socket, left out of the layer");
	n_warnings++;
}

static fallible diff_into(int fd, bool has_lower, bool with_root, uint64_t limit)
{
	auto_fd int upper = open_folder("upper");
	auto_fd int lower = has_lower ? open_folder("lower") : -1;
	auto_layer_packer struct layer_packer *packer = NULL;
	struct layer_sums sums;
	assert_null(layer_packer_new(fd, LAYER_PLAIN, limit, &packer));
	const struct layer_diff_request r = {.packer = packer,
	                                     .upper_dirfd = upper,
	                                     .lower_dirfd = lower,
	                                     .is_opaque = ask_opaque,
	                                     .with_root = with_root,
	                                     .warn = count_warning};
	auto_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct error *e = layer_diff(&r);
	assert_return_code(fchdir(here), errno); // it stands where it read last
	TRY(e);
	return layer_packer_finish(packer, &sums);
}

static void differs(bool has_lower, const char *wanted)
{
	auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
	struct error *e = diff_into(fd, has_lower, false, 1 << 30);
	assert_string_equal(e ? e->message : "", "");
	auto_free char *text = list_layer(fd);
	assert_string_equal(text, wanted);
}

static void refuses(uint64_t limit, enum error_code code, const char *message)
{
	auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
	auto_error struct error *e = diff_into(fd, true, false, limit);
	assert_string_equal(e ? e->message : "", message);
	assert_int_equal(e->code, code);
}

static bool lacks_root(void)
{
	if (!geteuid())
		return false;
	print_message("skipped: devices need root\n");
	return true;
}

// --- tests
// ----------------------------------------------------------------------------------------

static void every_kind(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	const struct row rows[] = {
		{'d', "d", .mode = 01777},
		{'f', "d/f", "hello", 04755, "user.x"},
		{'h', "d/g", "d/f"},
		{'h', "z", "d/f"},
		{'l', "link", "/d/f"},
		{'c', "null", .mode = 0666, .major = 1, .minor = 3},
		{'p', "pipe", .mode = 0622},
		{'f', "odd\xff\nname", "x"},
		{'f', "e", "", 0600, "user.overlay.opaque"},
		{'c', "hides-nothing"}, // nothing is below
		{'s', "a"},
		{'s', "b"},
		{0},
	};
	make("upper", rows);
	n_warnings = 0;
	differs(false, "f e 600\n"
	               "l link 777 -> /d/f\n"
	               "c null 666 1,3\n"
	               "f odd\xff\nname 644 x\n"
	               "p pipe 622\n"
	               "f z 4755 [user.x] hello\n"
	               "d d/ 1777\n"
	               "h d/f 4755 -> z\n"
	               "h d/g 4755 -> z\n");
	assert_int_equal(n_warnings, 1); // one of a kind
}

static void against_what_is_below(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	const struct row lower[] = {
		{'f', "same", "1"},
		{'f', "bytes", "1"},
		{'f', "mode", "1"},
		{'f', "time", "1"},
		{'f', "attribute", "1"},
		{'f', "gone", "1"},
		{'l', "link", "a"},
		{'l', "moved-link", "a"},
		{'f', "becomes-folder", "1"},
		{'d', "becomes-file"},
		{'d', "hidden"},
		{'f', "hidden/same", "1"},
		{'d', "hidden/deep"},
		{'f', "hidden/deep/same", "1"},
		{'l', "linked", "hidden"},
		{0},
	};
	const struct row upper[] = {
		{'f', "same", "1"},
		{'f', "bytes", "2"},
		{'f', "mode", "1", 0600},
		{'f', "time", "1", .mtime = 5},
		{'f', "attribute", "1", .xattr = "user.x"},
		{'c', "gone"},
		{'c', "was-never-there"},
		{'l', "link", "a"},
		{'l', "moved-link", "b"},
		{'d', "becomes-folder"},
		{'f', "becomes-file", "1"},
		{'d', "hidden"},
		{'f', "hidden/same", "1"},
		{'d', "hidden/deep"},
		{'f', "hidden/deep/same", "1"},
		{'d', "linked"}, // a link below leads nowhere
		{'f', "linked/same", "1"},
		{'c', "linked/deep"},
		{0},
	};
	make("lower", lower);
	make("upper", upper);
	auto_fd int top = open_folder("upper");
	auto_fd int hidden = openat(top, "hidden", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(fsetxattr(hidden, "user.opaque", "y", 1, 0), errno);
	differs(true, "f attribute 644 [user.x] 1\n"
	              "f becomes-file 644 1\n"
	              "f bytes 644 2\n"
	              "f .wh.gone 0\n"
	              "f mode 600 1\n"
	              "l moved-link 777 -> b\n"
	              "f time 644 1\n"
	              "d becomes-folder/ 755\n"
	              "d hidden/ 755 [user.opaque]\n"
	              "f hidden/.wh..wh..opq 0\n"
	              "f hidden/same 644 1\n"
	              "d hidden/deep/ 755\n"
	              "f hidden/deep/same 644 1\n"
	              "d linked/ 755\n"
	              "f linked/same 644 1\n");
}

static void the_root_if_asked(void **state)
{
	(void)state;
	auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
	assert_null(diff_into(fd, false, true, 1 << 20));
	auto_free char *text = list_layer(fd);
	assert_string_equal(text, "d ./ 755\n");
}

static void holes(void **state)
{
	(void)state;
	auto_fd int upper = open_folder("upper");
	auto_fd int fd = openat(upper, "s", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(pwrite(fd, "x", 1, 5000000000), 1);
	assert_return_code(ftruncate(fd, 6000000000), errno);
	auto_fd int empty = openat(upper, "t", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_return_code(ftruncate(empty, 7), errno);
	differs(false, "f s 644 6000000000 bytes\n"
	               "f t 644 7 bytes\n");
}

// Neither depth nor width costs descriptors, and the same tree gives the same bytes.
static void deep_and_wide(void **state)
{
	(void)state;
	enum { DEPTH = 600, WIDTH = 3000 };
	auto_fd int at = open_folder("upper");
	for (int i = 0; i < DEPTH; i++) {
		assert_return_code(mkdirat(at, "d", 0755), errno);
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	for (int i = 0; i < WIDTH; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%d", i);
		assert_return_code(mkdirat(at, name, 0755), errno);
	}
	char digests[2][LAYER_DIGEST_SIZE];
	for (int i = 0; i < 2; i++) {
		auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
		assert_null(diff_into(fd, true, false, 1 << 30));
		auto_layer_stream struct layer_stream *s = NULL;
		struct layer_sums sums;
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_null(layer_stream_new(fd, LAYER_HASH, 1 << 30, &s));
		assert_null(layer_stream_finish(s, &sums));
		memcpy(digests[i], sums.digest, sizeof(digests[i]));
	}
	assert_string_equal(digests[0], digests[1]);
}

static void what_no_layer_holds(void **state)
{
	(void)state;
	const struct row reserved[] = {{'d', "d"}, {'f', "d/.wh.x"}, {0}};
	make("upper", reserved);
	refuses(1 << 30, ERROR_INVALID,
	        "/d: .wh.x: a layer can't hold this name: it would be read as the removal of "
	        "another file");
	refuses(100, ERROR_LIMIT, "/d: the blob has more than 100 bytes");
}

static void a_name_too_long(void **state)
{
	(void)state;
	char name[201] = {0}, message[400];
	memset(name, 'n', 200);
	auto_fd int at = open_folder("upper");
	for (size_t size = 0; size < TAR_NAME_MAX; size += sizeof(name)) {
		assert_return_code(mkdirat(at, name, 0755), errno);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
	auto_error struct error *e = diff_into(fd, false, false, 1 << 30);
	snprintf(message, sizeof(message),
	         "a name longer than %d bytes can't be in a layer: ", TAR_NAME_MAX - 5);
	assert_non_null(e);
	assert_non_null(strstr(e->message, message));
	assert_int_equal(e->code, ERROR_INVALID);
}

// What is packed is inflated again, by the reader that every layer goes through.
static void packed_is_inflated(void **state)
{
	(void)state;
	enum { SIZE = (3 << 20) + 7 };
	auto_free char *text = alloc(SIZE);
	uint32_t x = 1;
	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)(x >> 28 ? x >> 24 : 'a');
	}
	for (enum layer_compression c = LAYER_PLAIN; c <= LAYER_ZSTD; c++)
		for (size_t size = 0; size <= SIZE; size += SIZE) {
			auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
			auto_layer_packer struct layer_packer *p = NULL;
			auto_layer_stream struct layer_stream *s = NULL;
			struct layer_sums made, read;
			assert_null(layer_packer_new(fd, c, SIZE * 2, &p));
			assert_null(layer_packer_put(p, text, size / 3));
			assert_null(layer_packer_put(p, text + size / 3, size - size / 3));
			assert_null(layer_packer_finish(p, &made));
			assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
			assert_null(layer_stream_new(fd, LAYER_HASH, SIZE, &s));
			assert_null(layer_stream_finish(s, &read));
			assert_string_equal(made.digest, read.digest);
			assert_string_equal(made.diff_id, read.diff_id);
			assert_int_equal(made.size_bytes, read.size_bytes);
			assert_int_equal(made.diff_size_bytes, size);
		}
}

static void no_room(void **state)
{
	(void)state;
	for (enum layer_compression c = LAYER_PLAIN; c <= LAYER_ZSTD; c++) {
		auto_fd int fd = memfd_create("layer", MFD_CLOEXEC);
		auto_layer_packer struct layer_packer *p = NULL;
		struct layer_sums sums;
		assert_null(layer_packer_new(fd, c, 5, &p));
		struct error *e = layer_packer_put(p, "0123456789", 10);
		if (!e)
			e = layer_packer_finish(p, &sums);
		assert_non_null(e);
		assert_string_equal(e->message, "the blob has more than 5 bytes");
		assert_int_equal(e->sys, EFBIG); // it is a full disk, if that was the limit
		error_free(e);
	}
	auto_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	auto_layer_packer struct layer_packer *p = NULL;
	assert_null(layer_packer_new(full, LAYER_PLAIN, 100, &p));
	auto_error struct error *e = layer_packer_put(p, "x", 1);
	assert_string_equal(e ? e->message : "", "the blob: write: No space left on device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_kind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(against_what_is_below, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_root_if_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deep_and_wide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_no_layer_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_too_long, set_up, tear_down),
		cmocka_unit_test(packed_is_inflated),
		cmocka_unit_test(no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
