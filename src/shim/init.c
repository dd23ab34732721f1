// SPDX-License-Identifier: Apache-2.0
// coracle-init, init's last step: shim/protocol.h, SHIM_INIT. We are in the container already: its
// root, its IDs, its limits. No byte of its files was executed.
#include "base/defer.h"
#include "shim/init_hooks.h"
#include "shim/number.h"
#include "shim/protocol.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int load_filter(int fd, unsigned flags)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	void *code = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (code == MAP_FAILED)
		return errno;
	close(fd);
	const struct sock_fprog program = {
		(unsigned short)((size_t)st.st_size / sizeof(struct sock_filter)), code};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? errno : 0;
}

struct capabilities {
	bool are_given;
	uint64_t permitted, effective, inheritable, ambient;
};

static bool parse_capabilities(const char *text, struct capabilities *ret)
{
	uint64_t *const sets[] = {&ret->permitted, &ret->effective, &ret->inheritable,
	                          &ret->ambient};
	ret->are_given = text[0] != '-';
	for (int i = 0; i < 4 && ret->are_given; i++) {
		if (!number_parse(&text, 16, sets[i]) || *text != (i < 3 ? ',' : 0))
			return false;
		text += i < 3;
	}
	return true;
}

static int set_permitted(const struct capabilities *c, uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	const struct __user_cap_data_struct data[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)c->inheritable},
		{(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
	         (uint32_t)(c->inheritable >> 32)},
	};
	return (int)syscall(SYS_capset, &header, data);
}

// They came through exec as ambient ones, the only way for a user who isn't root.
static int set_capabilities(const struct capabilities *c)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0 ||
	    set_permitted(c, c->permitted, c->effective) < 0)
		return errno;
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (c->ambient >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0UL, 0UL) < 0)
			return errno;
	}
	return 0;
}

// `what`: of SHIM_REPORT_STAY, the system call.
static _Noreturn void fail(int report, uint32_t step, int sys, const char *what)
{
	struct shim_report r = {step, sys, -1, ""};
	memcpy(r.text, what, strnlen(what, sizeof r.text - 1));
	ignore(write(report, &r, sizeof r));
	_exit(1);
}

static _Noreturn void execute(int report, char *argv[])
{
	execve(argv[SHIM_INIT_ARGUMENTS - 1], argv + SHIM_INIT_ARGUMENTS, environ);
	fail(report, SHIM_REPORT_EXEC, errno, "");
}

// ---- AppArmor -----------------------------------------------------------------------------------

// Files below /proc/TID/attr take words of this process alone, opened by the program that writes.
struct profile {
	const char *name; // NULL: none
	int at_exec, now;
};

static int open_attribute(int task, const char *ours, const char *any)
{
	int fd = openat(task, ours, O_WRONLY | O_CLOEXEC);
	return fd < 0 && errno == ENOENT ? openat(task, any, O_WRONLY | O_CLOEXEC) : fd;
}

static int open_profile(int task, const char *name, bool stays, struct profile *ret)
{
	ret->name = name;
	ret->at_exec = open_attribute(task, "attr/apparmor/exec", "attr/exec");
	ret->now = -1;
	if (ret->at_exec >= 0 && stays)
		ret->now = open_attribute(task, "attr/apparmor/current", "attr/current");
	if (ret->at_exec < 0 || (stays && ret->now < 0))
		return errno;
	close(task);
	return 0;
}

static int write_profile(int fd, const char *verb, const char *name)
{
	char words[512]; // the kernel takes all in one write
	size_t n = strlen(verb), n_name = strlen(name);
	if (n + n_name > sizeof words)
		return ENAMETOOLONG;
	memcpy(words, verb, n);
	memcpy(words + n, name, n_name);
	ssize_t written = write(fd, words, n + n_name);
	int sys = written < 0 ? errno : 0;
	close(fd);
	return sys;
}

// ---- As the init that stays ---------------------------------------------------------------------

// The kernel's sets, all 64 of them: a libc keeps the first real-time signals for itself.
static const uint64_t every_signal = ~UINT64_C(0), no_signal = 0;

