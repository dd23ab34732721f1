// SPDX-License-Identifier: Apache-2.0
// native: every snapshot is a full copy of what is below, by reflinks where the file system has
// them. Slow and large, and works everywhere.
#include "base/text.h"
#include "snapshot/copy.h"
#include "snapshot/driver.h"
#include "sys/sys.h"

static fallible fill(int dirfd, enum store_snapshot_kind kind, int parent_fs, int *ret_fs)
{
	ignore(kind); // a view is a copy too: its parent may be removed with it mounted
	auto_fd int fs = -1;
	TRY(snapshot_make_root(dirfd, "fs", parent_fs, &fs));
	if (parent_fs >= 0)
		TRY(copy_tree(parent_fs, fs, dirfd));
	*ret_fs = fd_take(&fs);
	return NULL;
}

static void mounts(const struct snapshot_paths *p, struct snapshot_mounts *ret)
{
	auto_free char *source = alloc_printf("%s/fs", p->own);
	struct snapshot_mount *m = snapshot_add_mount(ret, "bind", source);
	snapshot_add_option(m, "rbind");
	snapshot_add_option(m, p->kind == STORE_ACTIVE ? "rw" : "ro");
}

const struct snapshot_driver snapshot_native = {
	.name = "native",
	.copies = true,
	.fill = fill,
	.mounts = mounts,
};
