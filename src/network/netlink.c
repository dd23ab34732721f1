// SPDX-License-Identifier: Apache-2.0
#include "network/netlink.h"
#include "network/visit.h"
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sys/socket.h>

// Dumps arrive in pieces of at most 32 KiB (netlink_dump() in net/netlink/af_netlink.c).
enum { RECEIVE_SIZE = 32 * 1024 };

fallible netlink_open(int protocol, struct netlink *ret)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		FAIL_ERRNO("netlink socket");
	int on = 1;
	// Old kernels lack these; then texts are poorer, nothing else.
	ignore(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)));
	ignore(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
	*ret = (struct netlink){.fd = fd_take(&fd), .sequence = 1};
	return NULL;
}

fallible netlink_open_in(int netns_fd, int protocol, struct netlink *ret)
{
	struct visit visit;
	TRY(visit_enter(netns_fd, &visit));
	struct error *e = netlink_open(protocol, ret);
	return error_join(e, visit_leave(&visit));
}

void netlink_request_done(struct netlink_request *r)
{
	str_done(&r->bytes);
	for (size_t i = 0; i < r->n; i++)
		free(r->labels[i].text);
	free(r->labels);
	*r = NETLINK_REQUEST;
}

static void pad(struct netlink_request *r)
{
	static const char zeros[NLMSG_ALIGNTO];
	if (r->bytes.size % NLMSG_ALIGNTO)
		str_add_bytes(&r->bytes, zeros, NLMSG_ALIGNTO - r->bytes.size % NLMSG_ALIGNTO);
}

// Every growth ends here, so that the length in the header is always right.
static void update_length(struct netlink_request *r)
{
	pad(r);
	uint32_t length = (uint32_t)(r->bytes.size - r->message);
	memcpy(r->bytes.bytes + r->message + offsetof(struct nlmsghdr, nlmsg_len), &length,
	       sizeof(length));
}

void netlink_message(struct netlink_request *r, uint16_t type, uint16_t flags, const void *header,
                     size_t header_size, int allowed, const char *label, ...)
{
	va_list args;
	va_start(args, label);
	char *text = alloc_vprintf(label, args);
	va_end(args);
	alloc_grow(&r->labels, &r->capacity, r->n, sizeof(*r->labels));
	r->labels[r->n++] = (struct netlink_label){.text = text, .allowed = allowed};
	r->message = r->bytes.size;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
	str_add_bytes(&r->bytes, &h, sizeof(h));
	str_add_bytes(&r->bytes, header, header_size);
	update_length(r);
}

void netlink_put(struct netlink_request *r, uint16_t type, const void *data, size_t size)
{
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
	str_add_bytes(&r->bytes, &a, sizeof(a));
	str_add_bytes(&r->bytes, data, size);
	update_length(r);
}

void netlink_put_u8(struct netlink_request *r, uint16_t type, uint8_t value)
{
	netlink_put(r, type, &value, sizeof(value));
}

void netlink_put_u16(struct netlink_request *r, uint16_t type, uint16_t value)
{
	netlink_put(r, type, &value, sizeof(value));
}

void netlink_put_u32(struct netlink_request *r, uint16_t type, uint32_t value)
{
	netlink_put(r, type, &value, sizeof(value));
}

void netlink_put_be32(struct netlink_request *r, uint16_t type, uint32_t value)
{
	value = __builtin_bswap32(value);
	netlink_put(r, type, &value, sizeof(value));
}

