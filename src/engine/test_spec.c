// SPDX-License-Identifier: Apache-2.0
// Every row of the spec table in test/golden/ctr-2.1.1/README.md: the flags as typed, the image as
// it was, and the spec that ctr made of them. Differences on purpose are listed, and fail the test
// when they no longer differ.
#include "engine/spec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

static const char *golden; // the folder

// clang-format off
static const struct {
	const char *name, *config;
} images[] = {
	{ "docker.io/library/busybox:latest",
	  "\"Cmd\":[\"/bin/sh\"],\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]" },
	{ "docker.io/demo/full:1",
	  "\"Entrypoint\":[\"/bin/echo\",\"entry\"],\"Cmd\":[\"cmd\"],\"WorkingDir\":\"/app/dir\",\"User\":\"app\","
	  "\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"A=image\"],"
	  "\"Labels\":{\"org.example.l\":\"1\",\"dup\":\"image\"},\"StopSignal\":\"SIGQUIT\"" },
	{ "docker.io/demo/empty:1", "" },
	{ "docker.io/demo/uid:1", "\"User\":\"1000\",\"Cmd\":[\"id\"]" },
	{ "docker.io/demo/baduser:1", "\"User\":\"ghost:1\"" },
};
static const char plain_passwd[] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
static const char plain_group[] = "root:x:0:\nnogroup:x:65534:\n";
static const char demo_passwd[] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
				  "app:x:1000:1000::/home:/bin/sh\n";
static const char demo_group[] = "root:x:0:\nnogroup:x:65534:\nwheel:x:10:root,app\naudio:x:29:app\napp:x:1000:\n";
static const char env_file[] = "# comment\nFROM_FILE=1\nHOME2=/x y\nEMPTY=\n\nNAKED\n";
static const char profile[] =
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
	"\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1}]}";

// Made by other rooms: no matter for a spec.
static const char *const elsewhere[] = {
	"gpus", "apparmor-default-profile", "blockio-class", "blockio-config-missing", "platform-bad",
	"snapshotter-bad", "runc-systemd-cgroup", "config", "device-missing", "device-cdi-missing",
};
// What we do otherwise on purpose: ours, as a message or a jq-like path = JSON.
static const struct {
	const char *name, *message, *member, *ours;
} deviations[] = {
	{ "env", NULL, "env", "[\"PATH=/bin\",\"A=2\",\"B=\",\"C=x y\"]" },
	{ "tty-env-term", NULL, "env",
	  "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=vt100\"]" },
	{ "cpu-quota", NULL, "cpu", "{\"shares\":1024,\"quota\":50000}" },
	{ "uidmap-alone", "flags --uidmap and --gidmap must be specified together" },
	{ "cap-add-unknown", "capability \"CAP_NOSUCH\": unknown" },
	{ "user-unknown", "user \"nosuch\": no users found" },
	{ "image-user-unknown", "user \"ghost\": no users found" },
};
// clang-format on

// ---- The flags ----------------------------------------------------------------------------------

static void split(const char *line, struct strings *ret)
{
	while (*line) {
		auto_str struct str word = STR_LIMIT(4096);
		bool any = false;
		for (; *line == ' '; line++)
			;
		for (char quote = 0; *line && (quote || *line != ' '); line++) {
			any = true;
			if (*line == '\\' && quote)
				str_add_char(&word, *++line);
			else if (*line == '"')
				quote = quote ? 0 : '"';
			else
				str_add_char(&word, *line);
		}
		if (any)
			strings_adopt(ret, str_take(&word));
	}
}

struct parsed {
	struct spec_request r;
	const char *image;
	bool seccomp;
	const char *(*pool)[16];
	size_t n_pool;
};

static void add_text(struct parsed *p, struct spec_texts *list, const char *text)
{
	if (!list->n)
		list->items = p->pool[p->n_pool++];
	const char **items = (const char **)(uintptr_t)list->items;
	items[list->n++] = text;
}

