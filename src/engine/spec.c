// SPDX-License-Identifier: Apache-2.0
// The default spec, and the flags in the order in which ctr applies them.
#include "engine/spec.h"
#include "base/text.h"
#include "engine/spec_private.h"
#include "oci/names.h"
#include <ctype.h>
#include <string.h>

#define TMPFS_LIKE "nosuid,strictatime,mode=755,size=65536k"
#define NO_PROGRAMS "nosuid,noexec,nodev"

// clang-format off
static const struct {
	const char *destination, *type, *source, *options;
} default_mounts[] = {
	{ "/proc",       "proc",   "proc",   NO_PROGRAMS },
	{ "/dev",        "tmpfs",  "tmpfs",  TMPFS_LIKE },
	{ "/dev/pts",    "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
	{ "/dev/shm",    "tmpfs",  "shm",    NO_PROGRAMS ",mode=1777,size=65536k" },
	{ "/dev/mqueue", "mqueue", "mqueue", NO_PROGRAMS },
	{ "/sys",        "sysfs",  "sysfs",  NO_PROGRAMS ",ro" },
	{ "/run",        "tmpfs",  "tmpfs",  TMPFS_LIKE },
};
static const char *const masked_paths[] = {
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
	"/sys/devices/virtual/powercap", "/proc/scsi",
};
static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};
static const char *const capabilities[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
	"CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
};
static const struct {
	int64_t major, minor; // -1: any
} default_devices[] = { // null, random, full, tty, zero, urandom, console, pts/*, ptmx
	{ 1, 3 }, { 1, 8 }, { 1, 7 }, { 5, 0 }, { 1, 5 }, { 1, 9 }, { 5, 1 }, { 136, -1 }, { 5, 2 },
};
static const enum oci_namespace_type default_namespaces[] = {
	OCI_NAMESPACE_PID, OCI_NAMESPACE_IPC, OCI_NAMESPACE_UTS, OCI_NAMESPACE_MOUNT,
	OCI_NAMESPACE_NETWORK,
};
// clang-format on
#define N(array) (sizeof(array) / sizeof(*(array)))
#define NOFILE_LIMIT 1024
#define DEFAULT_SHARES 1024

static void fill_defaults(struct oci_spec *spec, const struct spec_source *source)
{
	struct oci_linux *l = &spec->linux_;
	struct oci_capabilities *c = &spec->process.capabilities;
	l->present = true;
	spec->root.present = true;
	spec->root.path = oci_spec_string(spec, "rootfs");
	spec->process.no_new_privileges = true;
	for (size_t i = 0; i < N(capabilities); i++)
		c->bounding |= UINT64_C(1) << oci_capability_number(capabilities[i]);
	c->effective = c->permitted = c->bounding;
	c->set = true;
	oci_spec_set_rlimit(spec, oci_rlimit_number("RLIMIT_NOFILE"), NOFILE_LIMIT, NOFILE_LIMIT);
	for (size_t i = 0; i < N(default_mounts); i++)
		oci_spec_add_mount(spec, default_mounts[i].destination, default_mounts[i].type,
		                   default_mounts[i].source, default_mounts[i].options, ',');
	oci_spec_set_strings(spec, &l->masked_paths, masked_paths, N(masked_paths));
	oci_spec_set_strings(spec, &l->readonly_paths, readonly_paths, N(readonly_paths));
	for (size_t i = 0; i < N(default_namespaces); i++)
		oci_spec_set_namespace(spec, default_namespaces[i], NULL);
	oci_spec_add_device_rule(spec, false, 'a', -1, -1, "rwm");
	for (size_t i = 0; i < N(default_devices); i++)
		oci_spec_add_device_rule(spec, true, 'c', default_devices[i].major,
		                         default_devices[i].minor, "rwm");
	l->resources.cpu.shares = (struct oci_u64){true, DEFAULT_SHARES};
	auto_free char *cgroup = alloc_printf("/%s/%s", source->ns, source->id);
	l->cgroups_path = oci_spec_string(spec, cgroup);
}

// A command replaces Entrypoint and Cmd both, as ctr does; --entrypoint is docker's.
static void apply_args(struct oci_spec *spec, const struct spec_request *r,
                       const struct oci_image_config *image)
{
	struct oci_strings *args = &spec->process.args;
	if (r->entrypoint)
		oci_spec_add_string(spec, args, r->entrypoint);
	for (size_t i = 0; i < r->args.n; i++)
		oci_spec_add_string(spec, args, r->args.items[i]);
	if (r->entrypoint || r->args.n || !image)
		return;
	for (size_t i = 0; i < image->n_entrypoint; i++)
		oci_spec_add_string(spec, args, image->entrypoint[i]);
	for (size_t i = 0; i < image->n_cmd; i++)
		oci_spec_add_string(spec, args, image->cmd[i]);
}

// Labels are annotations too, and win over an annotation of the same key.
fallible spec_apply_annotations(struct oci_spec *spec, const struct spec_request *r)
{
	for (size_t i = 0; i < r->annotations.n; i++) {
		const char *text = r->annotations.items[i], *equals = strchr(text, '=');
		if (!equals)
			return error_new(ERROR_USAGE, "invalid key=value format annotation: %s",
			                 text);
		auto_free char *key = alloc_bytes(text, (size_t)(equals - text));
		oci_spec_set_pair(spec, &spec->annotations, key, equals + 1);
	}
	for (size_t i = 0; i < r->labels.n; i++) {
		const char *text = r->labels.items[i], *equals = strchr(text, '=');
		size_t size = equals ? (size_t)(equals - text) : strlen(text);
		auto_free char *key = alloc_bytes(text, size);
		oci_spec_set_pair(spec, &spec->annotations, key, equals ? equals + 1 : "true");
	}
	return NULL;
}

