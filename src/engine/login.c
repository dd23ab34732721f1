// SPDX-License-Identifier: Apache-2.0
// login and logout: where docker keeps what it knows.
#include "engine/docker_login.h"
#include "engine/registry_host.h"
#include "sys/path.h"
#include "sys/publish.h"
#include <string.h>

static fallible write_config(const char *folder, const struct json *config)
{
	auto_fd int dir = -1;
	auto_free char *text = json_to_text(config, 8, JSON_PLAIN);
	auto_free char *absolute = *folder == '/' ? alloc_string(folder) : NULL;
	if (!absolute)
		return error_new(ERROR_INVALID, "%s: not an absolute path", folder);
	TRY(path_make_dirs(absolute, 0700, &dir));
	return error_prefix(publish_bytes(dir, "config.json", text, strlen(text), 0600,
	                                  PUBLISH_REPLACE | PUBLISH_DURABLE),
	                    "%s", folder);
}

static fallible store_with_helper(const struct docker_login *l, const struct engine_registry *r)
{
	auto_json struct json *o = json_new_object();
	auto_free char *output = NULL;
	size_t size = 0;
	json_set_string(o, "ServerURL", l->server);
	json_set_string(o, "Username", r->identity_token ? "<token>" : r->user);
	json_set_string(o, "Secret", r->identity_token ? r->identity_token : r->secret);
	auto_free char *text = json_to_text(o, 0, JSON_PLAIN);
	TRY(docker_login_helper(l->helper, "store", text, &output, &size));
	return output ? NULL
	              : error_new(ERROR_SYSTEM, "credential helper %s didn't store it", l->helper);
}

static fallible check(struct engine *e, const struct oci_reference *host,
                      const struct engine_registry *registry)
{
	struct transfer transfer;
	auto_registry_hosts struct registry_hosts hosts = {0};
	auto_free char *unpacker = NULL, *program = NULL;
	TRY(registry_hosts_for(e, registry, host, &hosts));
	TRY(engine_transfer(e, &transfer, &unpacker));
	TRY(engine_program("coracle-fetch", &program));
	transfer.program = program;
	const struct transfer_registry request = registry_request(registry, host, &hosts, 0);
	return registry_explain(transfer_check_login(&transfer, &request), registry, "login",
	                        host->host);
}

// "https://registry.example/" is typed, too. The caller's.
static char *host_of(const char *server)
{
	bool hub = !*server || !strcmp(server, "docker.io") ||
	           !strcmp(server, "https://index.docker.io/v1/");
	const char *scheme = strstr(server, "://"), *name = scheme ? scheme + 3 : server;
	size_t size = strlen(name);
	while (size && name[size - 1] == '/')
		size--;
	return hub ? alloc_string("docker.io") : alloc_bytes(name, size);
}

fallible engine_login(struct engine *engine, const char *server,
                      const struct engine_registry *registry, bool *ret_plain)
{
	auto_free char *host = host_of(server);
	auto_free char *reference = alloc_printf("%s/x", host);
	auto_oci_reference struct oci_reference parsed = {0};
	auto_json struct json *config = NULL;
	auto_docker_login struct docker_login l = {0};
	if (!registry->docker_config)
		return error_new(ERROR_USAGE, "neither $DOCKER_CONFIG nor $HOME says where logins "
		                              "are kept");
	TRY_AS(oci_reference_parse(reference, &parsed), "server %.64s", server);
	if (strcmp(parsed.host, host) != 0)
		return error_new(ERROR_INVALID, "server %.64s: not a host", server);
	struct oci_reference nothing = {
		.host = parsed.host, .path = (char[]){""}, .tag = (char[]){""}};
	TRY(check(engine, &nothing, registry));
	TRY(docker_login_read(registry->docker_config, &config));
	if (!config)
		config = json_new_object();
	TRY(docker_config_find(config, host, &l));
	if (ret_plain)
		*ret_plain = !l.helper;
	if (l.helper)
		return store_with_helper(&l, registry);
	docker_config_set(config, host, registry->user, registry->secret, registry->identity_token);
	return write_config(registry->docker_config, config);
}

fallible engine_logout(struct engine *engine, const char *server, const char *docker_config)
{
	auto_free char *host = host_of(server);
	auto_json struct json *config = NULL;
	auto_docker_login struct docker_login l = {0};
	if (docker_config)
		TRY(docker_login_read(docker_config, &config));
	if (config)
		TRY(docker_login_find(engine, config, host, &l));
	if (!l.user && !l.identity_token)
		return error_new(ERROR_NOT_FOUND, "nobody is logged in at %.200s", host);
	if (l.helper) {
		auto_free char *output = NULL;
		size_t size = 0;
		TRY(docker_login_helper(l.helper, "erase", l.server, &output, &size));
		return output ? NULL
		              : error_new(ERROR_SYSTEM, "credential helper %s didn't forget it",
		                          l.helper);
	}
	docker_config_set(config, host, NULL, NULL, NULL);
	return write_config(docker_config, config);
}
