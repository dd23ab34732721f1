// SPDX-License-Identifier: Apache-2.0
// What ctr's table doesn't have: wrong flags, docker's ways, hostile user files, this machine.
#include "engine/test_spec.h"

#define TEXTS(...)                                                                           \
	{                                                                                    \
		(const char *const[]){__VA_ARGS__}, N(((const char *const[]){__VA_ARGS__})), \
	}

static void bad_flags(void **state)
{
	(void)state;
	const struct {
		struct spec_request r;
		const char *message;
	} cases[] = {
		{{.mounts = TEXTS("bind")}, "invalid mount specification: expected key=val"},
		{{.mounts = TEXTS("")}, "invalid mount specification: expected key=val"},
		{{.mounts = TEXTS("type=bind,src=/srv,dst=/x,foo=1")},
	         "mount option \"foo\" not supported"},
		{{.mounts = TEXTS("type=bind,src=/srv")},
	         "invalid mount specification: no destination"},
		{{.mounts = TEXTS("type=bind,\"src=a")},
	         "invalid mount specification: the quote isn't closed"},
		{{.mounts = TEXTS("\"src=a\"x,dst=/")},
	         "invalid mount specification: text behind a quoted field"},
		{{.mounts = TEXTS("src=a\"b,dst=/")},
	         "invalid mount specification: a quote inside a field that isn't quoted"},
		{{.volumes = TEXTS("data:/x")},
	         "volume \"data:/x\": not SRC:DST[:ro] with absolute paths"},
		{{.volumes = TEXTS("/a:/b:rx")}, "volume \"/a:/b:rx\": the mode is not ro or rw"},
		{{.uidmap = TEXTS("0:x:1"), .gidmap = TEXTS("0:0:1")},
	         "invalid host id for user namespace remapping: strconv.ParseUint: parsing \"x\": "
	         "invalid syntax"},
		{{.uidmap = TEXTS("0:0"), .gidmap = TEXTS("0:0:1")},
	         "user namespace mappings require the format `container-id:host-id:size`"},
		{{.uidmap = TEXTS("0:4294967295:1"), .gidmap = TEXTS("0:0:1")},
	         "user namespace mapping 0:4294967295:1: not a range of IDs"},
		{{.privileged_without_host_devices = true},
	         "can't use 'privileged-without-host-devices' without 'privileged' specified"},
		{{.seccomp = true, .no_seccomp = true},
	         "flags --seccomp and --no-seccomp cannot be specified together"},
		{{.seccomp_profile = "{", .seccomp = true},
	         "decoding seccomp profile failed: unexpected end of JSON input"},
		{{.seccomp_profile = "{}", .seccomp = true},
	         "seccomp profile.defaultAction: missing"},
		{{.env = TEXTS("=x")}, "environment variable \"=x\": no name before the ="},
		{{.env_file = "A=1\n=x\n"}, "environment file: line \"=x\": no name before the ="},
		{{.cpus = -1}, "cpus: not a number of processors"},
		{{.cpus = 1e9}, "cpus: not a number of processors"},
		{{.memory_limit = UINT64_MAX}, "memory-limit: more than the kernel can count"},
		{{.with_ns = TEXTS("pid:")},
	         "joining a Linux namespace using --with-ns requires the format 'nstype:path'"},
		{{.with_ns = TEXTS("pid:/a:b")},
	         "joining a Linux namespace using --with-ns requires the format 'nstype:path'"},
		{{.user = "1:2:3"}, "invalid USER value 1:2:3"},
		{{.user = "root:"}, "invalid USER value root:"},
		{{.user = "root:nosuch"}, "group \"nosuch\": no groups found"},
		{{.user = ":0"}, "user \"\": no users found"},
		{{.user = "4294967295"}, "user \"4294967295\": no users found"},
		{{.user = "-1"}, "user \"-1\": no users found"},
		{{.tmpfs = TEXTS("run")},
	         "tmpfs \"run\": not DIR[:OPTION,...] with an absolute path"},
		{{.ulimits = TEXTS("nofile")}, "ulimit \"nofile\": not NAME=SOFT[:HARD]"},
		{{.ulimits = TEXTS("nosuch=1")}, "ulimit \"nosuch=1\": not NAME=SOFT[:HARD]"},
		{{.ulimits = TEXTS("nofile=9:8")}, "ulimit \"nofile=9:8\": not NAME=SOFT[:HARD]"},
		{{.ulimits = TEXTS("core=1x")}, "ulimit \"core=1x\": not NAME=SOFT[:HARD]"},
		{{.cap_drop = TEXTS("NET_NOSUCH")}, "capability \"NET_NOSUCH\": unknown"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct spec_host host = {0};
		auto_oci_spec struct oci_spec *spec = NULL;
		auto_error struct error *e = make(&cases[i].r, BUSYBOX, &host, &spec);
		if (!e || strcmp(e->message, cases[i].message) != 0)
			print_message("%zu: %s\n", i, e ? e->message : "no error");
		assert_non_null(e);
		assert_string_equal(e->message, cases[i].message);
		assert_null(spec);
	}
}

static struct oci_spec *made(const struct spec_request *r, const char *image)
{
	struct spec_host host = {.capabilities = 0xff};
	struct oci_spec *spec = NULL;
	struct error *e = make(r, image, &host, &spec);
	if (e)
		print_message("%s\n", e->message);
	assert_null(e);
	return spec;
}

static void docker_ways(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *spec = made(
		&(struct spec_request){.entrypoint = "/bin/cat",
	                               .args = TEXTS("/x"),
	                               .tty = true,
	                               .volumes = TEXTS("/srv:/data/:ro"),
	                               .mounts = TEXTS("type=bind,src=/a,dst=rel,options=rbind"),
	                               .cap_drop = TEXTS("ALL"),
	                               .cap_add = TEXTS("net_admin"),
	                               .annotations = TEXTS("a=1", ANNOTATION_INIT "=false"),
	                               .init = true},
		"docker.io/demo/full:1");
	assert_int_equal(spec->process.args.n, 2);
	assert_string_equal(spec->process.args.items[0], "/bin/cat");
	assert_null(spec->process.args.items[2]);
	assert_string_equal(oci_spec_env(spec, "TERM"), "xterm");
	assert_true(spec->process.capabilities.bounding == UINT64_C(1) << 12);
	const struct oci_mount *m = &spec->mounts.items[7];
	assert_string_equal(m[0].destination, "/rel");
	assert_string_equal(m[1].destination, "/data");
	assert_string_equal(m[1].options.items[1], "ro");
	assert_int_equal(spec->annotations.n, 2);
	assert_string_equal(oci_pairs_value(&spec->annotations, ANNOTATION_INIT), "true");
	assert_null(oci_spec_check(spec));
}

static void docker_limits(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *spec =
		made(&(struct spec_request){.tmpfs = TEXTS("/scratch:size=1m,exec", "/plain"),
	                                    .ulimits = TEXTS("nofile=10:20", "core=-1"),
	                                    .shm_size_bytes = 1 << 20},
	             BUSYBOX);
	const struct oci_mount *m = &spec->mounts.items[spec->mounts.n - 2];
	assert_string_equal(m[0].destination, "/scratch");
	assert_string_equal(m[0].options.items[3], "size=1m");
	assert_string_equal(m[0].options.items[4], "exec");
	assert_string_equal(m[1].destination, "/plain");
	assert_int_equal(m[1].options.n, 3);
	const struct oci_rlimits *l = &spec->process.rlimits;
	assert_int_equal(l->n, 2); // the default's NOFILE was replaced
	assert_int_equal(l->items[0].soft, 10);
	assert_int_equal(l->items[0].hard, 20);
	assert_true(l->items[1].hard == UINT64_MAX);
	bool is_sized = false;
	for (size_t i = 0; i < spec->mounts.n; i++)
		for (size_t k = 0; k < spec->mounts.items[i].options.n; k++)
			is_sized |= !strcmp(spec->mounts.items[i].options.items[k], "size=1048576");
	assert_true(is_sized);
	assert_null(oci_spec_check(spec));
}

static void mounts_in_both_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text, *options; // joined by a comma
		bool coracle;
	} cases[] = {
		{"type=bind,src=/srv,dst=/x,options=rbind:ro", "rbind,ro"},
		{"type=bind,source=/srv,target=/x,readonly", "rbind,ro"},
		{"type=bind,source=/srv,target=/x,ro=true", "rbind,ro"},
		{"type=bind,source=/srv,target=/x,readonly=false", "rbind"},
		{"type=bind,src=/srv,dst=/x,options=bind,readonly", "bind,ro"},
		{"readonly,type=bind,src=/srv,dst=/x,options=ro:rbind", "ro,rbind"},
		{"type=bind,src=/srv,dst=/x,options=nosuid", "nosuid,rbind", true},
		{"type=bind,src=/srv,dst=/x,options=nosuid", "nosuid"},
		{"type=bind,src=/srv,dst=/x", "rbind", true},
		{"type=bind,src=/srv,dst=/x", ""},
		{"type=tmpfs,dst=/x,ro", "ro"},
		{"type=tmpfs,dst=/x", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_oci_spec struct oci_spec *spec =
			made(&(struct spec_request){.mounts = TEXTS(cases[i].text),
		                                    .binds_bind = cases[i].coracle},
		             BUSYBOX);
		const struct oci_mount *m = &spec->mounts.items[spec->mounts.n - 1];
		assert_string_equal(m->destination, "/x");
		auto_str struct str options = STR_LIMIT(256);
		str_add(&options, "");
		for (size_t o = 0; o < m->options.n; o++)
			str_printf(&options, "%s%s", o ? "," : "", m->options.items[o]);
		assert_string_equal(options.bytes, cases[i].options);
	}
}

