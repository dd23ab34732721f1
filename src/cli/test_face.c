// SPDX-License-Identifier: Apache-2.0
// Whole command lines against an engine that only pretends: what is printed, and the exit status.
// The wanted lines are those of ctr 2.1.1 (test/golden), where ctr has the command.
#include "base/text.h"
#include "cli/cli.h"
#include "cli/test_engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define WORDS 32

struct outcome {
	int status;
	char out[65536], err[65536];
};

static void read_memory(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	assert_true(n >= 0);
	text[n] = 0;
	close(fd);
}

// In a child of its own: the program closes its standard output at its end.
static void run_line(const char *line, struct outcome *ret)
{
	auto_free char *text = alloc_string(line);
	char *words[WORDS];
	int n = 0;
	for (char *s = text; *s && n < WORDS - 1;) {
		words[n++] = s;
		s += strcspn(s, " ");
		if (*s)
			*s++ = 0;
	}
	words[n] = NULL;
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	assert_true(out >= 0 && err >= 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
			_exit(99);
		_exit(cli_main(n, words));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	ret->status = WEXITSTATUS(status);
	read_memory(out, ret->out, sizeof(ret->out));
	read_memory(err, ret->err, sizeof(ret->err));
}

struct line_case {
	const char *line;
	int status;
	const char *out, *err;
};

// `err` of NULL: not looked at.
static void compare(const struct line_case *cases, size_t n)
{
	static struct outcome o;
	for (size_t i = 0; i < n; i++) {
		run_line(cases[i].line, &o);
		if (strcmp(o.out, cases[i].out) != 0)
			fail_msg("%s:\n%s\nwanted:\n%s", cases[i].line, o.out, cases[i].out);
		if (cases[i].err && strcmp(o.err, cases[i].err) != 0)
			fail_msg("%s:\n%s\nwanted:\n%s", cases[i].line, o.err, cases[i].err);
		if (o.status != cases[i].status)
			fail_msg("%s: exit %d", cases[i].line, o.status);
	}
}

static void image_lines(void **state)
{
	(void)state;
	static const struct line_case cases[] = {
		{"ctr i ls", 0,
	         "REF                              TYPE                                       "
	         "DIGEST                                                                  SIZE       "
	         "PLATFORMS   LABELS \n"
	         "bb                               " OCI "manifest.v1+json " MANIFEST
	         " 1008.0 KiB linux/amd64 c=1,d= \n" BUSYBOX " " OCI "index.v1+json    " MANIFEST
	         " 233.0 B    -           -      \n",
	         ""},
		{"ctr i ls -q", 0, "bb\n" BUSYBOX "\n", ""},
		{"ctr i ls name==", 1, "", "ctr: failed to list images: filters: parse error\n"},
		{"coracle images ls name==", 125, "", "coracle: filters: parse error\n"},
		{"ctr i check", 0,
	         "REF                              TYPE                                       "
	         "DIGEST                                                                  STATUS     "
	         "      SIZE                  UNPACKED \n"
	         "bb                               " OCI "manifest.v1+json " MANIFEST
	         " incomplete (1/2) 307.0 B/1007.6 KiB    false\n" BUSYBOX " " OCI
	         "index.v1+json    " MANIFEST " complete (2/2)   1007.6 KiB/1007.6 KiB true\n",
	         ""},
		{"ctr i check -q", 0, BUSYBOX "\n", ""},
		{"coracle images ls --format xml", 2, "",
	         "coracle: format must be table or json\n"},
		{"ctr i rm nosuch bb", 0, "bb\n", NULL},
		{"coracle images rm nosuch bb nosuch2", 125, "bb\n",
	         "coracle: image \"nosuch\": not found\n"
	         "coracle: image \"nosuch2\": not found\n"
	         "hint: coracle images ls shows what is there\n"},
		{"coracle images rm", 2, "",
	         "coracle: an image to delete must be named\n"
	         "hint: coracle images delete --help shows the arguments\n"},
		{"ctr i rm", 0, "", ""},
		{"ctr i tag bb x:1 y:1", 0, "x:1\ny:1\n", ""},
		{"coracle images tag bb mine", 0, "docker.io/library/mine:latest\n", ""},
		{"coracle images ls -a", 2, "",
	         "coracle: unknown flag -a\n"
	         "hint: coracle images list --help shows what there is\n"},
		{"ctr i tag --local bb x:1", 1, "", "ctr: image \"x:1\": already exists\n"},
		{"ctr i tag --local --force bb x:1", 0, "x:1\n", ""},
		{"ctr i tag bb", 1, "",
	         "ctr: please provide an image reference to tag to\n"
	         "hint: ctr images tag --help shows the arguments\n"},
		{"ctr i label bb c=1", 0, "c=1,d=\n", ""},
		{"ctr i label bb c=", 0, "c=1,d=\n", ""},
		{"ctr i label bb", 0, "\n", ""},
		{"ctr i mount bb /mnt", 0, CHAIN "\n/mnt\n", ""},
		{"ctr i mount bb", 1, "", NULL},
		{"ctr i mount --rw bb /mnt", 1, "", "ctr: snapshot \"/mnt\": already exists\n"},
		{"ctr i unmount --rm /mnt", 0, "/mnt\n", ""},
		{"ctr i unmount", 1, "", NULL},
		{"coracle images import /nosuch.tar", 125, "",
	         "coracle: open /nosuch.tar: No such file or directory\n"
	         "hint: an archive is what docker save, podman save or skopeo copy write; - is "
	         "standard input\n"},
		{"coracle images import --base-name x --label a=1 /dev/null", 0,
	         BUSYBOX "        \tsaved\t\n"
	                 "x                                       \tsaved\t\n"
	                 "a=1                                     \tsaved\t\n",
	         "coracle: warning: a warning\n"},
		{"coracle --debug images import /dev/null", 125, "", NULL},
		{"coracle images import /", 125, "",
	         "coracle: /: is a directory, not an archive\n"
	         "hint: a folder with an OCI layout is imported by tar -C FOLDER -c . | coracle "
	         "images import -\n"},
	};
	compare(cases, N(cases));
}

// An archive that is refused (the engine does, with --debug) by its first bytes.
static void archive_hints(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *hint;
	} cases[] = {
		{"\xfd"
	         "7zXZ",
	         "hint: it is compressed by xz: xz -dc FILE | coracle images import -\n"},
		{"BZh9",
	         "hint: it is compressed by bzip2: bzip2 -dc FILE | coracle images import -\n"},
		{"PK\x03\x04", "hint: it is a zip archive; "},
		{"hello",
	         "hint: an archive is an OCI layout or what docker save writes, as tar, plain or "
	         "compressed by gzip or zstd\n"},
		{"", "hint: an archive is an OCI layout"},
		{"\x1f\x8b", "debug is on\n"},
	};
	static struct outcome o;
	for (size_t i = 0; i < N(cases); i++) {
		int fd = memfd_create("archive", MFD_CLOEXEC);
		size_t size = strlen(cases[i].bytes);
		assert_int_equal(write(fd, cases[i].bytes, size), (ssize_t)size);
		auto_free char *line =
			alloc_printf("coracle --debug images import /proc/self/fd/%d", fd);
		run_line(line, &o);
		close(fd);
		assert_int_equal(o.status, 125);
		auto_free char *named =
			alloc_printf("coracle: /proc/self/fd/%d: debug is on\n", fd);
		if (!strstr(o.err, named) || !strstr(o.err, cases[i].hint) ||
		    (!text_starts(cases[i].hint, "hint") && strstr(o.err, "hint")))
			fail_msg("%s", o.err);
	}
}

