// SPDX-License-Identifier: Apache-2.0
// What of ours enters a container is never our file: through /proc/PID/exe a container's root could
// open and rewrite it (CVE-2019-5736).
#pragma once
#include "base/error.h"

// A read-only detached clone of the mount below the executable `fd`, as a descriptor of the file in
// it to execveat(2) from: costs nothing. A container that holds CAP_SYS_ADMIN could make it
// writable: give that one a sealed copy. UNSUPPORTED: we lack CAP_SYS_ADMIN, or
// `fd` is of another mount namespace (as /proc/self/exe is after unshare).
fallible exec_clone_readonly(int fd, int *ret);
// A sealed copy in memory (at most 64 MiB).
fallible exec_copy_sealed(int fd, int *ret);
// The same, executable but not readable. Who executes it without CAP_DAC_OVERRIDE and
// CAP_DAC_READ_SEARCH in effect stays hidden from ptrace(2) and /proc/PID/mem until the next exec,
// as long as the sysctl fs.suid_dumpable isn't 1. (A process hidden by PR_SET_DUMPABLE ceases to be
// at any other exec.)
fallible exec_copy_hidden(int fd, int *ret);
// The cheaper of both that works, for our own executable ("/proc/self/exe") or for `fd`.
fallible exec_copy_self(int *ret);
fallible exec_copy(int fd, int *ret);
