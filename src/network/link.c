// SPDX-License-Identifier: Apache-2.0
#include "network/link.h"
#include "sys/process.h"
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <time.h>

// --- Reading

static uint8_t read_port_state(const struct netlink_attribute *slave_data)
{
	struct netlink_attribute a;
	if (netlink_find(slave_data->data, slave_data->size, IFLA_BRPORT_STATE, &a) && a.size == 1)
		return *a.data;
	return UINT8_MAX;
}

static void read_link_info(const struct netlink_attribute *info, struct link *link)
{
	struct netlink_attribute a;
	if (netlink_find(info->data, info->size, IFLA_INFO_KIND, &a)) {
		size_t n = strnlen((const char *)a.data, a.size);
		if (n < sizeof(link->kind))
			memcpy(link->kind, a.data, n);
	}
	if (netlink_find(info->data, info->size, IFLA_INFO_SLAVE_DATA, &a))
		link->port_state = read_port_state(&a);
}

static struct error *read_link(void *context, const struct nlmsghdr *m)
{
	struct link *link = context;
	if (m->nlmsg_type != RTM_NEWLINK || m->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return NULL;
	const struct ifinfomsg *h = NLMSG_DATA(m);
	*link = (struct link){
		.index = h->ifi_index, .flags = h->ifi_flags, .port_state = UINT8_MAX};
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(*h), &size);
	struct netlink_attribute a;
	for (size_t at = 0; netlink_next(bytes, size, &at, &a);) {
		if (a.type == IFLA_ADDRESS && a.size == sizeof(link->mac))
			memcpy(link->mac, a.data, a.size);
		else if (a.type == IFLA_MTU)
			link->mtu = netlink_u32(&a);
		else if (a.type == IFLA_MASTER)
			link->master = (int)netlink_u32(&a);
		else if (a.type == IFLA_OPERSTATE && a.size == 1)
			link->operstate = *a.data;
		else if (a.type == IFLA_LINKINFO)
			read_link_info(&a, link);
	}
	return NULL;
}

fallible link_get(struct netlink *n, const char *name, struct link *ret)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	netlink_message(&r, RTM_GETLINK, 0, &h, sizeof(h), 0, "interface %s", name);
	netlink_put_string(&r, IFLA_IFNAME, name);
	struct link link = {0};
	struct error *e = netlink_talk(n, &r, read_link, &link);
	if (e)
		return e->sys == ENODEV ? error_recode(e, ERROR_NOT_FOUND) : e;
	if (!link.index)
		return error_new(ERROR_NOT_FOUND, "interface %s: no answer", name);
	*ret = link;
	return NULL;
}

static struct error *read_route(void *context, const struct nlmsghdr *m)
{
	if (m->nlmsg_type != RTM_NEWROUTE)
		return NULL;
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(struct rtmsg), &size);
	struct netlink_attribute a;
	if (netlink_find(bytes, size, RTA_OIF, &a))
		*(int *)context = (int)netlink_u32(&a);
	return NULL;
}

fallible link_route_mtu(struct netlink *n, const struct network_address *a, uint32_t *ret)
{
	auto_request struct netlink_request route = NETLINK_REQUEST, get = NETLINK_REQUEST;
	struct rtmsg h = {.rtm_family = (unsigned char)a->family,
	                  .rtm_dst_len = (unsigned char)address_bits(a)};
	int index = 0;
	netlink_message(&route, RTM_GETROUTE, 0, &h, sizeof(h), 0, "look up a route");
	netlink_put(&route, RTA_DST, a->bytes, address_size(a));
	struct error *e = netlink_talk(n, &route, read_route, &index);
	if (e || !index)
		return error_join(e, error_new(ERROR_NOT_FOUND, "no route"));
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct link link = {0};
	netlink_message(&get, RTM_GETLINK, 0, &i, sizeof(i), 0, "look at interface %d", index);
	TRY(netlink_talk(n, &get, read_link, &link));
	*ret = link.mtu;
	return NULL;
}

struct port_count {
	int bridge;
	size_t n;
};

static struct error *count_port(void *context, const struct nlmsghdr *m)
{
	struct port_count *count = context;
	struct link link = {0};
	TRY(read_link(&link, m));
	count->n += link.index && link.master == count->bridge;
	return NULL;
}

