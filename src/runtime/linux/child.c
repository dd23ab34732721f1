// SPDX-License-Identifier: Apache-2.0
// The order of the steps, which is the security of the whole; see the table below.
#include "runtime/linux/child.h"
#include "kernel/process.h"
#include "kernel/pty.h"
#include "runtime/linux/hooks.h"
#include "shim/signals.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// Everything that the plan doesn't name: the caller's database, locks, sockets, terminal.
static int step_descriptors(struct child *c)
{
	unsigned next = 0;
	for (size_t i = 0; i <= c->plan->n_kept; i++) {
		unsigned kept = i < c->plan->n_kept ? (unsigned)c->plan->kept[i] : ~0U;
		if (kept > next && syscall(SYS_close_range, next, kept - (kept != ~0U), 0) < 0)
			return errno;
		next = kept + 1;
	}
	// 0 to 2 stay taken until they get what they shall be: nothing else may land there.
	int taken = c->plan->root >= 0 ? c->plan->root : c->plan->null;
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && dup2(taken, fd) < 0)
			return errno;
	}
	return 0;
}

static int step_cgroups(struct child *c)
{
	int sys = 0;
	for (size_t i = 0; i < CGROUP_ENTRANCES && c->plan->entrances[i] >= 0 && !sys; i++)
		sys = cgroup_enter(c->plan->entrances[i]);
	return sys;
}

static int step_session(struct child *c)
{
	(void)c;
	umask(0);
	int sys = process_set_dumpable(false); // until exec nobody may trace us
	return sys ? sys : process_new_session();
}

static int wait_byte(int fd)
{
	char byte;
	ssize_t n;
	while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
		;
	return n == 1 ? 0 : n == 0 ? EPIPE : errno;
}

static int step_sync(struct child *c)
{
	return c->plan->sync < 0 ? 0 : wait_byte(c->plan->sync);
}

// In another user namespace we are nobody until we ask to be its root.
static int step_user(struct child *c)
{
	if (!c->plan->has_user_namespace)
		return 0;
	const gid_t none[1] = {0};
	int sys = process_set_ids(0, 0, c->plan->denies_groups ? NULL : none, 0);
	return sys ? sys : process_set_dumpable(false);
}

static int step_join(struct child *c)
{
	if (c->plan->has_user_namespace && !c->plan->is_exec) // our parent has, before it made us
		return 0;
	int dropped =
		c->plan->has_user_namespace ? process_drop_groups() : 0; // it may be denied there
	if (dropped)
		return dropped;
	for (size_t i = 0; i < c->plan->n_joins; i++) {
		c->index = (int)i;
		int sys = namespace_enter(c->plan->joins[i].fd, c->plan->joins[i].flag);
		if (sys)
			return sys;
	}
	return 0;
}

// Not by clone3: its root would be our creator's group, since the child is born into its own later.
static int step_cgroup_namespace(struct child *c)
{
	return c->plan->new_cgroup_namespace && unshare(CLONE_NEWCGROUP) < 0 ? errno : 0;
}

static int step_hostname(struct child *c)
{
	const char *host = c->plan->hostname, *domain = c->plan->domainname;
	if (host && sethostname(host, strlen(host)) < 0)
		return errno;
	return domain && setdomainname(domain, strlen(domain)) < 0 ? errno : 0;
}

static int step_loopback(struct child *c)
{
	if (!c->plan->new_network)
		return 0;
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? errno : 0;
}

// Else unmounting the old root would unmount the host's.
// The root of the container that was joined, for what the other steps open in it.
static int step_enter_root(struct child *c)
{
	c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->root < 0 ? errno : 0;
}

static int step_private(struct child *c)
{
	(void)c;
	return mount_make_all(MS_PRIVATE);
}

