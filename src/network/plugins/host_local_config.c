// SPDX-License-Identifier: Apache-2.0
// Specification: plugins 1.7.1, plugins/ipam/host-local/backend/allocator (config, range).
#include "network/dns.h"
#include "network/field.h"
#include "network/plugins/host_local.h"
#include "sys/fd.h"
#include <fcntl.h>

void host_local_done(struct host_local *h)
{
	free(h->data_dir);
	for (size_t i = 0; i < h->n_sets; i++)
		free(h->sets[i].ranges);
	free(h->routes);
	dns_done(&h->dns);
}

char *host_local_data_dir(const struct plugin_call *c)
{
	const char *dir =
		json_text(json_member_folded(json_member_folded(c->config, "ipam"), "dataDir"));
	return alloc_string(dir ? dir : "");
}

char *range_set_print(const struct range_set *s)
{
	auto_str struct str out = STR_LIMIT(4096);
	for (size_t i = 0; i < s->n; i++) {
		auto_free char *start = network_address_print(&s->ranges[i].start);
		auto_free char *end = network_address_print(&s->ranges[i].end);
		str_printf(&out, "%s%s-%s", i ? "," : "", start, end);
	}
	return str_take(&out);
}

static bool is_unset(const struct network_address *a)
{
	return a->family == 0;
}

static fallible parse_bound(const struct json *object, const char *key, const struct range *r,
                            struct network_address *ret)
{
	const char *text = "";
	TRY(field_string(object, key, &text));
	if (!*text)
		return NULL;
	TRY(address_parse(text, ret));
	if (strcmp(key, "gateway") != 0 && !prefix_contains(&r->subnet, r->prefix, ret)) {
		auto_free char *subnet = prefix_print(&r->subnet, r->prefix);
		return error_new(ERROR_INVALID, "%s %s not in network %s",
		                 strcmp(key, "rangeStart") == 0 ? "RangeStart" : "RangeEnd", text,
		                 subnet);
	}
	return NULL;
}

static fallible parse_range(const struct json *object, struct range *ret)
{
	struct range r = {0};
	const char *text = "";
	TRY(field_string(object, "subnet", &text));
	struct prefix p;
	TRY(prefix_parse(text, &p));
	r.subnet = p.address;
	r.prefix = p.length;
	auto_free char *subnet = prefix_print(&r.subnet, r.prefix);
	if (r.prefix > address_bits(&r.subnet) - 2)
		return error_new(ERROR_INVALID, "Network %s too small to allocate from", subnet);
	struct network_address first = address_first(&r.subnet, r.prefix);
	if (!address_equal(&first, &r.subnet)) {
		auto_free char *network = network_address_print(&first);
		return error_new(ERROR_INVALID,
		                 "Network has host bits set. For a subnet mask of length %u the "
		                 "network address is %s",
		                 r.prefix, network);
	}
	TRY(parse_bound(object, "gateway", &r, &r.gateway));
	TRY(parse_bound(object, "rangeStart", &r, &r.start));
	TRY(parse_bound(object, "rangeEnd", &r, &r.end));
	if (is_unset(&r.gateway))
		r.gateway = address_next(&first);
	if (is_unset(&r.start))
		r.start = address_next(&first);
	if (is_unset(&r.end)) {
		r.end = address_last(&r.subnet, r.prefix);
		if (r.subnet.family == AF_INET) // the broadcast address is nobody's
			r.end = address_previous(&r.end);
	}
	if (address_compare(&r.start, &r.end) > 0) {
		auto_free char *start = network_address_print(&r.start);
		auto_free char *end = network_address_print(&r.end);
		return error_new(ERROR_INVALID, "RangeStart %s is behind RangeEnd %s", start, end);
	}
	*ret = r;
	return NULL;
}

static bool overlap(const struct range *a, const struct range *b)
{
	return a->start.family == b->start.family && address_compare(&a->start, &b->end) <= 0 &&
	       address_compare(&b->start, &a->end) <= 0;
}

