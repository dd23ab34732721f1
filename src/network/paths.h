// SPDX-License-Identifier: Apache-2.0
// Defaults of struct network_paths, and the folder of owner records. Private to network/.
#pragma once
#include "network/network.h"

// `paths` itself may be NULL: all defaults.
const char *paths_conf_dir(const struct network_paths *paths);
const char *const *paths_plugin_dirs(const struct network_paths *paths);
const char *paths_cache_dir(const struct network_paths *paths);
const char *paths_lease_dir(const struct network_paths *paths);
const char *paths_owner_dir(const struct network_paths *paths);
const char *paths_netns_dir(const struct network_paths *paths);
const char *paths_resolv_conf(const struct network_paths *paths);
unsigned paths_plugin_timeout_ms(const struct network_paths *paths);

// Opens OWNER_DIR/<store>; makes it if `make`, else NOT_FOUND. INVALID: not a store ID.
fallible paths_open_store(const struct network_paths *paths, const char *store_id, bool make,
                          int *ret);
