// SPDX-License-Identifier: Apache-2.0
// sort: lines by the locale's order, without regard to case unless asked for.
#include "program.h"

struct line {
	struct bytes bytes, counted; // the whole, and from the column on
	const wchar_t *key;
	int key_size;
	size_t number; // equal lines keep their order
};

static struct {
	bool reverse, unique, case_sensitive, binary;
	long column; // of the first character that counts, from 0
	const wchar_t *in, *out;
} o;

static const char help[] =
	"SORT [/R] [/+n] [/M kilobytes] [/L locale] [/REC recordbytes]\n"
	"  [[drive1:][path1]filename1] [/T [drive2:][path2]] [/O [drive3:][path3]filename3]\n\n"
	"  /R[EVERSE]         the last comes first\n"
	"  /+n                compare from the n-th character on\n"
	"  /C[ASE_SENSITIVE]  case counts\n"
	"  /UNIQ[UE]          equal lines are written once\n"
	"  /L[OCALE] C        compare bytes\n"
	"  /O[UTPUT] file     where the lines go\n"
	"  /M, /REC, /T       accepted, without effect\n";

static __attribute__((noreturn)) void fail(const char *message)
{
	complain("%s\n", message);
	ExitProcess(1);
}

static __attribute__((noreturn)) void fail_file(const wchar_t *path, DWORD error)
{
	char *name = narrow(path);
	const char *why = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND
	                          ? "The system cannot find the file specified."
	                          : "Access is denied.";
	complain("%.3000s%s\n", name, why);
	ExitProcess(1);
}

static int compare_keys(const struct line *a, const struct line *b)
{
	if (o.binary) {
		size_t n = a->counted.size, m = b->counted.size;
		int order = memcmp(a->counted.at, b->counted.at, min(n, m));
		return order ? order : (n > m) - (n < m);
	}
	return CompareStringW(LOCALE_USER_DEFAULT,
	                      SORT_STRINGSORT | (o.case_sensitive ? 0 : NORM_IGNORECASE), a->key,
	                      a->key_size, b->key, b->key_size) -
	       CSTR_EQUAL;
}

static int compare(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = compare_keys(a, b);
	if (order)
		return o.reverse ? -order : order;
	return (a->number > b->number) - (a->number < b->number);
}

// What is compared: from the column on, UTF-8 if it is, else in the system's code page.
static void make_key(struct line *line)
{
	const char *from = line->bytes.at;
	int size = (int)line->bytes.size, n = 0;
	if (!size)
		return;
	UINT page = CP_UTF8;
	n = MultiByteToWideChar(page, MB_ERR_INVALID_CHARS, from, size, NULL, 0);
	if (!n)
		n = MultiByteToWideChar(page = CP_ACP, 0, from, size, NULL, 0);
	wchar_t *wide = must(malloc(((size_t)n + 1) * sizeof(*wide)));
	n = MultiByteToWideChar(page, 0, from, size, wide, n);
	int skip = o.column < n ? (int)o.column : n;
	line->key = wide + skip;
	line->key_size = n - skip;
}

static struct line *split(struct bytes text, size_t *ret_n)
{
	size_t n = 0, room = 1024;
	struct line *lines = must(malloc(room * sizeof(*lines)));
	struct bytes bytes;
	while (next_line(&text, &bytes)) {
		if (n == room)
			lines = must(realloc(lines, (room *= 2) * sizeof(*lines)));
		lines[n] = (struct line){.bytes = bytes, .key = L"", .number = n};
		if (o.binary) {
			size_t skip = min((size_t)o.column, bytes.size);
			lines[n].counted = (struct bytes){bytes.at + skip, bytes.size - skip};
		} else {
			make_key(&lines[n]);
		}
		n++;
	}
	*ret_n = n;
	return lines;
}

static void parse(int argc, wchar_t **argv)
{
	for (int i = 1; i < argc; i++) {
		const wchar_t *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool takes = is_switch(a, L"l") || is_switch(a, L"m") || is_switch(a, L"rec") ||
		             is_switch(a, L"t") || is_switch(a, L"o");
		if (takes && !value)
			fail("Invalid switch.");
		if (takes) {
			i++;
			if (is_switch(a, L"o"))
				o.out = value;
			o.binary |= is_switch(a, L"l") && !_wcsicmp(value, L"C");
		} else if (is_switch(a, L"?")) {
			say("%s", help);
			flush();
			ExitProcess(0);
		} else if (is_switch(a, L"+")) {
			if (!to_number(a + 2, 1, LONG_MAX, &o.column))
				fail("Invalid switch.");
			o.column--;
		} else if (is_switch(a, L"r")) {
			o.reverse = true;
		} else if (is_switch(a, L"uniq")) {
			o.unique = true;
		} else if (is_switch(a, L"c")) {
			o.case_sensitive = true;
		} else if (*a == '/') {
			fail("Invalid switch.");
		} else if (o.in) {
			fail("Input file specified two times.");
		} else {
			o.in = a;
		}
	}
}

// The whole input is read before the output is opened: both may be one file.
int wmain(int argc, wchar_t **argv)
{
	parse(argc, argv);
	struct bytes text;
	HANDLE in = o.in ? open_input(o.in) : GetStdHandle(STD_INPUT_HANDLE);
	if (in == INVALID_HANDLE_VALUE)
		fail_file(o.in, GetLastError());
	if (!read_all(in, &text)) {
		if (o.in)
			fail_file(o.in, ERROR_ACCESS_DENIED);
		fail("The handle is invalid.");
	}
	if (o.in)
		CloseHandle(in);
	size_t n;
	struct line *lines = split(text, &n);
	qsort(lines, n, sizeof(*lines), compare);
	if (o.out) {
		HANDLE file = CreateFileW(o.out, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
		if (file == INVALID_HANDLE_VALUE)
			fail_file(o.out, GetLastError());
		SetStdHandle(STD_OUTPUT_HANDLE, file);
	}
	for (size_t i = 0; i < n; i++) {
		if (o.unique && i && !compare_keys(&lines[i - 1], &lines[i]))
			continue;
		put(lines[i].bytes.at, lines[i].bytes.size);
		put("\r\n", 2);
	}
	flush();
	return 0;
}
