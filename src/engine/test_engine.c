// SPDX-License-Identifier: Apache-2.0
// What of the engine can be tried without a container; the rest is test/e2e.
#include "engine/private.h"
#include "engine/rootfile.h"
#include "sys/path.h"
#include "sys/publish.h"
#include "sys/tree.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(call)                               \
	do {                                          \
		struct error *ok_ = (call);           \
		if (ok_)                              \
			fail_msg("%s", ok_->message); \
	} while (0)

static int layers[3] = {-1, -1, -1}; // top first
static int tmp = -1;
static char scratch[] = "/tmp/test-engine-XXXXXX";

static int setup(void **state)
{
	(void)state;
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tmp < 0 || !mkdtemp(scratch))
		return -1;
	auto_fd int dir = -1;
	auto_error struct error *e = path_open_dir(scratch, &dir);
	static const char *const names[] = {"top", "middle", "bottom"};
	for (int i = 0; i < 3 && !e; i++)
		e = path_make_dir_at(dir, names[i], 0755, &layers[i]);
	return e ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		close(layers[i]);
	auto_error struct error *e = tree_remove(tmp, scratch + strlen("/tmp/"));
	close(tmp);
	return e ? -1 : 0;
}

static void put(int layer, const char *name, const char *text)
{
	auto_fd int etc = -1;
	assert_ok(path_make_dir_at(layers[layer], "etc", 0755, &etc));
	assert_ok(publish_bytes(etc, name, text, strlen(text), 0644, PUBLISH_REPLACE));
}

static void wipe(void)
{
	for (int i = 0; i < 3; i++) {
		assert_ok(tree_remove(layers[i], "etc"));
		assert_ok(tree_remove(layers[i], "real"));
	}
}

static void assert_reads(const char *wanted)
{
	struct root_files root = {.dirfd = -1, .layers = layers, .n_layers = 3};
	auto_free char *text = NULL;
	size_t size;
	assert_ok(root_file_read(&root, "etc", "passwd", &text, &size));
	if (wanted) {
		assert_non_null(text);
		assert_string_equal(text, wanted);
	} else {
		assert_null(text);
	}
}

static void assert_refused(const char *message)
{
	struct root_files root = {.dirfd = -1, .layers = layers, .n_layers = 3};
	auto_free char *text = NULL;
	size_t size;
	auto_error struct error *e = root_file_read(&root, "etc", "passwd", &text, &size);
	assert_non_null(e);
	assert_string_equal(e->message, message);
}

static void plain_layers(void **state)
{
	(void)state;
	wipe();
	assert_reads(NULL);
	put(2, "passwd", "bottom");
	put(1, "group", "x");
	assert_reads("bottom");
	put(0, "passwd", "top");
	assert_reads("top");
}

static bool needs_overlay(void)
{
	if (geteuid() == 0)
		return false;
	print_message("SKIP: making overlays needs root\n");
	return true;
}

static void whiteouts_hide(void **state)
{
	(void)state;
	if (needs_overlay())
		skip();
	wipe();
	put(2, "passwd", "bottom");
	put(0, "group", "x");
	assert_int_equal(mknodat(layers[1], "etc", S_IFCHR, makedev(0, 0)), 0);
	assert_reads(NULL); // the whole folder is hidden
	assert_ok(tree_remove(layers[1], "etc"));
	assert_int_equal(mknodat(layers[0], "etc/passwd", S_IFCHR, makedev(0, 0)), 0);
	assert_reads(NULL);
}

static void opaque_folders_hide(void **state)
{
	(void)state;
	if (needs_overlay())
		skip();
	wipe();
	put(2, "passwd", "bottom");
	put(1, "group", "x");
	auto_fd int etc = openat(layers[1], "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fsetxattr(etc, "trusted.overlay.opaque", "y", 1, 0), 0);
	assert_reads(NULL);
}

static void links_stay_inside(void **state)
{
	(void)state;
	if (needs_overlay())
		skip();
	wipe();
	put(0, "group", "x");
	assert_int_equal(symlinkat("/real/passwd", layers[0], "etc/passwd"), 0);
	assert_reads(NULL); // dangling
	auto_fd int real = -1;
	assert_ok(path_make_dir_at(layers[2], "real", 0755, &real));
	assert_ok(publish_bytes(real, "passwd", "linked", 6, 0644, 0));
	assert_reads("linked");
	assert_int_equal(unlinkat(layers[0], "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("/../../../../../../etc/hostname", layers[0], "etc/passwd"), 0);
	assert_reads(NULL); // not the host's
}

static void odd_files_are_refused(void **state)
{
	(void)state;
	if (needs_overlay())
		skip();
	wipe();
	put(0, "group", "x");
	assert_int_equal(mkfifoat(layers[0], "etc/passwd", 0644), 0);
	assert_refused("etc/passwd of the image: not a regular file");
	assert_int_equal(unlinkat(layers[0], "etc/passwd", 0), 0);
	auto_free char *big = alloc(ROOT_FILE_LIMIT + 2);
	memset(big, 'x', ROOT_FILE_LIMIT + 1);
	put(0, "passwd", big);
	assert_refused("etc/passwd of the image: larger than 1048576 bytes");
}

static void labels(void **state)
{
	(void)state;
	auto_labels struct label_list l = {0};
	static const char *const good[] = {"a=1", "b", "a=2", "c="};
	assert_ok(labels_parse(good, 4, true, &l));
	assert_int_equal(l.n, 3);
	assert_string_equal(l.items[0].value, "2");
	assert_string_equal(l.items[1].value, "true");
	assert_string_equal(l.items[2].value, "");
	static const char *const bad[] = {"b", "=x", ""};
	static const char *const messages[] = {"label \"b\": not KEY=VALUE",
	                                       "label \"=x\": not KEY=VALUE",
	                                       "label \"\": not KEY=VALUE"};
	for (int i = 0; i < 3; i++) {
		auto_error struct error *e = labels_parse(&bad[i], 1, false, &l);
		assert_non_null(e);
		assert_string_equal(e->message, messages[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_layers),          cmocka_unit_test(whiteouts_hide),
		cmocka_unit_test(opaque_folders_hide),   cmocka_unit_test(links_stay_inside),
		cmocka_unit_test(odd_files_are_refused), cmocka_unit_test(labels),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
