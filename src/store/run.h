// SPDX-License-Identifier: Apache-2.0
// What container.c and task.c share. Private to store/.
#pragma once
#include "store/room.h"

// In a transaction of either database. EXISTS.
fallible store_put_container_rows(struct database *d, const struct store_container *c);
struct error *store_container_exists(const char *id);
fallible store_has_container(struct database *d, const char *ns, const char *id, bool *ret);
fallible store_remove_container_rows(struct database *d, const char *ns, const char *id,
                                     uint64_t instance);
