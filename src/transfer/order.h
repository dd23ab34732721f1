// SPDX-License-Identifier: Apache-2.0
// What the roles that speak to registries are told, and how they confine themselves.
#pragma once
#include "oci/platform.h"
#include "registry/registry.h"
#include <stdbool.h>

enum { ORDER_PLATFORMS_MAX = 64 };

struct order {
	struct registry_hosts hosts;
	struct registry_options options; // strings lie in the request
	const char *name;                // tag or digest
	const char *ca;                  // path of the system's certificates; NULL: none
	struct oci_platform host, platforms[ORDER_PLATFORMS_MAX];
	size_t n_platforms;
	bool all, is_default; // is_default: no platform was asked for
	bool documents_only;  // role `fetch`: no layers
	size_t n_at_once;
};
fallible order_read(const struct json *request, struct order *o);
// Before the first byte comes from outside: copies of four files as root, no capability.
fallible order_confine(struct order *o);
