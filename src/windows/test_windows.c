// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "boot/protocol.h"
#include "windows/private.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void paths(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"C:\\data", "/Files/data"},
		{"c:/a\\b/", "/Files/a/b"},
		{"\\Windows\\temp", "/Files/windows/temp"},
		{"/x", "/Files/x"},
		{"c:", "/Files"},
		{"D:\\x", "/drives/d/x"},
		{"e:\\", "/drives/e"},
		{"C:\\.\\x", "!C:\\.\\x: not a path of Windows"},
		{"C:\\a\\..\\..\\etc", "!C:\\a\\..\\..\\etc: not a path of Windows"},
		{"\\a:b", "!\\a:b: not a path of Windows"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_free char *path = NULL;
		struct error *e = windows_path(cases[i][0], &path);
		const char *wanted = cases[i][1];
		assert_string_equal(e ? e->message : path, *wanted == '!' ? wanted + 1 : wanted);
		error_free(e);
	}
}

static void arguments(void **state)
{
	(void)state;
	const struct {
		const char *args[4], *line;
	} cases[] = {
		{{"cmd", "/c", "a && b"}, "cmd /c \"a && b\""},
		{{"x", "", "y"}, "x \"\" y"},
		{{"a\"b", "c\\\"d", "e\\"}, "a\\\"b c\\\\\\\"d e\\"},
		{{"e f\\"}, "\"e f\\\\\""},
		{{"a&b|c^%d%"}, "a&b|c^%d%"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t n = 0;
		while (cases[i].args[n])
			n++;
		auto_free char *line = windows_join_arguments(cases[i].args, n);
		assert_string_equal(line, cases[i].line);
	}
}

static void versions(void **state)
{
	(void)state;
	const struct {
		const char *text, *message;
		struct windows_version v;
	} cases[] = {
		{"", NULL, {10, 0, 20348, 0}},
		{NULL, NULL, {10, 0, 20348, 0}},
		{"10.0.26100.4061", NULL, {10, 0, 26100, 4061}},
		{"10.0.17763", NULL, {10, 0, 17763, 0}},
		{"10.0", "os.version 10.0: not a version", {0}},
		{"ltsc2022", "os.version ltsc2022: \"ltsc2022\" is not a number", {0}},
		{"10.0.1.2.3", "os.version 10.0.1.2.3: not a version", {0}},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct windows_version v = {0};
		struct error *e = windows_version_parse(cases[i].text, &v);
		if (cases[i].message)
			assert_string_equal(e ? e->message : "", cases[i].message);
		else
			assert_memory_equal(&v, &cases[i].v, sizeof(v));
		error_free(e);
	}
}

static const char config[] =
	"{\"ociVersion\":\"1.1.0\",\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0%s},"
	"\"args\":[\"cmd\",\"/c\",\"ipconfig && ping 1.1.1.1\"],\"cwd\":\"c:\\\\\","
	"\"env\":[\"path=C:\\\\x\",\"WINEDEBUG=all\",\"wineprefix=/x\",\"LD_PRELOAD=/x\",\"E=\",\"A=b\"]},"
	"\"root\":{\"path\":\"\"},\"hostname\":\"builder\",\"windows\":{\"layerFolders\":[]%s}}";

static struct oci_spec *parse(const char *user, const char *windows)
{
	struct str s = STR_LIMIT(65536);
	const char *first = strstr(config, "%s"), *second = strstr(first + 2, "%s");
	str_add_bytes(&s, config, (size_t)(first - config));
	str_add(&s, user);
	str_add_bytes(&s, first + 2, (size_t)(second - first - 2));
	str_add(&s, windows);
	str_add(&s, second + 2);
	struct oci_spec *spec = NULL;
	struct error *e = oci_spec_parse(s.bytes, s.size, &spec);
	if (e)
		fail_msg("%s", e->message);
	str_done(&s);
	return spec;
}

static bool has_utf16(const struct windows_files *f, const char *text)
{
	struct str s = STR_LIMIT(4096);
	for (const char *c = text; *c; c++) {
		str_add_char(&s, *c);
		str_add_char(&s, 0);
	}
	bool found = memmem(f->parameters, f->parameters_size, s.bytes, s.size) != NULL;
	str_done(&s);
	return found;
}

static void translates(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *spec = parse("", ""), *linux_spec = oci_spec_new();
	auto_windows_files struct windows_files files = {0};
	const struct windows_start start = {.spec = spec,
	                                    .template_dirfd = -1,
	                                    .id = "my-container",
	                                    .os_version = "10.0.17763.1",
	                                    .system_reg = "[The image] 1\n",
	                                    .keep_registry = true};
	assert_null(windows_translate(&start, linux_spec, &files));
	const struct boot_parameters *p = (const void *)files.parameters;
	assert_int_equal(p->magic, BOOT_MAGIC);
	assert_int_equal(p->size_bytes, files.parameters_size);
	assert_int_equal(p->flags, BOOT_KEEP_REGISTRY);
	assert_int_equal(p->build, 17763);
	assert_true(has_utf16(&files, "cmd /c \"ipconfig && ping 1.1.1.1\""));
	assert_true(has_utf16(&files, "Path=C:\\x"));
	assert_true(has_utf16(&files, "A=b"));
	assert_true(has_utf16(&files, "COMPUTERNAME=BUILDER"));
	assert_true(has_utf16(&files, "USERNAME=ContainerAdministrator"));
	assert_false(has_utf16(&files, "WINE"));
	assert_false(has_utf16(&files, "wine"));
	assert_false(has_utf16(&files, "LD_"));
	assert_string_equal(linux_spec->process.args.items[0], "/coracle/coracle-boot");
	assert_int_equal(linux_spec->process.env.n, 0);
	assert_int_equal(files.uid, 0);
	assert_non_null(strstr(files.system_reg, "\"ComputerName\"=\"BUILDER\"\n"));
	// The image may change a default of ours, and nothing that a container has to have.
	const char *image = strstr(files.system_reg, "[The image] 1\n");
	assert_non_null(image);
	assert_true(strstr(files.system_reg, "\"ProductName\"=") < image);
	assert_true(strstr(files.system_reg, "\"ProgramFilesDir\"=") < image);
	assert_non_null(strstr(image, "\"CurrentBuild\"=\"17763\"\n"));
	assert_non_null(strstr(image, "\"TimeZoneKeyName\"=\"UTC\"\n"));
	assert_non_null(
		strstr(files.system_reg, "\"ComSpec\"=\"C:\\\\Windows\\\\system32\\\\cmd.exe\"\n"));
}

static void refuses(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		{",\"username\":\"nobody\"", "",
	         "process.user.username: no user \"nobody\": Windows containers here have "
	         "ContainerAdministrator and ContainerUser"},
		{"", ",\"hyperv\":{}",
	         "windows.hyperv: there are no virtual machines for Windows containers here"},
		{"", ",\"devices\":[{\"id\":\"x\",\"idType\":\"class\"}]",
	         "windows.devices are not supported"},
		{"", "},\"hooks\":{\"poststop\":[{\"path\":\"/h\"}]",
	         "hooks: a Windows container can't have them"},
		{",\"username\":\"user manager\\\\containeruser\"", "", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_oci_spec struct oci_spec *spec = parse(cases[i][0], cases[i][1]);
		auto_oci_spec struct oci_spec *linux_spec = oci_spec_new();
		auto_windows_files struct windows_files files = {0};
		const struct windows_start start = {.spec = spec, .id = "x", .template_dirfd = -1};
		struct error *e = windows_translate(&start, linux_spec, &files);
		assert_string_equal(e ? e->message : "", cases[i][2]);
		error_free(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),    cmocka_unit_test(arguments),
		cmocka_unit_test(versions), cmocka_unit_test(translates),
		cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
