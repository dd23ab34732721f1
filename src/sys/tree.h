// SPDX-License-Identifier: Apache-2.0
// Trees of files, by descriptors, without crossing a mount: a recursive delete that meets a bind
// mount would delete the user's data.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdint.h>

// Removes `name` in `dirfd` and all below it. What is not there is no error, so that
// several may remove one tree at once. A mount point below is BUSY, and everything else is removed
// as far as possible. Any depth; needs few descriptors.
fallible tree_remove(int dirfd, const char *name);
// The names in the directory `path` below `dirfd` ("." is that one itself), sorted, without "." and
// "..". The offset of `dirfd` is left alone. Errors: SYSTEM.
fallible tree_names(int dirfd, const char *path, struct strings *ret);
// Sums up what is below `dirfd`: allocated bytes (blocks × 512, hard links once) and inodes, the
// directory itself included.
fallible tree_usage(int dirfd, uint64_t *ret_bytes, uint64_t *ret_inodes);
