// SPDX-License-Identifier: Apache-2.0
#include "network/result.h"
#include "network/field.h"

enum { ITEMS_MAX = 1024 }; // of one kind in a result that a plugin gave

const char *const cni_versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                    "0.4.0", "1.0.0", "1.1.0", NULL};

static int version_index(const char *version)
{
	for (int i = 0; cni_versions[i]; i++)
		if (strcmp(version, cni_versions[i]) == 0)
			return i;
	return -1;
}

bool cni_version_is_known(const char *version)
{
	return version_index(version) >= 0;
}

bool cni_version_at_least(const char *a, const char *b)
{
	return version_index(a) >= version_index(b);
}

// --- Building

struct network_result *result_new(void)
{
	struct network_result *r = alloc(sizeof(*r));
	r->dns.domain = alloc_string("");
	return r;
}

void dns_done(struct network_dns *dns)
{
	strings_done(&dns->nameservers);
	strings_done(&dns->search);
	strings_done(&dns->options);
	free(dns->domain);
	*dns = (struct network_dns){0};
}

void network_result_free(struct network_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->n_interfaces; i++) {
		struct network_interface *x = &result->interfaces[i];
		free(x->name);
		free(x->mac);
		free(x->sandbox);
		free(x->socket_path);
		free(x->pci_id);
	}
	free(result->interfaces);
	free(result->ips);
	free(result->routes);
	dns_done(&result->dns);
	free(result);
}

// Counts are small and known late: growing by one item at a time is good enough.
static void *grow(void *items, size_t n, size_t size)
{
	void *bigger = alloc_array(n + 1, size);
	if (n)
		memcpy(bigger, items, n * size);
	free(items);
	return bigger;
}

struct network_interface *result_add_interface(struct network_result *r, const char *name,
                                               const char *mac, const char *sandbox)
{
	r->interfaces = grow(r->interfaces, r->n_interfaces, sizeof(*r->interfaces));
	struct network_interface *x = &r->interfaces[r->n_interfaces++];
	x->name = alloc_string(name);
	x->mac = alloc_string(mac);
	x->sandbox = alloc_string(sandbox);
	x->socket_path = alloc_string("");
	x->pci_id = alloc_string("");
	return x;
}

struct network_ip *result_add_ip(struct network_result *r)
{
	r->ips = grow(r->ips, r->n_ips, sizeof(*r->ips));
	struct network_ip *ip = &r->ips[r->n_ips++];
	ip->interface = -1;
	return ip;
}

struct network_route *result_add_route(struct network_result *r)
{
	r->routes = grow(r->routes, r->n_routes, sizeof(*r->routes));
	struct network_route *route = &r->routes[r->n_routes++];
	route->table = route->scope = -1;
	return route;
}

static void copy_strings(struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->n; i++)
		strings_add(to, from->items[i]);
}

void result_set_dns(struct network_result *r, struct network_dns *dns)
{
	dns_done(&r->dns);
	r->dns = *dns;
	*dns = (struct network_dns){0};
	if (!r->dns.domain)
		r->dns.domain = alloc_string("");
}

struct network_result *result_copy(const struct network_result *r)
{
	struct network_result *copy = result_new();
	if (!r)
		return copy;
	for (size_t i = 0; i < r->n_interfaces; i++) {
		const struct network_interface *x = &r->interfaces[i];
		struct network_interface *y =
			result_add_interface(copy, x->name, x->mac, x->sandbox);
		free(y->socket_path);
		free(y->pci_id);
		y->socket_path = alloc_string(x->socket_path);
		y->pci_id = alloc_string(x->pci_id);
		y->mtu = x->mtu;
	}
	for (size_t i = 0; i < r->n_ips; i++)
		*result_add_ip(copy) = r->ips[i];
	for (size_t i = 0; i < r->n_routes; i++)
		*result_add_route(copy) = r->routes[i];
	copy_strings(&copy->dns.nameservers, &r->dns.nameservers);
	copy_strings(&copy->dns.search, &r->dns.search);
	copy_strings(&copy->dns.options, &r->dns.options);
	free(copy->dns.domain);
	copy->dns.domain = alloc_string(r->dns.domain);
	return copy;
}

