// SPDX-License-Identifier: Apache-2.0
// User namespaces that exist only for their ID map: for mount_idmap() (kernel/mount.h).
#pragma once
#include "base/error.h"
#include "kernel/namespace.h"

// Makes a user namespace with these maps (inside: the IDs on disk, outside: the IDs that are seen),
// held by nothing but the descriptor. Errors: INVALID (as id_maps_write), SYSTEM.
fallible idmap_make(const struct id_map *uids, size_t n_uids, const struct id_map *gids,
                    size_t n_gids, int *ret_userns);
