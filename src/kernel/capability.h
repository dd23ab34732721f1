// SPDX-License-Identifier: Apache-2.0
// Capabilities, as bit masks (1 << CAP_x); names live in oci/. `int`: 0 or an errno, child-safe.
// Specification: capabilities(7).
#pragma once
#include "base/error.h"
#include <stdint.h>

struct capability_sets {
	uint64_t bounding, permitted, effective, inheritable, ambient;
};

unsigned capability_last(void);                       // the highest that this kernel knows
uint64_t capability_known(void);                      // mask of all that it knows
fallible capability_get(struct capability_sets *ret); // our own

// The order before exec: drop_bounding (needs CAP_SETPCAP), keep_caps, change of the IDs, set.
// Drops from the bounding set what is not in `keep`.
int capability_drop_bounding(uint64_t keep);
// Sets permitted, effective, inheritable and ambient (not bounding). Bits that the kernel doesn't
// know are ignored; asking for more than permitted is EPERM; ambient ones must be permitted and
// inheritable (EPERM).
int capability_set(const struct capability_sets *sets);
// Takes some out of our effective set, and leaves them permitted.
int capability_suspend(uint64_t which);
