// SPDX-License-Identifier: Apache-2.0
// Private to windows/: a layer in the making, hashed while it is written.
#pragma once
#include "oci/sha256.h"
#include "tar/tar.h"
#include "windows/image.h"

struct layer_writer {
	int fd;
	struct sha256 hash;
	uint64_t size_bytes;
	struct tar_writer tar;
};

fallible windows_temporary(int work_dirfd, int *ret); // a file without a name
// The writer must not move: the tar's sink points to it.
fallible layer_begin(struct layer_writer *w, int work_dirfd);
fallible layer_folder(struct layer_writer *w, const char *name);
// Then `size` bytes by tar_write(&w->tar).
fallible layer_file(struct layer_writer *w, const char *name, uint64_t size);
fallible layer_text(struct layer_writer *w, const char *name, const void *bytes, size_t size);
fallible layer_end(struct layer_writer *w, struct windows_blob *ret);
