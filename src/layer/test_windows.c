// SPDX-License-Identifier: Apache-2.0
// Windows' rules, entry by entry: what is made of honest layers, and what is said of the others.
#include "base/text.h"
#include "hive/upcase.h"
#include "layer/internal.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include <cmocka.h>

struct line {      // of a layer: type, name, link or content
	char type; // d f l (symlink) h (hard link)
	const char *name, *text, *attributes;
	const char *wide; // Latin-1, behind the text as UTF-16
};

struct fixture {
	char root[64];
	int rootfd, lower, new;
	char *warning;
};

static fallible put(void *arg, const void *bytes, size_t size)
{
	return fd_write_all(*(int *)arg, bytes, size);
}

static int write_layer(const struct line *lines)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tar_writer w = {.sink = {put, &fd}};
	for (; lines->type; lines++) {
		const char *text = lines->text ? lines->text : "";
		char wide[100] = "";
		size_t n_wide = lines->wide ? strlen(lines->wide) : 0;
		for (size_t i = 0; i < n_wide; i++)
			wide[2 * i] = lines->wide[i];
		struct tar_record record = {"MSWINDOWS.fileattr", lines->attributes,
		                            lines->attributes ? strlen(lines->attributes) : 0};
		struct tar_entry e = {
			.type = lines->type == 'd'   ? TAR_DIRECTORY
		                : lines->type == 'f' ? TAR_FILE
		                : lines->type == 'l' ? TAR_SYMLINK
		                : lines->type == 'p' ? TAR_FIFO
		                                     : TAR_HARDLINK,
			.name = lines->name,
			.link = strchr("lh", lines->type) ? text : "",
			.size = lines->type == 'f' ? strlen(text) + 2 * n_wide : 0,
			.records = &record,
			.n_records = lines->attributes != NULL,
		};
		assert_null(tar_write_entry(&w, &e));
		if (e.size)
			assert_null(tar_write(&w, text, strlen(text)));
		assert_null(tar_write(&w, wide, 2 * n_wide));
	}
	assert_null(tar_write_end(&w));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void keep_warning(void *arg, const char *line)
{
	struct fixture *f = arg;
	free(f->warning);
	f->warning = alloc_string(line);
}

// Into `dirfd`, above `lower` (-1: a base layer). The message, "" if all went well; the caller's.
static char *unpack(struct fixture *f, const struct line *lines, int dirfd, int lower)
{
	auto_fd int fd = write_layer(lines);
	auto_layer_stream struct layer_stream *stream = NULL;
	assert_null(layer_stream_new(fd, 0, 1 << 24, &stream));
	const struct layer_unpack_request r = {.stream = stream,
	                                       .new_dirfd = dirfd,
	                                       .lower_dirfd = lower,
	                                       .windows = true,
	                                       .limit_bytes = 1 << 24,
	                                       .warn = keep_warning,
	                                       .arg = f};
	struct layer_unpacked done;
	struct error *e = layer_unpack(&r, &done);
	char *message = alloc_string(e ? e->message : "");
	error_free(e);
	return message;
}

