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

static void test_nat(void)
{
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
	shell("ip netns add far && ip link add up0 type veth peer name up1 netns far && "
	      "ip addr add 203.0.113.1/24 dev up0 && ip link set up0 up && "
	      "ip -n far addr add 203.0.113.2/24 dev up1 && ip -n far link set up1 up && "
	      "ip -n far link set lo up && ip -n far addr add 1.1.1.1/32 dev lo && "
	      "ip route add default via 203.0.113.2");
	check(ping(&a, "1.1.1.1"), "ping through the masquerade");
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

TEST(nat)
TEST(bridge)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_nat),
		cmocka_unit_test(run_bridge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
