// SPDX-License-Identifier: Apache-2.0
#include "cli/invocation.h"
#include "cli/report.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WORDS 32
#define N(array) (sizeof(array) / sizeof(*(array)))

struct parsed {
	struct invocation in;
	struct error *error;
	char *words[WORDS];
	char *text;
};

// Parses a line of words between blanks ("''" is an empty word), called as argv[0] says.
static void parse(struct parsed *p, const char *line)
{
	*p = (struct parsed){.text = alloc_string(line)};
	int n = 0;
	for (char *s = p->text; *s && n < WORDS - 1;) {
		p->words[n++] = s;
		s += strcspn(s, " ");
		if (*s)
			*s++ = 0;
		if (strcmp(p->words[n - 1], "''") == 0)
			*p->words[n - 1] = 0;
	}
	invocation_face(&p->in, p->words[0], NULL);
	p->error = invocation_parse(&p->in, n, p->words);
}

static void done(struct parsed *p)
{
	invocation_done(&p->in);
	error_free(p->error);
	free(p->text);
}

// Words before the flags stop, as test/golden/ctr-2.1.1/output-grammar.txt has them.
static const struct {
	const char *line, *message, *hint;
	int status;
} refused_cases[] = {
	{"ctr nosuch", "No help topic for 'nosuch'", "ctr --help shows what there is", 3},
	{"ctr c nosuch", "No help topic for 'nosuch'", "ctr containers --help shows what there is",
         3},
	{"ctr Version", "No help topic for 'Version'", "did you mean ctr version?", 3},
	{"ctr C ls", "No help topic for 'C'", "ctr --help shows what there is", 3},
	{"ctr help nosuch", "No help topic for 'nosuch'", "ctr --help shows what there is", 3},
	{"ctr --nosuch", "flag provided but not defined: -nosuch", NULL, 1},
	{"ctr --nosuch version", "flag provided but not defined: -nosuch", NULL, 1},
	{"ctr run --nosuch busybox demo", "flag provided but not defined: -nosuch",
         "ctr run --help shows what there is", 1},
	{"ctr run -nosuch busybox demo", "flag provided but not defined: -nosuch", NULL, 1},
	{"ctr run --priviledged busybox demo", "flag provided but not defined: -priviledged",
         "did you mean --privileged?", 1},
	{"ctr run -td busybox demo", "flag provided but not defined: -td", NULL, 1},
	{"ctr run -v a:b busybox demo", "flag provided but not defined: -v", NULL, 1},
	{"ctr run -e A=1 busybox demo", "flag provided but not defined: -e", NULL, 1},
	{"ctr run --volume=a:b busybox demo", "flag provided but not defined: -volume",
         "--mount type=bind,src=DIR,dst=DIR does that", 1},
	{"ctr snapshots ls --snapshotter native", "flag provided but not defined: -snapshotter",
         "--snapshotter belongs before list", 1},
	{"ctr c ls --quiet=yes", "invalid boolean value \"yes\" for -quiet: parse error",
         "ctr containers list --help shows what there is", 1},
	{"ctr -n", "flag needs an argument: -n", NULL, 1},
	{"ctr run --rm --env", "flag needs an argument: -env", NULL, 1},
	{"ctr run --cpus x a b", "invalid value \"x\" for flag -cpus: parse error", NULL, 1},
	{"ctr run --memory-limit 64m a b",
         "invalid value \"64m\" for flag -memory-limit: parse error", NULL, 1},
	{"ctr run --memory-limit -1 a b",
         "invalid value \"-1\" for flag -memory-limit: parse error", NULL, 1},
	{"ctr run --memory-limit 99999999999999999999 a b",
         "invalid value \"99999999999999999999\" for flag -memory-limit: "
         "value out of range",
         NULL, 1},
	{"ctr run --gpus x a b",
         "invalid value \"x\" for flag -gpus: strconv.ParseInt: parsing \"x\": "
         "invalid syntax",
         NULL, 1},
	{"ctr --timeout 5 c ls", "invalid value \"5\" for flag -timeout: parse error", NULL, 1},
	{"ctr ---n x", "bad flag syntax: ---n", NULL, 1},
	{"ctr --=x", "bad flag syntax: --=x", NULL, 1},
	{"ctr t checkpoint web", "tasks checkpoint: not in coracle yet",
         "ctr help shows the commands that are there", 1},
	{"ctr t checkpoint --any thing", "tasks checkpoint: not in coracle yet", NULL, 1},
	{"coracle run --gpus all a b", "run --gpus: not in coracle yet",
         "coracle run --help shows the flags that are there", 125},
	{"ctr run --gpus 3 a b", "run --gpus: not in coracle yet",
         "ctr run --help shows the flags that are there", 1},
	{"coracle run --priviledged a b", "unknown flag --priviledged",
         "did you mean --privileged?", 2},
	{"coracle run --priviledged=1 a b", "unknown flag --priviledged",
         "did you mean --privileged?", 2},
	{"coracle run -ix a b", "unknown flag -ix", NULL, 2},
	{"coracle run --env", "flag --env needs a value", NULL, 2},
	{"coracle run -ie", "flag -e needs a value", NULL, 2},
	{"coracle run --cpus x a b", "invalid value \"x\" for flag --cpus: parse error", NULL, 2},
	{"coracle imges ls", "unknown command \"imges\"", "did you mean coracle images?", 2},
	{"coracle images lst", "unknown command \"images lst\"",
         "did you mean coracle images list?", 2},
	{"coracle run --memory-limit 64q a b",
         "--memory-limit: 64q: not a size such as 4096, 512k or 10m", NULL, 2},
	{"coracle run -m 64mm a b", "--memory-limit: 64mm: not a size such as 4096, 512k or 10m",
         NULL, 2},
	{"coracle run --memory -1 a b", "--memory-limit: -1: not a size such as 4096, 512k or 10m",
         NULL, 2},
	{"coracle run --memory=m a b", "--memory-limit: m: not a size such as 4096, 512k or 10m",
         NULL, 2},
	{"coracle run --memory 99999999999t a b",
         "--memory-limit: 99999999999t: not a size such as 4096, 512k or 10m", NULL, 2},
	{"ctr run -m 64 a b", "flag provided but not defined: -m", "did you mean --memory-limit?",
         1},
	{"coracle run -net host a b", "unknown flag -net", NULL, 2},
	{"coracle run -cpu 2 a b", "unknown flag -cpu", "did you mean --cpus?", 2},
	{"coracle run -nblue a b", "unknown flag -nblue", NULL, 2},
	{"coracle run -p8080:80 a b", "unknown flag -p8080:80",
         "-p is not in coracle yet; coracle run --help shows the flags that are there", 2},
	{"coracle kill -NOSUCH web", "unknown flag -NOSUCH", NULL, 2},
	{"ctr t kill -9 web", "flag provided but not defined: -9", NULL, 1},
	{"coracle rmi busybox", "unknown command \"rmi\"", "did you mean coracle images rm?", 2},
	{"ctr rmi busybox", "No help topic for 'rmi'", "did you mean ctr images rm?", 3},
	{"coracle load x.tar", "unknown command \"load\"", "did you mean coracle images import?",
         2},
	{"coracle images load x.tar", "unknown command \"images load\"",
         "did you mean coracle images import?", 2},
	{"coracle container inspect web", "unknown command \"containers inspect\"",
         "did you mean coracle containers info?", 2},
	{"ctr restart web", "No help topic for 'restart'", NULL, 3},
	{"coracle build .", "unknown command \"build\"",
         "build is not in coracle yet; coracle help shows the commands that are there", 2},
	{"ctr build .", "No help topic for 'build'", "ctr --help shows what there is", 3},
	{"coracle volume ls", "unknown command \"volume\"", NULL, 2},
	{"coracle gb", "unknown command \"gb\"", "coracle --help shows what there is", 2},
	{"coracle kil web", "unknown command \"kil\"", "did you mean coracle kill?", 2},
	{"coracle run --network host a b", "unknown flag --network",
         "--net-host uses the network of the host, --cni gives the container its own", 2},
	{"ctr run --tmpfs /x a b", "flag provided but not defined: -tmpfs", NULL, 1},
	{"ctr run --init a b", "flag provided but not defined: -init", NULL, 1},
	{"coracle run --restart always a b", "unknown flag --restart",
         "--restart is not in coracle yet; coracle run --help shows the flags that are there", 2},
	{"ctr run --workdir / a b", "flag provided but not defined: -workdir",
         "did you mean --cwd?", 1},
	{"coracle images import a.tar b.tar c.tar", "images import: unexpected argument \"b.tar\"",
         "coracle images import --help shows the arguments", 2},
	{"ctr i import a.tar b.tar", "images import: unexpected argument \"b.tar\"",
         "ctr images import --help shows the arguments", 1},
	{"coracle gc foo", "gc: unexpected argument \"foo\"", NULL, 2},
	{"coracle version extra", "version: unexpected argument \"extra\"", NULL, 2},
	{"coracle t ls x", "tasks list: unexpected argument \"x\"", NULL, 2},
	{"coracle snapshots prepare a b c", "snapshots prepare: unexpected argument \"c\"", NULL,
         2},
	{"coracle t checkpoint web", "tasks checkpoint: not in coracle yet",
         "coracle help shows the commands that are there", 125},
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(refused_cases); i++) {
		struct parsed p;
		parse(&p, refused_cases[i].line);
		if (!p.error)
			fail_msg("%s: understood", refused_cases[i].line);
		assert_string_equal(p.error->message, refused_cases[i].message);
		assert_non_null(p.error->hint);
		if (refused_cases[i].hint)
			assert_string_equal(p.error->hint, refused_cases[i].hint);
		assert_int_equal(report_status(&p.in, p.error), refused_cases[i].status);
		done(&p);
	}
}

