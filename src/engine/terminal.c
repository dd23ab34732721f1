// SPDX-License-Identifier: Apache-2.0
#include "engine/terminal.h"
#include "base/text.h"
#include "kernel/process.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

enum { KEYS_MAX = 16 };

// "a", "ctrl-a", "ctrl-@", "ctrl-[", …, with commas between, as docker's.
static fallible parse_keys(const char *text, char **ret, size_t *ret_n)
{
	auto_free char *keys = alloc(KEYS_MAX + 1);
	size_t n = 0;
	for (const char *p = text; *p; p += *p == ',') {
		size_t size = strcspn(p, ",");
		bool is_control = size == 6 && text_starts(p, "ctrl-");
		char c = is_control && p[5] >= 'a' && p[5] <= 'z' ? (char)(p[5] - 'a' + 'A') : p[5];
		bool is_known = size == 1 || (is_control && c >= '@' && c <= '_');
		if (!is_known || n == KEYS_MAX)
			return error_new(ERROR_USAGE,
			                 "detach keys %.64s: not such as ctrl-p,ctrl-q", text);
		keys[n++] = size == 1 ? *p : (char)(c - '@');
		p += size;
	}
	*ret = take(&keys);
	*ret_n = n;
	return NULL;
}

fallible terminal_of(const int stdio[3], const char *keys, struct runtime_terminal *ret,
                     char **ret_keys)
{
	if (stdio[0] < 0 || !isatty(stdio[0]))
		return error_hint(
			error_new(ERROR_INVALID, "-t needs a terminal: standard input is none"),
			"leave -t away, or run it in one (script -qc 'COMMAND' makes one)");
	struct winsize size = {0};
	ignore(ioctl(stdio[0], TIOCGWINSZ, &size)); // then it isn't known
	*ret = (struct runtime_terminal){
		.is_attached = true,
		.input = stdio[0],
		.output = stdio[1],
		.rows = size.ws_row,
		.columns = size.ws_col,
	};
	TRY(parse_keys(keys ? keys : "ctrl-p,ctrl-q", ret_keys, &ret->n_keys));
	ret->detach_keys = *ret_keys;
	return NULL;
}

// In a session of its own, so that the terminal's signals and its stop on output from the
// background don't reach it. It holds the terminal and one end of a pipe, and nothing else.
static void __attribute__((noreturn)) guard(int terminal, int end, const struct termios *saved)
{
	setsid();
	int kept[2] = {fcntl(terminal, F_DUPFD_CLOEXEC, 3), fcntl(end, F_DUPFD_CLOEXEC, 3)};
	if (dup2(kept[0], 0) < 0 || dup2(kept[1], 1) < 0 || process_close_from(2))
		_exit(1);
	char byte;
	ssize_t n;
	while ((n = read(1, &byte, 1)) < 0 && errno == EINTR)
		;
	if (n == 0)                           // without a word: killed
		tcsetattr(0, TCSANOW, saved); // a stopped terminal drains never
	_exit(0);
}

fallible terminal_make_raw(int fd, struct outer_terminal *ret)
{
	struct outer_terminal t = {.fd = fd, .pipe = -1};
	int ends[2];
	if (tcgetattr(fd, &t.saved) < 0)
		FAIL_ERRNO("terminal");
	if (pipe2(ends, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	t.guard = fork();
	if (!t.guard) {
		close(ends[1]);
		guard(fd, ends[0], &t.saved);
	}
	close(ends[0]);
	t.pipe = ends[1];
	struct termios raw = t.saved;
	cfmakeraw(&raw);
	if (t.guard < 0 || tcsetattr(fd, TCSANOW, &raw) < 0) {
		int sys = errno;
		terminal_restore(&t);
		return error_system(sys, "terminal");
	}
	*ret = t;
	return NULL;
}

void terminal_restore(struct outer_terminal *t)
{
	if (t->fd < 0)
		return;
	ignore(tcsetattr(t->fd, TCSANOW, &t->saved)); // hung up: nothing to restore
	if (t->guard > 0) {
		ignore(write(t->pipe, "", 1)); // it has done it already if it is gone
		while (waitpid(t->guard, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(t->pipe);
	*t = OUTER_TERMINAL;
}
