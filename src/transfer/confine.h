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
	int fd;     // written: the folder, opened
	bool comes; // the client mounts it later, and `mount` is -1
};

// A file of the host that the worker's root has a copy of; what isn't there is left out.
struct confine_copy {
	const char *from, *to; // `to` below the root, in a folder that comes before
};

struct confine_role {
	struct confine_folder *folders;
	size_t n_folders;
	uint64_t capabilities;          // kept; bit mask
	uint64_t file_size_max;         // of one file; 0: no limit
	const char *const *directories; // empty ones, for copies; NULL behind the last
	const struct confine_copy *copies;
	size_t n_copies;
	bool network; // it may speak to others
};

// In this order: a tmpfs as root with the folders in it, nothing else, read-only; limits;
// capabilities; no_new_privs; Landlock. *ret_landlock: its ABI, 0 if the kernel has none.
// Threads made afterwards are as confined as this one; there may be none before.
fallible confine_begin(struct confine_role *role, int *ret_landlock);
// The filter of system calls, for all threads: beside what all need, what one of these does.
enum confine_calls { CONFINE_READS, CONFINE_READS_TREES, CONFINE_WRITES_LAYERS, CONFINE_SPEAKS };
fallible confine_end(enum confine_calls what);
