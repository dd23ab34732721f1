// SPDX-License-Identifier: Apache-2.0
// SHA-256, FIPS 180-4. For short texts (chain IDs, manifests): the starting path links no
// libcrypto. Layers are hashed by the worker, with libcrypto's assembler.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t size; // bytes so far
	unsigned char block[64];
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t size);
void sha256_done(struct sha256 *s, unsigned char ret[32]);
