// SPDX-License-Identifier: Apache-2.0
// What the small Windows programs share: bytes in, bytes out, and texts in the code page that
// Windows' own programs write.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

// --- out: collected, and written by flush(); a reader that is gone ends the program

static char out_bytes[16384];
static size_t out_size;

// A reader that is gone is no news; anything else is said where it can be.
static void end_unwritten(HANDLE to)
{
	DWORD error = GetLastError(), n;
	HANDLE other = GetStdHandle(STD_ERROR_HANDLE);
	char text[64];
	bool reader_gone = error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA ||
	                   error == ERROR_PIPE_NOT_CONNECTED; // Wine's
	if (to != other && !reader_gone) {
		int size = _snprintf(text, sizeof(text), "Output can't be written: error %lu.\r\n",
		                     error);
		WriteFile(other, text, (DWORD)size, &n, NULL);
	}
	ExitProcess(1);
}

static void write_all(HANDLE to, const char *bytes, size_t size)
{
	while (size) {
		DWORD n = 0;
		if (!WriteFile(to, bytes, (DWORD)size, &n, NULL) || !n)
			end_unwritten(to);
		bytes += n;
		size -= n;
	}
}

static void flush(void)
{
	write_all(GetStdHandle(STD_OUTPUT_HANDLE), out_bytes, out_size);
	out_size = 0;
}

static void put(const char *bytes, size_t size)
{
	if (size > sizeof(out_bytes) - out_size)
		flush();
	if (size > sizeof(out_bytes)) {
		write_all(GetStdHandle(STD_OUTPUT_HANDLE), bytes, size);
		return;
	}
	memcpy(out_bytes + out_size, bytes, size);
	out_size += size;
}

// "\n" becomes CR LF. Formats as printf; at most 8 KB.
__attribute__((format(ms_printf, 1, 0))) static inline char *format_lines(const char *format,
                                                                          va_list args)
{
	static char plain[4096], text[8192];
	size_t n = 0;
	plain[sizeof(plain) - 1] = 0;
	_vsnprintf(plain, sizeof(plain) - 1, format, args); // ends no text that fills it
	for (const char *c = plain; *c; c++) {
		if (*c == '\n')
			text[n++] = '\r';
		text[n++] = *c;
	}
	text[n] = 0;
	return text;
}

__attribute__((format(ms_printf, 1, 2), unused)) static void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = format_lines(format, args);
	va_end(args);
	put(text, strlen(text));
}

__attribute__((format(ms_printf, 1, 2), unused)) static void complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = format_lines(format, args);
	va_end(args);
	flush();
	write_all(GetStdHandle(STD_ERROR_HANDLE), text, strlen(text));
}

// --- texts

static inline void *must(void *p)
{
	if (!p) {
		complain("Not enough memory resources are available to process this command.\n");
		ExitProcess(1);
	}
	return p;
}

// The caller's; what the code page hasn't becomes '?'.
__attribute__((unused)) static char *narrow(const wchar_t *wide)
{
	UINT page = GetConsoleOutputCP();
	page = page ? page : GetOEMCP();
	int n = WideCharToMultiByte(page, 0, wide, -1, NULL, 0, NULL, NULL);
	char *text = must(malloc((size_t)n + 1));
	text[n] = 0;
	WideCharToMultiByte(page, 0, wide, -1, text, n, NULL, NULL);
	return text;
}

// "/x" or "-x", in any case, as the beginning of `argument`.
__attribute__((unused)) static bool is_switch(const wchar_t *argument, const wchar_t *name)
{
	return (*argument == '/' || *argument == '-') &&
	       !_wcsnicmp(argument + 1, name, wcslen(name));
}

// A whole number from least to most; the rest of the text is an error.
__attribute__((unused)) static bool to_number(const wchar_t *text, long least, long most, long *ret)
{
	wchar_t *end;
	long value = wcstol(text, &end, 10);
	if (end == text || *end || value < least || value > most)
		return false;
	*ret = value;
	return true;
}

// --- in

struct bytes {
	char *at;
	size_t size;
};

// To the end of the file; false: reading failed.
__attribute__((unused)) static bool read_all(HANDLE file, struct bytes *ret)
{
	size_t room = 65536;
	struct bytes b = {must(malloc(room)), 0};
	for (;;) {
		DWORD n = 0;
		if (!ReadFile(file, b.at + b.size, (DWORD)min(room - b.size, 1u << 30), &n, NULL)) {
			if (GetLastError() != ERROR_BROKEN_PIPE) {
				free(b.at);
				return false;
			}
			n = 0;
		}
		if (!n)
			break;
		b.size += n;
		if (b.size == room)
			b.at = must(realloc(b.at, room *= 2));
	}
	*ret = b;
	return true;
}

__attribute__((unused)) static HANDLE open_input(const wchar_t *path)
{
	return CreateFileW(path, GENERIC_READ,
	                   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
	                   OPEN_EXISTING, 0, NULL);
}

// The next line without its end, of what is left in *rest; false: none.
__attribute__((unused)) static bool next_line(struct bytes *rest, struct bytes *ret)
{
	if (!rest->size)
		return false;
	const char *end = memchr(rest->at, '\n', rest->size);
	size_t n = end ? (size_t)(end - rest->at) : rest->size;
	*ret = (struct bytes){rest->at, n};
	if (ret->size && ret->at[ret->size - 1] == '\r')
		ret->size--;
	rest->at += n + (end != NULL);
	rest->size -= n + (end != NULL);
	return true;
}
