// SPDX-License-Identifier: Apache-2.0
// Type "nat": a Windows network's file (WinCNI 0.3.1), as it stands, on Linux. A bridge with the
// gateway's address, masquerade, addresses from host-local's pool (ipam.type is not looked at).
//
//   master                   masquerade through this interface, if there is one of that name
//   ipam.subnet              required; host bits are tolerated, as WinCNI does
//   ipam.routes[].gateway    or gw, without dst or with a /0: the gateway; default subnet + 1
//   ipam.routes[].dst        a route
//   dns, runtimeConfig.dns   the latter wins
#include "network/field.h"
#include "network/link.h"
#include "network/names.h"
#include "network/plugins/bridge.h"

struct nat {
	struct bridge_options bridge;
	struct json *ipam; // host-local's configuration
	struct network_dns dns;
};

static void nat_done(struct nat *n)
{
	json_free(n->ipam);
	dns_done(&n->dns);
}
#define auto_nat defer(nat_done)

static fallible parse_subnet(const struct plugin_call *c, const struct json *ipam,
                             struct prefix *ret)
{
	const char *text = "";
	TRY(field_string(ipam, "subnet", &text));
	if (!*text)
		return error_new(ERROR_INVALID, "nat: ipam.subnet is missing");
	TRY_AS(prefix_parse(text, ret), "nat: ipam.subnet");
	struct network_address first = address_first(&ret->address, ret->length);
	if (!address_equal(&first, &ret->address)) {
		auto_free char *used = prefix_print(&first, ret->length);
		plugin_warn(c, "network %s: subnet %s has host bits, %s is used", c->network, text,
		            used);
	}
	ret->address = first;
	return NULL;
}

static bool is_default(const struct json *route)
{
	const char *dst = json_text(json_member_folded(route, "dst"));
	return !dst || text_ends(dst, "/0");
}

static fallible parse_gateway(const struct json *ipam, const struct prefix *subnet,
                              struct network_address *ret)
{
	const struct json *routes = NULL;
	const char *text = "";
	TRY(field_array(ipam, "routes", 256, &routes));
	for (size_t i = 0; i < json_size(routes) && !*text; i++) {
		const struct json *route = json_item(routes, i);
		if (!is_default(route))
			continue;
		TRY_AS(field_string(route, "gw", &text), "nat: ipam.routes[%zu]", i);
		TRY_AS(field_string(route, "gateway", &text), "nat: ipam.routes[%zu]", i);
	}
	if (!*text)
		TRY(field_string(ipam, "gateway", &text));
	*ret = address_next(&subnet->address);
	if (!*text)
		return NULL;
	TRY_AS(address_parse(text, ret), "nat: gateway");
	if (!prefix_contains(&subnet->address, subnet->length, ret)) {
		auto_free char *network = prefix_print(&subnet->address, subnet->length);
		return error_new(ERROR_INVALID, "nat: gateway %s is not in subnet %s", text,
		                 network);
	}
	return NULL;
}

// The routes that aren't the gateway's, for host-local.
static struct json *other_routes(const struct json *ipam)
{
	struct json *list = json_new_array();
	const struct json *routes = json_member_folded(ipam, "routes");
	for (size_t i = 0; json_kind(routes) == JSON_ARRAY && i < json_size(routes); i++)
		if (!is_default(json_item(routes, i)))
			json_append(list, json_copy(json_item(routes, i)));
	return list;
}

static void copy_member(struct json *to, const struct json *from, const char *key)
{
	const struct json *value = json_member_folded(from, key);
	if (value)
		json_set(to, key, json_copy(value));
}

static fallible make_ipam(const struct plugin_call *c, struct nat *n)
{
	const struct json *ipam = NULL;
	TRY(field_object(c->config, "ipam", &ipam));
	struct prefix subnet;
	struct network_address gateway;
	TRY(parse_subnet(c, ipam, &subnet));
	TRY(parse_gateway(ipam, &subnet, &gateway));
	auto_free char *subnet_text = prefix_print(&subnet.address, subnet.length);
	auto_free char *gateway_text = network_address_print(&gateway);
	struct json *own = json_new_object();
	json_set_string(own, "type", "host-local");
	json_set_string(own, "subnet", subnet_text);
	json_set_string(own, "gateway", gateway_text);
	copy_member(own, ipam, "rangeStart");
	copy_member(own, ipam, "rangeEnd");
	copy_member(own, ipam, "dataDir");
	json_set(own, "routes", other_routes(ipam));
	n->ipam = json_new_object();
	json_set(n->ipam, "ipam", own);
	copy_member(n->ipam, c->config, "args");
	copy_member(n->ipam, c->config, "runtimeConfig");
	return NULL;
}

