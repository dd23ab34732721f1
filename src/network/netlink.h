// SPDX-License-Identifier: Apache-2.0
// Netlink: requests of several messages in one send, each acknowledged, each with a label that
// becomes the prefix of its error. Private to network/.
// Specification: netlink(7), rtnetlink(7); linux/netlink.h.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "sys/fd.h"
#include <linux/netlink.h>

struct netlink {
	int fd;
	uint32_t sequence;
};
#define NETLINK_CLOSED ((struct netlink){.fd = -1})

static inline void netlink_close(struct netlink *n)
{
	fd_cleanup_(&n->fd);
	n->fd = -1;
}
#define auto_netlink defer(netlink_close)

// Opens a socket in the caller's network namespace; it stays in that namespace for ever.
fallible netlink_open(int protocol, struct netlink *ret);
// The same in another namespace; the caller is back in its own afterwards.
fallible netlink_open_in(int netns_fd, int protocol, struct netlink *ret);

// A request under construction. Grows; a message's attributes are put after its nl_message().
struct netlink_request {
	struct str bytes;
	size_t message; // where the current message begins
	struct netlink_label {
		char *text;
		int allowed; // this errno is no error
	} * labels;
	size_t n, capacity;
};
void netlink_request_done(struct netlink_request *r);
#define auto_request defer(netlink_request_done)
#define NETLINK_REQUEST ((struct netlink_request){.bytes = STR_LIMIT(1 << 20)})

// Begins a message. `allowed`: an errno of the kernel that counts as success (0: none). The label
// is what the message does: "create bridge cor-nat".
void netlink_message(struct netlink_request *r, uint16_t type, uint16_t flags, const void *header,
                     size_t header_size, int allowed, const char *label, ...) PRINTF(7, 8);
void netlink_put(struct netlink_request *r, uint16_t type, const void *data, size_t size);
void netlink_put_u8(struct netlink_request *r, uint16_t type, uint8_t value);
void netlink_put_u16(struct netlink_request *r, uint16_t type, uint16_t value);
void netlink_put_u32(struct netlink_request *r, uint16_t type, uint32_t value);
void netlink_put_be32(struct netlink_request *r, uint16_t type, uint32_t value);
void netlink_put_string(struct netlink_request *r, uint16_t type, const char *text);
size_t netlink_nest(struct netlink_request *r, uint16_t type); // returns what nest_end wants
void netlink_nest_end(struct netlink_request *r, size_t nest);
// Raw bytes inside a nest: the header of VETH_INFO_PEER.
void netlink_put_raw(struct netlink_request *r, const void *data, size_t size);

// Called for each message that isn't an acknowledgement.
typedef struct error *netlink_visitor(void *context, const struct nlmsghdr *message);

// Sends all messages, waits for their acknowledgements (NLM_F_ACK is added but for dumps, and for
// nfnetlink's batch markers, which have none). The first error that isn't allowed is returned, with
// its errno in .sys; later messages of the request were still tried by the kernel.
// A dump that another writer interrupted is INTERRUPTED: BUSY, the caller repeats.
fallible netlink_talk(struct netlink *n, struct netlink_request *r, netlink_visitor *visit,
                      void *context);

// --- Reading

struct netlink_attribute {
	uint16_t type; // without the flags
	const unsigned char *data;
	size_t size;
};
// Walks attributes: start with *position = 0. False at the end or at a broken one.
bool netlink_next(const void *bytes, size_t size, size_t *position, struct netlink_attribute *ret);
// Finds the last one of `type`. False if there is none.
bool netlink_find(const void *bytes, size_t size, uint16_t type, struct netlink_attribute *ret);
// What stands behind a header of that size in a message.
const void *netlink_payload(const struct nlmsghdr *m, size_t header_size, size_t *ret_size);
uint32_t netlink_u32(const struct netlink_attribute *a); // 0 if it has another size
// Text up to the attribute's end or first zero; the caller's.
char *netlink_text(const struct netlink_attribute *a);
