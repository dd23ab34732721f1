// SPDX-License-Identifier: Apache-2.0
// Namespaces: kinds, clone3, setns, ID maps. `int` functions: 0 or an errno, child-safe.
// Specification: clone(2), setns(2), user_namespaces(7); runtime-spec config-linux.md, namespaces.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct namespace_kind {
	const char *type;    // runtime-spec, linux.namespaces[].type
	const char *proc;    // below /proc/PID/ns
	uint64_t clone_flag; // CLONE_NEW*
};
enum { NAMESPACE_KINDS = 8 };
// In the order in which they must be entered: user first, mount last.
extern const struct namespace_kind namespace_kinds[NAMESPACE_KINDS];
const struct namespace_kind *namespace_find(const char *type); // NULL if there is none

struct namespace_clone {
	// CLONE_NEW* but CLONE_NEWTIME, whose offsets need unshare(2): EINVAL. CLONE_PARENT: our
	// sibling, who gets no exit_signal of its own.
	uint64_t flags;
	int cgroup;      // descriptor of a v2 group to be born in; -1: ours
	int exit_signal; // usually SIGCHLD; with CLONE_PARENT 0
};
// Like fork: returns 0 twice, *ret_pid is 0 in the child. The parent gets a pidfd as well.
int namespace_clone(const struct namespace_clone *c, pid_t *ret_pid, int *ret_pidfd);

// Enters the namespaces `flags` of a process (by its pidfd) in one call. ESRCH: it is reaped. A
// pid namespace holds for children only, and if its init has died a fork afterwards is ENOMEM.
int namespace_enter_process(int pidfd, uint64_t flags);
// Enters the one namespace behind a descriptor; `flag` is checked (EINVAL if it is another kind).
int namespace_enter(int fd, uint64_t flag);
// Opens a namespace file as the spec names it; must be of that kind. NOT_FOUND, INVALID.
fallible namespace_open(const struct namespace_kind *kind, const char *path, int *ret);

struct id_map {
	uint32_t inside, outside, count;
};
enum { ID_MAPS_MAX = 340 }; // the kernel's UID_GID_MAP_MAX_EXTENTS
struct id_maps {
	struct id_map *uids, *gids;
	size_t n_uids, n_gids;
};
// Writes /proc/PID/uid_map and gid_map of a process in a new user namespace. deny_setgroups: for
// callers without CAP_SETGID. INVALID: too many, empty, or overlapping maps.
fallible id_maps_write(pid_t pid, const struct id_maps *maps, bool deny_setgroups);
// The maps of the user namespace that a process is in, outside IDs as the caller sees them; in the
// arena. *ret_denies_groups: nobody may set groups in it. NOT_FOUND: there is no such process.
fallible id_maps_read(pid_t pid, struct arena *arena, struct id_maps *ret, bool *ret_denies_groups);
// The outside ID of `inside`, or -1. For making files owned by the container's root.
int64_t id_map_outside(const struct id_map *maps, size_t n, uint32_t inside);
