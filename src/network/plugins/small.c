// SPDX-License-Identifier: Apache-2.0
// The types of a page: loopback, portmap, static.
#include "network/field.h"
#include "network/link.h"
#include "network/plugins/host_local.h"
#include <arpa/inet.h>

// --- loopback: `lo`, whatever CNI_IFNAME says

fallible loopback_add(const struct plugin_call *c, struct network_result **ret)
{
	TRY(network_loopback_up(c->netns_fd));
	auto_result struct network_result *result = result_copy(c->previous);
	if (!c->previous) {
		result_add_interface(result, "lo", "00:00:00:00:00:00", c->netns_path);
		static const struct prefix addresses[] = {{{AF_INET, {127, [3] = 1}}, 8},
		                                          {{AF_INET6, {[15] = 1}}, 128}};
		for (size_t i = 0; i < 2; i++) {
			struct network_ip *ip = result_add_ip(result);
			ip->address = addresses[i].address;
			ip->prefix = addresses[i].length;
			ip->interface = 0;
		}
	}
	*ret = take(&result);
	return NULL;
}

fallible loopback_del(const struct plugin_call *c)
{
	if (c->netns_fd < 0)
		return NULL;
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open_in(c->netns_fd, NETLINK_ROUTE, &n));
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_set_down(&r, "lo");
	return netlink_talk(&n, &r, NULL, NULL);
}

fallible loopback_check(const struct plugin_call *c)
{
	auto_netlink struct netlink n = NETLINK_CLOSED;
	struct link lo;
	TRY(netlink_open_in(c->netns_fd, NETLINK_ROUTE, &n));
	TRY(link_get(&n, "lo", &lo));
	return lo.flags & IFF_UP ? NULL : error_new(ERROR_INVALID, "loopback interface is down");
}

// --- portmap: without ports the previous result goes on

fallible portmap_add(const struct plugin_call *c, struct network_result **ret)
{
	const struct json *runtime = NULL, *ports = NULL;
	if (!c->previous)
		return error_new(ERROR_INVALID, "must be called as chained plugin");
	TRY(field_object(c->config, "runtimeConfig", &runtime));
	TRY(field_array(runtime, "portMappings", 4096, &ports));
	if (json_size(ports))
		return error_new(ERROR_UNSUPPORTED, "publishing ports is not supported yet");
	*ret = result_copy(c->previous);
	return NULL;
}

fallible portmap_del(const struct plugin_call *c)
{
	(void)c; // nothing was made
	return NULL;
}

fallible portmap_check(const struct plugin_call *c)
{
	return c->previous ? NULL : error_new(ERROR_INVALID, "must be called as chained plugin");
}

// --- static: addresses as they stand in the configuration

static void clear_ips(struct network_result *r)
{
	free(r->ips);
	r->ips = NULL;
	r->n_ips = 0;
}

static fallible add_static(struct network_result *r, const char *cidr, const char *gateway)
{
	if (r->n_ips == REQUESTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d addresses", REQUESTS_MAX);
	struct prefix p;
	TRY(prefix_parse(cidr, &p));
	struct network_ip *ip = result_add_ip(r);
	ip->address = p.address;
	ip->prefix = p.length;
	return *gateway ? address_parse(gateway, &ip->gateway) : NULL;
}

static fallible add_from_file(struct network_result *r, const struct json *ipam)
{
	const struct json *array = NULL;
	TRY(field_array(ipam, "addresses", REQUESTS_MAX, &array));
	for (size_t i = 0; i < json_size(array); i++) {
		const char *cidr = "", *gateway = "";
		TRY(field_string(json_item(array, i), "address", &cidr));
		TRY(field_string(json_item(array, i), "gateway", &gateway));
		TRY_AS(add_static(r, cidr, gateway), "invalid address %zu", i);
	}
	return NULL;
}

static fallible add_from_arguments(struct network_result *r, const struct plugin_call *c)
{
	static const char *const known[] = {"IP", "GATEWAY", "MAC", NULL};
	TRY(plugin_check_arguments(c, known));
	auto_free char *ips = plugin_argument(c, "IP"), *gateway = plugin_argument(c, "GATEWAY");
	for (char *item = ips, *next; item && *item; item = next) {
		next = strchr(item, ',');
		if (next)
			*next++ = 0;
		TRY(add_static(r, item, ""));
	}
	struct network_address gw;
	if (!gateway || !*gateway)
		return NULL;
	TRY(address_parse(gateway, &gw));
	for (size_t i = 0; i < r->n_ips; i++)
		if (prefix_contains(&r->ips[i].address, r->ips[i].prefix, &gw))
			r->ips[i].gateway = gw;
	return NULL;
}

// Each of these replaces what was there, gateways included.
static fallible replace_from(struct network_result *r, const struct json *object)
{
	auto_strings struct strings ips = {0};
	TRY(field_strings(object, "ips", &ips));
	if (ips.n)
		clear_ips(r);
	for (size_t i = 0; i < ips.n; i++)
		TRY(add_static(r, ips.items[i], ""));
	return NULL;
}

fallible static_add(const struct plugin_call *c, struct network_result **ret)
{
	const struct json *ipam = NULL, *args = NULL, *cni = NULL, *runtime = NULL, *dns = NULL;
	auto_result struct network_result *r = result_new();
	TRY(field_object(c->config, "ipam", &ipam));
	if (!ipam)
		return error_new(ERROR_INVALID, "IPAM config missing 'ipam' key");
	TRY(add_from_file(r, ipam));
	TRY(add_from_arguments(r, c));
	TRY(field_object(c->config, "args", &args));
	TRY(field_object(args, "cni", &cni));
	TRY(replace_from(r, cni));
	TRY(field_object(c->config, "runtimeConfig", &runtime));
	TRY(replace_from(r, runtime));
	auto_free struct network_route *routes = NULL;
	size_t n_routes;
	TRY(ipam_parse_routes(ipam, false, &routes, &n_routes));
	for (size_t i = 0; i < n_routes; i++)
		*result_add_route(r) = routes[i];
	TRY(field_object(ipam, "dns", &dns));
	TRY(dns_parse(dns, &r->dns));
	*ret = take(&r);
	return NULL;
}

fallible static_del(const struct plugin_call *c)
{
	(void)c; // holds nothing
	return NULL;
}

fallible static_check(const struct plugin_call *c)
{
	return c->previous ? NULL : error_new(ERROR_INVALID, "static: prevResult is missing");
}
