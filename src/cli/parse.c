// SPDX-License-Identifier: Apache-2.0
// The grammar: flags stop at the first word that isn't one; one or two dashes are the same;
// `--f=v` and `--f v`, a bool only `--f` or `--f=v`; `--` ends flags and is dropped.
// As `coracle` moreover: docker's spellings, short flags together (-it), and flags of the program
// or group behind the command's name.
#include "cli/docker.h"
#include "cli/gotext.h"
#include "cli/invocation.h"
#include "cli/units.h"
#include "oci/names.h"
#include <assert.h>

void invocation_face(struct invocation *in, const char *argv0, const char *compat)
{
	const char *slash = strrchr(argv0, '/');
	in->ctr = text_equal(slash ? slash + 1 : argv0, "ctr") || text_equal(compat, "ctr");
	in->program = in->ctr ? "ctr" : "coracle";
}

static struct error *help_hint(const struct invocation *in, struct error *e)
{
	const char *path = in->command->path;
	return error_hint(e, "%s %s%s--help shows what there is", in->program, path,
	                  *path ? " " : "");
}

static struct error *unknown_flag(const struct invocation *in, const char *word, const char *name)
{
	int size = (int)strcspn(word, "=");
	struct error *e =
		in->ctr ? error_new(ERROR_USAGE, "flag provided but not defined: -%s", name)
			: error_new(ERROR_USAGE, "unknown flag %.*s", size, word);
	for (size_t level = in->depth - 1; in->ctr && level-- > 0;)
		if (command_flag(in->lineage[level], name, false)) // of a group, before the verb
			return error_hint(e, "--%s belongs before %s", name,
			                  command_name(in->lineage[level + 1]));
	auto_str struct str hint = STR_LIMIT(256);
	if (docker_flag_hint(in, name, &hint))
		return error_hint(e, "%s", hint.bytes);
	const char *nearest = command_nearest_flag(in->command, name, !in->ctr);
	if (nearest)
		return error_hint(e, "did you mean --%s?", nearest);
	if (word[1] != '-' && docker_flag_hint(in, (char[2]){*name}, &hint)) // -p8080:80
		return error_hint(e, "%s", hint.bytes);
	return help_hint(in, e);
}

static struct error *bad_value(const struct invocation *in, const struct flag *flag,
                               const char *name, const char *value, enum go_result why)
{
	auto_str struct str quoted = STR_LIMIT(256);
	go_quote(&quoted, value);
	const char *reason = why == GO_RANGE ? "value out of range" : "parse error";
	const char *dashes = in->ctr || !name[1] ? "-" : "--";
	if (flag->type == FLAG_INTS) // Go's words differ for lists
		return error_new(ERROR_USAGE,
		                 "invalid value %s for flag %s%s: strconv.ParseInt: parsing %s: %s",
		                 quoted.bytes, dashes, name, quoted.bytes,
		                 why == GO_RANGE ? "value out of range" : "invalid syntax");
	return error_new(ERROR_USAGE, "invalid %s %s for %s%s%s: %s",
	                 flag->type == FLAG_BOOL ? "boolean value" : "value", quoted.bytes,
	                 flag->type == FLAG_BOOL ? "" : "flag ", dashes, name, reason);
}

static enum go_result check_value(enum flag_type type, const char *value)
{
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double f;
	} dropped;
	switch (type) {
	case FLAG_BOOL:
		return go_parse_bool(value, &dropped.b);
	case FLAG_INT:
	case FLAG_INTS:
		return go_parse_int(value, &dropped.i);
	case FLAG_UINT:
		return go_parse_uint(value, &dropped.u);
	case FLAG_FLOAT:
		return go_parse_float(value, &dropped.f);
	case FLAG_DURATION:
		return go_parse_duration(value, &dropped.i);
	case FLAG_TEXT:
	case FLAG_TEXTS:
	case FLAG_TYPES:
		break;
	}
	return GO_OK;
}

static fallible set_flag(struct invocation *in, const struct flag *flag, size_t level,
                         const char *name, const char *value)
{
	// ctr looks at the value first; docker's "--gpus all" is none of its.
	bool is_missing = flag->bits & FLAG_NOT_YET && !in->ctr;
	enum go_result result = is_missing ? GO_OK : check_value(flag->type, value);
	if (result != GO_OK && flag->bits & FLAG_SIZE && !in->ctr) {
		uint64_t dropped;
		struct error *e = units_parse_size(value, &dropped);
		if (e)
			return help_hint(in, error_prefix(e, "--%s", flag->name));
	} else if (result != GO_OK)
		return help_hint(in, bad_value(in, flag, name, value, result));
	if (flag->bits & FLAG_NOT_YET)
		return error_hint(error_new(ERROR_UNSUPPORTED, "%s --%s: not in coracle yet",
		                            in->command->path, flag->name),
		                  "%s %s --help shows the flags that are there", in->program,
		                  in->command->path);
	alloc_grow(&in->settings, &in->settings_capacity, in->n_settings, sizeof(*in->settings));
	in->settings[in->n_settings++] = (struct setting){flag, level, value};
	return NULL;
}

