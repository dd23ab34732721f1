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
// The cheaper of both that works, for our own executable ("/proc/self/exe") or for `fd`.
fallible exec_copy_self(int *ret);
fallible exec_copy(int fd, int *ret);