static void inspect_lines(void **state)
{
	(void)state;
	static const struct line_case cases[] = {
		{"ctr i inspect bb", 0,
	         BUSYBOX "\n"
	                 "│    Created: 2026-11-24 23:29:22.436625639 +0000 UTC\n"
	                 "│    Updated: 2026-11-24 23:29:22.436625639 +0000 UTC\n"
	                 "└── " OCI "manifest.v1+json @" MANIFEST " (422 bytes)\n"
	                 "    ├── " OCI "config.v1+json @" CONFIG " (307 bytes)\n"
	                 "    └── " OCI "layer.v1.tar+gzip @" LAYER " (1031478 bytes) (missing)\n",
	         ""},
		{"ctr i inspect --content bb", 0,
	         BUSYBOX "\n"
	                 "│    Created: 2026-11-24 23:29:22.436625639 +0000 UTC\n"
	                 "│    Updated: 2026-11-24 23:29:22.436625639 +0000 UTC\n"
	                 "└── " OCI "manifest.v1+json @" MANIFEST " (422 bytes)\n"
	                 "    ├── " OCI "config.v1+json @" CONFIG " (307 bytes)\n"
	                 "    │   ┌────────Labels─────────\n"
	                 "    │   │\"c\": \"1\"\n"
	                 "    │   └───────────────────────\n"
	                 "    │   ┌────────Content────────\n"
	                 "    │   │{\n"
	                 "    │   │   \"os\": \"linux\",\n"
	                 "    │   │   \"config\": {\n"
	                 "    │   │      \"Cmd\": [\n"
	                 "    │   │         \"/bin/sh\"\n"
	                 "    │   │      ]\n"
	                 "    │   │   }\n"
	                 "    │   │}\n"
	                 "    │   └───────────────────────\n"
	                 "    └── " OCI "layer.v1.tar+gzip @" LAYER " (1031478 bytes) (missing)\n",
	         ""},
		{"ctr i inspect nosuch", 1, "",
	         "ctr: image \"nosuch\": not found\nhint: ctr images ls shows what is there\n"},
	};
	compare(cases, N(cases));
}

