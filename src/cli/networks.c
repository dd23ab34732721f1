// SPDX-License-Identifier: Apache-2.0
// `network ls`, `netns ls`: what Get-HnsNetwork and its like show on Windows.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/table.h"

static void networks_cleanup(struct engine_networks **networks)
{
	engine_networks_free(*networks);
}

static char *endpoint_name(const struct engine_endpoint *e)
{
	return alloc_printf("%s_%s", e->container, e->network);
}

static struct json *endpoint_json(const struct engine_endpoint *e)
{
	struct json *object = json_new_object();
	auto_free char *name = endpoint_name(e);
	json_set_string(object, "name", name);
	json_set_string(object, "address", e->address);
	json_set_string(object, "namespace", e->netns);
	return object;
}

static void network_json(const struct engine_networks *n)
{
	auto_json struct json *array = json_new_array();
	if (n->name) {
		struct json *object = json_new_object(), *endpoints = json_new_array();
		json_set_string(object, "name", n->name);
		json_set_string(object, "type", n->type);
		json_set_string(object, "subnet", n->subnet);
		json_set_string(object, "gateway", n->gateway);
		for (size_t i = 0; i < n->n; i++)
			if (!strcmp(n->items[i].network, n->name))
				json_append(endpoints, endpoint_json(&n->items[i]));
		json_set(object, "endpoints", endpoints);
		json_append(array, object);
	}
	print_json(array);
}

static void network_table(const struct engine_networks *n)
{
	auto_table struct table t = TABLE_NARROW;
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT), endpoints = STR_LIMIT(OUTPUT_LIMIT);
	table_row(&t, (const char *[]){"NAME", "TYPE", "SUBNET", "GATEWAY", "ENDPOINTS", NULL});
	str_add(&endpoints, "");
	for (size_t i = 0; n->name && i < n->n; i++) {
		auto_free char *name = endpoint_name(&n->items[i]);
		if (!strcmp(n->items[i].network, n->name))
			str_printf(&endpoints, "%s%s", endpoints.size ? "," : "", name);
	}
	if (n->name)
		table_row(&t, (const char *[]){n->name, n->type, n->subnet,
		                               *n->gateway ? n->gateway : "-",
		                               endpoints.size ? endpoints.bytes : "-", NULL});
	table_print(&t, &text);
	output_str(&text);
}

fallible command_network_list(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(networks_cleanup) struct engine_networks *networks = NULL;
	TRY(engine_network_list(s.engine, &networks));
	if (json)
		network_json(networks);
	else
		network_table(networks);
	return NULL;
}

static const struct engine_endpoint *endpoint_in(const struct engine_networks *n, const char *netns)
{
	for (size_t i = 0; i < n->n; i++)
		if (!strcmp(n->items[i].netns, netns))
			return &n->items[i];
	return NULL;
}

static void netns_json(const struct engine_networks *n)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < n->netns.n; i++) {
		struct json *object = json_new_object(), *endpoints = json_new_array();
		json_set_string(object, "id", n->netns.items[i]);
		for (size_t k = 0; k < n->n; k++)
			if (!strcmp(n->items[k].netns, n->netns.items[i]))
				json_append(endpoints, endpoint_json(&n->items[k]));
		json_set(object, "endpoints", endpoints);
		json_append(array, object);
	}
	print_json(array);
}

static void netns_table(const struct engine_networks *n)
{
	auto_table struct table t = TABLE_NARROW;
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_row(&t, (const char *[]){"ID", "ENDPOINT", "ADDRESS", NULL});
	for (size_t i = 0; i < n->netns.n; i++) {
		const struct engine_endpoint *e = endpoint_in(n, n->netns.items[i]);
		auto_free char *name = e ? endpoint_name(e) : alloc_string("-");
		table_row(&t,
		          (const char *[]){n->netns.items[i], name, e ? e->address : "-", NULL});
	}
	table_print(&t, &text);
	output_str(&text);
}

fallible command_netns_list(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(networks_cleanup) struct engine_networks *networks = NULL;
	TRY(engine_network_list(s.engine, &networks));
	if (flag_bool(in, "quiet"))
		for (size_t i = 0; i < networks->netns.n; i++)
			output_line(networks->netns.items[i]);
	else if (json)
		netns_json(networks);
	else
		netns_table(networks);
	return NULL;
}
