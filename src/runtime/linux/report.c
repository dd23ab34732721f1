// SPDX-License-Identifier: Apache-2.0
#include "runtime/linux/report.h"
#include "oci/names.h"
#include "runtime/linux/hooks.h"
#include <string.h>

// What a step was about; %s is what its index names.
static const char *const texts[STEPS] = {
	// clang-format off
	[STEP_DESCRIPTORS]      = "close foreign descriptors",
	[STEP_CGROUPS]          = "enter the control groups",
	[STEP_SESSION]          = "new session",
	[STEP_SYNC]             = "wait for the creator",
	[STEP_USER]             = "become root of the user namespace",
	[STEP_JOIN]             = "join a namespace",
	[STEP_CGROUP_NAMESPACE] = "new cgroup namespace",
	[STEP_HOSTNAME]         = "set the hostname",
	[STEP_LOOPBACK]         = "bring up the loopback interface",
	[STEP_PRIVATE]          = "make mounts private",
	[STEP_ROOT]             = "attach the root file system",
	[STEP_READONLY_ROOT]    = "make the root file system read-only",
	[STEP_STDIO]            = "standard streams",
	[STEP_PIVOT]            = "change the root",
	[STEP_HOME]             = "find the home directory",
	[STEP_PERSONALITY]      = "set the personality",
	[STEP_TASK]             = "find itself in /proc",
	[STEP_PRIVILEGES]       = "forbid new privileges",
	[STEP_EARLY_SECCOMP]    = "load the seccomp filter",
	[STEP_BOUNDING]         = "drop capabilities",
	[STEP_IDS]              = "change user and groups",
	[STEP_CAPABILITIES]     = "set capabilities",
	[STEP_GO]               = "wait for the start",
	[STEP_DEATH_SIGNAL]     = "tie to the monitor",
	[STEP_EXEC]             = "execute coracle-init",
	// clang-format on
};

static const char *cause(const struct shim_report *r)
{
	return r->text[0] ? r->text : plan_errno_text(r->sys);
}

static struct error *mount_error(const struct plan *plan, const struct shim_report *r)
{
	if (r->index < 0 || (size_t)r->index >= plan->n_mounts)
		return error_system(r->sys, "mount");
	const struct plan_mount *m = &plan->mounts[r->index];
	if (m->is_strict && (r->sys == ELOOP || r->sys == ENOTDIR))
		return error_new(ERROR_INVALID, "\"%s\" must be mounted on an ordinary directory",
		                 m->target);
	struct error *e = error_new(ERROR_SYSTEM, "error mounting \"%s\" to rootfs at \"%s\": %s",
	                            m->name   ? m->name
	                            : m->type ? m->type
	                                      : "file",
	                            m->target, cause(r));
	e->sys = r->sys;
	return e;
}

static struct error *exec_error(const struct plan *plan, const struct shim_report *r)
{
	const char *name = plan->init_argv[SHIM_INIT_ARGUMENTS];
	bool is_path = strchr(name, '/') != NULL;
	if (r->step == STEP_FIND && r->sys == ENOENT && is_path)
		return error_new(ERROR_NO_PROGRAM, "exec: \"%s\": stat %s: %s", name, name,
		                 plan_errno_text(ENOENT));
	if (r->step == STEP_FIND && r->sys == ENOENT)
		return error_new(ERROR_NO_PROGRAM,
		                 "exec: \"%s\": executable file not found in $PATH", name);
	// A file that is there, but not its interpreter: a script's, or the dynamic loader.
	enum error_code code = r->sys == ENOENT ? ERROR_NO_PROGRAM : ERROR_NOT_EXECUTABLE;
	return error_new(code, "exec: \"%s\": %s", name, plan_errno_text(r->sys));
}

static struct error *stay_error(const struct shim_report *r)
{
	struct error *e = error_system(r->sys, "init: %s", r->text);
	if (r->sys != EPERM && r->sys != ENOSYS)
		return e;
	return error_hint(e, "a seccomp profile has to allow what an init does");
}

static struct error *profile_error(const struct plan *plan, const struct shim_report *r)
{
	if (r->sys == ENOENT)
		return error_hint(error_new(ERROR_NOT_FOUND, "AppArmor profile %s: not loaded",
		                            plan->apparmor),
		                  "apparmor_parser -r FILE loads one");
	return error_system(r->sys, "AppArmor profile %s", plan->apparmor);
}

struct error *report_error(const struct plan *plan, const struct shim_report *r)
{
	size_t i = (size_t)r->index;
	switch (r->step) {
	case STEP_MOUNTS:
		return mount_error(plan, r);
	case STEP_DEVICES:
		return error_system(r->sys, "device %s",
		                    i < plan->n_devices ? plan->devices[i].path : "/dev");
	case STEP_HOOKS:
		if (r->index < 0)
			return error_system(r->sys, "wait for hooks");
		return hooks_error(plan->hooks, OCI_HOOK_CREATE_CONTAINER, r);
	case SHIM_REPORT_HOOK:
		return hooks_error(plan->hooks, OCI_HOOK_START_CONTAINER, r);
	case STEP_SYSCTLS:
		return error_system(r->sys, "sysctl %s",
		                    i < plan->n_sysctls ? plan->sysctls[i].path + 4 : "");
	case STEP_READONLY_PATHS:
		return error_system(r->sys, "make %s read-only",
		                    i < plan->n_readonly ? plan->readonly[i] : "");
	case STEP_MASKED_PATHS:
		return error_system(r->sys, "mask %s", i < plan->n_masked ? plan->masked[i] : "");
	case STEP_CWD:
		if (plan->is_exec) // runc's words
			return error_new(ERROR_INVALID,
			                 "chdir to cwd (\"%s\") set in config.json failed: %s",
			                 plan->cwd, plan_errno_text(r->sys));
		return error_system(r->sys, "working directory %s", plan->cwd);
	case STEP_RLIMITS:
		return error_system(r->sys, "limit %s",
		                    i < plan->n_rlimits ? oci_rlimit_name(plan->rlimits[i].resource)
		                                        : "");
	case SHIM_REPORT_CAPABILITIES:
		return error_system(r->sys, "%s", texts[STEP_CAPABILITIES]);
	case SHIM_REPORT_SECCOMP:
		return error_system(r->sys, "%s", texts[STEP_EARLY_SECCOMP]);
	case SHIM_REPORT_PROFILE:
		return profile_error(plan, r);
	case SHIM_REPORT_STAY:
		return stay_error(r);
	case STEP_FIND:
	case SHIM_REPORT_EXEC:
		return exec_error(plan, r);
	case STEP_EXEC:
		if (r->sys == E2BIG) // the container's arguments and environment
			return exec_error(plan, r);
		return error_system(r->sys, "%s", texts[STEP_EXEC]);
	default:
		return error_system(r->sys, "%s",
		                    r->step < STEPS && texts[r->step] ? texts[r->step] : "start");
	}
}