struct start {
	int report;
	bool has_terminal;
	pid_t init;
	char **argv;
};

// The program, before it is one; our memory is its own until then, and we wait.
static int start_program(void *argument)
{
	const struct start *s = argument;
	const char *what = NULL;
	// In a group of its own: what a terminal or kill(0, …) sends there doesn't come to us, too.
	if (setpgid(0, 0) < 0)
		what = "setpgid";
	else if (s->has_terminal && tcsetpgrp(0, getpid()) < 0) // SIGTTOU is blocked
		what = "tcsetpgrp";
	else if (s->init != 1 && prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL) < 0)
		what = "prctl";
	else if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signal, NULL, sizeof no_signal) < 0)
		what = "rt_sigprocmask";
	if (what)
		fail(s->report, SHIM_REPORT_STAY, errno, what);
	if (getppid() != s->init) // killed before its death had a signal
		_exit(1);
	execute(s->report, s->argv);
}

// What a filter may forbid and what we can't do without later; NULL: nothing.
static const char *find_forbidden(const struct capabilities *c)
{
	if (c->are_given && set_permitted(c, c->permitted, c->effective) < 0) // as they are
		return "capset";
	const struct timespec now = {0};
	if (waitpid(-1, NULL, WNOHANG) < 0 && errno != ECHILD)
		return "wait4";
	if (syscall(SYS_rt_sigtimedwait, &no_signal, NULL, &now, sizeof no_signal) < 0 &&
	    errno != EAGAIN)
		return "rt_sigtimedwait";
	return kill(0, 0) < 0 ? "kill" : NULL;
}

// So that ps shows our name and the program's arguments, not ours.
static void show_arguments(int argc, char *argv[])
{
	char *to = argv[0] + strlen(argv[0]) + 1, *from = argv[SHIM_INIT_ARGUMENTS];
	char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	memmove(to, from, (size_t)(end - from));
	memset(to + (end - from), 0, (size_t)(from - to));
}

// True: the program is among those that have ended. One that calls ptrace(PTRACE_TRACEME) makes us
// its tracer: then its stops are told, too.
static bool reap(pid_t program, int *ret_status)
{
	pid_t gone;
	do
		gone = waitpid(-1, ret_status, WNOHANG);
	while (gone > 0 && (gone != program || WIFSTOPPED(*ret_status)));
	return gone == program;
}

static _Noreturn void serve(pid_t program)
{
	for (;;) {
		long number = syscall(SYS_rt_sigtimedwait, &every_signal, NULL, NULL,
		                      sizeof every_signal);
		int status;
		if (number < 0 && errno != EINTR)
			_exit(1);
		if (number == SIGCHLD && reap(program, &status))
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		if (number > 0 && number != SIGCHLD)
			ignore(kill(program, (int)number)); // it has ended: SIGCHLD is next
	}
}

static _Noreturn void stay(int report, const struct capabilities *c, const struct profile *p,
                           int argc, char *argv[])
{
	static char stack[8192];
	struct start start = {report, argv[SHIM_INIT_STAY][0] == 't', getpid(), argv};
	// From here on none is lost: those that come while the program starts wait for serve().
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &every_signal, NULL, sizeof every_signal) < 0)
		fail(report, SHIM_REPORT_STAY, errno, "rt_sigprocmask");
	const char *forbidden = find_forbidden(c);
	if (forbidden)
		fail(report, SHIM_REPORT_STAY, errno, forbidden);
	// Not fork: nothing is copied, and it goes on here when the program has been executed.
	pid_t program = clone(start_program, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
	                      &start);
	if (program < 0)
		fail(report, SHIM_REPORT_STAY, errno, "clone");
	int sys = p->name ? write_profile(p->now, "changeprofile ", p->name) : 0;
	if (sys)
		fail(report, SHIM_REPORT_PROFILE, sys, "");
	// Whoever reads the program's output has to see its end.
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	// What exec has left of them to the program, if its file had none.
	if (c->are_given && set_permitted(c, c->ambient, c->ambient) < 0)
		fail(report, SHIM_REPORT_STAY, errno, "capset");
	show_arguments(argc, argv);
	if (close(report) < 0) // the last of it: who has started us goes on here
		fail(report, SHIM_REPORT_STAY, errno, "close");
	serve(program);
}

