// SPDX-License-Identifier: Apache-2.0
// The container's link to a bridge. The peer is born in its namespace, down (moving it there would
// take 35 ms); the host's end is named by the instance, so that it can't meet the dying interface
// of the container's last life.
#include "network/field.h"
#include "network/link.h"
#include "network/names.h"
#include "network/nft.h"
#include "network/plugins/bridge.h"
#include "network/sysctl.h"
#include "network/visit.h"
#include "sys/process.h"
#include <unistd.h>

struct attaching {
	const struct plugin_call *c;
	const struct bridge_options *o;
	struct network_result *result;
	struct netlink host;
	struct link bridge;
	char host_name[IFNAMSIZ];
	bool has_ipv6;
};

// --- The bridge

static fallible set_up_bridge(struct attaching *a)
{
	const char *name = a->o->bridge;
	// A container's router advertisement must not give the host a route (CVE-2020-10749).
	struct error *e = sysctl_set("0", "ipv6/conf/%s/accept_ra", name);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // a kernel without IPv6
	TRY_AS(e, "bridge %s", name);
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_set_up(&r, a->bridge.index, "bring bridge up");
	return netlink_talk(&a->host, &r, NULL, NULL);
}

static fallible ensure_bridge(struct attaching *a)
{
	const char *name = a->o->bridge;
	struct error *e = link_get(&a->host, name, &a->bridge);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // the network's first container
		auto_request struct netlink_request r = NETLINK_REQUEST;
		link_add_bridge(&r, name, a->o->mtu);
		TRY(netlink_talk(&a->host, &r, NULL, NULL));
		e = link_get(&a->host, name, &a->bridge);
	}
	TRY(e);
	if (strcmp(a->bridge.kind, "bridge") != 0)
		return error_new(ERROR_INVALID, "\"%s\" already exists but is not a bridge", name);
	if (!(a->bridge.flags & IFF_UP))
		TRY(set_up_bridge(a));
	if (a->o->promiscuous && !(a->bridge.flags & IFF_PROMISC)) {
		auto_request struct netlink_request r = NETLINK_REQUEST;
		link_set_promisc(&r, a->bridge.index, name);
		TRY(netlink_talk(&a->host, &r, NULL, NULL));
	}
	return NULL;
}

// --- Gateways

static void fill_gateways(struct attaching *a)
{
	for (size_t i = 0; i < a->result->n_ips; i++) {
		struct network_ip *ip = &a->result->ips[i];
		a->has_ipv6 = a->has_ipv6 || ip->address.family == AF_INET6;
		if (ip->gateway.family || !a->o->gateway)
			continue;
		struct network_address first = address_first(&ip->address, ip->prefix);
		ip->gateway = address_next(&first);
	}
}

static void add_default_route(struct network_result *r, const struct network_ip *ip)
{
	for (size_t i = 0; i < r->n_routes; i++)
		if (r->routes[i].gw.family && !r->routes[i].prefix &&
		    r->routes[i].dst.family == ip->address.family)
			return;
	struct network_route *route = result_add_route(r);
	route->dst.family = ip->address.family;
	route->gw = ip->gateway;
}

static bool conflicts(const struct link_address *have, const struct network_ip *ip)
{
	if (have->address.family != ip->gateway.family)
		return false;
	return have->address.family == AF_INET ||
	       prefix_contains(&have->address, have->prefix, &ip->gateway) ||
	       prefix_contains(&ip->gateway, ip->prefix, &have->address);
}

static fallible ensure_gateway(struct attaching *a, const struct network_ip *ip)
{
	auto_free struct link_address *have = NULL;
	size_t n;
	TRY(link_list_addresses(&a->host, a->bridge.index, &have, &n));
	auto_request struct netlink_request r = NETLINK_REQUEST;
	for (size_t i = 0; i < n; i++) {
		if (address_equal(&have[i].address, &ip->gateway) && have[i].prefix == ip->prefix)
			return NULL;
		if (!conflicts(&have[i], ip))
			continue;
		if (!a->o->force_address) {
			auto_free char *text = prefix_print(&ip->gateway, ip->prefix);
			return error_new(ERROR_INVALID,
			                 "\"%s\" already has an IP address different from %s",
			                 a->o->bridge, text);
		}
		link_delete_address(&r, a->bridge.index, &have[i].address, have[i].prefix);
	}
	link_add_address(&r, a->bridge.index, &ip->gateway, ip->prefix);
	return netlink_talk(&a->host, &r, NULL, NULL);
}

static fallible ensure_gateways(struct attaching *a)
{
	for (size_t i = 0; i < a->result->n_ips; i++) {
		const struct network_ip *ip = &a->result->ips[i];
		if (a->o->default_gateway && ip->gateway.family)
			add_default_route(a->result, ip);
		if (!a->o->gateway)
			continue;
		TRY_AS(ensure_gateway(a, ip), "bridge %s", a->o->bridge);
		TRY_AS(sysctl_forward(ip->address.family), "switch forwarding on");
	}
	return NULL;
}

