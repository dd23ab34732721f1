// SPDX-License-Identifier: Apache-2.0
// What --help prints, from the command's row.
#pragma once
#include "base/text.h"
#include "cli/invocation.h"

void help_print(const struct invocation *in, struct str *out);

// "-t, --tty", "--env NAME=VALUE", as help and manual show a flag.
void help_flag_spelling(struct str *out, const struct flag *f, bool docker);
// The flag is shown by help and manual under this face.
bool help_shows_flag(const struct flag *f, bool ctr);
bool help_shows_command(const struct command *c);
