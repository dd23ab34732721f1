// SPDX-License-Identifier: Apache-2.0
// The forward hook of others. A drop in any base chain wins over every accept elsewhere, so an
// accept has to stand in the chain that drops: we add one jump at its head and nothing else, in
// words that iptables understands.
#include "network/nft.h"
#include "network/nft_message.h"
#include <linux/if.h>
#include <time.h>

#define OURS "CORACLE-FORWARD"
enum { ATTEMPTS = 20 };

struct handles {
	uint64_t *items;
	size_t n, capacity;
};

struct forward {
	const char *bridge;
	bool exists, drops;        // FORWARD
	bool jumps;                // FORWARD has our jump
	bool from, to;             // our chain has the bridge's rules
	struct handles ours, jump; // those rules, and the jumps
	size_t n_others;           // rules of our chain for other bridges
};

static struct error *read_forward(void *context, const struct nlmsghdr *m)
{
	struct forward *f = context;
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct nfgenmsg), &size);
	struct netlink_attribute a;
	f->exists = true;
	if (netlink_find(bytes, size, NFTA_CHAIN_POLICY, &a))
		f->drops = nft_u32(&a) == NF_DROP;
	return NULL;
}

static fallible get_forward(struct netlink *n, int family, struct forward *f)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_message(&r, NFT_MSG_GETCHAIN, family, 0, "read chain FORWARD");
	netlink_put_string(&r, NFTA_CHAIN_TABLE, "filter");
	netlink_put_string(&r, NFTA_CHAIN_NAME, "FORWARD");
	struct error *e = netlink_talk(n, &r, read_forward, f);
	if (e && e->sys == ENOENT)
		error_drop(&e); // no iptables in use here
	return e;
}

// What a rule says, as far as we care.
struct rule_facts {
	bool conditional; // something beside counters and a verdict
	bool drops;
	char jump[64]; // chain of a jump
	char iifname[IFNAMSIZ], oifname[IFNAMSIZ];
	uint32_t meta; // last key loaded
};

static void read_verdict(const struct netlink_attribute *data, struct rule_facts *facts)
{
	struct netlink_attribute value, verdict, a;
	if (!netlink_find(data->data, data->size, NFTA_IMMEDIATE_DATA, &value) ||
	    !netlink_find(value.data, value.size, NFTA_DATA_VERDICT, &verdict) ||
	    !netlink_find(verdict.data, verdict.size, NFTA_VERDICT_CODE, &a))
		return;
	facts->drops = nft_u32(&a) == NF_DROP;
	if (netlink_find(verdict.data, verdict.size, NFTA_VERDICT_CHAIN, &a)) {
		auto_free char *chain = netlink_text(&a);
		snprintf(facts->jump, sizeof(facts->jump), "%s", chain);
	}
}

static void read_compare(const struct netlink_attribute *data, struct rule_facts *facts)
{
	struct netlink_attribute value, a;
	if (!netlink_find(data->data, data->size, NFTA_CMP_DATA, &value) ||
	    !netlink_find(value.data, value.size, NFTA_DATA_VALUE, &a) || a.size > IFNAMSIZ)
		return;
	char *name = facts->meta == NFT_META_IIFNAME   ? facts->iifname
	             : facts->meta == NFT_META_OIFNAME ? facts->oifname
	                                               : NULL;
	if (name)
		snprintf(name, IFNAMSIZ, "%.*s", (int)a.size, (const char *)a.data);
}

static void read_expression(const struct netlink_attribute *element, struct rule_facts *facts)
{
	struct netlink_attribute name, data = {0}, a;
	if (!netlink_find(element->data, element->size, NFTA_EXPR_NAME, &name))
		return;
	netlink_find(element->data, element->size, NFTA_EXPR_DATA, &data);
	auto_free char *text = netlink_text(&name);
	if (strcmp(text, "counter") == 0)
		return;
	if (strcmp(text, "immediate") == 0) {
		read_verdict(&data, facts);
	} else if (strcmp(text, "reject") == 0) {
		facts->drops = true;
	} else if (strcmp(text, "target") == 0 &&
	           netlink_find(data.data, data.size, NFTA_TARGET_NAME, &a)) {
		auto_free char *target = netlink_text(&a);
		facts->drops = strcmp(target, "REJECT") == 0;
	} else {
		facts->conditional = true;
		if (strcmp(text, "meta") == 0 &&
		    netlink_find(data.data, data.size, NFTA_META_KEY, &a))
			facts->meta = nft_u32(&a);
		else if (strcmp(text, "cmp") == 0)
			read_compare(&data, facts);
	}
}

static void add_handle(struct handles *h, const struct netlink_attribute *a)
{
	if (a->size != sizeof(uint64_t))
		return;
	alloc_grow(&h->items, &h->capacity, h->n, sizeof(*h->items));
	memcpy(&h->items[h->n++], a->data, sizeof(uint64_t)); // as the kernel wants it back
}

