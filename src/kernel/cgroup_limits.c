// SPDX-License-Identifier: Apache-2.0
// From the runtime spec's numbers to files. One table; v1 where its hierarchy is mounted, else v2.
#include "base/memory.h"
#include "kernel/cgroup_block_io.h"
#include "kernel/cgroup_devices.h"
#include "kernel/cgroup_tree.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static const struct setting {
	uint32_t bit;
	const char *name; // in messages
	enum v1_hierarchy hierarchy;
	const char *v1_file; // NULL: v1 can't
	const char *controller;
	const char *v2_file; // NULL: v2 can't
} settings[] = {
	// clang-format off
	// Memory before swap: a new group's swap limit is endless, and may not be under memory's.
	{CGROUP_MEMORY_LIMIT,       "memory limit",       V1_MEMORY,  "memory.limit_in_bytes",       "memory", "memory.max"},
	{CGROUP_MEMORY_SWAP,        "swap limit",         V1_MEMORY,  "memory.memsw.limit_in_bytes", "memory", "memory.swap.max"},
	{CGROUP_MEMORY_RESERVATION, "memory reservation", V1_MEMORY,  "memory.soft_limit_in_bytes",  "memory", "memory.low"},
	{CGROUP_MEMORY_SWAPPINESS,  "swappiness",         V1_MEMORY,  "memory.swappiness",           "memory", NULL},
	{CGROUP_OOM_KILL_DISABLE,   "disabled OOM killer", V1_MEMORY, "memory.oom_control",          "memory", NULL},
	{CGROUP_CPU_SHARES,         "cpu shares",         V1_CPU,     "cpu.shares",                  "cpu",    "cpu.weight"},
	// Period before quota, which is checked against it; on v2 both are one file.
	{CGROUP_CPU_PERIOD,         "cpu period",         V1_CPU,     "cpu.cfs_period_us",           "cpu",    "cpu.max"},
	{CGROUP_CPU_QUOTA,          "cpu quota",          V1_CPU,     "cpu.cfs_quota_us",            "cpu",    "cpu.max"},
	{CGROUP_CPU_BURST,          "cpu burst",          V1_CPU,     "cpu.cfs_burst_us",            "cpu",    "cpu.max.burst"},
	{CGROUP_CPU_IDLE,           "cpu idle",           V1_CPU,     "cpu.idle",                    "cpu",    "cpu.idle"},
	{CGROUP_CPUSET_CPUS,        "cpuset",             V1_CPUSET,  "cpuset.cpus",                 "cpuset", "cpuset.cpus"},
	{CGROUP_CPUSET_MEMS,        "memory nodes",       V1_CPUSET,  "cpuset.mems",                 "cpuset", "cpuset.mems"},
	{CGROUP_PIDS_LIMIT,         "pids limit",         V1_PIDS,    "pids.max",                    "pids",   "pids.max"},
	{CGROUP_BLKIO_WEIGHTS,      "block I/O weights",  V1_BLKIO,   "blkio.bfq.weight",            "io",     "io.bfq.weight"},
	{CGROUP_BLKIO_LEAF_WEIGHTS, "block I/O leaf weights", V1_BLKIO, "blkio.leaf_weight",         "io",     NULL},
	{CGROUP_DEVICES,            "device rules",       V1_DEVICES, "devices.allow",               "devices", NULL},
	{CGROUP_BLKIO_THROTTLES,    "block I/O throttles", V1_BLKIO,  "blkio.throttle.read_bps_device", "io", "io.max"},
	{CGROUP_UNIFIED,            "unified values",     V1_NONE,    NULL,                          "",       NULL},
	// clang-format on
};
enum { SETTINGS = sizeof(settings) / sizeof(*settings) };
_Static_assert(SETTINGS == (int)CGROUP_LIMITS, "a row for every limit");

const char *cgroup_limit_name(enum cgroup_limit bit)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (settings[i].bit == (uint32_t)bit)
			return settings[i].name;
	}
	return "limit";
}

