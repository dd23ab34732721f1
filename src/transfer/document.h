// SPDX-License-Identifier: Apache-2.0
// Manifests, indexes, configs: small files that the client passes by descriptor.
#pragma once
#include "base/memory.h"
#include "oci/digest.h"

// Reads a whole document whose digest must be right. *ret lives in the arena, with a zero behind
// it.
fallible document_read(struct arena *arena, const char *digest, int fd, const char **ret,
                       size_t *ret_size);
