// SPDX-License-Identifier: Apache-2.0
// The command table. From one row come the parser, --help, the manual pages, the completions and
// docs/compatibility.md; a test holds every row to ctr's own command tree.
#pragma once
#include "base/error.h"
#include <stddef.h>

struct invocation;

enum flag_type {
	FLAG_BOOL,
	FLAG_TEXT,     // repeated: the last wins
	FLAG_TEXTS,    // repeated: all count, commas don't divide
	FLAG_INTS,     // the same with int64 items
	FLAG_INT,      // int64
	FLAG_UINT,     // uint64
	FLAG_FLOAT,    // double
	FLAG_DURATION, // Go's: 90s, 1h30m
	FLAG_TYPES
};

enum flag_bits {
	FLAG_OURS = 1 << 0,     // ctr has no such flag
	FLAG_IDLE = 1 << 1,     // accepted, has nothing to act on in an engine without a daemon
	FLAG_NOT_YET = 1 << 2,  // ctr has it, coracle refuses it so far
	FLAG_HIDDEN = 1 << 3,   // not in help
	FLAG_REQUIRED = 1 << 4, // ctr refuses the command without it
	FLAG_DOCKER = 1 << 5,   // docker's, understood as `coracle` only
	FLAG_SIZE = 1 << 6,     // FLAG_UINT of bytes: as `coracle` 64m too
};

// Arrays of flags end with a row without a name.
struct flag {
	const char *name;
	const char *letter;  // the second name, mostly a letter; NULL if there is none
	enum flag_type type; // with the next by BOOL, TEXT("FILE")… of commands.h
	const char *value;   // what help calls the value, NULL for FLAG_BOOL
	const char *help;    // one line; only commands that are NOT_YET may lack it
	unsigned bits;       // of enum flag_bits
	const char *initial; // the default as text, NULL for the type's zero
	const char *env;     // the variable that gives the default
	const char *docker;  // spellings of docker's, blank between; understood as `coracle` only
};

enum command_bits {
	COMMAND_OURS = 1 << 0,      // ctr has no such command
	COMMAND_NOT_YET = 1 << 1,   // ctr has it, coracle does not so far
	COMMAND_HIDDEN = 1 << 2,    // for the build, not in help
	COMMAND_COUNT = 1 << 3,     // a wrong number of arguments prints the help, as ctr does
	COMMAND_NO_DAEMON = 1 << 4, // NOT_YET, and never: it debugs containerd itself
	COMMAND_NO_MORE = 1 << 5,   // too many arguments are an error as ctr too
};

#define COMMAND_FLAG_GROUPS 6

// Arrays of commands end with a row without a path. Every parent stands before its children.
struct command {
	const char *path;      // the words below the program: "images list"; "" is the program
	const char *arguments; // as ctr writes them, flags first; their number is read from it
	const char *line;      // what it does, one line
	const char *example;   // one command line, without the program's name
	fallible (*run)(struct invocation *in); // NULL for a group
	const struct flag *flags[COMMAND_FLAG_GROUPS];
	unsigned bits;       // of enum command_bits
	const char *aliases; // of the last word, blank between; NULL if there are none
	const char *more;    // what else the manual says, or NULL
	const char *operand; // completions offer names of these: images, containers, snapshots,
	                     // namespaces, files
};

extern const struct command commands_top[], commands_run[], commands_images[],
	commands_containers[], commands_tasks[], commands_snapshots[], commands_house[],
	commands_rest[];

// All commands in the table's order: pass 0, 1, … until NULL comes back.
const struct command *command_at(size_t i);
// The row of a full path, aliases not resolved; NULL if there is none.
const struct command *command_find(const char *path);
// The child of `parent` that is called `word` (name or alias); NULL if there is none.
const struct command *command_child(const struct command *parent, const char *word);
const char *command_name(const struct command *c); // the last word of the path
bool command_is_group(const struct command *c);    // has children

// How many arguments `c` takes, as its row writes them: <x> or X one, [x] none or one, and any
// number where dots stand.
struct argument_count {
	size_t min, max;
};
struct argument_count command_count(const struct command *c);

// The flag of `c` that is spelt `name`; `docker` also allows what is docker's.
const struct flag *command_flag(const struct command *c, const char *name, bool docker);
// All flags of `c`: pass 0, 1, … until NULL comes back.
const struct flag *command_flag_at(const struct command *c, size_t i);

// The word in `names` (blanks between; may be NULL) is `name`.
bool words_have(const char *names, const char *name);

// The nearest spelling to what was typed, among the flags of `c` (with `docker` also what is
// docker's, and the flags of its parents) or among the children of `c`; NULL if nothing is near
// enough to be meant.
const char *command_nearest_flag(const struct command *c, const char *typed, bool docker);
const char *command_nearest_child(const struct command *c, const char *typed);
// The parent of `c`; NULL for the program itself.
const struct command *command_parent(const struct command *c);
