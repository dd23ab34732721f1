// SPDX-License-Identifier: Apache-2.0
// What `bridge` and `nat` have in common: a container's link to a bridge of the host.
// Private to network/plugins/.
#pragma once
#include "network/plugins/plugin.h"
#include <linux/if.h>

struct bridge_options {
	char bridge[IFNAMSIZ];
	bool gateway, default_gateway, force_address, masquerade, hairpin, promiscuous, isolated,
		no_container_address;
	uint32_t mtu; // 0: the kernel's
	unsigned char mac[6];
	bool has_mac;
	char master[IFNAMSIZ]; // masquerade through this interface only; "": any
};

// Connects the container. `result` holds IPAM's answer and becomes the plugin's: interfaces,
// gateways and routes are added. On failure what was made stays for bridge_detach().
fallible bridge_attach(const struct plugin_call *c, const struct bridge_options *o,
                       struct network_result *result);
// Takes the host's side down, so that no packet of the container's uses the address any more: IPAM
// may free it after that. The interface goes later, or with its namespace.
fallible bridge_detach(const struct plugin_call *c);
fallible bridge_check_link(const struct plugin_call *c, const struct bridge_options *o);
// runtimeConfig.mac, args.cni.mac, MAC of CNI_ARGS: the first of them wins.
fallible bridge_parse_mac(const struct plugin_call *c, struct bridge_options *o);
