// SPDX-License-Identifier: Apache-2.0
#include "oci/names.h"
#include "oci/spec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

// clang-format off
// Every member that we write, in the order of Go's structs.
static const char whole[] =
	"{\"ociVersion\":\"1.2.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},"
	"\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[2,3]},\"args\":[\"/bin/sh\",\"\"],\"env\":[\"A=1\",\"FLAG\"],"
	"\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_BPF\"],\"effective\":[\"CAP_CHOWN\"],"
	"\"inheritable\":[\"CAP_CHOWN\"],\"permitted\":[\"CAP_CHOWN\"],\"ambient\":[\"CAP_CHOWN\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":18446744073709551615,\"soft\":1024}],\"noNewPrivileges\":true,"
	"\"apparmorProfile\":\"p\",\"oomScoreAdj\":-5,\"selinuxLabel\":\"s\"},\"root\":{\"path\":\"/r\",\"readonly\":true},"
	"\"hostname\":\"h\",\"domainname\":\"d\",\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
	"\"options\":[\"ro\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}]}],\"hooks\":{\"createRuntime\":[{\"path\":\"/h\",\"args\":[\"h\"],"
	"\"env\":[\"X=1\"],\"timeout\":5}]},\"annotations\":{\"a\":\"1\",\"b\":\"\"},\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,"
	"\"size\":65536}],\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],\"sysctl\":{\"net.x\":\"1\"},"
	"\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,"
	"\"access\":\"rw\"}],\"memory\":{\"limit\":1,\"reservation\":2,\"swap\":-1,\"kernel\":3,\"kernelTCP\":4,\"swappiness\":60,"
	"\"disableOOMKiller\":false,\"useHierarchy\":true,\"checkBeforeUpdate\":true},\"cpu\":{\"shares\":1024,\"quota\":-1,\"burst\":1,"
	"\"period\":100000,\"realtimeRuntime\":1,\"realtimePeriod\":2,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":1},\"pids\":{\"limit\":10},"
	"\"blockIO\":{\"weight\":10},\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}],\"network\":{\"classID\":1},\"rdma\":{},"
	"\"unified\":{\"memory.high\":\"1\"}},\"cgroupsPath\":\"/c\",\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"user\"},"
	"{\"type\":\"network\",\"path\":\"/n\"}],\"devices\":[{\"path\":\"/dev/x\",\"type\":\"b\",\"major\":8,\"minor\":1,\"fileMode\":420,"
	"\"uid\":0,\"gid\":6}],\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"extra\":1},\"rootfsPropagation\":\"rslave\","
	"\"maskedPaths\":[\"/m\"],\"readonlyPaths\":[\"/p\"],\"mountLabel\":\"l\",\"intelRdt\":{\"closID\":\"g\",\"enableCMT\":true},"
	"\"personality\":{\"domain\":\"LINUX32\"},\"timeOffsets\":{\"boottime\":{\"nanosecs\":5},\"monotonic\":{\"secs\":-1}}},"
	"\"windows\":{\"layerFolders\":[\"C:\\\\l\"],\"devices\":[{\"id\":\"x\"}],\"resources\":{},\"credentialSpec\":{},\"servicing\":true,"
	"\"ignoreFlushesDuringBoot\":true,\"hyperv\":{},\"network\":{\"endpointList\":[\"e\"],\"allowUnqualifiedDNSQuery\":true,"
	"\"DNSSearchList\":[\"d\"],\"networkSharedContainerName\":\"c\",\"networkNamespace\":\"n\"}}}";
// clang-format on