static int set_up(void **state)
{
	struct fixture *f = alloc(sizeof(*f));
	snprintf(f->root, sizeof(f->root), "/tmp/test_windows.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->rootfd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(f->rootfd, "lower", 0755);
	mkdirat(f->rootfd, "new", 0755);
	f->lower = openat(f->rootfd, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->new = openat(f->rootfd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(tree_remove(tmp, f->root + strlen("/tmp/")));
	close(f->rootfd);
	close(f->lower);
	close(f->new);
	free(f->warning);
	free(f);
	return 0;
}

static void is_file(int dirfd, const char *path, const char *content)
{
	char *text;
	struct error *e = file_read(dirfd, path, 1000, &text, NULL);
	if (e)
		fail_msg("%s: %s", path, e->message);
	assert_string_equal(text, content);
	free(text);
}

static void is_link(int dirfd, const char *path, const char *target)
{
	char text[300] = "";
	assert_true(readlinkat(dirfd, path, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, target);
}

static void is_absent(int dirfd, const char *path)
{
	if (!faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW))
		fail_msg("%s is there", path);
}

#define BASE                                                                     \
	{'d', "Files"}, {'d', "Files/Windows"}, {'d', "Files/Windows/System32"}, \
		{'d', "Files/Windows/System32/config"},                          \
	{                                                                        \
		'f', "Files/Windows/System32/config/SOFTWARE", "regf"            \
	}

static void base_layer(void **state)
{
	struct fixture *f = *state;
	const struct line lines[] = {
		BASE,
		{'f', "Files/Windows/System32/KERNEL32.dll", "MZ program"},
		{'f', "Files/Windows/System32/License.RTF", "data"},
		{'f', "Files/Tool.exe", "MZ tool"},
		{'f', "Files\\back.txt", "slash", "2"},
		{'f', "Files/back.txt:Zone.Identifier", "stream"},
		{'f', "Files/BACK.TXT", "again", "33"},
		{'d', "UtilityVM"},
		{'f', "UtilityVM/Files/x", "vm"},
		{'f', "sandbox.vhdx", "disk"},
		{'h', "Files/hard.txt", "Files/back.TXT"},
		{'h', "Files/lost.dll", "Files/Windows/System32/kernel32.dll"},
		{'l', "Files/Windows/abs", "C:\\Users\\x"},
		{'l', "Files/Windows/System32/up", "..\\notepad.ini"},
		{'l', "Files/nt", "\\??\\C:\\Users"},
		{'l', "Files/passwd", "/etc/passwd"},
		{0},
	};
	auto_free char *message = unpack(f, lines, f->new, -1);
	assert_string_equal(message, "");
	is_file(f->new, "Files/windows/system32/config/SOFTWARE", "regf");
	is_absent(f->new, "Files/windows/system32/kernel32.dll");
	is_file(f->new, "Files/windows/system32/license.rtf", "data");
	is_file(f->new, "Files/Tool.exe", "MZ tool"); // not Windows' own
	is_file(f->new, "Files/back.txt", "again");
	is_file(f->new, "Files/hard.txt", "again");
	is_absent(f->new, "Files/lost.dll");
	is_absent(f->new, "UtilityVM");
	is_absent(f->new, "sandbox.vhdx");
	is_absent(f->new, "Files/back.txt:Zone.Identifier");
	is_link(f->new, "Files/windows/abs", "../Users/x");
	is_link(f->new, "Files/windows/system32/up", "../../windows/notepad.ini");
	is_link(f->new, "Files/nt", "Users");
	is_link(f->new, "Files/passwd", "etc/passwd"); // of drive C:
	assert_string_equal(f->warning, "1 hard links to what isn't unpacked, left out");
	struct stat st;
	assert_int_equal(fstatat(f->new, "Files/back.txt", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0444); // read-only, by its attribute
}

static void above(void **state)
{
	struct fixture *f = *state;
	const struct line base[] = {BASE,
	                            {'d', "Files/App"},
	                            {'f', "Files/App/Old.txt", "old"},
	                            {'f', "Files/gone", "x"},
	                            {0}};
	const struct line lines[] = {
		{'d', "files"},
		{'d', "FILES/APP"},
		{'f', "files/app/OLD.TXT", "new"},
		{'f', "Files/App/.wh.old.txt.bak", ""},
		{'f', "Files/.wh.GONE", ""},
		{'f', "Files/\xc3\x84rger", "1"},
		{'f', "Files/\xc3\xa4RGER", "2"},
		{'h', "Files/App/copy", "Files/WINDOWS/system32/CONFIG/software"},
		{'d', "Hives"},
		{'f', "Hives/Software_Delta", "regf"},
		{'f', "Files/Windows/System32/own.exe", "MZ"},
		{0},
	};
	auto_free char *first = unpack(f, base, f->lower, -1), *second = NULL;
	assert_string_equal(first, "");
	second = unpack(f, lines, f->new, f->lower);
	assert_string_equal(second, "");
	is_file(f->new, "Files/App/Old.txt", "new");
	is_absent(f->new, "Files/App/OLD.TXT");
	struct stat st;
	assert_int_equal(fstatat(f->new, "Files/gone", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(is_whiteout(&st));
	is_file(f->new, "Files/\xc3\x84rger", "2");
	is_file(f->new, "Files/App/copy", "regf");
	is_file(f->new, "Hives/Software_Delta", "regf");
	is_file(f->new, "Files/windows/system32/own.exe", "MZ"); // an application's
}

// An update of the system, as Microsoft's images have it above their base, brings programs, too.
static void update(void **state)
{
	struct fixture *f = *state;
	// The product's name lies over the end of a piece that is read.
	enum { SIZE = 65500 };
	auto_free char *large = alloc(SIZE + 1);
	memset(large, 'x', SIZE);
	memcpy(large, "MZ", 2);
	const struct line base[] = {BASE, {0}};
	static const char product[] = "Microsoft\xae Windows\xae Operating System";
	auto_free char *first = unpack(f, base, f->lower, -1);
	assert_string_equal(first, "");
	const struct line lines[] = {
		{'d', "Files/App"},
		{'d', "Files/Windows/WinSxS"},
		{'d', "Files/Windows/WinSxS/x"},
		{'f', "Files/Windows/System32/ulib.dll", large, NULL, product},
		{'f', "Files/Windows/WinSxS/x/ulib.dll", large, NULL, product},
		{'h', "Files/Windows/System32/again.dll", "Files/Windows/WinSxS/x/ulib.dll"},
		{'f', "Files/App/ucrt.dll", large, NULL, product},
		{'h', "Files/Windows/System32/hard.dll", "Files/App/ucrt.dll"},
		{'h', "Files/App/hard.dll", "Files/App/ucrt.dll"},
		{'l', "Files/App/link", "C:\\Users"},
		{'h', "Files/Windows/link", "Files/App/link"},
		{'f', "Files/Windows/System32/mine.dll", large},
		{'f', "Files/Windows/System32/ulib.txt", "xx", NULL, product},
		{0},
	};
	auto_free char *second = unpack(f, lines, f->new, f->lower);
	assert_string_equal(second, "");
	is_absent(f->new, "Files/windows/system32/ulib.dll");
	is_absent(f->new, "Files/windows/WinSxS/x/ulib.dll");
	is_absent(f->new, "Files/windows/system32/again.dll");
	is_absent(f->new, "Files/windows/system32/hard.dll");
	assert_int_equal(faccessat(f->new, "Files/App/hard.dll", F_OK, 0), 0); // beside its program
	assert_int_equal(faccessat(f->new, "Files/windows/system32/mine.dll", F_OK, 0), 0);
	assert_int_equal(faccessat(f->new, "Files/windows/system32/ulib.txt", F_OK, 0), 0);
	is_link(f->new, "Files/windows/link", "../Users");
	assert_string_equal(f->warning, "1 hard links to what isn't unpacked, left out");
}

static void refused(void **state)
{
	struct fixture *f = *state;
	const struct {
		struct line line;
		const char *message;
	} cases[] = {
		// clang-format off
		{{'f', "Files/../x", ""}, "Files/../x: \"..\" in the path"},
		{{'f', "Files\\..\\..\\x", ""}, "Files\\..\\..\\x: \"..\" in the path"},
		{{'f', "./Files/x", ""}, "./Files/x: \".\" in the path"},
		{{'f', "/Files/x", ""}, "/Files/x: an empty name in the path"},
		{{'f', "\\Files\\x", ""}, "\\Files\\x: an empty name in the path"},
		{{'f', "Files//x", ""}, "Files//x: an empty name in the path"},
		{{'f', "C:/x", ""}, "C:/x: a colon in the path"},
		{{'f', "Files/a:b/x", ""}, "Files/a:b/x: a colon in the path"},
		{{'f', "Files/:s", ""}, "Files/:s: a colon in the name"},
		{{'f', "Files/a:", ""}, "Files/a:: a colon in the name"},
		{{'f', "Files/a:s:$INDEX", ""}, "Files/a:s:$INDEX: a colon in the name"},
		{{'f', "Files/orphan:stream", ""}, "Files/orphan:stream: a stream that doesn't follow its file"},
		{{'f', "Files/bad\xff", ""}, "Files/bad\xff: the name is not UTF-8"},
		{{'f', "Files", ""}, "Files: not a directory"},
		{{'d', "Hives/x"}, "Hives/x: Hives holds files only"},
		{{'p', "Files/fifo"}, "Files/fifo: a device in a layer of Windows"},
		{{'f', "Files/.wh.x", ""}, "Files/.wh.x: base layer cannot have tombstones"},
		{{'f', "Files/x", "", "0x20"}, "Files/x: MSWINDOWS.fileattr: \"0x20\" is not a number"},
		{{'f', "Files/x", "", "4294967296"}, "Files/x: MSWINDOWS.fileattr: 4294967296 is larger than 4294967295"},
		{{'h', "Files/x", "etc/passwd"}, "Files/x: links to etc/passwd: invalid hard link in layer"},
		{{'h', "Files/x", "Files/../../x"}, "Files/x: link to Files/../../x: \"..\" in the path"},
		{{'f', "Files/link/x", ""}, "Files/link/x: lies below a link"},
		{{'f', "Files/LINK/x", ""}, "Files/LINK/x: lies below a link"},
		{{'d', "Files/FILE"}, "Files/FILE: another entry of that name, upper and lower case being the same, is of another type"},
		// clang-format on
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct line lines[] = {BASE,
		                             {'l', "Files/link", "C:\\Windows"},
		                             {'f', "Files/file", "x"},
		                             cases[i].line,
		                             {0}};
		char name[16];
		snprintf(name, sizeof(name), "case%zu", i);
		mkdirat(f->rootfd, name, 0755);
		auto_fd int dirfd = openat(f->rootfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		auto_free char *message = unpack(f, lines, dirfd, -1);
		assert_string_equal(message, cases[i].message);
		is_absent(f->rootfd, "x");
	}
}

static void links_stay_inside(void **state)
{
	struct fixture *f = *state;
	static const char *const outside[] = {"..\\..\\etc",   "\\\\server\\share",
	                                      "D:\\x",         "\\\\?\\UNC\\s\\x",
	                                      "\\Device\\x:y", "\\??\\Volume{1}\\"};
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		const struct line lines[] = {{'d', "Files"}, {'l', "Files/l", outside[i]}, {0}};
		auto_free char *message = unpack(f, lines, f->new, -1);
		assert_string_equal(message, "");
		is_absent(f->new, "Files/l");
		assert_string_equal(f->warning, "Files/l: leads out of drive C:, left out");
	}
}

static void upper_case(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"az", "AZ"},
		{"\xc3\xa4", "\xc3\x84"},
		{"\xc3\x9f", "\xc3\x9f"},
		{"\xce\xb1\xcf\x82", "\xce\x91\xcf\x82"},
		{"\xd0\xb6", "\xd0\x96"},
		{"\xc4\xb1", "\xc4\xb1"},
		{"\xef\xbd\x81", "\xef\xbc\xa1"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		char out[16];
		out[upcase_utf8(pairs[i][0], strlen(pairs[i][0]), out)] = 0;
		assert_string_equal(out, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upper_case),
		cmocka_unit_test_setup_teardown(base_layer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(above, set_up, tear_down),
		cmocka_unit_test_setup_teardown(update, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_stay_inside, set_up, tear_down),
	};
	if (geteuid()) {
		printf("skipped: needs root, for owners and whiteouts\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
