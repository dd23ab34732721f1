// SPDX-License-Identifier: Apache-2.0
// The manual pages, from the command table: coracle.1 for the program, coracle-run.1,
// coracle-images.1… for each command or group below it.
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include <fcntl.h>
#include <unistd.h>

#define PAGE_LIMIT (1 << 20)

// Text for troff: nothing in it is a request, and a dash is the one people search for.
static void roff(struct str *out, const char *text)
{
	for (const char *s = text; *s; s++) {
		bool first = s == text || s[-1] == '\n';
		if (first && (*s == '.' || *s == '\''))
			str_add(out, "\\&");
		if (*s == '\\')
			str_add(out, "\\e");
		else if (*s == '-')
			str_add(out, "\\-");
		else
			str_add_char(out, *s);
	}
}

static void roff_bold(struct str *out, const char *text)
{
	str_add(out, "\\fB");
	roff(out, text);
	str_add(out, "\\fR");
}

static void add_flag(struct str *out, const struct flag *f)
{
	auto_str struct str spelling = STR_LIMIT(256);
	help_flag_spelling(&spelling, f, true);
	str_add(out, ".TP\n");
	roff_bold(out, spelling.bytes);
	str_add_char(out, '\n');
	roff(out, f->help ? f->help : "");
	if (f->initial) {
		str_add(out, "; default ");
		roff(out, f->initial);
	}
	if (f->env)
		str_printf(out, "; environment \\fB%s\\fR", f->env);
	if (f->bits & FLAG_DOCKER)
		str_add(out, "; not as ctr");
	str_add(out, ".\n");
}

static void add_flags(struct str *out, const struct command *c)
{
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++)
		if (help_shows_flag(f, false))
			add_flag(out, f);
}

static void add_synopsis(struct str *out, const struct command *c)
{
	roff_bold(out, "coracle");
	if (*c->path) {
		str_add_char(out, ' ');
		roff_bold(out, c->path);
	}
	str_add_char(out, ' ');
	roff(out, c->arguments ? c->arguments : "");
	str_add_char(out, '\n');
}

static void add_example(struct str *out, const struct command *c)
{
	if (!c->example)
		return;
	str_add(out, ".PP\nExample:\n.PP\n.RS\n.nf\n");
	str_add(out, "coracle ");
	roff(out, c->example);
	str_add(out, "\n.fi\n.RE\n");
}

static void add_more(struct str *out, const struct command *c)
{
	if (!c->more)
		return;
	str_add(out, ".PP\n");
	roff(out, c->more);
	str_add_char(out, '\n');
}

// A verb of a group, with its own flags.
static void add_verb(struct str *out, const struct command *c)
{
	str_add(out, ".SS ");
	roff(out, command_name(c));
	str_add_char(out, '\n');
	add_synopsis(out, c);
	str_add(out, ".PP\n");
	roff(out, c->line);
	str_add(out, ".\n");
	if (c->aliases) {
		str_add(out, "Also ");
		roff(out, c->aliases);
		str_add(out, ".\n");
	}
	add_more(out, c);
	add_flags(out, c);
	add_example(out, c);
}

static bool is_below(const struct command *c, const struct command *parent)
{
	size_t size = strlen(parent->path);
	return strncmp(c->path, parent->path, size) == 0 && c->path[size] == ' ';
}

static void add_head(struct str *out, const struct command *c)
{
	str_printf(out, ".TH CORACLE%s%s 1 \"\" \"coracle " CORACLE_VERSION "\" \"coracle\"\n",
	           *c->path ? "\\-" : "", c->path);
	str_printf(out, ".SH NAME\ncoracle%s%s \\- ", *c->path ? "\\-" : "", c->path);
	roff(out, c->line);
	str_add(out, "\n.SH SYNOPSIS\n");
	add_synopsis(out, c);
}