bool dns_is_empty(const struct network_dns *dns)
{
	return !dns->nameservers.n && !dns->search.n && !dns->options.n &&
	       (!dns->domain || !*dns->domain);
}

// --- Reading

fallible dns_parse(const struct json *object, struct network_dns *ret)
{
	TRY_AS(field_strings(object, "nameservers", &ret->nameservers), "dns");
	TRY_AS(field_strings(object, "search", &ret->search), "dns");
	TRY_AS(field_strings(object, "options", &ret->options), "dns");
	const char *domain = NULL;
	TRY_AS(field_string(object, "domain", &domain), "dns");
	if (domain) {
		free(ret->domain);
		ret->domain = alloc_string(domain);
	}
	return NULL;
}

static fallible parse_optional_address(const struct json *object, const char *key,
                                       struct network_address *ret)
{
	const char *text = "";
	TRY(field_string(object, key, &text));
	return *text ? address_parse(text, ret) : NULL;
}

static fallible parse_interface(const struct json *item, struct network_result *r)
{
	const char *name = "", *mac = "", *sandbox = "", *socket_path = "", *pci_id = "";
	int64_t mtu = 0;
	TRY(field_string(item, "name", &name));
	TRY(field_string(item, "mac", &mac));
	TRY(field_string(item, "sandbox", &sandbox));
	TRY(field_string(item, "socketPath", &socket_path));
	TRY(field_string(item, "pciID", &pci_id));
	TRY(field_int(item, "mtu", 0, UINT32_MAX, &mtu));
	struct network_interface *x = result_add_interface(r, name, mac, sandbox);
	free(x->socket_path);
	free(x->pci_id);
	x->socket_path = alloc_string(socket_path);
	x->pci_id = alloc_string(pci_id);
	x->mtu = (uint32_t)mtu;
	return NULL;
}

static fallible parse_cidr(const struct json *object, const char *key, struct network_address *ret,
                           unsigned *ret_length)
{
	const char *text = "";
	TRY(field_string(object, key, &text));
	struct prefix p;
	TRY(prefix_parse(text, &p));
	*ret = p.address;
	*ret_length = p.length;
	return NULL;
}

static fallible parse_ip(const struct json *item, struct network_result *r)
{
	struct network_ip *ip = result_add_ip(r);
	int64_t interface = -1;
	TRY(parse_cidr(item, "address", &ip->address, &ip->prefix));
	TRY(parse_optional_address(item, "gateway", &ip->gateway));
	TRY(field_int(item, "interface", -1, INT32_MAX, &interface));
	ip->interface = (int)interface;
	return NULL;
}

static fallible parse_route(const struct json *item, struct network_result *r)
{
	struct network_route *route = result_add_route(r);
	int64_t mtu = 0, advmss = 0;
	TRY(parse_cidr(item, "dst", &route->dst, &route->prefix));
	TRY(parse_optional_address(item, "gw", &route->gw));
	TRY(field_int(item, "mtu", 0, INT32_MAX, &mtu));
	TRY(field_int(item, "advmss", 0, INT32_MAX, &advmss));
	TRY(field_int(item, "priority", 0, UINT32_MAX, &route->priority));
	TRY(field_int(item, "table", 0, UINT32_MAX, &route->table));
	TRY(field_int(item, "scope", 0, UINT8_MAX, &route->scope));
	route->mtu = (int)mtu;
	route->advmss = (int)advmss;
	return NULL;
}