static bool list_flag(struct parsed *p, const char *flag, const char *value)
{
	struct {
		const char *flag;
		struct spec_texts *list;
	} flags[] = {
		{"--env", &p->r.env},
		{"--label", &p->r.labels},
		{"--annotation", &p->r.annotations},
		{"--mount", &p->r.mounts},
		{"--with-ns", &p->r.with_ns},
		{"--cap-add", &p->r.cap_add},
		{"--cap-drop", &p->r.cap_drop},
		{"--device", &p->r.devices},
		{"--uidmap", &p->r.uidmap},
		{"--gidmap", &p->r.gidmap},
	};
	for (size_t i = 0; i < N(flags); i++)
		if (!strcmp(flags[i].flag, flag)) {
			add_text(p, flags[i].list, value);
			return true;
		}
	return false;
}

static bool text_flag(struct parsed *p, const char *flag, const char *value)
{
	const char *ignored = NULL;
	struct {
		const char *flag;
		const char **value;
	} flags[] = {
		{"--cwd", &p->r.cwd},
		{"--user", &p->r.user},
		{"-u", &p->r.user},
		{"--hostname", &p->r.hostname},
		{"--cgroup", &p->r.cgroup},
		{"--rootfs-propagation", &p->r.rootfs_propagation},
		{"--rdt-class", &p->r.rdt_class},
		{"--apparmor-profile", &p->r.apparmor_profile},
		{"--cpuset-cpus", &p->r.cpuset_cpus},
		{"--cpuset-mems", &p->r.cpuset_mems},
		{"--log-uri", &ignored},
		{"--fifo-dir", &ignored},
		{"--pid-file", &ignored},
		{"--snapshotter", &ignored},
		{"--snapshotter-label", &ignored},
		{"--runtime", &ignored},
		{"--runc-binary", &ignored},
		{"--runc-root", &ignored},
		{"--sandbox", &ignored},
		{"--platform", &ignored},
	};
	for (size_t i = 0; i < N(flags); i++)
		if (!strcmp(flags[i].flag, flag)) {
			*flags[i].value = value;
			return true;
		}
	if (!strcmp(flag, "--env-file"))
		p->r.env_file = env_file;
	else if (!strcmp(flag, "--seccomp-profile"))
		p->r.seccomp_profile = profile;
	else
		return false;
	return true;
}

static bool number_flag(struct parsed *p, const char *flag, const char *value)
{
	uint64_t n = 0;
	if (!strcmp(flag, "--cpus")) {
		p->r.cpus = strtod(value, NULL);
		return true;
	}
	bool known = true;
	auto_error struct error *e = text_parse_u64(value, 10, UINT64_MAX, &n);
	if (!strcmp(flag, "--memory-limit"))
		p->r.memory_limit = n;
	else if (!strcmp(flag, "--cpu-shares"))
		p->r.cpu_shares = (struct oci_u64){true, n};
	else if (!strcmp(flag, "--cpu-quota"))
		p->r.cpu_quota = (struct oci_i64){true, (int64_t)n};
	else if (!strcmp(flag, "--cpu-period"))
		p->r.cpu_period = n;
	else
		known = false;
	return known;
}

static bool bool_flag(struct parsed *p, const char *flag)
{
	bool ignored = false;
	struct {
		const char *flag;
		bool *value;
	} flags[] = {
		{"--net-host", &p->r.net_host},
		{"--privileged", &p->r.privileged},
		{"--privileged-without-host-devices", &p->r.privileged_without_host_devices},
		{"--read-only", &p->r.read_only},
		{"-t", &p->r.tty},
		{"--allow-new-privs", &p->r.allow_new_privs},
		{"--seccomp", &p->r.seccomp},
		{"--rootfs", &p->r.has_rootfs},
		{"--cni", &ignored},
		{"--no-pivot", &ignored},
		{"--null-io", &ignored},
		{"--sync-fs", &ignored},
		{"--remap-labels", &ignored},
	};
	for (size_t i = 0; i < N(flags); i++)
		if (!strcmp(flags[i].flag, flag)) {
			*flags[i].value = true;
			return true;
		}
	return false;
}

