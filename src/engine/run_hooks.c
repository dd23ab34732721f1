// SPDX-License-Identifier: Apache-2.0
// A run that has hooks: who doesn't want to wait for them, and when those of the end may come.
#include "engine/run.h"
#include "engine/signals.h"
#include <sys/signalfd.h>
#include <unistd.h>

// It can be seen here that somebody wants an end, and is taken by those who read run->signalfd.
fallible run_watch_interrupts(struct run *run)
{
	sigset_t set;
	if (!oci_spec_has_hooks(run_linux_spec(run)))
		return NULL;
	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS_OF_END; i++)
		sigaddset(&set, signals_of_end[i]);
	run->engine->interrupt_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (run->engine->interrupt_fd < 0)
		FAIL_ERRNO("signalfd");
	return NULL;
}

void run_forget_interrupts(struct run *run)
{
	struct error *e = NULL;
	while (run->engine->interrupt_fd >= 0 && (e = signals_check(run->signalfd)))
		error_drop(&e); // it was heard
}

// Hooks of the end come when no process is left, also where init's end isn't everybody's. The
// monitor stays meanwhile: it cleans in our stead if we are killed. What asked us to give up
// waiting for the container was not about them.
fallible run_settle_hooks(struct run *run)
{
	if (!oci_spec_has_hooks(run_linux_spec(run)))
		return NULL;
	run_forget_interrupts(run);
	struct error *e = runtime_signal_all(run->cgroup, SIGKILL);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // there was no group
	return e;
}
