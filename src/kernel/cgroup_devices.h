// SPDX-License-Identifier: Apache-2.0
// Device rules of a v2 group: a BPF program made of them. Private to kernel/.
#pragma once
#include "kernel/cgroup.h"

bool cgroup_devices_possible(void);
// Attaches the rules to a v2 group. Adds CGROUP_DEVICES to *missing where the kernel can't.
fallible cgroup_devices_attach(int group, const struct cgroup_device *devices, size_t n,
                               uint32_t *missing);
