// SPDX-License-Identifier: Apache-2.0
// coracle-transfer ROLE, coracle-fetch ROLE: started by client.c, never by hand. protocol.h says
// with what.
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool is_started_by_client(void)
{
	int type = 0;
	socklen_t size = sizeof(type);
	return !getsockopt(WORKER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) &&
	       type == SOCK_SEQPACKET;
}

// The client may have died before the death signal was set.
static bool is_orphan(void)
{
	struct pollfd p = {.fd = WORKER_SOCKET};
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

static fallible read_request(struct json **ret)
{
	auto_free char *text = NULL;
	size_t size;
	TRY_AS(fd_read_to_end(WORKER_REQUEST, REQUEST_SIZE_MAX, &text, &size), "request");
	TRY_AS(json_parse(text, size, REQUEST_SIZE_MAX, ret), "request");
	close(WORKER_REQUEST);
	return NULL;
}

static fallible work(const struct role *role, struct worker_result *ret)
{
	// Never freed: threads that an error left behind have its strings, until the process ends.
	static struct json *request;
	TRY(read_request(&request));
	return role->work(request, ret);
}

int main(int argc, char **argv)
{
	const struct role *role = NULL;
	for (size_t i = 0; argc == 2 && worker_roles[i].name; i++)
		if (!strcmp(argv[1], worker_roles[i].name))
			role = &worker_roles[i];
	if (!role || !is_started_by_client()) {
		fputs("coracle-transfer: coracle starts this program\n", stderr);
		return 2;
	}
	if (is_orphan())
		return 1;
	channel_open(WORKER_SOCKET);
	struct worker_result result = {0};
	struct error *e = work(role, &result);
	if (e)
		channel_error(e);
	else
		channel_done(result.bytes, result.n_inodes);
	_exit(e != NULL); // threads and memory go with the process
}