static void forward_done(struct forward *f)
{
	free(f->ours.items);
	free(f->jump.items);
}
#define auto_forward defer(forward_done)

static struct error *read_rule(void *context, const struct nlmsghdr *m)
{
	struct forward *f = context;
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct nfgenmsg), &size);
	struct netlink_attribute chain, list, element, handle;
	struct rule_facts facts = {0};
	if (!netlink_find(bytes, size, NFTA_RULE_CHAIN, &chain) ||
	    !netlink_find(bytes, size, NFTA_RULE_HANDLE, &handle) ||
	    !netlink_find(bytes, size, NFTA_RULE_EXPRESSIONS, &list))
		return NULL;
	for (size_t at = 0; netlink_next(list.data, list.size, &at, &element);)
		read_expression(&element, &facts);
	auto_free char *name = netlink_text(&chain);
	if (strcmp(name, OURS) == 0) {
		bool from = strcmp(facts.iifname, f->bridge) == 0;
		bool to = strcmp(facts.oifname, f->bridge) == 0;
		f->from = f->from || from;
		f->to = f->to || to;
		if (from || to)
			add_handle(&f->ours, &handle);
		else
			f->n_others++;
	} else if (!facts.conditional && strcmp(facts.jump, OURS) == 0) {
		f->jumps = true;
		add_handle(&f->jump, &handle);
	} else if (!facts.conditional && facts.drops) {
		f->drops = true;
	}
	return NULL;
}

static fallible read_rules(struct netlink *n, int family, const char *table, const char *chain,
                           struct forward *f)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_message(&r, NFT_MSG_GETRULE, family, NLM_F_DUMP, "list rules");
	netlink_put_string(&r, NFTA_RULE_TABLE, table);
	netlink_put_string(&r, NFTA_RULE_CHAIN, chain);
	struct error *e = netlink_talk(n, &r, read_rule, f);
	if (e && e->sys == ENOENT)
		error_drop(&e); // no such chain yet
	return e;
}

static void put_accept(struct netlink_request *r, int family, uint32_t key, const char *bridge)
{
	struct nft_rule rule = nft_rule(r, family, NLM_F_APPEND, "filter", OURS);
	nft_compare_ifname(r, key, bridge);
	if (key == NFT_META_OIFNAME)
		nft_match_answers(r);
	nft_counter(r);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_end(r, &rule);
}

static fallible add_missing(struct netlink *n, int family, const struct forward *f,
                            uint32_t generation)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_begin(&r, generation);
	nft_message(&r, NFT_MSG_NEWCHAIN, family, NLM_F_CREATE, "create chain " OURS);
	netlink_put_string(&r, NFTA_CHAIN_TABLE, "filter");
	netlink_put_string(&r, NFTA_CHAIN_NAME, OURS);
	if (!f->from)
		put_accept(&r, family, NFT_META_IIFNAME, f->bridge);
	if (!f->to)
		put_accept(&r, family, NFT_META_OIFNAME, f->bridge);
	if (!f->jumps) {
		struct nft_rule rule = nft_rule(&r, family, 0, "filter", "FORWARD");
		nft_counter(&r);
		nft_verdict(&r, (uint32_t)NFT_JUMP, OURS);
		nft_rule_end(&r, &rule);
	}
	nft_end(&r);
	return netlink_talk(n, &r, NULL, NULL);
}

static bool is_worth_repeating(const struct error *e, int attempt)
{
	if ((e->sys != ERESTART && !error_is(e, ERROR_BUSY)) || attempt == ATTEMPTS)
		return false;
	struct timespec t = {.tv_nsec = 50000L * (attempt + 1)};
	nanosleep(&t, NULL); // another writer: look again
	return true;
}

static fallible try_to_allow(struct netlink *n, int family, const char *bridge)
{
	auto_forward struct forward f = {.bridge = bridge};
	uint32_t generation;
	TRY(nft_generation(n, &generation));
	TRY(get_forward(n, family, &f));
	if (!f.exists)
		return NULL;
	TRY(read_rules(n, family, "filter", "FORWARD", &f));
	if (!f.drops)
		return NULL;
	TRY(read_rules(n, family, "filter", OURS, &f));
	if (f.from && f.to && f.jumps)
		return NULL;
	return add_missing(n, family, &f, generation);
}

fallible nft_forward_allow(struct netlink *n, int family, const char *bridge)
{
	for (int attempt = 0;; attempt++) {
		struct error *e = try_to_allow(n, family, bridge);
		if (!e)
			return NULL;
		if (!is_worth_repeating(e, attempt))
			return error_prefix(
				e,
				"policy of chain FORWARD is drop (iptables), and it can't "
				"be passed for bridge %s",
				bridge);
		error_drop(&e);
	}
}

