// SPDX-License-Identifier: Apache-2.0
// What a driver is. Private to snapshot/. Rows, keys, publishing and messages are the same for all:
// snapshot.c. A snapshot's folder is snapshots/<driver>/N; its tree is `fs` in it.
#pragma once
#include "snapshot/snapshot.h"

// The folders that one snapshot stands on, as paths: for mounts that somebody else makes.
struct snapshot_paths {
	enum store_snapshot_kind kind;
	const char *own;          // …/N
	const char *const *lower; // …/N of what is below, top first
	size_t n_lower;
};

struct snapshot_driver {
	const char *name;
	bool copies; // a folder holds all of its tree, also what came from below
	// Makes `fs` (and what else the driver wants) in the empty folder `dirfd`. parent_fs: the
	// `fs` of the snapshot below; -1 for none. *ret_fs is the caller's.
	struct error *(*fill)(int dirfd, enum store_snapshot_kind kind, int parent_fs, int *ret_fs);
	// What to mount.
	void (*mounts)(const struct snapshot_paths *p, struct snapshot_mounts *ret);
};

extern const struct snapshot_driver snapshot_overlay, snapshot_native, snapshot_windows;
// overlayfs' fill: `fs`, and `work` of active ones.
fallible snapshot_fill_overlay(int dirfd, enum store_snapshot_kind kind, int parent_fs,
                               int *ret_fs);

// Adds a mount; its options are added with snapshot_add_option().
struct snapshot_mount *snapshot_add_mount(struct snapshot_mounts *m, const char *type,
                                          const char *source);
void snapshot_adopt_option(struct snapshot_mount *m, char *option); // takes it over
void snapshot_add_option(struct snapshot_mount *m, const char *option);

// Makes `name` in dirfd with the mode and owner of like_fd (-1: 0755, root).
fallible snapshot_make_root(int dirfd, const char *name, int like_fd, int *ret_fd);
