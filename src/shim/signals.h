// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <signal.h>
#include <stddef.h>

// What the next program shall find, before exec: nothing ignored, nothing blocked.
static inline void signals_reset(void)
{
	const struct sigaction standard = {.sa_handler = SIG_DFL};
	for (int n = 1; n < NSIG; n++)
		sigaction(n, &standard, NULL); // some can't be changed, and needn't
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