static bool is_v1(const struct cgroups *c, const struct setting *s)
{
	return s->hierarchy != V1_NONE && c->v1[s->hierarchy] >= 0;
}

uint32_t cgroups_possible(const struct cgroups *c)
{
	uint32_t possible = c->is_v2_writable ? CGROUP_UNIFIED : 0;
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];
		if (is_v1(c, s) ? s->v1_file != NULL
		                : s->v2_file && cgroups_has_v2(c, s->controller))
			possible |= s->bit;
	}
	if (c->is_v2_writable && !(possible & CGROUP_DEVICES) && cgroup_devices_possible())
		possible |= CGROUP_DEVICES;
	return possible;
}

// ---- Values -------------------------------------------------------------------------------------

static char *number(int64_t value, bool v2)
{
	if (value < 0)
		return alloc_string(v2 ? "max" : "-1");
	return alloc_printf("%" PRId64, value);
}

static char *cpu_max(const struct cgroup_limits *l)
{
	int64_t quota = l->set & CGROUP_CPU_QUOTA ? l->cpu_quota_us : -1;
	uint64_t period = l->set & CGROUP_CPU_PERIOD ? l->cpu_period_us : 100000;
	auto_free char *first = number(quota > 0 ? quota : -1, true);
	return alloc_printf("%s %" PRIu64, first, period);
}

static uint64_t weight_of_shares(uint64_t shares)
{
	// 2…262144 to 1…10000, as runc does it
	if (shares < 2)
		shares = 2;
	if (shares > 262144)
		shares = 262144;
	return 1 + (shares - 2) * 9999 / 262142;
}

static char *swap_value(const struct cgroup_limits *l, bool v2)
{
	int64_t swap = l->memory_swap_bytes;
	if (!v2 || swap < 0)
		return number(swap, v2);
	// v2 counts swap alone
	int64_t memory = l->set & CGROUP_MEMORY_LIMIT ? l->memory_limit_bytes : 0;
	return number(swap > memory && memory >= 0 ? swap - memory : 0, true);
}

// What to write; NULL: nothing is to be done.
static char *value_of(const struct cgroup_limits *l, uint32_t bit, bool v2)
{
	switch (bit) {
	case CGROUP_MEMORY_LIMIT:
		return number(l->memory_limit_bytes, v2);
	case CGROUP_MEMORY_RESERVATION:
		return number(l->memory_reservation_bytes, v2);
	case CGROUP_MEMORY_SWAP:
		return swap_value(l, v2);
	case CGROUP_MEMORY_SWAPPINESS:
		return alloc_printf("%" PRIu64, l->memory_swappiness);
	case CGROUP_OOM_KILL_DISABLE:
		return l->oom_kill_disable ? alloc_string("1") : NULL;
	case CGROUP_CPU_SHARES:
		if (l->cpu_shares == 0)
			return NULL;
		return alloc_printf("%" PRIu64,
		                    v2 ? weight_of_shares(l->cpu_shares) : l->cpu_shares);
	case CGROUP_CPU_PERIOD:
		if (v2 && l->set & CGROUP_CPU_QUOTA)
			return NULL; // written with the quota
		return v2 ? cpu_max(l) : alloc_printf("%" PRIu64, l->cpu_period_us);
	case CGROUP_CPU_QUOTA:
		return v2 ? cpu_max(l) : number(l->cpu_quota_us > 0 ? l->cpu_quota_us : -1, false);
	case CGROUP_CPU_BURST:
		return alloc_printf("%" PRIu64, l->cpu_burst_us);
	case CGROUP_CPU_IDLE:
		return alloc_printf("%" PRId64, l->cpu_idle);
	case CGROUP_CPUSET_CPUS:
		return alloc_string(l->cpuset_cpus);
	case CGROUP_CPUSET_MEMS:
		return alloc_string(l->cpuset_mems);
	case CGROUP_PIDS_LIMIT:
		return l->pids_limit > 0 ? alloc_printf("%" PRId64, l->pids_limit)
		                         : alloc_string("max");
	default:
		return NULL;
	}
}

