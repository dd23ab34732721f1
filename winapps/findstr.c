// SPDX-License-Identifier: Apache-2.0
// findstr: lines of files that hold a text or match a pattern.
//
// Patterns: .  *  ^  $  [class]  [^class]  [x-y]  \x  \<word  word\>. Without /R and /L they are
// patterns if the first string has an unescaped metacharacter. All states are followed at once, so
// that no pattern takes longer than its length times the line's.
#include "program.h"

enum { ITEMS_MAX = 510, DEPTH_MAX = 200 };

struct item {
	enum { BYTES, LINE_BEGIN, LINE_END, WORD_BEGIN, WORD_END } kind;
	bool star;
	unsigned char set[32]; // of BYTES
};

struct pattern {
	struct item *items;
	size_t n;
};

static struct {
	bool begin, end, recurse, ignore_case, exact, invert, numbers, names_only, offsets,
		printable;
	int regex; // -1: not said
	const wchar_t *file_list;
	wchar_t **strings, **files;
	size_t n_strings, n_files;
} o = {.regex = -1};

static struct pattern *patterns;
static size_t n_patterns;
static bool found_any, with_names;

static __attribute__((noreturn)) void bad(const char *message)
{
	complain("FINDSTR: %s\n", message);
	ExitProcess(2);
}

// --- patterns

static void allow(struct item *item, int c)
{
	item->set[c >> 3] |= (unsigned char)(1 << (c & 7));
	if (!o.ignore_case)
		return;
	int other = c >= 'a' && c <= 'z' ? c - 32 : c >= 'A' && c <= 'Z' ? c + 32 : c;
	item->set[other >> 3] |= (unsigned char)(1 << (other & 7));
}

static bool allows(const struct item *item, unsigned char c)
{
	return item->set[c >> 3] >> (c & 7) & 1;
}

// "[^x-z]" from behind the bracket; returns where it goes on.
static const unsigned char *read_class(const unsigned char *c, struct item *item)
{
	bool negate = *c == '^';
	for (c += negate; *c && *c != ']'; c++) {
		if (*c == '\\' && c[1])
			c++;
		int from = *c, to = from;
		if (c[1] == '-' && c[2] && c[2] != ']') {
			to = c[2];
			c += 2;
		}
		for (int i = from; i <= to; i++)
			allow(item, i);
	}
	for (int i = 0; negate && i < 32; i++)
		item->set[i] = (unsigned char)~item->set[i];
	return *c ? c + 1 : c;
}

static const unsigned char *read_item(const unsigned char *c, bool is_first, struct item *item)
{
	if (*c == '^' && is_first) {
		item->kind = LINE_BEGIN;
	} else if (*c == '$' && !c[1]) {
		item->kind = LINE_END;
	} else if (*c == '.') {
		memset(item->set, 255, sizeof(item->set));
	} else if (*c == '[') {
		return read_class(c + 1, item);
	} else if (*c == '\\' && (c[1] == '<' || c[1] == '>')) {
		item->kind = *++c == '<' ? WORD_BEGIN : WORD_END;
	} else {
		c += *c == '\\' && c[1];
		allow(item, *c);
	}
	return c + 1;
}

static struct pattern compile(const char *text, bool is_regex)
{
	struct pattern p = {must(calloc(ITEMS_MAX + 3, sizeof(struct item))), 0};
	const unsigned char *c = (const unsigned char *)text;
	if (o.begin || o.exact)
		p.items[p.n++].kind = LINE_BEGIN;
	for (bool is_first = true; *c; is_first = false) {
		if (p.n > ITEMS_MAX)
			bad("Search string too long.");
		struct item *item = &p.items[p.n++];
		if (!is_regex) {
			// As Windows': a backslash before a quote or another one escapes it.
			c += *c == '\\' && (c[1] == '\\' || c[1] == '"');
			allow(item, *c++);
			continue;
		}
		c = read_item(c, is_first, item);
		if (*c == '*' && item->kind == BYTES) {
			item->star = true;
			c++;
		}
	}
	if (o.end || o.exact)
		p.items[p.n++].kind = LINE_END;
	return p;
}

static bool is_word(struct bytes line, size_t at)
{
	if (at >= line.size)
		return false;
	unsigned char c = (unsigned char)line.at[at];
	return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       c >= 128;
}

static bool holds(const struct item *item, struct bytes line, size_t at)
{
	bool before = at && is_word(line, at - 1), behind = is_word(line, at);
	switch (item->kind) {
	case LINE_BEGIN:
		return !at;
	case LINE_END:
		return at == line.size;
	case WORD_BEGIN:
		return behind && !before;
	default:
		return before && !behind;
	}
}

// Adds a state and those that are reached from it without a character.
static void enter(const struct pattern *p, bool *states, size_t state, struct bytes line, size_t at)
{
	for (; !states[state]; state++) {
		states[state] = true;
		if (state == p->n)
			return;
		const struct item *item = &p->items[state];
		if (item->kind == BYTES ? !item->star : !holds(item, line, at))
			return;
	}
}