static fallible parse_set(const struct json *array, struct range_set *ret)
{
	if (!json_size(array))
		return error_new(ERROR_INVALID, "empty range set");
	if (json_size(array) > RANGES_MAX)
		return error_new(ERROR_LIMIT, "more than %d ranges", RANGES_MAX);
	ret->ranges = alloc_array(json_size(array), sizeof(*ret->ranges));
	for (size_t i = 0; i < json_size(array); i++) {
		struct range *r = &ret->ranges[ret->n];
		TRY(parse_range(json_item(array, i), r));
		ret->n++;
		if (r->subnet.family != ret->ranges[0].subnet.family)
			return error_new(ERROR_INVALID, "mixed address families");
		for (size_t j = 0; j < i; j++)
			if (overlap(r, &ret->ranges[j]))
				return error_new(ERROR_INVALID, "subnets %zu and %zu overlap", j,
				                 i);
	}
	return NULL;
}

static fallible parse_sets(const struct json *arrays, struct host_local *h)
{
	for (size_t i = 0; i < json_size(arrays); i++) {
		if (h->n_sets == SETS_MAX)
			return error_new(ERROR_LIMIT, "more than %d range sets", SETS_MAX);
		struct range_set *s = &h->sets[h->n_sets++];
		TRY_AS(parse_set(json_item(arrays, i), s), "invalid range set %zu", h->n_sets - 1);
	}
	return NULL;
}

// The order of sets: runtimeConfig.ipRanges, the object itself, its `ranges`.
static fallible parse_all_sets(const struct json *config, const struct json *ipam,
                               struct host_local *h)
{
	const struct json *runtime = NULL, *arrays = NULL;
	TRY(field_object(config, "runtimeConfig", &runtime));
	TRY(field_array(runtime, "ipRanges", SETS_MAX, &arrays));
	TRY(parse_sets(arrays, h));
	const char *subnet = "";
	TRY(field_string(ipam, "subnet", &subnet));
	if (*subnet) {
		struct range_set *s = &h->sets[h->n_sets++]; // ipRanges may have filled them
		if (h->n_sets > SETS_MAX - 1)
			return error_new(ERROR_LIMIT, "more than %d range sets", SETS_MAX - 1);
		s->ranges = alloc(sizeof(*s->ranges));
		TRY_AS(parse_range(ipam, s->ranges), "invalid range set %zu", h->n_sets - 1);
		s->n = 1;
	}
	arrays = NULL;
	TRY(field_array(ipam, "ranges", SETS_MAX, &arrays));
	return parse_sets(arrays, h);
}

static fallible check_sets(const char *version, const struct host_local *h)
{
	if (!h->n_sets)
		return error_new(ERROR_INVALID, "no IP ranges specified");
	unsigned n4 = 0, n6 = 0;
	for (size_t i = 0; i < h->n_sets; i++) {
		if (h->sets[i].ranges[0].subnet.family == AF_INET)
			n4++;
		else
			n6++;
		for (size_t j = 0; j < i; j++)
			for (size_t x = 0; x < h->sets[i].n; x++)
				for (size_t y = 0; y < h->sets[j].n; y++)
					if (overlap(&h->sets[i].ranges[x], &h->sets[j].ranges[y]))
						return error_new(ERROR_INVALID,
						                 "range set %zu overlaps with %zu",
						                 j, i);
	}
	if ((n4 > 1 || n6 > 1) && !cni_version_at_least(version, "0.3.0"))
		return error_new(ERROR_UNSUPPORTED,
		                 "CNI version %s does not support more than 1 address per family",
		                 version);
	return NULL;
}