static void snapshot_lines(void **state)
{
	(void)state;
	static const struct line_case cases[] = {
		{"ctr snapshot ls", 0,
	         "KEY                                                                     PARENT       "
	         "                                                           KIND      \n"
	         "c1                                                                      " CHAIN
	         " Committed \n"
	         "s1                                                                      " CHAIN
	         " Active    \n"
	         "s2                                                                                   "
	         "                                                           Active    \n" CHAIN
	         "                                                                         Committed \n"
	         "v1                                                                      c1           "
	         "                                                           View      \n",
	         ""},
		{"ctr snapshots tree", 0, " s2\n " CHAIN "\n  \\_ c1\n    \\_ v1\n  \\_ s1\n", ""},
		{"ctr snapshots info s2", 0,
	         "{\n"
	         "    \"Kind\": \"Active\",\n"
	         "    \"Name\": \"s2\",\n"
	         "    \"Labels\": {\n"
	         "        \"c\": \"1\"\n"
	         "    },\n"
	         "    \"Created\": \"2026-11-24T23:29:22.436625639Z\",\n"
	         "    \"Updated\": \"2026-11-24T23:29:22.436625639Z\"\n"
	         "}\n",
	         ""},
		{"ctr snapshots prepare --mounts s1 p", 0,
	         "[\n"
	         "    {\n"
	         "        \"Type\": \"overlay\",\n"
	         "        \"Source\": \"overlay\",\n"
	         "        \"Target\": \"\",\n"
	         "        \"Options\": [\n"
	         "            \"workdir=/var/lib/coracle/snapshots/overlayfs/7/work\",\n"
	         "            \"index=off\"\n"
	         "        ]\n"
	         "    }\n"
	         "]\n",
	         ""},
		{"ctr snapshots prepare s1", 0, "", ""},
		{"ctr snapshots view -t /mnt v2 c1", 0,
	         "mount -t overlay overlay /mnt -o "
	         "workdir=/var/lib/coracle/snapshots/overlayfs/7/work,index=off\n",
	         ""},
		{"ctr snapshots mount /mnt s1", 0,
	         "mount -t overlay overlay /mnt -o "
	         "workdir=/var/lib/coracle/snapshots/overlayfs/7/work,index=off\n",
	         ""},
		{"coracle snapshots mounts s1", 2, "",
	         "coracle: snapshots mounts takes <target> <key>\n"
	         "hint: coracle snapshots mounts --help shows the arguments\n"},
		{"ctr snapshots commit c1 s1", 1, "", "ctr: snapshot \"c1\": already exists\n"},
		{"ctr snapshots rm s1 c1 s2", 1, "",
	         "ctr: failed to remove \"c1\": cannot remove snapshot with child: failed "
	         "precondition\n"},
		{"coracle snapshots rm c1", 125, "",
	         "coracle: cannot remove snapshot with child: failed precondition\n"},
		{"ctr snapshots rm", 0, "", ""},
		{"coracle snapshots rm", 2, "",
	         "coracle: a snapshot to remove must be named\n"
	         "hint: coracle snapshots delete --help shows the arguments\n"},
		{"ctr snapshots usage s1 s2", 0,
	         "KEY SIZE    INODES \ns1  8.0 KiB 2      \ns2  8.0 KiB 2      \n", ""},
		{"ctr snapshots usage -b s1", 0, "KEY SIZE INODES \ns1  8192 2      \n", ""},
		{"ctr snapshots label s2 c=1", 0, "c=1,d=\n", ""},
		{"ctr snapshots unpack " MANIFEST, 0, "unpacking " MANIFEST "...done\n", ""},
		{"ctr snapshots --snapshotter nosuch ls", 1, "",
	         "ctr: snapshotter not loaded: nosuch: invalid argument\n"},
	};
	compare(cases, N(cases));
}

