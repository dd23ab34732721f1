// SPDX-License-Identifier: Apache-2.0
#include "hive/hive.h"
#include "sys/sys.h"
#include "sys/tree.h"
#include "windows/hives.h"
#include "windows/private.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[64];
static int rootfd;

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/test_hives.XXXXXX");
	assert_non_null(mkdtemp(root));
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char *const folders[] = {
		"base",
		"base/Files",
		"base/Files/windows",
		"base/Files/windows/system32",
		"base/Files/windows/system32/config",
		"base/Files/Users",
		"base/Files/Users/Default",
		"top",
		"top/Hives",
	};
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		assert_int_equal(mkdirat(rootfd, folders[i], 0755), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(rootfd);
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(tree_remove(tmp, root + strlen("/tmp/")));
	return 0;
}

static void set_text(struct hive *h, struct hive_key *key, const char *name, uint32_t type,
                     const char *text)
{
	unsigned char units[400] = {0};
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		units[2 * i] = (unsigned char)text[i];
	hive_set_value(h, key, name, type, units, 2 * n + 2);
}

static void save(const struct hive *h, const char *path)
{
	auto_str struct str s = STR_LIMIT(1 << 20);
	assert_null(hive_write(h, &s));
	assert_null(publish_bytes(rootfd, path, s.bytes, s.size, 0644, PUBLISH_REPLACE));
}

static int folder(const char *name)
{
	int fd = openat(rootfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void is_text(const char *path, const char *wanted)
{
	auto_free char *text = NULL;
	struct error *e = file_read(rootfd, path, 1 << 20, &text, NULL);
	if (e)
		fail_msg("%s: %s", path, e->message);
	assert_string_equal(text, wanted);
}

#define CONFIG "base/Files/windows/system32/config/"

static void write_base(void)
{
	auto_hive struct hive *software = hive_new(), *system = hive_new(), *user = hive_new();
	struct hive_key *key = hive_add_key(software, software->root, "Vendor]\n[x");
	set_text(software, key, "a\"b", HIVE_SZ, "c\\d");
	hive_set_value(software, key, "n", HIVE_DWORD, "\1\0\0\x80", 4);
	set_text(software, hive_add_key(software, software->root, "Wine"), "x", HIVE_SZ, "no");
	set_text(software, hive_add_key(software, software->root, "gone"), "x", HIVE_SZ, "y");
	hive_set_value(system, hive_add_key(system, system->root, "Select"), "Current", HIVE_DWORD,
	               "\2\0\0\0", 4);
	set_text(system, hive_add_key(system, system->root, "ControlSet001"), "old", HIVE_SZ, "");
	key = hive_add_key(system, system->root, "ControlSet002");
	struct hive_key *service =
		hive_add_key(system, hive_add_key(system, key, "Services"), "drv");
	set_text(system, service, "ImagePath", HIVE_SZ, "no");
	key = hive_add_key(system, hive_add_key(system, key, "Control"), "Session Manager");
	set_text(system, key, "PendingFileRenameOperations", HIVE_MULTI_SZ, "no");
	key = hive_add_key(system, key, "Environment");
	set_text(system, key, "Path", HIVE_EXPAND_SZ, "%SystemRoot%\\system32");
	key = hive_add_key(user, user->root, "Environment");
	set_text(user, key, "Path", HIVE_EXPAND_SZ, "%USERPROFILE%\\bin");
	save(software, CONFIG "SOFTWARE");
	save(system, CONFIG "SYSTEM");
	save(user, "base/Files/Users/Default/NTUSER.DAT");
}

static void converts(void **state)
{
	(void)state;
	write_base();
	auto_fd int base = folder("base"), top = folder("top");
	assert_null(windows_convert_hives(base, -1));
	is_text("base/Registry/system.reg",
	        "\n[Software\\\\gone] 1\n\"x\"=\"y\"\n"
	        "\n[Software\\\\Vendor\\]\\x000a\\[x] 1\n\"a\\\"b\"=\"c\\\\d\"\n\"n\"=dword:80000001\n"
	        "\n[System\\\\CurrentControlSet\\\\Control\\\\Session Manager] 1\n"
	        "\n[System\\\\CurrentControlSet\\\\Control\\\\Session Manager\\\\Environment] 1\n"
	        "\"Path\"=str(2):\"%SystemRoot%\\\\system32\"\n");
	is_text("base/Registry/environment",
	        "Path=%SystemRoot%\\system32\nPath=%Path%;%USERPROFILE%\\bin\n");
	auto_hive struct hive *delta = hive_new();
	hive_add_key(delta, delta->root, "GONE")->layer = HIVE_TOMBSTONE;
	struct hive_key *key = hive_add_key(delta, delta->root, "App");
	set_text(delta, key, "v", HIVE_SZ, "1");
	save(delta, "top/Hives/SOFTWARE_DELTA");
	assert_null(windows_convert_hives(top, base));
	is_text("top/Registry/system.reg",
	        "\n[Software\\\\Vendor\\]\\x000a\\[x] 1\n\"a\\\"b\"=\"c\\\\d\"\n\"n\"=dword:80000001\n"
	        "\n[Software\\\\App] 1\n\"v\"=\"1\"\n"
	        "\n[System\\\\CurrentControlSet\\\\Control\\\\Session Manager] 1\n"
	        "\n[System\\\\CurrentControlSet\\\\Control\\\\Session Manager\\\\Environment] 1\n"
	        "\"Path\"=str(2):\"%SystemRoot%\\\\system32\"\n");
}

static void nothing_to_convert(void **state)
{
	(void)state;
	auto_fd int base = folder("base"), top = folder("top");
	assert_null(windows_convert_hives(base, -1));
	assert_null(windows_convert_hives(top, base));
	assert_int_equal(faccessat(rootfd, "base/Registry", F_OK, 0), -1);
	assert_int_equal(faccessat(rootfd, "top/Registry", F_OK, 0), -1);
}

static void says_whose(void **state)
{
	(void)state;
	auto_fd int base = folder("base");
	assert_null(publish_bytes(rootfd, CONFIG "SYSTEM", "regf", 4, 0644, 0));
	struct error *e = windows_convert_hives(base, -1);
	assert_string_equal(e ? e->message : "",
	                    "Files/windows/system32/config/SYSTEM: hive: 4 bytes are too few");
	error_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(converts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_to_convert, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_whose, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
