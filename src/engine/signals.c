// SPDX-License-Identifier: Apache-2.0
#include "engine/signals.h"
#include "oci/names.h"
#include <sys/signalfd.h>
#include <unistd.h>

const int signals_of_end[SIGNALS_OF_END] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

fallible signals_catch(int *ret_signalfd, sigset_t *ret_old)
{
	// Not: what is ours alone (CHLD), what means nothing to forward (URG), what errors raise,
	// and what stops us on a terminal.
	static const int left[] = {SIGCHLD, SIGURG,  SIGPIPE, SIGSEGV, SIGBUS,  SIGFPE,
	                           SIGILL,  SIGTRAP, SIGABRT, SIGTSTP, SIGTTIN, SIGTTOU};
	sigset_t set;
	sigfillset(&set);
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		sigdelset(&set, left[i]);
	if (sigprocmask(SIG_BLOCK, &set, ret_old) < 0)
		FAIL_ERRNO("block signals");
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		FAIL_ERRNO("signalfd");
	*ret_signalfd = fd;
	return NULL;
}

void signals_let_in(struct engine *e, const sigset_t *old)
{
	e->signals = *old;
	if (!e->leaves)
		sigprocmask(SIG_SETMASK, old, NULL);
}

fallible signals_check(int signalfd)
{
	struct signalfd_siginfo info;
	while (read(signalfd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int signal = (int)info.ssi_signo;
		for (size_t i = 0; i < SIGNALS_OF_END; i++)
			if (signal == signals_of_end[i])
				return error_new(ERROR_SYSTEM, "interrupted by %s",
				                 oci_signal_name(signal));
	}
	return NULL;
}