static void container_lines(void **state)
{
	(void)state;
	static const struct line_case cases[] = {
		{"ctr c ls", 0,
	         "CONTAINER    IMAGE                               RUNTIME                  \n"
	         "demo         " BUSYBOX "    io.containerd.runc.v2    \n"
	         "own          -                                   x                        \n",
	         ""},
		{"ctr c ls -q", 0, "demo\nown\n", ""},
		{"ctr t ls", 0, "TASK    PID      STATUS    \ndemo    24979    RUNNING\n", ""},
		{"ctr t ls -q", 0, "demo\n", ""},
		{"coracle ps -q", 0, "demo\n", ""},
		{"coracle ps -aq", 0, "demo\nown\n", ""},
		{"ctr c info demo", 0,
	         "{\n"
	         "    \"ID\": \"demo\",\n"
	         "    \"Labels\": {\n"
	         "        \"c\": \"1\"\n"
	         "    },\n"
	         "    \"Image\": \"" BUSYBOX "\",\n"
	         "    \"Runtime\": {\n"
	         "        \"Name\": \"io.containerd.runc.v2\",\n"
	         "        \"Options\": {\n"
	         "            \"type_url\": \"containerd.runc.v1.Options\"\n"
	         "        }\n"
	         "    },\n"
	         "    \"SnapshotKey\": \"demo\",\n"
	         "    \"Snapshotter\": \"overlayfs\",\n"
	         "    \"CreatedAt\": \"2026-11-24T23:29:22.436625639Z\",\n"
	         "    \"UpdatedAt\": \"2026-11-24T23:29:22.436625639Z\",\n"
	         "    \"Extensions\": {\n"
	         "        \"ctr.cni-containerd.metadata\": {\n"
	         "            \"type_url\": "
	         "\"github.com/containerd/containerd/v2/cmd/ctr/commands/NetworkMetaData\",\n"
	         "            \"value\": \"eyJFbmFibGVDbmkiOnRydWV9\"\n"
	         "        }\n"
	         "    },\n"
	         "    \"SandboxID\": \"\",\n"
	         "    \"Spec\": {\n"
	         "        \"ociVersion\": \"1.2.1\"\n"
	         "    }\n"
	         "}\n",
	         ""},
		{"ctr c info --spec demo", 0, "{\n    \"ociVersion\": \"1.2.1\"\n}\n", ""},
		{"ctr c info nosuch", 1, "",
	         "ctr: container \"nosuch\" in namespace \"default\": not found\n"},
		{"ctr c info", 1, "",
	         "ctr: container id must be provided: invalid argument\n"
	         "hint: ctr containers info --help shows the arguments\n"},
		{"ctr c rm", 1, "",
	         "ctr: must specify at least one container to delete: invalid argument\n"
	         "hint: ctr containers delete --help shows the arguments\n"},
		{"ctr c rm demo", 0, "", ""},
		{"coracle containers rm a demo b", 125, "",
	         "coracle: container \"a\" in namespace \"default\": not found\n"
	         "coracle: container \"b\" in namespace \"default\": not found\n"},
		{"coracle rm -f demo", 0, "", ""},
		{"coracle kill -9 demo", 0, "kill demo 9\n", ""},
		{"coracle tasks kill -KILL -a demo", 0, "kill demo KILL all\n", ""},
		{"coracle kill -SIGHUP demo", 0, "kill demo SIGHUP\n", ""},
		{"coracle kill -99 demo", 125, "",
	         "coracle: invalid signal: 99\n"
	         "hint: a signal is a name such as TERM, KILL or HUP, or a number from 1 to 64\n"},
		{"ctr t kill -s NOSUCH demo", 1, "",
	         "ctr: invalid signal: NOSUCH\n"
	         "hint: a signal is a name such as TERM, KILL or HUP, or a number from 1 to 64\n"},
		{"coracle kill -s 9 demo", 0, "kill demo 9\n", ""},
		{"ctr c label demo c=1", 0, "c=1,d=\n", ""},
		{"ctr t kill demo", 0, "kill demo -\n", ""},
		{"ctr t kill -s KILL -a demo", 0, "kill demo KILL all\n", ""},
		{"ctr t kill", 1, "", NULL},
	};
	compare(cases, N(cases));
}