// ---- Writing ------------------------------------------------------------------------------------

int cgroup_write(int group, const char *file, const char *value)
{
	auto_fd int fd = openat(group, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	ssize_t n = write(fd, value, strlen(value));
	return n < 0 ? errno : 0;
}

bool cgroup_lacks(int sys)
{
	return sys == ENOENT || sys == EACCES || sys == EPERM || sys == EROFS || sys == ENODEV ||
	       sys == EOPNOTSUPP;
}

static fallible write_or_missing(int group, const char *file, const char *value, uint32_t bit,
                                 uint32_t *missing)
{
	int sys = cgroup_write(group, file, value);
	if (cgroup_lacks(sys))
		*missing |= bit;
	else if (sys)
		return error_recode(error_system(sys, "%s %s", file, value), ERROR_INVALID);
	return NULL;
}

// A new v1 cpuset is empty, and no process may enter it: every group on the way inherits.
static void inherit_cpuset(int root, const char *path)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	auto_free char *prefix = alloc_string(path);
	auto_fd int parent = fcntl(root, F_DUPFD_CLOEXEC, 0);
	for (char *end = prefix; end && parent >= 0;) {
		end = strchr(end, '/');
		if (end)
			*end = 0;
		int child = -1;
		if (cgroup_open_path(root, prefix, &child) != 0)
			return;
		for (size_t i = 0; i < 2; i++) {
			auto_free char *mine = NULL, *theirs = NULL;
			auto_error struct error *e =
				file_read(child, files[i], 64 << 10, &mine, NULL);
			auto_error struct error *f =
				file_read(parent, files[i], 64 << 10, &theirs, NULL);
			if (!e && !f && (!*mine || *mine == '\n'))
				ignore(cgroup_write(child, files[i], theirs)); // joining will tell
		}
		close(parent);
		parent = child;
		if (end)
			*end++ = '/';
	}
}

static int open_v1(struct cgroup *g, enum v1_hierarchy h, int *ret)
{
	int sys = cgroup_make_path(g->c->v1[h], g->path, false, ret);
	if (!sys && h == V1_CPUSET)
		inherit_cpuset(g->c->v1[h], g->path);
	return sys;
}

int cgroup_enable_v2(const struct cgroup *g, const char *controller)
{
	auto_free char *word = alloc_printf("+%s", controller);
	auto_free char *prefix = alloc_string(g->path);
	int sys = cgroup_write(g->c->v2, "cgroup.subtree_control", word);
	for (char *slash = strchr(prefix, '/'); !sys && slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		int opened = -1;
		sys = cgroup_open_path(g->c->v2, prefix, &opened);
		auto_fd int fd = opened;
		if (!sys)
			sys = cgroup_write(fd, "cgroup.subtree_control", word);
		*slash = '/';
	}
	return sys;
}

// Lowering or raising both of an old group: whichever order the kernel takes.
static fallible apply_v1(struct cgroup *g, const struct setting *s, const struct cgroup_limits *l,
                         uint32_t *missing)
{
	auto_free char *value = value_of(l, s->bit, false);
	if (!value)
		return NULL;
	int opened = -1;
	int sys = open_v1(g, s->hierarchy, &opened);
	auto_fd int group = opened;
	if (cgroup_lacks(sys) || !s->v1_file) {
		*missing |= s->bit;
		return NULL;
	}
	if (sys)
		return error_system(sys, "cgroup %s", g->path);
	if (s->bit == CGROUP_MEMORY_LIMIT && l->set & CGROUP_MEMORY_SWAP &&
	    cgroup_write(group, s->v1_file, value) == EINVAL) {
		auto_free char *swap = value_of(l, CGROUP_MEMORY_SWAP, false);
		ignore(cgroup_write(group, "memory.memsw.limit_in_bytes",
		                    swap)); // tried again below
	}
	return write_or_missing(group, s->v1_file, value, s->bit, missing);
}

