// SPDX-License-Identifier: Apache-2.0
// Runs one hook of a container: a program with the container's state on its standard input.
// Async-signal-safe, and without memory of its own: it happens in the engine, in init before the
// change of root, and in coracle-init after it.
// Specification: OCI runtime-spec 1.2, config.md (POSIX-platform Hooks), runtime.md (State).
#pragma once
#include "shim/protocol.h"
#include <sys/types.h>

struct hook {
	const char *path;
	char *const *argv, *const *env; // end with NULL
	int timeout_s;                  // 0: none
};

struct hook_call {
	struct hook hook;
	const char *before, *behind; // the state: JSON around the pid; behind NULL: without one
	pid_t pid;
	int interrupt_fd;            // once it is readable the hook is killed; -1
	int (*enter)(void *context); // in the hook's process, last before exec: 0 or an errno; NULL
	void *context;
};

enum { HOOK_TEXT = sizeof(((struct shim_report *)0)->text) };
// Waits for the hook's end; what it has started may go on. It is the leader of a session of its
// own, has the standard actions of all signals, nothing open but 0 to 2, and dies with us. When its
// time is over all of its process group is killed. `said` gets the end of what a failed one wrote
// to standard output and error. Returns 0 if it exited with 0; an errno if it couldn't be executed
// or was killed by us (ETIMEDOUT, ECANCELED: interrupted); else its status as of wait(2), negative.
int hook_run(const struct hook_call *call, char said[HOOK_TEXT]);
