// SPDX-License-Identifier: Apache-2.0
// What needs nothing: results of all versions, names, addresses.
#include "network/names.h"
#include "network/result.h"
#include "network/test_error.h"

// --- Results

static void test_versions(void **state)
{
	(void)state;
	static const char full[] =
		"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"br\"},{\"name\":\"eth0\","
		"\"mac\":\"02:00:00:00:00:01\",\"mtu\":1500,\"sandbox\":\"/n\"}],"
		"\"ips\":[{\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\",\"interface\":1},"
		"{\"address\":\"fd00::2/64\",\"interface\":1}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\",\"mtu\":1400}]}";
	static const char two[] =
		"{\"ip4\":{\"ip\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\","
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]},\"dns\":{\"nameservers\":[\"10.0.0.1\"]}}";
	static const struct {
		const char *text, *from, *to, *wanted;
	} rows[] = {
		// clang-format off
		{full, "", "1.0.0", "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"br\"},"
			"{\"mac\":\"02:00:00:00:00:01\",\"mtu\":1500,\"name\":\"eth0\",\"sandbox\":\"/n\"}],"
			"\"ips\":[{\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\",\"interface\":1},"
			"{\"address\":\"fd00::2/64\",\"interface\":1}],"
			"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\",\"mtu\":1400}]}"},
		{full, "", "0.3.1", "{\"cniVersion\":\"0.3.1\",\"interfaces\":[{\"name\":\"br\"},"
			"{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:01\",\"sandbox\":\"/n\"}],"
			"\"ips\":[{\"version\":\"4\",\"interface\":1,\"address\":\"10.0.0.2/24\","
			"\"gateway\":\"10.0.0.1\"},{\"version\":\"6\",\"interface\":1,"
			"\"address\":\"fd00::2/64\"}],"
			"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\",\"mtu\":1400}],\"dns\":{}}"},
		{full, "", "", "{\"cniVersion\":\"0.1.0\",\"ip4\":{\"ip\":\"10.0.0.2/24\","
			"\"gateway\":\"10.0.0.1\",\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\"}]},"
			"\"ip6\":{\"ip\":\"fd00::2/64\"},\"dns\":{}}"},
		{two, "0.2.0", "1.1.0", "{\"cniVersion\":\"1.1.0\",\"dns\":{\"nameservers\":"
			"[\"10.0.0.1\"]},\"ips\":[{\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\"}],"
			"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}"},
		{two, "0.1.0", "0.2.0", "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.2/24\","
			"\"gateway\":\"10.0.0.1\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}]},"
			"\"dns\":{\"nameservers\":[\"10.0.0.1\"]}}"},
		{"null", "1.0.0", "1.0.0", "{\"cniVersion\":\"1.0.0\"}"},
		// clang-format on
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_json struct json *in = NULL, *out = NULL;
		auto_result struct network_result *r = NULL;
		assert_error(json_parse(rows[i].text, strlen(rows[i].text), 65536, &in), NULL);
		assert_error(result_parse(in, rows[i].from, &r), NULL);
		auto_result struct network_result *copy = result_copy(r);
		assert_error(result_to_json(copy, rows[i].to, &out), NULL);
		bool sorted = *rows[i].to == '1';
		auto_free char *text = json_to_text(out, 0, sorted ? JSON_SORT_KEYS : JSON_PLAIN);
		assert_string_equal(text, rows[i].wanted);
	}
}

static void test_bad_results(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"7", "result: not an object"},
		{"{\"cniVersion\":\"9.9.9\"}", "unsupported CNI result version \"9.9.9\""},
		{"{\"ips\":7}", "ips: not an array"},
		{"{\"ips\":[{\"address\":\"10.0.0.1\"}]}",
	         "ips[0]: invalid CIDR address: 10.0.0.1"},
		{"{\"ips\":[{}]}", "ips[0]: invalid CIDR address: "},
		{"{\"ips\":[{\"address\":\"10.0.0.1/33\"}]}",
	         "ips[0]: invalid CIDR address: 10.0.0.1/33"},
		{"{\"ips\":[{\"address\":\"10.0.0.1/8\",\"gateway\":\"x\"}]}",
	         "ips[0]: invalid IP address: x"},
		{"{\"routes\":[{\"dst\":\"<nil>\"}]}", "routes[0]: invalid CIDR address: <nil>"},
		{"{\"dns\":{\"search\":[1]}}", "dns: search[0]: not a string"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_json struct json *in = NULL;
		auto_result struct network_result *r = NULL;
		assert_error(json_parse(rows[i].text, strlen(rows[i].text), 65536, &in), NULL);
		assert_error(result_parse(in, "1.0.0", &r), rows[i].message);
	}
	auto_result struct network_result *none = result_new();
	char *text;
	assert_error(network_result_print(none, "0.2.0", &text),
	             "cannot convert: no valid IP addresses");
	assert_error(network_result_print(none, "2", &text),
	             "unsupported CNI result version \"2\"");
}

