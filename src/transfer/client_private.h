// SPDX-License-Identifier: Apache-2.0
// Shared by the client's files.
#pragma once
#include "transfer/client.h"
#include "transfer/protocol.h"

struct client_job {
	const struct transfer *transfer;
	const char *role;
	const struct json *request;
	int input; // descriptors as in protocol.h; borrowed; -1: not given
	int answer;
	int target;
	int lower;
	bool network;                       // the host's; without it the worker has none
	const struct transfer_blobs *blobs; // of `fetch`; NULL: the worker may not ask
	uint64_t done, total;               // written: what the DONE packet says; untrusted
};
// Starts a worker, listens to it to its end, reaps it.
fallible client_run(struct client_job *job);

// A detached mount of a folder for the worker: nosuid, nodev, noexec.
fallible client_mount(int dirfd, bool writable, int *ret);
// Layers as one, merged and read-only, for the worker.
fallible client_merge(const int *lowers, size_t n, int *ret);
fallible client_free_bytes(int dirfd, uint64_t *ret);
// A limit that was reached is a full disk if the limit was what is free; takes and returns `e`.
struct error *client_space_error(struct error *e, bool limit_is_space);
// Makes foreign text printable: one line, valid UTF-8, no control characters. In place.
void client_clean_text(char *text);

// What the worker says of an image or archive, checked. `dirfd` -1: blobs have no files of their
// own there, and no names.
fallible client_read_answer(int fd, int dirfd, struct transfer_archive **ret);
// The host's platform, as the worker's request has it; the caller's.
fallible client_host_platform(char **ret);