static void understood(void **state)
{
	(void)state;
	static const struct {
		const char *line, *path, *args; // args joined by '|'
	} cases[] = {
		{"ctr -n x c ls -q", "containers list", ""},
		{"ctr -n=default c ls -q", "containers list", ""},
		{"ctr --n default c ls -q", "containers list", ""},
		{"ctr -namespace default c ls -q", "containers list", ""},
		{"ctr container ls id==a -q", "containers list", "id==a|-q"},
		{"ctr c ls --quiet true", "containers list", "true"},
		{"ctr c ls -q -- nosuch", "containers list", "nosuch"},
		{"ctr run --rm busybox demo echo --rm -x", "run", "busybox|demo|echo|--rm|-x"},
		{"ctr run busybox --rm demo echo hi", "run", "busybox|--rm|demo|echo|hi"},
		{"ctr run --rm -- busybox demo echo", "run", "busybox|demo|echo"},
		{"ctr run --rm busybox -- demo", "run", "busybox|--|demo"},
		{"ctr run - x", "run", "-|x"},
		{"ctr i i busybox", "images inspect", "busybox"},
		{"ctr version extra", "version", "extra"},
		{"ctr image ls", "images list", ""},
		{"ctr snapshots --snapshotter native ls", "snapshots list", ""},
		{"ctr ns c -- -x", "namespaces create", "-x"},
		{"ctr snapshot mount /mnt s1", "snapshots mounts", "/mnt|s1"},
		{"coracle run -i busybox sh", "run", "busybox|sh"},
		{"coracle run -ie A=1 busybox", "run", "busybox"},
		{"coracle images ls -n other", "images list", ""},
		{"coracle snapshots ls --snapshotter native", "snapshots list", ""},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct parsed p;
		parse(&p, cases[i].line);
		if (p.error)
			fail_msg("%s: %s", cases[i].line, p.error->message);
		assert_int_equal(p.in.intention, RUN_COMMAND);
		assert_string_equal(p.in.command->path, cases[i].path);
		auto_str struct str args = STR_LIMIT(256);
		str_add(&args, "");
		for (size_t a = 0; a < p.in.n_args; a++)
			str_printf(&args, "%s%s", a ? "|" : "", p.in.args[a]);
		assert_string_equal(args.bytes, cases[i].args);
		done(&p);
	}
}

