// SPDX-License-Identifier: Apache-2.0
// What we have in nftables: `table inet coracle` with maps keyed by address, so that a container
// adds elements and never rules, and, where a FORWARD policy of iptables drops, one chain there.
// Private to network/. Specification: linux/netfilter/nf_tables.h; figures in docs.
//
//   table inet coracle {
//       map masq4 { type ipv4_addr : verdict }       one element per container's address
//       map masq6 { type ipv6_addr : verdict }
//       chain postrouting { type nat hook postrouting priority srcnat
//           meta nfproto ipv4 ip saddr vmap @masq4
//           meta nfproto ipv6 ip6 saddr vmap @masq6
//       }
//       chain masq-172.20.0.0/16-eth1 {              made at the first use, named by its content
//           ip daddr 172.20.0.0/16 return
//           ip daddr 224.0.0.0/4 return
//           oifname "eth1" masquerade
//       }
//   }
// A table or chain is made in one transaction with all its rules, exclusively: if it is there, it
// is complete, and nobody has to compare.
#pragma once
#include "network/address.h"
#include "network/netlink.h"

// Traffic from `a` to outside its prefix leaves with the host's address; through interface
// `master` only, unless that is "". `owner` becomes the element's comment.
fallible nft_masquerade_add(struct netlink *n, const struct network_address *a, unsigned length,
                            const char *master, const char *owner);
// Removes the element if its comment is `owner`. Absent is no error.
fallible nft_masquerade_delete(struct netlink *n, const struct network_address *a,
                               const char *owner);
// Removes the chains that no element leads to.
fallible nft_prune(struct netlink *n);

// Where ip (ip6) filter FORWARD drops what no rule accepts: a jump at its head to a chain of ours
// that accepts what comes from the bridge and the answers to it. Otherwise nothing is changed.
fallible nft_forward_allow(struct netlink *n, int family, const char *bridge);
// Other base chains at the forward hook that drop by policy, as "chain X of table inet Y".
fallible nft_forward_foreign(struct netlink *n, struct strings *ret);
