// SPDX-License-Identifier: Apache-2.0
// Files below /proc/sys/net: they show the network namespace of whoever opens them.
// Private to network/.
#pragma once
#include "base/error.h"

// Writes unless the value is there already: /proc/sys may be read-only and right.
fallible sysctl_set(const char *value, const char *path, ...) PRINTF(2, 3);
// Switches forwarding of a family on. For IPv6 interfaces that learnt their routes from router
// advertisements go on learning them (accept_ra 2): with 1 they would forget the default route.
fallible sysctl_forward(int family);
