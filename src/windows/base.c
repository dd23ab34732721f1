// SPDX-License-Identifier: Apache-2.0
// The base layer: what Windows takes at least, and no program.
#include "base/text.h"
#include "hive/hive.h"
#include "sys/sys.h"
#include "windows/layer_writer.h"
#include "windows/private.h"
#include <stdio.h>

enum { HIVE_LIMIT = 1 << 20, FILL_FILE = 256 << 10 };

static const char *const folders[] = {
	"Files",
	"Files/Program Files",
	"Files/ProgramData",
	"Files/Users",
	"Files/Users/Default",
	"Files/Users/Public",
	"Files/Users/ContainerAdministrator",
	"Files/Users/ContainerUser",
	"Files/Windows",
	"Files/Windows/System32",
	"Files/Windows/System32/config",
	"Files/Windows/System32/drivers",
	"Files/Windows/System32/drivers/etc",
	"Files/Windows/Temp",
};

static const struct {
	const char *name, *text;
} texts[] = {
	{"hosts", "# 127.0.0.1       localhost\r\n# ::1             localhost\r\n"},
	{"networks", "loopback                 127\r\n"},
	{"protocol", "ip       0     IP\r\nicmp     1     ICMP\r\ntcp      6     TCP\r\n"
                     "udp      17    UDP\r\nipv6-icmp 58   IPv6-ICMP\r\n"},
	{"services", "ftp                21/tcp\r\nssh                22/tcp\r\n"
                     "domain             53/tcp\r\ndomain             53/udp\r\n"
                     "http               80/tcp\r\nhttps              443/tcp\r\n"},
};

static void set_text(struct hive *h, struct hive_key *key, const char *name, uint32_t type,
                     const char *text)
{
	auto_str struct str units = STR_LIMIT(1 << 16);
	for (const char *c = text;; c++) { // ASCII
		str_add_char(&units, *c);
		str_add_char(&units, 0);
		if (!*c)
			break;
	}
	hive_set_value(h, key, name, type, units.bytes, units.size);
}

static struct hive_key *add_path(struct hive *h, const char *path)
{
	struct hive_key *key = h->root;
	while (*path) {
		size_t n = strcspn(path, "\\");
		auto_free char *name = alloc_bytes(path, n);
		struct hive_key *there = hive_find(key, name);
		key = there ? there : hive_add_key(h, key, name);
		path += n;
		path += *path == '\\';
	}
	return key;
}

static void fill_software(struct hive *h, const struct windows_version *v)
{
	char text[32];
	struct hive_key *key = add_path(h, "Microsoft\\Windows NT\\CurrentVersion");
	snprintf(text, sizeof(text), "%u", v->build);
	set_text(h, key, "CurrentVersion", HIVE_SZ, "6.3"); // as Windows 10 and later write it
	set_text(h, key, "CurrentBuild", HIVE_SZ, text);
	set_text(h, key, "CurrentBuildNumber", HIVE_SZ, text);
	set_text(h, key, "SystemRoot", HIVE_SZ, "C:\\Windows");
}

static void fill_system(struct hive *h, const struct windows_version *v)
{
	ignore(v->build); // nothing of the version stands here
	hive_set_value(h, add_path(h, "Select"), "Current", HIVE_DWORD, "\1\0\0\0", 4);
	struct hive_key *key = add_path(h, "ControlSet001\\Control\\Session Manager\\Environment");
	set_text(h, key, "ComSpec", HIVE_EXPAND_SZ, "%SystemRoot%\\system32\\cmd.exe");
	set_text(h, key, "OS", HIVE_SZ, "Windows_NT");
	set_text(h, key, "Path", HIVE_EXPAND_SZ, "%SystemRoot%\\system32;%SystemRoot%");
	set_text(h, key, "PATHEXT", HIVE_SZ, ".COM;.EXE;.BAT;.CMD");
	set_text(h, key, "PROCESSOR_ARCHITECTURE", HIVE_SZ, "AMD64");
	set_text(h, key, "TEMP", HIVE_EXPAND_SZ, "%SystemRoot%\\TEMP");
	set_text(h, key, "TMP", HIVE_EXPAND_SZ, "%SystemRoot%\\TEMP");
	set_text(h, key, "windir", HIVE_EXPAND_SZ, "%SystemRoot%");
}

static const struct {
	const char *name;
	void (*fill)(struct hive *h, const struct windows_version *v); // NULL: nothing in it
} hives[] = {
	{"DEFAULT", NULL},           {"SAM", NULL},           {"SECURITY", NULL},
	{"SOFTWARE", fill_software}, {"SYSTEM", fill_system},
};

static fallible add_hives(struct layer_writer *w, const struct windows_version *v)
{
	for (size_t i = 0; i < sizeof(hives) / sizeof(*hives); i++) {
		auto_hive struct hive *h = hive_new();
		auto_str struct str bytes = STR_LIMIT(HIVE_LIMIT);
		auto_free char *name =
			alloc_printf("Files/Windows/System32/config/%s", hives[i].name);
		if (hives[i].fill)
			hives[i].fill(h, v);
		TRY(hive_write(h, &bytes));
		TRY(layer_text(w, name, bytes.bytes, bytes.size));
	}
	return NULL;
}

// For benches: as much of programs as of data, neither of which compresses.
static fallible add_filling(struct layer_writer *w, uint64_t bytes)
{
	auto_free char *block = alloc(FILL_FILE);
	uint64_t x = 0x9e3779b97f4a7c15;
	if (!bytes)
		return NULL;
	TRY(layer_folder(w, "Files/Windows/WinSxS"));
	TRY(layer_folder(w, "Files/Windows/Fonts"));
	for (uint64_t i = 0; i * FILL_FILE < bytes; i++) {
		for (size_t k = 0; k + 8 <= FILL_FILE; k += 8) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy(block + k, &x, 8);
		}
		memcpy(block, i & 1 ? "data" : "MZ\0\0", 4);
		auto_free char *name = alloc_printf(i & 1 ? "Files/Windows/Fonts/fill%llu.ttf"
		                                          : "Files/Windows/WinSxS/fill%llu.dll",
		                                    (unsigned long long)i);
		TRY(layer_text(w, name, block, FILL_FILE));
	}
	return NULL;
}

static fallible write_base(struct layer_writer *w, const struct windows_version *v, uint64_t fill)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		TRY(layer_folder(w, folders[i]));
	TRY(add_hives(w, v));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		auto_free char *name =
			alloc_printf("Files/Windows/System32/drivers/etc/%s", texts[i].name);
		TRY(layer_text(w, name, texts[i].text, strlen(texts[i].text)));
	}
	return add_filling(w, fill);
}

fallible windows_base_layer(int work_dirfd, const char *os_version, uint64_t fill_bytes,
                            struct windows_blob *ret)
{
	struct windows_version v;
	struct layer_writer w;
	TRY(windows_version_parse(os_version, &v));
	TRY(layer_begin(&w, work_dirfd));
	struct error *e = write_base(&w, &v, fill_bytes);
	if (!e)
		e = layer_end(&w, ret);
	fd_cleanup_(&w.fd);
	return e;
}
