// SPDX-License-Identifier: Apache-2.0
// Init between clone3 and exec: everything here is async-signal-safe, works on the plan alone, and
// returns 0 or an errno.
#pragma once
#include "runtime/linux/report.h"

struct child_source { // a mount that covers many places: attached once, cloned afterwards
	int mount;
	bool is_attached;
};

struct child {
	struct plan *plan;
	int root; // root of the container's mounts; the only thing that paths are resolved in
	int dev;  // /dev; -1
	bool dev_is_ours;
	struct child_source empty_dir, empty_file;
	const char *program; // the candidate that will be executed
	int index;           // what the step was at
	char text[sizeof(((struct shim_report *)0)->text)];
	char home[4096]; // "HOME=…"
};

// Carries out the plan and executes, or reports and ends.
_Noreturn void child_main(struct plan *plan);

// Opens a path of the container: links stay inside its root, magic links are refused. `resolve`
// adds RESOLVE_*.
int child_open(int root, const char *path, uint64_t flags, uint64_t resolve, int *ret);
// Opens (O_PATH) a mount point, making what is missing: directories (0755), and an empty file at
// the end if `is_file`. A dangling link is followed and its target made, inside the root.
// is_strict: there may be no links.
int child_make_target(int root, const char *path, bool is_file, bool is_strict, int *ret);

// The mount itself, detached; the kernel's words go to `text`.
int child_make_mount(const struct plan_mount *m, int *ret, char *text, size_t size);
int child_attach_root(struct child *c);
int child_mounts(struct child *c);
int child_devices(struct child *c);
int child_sysctls(struct child *c);
int child_readonly_paths(struct child *c);
int child_masked_paths(struct child *c);
int child_readonly_root(struct child *c);
int child_pivot(struct child *c);
// The container's /dev/null, certainly 1:3.
int child_open_null(struct child *c, int *ret);

int child_make_cwd(struct child *c);
int child_cwd(struct child *c);
int child_home(struct child *c);
int child_rlimits(struct child *c);
int child_find_program(struct child *c);
