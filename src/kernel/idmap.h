// SPDX-License-Identifier: Apache-2.0
// User namespaces by their ID maps: such as exist only for their map, for mount_idmap()
// (kernel/mount.h), and the maps of such as there are.
#pragma once
#include "base/error.h"
#include "kernel/namespace.h"

// Makes a user namespace with these maps (inside: the IDs on disk, outside: the IDs that are seen),
// held by nothing but the descriptor. Errors: INVALID (as id_maps_write), SYSTEM.
fallible idmap_make(const struct id_maps *maps, int *ret_userns);
// id_maps_read() of a namespace that need not have a process. `userns` may not be our own.
fallible idmap_read(int userns, struct arena *arena, struct id_maps *ret, bool *ret_denies_groups);
