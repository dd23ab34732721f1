// SPDX-License-Identifier: Apache-2.0
// Any bytes as hosts.toml: what is taken survives the way to the worker unchanged.
#include "registry/hosts.h"
#include "registry/toml.h"

static fallible read_file(void *arg, const char *path, char **ret)
{
	(void)arg;
	(void)path;
	*ret = alloc_string("pem");
	return NULL;
}

static fallible check(const char *text, size_t size)
{
	static const struct registry_flags none = {0};
	auto_json struct json *toml = NULL;
	auto_registry_hosts struct registry_hosts hosts = {0}, again = {0};
	TRY(toml_parse(text, size, &toml));
	TRY(registry_parse_hosts("docker.io", toml, &none, read_file, NULL, &hosts));
	auto_json struct json *first = registry_hosts_to_json(&hosts);
	struct error *e = registry_hosts_from_json(first, &again);
	if (e || again.n != hosts.n)
		abort();
	auto_json struct json *second = registry_hosts_to_json(&again);
	if (!json_equal(first, second))
		abort();
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	error_free(check((const char *)data, size));
	return 0;
}