// The flag called `name` that may stand at the level reached, and the level that it belongs to.
static const struct flag *find_flag(const struct invocation *in, const char *name,
                                    size_t *ret_level)
{
	for (size_t level = in->depth; level-- > 0;) {
		const struct flag *flag = command_flag(in->lineage[level], name, !in->ctr);
		// Behind a command -a is what docker means by it, never --address with a value.
		bool is_idle_letter = flag && flag->bits & FLAG_IDLE && !name[1];
		if (flag && !(is_idle_letter && level + 1 < in->depth)) {
			*ret_level = level;
			return flag;
		}
		if (in->ctr)
			break;
	}
	return NULL;
}

// Where the parser stands: words[next] is the next word to read.
struct words {
	char **words;
	size_t n, next;
};

static fallible flag_with_value(struct invocation *in, struct words *w, const struct flag *flag,
                                size_t level, const char *name)
{
	if (w->next >= w->n)
		return help_hint(
			in, in->ctr ? error_new(ERROR_USAGE, "flag needs an argument: -%s", name)
				    : error_new(ERROR_USAGE, "flag %s%s needs a value",
		                                name[1] ? "--" : "-", name));
	return set_flag(in, flag, level, name, w->words[w->next++]);
}

// -eA=1: what is glued to the letter of a flag of the command itself is its value, unless all of it
// was meant as a name.
static bool is_glued(const struct invocation *in, const char *word, size_t level)
{
	auto_str struct str hint = STR_LIMIT(256);
	auto_free char *name = alloc_bytes(word, strcspn(word, "="));
	return level + 1 == in->depth && !command_nearest_flag(in->command, name, true) &&
	       !docker_flag_hint(in, name, &hint);
}

// -it, -itu1:2: letters of bools, then perhaps one whose value is the rest, or the next word.
// Nothing is set, and *ret_is is false, if `letters` are not that.
static fallible combined_flags(struct invocation *in, struct words *w, const char *letters,
                               bool *ret_is)
{
	*ret_is = false;
	size_t n = strlen(letters), level;
	for (size_t i = 0; i < n; i++) {
		const struct flag *flag = find_flag(in, (char[2]){letters[i]}, &level);
		if (!flag ||
		    (flag->type != FLAG_BOOL && letters[i + 1] && !is_glued(in, letters, level)))
			return NULL;
		if (flag->type != FLAG_BOOL)
			n = i + 1;
	}
	*ret_is = true;
	for (size_t i = 0; i < n; i++) {
		char name[2] = {letters[i]};
		const struct flag *flag = find_flag(in, name, &level);
		assert(flag && "found above");
		if (flag->type == FLAG_BOOL)
			TRY(set_flag(in, flag, level, name, "true"));
		else if (letters[i + 1])
			TRY(set_flag(in, flag, level, name, letters + i + 1));
		else
			TRY(flag_with_value(in, w, flag, level, name));
	}
	return NULL;
}

// kill -9, kill -KILL: as every other kill has it.
static bool is_signal(const struct invocation *in, const char *word)
{
	int number;
	if (in->ctr || word[1] == '-' || strcmp(command_name(in->command), "kill") != 0)
		return false;
	auto_error struct error *e = oci_signal_parse(word + 1, &number);
	return !e || (word[1] >= '0' && word[1] <= '9');
}

static fallible parse_flag(struct invocation *in, struct words *w, const char *word)
{
	const char *body = word + (word[1] == '-' ? 2 : 1);
	if (!*body || *body == '-' || *body == '=')
		return help_hint(in, error_new(ERROR_USAGE, "bad flag syntax: %s", word));
	size_t size = strcspn(body, "=");
	auto_free char *name = alloc_bytes(body, size);
	const char *value = body[size] ? body + size + 1 : NULL;
	size_t level = 0;
	const struct flag *flag = find_flag(in, name, &level);
	if (flag && value)
		return set_flag(in, flag, level, name, value);
	if (flag && flag->type == FLAG_BOOL)
		return set_flag(in, flag, level, name, "true");
	if (flag)
		return flag_with_value(in, w, flag, level, name);
	if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) {
		in->intention = SHOW_HELP;
		return NULL;
	}
	if (in->depth == 1 && (strcmp(name, "version") == 0 || strcmp(name, "v") == 0)) {
		if (in->intention == RUN_COMMAND)
			in->intention = SHOW_VERSION;
		return NULL;
	}
	if (is_signal(in, word))
		return set_flag(in, command_flag(in->command, "signal", true), in->depth - 1,
		                "signal", body);
	bool combined = false;
	if (!in->ctr && word[1] != '-' && size > 1)
		TRY(combined_flags(in, w, body, &combined));
	return combined ? NULL : unknown_flag(in, word, name);
}

