// SPDX-License-Identifier: Apache-2.0
// Limits of CPU and memory. Specification: ctr's run_unix.go (which flag writes which member).
#include "engine/spec_private.h"

#define PERIOD 100000 // microseconds
#define CPUS_LIMIT 1e6

fallible spec_apply_limits(struct oci_spec *spec, const struct spec_request *r)
{
	struct oci_cpu *cpu = &spec->linux_.resources.cpu;
	bool has_quota = r->cpu_quota.set && r->cpu_quota.value != -1;
	if (!(r->cpus >= 0 && r->cpus <= CPUS_LIMIT)) // NaN too
		return error_new(ERROR_USAGE, "cpus: not a number of processors");
	if (r->cpus > 0 && (has_quota || r->cpu_period))
		return error_new(ERROR_USAGE, "cpus and quota/period should be used separately");
	if (r->memory_limit > INT64_MAX)
		return error_new(ERROR_USAGE, "memory-limit: more than the kernel can count");
	if (r->memory_limit)
		spec->linux_.resources.memory.limit =
			(struct oci_i64){true, (int64_t)r->memory_limit};
	if (r->cpus > 0) {
		cpu->quota = (struct oci_i64){true, (int64_t)(r->cpus * PERIOD)};
		cpu->period = (struct oci_u64){true, PERIOD};
	}
	if (has_quota || r->cpu_period) {
		cpu->quota = (struct oci_i64){true, has_quota ? r->cpu_quota.value : -1};
		cpu->period = (struct oci_u64){r->cpu_period != 0, r->cpu_period};
	}
	if (r->cpu_shares.set)
		cpu->shares = (struct oci_u64){r->cpu_shares.value != 0, r->cpu_shares.value};
	cpu->cpus = oci_spec_string(spec, r->cpuset_cpus);
	cpu->mems = oci_spec_string(spec, r->cpuset_mems);
	return NULL;
}
