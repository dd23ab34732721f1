// SPDX-License-Identifier: Apache-2.0
// Standard output and standard error: what is printed, and whether it arrived.
#pragma once
#include "base/text.h"
#include "cli/invocation.h"

#define OUTPUT_LIMIT (64 << 20) // bytes of one printed document

// Foreign text, made safe for a terminal: control characters become \xNN.
void output_clean(struct str *out, const char *text);
// The same, but line ends and tabs stay: for documents.
void output_clean_lines(struct str *out, const char *text);

void output_str(const struct str *s); // to standard output
// For what is written bit by bit. False: it can't be written, which output_finish() tells.
bool output_bytes(FILE *to, const char *bytes, size_t size);
bool output_flush(void);            // standard output
void output_line(const char *text); // cleaned, with a new line
// Everything printed so far leaves the program. SYSTEM: standard output can't take it.
fallible output_finish(void);

// Colours and bars: standard error is a terminal, NO_COLOR isn't set, TERM isn't dumb.
bool output_is_fancy(void);

// A line on standard error besides the command's error; `level` is warning or error. As ctr: the
// line of its logger, which scripts may look for; `cause` may be NULL.
void output_log(const struct invocation *in, const char *level, const char *message,
                const char *cause);
// A remark: "coracle: note: …", on standard error.
void output_note(const struct invocation *in, const char *format, ...) PRINTF(2, 3);
