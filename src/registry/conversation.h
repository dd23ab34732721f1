// SPDX-License-Identifier: Apache-2.0
// What a conversation with the hosts of a repository knows. Private.
#pragma once
#include "registry/http.h"

struct host_state {
	char *authorization; // value of the header; NULL: none is needed so far
	bool is_plain;       // it doesn't speak TLS
	bool is_dead;        // couldn't be reached
};

struct registry {
	struct registry_options options;
	struct http *http;
	struct host_state *states; // one for each host
	uint64_t random;           // for the backoff's jitter
};
