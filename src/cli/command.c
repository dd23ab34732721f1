// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "base/text.h"

// In the order of help.
static const struct command *const tables[] = {
	commands_top,   commands_run,       commands_images, commands_containers,
	commands_tasks, commands_snapshots, commands_house,  commands_rest,
};

const struct command *command_at(size_t i)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
		for (const struct command *c = tables[t]; c->path; c++)
			if (i-- == 0)
				return c;
	return NULL;
}

const struct command *command_find(const char *path)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
		for (const struct command *c = tables[t]; c->path; c++)
			if (strcmp(c->path, path) == 0)
				return c;
	return NULL;
}

const char *command_name(const struct command *c)
{
	const char *blank = strrchr(c->path, ' ');
	return blank ? blank + 1 : c->path;
}

// The length of the first word of a synopsis; what brackets hold is one word.
static size_t synopsis_word(const char *s)
{
	size_t depth = 0, size = 0;
	for (; s[size] && (depth > 0 || s[size] != ' '); size++) {
		depth += s[size] == '[' || s[size] == '<';
		depth -= s[size] == ']' || s[size] == '>';
	}
	return size;
}

struct argument_count command_count(const struct command *c)
{
	struct argument_count count = {0, 0};
	const char *s = c->arguments ? c->arguments : "";
	for (size_t size; *s; s += size + (s[size] == ' ')) {
		size = synopsis_word(s);
		auto_free char *word = alloc_bytes(s, size);
		if (strcmp(word, "[flags]") == 0)
			continue;
		if (strstr(word, "...") || count.max == SIZE_MAX)
			count.max = SIZE_MAX;
		else
			count.max++;
		count.min += *word != '[' && *word != '.';
	}
	return count;
}

// `c` stands directly below `parent`.
static bool is_child(const struct command *parent, const struct command *c)
{
	size_t size = strlen(parent->path);
	if (strncmp(c->path, parent->path, size) != 0 || c == parent)
		return false;
	const char *rest = c->path + size;
	if (size > 0 && *rest++ != ' ')
		return false;
	return *rest && !strchr(rest, ' ');
}

bool words_have(const char *names, const char *name)
{
	size_t size = strlen(name);
	while (names && *names) {
		size_t word = strcspn(names, " ");
		if (word == size && memcmp(names, name, size) == 0)
			return true;
		names += word;
		names += *names == ' ';
	}
	return false;
}

const struct command *command_child(const struct command *parent, const char *word)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
		for (const struct command *c = tables[t]; c->path; c++)
			if (is_child(parent, c) &&
			    (strcmp(command_name(c), word) == 0 || words_have(c->aliases, word)))
				return c;
	return NULL;
}

bool command_is_group(const struct command *c)
{
	const struct command *child;
	for (size_t i = 0; (child = command_at(i)); i++)
		if (is_child(c, child))
			return true;
	return false;
}

const struct command *command_parent(const struct command *c)
{
	const struct command *parent;
	for (size_t i = 0; (parent = command_at(i)); i++)
		if (is_child(parent, c))
			return parent;
	return NULL;
}

const struct flag *command_flag_at(const struct command *c, size_t i)
{
	for (size_t g = 0; g < COMMAND_FLAG_GROUPS && c->flags[g]; g++)
		for (const struct flag *f = c->flags[g]; f->name; f++)
			if (i-- == 0)
				return f;
	return NULL;
}

const struct flag *command_flag(const struct command *c, const char *name, bool docker)
{
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++)
		if ((text_equal(f->name, name) || text_equal(f->letter, name) ||
		     (docker && words_have(f->docker, name))) &&
		    (docker || !(f->bits & FLAG_DOCKER)))
			return f;
	return NULL;
}

// Near enough to be a slip: a third of what was typed, at least one letter.
static unsigned nearest_limit(const char *typed)
{
	unsigned third = (unsigned)(strlen(typed) + 2) / 3;
	return third > 3 ? 3 : third;
}

const char *command_nearest_flag(const struct command *c, const char *typed, bool docker)
{
	const char *nearest = NULL;
	unsigned best = nearest_limit(typed) + 1;
	for (; c; c = docker ? command_parent(c) : NULL) {
		const struct flag *f;
		for (size_t i = 0; (f = command_flag_at(c, i)); i++) {
			unsigned d = text_distance(f->name, typed);
			bool offered = !(f->bits & FLAG_HIDDEN) && f->name[1] &&
			               (docker || !(f->bits & FLAG_DOCKER));
			if (d < best && offered) {
				best = d;
				nearest = f->name;
			}
		}
	}
	return nearest;
}

// What ends or takes away: a guess must not lead there.
static bool is_destroying(const struct command *c)
{
	return words_have("delete remove rm gc kill stop prune", command_name(c));
}

// A destroying command is meant only by one wrong letter in its own word, which is not the first.
static bool may_be_meant(const struct command *c, const char *typed, unsigned distance)
{
	return !is_destroying(c) ||
	       (distance == 1 && *typed == *command_name(c) && strlen(typed) > 2);
}

const char *command_nearest_child(const struct command *c, const char *typed)
{
	const char *nearest = NULL;
	unsigned best = nearest_limit(typed) + 1;
	const struct command *child;
	for (size_t i = 0; (child = command_at(i)); i++) {
		unsigned d = text_distance(command_name(child), typed);
		if (is_child(c, child) && d < best && !(child->bits & COMMAND_HIDDEN) &&
		    may_be_meant(child, typed, d)) {
			best = d;
			nearest = command_name(child);
		}
	}
	return nearest;
}
