// SPDX-License-Identifier: Apache-2.0
// vfork, clone3, exec: S, our child, borrows our memory until it has become coracle-shim; in
// between it makes init, which gets a copy of that memory. So there is one copy of page tables
// instead of two, and what S learns is simply there when vfork returns.
#include "runtime/linux/launch.h"
#include "kernel/process.h"
#include "runtime/linux/child.h"
#include "shim/number.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { LIFTED = SHIM_FD_END }; // above all numbers that the monitor gets; callers may have few

struct spawn { // shared with S, which writes the results
	const struct launch *launch;
	const char **argv; // [3]: pid
	char pid[NUMBER_SIZE];
	pid_t init;
	const char *failed; // what; NULL: nothing
	int sys;
};

static int place_descriptors(const struct launch *l)
{
	int lifted[SHIM_FD_END];
	for (int fd = 0; fd < SHIM_FD_END; fd++) {
		int from = fd < SHIM_FD_CONTROL ? l->null : l->fds[fd];
		lifted[fd] = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, LIFTED);
		if (from >= 0 && lifted[fd] < 0)
			return errno;
	}
	for (int fd = 0; fd < SHIM_FD_END; fd++) {
		if (lifted[fd] < 0)
			close(fd);
		else if (dup2(lifted[fd], fd) < 0)
			return errno;
	}
	return process_close_from(SHIM_FD_END);
}

// What init may not enter from a user namespace of its own it is born in: we go there, make it, and
// come back, since the cleaner that we become has its work where we are.
enum { JOINS_MAX = NAMESPACE_KINDS + 1 };
struct visit {
	int homes[JOINS_MAX];
	uint64_t flags[JOINS_MAX];
	size_t n;
};

static int visit_namespaces(const struct plan *plan, struct visit *v)
{
	for (size_t i = 0; i < plan->n_joins; i++) {
		const struct plan_join *join = &plan->joins[i];
		char path[64] = "/proc/self/ns/";
		const char *name = NULL;
		for (size_t k = 0; k < NAMESPACE_KINDS; k++)
			name = namespace_kinds[k].clone_flag == join->flag ? namespace_kinds[k].proc
			                                                   : name;
		if (!name || v->n == JOINS_MAX)
			return EINVAL;
		memcpy(path + strlen(path), name, strlen(name) + 1);
		int home = open(path, O_RDONLY | O_CLOEXEC);
		if (home < 0)
			return errno;
		v->homes[v->n] = home;
		v->flags[v->n++] = join->flag;
		int sys = namespace_enter(join->fd, join->flag);
		if (sys)
			return sys;
	}
	for (size_t i = 0; i < plan->n_mounts; i++) {
		char text[1]; // the kernel's words have nobody to read them here
		const struct plan_mount *m = &plan->mounts[i];
		if (!m->is_early)
			continue;
		auto_fd int made = -1;
		int sys = child_make_mount(m, &made, text, sizeof text);
		// Our descriptors are a copy; the number is what init keeps.
		if (!sys && dup3(made, m->source, O_CLOEXEC) < 0)
			sys = errno;
		if (sys)
			return sys;
	}
	return 0;
}

static int leave_namespaces(struct visit *v)
{
	int sys = 0;
	while (v->n) {
		v->n--;
		int failed = namespace_enter(v->homes[v->n], v->flags[v->n]);
		sys = failed ? failed : sys;
		close(v->homes[v->n]);
	}
	return sys;
}

static int make_init(struct spawn *s, int *ret_pidfd)
{
	const struct launch *l = s->launch;
	const bool is_guest = l->plan->user_namespace >= 0;
	const struct namespace_clone how = {l->plan->clone_flags | (is_guest ? CLONE_PARENT : 0),
	                                    l->cgroup, is_guest ? 0 : SIGCHLD};
	int sys = l->plan->pid_namespace < 0
	                  ? 0
	                  : namespace_enter(l->plan->pid_namespace, CLONE_NEWPID);
	struct visit visit = {.n = 0};
	if (!sys && l->plan->has_user_namespace && !l->plan->is_exec)
		sys = visit_namespaces(l->plan, &visit);
	if (!sys && is_guest)
		sys = process_drop_groups(); // inside it may be denied
	if (!sys && is_guest)
		sys = namespace_enter(l->plan->user_namespace, CLONE_NEWUSER);
	if (!sys)
		sys = namespace_clone(&how, &s->init, ret_pidfd);
	if (!sys && s->init == 0)
		child_main(l->plan);
	int back = is_guest ? 0 : leave_namespaces(&visit);
	return sys ? sys : back;
}

