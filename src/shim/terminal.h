// SPDX-License-Identifier: Apache-2.0
// The terminal of a program, held by its monitor: init makes it from the container's own devpts
// and sends it here; whoever attaches gets a stream of what comes out and types into it.
// What comes out is read when everybody attached has taken the last of it: a reader that stops
// stops the program, as on any terminal. With nobody there it is read at once.
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum { TERMINAL_SESSIONS = 4, TERMINAL_POLLS = 2 + TERMINAL_SESSIONS };

// `socket` is where the master and the slave come from. With `is_logged` output goes to the log.
void terminal_begin(int socket, bool is_logged, bool is_filed); // filed: into SHIM_FD_TO
bool terminal_exists(void);
// Takes over a stream socket; 0, or an errno (ENOTTY: there is no terminal, EBUSY: no room).
int terminal_attach(int session);
void terminal_resize(uint16_t rows, uint16_t columns);
// What to wait for, and what to do then.
void terminal_poll(struct pollfd p[TERMINAL_POLLS]);
void terminal_serve(const struct pollfd p[TERMINAL_POLLS]);
// After the program's end: what is left goes out, to a session that doesn't take it for a while.
void terminal_end(void);
