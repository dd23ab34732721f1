// SPDX-License-Identifier: Apache-2.0
// External plugins. Private to network/. Specification: CNI SPEC.md, section 3; libcni pkg/invoke.
#pragma once
#include "network/plugins/call.h"

// NO_PROGRAM: `failed to find plugin "T" in path [A B]`. *ret is the caller's.
fallible exec_find(const struct network_paths *paths, const char *type, char **ret);
// Runs it as a process group of its own, killed at the deadline. What it writes to standard error
// is passed on to ours. ret_answer (may be NULL) gets what it printed, NULL for nothing.
fallible exec_plugin(const struct plugin_call *c, const char *path, const char *command,
                     struct json **ret_answer);
