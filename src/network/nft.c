// SPDX-License-Identifier: Apache-2.0
#include "network/nft.h"
#include "network/nft_message.h"
#include "sys/process.h"
#include <linux/if.h>
#include <linux/netfilter_ipv4.h>
#include <time.h>

#define TABLE "coracle"
enum {
	ATTEMPTS = 20,     // anybody's transaction on the host is a new generation
	COMMENT_MAX = 127, // what `nft` shows
	COMMENT_TYPE = 0,  // NFTNL_UDATA_SET_ELEM_COMMENT of libnftnl
	TYPE_IPV4 = 7,     // nft's numbers of key types, for its listing
	TYPE_IPV6 = 8,
};

static const struct family {
	int family, nfproto;
	const char *map;
	uint32_t type, size, source, destination; // offsets in the network header
	unsigned char multicast, multicast_mask;  // of the first byte
} families[] = {
	// clang-format off
	{AF_INET,  NFPROTO_IPV4, "masq4", TYPE_IPV4,  4, 12, 16, 0xe0, 0xf0},
	{AF_INET6, NFPROTO_IPV6, "masq6", TYPE_IPV6, 16,  8, 24, 0xff, 0xff},
	// clang-format on
};
enum { FAMILIES = 2 };

static const struct family *family_of(const struct network_address *a)
{
	return &families[a->family == AF_INET6];
}

static void pause_briefly(int attempt)
{
	struct timespec t = {.tv_nsec = (long)(random_u64() % 100000) * (attempt + 1)};
	nanosleep(&t, NULL);
}

// --- The table

static void put_map(struct netlink_request *r, const struct family *f, uint32_t id)
{
	nft_message(r, NFT_MSG_NEWSET, NFPROTO_INET, NLM_F_CREATE, "create map");
	netlink_put_string(r, NFTA_SET_TABLE, TABLE);
	netlink_put_string(r, NFTA_SET_NAME, f->map);
	netlink_put_be32(r, NFTA_SET_FLAGS, NFT_SET_MAP);
	netlink_put_be32(r, NFTA_SET_KEY_TYPE, f->type);
	netlink_put_be32(r, NFTA_SET_KEY_LEN, f->size);
	netlink_put_be32(r, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
	netlink_put_be32(r, NFTA_SET_ID, id);
}

static void put_base_rule(struct netlink_request *r, const struct family *f)
{
	unsigned char nfproto = (unsigned char)f->nfproto;
	struct nft_rule rule = nft_rule(r, NFPROTO_INET, NLM_F_APPEND, TABLE, "postrouting");
	nft_meta(r, NFT_META_NFPROTO);
	nft_compare(r, &nfproto, 1);
	nft_payload(r, f->source, f->size);
	nft_verdict_map(r, f->map);
	nft_rule_end(r, &rule);
}

static fallible make_table(struct netlink *n)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_begin(&r, 0);
	nft_message(&r, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE | NLM_F_EXCL,
	            "create table inet " TABLE);
	netlink_put_string(&r, NFTA_TABLE_NAME, TABLE);
	for (uint32_t i = 0; i < FAMILIES; i++)
		put_map(&r, &families[i], i + 1);
	nft_message(&r, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE, "create chain postrouting");
	netlink_put_string(&r, NFTA_CHAIN_TABLE, TABLE);
	netlink_put_string(&r, NFTA_CHAIN_NAME, "postrouting");
	size_t hook = netlink_nest(&r, NFTA_CHAIN_HOOK);
	netlink_put_be32(&r, NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING);
	netlink_put_be32(&r, NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_SRC);
	netlink_nest_end(&r, hook);
	netlink_put_string(&r, NFTA_CHAIN_TYPE, "nat");
	for (size_t i = 0; i < FAMILIES; i++)
		put_base_rule(&r, &families[i]);
	nft_end(&r);
	struct error *e = netlink_talk(n, &r, NULL, NULL);
	if (e && e->sys == EEXIST)
		error_drop(&e); // it is complete: made in one transaction
	return e;
}

// "masq-172.20.0.0/16-eth1"; colons aren't for nft's identifiers.
static char *chain_name(const struct network_address *a, unsigned length, const char *master)
{
	struct network_address first = address_first(a, length);
	auto_free char *prefix = prefix_print(&first, length);
	char *name = alloc_printf("masq-%s%s%s", prefix, *master ? "-" : "", master);
	for (char *c = name; *c; c++)
		if (*c == ':')
			*c = '_';
	return name;
}

