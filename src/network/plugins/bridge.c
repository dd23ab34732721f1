// SPDX-License-Identifier: Apache-2.0
// Type "bridge". Specification: plugins 1.7.1, plugins/main/bridge.
#include "network/plugins/bridge.h"
#include "network/field.h"
#include "network/names.h"

static const struct flag {
	const char *key;
	size_t offset;
} flags[] = {
	// clang-format off
	{"isGateway",                 offsetof(struct bridge_options, gateway)},
	{"isDefaultGateway",          offsetof(struct bridge_options, default_gateway)},
	{"forceAddress",              offsetof(struct bridge_options, force_address)},
	{"ipMasq",                    offsetof(struct bridge_options, masquerade)},
	{"hairpinMode",               offsetof(struct bridge_options, hairpin)},
	{"promiscMode",               offsetof(struct bridge_options, promiscuous)},
	{"portIsolation",             offsetof(struct bridge_options, isolated)},
	{"disableContainerInterface", offsetof(struct bridge_options, no_container_address)},
	// clang-format on
};

// What this kernel or this version can't do is refused, never left out silently.
static fallible refuse_unsupported(const struct json *config)
{
	int64_t vlan = 0;
	const struct json *trunk = NULL;
	bool check_mac = false, dad = false;
	TRY(field_int(config, "vlan", 0, 4094, &vlan));
	TRY(field_array(config, "vlanTrunk", 4096, &trunk));
	if (vlan || json_size(trunk))
		return error_new(ERROR_UNSUPPORTED,
		                 "bridge: VLAN filtering (vlan, vlanTrunk) is not "
		                 "supported");
	TRY(field_bool(config, "macspoofchk", &check_mac));
	if (check_mac)
		return error_new(ERROR_UNSUPPORTED, "bridge: macspoofchk is not supported");
	TRY(field_bool(config, "enabledad", &dad));
	if (dad)
		return error_new(ERROR_UNSUPPORTED, "bridge: enabledad is not supported");
	return NULL;
}

static bool has_ipam(const struct plugin_call *c)
{
	const char *type =
		json_text(json_member_folded(json_member_folded(c->config, "ipam"), "type"));
	return type && *type;
}

static fallible parse(const struct plugin_call *c, struct bridge_options *ret)
{
	struct bridge_options o = {.bridge = "cni0"};
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		TRY(field_bool(c->config, flags[i].key, (bool *)((char *)&o + flags[i].offset)));
	const char *bridge = "cni0";
	TRY(field_string(c->config, "bridge", &bridge));
	if (*bridge) {
		TRY_AS(name_check_interface(bridge), "bridge");
		snprintf(o.bridge, sizeof(o.bridge), "%s", bridge);
	}
	int64_t mtu = 0;
	TRY(field_int(c->config, "mtu", 0, 65535, &mtu));
	o.mtu = (uint32_t)mtu;
	o.gateway = o.gateway || o.default_gateway;
	if (o.hairpin && o.promiscuous)
		return error_new(ERROR_INVALID,
		                 "cannot set hairpin mode and promiscuous mode at the same time");
	if (o.no_container_address && has_ipam(c))
		return error_new(ERROR_INVALID,
		                 "cannot use IPAM when DisableContainerInterface flag is set");
	if (o.no_container_address)
		return error_new(ERROR_UNSUPPORTED,
		                 "bridge: disableContainerInterface is not supported");
	TRY(bridge_parse_mac(c, &o));
	*ret = o;
	return NULL;
}

fallible bridge_add(const struct plugin_call *c, struct network_result **ret)
{
	struct bridge_options o;
	TRY(refuse_unsupported(c->config));
	TRY(parse(c, &o));
	auto_result struct network_result *result = result_new();
	if (has_ipam(c)) {
		network_result_free(take(&result));
		TRY(ipam_add(c, &result));
		if (!result->n_ips) {
			struct error *e =
				error_new(ERROR_INVALID, "IPAM plugin returned missing IP config");
			return error_join(e, ipam_del(c));
		}
	}
	const struct json *dns = NULL;
	struct network_dns own = {0};
	struct error *e = field_object(c->config, "dns", &dns);
	if (!e)
		e = dns_parse(dns, &own);
	if (!dns_is_empty(&own))
		result_set_dns(result, &own);
	dns_done(&own);
	if (!e)
		e = bridge_attach(c, &o, result);
	if (e)
		return e; // the list's undo calls bridge_del(), which frees the address as well
	*ret = take(&result);
	return NULL;
}

// Needs nothing of the configuration but the type of IPAM.
fallible bridge_del(const struct plugin_call *c)
{
	TRY(bridge_detach(c));
	return has_ipam(c) ? ipam_del(c) : NULL;
}

fallible bridge_check(const struct plugin_call *c)
{
	struct bridge_options o;
	TRY(parse(c, &o));
	return bridge_check_link(c, &o);
}
