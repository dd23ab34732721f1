// SPDX-License-Identifier: Apache-2.0
#include "engine/logger.h"
#include "base/text.h"
#include "engine/signals.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCHEME "binary:"
enum { READY_MS = 10000, PAIRS_MAX = 100, FIRST_FD = 3, FDS = 3, LIFTED = 10 };

void logger_done(struct logger *l)
{
	for (int i = 0; i < 2; i++)
		fd_cleanup_(&l->streams[i]);
	*l = LOGGER_NONE;
}

bool logger_is_meant(const char *uri)
{
	return uri && text_starts(uri, SCHEME);
}

// --- The URI

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

// NULL: a percent sign without its two digits, or a zero byte. The caller's.
static char *decode(const char *text, size_t size, bool is_query)
{
	auto_free char *out = alloc(size + 1);
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '%') {
			out[n++] = is_query && text[i] == '+' ? ' ' : text[i];
			continue;
		}
		int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
		int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;
		if (high < 0 || low < 0 || !(high | low))
			return NULL;
		out[n++] = (char)(high << 4 | low);
		i += 2;
	}
	out[n] = 0;
	return take(&out);
}

static bool has_key(const struct strings *argv, const char *key)
{
	for (size_t i = 1; i < argv->n; i += 2) {
		if (!strcmp(argv->items[i], key))
			return true;
	}
	return false;
}

// "k=v&…" to "k", "v", …; only the first value of a key counts, as with containerd.
static fallible parse_query(const char *uri, const char *query, struct strings *argv)
{
	for (const char *p = query; *p;) {
		size_t size = strcspn(p, "&"), key_size = strcspn(p, "=&");
		bool has_value = key_size < size;
		auto_free char *key = decode(p, key_size, true);
		auto_free char *value =
			decode(p + key_size + has_value, size - key_size - has_value, true);
		if (!key || !value || argv->n > 2 * PAIRS_MAX)
			return error_new(ERROR_INVALID, "log URI %.200s: not a query", uri);
		if (size && !has_key(argv, key)) {
			strings_add(argv, key);
			strings_add(argv, value);
		}
		p += size + (p[size] == '&');
	}
	return NULL;
}

static fallible parse(const char *uri, struct strings *argv)
{
	const char *path = uri + strlen(SCHEME);
	path += text_starts(path, "//") ? 2 : 0;
	size_t size = strcspn(path, "?#");
	auto_free char *program = decode(path, size, false);
	if (*path != '/' || !program)
		return error_new(ERROR_INVALID,
		                 "log URI %.200s: not binary:// and the absolute path of a program",
		                 uri);
	strings_add(argv, program);
	return path[size] == '?' ? parse_query(uri, path + size + 1, argv) : NULL;
}

// --- The process

struct pipes {
	int streams[2][2], ready[2], failed[2];
};

static void pipes_done(struct pipes *p)
{
	int *fds = &p->streams[0][0];
	for (size_t i = 0; i < sizeof *p / sizeof *fds; i++)
		fd_cleanup_(&fds[i]);
}

static _Noreturn void become_logger(const struct pipes *p, char *const *argv, char *const *env)
{
	const int from[FDS] = {p->streams[0][0], p->streams[1][0], p->ready[1]};
	int lifted[FDS], sys = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int failed = fcntl(p->failed[1], F_DUPFD_CLOEXEC, LIFTED);
	for (int i = 0; i < FDS; i++)
		lifted[i] = fcntl(from[i], F_DUPFD_CLOEXEC, LIFTED);
	for (int i = 0; i < FIRST_FD && !sys; i++)
		sys = dup2(null, i) < 0 ? errno : 0;
	for (int i = 0; i < FDS && !sys; i++)
		sys = dup2(lifted[i], FIRST_FD + i) < 0 ? errno : 0;
	for (int n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	// All else is ours: databases, locks, the caller's terminal.
	if (!sys && (chdir("/") < 0 || syscall(SYS_close_range, FIRST_FD + FDS, ~0U, 1U << 2) < 0))
		sys = errno; // CLOSE_RANGE_CLOEXEC: `failed` is needed until exec
	if (!sys) {
		execve(argv[0], argv, env);
		sys = errno;
	}
	ignore(write(failed, &sys, sizeof sys));
	_exit(127);
}

static fallible make_pipes(struct pipes *p)
{
	int(*const all[])[2] = {&p->streams[0], &p->streams[1], &p->ready, &p->failed};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (pipe2(*all[i], O_CLOEXEC) < 0)
			FAIL_ERRNO("pipe");
	}
	return NULL;
}

static fallible await_exec(int failed, const char *program)
{
	int sys = 0;
	ssize_t n;
	while ((n = read(failed, &sys, sizeof sys)) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof sys)
		return NULL; // its end of the pipe was closed by exec
	struct error *e = error_system(sys, "logger %s", program);
	return sys == ENOENT ? error_recode(e, ERROR_NO_PROGRAM) : e;
}

static fallible await_ready(int ready, int signalfd, const char *program)
{
	struct pollfd p[] = {{ready, POLLIN, 0}, {signalfd, POLLIN, 0}};
	int n;
	// A signal that wants nothing of us begins the time anew.
	while ((n = poll(p, 2, READY_MS)) < 0 || (n && !p[0].revents)) {
		if (n < 0 && errno != EINTR)
			FAIL_ERRNO("logger %s", program);
		TRY(signals_check(signalfd));
	}
	if (n > 0)
		return NULL;
	return error_new(ERROR_BUSY, "logger %s: not ready after %d s", program, READY_MS / 1000);
}

fallible logger_start(const char *uri, const char *ns, const char *id, int signalfd,
                      struct logger *ret)
{
	auto_strings struct strings argv = {0}, env = {0};
	TRY(parse(uri, &argv));
	strings_adopt(&env, alloc_printf("CONTAINER_ID=%s", id));
	strings_adopt(&env, alloc_printf("CONTAINER_NAMESPACE=%s", ns));
	auto_free char **arguments = alloc_array(argv.n + 1, sizeof *arguments);
	memcpy(arguments, argv.items, argv.n * sizeof *arguments);
	char *environment[] = {env.items[0], env.items[1], NULL};
	defer(pipes_done) struct pipes p = {{{-1, -1}, {-1, -1}}, {-1, -1}, {-1, -1}};
	TRY(make_pipes(&p));
	pid_t pid = fork();
	if (pid < 0)
		FAIL_ERRNO("logger: fork");
	if (!pid)
		become_logger(&p, arguments, environment);
	fd_cleanup_(&p.ready[1]);
	fd_cleanup_(&p.failed[1]);
	struct error *e = await_exec(p.failed[0], argv.items[0]);
	if (!e)
		e = await_ready(p.ready[0], signalfd, argv.items[0]);
	if (e) {
		kill(-pid, SIGKILL); // with what it has started: it leads a session of its own
		kill(pid, SIGKILL);  // our child, not yet reaped
		ignore(waitpid(pid, NULL, 0));
		return e;
	}
	for (int i = 0; i < 2; i++)
		ret->streams[i] = fd_take(&p.streams[i][1]);
	return NULL;
}