fallible link_count_ports(struct netlink *n, int bridge, size_t *ret)
{
	auto_request struct netlink_request r = NETLINK_REQUEST;
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	netlink_message(&r, RTM_GETLINK, NLM_F_DUMP, &h, sizeof(h), 0, "list ports");
	netlink_put_u32(&r, IFLA_MASTER, (uint32_t)bridge); // the kernel's own filter
	struct port_count count = {.bridge = bridge};
	TRY(netlink_talk(n, &r, count_port, &count));
	*ret = count.n;
	return NULL;
}

void link_mac_text(const unsigned char mac[6], char ret[static 18])
{
	snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
	         mac[5]);
}

fallible link_mac_parse(const char *text, unsigned char ret[6])
{
	unsigned char mac[6];
	bool ok = strlen(text) == 17;
	for (int i = 0; ok && i < 6; i++) {
		char byte[3] = {text[3 * i], text[3 * i + 1], 0};
		ok = strspn(byte, "0123456789abcdefABCDEF") == 2 &&
		     (i == 5 || text[3 * i + 2] == ':');
		unsigned value = 0;
		ok = ok && sscanf(byte, "%2x", &value) == 1;
		mac[i] = (unsigned char)value;
	}
	if (!ok)
		return error_new(ERROR_INVALID, "address %.64s: invalid MAC address", text);
	memcpy(ret, mac, sizeof(mac));
	return NULL;
}

void link_mac_random(unsigned char ret[6])
{
	uint64_t value = random_u64();
	memcpy(ret, &value, 6);
	ret[0] = (unsigned char)((ret[0] & 0xfe) | 0x02);
}

// --- Making

void link_add_bridge(struct netlink_request *r, const char *name, uint32_t mtu)
{
	unsigned char mac[6];
	link_mac_random(mac);
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	// Twelve at once: who comes second finds it.
	netlink_message(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h), EEXIST,
	                "create bridge %s", name);
	netlink_put_string(r, IFLA_IFNAME, name);
	netlink_put(r, IFLA_ADDRESS, mac, sizeof(mac));
	if (mtu)
		netlink_put_u32(r, IFLA_MTU, mtu);
	size_t info = netlink_nest(r, IFLA_LINKINFO);
	netlink_put_string(r, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(r, info);
}

void link_add_veth(struct netlink_request *r, const struct veth *v)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	netlink_message(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h), 0,
	                "create interfaces %s and %s", v->host, v->peer);
	netlink_put_string(r, IFLA_IFNAME, v->host);
	if (v->mtu)
		netlink_put_u32(r, IFLA_MTU, v->mtu);
	if (v->master)
		netlink_put_u32(r, IFLA_MASTER, (uint32_t)v->master);
	size_t info = netlink_nest(r, IFLA_LINKINFO);
	netlink_put_string(r, IFLA_INFO_KIND, "veth");
	size_t data = netlink_nest(r, IFLA_INFO_DATA);
	size_t peer = netlink_nest(r, VETH_INFO_PEER);
	netlink_put_raw(r, &h, sizeof(h));
	netlink_put_string(r, IFLA_IFNAME, v->peer);
	netlink_put_u32(r, IFLA_NET_NS_FD, (uint32_t)v->netns_fd);
	netlink_put(r, IFLA_ADDRESS, v->mac, sizeof(v->mac));
	if (v->mtu)
		netlink_put_u32(r, IFLA_MTU, v->mtu);
	netlink_nest_end(r, peer);
	netlink_nest_end(r, data);
	netlink_nest_end(r, info);
}

void link_set_port(struct netlink_request *r, const char *name, const struct bridge_port *p)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	netlink_message(r, RTM_NEWLINK, 0, &h, sizeof(h), 0, "bring port %s up", name);
	netlink_put_string(r, IFLA_IFNAME, name);
	if (p->alias)
		netlink_put(r, IFLA_IFALIAS, p->alias, strnlen(p->alias, IFALIASZ - 1));
	if (p->hairpin || p->isolated) {
		size_t info = netlink_nest(r, IFLA_LINKINFO);
		netlink_put_string(r, IFLA_INFO_SLAVE_KIND, "bridge");
		size_t data = netlink_nest(r, IFLA_INFO_SLAVE_DATA);
		netlink_put_u8(r, IFLA_BRPORT_MODE, p->hairpin);
		netlink_put_u8(r, IFLA_BRPORT_ISOLATED, p->isolated);
		netlink_nest_end(r, data);
		netlink_nest_end(r, info);
	}
	if (!p->no_link_local)
		return;
	size_t spec = netlink_nest(r, IFLA_AF_SPEC);
	size_t inet6 = netlink_nest(r, AF_INET6);
	netlink_put_u8(r, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	netlink_nest_end(r, inet6);
	netlink_nest_end(r, spec);
}

