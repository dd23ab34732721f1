// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "runtime/linux/plan.h"
#include "shim/protocol.h"

// The two processes: the monitor as our child, init as the monitor's.
struct launch {
	const struct runtime_request *request;
	struct plan *plan;
	int cgroup;           // to be born in; -1
	int fds[SHIM_FD_END]; // what the monitor gets at each number; -1: nothing
	int null;             // for its 0 to 2

	pid_t ret_monitor, ret_init;
};
// After it returns, descriptors of the plan and of `fds` are no more needed here. Init has its own
// copy of everything and runs. On an error there is no monitor, and init ends by itself.
fallible launch(struct launch *l);
