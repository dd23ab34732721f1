// SPDX-License-Identifier: Apache-2.0
// The floor: what starting and ending a container with ctr's default spec costs the kernel, and
// nothing else. No image is looked up, no spec is made, nothing is recorded or reported.
//
//	floor LOWER WORK CGROUP     e.g. floor /layer /var/lib/floor /sys/fs/cgroup/unified
//
// LOWER is an unpacked busybox image, WORK a folder with an empty folder `root`, CGROUP a cgroup2
// directory. The steps: upper, work and a group; one clone3 with six namespaces into the group;
// overlay, proc, /dev with six nodes and five links, devpts, shm, mqueue, sysfs, /run; five
// read-only binds and eleven masks; pivot; host name, bounding set, capabilities, no_new_privs, the
// seccomp filter that libseccomp makes of containerd's default profile; exec of /bin/true; wait;
// the group and what was written go.
#include "floor_filter.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call)                                                 \
	do {                                                       \
		if ((call) < 0) {                                  \
			fprintf(stderr, "floor: %s: %m\n", #call); \
			_exit(125);                                \
		}                                                  \
	} while (0)

#define DEFAULT_CAPABILITIES 0xa80425fbULL
#define LAST_CAPABILITY 40
#define SAFE (MS_NOSUID | MS_NOEXEC | MS_NODEV)

static void mount_overlay(const char *lower, const char *upper, const char *work, const char *root)
{
	int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	MUST(fs);
	MUST(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lower, 0));
	MUST(fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", upper, 0));
	MUST(fsconfig(fs, FSCONFIG_SET_STRING, "workdir", work, 0));
	MUST(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	int mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	MUST(mnt);
	MUST(move_mount(mnt, "", AT_FDCWD, root, MOVE_MOUNT_F_EMPTY_PATH));
	close(mnt);
	close(fs);
}

// In the new root as working directory.
static void mount_defaults(void)
{
	static const struct {
		const char *target, *type;
		unsigned long flags;
		const char *options;
	} mounts[] = {
		{"proc", "proc", SAFE, NULL},
		{"dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
		{"dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	         "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"dev/shm", "tmpfs", SAFE, "mode=1777,size=65536k"},
		{"dev/mqueue", "mqueue", SAFE, NULL},
		{"sys", "sysfs", SAFE | MS_RDONLY, NULL},
		{"run", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
	};
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		if (mkdir(mounts[i].target, 0755) < 0 && errno != EEXIST)
			MUST(-1);
		MUST(mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
		           mounts[i].options));
	}
}

static void make_devices(void)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
	             {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
	static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
	                                       {"/proc/self/fd/0", "dev/stdin"},
	                                       {"/proc/self/fd/1", "dev/stdout"},
	                                       {"/proc/self/fd/2", "dev/stderr"},
	                                       {"pts/ptmx", "dev/ptmx"}};
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		MUST(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		MUST(symlink(links[i][0], links[i][1]));
}

static void restrict_paths(void)
{
	static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
	                                        "proc/sysrq-trigger"};
	static const char *const masked[] = {"proc/acpi",          "proc/asound",
	                                     "proc/kcore",         "proc/keys",
	                                     "proc/latency_stats", "proc/timer_list",
	                                     "proc/timer_stats",   "proc/sched_debug",
	                                     "sys/firmware",       "sys/devices/virtual/powercap",
	                                     "proc/scsi"};
	for (size_t i = 0; i < sizeof(read_only) / sizeof(*read_only); i++) {
		if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) < 0)
			continue; // not in this kernel
		MUST(mount(NULL, read_only[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE,
		           NULL));
	}
	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++)
		if (mount("dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
			MUST(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL));
}

static void drop_privileges(void)
{
	for (int cap = 0; cap <= LAST_CAPABILITY; cap++)
		if (!(DEFAULT_CAPABILITIES >> cap & 1))
			MUST(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)DEFAULT_CAPABILITIES, (uint32_t)DEFAULT_CAPABILITIES, 0},
		{(uint32_t)(DEFAULT_CAPABILITIES >> 32), (uint32_t)(DEFAULT_CAPABILITIES >> 32),
	         0}};
	MUST(syscall(SYS_capset, &header, data));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	struct sock_fprog program = {sizeof(floor_filter) / sizeof(*floor_filter),
	                             (struct sock_filter *)floor_filter};
	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static void child(const char *lower, const char *upper, const char *work, const char *root)
{
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	mount_overlay(lower, upper, work, root);
	MUST(chdir(root));
	mount_defaults();
	make_devices();
	restrict_paths();
	MUST(syscall(SYS_pivot_root, ".", "."));
	MUST(umount2(".", MNT_DETACH));
	MUST(chdir("/"));
	MUST(sethostname("floor", 5));
	drop_privileges();
	static char name[] = "true", path[] = "PATH=/bin";
	execve("/bin/true", (char *[]){name, NULL}, (char *[]){path, NULL});
	_exit(127);
}

static void remove_tree(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	DIR *dir = fdopendir(openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_tree(dirfd(dir), entry->d_name);
	closedir(dir);
	MUST(unlinkat(parent, name, AT_REMOVEDIR));
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: floor LOWER WORK CGROUP\n");
		return 2;
	}
	char upper[512], work[512], root[512], group[512];
	snprintf(upper, sizeof(upper), "%s/upper.%d", argv[2], getpid());
	snprintf(work, sizeof(work), "%s/work.%d", argv[2], getpid());
	snprintf(root, sizeof(root), "%s/root", argv[2]);
	snprintf(group, sizeof(group), "%s/floor.%d", argv[3], getpid());
	MUST(mkdir(upper, 0755));
	MUST(mkdir(work, 0755));
	MUST(mkdir(group, 0755));
	int group_fd = open(group, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(group_fd);

	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	                 CLONE_NEWCGROUP | CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)group_fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	MUST(pid);
	if (pid == 0)
		child(argv[1], upper, work, root);
	siginfo_t status;
	MUST(waitid(P_PIDFD, (id_t)pidfd, &status, WEXITED));
	MUST(rmdir(group));
	remove_tree(AT_FDCWD, upper);
	remove_tree(AT_FDCWD, work);
	return status.si_status;
}