void link_set_up(struct netlink_request *r, int index, const char *label)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC,
	                      .ifi_index = index,
	                      .ifi_flags = IFF_UP,
	                      .ifi_change = IFF_UP};
	netlink_message(r, RTM_NEWLINK, 0, &h, sizeof(h), 0, "%s", label);
}

void link_set_down(struct netlink_request *r, const char *name)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC, .ifi_change = IFF_UP};
	netlink_message(r, RTM_NEWLINK, 0, &h, sizeof(h), ENODEV, "take %s down", name);
	netlink_put_string(r, IFLA_IFNAME, name);
}

void link_set_promisc(struct netlink_request *r, int index, const char *name)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC,
	                      .ifi_index = index,
	                      .ifi_flags = IFF_PROMISC,
	                      .ifi_change = IFF_PROMISC};
	netlink_message(r, RTM_NEWLINK, 0, &h, sizeof(h), 0, "make %s promiscuous", name);
}

void link_delete(struct netlink_request *r, const char *name)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	netlink_message(r, RTM_DELLINK, 0, &h, sizeof(h), ENODEV, "delete interface %s", name);
	netlink_put_string(r, IFLA_IFNAME, name);
}

void link_set_group(struct netlink_request *r, const char *name, uint32_t group)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	netlink_message(r, RTM_SETLINK, 0, &h, sizeof(h), ENODEV, "mark %s for deletion", name);
	netlink_put_string(r, IFLA_IFNAME, name);
	netlink_put_u32(r, IFLA_GROUP, group);
}

void link_delete_group(struct netlink_request *r, uint32_t group)
{
	struct ifinfomsg h = {.ifi_family = AF_UNSPEC};
	netlink_message(r, RTM_DELLINK, 0, &h, sizeof(h), ENODEV, "delete interfaces");
	netlink_put_u32(r, IFLA_GROUP, group);
}

static void put_address(struct netlink_request *r, uint16_t type, const struct network_address *a)
{
	netlink_put(r, type, a->bytes, address_size(a));
}

void link_add_address(struct netlink_request *r, int index, const struct network_address *a,
                      unsigned prefix)
{
	auto_free char *text = prefix_print(a, prefix);
	struct ifaddrmsg h = {.ifa_family = (unsigned char)a->family,
	                      .ifa_prefixlen = (unsigned char)prefix,
	                      .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
	                      .ifa_index = (unsigned)index};
	netlink_message(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h), EEXIST,
	                "add address %s", text);
	put_address(r, IFA_LOCAL, a);
	put_address(r, IFA_ADDRESS, a);
	if (a->family == AF_INET && prefix < 31) {
		struct network_address broadcast = address_last(a, prefix);
		put_address(r, IFA_BROADCAST, &broadcast);
	}
}

void link_delete_address(struct netlink_request *r, int index, const struct network_address *a,
                         unsigned prefix)
{
	auto_free char *text = prefix_print(a, prefix);
	struct ifaddrmsg h = {.ifa_family = (unsigned char)a->family,
	                      .ifa_prefixlen = (unsigned char)prefix,
	                      .ifa_index = (unsigned)index};
	netlink_message(r, RTM_DELADDR, 0, &h, sizeof(h), EADDRNOTAVAIL, "remove address %s", text);
	put_address(r, IFA_LOCAL, a);
}

static void put_metrics(struct netlink_request *r, const struct route *route)
{
	if (route->mtu <= 0 && route->advmss <= 0)
		return;
	size_t metrics = netlink_nest(r, RTA_METRICS);
	if (route->mtu > 0)
		netlink_put_u32(r, RTAX_MTU, (uint32_t)route->mtu);
	if (route->advmss > 0)
		netlink_put_u32(r, RTAX_ADVMSS, (uint32_t)route->advmss);
	netlink_nest_end(r, metrics);
}

