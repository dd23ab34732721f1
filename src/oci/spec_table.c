// SPDX-License-Identifier: Apache-2.0
#include "oci/spec_private.h"

#define AT(type, member) offsetof(struct type, member)
#define N(array) (sizeof(array) / sizeof(*(array)))

// clang-format off
static const struct spec_member process_tail[] = { // behind rlimits
	{ "noNewPrivileges", SPEC_FLAG, AT(oci_process, no_new_privileges) },
	{ "apparmorProfile", SPEC_TEXT, AT(oci_process, apparmor_profile) },
	{ "oomScoreAdj",     SPEC_I64,  AT(oci_process, oom_score_adj) },
	{ "selinuxLabel",    SPEC_TEXT, AT(oci_process, selinux_label) },
};
static const struct spec_member head[] = { // behind root
	{ "hostname",   SPEC_TEXT, AT(oci_spec, hostname) },
	{ "domainname", SPEC_TEXT, AT(oci_spec, domainname) },
};
static const struct spec_member user_umask[] = {
	{ "umask", SPEC_U64, AT(oci_user, umask), 07777 },
};
static const struct spec_member memory[] = {
	{ "limit",             SPEC_I64,  AT(oci_memory, limit) },
	{ "reservation",       SPEC_I64,  AT(oci_memory, reservation) },
	{ "swap",              SPEC_I64,  AT(oci_memory, swap) },
	{ "kernel",            SPEC_I64,  AT(oci_memory, kernel) },
	{ "kernelTCP",         SPEC_I64,  AT(oci_memory, kernel_tcp) },
	{ "swappiness",        SPEC_U64,  AT(oci_memory, swappiness) },
	{ "disableOOMKiller",  SPEC_BOOL, AT(oci_memory, disable_oom_killer) },
	{ "useHierarchy",      SPEC_BOOL, AT(oci_memory, use_hierarchy) },
	{ "checkBeforeUpdate", SPEC_BOOL, AT(oci_memory, check_before_update) },
};
static const struct spec_member cpu[] = {
	{ "shares",          SPEC_U64,  AT(oci_cpu, shares) },
	{ "quota",           SPEC_I64,  AT(oci_cpu, quota) },
	{ "burst",           SPEC_U64,  AT(oci_cpu, burst) },
	{ "period",          SPEC_U64,  AT(oci_cpu, period) },
	{ "realtimeRuntime", SPEC_I64,  AT(oci_cpu, realtime_runtime) },
	{ "realtimePeriod",  SPEC_U64,  AT(oci_cpu, realtime_period) },
	{ "cpus",            SPEC_TEXT, AT(oci_cpu, cpus) },
	{ "mems",            SPEC_TEXT, AT(oci_cpu, mems) },
	{ "idle",            SPEC_I64,  AT(oci_cpu, idle) },
};
static const struct spec_member intel_rdt[] = {
	{ "closID",        SPEC_TEXT, AT(oci_intel_rdt, clos_id) },
	{ "l3CacheSchema", SPEC_TEXT, AT(oci_intel_rdt, l3_cache_schema) },
	{ "memBwSchema",   SPEC_TEXT, AT(oci_intel_rdt, mem_bw_schema) },
	{ "enableCMT",     SPEC_FLAG, AT(oci_intel_rdt, enable_cmt) },
	{ "enableMBM",     SPEC_FLAG, AT(oci_intel_rdt, enable_mbm) },
};
static const struct spec_member device_tail[] = {
	{ "fileMode", SPEC_U64, AT(oci_device, file_mode), UINT32_MAX },
	{ "uid",      SPEC_U64, AT(oci_device, uid),       UINT32_MAX },
	{ "gid",      SPEC_U64, AT(oci_device, gid),       UINT32_MAX },
};
// clang-format on

const struct spec_table spec_head = {head, N(head)};
const struct spec_table spec_process_tail = {process_tail, N(process_tail)};
const struct spec_table spec_user_umask = {user_umask, N(user_umask)};
const struct spec_table spec_memory = {memory, N(memory)};
const struct spec_table spec_cpu = {cpu, N(cpu)};
const struct spec_table spec_intel_rdt = {intel_rdt, N(intel_rdt)};
const struct spec_table spec_device_tail = {device_tail, N(device_tail)};

const char *const oci_namespace_names[OCI_NAMESPACE_TYPES] = {
	[OCI_NAMESPACE_PID] = "pid",       [OCI_NAMESPACE_NETWORK] = "network",
	[OCI_NAMESPACE_MOUNT] = "mount",   [OCI_NAMESPACE_IPC] = "ipc",
	[OCI_NAMESPACE_UTS] = "uts",       [OCI_NAMESPACE_USER] = "user",
	[OCI_NAMESPACE_CGROUP] = "cgroup", [OCI_NAMESPACE_TIME] = "time",
};
const char *const oci_hook_names[OCI_HOOK_KINDS] = {
	[OCI_HOOK_PRESTART] = "prestart",
	[OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
	[OCI_HOOK_CREATE_CONTAINER] = "createContainer",
	[OCI_HOOK_START_CONTAINER] = "startContainer",
	[OCI_HOOK_POSTSTART] = "poststart",
	[OCI_HOOK_POSTSTOP] = "poststop",
};
