// SPDX-License-Identifier: Apache-2.0
// Decoders: each takes input and gives output in pieces of any size.
#pragma once
#include "base/error.h"
#include "layer/layer.h"
#include <stddef.h>
#include <stdint.h>

struct inflate_input {
	const unsigned char *bytes;
	size_t size;
	bool ended; // nothing comes behind these bytes
};

struct inflater;
enum { INFLATE_MAGIC_SIZE = 4 };
// By the first bytes of a blob; `size` is less than INFLATE_MAGIC_SIZE only for a shorter blob.
enum layer_compression inflate_detect(const unsigned char *bytes, size_t size);
fallible inflater_new(enum layer_compression compression, struct inflater **ret);
void inflater_free(struct inflater *i); // takes NULL
// Takes from *in, writes up to `size` bytes. *ret_size 0 with in->size 0 left: more input is
// wanted, or, if in->ended, this is the end.
fallible inflater_run(struct inflater *i, struct inflate_input *in, void *bytes, size_t size,
                      size_t *ret_size);