static void run_lines(void **state)
{
	(void)state;
	static const struct line_case cases[] = {
		{"ctr run --rm --cni --env A=1,B=2 --label a=b busybox web echo -x", 137,
	         " image=busybox id=web arg=echo arg=-x env=A=1,B=2 label=a=b rm cni as-ctr "
	         "stdio=0,1,2\n",
	         ""},
		{"coracle run -v /a:/b:ro -e X= -w /w -u 1:2 --name web busybox sh", 137,
	         " image=busybox id=web arg=sh env=X= volume=/a:/b:ro cwd=/w user=1:2 stdio=0,1,2\n",
	         ""},
		{"ctr run --cpu-shares 0 --cgroup= --memory-limit 0x40 --snapshotter native b web",
	         137,
	         " image=b id=web cgroup= snapshotter=native as-ctr shares=0 memory=64 "
	         "stdio=0,1,2\n",
	         ""},
		{"ctr run --config c.json --env A=1 --rm web", 137,
	         " id=web config=c.json env=A=1 rm as-ctr stdio=0,1,2\n", NULL},
		{"coracle run --config c.json --hostname h --rm web", 137,
	         " id=web config=c.json rm stdio=0,1,2\n",
	         "coracle: warning: --hostname is ignored with --config\n"},
		{"ctr run --config c.json busybox web", 1, "",
	         "ctr: with spec config file, only container id should be provided\n"},
		{"coracle run --config c.json --name web x", 2, "",
	         "coracle: with spec config file, only container id should be provided\n"},
		{"ctr run", 1, "",
	         "ctr: image ref must be provided\nhint: ctr run --help shows the arguments\n"},
		{"ctr run busybox", 1, "",
	         "ctr: container id must be provided\nhint: ctr run --help shows the arguments\n"},
		{"coracle run busybox", 2, "", NULL},
		{"coracle run busybox --rm x", 2, "",
	         "coracle: container ID \"--rm\" begins with a dash\n"
	         "hint: flags come before the image: what stands behind it is the ID and the "
	         "command\n"},
		{"ctr run busybox --rm x", 137, " image=busybox id=--rm arg=x as-ctr stdio=0,1,2\n",
	         ""},
		{"coracle run -eX=1 -w/w -u1:2 busybox web", 137,
	         " image=busybox id=web env=X=1 cwd=/w user=1:2 stdio=0,1,2\n", ""},
		{"coracle run -e CORACLE_TEST_GIVEN -e CORACLE_TEST_NONE busybox web", 137,
	         " image=busybox id=web env=CORACLE_TEST_GIVEN=a=b env=CORACLE_TEST_NONE "
	         "stdio=0,1,2\n",
	         ""},
		{"ctr run --env CORACLE_TEST_GIVEN busybox web", 137,
	         " image=busybox id=web env=CORACLE_TEST_GIVEN as-ctr stdio=0,1,2\n", ""},
		{"ctr run --cpus NaN busybox web", 1, "",
	         "ctr: --cpus NaN: not a number of CPUs\n"},
		{"ctr run --cpu-shares -1 busybox web", 1, "",
	         "ctr: --cpu-shares -1: less than 0\n"},
		{"ctr run --env-file /dev/zero busybox web", 1, "",
	         "ctr: /dev/zero: larger than 4 MiB\n"},
		{"ctr run --env-file /nosuch busybox web", 1, "",
	         "ctr: open /nosuch: No such file or directory\n"},
		{"ctr run --seccomp-profile / busybox web", 1, "", "ctr: read /: Is a directory\n"},
		{"ctr run nosuch web", 1, "",
	         "ctr: image \"nosuch\": not found\nhint: ctr images ls shows what is there\n"},
		{"ctr run busybox web nosuch", 1, "",
	         "ctr: exec: \"nosuch\": executable file not found in $PATH\n"},
		{"coracle run busybox web nosuch", 127, "",
	         "coracle: exec: \"nosuch\": executable file not found in $PATH\n"},
		{"coracle spec busybox web", 0, "{\n    \"ociVersion\": \"1.2.1\"\n}\n", ""},
		{"coracle --timeout 5s run busybox web", 125, "",
	         "coracle: --timeout is not for run in coracle yet\n"},
	};
	compare(cases, N(cases));
}

