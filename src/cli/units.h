// SPDX-License-Identifier: Apache-2.0
// Sizes and ages in words, as ctr writes them.
#pragma once
#include "base/text.h"
#include <stdint.h>

void units_binary(struct str *out, uint64_t size_bytes);  // 1008.0 KiB
void units_decimal(struct str *out, uint64_t size_bytes); // 1.031MB
void units_age(struct str *out, int64_t age_ns);          // About a minute

// "4096", "512k", "10m", "1GiB": a number of bytes, units of 1024; INVALID.
fallible units_parse_size(const char *text, uint64_t *ret_bytes);
