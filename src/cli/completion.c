// SPDX-License-Identifier: Apache-2.0
// Completions for bash, zsh and fish, from the command table. Each script carries the same facts
// (children, flags, which flags take a value, what the arguments name) and a walk over the words
// before the cursor that finds the command.
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "oci/names.h"

// How to list what an argument may name.
// clang-format off
static const struct {
	const char *operand, *command;
} operands[] = {
	{"images",     "images ls -q"},
	{"containers", "containers ls -q"},
	{"snapshots",  "snapshots ls | sed 1d | cut -d\" \" -f1"},
	{"namespaces", "namespaces ls -q"},
};
// clang-format on

// What a flag's value may be: words, or "@namespaces". Nothing: shells offer files.
static void add_choices(struct str *out, const struct flag *f)
{
	// clang-format off
	static const struct {
		const char *flag, *choices;
	} known[] = {
		{"snapshotter",        "overlayfs native windows"},
		{"namespace",          "@namespaces"},
		{"rootfs-propagation", "private slave shared rprivate rslave rshared"},
	};
	// clang-format on
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (text_equal(f->name, known[i].flag))
			str_add(out, known[i].choices);
	if (text_equal(f->name, "signal"))
		for (int i = 1; oci_signal_name(i); i++)
			str_printf(out, "%s%s", i > 1 ? " " : "", oci_signal_name(i) + 3);
	if (text_equal(f->name, "format")) // "table|json"
		for (const char *s = f->value; *s; s++)
			str_add_char(out, *s == '|' ? ' ' : *s);
}

static void add_spelling(struct str *out, const char *name, size_t size)
{
	str_printf(out, "%s%.*s", size > 1 ? "--" : "-", (int)size, name);
}

// ["/images list --format"]="table json", for each spelling.
static void add_choices_array(struct str *out, bool is_bash)
{
	str_add(out, "_coracle_choices=(\n");
	const struct command *c;
	const struct flag *f;
	for (size_t i = 0; (c = command_at(i)); i++) {
		for (size_t j = 0; help_shows_command(c) && (f = command_flag_at(c, j)); j++) {
			auto_str struct str choices = STR_LIMIT(4096);
			if (!help_shows_flag(f, false) || !f->value)
				continue;
			add_choices(&choices, f);
			for (int k = 0; choices.size > 0 && k < 2; k++) {
				const char *name = k ? f->letter : f->name;
				auto_str struct str spelling = STR_LIMIT(64);
				if (!name)
					continue;
				add_spelling(&spelling, name, strlen(name));
				str_printf(out,
				           is_bash ? "\t[\"/%s %s\"]=\"%s\"\n"
				                   : "\t\"/%s %s\" \"%s\"\n",
				           c->path, spelling.bytes, choices.bytes);
			}
		}
	}
	str_add(out, ")\n");
}

// An associative array with a line for each command. bash wants [key]=value, zsh key and value.
// No key may be empty: "/" is the program.
static void add_array(struct str *out, const char *name, bool is_bash,
                      void (*words)(struct str *out, const struct command *c))
{
	str_printf(out, "%s=(\n", name);
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (!help_shows_command(c))
			continue;
		auto_str struct str list = STR_LIMIT(65536);
		words(&list, c);
		if (list.size > 0)
			str_printf(out, is_bash ? "\t[\"/%s\"]=\"%s\"\n" : "\t\"/%s\" \"%s\"\n",
			           c->path, list.bytes + 1);
	}
	str_add(out, ")\n");
}

static void children(struct str *out, const struct command *parent)
{
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++)
		if (c != parent && command_parent(c) == parent && help_shows_command(c))
			str_printf(out, " %s", command_name(c));
}

// "ls:list rm:delete": what stands for which child.
static void aliases(struct str *out, const struct command *parent)
{
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (c == parent || command_parent(c) != parent || !help_shows_command(c))
			continue;
		for (const char *s = c->aliases; s && *s; s += *s == ' ') {
			size_t size = strcspn(s, " ");
			str_printf(out, " %.*s:%s", (int)size, s, command_name(c));
			s += size;
		}
	}
}

