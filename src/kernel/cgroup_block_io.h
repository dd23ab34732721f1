// SPDX-License-Identifier: Apache-2.0
// Limits that name block devices. Private to kernel/.
#pragma once
#include "kernel/cgroup_tree.h"

enum {
	CGROUP_BLOCK_IO = CGROUP_BLKIO_WEIGHTS | CGROUP_BLKIO_LEAF_WEIGHTS | CGROUP_BLKIO_THROTTLES
};
// One of them, `bit`; as cgroup_apply().
fallible cgroup_apply_block_io(struct cgroup *g, const struct cgroup_limits *l, uint32_t bit,
                               uint32_t *missing);
