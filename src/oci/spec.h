// SPDX-License-Identifier: Apache-2.0
// The runtime spec, typed: what a container is to be. engine/ fills an empty one, runtime/ carries
// it out, `run --config` parses one. Pure: no file is looked at.
// Specification: OCI runtime-spec 1.2 (config.md, config-linux.md, config-windows.md); members keep
// their names there, written with underscores.
// Memory: everything that hangs on a spec (strings, arrays) lies in its arena and dies with
// oci_spec_free(); what the adders are given is copied. Strings that are absent are NULL, lists
// that are absent have n == 0. The `struct json *` members are references that the spec owns.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include "json/json.h"
#include <stddef.h>
#include <stdint.h>

#define OCI_SPEC_VERSION "1.2.1" // written by us; read are 1.x.y and 0.x is refused
#define OCI_SPEC_SIZE_LIMIT ((size_t)4 << 20)

struct oci_i64 { // an optional number
	bool set;
	int64_t value;
};
struct oci_u64 {
	bool set;
	uint64_t value;
};
struct oci_bool {
	bool set, value;
};

struct oci_strings { // items[n] is NULL once there was an item: fit for execve
	char **items;
	size_t n, capacity;
};

struct oci_pairs { // annotations, sysctl: keys are unique
	struct oci_pair {
		char *key, *value;
	} * items;
	size_t n, capacity;
};

struct oci_id_mappings {
	struct oci_id_mapping {
		uint32_t container_id, host_id, size;
	} * items;
	size_t n, capacity;
};

struct oci_mounts {
	struct oci_mount {
		char *destination, *type, *source; // type and source may be NULL
		struct oci_strings options;
		struct oci_id_mappings uid_mappings, gid_mappings;
	} * items;
	size_t n, capacity;
};

// Bit n is capability n of capability.h. Names that we don't know (a newer kernel's, a mistake)
// are in `unknown`, as written: runc ignores them with a warning.
struct oci_capabilities {
	bool set; // the member is there; without it a process keeps none
	uint64_t bounding, effective, inheritable, permitted, ambient;
	struct oci_strings unknown;
};

struct oci_rlimits {
	struct oci_rlimit {
		int resource; // Linux' number, RLIMIT_NOFILE is 7: oci_rlimit_name() in oci/names.h
		uint64_t soft, hard;
	} * items;
	size_t n, capacity;
};

struct oci_user {
	uint32_t uid, gid;
	struct oci_u64 umask;
	uint32_t *additional_gids;
	size_t n_additional_gids;
	char *username; // Windows only
};

struct oci_process {
	bool present; // without it the container can be created but not started
	bool terminal;
	struct {
		bool set;
		uint64_t height, width; // characters
	} console_size;
	struct oci_user user;
	struct oci_strings args, env;
	char *command_line; // Windows only
	char *cwd;          // absolute
	struct oci_capabilities capabilities;
	struct oci_rlimits rlimits;
	bool no_new_privileges;
	char *apparmor_profile, *selinux_label;
	struct oci_i64 oom_score_adj; // -1000 … 1000
};

struct oci_hooks {
	struct oci_hook {
		char *path; // absolute
		struct oci_strings args, env;
		struct oci_i64 timeout; // seconds, > 0
	} * items;
	size_t n, capacity;
};
enum oci_hook_kind { // in the order in which they run
	OCI_HOOK_PRESTART,
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_KINDS
};
extern const char *const oci_hook_names[OCI_HOOK_KINDS]; // "prestart"…

enum oci_namespace_type {
	OCI_NAMESPACE_PID,
	OCI_NAMESPACE_NETWORK,
	OCI_NAMESPACE_MOUNT,
	OCI_NAMESPACE_IPC,
	OCI_NAMESPACE_UTS,
	OCI_NAMESPACE_USER,
	OCI_NAMESPACE_CGROUP,
	OCI_NAMESPACE_TIME,
	OCI_NAMESPACE_TYPES
};
struct oci_namespaces { // each type at most once; the order is kept
	struct oci_namespace {
		enum oci_namespace_type type;
		char *path; // absolute: join that one; NULL: a new one
	} * items;
	size_t n, capacity;
};

