// SPDX-License-Identifier: Apache-2.0
// What a container is inside, its streams, its exit code, its errors. Deaths are in test_deaths.c,
// hostile roots in test_attacks.c.
#include "runtime/test_fixture.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

static struct fixture fixture;
static bool is_possible;

static void need_fixture(void)
{
	if (!is_possible)
		skip();
}

static void show(const struct outcome *o)
{
	if (o->error)
		printf("error: %s\n", o->error->message);
	printf("code %d, output:\n%s", o->code, o->out);
}

static void expect(const char *script, const char *out, int code)
{
	struct outcome o;
	fixture_sh(&fixture, script, &o);
	if (o.error || strcmp(o.out, out) != 0 || o.code != code) {
		printf("script: %s\n", script);
		show(&o);
	}
	assert_null(o.error);
	assert_string_equal(o.out, out);
	assert_int_equal(o.code, code);
}

static void expect_life(struct life *l, const char *out, int code)
{
	struct outcome o;
	life_run(l, &o);
	life_done(&fixture, l);
	if (o.error || (out && strcmp(o.out, out) != 0) || o.code != code)
		show(&o);
	assert_null(o.error);
	if (out)
		assert_string_equal(o.out, out);
	assert_int_equal(o.code, code);
}

static void expect_error(struct life *l, enum error_code code, const char *message)
{
	struct outcome o;
	life_run(l, &o);
	life_done(&fixture, l);
	if (!o.error)
		show(&o);
	assert_non_null(o.error);
	assert_string_equal(o.error->message, message);
	assert_int_equal(o.error->code, code);
	error_free(o.error);
}

static struct life shell(const char *script)
{
	struct life l;
	life_make(&fixture, &l, (const char *const[]){"sh", "-c", script, NULL});
	return l;
}

// ---- Exit codes, errors -------------------------------------------------------------------------

static void test_exit_codes(void **state)
{
	(void)state;
	need_fixture();
	expect("exit 7", "", 7);
	expect("exit 0", "", 0);
	expect("exit 255", "", 255);
	expect("echo a; echo b >&2", "a\nb\n", 0);
	expect("sh -c 'kill -9 $$'; exit $?", "Killed\n", 137);
	expect("kill -9 $$; exit 3", "", 3); // pid 1 can't kill itself
}

static void test_programs(void **state)
{
	(void)state;
	need_fixture();
	static const struct {
		const char *program;
		enum error_code code;
		const char *message;
	} rows[] = {
		{"nosuch", ERROR_NO_PROGRAM,
	         "exec: \"nosuch\": executable file not found in $PATH"},
		{"/nosuch", ERROR_NO_PROGRAM,
	         "exec: \"/nosuch\": stat /nosuch: no such file or directory"},
		{"/etc/passwd/x", ERROR_NO_PROGRAM,
	         "exec: \"/etc/passwd/x\": stat /etc/passwd/x: no such file or directory"},
		{"/etc/passwd", ERROR_NOT_EXECUTABLE, "exec: \"/etc/passwd\": permission denied"},
		{"/etc", ERROR_NOT_EXECUTABLE, "exec: \"/etc\": permission denied"},
		{"/bin/noloader", ERROR_NO_PROGRAM,
	         "exec: \"/bin/noloader\": no such file or directory"},
		{"/bin/garbage", ERROR_NOT_EXECUTABLE, "exec: \"/bin/garbage\": exec format error"},
	};
	int fd = openat(fixture.lower, "bin/noloader", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "#!/nosuch\n", 10), 10);
	close(fd);
	fd = openat(fixture.lower, "bin/garbage", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "\1\2\3\4", 4), 4);
	close(fd);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct life l;
		life_make(&fixture, &l, (const char *const[]){rows[i].program, "x", NULL});
		expect_error(&l, rows[i].code, rows[i].message);
	}
}

// The search takes the spec's PATH, in order, and passes over folders that aren't absolute.
static void test_search(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	life_make(&fixture, &l, (const char *const[]){"true", NULL});
	oci_spec_set_env(l.spec, "PATH=/etc:/nosuch::bin:/bin");
	expect_life(&l, "", 0);
	life_make(&fixture, &l, (const char *const[]){"true", NULL});
	oci_spec_set_env(l.spec, "PATH=bin:.:");
	expect_error(&l, ERROR_NO_PROGRAM, "exec: \"true\": executable file not found in $PATH");
	life_make(&fixture, &l, (const char *const[]){"passwd", NULL});
	oci_spec_set_env(l.spec, "PATH=/nosuch:/etc:/bin");
	expect_error(&l, ERROR_NOT_EXECUTABLE, "exec: \"passwd\": permission denied");
}