static bool matches(const struct pattern *p, struct bytes line)
{
	bool rooms[2][ITEMS_MAX + 4] = {0}, *now = rooms[0], *next = rooms[1];
	for (size_t at = 0;; at++) {
		enter(p, now, 0, line, at);
		if (now[p->n])
			return true;
		if (at == line.size)
			return false;
		memset(next, 0, p->n + 1);
		for (size_t i = 0; i < p->n; i++) {
			const struct item *item = &p->items[i];
			if (now[i] && item->kind == BYTES &&
			    allows(item, (unsigned char)line.at[at]))
				enter(p, next, item->star ? i : i + 1, line, at + 1);
		}
		bool *free = now;
		now = next;
		next = free;
	}
}

static bool is_regex(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (strchr(".*^$[", *text))
			return true;
	}
	return false;
}

static void compile_all(void)
{
	if (!o.n_strings)
		bad("Bad command line");
	for (size_t i = 0; i < o.n_strings; i++) {
		char *text = narrow(o.strings[i]);
		if (!i && o.regex < 0)
			o.regex = is_regex(text);
		patterns = must(realloc(patterns, (n_patterns + 1) * sizeof(*patterns)));
		patterns[n_patterns++] = compile(text, o.regex > 0);
		free(text);
	}
}

// --- files

static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (c < ' ' && !strchr("\t\n\v\f\r\b\x1a", c))
			return false;
	}
	return true;
}

static void search(struct bytes text, const char *name)
{
	struct bytes rest = text, line;
	unsigned number = 0;
	if (o.printable && !is_printable(text))
		return;
	while (number++, next_line(&rest, &line)) {
		bool hit = false;
		for (size_t i = 0; i < n_patterns && !hit; i++)
			hit = matches(&patterns[i], line);
		if (hit == o.invert)
			continue;
		found_any = true;
		if (o.names_only) {
			say("%.3000s\n", name ? name : "");
			return;
		}
		if (name && with_names)
			say("%.3000s:", name);
		if (o.numbers)
			say("%u:", number);
		if (o.offsets)
			say("%u:", (unsigned)(line.at - text.at));
		put(line.at, line.size);
		put("\r\n", 2);
	}
}

static void search_file(const wchar_t *path)
{
	struct bytes text;
	char *name = narrow(path);
	HANDLE file = open_input(path);
	if (file == INVALID_HANDLE_VALUE || !read_all(file, &text)) {
		complain("FINDSTR: Cannot open %.3000s\n", name);
	} else {
		search(text, name);
		free(text.at);
	}
	if (file != INVALID_HANDLE_VALUE)
		CloseHandle(file);
	free(name);
}

static wchar_t *join(const wchar_t *folder, size_t size, const wchar_t *name)
{
	wchar_t *path = must(malloc((size + wcslen(name) + 3) * sizeof(*path)));
	memcpy(path, folder, size * sizeof(*path));
	wcscpy(path + size, name);
	return path;
}

