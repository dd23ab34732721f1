// SPDX-License-Identifier: Apache-2.0
// Specification: Documentation/block/bfq-iosched.rst (weights), admin-guide/cgroup-v2.rst
// (io.weight, io.max), cgroup-v1/blkio-controller.rst.
#include "kernel/cgroup_block_io.h"
#include "base/memory.h"
#include "sys/fd.h"
#include <errno.h>
#include <inttypes.h>

// Of each pair the first that the kernel has. On v1 those of devices bear one more word.
static const char *const weight_files[2][2][2] = {
	// clang-format off
	// weights                             leaf weights
	{ {"blkio.bfq.weight", "blkio.weight"}, {"blkio.leaf_weight", NULL} }, // v1
	{ {"io.bfq.weight", "io.weight"},       {NULL, NULL} },                // v2
	// clang-format on
};

// 10…1000 to io.weight's 1…10000, as runc does it.
static unsigned wide_weight(unsigned weight)
{
	return weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static fallible refuse_device(const char *what, uint32_t major, uint32_t minor)
{
	return error_new(ERROR_INVALID, "%s: there is no block device %u:%u, or it is a partition",
	                 what, major, minor);
}

static fallible apply_weight(struct cgroup *g, int v1, const struct cgroup_weight *w, uint32_t bit,
                             uint32_t *missing)
{
	const char *const *files = weight_files[v1 < 0][w->is_leaf];
	auto_free char *device =
		w->of_device ? alloc_printf("%u:%u ", w->major, w->minor) : alloc_string("");
	auto_free char *value = NULL;
	int sys = ENOENT;
	// BFQ's file is there although another scheduler has the device.
	for (size_t i = 0; i < 2 && files[i] && (sys == ENOENT || sys == EOPNOTSUPP); i++) {
		bool is_wide = v1 < 0 && i == 1;
		auto_free char *name =
			alloc_printf("%s%s", files[i], v1 >= 0 && w->of_device ? "_device" : "");
		free(value);
		value = alloc_printf("%s%u", device, is_wide ? wide_weight(w->weight) : w->weight);
		int said = cgroup_write(v1 < 0 ? g->v2 : v1, name, value);
		sys = said == ENOENT ? sys : said;
	}
	if (sys == ENODEV && w->of_device)
		return refuse_device("block I/O weight", w->major, w->minor);
	if (sys == EOPNOTSUPP && w->of_device)
		return error_new(
			ERROR_UNSUPPORTED,
			"block I/O weight: device %u:%u has a scheduler without weights (BFQ "
			"has them)",
			w->major, w->minor);
	if (cgroup_lacks(sys))
		*missing |= bit;
	else if (sys)
		return error_recode(error_system(sys, "block I/O weight %s", value), ERROR_INVALID);
	return NULL;
}

static fallible apply_throttle(struct cgroup *g, int v1, const struct cgroup_throttle *t,
                               uint32_t *missing)
{
	static const struct {
		const char *v1_file, *v2_key;
	} kinds[CGROUP_THROTTLE_KINDS] = {
		[CGROUP_READ_BPS] = {"blkio.throttle.read_bps_device", "rbps"},
		[CGROUP_WRITE_BPS] = {"blkio.throttle.write_bps_device", "wbps"},
		[CGROUP_READ_IOPS] = {"blkio.throttle.read_iops_device", "riops"},
		[CGROUP_WRITE_IOPS] = {"blkio.throttle.write_iops_device", "wiops"},
	};
	auto_free char *rate =
		!t->rate && v1 < 0 ? alloc_string("max") : alloc_printf("%" PRIu64, t->rate);
	auto_free char *value = v1 < 0 ? alloc_printf("%u:%u %s=%s", t->major, t->minor,
	                                              kinds[t->kind].v2_key, rate)
	                               : alloc_printf("%u:%u %s", t->major, t->minor, rate);
	int sys = v1 < 0 ? cgroup_write(g->v2, "io.max", value)
	                 : cgroup_write(v1, kinds[t->kind].v1_file, value);
	if (sys == ENODEV)
		return refuse_device("block I/O throttle", t->major, t->minor);
	if (cgroup_lacks(sys))
		*missing |= CGROUP_BLKIO_THROTTLES;
	else if (sys)
		return error_recode(error_system(sys, "block I/O throttle %s", value),
		                    ERROR_INVALID);
	return NULL;
}

fallible cgroup_apply_block_io(struct cgroup *g, const struct cgroup_limits *l, uint32_t bit,
                               uint32_t *missing)
{
	int opened = -1, sys = 0;
	if (g->c->v1[V1_BLKIO] >= 0)
		sys = cgroup_make_path(g->c->v1[V1_BLKIO], g->path, false, &opened);
	else if (!cgroups_has_v2(g->c, "io"))
		sys = ENOENT;
	else
		sys = cgroup_enable_v2(g, "io");
	auto_fd int v1 = opened;
	if (sys)
		*missing |= bit;
	bool is_leaf = bit == CGROUP_BLKIO_LEAF_WEIGHTS;
	size_t n_weights = bit == CGROUP_BLKIO_THROTTLES ? 0 : l->n_weights;
	size_t n_throttles = bit == CGROUP_BLKIO_THROTTLES ? l->n_throttles : 0;
	for (size_t i = 0; i < n_weights && !(*missing & bit); i++) {
		if (l->weights[i].is_leaf == is_leaf)
			TRY(apply_weight(g, v1, &l->weights[i], bit, missing));
	}
	for (size_t i = 0; i < n_throttles && !(*missing & bit); i++)
		TRY(apply_throttle(g, v1, &l->throttles[i], missing));
	return NULL;
}
