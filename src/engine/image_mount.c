// SPDX-License-Identifier: Apache-2.0
// `images mount`: an image's root at a directory, as a snapshot whose key is the target's path.
#include "engine/private.h"
#include "kernel/mount.h"
#include "sys/path.h"
#include <fcntl.h>
#include <sys/mount.h>

static void image_cleanup(struct store_image **image)
{
	store_image_free(*image);
}

static void active_cleanup(struct snapshot_active **active)
{
	snapshot_active_free(*active);
}

static fallible make_mount(const struct snapshot_active *a, bool rw, int *ret)
{
	const struct snapshot_layers *lower = a->lower;
	if (lower->n) {
		struct mount_overlay overlay = {
			.lowers = lower->fds,
			.n_lowers = lower->n,
			.upper = rw ? a->fs : -1,
			.work = rw ? a->work : -1,
		};
		return mount_make_overlay(&overlay, ret);
	}
	int error =
		rw ? mount_clone(a->fs, "", false, ret) : mount_clone_readonly(a->fs, false, ret);
	return error ? error_system(error, "clone the snapshot's folder") : NULL;
}

static fallible mount_snapshot(struct snapshots *s, const char *key, bool rw, int targetfd)
{
	defer(active_cleanup) struct snapshot_active *active = NULL;
	TRY(snapshots_open_active(s, key, &active));
	auto_fd int mount = -1;
	TRY(make_mount(active, rw, &mount));
	int error = mount_attach(mount, targetfd);
	return error ? error_system(error, "mount at %s", key) : NULL;
}

fallible engine_image_mount(struct engine *e, const struct engine_mount_image *r,
                            char **ret_chain_id)
{
	auto_fd int target = -1;
	TRY_AS(path_open_dir(r->target, &target), "mount target");
	auto_free char *key = NULL; // the target's absolute path
	TRY(path_of_fd(target, &key));
	defer(image_cleanup) struct store_image *image = NULL;
	const struct store_manifest *m;
	TRY(engine_find_image(e, r->name, &image));
	TRY(engine_choose_manifest(image, r->platform, &m));
	TRY(engine_ensure_unpacked(e, r->snapshotter, m));
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots(e, engine_snapshotter_for(m, r->snapshotter), &s));
	auto_labels struct label_list labels = {0};
	TRY(labels_parse(r->labels, r->n_labels, false, &labels));
	labels_set(&labels, "containerd.io/gc.root", "images mount");
	struct store_labels view = labels_view(&labels);
	struct error *error = r->rw ? snapshots_prepare(s, key, m->chain_id, &view, NULL)
	                            : snapshots_view(s, key, m->chain_id, &view, NULL);
	TRY(error_hint(error, "coracle images unmount --rm %s frees it", r->target));
	error = mount_snapshot(s, key, r->rw, target);
	if (error)
		return error_join(error, snapshots_remove(s, key));
	*ret_chain_id = alloc_string(m->chain_id);
	return NULL;
}

fallible engine_image_unmount(struct engine *e, const char *path, bool remove,
                              const char *snapshotter)
{
	auto_fd int target = -1;
	TRY_AS(path_open_dir(path, &target), "mount target");
	auto_free char *key = NULL;
	TRY(path_of_fd(target, &key));
	auto_snapshots struct snapshots *s = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s));
	struct store_snapshot *row;
	TRY(error_hint(snapshots_stat(s, key, &row),
	               "only what coracle images mount has mounted is unmounted"));
	store_snapshot_free(row);
	if (umount2(key, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
		FAIL_ERRNO("unmount %s", key);
	if (!remove)
		return NULL;
	TRY(snapshots_remove(s, key));
	return store_empty_trash(e->store);
}