static void seccomp_is_on(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *plain = made(&(struct spec_request){0}, BUSYBOX);
	assert_int_equal(plain->linux_.seccomp_kind, OCI_SECCOMP_BUILTIN);
	assert_string_equal(plain->linux_.seccomp_default_action, "SCMP_ACT_ERRNO");
	auto_free char *text = read_golden("spec-seccomp.json");
	auto_json struct json *document = parse(text);
	auto_json struct json *theirs =
		normal(json_member(json_member(document, "linux"), "seccomp"));
	auto_json struct json *ours = normal(plain->linux_.seccomp);
	assert_true(json_equal(ours, theirs));

	// Through a config.json and back it is still known as ours.
	auto_json struct json *written = oci_spec_to_json(plain);
	auto_free char *config = json_to_text(written, 4, JSON_ESCAPE_HTML);
	auto_oci_spec struct oci_spec *again = NULL;
	assert_null(oci_spec_parse(config, strlen(config), &again));
	assert_int_equal(again->linux_.seccomp_kind, OCI_SECCOMP_PROFILE);
	spec_recognise_seccomp(again);
	assert_int_equal(again->linux_.seccomp_kind, OCI_SECCOMP_BUILTIN);
	again->process.capabilities.bounding |= UINT64_C(1) << 21;
	again->linux_.seccomp_kind = OCI_SECCOMP_PROFILE;
	spec_recognise_seccomp(again);
	assert_int_equal(again->linux_.seccomp_kind, OCI_SECCOMP_PROFILE);

	auto_oci_spec struct oci_spec *open =
		made(&(struct spec_request){.privileged = true}, BUSYBOX);
	assert_int_equal(open->linux_.seccomp_kind, OCI_SECCOMP_NONE);
	auto_oci_spec struct oci_spec *own = made(
		&(struct spec_request){.privileged = true, .seccomp_profile = test_seccomp_profile},
		BUSYBOX);
	assert_int_equal(own->linux_.seccomp_kind, OCI_SECCOMP_PROFILE);
}

