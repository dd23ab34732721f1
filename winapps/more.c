// SPDX-License-Identifier: Apache-2.0
// more: pages on a console; elsewhere a copy with tabs made blanks, as Windows' own.
#include "program.h"

static struct {
	bool clear, squeeze, expand_feeds;
	long tabs, first_line; // first_line from 0
	bool is_console;
	long rows, shown;
} o = {.tabs = 8};

static const char help[] = "MORE [/E [/C] [/P] [/S] [/Tn] [+n]] < [drive:][path]filename\n"
			   "command-name | MORE [/E [/C] [/P] [/S] [/Tn] [+n]]\n"
			   "MORE /E [/C] [/P] [/S] [/Tn] [+n] [files]\n\n"
			   "    /C      clear the screen first\n"
			   "    /P      form feeds become new lines\n"
			   "    /S      several blank lines become one\n"
			   "    /Tn     tabs become n blanks (8)\n"
			   "    +n      begin at line n of the first file\n";

// At the end of a page: true to go on.
static bool prompt(size_t done, size_t size)
{
	char line[64];
	HANDLE keys = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL,
	                          OPEN_EXISTING, 0, NULL);
	DWORD mode = 0, n = 0;
	wchar_t key = 'q';
	int width = snprintf(line, sizeof(line), "-- More (%u%%) -- ",
	                     (unsigned)(size ? done * 100 / size : 100));
	put(line, (size_t)width);
	flush();
	GetConsoleMode(keys, &mode);
	SetConsoleMode(keys, mode & ~(DWORD)(ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT));
	do
		if (!ReadConsoleW(keys, &key, 1, &n, NULL) || !n)
			key = 'q';
	while (!wcschr(L" \r\nqQ\x1b\x03", key));
	SetConsoleMode(keys, mode);
	CloseHandle(keys);
	say("\r%*s\r", width, "");
	o.shown = key == ' ' ? 0 : o.rows - 1;
	return key == ' ' || key == '\r' || key == '\n';
}

static void put_line(const struct bytes *line)
{
	long column = 0;
	for (size_t i = 0; i < line->size; i++) {
		char c = line->at[i];
		if (c == '\t') {
			long n = o.tabs ? o.tabs - column % o.tabs : 0;
			for (long k = 0; k < n; k++)
				put(" ", 1);
			column += n;
		} else if (c == '\f' && o.expand_feeds) {
			put("\r\n", 2);
			column = 0;
		} else {
			put(&c, 1);
			column++;
		}
	}
	put("\r\n", 2);
}

static bool show(struct bytes text)
{
	struct bytes rest = text, line;
	bool was_blank = false;
	for (; o.first_line && next_line(&rest, &line); o.first_line--)
		;
	while (next_line(&rest, &line)) {
		bool blank = !line.size;
		if (o.squeeze && blank && was_blank)
			continue;
		was_blank = blank;
		put_line(&line);
		if (o.is_console && ++o.shown >= o.rows && rest.size &&
		    !prompt(text.size - rest.size, text.size))
			return false;
	}
	return true;
}

// A pipe is shown as it comes: `server | more` has no end.
static void copy_pipe(HANDLE in)
{
	struct bytes held = {must(malloc(1)), 0};
	char chunk[4096];
	DWORD n;
	while (ReadFile(in, chunk, sizeof(chunk), &n, NULL) && n) {
		held.at = must(realloc(held.at, held.size + n));
		memcpy(held.at + held.size, chunk, n);
		held.size += n;
		size_t whole = held.size;
		while (whole && held.at[whole - 1] != '\n')
			whole--;
		if (!show((struct bytes){held.at, whole}))
			return;
		flush();
		memmove(held.at, held.at + whole, held.size - whole);
		held.size -= whole;
	}
	show(held);
	flush();
}

static bool show_file(const wchar_t *path)
{
	struct bytes text;
	HANDLE file = open_input(path);
	if (file == INVALID_HANDLE_VALUE || !read_all(file, &text)) {
		wchar_t whole[1024];
		DWORD n = GetFullPathNameW(path, 1024, whole, NULL);
		char *name = narrow(n && n < 1024 ? whole : path);
		say("Cannot access file %.3000s\n", name);
		flush();
		ExitProcess(1);
	}
	CloseHandle(file);
	bool go_on = show(text);
	flush();
	free(text.at);
	return go_on;
}

static void take_switch(const wchar_t *a)
{
	bool ok = true;
	if (*a == '+')
		ok = to_number(a + 1, 0, LONG_MAX, &o.first_line);
	else if (is_switch(a, L"?"))
		say("%s", help), flush(), ExitProcess(0);
	else if (is_switch(a, L"t"))
		ok = to_number(a + 2, 0, 255, &o.tabs);
	else if (is_switch(a, L"c") && !a[2])
		o.clear = true;
	else if (is_switch(a, L"p") && !a[2])
		o.expand_feeds = true;
	else if (is_switch(a, L"s") && !a[2])
		o.squeeze = true;
	else
		ok = is_switch(a, L"e") && !a[2];
	if (ok)
		return;
	char *name = narrow(a);
	complain("Unrecognized switch - %.1000s\n", name);
	ExitProcess(1);
}

int wmain(int argc, wchar_t **argv)
{
	CONSOLE_SCREEN_BUFFER_INFO screen;
	int files = 0;
	for (int i = 1; i < argc; i++) {
		if (*argv[i] == '/' || *argv[i] == '+' || (*argv[i] == '-' && argv[i][1]))
			take_switch(argv[i]);
		else
			argv[files++] = argv[i];
	}
	if (GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &screen)) {
		o.is_console = true;
		o.rows = screen.srWindow.Bottom - screen.srWindow.Top;
		o.rows = o.rows < 1 ? 1 : o.rows;
		if (o.clear)
			put("\x1b[2J\x1b[H", 7);
	}
	if (!files)
		copy_pipe(GetStdHandle(STD_INPUT_HANDLE));
	for (int i = 0; i < files; i++)
		if (!show_file(argv[i]))
			break;
	return 0;
}
