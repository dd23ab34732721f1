// SPDX-License-Identifier: Apache-2.0
// Snapshots that become layers.
#pragma once
#include "engine/private.h"
#include "oci/image.h"

struct commit_source {
	int upper;                     // the folder whose content is the change
	struct snapshot_layers *lower; // below it, top first
	struct snapshots *snapshots;
	char *parent; // key of what is below; "" for nothing
};
void commit_source_done(struct commit_source *s);
// UNSUPPORTED unless it is overlayfs'. On error too commit_source_done() is to be called.
fallible commit_open_snapshot(struct engine *e, const char *snapshotter, const char *key,
                              struct commit_source *ret);
fallible commit_write_layer(struct engine *e, const struct commit_source *s, int blob,
                            const char *compression, bool with_root,
                            struct transfer_diff_result *ret);
// Carries out --change's instructions ("CMD [\"a\"]") on a config, in order; texts go to the arena.
// Errors: INVALID, LIMIT. What the values may be is looked at by whoever parses the config.
fallible commit_change(struct oci_image_config *config, struct arena *arena,
                       const char *const *texts, size_t n);
