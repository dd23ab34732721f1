// SPDX-License-Identifier: Apache-2.0
// The rules of Windows layers: private to layer/. An entry of such a layer is turned into one that
// Linux' rules take, or left out.
#pragma once
#include "layer/internal.h"

struct windows_state; // of one layer
struct windows_state *windows_state_new(void);
void windows_state_free(struct windows_state *w); // takes NULL

// *ret->name is NULL if the entry is left out. What *ret points to is valid until the next call.
// A file's first bytes may have been read: u->first.
fallible windows_entry(struct unpack *u, const struct tar_entry *e, struct tar_entry *ret);
// After each entry that was made: `name` in `dirfd` is removed again if it is a program of Windows'
// own (programs.c).
fallible windows_keep_or_remove(struct unpack *u, int dirfd, const char *name);
// Hard links come after everything else, when all that they may lead to is there: one a call, name
// NULL behind the last. Those that lead nowhere are left out.
fallible windows_next_link(struct unpack *u, struct tar_entry *ret);
// Says what was left out, if anything was.
void windows_report(struct unpack *u);

// programs.c
bool program_begins(const void *bytes, size_t size);
// Of a file below Files/Windows.
fallible program_is_windows_own(struct unpack *u, int dirfd, const char *name, bool *ret);

// windows_link.c
// Where the link `path` (below Files/) leads, relative to its folder and never above Files/. False:
// elsewhere.
bool windows_link_target(const char *path, const char *target, char ret[TAR_NAME_MAX + 1]);