static void put_delete(struct netlink_request *r, int family, const char *chain,
                       const struct handles *h)
{
	for (size_t i = 0; i < h->n; i++) {
		nft_message(r, NFT_MSG_DELRULE, family, 0, "delete rule");
		netlink_put_string(r, NFTA_RULE_TABLE, "filter");
		netlink_put_string(r, NFTA_RULE_CHAIN, chain);
		netlink_put(r, NFTA_RULE_HANDLE, &h->items[i], sizeof(h->items[i]));
	}
}

static fallible try_to_remove(struct netlink *n, int family, const char *bridge)
{
	auto_forward struct forward f = {.bridge = bridge};
	uint32_t generation;
	TRY(nft_generation(n, &generation));
	TRY(get_forward(n, family, &f));
	if (!f.exists)
		return NULL;
	TRY(read_rules(n, family, "filter", "FORWARD", &f));
	TRY(read_rules(n, family, "filter", OURS, &f));
	if (!f.ours.n)
		return NULL;
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_begin(&r, generation);
	put_delete(&r, family, OURS, &f.ours);
	if (!f.n_others) {
		put_delete(&r, family, "FORWARD", &f.jump);
		nft_message(&r, NFT_MSG_DELCHAIN, family, 0, "delete chain " OURS);
		netlink_put_string(&r, NFTA_CHAIN_TABLE, "filter");
		netlink_put_string(&r, NFTA_CHAIN_NAME, OURS);
	}
	nft_end(&r);
	return netlink_talk(n, &r, NULL, NULL);
}

fallible nft_forward_remove(struct netlink *n, int family, const char *bridge)
{
	for (int attempt = 0;; attempt++) {
		struct error *e = try_to_remove(n, family, bridge);
		if (!e || !is_worth_repeating(e, attempt))
			return e;
		error_drop(&e);
	}
}

// --- Base chains of others

struct base_chain {
	int family;
	char *table, *name;
	bool drops;
};
struct base_chains {
	struct base_chain *items;
	size_t n, capacity;
};

static void base_chains_done(struct base_chains *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].table);
		free(l->items[i].name);
	}
	free(l->items);
}
#define auto_base_chains defer(base_chains_done)

static const char *family_name(int family)
{
	return family == NFPROTO_INET   ? "inet"
	       : family == NFPROTO_IPV4 ? "ip"
	       : family == NFPROTO_IPV6 ? "ip6"
	                                : NULL;
}

static struct error *read_base_chain(void *context, const struct nlmsghdr *m)
{
	struct base_chains *list = context;
	const struct nfgenmsg *h = NLMSG_DATA(m);
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(*h), &size);
	struct netlink_attribute table, name, hook, a;
	if (!family_name(h->nfgen_family) || !netlink_find(bytes, size, NFTA_CHAIN_TABLE, &table) ||
	    !netlink_find(bytes, size, NFTA_CHAIN_NAME, &name) ||
	    !netlink_find(bytes, size, NFTA_CHAIN_HOOK, &hook) ||
	    !netlink_find(hook.data, hook.size, NFTA_HOOK_HOOKNUM, &a) ||
	    nft_u32(&a) != NF_INET_FORWARD)
		return NULL;
	struct base_chain chain = {.family = h->nfgen_family,
	                           .table = netlink_text(&table),
	                           .name = netlink_text(&name)};
	if (netlink_find(bytes, size, NFTA_CHAIN_POLICY, &a))
		chain.drops = nft_u32(&a) == NF_DROP;
	alloc_grow(&list->items, &list->capacity, list->n, sizeof(*list->items));
	list->items[list->n++] = chain;
	return NULL;
}

// Does a rule without a condition drop what is left, as firewalld's last one?
static fallible has_last_drop(struct netlink *n, const struct base_chain *chain, bool *ret)
{
	auto_forward struct forward f = {.bridge = ""};
	TRY(read_rules(n, chain->family, chain->table, chain->name, &f));
	*ret = f.drops;
	return NULL;
}

static bool is_iptables(const struct base_chain *chain)
{
	return chain->family != NFPROTO_INET && strcmp(chain->table, "filter") == 0 &&
	       strcmp(chain->name, "FORWARD") == 0;
}

fallible nft_forward_foreign(struct netlink *n, struct strings *ret)
{
	auto_base_chains struct base_chains list = {0};
	auto_request struct netlink_request r = NETLINK_REQUEST;
	nft_message(&r, NFT_MSG_GETCHAIN, AF_UNSPEC, NLM_F_DUMP, "list chains");
	TRY(netlink_talk(n, &r, read_base_chain, &list));
	for (size_t i = 0; i < list.n; i++) {
		struct base_chain *chain = &list.items[i];
		if (is_iptables(chain)) // nft_forward_allow() passes it
			continue;
		if (!chain->drops)
			TRY(has_last_drop(n, chain, &chain->drops));
		if (chain->drops)
			strings_adopt(ret,
			              alloc_printf("chain %.64s of table %s %.64s", chain->name,
			                           family_name(chain->family), chain->table));
	}
	return NULL;
}
