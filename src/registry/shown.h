// SPDX-License-Identifier: Apache-2.0
// What a log may say of an exchange: who asked whom for what, and nothing that opens a door. Of
// what we send only headers that can hold no secret have their values shown; of what comes all but
// cookies, tokens and keys; of a URL never its query. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// The lines of a request's or a response's head (RFC 9112 §2–§5), `size` bytes, as one line of
// text: "GET /v2/x?... HTTP/1.1 | Host: a.example | Authorization: Basic [not shown]". What isn't
// printable is a dot. The caller's.
char *shown_head(const char *bytes, size_t size, bool is_ours);
