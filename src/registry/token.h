// SPDX-License-Identifier: Apache-2.0
// What a host's 401 asks for: its credentials, or a token that its realm gives for them. Private.
#pragma once
#include "registry/conversation.h"

// Sets the state's authorization. *ret_known false: it stays as it was, there is nothing that we
// could say (anonymous, and Basic is asked for, or no challenge at all).
fallible token_get(struct registry *r, size_t i, const struct http_response *challenged,
                   const char *url, bool *ret_known);
