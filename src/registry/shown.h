// SPDX-License-Identifier: Apache-2.0
// What a log may say of an exchange: who asked whom for what, and nothing that opens a door. Of
// what we send only headers of our own making that can hold no secret have their values shown; of
// what comes all but cookies, tokens and the like; of a URL neither query, fragment nor user. Pure.
#pragma once
#include "registry/hosts.h"
#include <stdbool.h>
#include <stddef.h>

// The lines of a request's or a response's head (RFC 9112 §2–§5), `size` bytes, as one line of
// text: "GET /v2/x?... HTTP/1.1 | Host: a.example | Authorization: Basic [not shown]". What isn't
// printable ASCII is a dot. The caller's.
char *shown_head(const char *bytes, size_t size, bool is_ours);
// The same of what we send, with headers that a user has chosen: theirs aren't shown.
char *shown_request(const char *bytes, size_t size, const struct registry_header *chosen,
                    size_t n_chosen);
