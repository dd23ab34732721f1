// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#define WIDTH 79
#define INDENT 30 // of the text beside flags and commands

bool help_shows_flag(const struct flag *f, bool ctr)
{
	return !(f->bits & (FLAG_HIDDEN | FLAG_NOT_YET)) && !(ctr && (f->bits & FLAG_DOCKER));
}

// A group is there if one of its commands is.
bool help_shows_command(const struct command *c)
{
	if (c->run || !*c->path)
		return !(c->bits & (COMMAND_HIDDEN | COMMAND_NOT_YET));
	size_t size = strlen(c->path);
	const struct command *below;
	for (size_t i = 0; (below = command_at(i)); i++)
		if (below->run && strncmp(below->path, c->path, size) == 0 &&
		    below->path[size] == ' ')
			return true;
	return false;
}

static void add_name(struct str *out, const char *name, size_t size)
{
	str_printf(out, "%s%.*s", size > 1 ? "--" : "-", (int)size, name);
}

void help_flag_spelling(struct str *out, const struct flag *f, bool docker)
{
	const char *letter = f->letter;
	for (const char *d = docker ? f->docker : NULL; d && *d; d += *d == ' ') {
		size_t size = strcspn(d, " ");
		add_name(out, d, size);
		str_add(out, ", ");
		d += size;
	}
	if (letter) {
		add_name(out, letter, strlen(letter));
		str_add(out, ", ");
	}
	add_name(out, f->name, strlen(f->name));
	if (f->value)
		str_printf(out, " %s", f->value);
}

// Text from column `column` on, broken at blanks; the cursor stands at column `at`.
static void add_wrapped(struct str *out, const char *text, size_t at, size_t column)
{
	while (*text) {
		size_t word = strcspn(text, " ");
		if (at < column) {
			str_printf(out, "%*s", (int)(column - at), "");
			at = column;
		} else if (at > column && at + 1 + word <= WIDTH) {
			str_add_char(out, ' ');
			at++;
		} else if (at > column) {
			str_printf(out, "\n%*s", (int)column, "");
			at = column;
		}
		str_add_bytes(out, text, word);
		at += word;
		text += word + strspn(text + word, " ");
	}
	str_add_char(out, '\n');
}

// "  name   text": an entry too long for its column gets a line of its own.
static void add_entry(struct str *out, const char *entry, const char *text)
{
	str_printf(out, "  %s", entry);
	size_t at = 2 + strlen(entry);
	if (at + 2 > INDENT) {
		str_add_char(out, '\n');
		at = 0;
	}
	add_wrapped(out, text, at, INDENT);
}

static void add_flags(struct str *out, const struct invocation *in, const struct command *c)
{
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++) {
		if (!help_shows_flag(f, in->ctr))
			continue;
		auto_str struct str entry = STR_LIMIT(256), text = STR_LIMIT(1024);
		help_flag_spelling(&entry, f, !in->ctr);
		str_add(&text, f->help ? f->help : "");
		if (f->initial)
			str_printf(&text, " (default %s)", f->initial);
		if (f->env)
			str_printf(&text, " [$%s]", f->env);
		add_entry(out, entry.bytes, text.bytes);
	}
	add_entry(out, c->path[0] ? "-h, --help" : "-h, --help; -v, --version",
	          c->path[0] ? "show this" : "show this; print the version");
}

static void add_children(struct str *out, const struct command *parent)
{
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (c == parent || command_parent(c) != parent || !help_shows_command(c))
			continue;
		auto_str struct str entry = STR_LIMIT(256);
		str_add(&entry, command_name(c));
		for (const char *s = c->aliases; s && *s; s += *s == ' ') {
			size_t size = strcspn(s, " ");
			str_printf(&entry, ", %.*s", (int)size, s);
			s += size;
		}
		add_entry(out, entry.bytes, c->line);
	}
}

// What is refused so far, in one paragraph.
static void add_missing(struct str *out, const struct command *parent)
{
	auto_str struct str names = STR_LIMIT(4096);
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(parent, i)); i++)
		if ((f->bits & FLAG_NOT_YET) && !(f->bits & FLAG_HIDDEN))
			str_printf(&names, " --%s", f->name);
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++)
		if (command_parent(c) == parent && !help_shows_command(c) &&
		    !(c->bits & (COMMAND_HIDDEN | COMMAND_NO_DAEMON)))
			str_printf(&names, " %s", command_name(c));
	if (names.size == 0)
		return;
	str_add(out, "\nNot in coracle yet:\n");
	add_wrapped(out, names.bytes + 1, 0, 2);
}

void help_print(const struct invocation *in, struct str *out)
{
	const struct command *c = in->command;
	bool group = command_is_group(c);
	const char *blank = *c->path ? " " : "";
	str_printf(out, "%s%s%s - %s\n\nUsage: %s%s%s", in->program, blank, c->path, c->line,
	           in->program, blank, c->path);
	if (c->arguments)
		str_printf(out, " %s", c->arguments);
	if (group && *c->path)
		str_add(out, " COMMAND");
	if (c->example)
		str_printf(out, "\n\nExample: %s %s", in->program, c->example);
	if (c->more) {
		str_add(out, "\n\n");
		add_wrapped(out, c->more, 0, 0);
	} else {
		str_add(out, "\n");
	}
	if (group) {
		str_add(out, "\nCommands:\n");
		add_children(out, c);
	}
	str_add(out, "\nFlags:\n");
	add_flags(out, in, c);
	add_missing(out, c);
	if (group)
		str_printf(out, "\n%s%s%s COMMAND --help shows more.\n", in->program, blank,
		           c->path);
}
