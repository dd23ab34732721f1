// SPDX-License-Identifier: Apache-2.0
#include "transfer/channel.h"
#include "transfer/protocol.h"
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int channel = -1;

void channel_open(int socket)
{
	channel = socket;
}

static void send_packet(const struct packet *p, int fd)
{
	struct iovec part = {(void *)(uintptr_t)p, sizeof(*p)};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(channel, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*p))
		_exit(1);
}

static void set_text(struct packet *p, const char *text)
{
	size_t n = strlen(text);
	memcpy(p->text, text, n < sizeof(p->text) ? n : sizeof(p->text) - 1);
}

static void send_text(enum packet_kind kind, const char *text)
{
	struct packet p = {.kind = kind};
	set_text(&p, text);
	send_packet(&p, -1);
}

void channel_warn(void *unused, const char *line)
{
	(void)unused;
	send_text(PACKET_WARN, line);
}

void channel_debug(const char *line)
{
	send_text(PACKET_DEBUG, line);
}

void channel_progress(const char *item, size_t item_i, size_t n_items, uint64_t done,
                      uint64_t total)
{
	enum { EVERY_NS = 50000000 };
	static struct timespec last;
	static unsigned calls;
	if (++calls % 16 && done < total)
		return;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t passed =
		(now.tv_sec - last.tv_sec) * INT64_C(1000000000) + now.tv_nsec - last.tv_nsec;
	if (passed < EVERY_NS)
		return;
	last = now;
	channel_progress_now(item, item_i, n_items, done, total);
}

void channel_progress_now(const char *item, size_t item_i, size_t n_items, uint64_t done,
                          uint64_t total)
{
	struct packet p = {.kind = PACKET_PROGRESS,
	                   .item_i = (uint32_t)item_i,
	                   .n_items = (uint32_t)n_items,
	                   .done = done,
	                   .total = total};
	set_text(&p, item);
	send_packet(&p, -1);
}

fallible channel_opaque(void *unused, int dirfd)
{
	(void)unused;
	const struct packet p = {.kind = PACKET_OPAQUE};
	send_packet(&p, dirfd);
	return NULL;
}

// What the client answers, and at most two descriptors.
static uint32_t receive_answer(int ret_fds[2])
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct want_answer answer;
	struct iovec part = {&answer, sizeof(answer)};
	struct msghdr m = {.msg_iov = &part,
	                   .msg_iovlen = 1,
	                   .msg_control = control.bytes,
	                   .msg_controllen = sizeof(control.bytes)};
	ssize_t n;
	do
		n = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(answer))
		_exit(1); // the client is gone
	ret_fds[0] = ret_fds[1] = -1;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len <= CMSG_LEN(2 * sizeof(int)))
		memcpy(ret_fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return answer.kind;
}

// Without a descriptor: the filter of who unpacks knows no other call.
static uint32_t receive_plain_answer(void)
{
	struct want_answer answer;
	ssize_t n;
	do
		n = recv(channel, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(answer))
		_exit(1); // the client is gone
	return answer.kind;
}

fallible channel_want(const char *digest, uint64_t size_bytes, unsigned flags, enum want_kind *ret,
                      int *ret_fd, int *ret_grown_fd)
{
	struct packet p = {.kind = PACKET_WANT, .item_i = flags, .total = size_bytes};
	set_text(&p, digest);
	send_packet(&p, -1);
	int fds[2];
	*ret = (enum want_kind)receive_answer(fds);
	*ret_fd = fds[0];
	if (ret_grown_fd)
		*ret_grown_fd = fds[1];
	else if (fds[1] >= 0)
		close(fds[1]);
	return NULL;
}

fallible channel_ask_opaque(void *unused, int dirfd, bool *ret)
{
	(void)unused;
	const struct packet p = {.kind = PACKET_ASK_OPAQUE};
	send_packet(&p, dirfd);
	*ret = receive_plain_answer() != 0;
	return NULL;
}

void channel_await_lower(void)
{
	const struct packet p = {.kind = PACKET_LOWER};
	send_packet(&p, -1);
	receive_plain_answer();
}

void channel_described(void)
{
	const struct packet p = {.kind = PACKET_DESCRIBED};
	send_packet(&p, -1);
}

void channel_got(const char *digest)
{
	send_text(PACKET_GOT, digest);
}

void channel_done(uint64_t bytes, uint64_t n_inodes)
{
	const struct packet p = {.kind = PACKET_DONE, .done = bytes, .total = n_inodes};
	send_packet(&p, -1);
}

void channel_error(const struct error *e)
{
	struct packet p = {.kind = PACKET_ERROR, .code = (int32_t)e->code, .sys = e->sys};
	set_text(&p, e->message);
	send_packet(&p, -1);
}
