// SPDX-License-Identifier: Apache-2.0
// What init says to its creator, through a pipe that exec closes: struct shim_report, one write of
// less than PIPE_BUF.
#pragma once
#include "runtime/linux/plan.h"
#include "shim/protocol.h"
#include <stdint.h>

enum child_step {
	STEP_READY,       // not a failure: all is prepared, the go is awaited
	STEP_ENVIRONMENT, // nor this: namespaces and mounts are there, hooks outside are awaited
	STEP_DESCRIPTORS,
	STEP_CGROUPS,
	STEP_SESSION,
	STEP_SYNC,
	STEP_USER,
	STEP_JOIN,
	STEP_CGROUP_NAMESPACE,
	STEP_HOSTNAME,
	STEP_LOOPBACK,
	STEP_PRIVATE,
	STEP_ROOT,
	STEP_MOUNTS,
	STEP_DEVICES,
	STEP_HOOKS,
	STEP_SYSCTLS,
	STEP_READONLY_PATHS,
	STEP_MASKED_PATHS,
	STEP_READONLY_ROOT,
	STEP_STDIO,
	STEP_PIVOT,
	STEP_CWD,
	STEP_HOME,
	STEP_RLIMITS,
	STEP_PERSONALITY,
	STEP_TASK,
	STEP_PRIVILEGES,
	STEP_EARLY_SECCOMP,
	STEP_BOUNDING,
	STEP_IDS,
	STEP_CAPABILITIES,
	STEP_GO,
	STEP_FIND,
	STEP_DEATH_SIGNAL,
	STEP_EXEC,
	STEPS
};

// Turns a failure into the error that the user sees.
struct error *report_error(const struct plan *plan, const struct shim_report *report)
	__attribute__((returns_nonnull));
