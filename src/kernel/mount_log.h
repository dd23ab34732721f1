// SPDX-License-Identifier: Apache-2.0
// Private to kernel/.
#pragma once
#include "kernel/mount.h"

// Collects the errors of an fsopen(2) descriptor; "" if the kernel said nothing. Child-safe.
void mount_read_log(int fs, char *text, size_t size);

// How layers are given to overlay; found out once in a process, the best first.
enum overlay_way {
	OVERLAY_BY_FD,     // since 6.13
	OVERLAY_BY_NAME,   // since 6.8: "lowerdir+" once for each layer
	OVERLAY_BY_STRING, // "lowerdir=a:b:c", at most 255 bytes
};
// mount_make_overlay in one of the ways only, for tests. *ret_try_next: this kernel may not know
// the way.
fallible mount_overlay_by(enum overlay_way way, const struct mount_overlay *o, int *ret_mount,
                          bool *ret_try_next);
