// SPDX-License-Identifier: Apache-2.0
// What becomes of an error: its lines on standard error and the exit status of the program.
#pragma once
#include "cli/invocation.h"

#define EXIT_NO_TOPIC 3 // as ctr: an unknown command

// "ctr: MESSAGE" or "coracle: MESSAGE", then "hint: …" if there is one. One line each, whatever
// foreign text the message quotes.
void report_failure(const struct invocation *in, const struct error *e);
// As ctr 1 for every error; as coracle 125 the engine failed, 126 the program of the container is
// not executable, 127 it is not there, 2 the command line is wrong.
int report_status(const struct invocation *in, const struct error *e);

// For commands over several objects, of which some fail: takes over `e`. *pending, NULL at first,
// becomes the command's own error; the others are lines before it, in the same form and the order
// of the objects; the exit status is the first one's. As ctr each is a line of its logger, under
// `message`, and the command's own is the first.
void report_one_of(const struct invocation *in, struct error **pending, struct error *e,
                   const char *message);

// Words that ctr puts before an error, and we don't. Takes and returns `e`.
struct error *report_as_ctr(const struct invocation *in, struct error *e, const char *prefix);
