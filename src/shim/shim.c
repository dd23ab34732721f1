// SPDX-License-Identifier: Apache-2.0
// The monitor of one container: shim/protocol.h says how it is started and spoken to.
// Everything is static: a monitor that can't allocate can't fail for lack of memory when the
// container has eaten it all, and untouched pages cost nothing.
#include "base/defer.h"
#include "shim/log.h"
#include "shim/number.h"
#include "shim/protocol.h"
#include "shim/terminal.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PEERS = 16, COPIES = 2, BUFFER_SIZE = 64 << 10 };

static struct copy {
	int from, to; // from -1: nothing to do; to -1: read and drop
	bool is_file; // `to` is no socket
	size_t begin, end;
	char buffer[BUFFER_SIZE];
} copies[COPIES];

static struct peer {
	int fd; // -1: free
	bool waits;
} peers[PEERS];

static struct monitor {
	uint64_t instance;
	pid_t init;
	enum shim_state state;
	int exit_code;
	int control; // -1: nobody is there
	int listen;  // -1: nobody can come
	int code;    // eventfd of an exit code with 32 bits; -1: init has none
	int held;    // what the creator wants to be let go only after its answer
	enum { OUTPUT_COPY, OUTPUT_FILE, OUTPUT_LOG } output;
	int lost; // errno of output that couldn't be written; 0: none
	bool is_cleaned;
	char *const *cleaner; // NULL: none
} monitor = {
	.control = SHIM_FD_CONTROL, .listen = SHIM_FD_LISTEN, .code = SHIM_FD_CODE, .held = -1};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// ---- Messages -----------------------------------------------------------------------------------

// Never waits: a peer that doesn't read its answers loses them.
static void tell(int fd, enum shim_kind kind, int value)
{
	struct shim_message m = {
		.version = SHIM_VERSION,
		.kind = (uint16_t)kind,
		.value = value,
		.state = monitor.state,
		.pid = monitor.state == SHIM_STOPPED ? 0 : monitor.init,
		.instance = monitor.instance,
	};
	ignore(send(fd, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL));
}

// Takes one message. False: the other side has gone or speaks another language.
static bool hear(int fd, struct shim_message *ret, int *ret_held)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {ret, sizeof *ret};
	struct msghdr m = {.msg_iov = &part,
	                   .msg_iovlen = 1,
	                   .msg_control = &control,
	                   .msg_controllen = sizeof control};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	// Short of memory it comes with the next turn: nobody has gone.
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS)) {
		ret->kind = 0;
		return true;
	}
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		// The padding has room for a second one; the last that comes is kept.
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			close_fd(ret_held);
			memcpy(ret_held, (const char *)c + at, sizeof *ret_held);
		}
	}
	return n == (ssize_t)sizeof *ret && ret->version == SHIM_VERSION;
}

// What anybody may ask. False: unknown. Takes *passed over, or leaves it.
static bool answer(int fd, const struct shim_message *m, int *passed, bool *ret_waits)
{
	switch (m->kind) {
	case SHIM_ATTACH: {
		int failed = *passed < 0 ? EINVAL : terminal_attach(*passed);
		if (!failed)
			*passed = -1;
		tell(fd, SHIM_DONE, failed);
		return true;
	}
	case SHIM_RESIZE:
		terminal_resize((uint16_t)((uint32_t)m->value >> 16), (uint16_t)m->value);
		return true;
	case 0: // nothing came
		return true;
	case SHIM_STATE:
		tell(fd, SHIM_IS, monitor.state == SHIM_STOPPED ? monitor.exit_code : 0);
		return true;
	case SHIM_SIGNAL: {
		// It is our child and not yet reaped: the pid can't be another's.
		int failed = monitor.state == SHIM_STOPPED ? ESRCH : 0;
		if (!failed && kill(monitor.init, m->value) < 0)
			failed = errno;
		tell(fd, SHIM_DONE, failed);
		return true;
	}
	case SHIM_WAIT:
		if (monitor.state == SHIM_STOPPED)
			tell(fd, SHIM_ENDED, monitor.exit_code);
		else
			*ret_waits = true;
		return true;
	default:
		return false;
	}
}

