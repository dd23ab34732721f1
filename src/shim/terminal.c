// SPDX-License-Identifier: Apache-2.0
#include "shim/terminal.h"
#include "base/defer.h"
#include "shim/log.h"
#include "shim/protocol.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUTPUT_SIZE = 16 << 10, INPUT_SIZE = 4 << 10, LAST_WAIT_MS = 5000 };

static struct terminal {
	bool exists, is_logged, is_filed;
	int socket; // -1: they have come
	int master;
	int slave; // held open: else there is an end of file whenever nobody in there has it open
	struct session {
		int fd; // -1: free
		size_t sent;
	} sessions[TERMINAL_SESSIONS];
	size_t n_output, input_begin, input_end;
	char output[OUTPUT_SIZE], input[INPUT_SIZE];
} t = {.socket = -1, .master = -1, .slave = -1};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void terminal_begin(int socket, bool is_logged, bool is_filed)
{
	t.exists = true;
	t.socket = socket;
	t.is_logged = is_logged && !is_filed;
	t.is_filed = is_filed;
	for (struct session *s = t.sessions; s < t.sessions + TERMINAL_SESSIONS; s++)
		s->fd = -1;
}

bool terminal_exists(void)
{
	return t.exists;
}

int terminal_attach(int fd)
{
	if (!t.exists)
		return ENOTTY;
	for (struct session *s = t.sessions; s < t.sessions + TERMINAL_SESSIONS; s++) {
		if (s->fd >= 0)
			continue;
		fcntl(fd, F_SETFL, O_NONBLOCK); // sockets of ours alone: it isn't shared
		*s = (struct session){fd, t.n_output};
		return 0;
	}
	return EBUSY;
}

void terminal_resize(uint16_t rows, uint16_t columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	if (t.master >= 0)
		ignore(ioctl(t.master, TIOCSWINSZ, &size)); // hung up: nobody to tell
}

static void receive(void)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr m = {.msg_iov = &part,
	                   .msg_iovlen = 1,
	                   .msg_control = &control,
	                   .msg_controllen = sizeof control};
	ssize_t n = recvmsg(t.socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
		memcpy(&t.master, CMSG_DATA(c), sizeof(int));
		memcpy(&t.slave, CMSG_DATA(c) + sizeof(int), sizeof(int));
		fcntl(t.master, F_SETFL, O_RDWR | O_NONBLOCK);
	}
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&t.socket); // it came, or never will
}

static bool is_taken(void)
{
	for (struct session *s = t.sessions; s < t.sessions + TERMINAL_SESSIONS; s++) {
		if (s->fd >= 0 && s->sent < t.n_output)
			return false;
	}
	return true;
}

// Sends what each hasn't had yet.
static void send_output(void)
{
	for (struct session *s = t.sessions; s < t.sessions + TERMINAL_SESSIONS; s++) {
		while (s->fd >= 0 && s->sent < t.n_output) {
			ssize_t n = send(s->fd, t.output + s->sent, t.n_output - s->sent,
			                 MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && errno == EAGAIN)
				break;
			if (n < 0)
				close_fd(&s->fd);
			else
				s->sent += (size_t)n;
		}
	}
}

// What a full disk can't take is lost: the program goes on.
static void put_in_file(const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(SHIM_FD_TO, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		bytes += n;
		size -= (size_t)n;
	}
}

// False: nothing more comes now.
static bool read_output(void)
{
	if (t.master < 0 || !is_taken())
		return false;
	ssize_t n = read(t.master, t.output, sizeof t.output);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN) // hung up: by the end of its session leader
			close_fd(&t.master);
		return false;
	}
	t.n_output = (size_t)n;
	for (struct session *s = t.sessions; s < t.sessions + TERMINAL_SESSIONS; s++)
		s->sent = 0;
	if (t.is_logged)
		log_put(0, t.output, t.n_output);
	if (t.is_filed)
		put_in_file(t.output, t.n_output);
	send_output();
	return true;
}

static void read_input(struct session *s)
{
	if (t.input_begin < t.input_end) // of somebody else, this time
		return;
	ssize_t n = recv(s->fd, t.input, sizeof t.input, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close_fd(&s->fd);
		return;
	}
	t.input_begin = 0;
	t.input_end = n > 0 ? (size_t)n : 0;
}

static void write_input(void)
{
	while (t.input_begin < t.input_end && t.master >= 0) {
		ssize_t n = write(t.master, t.input + t.input_begin, t.input_end - t.input_begin);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		t.input_begin += (size_t)n;
	}
	t.input_begin = t.input_end = 0;
}

void terminal_poll(struct pollfd p[TERMINAL_POLLS])
{
	bool types = t.input_begin < t.input_end;
	p[0] = (struct pollfd){t.socket, POLLIN, 0};
	short wanted = (short)((is_taken() ? POLLIN : 0) | (types ? POLLOUT : 0));
	// A hang-up is told whether it is asked for or not.
	p[1] = (struct pollfd){wanted ? t.master : -1, wanted, 0};
	for (int i = 0; i < TERMINAL_SESSIONS; i++) {
		const struct session *s = &t.sessions[i];
		short events = (short)((types ? 0 : POLLIN) | (s->sent < t.n_output ? POLLOUT : 0));
		p[2 + i] = (struct pollfd){t.exists ? s->fd : -1, events, 0};
	}
}

void terminal_serve(const struct pollfd p[TERMINAL_POLLS])
{
	if (p[0].revents)
		receive();
	for (int i = 0; i < TERMINAL_SESSIONS; i++) {
		struct session *s = &t.sessions[i];
		if (p[2 + i].revents && p[2 + i].fd == s->fd)
			read_input(s);
	}
	send_output();
	write_input();
	if (p[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_output();
}

void terminal_end(void)
{
	if (!t.exists)
		return;
	if (t.socket >= 0)
		receive();
	close_fd(&t.slave);
	for (;;) {
		send_output();
		if (read_output())
			continue;
		if (is_taken())
			break;
		struct pollfd p[TERMINAL_POLLS];
		terminal_poll(p);
		p[0].fd = p[1].fd = -1;
		for (int i = 0; i < TERMINAL_SESSIONS; i++)
			p[2 + i].events = p[2 + i].events & POLLOUT;
		if (poll(p, TERMINAL_POLLS, LAST_WAIT_MS) == 0)
			break;
	}
	if (t.is_logged)
		log_end(0);
	for (struct session *s = t.sessions; s < t.sessions + TERMINAL_SESSIONS; s++)
		close_fd(&s->fd);
	close_fd(&t.master);
	t.exists = false;
}
