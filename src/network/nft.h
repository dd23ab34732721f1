// SPDX-License-Identifier: Apache-2.0
// What we have in nftables: `table inet coracle` with one chain for each subnet that is
// masqueraded, and, where a FORWARD policy of iptables drops, one chain there. Nothing of it
// belongs to a container: ADD looks whether the network's chain is there, DEL does nothing. (A
// transaction per container would be dear: whoever closes a socket after a deletion waits 5–13 ms
// for an RCU grace period, and holds the lock of everybody's transactions meanwhile.)
// Private to network/. Specification: linux/netfilter/nf_tables.h.
//
//   table inet coracle {
//       chain masq-cor-nat-172.20.0.0/16-eth1 {      bridge, subnet, master
//           type nat hook postrouting priority srcnat
//           meta nfproto != ipv4 return   ip saddr != 172.20.0.0/16 return
//           ip daddr 172.20.0.0/16 return   ip daddr 224.0.0.0/4 return
//           oifname "eth1" masquerade
//       }
//   }
// A chain is named by its content and made in one transaction with all its rules, exclusively: if
// it is there, it is complete, and nobody has to compare.
#pragma once
#include "network/address.h"
#include "network/netlink.h"

struct masquerade {
	const char *bridge;
	struct network_address address; // any of the subnet
	unsigned length;
	const char *master; // through this interface only; "": any
};
// Traffic from the subnet to outside of it leaves with the host's address. *ret_made: the chain was
// not there before.
fallible nft_masquerade_ensure(struct netlink *n, const struct masquerade *m, bool *ret_made);
// Removes all such chains of a bridge.
fallible nft_masquerade_remove(struct netlink *n, const char *bridge);

// Where ip (ip6) filter FORWARD drops what no rule accepts: a jump at its head to a chain of ours
// that accepts what comes from the bridge and the answers to it. Otherwise nothing is changed.
fallible nft_forward_allow(struct netlink *n, int family, const char *bridge);
// Removes the bridge's rules; with the last one the chain and the jump.
fallible nft_forward_remove(struct netlink *n, int family, const char *bridge);
// Other base chains at the forward hook that drop what no rule of theirs accepts, as "chain X of
// table inet Y".
fallible nft_forward_foreign(struct netlink *n, struct strings *ret);