static void put_return_rule(struct netlink_request *r, const struct family *f, const char *chain,
                            const void *network, const void *mask)
{
	struct nft_rule rule = nft_rule(r, NFPROTO_INET, NLM_F_APPEND, TABLE, chain);
	nft_payload(r, f->destination, f->size);
	nft_mask(r, mask, f->size);
	nft_compare(r, network, f->size);
	nft_verdict(r, (uint32_t)NFT_RETURN, NULL);
	nft_rule_end(r, &rule);
}

static fallible make_chain(struct netlink *n, const struct network_address *a, unsigned length,
                           const char *master, const char *chain)
{
	const struct family *f = family_of(a);
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_begin(&r, 0);
	nft_message(&r, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE | NLM_F_EXCL, "create chain");
	netlink_put_string(&r, NFTA_CHAIN_TABLE, TABLE);
	netlink_put_string(&r, NFTA_CHAIN_NAME, chain);
	struct network_address zero = {.family = a->family};
	struct network_address mask = address_last(&zero, 0), first = address_first(a, length);
	mask = address_first(&mask, length);
	put_return_rule(&r, f, chain, first.bytes, mask.bytes);
	unsigned char multicast[16] = {f->multicast}, multicast_mask[16] = {f->multicast_mask};
	put_return_rule(&r, f, chain, multicast, multicast_mask);
	struct nft_rule rule = nft_rule(&r, NFPROTO_INET, NLM_F_APPEND, TABLE, chain);
	if (*master)
		nft_compare_ifname(&r, NFT_META_OIFNAME, master);
	nft_masquerade(&r);
	nft_rule_end(&r, &rule);
	nft_end(&r);
	struct error *e = netlink_talk(n, &r, NULL, NULL);
	if (e && e->sys == EEXIST)
		error_drop(&e); // complete as well
	return e;
}

// --- Elements

static void put_element(struct netlink_request *r, int type, uint16_t flags,
                        const struct network_address *a, const char *chain, const char *owner)
{
	nft_message(r, type, NFPROTO_INET, flags, "masquerade");
	netlink_put_string(r, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	netlink_put_string(r, NFTA_SET_ELEM_LIST_SET, family_of(a)->map);
	size_t list = netlink_nest(r, NFTA_SET_ELEM_LIST_ELEMENTS);
	size_t element = netlink_nest(r, NFTA_LIST_ELEM);
	nft_data(r, NFTA_SET_ELEM_KEY, a->bytes, address_size(a));
	if (chain)
		nft_data_verdict(r, NFTA_SET_ELEM_DATA, (uint32_t)NFT_JUMP, chain);
	if (owner) {
		unsigned char comment[COMMENT_MAX + 3] = {COMMENT_TYPE};
		int size = snprintf((char *)comment + 2, COMMENT_MAX + 1, "%s", owner);
		comment[1] = (unsigned char)((size > COMMENT_MAX ? COMMENT_MAX : size) + 1);
		netlink_put(r, NFTA_SET_ELEM_USERDATA, comment, comment[1] + 2u);
	}
	netlink_nest_end(r, element);
	netlink_nest_end(r, list);
}

static fallible add_element(struct netlink *n, const struct network_address *a, const char *chain,
                            const char *owner, bool replace)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_begin(&r, 0);
	if (replace)
		put_element(&r, NFT_MSG_DELSETELEM, 0, a, NULL, NULL);
	put_element(&r, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, a, chain, owner);
	nft_end(&r);
	return netlink_talk(n, &r, NULL, NULL);
}

fallible nft_masquerade_add(struct netlink *n, const struct network_address *a, unsigned length,
                            const char *master, const char *owner)
{
	auto_free char *chain = chain_name(a, length, master);
	bool replace = false;
	for (int attempt = 0;; attempt++) {
		struct error *e = add_element(n, a, chain, owner, replace);
		if (!e || attempt == ATTEMPTS || (e->sys != ENOENT && e->sys != EEXIST))
			return e;
		// EEXIST: whoever had this address before left its element; the lease is ours.
		// ENOENT: table or chain are missing, or the element went away again.
		replace = e->sys == EEXIST;
		bool missing = e->sys == ENOENT;
		error_drop(&e);
		if (missing) {
			TRY(make_table(n));
			e = make_chain(n, a, length, master, chain);
			if (e && e->sys == ENOENT)
				error_drop(&e); // somebody removes tables at this moment
			TRY(e);
		}
	}
}

