// SPDX-License-Identifier: Apache-2.0
// Words of docker's and podman's that coracle has under another name, or not yet: what letters
// alone can't tell. Asked before the nearest spelling is.
#pragma once
#include "base/text.h"
#include "cli/invocation.h"

// The hint for `word`, which in->command has no child of; for `name`, which is none of its flags.
// false, and *ret untouched: it is no word of docker's, or there is nothing to say about it.
bool docker_command_hint(const struct invocation *in, const char *word, struct str *ret);
bool docker_flag_hint(const struct invocation *in, const char *name, struct str *ret);
