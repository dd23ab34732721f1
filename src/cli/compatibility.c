// SPDX-License-Identifier: Apache-2.0
// docs/compatibility.md, from the command table: what of ctr 2.1.1 is there, what is not.
#include "cli/commands.h"
#include "cli/output.h"

static const char head[] =
	"# Compatibility with ctr 2.1.1\n\n"
	"Made from the command table (`coracle __compatibility`): change that, not this.\n"
	"A command or flag that is missing says so when it is used: exit 1 as `ctr`, 125 as "
	"`coracle`.\n\n";

// Differences that we chose; each with its reason.
// clang-format off
static const char *const differences[][2] = {
	{"an unknown flag is one line of error with the nearest name, exit 1",
	 "ctr prints 70 lines of help on standard output"},
	{"short names are completed: `busybox` is `docker.io/library/busybox:latest`; a name that is "
	 "stored exactly so wins",
	 "it is what people type"},
	{"`--address` and `CONTAINERD_ADDRESS` are ignored, with a note", "there is no daemon"},
	{"the default seccomp profile is on; `--no-seccomp` turns it off",
	 "ctr's default leaves the whole kernel open"},
	{"the end of standard input reaches the container, an early closed standard output ends it",
	 "ctr hangs"},
	{"nothing is left when a container can't be made or started",
	 "ctr leaves a snapshot that makes the next try fail"},
	{"`snapshots view`, `content ingest` and `edit` keep what they make until it is removed",
	 "ctr's next collection takes it"},
	{"`content prune references` spares layers that something still needs packed, and says what "
	 "the others cost",
	 "ctr takes all, and the image can't be pushed"},
	{"`--http-dump` shows heads alone, and neither logins, tokens nor signatures",
	 "ctr's can't be shown to anybody, and has whole layers in it"},
	{"`content fetch --metadata-only` keeps to `--platform`", "ctr takes all, whatever it says"},
	{"`content ingest` fails when size or digest isn't what was expected", "ctr exits 0"},
	{"what comes from images is printed with control characters shown as \\xNN",
	 "a label could rewrite the terminal"},
	{"`--mount` takes docker's target, readonly and ro too; as coracle and with these type=bind "
	 "binds without options", "ctr answers \"no such device\""},
	{"a second archive behind `images import` is an error", "ctr drops it without a word"},
	{"`--uidmap` alone is an error, and both map the layers by mounts, with `--remap-labels` or without",
	 "ctr drops one alone without a word, and copies the root file system"},
	{"with `--uidmap` and `--cni` the network namespace belongs to the host: `ping` has no right to a "
	 "raw socket, `net.*` can't be set", "it exists, with its interfaces, before the container"},
	{"`--snapshotter-label` has nothing to label with `--rm`", "there is no snapshot, only an upper"},
	{"a filter's bad regular expression is an error; between `/` or `|` what is no escape of Go's strings "
	 "stays for the expression", "ctr shows an empty list, and refuses `/\\.io/`"},
	{"a regular expression can't have `\\p{…}` or `\\Q`, and `(?i)` knows ASCII", "tables of Unicode"},
	{"`--rdt-class` without resctrl is an error", "the limit was asked for"},
	{"hooks are told of the state folder as their `bundle`; it has the `config.json`, no root",
	 "the root is a mount that no path leads to"},
	{"a failing `poststart` hook is a warning", "the runtime-spec says so; runc ends the container"},
	{"`snapshots mounts` quotes for sh", "a path with a blank would be two words"},
};
// clang-format on

static bool is_there(const struct command *c)
{
	return !(c->bits & COMMAND_NOT_YET);
}

// Counts of ctr's own rows: commands that do something, flag definitions.
struct counts {
	size_t commands, commands_there, flags, flags_there, idle;
};

static void count(struct counts *n)
{
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		bool group = command_is_group(c);
		if (c->bits & (COMMAND_OURS | COMMAND_NO_DAEMON))
			continue;
		n->commands += !group;
		n->commands_there += !group && is_there(c);
		const struct flag *f;
		for (size_t j = 0; (f = command_flag_at(c, j)); j++) {
			if (f->bits & (FLAG_OURS | FLAG_DOCKER))
				continue;
			n->flags++;
			n->flags_there += is_there(c) && !(f->bits & FLAG_NOT_YET);
			n->idle += (f->bits & FLAG_IDLE) != 0;
		}
	}
}

// The flags of `c` that have, of the bits in `mask`, some of `any_of` (0: none at all).
static void add_flag_list(struct str *out, const struct command *c, unsigned any_of, unsigned mask)
{
	bool any = false;
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++) {
		if (any_of ? !(f->bits & any_of) : f->bits & mask)
			continue;
		str_printf(out, "%s`%s%s`", any ? " " : "", f->name[1] ? "--" : "-", f->name);
		any = true;
	}
}

static void add_row(struct str *out, const struct command *c)
{
	const char *state = c->bits & COMMAND_NO_DAEMON ? "no: there is no daemon"
	                    : c->bits & COMMAND_OURS    ? "ours"
	                    : is_there(c)               ? "yes"
	                                                : "not yet";
	str_printf(out, "| %s | %s | ", *c->path ? c->path : "(global)", state);
	if (is_there(c)) {
		const unsigned mask = FLAG_NOT_YET | FLAG_OURS | FLAG_DOCKER | FLAG_IDLE;
		add_flag_list(out, c, 0, mask);
		str_add(out, " | ");
		add_flag_list(out, c, FLAG_IDLE, 0);
		str_add(out, " | ");
		add_flag_list(out, c, FLAG_NOT_YET, 0);
		str_add(out, " | ");
		add_flag_list(out, c, FLAG_OURS | FLAG_DOCKER, 0);
	} else {
		str_add(out, "| | ");
		add_flag_list(out, c, 0, FLAG_HIDDEN);
		str_add(out, " |");
	}
	str_add(out, " |\n");
}

fallible command_build_compatibility(struct invocation *in)
{
	(void)in;
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	struct counts n = {0};
	count(&n);
	str_add(&text, head);
	str_printf(&text,
	           "Of ctr's %zu commands that do something (without `shim`, `pprof` and "
	           "`deprecations`, which debug the daemon) %zu are there; of their %zu flags %zu, "
	           "%zu of which are accepted and have nothing to act on.\n\n",
	           n.commands, n.commands_there, n.flags, n.flags_there, n.idle);
	str_add(&text, "## Differences that we chose\n\n| here | because |\n|---|---|\n");
	for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++)
		str_printf(&text, "| %s | %s |\n", differences[i][0], differences[i][1]);
	str_add(&text,
	        "\n## Commands and flags\n\n"
	        "| command | there | flags | accepted, nothing to act on | not yet | ours |\n"
	        "|---|---|---|---|---|---|\n");
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++)
		if (!(c->bits & COMMAND_HIDDEN) && (!command_is_group(c) || command_flag_at(c, 0)))
			add_row(&text, c);
	output_str(&text);
	return NULL;
}
