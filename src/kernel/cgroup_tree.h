// SPDX-License-Identifier: Apache-2.0
// Hierarchies and groups inside. Private to kernel/.
#pragma once
#include "kernel/cgroup.h"
#include <dirent.h>

enum v1_hierarchy {
	V1_MEMORY,
	V1_CPU,
	V1_CPUSET,
	V1_PIDS,
	V1_DEVICES,
	V1_BLKIO,
	V1_HIERARCHIES,
	V1_NONE = V1_HIERARCHIES,
};

struct cgroups {
	int v2; // the directory below which groups are made; -1: none
	bool is_v2_writable;
	char *v2_controllers;   // " memory pids …" of it, a blank before and behind each
	int v1[V1_HIERARCHIES]; // roots, -1: not mounted or not writable
};

struct cgroup {
	const struct cgroups *c;
	char *path; // without a slash before
	int v2;     // -1: only in v1 hierarchies, left over
};

// Makes directory `path` below `root`, with all before it; the last must be new if `exclusive`.
// 0 or an errno. Others may remove empty parents at the same time.
int cgroup_make_path(int root, const char *path, bool exclusive, int *ret);
int cgroup_open_path(int root, const char *path, int *ret); // 0 or an errno
// A group, and not "." or "..": a container may well name one ".x".
static inline bool cgroup_is_child(const struct dirent *d)
{
	return d->d_type == DT_DIR && strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}
// The first directory below `fd` into `name` (256 bytes); false: there is none.
bool cgroup_first_child(int fd, char *name);
bool cgroups_has_v2(const struct cgroups *c, const char *controller);

// ---- Files of a group (cgroup_limits.c) ---------------------------------------------------------

int cgroup_write(int group, const char *file, const char *value); // 0 or an errno
bool cgroup_lacks(int sys); // the limit isn't to be had here: no file, or not for us
// Every group above must hand the controller down. 0 or an errno (EBUSY: one has processes in it).
int cgroup_enable_v2(const struct cgroup *g, const char *controller);
