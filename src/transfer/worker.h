// SPDX-License-Identifier: Apache-2.0
// The roles of the worker. Each confines itself, works, and gives what the DONE packet says.
#pragma once
#include "base/error.h"
#include "json/json.h"
#include <stdint.h>

struct worker_result {
	uint64_t bytes, n_inodes;
};
struct role {
	const char *name;
	fallible (*work)(const struct json *request, struct worker_result *ret);
};
// What this program can do; ends with a row without a name. coracle-transfer and coracle-fetch are
// two programs, so that neither links what the other needs.
extern const struct role worker_roles[];

// What `diff` and `repack` answer; `source` NULL: none.
struct layer_sums;
fallible worker_answer_sums(const struct layer_sums *sums, const char *source);

fallible worker_archive(const struct json *request, struct worker_result *ret);
fallible worker_config(const struct json *request, struct worker_result *ret);
fallible worker_convert(const struct json *request, struct worker_result *ret);
fallible worker_diff(const struct json *request, struct worker_result *ret);
fallible worker_repack(const struct json *request, struct worker_result *ret);
fallible worker_unpack(const struct json *request, struct worker_result *ret);
fallible worker_fetch(const struct json *request, struct worker_result *ret);
fallible worker_object(const struct json *request, struct worker_result *ret);
fallible worker_push(const struct json *request, struct worker_result *ret);
fallible worker_login(const struct json *request, struct worker_result *ret);