static void whole_spec(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *spec = NULL;
	struct error *e = oci_spec_parse(whole, strlen(whole), &spec);
	if (e)
		print_message("%s\n", e->message);
	assert_null(e);
	auto_json struct json *o = oci_spec_to_json(spec);
	auto_free char *text = json_to_text(o, 0, JSON_PLAIN);
	assert_string_equal(text, whole);
	assert_true(spec->process.rlimits.items[0].hard == UINT64_MAX);
	assert_true(spec->process.capabilities.bounding == (1 | UINT64_C(1) << 39));
	assert_int_equal(spec->linux_.seccomp_kind, OCI_SECCOMP_PROFILE);
	assert_null(spec->process.args.items[2]);
	assert_true(spec->linux_.resources.memory.disable_oom_killer.set);
	assert_false(spec->linux_.resources.memory.disable_oom_killer.value);
	assert_string_equal(oci_spec_namespace(spec, OCI_NAMESPACE_NETWORK)->path, "/n");
	assert_null(oci_spec_namespace(spec, OCI_NAMESPACE_TIME));
}

static void forgiving(void **state)
{
	(void)state;
	static const char text[] =
		"{\"ociVersion\":\"1.0.2-dev\",\"zos\":1,\"process\":{\"args\":[\"x\"],\"cwd\":\"/\",\"hostname\":3,"
		"\"capabilities\":{\"bounding\":[\"CAP_NOSUCH\",\"CAP_NOSUCH\",\"chown\"],\"effective\":[\"CAP_NOSUCH\"]},"
		"\"user\":null},\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":\"rel\"}],"
		"\"linux\":{\"resources\":{\"devices\":[{\"allow\":true,\"major\":-1}]},\"devices\":["
		"{\"path\":\"/dev/u\",\"type\":\"u\"}]}}";
	auto_oci_spec struct oci_spec *spec = NULL;
	assert_null(oci_spec_parse(text, strlen(text), &spec));
	assert_int_equal(spec->process.capabilities.unknown.n, 2);
	assert_string_equal(spec->mounts.items[0].destination, "/rel");
	assert_int_equal(spec->linux_.devices.items[0].type, 'c');
	const struct oci_device_rule *rule = &spec->linux_.resources.devices.items[0];
	assert_true(rule->type == 'a' && !rule->major.set && !rule->read);
	assert_non_null(json_member(spec->document, "zos"));
}

