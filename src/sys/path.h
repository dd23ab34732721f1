// SPDX-License-Identifier: Apache-2.0
// Paths by descriptor. What was checked is the descriptor, never again the name.
// Specification: openat2(2).
#pragma once
#include "base/error.h"
#include "sys/fd.h"
#include <stdint.h>

// Opens `path` beneath `dirfd`: no component may be a symbolic link or leave the directory.
// O_CLOEXEC is added. For our own folders. NOT_FOUND for ENOENT.
fallible path_open_beneath(int dirfd, const char *path, uint64_t flags, unsigned mode, int *ret);
// Opens `path` as a process whose root is `rootfd` would: links are followed inside the root,
// ".." stops at it, magic links are refused. O_CLOEXEC is added. For root file systems of images.
fallible path_open_in_root(int rootfd, const char *path, uint64_t flags, unsigned mode, int *ret);
// Opens a directory by a path that the user typed or that is ours; links are followed.
fallible path_open_dir(const char *path, int *ret);
// Makes all missing directories of an absolute path (0755, the last `mode`), opens the last one.
fallible path_make_dirs(const char *path, unsigned mode, int *ret);
// Makes directory `name` in `dirfd` unless it is there; opens it. It must be a real directory. A
// wider mode than `mode` is tightened.
fallible path_make_dir_at(int dirfd, const char *name, unsigned mode, int *ret);
// The path of an open descriptor, as /proc/self/fd tells. The caller's.
fallible path_of_fd(int fd, char **ret);
// fsync of a directory, so that names in it are durable.
fallible path_sync_dir(int dirfd, const char *what);
