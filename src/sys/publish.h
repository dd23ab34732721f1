// SPDX-License-Identifier: Apache-2.0
// Publishing: a file appears under its name whole or not at all, also to other processes.
// The order of docs/design.md §4: write, fdatasync, link or rename, fsync of the folder.
#pragma once
#include "base/error.h"
#include "sys/fd.h"
#include <stddef.h>

enum publish_flags {
	PUBLISH_DURABLE = 1, // on disk when it returns
	PUBLISH_REPLACE = 2, // over a file of that name; without it EXISTS
};

// Writes `size` bytes as `name` in `dirfd` with exactly `mode`.
fallible publish_bytes(int dirfd, const char *name, const void *bytes, size_t size, unsigned mode,
                       int flags);
// Renames `from` in `fromdir` to `to` in `todir`. Without PUBLISH_REPLACE an existing `to` is
// EXISTS and nothing has changed. PUBLISH_DURABLE: both folders are synced afterwards; what the
// names stand for must have been synced by the caller before.
fallible publish_rename(int fromdir, const char *from, int todir, const char *to, int flags);
