// SPDX-License-Identifier: Apache-2.0
// The caller's terminal, raw while a program's terminal is attached, and as it was afterwards,
// whatever dies first: a guard process that outlives us restores it.
#pragma once
#include "runtime/runtime.h"
#include <sys/types.h>
#include <termios.h>

struct outer_terminal {
	int fd;   // borrowed; -1: not raw
	int pipe; // its end tells the guard
	pid_t guard;
	struct termios saved;
};
#define OUTER_TERMINAL ((struct outer_terminal){.fd = -1, .pipe = -1})

// What runtime/ needs to attach `stdio`. INVALID: standard input is no terminal. `keys` as docker
// writes them ("ctrl-p,ctrl-q"; NULL: these, "": none); *ret_keys, the caller's, holds them.
fallible terminal_of(const int stdio[3], const char *keys, struct runtime_terminal *ret,
                     char **ret_keys);
fallible terminal_make_raw(int fd, struct outer_terminal *ret);
void terminal_restore(struct outer_terminal *t);
#define auto_outer_terminal defer(terminal_restore)