// Nobody comes back from a user namespace: whoever makes init in one stays there, and ends. Init is
// S' child all the same. What this guest leaves in `s` and in *ret_pidfd is ours, but the
// descriptor was its own.
static int make_init_as_guest(struct spawn *s, int *ret_pidfd)
{
	// Who is in there already may not trace init, whose memory is a copy of the caller's.
	int sys = process_set_dumpable(false);
	if (sys)
		return sys;
	s->sys = ECHILD; // if it is killed
	pid_t guest = vfork();
	if (guest < 0)
		return errno;
	if (guest == 0) {
		s->sys = make_init(s, ret_pidfd);
		_exit(0);
	}
	while (waitpid(guest, NULL, 0) < 0 && errno == EINTR)
		;
	return s->sys ? s->sys : pidfd_open_process(s->init, ret_pidfd);
}

// S. The caller waits meanwhile, so that its memory is ours to write; nothing here allocates.
static _Noreturn void become_monitor(struct spawn *s, struct launch *l)
{
	int pidfd = -1;
	s->failed = "namespaces";
	s->sys = process_new_session();
	if (!s->sys)
		s->sys = s->launch->plan->user_namespace < 0 ? make_init(s, &pidfd)
		                                             : make_init_as_guest(s, &pidfd);
	if (!s->sys) {
		s->failed = "descriptors";
		l->fds[SHIM_FD_INIT] = pidfd;
		number_write(s->pid, (uint64_t)s->init);
		s->sys = place_descriptors(l);
	}
	if (!s->sys) {
		s->failed = NULL; // it succeeds without coming back
		execve(l->request->shim_program, (char *const *)s->argv,
		       (char *const *)l->request->cleaner_environment);
		s->sys = errno;
		s->failed = "execute";
	}
	_exit(1);
}

static const char *output_argument(const struct runtime_request *request, struct arena *arena)
{
	const struct runtime_log *log = &request->log;
	bool is_terminal = request->spec->process.terminal;
	if (is_terminal && log->kind != RUNTIME_LOG_KEPT)
		return log->kind == RUNTIME_LOG_FILE ? "tty:file" : "tty";
	if (log->kind != RUNTIME_LOG_KEPT)
		return log->kind == RUNTIME_LOG_FILE ? "file" : "copy";
	return arena_printf(arena, "%s:%llu:%u", is_terminal ? "tty" : "log",
	                    (unsigned long long)log->size_bytes, log->n_files);
}

static void make_argv(const struct runtime_request *request, struct arena *arena, struct spawn *s)
{
	size_t n = 0, n_cleaner = 0;
	while (request->cleaner && request->cleaner[n_cleaner])
		n_cleaner++;
	s->argv = arena_alloc(arena, (n_cleaner + 7) * sizeof *s->argv);
	s->argv[n++] = "coracle-shim";
	s->argv[n++] = arena_printf(arena, "%s/%s", request->ns, request->id);
	s->argv[n++] = arena_printf(arena, "%016llx", (unsigned long long)request->instance);
	s->argv[n++] = s->pid;
	s->argv[n++] = output_argument(request, arena);
	if (n_cleaner)
		s->argv[n++] = "--";
	for (size_t i = 0; i < n_cleaner; i++)
		s->argv[n++] = request->cleaner[i];
}

fallible launch(struct launch *l)
{
	struct spawn s = {.launch = l};
	make_argv(l->request, l->plan->arena, &s);
	sigset_t all, before;
	sigfillset(&all);
	// No handler of ours may run in S; the monitor wants no signals, and init resets them.
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t monitor = vfork();
	if (monitor == 0)
		become_monitor(&s, l);
	int sys = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (monitor < 0)
		return error_system(sys, "monitor: fork");
	if (s.failed) {
		while (waitpid(monitor, NULL, 0) < 0 && errno == EINTR)
			;
		return error_system(s.sys, "monitor %s: %s", l->request->shim_program, s.failed);
	}
	l->ret_monitor = monitor;
	l->ret_init = s.init;
	return NULL;
}