// Before a filter is there.
static int prepare_stay(void)
{
	// Executed by descriptor we would be called by its number.
	if (prctl(PR_SET_NAME, SHIM_INIT) < 0)
		return errno;
	return getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1UL) < 0 ? errno : 0;
}

// ---- The last steps -----------------------------------------------------------------------------

static bool parse_fd(const char *text, int *ret)
{
	uint64_t value;
	if (!number_parse(&text, 10, &value) || *text || value > INT32_MAX)
		return false;
	*ret = (int)value;
	return true;
}

// What the program may.
struct rights {
	struct capabilities capabilities;
	int filter; // -1: none
	uint64_t flags;
};

static int take_rights(const struct rights *r, uint32_t *ret_step)
{
	*ret_step = SHIM_REPORT_CAPABILITIES;
	int sys = r->capabilities.are_given ? set_capabilities(&r->capabilities) : 0;
	if (sys)
		return sys;
	*ret_step = SHIM_REPORT_SECCOMP;
	// Last: it may forbid all but execve.
	return r->filter < 0 ? 0 : load_filter(r->filter, (unsigned)r->flags);
}

// "FD,NAME"
static int take_profile(const char *text, bool stays, struct profile *ret)
{
	uint64_t task;
	if (*text == '-')
		return 0;
	if (!number_parse(&text, 10, &task) || *text != ',' || task > INT32_MAX)
		return EINVAL;
	int sys = open_profile((int)task, text + 1, stays, ret);
	return sys ? sys : write_profile(ret->at_exec, "exec ", ret->name);
}

static int enter_hook(void *context)
{
	uint32_t step;
	return take_rights(context, &step);
}

static void run_hooks(int report, int fd, struct rights *rights)
{
	struct shim_report r = {.step = SHIM_REPORT_HOOK};
	r.sys = fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? errno
	                                           : init_run_hooks(fd, enter_hook, rights, &r);
	if (!r.sys)
		return;
	ignore(write(report, &r, sizeof r));
	_exit(1);
}

int main(int argc, char *argv[])
{
	int report, hooks = -1, sys = 0;
	uint32_t step = 0;
	struct rights rights = {.filter = -1};
	struct profile profile = {NULL, -1, -1};
	const char *text = argc > 3 ? argv[3] : "";
	if (argc <= SHIM_INIT_ARGUMENTS || !parse_fd(argv[1], &report))
		_exit(2);
	if (fcntl(report, F_SETFD, FD_CLOEXEC) < 0)
		fail(report, SHIM_REPORT_EXEC, errno, "");
	if ((argv[2][0] != '-' && !parse_fd(argv[2], &rights.filter)) ||
	    (argv[SHIM_INIT_HOOKS][0] != '-' && !parse_fd(argv[SHIM_INIT_HOOKS], &hooks)) ||
	    !number_parse(&text, 16, &rights.flags) ||
	    !parse_capabilities(argv[4], &rights.capabilities))
		fail(report, SHIM_REPORT_EXEC, EINVAL, "");
	if (hooks >= 0)
		run_hooks(report, hooks, &rights);
	bool stays = argv[SHIM_INIT_STAY][0] != '-';
	sys = take_profile(argv[SHIM_INIT_PROFILE], stays, &profile);
	if (sys)
		fail(report, SHIM_REPORT_PROFILE, sys, "");
	if (stays)
		sys = prepare_stay();
	if (sys)
		fail(report, SHIM_REPORT_STAY, sys, "prctl");
	sys = take_rights(&rights, &step);
	if (sys)
		fail(report, step, sys, "");
	if (stays)
		stay(report, &rights.capabilities, &profile, argc, argv);
	execute(report, argv);
}