static void hostile_user_files(void **state)
{
	(void)state;
	static const char passwd[] =
		"#root:x:0:0\n:x:7:7::\nbad:x:zero:0::/:\nbig:x:4294967295:1::\n"
		"short:x:5\nneg:x:-1:0::\nok:x:12:13\nok:x:99:99\nlast:x:20:21::";
	static const char group[] =
		"a:x:1:last,ok,last\n\n\nb:x:nan:last\nlast:x:50:last\nc:x:3:lastly\n"
		"d:x:21:last";
	static const struct {
		const char *user, *message;
		uint32_t uid, gid;
		size_t n_gids;
	} cases[] = {
		{"ok", NULL, 12, 13, 2},
		{"last", NULL, 20, 21, 2}, // a and d, whose gid is its own
		{"20", NULL, 20, 21, 2},
		{"77", NULL, 77, 0, 1},
		{"ok:d", NULL, 12, 21, 1},
		{"bad", "user \"bad\": no users found"},
		{"big", "user \"big\": no users found"},
		{"short", "user \"short\": no users found"},
		{"neg", "user \"neg\": no users found"},
		{"ok:b", "group \"b\": no groups found"},
	};
	struct spec_source source = {.passwd = passwd,
	                             .passwd_size = sizeof(passwd) - 1,
	                             .group = group,
	                             .group_size = sizeof(group) - 1};
	for (size_t i = 0; i < N(cases); i++) {
		auto_oci_spec struct oci_spec *spec = oci_spec_new();
		auto_error struct error *e = spec_set_user(spec, cases[i].user, &source);
		if (cases[i].message) {
			assert_non_null(e);
			assert_string_equal(e->message, cases[i].message);
			continue;
		}
		assert_null(e);
		assert_int_equal(spec->process.user.uid, cases[i].uid);
		assert_int_equal(spec->process.user.gid, cases[i].gid);
		assert_int_equal(spec->process.user.n_additional_gids, cases[i].n_gids);
	}
	source.passwd = source.group = NULL;
	auto_oci_spec struct oci_spec *spec = oci_spec_new();
	assert_null(spec_set_user(spec, "", &source));
	assert_int_equal(spec->process.user.additional_gids[0], 0);
	auto_error struct error *e = spec_set_user(spec, "app", &source);
	assert_string_equal(e->message, "user \"app\": no users found");
}

