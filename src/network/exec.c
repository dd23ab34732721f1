// SPDX-License-Identifier: Apache-2.0
#include "network/exec.h"
#include "network/field.h"
#include "network/paths.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ANSWER_MAX = 1 << 20, STDERR_MAX = 64 * 1024, MESSAGE_MAX = 4096 };

static char *print_dirs(const char *const *dirs)
{
	auto_str struct str out = STR_LIMIT(16384);
	for (size_t i = 0; dirs[i]; i++)
		str_printf(&out, "%s%s", i ? " " : "", dirs[i]);
	return str_take(&out);
}

fallible exec_find(const struct network_paths *paths, const char *type, char **ret)
{
	if (!*type)
		return error_new(ERROR_INVALID, "no plugin name provided");
	if (strchr(type, '/') || strcmp(type, "..") == 0 || strcmp(type, ".") == 0)
		return error_new(ERROR_INVALID, "invalid plugin name: %.64s", type);
	const char *const *dirs = paths_plugin_dirs(paths);
	for (size_t i = 0; dirs[i]; i++) {
		auto_free char *path = alloc_printf("%s/%s", dirs[i], type);
		struct stat st;
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			*ret = take(&path);
			return NULL;
		}
	}
	auto_free char *text = print_dirs(dirs);
	return error_new(ERROR_NO_PROGRAM, "failed to find plugin \"%.64s\" in path [%s]", type,
	                 text);
}

// --- What it gets

