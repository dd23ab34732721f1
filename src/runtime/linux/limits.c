// SPDX-License-Identifier: Apache-2.0
// linux.resources to kernel/cgroup.h's limits.
#include "runtime/linux/limits.h"
#include "runtime/linux/plan.h"
#include "json/json.h"

enum { DEFAULT_SHARES = 1024 }; // the kernel's, on v1, and in ctr's default spec

static void take_i64(struct oci_i64 from, enum cgroup_limit bit, int64_t *to,
                     struct cgroup_limits *l)
{
	if (!from.set)
		return;
	*to = from.value;
	l->set |= (uint32_t)bit;
}

static void take_u64(struct oci_u64 from, enum cgroup_limit bit, uint64_t *to,
                     struct cgroup_limits *l)
{
	if (!from.set)
		return;
	*to = from.value;
	l->set |= (uint32_t)bit;
}

static void take_text(const char *from, enum cgroup_limit bit, const char **to,
                      struct cgroup_limits *l)
{
	if (!from || !*from)
		return;
	*to = from;
	l->set |= (uint32_t)bit;
}

static void take_numbers(const struct oci_resources *r, struct cgroup_limits *l)
{
	take_i64(r->memory.limit, CGROUP_MEMORY_LIMIT, &l->memory_limit_bytes, l);
	take_i64(r->memory.reservation, CGROUP_MEMORY_RESERVATION, &l->memory_reservation_bytes, l);
	take_i64(r->memory.swap, CGROUP_MEMORY_SWAP, &l->memory_swap_bytes, l);
	take_u64(r->memory.swappiness, CGROUP_MEMORY_SWAPPINESS, &l->memory_swappiness, l);
	if (r->memory.disable_oom_killer.set && r->memory.disable_oom_killer.value) {
		l->oom_kill_disable = true;
		l->set |= CGROUP_OOM_KILL_DISABLE;
	}
	if (r->cpu.shares.value != DEFAULT_SHARES)
		take_u64(r->cpu.shares, CGROUP_CPU_SHARES, &l->cpu_shares, l);
	take_i64(r->cpu.quota, CGROUP_CPU_QUOTA, &l->cpu_quota_us, l);
	take_u64(r->cpu.period, CGROUP_CPU_PERIOD, &l->cpu_period_us, l);
	take_u64(r->cpu.burst, CGROUP_CPU_BURST, &l->cpu_burst_us, l);
	take_i64(r->cpu.idle, CGROUP_CPU_IDLE, &l->cpu_idle, l);
	take_text(r->cpu.cpus, CGROUP_CPUSET_CPUS, &l->cpuset_cpus, l);
	take_text(r->cpu.mems, CGROUP_CPUSET_MEMS, &l->cpuset_mems, l);
	take_i64(r->pids_limit, CGROUP_PIDS_LIMIT, &l->pids_limit, l);
}

// ---- Devices ------------------------------------------------------------------------------------

// What runc adds to every list: making any node (opening it is another matter), and what programs
// can't do without.
static const struct cgroup_device always[] = {
	// clang-format off
	{true, 'c', -1,  -1, false, false, true},
	{true, 'b', -1,  -1, false, false, true},
	{true, 'c', 1,    3, true, true, true}, // null
	{true, 'c', 1,    5, true, true, true}, // zero
	{true, 'c', 1,    7, true, true, true}, // full
	{true, 'c', 1,    8, true, true, true}, // random
	{true, 'c', 1,    9, true, true, true}, // urandom
	{true, 'c', 5,    0, true, true, true}, // tty
	{true, 'c', 5,    2, true, true, true}, // ptmx
	{true, 'c', 136, -1, true, true, true}, // pts
	{true, 'c', 10, 200, true, true, true}, // tun
	// clang-format on
};
enum { ALWAYS = sizeof always / sizeof *always };

static bool is_same(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return a->allow == b->allow && a->type == b->type && a->major == b->major &&
	       a->minor == b->minor && a->read == b->read && a->write == b->write &&
	       a->mknod == b->mknod;
}