static void this_machine(void **state)
{
	(void)state;
	auto_spec_host struct spec_host host = {0};
	struct spec_request r = {
		.privileged = true, .net_host = true, .devices = TEXTS("/dev/null", "/dev/zero")};
	assert_null(spec_host_look(&r, &host));
	assert_int_equal(host.n_asked, 2);
	assert_int_equal(host.asked[0].major, 1);
	assert_int_equal(host.asked[0].minor, 3);
	assert_int_equal(host.asked[0].type, 'c');
	bool null = false;
	for (size_t i = 0; i < host.n_devices; i++) {
		assert_false(text_starts(host.devices[i].path, "/dev/pts/"));
		assert_false(text_equal(host.devices[i].path, "/dev/console"));
		null = null || text_equal(host.devices[i].path, "/dev/null");
	}
	assert_true(null);
	static const struct {
		const char *device, *message;
	} cases[] = {
		{"/dev/nosuch",
	         "error stating device path: stat /dev/nosuch: no such file or directory"},
		{"vendor.com/class=name",
	         "CDI device injection failed: unresolvable CDI devices vendor.com/class=name"},
		{"/etc/passwd", "device /etc/passwd: not a device node"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct spec_host none = {0};
		auto_error struct error *e = spec_host_look(
			&(struct spec_request){.devices = {&cases[i].device, 1}}, &none);
		assert_non_null(e);
		assert_string_equal(e->message, cases[i].message);
		assert_null(none.asked);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_flags),
		cmocka_unit_test(docker_ways),
		cmocka_unit_test(docker_limits),
		cmocka_unit_test(seccomp_is_on),
		cmocka_unit_test(hostile_user_files),
		cmocka_unit_test(this_machine),
		cmocka_unit_test(mounts_in_both_forms),
	};
	golden = argc > 1 ? argv[1] : "test/golden/ctr-2.1.1";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
