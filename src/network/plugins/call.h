// SPDX-License-Identifier: Apache-2.0
// One call of one plugin: what it gets. Private to network/.
#pragma once
#include "network/later.h"
#include "network/result.h"

struct plugin_call {
	const struct network_paths *paths;
	const char *type;                  // of the plugin, or of its IPAM
	const char *network;               // name of the list; checked
	const char *version;               // of the list
	const char *container_id, *ifname; // checked
	const char *netns_path;            // "" if gone
	int netns_fd;                      // -1 if gone
	const char *cni_args;              // "" if none
	const struct json *config;         // as SPEC.md says it reaches a plugin, prevResult aside
	const struct network_result *previous; // NULL if none
	// What only plugins of ours know:
	uint64_t instance; // 0 if called by another runtime
	const char *owner; // comment of what we make
	bool namespace_dies;
	struct later *later; // what DEL needn't wait for
	void (*warn)(void *context, const char *message);
	void *warn_context;
};

void plugin_warn(const struct plugin_call *c, const char *format, ...) PRINTF(2, 3);
// The value of `key` in CNI_ARGS; NULL if absent. The caller's.
char *plugin_argument(const struct plugin_call *c, const char *key);
// CNI_ARGS may hold only these keys, unless IgnoreUnknown is 1 or true. `known` ends in NULL.
fallible plugin_check_arguments(const struct plugin_call *c, const char *const *known);