static void command_page(struct str *out, const struct command *c)
{
	add_head(out, c);
	str_add(out, ".SH DESCRIPTION\n");
	roff(out, c->line);
	str_add(out, ".\n");
	if (c->aliases) {
		str_add(out, "Also ");
		roff(out, c->aliases);
		str_add(out, ".\n");
	}
	add_more(out, c);
	add_example(out, c);
	str_add(out, ".SH FLAGS\n");
	add_flags(out, c);
	str_add(out, ".TP\n\\fB\\-h, \\-\\-help\\fR\nshow the help.\n");
	const struct command *verb;
	bool any = false;
	for (size_t i = 0; (verb = command_at(i)); i++) {
		if (!is_below(verb, c) || !verb->run)
			continue;
		str_add(out, any ? "" : ".SH COMMANDS\n");
		any = true;
		add_verb(out, verb);
	}
	str_add(out, ".SH SEE ALSO\n\\fBcoracle\\fR(1)\n");
}

// What holds for the whole program; the rest of coracle.1 comes from the table.
static const char program_text[] =
	".SH EXIT STATUS\n"
	"That of the container's process, 128+n if signal n ended it.\n"
	"Of coracle itself: 125 the engine failed, 126 the container's program is not executable,\n"
	"127 it was not found, 2 the command line is wrong.\n"
	"Called as \\fBctr\\fR every error of its own is 1, an unknown command 3, as ctr has it.\n"
	".SH ENVIRONMENT\n"
	".TP\n\\fBCORACLE_COMPAT=ctr\\fR\nbehave as if called as ctr.\n"
	".TP\n\\fBNO_COLOR\\fR\nno colours and bars, also on a terminal.\n"
	".SH FILES\n"
	".TP\n\\fI/var/lib/coracle\\fR\nimages, snapshots, containers.\n"
	".TP\n\\fI/run/coracle\\fR\nwhat runs.\n"
	".TP\n\\fI/etc/cni/net.d\\fR\nnetwork configurations; the first in order is used.\n"
	".SH SEE ALSO\n";

static void program_page(struct str *out, const struct command *c)
{
	add_head(out, c);
	str_add(out, ".SH DESCRIPTION\n"
	             "A container engine without a daemon, compatible with containerd's ctr.\n"
	             "Flags stand before arguments: what stands behind the image of \\fBrun\\fR "
	             "belongs to the container.\n");
	add_example(out, c);
	str_add(out, ".SH COMMANDS\n");
	const struct command *child;
	for (size_t i = 0; (child = command_at(i)); i++) {
		if (child == c || command_parent(child) != c || !help_shows_command(child))
			continue;
		str_add(out, ".TP\n");
		roff_bold(out, child->path);
		str_add_char(out, '\n');
		roff(out, child->line);
		str_add(out, ".\n");
	}
	str_add(out, ".SH FLAGS\n");
	add_flags(out, c);
	str_add(out, program_text);
	bool any = false;
	for (size_t i = 0; (child = command_at(i)); i++)
		if (child != c && command_parent(child) == c && help_shows_command(child)) {
			str_printf(out, "%s\\fBcoracle\\-%s\\fR(1)", any ? ",\n" : "", child->path);
			any = true;
		}
	str_add_char(out, '\n');
}

static fallible write_page(int dirfd, const struct command *c)
{
	auto_str struct str page = STR_LIMIT(PAGE_LIMIT);
	if (*c->path)
		command_page(&page, c);
	else
		program_page(&page, c);
	auto_free char *name = alloc_printf("coracle%s%s.1", *c->path ? "-" : "", c->path);
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		FAIL_ERRNO("create %s", name);
	ssize_t n = write(fd, page.bytes, page.size);
	if (close(fd) < 0 || n != (ssize_t)page.size)
		FAIL_ERRNO("write %s", name);
	return NULL;
}

fallible command_build_man(struct invocation *in)
{
	TRY(argument_needed(in, 0, "a folder must be provided"));
	int dirfd = open(in->args[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		FAIL_ERRNO("open %s", in->args[0]);
	const struct command *program = command_find(""), *c;
	struct error *e = write_page(dirfd, program);
	for (size_t i = 0; !e && (c = command_at(i)); i++)
		if (c != program && command_parent(c) == program && help_shows_command(c))
			e = write_page(dirfd, c);
	close(dirfd);
	return e;
}
