// SPDX-License-Identifier: Apache-2.0
// Any bytes as the registry hives of a Windows layer, written as Wine's files: whatever is in them,
// each line must be one that Wine reads as what it was, in the part of the registry that the hive
// may fill, and no key of those that are Wine's own. The first byte chooses which hive it is, and
// whether it is a base layer's or a delta over a layer below. In tmpfs.
#include "base/text.h"
#include "seal_hive.h"
#include "sys/fd.h"
#include "sys/publish.h"
#include "sys/tree.h"
#include "windows/hives.h"
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#define CONFIG "Files/windows/system32/config/"

static char folder[] = "/dev/shm/fuzz-hives-XXXXXX";
static int top = -1;

static const struct {
	const char *path; // of a base layer, then of a delta
	const char *above;
} places[] = {
	{CONFIG "SOFTWARE", "Software\\\\"},
	{CONFIG "SYSTEM", "System\\\\CurrentControlSet"},
	{CONFIG "DEFAULT", ""},
	{"Files/Users/Default/NTUSER.DAT", ""},
	{"Hives/SOFTWARE_DELTA", "Software\\\\"},
	{"Hives/SYSTEM_DELTA", "System\\\\CurrentControlSet"},
	{"Hives/DEFAULTUSER_DELTA", ""},
};

static const char *const forbidden[] = {
	"Software\\\\Wine",
	"Software\\\\Classes\\\\CLSID",
	"Software\\\\Microsoft\\\\Windows\\\\CurrentVersion\\\\Run",
	"System\\\\CurrentControlSet\\\\Services",
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void remove_folder(void)
{
	auto_fd int shm = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	error_free(tree_remove(shm, folder + strlen("/dev/shm/")));
}

static void prepare(void)
{
	must(mkdtemp(folder));
	atexit(remove_folder);
	top = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(top >= 0 && !mkdirat(top, "below", 0755));
}

static void make_layer(void)
{
	static const char *const folders[] = {"new",
	                                      "new/Files",
	                                      "new/Files/windows",
	                                      "new/Files/windows/system32",
	                                      "new/Files/windows/system32/config",
	                                      "new/Files/Users",
	                                      "new/Files/Users/Default",
	                                      "new/Hives"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		must(!mkdirat(top, folders[i], 0755));
}

// [path] 1, the path as Wine reads it: backslashes, brackets and controls escaped.
static void check_section(const char *line, size_t size, const char *above)
{
	must(size > 4 && !memcmp(line + size - 3, "] 1", 3));
	must(!strncmp(line + 1, above, strlen(above)));
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		size_t n = strlen(forbidden[i]);
		const char *behind = line + 1 + n; // two backslashes; one is a control's
		must(strncasecmp(line + 1, forbidden[i], n) != 0 ||
		     (*behind != ']' && strncmp(behind, "\\\\", 2) != 0));
	}
	for (size_t i = 1; i + 3 < size; i++) {
		must(line[i] != '[' && line[i] != ']');
		i += line[i] == '\\';
	}
}

// "name"=… or @=…
static void check_value(const char *line, size_t size)
{
	size_t at = 1;
	if (*line == '@') {
		must(size > 2 && line[1] == '=');
		return;
	}
	must(*line == '"');
	for (; at < size && line[at] != '"'; at++)
		at += line[at] == '\\';
	must(at + 2 < size && line[at + 1] == '=');
}

static void check_file(const char *name, const char *above)
{
	auto_free char *path = alloc_printf("new/Registry/%s", name), *text = NULL;
	size_t size = 0;
	struct error *e = file_read(top, path, 128 << 20, &text, &size);
	if (e) {
		error_free(e); // nothing of it changed
		return;
	}
	must(strlen(text) == size);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t n = strcspn(line, "\n");
		must(line[n] == '\n');
		for (size_t i = 0; i < n; i++)
			must((unsigned char)line[i] >= ' ');
		if (n && *line == '[')
			check_section(line, n, above);
		else if (n)
			check_value(line, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (top < 0)
		prepare();
	size_t i = *data % (sizeof(places) / sizeof(*places));
	bool is_delta = places[i].path[0] == 'H';
	auto_free unsigned char *bytes = alloc(size);
	auto_free char *path = alloc_printf("new/%s", places[i].path);
	memcpy(bytes, data + 1, size - 1);
	seal_hive(bytes, size - 1);
	make_layer();
	must(!publish_bytes(top, path, (const char *)bytes, size - 1, 0644, 0));
	auto_fd int newfd = openat(top, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int below = openat(top, "below", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error *e = windows_convert_hives(newfd, is_delta ? below : -1);
	if (!e) {
		check_file("system.reg", places[i].above);
		check_file("user.reg", "");
		check_file("userdef.reg", "");
	}
	error_free(e);
	error_free(tree_remove(top, "new"));
	return 0;
}
