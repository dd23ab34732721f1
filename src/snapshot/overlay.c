// SPDX-License-Identifier: Apache-2.0
// overlayfs: a folder holds what its layer changes: whiteouts are devices 0/0, hidden folders bear
// trusted.overlay.opaque. `work` is the kernel's.
#include "base/text.h"
#include "snapshot/driver.h"
#include "sys/sys.h"
#include <sys/stat.h>

fallible snapshot_fill_overlay(int dirfd, enum store_snapshot_kind kind, int parent_fs, int *ret_fs)
{
	// The merged root shows the upper one's attributes: they are to be those below.
	TRY(snapshot_make_root(dirfd, "fs", parent_fs, ret_fs));
	if (kind == STORE_ACTIVE && mkdirat(dirfd, "work", 0711) < 0) {
		int sys = errno;
		close(*ret_fs);
		return error_system(sys, "mkdir work");
	}
	return NULL;
}

// The kernel's own parser takes a backslash before what separates (fs/overlayfs/params.c).
static void add_path(struct str *option, const char *path, const char *below)
{
	for (const char *c = path; *c; c++) {
		if (*c == '\\' || *c == ':' || *c == ',')
			str_add_char(option, '\\');
		str_add_char(option, *c);
	}
	str_add(option, below);
}

static void add_path_option(struct snapshot_mount *m, const char *name, const char *path,
                            const char *below)
{
	struct str option = STR_LIMIT(1 << 16);
	str_add(&option, name);
	add_path(&option, path, below);
	snapshot_adopt_option(m, str_take(&option));
}

static void add_lower(struct snapshot_mount *m, const struct snapshot_paths *p)
{
	struct str option = STR_LIMIT((size_t)1 << 24); // 500 layers
	str_add(&option, "lowerdir=");
	for (size_t i = 0; i < p->n_lower; i++) {
		if (i)
			str_add_char(&option, ':');
		add_path(&option, p->lower[i], "/fs");
	}
	snapshot_adopt_option(m, str_take(&option));
}

static void bind(const char *folder, const char *mode, struct snapshot_mounts *ret)
{
	auto_free char *source = alloc_printf("%s/fs", folder);
	struct snapshot_mount *m = snapshot_add_mount(ret, "bind", source);
	snapshot_add_option(m, mode);
	snapshot_add_option(m, "rbind");
}

// The forms and their order are ctr's (golden/ctr-2.1.1/output-snapshots.txt).
static void mounts(const struct snapshot_paths *p, struct snapshot_mounts *ret)
{
	if (!p->n_lower) {
		bind(p->own, p->kind == STORE_ACTIVE ? "rw" : "ro", ret);
		return;
	}
	if (p->kind != STORE_ACTIVE && p->n_lower == 1) {
		bind(p->lower[0], "ro", ret);
		return;
	}
	struct snapshot_mount *m = snapshot_add_mount(ret, "overlay", "overlay");
	if (p->kind == STORE_ACTIVE) {
		add_path_option(m, "workdir=", p->own, "/work");
		add_path_option(m, "upperdir=", p->own, "/fs");
	}
	add_lower(m, p);
	snapshot_add_option(m, "index=off");
}

const struct snapshot_driver snapshot_overlay = {
	.name = "overlayfs",
	.fill = snapshot_fill_overlay,
	.mounts = mounts,
};
