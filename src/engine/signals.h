// SPDX-License-Identifier: Apache-2.0
// Signals of a command that has a container's program to pass them on to: blocked from the
// beginning, so that none is lost between here and the program. Private to engine.
#pragma once
#include "engine/private.h"
#include <signal.h>

enum { SIGNALS_OF_END = 4 };
extern const int signals_of_end[SIGNALS_OF_END]; // with them somebody wants an end

// Blocks those that are forwarded; *ret_old is to be restored, *ret_signalfd is the caller's.
fallible signals_catch(int *ret_signalfd, sigset_t *ret_old);
// Restores it. Behind life_leave() that is life_part()'s: whoever was waited for has ended, and
// what is left has its child first.
void signals_let_in(struct engine *e, const sigset_t *old);
// Before the program runs a signal is for us: an error if one came that wants an end; the others
// are gone.
fallible signals_check(int signalfd);
