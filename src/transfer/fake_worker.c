// SPDX-License-Identifier: Apache-2.0
// A worker that was taken over, for test_client.c: what it does is the last part of its own name.
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/protocol.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static void answer(const char *text)
{
	if (fd_write_all(WORKER_ANSWER, text, strlen(text)))
		_exit(3);
	channel_done(0, 0);
}

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BLOB(name)                                      \
	"{\"index\":0,\"blobs\":[{\"digest\":\"" DIGEST \
	"\",\"mediaType\":\"x/y\",\"name\":\"" name     \
	"\",\"size\":0,\"references\":[]}],\"manifests\":[],\"images\":[]}"

int main(int argc, char **argv)
{
	char escapes[] = "\x1b]0;x\x07 \xff\n\xc2\x9b";
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *what = slash ? slash + 1 : "";
	channel_open(WORKER_SOCKET);
	if (!strcmp(what, "crash"))
		__builtin_trap();
	while (!strcmp(what, "hang"))
		pause();
	if (!strcmp(what, "garbage"))
		return send(WORKER_SOCKET, "garbage", 7, 0) != 7;
	if (!strcmp(what, "foreign-directory"))
		return channel_opaque(NULL, open("/", O_RDONLY | O_DIRECTORY)) != NULL;
	if (!strcmp(what, "below"))
		return channel_opaque(NULL, WORKER_LOWER) != NULL;
	if (!strcmp(what, "no-directory"))
		return channel_opaque(NULL, WORKER_INPUT) != NULL;
	if (!strcmp(what, "terminal"))
		channel_error(&(struct error){.code = (enum error_code)99, .message = escapes});
	if (!strcmp(what, "no-json"))
		answer("{");
	if (!strcmp(what, "outside"))
		answer(BLOB("../../etc/passwd"));
	if (!strcmp(what, "nowhere"))
		answer("{\"index\":0,\"blobs\":[],\"manifests\":[],\"images\":[]}");
	if (!strcmp(what, "no-file"))
		answer(BLOB("7"));
	return 0;
}