static void help_and_version(void **state)
{
	(void)state;
	static const struct {
		const char *line, *path;
		enum intention intention;
	} cases[] = {
		{"ctr", "", SHOW_HELP},
		{"ctr c", "containers", SHOW_HELP},
		{"ctr help", "", SHOW_HELP},
		{"ctr h c", "containers", SHOW_HELP},
		{"ctr c help ls", "containers list", SHOW_HELP},
		{"ctr help c ls", "containers list", SHOW_HELP},
		{"ctr c ls --help", "containers list", SHOW_HELP},
		{"ctr c ls -h", "containers list", SHOW_HELP},
		{"ctr --help run", "", SHOW_HELP},
		{"coracle run --help busybox", "run", SHOW_HELP},
		{"ctr --version", "", SHOW_VERSION},
		{"ctr -v", "", SHOW_VERSION},
		{"ctr snapshots prepare", "snapshots prepare", SHOW_HELP},
		{"ctr snapshots prepare --mounts s6 p extra", "snapshots prepare", SHOW_HELP},
		{"ctr snapshots mounts s1", "snapshots mounts", SHOW_HELP},
		{"ctr snapshots info", "snapshots info", SHOW_HELP},
		{"ctr snapshots commit c1", "snapshots commit", SHOW_HELP},
		{"ctr snapshots view", "snapshots view", SHOW_HELP},
		{"coracle snapshots view", "snapshots view", RUN_COMMAND}, // and is refused then
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct parsed p;
		parse(&p, cases[i].line);
		assert_null(p.error);
		assert_int_equal(p.in.intention, cases[i].intention);
		assert_string_equal(p.in.command->path, cases[i].path);
		done(&p);
	}
}