// A list that denies nothing (a privileged container's) needs no controller.
static void take_devices(struct arena *arena, const struct oci_device_rules *rules,
                         struct cgroup_limits *l)
{
	struct cgroup_device *list = arena_alloc(arena, (rules->n + ALWAYS) * sizeof *list);
	size_t n = 0;
	bool denies = false;
	for (size_t i = 0; i < rules->n; i++) {
		const struct oci_device_rule *r = &rules->items[i];
		bool all = !r->read && !r->write && !r->mknod;
		list[n++] = (struct cgroup_device){
			.allow = r->allow,
			.type = r->type ? r->type : 'a',
			.major = r->major.set ? r->major.value : -1,
			.minor = r->minor.set ? r->minor.value : -1,
			.read = all || r->read,
			.write = all || r->write,
			.mknod = all || r->mknod,
		};
		denies |= !r->allow;
	}
	if (!denies)
		return;
	for (size_t i = 0; i < ALWAYS; i++) {
		bool is_there = false;
		for (size_t k = 0; k < rules->n; k++)
			is_there |= is_same(&list[k], &always[i]);
		if (!is_there)
			list[n++] = always[i];
	}
	l->devices = list;
	l->n_devices = n;
	l->set |= CGROUP_DEVICES;
}

// ---- The rest -----------------------------------------------------------------------------------

static void take_unified(struct arena *arena, const struct oci_pairs *pairs,
                         struct cgroup_limits *l)
{
	if (!pairs->n)
		return;
	struct cgroup_file *files = arena_alloc(arena, pairs->n * sizeof *files);
	for (size_t i = 0; i < pairs->n; i++)
		files[i] = (struct cgroup_file){pairs->items[i].key, pairs->items[i].value};
	l->unified = files;
	l->n_unified = pairs->n;
	l->set |= CGROUP_UNIFIED;
}

enum { DEVICES_MAX = 256 }; // of each kind

static fallible take_throttles(const struct json *block_io, const struct json_path *path,
                               const char *key, enum cgroup_throttle_kind kind,
                               struct cgroup_throttle *list, size_t *n)
{
	const struct json *array = NULL;
	TRY(json_get_array(block_io, path, key, DEVICES_MAX, &array));
	for (size_t i = 0; i < json_size(array); i++) {
		const struct json_path here = {path, key, 0}, item = {&here, NULL, i};
		uint64_t major = 0, minor = 0, rate = 0;
		TRY(json_get_u64(json_item(array, i), &item, "major", UINT32_MAX, &major));
		TRY(json_get_u64(json_item(array, i), &item, "minor", UINT32_MAX, &minor));
		TRY(json_get_u64(json_item(array, i), &item, "rate", UINT64_MAX, &rate));
		list[(*n)++] =
			(struct cgroup_throttle){kind, (uint32_t)major, (uint32_t)minor, rate};
	}
	return NULL;
}

// weight and leafWeight of `o`, which is the whole (device.of_device is false) or a device's.
static fallible take_weights(const struct json *o, const struct json_path *path,
                             struct cgroup_weight device, struct cgroup_weight *list,
                             struct cgroup_limits *l)
{
	static const char *const keys[] = {"weight", "leafWeight"};
	static const uint32_t bits[] = {CGROUP_BLKIO_WEIGHTS, CGROUP_BLKIO_LEAF_WEIGHTS};
	for (size_t i = 0; i < 2; i++) {
		uint64_t weight = 0;
		TRY(json_get_u64(o, path, keys[i], 1000, &weight));
		if (!weight)
			continue;
		device.is_leaf = i == 1;
		device.weight = (uint16_t)weight;
		list[l->n_weights++] = device;
		l->set |= bits[i];
	}
	return NULL;
}

static fallible take_device_weights(const struct json *block_io, const struct json_path *path,
                                    struct cgroup_weight *list, struct cgroup_limits *l)
{
	const struct json *array = NULL;
	TRY(json_get_array(block_io, path, "weightDevice", DEVICES_MAX, &array));
	for (size_t i = 0; i < json_size(array); i++) {
		const struct json_path here = {path, "weightDevice", 0}, item = {&here, NULL, i};
		uint64_t major = 0, minor = 0;
		TRY(json_get_u64(json_item(array, i), &item, "major", UINT32_MAX, &major));
		TRY(json_get_u64(json_item(array, i), &item, "minor", UINT32_MAX, &minor));
		const struct cgroup_weight device = {
			.of_device = true, .major = (uint32_t)major, .minor = (uint32_t)minor};
		TRY(take_weights(json_item(array, i), &item, device, list, l));
	}
	return NULL;
}

