// SPDX-License-Identifier: Apache-2.0
// Control groups: v2, v1 and hybrid behind one contract.
// The v2 group always exists, also where v1 has the controllers: it is the list of processes, kills
// and freezes. v1 hierarchies get a group of the same name only when a limit needs one. Groups are
// named before they are made (docs/design.md §4), so that gc finds them.
// Specification: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// ---- Limits -------------------------------------------------------------------------------------

enum cgroup_limit { // bits of cgroup_limits.set and of what could not be set
	CGROUP_MEMORY_LIMIT = 1 << 0,
	CGROUP_MEMORY_RESERVATION = 1 << 1,
	CGROUP_MEMORY_SWAP = 1 << 2,
	CGROUP_MEMORY_SWAPPINESS = 1 << 3,
	CGROUP_OOM_KILL_DISABLE = 1 << 4,
	CGROUP_CPU_SHARES = 1 << 5,
	CGROUP_CPU_QUOTA = 1 << 6,
	CGROUP_CPU_PERIOD = 1 << 7,
	CGROUP_CPU_BURST = 1 << 8,
	CGROUP_CPU_IDLE = 1 << 9,
	CGROUP_CPUSET_CPUS = 1 << 10,
	CGROUP_CPUSET_MEMS = 1 << 11,
	CGROUP_PIDS_LIMIT = 1 << 12,
	CGROUP_BLKIO_WEIGHTS = 1 << 13,
	CGROUP_DEVICES = 1 << 14,
	CGROUP_UNIFIED = 1 << 15,
	CGROUP_BLKIO_THROTTLES = 1 << 16,
	CGROUP_BLKIO_LEAF_WEIGHTS = 1 << 17,
	CGROUP_LIMITS = 18, // how many there are
};
const char *cgroup_limit_name(enum cgroup_limit bit); // "memory limit": for messages

struct cgroup_device { // runtime-spec, linux.resources.devices[]
	bool allow;
	char type;            // 'b', 'c' or 'a' (both)
	int64_t major, minor; // -1: any
	bool read, write, mknod;
};
struct cgroup_file { // runtime-spec, linux.resources.unified: written as they stand, v2 only
	const char *name, *value;
};
struct cgroup_throttle { // runtime-spec, linux.resources.blockIO.throttle…
	enum cgroup_throttle_kind {
		CGROUP_READ_BPS, // bytes a second
		CGROUP_WRITE_BPS,
		CGROUP_READ_IOPS, // operations a second
		CGROUP_WRITE_IOPS,
		CGROUP_THROTTLE_KINDS,
	} kind;
	uint32_t major, minor;
	uint64_t rate; // 0: none
};
struct cgroup_weight {  // runtime-spec, linux.resources.blockIO.weight…, leafWeight…
	bool is_leaf;   // against the groups inside: CFQ's, which kernels have up to 4.20
	bool of_device; // else of all that have no weight of their own
	uint32_t major, minor;
	uint16_t weight; // 10 to 1000
};
// runtime-spec, linux.resources. A field counts only if its bit is in `set`. Borrowed pointers.
struct cgroup_limits {
	uint32_t set;
	int64_t memory_limit_bytes, memory_reservation_bytes; // -1: none
	int64_t memory_swap_bytes;                            // memory and swap together; -1: none
	uint64_t memory_swappiness;
	bool oom_kill_disable;
	uint64_t cpu_shares;  // 2 to 262144, 1024 usual; v2 gets the weight by runc's formula
	int64_t cpu_quota_us; // in each period; -1: none
	uint64_t cpu_period_us, cpu_burst_us;
	int64_t cpu_idle;
	const char *cpuset_cpus, *cpuset_mems; // "0-3,7"
	int64_t pids_limit;                    // -1 (and 0): none
	const struct cgroup_weight *weights;   // those that are no leaf's, those that are, or both
	size_t n_weights;
	const struct cgroup_throttle *throttles;
	size_t n_throttles;
	const struct cgroup_device *devices; // in order, the last that matches decides
	size_t n_devices;
	const struct cgroup_file *unified;
	size_t n_unified;
};

// ---- This machine -------------------------------------------------------------------------------

struct cgroups; // the hierarchies of this machine
// Finds them. A machine without a mounted cgroup2 gets a detached one, seen by nobody.
// Never fails for lack of rights: then cgroup_create() says UNSUPPORTED. What else keeps it from
// looking is an error, so that a group that lives is never taken for one that is gone.
fallible cgroups_open(struct cgroups **ret);
void cgroups_close(struct cgroups *c); // takes NULL
static inline void cgroups_cleanup_(struct cgroups **c)
{
	cgroups_close(*c);
}
#define auto_cgroups defer(cgroups_cleanup_)
// Limits that could be set here: a v1 hierarchy or a v2 controller exists and can be written to.
uint32_t cgroups_possible(const struct cgroups *c);