static fallible parse_dns(const struct plugin_call *c, struct network_dns *ret)
{
	const struct json *own = NULL, *runtime = NULL, *given = NULL;
	TRY(field_object(c->config, "dns", &own));
	TRY(field_object(c->config, "runtimeConfig", &runtime));
	TRY(field_object(runtime, "dns", &given));
	TRY(dns_parse(own, ret));
	auto_strings struct strings servers = {0}, searches = {0}, options = {0};
	TRY(field_strings(given, "servers", &servers));
	TRY(field_strings(given, "searches", &searches));
	TRY(field_strings(given, "options", &options));
	struct strings *from[] = {&servers, &searches, &options};
	struct strings *to[] = {&ret->nameservers, &ret->search, &ret->options};
	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		if (!from[i]->n)
			continue;
		struct strings replaced = *to[i];
		*to[i] = *from[i];
		*from[i] = replaced; // freed at the end
	}
	return NULL;
}

static fallible parse_master(const struct plugin_call *c, struct bridge_options *o)
{
	const char *master = "";
	TRY(field_string(c->config, "master", &master));
	if (!*master)
		return NULL;
	struct error *e = name_check_interface(master);
	if (!e) {
		auto_netlink struct netlink n = NETLINK_CLOSED;
		struct link link;
		TRY(netlink_open(NETLINK_ROUTE, &n));
		e = link_get(&n, master, &link);
		if (!e)
			snprintf(o->master, sizeof(o->master), "%s", master);
	}
	if (error_is(e, ERROR_NOT_FOUND) || error_is(e, ERROR_INVALID)) {
		error_drop(&e); // a name from Windows, as "Ethernet" or "vEthernet (nat)"
		plugin_warn(c,
		            "network %s: there is no interface \"%.64s\": masquerading through the "
		            "default route",
		            c->network, master);
	}
	return e;
}

// A smaller MTU on the way out (a tunnel, a cloud) is the containers' as well: larger packets would
// vanish where the answer that says so is filtered. A larger one is nobody's business here.
static uint32_t uplink_mtu(void)
{
	enum { USUAL = 1500, SMALLEST = 1280 };
	static const struct network_address anywhere = {AF_INET, {192, 0, 2, 1}};
	auto_netlink struct netlink n = NETLINK_CLOSED;
	uint32_t mtu = 0;
	struct error *e = netlink_open(NETLINK_ROUTE, &n);
	if (!e)
		e = link_route_mtu(&n, &anywhere, &mtu);
	error_free(e); // no way out, no limit
	return mtu >= SMALLEST && mtu < USUAL ? mtu : 0;
}

static void base_options(const struct plugin_call *c, struct bridge_options *o)
{
	*o = (struct bridge_options){.gateway = true,
	                             .default_gateway = true,
	                             .masquerade = true,
	                             .force_address = true, // the bridge is ours alone
	                             .hairpin = true};
	name_bridge(c->network, o->bridge);
}

static fallible parse(const struct plugin_call *c, struct nat *n)
{
	base_options(c, &n->bridge);
	TRY(make_ipam(c, n));
	TRY(parse_dns(c, &n->dns));
	TRY(parse_master(c, &n->bridge));
	n->bridge.mtu = uplink_mtu();
	return bridge_parse_mac(c, &n->bridge);
}

static fallible refuse_ports(const struct plugin_call *c)
{
	const struct json *runtime = NULL, *ports = NULL;
	TRY(field_object(c->config, "runtimeConfig", &runtime));
	TRY(field_array(runtime, "portMappings", 4096, &ports));
	if (json_size(ports))
		return error_new(ERROR_UNSUPPORTED, "nat: publishing ports is not supported yet");
	return NULL;
}

fallible nat_add(const struct plugin_call *c, struct network_result **ret)
{
	auto_nat struct nat n = {0};
	TRY(refuse_ports(c));
	TRY(parse(c, &n));
	struct plugin_call ipam = *c;
	ipam.config = n.ipam;
	auto_result struct network_result *result = NULL;
	TRY(ipam_add(&ipam, &result));
	if (!dns_is_empty(&n.dns))
		result_set_dns(result, &n.dns);
	TRY(bridge_attach(c, &n.bridge, result)); // the list's undo frees the address
	*ret = take(&result);
	return NULL;
}

fallible nat_del(const struct plugin_call *c)
{
	TRY(bridge_detach(c));
	return host_local_del(c); // needs ipam.dataDir alone
}

fallible nat_check(const struct plugin_call *c)
{
	struct bridge_options o;
	base_options(c, &o);
	TRY(host_local_check(c));
	return bridge_check_link(c, &o);
}
