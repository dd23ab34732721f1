// SPDX-License-Identifier: Apache-2.0
// The plan: a spec turned into flat memory and open descriptors, made in the caller, carried out by
// init between clone3 and exec. What init needs is here; what isn't here init can't ask for.
// Invariants:
//  1. Every string, array and descriptor is complete before the clone; init allocates nothing.
//  2. `kept` names every descriptor that init uses; it closes all others first, so that no lock or
//     socket of the caller lives on in a container that waits for its start.
//  3. Host paths are used by the caller alone: init sees mounts and descriptors (CVE-2021-30465).
#pragma once
#include "base/memory.h"
#include "kernel/capability.h"
#include "kernel/cgroup.h"
#include "kernel/mount.h"
#include "kernel/namespace.h"
#include "kernel/seccomp.h"
#include "runtime/runtime.h"
#include <sys/resource.h>

struct plan_join { // a namespace to enter
	int fd;
	uint64_t flag;
};

struct plan_mount {
	const char *target; // clean and absolute, never "/"
	int source;         // a detached mount to attach; -1: make `type` here
	bool is_file;
	bool is_strict; // no link on the way: where /proc, /sys and /dev go (CVE-2023-27561…)
	bool is_dev;    // our own /dev
	bool late_readonly;
	bool is_early; // made by init's parent, which puts it in place of `source`
	bool in_proc;  // may lie inside /proc
	const char *type, *name;
	struct mount_options options;
};

struct plan_device {
	const char *path; // clean and absolute
	mode_t mode;      // with S_IFCHR…
	dev_t number;
	int source; // the host's node as a mount, where nodes can't be made; -1
	uid_t uid;
	gid_t gid;
};

struct plan_sysctl {
	const char *path; // below /proc
	const char *value;
};

struct plan_rlimit {
	int resource;
	struct rlimit value;
	bool is_default; // lowered in silence if it can't be had
};

struct plan {
	struct arena *arena;
	bool is_exec; // one more process in a container that is there: joins, makes nothing

	uint64_t clone_flags;
	struct plan_join *joins;
	size_t n_joins;
	int entrances[CGROUP_ENTRANCES]; // to cgroups of v1
	int pid_namespace;               // to be entered before the clone; -1
	// Another user namespace than the host's. Then joins are entered by init's parent, which
	// has the rights in them, and so is what only it may mount (is_early) made there.
	bool has_user_namespace;
	bool denies_groups; // nobody may set groups in it: whoever enters drops theirs before
	int user_namespace; // to be joined; -1: a new one is made
	struct id_maps ids; // of it
	int id_mapping;     // a namespace with these maps, for mounts, once one was needed; -1
	int rdt_tasks;      // where resctrl takes processes of a class; -1
	bool new_cgroup_namespace, new_network;
	const char *hostname, *domainname;

	int root; // a detached mount
	bool root_readonly, no_pivot;
	uint64_t root_propagation; // of the finished root, 0: private
	bool root_propagation_recursive;
	struct plan_mount *mounts;
	size_t n_mounts;
	bool makes_devices; // false: /dev is a bind mount, as it stands
	struct plan_device *devices;
	size_t n_devices;
	// Only without a /dev of ours: the host's /dev/null, checked, as a read-only clone and
	// opened.
	int null_mount, null;
	char *const *masked, *const *readonly;
	size_t n_masked, n_readonly;
	struct plan_sysctl *sysctls;
	size_t n_sysctls;

