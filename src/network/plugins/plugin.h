// SPDX-License-Identifier: Apache-2.0
// Plugins: the table of the types that we have in-process.
// Private to network/.
#pragma once
#include "network/plugins/call.h"

struct plugin {
	const char *type;
	// *ret is the caller's. NULL for types that are IPAM only, called through ipam_*.
	struct error *(*add)(const struct plugin_call *c, struct network_result **ret);
	struct error *(*del)(const struct plugin_call *c);
	struct error *(*check)(const struct plugin_call *c);
};
const struct plugin *plugin_find(const char *type); // NULL if it isn't ours

// Runs a plugin of ours or an external one, as paths->external_plugins_first says.
fallible plugin_add(const struct plugin_call *c, struct network_result **ret);
fallible plugin_del(const struct plugin_call *c);
fallible plugin_check(const struct plugin_call *c);

// IPAM: the plugin named by config.ipam.type with the same configuration.
fallible ipam_add(const struct plugin_call *c, struct network_result **ret);
fallible ipam_del(const struct plugin_call *c);

// --- The types
fallible bridge_add(const struct plugin_call *c, struct network_result **ret);
fallible bridge_del(const struct plugin_call *c);
fallible bridge_check(const struct plugin_call *c);
fallible nat_add(const struct plugin_call *c, struct network_result **ret);
fallible nat_del(const struct plugin_call *c);
fallible nat_check(const struct plugin_call *c);
fallible host_local_add(const struct plugin_call *c, struct network_result **ret);
fallible host_local_del(const struct plugin_call *c);
fallible host_local_check(const struct plugin_call *c);
// The addresses that (container, interface) holds, without network or gateway.
fallible host_local_list(const struct plugin_call *c, struct network_result *ret);
fallible static_add(const struct plugin_call *c, struct network_result **ret);
fallible static_del(const struct plugin_call *c);
fallible static_check(const struct plugin_call *c);
fallible loopback_add(const struct plugin_call *c, struct network_result **ret);
fallible loopback_del(const struct plugin_call *c);
fallible loopback_check(const struct plugin_call *c);
fallible portmap_add(const struct plugin_call *c, struct network_result **ret);
fallible portmap_del(const struct plugin_call *c);
fallible portmap_check(const struct plugin_call *c);
