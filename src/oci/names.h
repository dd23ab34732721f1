// SPDX-License-Identifier: Apache-2.0
// Names of the kernel's numbers, as specs and command lines write them: Linux', on any host.
#pragma once
#include "base/error.h"
#include <stdint.h>

#define OCI_CAPABILITIES 41 // CAP_CHOWN 0 … CAP_CHECKPOINT_RESTORE 40
#define OCI_RLIMITS 16
#define OCI_SIGNAL_MAX 64

// "CAP_CHOWN" or "chown", any case. -1 if unknown.
int oci_capability_number(const char *name);
const char *oci_capability_name(int number); // "CAP_CHOWN"; NULL if unknown
// "RLIMIT_NOFILE". -1 if unknown.
int oci_rlimit_number(const char *name);
const char *oci_rlimit_name(int number);
// "SIGTERM", "term", "15", "RTMIN+3", "SIGRTMAX-1". Errors: INVALID, `invalid signal: NOSUCH`
// (0 and more than 64 too).
fallible oci_signal_parse(const char *text, int *ret);
const char *oci_signal_name(int number); // "SIGTERM"; NULL for real-time and unknown ones