static void values(void **state)
{
	(void)state;
	struct parsed p;
	parse(&p, "ctr --debug run --rm --rm=false --cwd /tmp --cwd=/bin --env A=1,B=2 "
	          "--env C= --cpus 0.5 --memory-limit 0x10 busybox x");
	assert_null(p.error);
	assert_false(flag_bool(&p.in, "rm"));
	assert_true(flag_given(&p.in, "rm"));
	assert_false(flag_given(&p.in, "cni"));
	assert_true(flag_bool(&p.in, "debug"));
	assert_string_equal(flag_text(&p.in, "cwd"), "/bin");
	assert_string_equal(flag_text(&p.in, "hostname"), "");
	assert_string_equal(flag_text(&p.in, "runtime"), "io.containerd.runc.v2");
	assert_int_equal(flag_uint(&p.in, "memory-limit"), 16);
	assert_true(flag_float(&p.in, "cpus") > 0.49 && flag_float(&p.in, "cpus") < 0.51);
	assert_int_equal(flag_int(&p.in, "cpu-shares"), 1024);
	assert_int_equal(flag_duration_ns(&p.in, "timeout"), 0);
	size_t n;
	auto_free const char **env = flag_texts(&p.in, "env", &n);
	assert_int_equal(n, 2);
	assert_string_equal(env[0], "A=1,B=2");
	assert_string_equal(env[1], "C=");
	auto_error struct error *e = argument_needed(&p.in, 2, "command must be provided");
	assert_string_equal(e->message, "command must be provided");
	assert_string_equal(e->hint, "ctr run --help shows the arguments");
	assert_null(argument_needed(&p.in, 1, ""));
	assert_string_equal(argument(&p.in, 7), "");
	done(&p);
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		uint64_t bytes;
	} cases[] = {
		{"coracle run --memory-limit 64m a b", UINT64_C(64) << 20},
		{"coracle run -m 512K a b", UINT64_C(512) << 10},
		{"coracle run --memory=1g a b", UINT64_C(1) << 30},
		{"coracle run --memory 2TiB a b", UINT64_C(2) << 40},
		{"coracle run --memory 100b a b", 100},
		{"coracle run --memory 0x10 a b", 16},
		{"ctr run --memory-limit 4096 a b", 4096},
		{"ctr run a b", 0},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct parsed p;
		parse(&p, cases[i].line);
		if (p.error)
			fail_msg("%s: %s", cases[i].line, p.error->message);
		assert_int_equal(flag_uint(&p.in, "memory-limit"), cases[i].bytes);
		done(&p);
	}
}