static fallible apply_v2(struct cgroup *g, const struct setting *s, const struct cgroup_limits *l,
                         uint32_t *missing)
{
	auto_free char *value = value_of(l, s->bit, true);
	if (!value)
		return NULL;
	if (!s->v2_file || !cgroups_has_v2(g->c, s->controller) ||
	    cgroup_enable_v2(g, s->controller) != 0) {
		*missing |= s->bit;
		return NULL;
	}
	return write_or_missing(g->v2, s->v2_file, value, s->bit, missing);
}

static char *device_text(const struct cgroup_device *d, char type)
{
	auto_free char *major = d->major < 0 ? alloc_string("*") : number(d->major, false);
	auto_free char *minor = d->minor < 0 ? alloc_string("*") : number(d->minor, false);
	return alloc_printf("%c %s:%s %s%s%s", type, major, minor, d->read ? "r" : "",
	                    d->write ? "w" : "", d->mknod ? "m" : "");
}

static fallible apply_device(int group, const struct cgroup_device *d, uint32_t *missing)
{
	// For the kernel "a" means everything, whatever stands behind it: where it doesn't, it is
	// two rules.
	bool everything = d->major < 0 && d->minor < 0 && d->read && d->write && d->mknod;
	const char *types = d->type == 'b' ? "b" : d->type == 'c' ? "c" : everything ? "a" : "bc";
	for (; *types; types++) {
		auto_free char *text = device_text(d, *types);
		TRY(write_or_missing(group, d->allow ? "devices.allow" : "devices.deny", text,
		                     CGROUP_DEVICES, missing));
	}
	return NULL;
}

static fallible apply_devices(struct cgroup *g, const struct cgroup_limits *l, uint32_t *missing)
{
	if (g->c->v1[V1_DEVICES] < 0)
		return cgroup_devices_attach(g->v2, l->devices, l->n_devices, missing);
	int opened = -1;
	int sys = open_v1(g, V1_DEVICES, &opened);
	auto_fd int group = opened;
	if (sys) {
		*missing |= CGROUP_DEVICES;
		return NULL;
	}
	for (size_t i = 0; i < l->n_devices && !(*missing & CGROUP_DEVICES); i++)
		TRY(apply_device(group, &l->devices[i], missing));
	return NULL;
}

static fallible apply_unified(struct cgroup *g, const struct cgroup_limits *l, uint32_t *missing)
{
	for (size_t i = 0; i < l->n_unified; i++) {
		const struct cgroup_file *f = &l->unified[i];
		if (strchr(f->name, '/') || !strchr(f->name, '.') || f->name[0] == '.' ||
		    text_starts(f->name, "cgroup."))
			return error_new(ERROR_INVALID,
			                 "unified \"%.64s\": not a controller's file", f->name);
		auto_free char *controller =
			alloc_printf("%.*s", (int)strcspn(f->name, "."), f->name);
		if (!cgroups_has_v2(g->c, controller) || cgroup_enable_v2(g, controller) != 0)
			*missing |= CGROUP_UNIFIED;
		else
			TRY(write_or_missing(g->v2, f->name, f->value, CGROUP_UNIFIED, missing));
	}
	return NULL;
}

fallible cgroup_apply(struct cgroup *g, const struct cgroup_limits *l, uint32_t *ret_missing)
{
	uint32_t missing = 0;
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];
		if (!(l->set & s->bit))
			continue;
		if (s->bit == CGROUP_DEVICES)
			TRY_AS(apply_devices(g, l, &missing), "cgroup %s", g->path);
		else if (s->bit & CGROUP_BLOCK_IO)
			TRY_AS(cgroup_apply_block_io(g, l, s->bit, &missing), "cgroup %s", g->path);
		else if (s->bit == CGROUP_UNIFIED)
			TRY_AS(apply_unified(g, l, &missing), "cgroup %s", g->path);
		else if (is_v1(g->c, s))
			TRY_AS(apply_v1(g, s, l, &missing), "cgroup %s", g->path);
		else
			TRY_AS(apply_v2(g, s, l, &missing), "cgroup %s", g->path);
	}
	*ret_missing = missing;
	return NULL;
}