static void test_terminal_to_a_file(void **state)
{
	(void)state;
	need_fixture();
	char text[64] = "";
	auto_fd int file = memfd_create("log", MFD_CLOEXEC);
	struct life l = shell("echo out; echo err >&2");
	l.spec->process.terminal = true;
	l.request.log = (struct runtime_log){.kind = RUNTIME_LOG_FILE, .fd = file};
	expect_life(&l, "", 0);
	assert_true(pread(file, text, sizeof text - 1, 0) > 0);
	assert_string_equal(text, "out\r\nerr\r\n");
}

static void test_refusals(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("true");
	oci_spec_set_namespace(l.spec, OCI_NAMESPACE_NETWORK, "/nosuch");
	expect_error(&l, ERROR_NOT_FOUND,
	             "namespace path: lstat /nosuch: no such file or directory");
	l = shell("true");
	oci_spec_set_namespace(l.spec, OCI_NAMESPACE_NETWORK, "/proc/self/ns/uts");
	expect_error(&l, ERROR_INVALID,
	             "namespace path: /proc/self/ns/uts: not a network namespace");
	l = shell("true");
	oci_spec_add_mount(l.spec, "/x", "bind", "/nosuch", "rbind", ',');
	expect_error(&l, ERROR_NOT_FOUND,
	             "error mounting \"/nosuch\" to rootfs at \"/x\": "
	             "stat /nosuch: no such file or directory");
	l = shell("true");
	oci_spec_add_mount(l.spec, "/x", "nosuchfs", "none", "", ',');
	expect_error(&l, ERROR_SYSTEM,
	             "error mounting \"none\" to rootfs at \"/x\": No such device");
	l = shell("true");
	oci_spec_add_mount(l.spec, "/x", "tmpfs", "tmpfs", "nosuch=1", ',');
	expect_error(&l, ERROR_SYSTEM,
	             "error mounting \"tmpfs\" to rootfs at \"/x\": "
	             "tmpfs: Unknown parameter 'nosuch'");
	l = shell("true");
	oci_spec_set_rlimit(l.spec, RLIMIT_NOFILE, 1 << 30, 1 << 30);
	expect_error(&l, ERROR_SYSTEM, "limit RLIMIT_NOFILE: Operation not permitted");
	l = shell("true");
	oci_spec_set_pair(l.spec, &l.spec->linux_.sysctl, "kernel.core_pattern", "x");
	expect_error(&l, ERROR_INVALID,
	             "sysctl \"kernel.core_pattern\" is not in a separate kernel namespace");
	l = shell("true");
	l.request.shim_program = "/nosuch/coracle-shim";
	expect_error(&l, ERROR_SYSTEM, "/nosuch/coracle-init: No such file or directory");
	l = shell("true");
	l.spec->linux_.rootfs_propagation = oci_spec_string(l.spec, "nosuch");
	expect_error(&l, ERROR_INVALID, "rootfsPropagation=nosuch is not supported");
	l = shell("true");
	oci_spec_remove_namespace(l.spec, OCI_NAMESPACE_UTS);
	l.spec->hostname = oci_spec_string(l.spec, "x");
	expect_error(&l, ERROR_INVALID,
	             "hostname: can't be set without a UTS namespace of its own");
}

// ---- Inside -------------------------------------------------------------------------------------

#define STATUS \
	"grep -E '^(Umask|Uid|Gid|Groups|NSpid|NSsid|Sig[BIC]|Cap|NoNew|Seccomp:)' /proc/self/status"

static void test_status(void **state)
{
	(void)state;
	need_fixture();
	static const char common[] = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
				     "SigCgt:\t0000000000000000\nCapInh:\t0000000000000000\n";
	char want[1024];
	struct life l;
	life_make(&fixture, &l, (const char *const[]){"sh", "-c", "exec " STATUS, NULL});
	snprintf(want, sizeof want,
	         "Umask:\t0022\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t0 \nNSpid:\t1\n"
	         "NSsid:\t1\n%sCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
	         "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
	         "Seccomp:\t2\n",
	         common);
	const uint32_t groups[] = {0};
	oci_spec_set_additional_gids(l.spec, groups, 1);
	expect_life(&l, want, 0);

	life_make(&fixture, &l, (const char *const[]){"sh", "-c", "exec " STATUS, NULL});
	l.spec->process.user.uid = l.spec->process.user.gid = 1000;
	l.spec->process.user.umask = (struct oci_u64){true, 077};
	snprintf(want, sizeof want,
	         "Umask:\t0077\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n"
	         "Groups:\t \nNSpid:\t1\nNSsid:\t1\n%sCapPrm:\t0000000000000000\n"
	         "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n"
	         "CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n",
	         common);
	expect_life(&l, want, 0);
}