static void house_lines(void **state)
{
	(void)state;
	static const struct line_case cases[] = {
		{"ctr ns ls", 0, "NAME    LABELS \ndefault        \nfoo     c=1    \n", ""},
		{"ctr ns ls -q", 0, "default\nfoo\n", ""},
		{"ctr ns c foo", 1, "", "ctr: namespace \"foo\": already exists\n"},
		{"ctr ns create", 1, "", NULL},
		{"ctr ns label foo a=", 0, "", ""},
		{"ctr ns rm a gone", 0, "a\ngone\n", ""},
		{"coracle namespaces rm", 2, "", NULL},
		{"coracle namespaces rm gone", 125, "",
	         "coracle: unable to delete gone: namespace \"gone\": not found\n"},
		{"coracle namespaces rm full a", 125, "a\n",
	         "coracle: unable to delete full: namespace \"full\" must be empty\n"},
		{"coracle gc --dry-run", 0,
	         "KIND        NAME    SIZE       REASON               \n"
	         "snapshot    s9      8.0 KiB    its owner is dead    \n",
	         ""},
		{"coracle --root /nosuch images ls", 125, "",
	         "coracle: no store at /nosuch\n"
	         "hint: the first coracle images import or coracle images pull makes one\n"},
		{"ctr --root /nosuch c ls", 1, "",
	         "ctr: no store at /nosuch\n"
	         "hint: the first ctr images import or ctr images pull makes one\n"},
		{"coracle --root / ps -q", 0, "demo\n", ""},
		{"/usr/bin/coracle --root /r --state /s -n x __clean web 00ab", 0, "clean web ab\n",
	         ""},
		{"coracle __clean web -1", 125, "", "coracle: instance: \"-1\" is not a number\n"},
		{"ctr --namespace= c ls", 1, "",
	         "ctr: namespace is required: failed precondition\n"},
		{"ctr -a /x.sock c ls -q", 0, "demo\nown\n",
	         "ctr: note: --address is ignored: there is no daemon\n"},
		{"ctr nosuch", 3, "",
	         "No help topic for 'nosuch'\nhint: ctr --help shows what there is\n"},
		{"coracle --version", 0, "coracle " CORACLE_VERSION "\n", ""},
		{"coracle images ls --format json", 0,
	         "[\n"
	         "    {\n"
	         "        \"name\": \"bb\",\n"
	         "        \"media_type\": \"" OCI "manifest.v1+json\",\n"
	         "        \"digest\": \"" MANIFEST "\",\n"
	         "        \"size_bytes\": 1032207,\n"
	         "        \"platforms\": [\n"
	         "            \"linux/amd64\"\n"
	         "        ],\n"
	         "        \"labels\": {\n"
	         "            \"c\": \"1\",\n"
	         "            \"d\": \"\"\n"
	         "        },\n"
	         "        \"created\": \"2026-11-24T23:29:22.436625639Z\",\n"
	         "        \"updated\": \"1970-01-01T00:00:00Z\"\n"
	         "    },\n"
	         "    {\n"
	         "        \"name\": \"" BUSYBOX "\",\n"
	         "        \"media_type\": \"" OCI "index.v1+json\",\n"
	         "        \"digest\": \"" MANIFEST "\",\n"
	         "        \"size_bytes\": 233,\n"
	         "        \"platforms\": [],\n"
	         "        \"labels\": null,\n"
	         "        \"created\": \"1970-01-01T00:00:00Z\",\n"
	         "        \"updated\": \"1970-01-01T00:00:00Z\"\n"
	         "    }\n"
	         "]\n",
	         ""},
	};
	compare(cases, N(cases));
}