static void parse_command(const struct strings *words, struct parsed *p)
{
	size_t i = 2; // ctr run
	for (; i < words->n && words->items[i][0] == '-'; i++) {
		const char *flag = words->items[i];
		if (bool_flag(p, flag))
			continue;
		const char *value = words->items[++i];
		if (!list_flag(p, flag, value) && !text_flag(p, flag, value) &&
		    !number_flag(p, flag, value)) {
			print_message("unknown flag %s\n", flag);
			fail();
		}
	}
	p->image = words->items[i];
	for (i += 2; i < words->n; i++)
		add_text(p, &p->r.args, words->items[i]);
	p->r.profile_needs_seccomp = p->r.cap_prefix_required = true;
	p->r.no_seccomp = !p->r.seccomp && !p->r.seccomp_profile; // off there, on here
}

// ---- The comparison -----------------------------------------------------------------------------

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

// Arrays that are sets: names of calls, capabilities, gids.
static bool is_set(const char *key)
{
	static const char *const sets[] = {"bounding",    "effective", "permitted",
	                                   "inheritable", "names",     "additionalGids"};
	for (size_t i = 0; i < N(sets); i++)
		if (!strcmp(sets[i], key))
			return true;
	return false;
}

static struct json *normal(const struct json *value, const char *key)
{
	const char *name;
	const struct json *member;
	if (json_kind(value) == JSON_OBJECT) {
		struct json *o = json_new_object();
		for (struct json_cursor at = {0}; json_next(value, &at, &name, &member);)
			json_set(o, name, normal(member, name));
		return o;
	}
	if (json_kind(value) != JSON_ARRAY)
		return json_copy(value);
	struct json *array = json_new_array();
	auto_strings struct strings texts = {0};
	for (size_t i = 0; i < json_size(value); i++) {
		if (is_set(key))
			strings_adopt(&texts, json_to_text(json_item(value, i), 0, JSON_PLAIN));
		else
			json_append(array, normal(json_item(value, i), ""));
	}
	if (texts.n)
		qsort(texts.items, texts.n, sizeof(*texts.items), by_text);
	for (size_t i = 0; i < texts.n; i++)
		json_append_string(array, texts.items[i]);
	return array;
}

