// SPDX-License-Identifier: Apache-2.0
// Configurations, results and resolv.conf as foreign programs write them. The first byte chooses:
// 'c' a .conf, 'l' a .conflist, 'r' a result, 'h' the configuration of host-local, 'd' resolv.conf.
#include "network/dns.h"
#include "network/network.h"
#include "network/plugins/host_local.h"
#include "network/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void fuzz_config(const char *text, size_t size, bool is_list)
{
	struct network_config *config = NULL;
	error_free(network_config_parse(text, size, "fuzz", is_list, &config));
	network_config_free(config);
}

// What was read can be written in every version, and read again.
static void fuzz_result(const char *text, size_t size)
{
	auto_json struct json *in = NULL;
	auto_result struct network_result *result = NULL;
	auto_error struct error *e = json_parse(text, size, 1 << 20, &in);
	if (!e)
		e = result_parse(in, "1.0.0", &result);
	for (size_t i = 0; !e && cni_versions[i]; i++) {
		auto_json struct json *out = NULL;
		auto_result struct network_result *again = NULL;
		auto_error struct error *bad = result_to_json(result, cni_versions[i], &out);
		if (!bad)
			bad = result_parse(out, "", &again);
		else if (!cni_version_at_least(cni_versions[i], "0.3.0"))
			continue; // the oldest can't say everything
		if (bad)
			abort();
	}
	if (result) {
		char *resolv = NULL, *warning = NULL;
		static const struct network_paths nowhere = {.resolv_conf = "/dev/null/nowhere"};
		error_free(network_resolv_conf(&nowhere, result, &resolv, &warning));
		free(resolv);
		free(warning);
		free(network_hosts(result, "host", "alias"));
	}
}

static void fuzz_host_local(const char *text, size_t size)
{
	auto_json struct json *in = NULL;
	auto_error struct error *e = json_parse(text, size, 1 << 20, &in);
	const char *conf = json_text(json_member(json_member(in, "ipam"), "resolvConf"));
	if (e || conf)
		return; // no files from here
	struct plugin_call c = {.network = "n", .version = "0.2.0", .cni_args = "", .config = in};
	auto_host_local struct host_local h = {0};
	e = host_local_parse(&c, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (!size)
		return 0;
	auto_free char *text = alloc_bytes(bytes + 1, size - 1);
	struct network_dns dns = {0};
	switch (bytes[0]) {
	case 'c':
	case 'l':
		fuzz_config(text, size - 1, bytes[0] == 'l');
		break;
	case 'r':
		fuzz_result(text, size - 1);
		break;
	case 'h':
		fuzz_host_local(text, size - 1);
		break;
	case 'd':
		resolv_parse(text, &dns);
		dns_done(&dns);
		break;
	default:
		break;
	}
	return 0;
}