struct oci_devices {
	struct oci_device {
		char *path; // absolute
		char type;  // 'c', 'b', 'p' ('u' is read as 'c')
		int64_t major, minor;
		struct oci_u64 file_mode, uid, gid; // mode: permission bits
	} * items;
	size_t n, capacity;
};

struct oci_device_rules { // applied in order
	struct oci_device_rule {
		bool allow;
		char type;                   // 'a' (all, also when absent), 'c', 'b'
		struct oci_i64 major, minor; // unset: any. Parsing turns -1 into unset
		bool read, write, mknod;     // access; all false when absent: means all three
	} * items;
	size_t n, capacity;
};

struct oci_memory { // bytes; -1 is no limit
	struct oci_i64 limit, reservation, swap, kernel, kernel_tcp;
	struct oci_u64 swappiness;
	struct oci_bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct oci_cpu {
	struct oci_u64 shares;
	struct oci_i64 quota; // microseconds in a period; -1 is no limit
	struct oci_u64 burst, period;
	struct oci_i64 realtime_runtime;
	struct oci_u64 realtime_period;
	char *cpus, *mems; // lists as cpuset(7) has them
	struct oci_i64 idle;
};

struct oci_hugepage_limits {
	struct oci_hugepage_limit {
		char *page_size; // "2MB"
		uint64_t limit;  // bytes
	} * items;
	size_t n, capacity;
};

struct oci_resources {
	bool present;
	struct oci_device_rules devices;
	struct oci_memory memory;
	struct oci_cpu cpu;
	struct oci_i64 pids_limit; // <= 0 is no limit
	struct oci_hugepage_limits hugepage_limits;
	struct oci_pairs unified;               // cgroup v2 file name and value
	struct json *block_io, *network, *rdma; // as given, NULL if absent
};

struct oci_intel_rdt {
	bool present;
	char *clos_id, *l3_cache_schema, *mem_bw_schema;
	bool enable_cmt, enable_mbm;
};

enum oci_seccomp_kind {
	OCI_SECCOMP_NONE,
	OCI_SECCOMP_BUILTIN, // equals our default profile: runtime/ has its filter built in
	OCI_SECCOMP_PROFILE, // whatever `seccomp` says
};

struct oci_linux {
	bool present;
	struct oci_id_mappings uid_mappings, gid_mappings;
	struct oci_pairs sysctl;
	struct oci_resources resources;
	char *cgroups_path;
	struct oci_namespaces namespaces;
	struct oci_devices devices;
	struct json *seccomp;               // as given; NULL if absent
	enum oci_seccomp_kind seccomp_kind; // set by engine/; parsing gives NONE or PROFILE
	char *seccomp_default_action;       // "SCMP_ACT_ERRNO"
	char *rootfs_propagation; // [r]shared, [r]slave, [r]private, [r]unbindable; NULL: rprivate
	struct oci_strings masked_paths, readonly_paths;
	char *mount_label;
	struct oci_intel_rdt intel_rdt;
	struct {
		bool set;
		bool linux32; // domain LINUX32, else LINUX
	} personality;
	struct {
		bool set;
		int64_t secs;
		uint32_t nanosecs;
	} monotonic_offset, boottime_offset; // timeOffsets
};

struct oci_windows {
	bool present;
	struct oci_strings layer_folders; // from the top down, the scratch last
	bool ignore_flushes_during_boot, servicing;
	struct {
		bool present, allow_unqualified_dns_query;
		struct oci_strings endpoint_list, dns_search_list;
		char *network_shared_container_name, *network_namespace;
	} network;
	struct json *resources, *devices, *credential_spec, *hyperv; // as given
};

struct oci_spec {
	struct arena *arena;
	struct json *document; // what was parsed, with members that we don't know; NULL if built
	char *oci_version;
	struct oci_process process;
	struct {
		bool present, readonly;
		char *path;
	} root;
	char *hostname, *domainname;
	struct oci_mounts mounts;
	struct oci_hooks hooks[OCI_HOOK_KINDS];
	struct oci_pairs annotations;
	struct oci_linux linux_; // `linux` is a macro of gnu17
	struct oci_windows windows;
};

// An empty spec of version OCI_SPEC_VERSION, with process present and cwd "/".
struct oci_spec *oci_spec_new(void) __attribute__((returns_nonnull));
void oci_spec_free(struct oci_spec *spec); // takes NULL

// Parses and validates as runc does: process.args not empty (a process given without is an error),
// cwd, paths and destinations absolute, known and unique namespace types, known rlimits and unique,
// user namespace and mappings together, numbers in range, no NUL in a string, counts bounded.
// Unknown members are ignored here and kept in `document`.
// Errors: CORRUPT (not JSON), INVALID (names the member: "process.cwd: not an absolute path"),
// UNSUPPORTED (ociVersion), LIMIT (size, depth, counts).
fallible oci_spec_parse(const char *text, size_t size, struct oci_spec **ret);
// The same checks for a spec that was built; parse has done them.
fallible oci_spec_check(const struct oci_spec *spec);

// Writes the struct in the order of Go's runtime-spec structs, so that it prints as ctr's
// config.json. The caller's, free with json_free().
struct json *oci_spec_to_json(const struct oci_spec *spec) __attribute__((returns_nonnull));

// Adders. All copy.
char *oci_spec_string(struct oci_spec *spec, const char *s); // into the arena; NULL gives NULL
void oci_spec_add_string(struct oci_spec *spec, struct oci_strings *list, const char *s);
void oci_spec_set_strings(struct oci_spec *spec, struct oci_strings *list, const char *const *items,
                          size_t n);
// "NAME=VALUE": replaces the entry of the same NAME in place, else appends.
void oci_spec_set_env(struct oci_spec *spec, const char *entry);
void oci_spec_unset_env(struct oci_spec *spec, const char *name);
const char *oci_spec_env(const struct oci_spec *spec, const char *name); // value or NULL
void oci_spec_set_pair(struct oci_spec *spec, struct oci_pairs *pairs, const char *key,
                       const char *value);
const char *oci_pairs_value(const struct oci_pairs *pairs, const char *key); // or NULL
// `options` are divided by `divider` ("nosuid,noexec"), NULL or "" for none. Returned pointers are
// good until the next add to the same list.
struct oci_mount *oci_spec_add_mount(struct oci_spec *spec, const char *destination,
                                     const char *type, const char *source, const char *options,
                                     char divider);
void oci_spec_remove_mount(struct oci_spec *spec, const char *destination); // all of them
// Replaces the entry of that type in place, else appends; path NULL for a new one.
void oci_spec_set_namespace(struct oci_spec *spec, enum oci_namespace_type type, const char *path);
void oci_spec_remove_namespace(struct oci_spec *spec, enum oci_namespace_type type);
const struct oci_namespace *oci_spec_namespace(const struct oci_spec *spec,
                                               enum oci_namespace_type type); // or NULL
void oci_spec_set_rlimit(struct oci_spec *spec, int resource, uint64_t soft, uint64_t hard);
// major or minor < 0: any. access is a subset of "rwm".
void oci_spec_add_device_rule(struct oci_spec *spec, bool allow, char type, int64_t major,
                              int64_t minor, const char *access);
struct oci_device *oci_spec_add_device(struct oci_spec *spec, const char *path, char type,
                                       int64_t major, int64_t minor);
void oci_spec_add_id_mapping(struct oci_spec *spec, struct oci_id_mappings *list,
                             uint32_t container_id, uint32_t host_id, uint32_t size);
struct oci_hook *oci_spec_add_hook(struct oci_spec *spec, enum oci_hook_kind kind,
                                   const char *path);
bool oci_spec_has_hooks(const struct oci_spec *spec);
void oci_spec_add_hugepage_limit(struct oci_spec *spec, const char *page_size, uint64_t limit);
void oci_spec_set_additional_gids(struct oci_spec *spec, const uint32_t *gids, size_t n);

static inline void oci_spec_cleanup_(struct oci_spec **spec)
{
	oci_spec_free(*spec);
}
#define auto_oci_spec defer(oci_spec_cleanup_)