	const char **init_argv; // of coracle-init; what the spec says begins at SHIM_INIT_ARGUMENTS
	int init_program;       // coracle-init, as a read-only clone; -1
	bool transits_capabilities;
	const char **env; // room for two more at n_env
	size_t n_env;
	bool has_home;
	const char **candidates; // what to execute, in order
	size_t n_candidates;
	const char *cwd;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	mode_t umask;
	unsigned long personality; // ~0: as it is
	bool no_new_privs;
	struct capability_sets capabilities;
	struct plan_rlimit *rlimits;
	size_t n_rlimits;
	bool has_filter;
	struct seccomp_filter filter;
	int filter_fd;             // the same in memory, for coracle-init; -1
	const char *apparmor;      // the profile's name; NULL: none
	int proc;                  // the host's /proc, for init to find itself in; -1
	const struct hooks *hooks; // borrowed; NULL: there are none
	int hooks_fd;              // startContainer's, for coracle-init; -1
	int code;                  // eventfd for an exit code of 32 bits; -1
	unsigned filter_flags;

	int stdio[3]; // -1: the container's /dev/null
	int console;  // where init sends its terminal; -1: it has none, but stdio
	uint16_t rows, columns;
	int report; // init's reports go here
	int go;     // "!": execute. Its end: the monitor has died
	// A byte: IDs are mapped, groups joined; one more, if some hooks precede the change of
	// root: those outside have been run. -1: nothing to wait for.
	int sync;
	bool reports_ready;
	int *kept; // sorted
	size_t n_kept;
};

// Makes everything of the plan that comes from spec, root, files and network namespace; not stdio,
// report, go, sync and kept. `enforces_devices`: the group keeps the container from devices.
fallible plan_make(const struct runtime_request *request, bool enforces_devices, struct plan **ret);
// For a process in the container whose init is `init_pidfd`, `init` by number.
fallible plan_make_exec(const struct runtime_request *request, int init_pidfd, pid_t init,
                        struct plan **ret);
// Closes all descriptors but stdio, report, go and sync. What is left is good for report_error().
void plan_close(struct plan *plan);
void plan_free(struct plan *plan); // closes, too; takes NULL
static inline void plan_cleanup_(struct plan **plan)
{
	plan_free(*plan);
}
#define auto_plan defer(plan_cleanup_)

// The parts, each in its file.
fallible plan_root(const struct runtime_request *request, struct plan *plan);
fallible plan_mounts(const struct runtime_request *request, struct plan *plan);
// Without a /dev of our own: the host's /dev/null, checked, read-only.
fallible plan_null(struct plan *plan);
fallible plan_devices(const struct oci_spec *spec, struct plan *plan);
// Mappings of the container, for mounts of its own files and for its user namespace. After
// plan_namespaces().
fallible plan_id_maps(const struct runtime_request *request, struct plan *plan);
// Gives a detached mount the mapping of the container's user namespace.
fallible plan_map_mount(struct plan *plan, int mount);
// An overlay whose layers are seen through that mapping.
fallible plan_mapped_overlay(const struct runtime_root *root, struct plan *plan, int *ret);
fallible plan_rdt(const struct oci_spec *spec, struct plan *plan);
fallible plan_apparmor(const struct oci_spec *spec, struct plan *plan);
fallible plan_namespaces(const struct runtime_request *request, struct plan *plan);
fallible plan_sysctls(const struct oci_spec *spec, struct plan *plan);
fallible plan_process(const struct runtime_request *request, struct plan *plan);
fallible plan_seccomp(const struct runtime_request *request, struct plan *plan);
// After process, seccomp, and once plan->report is known.
fallible plan_init_program(const struct runtime_request *request, struct plan *plan);
// Refuses what the spec asks for and we can't do.
fallible plan_refuse(const struct oci_spec *spec);

// "/a//b/../c/" → "/a/c", in the arena; as Go's filepath.Clean with a slash before.
char *plan_clean_path(struct arena *arena, const char *path);
// Go's words for an errno, as ctr's users know them: "no such file or directory".
const char *plan_errno_text(int sys);
// Marks the mounts that need rights which a user namespace has not, and keeps a number for each.
fallible plan_early_mounts(struct plan *plan);
void plan_warn(const struct runtime_request *request, const char *format, ...) PRINTF(2, 3);
void plan_step(const struct runtime_request *request, const char *step);
