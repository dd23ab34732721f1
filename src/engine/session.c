// SPDX-License-Identifier: Apache-2.0
// A store's session takes long and leaves much behind if it is torn: a signal that would end us is
// held back while there is one. The worker's listener sees it (engine_transfer()) and gives up; the
// session is taken away; then the signal does what it would have done at once.
#include "engine/private.h"
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static fallible hold_signals(struct engine *e)
{
	// ALRM: --timeout.
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(*ending); i++) {
		struct sigaction now;
		// An ignored one (nohup) would be seen as well, if it were blocked.
		if (sigaction(ending[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, ending[i]);
	}
	if (sigprocmask(SIG_BLOCK, &set, &e->signals) < 0)
		FAIL_ERRNO("block signals");
	e->stop_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (e->stop_fd >= 0)
		return NULL;
	int sys = errno;
	sigprocmask(SIG_SETMASK, &e->signals, NULL);
	return error_system(sys, "signalfd");
}

static void let_signals_in(struct engine *e)
{
	fd_cleanup_(&e->stop_fd);
	sigprocmask(SIG_SETMASK, &e->signals, NULL);
}

fallible engine_begin_session(struct engine *e, struct store_session **ret)
{
	TRY(hold_signals(e));
	struct error *error = store_collect_dead_sessions(e->store);
	if (!error)
		error = store_begin_session(e->store, ret);
	if (error)
		let_signals_in(e);
	return error;
}

fallible engine_end_session(struct engine *e, struct store_session *session)
{
	struct error *error = store_end_session(session);
	let_signals_in(e);
	return error;
}
