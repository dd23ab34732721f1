// SPDX-License-Identifier: Apache-2.0
// Windows images of our own making: a base in Windows' layer format, and folders of programs on top
// of one. For people and tests without Microsoft's images; no real Windows has seen them.
// Called by: engine.
// Specification: docs of go-winio's backuptar and hcsshim's ociwclayer (names and PAX records).
#pragma once
#include "base/error.h"
#include "oci/image.h"
#include <stdint.h>

struct windows_blob {
	int fd; // owned by whoever has the struct; at any offset
	uint64_t size_bytes;
	char digest[72];
	const char *media_type; // of a layer; static
};
void windows_blob_done(struct windows_blob *b);

// Folders, five hives, drivers\etc; fill_bytes of programs and data besides, as a real base has.
// Files without a name in work_dirfd hold what is made. The same request gives the same bytes.
fallible windows_base_layer(int work_dirfd, const char *os_version, uint64_t fill_bytes,
                            struct windows_blob *ret);
// What lies in the folder, put at `target` ("C:\\tools"); links and devices are refused.
fallible windows_folder_layer(int work_dirfd, int folder_dirfd, const char *target,
                              struct windows_blob *ret);

// An OCI layout as a tar, for import. diff_ids of `config` are the caller's to set.
fallible windows_write_image(int work_dirfd, const char *name,
                             const struct oci_image_config *config,
                             const struct windows_blob *layers, size_t n_layers, int *ret_fd);
