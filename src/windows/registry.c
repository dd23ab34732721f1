// SPDX-License-Identifier: Apache-2.0
// Wine's registry files: text, one section a key (server/registry.c of Wine reads them). Strings
// are written as Wine writes them: backslash, quote and what isn't ASCII escaped.
#include "windows/private.h"
#include <stdio.h>

enum { REGISTRY_LIMIT = 72 << 20 };

static const char head[] =
	"WINE REGISTRY Version 2\n;; All keys relative to \\\\%s\n\n#arch=win64\n";

static void add_escaped(struct str *s, const char *text, const char *special)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		// UTF-8 is read as it stands; controls would end the line.
		if (*c < ' ')
			str_printf(s, "\\x%02x", *c);
		else if (strchr(special, *c))
			str_printf(s, "\\%c", *c);
		else
			str_add_char(s, (char)*c);
	}
}

// Keys are written with single backslashes in this file.
static void key(struct str *s, const char *path)
{
	str_add(s, "\n[");
	add_escaped(s, path, "\\[]");
	str_add(s, "] 1\n");
}

static void text_value(struct str *s, const char *name, const char *value)
{
	str_add_char(s, '"');
	add_escaped(s, name, "\\\"");
	str_add(s, "\"=\"");
	add_escaped(s, value, "\\\"");
	str_add(s, "\"\n");
}

static void number_value(struct str *s, const char *name, uint32_t value)
{
	str_printf(s, "\"%s\"=dword:%08x\n", name, value);
}

#define CONTROL "System\\CurrentControlSet\\Control\\"
#define CRYPTOGRAPHY "Software\\Microsoft\\Cryptography\\Defaults\\"

static void add_version(struct str *s, const struct windows_version *v)
{
	char text[32];
	key(s, "Software\\Microsoft\\Windows NT\\CurrentVersion");
	// Microsoft writes 6.3 here, for old programs; Wine takes its version from it.
	snprintf(text, sizeof(text), "%u.%u", v->major, v->minor);
	text_value(s, "CurrentVersion", text);
	snprintf(text, sizeof(text), "%u", v->build);
	text_value(s, "CurrentBuild", text);
	text_value(s, "CurrentBuildNumber", text);
	number_value(s, "CurrentMajorVersionNumber", v->major);
	number_value(s, "CurrentMinorVersionNumber", v->minor);
	number_value(s, "UBR", v->revision);
	text_value(s, "SystemRoot", "C:\\Windows");
}

// What an image may say otherwise.
static void add_defaults(struct str *s)
{
	key(s, "Software\\Microsoft\\Windows NT\\CurrentVersion");
	text_value(s, "CSDVersion", "");
	text_value(s, "ProductName", "Windows Server Datacenter");
	key(s, "Software\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList");
	text_value(s, "ProfilesDirectory", "C:\\Users");
	text_value(s, "ProgramData", "C:\\ProgramData");
	text_value(s, "Public", "C:\\Users\\Public");
	key(s, "Software\\Microsoft\\Windows\\CurrentVersion");
	text_value(s, "ProgramFilesDir", "C:\\Program Files");
	text_value(s, "CommonFilesDir", "C:\\Program Files\\Common Files");
}

// Without them node (22 and later) and .NET find no random numbers.
static void add_cryptography(struct str *s)
{
	static const struct {
		const char *number, *type_name, *provider;
		uint32_t type;
	} types[] = {
		{"001", "RSA Full (Signature and Key Exchange)",
	         "Microsoft Strong Cryptographic Provider", 1},
		{"012", "RSA SChannel", "Microsoft RSA SChannel Cryptographic Provider", 12},
		{"024", "RSA Full and AES", "Microsoft Enhanced RSA and AES Cryptographic Provider",
	         24},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		auto_free char *provider =
			alloc_printf(CRYPTOGRAPHY "Provider\\%s", types[i].provider);
		auto_free char *type =
			alloc_printf(CRYPTOGRAPHY "Provider Types\\Type %s", types[i].number);
		key(s, provider);
		text_value(s, "Image Path", "rsaenh.dll");
		number_value(s, "Type", types[i].type);
		str_add(s, "\"Signature\"=hex:de,ad,be,ef\n");
		key(s, type);
		text_value(s, "Name", types[i].provider);
		text_value(s, "TypeName", types[i].type_name);
	}
}

char *registry_system(const struct windows_identity *identity, const char *image)
{
	struct str s = STR_LIMIT(REGISTRY_LIMIT);
	str_printf(&s, head, "\\Machine");
	add_defaults(&s);
	add_cryptography(&s);
	str_add(&s, image ? image : "");
	add_version(&s, &identity->version);
	static const char *const name_keys[] = {CONTROL "ComputerName\\ComputerName",
	                                        CONTROL "ComputerName\\ActiveComputerName"};
	for (size_t i = 0; i < 2; i++) {
		key(&s, name_keys[i]);
		text_value(&s, "ComputerName", identity->computer);
	}
	key(&s, "System\\CurrentControlSet\\Services\\Tcpip\\Parameters");
	text_value(&s, "Hostname", identity->hostname);
	text_value(&s, "NV Hostname", identity->hostname);
	key(&s, CONTROL "ProductOptions");
	text_value(&s, "ProductType", "ServerNT");
	key(&s, CONTROL "TimeZoneInformation");
	text_value(&s, "TimeZoneKeyName", "UTC");
	number_value(&s, "Bias", 0);
	key(&s, CONTROL "Session Manager\\Environment");
	for (size_t i = 0; i < identity->environment->n; i++) {
		const char *entry = identity->environment->items[i], *equals = strchr(entry, '=');
		auto_free char *name = alloc_bytes(entry, (size_t)(equals - entry));
		text_value(&s, name, equals + 1);
	}
	return str_take(&s);
}

char *registry_user(const char *image, const char *overrides)
{
	struct str s = STR_LIMIT(REGISTRY_LIMIT);
	str_printf(&s, head, "\\User\\\\S-1-5-21-0-0-0-1000");
	str_add(&s, image ? image : "");
	key(&s, "Software\\Wine\\DllOverrides");
	// start.exe does what is needed of wineboot; explorer would be started for a desktop.
	text_value(&s, "wineboot.exe", "");
	text_value(&s, "explorer.exe", "");
	for (size_t i = 0; windows_programs[i]; i++)
		text_value(&s, windows_programs[i], "native");
	str_add(&s, overrides ? overrides : "");
	// What Wine would find out for itself, and then write some hundred values into the registry
	// at every start (2 ms): names of fonts that aren't here for a code page that is always
	// this one.
	key(&s, "Software\\Wine\\Fonts");
	text_value(&s, "Codepages", "1252,437");
	number_value(&s, "LogPixels", 96);
	return str_take(&s);
}

char *registry_default(const char *image)
{
	struct str s = STR_LIMIT(REGISTRY_LIMIT);
	str_printf(&s, head, "\\User\\\\.Default");
	str_add(&s, image ? image : "");
	return str_take(&s);
}