// Every spelling of the flags, or only of those that take a value.
static void add_spellings(struct str *out, const struct command *c, bool with_value)
{
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++) {
		if (!help_shows_flag(f, false) || (with_value && !f->value))
			continue;
		str_add_char(out, ' ');
		add_spelling(out, f->name, strlen(f->name));
		if (f->letter && (with_value || f->letter[1])) {
			str_add_char(out, ' ');
			add_spelling(out, f->letter, strlen(f->letter));
		}
		for (const char *d = with_value ? f->docker : NULL; d && *d; d += *d == ' ') {
			size_t size = strcspn(d, " ");
			str_add_char(out, ' ');
			add_spelling(out, d, size);
			d += size;
		}
	}
}

static void flags(struct str *out, const struct command *c)
{
	add_spellings(out, c, false);
	str_add(out, " --help");
}

static void values(struct str *out, const struct command *c)
{
	add_spellings(out, c, true);
}

static void arguments(struct str *out, const struct command *c)
{
	if (c->operand)
		str_printf(out, " %s", c->operand);
}

static void add_operands(struct str *out, const char *format)
{
	for (size_t i = 0; i < sizeof(operands) / sizeof(*operands); i++) {
		const char *at = format;
		for (; *at; at++) { // %o the operand, %c the command
			if (at[0] == '%' && (at[1] == 'o' || at[1] == 'c'))
				str_add(out,
				        *++at == 'o' ? operands[i].operand : operands[i].command);
			else
				str_add_char(out, *at);
		}
	}
}

static void add_arrays(struct str *out, bool is_bash)
{
	add_array(out, "_coracle_children", is_bash, children);
	add_array(out, "_coracle_aliases", is_bash, aliases);
	add_array(out, "_coracle_flags", is_bash, flags);
	add_array(out, "_coracle_values", is_bash, values);
	add_array(out, "_coracle_arguments", is_bash, arguments);
	add_choices_array(out, is_bash);
}

