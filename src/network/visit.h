// SPDX-License-Identifier: Apache-2.0
// Visits to another network namespace. Private to network/.
#pragma once
#include "base/error.h"

struct visit {
	int home; // the namespace to go back to
};
// Enters `netns_fd`. Every success is followed by visit_leave().
fallible visit_enter(int netns_fd, struct visit *ret);
// Back. If that fails the process ends: it must not go on in the wrong namespace.
fallible visit_leave(struct visit *visit);
// BUSY if `netns_fd` is the caller's own namespace. INVALID if it is none.
fallible visit_check_foreign(int netns_fd, const char *path);
// INVALID if it isn't a network namespace.
fallible visit_check_netns(int fd, const char *path);
#define VISIT_OWN "/proc/thread-self/ns/net"