// --- The link

static void host_name(const struct plugin_call *c, char ret[static IFNAMSIZ])
{
	if (c->instance)
		name_host_link(c->instance, c->ifname, ret);
	else
		snprintf(ret, IFNAMSIZ, "veth%08x", (unsigned)random_u64());
}

// A kernel without IPv6 refuses the attribute.
static bool has_ipv6(void)
{
	return access("/proc/sys/net/ipv6", F_OK) == 0;
}

static fallible make_link(struct attaching *a, struct veth *v)
{
	host_name(a->c, a->host_name);
	*v = (struct veth){.host = a->host_name,
	                   .master = a->bridge.index,
	                   .peer = a->c->ifname,
	                   .netns_fd = a->c->netns_fd,
	                   .mtu = a->o->mtu};
	if (a->o->has_mac)
		memcpy(v->mac, a->o->mac, sizeof(v->mac));
	else
		link_mac_random(v->mac);
	struct bridge_port port = {.alias = a->c->owner,
	                           .hairpin = a->o->hairpin,
	                           .isolated = a->o->isolated,
	                           .no_link_local = has_ipv6()};
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_add_veth(&r, v);
	link_set_port(&r, a->host_name, &port);
	struct error *e = netlink_talk(&a->host, &r, NULL, NULL);
	if (e && e->sys == EXFULL)
		return error_recode(error_prefix(e, "bridge %s has 1,023 ports", a->o->bridge),
		                    ERROR_LIMIT);
	return e;
}

// Run inside the container's namespace.
static fallible set_container_sysctls(const struct attaching *a)
{
	const char *ifname = a->c->ifname;
	// Neighbours learn the address at once; not worth failing for where /proc/sys is read-only.
	error_free(sysctl_set("1", "ipv4/conf/%s/arp_notify", ifname));
	if (!a->has_ipv6)
		return NULL;
	error_free(sysctl_set("1", "ipv6/conf/%s/keep_addr_on_down", ifname));
	TRY(sysctl_set("0", "ipv6/conf/lo/disable_ipv6"));
	return sysctl_set("0", "ipv6/conf/%s/disable_ipv6", ifname);
}

static fallible enter_container(const struct attaching *a, struct netlink *ret)
{
	struct visit visit;
	TRY(visit_enter(a->c->netns_fd, &visit));
	struct error *e = netlink_open(NETLINK_ROUTE, ret);
	if (!e)
		e = set_container_sysctls(a);
	return error_join(e, visit_leave(&visit));
}

static struct network_address gateway_of(const struct network_result *r, int family)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (r->ips[i].gateway.family == family)
			return r->ips[i].gateway;
	return (struct network_address){0};
}

static void put_routes(struct netlink_request *r, const struct network_result *result, int index)
{
	for (size_t i = 0; i < result->n_routes; i++) {
		const struct network_route *x = &result->routes[i];
		struct network_address gw =
			x->gw.family ? x->gw : gateway_of(result, x->dst.family);
		struct route route = {.dst = &x->dst,
		                      .prefix = x->prefix,
		                      .gw = &gw,
		                      .index = index,
		                      .mtu = x->mtu,
		                      .advmss = x->advmss,
		                      .priority = x->priority,
		                      .table = x->table,
		                      .scope = x->scope};
		link_add_route(r, &route);
	}
}

static fallible configure_container(struct attaching *a, struct link *ret)
{
	auto_netlink struct netlink inside = NETLINK_CLOSED;
	TRY(enter_container(a, &inside));
	TRY(link_get(&inside, a->c->ifname, ret));
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_set_up(&r, LOOPBACK_INDEX, "bring lo up");
	link_set_up(&r, ret->index, "bring the container's interface up");
	for (size_t i = 0; i < a->result->n_ips; i++)
		link_add_address(&r, ret->index, &a->result->ips[i].address,
		                 a->result->ips[i].prefix);
	put_routes(&r, a->result, ret->index);
	return netlink_talk(&inside, &r, NULL, NULL);
}

// --- The firewall

static fallible allow_traffic(const struct attaching *a)
{
	if (!a->o->gateway && !a->o->masquerade)
		return NULL;
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open(NETLINK_NETFILTER, &n));
	bool seen[2] = {false}, made = false;
	for (size_t i = 0; i < a->result->n_ips; i++) {
		const struct network_ip *ip = &a->result->ips[i];
		struct masquerade m = {.bridge = a->o->bridge,
		                       .address = ip->address,
		                       .length = ip->prefix,
		                       .master = a->o->master};
		if (a->o->masquerade)
			TRY(nft_masquerade_ensure(&n, &m, &made));
		bool *done = &seen[ip->address.family == AF_INET6];
		if (!*done)
			TRY(nft_forward_allow(&n, ip->address.family, a->o->bridge));
		*done = true;
	}
	auto_strings struct strings foreign = {0};
	if (made) // once for a network is enough
		TRY(nft_forward_foreign(&n, &foreign));
	for (size_t i = 0; i < foreign.n; i++)
		plugin_warn(a->c, "%s drops what it isn't told to accept: tell it bridge %s",
		            foreign.items[i], a->o->bridge);
	return NULL;
}