struct found_element {
	bool found;
	char comment[COMMENT_MAX + 1];
};

static struct error *read_element(void *context, const struct nlmsghdr *m)
{
	struct found_element *found = context;
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct nfgenmsg), &size);
	struct netlink_attribute list, element, data;
	if (!netlink_find(bytes, size, NFTA_SET_ELEM_LIST_ELEMENTS, &list) ||
	    !netlink_find(list.data, list.size, NFTA_LIST_ELEM, &element))
		return NULL;
	found->found = true;
	if (netlink_find(element.data, element.size, NFTA_SET_ELEM_USERDATA, &data) &&
	    data.size > 2 && data.data[0] == COMMENT_TYPE && data.data[1] == data.size - 2)
		snprintf(found->comment, sizeof(found->comment), "%.*s", (int)data.data[1],
		         (const char *)data.data + 2);
	return NULL;
}

static fallible get_element(struct netlink *n, const struct network_address *a,
                            struct found_element *ret)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	put_element(&r, NFT_MSG_GETSETELEM, 0, a, NULL, NULL);
	struct error *e = netlink_talk(n, &r, read_element, ret);
	if (e && e->sys == ENOENT)
		error_drop(&e); // no such element, map or table
	return e;
}

// The kernel doesn't compare values when it deletes: what we have read is only true for the
// generation that we have read it in.
fallible nft_masquerade_delete(struct netlink *n, const struct network_address *a,
                               const char *owner)
{
	char comment[COMMENT_MAX + 1];
	snprintf(comment, sizeof(comment), "%s", owner);
	for (int attempt = 0;; attempt++) {
		uint32_t generation;
		struct found_element found = {0};
		TRY(nft_generation(n, &generation));
		TRY(get_element(n, a, &found));
		if (!found.found || strcmp(found.comment, comment) != 0)
			return NULL;
		auto_request struct netlink_request r = NETLINK_REQUEST;
		nft_begin(&r, generation);
		put_element(&r, NFT_MSG_DELSETELEM, 0, a, NULL, NULL);
		nft_end(&r);
		struct error *e = netlink_talk(n, &r, NULL, NULL);
		if (!e || attempt == ATTEMPTS || (e->sys != ERESTART && e->sys != ENOENT))
			return e;
		error_drop(&e); // another writer: look again
		pause_briefly(attempt);
	}
}

static struct error *read_chain_name(void *context, const struct nlmsghdr *m)
{
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct nfgenmsg), &size);
	struct netlink_attribute table, name;
	if (!netlink_find(bytes, size, NFTA_CHAIN_TABLE, &table) ||
	    !netlink_find(bytes, size, NFTA_CHAIN_NAME, &name))
		return NULL;
	auto_free char *table_text = netlink_text(&table), *text = netlink_text(&name);
	if (strcmp(table_text, TABLE) == 0 && text_starts(text, "masq-"))
		strings_add(context, text);
	return NULL;
}

fallible nft_prune(struct netlink *n)
{
	auto_strings struct strings chains = {0};
	auto_request struct netlink_request list = NETLINK_REQUEST;
	nft_message(&list, NFT_MSG_GETCHAIN, NFPROTO_INET, NLM_F_DUMP, "list chains");
	TRY(netlink_talk(n, &list, read_chain_name, &chains));
	for (size_t i = 0; i < chains.n; i++) {
		auto_request struct netlink_request r = NETLINK_REQUEST;
		nft_begin(&r, 0);
		nft_message(&r, NFT_MSG_DELCHAIN, NFPROTO_INET, 0, "delete chain");
		netlink_put_string(&r, NFTA_CHAIN_TABLE, TABLE);
		netlink_put_string(&r, NFTA_CHAIN_NAME, chains.items[i]);
		nft_end(&r);
		struct error *e = netlink_talk(n, &r, NULL, NULL);
		if (e && (e->sys == EBUSY || e->sys == ENOENT))
			error_drop(&e); // still in use, or gone already
		TRY(e);
	}
	return NULL;
}
