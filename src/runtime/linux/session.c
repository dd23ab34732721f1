// SPDX-License-Identifier: Apache-2.0
// Attached to a program's terminal: bytes both ways between the caller's and the monitor's end.
#include "kernel/pty.h"
#include "runtime/linux/task.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SESSION_BUFFER = 16 << 10, KEYS_MAX = 16 };

void session_close(struct runtime_task *task)
{
	if (task->session >= 0)
		close(task->session);
	task->session = -1;
	if (task->screen >= 0 && task->screen != task->terminal.output)
		close(task->screen);
	task->screen = -1;
	task->output_begin = task->output_end = 0;
}

// A terminal that was stopped (Ctrl-S) may not stop us: signals and the end would go unheard. Its
// open file is shared with the shell, so it is opened anew to be non-blocking; what can't be is
// written to as it is.
static int open_screen(int output)
{
	if (output < 0 || !isatty(output))
		return output;
	auto_free char *path = alloc_printf("/proc/self/fd/%d", output);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? output : fd;
}

fallible runtime_attach(struct runtime_task *task, const struct runtime_terminal *terminal)
{
	int fds[2];
	if (terminal->n_keys > KEYS_MAX)
		return error_new(ERROR_LIMIT, "detach keys: more than %d", KEYS_MAX);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		FAIL_ERRNO("socket");
	auto_fd int theirs = fds[1];
	task->session = fds[0];
	task->terminal = *terminal;
	task->terminal.is_attached = true;
	task->screen = open_screen(terminal->output);
	task->output = alloc(SESSION_BUFFER);
	TRY(task_tell(task, SHIM_ATTACH, 0, theirs));
	struct shim_message answer;
	TRY(task_hear(task, SHIM_DONE, &answer));
	if (answer.value == EBUSY)
		return error_new(ERROR_BUSY, "container %s: too many are attached", task->name);
	if (answer.value)
		return error_new(ERROR_INVALID, "container %s: has no terminal", task->name);
	session_resize(task);
	return NULL;
}

void session_resize(struct runtime_task *task)
{
	uint16_t rows = task->terminal.rows, columns = task->terminal.columns;
	if (pty_get_size(task->terminal.input, &rows, &columns) || !rows || !columns)
		return;
	struct error *e = task_tell(task, SHIM_RESIZE, (int)((uint32_t)rows << 16 | columns), -1);
	error_drop(&e); // it has ended, which we hear next
}

// How much of the input goes on; the rest, if the keys were complete, is nobody's.
static size_t look_for_keys(struct runtime_task *task, char *bytes, size_t size)
{
	const struct runtime_terminal *t = &task->terminal;
	size_t out = 0;
	char held[SESSION_BUFFER + KEYS_MAX];
	for (size_t i = 0; i < size && t->n_keys; i++) {
		if (bytes[i] == t->detach_keys[task->n_keys_seen]) {
			if (++task->n_keys_seen < t->n_keys)
				continue;
			task->is_let_go = true;
			break;
		}
		// Not them after all: what was held back goes first.
		memcpy(held + out, t->detach_keys, task->n_keys_seen);
		out += task->n_keys_seen;
		task->n_keys_seen = bytes[i] == t->detach_keys[0];
		if (!task->n_keys_seen)
			held[out++] = bytes[i];
	}
	if (!t->n_keys)
		return size;
	memcpy(bytes, held, out);
	return out;
}

static void type(struct runtime_task *task)
{
	char bytes[SESSION_BUFFER + KEYS_MAX];
	ssize_t n = read(task->terminal.input, bytes, SESSION_BUFFER);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { // the end, or a terminal that was hung up
		task->terminal.input = -1;
		return;
	}
	size_t size = look_for_keys(task, bytes, (size_t)n);
	for (size_t sent = 0; sent < size;) {
		ssize_t k = send(task->session, bytes + sent, size - sent, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			break; // it has ended: its last words are still to be read
		sent += (size_t)k;
	}
	if (task->is_let_go)
		session_close(task);
}

static void show_rest(struct runtime_task *task)
{
	while (task->output_begin < task->output_end && task->screen >= 0) {
		ssize_t n = write(task->screen, task->output + task->output_begin,
		                  task->output_end - task->output_begin);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { // the outer terminal is gone: the program goes on without us
			task->is_let_go = true;
			session_close(task);
			return;
		}
		task->output_begin += (size_t)n;
	}
	task->output_begin = task->output_end = 0;
}

static void show(struct runtime_task *task)
{
	if (task->output_begin == task->output_end) {
		ssize_t n = recv(task->session, task->output, SESSION_BUFFER, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) {
			session_close(task);
			return;
		}
		task->output_begin = 0;
		task->output_end = (size_t)n;
	}
	show_rest(task);
}

void session_serve(struct runtime_task *task, short input, short session)
{
	if (session)
		show(task);
	if (input && task->session >= 0)
		type(task);
}