// The walk, the same text in bash and zsh: sets _coracle_path, and _coracle_want to the flag whose
// value is under the cursor, behind the path that it belongs to: "/images list --format".
static const char walk[] =
	"_coracle_find_value() { # FLAG: where it belongs, if it takes a value\n"
	"\tlocal level=$_coracle_path\n"
	"\t_coracle_want=\"\"\n"
	"\twhile :; do\n"
	"\t\tif [[ \" ${_coracle_values[$level]} \" == *\" $1 \"* ]]; then\n"
	"\t\t\t_coracle_want=\"$level $1\"; return\n"
	"\t\tfi\n"
	"\t\tif [[ $level == / ]]; then return; fi\n"
	"\t\tif [[ $level == *\" \"* ]]; then level=${level% *}; else level=/; fi\n"
	"\tdone\n"
	"}\n"
	"_coracle_walk() {\n"
	"\tlocal word list\n"
	"\t_coracle_path=/ _coracle_want=\"\"\n"
	"\tfor word in \"$@\"; do\n"
	"\t\tif [[ -n $_coracle_want ]]; then _coracle_want=\"\"; continue; fi\n"
	"\t\tif [[ $word == -* ]]; then _coracle_find_value \"$word\"; continue; fi\n"
	"\t\tlist=\" ${_coracle_aliases[$_coracle_path]} \"\n"
	"\t\tif [[ $list == *\" $word:\"* ]]; then\n"
	"\t\t\tword=${list#*\" $word:\"}; word=${word%% *}\n"
	"\t\tfi\n"
	"\t\tif [[ \" ${_coracle_children[$_coracle_path]} \" == *\" $word \"* ]]; then\n"
	"\t\t\tif [[ $_coracle_path == / ]]; then _coracle_path=/$word\n"
	"\t\t\telse _coracle_path=\"$_coracle_path $word\"; fi\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"_coracle_choices_of() { # what stands in _coracle_choices for _coracle_want\n"
	"\tif [[ $1 == @namespaces ]]; then coracle namespaces ls -q 2>/dev/null\n"
	"\telse echo \"$1\"; fi\n"
	"}\n"
	"_coracle_shorten() { # NAME: sets short, as people type it\n"
	"\tshort=${1#docker.io/}\n"
	"\tif [[ $short == library/* && $short != \"$1\" ]]; then\n"
	"\t\tshort=${short#library/}; short=${short%:latest}\n"
	"\tfi\n"
	"}\n";

// bash has divided the line at each : and = as well (COMP_WORDBREAKS), and puts what we answer in
// place of the last part only.
static const char bash_words[] =
	"_coracle_split() { # sets words and cur as they were typed, and cut, what of cur stays\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} blanks word i\n"
	"\twords=()\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"\t\tblanks=${line%%[![:blank:]]*}; line=${line#\"$blanks\"}\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif ((i == COMP_CWORD)); then word=$line; fi\n"
	"\t\tline=${line#\"$word\"}\n"
	"\t\tif [[ -z $blanks && $i -gt 0 ]]; then words[${#words[@]}-1]+=$word\n"
	"\t\telse words+=(\"$word\"); fi\n"
	"\tdone\n"
	"\tcur=${words[${#words[@]}-1]} cut=\"\"\n"
	"\tlocal breaks=\"\"\n"
	"\tif [[ $COMP_WORDBREAKS == *:* ]]; then breaks=:; fi\n"
	"\tif [[ $COMP_WORDBREAKS == *=* ]]; then breaks+==; fi\n"
	"\tif [[ -n $breaks ]]; then cut=${cur%\"${cur##*[$breaks]}\"}; fi\n"
	"}\n";

static const char bash_complete[] =
	"_coracle() {\n"
	"\tlocal words cur cut _coracle_path _coracle_want value list word short\n"
	"\t_coracle_split\n"
	"\t_coracle_walk \"${words[@]:1:${#words[@]}-2}\"\n"
	"\tCOMPREPLY=()\n"
	"\tvalue=$cur\n"
	"\tif [[ -z $_coracle_want && $cur == -*=* ]]; then\n"
	"\t\t_coracle_find_value \"${cur%%=*}\"; value=${cur#*=}\n"
	"\tfi\n"
	"\tif [[ -n $_coracle_want ]]; then\n"
	"\t\tlist=${_coracle_choices[\"$_coracle_want\"]}\n"
	"\t\tif [[ -z $list ]]; then compopt -o default; return; fi\n"
	"\t\tlist=$(_coracle_choices_of \"$list\")\n"
	"\telif [[ $cur == -* ]]; then list=${_coracle_flags[$_coracle_path]}\n"
	"\telif [[ -n ${_coracle_children[$_coracle_path]} ]]; then\n"
	"\t\tlist=${_coracle_children[$_coracle_path]}\n"
	"\telif [[ ${_coracle_arguments[$_coracle_path]} == files ]]; then\n"
	"\t\tcompopt -o default; return\n"
	"\telse list=$(_coracle_names); fi\n"
	"\t# not compgen -W: it expands, and a snapshot may be called $(reboot)\n"
	"\tlocal -a names\n"
	"\tread -r -d '' -a names <<<\"$list\"\n"
	"\tlocal before=${cur%\"$value\"}\n"
	"\tfor word in \"${names[@]}\"; do\n"
	"\t\tif [[ -z $_coracle_want && ${_coracle_arguments[$_coracle_path]} == images ]]; then\n"
	"\t\t\t_coracle_shorten \"$word\"\n"
	"\t\t\tif [[ $short != \"$word\" ]]; then\n"
	"\t\t\t\t_coracle_offer \"$short\"\n"
	"\t\t\t\tif [[ -z $value ]]; then continue; fi\n"
	"\t\t\tfi\n"
	"\t\tfi\n"
	"\t\t_coracle_offer \"$word\"\n"
	"\tdone\n"
	"}\n"
	"_coracle_offer() { # WORD: into COMPREPLY, if it is begun by what was typed\n"
	"\tif [[ $1 == \"$value\"* ]]; then\n"
	"\t\tlocal whole=$before$1\n"
	"\t\tprintf -v whole %q \"${whole#\"$cut\"}\"\n"
	"\t\tCOMPREPLY+=(\"$whole\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _coracle coracle\n"
	"if [[ $(readlink -f \"$(type -P ctr)\" 2>/dev/null) == */coracle ]]; then\n"
	"\tcomplete -F _coracle ctr\n"
	"fi\n";

static void bash(struct str *out)
{
	str_add(out, "# bash completion for coracle and ctr; made from the command table\n"
	             "declare -A _coracle_children _coracle_aliases _coracle_flags _coracle_values "
	             "_coracle_arguments _coracle_choices\n");
	add_arrays(out, true);
	str_add(out, walk);
	str_add(out, "_coracle_names() {\n\tcase ${_coracle_arguments[$_coracle_path]} in\n");
	add_operands(out, "\t%o) coracle %c 2>/dev/null ;;\n");
	str_add(out, "\tesac\n}\n");
	str_add(out, bash_words);
	str_add(out, bash_complete);
}

static void zsh(struct str *out)
{
	str_add(out,
	        "#compdef coracle\n# zsh completion for coracle; made from the command table\n"
	        "typeset -gA _coracle_children _coracle_aliases _coracle_flags _coracle_values "
	        "_coracle_arguments _coracle_choices\n");
	add_arrays(out, false);
	str_add(out, walk);
	str_add(out, "_coracle_names() {\n\tcase ${_coracle_arguments[$_coracle_path]} in\n");
	add_operands(out, "\t%o) coracle %c 2>/dev/null ;;\n");
	str_add(out, "\tesac\n}\n"
	             "_coracle() {\n"
	             "\tlocal _coracle_path _coracle_want name short\n"
	             "\tlocal -a names\n"
	             "\t_coracle_walk \"${(@)words[2,CURRENT-1]}\"\n"
	             "\tif [[ -n $_coracle_want ]]; then\n"
	             "\t\tlocal list=${_coracle_choices[$_coracle_want]}\n"
	             "\t\tif [[ -z $list ]]; then _files; return; fi\n"
	             "\t\tlist=$(_coracle_choices_of \"$list\"); compadd -- ${=list}; return\n"
	             "\tfi\n"
	             "\tif [[ ${words[CURRENT]} == -* ]]; then\n"
	             "\t\tcompadd -- ${=_coracle_flags[$_coracle_path]}\n"
	             "\telif [[ -n ${_coracle_children[$_coracle_path]} ]]; then\n"
	             "\t\tcompadd -- ${=_coracle_children[$_coracle_path]}\n"
	             "\telif [[ ${_coracle_arguments[$_coracle_path]} == files ]]; then _files\n"
	             "\telse\n"
	             "\t\tnames=(${(f)\"$(_coracle_names)\"})\n"
	             "\t\tif [[ ${_coracle_arguments[$_coracle_path]} == images ]]; then\n"
	             "\t\t\tfor name in $names; do\n"
	             "\t\t\t\t_coracle_shorten \"$name\"; names+=(\"$short\")\n"
	             "\t\t\tdone\n"
	             "\t\tfi\n"
	             "\t\tcompadd -- $names\n"
	             "\tfi\n"
	             "}\n"
	             "_coracle \"$@\"\n");
}

static void fish_flag(struct str *out, const struct command *c, const struct flag *f)
{
	str_printf(out, "complete -c coracle -f -n '__coracle_at \"%s\"'", c->path);
	str_printf(out, " -%c %s", f->name[1] ? 'l' : 's', f->name);
	if (f->letter)
		str_printf(out, " -%c %s", f->letter[1] ? 'l' : 's', f->letter);
	auto_str struct str choices = STR_LIMIT(4096);
	add_choices(&choices, f);
	if (text_equal(choices.bytes, "@namespaces"))
		str_add(out, " -x -a '(coracle namespaces ls -q 2>/dev/null)'");
	else if (choices.size > 0)
		str_printf(out, " -x -a '%s'", choices.bytes);
	else if (f->value)
		str_add(out, " -r -F");
	str_printf(out, " -d \"%s\"\n", f->help ? f->help : "");
}

static void fish_command(struct str *out, const struct command *c)
{
	const struct command *child;
	for (size_t i = 0; (child = command_at(i)); i++)
		if (child != c && command_parent(child) == c && help_shows_command(child))
			str_printf(
				out,
				"complete -c coracle -f -n '__coracle_at \"%s\"' -a %s -d \"%s\"\n",
				c->path, command_name(child), child->line);
	const struct flag *f;
	for (size_t i = 0; (f = command_flag_at(c, i)); i++)
		if (help_shows_flag(f, false))
			fish_flag(out, c, f);
	if (text_equal(c->operand, "files"))
		str_printf(out, "complete -c coracle -F -n '__coracle_at \"%s\"'\n", c->path);
	for (size_t i = 0; i < sizeof(operands) / sizeof(*operands); i++)
		if (text_equal(c->operand, operands[i].operand))
			str_printf(out,
			           "complete -c coracle -f -n '__coracle_at \"%s\"' "
			           "-a '(coracle %s 2>/dev/null)'\n",
			           c->path, operands[i].command);
}

// fish asks a function whether the command reached so far is the one of the line.
static const char fish_walk[] =
	"# fish completion for coracle; made from the command table\n"
	"function __coracle_at\n"
	"\tset -l path\n"
	"\tset -l skip 0\n"
	"\tfor word in (commandline -opc)[2..-1]\n"
	"\t\tif test $skip = 1; set skip 0; continue; end\n"
	"\t\tif string match -q -- '-*' $word\n"
	"\t\t\tcontains -- $word $__coracle_values; and set skip 1\n"
	"\t\t\tcontinue\n"
	"\t\tend\n"
	"\t\tset -l next (string trim \"$path $word\")\n"
	"\t\tset -l full (string replace -r -f -- \"^$next:\" '' $__coracle_paths)\n"
	"\t\tif test -n \"$full\"; set path $full[1]; end\n"
	"\tend\n"
	"\ttest \"$path\" = \"$argv[1]\"\n"
	"end\n";

// "images ls:images list": every spelling of a path one word below a full one.
static void fish_paths(struct str *out)
{
	str_add(out, "set -g __coracle_paths");
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (!*c->path || !help_shows_command(c))
			continue;
		size_t parent = strlen(c->path) - strlen(command_name(c));
		str_printf(out, " '%s:%s'", c->path, c->path);
		for (const char *s = c->aliases; s && *s; s += *s == ' ') {
			size_t size = strcspn(s, " ");
			str_printf(out, " '%.*s%.*s:%s'", (int)parent, c->path, (int)size, s,
			           c->path);
			s += size;
		}
	}
	str_add(out, "\nset -g __coracle_values");
	for (size_t i = 0; (c = command_at(i)); i++)
		if (help_shows_command(c))
			values(out, c);
	str_add_char(out, '\n');
}

static void fish(struct str *out)
{
	str_add(out, fish_walk);
	fish_paths(out);
	const struct command *c;
	for (size_t i = 0; (c = command_at(i)); i++)
		if (help_shows_command(c))
			fish_command(out, c);
}

fallible command_build_completion(struct invocation *in)
{
	// clang-format off
	static const struct {
		const char *shell;
		void (*script)(struct str *out);
	} shells[] = {
		{"bash", bash},
		{"zsh", zsh},
		{"fish", fish},
	};
	// clang-format on
	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++) {
		if (!text_equal(argument(in, 0), shells[i].shell))
			continue;
		auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
		shells[i].script(&text);
		output_str(&text);
		return NULL;
	}
	return error_new(ERROR_USAGE, "the shell must be bash, zsh or fish");
}
