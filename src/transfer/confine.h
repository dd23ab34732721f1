// SPDX-License-Identifier: Apache-2.0
// What the worker does to itself before the first foreign byte. It stands in new mount, network,
// IPC, UTS and pid namespaces already (client.c).
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct confine_folder {
	const char *name; // in the worker's root
	int mount;        // a detached mount
	bool writable;
	int fd; // written: the folder, opened
};

struct confine_role {
	struct confine_folder *folders;
	size_t n_folders;
	uint64_t capabilities;  // kept; bit mask
	uint64_t file_size_max; // of one file; 0: no limit
};

// In this order: a tmpfs as root with the folders in it, nothing else, read-only; limits;
// capabilities; no_new_privs; Landlock. *ret_landlock: its ABI, 0 if the kernel has none.
// Threads made afterwards are as confined as this one; there may be none before.
fallible confine_begin(struct confine_role *role, int *ret_landlock);
// The filter of system calls, for all threads. `writes_layers`: what unpacking needs beside.
fallible confine_end(bool writes_layers);
