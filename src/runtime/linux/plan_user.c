// SPDX-License-Identifier: Apache-2.0
// What a user namespace changes: the container's files are seen through idmapped mounts of its
// layers (overlay itself has none), device nodes are the host's, and what needs rights in
// namespaces that are not its own is done by init's parent. Specification: runtime-spec
// config-linux.md, user namespace mappings; mount_setattr(2).
#include "kernel/idmap.h"
#include "kernel/kernel.h"
#include "runtime/linux/plan.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static fallible copy_maps(struct arena *arena, const char *what, const struct oci_id_mappings *list,
                          struct id_map **ret, size_t *ret_n)
{
	if (list->n > ID_MAPS_MAX)
		return error_new(ERROR_INVALID, "%s: more than %d mappings", what, ID_MAPS_MAX);
	*ret = arena_alloc(arena, (list->n + 1) * sizeof **ret);
	for (size_t i = 0; i < list->n; i++)
		(*ret)[i] = (struct id_map){list->items[i].container_id, list->items[i].host_id,
		                            list->items[i].size};
	*ret_n = list->n;
	return NULL;
}

static bool is_same(const struct id_map *a, size_t n_a, const struct id_map *b, size_t n_b)
{
	return n_a == n_b && !memcmp(a, b, n_a * sizeof *a);
}

static bool is_ours(int userns)
{
	struct stat ours, st;
	return stat("/proc/self/ns/user", &ours) == 0 && fstat(userns, &st) == 0 &&
	       st.st_dev == ours.st_dev && st.st_ino == ours.st_ino;
}

// A namespace that is there has its maps; the spec may repeat them, as Kubernetes' does.
static fallible join_maps(const struct runtime_request *request, struct plan *plan)
{
	const struct id_maps said = plan->ids;
	const char *path = oci_spec_namespace(request->spec, OCI_NAMESPACE_USER)->path;
	if (is_ours(plan->user_namespace))
		return error_new(ERROR_INVALID,
		                 "user namespace %s is the host's, which containers have without "
		                 "asking",
		                 path);
	TRY_AS(idmap_read(plan->user_namespace, plan->arena, &plan->ids, &plan->denies_groups),
	       "user namespace %s", path);
	if ((said.n_uids && !is_same(said.uids, said.n_uids, plan->ids.uids, plan->ids.n_uids)) ||
	    (said.n_gids && !is_same(said.gids, said.n_gids, plan->ids.gids, plan->ids.n_gids)))
		return error_new(ERROR_INVALID, "user namespace %s has other mappings than asked",
		                 path);
	return NULL;
}

fallible plan_id_maps(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_linux *l = &request->spec->linux_;
	struct id_maps *ids = &plan->ids;
	TRY(copy_maps(plan->arena, "linux.uidMappings", &l->uid_mappings, &ids->uids,
	              &ids->n_uids));
	TRY(copy_maps(plan->arena, "linux.gidMappings", &l->gid_mappings, &ids->gids,
	              &ids->n_gids));
	if (!plan->has_user_namespace)
		return ids->n_uids || ids->n_gids
		               ? error_new(ERROR_INVALID,
		                           "linux.uidMappings: without a user namespace")
		               : NULL;
	if (plan->user_namespace >= 0)
		TRY(join_maps(request, plan));
	if (id_map_outside(ids->uids, ids->n_uids, 0) < 0 ||
	    id_map_outside(ids->gids, ids->n_gids, 0) < 0)
		return error_new(ERROR_INVALID,
		                 "a user namespace needs a mapping for its root, user and group 0");
	return NULL;
}

static fallible need_mapping(struct plan *plan)
{
	return plan->id_mapping < 0 ? idmap_make(&plan->ids, &plan->id_mapping) : NULL;
}

fallible plan_map_mount(struct plan *plan, int mount)
{
	TRY(need_mapping(plan));
	int sys = mount_idmap(mount, plan->id_mapping, false);
	if (sys == EINVAL || sys == EOPNOTSUPP || sys == ENOSYS)
		return error_new(ERROR_UNSUPPORTED,
		                 "user namespace: this kernel can't map the IDs of the file system "
		                 "that the layers lie on");
	return sys ? error_system(sys, "user namespace: map the layers") : NULL;
}

// What the container writes is the namespace's on disk as well, as with containerd: an upper that
// is mapped couldn't get overlay's own work folder, since our IDs have no place in the mapping.
static fallible own_upper(const struct plan *plan, int upper)
{
	uid_t uid = (uid_t)id_map_outside(plan->ids.uids, plan->ids.n_uids, 0);
	gid_t gid = (gid_t)id_map_outside(plan->ids.gids, plan->ids.n_gids, 0);
	if (fchownat(upper, "", uid, gid, AT_EMPTY_PATH) < 0)
		FAIL_ERRNO("root file system: owner");
	return NULL;
}

fallible plan_mapped_overlay(const struct runtime_root *root, struct plan *plan, int *ret)
{
	TRY(need_mapping(plan));
	if (root->upper >= 0)
		TRY(own_upper(plan, root->upper));
	const struct mount_overlay overlay = {.lowers = root->lowers,
	                                      .n_lowers = root->n_lowers,
	                                      .upper = root->upper,
	                                      .work = root->work,
	                                      .is_volatile = root->is_volatile};
	TRY_AS(mount_make_mapped_overlay(&overlay, plan->id_mapping, ret), "root file system");
	return NULL;
}

// sysfs belongs to the network namespace, which is the container's own only if it is made with its
// user namespace.
fallible plan_early_mounts(struct plan *plan)
{
	bool needs = plan->has_user_namespace && !plan->new_network;
	for (size_t i = 0; i < plan->n_mounts && needs; i++) {
		struct plan_mount *m = &plan->mounts[i];
		if (m->source >= 0 || !m->type || strcmp(m->type, "sysfs") != 0)
			continue;
		m->is_early = true;
		m->source = fcntl(plan->root, F_DUPFD_CLOEXEC, 3);
		if (m->source < 0)
			FAIL_ERRNO("mount at %s", m->target);
	}
	return NULL;
}
