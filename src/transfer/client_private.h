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
	int grown;
	bool lower_comes;                   // the worker may ask for it: client_give_lower()
	bool network;                       // the host's; without it the worker has none
	const struct transfer_blobs *blobs; // of `fetch`; NULL: the worker may not ask
	bool is_described;                  // written: `blobs` were told
	struct transfer_unpacking *beside;  // written: by them
	uint64_t done, total;               // written: what the DONE packet says; untrusted
};
// Starts a worker, listens to it to its end, reaps it.
fallible client_run(struct client_job *job);

// The same by steps, for several workers at once. `job` must live as long.
struct client_worker;
enum { CLIENT_WORKERS_MAX = 9 };
fallible client_start(struct client_job *job, struct client_worker **ret);
void client_kill(struct client_worker *w); // and reaps it; takes NULL
// Waits until one of them has something to say. Fails when stop_fd is readable.
fallible client_wait(struct client_worker *const *workers, size_t n, int stop_fd, size_t *ret_i);
// Hears one packet. When it has ended (*ret_ended) it is reaped and *w NULL: the error is its own.
fallible client_listen(struct client_worker **w, bool *ret_ended);
bool client_awaits_lower(const struct client_worker *w);
// Attaches a detached mount as what is below, and lets the worker go on.
fallible client_give_lower(struct client_worker *w, int mount);

// client_unpack.c: the workers of an unpacking that goes on beside another; as client_listen().
size_t client_unpack_workers(struct transfer_unpacking *u, struct client_worker **ret);
void client_unpack_listen(struct transfer_unpacking *u, size_t i);

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