static char *read_file(const char *name)
{
	auto_free char *path = alloc_printf("%s/%s", golden, name);
	FILE *f = fopen(path, "re");
	if (!f)
		print_message("%s: not there\n", path);
	assert_non_null(f);
	char *text = alloc((size_t)1 << 20);
	size_t n = fread(text, 1, ((size_t)1 << 20) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

static struct json *parse(const char *text)
{
	struct json *value = NULL;
	assert_null(json_parse(text, strlen(text), 1 << 20, &value));
	return value;
}

// ---- The machine --------------------------------------------------------------------------------

static void fill_devices(const struct json *spec, struct spec_host *host, bool asked)
{
	const struct json *list = json_member(json_member(spec, "linux"), "devices");
	size_t n = json_size(list);
	struct spec_host_device *devices = alloc_array(n, sizeof(*devices));
	for (size_t i = 0; i < n; i++) {
		const struct json *d = json_item(list, i);
		uint64_t v[5] = {0};
		static const char *const keys[] = {"major", "minor", "fileMode", "uid", "gid"};
		for (size_t k = 0; k < 5; k++)
			assert_null(json_get_u64(d, NULL, keys[k], UINT32_MAX, &v[k]));
		devices[i] = (struct spec_host_device){
			alloc_string(json_text(json_member(d, "path"))),
			*json_text(json_member(d, "type")),
			(uint32_t)v[0],
			(uint32_t)v[1],
			(uint32_t)v[2],
			(uint32_t)v[3],
			(uint32_t)v[4],
		};
	}
	*(asked ? &host->asked : &host->devices) = devices;
	*(asked ? &host->n_asked : &host->n_devices) = n;
}

static fallible make(const struct parsed *p, const struct spec_host *host, struct oci_spec **ret)
{
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config image;
	struct spec_source source = {.ns = "default", .id = "demo"};
	bool demo = strstr(p->image, "/demo/");
	source.passwd = demo ? demo_passwd : plain_passwd;
	source.group = demo ? demo_group : plain_group;
	source.passwd_size = strlen(source.passwd);
	source.group_size = strlen(source.group);
	if (p->r.has_rootfs)
		source.rootfs = "/srv/rootfs";
	for (size_t i = 0; i < N(images); i++) {
		if (strcmp(images[i].name, p->image) != 0)
			continue;
		auto_free char *text = alloc_printf(
			"{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{%s}}",
			images[i].config);
		assert_null(oci_config_parse(text, strlen(text), arena, &image));
		source.image = &image;
	}
	auto_strings struct strings warnings = {0};
	return spec_make(&p->r, &source, host, &warnings, ret);
}

static void replace_member(struct json *value, const char *key, const char *text)
{
	struct json *process = (struct json *)(uintptr_t)json_member(value, "process");
	struct json *resources =
		(struct json *)(uintptr_t)json_member(json_member(value, "linux"), "resources");
	json_set(!strcmp(key, "env") ? process : resources, key, parse(text));
}

static void check_spec(const char *name, const struct oci_spec *spec, const struct json *wanted)
{
	auto_json struct json *made = oci_spec_to_json(spec);
	auto_json struct json *a = normal(made, ""), *b = normal(wanted, "");
	for (size_t i = 0; i < N(deviations); i++)
		if (!strcmp(deviations[i].name, name)) {
			assert_false(json_equal(a, b)); // else it's none any more
			replace_member(b, deviations[i].member, deviations[i].ours);
		}
	if (json_equal(a, b))
		return;
	auto_free char *x = json_to_text(a, 2, JSON_SORT_KEYS),
		       *y = json_to_text(b, 2, JSON_SORT_KEYS);
	size_t same = 0;
	while (x[same] && x[same] == y[same])
		same++;
	while (same && x[same] != '\n')
		same--;
	print_message("%s: ours:%.300s\n---- ctr's:%.300s\n", name, x + same, y + same);
	fail();
}

static const char *wanted_message(const char *name, const char *stderr_text)
{
	for (size_t i = 0; i < N(deviations); i++)
		if (!strcmp(deviations[i].name, name) && deviations[i].message)
			return deviations[i].message;
	return stderr_text;
}

static void run_case(const char *name, const char *command, const char *file, const char *message)
{
	const char *pool[16][16];
	struct parsed p = {.pool = pool};
	auto_strings struct strings words = {0};
	split(command, &words);
	parse_command(&words, &p);
	auto_json struct json *wanted = NULL;
	if (text_starts(file, "spec-")) {
		auto_free char *text = read_file(file);
		wanted = parse(text);
	}
	auto_spec_host struct spec_host host = {.hostname = alloc_string("host1"),
	                                        .capabilities = 0x1fffeffffff};
	fill_devices(wanted, &host, p.r.devices.n);
	auto_oci_spec struct oci_spec *spec = NULL;
	auto_error struct error *e = make(&p, &host, &spec);
	message = wanted_message(name, wanted ? NULL : message);
	if (message) {
		if (!e || strcmp(e->message, message) != 0)
			print_message("%s: %s, not %s\n", name, e ? e->message : "no error",
			              message);
		assert_non_null(e);
		assert_string_equal(e->message, message);
		return;
	}
	if (e)
		print_message("%s: %s\n", name, e->message);
	assert_null(e);
	check_spec(name, spec, wanted);
}

// Cuts "`ctr: text\n`" down to the text.
static char *message_of(const char *cell)
{
	const char *start = strstr(cell, "ctr: ");
	if (!start)
		return alloc_string("");
	start += 5;
	const char *end = strstr(start, "\\n");
	return alloc_bytes(start, end ? (size_t)(end - start) : strlen(start));
}

static bool is_elsewhere(const char *name)
{
	for (size_t i = 0; i < N(elsewhere); i++)
		if (!strcmp(elsewhere[i], name))
			return true;
	return false;
}

// A row: | name | `command` | spec | stdout | stderr | exit |
static bool run_row(const char *row)
{
	auto_strings struct strings cells = {0};
	while (text_starts(row, "| ") && strchr(row + 2, '|')) {
		const char *end = strstr(row + 1, " |");
		strings_adopt(&cells,
		              alloc_bytes(row + 2, end > row + 2 ? (size_t)(end - row - 2) : 0));
		row = end + 1;
	}
	if (cells.n < 5 || !text_starts(cells.items[1], "`ctr run"))
		return false;
	if (is_elsewhere(cells.items[0]))
		return true;
	auto_free char *command = alloc_bytes(cells.items[1] + 1, strlen(cells.items[1]) - 2);
	auto_free char *message = message_of(cells.items[4]);
	run_case(cells.items[0], command, cells.items[2], message);
	return true;
}

static void golden_cases(void **state)
{
	(void)state;
	auto_free char *text = read_file("README.md");
	size_t n = 0;
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		n += run_row(line);
	}
	assert_int_equal(n, 109);
}

// ---- What the table doesn't have ----------------------------------------------------------------

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
		{{.cap_drop = TEXTS("NET_NOSUCH")}, "capability \"NET_NOSUCH\": unknown"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct parsed p = {.r = cases[i].r, .image = images[0].name};
		struct spec_host host = {0};
		auto_oci_spec struct oci_spec *spec = NULL;
		auto_error struct error *e = make(&p, &host, &spec);
		if (!e || strcmp(e->message, cases[i].message) != 0)
			print_message("%zu: %s\n", i, e ? e->message : "no error");
		assert_non_null(e);
		assert_string_equal(e->message, cases[i].message);
		assert_null(spec);
	}
}