// clang-format off
#define SPEC(more) "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"/r\"},\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"}" more "}"
#define PROCESS(members) "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"/r\"},\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"," members "}}"
#define LINUX(members) SPEC(",\"linux\":{" members "}")
#define RANGE "{\"containerID\":0,\"hostID\":1,\"size\":2}"
static const struct {
	const char *text, *message;
} bad_cases[] = {
	{ "", "unexpected end of JSON input" },
	{ "[]", "spec: not an object" },
	{ "{}", "ociVersion: missing" },
	{ "{\"ociVersion\":2}", "ociVersion: not a string" },
	{ "{\"ociVersion\":\"2.0.0\"}", "ociVersion: \"2.0.0\" is not 1.x" },
	{ "{\"ociVersion\":\"1.\"}", "ociVersion: \"1.\" is not 1.x" },
	{ "{\"ociVersion\":\"1.2.0\"}", "process: missing" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":[]}", "process: not an object" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\"}}", "process.args: args must not be empty" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"\"],\"cwd\":\"/\"}}", "process.args[0]: empty" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"]}}", "process.cwd: Cwd must be an absolute path" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"tmp\"}}", "process.cwd: Cwd must be an absolute path" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"}}", "root: missing" },
	{ "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"},\"root\":{}}", "root.path: missing" },
	{ PROCESS("\"env\":[\"=x\"]"), "process.env[0]: no name" },
	{ PROCESS("\"env\":[\"\"]"), "process.env[0]: no name" },
	{ PROCESS("\"user\":{\"uid\":-1}"), "process.user.uid: not a number from 0 to 4294967294" },
	{ PROCESS("\"user\":{\"additionalGids\":[4294967295]}"), "process.user.additionalGids[0]: not a number from 0 to 4294967294" },
	{ PROCESS("\"user\":{\"umask\":65536}"), "process.user.umask: not a number from 0 to 4095" },
	{ PROCESS("\"oomScoreAdj\":1001"), "process.oomScoreAdj: not a number from -1000 to 1000" },
	{ PROCESS("\"noNewPrivileges\":1"), "process.noNewPrivileges: not a boolean" },
	{ PROCESS("\"capabilities\":{\"bounding\":[1]}"), "process.capabilities.bounding[0]: not a string" },
	{ PROCESS("\"rlimits\":[{\"type\":\"NOFILE\"}]"), "process.rlimits[0].type: unknown limit \"NOFILE\"" },
	{ PROCESS("\"rlimits\":[{}]"), "process.rlimits[0].type: missing" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\"},{\"type\":\"RLIMIT_CPU\"}]"), "process.rlimits[1].type: given twice: \"RLIMIT_CPU\"" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]"),
	  "process.rlimits[0]: RLIMIT_CPU: the soft limit is above the hard one" },
	{ SPEC(",\"mounts\":[{}]"), "mounts[0].destination: missing" },
	{ SPEC(",\"mounts\":[{\"destination\":\"\"}]"), "mounts[0].destination: not an absolute path" },
	{ SPEC(",\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[" RANGE "]}]"), "mounts[0]: uidMappings and gidMappings go together" },
	{ SPEC(",\"hooks\":{\"prestart\":[{\"path\":\"h\"}]}"), "hooks.prestart[0].path: not an absolute path" },
	{ SPEC(",\"hooks\":{\"poststop\":[{\"path\":\"/h\",\"timeout\":0}]}"), "hooks.poststop[0].timeout: not a number from 1 to 2147483647" },
	{ SPEC(",\"annotations\":{\"a\":1}"), "annotations.a: not a string" },
	{ LINUX("\"namespaces\":[{\"type\":\"net\"}]"), "linux.namespaces[0].type: unknown namespace \"net\"" },
	{ LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]"), "linux.namespaces[1].type: given twice: \"pid\"" },
	{ LINUX("\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]"), "linux.namespaces[0].path: not an absolute path" },
	{ LINUX("\"namespaces\":[{\"type\":\"user\"}]"), "linux.namespaces: a user namespace without uidMappings" },
	{ LINUX("\"uidMappings\":[" RANGE "]"), "linux: uidMappings and gidMappings go together" },
	{ LINUX("\"uidMappings\":[" RANGE "],\"gidMappings\":[" RANGE "]"), "linux.uidMappings: given without a user namespace" },
	{ LINUX("\"uidMappings\":[{\"hostID\":4294967295,\"size\":1}]"), "linux.uidMappings[0].size: not a range of IDs" },
	{ LINUX("\"uidMappings\":[{}]"), "linux.uidMappings[0].size: not a range of IDs" },
	{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"s\"}]"), "linux.devices[0].type: not c, b, u or p: \"s\"" },
	{ LINUX("\"devices\":[{\"path\":\"x\",\"type\":\"c\"}]"), "linux.devices[0].path: not an absolute path" },
	{ LINUX("\"resources\":{\"devices\":[{\"type\":\"x\"}]}"), "linux.resources.devices[0].type: not a, b or c: \"x\"" },
	{ LINUX("\"resources\":{\"devices\":[{\"access\":\"x\"}]}"), "linux.resources.devices[0].access: not of r, w and m: \"x\"" },
	{ LINUX("\"resources\":{\"memory\":{\"limit\":1.5}}"), "linux.resources.memory.limit: not a whole number" },
	{ LINUX("\"resources\":{\"cpu\":{\"shares\":-1}}"), "linux.resources.cpu.shares: not a number from 0 to 18446744073709551615" },
	{ LINUX("\"resources\":{\"blockIO\":1}"), "linux.resources.blockIO: not an object" },
	{ LINUX("\"seccomp\":{}"), "linux.seccomp.defaultAction: missing" },
	{ LINUX("\"seccomp\":[]"), "linux.seccomp: not an object" },
	{ LINUX("\"personality\":{\"domain\":\"BSD\"}"), "linux.personality.domain: not LINUX or LINUX32: \"BSD\"" },
	{ LINUX("\"maskedPaths\":[\"\"]"), "linux.maskedPaths[0]: not an absolute path" },
	{ LINUX("\"readonlyPaths\":[\"a\"]"), "linux.readonlyPaths[0]: not an absolute path" },
	{ LINUX("\"rootfsPropagation\":\"nosuch\""), "linux: rootfsPropagation=nosuch is not supported" },
	{ LINUX("\"timeOffsets\":{\"monotonic\":{\"nanosecs\":1000000000}}"),
	  "linux.timeOffsets.monotonic.nanosecs: not a number from 0 to 999999999" },
};
// clang-format on