static void test_printed_as_upstream(void **state)
{
	(void)state;
	auto_result struct network_result *r = result_new();
	auto_free char *text = NULL;
	assert_error(network_result_print(r, "0.4.0", &text), NULL);
	assert_string_equal(text, "{\n    \"cniVersion\": \"0.4.0\",\n    \"dns\": {}\n}");
}

// --- Names and addresses

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {{"a", true},   {"A-b_c.d", true}, {"9", true},    {"", false},
	            {"-a", false}, {".a", false},     {"a/b", false}, {"a b", false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(name_is_valid(rows[i].name), rows[i].ok);
	assert_error(name_check_interface("eth0"), NULL);
	assert_error(name_check_interface(""), "interface name is empty");
	assert_error(name_check_interface("abcdefghijklmnop"),
	             "interface name is too long: \"abcdefghijklmnop\"");
	assert_error(name_check_interface(".."), "interface name is . or ..");
	assert_error(name_check_interface("a:b"),
	             "interface name contains / or : or whitespace characters");
	char name[IFNAMSIZ], other[IFNAMSIZ];
	name_bridge("nat", name);
	assert_string_equal(name, "cor-nat");
	name_bridge("a-network-of-a-long-name", name);
	name_bridge("a-network-of-a-long-name2", other);
	assert_int_equal(strlen(name), 15);
	assert_string_not_equal(name, other);
	name_host_link(0x123456789abcdef0, "eth0", name);
	assert_string_equal(name, "cor56789abcdef0");
	name_host_link(0x123456789abcdef0, "eth1", other);
	assert_string_not_equal(name, other);
	assert_true(network_guid_is_valid("5f7d467c-3011-48bc-9337-ce78cf399345"));
	assert_false(network_guid_is_valid("5F7d467c-3011-48bc-9337-ce78cf399345"));
	assert_false(network_guid_is_valid("5f7d467c-3011-48bc-9337-ce78cf39934"));
	assert_false(network_guid_is_valid("../d467c-3011-48bc-9337-ce78cf399345"));
	assert_false(name_is_store(".."));
	assert_false(name_is_store("a/b"));
}

static void test_addresses(void **state)
{
	(void)state;
	struct network_address a, b;
	assert_error(address_parse("::ffff:10.0.0.1", &a), NULL);
	assert_int_equal(a.family, AF_INET);
	assert_error(address_parse("10.0.255.255", &a), NULL);
	b = address_next(&a);
	auto_free char *next = network_address_print(&b);
	assert_string_equal(next, "10.1.0.0");
	b = address_previous(&b);
	assert_true(address_equal(&a, &b));
	b = address_last(&a, 12);
	auto_free char *last = network_address_print(&b);
	assert_string_equal(last, "10.15.255.255");
	assert_error(address_parse("fd00::ffff", &a), NULL);
	b = address_next(&a);
	auto_free char *six = network_address_print(&b);
	assert_string_equal(six, "fd00::1:0");
	assert_error(address_parse("10.0.0.01x", &a), "invalid IP address: 10.0.0.01x");
	struct prefix p;
	assert_error(prefix_parse("10.0.0.0/-1", &p), "invalid CIDR address: 10.0.0.0/-1");
	assert_error(prefix_parse("10.0.0.0/ 8", &p), "invalid CIDR address: 10.0.0.0/ 8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_bad_results),
		cmocka_unit_test(test_printed_as_upstream),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