static struct oci_spec *made(const struct spec_request *r, const char *image)
{
	struct parsed p = {.r = *r, .image = image};
	struct spec_host host = {.capabilities = 0xff};
	struct oci_spec *spec = NULL;
	struct error *e = make(&p, &host, &spec);
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
	                               .cap_add = TEXTS("net_admin")},
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
	assert_null(oci_spec_check(spec));
}

static void seccomp_is_on(void **state)
{
	(void)state;
	auto_oci_spec struct oci_spec *plain = made(&(struct spec_request){0}, images[0].name);
	assert_int_equal(plain->linux_.seccomp_kind, OCI_SECCOMP_BUILTIN);
	assert_string_equal(plain->linux_.seccomp_default_action, "SCMP_ACT_ERRNO");
	auto_free char *text = read_file("spec-seccomp.json");
	auto_json struct json *document = parse(text);
	auto_json struct json *theirs =
		normal(json_member(json_member(document, "linux"), "seccomp"), "");
	auto_json struct json *ours = normal(plain->linux_.seccomp, "");
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
		made(&(struct spec_request){.privileged = true}, images[0].name);
	assert_int_equal(open->linux_.seccomp_kind, OCI_SECCOMP_NONE);
	auto_oci_spec struct oci_spec *own =
		made(&(struct spec_request){.privileged = true, .seccomp_profile = profile},
	             images[0].name);
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
		cmocka_unit_test(golden_cases),       cmocka_unit_test(bad_flags),
		cmocka_unit_test(docker_ways),        cmocka_unit_test(seccomp_is_on),
		cmocka_unit_test(hostile_user_files), cmocka_unit_test(this_machine),
	};
	golden = argc > 1 ? argv[1] : "test/golden/ctr-2.1.1";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
