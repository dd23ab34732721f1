// SPDX-License-Identifier: Apache-2.0
// Which Wine is here, and what it does otherwise than Windows: looked for in its files, since what
// one version lacks another has.
#include "sys/fd.h"
#include "windows/private.h"
#include <fcntl.h>
#include <unistd.h>

enum { WINE_FILE_LIMIT = 64 << 20, VERSION_MAX = 80 };

static const char *const needed[] = {
	WINE_BIN "/wine64",
	WINE_BIN "/wineserver64",
	WINE_DLLS "/x86_64-windows/ntdll.dll",
	WINE_DLLS "/x86_64-unix/ntdll.so",
	WINE_SHARE "/nls/locale.nls",
};

const char *windows_wine_file(size_t i)
{
	return i < sizeof(needed) / sizeof(*needed) ? needed[i] : NULL;
}

fallible windows_check_wine(void)
{
	for (size_t i = 0; windows_wine_file(i); i++)
		if (access(needed[i], R_OK) < 0)
			return error_new(ERROR_UNSUPPORTED,
			                 "Windows images need Wine, which is missing here (%s)",
			                 needed[i]);
	return NULL;
}

// "wine-8.0 (Debian 8.0~repack-4)", as wine --version prints it, stands in ntdll.so.
static fallible read_version(char **ret)
{
	auto_free char *bytes = NULL;
	size_t size;
	TRY(file_read(AT_FDCWD, WINE_DLLS "/x86_64-unix/ntdll.so", WINE_FILE_LIMIT, &bytes, &size));
	for (const char *at = bytes, *end = bytes + size;
	     (at = memmem(at, (size_t)(end - at), "wine-", 5)); at++) {
		size_t n = strnlen(at, (size_t)(end - at));
		if (at > bytes && !at[-1] && at[5] >= '0' && at[5] <= '9' && n < VERSION_MAX) {
			*ret = alloc_bytes(at + 5, n - 5);
			return NULL;
		}
	}
	*ret = alloc_string("of an unknown version");
	return NULL;
}

static const struct {
	const char *marker; // in cmd.exe
	bool wide, is_old;  // UTF-16; whether it is there where the difference is
	const char *note;
} differences[] = {
	// clang-format off
	{"Processing cmdList(%p) - delim", false, true, // the old list of commands, gone since June 2024
	 "cmd runs what stands behind && and || whatever came before"},
	{"Press any key to continue...", true, true,
	 "cmd's pause says \"Press any key to continue...\", without blanks between the dots"},
	{"Microsoft Windows [", true, false,
	 "cmd's ver says \"Microsoft Windows 10.0.N\", without [Version ...]"},
	// clang-format on
};

static bool has_text(const char *bytes, size_t size, const char *text, bool wide)
{
	char units[128] = "";
	size_t n = strlen(text);
	for (size_t i = 0; wide && i < n; i++)
		units[2 * i] = text[i];
	return memmem(bytes, size, wide ? units : text, wide ? 2 * n : n) != NULL;
}

static fallible find_differences(struct windows_wine *wine)
{
	auto_free char *bytes = NULL;
	size_t size;
	TRY(file_read(AT_FDCWD, WINE_DLLS "/x86_64-windows/cmd.exe", WINE_FILE_LIMIT, &bytes,
	              &size));
	for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++)
		if (has_text(bytes, size, differences[i].marker, differences[i].wide) ==
		    differences[i].is_old)
			strings_add(&wine->differences, differences[i].note);
	return NULL;
}

void windows_wine_done(struct windows_wine *wine)
{
	free(wine->version);
	strings_done(&wine->differences);
	*wine = (struct windows_wine){0};
}

fallible windows_look_at_wine(struct windows_wine *ret)
{
	TRY(windows_check_wine());
	auto_windows_wine struct windows_wine wine = {0};
	TRY(read_version(&wine.version));
	TRY(find_differences(&wine));
	// winapps/volumes.h speaks the protocol of this version alone.
	if (!text_starts(wine.version, "8.0"))
		strings_add(&wine.differences, "cmd's dir and vol know no volume");
	if (access(WINE_DLLS "/i386-windows/ntdll.dll", F_OK) < 0)
		strings_add(&wine.differences, "programs of 32 bits do not run");
	*ret = wine;
	wine = (struct windows_wine){0};
	return NULL;
}
