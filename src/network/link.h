// SPDX-License-Identifier: Apache-2.0
// Links, addresses and routes by rtnetlink. Messages are added to a request; the caller sends it.
// Private to network/. Specification: rtnetlink(7), linux/if_link.h, if_addr.h, rtnetlink.h.
#pragma once
#include "network/address.h"
#include "network/netlink.h"
#include <linux/if.h>

enum { LOOPBACK_INDEX = 1 }; // in every namespace

struct link {
	int index, master;
	unsigned flags; // IFF_*
	uint32_t mtu;
	uint8_t operstate;  // IF_OPER_*
	uint8_t port_state; // BR_STATE_*, 255 if it is no port
	unsigned char mac[6];
	char kind[16]; // "bridge", "veth"; "" if the kernel doesn't say
};

// NOT_FOUND if there is none.
fallible link_get(struct netlink *n, const char *name, struct link *ret);
// The MTU of the interface that leads to `a` (a look-up, no packet). NOT_FOUND: no route.
fallible link_route_mtu(struct netlink *n, const struct network_address *a, uint32_t *ret);
// How many ports a bridge has.
fallible link_count_ports(struct netlink *n, int bridge, size_t *ret);
void link_mac_text(const unsigned char mac[6], char ret[static 18]);
// Six bytes in hex with colons. INVALID.
fallible link_mac_parse(const char *text, unsigned char ret[6]);
// A random unicast, locally administered address.
void link_mac_random(unsigned char ret[6]);

// A bridge, down, with its own address (without one it would take its ports' lowest, and change).
void link_add_bridge(struct netlink_request *r, const char *name, uint32_t mtu);

struct veth {
	const char *host;
	int master;           // index of the bridge; 0: none
	const char *peer;     // name in the container
	int netns_fd;         // where the peer is born, down: moving it there would take 35 ms
	uint32_t mtu;         // 0: the kernel's
	unsigned char mac[6]; // of the peer
};
void link_add_veth(struct netlink_request *r, const struct veth *v);

struct bridge_port {
	const char *alias; // shown by `ip link`
	bool hairpin, isolated;
	bool no_link_local; // a port needs no IPv6 address of its own
};
// Brings the port up.
void link_set_port(struct netlink_request *r, const char *name, const struct bridge_port *p);
void link_set_up(struct netlink_request *r, int index, const char *label);
// By name; absence is no error.
void link_set_down(struct netlink_request *r, const char *name);
void link_set_promisc(struct netlink_request *r, int index, const char *name);
void link_delete(struct netlink_request *r, const char *name); // blocks for 30 ms
void link_set_group(struct netlink_request *r, const char *name, uint32_t group);
void link_delete_group(struct netlink_request *r, uint32_t group);

// An address with its prefix's route; IPv6 without duplicate address detection (1.6 s).
// An existing one is no error.
void link_add_address(struct netlink_request *r, int index, const struct network_address *a,
                      unsigned prefix);
void link_delete_address(struct netlink_request *r, int index, const struct network_address *a,
                         unsigned prefix);

struct route {
	const struct network_address *dst; // family 0: default route of gw's family
	unsigned prefix;
	const struct network_address *gw; // family 0: the link itself
	int index;
	int mtu, advmss;
	int64_t priority, table, scope; // -1 or 0: none
};
void link_add_route(struct netlink_request *r, const struct route *route);

struct link_address {
	struct network_address address;
	unsigned prefix;
	int scope;
};
// All addresses of a link; *ret is the caller's.
fallible link_list_addresses(struct netlink *n, int index, struct link_address **ret,
                             size_t *ret_n);

// Waits until the port forwards: before that the bridge drops what the container sends, and its
// first connection takes a second. Deadline 2 s: BUSY.
fallible link_wait_forwarding(struct netlink *n, const char *name);
