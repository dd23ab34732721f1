// SPDX-License-Identifier: Apache-2.0
// ADD, DEL and GC against the kernel, each test in network and mount namespaces of its own, in a
// forked child that says by its exit code how it went. Needs root; skips loudly without.
#include "network/test_room.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char nat_file[] =
	"{\n    \"cniVersion\": \"0.3.0\",\n    \"name\": \"nat\",\n    \"type\": \"nat\",\n"
	"    \"master\": \"Ethernet\",\n    \"ipam\": {\n        \"subnet\": \"172.20.0.0/16\",\n"
	"        \"routes\": [\n            {\n                \"gateway\": \"172.20.0.1\"\n"
	"            }\n        ]\n    },\n    \"capabilities\": {\n        \"portMappings\": true,\n"
	"        \"dns\": true\n    }\n}\n";

static const char bridge_list[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"br\",\"plugins\":["
	"{\"type\":\"bridge\",\"bridge\":\"cni0\",\"isDefaultGateway\":true,\"ipMasq\":true,"
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.88.0.0/16\"}],"
	"[{\"subnet\":\"fd00:88::/64\"}]]}},"
	"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}";

// --- The walk's file

static size_t count_descriptors(void)
{
	size_t n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_nat(void)
{
	size_t before = count_descriptors();
	struct network_config *config = load(nat_file, false);
	struct life a = life_begin("a"), b = life_begin("b");
	struct network_result *ra = NULL, *rb = NULL;
	must(network_add(&paths, config, &a.attachment, &ra));
	must(network_add(&paths, config, &b.attachment, &rb));
	char *text;
	must(network_result_print(ra, "0.3.0", &text));
	check(strstr(text, "\"address\": \"172.20.0.2/16\""), "address: %s", text);
	check(strstr(text, "\"gateway\": \"172.20.0.1\""), "gateway: %s", text);
	check(strstr(text, "\"dns\": {}"), "dns: %s", text);
	check(ra->n_interfaces == 3 && ra->ips[0].interface == 2, "interfaces: %s", text);
	check(strstr(warnings, "no interface \"Ethernet\""), "note: %s", warnings);
	free(text);
	check(ping(&a, "172.20.0.1"), "ping gateway");
	check(ping(&a, "172.20.0.3"), "ping neighbour");

	// A host that answers as 1.1.1.1, which has no route back to 172.20.0.0/16.
	shell("ip netns add far && ip link add up0 mtu 1400 type veth peer name up1 netns far && "
	      "ip addr add 203.0.113.1/24 dev up0 && ip link set up0 up && "
	      "ip -n far addr add 203.0.113.2/24 dev up1 && ip -n far link set up1 up && "
	      "ip -n far link set lo up && ip -n far addr add 1.1.1.1/32 dev lo && "
	      "ip route add default via 203.0.113.2");
	check(ping(&a, "1.1.1.1"), "ping through the masquerade");
	struct life c = life_begin("c");
	struct network_result *rc;
	must(network_add(&paths, config, &c.attachment, &rc));
	check(rc->interfaces[2].mtu == 1400, "the way out has an MTU of 1400");
	network_result_free(rc);
	must(network_del(&paths, &c.attachment));
	life_end(&c);
	must(network_del(&paths, &a.attachment));
	check(!ping(&a, "172.20.0.1"), "ping after DEL");
	must(network_del(&paths, &b.attachment));
	must(network_del(&paths, &b.attachment));
	nothing_left();
	network_result_free(ra);
	network_result_free(rb);
	network_config_free(config);
	life_end(&a);
	life_end(&b);
	check(count_descriptors() == before, "a descriptor is left open");
}

static void test_bridge(void)
{
	struct network_config *config = load(bridge_list, true);
	struct life a = life_begin("a"), b = life_begin("b");
	struct network_result *ra = NULL, *rb = NULL;
	must(network_add(&paths, config, &a.attachment, &ra));
	must(network_add(&paths, config, &b.attachment, &rb));
	check(ra->n_ips == 2 && ra->n_routes == 2, "two families");
	check(ping(&a, "10.88.0.1"), "ping gateway");
	check(ping(&a, "10.88.0.3"), "ping neighbour");
	check(ping(&b, "fd00:88::2"), "ping neighbour, IPv6");
	must(network_check(&paths, &a.attachment));
	close(a.attachment.netns_fd); // the namespace dies before DEL
	a.attachment.netns_fd = -1;
	a.attachment.netns_path = "/run/netns/gone";
	must(network_del(&paths, &a.attachment));
	b.attachment.namespace_dies = true;
	must(network_del(&paths, &b.attachment));
	life_end(&b);
	life_end(&a);
	nothing_left();
	network_result_free(ra);
	network_result_free(rb);
	network_config_free(config);
}

// --- Failures

static void write_plugin(const char *name, const char *script)
{
	auto_free char *path = alloc_printf("/run/room/bin/%s", name);
	FILE *f = fopen(path, "we");
	check(f != NULL, "create %s", path);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	check(fclose(f) == 0 && chmod(path, 0755) == 0, "write %s", path);
}

// A list of our bridge and an external plugin of that type.
static struct network_config *chain(const char *type)
{
	auto_free char *text =
		alloc_printf("{\"cniVersion\":\"1.0.0\",\"name\":\"br\",\"plugins\":["
	                     "{\"type\":\"bridge\",\"isGateway\":true,\"ipMasq\":true,"
	                     "\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.88.0.0/16\"}},"
	                     "{\"type\":\"%s\",\"capabilities\":{\"x\":true,\"y\":true}}]}",
	                     type);
	return load(text, true);
}

static void test_undo(void)
{
	struct life a = life_begin("a");
	struct network_result *r;
	struct network_config *config = chain("bad");
	write_plugin("bad", "cat >/run/room/$CNI_COMMAND; test $CNI_COMMAND = DEL && exit 0\n"
	                    "echo '{\"code\":7,\"msg\":\"no\",\"details\":\"really\"}'; exit 1");
	must_fail(network_add(&paths, config, &a.attachment, &r),
	          "plugin type=\"bad\" name=\"br\" failed (add): no; really");
	shell("grep -q '\"prevResult\":{' /run/room/DEL"); // DEL was called, with the bridge's
	                                                   // result
	nothing_left();
	must_fail(network_add(&paths, config, &a.attachment, &r), "failed (add): no; really");
	network_config_free(config);

	config = chain("nosuch");
	must_fail(network_add(&paths, config, &a.attachment, &r),
	          "plugin type=\"nosuch\" name=\"br\" failed (add): failed to find plugin "
	          "\"nosuch\" in path [/run/room/bin]");
	nothing_left();
	network_config_free(config);

	write_plugin("hangs", "test $CNI_COMMAND = DEL || sleep 1000");
	struct network_paths hasty = paths;
	hasty.plugin_timeout_ms = 2000; // the DEL behind it has to come through on a busy machine
	config = chain("hangs");
	must_fail(network_add(&hasty, config, &a.attachment, &r),
	          "no answer after 2000 ms: killed");
	nothing_left();
	network_config_free(config);

	write_plugin("mute", "test $CNI_COMMAND = DEL || exit 3");
	config = chain("mute");
	must_fail(network_add(&paths, config, &a.attachment, &r),
	          "netplugin failed with no error message: exit status 3");
	network_config_free(config);
	write_plugin("garbage", "test $CNI_COMMAND = DEL || { echo '{'; exit 1; }");
	config = chain("garbage");
	must_fail(network_add(&paths, config, &a.attachment, &r),
	          "netplugin failed but error parsing its diagnostic message \"{");
	nothing_left();
	network_config_free(config);
	life_end(&a);
}

static void test_external(void)
{
	struct life a = life_begin("a");
	struct network_result *r;
	struct network_config *config = chain("pass");
	write_plugin("pass",
	             "cat >/run/room/$CNI_COMMAND; env | grep ^CNI_ >/run/room/env\n"
	             "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.2.3/8\"}]}'");
	a.attachment.capabilities = "{\"x\":{\"a\":1},\"z\":2}";
	a.attachment.cni_args = "IgnoreUnknown=1;K8S_POD_NAME=p";
	must(network_add(&paths, config, &a.attachment, &r));
	check(r->n_ips == 1 && r->ips[0].prefix == 8, "the last plugin's result");
	network_result_free(r);
	shell("grep -q '\"runtimeConfig\":{\"x\":{\"a\":1}}' /run/room/ADD");
	shell("grep -q '\"name\":\"br\",\"prevResult\":{' /run/room/ADD");
	shell("grep -qx CNI_CONTAINERID=default-a /run/room/env");
	shell("grep -qx CNI_PATH=/run/room/bin /run/room/env");
	shell("grep -qx 'CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=p' /run/room/env");
	shell("grep -q '\"kind\":\"cniCacheV1\"' /run/room/results/br-default-a-eth0");
	must(network_del(&paths, &a.attachment));
	shell("grep -q 10.1.2.3/8 /run/room/DEL"); // the cached result
	nothing_left();
	// A program of that name wins over ours only if asked to.
	struct network_paths external = paths;
	external.external_plugins_first = true;
	write_plugin("bridge", "test $CNI_COMMAND = DEL || { echo theirs >&2; exit 1; }");
	must_fail(network_add(&external, config, &a.attachment, &r),
	          "netplugin failed: \"theirs\"");
	must(network_add(&paths, config, &a.attachment, &r));
	network_result_free(r);
	must(network_del(&paths, &a.attachment));
	nothing_left();
	network_config_free(config);
	life_end(&a);
}

static void test_refused(void)
{
	struct life a = life_begin("a");
	struct network_result *r;
	static const struct {
		const char *plugin, *message;
	} rows[] = {
		// clang-format off
		{"{\"type\":\"bridge\",\"vlan\":5}", "VLAN filtering (vlan, vlanTrunk) is not supported"},
		{"{\"type\":\"bridge\",\"bridge\":\"lo\"}", "\"lo\" already exists but is not a bridge"},
		{"{\"type\":\"bridge\",\"bridge\":\"a/b\"}", "bridge: interface name contains"},
		{"{\"type\":\"bridge\",\"hairpinMode\":true,\"promiscMode\":true}",
			"cannot set hairpin mode and promiscuous mode at the same time"},
		{"{\"type\":\"bridge\",\"isGateway\":\"yes\"}", "isGateway: not a boolean"},
		{"{\"type\":\"bridge\",\"ipam\":{\"type\":\"../x\"}}", "invalid plugin name: ../x"},
		{"{\"type\":\"../x\"}", "invalid plugin name: ../x"},
		{"{\"type\":\"nat\"}", "nat: ipam.subnet is missing"},
		{"{\"type\":\"nat\",\"ipam\":{\"subnet\":\"10.9.0.0/24\",\"routes\":"
			"[{\"gw\":\"10.8.0.1\"}]}}", "nat: gateway 10.8.0.1 is not in subnet 10.9.0.0/24"},
		{"{\"type\":\"portmap\"}", "must be called as chained plugin"},
		// clang-format on
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_free char *text =
			alloc_printf("{\"cniVersion\":\"1.0.0\",\"name\":\"x\",\"plugins\":[%s]}",
		                     rows[i].plugin);
		struct network_config *config = load(text, true);
		must_fail(network_add(&paths, config, &a.attachment, &r), rows[i].message);
		network_config_free(config);
		nothing_left();
	}
	struct network_config *config =
		load("{\"cniVersion\":\"9.9.9\",\"name\":\"x\",\"type\":\"loopback\"}", false);
	must_fail(
		network_add(&paths, config, &a.attachment, &r),
		"plugin type=\"loopback\" name=\"x\" failed (add): incompatible CNI versions; config "
		"is \"9.9.9\", plugin supports [\"0.1.0\" ");
	network_config_free(config);
	config = load("{\"type\":\"bridge\"}", false);
	must_fail(network_add(&paths, config, &a.attachment, &r),
	          "plugin type=\"bridge\" failed (add): missing network name:");
	struct network_attachment own = a.attachment;
	own.netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must_fail(network_add(&paths, config, &own, &r), "the host's own network namespace");
	own.netns_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	must_fail(network_add(&paths, config, &own, &r), "is not a network namespace");
	nothing_left();
	network_config_free(config);
	life_end(&a);
}

static void test_loopback_and_static(void)
{
	struct life a = life_begin("a");
	struct network_result *r;
	struct network_config *config =
		load("{\"cniVersion\":\"0.3.1\",\"name\":\"x\",\"plugins\":[{\"type\":\"bridge\","
	             "\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.3.0.5/24\","
	             "\"gateway\":\"10.3.0.1\"}],\"routes\":[{\"dst\":\"10.4.0.0/16\"}]}},"
	             "{\"type\":\"loopback\"}]}",
	             true);
	must(network_add(&paths, config, &a.attachment, &r));
	check(ping(&a, "127.0.0.1") && ping(&a, "10.3.0.5"), "own addresses");
	auto_free char *line = alloc_printf(
		"nsenter --net=/run/netns/cni-%s ip route | grep -q '10.4.0.0/16 via 10.3.0.1'",
		a.netns);
	shell(line);
	network_result_free(r);
	must(network_del(&paths, &a.attachment));
	nothing_left();
	network_config_free(config);
	life_end(&a);
}

// --- Firewalls of others

static void test_forward_drop(void)
{
	struct network_config *config = load(nat_file, false);
	shell("iptables -P FORWARD DROP && iptables -A FORWARD -s 192.0.2.0/24 -j ACCEPT");
	struct life a = life_begin("a"), b = life_begin("b");
	struct network_result *r;
	must(network_add(&paths, config, &a.attachment, &r));
	network_result_free(r);
	must(network_add(&paths, config, &b.attachment, &r));
	network_result_free(r);
	shell("ip netns add far && ip link add up0 type veth peer name up1 netns far && "
	      "ip addr add 203.0.113.1/24 dev up0 && ip link set up0 up && "
	      "ip -n far addr add 203.0.113.2/24 dev up1 && ip -n far link set up1 up && "
	      "ip -n far route add default via 203.0.113.1");
	check(ping(&a, "203.0.113.2"), "ping through FORWARD DROP");
	check(ping(&a, "172.20.0.3"), "ping neighbour under FORWARD DROP");
	// What comes from outside uninvited is still dropped.
	shell("! ip netns exec far busybox ping -c 1 -W 1 172.20.0.2 >/dev/null");
	// iptables reads it; each rule is there once; the jump stands first.
	shell("iptables -S | grep -c -- CORACLE-FORWARD | grep -qx 4");
	shell("iptables -S FORWARD | sed -n 2p | grep -qx -- '-A FORWARD -j CORACLE-FORWARD'");
	must(network_del(&paths, &a.attachment));
	must(network_del(&paths, &b.attachment));
	struct error *busy;
	while (error_is(busy = network_remove(config), ERROR_BUSY)) {
		error_free(busy); // the interfaces die in their own time
		usleep(10000);
	}
	must(busy);
	shell("iptables -S | grep -c CORACLE | grep -qx 0");
	shell("iptables -S FORWARD | grep -c . | grep -qx 2");
	shell("! ip link show cor-nat 2>/dev/null && ! nft list ruleset | grep masq-");
	nothing_left();
	network_config_free(config);
	life_end(&a);
	life_end(&b);
}

static void test_forward_foreign(void)
{
	struct network_config *config = load(nat_file, false);
	shell("nft 'add table inet f; add chain inet f c { type filter hook forward priority 0; "
	      "policy drop; }'");
	shell("nft 'add table ip g; add chain ip g d { type filter hook forward priority 5; }; "
	      "add rule ip g d iifname x accept; add rule ip g d counter reject'");
	struct life a = life_begin("a");
	struct network_result *r;
	must(network_add(&paths, config, &a.attachment, &r));
	check(strstr(warnings,
	             "chain c of table inet f drops what it isn't told to accept: tell it bridge cor-nat"),
	      "warning: %s", warnings);
	check(strstr(warnings, "chain d of table ip g drops"), "warning: %s", warnings);
	network_result_free(r);
	must(network_del(&paths, &a.attachment));
	network_config_free(config);
	life_end(&a);
}

// --- Names and lives

static bool none_lives(void *context, uint64_t instance)
{
	(void)context;
	(void)instance;
	return false;
}

static bool no_namespace_lives(void *context, const char *guid)
{
	(void)context;
	(void)guid;
	return false;
}

static struct network_gc_report gc(const char *store)
{
	struct network_live live = {.has_instance = none_lives,
	                            .has_namespace = no_namespace_lives};
	struct network_gc_report report;
	must(network_gc(&paths, store, &live, NULL, NULL, &report));
	return report;
}

static void test_lives(void)
{
	struct network_config *config = load(nat_file, false);
	struct life a = life_begin("a");
	struct network_result *r;
	must(network_add(&paths, config, &a.attachment, &r));
	network_result_free(r);
	must_fail(network_add(&paths, config, &a.attachment, &r), "exists already");
	// The next life of the same name, while the last one was never cleaned.
	struct life again = life_begin("a");
	must(network_add(&paths, config, &again.attachment, &r));
	network_result_free(r);
	shell("ls /run/room/networks/nat | grep -c ^172 | grep -qx 1");
	// Another container whose name looks the same.
	struct life x = life_begin("b-c"), y = life_begin("c");
	y.attachment.ns = "default-b";
	must(network_add(&paths, config, &x.attachment, &r));
	network_result_free(r);
	must_fail(network_add(&paths, config, &y.attachment, &r),
	          "in use by container b-c in namespace default");
	check(ping(&x, "172.20.0.1"), "the first one is untouched");
	shell("grep -lq default-b-c /run/room/networks/nat/172*");
	// Another store's container of the same name.
	struct life z = life_begin("b-c");
	z.attachment.store_id = "second";
	must_fail(network_add(&paths, config, &z.attachment, &r),
	          "has been allocated to default-b-c");
	shell("grep -lq default-b-c /run/room/networks/nat/172*");
	shell("test -e /run/room/results/nat-default-b-c-eth0 && ! ls /run/room/owner/second | grep .");
	check(gc("other").n_attachments == 0, "another store's gc");
	check(ping(&x, "172.20.0.1"), "and its network stays");
	shell("ip netns add mine");
	struct network_gc_report report = gc("store");
	check(report.n_attachments == 2 && report.n_namespaces == 5, "gc: %zu %zu",
	      report.n_attachments, report.n_namespaces);
	shell("ls /run/netns | grep -qx mine && ls /run/netns | grep -c . | grep -qx 1");
	nothing_left();
	report = gc("store");
	check(report.n_attachments == 0 && report.n_namespaces == 0, "gc again");
	network_config_free(config);
}

static void test_namespaces(void)
{
	char guid[NETWORK_GUID_SIZE];
	int fd, other;
	must(network_guid_new(guid));
	must(network_namespace_create(&paths, "store", guid, &fd));
	must_fail(network_namespace_create(&paths, "store", guid, &other), "already exists");
	must_fail(network_namespace_create(&paths, "other", guid, &other), "already exists");
	must(network_namespace_open(&paths, guid, &other));
	struct stat one, two;
	check(fstat(fd, &one) == 0 && fstat(other, &two) == 0 && one.st_ino == two.st_ino, "same");
	close(other);
	auto_strings struct strings list = {0}, theirs = {0};
	must(network_namespace_list(&paths, "store", &list));
	must(network_namespace_list(&paths, "other", &theirs));
	check(list.n == 1 && theirs.n == 0 && text_equal(list.items[0], guid), "list");
	check(gc("other").n_namespaces == 0, "not theirs");
	must(network_namespace_delete(&paths, "store", guid));
	must(network_namespace_delete(&paths, "store", guid));
	must_fail(network_namespace_open(&paths, guid, &other), "No such file");
	close(fd);
	// The rest of a killed process: a file that never became a pin.
	auto_free char *path = network_namespace_path(&paths, guid);
	auto_free char *line = alloc_printf(": >%s", path);
	shell(line);
	must_fail(network_namespace_open(&paths, guid, &other), "is not a network namespace");
	must(network_namespace_create(&paths, "store", guid, &fd));
	must(network_namespace_delete(&paths, "store", guid));
	must_fail(network_namespace_create(&paths, "store", "../x", &fd), "is not a GUID");
	must_fail(network_namespace_create(&paths, "../x", guid, &fd), "not the ID of a store");
	shell("! ls /run/netns | grep . && ! ls /run/room/owner/store | grep .");
}

// --- Many at once, and killed ones

static void wait_for(pid_t pid)
{
	int status = -1;
	check(waitpid(pid, &status, 0) == pid && status == 0, "child: %x", (unsigned)status);
}

static void test_twelve(void)
{
	enum { PROCESSES = 12, ROUNDS = 3 };
	struct network_config *config = load(bridge_list, true);
	pid_t pids[PROCESSES];
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		auto_free char *id = alloc_printf("c%d", i);
		for (int round = 0; round < ROUNDS; round++) {
			struct life l = life_begin(id);
			struct network_result *r;
			must(network_add(&paths, config, &l.attachment, &r));
			check(ping(&l, "10.88.0.1"), "first packet of %s", id);
			l.attachment.namespace_dies = round % 2;
			must(network_del(&paths, &l.attachment));
			life_end(&l);
		}
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++)
		wait_for(pids[i]);
	nothing_left();
	shell("ip -4 -o addr show cni0 | grep -c . | grep -qx 1");
	shell("nft list ruleset | grep -c 'chain masq-' | grep -qx 2");
}

// What an ADD leaves that was killed between making its lease and filling it.
static void test_torn_lease(void)
{
	struct network_config *config = load(bridge_list, true);
	struct life l = life_begin("a");
	struct network_result *r;
	must(network_add(&paths, config, &l.attachment, &r));
	network_result_free(r);
	shell("for l in $(find /run/room/networks -name '10.*' -type f); do : >$l; done");
	must(network_del(&paths, &l.attachment));
	nothing_left();
	life_end(&l);
	network_config_free(config);
}

// Killed at some moment of namespace, ADD or DEL; then gc brings everything back to the start.
static void test_killed(void)
{
	enum { ROUNDS = 60 };
	struct network_config *config = load(bridge_list, true);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = fork();
		if (!pid) {
			struct life l = life_begin("a");
			struct network_result *r;
			must(network_add(&paths, config, &l.attachment, &r));
			must(network_del(&paths, &l.attachment));
			_exit(0);
		}
		usleep((unsigned)(random_u64() % 5000));
		kill(pid, SIGKILL);
		check(waitpid(pid, NULL, 0) == pid, "wait");
		gc("store");
		if (i % 10 == 9)
			nothing_left();
	}
	shell("! ls /run/netns | grep . && ! ls -A /run/room/owner/store | grep .");
	struct life l = life_begin("a"); // and the next one works
	struct network_result *r;
	must(network_add(&paths, config, &l.attachment, &r));
	check(ping(&l, "10.88.0.1"), "ping");
	must(network_del(&paths, &l.attachment));
	life_end(&l);
	nothing_left();
}

TEST(nat)
TEST(bridge)
TEST(undo)
TEST(external)
TEST(refused)
TEST(loopback_and_static)
TEST(forward_drop)
TEST(forward_foreign)
TEST(lives)
TEST(namespaces)
TEST(twelve)
TEST(torn_lease)
TEST(killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_nat),          cmocka_unit_test(run_bridge),
		cmocka_unit_test(run_undo),         cmocka_unit_test(run_external),
		cmocka_unit_test(run_refused),      cmocka_unit_test(run_loopback_and_static),
		cmocka_unit_test(run_forward_drop), cmocka_unit_test(run_forward_foreign),
		cmocka_unit_test(run_lives),        cmocka_unit_test(run_namespaces),
		cmocka_unit_test(run_twelve),       cmocka_unit_test(run_torn_lease),
		cmocka_unit_test(run_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
