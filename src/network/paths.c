// SPDX-License-Identifier: Apache-2.0
#include "network/paths.h"
#include "network/names.h"
#include "sys/path.h"
#include <fcntl.h>

#define PATH_OR(field, fallback) (paths && paths->field ? paths->field : (fallback))

const char *paths_conf_dir(const struct network_paths *paths)
{
	return PATH_OR(conf_dir, "/etc/cni/net.d");
}

const char *const *paths_plugin_dirs(const struct network_paths *paths)
{
	static const char *const dirs[] = {"/opt/cni/bin", "/usr/lib/cni", NULL};
	return PATH_OR(plugin_dirs, dirs);
}

const char *paths_cache_dir(const struct network_paths *paths)
{
	return PATH_OR(cache_dir, "/var/lib/cni/results");
}

const char *paths_lease_dir(const struct network_paths *paths)
{
	return PATH_OR(lease_dir, "/var/lib/cni/networks");
}

const char *paths_owner_dir(const struct network_paths *paths)
{
	return PATH_OR(owner_dir, "/var/lib/cni/coracle");
}

const char *paths_netns_dir(const struct network_paths *paths)
{
	return PATH_OR(netns_dir, "/run/netns");
}

const char *paths_resolv_conf(const struct network_paths *paths)
{
	return PATH_OR(resolv_conf, "/etc/resolv.conf");
}

unsigned paths_plugin_timeout_ms(const struct network_paths *paths)
{
	return paths && paths->plugin_timeout_ms ? paths->plugin_timeout_ms : 60000;
}

fallible paths_open_store(const struct network_paths *paths, const char *store_id, bool make,
                          int *ret)
{
	if (!name_is_store(store_id))
		return error_new(ERROR_INVALID, "\"%.64s\" is not the ID of a store",
		                 store_id ? store_id : "");
	auto_free char *path = alloc_printf("%s/%s", paths_owner_dir(paths), store_id);
	// One call on the usual way; the directories are there but for the first time.
	struct error *e = path_open_dir(path, ret);
	if (!e || !error_is(e, ERROR_NOT_FOUND) || !make)
		return e;
	error_drop(&e); // made now
	return path_make_dirs(path, 0700, ret);
}