static void bad_specs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(bad_cases); i++) {
		struct oci_spec *spec = NULL;
		auto_error struct error *e =
			oci_spec_parse(bad_cases[i].text, strlen(bad_cases[i].text), &spec);
		if (!e || strcmp(e->message, bad_cases[i].message) != 0)
			print_message("%s, not %s\n", e ? e->message : "no error",
			              bad_cases[i].message);
		assert_non_null(e);
		assert_string_equal(e->message, bad_cases[i].message);
		assert_null(spec);
	}
}
static void adders(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *spec = oci_spec_new();
	oci_spec_set_env(spec, "A=1");
	oci_spec_set_env(spec, "AB=2");
	oci_spec_set_env(spec, "FLAG");
	oci_spec_set_env(spec, "A=3");
	assert_string_equal(spec->process.env.items[0], "A=3");
	assert_null(oci_spec_env(spec, "FLAG"));
	oci_spec_unset_env(spec, "A");
	oci_spec_unset_env(spec, "nosuch");
	assert_int_equal(spec->process.env.n, 2);
	assert_string_equal(oci_spec_env(spec, "AB"), "2");
	assert_null(oci_spec_env(spec, "A"));
	assert_null(spec->process.env.items[2]);

	for (int i = 0; i < 100; i++) {
		auto_free char *path = alloc_printf("/m%d", i % 50);
		oci_spec_add_mount(spec, path, "bind", "/s", i % 2 ? "a:b:" : NULL, ':');
	}
	assert_string_equal(spec->mounts.items[99].options.items[1], "b");
	assert_int_equal(spec->mounts.items[99].options.n, 2);
	oci_spec_remove_mount(spec, "/m7");
	assert_int_equal(spec->mounts.n, 98);
	struct oci_mount *fresh = oci_spec_add_mount(spec, "/x", "proc", "proc", "", ',');
	assert_int_equal(fresh->options.n, 0);

	oci_spec_set_namespace(spec, OCI_NAMESPACE_PID, NULL);
	oci_spec_set_namespace(spec, OCI_NAMESPACE_NETWORK, NULL);
	oci_spec_set_namespace(spec, OCI_NAMESPACE_PID, "/p");
	assert_int_equal(spec->linux_.namespaces.n, 2);
	assert_string_equal(spec->linux_.namespaces.items[0].path, "/p");
	oci_spec_remove_namespace(spec, OCI_NAMESPACE_PID);
	assert_null(oci_spec_namespace(spec, OCI_NAMESPACE_PID));

	oci_spec_set_rlimit(spec, 7, 1, 2);
	oci_spec_set_rlimit(spec, 7, 3, 4);
	assert_int_equal(spec->process.rlimits.n, 1);
	oci_spec_set_pair(spec, &spec->annotations, "k", "1");
	oci_spec_set_pair(spec, &spec->annotations, "k", "2");
	assert_string_equal(oci_pairs_value(&spec->annotations, "k"), "2");
	assert_null(oci_pairs_value(&spec->annotations, "nosuch"));
	oci_spec_set_additional_gids(spec, NULL, 0);
	oci_spec_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_spec),
		cmocka_unit_test(forgiving),
		cmocka_unit_test(bad_specs),
		cmocka_unit_test(adders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