// The flags that stand here, up to the first word that is none.
static fallible parse_flags(struct invocation *in, struct words *w)
{
	while (w->next < w->n) {
		const char *word = w->words[w->next];
		if (word[0] != '-' || !word[1])
			return NULL;
		w->next++;
		if (strcmp(word, "--") == 0)
			return NULL;
		TRY(parse_flag(in, w, word));
	}
	return NULL;
}

static void enter(struct invocation *in, const struct command *c)
{
	in->command = c;
	in->lineage[in->depth++] = c;
}

static fallible unknown_topic(struct invocation *in, const char *word)
{
	in->intention = NO_SUCH_TOPIC;
	in->topic = word;
	struct error *e =
		in->ctr ? error_new(ERROR_USAGE, "No help topic for '%s'", word)
			: error_new(ERROR_USAGE, "unknown command \"%s%s%s\"", in->command->path,
	                            *in->command->path ? " " : "", word);
	auto_str struct str hint = STR_LIMIT(256);
	if (docker_command_hint(in, word, &hint))
		return error_hint(e, "%s", hint.bytes);
	const char *nearest = command_nearest_child(in->command, word);
	if (nearest)
		return error_hint(e, "did you mean %s %s%s%s?", in->program, in->command->path,
		                  *in->command->path ? " " : "", nearest);
	return help_hint(in, e);
}

// `help`, `help c`, `c help ls`: all that follow are names.
static fallible parse_help(struct invocation *in, struct words *w)
{
	in->intention = SHOW_HELP;
	for (; w->next < w->n && command_is_group(in->command); w->next++) {
		const struct command *child = command_child(in->command, w->words[w->next]);
		if (!child)
			return unknown_topic(in, w->words[w->next]);
		enter(in, child);
	}
	return NULL;
}

static fallible not_yet(const struct invocation *in)
{
	return error_hint(error_new(ERROR_UNSUPPORTED, "%s: not in coracle yet", in->command->path),
	                  "%s help shows the commands that are there", in->program);
}

static bool is_help(const char *word)
{
	return strcmp(word, "help") == 0 || strcmp(word, "h") == 0;
}

// ctr drops what is too much without a word, or prints the help (COMMAND_COUNT). As coracle it is
// an error, and under both names where an archive would be dropped. What is missing is said by
// the command, which knows what it is.
static fallible check_count(struct invocation *in)
{
	const struct command *c = in->command;
	struct argument_count count = command_count(c);
	if ((c->bits & COMMAND_COUNT) && in->ctr) {
		if (in->n_args < count.min || in->n_args > count.max)
			in->intention = SHOW_HELP;
		return NULL;
	}
	if (in->n_args <= count.max || (in->ctr && !(c->bits & COMMAND_NO_MORE)))
		return NULL;
	return error_hint(error_new(ERROR_USAGE, "%s: unexpected argument \"%s\"", c->path,
	                            in->args[count.max]),
	                  "%s %s --help shows the arguments", in->program, c->path);
}

static fallible check_required(const struct invocation *in)
{
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(in->command, i)); i++)
		if ((f->bits & FLAG_REQUIRED) && !flag_given(in, f->name))
			return error_new(ERROR_USAGE, "Required flag \"%s\" not set", f->name);
	return NULL;
}

fallible invocation_parse(struct invocation *in, int argc, char **argv)
{
	struct words w = {argv, (size_t)argc, 1};
	enter(in, command_find(""));
	for (;;) {
		TRY(parse_flags(in, &w));
		if (in->intention != RUN_COMMAND || !command_is_group(in->command))
			break;
		if (w.next >= w.n) { // a group alone
			in->intention = SHOW_HELP;
			break;
		}
		const char *word = w.words[w.next++];
		if (is_help(word))
			return parse_help(in, &w);
		const struct command *child = command_child(in->command, word);
		if (!child)
			return unknown_topic(in, word);
		enter(in, child);
		if (child->bits & COMMAND_NOT_YET && !command_is_group(child))
			return not_yet(in);
	}
	in->args = w.words + w.next;
	in->n_args = w.n > w.next ? w.n - w.next : 0;
	if (in->intention == RUN_COMMAND)
		TRY(check_count(in));
	return in->intention == RUN_COMMAND ? check_required(in) : NULL;
}

void invocation_done(struct invocation *in)
{
	free(in->settings);
	in->settings = NULL;
}
