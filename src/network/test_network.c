// SPDX-License-Identifier: Apache-2.0
// What needs files but no kernel: configurations, leases, DNS files.
#include "network/config.h"
#include "network/dns.h"
#include "network/owner.h"
#include "network/plugins/plugin.h"
#include "network/result.h"
#include "network/test_error.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/coracle-network-XXXXXX";
static struct network_paths paths;

static void write_file(const char *name, const char *text)
{
	auto_free char *path = alloc_printf("%s/%s", folder, name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static struct error *remove_folder(void)
{
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tree_remove(tmp, folder + strlen("/tmp/"));
}

static void empty_folder(void)
{
	assert_null(remove_folder());
	assert_int_equal(mkdir(folder, 0700), 0);
	auto_free char *sub = alloc_printf("%s/net.d", folder);
	assert_int_equal(mkdir(sub, 0700), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	paths = (struct network_paths){
		.conf_dir = alloc_printf("%s/net.d", folder),
		.lease_dir = alloc_printf("%s/networks", folder),
		.resolv_conf = alloc_printf("%s/resolv.conf", folder),
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free((char *)(uintptr_t)paths.conf_dir);
	free((char *)(uintptr_t)paths.lease_dir);
	free((char *)(uintptr_t)paths.resolv_conf);
	auto_error struct error *e = remove_folder();
	return e ? -1 : 0;
}

// --- Configurations

static void test_config_errors(void **state)
{
	(void)state;
	static const struct {
		const char *file, *text, *message; // F stands for the file's path
	} rows[] = {
		// clang-format off
		{"1.conf", "", "failed to load CNI config file F: error parsing configuration: "
			"unexpected end of JSON input: invalid cni config"},
		{"1.conf", "{nope", "failed to load CNI config file F: error parsing configuration: …"},
		{"1.conf", "{}", "failed to load CNI config file F: error parsing configuration: "
			"missing 'type': invalid cni config"},
		{"1.json", "{\"name\":\"x\",\"plugins\":[]}", "failed to load CNI config file F: "
			"error parsing configuration: missing 'type': invalid cni config"},
		{"1.conf", "{\"type\":1}", "failed to load CNI config file F: "
			"error parsing configuration: type: not a string: invalid cni config"},
		{"1.conf", "{\"type\":\"x\"} x", "failed to load CNI config file F: …"},
		{"1.conflist", "{\"plugins\":[{\"type\":\"x\"}]}", "failed to load CNI config list file F: "
			"error parsing configuration list: no name: invalid cni config"},
		{"1.conflist", "{\"Name\":\"x\",\"plugins\":[{\"type\":\"x\"}]}", "failed to load CNI config "
			"list file F: error parsing configuration list: no name: invalid cni config"},
		{"1.conflist", "{\"name\":\"x\",\"plugins\":[]}", "failed to load CNI config list file F: "
			"error parsing configuration list: no plugins in list: invalid cni config"},
		{"1.conflist", "{\"name\":\"x\"}", "failed to load CNI config list file F: "
			"no plugin configs found: invalid cni config"},
		{"1.conflist", "{\"name\":\"x\",\"loadOnlyInlinedPlugins\":\"TRUE\"}",
			"failed to load CNI config list file F: error parsing configuration list: "
			"`loadOnlyInlinedPlugins` is true, and no 'plugins' key: invalid cni config"},
		{"1.conflist", "{\"name\":7,\"plugins\":[{\"type\":\"x\"}]}", "failed to load CNI config "
			"list file F: error parsing configuration list: invalid name type: invalid cni config"},
		{"1.conflist", "{\"name\":\"../x\",\"plugins\":[{\"type\":\"x\"}]}", "failed to load CNI "
			"config list file F: error parsing configuration list: invalid name \"../x\": "
			"invalid cni config"},
		{"1.conflist", "{\"name\":\"x\",\"plugins\":[7]}", "failed to load CNI config list file F: "
			"failed to parse plugin config 0: error parsing configuration: …"},
		{"1.CONF", "{\"type\":\"x\"}", "no network config found in D: cni plugin not initialized"},
		{"1.conf", "{\"NAME\":\"x\",\"Type\":\"x\"}", NULL},
		{".1.conf", "{\"type\":\"x\"}", NULL},
		// clang-format on
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		empty_folder();
		auto_free char *name = alloc_printf("net.d/%s", rows[i].file);
		auto_free char *path = alloc_printf("%s/%s", folder, name);
		write_file(name, rows[i].text);
		auto_str struct str wanted = STR_LIMIT(4096);
		for (const char *c = rows[i].message; c && *c; c++) {
			if (*c == 'F' && (c[1] == ':' || c[1] == 0))
				str_add(&wanted, path);
			else if (*c == 'D' && c[1] == ':')
				str_add(&wanted, paths.conf_dir);
			else
				str_add_char(&wanted, *c);
		}
		auto_config struct network_config *config = NULL;
		assert_error(network_config_load(&paths, &config),
		             rows[i].message ? wanted.bytes : NULL);
	}
}

static void test_config_order(void **state)
{
	(void)state;
	empty_folder();
	static const char *const files[] = {".05.conf", "00-a.conf", "05.conf", "1.json",
	                                    "10.conflist"};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		auto_free char *name = alloc_printf("net.d/%s", files[i]);
		write_file(name, "{\"name\":\"x\",\"type\":\"x\",\"plugins\":[{\"type\":\"x\"}]}");
	}
	write_file("net.d/readme.txt", "");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		auto_config struct network_config *config = NULL;
		auto_free char *path = alloc_printf("%s/%s", paths.conf_dir, files[i]);
		assert_error(network_config_load(&paths, &config), NULL);
		assert_string_equal(network_config_file(config), path);
		assert_string_equal(network_config_name(config), "x");
		assert_int_equal(unlink(path), 0);
	}
}

// The first decides: a broken one is not passed over, a link to nowhere neither.
static void test_config_first_decides(void **state)
{
	(void)state;
	empty_folder();
	auto_free char *link = alloc_printf("%s/0.conf", paths.conf_dir);
	auto_free char *sub = alloc_printf("%s/1.conf", paths.conf_dir);
	write_file("net.d/2.conf", "{\"type\":\"x\"}");
	assert_int_equal(mkdir(sub, 0700), 0); // a directory is no candidate
	assert_int_equal(symlink("/nowhere", link), 0);
	auto_config struct network_config *config = NULL;
	auto_free char *message = alloc_printf(
		"failed to load CNI config file %s: error reading %s: open %s: No such "
		"file or directory: invalid cni config",
		link, link, link);
	assert_error(network_config_load(&paths, &config), message);
	assert_int_equal(unlink(link), 0);
	assert_error(network_config_load(&paths, &config), NULL);
}

static void test_config_folder_of_plugins(void **state)
{
	(void)state;
	empty_folder();
	auto_free char *sub = alloc_printf("%s/x", paths.conf_dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	write_file("net.d/1.conflist",
	           "{\"name\":\"x\",\"cniVersions\":[\"0.4.0\",\"1.1.0\",\"9.9.9\"]}");
	write_file("net.d/x/1.conf", "{\"type\":\"a\"}");
	write_file("net.d/x/2.conf", "{\"type\":\"b\"}");
	write_file("net.d/x/3.json", "{\"type\":\"c\"}");
	auto_config struct network_config *config = NULL;
	assert_error(network_config_load(&paths, &config), NULL);
	assert_int_equal(config->n, 2);
	assert_string_equal(config->plugins[1].type, "b");
	assert_string_equal(config->version, "1.1.0");
}

// --- host-local

static struct json *parse(const char *text)
{
	struct json *value;
	assert_null(json_parse(text, strlen(text), 65536, &value));
	return value;
}

static struct plugin_call call(const char *id, const struct json *config)
{
	return (struct plugin_call){.paths = &paths,
	                            .type = "host-local",
	                            .network = "n",
	                            .version = "1.0.0",
	                            .container_id = id,
	                            .ifname = "eth0",
	                            .netns_path = "",
	                            .netns_fd = -1,
	                            .cni_args = "",
	                            .config = config};
}

// ADD as `id`: its first address, or the error's text.
static char *add(const char *id, const struct json *config, const char *args)
{
	struct plugin_call c = call(id, config);
	auto_result struct network_result *r = NULL;
	c.cni_args = args;
	auto_error struct error *e = host_local_add(&c, &r);
	return e ? alloc_string(e->message) : network_address_print(&r->ips[0].address);
}

static void del(const char *id, const struct json *config)
{
	struct plugin_call c = call(id, config);
	assert_error(host_local_del(&c), NULL);
}

static void assert_add(const char *id, const struct json *config, const char *args,
                       const char *wanted)
{
	auto_free char *got = add(id, config, args);
	assert_string_equal(got, wanted);
}

static void test_leases(void **state)
{
	(void)state;
	empty_folder();
	auto_json struct json *config = parse(
		"{\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.5.0.0/29\"}]]}}");
	assert_add("a", config, "", "10.5.0.2");
	assert_add("a", config, "",
	           "failed to allocate for range 0: 10.5.0.2 has been allocated to a, duplicate "
	           "allocation is not allowed");
	assert_add("b", config, "", "10.5.0.3");
	del("a", config);
	del("a", config);                        // twice is fine
	assert_add("c", config, "", "10.5.0.4"); // round robin: not the freed one
	assert_add("d", config, "", "10.5.0.5");
	assert_add("e", config, "", "10.5.0.6");
	assert_add("f", config, "", "10.5.0.2"); // around the end, past the gateway
	assert_add("g", config, "",
	           "failed to allocate for range 0: no IP addresses available in range set: "
	           "10.5.0.1-10.5.0.6");
	auto_free char *lease = NULL;
	auto_free char *path = alloc_printf("%s/n/10.5.0.2", paths.lease_dir);
	assert_null(file_read(AT_FDCWD, path, 100, &lease, NULL));
	assert_string_equal(lease, "f\r\neth0");
	// What a power cut leaves is nobody's; another program's is kept.
	write_file("networks/n/10.5.0.3", "");
	assert_add("h", config, "", "10.5.0.3");
	write_file("networks/n/10.5.0.4", "foreign\r\neth0");
	del("c", config);
	assert_add("i", config, "",
	           "failed to allocate for range 0: no IP addresses available in range set: "
	           "10.5.0.1-10.5.0.6");
	// A lease of an earlier boot is free, and the same name may come again.
	auto_free char *index = alloc_printf("%s/n/.coracle", paths.lease_dir);
	auto_free char *age = alloc_printf(
		"for l in %s/*; do t=$(readlink $l); ln -sfn 00000000/${t#*/} $l; done", index);
	const char *const argv[] = {"/bin/sh", "-c", age, NULL};
	int status;
	assert_null(process_run(argv, NULL, NULL, &status));
	assert_int_equal(status, 0);
	assert_add("h", config, "", "10.5.0.5"); // its own from before was .3; .4 is foreign
	assert_add("j", config, "", "10.5.0.6");
	del("foreign", config); // found by reading, without our index; the older form too
	write_file("networks/n/10.5.0.5", "old");
	del("old", config);
	assert_add("i", config, "IP=10.5.0.5;IgnoreUnknown=1;X=1", "10.5.0.5");
}

static void test_lease_requests(void **state)
{
	(void)state;
	empty_folder();
	static const struct {
		const char *config, *args, *wanted;
	} rows[] = {
		// clang-format off
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"}}", "IP=10.6.0.7", "10.6.0.7"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"}}", "IP=10.6.0.1",
			"failed to allocate for range 0: requested ip 10.6.0.1 is subnet's gateway"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"}}", "IP=10.7.0.1",
			"failed to allocate all requested IPs: 10.7.0.1"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"}}", "FOO=BAR", "ARGS: unknown args [\"FOO=BAR\"]"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"}}", "FOO", "ARGS: invalid pair \"FOO\""},
		{"{\"IPAM\":{\"SubNet\":\"10.6.0.0/24\",\"RangeSTART\":\"10.6.0.100\"}}", "", "10.6.0.100"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"},\"runtimeConfig\":{\"ips\":[\"10.6.0.9/24\"]}}", "",
			"10.6.0.9"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\"},\"args\":{\"cni\":{\"ips\":[\"10.6.0.10\"]}}}", "",
			"10.6.0.10"},
		{"{}", "", "IPAM config missing 'ipam' key"},
		{"{\"ipam\":{}}", "", "no IP ranges specified"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/31\"}}", "",
			"invalid range set 0: Network 10.6.0.0/31 too small to allocate from"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.5/24\"}}", "", "invalid range set 0: Network has host bits "
			"set. For a subnet mask of length 24 the network address is 10.6.0.0"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\",\"rangeEnd\":\"10.7.0.0\"}}", "",
			"invalid range set 0: RangeEnd 10.7.0.0 not in network 10.6.0.0/24"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\",\"rangeStart\":\"10.6.0.9\",\"rangeEnd\":\"10.6.0.8\"}}",
			"", "invalid range set 0: RangeStart 10.6.0.9 is behind RangeEnd 10.6.0.8"},
		{"{\"ipam\":{\"ranges\":[[{\"subnet\":\"10.6.0.0/24\"},{\"subnet\":\"fd00::/64\"}]]}}", "",
			"invalid range set 0: mixed address families"},
		{"{\"ipam\":{\"ranges\":[[{\"subnet\":\"10.6.0.0/24\"}],[{\"subnet\":\"10.6.0.0/25\"}]]}}", "",
			"range set 0 overlaps with 1"},
		{"{\"ipam\":{\"ranges\":[[]]}}", "", "invalid range set 0: empty range set"},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\",\"routes\":[{\"gateway\":\"10.6.0.1\"}]}}", "",
			"routes[0]: invalid CIDR address: "},
		{"{\"ipam\":{\"subnet\":\"10.6.0.0/24\",\"dataDir\":\"x\"}}", "",
			"dataDir x is not an absolute path"},
		{"{\"ipam\":{\"ranges\":[[{\"subnet\":\"fd00:1::/120\",\"rangeStart\":\"fd00:1::ff\"}]]}}", "",
			"fd00:1::ff"},
		// clang-format on
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_json struct json *config = parse(rows[i].config);
		auto_free char *id = alloc_printf("id%zu", i);
		assert_add(id, config, rows[i].args, rows[i].wanted);
	}
}

// Twelve processes, each adding and removing: never two with one address, nothing left.
static void test_leases_at_once(void **state)
{
	(void)state;
	empty_folder();
	enum { PROCESSES = 12, ROUNDS = 20 };
	auto_json struct json *config = parse("{\"ipam\":{\"subnet\":\"10.5.0.0/28\"}}");
	pid_t pids[PROCESSES];
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i])
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			auto_free char *id = alloc_printf("c%d-%d", i, round);
			auto_free char *got = add(id, config, "");
			auto_free char *path = alloc_printf("%s/n/%s", paths.lease_dir, got);
			auto_free char *wanted = alloc_printf("%s\r\neth0", id), *lease = NULL;
			if (file_read(AT_FDCWD, path, 100, &lease, NULL) ||
			    strcmp(lease, wanted) != 0)
				_exit(1);
			struct plugin_call c = call(id, config);
			if (host_local_del(&c))
				_exit(2);
		}
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < 13; i++) { // all are free again
		auto_free char *id = alloc_printf("last%d", i);
		auto_free char *got = add(id, config, "");
		assert_null(strstr(got, "failed"));
	}
}