static fallible apply_ulimit(struct oci_spec *spec, const char *text)
{
	const char *equals = strchr(text, '=');
	auto_free char *name = alloc_printf("RLIMIT_%.*s", equals ? (int)(equals - text) : 0, text);
	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	int number = oci_rlimit_number(name);
	const char *colon = equals ? strchr(equals, ':') : NULL;
	auto_free char *soft = !equals ? NULL
	                       : colon ? alloc_bytes(equals + 1, (size_t)(colon - equals - 1))
	                               : alloc_string(equals + 1);
	uint64_t values[2] = {0};
	const char *const texts[2] = {soft, colon ? colon + 1 : soft};
	bool is_bad = !equals || number < 0;
	for (size_t i = 0; i < 2 && !is_bad; i++) {
		auto_error struct error *e = NULL;
		if (text_equal(texts[i], "-1") || text_equal(texts[i], "unlimited"))
			values[i] = UINT64_MAX;
		else
			e = text_parse_u64(texts[i], 10, UINT64_MAX, &values[i]);
		is_bad = e != NULL;
	}
	if (is_bad || values[0] > values[1])
		return error_hint(
			error_new(ERROR_USAGE, "ulimit \"%.64s\": not NAME=SOFT[:HARD]", text),
			"such as nofile=1024:4096; -1 is no limit");
	oci_spec_set_rlimit(spec, number, values[0], values[1]);
	return NULL;
}

static void apply_texts(struct oci_spec *spec, const struct spec_request *r)
{
	struct oci_linux *l = &spec->linux_;
	if (r->hostname && *r->hostname)
		spec->hostname = oci_spec_string(spec, r->hostname);
	if (r->cwd && *r->cwd)
		spec->process.cwd = oci_spec_string(spec, r->cwd);
	if (r->cgroup)
		l->cgroups_path = *r->cgroup ? oci_spec_string(spec, r->cgroup) : NULL;
	if (r->rootfs_propagation && *r->rootfs_propagation)
		l->rootfs_propagation = oci_spec_string(spec, r->rootfs_propagation);
	if (r->rdt_class && *r->rdt_class) {
		l->intel_rdt.present = true;
		l->intel_rdt.clos_id = oci_spec_string(spec, r->rdt_class);
	}
	spec->root.readonly = r->read_only;
	if (r->allow_new_privs)
		spec->process.no_new_privileges = false;
}

static fallible check_flags(const struct spec_request *r)
{
	if (r->privileged_without_host_devices && !r->privileged)
		return error_new(ERROR_USAGE, "can't use 'privileged-without-host-devices' without "
		                              "'privileged' specified");
	if (r->seccomp && r->no_seccomp)
		return error_new(ERROR_USAGE,
		                 "flags --seccomp and --no-seccomp cannot be specified together");
	if (r->seccomp_profile && r->no_seccomp)
		return error_new(
			ERROR_USAGE,
			"flags --seccomp-profile and --no-seccomp cannot be specified together");
	if (r->seccomp_profile && r->profile_needs_seccomp && !r->seccomp)
		return error_new(ERROR_USAGE,
		                 "seccomp must be set to true, if using a custom seccomp-profile");
	return NULL;
}

static void apply_tty(struct oci_spec *spec, const struct spec_request *r)
{
	spec->process.terminal = r->tty;
	if (r->tty && !oci_spec_env(spec, "TERM"))
		oci_spec_set_env(spec, "TERM=xterm");
}

fallible spec_make(const struct spec_request *r, const struct spec_source *source,
                   const struct spec_host *host, struct strings *warnings, struct oci_spec **ret)
{
	auto_oci_spec struct oci_spec *spec = oci_spec_new();
	const struct oci_image_config *image = source->image;
	TRY(check_flags(r));
	fill_defaults(spec, source);
	if (r->has_rootfs)
		spec->root.path = oci_spec_string(spec, source->rootfs);
	if (image && *image->working_dir)
		spec->process.cwd = oci_spec_string(spec, image->working_dir);
	apply_args(spec, r, image);
	TRY(spec_apply_env(spec, r, source));
	TRY(spec_apply_mounts(spec, r));
	TRY(spec_apply_user(spec, r, source));
	apply_texts(spec, r);
	for (size_t i = 0; i < r->ulimits.n; i++)
		TRY(apply_ulimit(spec, r->ulimits.items[i]));
	apply_tty(spec, r);
	TRY(spec_apply_annotations(spec, r));
	if (r->init)
		oci_spec_set_pair(spec, &spec->annotations, ANNOTATION_INIT, "true");
	TRY(spec_apply_privileges(spec, r, host));
	if (r->net_host)
		spec_apply_host_network(spec, host);
	TRY(spec_apply_namespaces(spec, r));
	TRY(spec_apply_limits(spec, r));
	spec->linux_.resources.block_io = json_share(host->block_io);
	for (size_t i = 0; i < host->warnings.n; i++)
		strings_add(warnings, host->warnings.items[i]);
	TRY(spec_apply_seccomp(spec, r));
	if (r->privileged && r->seccomp_profile && !r->seccomp)
		strings_add(warnings, "--seccomp-profile filters a privileged container too");
	*ret = take(&spec);
	return NULL;
}