static void serve_control(void)
{
	struct shim_message m;
	int passed = -1;
	bool waits = false, is_there = hear(monitor.control, &m, &passed);
	if (is_there && m.kind == SHIM_START) {
		close_fd(&monitor.held);
		monitor.held = passed;
		passed = -1;
		if (monitor.state == SHIM_CREATED) {
			ignore(write(SHIM_FD_GO, "!", 1)); // EPIPE: killed already, and now reaped
			monitor.state = SHIM_RUNNING;
		}
	} else if (is_there && m.kind == SHIM_BYE) {
		monitor.is_cleaned = true;
		is_there = false;
	} else if (is_there) {
		is_there = answer(monitor.control, &m, &passed, &waits);
	}
	close_fd(&passed);
	if (is_there)
		return;
	// A creator that goes before the start, or with a word of goodbye, leaves nothing running.
	if (monitor.state == SHIM_CREATED || (monitor.is_cleaned && monitor.state != SHIM_STOPPED))
		kill(monitor.init, SIGKILL);
	if (!monitor.is_cleaned)
		close_fd(&monitor.control);
}

static void serve_peer(struct peer *peer)
{
	struct shim_message m;
	int passed = -1;
	bool is_there = hear(peer->fd, &m, &passed) && answer(peer->fd, &m, &passed, &peer->waits);
	close_fd(&passed);
	if (!is_there)
		close_fd(&peer->fd);
}

static void accept_peer(void)
{
	int fd = accept4(SHIM_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct ucred who;
	socklen_t size = sizeof who;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid()) {
		for (struct peer *p = peers; p < peers + PEERS; p++) {
			if (p->fd < 0) {
				*p = (struct peer){fd, false};
				return;
			}
		}
	}
	close(fd);
}

// ---- Copies -------------------------------------------------------------------------------------

static ssize_t put(struct copy *c)
{
	const char *bytes = c->buffer + c->begin;
	size_t size = c->end - c->begin;
	if (!c->is_file) {
		ssize_t n = send(c->to, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno != ENOTSOCK)
			return n;
		c->is_file = true;
	}
	return write(c->to, bytes, size);
}

// The reader is gone or full: closing the pipe lets the program see that. A terminal that was hung
// up doesn't end a container that outlives its starter: what it writes is dropped, as is what a
// full disk can't take.
static void lose_target(struct copy *c, int why)
{
	c->begin = c->end = 0;
	// Nobody reads: the program learns that itself. What a full disk has lost nobody else
	// tells.
	if (why != EPIPE && why != EIO && why != ECONNRESET)
		monitor.lost = why;
	if (monitor.output == OUTPUT_FILE)
		return;
	close_fd(&c->to);
	if (why != EIO)
		close_fd(&c->from);
}

// Moves what can be moved now. False: nothing moved.
static bool copy_some(struct copy *c)
{
	bool has_moved = false;
	if (c->from >= 0 && c->begin == c->end) {
		ssize_t n = read(c->from, c->buffer, sizeof c->buffer);
		has_moved = n > 0 || (n < 0 && errno == EINTR);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			close_fd(&c->from);
		c->begin = 0;
		c->end = n > 0 ? (size_t)n : 0;
	}
	if (monitor.output == OUTPUT_LOG) {
		if (c->end)
			log_put((int)(c - copies), c->buffer, c->end);
		else if (c->from < 0)
			log_end((int)(c - copies));
		c->begin = c->end = 0;
		return has_moved;
	}
	while (c->begin < c->end && c->to >= 0) {
		ssize_t n = put(c);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return has_moved;
		if (n < 0) {
			lose_target(c, errno);
			return true;
		}
		c->begin += (size_t)n;
		has_moved = true;
	}
	if (c->to < 0)
		c->begin = c->end = 0;
	return has_moved;
}