void link_add_route(struct netlink_request *r, const struct route *route)
{
	const struct network_address *dst = route->dst, *gw = route->gw;
	auto_free char *to =
		dst->family ? prefix_print(dst, route->prefix) : alloc_string("default");
	auto_free char *via = gw->family ? network_address_print(gw) : alloc_string("the link");
	struct rtmsg h = {.rtm_family = (unsigned char)(dst->family ? dst->family : gw->family),
	                  .rtm_dst_len = (unsigned char)(dst->family ? route->prefix : 0),
	                  .rtm_table = RT_TABLE_MAIN,
	                  .rtm_protocol = RTPROT_BOOT,
	                  .rtm_scope = gw->family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	                  .rtm_type = RTN_UNICAST};
	if (route->scope > 0 && route->scope <= UINT8_MAX)
		h.rtm_scope = (unsigned char)route->scope;
	netlink_message(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h), EEXIST,
	                "add route %s via %s", to, via);
	if (dst->family && route->prefix)
		put_address(r, RTA_DST, dst);
	if (gw->family)
		put_address(r, RTA_GATEWAY, gw);
	netlink_put_u32(r, RTA_OIF, (uint32_t)route->index);
	if (route->priority > 0)
		netlink_put_u32(r, RTA_PRIORITY, (uint32_t)route->priority);
	if (route->table > 0)
		netlink_put_u32(r, RTA_TABLE, (uint32_t)route->table);
	put_metrics(r, route);
}

// --- Addresses of a link

struct address_list {
	int index;
	struct link_address *items;
	size_t n, capacity;
};

static struct error *read_address(void *context, const struct nlmsghdr *m)
{
	struct address_list *list = context;
	if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
		return NULL;
	const struct ifaddrmsg *h = NLMSG_DATA(m);
	if ((int)h->ifa_index != list->index)
		return NULL;
	size_t size;
	const void *bytes = netlink_payload(m, sizeof(*h), &size);
	struct netlink_attribute a;
	struct link_address item = {.prefix = h->ifa_prefixlen, .scope = h->ifa_scope};
	item.address.family = h->ifa_family;
	bool local = netlink_find(bytes, size, IFA_LOCAL, &a);
	if (!local && !netlink_find(bytes, size, IFA_ADDRESS, &a))
		return NULL;
	if (a.size != address_size(&item.address))
		return NULL;
	memcpy(item.address.bytes, a.data, a.size);
	alloc_grow(&list->items, &list->capacity, list->n, sizeof(*list->items));
	list->items[list->n++] = item;
	return NULL;
}

fallible link_list_addresses(struct netlink *n, int index, struct link_address **ret, size_t *ret_n)
{
	for (int attempt = 0;; attempt++) {
		auto_request struct netlink_request r = NETLINK_REQUEST;
		struct ifaddrmsg h = {.ifa_family = AF_UNSPEC, .ifa_index = (unsigned)index};
		netlink_message(&r, RTM_GETADDR, NLM_F_DUMP, &h, sizeof(h), 0, "list addresses");
		struct address_list list = {.index = index};
		struct error *e = netlink_talk(n, &r, read_address, &list);
		if (!e) {
			*ret = list.items;
			*ret_n = list.n;
			return NULL;
		}
		free(list.items);
		if (!error_is(e, ERROR_BUSY) || attempt == 10)
			return e;
		error_drop(&e); // another writer came in between: once more
	}
}

// --- Waiting

fallible link_wait_forwarding(struct netlink *n, const char *name)
{
	// The carrier event goes through a work queue of the kernel: usually it is done already,
	// the longest seen was 49 ms.
	enum { FIRST_WAIT_NS = 20000, LONGEST_WAIT_NS = 5000000 };
	const long long deadline_ns = 2000000000;
	long long waited = 0;
	for (long wait = FIRST_WAIT_NS; waited < deadline_ns; waited += wait) {
		struct link link;
		TRY(link_get(n, name, &link));
		bool is_port = link.port_state != UINT8_MAX;
		if (link.operstate == IF_OPER_UP &&
		    (!is_port || link.port_state == BR_STATE_FORWARDING))
			return NULL;
		struct timespec pause = {.tv_nsec = wait};
		nanosleep(&pause, NULL);
		wait = wait * 2 > LONGEST_WAIT_NS ? LONGEST_WAIT_NS : wait * 2;
	}
	return error_new(ERROR_BUSY, "bridge port in error state: %s does not forward after 2 s",
	                 name);
}
