// SPDX-License-Identifier: Apache-2.0
// The worker's side of the socket.
#pragma once
#include "base/error.h"
#include "transfer/protocol.h"
#include <stddef.h>
#include <stdint.h>

void channel_open(int socket);
// Ends the worker when the client is gone: nobody wants the work any more.
void channel_warn(void *unused, const char *line);
void channel_debug(const char *line);
// At most some 20 times a second; more calls are cheap.
void channel_progress(const char *item, size_t item_i, size_t n_items, uint64_t done,
                      uint64_t total);
// The same at once: for who counts the time himself.
void channel_progress_now(const char *item, size_t item_i, size_t n_items, uint64_t done,
                          uint64_t total);
fallible channel_opaque(void *unused, int dirfd);
// Whether overlay hides what is below the directory: the client sees the mark, we don't.
fallible channel_ask_opaque(void *unused, int dirfd, bool *ret);
void channel_done(uint64_t bytes, uint64_t n_inodes);
void channel_error(const struct error *e);
// Asks for a blob (protocol.h). *ret_fd and the eventfd (ret_grown_fd may be NULL) are the
// caller's, -1 if none came.
fallible channel_want(const char *digest, uint64_t size_bytes, unsigned flags, enum want_kind *ret,
                      int *ret_fd, int *ret_grown_fd);
void channel_described(void);
void channel_await_lower(void); // returns when it is mounted
void channel_got(const char *digest);