// ctr's logger wrote these; the time differs.
static void log_lines(void **state)
{
	(void)state;
	static struct outcome o;
	run_line("ctr i rm nosuch", &o);
	assert_int_equal(o.status, 0);
	assert_true(text_starts(o.err, "time=\"20"));
	assert_true(text_ends(o.err, "Z\" level=warning msg=\"nosuch: image not found\"\n"));
	run_line("ctr c rm nosuch", &o);
	assert_int_equal(o.status, 1);
	assert_non_null(strstr(o.err,
	                       "level=error msg=\"failed to delete container \\\"nosuch\\\"\" "
	                       "error=\"container \\\"nosuch\\\" in namespace "
	                       "\\\"default\\\": not found\"\nctr: container \"nosuch\" in "
	                       "namespace \"default\": not found\n"));
}

int main(void)
{
	unsetenv("CONTAINERD_ADDRESS");
	unsetenv("CONTAINERD_NAMESPACE");
	unsetenv("CONTAINERD_SNAPSHOTTER");
	unsetenv("CORACLE_COMPAT");
	unsetenv("CORACLE_TEST_NONE");
	setenv("CORACLE_TEST_GIVEN", "a=b", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_lines),    cmocka_unit_test(inspect_lines),
		cmocka_unit_test(snapshot_lines), cmocka_unit_test(container_lines),
		cmocka_unit_test(run_lines),      cmocka_unit_test(house_lines),
		cmocka_unit_test(log_lines),      cmocka_unit_test(archive_hints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
