// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cgroup.h"
#include "runtime/runtime.h"

// Sets what the spec's linux.resources ask for on `group` (NULL: there is none), warning or failing
// as request.limits_required says. *ret_enforces_devices: the device rules hold.
fallible limits_apply(const struct runtime_request *request, struct cgroup *group,
                      bool *ret_enforces_devices);