// Paths (relative to the hierarchies' root, without a slash before) of all groups that lie exactly
// `depth` names below `prefix`, in any hierarchy; sorted, each once. For gc: prefix
// "coracle/<store>", depth 2. No such prefix: nothing.
fallible cgroups_list(const struct cgroups *c, const char *prefix, unsigned depth,
                      struct strings *ret);

// ---- One group ----------------------------------------------------------------------------------

struct cgroup; // borrows its struct cgroups
// Makes the v2 group `path` ("coracle/<store>/<ns>/<id>.<instance>", at most 8 names, 4 KiB; a
// slash before it is fine), below the root of the hierarchy, or if that can't be written below our
// own group. EXISTS: it is there. UNSUPPORTED: no hierarchy can be written to.
fallible cgroup_create(const struct cgroups *c, const char *path, struct cgroup **ret);
// Opens one that is there in any hierarchy; NOT_FOUND.
fallible cgroup_open(const struct cgroups *c, const char *path, struct cgroup **ret);
void cgroup_free(struct cgroup *g); // forgets, doesn't remove; takes NULL
static inline void cgroup_cleanup_(struct cgroup **g)
{
	cgroup_free(*g);
}
#define auto_cgroup defer(cgroup_cleanup_)

// The v2 directory, for CLONE_INTO_CGROUP (borrowed).
int cgroup_fd(const struct cgroup *g);
// Sets the limits, before a process is in (devices: after its devices are made). *ret_missing gets
// the bits for which no writable controller exists: the caller warns or fails. A value that the
// kernel refuses is an error that names file and value.
// Makes the v1 groups that it needs.
fallible cgroup_apply(struct cgroup *g, const struct cgroup_limits *l, uint32_t *ret_missing);
// Puts a process into the v1 groups that exist, and into the v2 group unless it was born there. To
// be called before it runs foreign code.
fallible cgroup_join(const struct cgroup *g, pid_t pid, bool born_inside);
// The same for a process that puts itself into the v1 groups: of those that exist the files to do
// it by, -1 behind the last; the caller's. Moving another process takes a lock against all threads
// of the machine, which means an RCU grace period: 10 ms on a busy one (measured, 6.18). A thread
// that moves itself doesn't.
enum { CGROUP_ENTRANCES = 8 };
fallible cgroup_open_entrances(const struct cgroup *g, int ret[static CGROUP_ENTRANCES]);
int cgroup_enter(int entrance); // child-safe; the caller has one thread

// Freezes or thaws the group and all below it; waits until it is so (LIMIT after timeout_ms).
fallible cgroup_freeze(const struct cgroup *g, int timeout_ms);
fallible cgroup_thaw(const struct cgroup *g, int timeout_ms);
fallible cgroup_is_frozen(const struct cgroup *g, bool *ret);
// All processes of the group and below it. *ret is the caller's (free).
fallible cgroup_processes(const struct cgroup *g, pid_t **ret, size_t *ret_n);
// Sends a signal to all of them. SIGKILL misses none, forks included; another may miss new forks.
fallible cgroup_signal(const struct cgroup *g, int signal);
// Waits until no live process is in it or below; BUSY after timeout_ms.
fallible cgroup_wait_empty(const struct cgroup *g, int timeout_ms);
// Removes the group in all hierarchies, with those that the container made below it, then the
// parents below coracle/ that became empty. Waits for the last processes; BUSY after timeout_ms.
fallible cgroup_remove(const struct cgroup *g, int timeout_ms);

enum cgroup_stat { // bits of cgroup_stats.known
	CGROUP_STAT_MEMORY = 1,
	CGROUP_STAT_CPU = 2,
	CGROUP_STAT_PIDS = 4,
	CGROUP_STAT_OOM = 8,
};
struct cgroup_stats {
	uint32_t known;
	uint64_t memory_usage_bytes, memory_limit_bytes; // limit UINT64_MAX: none
	uint64_t cpu_usage_us, cpu_user_us, cpu_system_us;
	uint64_t pids, pids_limit; // UINT64_MAX: none
	uint64_t oom_kills;
};
fallible cgroup_read_stats(const struct cgroup *g, struct cgroup_stats *ret);
