// SPDX-License-Identifier: Apache-2.0
// Between the files of windows/.
#pragma once
#include "base/text.h"
#include "windows/windows.h"

#define WINE_BIN "/usr/lib/wine"
#define WINE_DLLS "/usr/lib/x86_64-linux-gnu/wine"
#define WINE_SHARE "/usr/share/wine"
#define WINDOWS_SYSTEM "Files/windows/system32"

enum { WINDOWS_USER_ID = 1000 }; // ContainerUser; ContainerAdministrator is 0

// In the template: values of DllOverrides (template.c).
#define WINDOWS_OVERRIDES "coracle/overrides"

// What is needed of Wine, file by file; NULL behind the last.
const char *windows_wine_file(size_t i);

struct windows_version {
	uint32_t major, minor, build, revision;
};
// "10.0.20348.1"; "" and NULL give the default. INVALID otherwise.
fallible windows_version_parse(const char *text, struct windows_version *ret);

struct windows_identity {
	char computer[16]; // NetBIOS: at most 15, upper case
	const char *hostname;
	struct windows_version version;
	const struct strings *environment; // the machine's, NAME=VALUE
};
// Programs of ours that Windows has: files in system32. Wine would run its own builtin in place of
// one of that name; the registry says not to.
extern const char *const windows_programs[]; // "ping.exe"; NULL ends it
// Texts of Wine's registry files.
// `image`: sections of the image's registry, NULL for none. It may replace what is a default of
// ours, which stands before it; what a container has to have stands behind it, and wins.
// `overrides`: lines of WINDOWS_OVERRIDES, NULL for none.
char *registry_system(const struct windows_identity *identity, const char *image);
char *registry_user(const char *image, const char *overrides);
char *registry_default(const char *image);
