// SPDX-License-Identifier: Apache-2.0
#include "network/plugins/plugin.h"
#include "network/exec.h"
#include "network/field.h"

static const struct plugin plugins[] = {
	// clang-format off
	{"bridge",     bridge_add,     bridge_del,     bridge_check},
	{"host-local", host_local_add, host_local_del, host_local_check},
	{"loopback",   loopback_add,   loopback_del,   loopback_check},
	{"nat",        nat_add,        nat_del,        nat_check},
	{"portmap",    portmap_add,    portmap_del,    portmap_check},
	{"static",     static_add,     static_del,     static_check},
	// clang-format on
};

const struct plugin *plugin_find(const char *type)
{
	for (size_t i = 0; i < sizeof(plugins) / sizeof(*plugins); i++)
		if (strcmp(plugins[i].type, type) == 0)
			return &plugins[i];
	return NULL;
}

// Which program or function this call goes to.
static fallible choose(const struct plugin_call *c, const struct plugin **ret, char **ret_path)
{
	const struct plugin *ours = plugin_find(c->type);
	bool external_first = c->paths && c->paths->external_plugins_first;
	if (!ours || external_first) {
		struct error *e = exec_find(c->paths, c->type, ret_path);
		if (!ours || !error_is(e, ERROR_NO_PROGRAM))
			return e;
		error_drop(&e); // ours will do
	}
	if (!cni_version_is_known(c->version))
		return error_new(ERROR_UNSUPPORTED,
		                 "incompatible CNI versions; config is \"%.32s\", plugin supports "
		                 "[\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" \"0.4.0\" \"1.0.0\" "
		                 "\"1.1.0\"]",
		                 c->version);
	*ret = ours;
	return NULL;
}

fallible plugin_add(const struct plugin_call *c, struct network_result **ret)
{
	const struct plugin *ours = NULL;
	auto_free char *path = NULL;
	TRY(choose(c, &ours, &path));
	if (ours)
		return ours->add(c, ret);
	auto_json struct json *answer = NULL;
	TRY(exec_plugin(c, path, "ADD", &answer));
	return result_parse(answer, c->version, ret);
}

fallible plugin_del(const struct plugin_call *c)
{
	const struct plugin *ours = NULL;
	auto_free char *path = NULL;
	TRY(choose(c, &ours, &path));
	return ours ? ours->del(c) : exec_plugin(c, path, "DEL", NULL);
}

fallible plugin_check(const struct plugin_call *c)
{
	const struct plugin *ours = NULL;
	auto_free char *path = NULL;
	TRY(choose(c, &ours, &path));
	return ours ? ours->check(c) : exec_plugin(c, path, "CHECK", NULL);
}

// --- IPAM

static fallible delegate(const struct plugin_call *c, struct plugin_call *ret)
{
	const struct json *ipam = NULL;
	const char *type = "";
	TRY(field_object(c->config, "ipam", &ipam));
	TRY(field_string(ipam, "type", &type));
	*ret = *c;
	ret->type = type;
	return NULL;
}

fallible ipam_add(const struct plugin_call *c, struct network_result **ret)
{
	struct plugin_call call;
	TRY(delegate(c, &call));
	return plugin_add(&call, ret);
}

fallible ipam_del(const struct plugin_call *c)
{
	struct plugin_call call;
	TRY(delegate(c, &call));
	return plugin_del(&call);
}