static fallible fill_interfaces(struct attaching *a, const struct link *container)
{
	char mac[18];
	struct link host;
	TRY(link_get(&a->host, a->host_name, &host));
	link_mac_text(a->bridge.mac, mac);
	result_add_interface(a->result, a->o->bridge, mac, "")->mtu = a->bridge.mtu;
	link_mac_text(host.mac, mac);
	result_add_interface(a->result, a->host_name, mac, "")->mtu = host.mtu;
	link_mac_text(container->mac, mac);
	result_add_interface(a->result, a->c->ifname, mac, a->c->netns_path)->mtu = container->mtu;
	for (size_t i = 0; i < a->result->n_ips; i++)
		a->result->ips[i].interface = 2;
	return NULL;
}

fallible bridge_attach(const struct plugin_call *c, const struct bridge_options *o,
                       struct network_result *result)
{
	struct attaching a = {.c = c, .o = o, .result = result, .host = NETLINK_CLOSED};
	auto_netlink struct netlink host = NETLINK_CLOSED;
	TRY(netlink_open(NETLINK_ROUTE, &host));
	a.host = host;
	struct veth v;
	struct link container;
	fill_gateways(&a);
	TRY(ensure_bridge(&a));
	TRY(ensure_gateways(&a));
	TRY(make_link(&a, &v));
	TRY(configure_container(&a, &container));
	TRY(allow_traffic(&a));
	TRY(fill_interfaces(&a, &container));
	// Last: meanwhile the kernel's work queue has brought the port up.
	return link_wait_forwarding(&a.host, a.host_name);
}

// --- The way back

// The name is derived from the instance, or else told by the result of ADD.
static bool known_host_name(const struct plugin_call *c, char ret[static IFNAMSIZ])
{
	if (c->instance) {
		name_host_link(c->instance, c->ifname, ret);
		return true;
	}
	const struct network_result *p = c->previous;
	if (!p || p->n_interfaces < 2 || !text_starts(p->interfaces[1].name, "veth") ||
	    strlen(p->interfaces[1].name) >= IFNAMSIZ)
		return false;
	snprintf(ret, IFNAMSIZ, "%s", p->interfaces[1].name);
	return true;
}

fallible bridge_detach(const struct plugin_call *c)
{
	char name[IFNAMSIZ];
	if (!known_host_name(c, name))
		return NULL;
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open(NETLINK_ROUTE, &n));
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_set_down(&r, name);
	TRY(netlink_talk(&n, &r, NULL, NULL));
	if (!c->namespace_dies)
		strings_add(&c->later->links, name);
	return NULL;
}

fallible bridge_check_link(const struct plugin_call *c, const struct bridge_options *o)
{
	char name[IFNAMSIZ];
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open(NETLINK_ROUTE, &n));
	struct link bridge, port;
	TRY(link_get(&n, o->bridge, &bridge));
	if (!known_host_name(c, name))
		return error_new(ERROR_INVALID, "prevResult has no interface of the host");
	TRY(link_get(&n, name, &port));
	if (port.master != bridge.index)
		return error_new(ERROR_INVALID, "%s is not a port of bridge %s", name, o->bridge);
	auto_netlink struct netlink inside = NETLINK_CLOSED;
	TRY(netlink_open_in(c->netns_fd, NETLINK_ROUTE, &inside));
	struct link container;
	TRY(link_get(&inside, c->ifname, &container));
	auto_free struct link_address *have = NULL;
	size_t n_have;
	TRY(link_list_addresses(&inside, container.index, &have, &n_have));
	for (size_t i = 0; c->previous && i < c->previous->n_ips; i++) {
		bool found = false;
		for (size_t j = 0; j < n_have; j++)
			found = found ||
			        address_equal(&have[j].address, &c->previous->ips[i].address);
		auto_free char *text = network_address_print(&c->previous->ips[i].address);
		if (!found)
			return error_new(ERROR_INVALID, "%s has no address %s", c->ifname, text);
	}
	return NULL;
}

fallible bridge_parse_mac(const struct plugin_call *c, struct bridge_options *o)
{
	static const char *const known[] = {"MAC", "IP", "GATEWAY", NULL};
	TRY(plugin_check_arguments(c, known));
	auto_free char *argument = plugin_argument(c, "MAC");
	const char *mac = argument;
	const struct json *args = NULL, *cni = NULL, *runtime = NULL;
	TRY(field_object(c->config, "args", &args));
	TRY(field_object(args, "cni", &cni));
	TRY(field_string(cni, "mac", &mac));
	TRY(field_object(c->config, "runtimeConfig", &runtime));
	TRY(field_string(runtime, "mac", &mac));
	if (!mac || !*mac)
		return NULL;
	TRY(link_mac_parse(mac, o->mac));
	o->has_mac = true;
	return NULL;
}
