// SPDX-License-Identifier: Apache-2.0
// The process of the plan: what to execute, as whom, with which limits and capabilities.
#include "base/text.h"
#include "kernel/exec_copy.h"
#include "oci/names.h"
#include "runtime/linux/hooks.h"
#include "runtime/linux/plan.h"
#include "shim/protocol.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>

enum { CANDIDATES_MAX = 256 };

// "nosuch" is looked for in the spec's PATH; what has a slash is a path. Relative folders are
// passed over, as Go's exec.LookPath does: an image can't make the working directory part of the
// search.
static void plan_candidates(const struct oci_spec *spec, struct plan *plan)
{
	const char *name = spec->process.args.items[0];
	plan->candidates = arena_alloc(plan->arena, CANDIDATES_MAX * sizeof *plan->candidates);
	if (strchr(name, '/')) {
		plan->candidates[plan->n_candidates++] = name;
		return;
	}
	const char *path = oci_spec_env(spec, "PATH");
	while (path && *path && plan->n_candidates < CANDIDATES_MAX) {
		size_t n = strcspn(path, ":");
		if (*path == '/')
			plan->candidates[plan->n_candidates++] =
				arena_printf(plan->arena, "%.*s/%s", (int)n, path, name);
		path += n;
		path += *path == ':';
	}
}

static void plan_environment(const struct oci_spec *spec, struct plan *plan)
{
	const struct oci_strings *env = &spec->process.env;
	plan->env = arena_alloc(plan->arena, (env->n + 3) * sizeof *plan->env);
	for (size_t i = 0; i < env->n; i++) {
		const char *entry = env->items[i];
		if (!strncmp(entry, "HOME=", 5)) {
			if (!entry[5]) // empty is unset: init finds it
				continue;
			plan->has_home = true;
		}
		plan->env[plan->n_env++] = entry;
	}
}

static void plan_capabilities(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_capabilities *c = &request->spec->process.capabilities;
	for (size_t i = 0; i < c->unknown.n; i++)
		plan_warn(request, "ignoring unknown capability %.64s", c->unknown.items[i]);
	if (!c->set)
		return;
	plan->capabilities = (struct capability_sets){
		.bounding = c->bounding,
		.permitted = c->permitted,
		.effective = c->effective & c->permitted,
		.inheritable = c->inheritable,
		.ambient = c->ambient & c->permitted & c->inheritable,
	};
}

// ctr's default spec asks for 1024 open files: no wish of the user's, who may have less to give.
static bool is_default_limit(const struct oci_rlimit *l)
{
	return l->resource == RLIMIT_NOFILE && l->soft == 1024 && l->hard == 1024;
}

static void plan_rlimits(const struct oci_spec *spec, struct plan *plan)
{
	const struct oci_rlimits *list = &spec->process.rlimits;
	plan->rlimits = arena_alloc(plan->arena, (list->n + 1) * sizeof *plan->rlimits);
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_rlimit *l = &list->items[i];
		plan->rlimits[plan->n_rlimits++] =
			(struct plan_rlimit){l->resource, {l->soft, l->hard}, is_default_limit(l)};
	}
}

fallible plan_process(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_spec *spec = request->spec;
	const struct oci_process *p = &spec->process;
	if (!p->args.n)
		return error_new(ERROR_INVALID, "process.args: args must not be empty");
	if (p->user.uid == (uid_t)-1 || p->user.gid == (gid_t)-1)
		return error_new(ERROR_INVALID, "process.user: %u:%u can't be used", p->user.uid,
		                 p->user.gid);
	plan_candidates(spec, plan);
	plan_environment(spec, plan);
	plan_capabilities(request, plan);
	plan_rlimits(spec, plan);
	plan->cwd = plan_clean_path(plan->arena, p->cwd);
	plan->uid = p->user.uid;
	plan->gid = p->user.gid;
	static const gid_t none[1];
	plan->groups = p->user.n_additional_gids ? p->user.additional_gids : none;
	plan->n_groups = p->user.n_additional_gids;
	if (plan->denies_groups) {
		plan->groups = NULL; // whoever entered has dropped them
		if (plan->n_groups)
			plan_warn(request, "the user namespace denies setgroups: the user's "
			                   "supplementary groups are left out");
	}
	plan->umask = p->user.umask.set ? (mode_t)p->user.umask.value & 0777 : 0022;
	plan->personality = !spec->linux_.personality.set      ? ~0UL
	                    : spec->linux_.personality.linux32 ? PER_LINUX32
	                                                       : PER_LINUX;
	plan->no_new_privs = p->no_new_privileges;
	return NULL;
}

// ---- coracle-init -------------------------------------------------------------------------------

static fallible filter_in_memory(const struct seccomp_filter *filter, int *ret)
{
	auto_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("seccomp filter");
	TRY_AS(fd_write_all(fd, filter->code, filter->n * sizeof *filter->code), "seccomp filter");
	*ret = fd_take(&fd);
	return NULL;
}

static const char *capability_argument(const struct plan *plan)
{
	const struct capability_sets *c = &plan->capabilities;
	if (!plan->transits_capabilities)
		return "-";
	return arena_printf(plan->arena, "%llx,%llx,%llx,%llx", (unsigned long long)c->permitted,
	                    (unsigned long long)c->effective, (unsigned long long)c->inheritable,
	                    (unsigned long long)c->ambient);
}

fallible plan_init_program(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_strings *args = &request->spec->process.args;
	const char *slash = strrchr(request->shim_program, '/');
	int folder = slash ? (int)(slash - request->shim_program) + 1 : 0;
	const char *path =
		arena_printf(plan->arena, "%.*s%s", folder, request->shim_program, SHIM_INIT);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("%s", path);
	// Others see it in a pid namespace that was joined, and it has no filter yet: none of them
	// may trace it.
	struct error *e = plan->pid_namespace < 0 ? exec_copy(fd, &plan->init_program)
	                                          : exec_copy_hidden(fd, &plan->init_program);
	TRY_AS(e, "%s", path);
	if (plan->has_filter && plan->no_new_privs)
		TRY(filter_in_memory(&plan->filter, &plan->filter_fd));
	if (plan->hooks)
		TRY(hooks_for_init(plan->hooks, &plan->hooks_fd));
	// Root gets its capabilities by being root.
	plan->transits_capabilities = plan->uid && plan->capabilities.permitted;
	plan->init_argv = arena_alloc(plan->arena, (SHIM_INIT_ARGUMENTS + args->n + 1) *
	                                                   sizeof *plan->init_argv);
	size_t n = 0;
	plan->init_argv[n++] = SHIM_INIT;
	plan->init_argv[n++] = arena_printf(plan->arena, "%d", plan->report);
	plan->init_argv[n++] =
		plan->filter_fd < 0 ? "-" : arena_printf(plan->arena, "%d", plan->filter_fd);
	plan->init_argv[n++] = arena_printf(plan->arena, "%x", plan->filter_flags);
	plan->init_argv[n++] = capability_argument(plan);
	plan->init_argv[n++] = !request->init_stays              ? "-"
	                       : request->spec->process.terminal ? "tty"
	                                                         : "init";
	plan->init_argv[n++] =
		plan->hooks_fd < 0 ? "-" : arena_printf(plan->arena, "%d", plan->hooks_fd);
	plan->init_argv[n++] =
		plan->proc < 0 ? "-"
			       : arena_printf(plan->arena, "%d,%s", plan->proc, plan->apparmor);
	plan->init_argv[n++] = ""; // the program, once init has found it
	for (size_t i = 0; i < args->n; i++)
		plan->init_argv[n++] = args->items[i];
	return NULL;
}
