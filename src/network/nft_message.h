// SPDX-License-Identifier: Apache-2.0
// Messages of nfnetlink's nftables, by hand: we need six kinds of expression. Private to network/.
#pragma once
#include "network/netlink.h"
#include <netinet/in.h> // before linux/netfilter.h, which brings another

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

// Begins a batch, one transaction. generation 0: whatever it is; else ERESTART if it has changed.
void nft_begin(struct netlink_request *r, uint32_t generation);
void nft_end(struct netlink_request *r);
// One message of type NFT_MSG_*.
void nft_message(struct netlink_request *r, int type, int family, uint16_t flags,
                 const char *label);
fallible nft_generation(struct netlink *n, uint32_t *ret);

// A rule: nft_rule() … expressions … nft_rule_end().
struct nft_rule {
	size_t expressions;
};
struct nft_rule nft_rule(struct netlink_request *r, int family, uint16_t flags, const char *table,
                         const char *chain);
void nft_rule_end(struct netlink_request *r, struct nft_rule *rule);
void nft_meta(struct netlink_request *r, uint32_t key);                      // to register 1
void nft_payload(struct netlink_request *r, uint32_t offset, uint32_t size); // network header
void nft_mask(struct netlink_request *r, const void *mask, size_t size);     // register 1
// With NFT_CMP_*: goes on if it holds, else to the next rule.
void nft_compare(struct netlink_request *r, uint32_t operator, const void * data, size_t size);
void nft_compare_ifname(struct netlink_request *r, uint32_t key, const char *ifname);
void nft_verdict(struct netlink_request *r, uint32_t verdict,
                 const char *chain); // chain may be NULL
void nft_masquerade(struct netlink_request *r);
void nft_counter(struct netlink_request *r);
// Answers of connections and translated ones, as `-m conntrack --ctstate` writes it: iptables-nft
// can't parse nft's own way of saying it.
void nft_match_answers(struct netlink_request *r);

void nft_data(struct netlink_request *r, uint16_t type, const void *data, size_t size);
void nft_data_verdict(struct netlink_request *r, uint16_t type, uint32_t verdict,
                      const char *chain);
uint32_t nft_u32(const struct netlink_attribute *a); // big endian; 0 if it has another size