// The nearest level answers; variables stand between the command line and the default.
static void levels_and_variables(void **state)
{
	(void)state;
	setenv("CONTAINERD_SNAPSHOTTER", "native", 1);
	setenv("CONTAINERD_NAMESPACE", "", 1);
	struct parsed p;
	parse(&p, "ctr snapshots --snapshotter overlayfs unpack sha256:0");
	assert_string_equal(flag_text(&p.in, "snapshotter"), "native"); // unpack has its own
	assert_string_equal(flag_text(&p.in, "namespace"), "default");
	done(&p);
	parse(&p, "ctr -n a snapshots --snapshotter overlayfs ls");
	assert_string_equal(flag_text(&p.in, "snapshotter"), "overlayfs");
	assert_string_equal(flag_text(&p.in, "namespace"), "a");
	done(&p);
	parse(&p, "coracle run -w /x -u 1:2 -e A=1 --name web -v /a:/b:ro busybox");
	assert_null(p.error);
	assert_string_equal(flag_text(&p.in, "cwd"), "/x");
	assert_string_equal(flag_text(&p.in, "user"), "1:2");
	assert_string_equal(flag_text(&p.in, "name"), "web");
	assert_string_equal(flag_text(&p.in, "volume"), "/a:/b:ro");
	done(&p);
	unsetenv("CONTAINERD_SNAPSHOTTER");
	unsetenv("CONTAINERD_NAMESPACE");
}

static void faces(void **state)
{
	(void)state;
	static const struct {
		const char *argv0, *compat;
		bool ctr;
	} cases[] = {
		{"ctr", NULL, true},        {"/usr/bin/ctr", NULL, true}, {"coracle", NULL, false},
		{"./coracle", "ctr", true}, {"coracle", "docker", false}, {"ctr-old", NULL, false},
		{"", NULL, false},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct invocation in = {0};
		invocation_face(&in, cases[i].argv0, cases[i].compat);
		assert_int_equal(in.ctr, cases[i].ctr);
		assert_string_equal(in.program, cases[i].ctr ? "ctr" : "coracle");
	}
}

static void statuses(void **state)
{
	(void)state;
	static const struct {
		enum error_code code;
		int status;
	} cases[] = {
		{ERROR_SYSTEM, 125},     {ERROR_USAGE, 2},       {ERROR_NOT_EXECUTABLE, 126},
		{ERROR_NO_PROGRAM, 127}, {ERROR_NOT_FOUND, 125}, {ERROR_LIMIT, 125},
	};
	struct invocation ctr = {.ctr = true}, coracle = {.ctr = false};
	for (size_t i = 0; i < N(cases); i++) {
		auto_error struct error *e = error_new(cases[i].code, "x");
		assert_int_equal(report_status(&coracle, e), cases[i].status);
		assert_int_equal(report_status(&ctr, e), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(understood),
		cmocka_unit_test(help_and_version),
		cmocka_unit_test(values),
		cmocka_unit_test(sizes),
		cmocka_unit_test(levels_and_variables),
		cmocka_unit_test(faces),
		cmocka_unit_test(statuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
