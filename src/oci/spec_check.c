// SPDX-License-Identifier: Apache-2.0
// What a spec must be before it may be carried out: what runc checks before it makes anything.
#include "oci/names.h"
#include "oci/private.h"
#include "oci/spec_private.h"
#include <string.h>

// Of a Windows spec paths may begin with a drive.
static bool is_absolute(const struct oci_spec *spec, const char *path)
{
	if (!path || !*path)
		return false;
	char drive = (char)(path[0] | 32);
	bool with_drive = drive >= 'a' && drive <= 'z' && path[1] == ':' &&
	                  (path[2] == '\\' || path[2] == '/' || !path[2]);
	return path[0] == '/' || (spec->windows.present && (with_drive || path[0] == '\\'));
}

static fallible check_version(const struct oci_spec *spec)
{
	const char *v = spec->oci_version;
	char shown[SHOWN];
	if (!v || strncmp(v, "1.", 2) != 0 || v[2] < '0' || v[2] > '9')
		return error_new(ERROR_UNSUPPORTED, "ociVersion: \"%s\" is not 1.x",
		                 show(v ? v : "", shown));
	return NULL;
}

static fallible check_process(const struct oci_spec *spec)
{
	const struct oci_process *p = &spec->process;
	if (!p->present)
		return error_new(ERROR_INVALID, "process: missing");
	if (!p->args.n && !p->command_line)
		return error_new(ERROR_INVALID, "process.args: args must not be empty");
	if (p->args.n && !p->args.items[0][0])
		return error_new(ERROR_INVALID, "process.args[0]: empty");
	if (!is_absolute(spec, p->cwd))
		return error_new(ERROR_INVALID, "process.cwd: Cwd must be an absolute path");
	if (p->oom_score_adj.set &&
	    (p->oom_score_adj.value < -1000 || p->oom_score_adj.value > 1000))
		return error_new(ERROR_INVALID,
		                 "process.oomScoreAdj: not a number from -1000 to 1000");
	for (size_t i = 0; i < p->rlimits.n; i++)
		if (p->rlimits.items[i].soft > p->rlimits.items[i].hard)
			return error_new(
				ERROR_INVALID,
				"process.rlimits[%zu]: %s: the soft limit is above the hard one", i,
				oci_rlimit_name(p->rlimits.items[i].resource));
	for (size_t i = 0; i < p->env.n; i++)
		if (p->env.items[i][0] == '=' || !p->env.items[i][0])
			return error_new(ERROR_INVALID, "process.env[%zu]: no name", i);
	return NULL;
}

static fallible check_mounts(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct oci_mount *m = &spec->mounts.items[i];
		if (!is_absolute(spec, m->destination))
			return error_new(ERROR_INVALID,
			                 "mounts[%zu].destination: not an absolute path", i);
		if (!m->uid_mappings.n != !m->gid_mappings.n)
			return error_new(ERROR_INVALID,
			                 "mounts[%zu]: uidMappings and gidMappings go together", i);
	}
	return NULL;
}

static fallible check_hooks(const struct oci_spec *spec)
{
	for (size_t kind = 0; kind < OCI_HOOK_KINDS; kind++)
		for (size_t i = 0; i < spec->hooks[kind].n; i++)
			if (!is_absolute(spec, spec->hooks[kind].items[i].path))
				return error_new(ERROR_INVALID,
				                 "hooks.%s[%zu].path: not an absolute path",
				                 oci_hook_names[kind], i);
	return NULL;
}

static fallible check_user_namespace(const struct oci_spec *spec)
{
	const struct oci_linux *l = &spec->linux_;
	const struct oci_namespace *user = oci_spec_namespace(spec, OCI_NAMESPACE_USER);
	if (!l->uid_mappings.n != !l->gid_mappings.n)
		return error_new(ERROR_INVALID, "linux: uidMappings and gidMappings go together");
	if (l->uid_mappings.n && !user)
		return error_new(ERROR_INVALID,
		                 "linux.uidMappings: given without a user namespace");
	if (user && !user->path && !l->uid_mappings.n)
		return error_new(ERROR_INVALID,
		                 "linux.namespaces: a user namespace without uidMappings");
	return NULL;
}

static fallible check_linux(const struct oci_spec *spec)
{
	static const char *const propagations[] = {
		"shared",  "slave",  "private",  "unbindable",
		"rshared", "rslave", "rprivate", "runbindable",
	};
	const struct oci_linux *l = &spec->linux_;
	char shown[SHOWN];
	for (size_t i = 0; i < l->namespaces.n; i++) {
		const char *path = l->namespaces.items[i].path;
		if (path && *path != '/')
			return error_new(ERROR_INVALID,
			                 "linux.namespaces[%zu].path: not an absolute path", i);
	}
	for (size_t i = 0; i < l->devices.n; i++)
		if (l->devices.items[i].path[0] != '/')
			return error_new(ERROR_INVALID,
			                 "linux.devices[%zu].path: not an absolute path", i);
	for (size_t i = 0; i < l->masked_paths.n; i++)
		if (l->masked_paths.items[i][0] != '/')
			return error_new(ERROR_INVALID,
			                 "linux.maskedPaths[%zu]: not an absolute path", i);
	for (size_t i = 0; i < l->readonly_paths.n; i++)
		if (l->readonly_paths.items[i][0] != '/')
			return error_new(ERROR_INVALID,
			                 "linux.readonlyPaths[%zu]: not an absolute path", i);
	bool known = !l->rootfs_propagation;
	for (size_t i = 0; i < sizeof(propagations) / sizeof(*propagations); i++)
		known = known || !strcmp(l->rootfs_propagation, propagations[i]);
	if (!known)
		return error_new(ERROR_INVALID, "linux: rootfsPropagation=%s is not supported",
		                 show(l->rootfs_propagation, shown));
	return check_user_namespace(spec);
}

fallible oci_spec_check(const struct oci_spec *spec)
{
	TRY(check_version(spec));
	TRY(check_process(spec));
	if (!spec->root.present && !spec->windows.present)
		return error_new(ERROR_INVALID, "root: missing");
	if (!spec->root.path && !spec->windows.present)
		return error_new(ERROR_INVALID, "root.path: missing");
	TRY(check_mounts(spec));
	TRY(check_hooks(spec));
	return check_linux(spec);
}
