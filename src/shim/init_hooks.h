// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "shim/hook.h"

// Runs the hooks of the file `fd`; `enter` is called in each one's process. As hook_run(); *ret
// gets which one it was (-1: the file can't be read) and what it said.
int init_run_hooks(int fd, int (*enter)(void *context), void *context, struct shim_report *ret);
