// SPDX-License-Identifier: Apache-2.0
// From what a user asked for to a runtime spec: ctr 2.1.1's defaults and the effects of its flags.
// The only place that knows them. Opened to cli, which fills struct spec_request from its flags.
// Deviations on purpose (docs/compatibility.md): an environment variable stands once, the last
// value counts; a TERM that is set stays with -t; --cpu-quota alone has no period; --uidmap and
// --gidmap go together; unknown capabilities are refused; seccomp is on unless privileged.
// Specification: test/golden/ctr-2.1.1 (what ctr made of each flag).
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "oci/image.h"
#include "oci/spec.h"

struct spec_texts {
	const char *const *items;
	size_t n;
};

// Set to "true" by --init (and by whoever writes a config.json): a runtime spec has no field for
// it, and whatever is made of this one has it, too: inspect, run --config, a start of a kept
// container.
#define ANNOTATION_INIT "io.coracle.init"

// As typed; zero means not given, except where a comment says more.
struct spec_request {
	struct spec_texts args;   // behind the ID; none: the image's Entrypoint and Cmd
	const char *entrypoint;   // docker's: replaces the image's entrypoint, its Cmd is dropped
	const char *cwd;          // --cwd
	struct spec_texts env;    // --env, NAME=VALUE or NAME
	const char *env_file;     // --env-file: its contents; NULL: not given
	struct spec_texts labels; // --label, KEY or KEY=VALUE: become annotations too
	struct spec_texts annotations, mounts, with_ns, cap_add, cap_drop, devices;
	struct spec_texts volumes; // docker's -v: SRC:DST[:ro]
	struct spec_texts tmpfs;   // docker's: DIR[:OPTION,...]
	struct spec_texts ulimits; // docker's: NAME=SOFT[:HARD]
	uint64_t shm_size_bytes;   // docker's: of /dev/shm
	const char *user, *hostname;
	bool net_host, privileged, privileged_without_host_devices, read_only, tty, allow_new_privs;
	bool init; // docker's: ANNOTATION_INIT. Windows: nothing, coracle-boot does all that
	bool seccomp, no_seccomp;
	const char *seccomp_profile; // --seccomp-profile: its contents; NULL: not given
	bool profile_needs_seccomp;  // as ctr: a profile without --seccomp is refused
	bool cap_prefix_required;    // as ctr: NET_ADMIN is refused, CAP_NET_ADMIN isn't
	bool binds_bind;       // as coracle: type=bind without bind or rbind binds recursively
	uint64_t memory_limit; // bytes
	double cpus;
	struct oci_u64 cpu_shares; // unset: 1024; 0: left out
	struct oci_i64 cpu_quota;  // microseconds; -1 is as unset
	uint64_t cpu_period;
	const char *cpuset_cpus, *cpuset_mems;
	const char *rootfs_propagation, *rdt_class, *apparmor_profile, *apparmor_default_profile;
	const char *blockio_file, *blockio_config; // --blockio-config-file: its path, its contents
	const char *blockio_class;
	bool runc_systemd_cgroup;         // refused: there is no runc that could ask systemd
	struct spec_texts uidmap, gidmap; // container:host:size
	const char *cgroup;               // --cgroup: "" for none; NULL: /NAMESPACE/ID
	bool has_rootfs;                  // --rootfs: the first argument is a folder
};

// What the spec depends on besides the flags.
struct spec_source {
	const struct oci_image_config *image; // NULL with has_rootfs
	const char *rootfs;                   // has_rootfs: absolute path of the folder
	const char *passwd, *group;     // the root's /etc/passwd and /etc/group; NULL: no such file
	size_t passwd_size, group_size; // at most SPEC_USER_FILE_LIMIT
	const char *ns, *id;
};
#define SPEC_USER_FILE_LIMIT ((size_t)1 << 20)

// What is there on this machine.
struct spec_host {
	char *hostname;
	uint64_t capabilities; // that we hold: what --privileged gives
	struct spec_host_device {
		char *path;
		char type;
		uint32_t major, minor, mode, uid, gid;
	} * devices; // of --privileged, sorted as ctr has them
	size_t n_devices, capacity;
	struct spec_host_device *asked; // of --device
	size_t n_asked, asked_capacity;
	struct json *block_io;   // of --blockio-class; NULL: not given
	struct strings warnings; // of what was looked for and isn't there
};
// Looks at the machine for what this request needs and no more.
// Errors: SYSTEM, `error stating device path: …`.
fallible spec_host_look(const struct spec_request *request, struct spec_host *ret);
void spec_host_done(struct spec_host *host);
#define auto_spec_host defer(spec_host_done)

// Makes the spec; looks at nothing outside its arguments. Warnings (a flag that does nothing) are
// added to *warnings. Root path is "rootfs" for images, the folder's for has_rootfs.
// linux_.seccomp_kind tells whether runtime/ may take its built-in filter.
// Errors: USAGE and INVALID with ctr's texts. The result isn't checked by oci_spec_check(): `spec`
// prints what `run` then refuses.
fallible spec_make(const struct spec_request *request, const struct spec_source *source,
                   const struct spec_host *host, struct strings *warnings, struct oci_spec **ret);

// The same for a Windows image: the Windows form, as ctr makes it on Windows. What Linux makes of
// it is windows/windows.h's. Errors: INVALID, USAGE.
fallible spec_make_windows(const struct spec_request *request, const struct spec_source *source,
                           struct oci_spec **ret);

// For exec: `user` as --user has it, "" for root. Sets uid, gid and additional gids.
fallible spec_set_user(struct oci_spec *spec, const char *user, const struct spec_source *source);
// containerd's default profile for a bounding set, as a document; and whether a given one equals
// it.
struct json *spec_default_seccomp(uint64_t bounding);
// After oci_spec_parse() of a config.json: sets seccomp_kind to BUILTIN where the profile is the
// default of its bounding set.
void spec_recognise_seccomp(struct oci_spec *spec);
