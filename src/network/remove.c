// SPDX-License-Identifier: Apache-2.0
// What a network has on the host beside its containers.
#include "network/config.h"
#include "network/field.h"
#include "network/link.h"
#include "network/names.h"
#include "network/nft.h"

static fallible remove_bridge(const char *name)
{
	auto_netlink struct netlink n = NETLINK_CLOSED;
	struct link link;
	size_t n_ports;
	TRY(netlink_open(NETLINK_ROUTE, &n));
	struct error *e = link_get(&n, name, &link);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // never made, or gone
		return NULL;
	}
	TRY(e);
	if (strcmp(link.kind, "bridge") != 0)
		return error_new(ERROR_INVALID, "\"%s\" is not a bridge", name);
	TRY(link_count_ports(&n, link.index, &n_ports));
	if (n_ports)
		return error_new(ERROR_BUSY, "bridge %s has %zu containers", name, n_ports);
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_delete(&r, name);
	return netlink_talk(&n, &r, NULL, NULL);
}

static fallible remove_rules(const char *bridge)
{
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open(NETLINK_NETFILTER, &n));
	TRY(nft_masquerade_remove(&n, bridge));
	TRY(nft_forward_remove(&n, AF_INET, bridge));
	return nft_forward_remove(&n, AF_INET6, bridge);
}

fallible network_remove(const struct network_config *config)
{
	for (size_t i = 0; i < config->n; i++) {
		const struct network_plugin *p = &config->plugins[i];
		char derived[IFNAMSIZ];
		const char *bridge = "cni0";
		if (strcmp(p->type, "nat") == 0) {
			name_bridge(config->name, derived);
			bridge = derived;
		} else if (strcmp(p->type, "bridge") == 0) {
			TRY(field_string(p->config, "bridge", &bridge));
			TRY_AS(name_check_interface(bridge), "bridge");
		} else {
			continue;
		}
		TRY(remove_bridge(bridge));
		TRY(remove_rules(bridge));
	}
	return NULL;
}
