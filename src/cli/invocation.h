// SPDX-License-Identifier: Apache-2.0
// One command line, understood: the command, what its flags say, what is left as arguments.
#pragma once
#include "base/text.h"
#include "cli/command.h"
#include <stdint.h>

#define COMMAND_DEPTH 5 // the program, a group, a group in it, a command, and one to spare

// What the command line asks for.
enum intention {
	RUN_COMMAND,
	SHOW_HELP, // of in->command
	SHOW_VERSION,
	NO_SUCH_TOPIC, // in->topic is no command
};

struct setting {
	const struct flag *flag;
	size_t level;      // where in the lineage it stood or belongs
	const char *value; // "true" and "false" for FLAG_BOOL
};

struct invocation {
	bool ctr;            // called as ctr: its texts and exit codes
	const char *program; // "coracle" or "ctr", for messages
	enum intention intention;
	const char *topic;
	const struct command *command;
	const struct command *lineage[COMMAND_DEPTH]; // the program … command
	size_t depth;
	struct setting *settings; // in the order of the command line
	size_t n_settings, settings_capacity;
	char **args; // what stands behind the flags, borrowed from argv
	size_t n_args;
	bool closed[3]; // standard input, output, error were closed when we started
	int status;     // exit status of the program when no error came up; a command may set it
};

// How argv[0] and CORACLE_COMPAT say that we are called. `compat` may be NULL.
void invocation_face(struct invocation *in, const char *argv0, const char *compat);

// Understands argv[1…] into *in, whose face is set; all pointers borrow from argv.
// Errors: USAGE (grammar, unknown flag), UNSUPPORTED (a flag or command that is not there yet).
// *in can be released, and in->command names the command reached, in either case.
fallible invocation_parse(struct invocation *in, int argc, char **argv);
void invocation_done(struct invocation *in);

// The nearest level that knows the flag answers: the command, then its group, then the program.
// A flag that no level knows is our mistake (assert).
bool flag_given(const struct invocation *in, const char *name);
bool flag_bool(const struct invocation *in, const char *name);
const char *flag_text(const struct invocation *in, const char *name); // never NULL
int64_t flag_int(const struct invocation *in, const char *name);
uint64_t flag_uint(const struct invocation *in, const char *name);
double flag_float(const struct invocation *in, const char *name);
int64_t flag_duration_ns(const struct invocation *in, const char *name);
// Every value in order; *ret_n may be 0. The caller frees the array, not the texts.
const char **flag_texts(const struct invocation *in, const char *name, size_t *ret_n);

// The values of --env. As coracle NAME alone is the caller's variable, docker's way; one that the
// caller hasn't stays NAME alone, and so does everything as ctr.
void flag_environment(const struct invocation *in, struct strings *ret);

// Argument i, or "" where there are fewer.
const char *argument(const struct invocation *in, size_t i);
// Argument i must be there and not empty, else USAGE with that message.
fallible argument_needed(const struct invocation *in, size_t i, const char *message);