// Below an init that stays the program is what it would be as pid 1, with a filter that is in
// force in init, too.
static void test_init_stays(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("exec grep -E '^(NSpid|NSpgid|NSsid|Sig[BIC]|CapP|Seccomp:)' "
	                      "/proc/self/status");
	l.request.init_stays = true;
	l.spec->process.user.uid = 1000;
	expect_life(&l,
	            "NSpid:\t2\nNSpgid:\t2\nNSsid:\t1\nSigBlk:\t0000000000000000\n"
	            "SigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n"
	            "CapPrm:\t0000000000000000\nSeccomp:\t2\n",
	            0);
	l = shell("grep Seccomp: /proc/1/status; exit 9");
	l.request.init_stays = true;
	expect_life(&l, "Seccomp:\t2\n", 9);
	l = shell("kill -9 $$");
	l.request.init_stays = true;
	expect_life(&l, "", 137);
	life_make(&fixture, &l, (const char *const[]){"nosuch", NULL});
	l.request.init_stays = true;
	expect_error(&l, ERROR_NO_PROGRAM, "exec: \"nosuch\": executable file not found in $PATH");
}

// Ambient and inheritable ones only if the spec says so; then they are kept.
static void test_ambient(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status");
	l.spec->process.user.uid = 1000;
	l.spec->process.capabilities.inheritable = l.spec->process.capabilities.ambient = 0x2001;
	expect_life(&l,
	            "CapInh:\t0000000000002001\nCapPrm:\t0000000000002001\n"
	            "CapEff:\t0000000000002001\nCapAmb:\t0000000000002001\n",
	            0);
	l = shell("grep -E '^Cap' /proc/self/status");
	l.spec->process.capabilities.set = false;
	expect_life(&l,
	            "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
	            "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
	            "CapAmb:\t0000000000000000\n",
	            0);
}

// A program with file capabilities gets them as the container's own process of a user who isn't
// root, although new privileges are forbidden.
static void test_file_capabilities(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	life_make(
		&fixture, &l,
		(const char *const[]){"/bin/capable", "grep", "CapEff", "/proc/self/status", NULL});
	l.spec->process.user.uid = 1000;
	int from = openat(fixture.lower, "bin/busybox", O_RDONLY | O_CLOEXEC);
	int to = openat(fixture.lower, "bin/capable", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char bytes[65536];
	for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;)
		assert_int_equal(write(to, bytes, (size_t)n), n);
	// vfs_cap_data revision 2, effective, CAP_NET_RAW permitted
	const uint32_t cap[] = {0x02000001, 1 << 13, 0, 0, 0};
	assert_int_equal(fsetxattr(to, "security.capability", cap, sizeof cap, 0), 0);
	close(from);
	close(to);
	// Its argv[0] must name an applet for busybox.
	l.spec->process.args.items[0] = oci_spec_string(l.spec, "/bin/capable/../capable");
	oci_spec_set_strings(l.spec, &l.spec->process.args,
	                     (const char *const[]){"/bin/busybox-capable", "grep", "CapEff",
	                                           "/proc/self/status"},
	                     4);
	assert_int_equal(
		renameat(fixture.lower, "bin/capable", fixture.lower, "bin/busybox-capable"), 0);
	expect_life(&l, "CapEff:\t0000000000002000\n", 0);
}

