// SPDX-License-Identifier: Apache-2.0
// Processes. A pid alone proves nothing: it is kept with its start time and the boot ID.
#pragma once
#include "base/error.h"
#include <stdint.h>
#include <sys/types.h>

enum { BOOT_ID_SIZE = 37 }; // "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and a zero
fallible boot_id(char ret[BOOT_ID_SIZE]);

// Field 22 of /proc/PID/stat: clock ticks since the boot. NOT_FOUND if there is no such process.
fallible process_start_time(pid_t pid, uint64_t *ret);
// True if `pid` is alive (a zombie isn't) and started at `start_time`.
bool process_is_alive(pid_t pid, uint64_t start_time);
// A pidfd of `pid` if it still is the process that started at `start_time`; NOT_FOUND otherwise.
fallible process_open(pid_t pid, uint64_t start_time, int *ret);

// 64 random bits, never 0.
uint64_t random_u64(void);
// A random GUID (RFC 4122 §4.4), lower case: 36 characters and a zero.
void random_guid(char ret[37]);

// Runs a program to its end: argv[0] is its path. Descriptors 0–2 come from `stdio` (-1: /dev/null;
// NULL: ours). Others are closed. environment NULL: ours. *ret_status is that of waitpid(2).
fallible process_run(const char *const *argv, const char *const *environment, const int stdio[3],
                     int *ret_status);
// The folder of our own programs (coracle-shim, coracle-transfer): $CORACLE_LIBEXEC, else the
// folder of our executable if they lie there, else ../libexec/coracle beside it. The caller's.
fallible process_libexec(char **ret);
