// SPDX-License-Identifier: Apache-2.0
// What not every kernel has, and what is an error only where it was asked for: classes of resctrl
// and AppArmor's profiles. Specification: runtime-spec config.md, apparmorProfile; config-linux.md,
// intelRdt; the kernel's Documentation/admin-guide/LSM/apparmor.rst and arch/x86/resctrl.rst.
#include "kernel/kernel.h"
#include "runtime/linux/plan.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

// ---- resctrl ------------------------------------------------------------------------------------

#define RESCTRL "/sys/fs/resctrl"
enum { RESCTRL_MAGIC = 0x7655821 };

fallible plan_rdt(const struct oci_spec *spec, struct plan *plan)
{
	const struct oci_intel_rdt *rdt = &spec->linux_.intel_rdt;
	struct statfs fs;
	if (!rdt->present)
		return NULL;
	const char *class = rdt->clos_id;
	if (rdt->l3_cache_schema || rdt->mem_bw_schema || rdt->enable_cmt || rdt->enable_mbm ||
	    !class || !*class)
		return error_new(ERROR_UNSUPPORTED,
		                 "linux.intelRdt: only joining a class that is there is supported");
	if (strchr(class, '/') || *class == '.' || !strcmp(class, "info") ||
	    !strcmp(class, "mon_groups") || !strcmp(class, "mon_data"))
		return error_new(ERROR_INVALID, "linux.intelRdt: \"%.64s\" is no class", class);
	if (statfs(RESCTRL, &fs) < 0 || fs.f_type != RESCTRL_MAGIC)
		return error_new(ERROR_UNSUPPORTED,
		                 "resctrl class %.64s: nothing is mounted at " RESCTRL, class);
	auto_free char *path = alloc_printf(RESCTRL "/%s/tasks", class);
	plan->rdt_tasks = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (plan->rdt_tasks < 0)
		FAIL_ERRNO("resctrl class %.64s: %s", class, path);
	return NULL;
}

// ---- AppArmor -----------------------------------------------------------------------------------

enum { APPARMOR_NAME_MAX = 400 }; // coracle-init has 512 for it and a word

// Of a kernel that has it but was told not to use it the parameter says N.
static bool has_apparmor(void)
{
	auto_free char *text = NULL;
	auto_error struct error *e =
		file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text, NULL);
	return !e && *text == 'Y';
}

fallible plan_apparmor(const struct oci_spec *spec, struct plan *plan)
{
	const char *profile = spec->process.apparmor_profile;
	if (!profile || !*profile || !strcmp(profile, "unconfined"))
		return NULL;
	if (!has_apparmor())
		return error_new(ERROR_UNSUPPORTED,
		                 "process.apparmorProfile %.64s: this kernel has no AppArmor",
		                 profile);
	if (strlen(profile) > APPARMOR_NAME_MAX)
		return error_new(ERROR_INVALID, "process.apparmorProfile: longer than %d bytes",
		                 APPARMOR_NAME_MAX);
	plan->apparmor = profile;
	plan->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (plan->proc < 0)
		FAIL_ERRNO("/proc");
	return NULL;
}