static fallible take_block_io(struct arena *arena, const struct json *block_io,
                              struct cgroup_limits *l)
{
	static const char *const keys[CGROUP_THROTTLE_KINDS] = {
		[CGROUP_READ_BPS] = "throttleReadBpsDevice",
		[CGROUP_WRITE_BPS] = "throttleWriteBpsDevice",
		[CGROUP_READ_IOPS] = "throttleReadIOPSDevice",
		[CGROUP_WRITE_IOPS] = "throttleWriteIOPSDevice",
	};
	if (!json_size(block_io))
		return NULL;
	const struct json_path path = {NULL, "linux.resources.blockIO", 0};
	struct cgroup_weight *weights = arena_alloc(arena, 2 * (DEVICES_MAX + 1) * sizeof *weights);
	TRY(take_weights(block_io, &path, (struct cgroup_weight){0}, weights, l));
	TRY(take_device_weights(block_io, &path, weights, l));
	l->weights = weights;
	struct cgroup_throttle *throttles =
		arena_alloc(arena, (size_t)CGROUP_THROTTLE_KINDS * DEVICES_MAX * sizeof *throttles);
	for (size_t i = 0; i < CGROUP_THROTTLE_KINDS; i++)
		TRY(take_throttles(block_io, &path, keys[i], (enum cgroup_throttle_kind)i,
		                   throttles, &l->n_throttles));
	l->throttles = throttles;
	if (l->n_throttles)
		l->set |= CGROUP_BLKIO_THROTTLES;
	return NULL;
}

static fallible complain(const struct runtime_request *request, const char *what, const char *why)
{
	if (request->limits_required)
		return error_new(ERROR_UNSUPPORTED, "%s: %s", what, why);
	plan_warn(request, "%s: %s", what, why);
	return NULL;
}

static fallible refuse_others(const struct runtime_request *request)
{
	const struct oci_resources *r = &request->spec->linux_.resources;
	const struct {
		bool is_wanted;
		const char *what;
	} wishes[] = {
		{r->hugepage_limits.n, "hugepage limits"},
		{json_size(r->network), "network classes"},
		{json_size(r->rdma), "rdma limits"},
		{r->cpu.realtime_runtime.set && r->cpu.realtime_runtime.value, "realtime runtime"},
	};
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		if (wishes[i].is_wanted)
			TRY(complain(request, wishes[i].what, "not supported yet"));
	}
	return NULL;
}

static const char *why_missing(uint32_t bit)
{
	if (bit == CGROUP_BLKIO_WEIGHTS)
		return "no writable cgroup controller, or none with a scheduler that has them "
		       "(BFQ, iocost)";
	if (bit == CGROUP_BLKIO_LEAF_WEIGHTS)
		return "no cgroup controller has them (CFQ's had, in kernels up to 4.20)";
	return "no writable cgroup controller";
}

fallible limits_apply(const struct runtime_request *request, struct cgroup *group,
                      bool *ret_enforces_devices)
{
	const struct oci_resources *r = &request->spec->linux_.resources;
	*ret_enforces_devices = true;
	if (!r->present)
		return NULL;
	auto_arena struct arena *arena = arena_new();
	struct cgroup_limits l = {0};
	take_numbers(r, &l);
	take_devices(arena, &r->devices, &l);
	take_unified(arena, &r->unified, &l);
	TRY(take_block_io(arena, r->block_io, &l));
	TRY(refuse_others(request));
	uint32_t missing = l.set;
	if (group && l.set)
		TRY(cgroup_apply(group, &l, &missing));
	*ret_enforces_devices = !(missing & CGROUP_DEVICES);
	if (missing & CGROUP_DEVICES)
		plan_warn(request,
		          "no devices controller: the container can't make or open devices "
		          "but its own");
	for (unsigned bit = 0; bit < CGROUP_LIMITS; bit++) {
		if (missing & ~(uint32_t)CGROUP_DEVICES & 1U << bit)
			TRY(complain(request, cgroup_limit_name((enum cgroup_limit)(1U << bit)),
			             why_missing(1U << bit)));
	}
	return NULL;
}
