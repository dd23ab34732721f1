// SPDX-License-Identifier: Apache-2.0
// windows: layers of Windows images. On disk as overlayfs' (`fs` holds Files/ and Hives/); what to
// mount is told as containerd's snapshotter on Windows does (core/snapshots, windows-layer): the
// snapshot's own folder, and a JSON list of those below, the direct parent first.
#include "base/text.h"
#include "snapshot/driver.h"

static void add_json(struct str *s, const char *text)
{
	str_add_char(s, '"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			str_add_char(s, '\\');
		if (*c < ' ')
			str_printf(s, "\\u%04x", *c);
		else
			str_add_char(s, (char)*c);
	}
	str_add_char(s, '"');
}

static void mounts(const struct snapshot_paths *p, struct snapshot_mounts *ret)
{
	struct snapshot_mount *m = snapshot_add_mount(ret, "windows-layer", p->own);
	snapshot_add_option(m, p->kind == STORE_ACTIVE ? "rw" : "ro");
	if (!p->n_lower)
		return;
	struct str option = STR_LIMIT((size_t)1 << 24); // 500 layers
	str_add(&option, "parentLayerPaths=[");
	for (size_t i = 0; i < p->n_lower; i++) {
		if (i)
			str_add_char(&option, ',');
		add_json(&option, p->lower[i]);
	}
	str_add_char(&option, ']');
	snapshot_adopt_option(m, str_take(&option));
}

const struct snapshot_driver snapshot_windows = {
	.name = SNAPSHOTS_WINDOWS,
	.fill = snapshot_fill_overlay,
	.mounts = mounts,
};
