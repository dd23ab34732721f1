// SPDX-License-Identifier: Apache-2.0
// Digests: names of bytes, "sha256:<64 hex>". Specification: OCI image-spec 1.1, descriptor.md,
// "Digests"; lower case only.
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define OCI_DIGEST_SIZE 72      // room for "sha256:<64 hex>" and the zero
#define OCI_DIGEST_SIZE_MAX 136 // …for sha512 too

// A well-formed sha256 or sha512 digest. Errors: INVALID, `digest "…": …`; UNSUPPORTED for another
// algorithm. Blobs are stored by sha256 only: ask oci_digest_is_sha256() before.
fallible oci_digest_check(const char *digest);
bool oci_digest_is_sha256(const char *digest);
const char *oci_digest_hex(const char *digest); // behind the colon; for well-formed ones only

void oci_digest_of(const void *bytes, size_t size, char ret[OCI_DIGEST_SIZE]);

// The chain ID of the first n layers: diff_ids[0] for one, else sha256 over "<chain of n-1> <diff
// n>". Specification: OCI image-spec 1.1, config.md, "Layer ChainID". n >= 1, all well-formed
// sha256.
void oci_chain_id(const char *const *diff_ids, size_t n, char ret[OCI_DIGEST_SIZE]);