// With or without a prefix, of which only the address counts.
static fallible add_request(struct host_local *h, const char *text)
{
	if (h->n_requested == REQUESTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d requested IPs", REQUESTS_MAX);
	struct prefix p;
	if (strchr(text, '/'))
		TRY(prefix_parse(text, &p));
	else
		TRY(address_parse(text, &p.address));
	h->requested[h->n_requested++] = p.address;
	return NULL;
}

static fallible add_requests(struct host_local *h, const struct json *object)
{
	auto_strings struct strings ips = {0};
	TRY(field_strings(object, "ips", &ips));
	for (size_t i = 0; i < ips.n; i++)
		TRY(add_request(h, ips.items[i]));
	return NULL;
}

static fallible parse_requests(const struct plugin_call *c, struct host_local *h)
{
	static const char *const known[] = {"IP", "MAC", "GATEWAY", NULL};
	TRY(plugin_check_arguments(c, known));
	auto_free char *ip = plugin_argument(c, "IP");
	for (char *item = ip, *next; item && *item; item = next) {
		next = strchr(item, ',');
		if (next)
			*next++ = 0;
		TRY(add_request(h, item));
	}
	const struct json *args = NULL, *cni = NULL, *runtime = NULL;
	TRY(field_object(c->config, "args", &args));
	TRY(field_object(args, "cni", &cni));
	TRY(add_requests(h, cni));
	TRY(field_object(c->config, "runtimeConfig", &runtime));
	return add_requests(h, runtime);
}

static fallible parse_route(const struct json *item, struct network_route *r)
{
	const char *dst = "", *gw = "";
	int64_t mtu = 0, advmss = 0;
	TRY(field_string(item, "dst", &dst));
	struct prefix p;
	TRY(prefix_parse(dst, &p));
	r->dst = p.address;
	r->prefix = p.length;
	TRY(field_string(item, "gw", &gw));
	if (*gw)
		TRY(address_parse(gw, &r->gw));
	TRY(field_int(item, "mtu", 0, INT32_MAX, &mtu));
	TRY(field_int(item, "advmss", 0, INT32_MAX, &advmss));
	TRY(field_int(item, "priority", 0, UINT32_MAX, &r->priority));
	TRY(field_int(item, "table", 0, UINT32_MAX, &r->table));
	TRY(field_int(item, "scope", 0, UINT8_MAX, &r->scope));
	r->mtu = (int)mtu;
	r->advmss = (int)advmss;
	return NULL;
}

fallible ipam_parse_routes(const struct json *ipam, bool gateway_ok, struct network_route **ret,
                           size_t *ret_n)
{
	const struct json *array = NULL;
	TRY(field_array(ipam, "routes", ROUTES_MAX, &array));
	auto_free struct network_route *routes = alloc_array(json_size(array) + 1, sizeof(*routes));
	size_t n = 0;
	for (size_t i = 0; i < json_size(array); i++) {
		const struct json *item = json_item(array, i);
		if (gateway_ok && !json_member_folded(item, "dst"))
			continue;
		routes[n] = (struct network_route){.table = -1, .scope = -1};
		TRY_AS(parse_route(item, &routes[n]), "routes[%zu]", i);
		n++;
	}
	*ret = take(&routes);
	*ret_n = n;
	return NULL;
}

fallible host_local_parse(const struct plugin_call *c, struct host_local *ret)
{
	auto_host_local struct host_local h = {.data_dir = host_local_data_dir(c)};
	const struct json *ipam = NULL;
	TRY(field_object(c->config, "ipam", &ipam));
	if (!ipam)
		return error_new(ERROR_INVALID, "IPAM config missing 'ipam' key");
	if (*h.data_dir && *h.data_dir != '/')
		return error_new(ERROR_INVALID, "dataDir %.64s is not an absolute path",
		                 h.data_dir);
	TRY(parse_all_sets(c->config, ipam, &h));
	TRY(check_sets(c->version, &h));
	TRY(parse_requests(c, &h));
	TRY(ipam_parse_routes(ipam, false, &h.routes, &h.n_routes));
	const char *resolv_conf = "";
	TRY(field_string(ipam, "resolvConf", &resolv_conf));
	if (*resolv_conf) {
		auto_free char *text = NULL;
		TRY(resolv_read(resolv_conf, &text));
		resolv_parse(text, &h.dns);
	}
	*ret = h;
	h = (struct host_local){0};
	return NULL;
}