static void test_home(void **state)
{
	(void)state;
	need_fixture();
	static const struct {
		uint32_t uid;
		const char *env, *want;
	} rows[] = {
		{0, NULL, "/root\n"},   {1000, NULL, "/home/user\n"},    {77, NULL, "/\n"},
		{0, "HOME=/x", "/x\n"}, {1000, "HOME=", "/home/user\n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct life l = shell("echo $HOME");
		l.spec->process.user.uid = rows[i].uid;
		if (rows[i].env)
			oci_spec_set_env(l.spec, rows[i].env);
		expect_life(&l, rows[i].want, 0);
	}
}

static void test_cwd(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("pwd; stat -c '%a %u' .");
	l.spec->process.cwd = oci_spec_string(l.spec, "/made/for/this");
	l.spec->process.user.uid = 1000;
	expect_life(&l, "/made/for/this\n755 0\n", 0);
	l = shell("pwd");
	l.spec->process.cwd = oci_spec_string(l.spec, "/etc/passwd");
	expect_error(&l, ERROR_SYSTEM, "working directory /etc/passwd: Not a directory");
}

static void test_dev(void **state)
{
	(void)state;
	need_fixture();
	expect("ls /dev; cd /dev; for i in fd stdin stdout stderr ptmx; do readlink $i; done",
	       "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\n"
	       "zero\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n",
	       0);
	expect("stat -c '%n %a %u:%g %t:%T' /dev/null /dev/tty /dev/urandom",
	       "/dev/null 666 0:0 1:3\n/dev/tty 666 0:0 5:0\n/dev/urandom 666 0:0 1:9\n", 0);
}

static void test_masks(void **state)
{
	(void)state;
	need_fixture();
	expect("cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l; "
	       "stat -c '%t:%T' /proc/keys",
	       "0\n0\n1:3\n", 0);
	expect("echo 1 > /proc/sys/kernel/panic",
	       "sh: can't create /proc/sys/kernel/panic: "
	       "Read-only file system\n",
	       1);
	expect("for i in bus fs irq sys; do "
	       "grep -c \" /proc/$i ro,nosuid,nodev,noexec\" /proc/self/mountinfo; done",
	       "1\n1\n1\n1\n", 0);
	expect("touch /sys/firmware/x; echo x > /sys/kernel/notes",
	       "touch: /sys/firmware/x: Read-only file system\n"
	       "sh: can't create /sys/kernel/notes: Read-only file system\n",
	       1);
}

static void test_network(void **state)
{
	(void)state;
	need_fixture();
	expect("ip -o link | grep -c . ; ip -o addr show lo | grep -o 'inet 127.0.0.1/8'",
	       "1\ninet 127.0.0.1/8\n", 0);
	// One that is there already is joined, and its lo is left as it is.
	int ready[2], over[2];
	char byte;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(over, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		ignore(unshare(CLONE_NEWNET));
		close(over[1]);
		ignore(write(ready[1], "!", 1));
		ignore(read(over[0], &byte, 1));
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	auto_free char *path = alloc_printf("/proc/%d/ns/net", (int)child);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char name[64] = "", want[80];
	assert_true(readlink(path, name, sizeof name - 1) > 0);
	snprintf(want, sizeof want, "%s\n", name);
	struct life l = shell("readlink /proc/self/ns/net");
	l.request.netns_fd = fd;
	expect_life(&l, want, 0);
	l = shell("readlink /proc/self/ns/net");
	oci_spec_set_namespace(l.spec, OCI_NAMESPACE_NETWORK, path);
	expect_life(&l, want, 0);
	close(fd);
	close(over[1]);
	close(over[0]);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_hostname(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("hostname");
	l.spec->hostname = oci_spec_string(l.spec, "inside");
	expect_life(&l, "inside\n", 0);
	char host[256];
	assert_int_equal(gethostname(host, sizeof host), 0);
	assert_string_not_equal(host, "inside");
}

static void test_sysctl(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward");
	oci_spec_set_pair(l.spec, &l.spec->linux_.sysctl, "kernel.shm_rmid_forced", "1");
	oci_spec_set_pair(l.spec, &l.spec->linux_.sysctl, "net.ipv4.ip_forward", "1");
	expect_life(&l, "1\n1\n", 0);
	l = shell("true");
	oci_spec_set_pair(l.spec, &l.spec->linux_.sysctl, "net.nosuch", "1");
	expect_error(&l, ERROR_SYSTEM, "sysctl net/nosuch: No such file or directory");
}

static void test_root(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("touch /x; touch /run/y && echo run");
	l.spec->root.readonly = true;
	expect_life(&l, "touch: /x: Read-only file system\nrun\n", 0);
	// A directory as it stands.
	l = shell("echo hi > /tmp/x; cat /tmp/x");
	l.request.root = (struct runtime_root){
		.kind = RUNTIME_ROOT_DIRECTORY, .dirfd = fixture.lower, .upper = -1, .work = -1};
	expect_life(&l, "hi\n", 0);
	assert_int_equal(unlinkat(fixture.lower, "tmp/x", 0), 0);
	l = shell("pwd");
	l.request.no_pivot = true;
	expect_life(&l, "/\n", 0);
	for (size_t i = 0; i < 2; i++) {
		l = shell("grep ' / / ' /proc/self/mountinfo | grep -c shared");
		l.spec->linux_.rootfs_propagation = i ? oci_spec_string(l.spec, "shared") : NULL;
		expect_life(&l, i ? "1\n" : "0\n", i ? 0 : 1);
	}
}

static void test_mounts(void **state)
{
	(void)state;
	need_fixture();
	mkdirat(fixture.dirfd, "volume", 0755);
	int fd = openat(fixture.dirfd, "volume/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	close(fd);
	auto_free char *volume = alloc_printf("%s/volume", fixture.dir);
	auto_free char *file = alloc_printf("%s/volume/file", fixture.dir);
	struct life l = shell("cat /v/file /f; touch /v/new; echo x >> /f");
	oci_spec_add_mount(l.spec, "/v", "bind", volume, "rbind,ro", ',');
	oci_spec_add_mount(l.spec, "/f", NULL, file, "bind,ro", ',');
	expect_life(&l,
	            "hello\nhello\ntouch: /v/new: Read-only file system\n"
	            "sh: can't create /f: Read-only file system\n",
	            1);
	l = shell("echo more >> /v/file; stat -c %a /t; echo x > /t/x");
	oci_spec_add_mount(l.spec, "/v", "none", volume, "rbind,rw", ',');
	oci_spec_add_mount(l.spec, "/t", "tmpfs", "tmpfs", "ro,mode=700", ',');
	expect_life(&l, "700\nsh: can't create /t/x: Read-only file system\n", 1);
	auto_free char *text = NULL;
	assert_null(file_read(fixture.dirfd, "volume/file", 100, &text, NULL));
	assert_string_equal(text, "hello\nmore\n");
}

static void test_files(void **state)
{
	(void)state;
	need_fixture();
	// The usual dangling link of an image: its target is made, inside, on the tmpfs at /run.
	assert_int_equal(symlinkat("../run/systemd/resolve/stub-resolv.conf", fixture.lower,
	                           "etc/resolv.conf"),
	                 0);
	const struct runtime_file files[] = {
		{"/etc/resolv.conf", "nameserver 192.0.2.1\n", 21, 0644, true},
		{"/etc/hosts", "127.0.0.1 localhost\n", 20, 0644, true},
	};
	struct life l =
		shell("cat /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf; cat /etc/hosts; "
	              "echo x > /etc/hosts");
	l.request.files = files;
	l.request.n_files = 2;
	expect_life(&l,
	            "nameserver 192.0.2.1\nnameserver 192.0.2.1\n127.0.0.1 localhost\n"
	            "sh: can't create /etc/hosts: Read-only file system\n",
	            1);
	auto_free char *own = alloc_printf("%s/volume/file", fixture.dir);
	l = shell("grep -c hello /etc/hosts");
	oci_spec_add_mount(l.spec, "/etc/../etc/hosts", "bind", own, "rbind,ro", ',');
	l.request.files = files;
	l.request.n_files = 2;
	expect_life(&l, "1\n", 0);
	assert_int_equal(unlinkat(fixture.lower, "etc/resolv.conf", 0), 0);
}

// ---- Streams ------------------------------------------------------------------------------------

static void test_descriptors(void **state)
{
	(void)state;
	need_fixture();
	int leaked[] = {dup(0), open("/", O_RDONLY), open("/etc/passwd", O_RDONLY)};
	expect("echo /proc/self/fd/*",
	       "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n",
	       0); // 3: the shell's own
	for (size_t i = 0; i < 3; i++)
		close(leaked[i]);
}

static void test_stdin(void **state)
{
	(void)state;
	need_fixture();
	int in[2];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "through\n", 8), 8);
	close(in[1]);
	struct life l = shell("cat; echo end");
	l.request.stdio[0] = in[0];
	expect_life(&l, "through\nend\n", 0);
	close(in[0]);
}

static void test_stdin_file(void **state)
{
	(void)state;
	need_fixture();
	int fd = openat(fixture.dirfd, "input", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_int_equal(write(fd, "first\nsecond\n", 13), 13);
	assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
	struct life l = shell("cat; (echo evil > /proc/self/fd/0) 2>&1; chmod 777 /proc/self/fd/0");
	l.request.stdio[0] = fd;
	expect_life(&l,
	            "second\nsh: can't create /proc/self/fd/0: Read-only file system\n"
	            "chmod: /proc/self/fd/0: Read-only file system\n",
	            1);
	auto_free char *text = NULL;
	assert_null(file_read(fixture.dirfd, "input", 100, &text, NULL));
	assert_string_equal(text, "first\nsecond\n");
	// One that has lost its name (a here-document).
	assert_int_equal(unlinkat(fixture.dirfd, "input", 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	l = shell("cat");
	l.request.stdio[0] = fd;
	expect_life(&l, "first\nsecond\n", 0);
	close(fd);
	// One without a mount that can be cloned: copied, as a terminal's input is.
	fd = memfd_create("input", MFD_CLOEXEC);
	assert_int_equal(write(fd, "memory\n", 7), 7);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	int out = openat(fixture.dirfd, "output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	l = shell("cat; readlink /proc/self/fd/0 | grep -o pipe");
	l.request.stdio[0] = fd;
	l.request.stdio[1] = out;
	struct runtime_task *task = NULL;
	int code = -1;
	assert_null(runtime_run(&l.request, &task));
	assert_null(runtime_wait(task, -1, &code));
	assert_null(runtime_release(task));
	life_done(&fixture, &l);
	auto_free char *copied = NULL;
	assert_null(file_read(fixture.dirfd, "output", 100, &copied, NULL));
	assert_string_equal(copied, "memory\npipe\n");
	close(out);
	close(fd);
}

static void test_stdout_file(void **state)
{
	(void)state;
	need_fixture();
	int fd = openat(fixture.dirfd, "output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct life l =
		shell("i=0; while [ $i -lt 500 ]; do echo $i; echo $i >&2; i=$((i+1)); done; "
	              "readlink /proc/self/fd/1 | grep -o pipe; dd if=/dev/zero bs=1000 count=300");
	l.request.stdio[1] = l.request.stdio[2] = fd;
	struct runtime_task *task = NULL;
	int code = -1;
	assert_null(runtime_run(&l.request, &task));
	assert_null(runtime_wait(task, -1, &code));
	assert_int_equal(code, 0);
	auto_free char *text = NULL;
	size_t size = 0;
	assert_null(file_read(fixture.dirfd, "output", 1 << 20, &text, &size));
	const char *p = text;
	for (int i = 0; i < 500; i++) { // in order, though two streams
		char want[32];
		int n = snprintf(want, sizeof want, "%d\n%d\n", i, i);
		assert_memory_equal(p, want, n);
		p += n;
	}
	assert_memory_equal(p, "pipe\n", 5);
	assert_true(size > 300000); // complete before the exit was told
	assert_null(runtime_release(task));
	life_done(&fixture, &l);
	close(fd);
}

static void test_stdout_closed(void **state)
{
	(void)state;
	need_fixture();
	int out[2], code = -1;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	struct life l;
	life_make(&fixture, &l, (const char *const[]){"yes", NULL});
	l.request.stdio[1] = out[1];
	struct runtime_task *task = NULL;
	assert_null(runtime_run(&l.request, &task));
	close(out[1]);
	char bytes[100];
	assert_true(read(out[0], bytes, sizeof bytes) > 0);
	close(out[0]);
	assert_null(runtime_wait(task, -1, &code));
	assert_int_not_equal(code, 0);
	assert_null(runtime_release(task));
	life_done(&fixture, &l);
}

// A full disk ends the program too, instead of hanging it.
static void test_stdout_full(void **state)
{
	(void)state;
	need_fixture();
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), code = -1;
	struct life l;
	life_make(&fixture, &l, (const char *const[]){"yes", NULL});
	l.request.stdio[1] = full;
	struct runtime_task *task = NULL;
	assert_null(runtime_run(&l.request, &task));
	assert_null(runtime_wait(task, -1, &code));
	assert_int_not_equal(code, 0);
	assert_null(runtime_release(task));
	life_done(&fixture, &l);
	close(full);
}

static void test_stdout_terminal(void **state)
{
	(void)state;
	need_fixture();
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), code = -1;
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		printf("skipped: no terminals here\n");
		skip();
	}
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	struct life l = shell(
		"test -t 0 || test -t 1 || test -t 2 || echo none; read line; echo got $line");
	for (int i = 0; i < 3; i++)
		l.request.stdio[i] = slave;
	assert_int_equal(write(master, "word\n", 5), 5);
	struct runtime_task *task = NULL;
	assert_null(runtime_run(&l.request, &task));
	assert_null(runtime_wait(task, -1, &code));
	assert_int_equal(code, 0);
	static const char want[] = "word\r\nnone\r\ngot word\r\n"; // the terminal's echo, then ours
	char text[sizeof want] = "";
	for (size_t size = 0; size < sizeof want - 1;) {
		ssize_t n = read(master, text + size, sizeof want - 1 - size);
		assert_true(n > 0);
		size += (size_t)n;
	}
	assert_string_equal(text, want);
	assert_null(runtime_release(task));
	life_done(&fixture, &l);
	close(slave);
	close(master);
}

// What is null outside is the container's own inside: changing its mode is nobody else's business.
static void test_null(void **state)
{
	(void)state;
	need_fixture();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct life l =
		shell("chmod 600 /proc/self/fd/0; stat -L -c '%a %t:%T' /proc/self/fd/0 /dev/null");
	l.request.stdio[0] = null;
	expect_life(&l, "600 1:3\n600 1:3\n", 0);
	struct stat st;
	assert_int_equal(fstat(null, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	close(null);
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l = shell("true");
	l.request.stdio[0] = dir;
	expect_error(&l, ERROR_INVALID, "standard input: is a directory");
	close(dir);
}

// ---- Limits -------------------------------------------------------------------------------------

static void test_limits(void **state)
{
	(void)state;
	need_fixture();
	struct life l = shell("i=0; while [ $i -lt 30 ]; do sleep 100 & i=$((i+1)); done");
	l.spec->linux_.resources.pids_limit = (struct oci_i64){true, 10};
	l.request.limits_required = true;
	struct outcome o;
	life_run(&l, &o);
	life_done(&fixture, &l);
	if (error_is(o.error, ERROR_UNSUPPORTED)) {
		printf("skipped: %s\n", o.error->message);
		error_free(o.error);
		skip();
	}
	assert_null(o.error);
	assert_non_null(strstr(o.out, "can't fork"));
	l = shell("true");
	oci_spec_set_pair(l.spec, &l.spec->linux_.resources.unified, "nosuch.max", "1");
	l.request.limits_required = true;
	expect_error(&l, ERROR_UNSUPPORTED, "unified values: no writable cgroup controller");
	l = shell("true");
	l.spec->linux_.resources.pids_limit = (struct oci_i64){true, 10};
	l.request.limits_required = true;
	l.request.cgroup = NULL;
	expect_error(&l, ERROR_UNSUPPORTED, "pids limit: no writable cgroup controller");
}

static void test_devices(void **state)
{
	(void)state;
	need_fixture();
	// Making a node is allowed, opening it isn't: neither with the controller nor without.
	expect("mknod /tmp/mem c 1 1 || exit 1; cat /tmp/mem",
	       "cat: can't open '/tmp/mem': "
	       "Operation not permitted\n",
	       1);
	struct life l = shell("mknod /tmp/mem c 1 1");
	l.request.cgroup = NULL;
	expect_life(&l, "mknod: /tmp/mem: Operation not permitted\n", 1);
	l = shell("stat -c '%F %a %u:%g %t:%T' /dev/sub/loop; cat /dev/sub/loop");
	struct oci_device *d = oci_spec_add_device(l.spec, "/dev/sub/loop", 'b', 7, 77);
	d->file_mode = (struct oci_u64){true, 0640};
	d->gid = (struct oci_u64){true, 6};
	expect_life(&l,
	            "block special file 640 0:6 7:4d\n"
	            "cat: can't open '/dev/sub/loop': Operation not permitted\n",
	            1);
}

// ---- All ----------------------------------------------------------------------------------------

static int setup(void **state)
{
	(void)state;
	is_possible = fixture_make(&fixture, SHIM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (is_possible)
		fixture_done(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_init_stays),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_terminal_to_a_file),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_ambient),
		cmocka_unit_test(test_file_capabilities),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_cwd),
		cmocka_unit_test(test_dev),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_hostname),
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_stdin_file),
		cmocka_unit_test(test_stdout_file),
		cmocka_unit_test(test_stdout_closed),
		cmocka_unit_test(test_stdout_full),
		cmocka_unit_test(test_stdout_terminal),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_devices),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
