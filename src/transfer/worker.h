// SPDX-License-Identifier: Apache-2.0
// The roles of the worker. Each confines itself, works, and gives what the DONE packet says.
#pragma once
#include "base/error.h"
#include "json/json.h"
#include <stdint.h>

struct worker_result {
	uint64_t bytes, n_inodes;
};
fallible worker_archive(const struct json *request, struct worker_result *ret);
fallible worker_unpack(const struct json *request, struct worker_result *ret);
