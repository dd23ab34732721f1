// SPDX-License-Identifier: Apache-2.0
// host-local's configuration: ranges, routes, requests. Private to network/plugins/.
#pragma once
#include "network/plugins/plugin.h"

enum { SETS_MAX = 16, RANGES_MAX = 64, REQUESTS_MAX = 16, ROUTES_MAX = 256 };

struct range {
	struct network_address subnet, start, end, gateway;
	unsigned prefix;
};
struct range_set {
	struct range *ranges;
	size_t n;
};
struct host_local {
	char *data_dir; // "" for the default
	struct range_set sets[SETS_MAX];
	size_t n_sets;
	struct network_address requested[REQUESTS_MAX];
	size_t n_requested;
	struct network_route *routes;
	size_t n_routes;
	struct network_dns dns;
};
// Reads and checks c->config.ipam.
fallible host_local_parse(const struct plugin_call *c, struct host_local *ret);
void host_local_done(struct host_local *h);
#define auto_host_local defer(host_local_done)
// ipam.dataDir, "" if there is none or the configuration can't be read: for DEL, which must work
// whatever happened to the file. The caller's.
char *host_local_data_dir(const struct plugin_call *c);
char *range_set_print(const struct range_set *s); // "10.0.0.1-10.0.0.9,…"; the caller's
// Reads ipam.routes; with `gateway_ok` an entry without dst is left out (nat reads it).
fallible ipam_parse_routes(const struct json *ipam, bool gateway_ok, struct network_route **ret,
                           size_t *ret_n);
