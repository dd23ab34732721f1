// SPDX-License-Identifier: Apache-2.0
// Every row of the spec table in test/golden/ctr-2.1.1/README.md: the flags as typed, the image as
// it was, and the spec that ctr made of them. Differences on purpose are listed, and fail the test
// when they no longer differ.
#include "engine/test_spec.h"

// clang-format off
static const char env_file[] = "# comment\nFROM_FILE=1\nHOME2=/x y\nEMPTY=\n\nNAKED\n";

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
		p->r.seccomp_profile = test_seccomp_profile;
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
	auto_json struct json *a = normal(made), *b = normal(wanted);
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
		auto_free char *text = read_golden(file);
		wanted = parse(text);
	}
	auto_spec_host struct spec_host host = {.hostname = alloc_string("host1"),
	                                        .capabilities = 0x1fffeffffff};
	fill_devices(wanted, &host, p.r.devices.n);
	auto_oci_spec struct oci_spec *spec = NULL;
	auto_error struct error *e = make(&p.r, p.image, &host, &spec);
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
	auto_free char *text = read_golden("README.md");
	size_t n = 0;
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		n += run_row(line);
	}
	assert_int_equal(n, 109);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(golden_cases)};
	golden = argc > 1 ? argv[1] : "test/golden/ctr-2.1.1";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
