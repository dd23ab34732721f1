// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"
#include "cli/output.h"
#include <stdio.h>

static const unsigned char statuses[] = {
	[ERROR_SYSTEM] = 125,         [ERROR_INVALID] = 125,     [ERROR_USAGE] = 2,
	[ERROR_NOT_FOUND] = 125,      [ERROR_EXISTS] = 125,      [ERROR_BUSY] = 125,
	[ERROR_CORRUPT] = 125,        [ERROR_UNSUPPORTED] = 125, [ERROR_LIMIT] = 125,
	[ERROR_NOT_EXECUTABLE] = 126, [ERROR_NO_PROGRAM] = 127,
};
_Static_assert(sizeof(statuses) == ERROR_CODES, "every code has its status");

int report_status(const struct invocation *in, const struct error *e)
{
	if (in->ctr)
		return in->intention == NO_SUCH_TOPIC ? EXIT_NO_TOPIC : 1;
	return statuses[e->code];
}

// "coracle images ls" in a hint, below the program: as ctr it is typed with ctr's name.
static bool names_command(const char *words)
{
	auto_free char *word = alloc_bytes(words, strcspn(words, " "));
	const struct command *c = command_child(command_find(""), word);
	return c && !(c->bits & COMMAND_HIDDEN);
}

static void add_hint(struct str *out, const struct invocation *in, const char *hint)
{
	static const char name[] = "coracle ";
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	for (const char *s = hint; *s;) {
		bool is_name = (s == hint || s[-1] == ' ') && text_starts(s, name) &&
		               names_command(s + sizeof(name) - 1);
		if (is_name) {
			str_printf(&text, "%s ", in->program);
			s += sizeof(name) - 1;
		} else {
			str_add_char(&text, *s++);
		}
	}
	output_clean(out, text.size > 0 ? text.bytes : "");
}

void report_failure(const struct invocation *in, const struct error *e)
{
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	if (!in->ctr || in->intention != NO_SUCH_TOPIC) // ctr says this one without its name
		str_printf(&text, "%s: ", in->program);
	output_clean(&text, e->message);
	str_add_char(&text, '\n');
	if (e->hint) {
		str_add(&text, "hint: ");
		add_hint(&text, in, e->hint);
		str_add_char(&text, '\n');
	}
	fwrite(text.bytes, 1, text.size, stderr);
}

void report_one_of(const struct invocation *in, struct error **pending, struct error *e,
                   const char *message)
{
	if (in->ctr)
		output_log(in, "error", message, e->message);
	if (!*pending) {
		*pending = e;
		return;
	}
	if (in->ctr) {
		error_drop(&e); // it was told; the first one decides
		return;
	}
	if (text_equal((*pending)->hint, e->hint)) { // said once, at the end
		free((*pending)->hint);
		(*pending)->hint = NULL;
	}
	report_failure(in, *pending);
	e = error_recode(e, (*pending)->code);
	error_free(*pending);
	*pending = e;
}

struct error *report_as_ctr(const struct invocation *in, struct error *e, const char *prefix)
{
	return in->ctr ? error_prefix(e, "%s", prefix) : e;
}
