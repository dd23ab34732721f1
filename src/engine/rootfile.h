// SPDX-License-Identifier: Apache-2.0
// Files of an image's root, read from its layers or from a folder. Everything in them is foreign.
#pragma once
#include "base/error.h"
#include <stddef.h>

enum { ROOT_FILE_LIMIT = 1 << 20 }; // bytes

struct root_files {
	int dirfd;         // the root as a folder; -1: `layers`
	const int *layers; // the topmost first
	size_t n_layers;
};

// Reads DIR/NAME ("etc", "passwd") as a process in that root would see it. *ret is NULL if there is
// no such file, else the caller's, with a zero behind its bytes. Errors: INVALID (not a regular
// file), LIMIT, SYSTEM.
fallible root_file_read(const struct root_files *root, const char *dir, const char *name,
                        char **ret, size_t *ret_size);
