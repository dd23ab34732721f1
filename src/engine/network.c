// SPDX-License-Identifier: Apache-2.0
#include "engine/private.h"
#include "sys/process.h"

static void warn_line(void *context, const char *line)
{
	engine_warn(context, "%s", line);
}

static fallible attach_once(struct engine *e, const struct network_config *config)
{
	char guid[NETWORK_GUID_SIZE];
	random_guid(guid);
	struct network_paths paths = engine_network_paths(e);
	auto_fd int netns = -1;
	TRY(network_namespace_create(&paths, store_id(e->store), guid, &netns));
	auto_free char *path = network_namespace_path(&paths, guid);
	struct network_attachment attachment = {
		.store_id = store_id(e->store),
		.ns = e->ns,
		.id = "network-check",
		.instance = random_u64(),
		.netns_path = path,
		.netns_fd = netns,
		.namespace_dies = true,
		.warn = warn_line,
		.warn_context = e,
	};
	struct network_result *result = NULL;
	struct error *error = network_add(&paths, config, &attachment, &result);
	network_result_free(result);
	if (!error)
		error = network_del(&paths, &attachment);
	return error_join(error, network_namespace_delete(&paths, store_id(e->store), guid));
}

fallible engine_network_check(struct engine *e, char **ret_file)
{
	*ret_file = NULL;
	struct store *store;
	TRY(engine_store(e, &store));
	struct network_paths paths = engine_network_paths(e);
	struct network_config *config;
	TRY(network_config_load(&paths, &config));
	*ret_file = alloc_string(network_config_file(config));
	struct error *error = attach_once(e, config);
	network_config_free(config);
	return error;
}