// What matches `name` in the folder that `prefix` ends with a backslash, then, with /S, below it.
static bool search_folder(const wchar_t *prefix, const wchar_t *name, int depth)
{
	WIN32_FIND_DATAW entry;
	size_t size = wcslen(prefix);
	bool any = false;
	wchar_t *wanted = join(prefix, size, name), *all = join(prefix, size, L"*");
	HANDLE list = FindFirstFileW(wanted, &entry);
	if (list != INVALID_HANDLE_VALUE) {
		do {
			if (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
				continue;
			wchar_t *path = join(prefix, size, entry.cFileName);
			any = true;
			search_file(path);
			free(path);
		} while (FindNextFileW(list, &entry));
		FindClose(list);
	}
	list = o.recurse && depth < DEPTH_MAX ? FindFirstFileW(all, &entry) : INVALID_HANDLE_VALUE;
	if (list != INVALID_HANDLE_VALUE) {
		do {
			if (!(entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) ||
			    entry.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT ||
			    !wcscmp(entry.cFileName, L".") || !wcscmp(entry.cFileName, L".."))
				continue;
			wchar_t *below = join(prefix, size, entry.cFileName);
			wcscat(below, L"\\");
			any |= search_folder(below, name, depth + 1);
			free(below);
		} while (FindNextFileW(list, &entry));
		FindClose(list);
	}
	free(wanted);
	free(all);
	return any;
}

static void search_name(wchar_t *name)
{
	wchar_t *last = name;
	for (wchar_t *c = name; *c; c++)
		if (*c == '\\' || *c == '/' || *c == ':')
			last = c + 1;
	wchar_t *prefix = join(name, (size_t)(last - name), L"");
	prefix[last - name] = 0;
	if (!o.recurse && !wcspbrk(last, L"*?"))
		search_file(name); // also what no listing shows
	else if (!search_folder(prefix, last, 0)) {
		char *text = narrow(name);
		complain("FINDSTR: Cannot open %.3000s\n", text);
		free(text);
	}
	free(prefix);
}

// --- the command line

static void add(wchar_t ***list, size_t *n, const wchar_t *text, size_t size)
{
	*list = must(realloc(*list, (*n + 1) * sizeof(**list)));
	wchar_t *copy = must(calloc(size + 1, sizeof(*copy)));
	memcpy(copy, text, size * sizeof(*copy));
	(*list)[(*n)++] = copy;
}

// Strings are separated by blanks, but for those of /C.
static void add_strings(const wchar_t *text)
{
	while (*text) {
		size_t n = wcscspn(text, L" ");
		if (n)
			add(&o.strings, &o.n_strings, text, n);
		text += n + (text[n] != 0);
	}
}

// A file of lines: of strings, or of names.
static void add_lines(const wchar_t *path, wchar_t ***list, size_t *n)
{
	struct bytes text, line;
	HANDLE file = !wcscmp(path, L"/") ? GetStdHandle(STD_INPUT_HANDLE) : open_input(path);
	if (file == INVALID_HANDLE_VALUE || !read_all(file, &text)) {
		char *name = narrow(path);
		complain("FINDSTR: Cannot open %.3000s\n", name);
		ExitProcess(2);
	}
	while (next_line(&text, &line)) {
		wchar_t *wide = must(calloc(line.size + 1, sizeof(*wide)));
		int size = line.size ? MultiByteToWideChar(GetOEMCP(), 0, line.at, (int)line.size,
		                                           wide, (int)line.size)
		                     : 0;
		if (size)
			add(list, n, wide, (size_t)size);
		free(wide);
	}
}

static void usage(void)
{
	say("FINDSTR [/B] [/E] [/L] [/R] [/S] [/I] [/X] [/V] [/N] [/M] [/O] [/P] [/F:file]\n"
	    "        [/C:string] [/G:file] [strings] [[drive:][path]filename[ ...]]\n\n"
	    "  /B /E /X   at the beginning, at the end, the whole of a line\n"
	    "  /L /R      strings are texts, are patterns\n"
	    "  /I         case doesn't count\n"
	    "  /V         lines without a match\n"
	    "  /S         in subdirectories, too\n"
	    "  /N /O      numbers of lines, offsets of lines before them\n"
	    "  /M         names of files only\n"
	    "  /P         no files with characters that can't be printed\n"
	    "  /C:string  a string that may hold blanks\n"
	    "  /G:file /F:file  strings, names of files from a file; / is standard input\n");
	flush();
	ExitProcess(0);
}

static bool *flag_of(wchar_t letter)
{
	static const struct {
		wchar_t letter;
		bool *flag;
	} flags[] = {
		{'b', &o.begin},   {'e', &o.end},       {'s', &o.recurse}, {'i', &o.ignore_case},
		{'x', &o.exact},   {'v', &o.invert},    {'n', &o.numbers}, {'m', &o.names_only},
		{'o', &o.offsets}, {'p', &o.printable},
	};
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (flags[i].letter == (letter | 32))
			return flags[i].flag;
	return NULL;
}

// "/i", "/in" (several letters in one), "/c:text".
static void take_switches(const wchar_t *a)
{
	if (a[1] == '?')
		usage();
	if (a[1] && a[2] == ':') {
		const wchar_t *value = a + 3;
		if (is_switch(a, L"c"))
			add(&o.strings, &o.n_strings, value, wcslen(value));
		else if (is_switch(a, L"g"))
			add_lines(value, &o.strings, &o.n_strings);
		else if (is_switch(a, L"f"))
			o.file_list = value;
		else if (!is_switch(a, L"a")) // colours mean nothing in a pipe
			bad("Bad command line");
		return;
	}
	if (is_switch(a, L"off"))
		return; // files that are away on tape
	for (const wchar_t *c = a + 1; *c; c++) {
		bool *flag = flag_of(*c);
		if (flag)
			*flag = true;
		else if ((*c | 32) == 'r' || (*c | 32) == 'l')
			o.regex = (*c | 32) == 'r';
		else {
			complain("FINDSTR: /%lc ignored\n", (wint_t)*c);
			return;
		}
	}
}

int wmain(int argc, wchar_t **argv)
{
	bool has_strings = false;
	for (int i = 1; i < argc; i++) {
		wchar_t *a = argv[i];
		if ((*a == '/' || (*a == '-' && !has_strings)) && a[1]) {
			take_switches(a);
			continue;
		}
		if (!has_strings && !o.n_strings)
			add_strings(a);
		else
			add(&o.files, &o.n_files, a, wcslen(a));
		has_strings = true;
	}
	compile_all();
	if (o.file_list)
		add_lines(o.file_list, &o.files, &o.n_files);
	with_names = o.recurse || o.n_files > 1 || o.file_list;
	for (size_t i = 0; i < o.n_files; i++)
		with_names |= wcspbrk(o.files[i], L"*?") != NULL;
	for (size_t i = 0; i < o.n_files; i++)
		search_name(o.files[i]);
	if (!o.n_files) {
		struct bytes text;
		if (read_all(GetStdHandle(STD_INPUT_HANDLE), &text))
			search(text, NULL);
	}
	flush();
	return found_any ? 0 : 1;
}