// --- DNS

static void test_resolv_conf(void **state)
{
	(void)state;
	empty_folder();
	static const struct {
		const char *host, *plugin, *wanted;
		bool warns;
	} rows[] = {
		{"# x\nnameserver 192.0.2.1\nnameserver 127.0.0.53\nsearch a b\noptions ndots:1\n",
	         NULL, "nameserver 192.0.2.1\nsearch a b\noptions ndots:1\n", false},
		{"nameserver ::1\nnameserver 127.0.0.53\nsearch a\n", NULL, "search a\n", true},
		{"", NULL, "", true},
		{"nameserver fe80::1%eth0\ndomain x\r\n", NULL,
	         "nameserver fe80::1%eth0\ndomain x\n", false},
		{"nameserver 192.0.2.1\n",
	         "{\"dns\":{\"nameservers\":[\"10.0.0.1\"],\"domain\":\"d\"}}",
	         "nameserver 10.0.0.1\ndomain d\n", false},
		{"nameserver 192.0.2.1\nsearch h\n", "{\"dns\":{\"search\":[\"s\"]}}",
	         "nameserver 192.0.2.1\nsearch s\n", false},
	};
	if (access("/run/systemd/resolve/resolv.conf", F_OK) == 0) {
		print_message("skipped: this machine runs systemd-resolved\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_result struct network_result *r = NULL;
		auto_free char *text = NULL, *warning = NULL;
		write_file("resolv.conf", rows[i].host);
		if (rows[i].plugin) {
			auto_json struct json *in = parse(rows[i].plugin);
			assert_error(result_parse(in, "1.0.0", &r), NULL);
		}
		assert_error(network_resolv_conf(&paths, r, &text, &warning), NULL);
		assert_string_equal(text, rows[i].wanted);
		assert_int_equal(warning != NULL, rows[i].warns);
	}
	auto_json struct json *in = parse("{\"dns\":{\"nameservers\":[\"1\\nnameserver 2\"]}}");
	auto_result struct network_result *r = NULL;
	char *text, *warning;
	assert_error(result_parse(in, "1.0.0", &r), NULL);
	assert_error(network_resolv_conf(&paths, r, &text, &warning),
	             "dns: blank or line end in a word");
}

static void test_hosts(void **state)
{
	(void)state;
	auto_json struct json *in = parse("{\"ips\":[{\"address\":\"10.0.0.2/24\"}]}");
	auto_result struct network_result *r = NULL;
	assert_error(result_parse(in, "1.0.0", &r), NULL);
	auto_free char *text = network_hosts(r, "web", NULL), *bad = network_hosts(r, "a\nb", NULL),
		       *both = network_hosts(r, "vm", "web");
	assert_string_equal(text, "127.0.0.1\tlocalhost\n"
	                          "::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.2\tweb\n");
	assert_null(strstr(bad, "10.0.0.2"));
	assert_non_null(strstr(both, "10.0.0.2\tvm web\n"));
}

// gc finds claims by their records: a record goes after its claim, or not at all.
static void test_claims(void **state)
{
	(void)state;
	empty_folder();
	const char *const record = "00000000000000aa-eth0";
	auto_free char *holder = NULL, *other = NULL;
	auto_fd int store = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(owner_claim(store, "claim-1", record, &holder));
	assert_null(holder);
	write_file(record, "{}");
	assert_null(owner_claim(store, "claim-1", "00000000000000bb-eth0", &other));
	assert_string_equal(other, record);
	assert_null(owner_remove(store, record, "claim-1"));
	assert_int_equal(faccessat(store, "claim-1", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	write_file(record, "{}");
	write_file("claim-1", ""); // can't be read as a link
	auto_error struct error *e = owner_remove(store, record, "claim-1");
	assert_string_equal(e ? e->message : "", "claim: Invalid argument");
	assert_int_equal(faccessat(store, record, F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_errors),
		cmocka_unit_test(test_config_order),
		cmocka_unit_test(test_config_first_decides),
		cmocka_unit_test(test_config_folder_of_plugins),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_lease_requests),
		cmocka_unit_test(test_leases_at_once),
		cmocka_unit_test(test_resolv_conf),
		cmocka_unit_test(test_hosts),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