static fallible parse_items(const struct json *value, const char *key, struct network_result *r,
                            struct error *(*parse)(const struct json *, struct network_result *))
{
	const struct json *array = NULL;
	TRY(field_array(value, key, ITEMS_MAX, &array));
	for (size_t i = 0; i < json_size(array); i++)
		TRY_AS(parse(json_item(array, i), r), "%s[%zu]", key, i);
	return NULL;
}

// Versions 0.1.0 and 0.2.0: one address of each family.
static fallible parse_family(const struct json *value, const char *key, struct network_result *r)
{
	const struct json *object = NULL;
	TRY(field_object(value, key, &object));
	if (!object)
		return NULL;
	struct network_ip *ip = result_add_ip(r);
	TRY_AS(parse_cidr(object, "ip", &ip->address, &ip->prefix), "%s", key);
	TRY_AS(parse_optional_address(object, "gateway", &ip->gateway), "%s", key);
	TRY_AS(parse_items(object, "routes", r, parse_route), "%s", key);
	return NULL;
}

fallible result_parse(const struct json *value, const char *version, struct network_result **ret)
{
	auto_result struct network_result *r = result_new();
	if (value)
		TRY(json_as_object(value, &(struct json_path){.name = "result"}));
	const char *own = "";
	TRY(field_string(value, "cniVersion", &own));
	if (!*own)
		own = *version ? version : "0.1.0";
	if (!cni_version_is_known(own))
		return error_new(ERROR_UNSUPPORTED, "unsupported CNI result version \"%.32s\"",
		                 own);
	const struct json *dns = NULL;
	TRY(field_object(value, "dns", &dns));
	TRY(dns_parse(dns, &r->dns));
	if (cni_version_at_least(own, "0.3.0")) {
		TRY(parse_items(value, "interfaces", r, parse_interface));
		TRY(parse_items(value, "ips", r, parse_ip));
		TRY(parse_items(value, "routes", r, parse_route));
	} else {
		TRY(parse_family(value, "ip4", r));
		TRY(parse_family(value, "ip6", r));
	}
	*ret = take(&r);
	return NULL;
}

// --- Writing

static void set_text(struct json *object, const char *key, const char *text)
{
	if (text && *text)
		json_set_string(object, key, text);
}

static void set_strings(struct json *object, const char *key, const struct strings *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++)
		json_append_string(array, list->items[i]);
	json_set(object, key, array);
}

static struct json *dns_to_json(const struct network_dns *dns)
{
	struct json *object = json_new_object();
	set_strings(object, "nameservers", &dns->nameservers);
	set_text(object, "domain", dns->domain);
	set_strings(object, "search", &dns->search);
	set_strings(object, "options", &dns->options);
	return object;
}

static void set_address(struct json *object, const char *key, const struct network_address *a)
{
	if (!a->family)
		return;
	auto_free char *text = network_address_print(a);
	json_set_string(object, key, text);
}

static void set_cidr(struct json *object, const char *key, const struct network_address *a,
                     unsigned length)
{
	auto_free char *text = prefix_print(a, length);
	json_set_string(object, key, text);
}

static struct json *interface_to_json(const struct network_interface *x, bool is_1)
{
	struct json *object = json_new_object();
	json_set_string(object, "name", x->name);
	set_text(object, "mac", x->mac);
	if (is_1 && x->mtu)
		json_set_u64(object, "mtu", x->mtu);
	set_text(object, "sandbox", x->sandbox);
	if (is_1) {
		set_text(object, "socketPath", x->socket_path);
		set_text(object, "pciID", x->pci_id);
	}
	return object;
}

static struct json *ip_to_json(const struct network_ip *ip, bool is_1)
{
	struct json *object = json_new_object();
	if (!is_1)
		json_set_string(object, "version", ip->address.family == AF_INET ? "4" : "6");
	if (ip->interface >= 0)
		json_set_i64(object, "interface", ip->interface);
	set_cidr(object, "address", &ip->address, ip->prefix);
	set_address(object, "gateway", &ip->gateway);
	return object;
}

