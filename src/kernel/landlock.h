// SPDX-License-Identifier: Apache-2.0
// Landlock: a process confines itself to directories. Specification: landlock(7).
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

// LANDLOCK_ACCESS_FS_* by their values, since old headers lack the newer ones.
enum landlock_access {
	LANDLOCK_EXECUTE = 1 << 0,
	LANDLOCK_WRITE_FILE = 1 << 1,
	LANDLOCK_READ_FILE = 1 << 2,
	LANDLOCK_READ_DIR = 1 << 3,
	LANDLOCK_REMOVE_DIR = 1 << 4,
	LANDLOCK_REMOVE_FILE = 1 << 5,
	LANDLOCK_MAKE_CHAR = 1 << 6,
	LANDLOCK_MAKE_DIR = 1 << 7,
	LANDLOCK_MAKE_REG = 1 << 8,
	LANDLOCK_MAKE_SOCK = 1 << 9,
	LANDLOCK_MAKE_FIFO = 1 << 10,
	LANDLOCK_MAKE_BLOCK = 1 << 11,
	LANDLOCK_MAKE_SYM = 1 << 12,
	LANDLOCK_REFER = 1 << 13,     // ABI 2: link and rename between directories
	LANDLOCK_TRUNCATE = 1 << 14,  // ABI 3
	LANDLOCK_IOCTL_DEV = 1 << 15, // ABI 5
	LANDLOCK_READ = LANDLOCK_READ_FILE | LANDLOCK_READ_DIR,
	LANDLOCK_ALL = (1 << 16) - 1,
};

struct landlock_path {
	int fd;          // directory or file, O_PATH is enough
	uint64_t access; // enum landlock_access; for a file those of directories are dropped
};

struct landlock_rules {
	const struct landlock_path *paths; // everything else beneath no path is refused
	size_t n_paths;
	bool no_tcp;   // ABI 4: neither bind nor connect
	bool no_scope; // ABI 6: no abstract sockets of, no signals to, processes outside
};

int landlock_abi(void); // 0: this kernel has none; never fails

// Prepares a ruleset. Rights that this kernel doesn't know are left out, so that it is as strict as
// possible. *ret_abi (may be NULL) tells. Errors: UNSUPPORTED (no Landlock at all).
fallible landlock_prepare(const struct landlock_rules *rules, int *ret_ruleset, int *ret_abi);
// Confines this thread and its children for ever: 0 or an errno, child-safe. Needs no_new_privs.
int landlock_restrict(int ruleset);