static int send_terminal(int socket, int master, int slave)
{
	char byte = 0;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(2 * sizeof(int)),
	                        .cmsg_level = SOL_SOCKET,
	                        .cmsg_type = SCM_RIGHTS}};
	const int fds[2] = {master, slave};
	memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
	struct iovec part = {&byte, 1};
	const struct msghdr m = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof control};
	return sendmsg(socket, &m, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

// The slave as the container's /dev/console, by descriptor: a name could be exchanged
// (CVE-2025-52565).
static int bind_console(struct child *c, int slave)
{
	auto_fd int target = -1, clone = -1;
	int sys = child_make_target(c->root, "/dev/console", true, true, &target);
	if (!sys)
		sys = mount_clone(slave, "", false, &clone);
	return sys ? sys : mount_attach(clone, target);
}

// From the container's own devpts, found without links, so that its names and its ends are the
// container's.
static int make_terminal(struct child *c)
{
	const struct plan *p = c->plan;
	auto_fd int devpts = -1, master = -1, slave = -1;
	int sys =
		child_open(c->root, "/dev/pts", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS, &devpts);
	if (!sys)
		sys = pty_open(devpts, &master, &slave);
	if (!sys && p->rows && p->columns)
		sys = pty_set_size(master, p->rows, p->columns);
	if (!sys && p->uid && fchown(slave, p->uid, (gid_t)-1) < 0)
		sys = errno;
	if (!sys && !p->is_exec)
		sys = bind_console(c, slave);
	if (!sys)
		sys = send_terminal(p->console, master, slave);
	return sys ? sys : pty_adopt_slave(slave);
}

static int step_stdio(struct child *c)
{
	if (c->plan->console >= 0) {
		int sys = make_terminal(c);
		return sys ? sys : process_close_on_exec(3);
	}
	int fds[3];
	for (int i = 0; i < 3; i++) {
		c->index = i;
		int fd = c->plan->stdio[i], null = -1;
		int sys = fd < 0 ? child_open_null(c, &null) : 0;
		if (sys)
			return sys;
		// Above 2 first: the caller's own 0 to 2 may be among them, in another order.
		fds[i] = fcntl(fd < 0 ? null : fd, F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			return errno;
	}
	for (int i = 0; i < 3; i++) {
		struct stat st;
		if (dup2(fds[i], i) < 0 || fstat(i, &st) < 0)
			return errno;
		// So that the user can open /dev/stdout. It matters to nobody else who owns a pipe.
		if (c->plan->uid && S_ISFIFO(st.st_mode))
			ignore(fchown(i, c->plan->uid, (gid_t)-1));
	}
	return process_close_on_exec(3);
}

// The creator runs what belongs outside, while our namespaces can be seen from there; what belongs
// in here has the host's files still, and the container's root as its working directory.
static int step_hooks(struct child *c)
{
	if (!hooks_precede_pivot(c->plan->hooks))
		return 0;
	const struct shim_report here = {.step = STEP_ENVIRONMENT};
	ignore(write(c->plan->report, &here, sizeof here)); // without a reader no word comes
	int sys = wait_byte(c->plan->sync);
	// No go comes before we are ready: what can be seen there now is the monitor's death.
	return sys ? sys
	           : hooks_run_inside(c->plan->hooks, c->root, c->plan->go, &c->index, c->text);
}

static int step_personality(struct child *c)
{
	return c->plan->personality != ~0UL && personality(c->plan->personality) < 0 ? errno : 0;
}

static int step_privileges(struct child *c)
{
	umask(c->plan->umask);
	return c->plan->no_new_privs ? process_no_new_privs() : 0;
}

// The host's /proc becomes our own directory in it: no more goes into coracle-init.
static int step_task(struct child *c)
{
	int proc = c->plan->proc;
	if (proc < 0)
		return 0;
	auto_fd int task = openat(proc, "thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return task < 0 || dup3(task, proc, O_CLOEXEC) < 0 ? errno : 0;
}

// With no_new_privs the filter goes in last, by coracle-init; without it loading needs
// CAP_SYS_ADMIN, which we are about to lose.
static int step_early_seccomp(struct child *c)
{
	const struct plan *p = c->plan;
	return p->has_filter && !p->no_new_privs ? seccomp_install(&p->filter, p->filter_flags) : 0;
}

static int step_bounding(struct child *c)
{
	int sys = capability_drop_bounding(c->plan->capabilities.bounding);
	return sys ? sys : process_keep_caps(true);
}

static int step_ids(struct child *c)
{
	const struct plan *p = c->plan;
	int sys = process_set_ids(p->uid, p->gid, p->groups, p->n_groups);
	// Changing them made us dumpable by fs.suid_dumpable again.
	return sys ? sys : process_set_dumpable(false);
}

// The permitted set is kept over the change of IDs until exec: a program with file capabilities
// gets them although new privileges are forbidden, and any other loses all if the user isn't root.
// To get them through the exec of coracle-init, which then sets what the spec says, they are
// ambient for that moment.
static int step_capabilities(struct child *c)
{
	struct capability_sets sets = c->plan->capabilities;
	if (c->plan->transits_capabilities) {
		sets.inheritable |= sets.permitted;
		sets.ambient |= sets.permitted;
	}
	int sys = capability_set(&sets);
	return sys ? sys : process_keep_caps(false);
}

static int step_go(struct child *c)
{
	if (c->plan->reports_ready) {
		const struct shim_report ready = {.step = STEP_READY};
		ignore(write(c->plan->report, &ready,
		             sizeof ready)); // without a reader no go comes
	}
	return wait_byte(c->plan->go);
}

// Set last: every change of IDs clears it. The monitor may have died before: then its end of the go
// pipe is closed (getppid says nothing in a pid namespace of our own).
static int step_death_signal(struct child *c)
{
	int sys = process_death_signal(SIGKILL, 0);
	struct pollfd go = {c->plan->go, POLLIN, 0};
	if (!sys && poll(&go, 1, 0) < 0)
		sys = errno;
	return sys ? sys : go.revents & POLLHUP ? EPIPE : 0;
}

// What we execute now is hidden from the others in the pid namespace that we joined, if we can't
// read it: kernel/exec_copy.h. Exec sets the effective capabilities anew.
static int hide(const struct child *c)
{
	const uint64_t reading = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH;
	return c->plan->pid_namespace < 0 ? 0 : capability_suspend(reading);
}

// Becomes coracle-init, which loads the filter and executes the program: shim/protocol.h,
// SHIM_INIT.
static int step_exec(struct child *c)
{
	struct plan *p = c->plan;
	int sys = hide(c);
	if (sys)
		return sys;
	signals_reset();
	p->init_argv[SHIM_INIT_ARGUMENTS - 1] = c->program;
	if (fcntl(p->report, F_SETFD, 0) < 0 || (p->proc >= 0 && fcntl(p->proc, F_SETFD, 0) < 0) ||
	    (p->filter_fd >= 0 && fcntl(p->filter_fd, F_SETFD, 0) < 0) ||
	    (p->hooks_fd >= 0 && fcntl(p->hooks_fd, F_SETFD, 0) < 0) ||
	    (p->code >= 0 && fcntl(p->code, F_SETFD, 0) < 0))
		return errno;
	syscall(SYS_execveat, p->init_program, "", p->init_argv, p->env, AT_EMPTY_PATH);
	return errno;
}

struct step {
	enum child_step step;
	int (*run)(struct child *);
};
static const struct step init_steps[] = {
	// clang-format off
	{STEP_DESCRIPTORS,      step_descriptors},
	{STEP_CGROUPS,          step_cgroups},
	{STEP_SESSION,          step_session},
	{STEP_SYNC,             step_sync},          // from here on IDs and groups are what they will be
	{STEP_USER,             step_user},
	{STEP_JOIN,             step_join},
	{STEP_CGROUP_NAMESPACE, step_cgroup_namespace},
	{STEP_HOSTNAME,         step_hostname},
	{STEP_LOOPBACK,         step_loopback},
	{STEP_PRIVATE,          step_private},       // before the first mount
	{STEP_ROOT,             child_attach_root},
	{STEP_MOUNTS,           child_mounts},
	{STEP_DEVICES,          child_devices},
	{STEP_HOOKS,            step_hooks},         // before what they may not write any more
	{STEP_SYSCTLS,          child_sysctls},
	{STEP_READONLY_PATHS,   child_readonly_paths},
	{STEP_MASKED_PATHS,     child_masked_paths},
	{STEP_CWD,              child_make_cwd},     // before the root is read-only
	{STEP_READONLY_ROOT,    child_readonly_root},
	{STEP_STDIO,            step_stdio},
	{STEP_PIVOT,            child_pivot},        // the host's files are gone from here on
	{STEP_CWD,              child_cwd},
	{STEP_HOME,             child_home},
	{STEP_RLIMITS,          child_rlimits},
	{STEP_PERSONALITY,      step_personality},
	{STEP_TASK,             step_task},
	{STEP_PRIVILEGES,       step_privileges},
	{STEP_EARLY_SECCOMP,    step_early_seccomp},
	{STEP_BOUNDING,         step_bounding},      // needs CAP_SETPCAP
	{STEP_IDS,              step_ids},           // needs CAP_SETUID
	{STEP_CAPABILITIES,     step_capabilities},
	{STEP_GO,               step_go},            // nothing but the program can fail from here on
	{STEP_FIND,             child_find_program},
	{STEP_DEATH_SIGNAL,     step_death_signal},  // after the last change of IDs
	{STEP_EXEC,             step_exec},
	// clang-format on
};

// One more process. What it joins is hostile already: its descriptors are gone before, and nobody
// in there may trace it (runtime_exec() made us so before there was a child).
static const struct step exec_steps[] = {
	// clang-format off
	{STEP_DESCRIPTORS,      step_descriptors},
	{STEP_CGROUPS,          step_cgroups},
	{STEP_SESSION,          step_session},
	{STEP_JOIN,             step_join},
	{STEP_USER,             step_user},
	{STEP_ROOT,             step_enter_root},
	{STEP_STDIO,            step_stdio},
	{STEP_CWD,              child_cwd},
	{STEP_HOME,             child_home},
	{STEP_RLIMITS,          child_rlimits},
	{STEP_PERSONALITY,      step_personality},
	{STEP_TASK,             step_task},
	{STEP_PRIVILEGES,       step_privileges},
	{STEP_EARLY_SECCOMP,    step_early_seccomp},
	{STEP_BOUNDING,         step_bounding},
	{STEP_IDS,              step_ids},
	{STEP_CAPABILITIES,     step_capabilities},
	{STEP_GO,               step_go},
	{STEP_FIND,             child_find_program},
	{STEP_DEATH_SIGNAL,     step_death_signal},
	{STEP_EXEC,             step_exec},
	// clang-format on
};

_Noreturn void child_main(struct plan *plan)
{
	const struct step *steps = plan->is_exec ? exec_steps : init_steps;
	size_t n_steps = plan->is_exec ? sizeof exec_steps / sizeof *exec_steps
	                               : sizeof init_steps / sizeof *init_steps;
	static struct child child; // our copy alone; too large for a borrowed stack
	child = (struct child){.plan = plan, .root = -1, .dev = -1};
	child.empty_dir.mount = child.empty_file.mount = -1;
	for (size_t i = 0; i < n_steps; i++) {
		child.index = -1;
		int sys = steps[i].run(&child);
		if (!sys)
			continue;
		struct shim_report report = {steps[i].step, sys, child.index, ""};
		memcpy(report.text, child.text, sizeof report.text);
		// Nobody reads it if the creator is dead; then nobody asks.
		ignore(write(plan->report, &report, sizeof report));
		break;
	}
	_exit(1);
}