void netlink_put_string(struct netlink_request *r, uint16_t type, const char *text)
{
	netlink_put(r, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink_request *r, uint16_t type)
{
	size_t nest = r->bytes.size;
	netlink_put(r, type | NLA_F_NESTED, "", 0);
	return nest;
}

void netlink_nest_end(struct netlink_request *r, size_t nest)
{
	uint16_t length = (uint16_t)(r->bytes.size - nest);
	memcpy(r->bytes.bytes + nest + offsetof(struct nlattr, nla_len), &length, sizeof(length));
}

void netlink_put_raw(struct netlink_request *r, const void *data, size_t size)
{
	str_add_bytes(&r->bytes, data, size);
	update_length(r);
}

// --- Talking

static bool is_batch_marker(const struct nlmsghdr *m)
{
	return m->nlmsg_type == NFNL_MSG_BATCH_BEGIN || m->nlmsg_type == NFNL_MSG_BATCH_END;
}

// Numbers the messages and counts the answers to wait for.
static size_t number_messages(struct netlink *n, struct netlink_request *r, uint32_t *ret_first)
{
	*ret_first = n->sequence;
	size_t waiting = 0;
	for (size_t at = 0; at < r->bytes.size;) {
		struct nlmsghdr *m = (void *)(r->bytes.bytes + at);
		m->nlmsg_seq = n->sequence++;
		if (!is_batch_marker(m)) {
			if ((m->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
				m->nlmsg_flags |= NLM_F_ACK;
			waiting++;
		}
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
	return waiting;
}

// The kernel's own words, if it sent some (NLMSGERR_ATTR_MSG).
static char *extended_text(const struct nlmsghdr *m)
{
	if (!(m->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	const struct nlmsgerr *answer = NLMSG_DATA(m);
	size_t skip = sizeof(*answer);
	if (!(m->nlmsg_flags & NLM_F_CAPPED) && answer->error)
		skip += answer->msg.nlmsg_len - sizeof(answer->msg);
	size_t size;
	const void *tlvs = netlink_payload(m, NLMSG_ALIGN(skip), &size);
	struct netlink_attribute a;
	return netlink_find(tlvs, size, NLMSGERR_ATTR_MSG, &a) ? netlink_text(&a) : NULL;
}

struct conversation {
	struct netlink_request *request;
	uint32_t first;
	size_t waiting;
	netlink_visitor *visit;
	void *context;
	struct error *error; // the first
	bool interrupted, over;
};

static void note_failure(struct conversation *c, const struct nlmsghdr *m, int error)
{
	size_t i = m->nlmsg_seq - c->first;
	if (i >= c->request->n || c->error)
		return;
	if (error == c->request->labels[i].allowed)
		return;
	auto_free char *text = extended_text(m);
	c->error = error_system(error, "%s", c->request->labels[i].text);
	if (text)
		c->error = error_join(c->error, error_new(ERROR_SYSTEM, "%s", text));
	// The kernel doesn't look at a batch whose beginning it refused: one answer is all.
	size_t at = 0;
	const struct nlmsghdr *begin = (const void *)(c->request->bytes.bytes + at);
	if (begin->nlmsg_type == NFNL_MSG_BATCH_BEGIN && i == 0)
		c->over = true;
}

static void take_message(struct conversation *c, const struct nlmsghdr *m)
{
	if (m->nlmsg_seq - c->first >= c->request->n)
		return; // late answer to an earlier request
	if (m->nlmsg_flags & NLM_F_DUMP_INTR)
		c->interrupted = true;
	if (m->nlmsg_type == NLMSG_ERROR) {
		if (m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
			return;
		int error = -((const struct nlmsgerr *)NLMSG_DATA(m))->error;
		if (error)
			note_failure(c, m, error);
		c->waiting--;
	} else if (m->nlmsg_type == NLMSG_DONE) {
		int32_t status = 0;
		if (m->nlmsg_len >= NLMSG_LENGTH(sizeof(status)))
			memcpy(&status, NLMSG_DATA(m), sizeof(status));
		if (status < 0)
			note_failure(c, m, -status);
		c->waiting--;
	} else if (c->visit && !c->error) {
		c->error = c->visit(c->context, m);
	}
}

static fallible receive(struct netlink *n, struct conversation *c, void *buffer)
{
	struct sockaddr_nl from = {0};
	socklen_t from_size = sizeof(from);
	ssize_t got = recvfrom(n->fd, buffer, RECEIVE_SIZE, MSG_TRUNC, (void *)&from, &from_size);
	if (got < 0 && errno == EINTR)
		return NULL;
	if (got < 0)
		FAIL_ERRNO("netlink receive");
	if (got > RECEIVE_SIZE)
		return error_new(ERROR_LIMIT, "netlink receive: answer of %zd bytes", got);
	if (from.nl_pid) // another process may send to us, too
		return NULL;
	size_t left = (size_t)got;
	for (struct nlmsghdr *m = buffer; left >= sizeof(*m);) {
		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > left)
			return error_new(ERROR_CORRUPT, "netlink receive: broken message");
		take_message(c, m);
		size_t step = NLMSG_ALIGN(m->nlmsg_len);
		if (step >= left)
			break;
		left -= step;
		m = (void *)((char *)m + step);
	}
	return NULL;
}

fallible netlink_talk(struct netlink *n, struct netlink_request *r, netlink_visitor *visit,
                      void *context)
{
	if (r->bytes.over)
		return error_new(ERROR_LIMIT, "netlink: request too long");
	struct conversation c = {.request = r, .visit = visit, .context = context};
	c.waiting = number_messages(n, r, &c.first);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;
	do
		sent = sendto(n->fd, r->bytes.bytes, r->bytes.size, 0, (void *)&kernel,
		              sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		FAIL_ERRNO("netlink send");
	_Alignas(struct nlmsghdr) char buffer[RECEIVE_SIZE];
	while (c.waiting && !c.over) {
		struct error *e = receive(n, &c, buffer);
		if (e)
			return error_join(c.error, e);
	}
	if (!c.error && c.interrupted)
		return error_new(ERROR_BUSY, "netlink: dump interrupted by another writer");
	return c.error;
}

// --- Reading

bool netlink_next(const void *bytes, size_t size, size_t *position, struct netlink_attribute *ret)
{
	struct nlattr a;
	if (*position > size || size - *position < sizeof(a))
		return false;
	const unsigned char *at = (const unsigned char *)bytes + *position;
	memcpy(&a, at, sizeof(a));
	if (a.nla_len < sizeof(a) || a.nla_len > size - *position)
		return false;
	*ret = (struct netlink_attribute){.type = a.nla_type & NLA_TYPE_MASK,
	                                  .data = at + sizeof(a),
	                                  .size = a.nla_len - sizeof(a)};
	*position += NLA_ALIGN(a.nla_len);
	return true;
}

bool netlink_find(const void *bytes, size_t size, uint16_t type, struct netlink_attribute *ret)
{
	bool found = false;
	struct netlink_attribute a;
	for (size_t position = 0; netlink_next(bytes, size, &position, &a);) {
		if (a.type == type) {
			*ret = a;
			found = true;
		}
	}
	return found;
}

const void *netlink_payload(const struct nlmsghdr *m, size_t header_size, size_t *ret_size)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
	*ret_size = m->nlmsg_len > skip ? m->nlmsg_len - skip : 0;
	return (const char *)m + skip;
}

uint32_t netlink_u32(const struct netlink_attribute *a)
{
	uint32_t value = 0;
	if (a->size == sizeof(value))
		memcpy(&value, a->data, sizeof(value));
	return value;
}

char *netlink_text(const struct netlink_attribute *a)
{
	return alloc_bytes(a->data, strnlen((const char *)a->data, a->size));
}
