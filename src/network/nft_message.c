// SPDX-License-Identifier: Apache-2.0
#include "network/nft_message.h"
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>

void nft_message(struct netlink_request *r, int type, int family, uint16_t flags, const char *label)
{
	struct nfgenmsg h = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};
	netlink_message(r, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &h, sizeof(h), 0,
	                "nftables: %s", label);
}

static void batch_marker(struct netlink_request *r, uint16_t type)
{
	struct nfgenmsg h = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
	netlink_message(r, type, 0, &h, sizeof(h), 0, "nftables: transaction");
}

void nft_begin(struct netlink_request *r, uint32_t generation)
{
	batch_marker(r, NFNL_MSG_BATCH_BEGIN);
	if (generation)
		netlink_put_be32(r, NFNL_BATCH_GENID, generation);
}

void nft_end(struct netlink_request *r)
{
	batch_marker(r, NFNL_MSG_BATCH_END);
}

static struct error *read_generation(void *context, const struct nlmsghdr *m)
{
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct nfgenmsg), &size);
	struct netlink_attribute a;
	if (netlink_find(bytes, size, NFTA_GEN_ID, &a))
		*(uint32_t *)context = nft_u32(&a);
	return NULL;
}

fallible nft_generation(struct netlink *n, uint32_t *ret)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_message(&r, NFT_MSG_GETGEN, AF_UNSPEC, 0, "read generation");
	uint32_t generation = 0;
	TRY(netlink_talk(n, &r, read_generation, &generation));
	*ret = generation;
	return NULL;
}

uint32_t nft_u32(const struct netlink_attribute *a)
{
	return ntohl(netlink_u32(a));
}

// --- Data

void nft_data(struct netlink_request *r, uint16_t type, const void *data, size_t size)
{
	size_t nest = netlink_nest(r, type);
	netlink_put(r, NFTA_DATA_VALUE, data, size);
	netlink_nest_end(r, nest);
}

void nft_data_verdict(struct netlink_request *r, uint16_t type, uint32_t verdict, const char *chain)
{
	size_t nest = netlink_nest(r, type);
	size_t inner = netlink_nest(r, NFTA_DATA_VERDICT);
	netlink_put_be32(r, NFTA_VERDICT_CODE, verdict);
	if (chain)
		netlink_put_string(r, NFTA_VERDICT_CHAIN, chain);
	netlink_nest_end(r, inner);
	netlink_nest_end(r, nest);
}

// --- Rules

struct nft_rule nft_rule(struct netlink_request *r, int family, uint16_t flags, const char *table,
                         const char *chain)
{
	nft_message(r, NFT_MSG_NEWRULE, family, NLM_F_CREATE | flags, "add rule");
	netlink_put_string(r, NFTA_RULE_TABLE, table);
	netlink_put_string(r, NFTA_RULE_CHAIN, chain);
	return (struct nft_rule){.expressions = netlink_nest(r, NFTA_RULE_EXPRESSIONS)};
}

void nft_rule_end(struct netlink_request *r, struct nft_rule *rule)
{
	netlink_nest_end(r, rule->expressions);
}

struct expression {
	size_t element, data;
};

static struct expression begin(struct netlink_request *r, const char *name)
{
	struct expression e = {.element = netlink_nest(r, NFTA_LIST_ELEM)};
	netlink_put_string(r, NFTA_EXPR_NAME, name);
	e.data = netlink_nest(r, NFTA_EXPR_DATA);
	return e;
}

static void end(struct netlink_request *r, struct expression e)
{
	netlink_nest_end(r, e.data);
	netlink_nest_end(r, e.element);
}

void nft_meta(struct netlink_request *r, uint32_t key)
{
	struct expression e = begin(r, "meta");
	netlink_put_be32(r, NFTA_META_KEY, key);
	netlink_put_be32(r, NFTA_META_DREG, NFT_REG_1);
	end(r, e);
}

void nft_payload(struct netlink_request *r, uint32_t offset, uint32_t size)
{
	struct expression e = begin(r, "payload");
	netlink_put_be32(r, NFTA_PAYLOAD_DREG, NFT_REG_1);
	netlink_put_be32(r, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	netlink_put_be32(r, NFTA_PAYLOAD_OFFSET, offset);
	netlink_put_be32(r, NFTA_PAYLOAD_LEN, size);
	end(r, e);
}

void nft_mask(struct netlink_request *r, const void *mask, size_t size)
{
	static const unsigned char zeros[16];
	struct expression e = begin(r, "bitwise");
	netlink_put_be32(r, NFTA_BITWISE_SREG, NFT_REG_1);
	netlink_put_be32(r, NFTA_BITWISE_DREG, NFT_REG_1);
	netlink_put_be32(r, NFTA_BITWISE_LEN, (uint32_t)size);
	nft_data(r, NFTA_BITWISE_MASK, mask, size);
	nft_data(r, NFTA_BITWISE_XOR, zeros, size);
	end(r, e);
}

void nft_compare(struct netlink_request *r, uint32_t operator, const void * data, size_t size)
{
	struct expression e = begin(r, "cmp");
	netlink_put_be32(r, NFTA_CMP_SREG, NFT_REG_1);
	netlink_put_be32(r, NFTA_CMP_OP, operator);
	nft_data(r, NFTA_CMP_DATA, data, size);
	end(r, e);
}

void nft_compare_ifname(struct netlink_request *r, uint32_t key, const char *ifname)
{
	char name[IFNAMSIZ] = {0};
	snprintf(name, sizeof(name), "%s", ifname);
	nft_meta(r, key);
	nft_compare(r, NFT_CMP_EQ, name, sizeof(name));
}

void nft_verdict(struct netlink_request *r, uint32_t verdict, const char *chain)
{
	struct expression e = begin(r, "immediate");
	netlink_put_be32(r, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	nft_data_verdict(r, NFTA_IMMEDIATE_DATA, verdict, chain);
	end(r, e);
}

void nft_masquerade(struct netlink_request *r)
{
	end(r, begin(r, "masq"));
}

void nft_counter(struct netlink_request *r)
{
	end(r, begin(r, "counter"));
}

void nft_match_answers(struct netlink_request *r)
{
	struct xt_conntrack_mtinfo3 info = {
		.match_flags = XT_CONNTRACK_STATE,
		.state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) |
	                      XT_CONNTRACK_STATE_BIT(IP_CT_RELATED) | XT_CONNTRACK_STATE_DNAT,
	};
	struct expression e = begin(r, "match");
	netlink_put_string(r, NFTA_MATCH_NAME, "conntrack");
	netlink_put_be32(r, NFTA_MATCH_REV, 3);
	netlink_put(r, NFTA_MATCH_INFO, &info, sizeof(info));
	end(r, e);
}
