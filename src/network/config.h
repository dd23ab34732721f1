// SPDX-License-Identifier: Apache-2.0
// A parsed list. Private to network/.
#pragma once
#include "network/network.h"
#include "json/json.h"

struct network_config {
	char *file, *name, *version; // version as it stands: "" means 0.1.0
	struct json *list;           // the list as read; of a .conf the list around it
	struct network_plugin {
		char *type;
		struct json *config;
	} * plugins;
	size_t n;
	bool disable_check, disable_gc;
};

static inline void config_cleanup_(struct network_config **c)
{
	network_config_free(*c);
}
#define auto_config defer(config_cleanup_)

// A list that was recorded: parsed as a .conflist. NULL in, error out.
fallible config_from_list(const struct json *list, struct network_config **ret);
