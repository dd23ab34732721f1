// SPDX-License-Identifier: Apache-2.0
#include "runtime/test_fixture.h"
#include "kernel/cgroup.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *const applets[] = {
	"sh",    "true",  "false", "cat",   "ls",   "sleep",    "id", "yes",      "head",  "echo",
	"mknod", "mount", "grep",  "pwd",   "stat", "hostname", "wc", "readlink", "chmod", "dd",
	"env",   "ip",    "touch", "mkdir", "kill", "ps",       "su", "test",     "tr",    "ln"};

static bool copy_file(const char *from, int dirfd, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = openat(dirfd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buffer[65536];
	ssize_t n = -1;
	while (in >= 0 && out >= 0 && (n = read(in, buffer, sizeof buffer)) > 0) {
		if (write(out, buffer, (size_t)n) != n)
			break;
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n == 0;
}

static void write_text(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		ignore(write(fd, text, strlen(text)));
		close(fd);
	}
}

static bool fill(int root)
{
	static const char *const dirs[] = {"bin", "etc", "proc", "sys", "dev", "tmp", "root"};
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		mkdirat(root, dirs[i], 0755);
	if (!copy_file("/bin/busybox", root, "bin/busybox"))
		return false;
	for (size_t i = 0; i < sizeof applets / sizeof *applets; i++) {
		auto_free char *name = alloc_printf("bin/%s", applets[i]);
		ignore(symlinkat("busybox", root, name));
	}
	write_text(root, "etc/passwd",
	           "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
	write_text(root, "etc/group", "root:x:0:\nuser:x:1000:\n");
	return true;
}

bool fixture_make(struct fixture *f, const char *shim)
{
	*f = (struct fixture){.dirfd = -1, .lower = -1};
	char dir[] = "/tmp/coracle-runtime-XXXXXX";
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 || !mkdtemp(dir)) {
		printf("skipped: needs root and a mount namespace\n");
		return false;
	}
	f->dir = alloc_string(dir);
	f->shim = alloc_string(shim);
	bool is_mounted = mount("tmpfs", dir, "tmpfs", 0, "mode=755") == 0;
	f->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (is_mounted && mkdirat(f->dirfd, "lower", 0755) == 0)
		f->lower = openat(f->dirfd, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->lower >= 0 && fill(f->lower))
		return true;
	printf("skipped: needs /bin/busybox (busybox-static) and a tmpfs\n");
	fixture_done(f);
	return false;
}

// What a failed test left.
static void collect(void)
{
	auto_cgroups struct cgroups *cgroups = NULL;
	auto_strings struct strings left = {0};
	auto_free char *prefix = alloc_printf("coracle/test-runtime-%d", (int)getpid());
	struct error *e = cgroups_open(&cgroups);
	if (!e)
		e = cgroups_list(cgroups, prefix, 1, &left);
	for (size_t i = 0; !e && i < left.n; i++)
		e = runtime_reap(-1, left.items[i], 10000);
	if (e)
		printf("left over: %s\n", e->message);
	error_free(e);
}

void fixture_done(struct fixture *f)
{
	collect();
	if (f->dirfd >= 0)
		close(f->dirfd);
	if (f->lower >= 0)
		close(f->lower);
	umount2(f->dir, MNT_DETACH);
	rmdir(f->dir);
	free(f->dir);
	free(f->shim);
}

static void add_devices(struct oci_spec *spec)
{
	static const struct {
		int major, minor;
	} allowed[] = {{1, 3}, {1, 8}, {1, 7}, {5, 0}, {1, 5}, {1, 9}, {5, 1}, {136, -1}, {5, 2}};
	spec->linux_.resources.present = true;
	spec->linux_.resources.cpu.shares = (struct oci_u64){true, 1024};
	oci_spec_add_device_rule(spec, false, 'a', -1, -1, "rwm");
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		oci_spec_add_device_rule(spec, true, 'c', allowed[i].major, allowed[i].minor,
		                         "rwm");
}

static void add_mounts(struct oci_spec *spec)
{
	static const char *const mounts[][4] = {
		{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
		{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
		{"/dev/pts", "devpts", "devpts",
	         "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"},
		{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
		{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
		{"/run", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	};
	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
		oci_spec_add_mount(spec, mounts[i][0], mounts[i][1], mounts[i][2], mounts[i][3],
		                   ',');
}

struct oci_spec *fixture_spec(const char *const *argv)
{
	static const char *const masked[] = {"/proc/acpi",          "/proc/asound",
	                                     "/proc/kcore",         "/proc/keys",
	                                     "/proc/latency_stats", "/proc/timer_list",
	                                     "/proc/timer_stats",   "/proc/sched_debug",
	                                     "/sys/firmware",       "/sys/devices/virtual/powercap",
	                                     "/proc/scsi"};
	static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	                                       "/proc/sysrq-trigger"};
	struct oci_spec *spec = oci_spec_new();
	for (; *argv; argv++)
		oci_spec_add_string(spec, &spec->process.args, *argv);
	oci_spec_set_env(spec, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	spec->process.no_new_privileges = true;
	struct oci_capabilities *c = &spec->process.capabilities;
	c->set = true;
	c->bounding = c->permitted = c->effective = 0xa80425fb;
	oci_spec_set_rlimit(spec, RLIMIT_NOFILE, 1024, 1024);
	spec->root.present = true;
	spec->root.path = oci_spec_string(spec, "rootfs");
	add_mounts(spec);
	spec->linux_.present = true;
	spec->linux_.seccomp_kind = OCI_SECCOMP_BUILTIN;
	for (size_t i = 0; i < sizeof masked / sizeof *masked; i++)
		oci_spec_add_string(spec, &spec->linux_.masked_paths, masked[i]);
	for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++)
		oci_spec_add_string(spec, &spec->linux_.readonly_paths, readonly[i]);
	const enum oci_namespace_type own[] = {OCI_NAMESPACE_PID, OCI_NAMESPACE_IPC,
	                                       OCI_NAMESPACE_UTS, OCI_NAMESPACE_MOUNT,
	                                       OCI_NAMESPACE_NETWORK};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		oci_spec_set_namespace(spec, own[i], NULL);
	add_devices(spec);
	return spec;
}

static int make_dir(int dirfd, const char *name, const char *kind)
{
	auto_free char *path = alloc_printf("%s.%s", name, kind);
	mkdirat(dirfd, path, 0755);
	return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void life_make(struct fixture *f, struct life *l, const char *const *argv)
{
	*l = (struct life){.spec = fixture_spec(argv)};
	l->name = alloc_printf("c%u", f->count++);
	l->upper = make_dir(f->dirfd, l->name, "upper");
	l->work = make_dir(f->dirfd, l->name, "work");
	l->state = make_dir(f->dirfd, l->name, "state");
	l->cgroup = alloc_printf("coracle/test-runtime-%d/%s", (int)getpid(), l->name);
	l->request = (struct runtime_request){
		.spec = l->spec,
		.root = {.kind = RUNTIME_ROOT_OVERLAY,
	                 .lowers = &f->lower,
	                 .n_lowers = 1,
	                 .upper = l->upper,
	                 .work = l->work,
	                 .is_volatile = true,
	                 .dirfd = -1},
		.ns = "test",
		.id = l->name,
		.instance = 0x1234,
		.state_dirfd = l->state,
		.cgroup = l->cgroup,
		.netns_fd = -1,
		.stdio = {-1, -1, -1},
		.shim_program = f->shim,
	};
}

void life_done(struct fixture *f, struct life *l)
{
	static const char *const kinds[] = {"upper", "work", "state"};
	close(l->upper);
	close(l->work);
	close(l->state);
	for (size_t i = 0; i < 3; i++) {
		auto_free char *path = alloc_printf("%s.%s", l->name, kinds[i]);
		struct error *e = tree_remove(f->dirfd, path);
		if (e)
			printf("%s: %s\n", path, e->message);
		error_free(e);
	}
	oci_spec_free(l->spec);
	free(l->cgroup);
	free(l->name);
}

void life_run(struct life *l, struct outcome *ret)
{
	int out[2];
	*ret = (struct outcome){.code = -1};
	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	l->request.stdio[1] = l->request.stdio[2] = out[1];
	struct runtime_task *task = NULL;
	ret->error = runtime_run(&l->request, &task);
	close(out[1]);
	size_t size = 0;
	ssize_t n;
	while ((n = read(out[0], ret->out + size, sizeof ret->out - 1 - size)) > 0)
		size += (size_t)n;
	close(out[0]);
	if (ret->error)
		return;
	ret->error = runtime_wait(task, -1, &ret->code);
	ret->error = error_join(ret->error, runtime_release(task));
}

void fixture_sh(struct fixture *f, const char *script, struct outcome *ret)
{
	struct life l;
	life_make(f, &l, (const char *const[]){"sh", "-c", script, NULL});
	life_run(&l, ret);
	life_done(f, &l);
}