// After the end: what lies in the pipe now goes out before anybody is told, and no more: without a
// pid namespace others may write on. A target that doesn't take it (a stopped terminal) is waited
// for as long as somebody is there.
static void copy_rest(struct copy *c)
{
	int left = 0;
	if (c->from >= 0 && ioctl(c->from, FIONREAD, &left) < 0)
		left = 0;
	while (c->to >= 0 && (left > 0 || c->begin < c->end)) {
		bool will_read = c->begin == c->end;
		bool has_moved = copy_some(c);
		if (will_read)
			left -= (int)c->end;
		if (has_moved)
			continue;
		struct pollfd p[] = {{c->to, POLLOUT, 0}, {monitor.control, 0, 0}};
		if (monitor.control < 0 || c->begin == c->end ||
		    (poll(p, 2, -1) < 0 && errno != EINTR) || p[1].revents)
			break;
	}
	close_fd(&c->from);
	close_fd(&c->to);
}

// ---- The end ------------------------------------------------------------------------------------

static void record_exit(void)
{
	if (monitor.listen < 0) // no state directory: its number is somebody else's by now
		return;
	char text[12];
	size_t size = 0;
	for (uint32_t scale = 1000000000, code = (uint32_t)monitor.exit_code; scale; scale /= 10) {
		if (code >= scale || scale == 1)
			text[size++] = (char)('0' + code / scale % 10);
	}
	text[size++] = '\n';
	int fd = openat(SHIM_FD_STATE, SHIM_EXIT_NEW,
	                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	// Without a directory, or with a full one, those who wait are still told.
	if (fd >= 0 && write(fd, text, size) == (ssize_t)size)
		ignore(renameat(SHIM_FD_STATE, SHIM_EXIT_NEW, SHIM_FD_STATE, SHIM_EXIT));
	close_fd(&fd);
}

// Until the creator has started it, or gone, init's pid is the creator's to use: not reaped.
static bool may_reap(void)
{
	return monitor.state == SHIM_RUNNING ||
	       (monitor.state == SHIM_CREATED && (monitor.control < 0 || monitor.is_cleaned));
}

// The code that init left with all its bits, else the one of its status. Asked for, not only read:
// whoever has the descriptor in there can make it a blocking one.
static int whole_code(int status)
{
	uint64_t left;
	struct pollfd p = {monitor.code, POLLIN, 0};
	if (poll(&p, 1, 0) != 1 || read(monitor.code, &left, sizeof left) != (ssize_t)sizeof left ||
	    left > UINT32_MAX + 1ULL)
		return status;
	return (int)(uint32_t)(left - 1);
}

static void end_init(void)
{
	siginfo_t info = {0};
	while (waitid(P_PID, (id_t)monitor.init, &info, WEXITED) < 0 && errno == EINTR)
		;
	monitor.exit_code = info.si_code == CLD_EXITED ? whole_code(info.si_status & 255)
	                                               : 128 + info.si_status;
	for (int i = 0; i < COPIES; i++)
		copy_rest(&copies[i]);
	terminal_end();
	monitor.state = SHIM_STOPPED;
	record_exit();
	if (monitor.control >= 0 && monitor.lost)
		tell(monitor.control, SHIM_LOST, monitor.lost);
	if (monitor.control >= 0)
		tell(monitor.control, SHIM_ENDED, monitor.exit_code);
	for (struct peer *p = peers; p < peers + PEERS; p++) {
		if (p->fd >= 0 && p->waits)
			tell(p->fd, SHIM_ENDED, monitor.exit_code);
	}
}

static _Noreturn void leave(void)
{
	close_fd(&monitor.held); // the mount namespace goes here, and may sync a file system
	if (monitor.is_cleaned || !monitor.cleaner)
		_exit(0); // closes control: the creator sees that all is gone
	// Ignoring a signal drops a pending one, which would end the cleaner.
	for (int n = 1; n < NSIG; n++) {
		signal(n, SIG_IGN);
		signal(n, SIG_DFL);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(monitor.cleaner[0], monitor.cleaner, environ);
	_exit(127); // gc finds what is left
}

// ---- Begin --------------------------------------------------------------------------------------

static bool begin_output(const char *text)
{
	uint64_t size, files;
	bool is_terminal = strncmp(text, "tty", 3) == 0;
	if (is_terminal)
		terminal_begin(SHIM_FD_FROM, text[3] != 0, strcmp(text, "tty:file") == 0);
	if (is_terminal && (!text[3] || text[4] == 'f'))
		return true;
	if (strcmp(text, "copy") == 0 || strcmp(text, "file") == 0) {
		monitor.output = *text == 'f' ? OUTPUT_FILE : OUTPUT_COPY;
		return true;
	}
	if (!is_terminal && strncmp(text, "log", 3) != 0)
		return false;
	text += 3;
	if (*text++ != ':' || !number_parse(&text, 10, &size) || *text++ != ':' ||
	    !number_parse(&text, 10, &files) || *text)
		return false;
	monitor.output = is_terminal ? OUTPUT_COPY : OUTPUT_LOG;
	log_begin(SHIM_FD_STATE, size, (unsigned)files);
	return true;
}

static bool begin(int argc, char *const argv[])
{
	// Before anything is opened or received: its number may be somebody else's then.
	if (fcntl(SHIM_FD_CODE, F_GETFD) < 0)
		monitor.code = -1;
	if (argc < 5 || !begin_output(argv[4]))
		return false;
	const char *instance = argv[2], *number = argv[3];
	uint64_t pid;
	if (!number_parse(&instance, 16, &monitor.instance) || !number_parse(&number, 10, &pid) ||
	    *instance || *number || pid < 1 || pid > INT32_MAX)
		return false;
	monitor.init = (pid_t)pid;
	if (argc > 6)
		monitor.cleaner = argv + 6;
	for (int fd = SHIM_FD_CONTROL; fd < SHIM_FD_END; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC); // absent ones: EBADF is fine
	if (fcntl(SHIM_FD_LISTEN, F_GETFD) < 0)
		monitor.listen = -1;
	for (int i = 0; i < COPIES; i++) {
		bool has = fcntl(SHIM_FD_FROM + i, F_GETFD) >= 0 && !terminal_exists();
		copies[i].from = has ? SHIM_FD_FROM + i : -1;
		copies[i].to = has && monitor.output != OUTPUT_LOG ? SHIM_FD_TO + i : -1;
	}
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->fd = -1;
	return chdir("/") == 0;
}

int main(int argc, char *argv[])
{
	if (!begin(argc, argv))
		return 2;
	enum { CONTROL, INIT, LISTEN, COPY, PEER = COPY + COPIES, TERMINAL = PEER + PEERS };
	enum { ALL = TERMINAL + TERMINAL_POLLS };
	while (monitor.state != SHIM_STOPPED || (monitor.control >= 0 && !monitor.is_cleaned)) {
		struct pollfd p[ALL] = {
			[CONTROL] = {monitor.is_cleaned ? -1 : monitor.control, POLLIN, 0},
			[INIT] = {may_reap() ? SHIM_FD_INIT : -1, POLLIN, 0},
			[LISTEN] = {monitor.listen, POLLIN, 0},
		};
		for (int i = 0; i < COPIES; i++) {
			bool is_full = copies[i].begin < copies[i].end;
			p[COPY + i].fd = is_full ? copies[i].to : copies[i].from;
			p[COPY + i].events = is_full ? POLLOUT : POLLIN;
		}
		for (int i = 0; i < PEERS; i++)
			p[PEER + i] = (struct pollfd){peers[i].fd, POLLIN, 0};
		terminal_poll(p + TERMINAL);
		if (poll(p, ALL, -1) < 0)
			continue; // EINTR: all signals are blocked but SIGSTOP
		if (p[CONTROL].revents)
			serve_control();
		for (int i = 0; i < COPIES; i++) {
			if (p[COPY + i].revents)
				copy_some(&copies[i]);
		}
		for (int i = 0; i < PEERS; i++) {
			if (p[PEER + i].revents)
				serve_peer(&peers[i]);
		}
		terminal_serve(p + TERMINAL);
		if (p[LISTEN].revents)
			accept_peer();
		if (p[INIT].revents)
			end_init();
	}
	leave();
}