static struct json *route_to_json(const struct network_route *route, bool short_form)
{
	struct json *object = json_new_object();
	set_cidr(object, "dst", &route->dst, route->prefix);
	set_address(object, "gw", &route->gw);
	if (short_form)
		return object;
	if (route->mtu)
		json_set_i64(object, "mtu", route->mtu);
	if (route->advmss)
		json_set_i64(object, "advmss", route->advmss);
	if (route->priority)
		json_set_i64(object, "priority", route->priority);
	if (route->table >= 0)
		json_set_i64(object, "table", route->table);
	if (route->scope >= 0)
		json_set_i64(object, "scope", route->scope);
	return object;
}

static struct json *family_to_json(const struct network_result *r, int family)
{
	const struct network_ip *ip = NULL;
	for (size_t i = r->n_ips; i--;)
		if (r->ips[i].address.family == family)
			ip = &r->ips[i];
	if (!ip)
		return NULL;
	struct json *object = json_new_object(), *routes = json_new_array();
	set_cidr(object, "ip", &ip->address, ip->prefix);
	set_address(object, "gateway", &ip->gateway);
	for (size_t i = 0; i < r->n_routes; i++)
		if (r->routes[i].dst.family == family)
			json_append(routes, route_to_json(&r->routes[i], true));
	if (json_size(routes))
		json_set(object, "routes", routes);
	else
		json_free(routes);
	return object;
}

static fallible to_json_0_2(const struct network_result *r, struct json *object)
{
	struct json *ip4 = family_to_json(r, AF_INET), *ip6 = family_to_json(r, AF_INET6);
	if (!ip4 && !ip6)
		return error_new(ERROR_INVALID, "cannot convert: no valid IP addresses");
	if (ip4)
		json_set(object, "ip4", ip4);
	if (ip6)
		json_set(object, "ip6", ip6);
	json_set(object, "dns", dns_to_json(&r->dns));
	return NULL;
}

static void set_items(struct json *object, const char *key, struct json *array)
{
	if (json_size(array))
		json_set(object, key, array);
	else
		json_free(array);
}

fallible result_to_json(const struct network_result *r, const char *version, struct json **ret)
{
	if (!*version)
		version = "0.1.0";
	if (!cni_version_is_known(version))
		return error_new(ERROR_UNSUPPORTED, "unsupported CNI result version \"%.32s\"",
		                 version);
	auto_json struct json *object = json_new_object();
	json_set_string(object, "cniVersion", version);
	if (!cni_version_at_least(version, "0.3.0")) {
		TRY(to_json_0_2(r, object));
		*ret = take(&object);
		return NULL;
	}
	bool is_1 = cni_version_at_least(version, "1.0.0");
	struct json *interfaces = json_new_array(), *ips = json_new_array(),
		    *routes = json_new_array();
	for (size_t i = 0; i < r->n_interfaces; i++)
		json_append(interfaces, interface_to_json(&r->interfaces[i], is_1));
	for (size_t i = 0; i < r->n_ips; i++)
		json_append(ips, ip_to_json(&r->ips[i], is_1));
	for (size_t i = 0; i < r->n_routes; i++)
		json_append(routes, route_to_json(&r->routes[i], false));
	set_items(object, "interfaces", interfaces);
	set_items(object, "ips", ips);
	set_items(object, "routes", routes);
	if (!is_1 || !dns_is_empty(&r->dns)) // 0.x has "dns": {} always
		json_set(object, "dns", dns_to_json(&r->dns));
	*ret = take(&object);
	return NULL;
}

fallible network_result_print(const struct network_result *result, const char *version, char **ret)
{
	auto_json struct json *object = NULL;
	TRY(result_to_json(result, version, &object));
	bool sorted = *version && cni_version_at_least(version, "1.0.0");
	*ret = json_to_text(object, 4, sorted ? JSON_SORT_KEYS : JSON_PLAIN);
	return NULL;
}