static fallible make_input(const struct plugin_call *c, const char *command, int *ret)
{
	auto_json struct json *config = json_copy(c->config);
	// Before 0.4.0 DEL knew no result.
	bool expected = strcmp(command, "DEL") != 0 || cni_version_at_least(c->version, "0.4.0");
	if (c->previous && expected) {
		struct json *previous;
		TRY(result_to_json(c->previous, c->version, &previous));
		json_set(config, "prevResult", previous);
	}
	auto_free char *text = json_to_text(config, 0, JSON_SORT_KEYS | JSON_ESCAPE_HTML);
	auto_fd int fd = memfd_create("cni", MFD_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("memfd");
	TRY(fd_write_all(fd, text, strlen(text)));
	if (lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("seek");
	*ret = fd_take(&fd);
	return NULL;
}

static void make_environment(const struct plugin_call *c, const char *command, struct strings *env)
{
	extern char **environ;
	for (char **e = environ; *e; e++)
		if (!text_starts(*e, "CNI_COMMAND=") && !text_starts(*e, "CNI_CONTAINERID=") &&
		    !text_starts(*e, "CNI_NETNS=") && !text_starts(*e, "CNI_IFNAME=") &&
		    !text_starts(*e, "CNI_ARGS=") && !text_starts(*e, "CNI_PATH="))
			strings_add(env, *e);
	auto_str struct str path = STR_LIMIT(16384);
	const char *const *dirs = paths_plugin_dirs(c->paths);
	for (size_t i = 0; dirs[i]; i++)
		str_printf(&path, "%s%s", i ? ":" : "", dirs[i]);
	strings_adopt(env, alloc_printf("CNI_COMMAND=%s", command));
	strings_adopt(env, alloc_printf("CNI_CONTAINERID=%s", c->container_id));
	strings_adopt(env, alloc_printf("CNI_NETNS=%s", c->netns_path));
	strings_adopt(env, alloc_printf("CNI_IFNAME=%s", c->ifname));
	strings_adopt(env, alloc_printf("CNI_ARGS=%s", c->cni_args));
	strings_adopt(env, alloc_printf("CNI_PATH=%s", path.bytes ? path.bytes : ""));
}

// --- The process

struct child {
	pid_t pid;
	int pidfd, out, err; // -1 when closed
	struct str out_text, err_text;
	int status;
};

static void child_close(struct child *p)
{
	if (p->pid > 0) { // left early: nothing of it may stay
		kill(-p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_cleanup_(&p->pidfd);
	fd_cleanup_(&p->out);
	fd_cleanup_(&p->err);
	str_done(&p->out_text);
	str_done(&p->err_text);
}

static void __attribute__((noreturn))
run_child(const char *path, char *const *env, int in, int out, int err)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL};
	setpgid(0, 0);
	// The pipes lie above 2: all of 0, 1 and 2 are open in any process of ours.
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	syscall(SYS_close_range, 3, ~0U, 0);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (int attempt = 0; attempt < 6; attempt++) {
		execve(path, argv, env);
		if (errno != ETXTBSY) // it is being installed at this moment
			break;
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	}
	dprintf(2, "exec %s: %s", path, strerror(errno));
	_exit(126);
}

static fallible start(const char *path, const struct strings *env, int in, struct child *p)
{
	auto_fd int out = -1, err = -1;
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	p->out = pipe_fds[0];
	out = pipe_fds[1];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	p->err = pipe_fds[0];
	err = pipe_fds[1];
	pid_t pid = fork();
	if (pid < 0)
		FAIL_ERRNO("fork for %s", path);
	if (!pid)
		run_child(path, env->items, in, out, err);
	setpgid(pid, pid); // both sides do it, whoever comes first
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->pidfd < 0)
		FAIL_ERRNO("pidfd of %s", path);
	return NULL;
}

// One read; closes the pipe at its end.
static void drain(int *fd, struct str *text)
{
	char buffer[4096];
	ssize_t n = read(*fd, buffer, sizeof(buffer));
	if (n > 0) {
		str_add_bytes(text, buffer, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		close(*fd);
		*fd = -1;
	}
}

static long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// What stands in a pipe when its writer is dead is read without waiting: a grandchild may hold it.
static void drain_rest(int *fd, struct str *text)
{
	while (*fd >= 0) {
		struct pollfd p = {.fd = *fd, .events = POLLIN};
		if (poll(&p, 1, 0) <= 0)
			return;
		drain(fd, text);
	}
}

static fallible watch(struct child *p, unsigned timeout_ms)
{
	long long deadline = now_ms() + timeout_ms;
	for (;;) {
		struct pollfd fds[] = {{.fd = p->out, .events = POLLIN},
		                       {.fd = p->err, .events = POLLIN},
		                       {.fd = p->pidfd, .events = POLLIN}};
		long long left = deadline - now_ms();
		int n = left > 0 ? poll(fds, 3, (int)left) : 0;
		if (n < 0 && errno != EINTR)
			FAIL_ERRNO("poll");
		if (n == 0)
			return error_new(ERROR_SYSTEM, "no answer after %u ms: killed", timeout_ms);
		if (n < 0)
			continue;
		if (fds[0].revents)
			drain(&p->out, &p->out_text);
		if (fds[1].revents)
			drain(&p->err, &p->err_text);
		if (fds[2].revents)
			break;
	}
	drain_rest(&p->out, &p->out_text);
	drain_rest(&p->err, &p->err_text);
	while (waitpid(p->pid, &p->status, 0) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("wait");
	p->pid = 0;
	return NULL;
}

// --- What it says

static struct error *plain_failure(const struct child *p)
{
	if (p->err_text.size) {
		size_t n = p->err_text.size;
		while (n && p->err_text.bytes[n - 1] == '\n')
			n--;
		return error_new(ERROR_SYSTEM, "netplugin failed: \"%.*s\"",
		                 (int)(n > MESSAGE_MAX ? MESSAGE_MAX : n), p->err_text.bytes);
	}
	if (WIFSIGNALED(p->status))
		return error_new(ERROR_SYSTEM, "netplugin failed with no error message: signal: %s",
		                 strsignal(WTERMSIG(p->status)));
	return error_new(ERROR_SYSTEM, "netplugin failed with no error message: exit status %d",
	                 WEXITSTATUS(p->status));
}

static struct error *told_failure(const struct child *p)
{
	auto_json struct json *answer = NULL;
	const char *message = "", *details = "";
	struct error *e = json_parse(p->out_text.bytes, p->out_text.size, ANSWER_MAX, &answer);
	if (!e)
		e = field_string(answer, "msg", &message);
	if (!e)
		e = field_string(answer, "details", &details);
	if (e)
		return error_prefix(
			e,
			"netplugin failed but error parsing its diagnostic message "
			"\"%.*s\"",
			(int)(p->out_text.size > MESSAGE_MAX ? MESSAGE_MAX : p->out_text.size),
			p->out_text.bytes);
	return error_new(ERROR_SYSTEM, "%.*s%s%.*s", MESSAGE_MAX, message, *details ? "; " : "",
	                 MESSAGE_MAX, details);
}

fallible exec_plugin(const struct plugin_call *c, const char *path, const char *command,
                     struct json **ret_answer)
{
	auto_fd int in = -1;
	TRY(make_input(c, command, &in));
	auto_strings struct strings env = {0};
	make_environment(c, command, &env);
	__attribute__((cleanup(child_close))) struct child p = {.pidfd = -1,
	                                                        .out = -1,
	                                                        .err = -1,
	                                                        .out_text = STR_LIMIT(ANSWER_MAX),
	                                                        .err_text = STR_LIMIT(STDERR_MAX)};
	TRY(start(path, &env, in, &p));
	TRY(watch(&p, paths_plugin_timeout_ms(c->paths)));
	if (p.err_text.size)
		ignore(write(2, p.err_text.bytes,
		             p.err_text.size)); // the plugin's words to the user
	if (p.out_text.over)
		return error_new(ERROR_LIMIT, "answer is longer than %d bytes", ANSWER_MAX);
	if (!WIFEXITED(p.status) || WEXITSTATUS(p.status))
		return p.out_text.size ? told_failure(&p) : plain_failure(&p);
	if (ret_answer && p.out_text.size)
		TRY_AS(json_parse(p.out_text.bytes, p.out_text.size, ANSWER_MAX, ret_answer),
		       "unmarshall result");
	return NULL;
}
