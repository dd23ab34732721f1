// SPDX-License-Identifier: Apache-2.0
#include "network/nft.h"
#include "network/nft_message.h"
#include <linux/if.h>
#include <linux/netfilter_ipv4.h>

#define TABLE "coracle"

static const struct family {
	unsigned char nfproto;
	uint32_t size, source, destination;      // offsets in the network header
	unsigned char multicast, multicast_mask; // of the first byte
} families[] = {
	// clang-format off
	{NFPROTO_IPV4,  4, 12, 16, 0xe0, 0xf0},
	{NFPROTO_IPV6, 16,  8, 24, 0xff, 0xff},
	// clang-format on
};

// "masq-cor-nat-172.20.0.0/16-eth1"; colons aren't for nft's identifiers.
static char *chain_name(const struct masquerade *m)
{
	struct network_address first = address_first(&m->address, m->length);
	auto_free char *subnet = prefix_print(&first, m->length);
	char *name =
		alloc_printf("masq-%s-%s%s%s", m->bridge, subnet, *m->master ? "-" : "", m->master);
	for (char *c = name; *c; c++)
		if (*c == ':')
			*c = '_';
	return name;
}

static fallible has_chain(struct netlink *n, const char *chain, bool *ret)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_message(&r, NFT_MSG_GETCHAIN, NFPROTO_INET, 0, "look for a chain");
	netlink_put_string(&r, NFTA_CHAIN_TABLE, TABLE);
	netlink_put_string(&r, NFTA_CHAIN_NAME, chain);
	struct error *e = netlink_talk(n, &r, NULL, NULL);
	*ret = !e;
	if (e && e->sys == ENOENT)
		error_drop(&e); // neither chain nor table
	return e;
}

static void put_table(struct netlink_request *r)
{
	nft_message(r, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE, "create table inet " TABLE);
	netlink_put_string(r, NFTA_TABLE_NAME, TABLE);
}

static void put_chain(struct netlink_request *r, const char *chain)
{
	nft_message(r, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE | NLM_F_EXCL, "create chain");
	netlink_put_string(r, NFTA_CHAIN_TABLE, TABLE);
	netlink_put_string(r, NFTA_CHAIN_NAME, chain);
	size_t hook = netlink_nest(r, NFTA_CHAIN_HOOK);
	netlink_put_be32(r, NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING);
	netlink_put_be32(r, NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_SRC);
	netlink_nest_end(r, hook);
	netlink_put_string(r, NFTA_CHAIN_TYPE, "nat");
}

static struct nft_rule begin_rule(struct netlink_request *r, const char *chain)
{
	return nft_rule(r, NFPROTO_INET, NLM_F_APPEND, TABLE, chain);
}

static void end_with_return(struct netlink_request *r, struct nft_rule *rule)
{
	nft_verdict(r, (uint32_t)NFT_RETURN, NULL);
	nft_rule_end(r, rule);
}

// Returns if the address at `offset` is (or with NFT_CMP_NEQ isn't) in the network.
static void put_return(struct netlink_request *r, const char *chain, const struct family *f,
                       uint32_t offset, uint32_t operator, const unsigned char * network,
                       const unsigned char *mask)
{
	struct nft_rule rule = begin_rule(r, chain);
	nft_payload(r, offset, f->size);
	nft_mask(r, mask, f->size);
	nft_compare(r, operator, network, f->size);
	end_with_return(r, &rule);
}

static void put_rules(struct netlink_request *r, const char *chain, const struct masquerade *m)
{
	const struct family *f = &families[m->address.family == AF_INET6];
	struct network_address zero = {.family = m->address.family};
	struct network_address ones = address_last(&zero, 0);
	struct network_address mask = address_first(&ones, m->length);
	struct network_address first = address_first(&m->address, m->length);
	unsigned char multicast[16] = {f->multicast}, multicast_mask[16] = {f->multicast_mask};

	struct nft_rule rule = begin_rule(r, chain);
	nft_meta(r, NFT_META_NFPROTO);
	nft_compare(r, NFT_CMP_NEQ, &f->nfproto, 1);
	end_with_return(r, &rule);
	put_return(r, chain, f, f->source, NFT_CMP_NEQ, first.bytes, mask.bytes);
	put_return(r, chain, f, f->destination, NFT_CMP_EQ, first.bytes, mask.bytes);
	put_return(r, chain, f, f->destination, NFT_CMP_EQ, multicast, multicast_mask);
	rule = begin_rule(r, chain);
	if (*m->master)
		nft_compare_ifname(r, NFT_META_OIFNAME, m->master);
	nft_masquerade(r);
	nft_rule_end(r, &rule);
}

fallible nft_masquerade_ensure(struct netlink *n, const struct masquerade *m, bool *ret_made)
{
	auto_free char *chain = chain_name(m);
	bool there = false;
	TRY(has_chain(n, chain, &there));
	if (there)
		return NULL;
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_begin(&r, 0);
	put_table(&r);
	put_chain(&r, chain);
	put_rules(&r, chain, m);
	nft_end(&r);
	struct error *e = netlink_talk(n, &r, NULL, NULL);
	if (e && e->sys == EEXIST) {
		error_drop(&e); // somebody else was faster: it is complete
		return NULL;
	}
	*ret_made = !e;
	return e;
}

// --- Removing

static struct error *read_chain_name(void *context, const struct nlmsghdr *m)
{
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct nfgenmsg), &size);
	struct netlink_attribute table, name;
	if (!netlink_find(bytes, size, NFTA_CHAIN_TABLE, &table) ||
	    !netlink_find(bytes, size, NFTA_CHAIN_NAME, &name))
		return NULL;
	auto_free char *table_text = netlink_text(&table);
	if (strcmp(table_text, TABLE) == 0)
		strings_adopt(context, netlink_text(&name));
	return NULL;
}

fallible nft_masquerade_remove(struct netlink *n, const char *bridge)
{
	auto_strings struct strings chains = {0};
	auto_free char *prefix = alloc_printf("masq-%s-", bridge);
	auto_request struct netlink_request list = NETLINK_REQUEST;
	nft_message(&list, NFT_MSG_GETCHAIN, NFPROTO_INET, NLM_F_DUMP, "list chains");
	TRY(netlink_talk(n, &list, read_chain_name, &chains));
	for (size_t i = 0; i < chains.n; i++) {
		if (!text_starts(chains.items[i], prefix))
			continue;
		auto_request struct netlink_request r = NETLINK_REQUEST;
		nft_begin(&r, 0);
		nft_message(&r, NFT_MSG_DELCHAIN, NFPROTO_INET, 0, "delete chain");
		netlink_put_string(&r, NFTA_CHAIN_TABLE, TABLE);
		netlink_put_string(&r, NFTA_CHAIN_NAME, chains.items[i]);
		nft_end(&r);
		struct error *e = netlink_talk(n, &r, NULL, NULL);
		if (e && e->sys == ENOENT)
			error_drop(&e); // gone already
		TRY(e);
	}
	return NULL;
}
