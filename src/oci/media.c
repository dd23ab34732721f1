// SPDX-License-Identifier: Apache-2.0
// Media types: OCI image-spec 1.1 media-types.md; Docker's registry documentation.
#include "oci/image.h"
#include "oci/private.h"
#include <string.h>

#define OCI_V1 "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

// clang-format off
static const struct oci_media_type types[] = {
	{ OCI_TYPE_INDEX,                                OCI_MEDIA_INDEX,    false },
	{ OCI_TYPE_MANIFEST,                             OCI_MEDIA_MANIFEST, false },
	{ OCI_TYPE_CONFIG,                               OCI_MEDIA_CONFIG,   false },
	{ OCI_TYPE_LAYER,                                OCI_MEDIA_LAYER,    false, OCI_COMPRESSION_NONE },
	{ OCI_TYPE_LAYER_GZIP,                           OCI_MEDIA_LAYER,    false, OCI_COMPRESSION_GZIP },
	{ OCI_TYPE_LAYER_ZSTD,                           OCI_MEDIA_LAYER,    false, OCI_COMPRESSION_ZSTD },
	{ OCI_V1 "layer.nondistributable.v1.tar",        OCI_MEDIA_LAYER,    false, OCI_COMPRESSION_NONE, true },
	{ OCI_V1 "layer.nondistributable.v1.tar+gzip",   OCI_MEDIA_LAYER,    false, OCI_COMPRESSION_GZIP, true },
	{ OCI_V1 "layer.nondistributable.v1.tar+zstd",   OCI_MEDIA_LAYER,    false, OCI_COMPRESSION_ZSTD, true },
	{ OCI_TYPE_DOCKER_INDEX,                         OCI_MEDIA_INDEX,    true },
	{ OCI_TYPE_DOCKER_MANIFEST,                      OCI_MEDIA_MANIFEST, true },
	{ OCI_TYPE_DOCKER_CONFIG,                        OCI_MEDIA_CONFIG,   true },
	{ OCI_TYPE_DOCKER_LAYER,                         OCI_MEDIA_LAYER,    true, OCI_COMPRESSION_NONE },
	{ OCI_TYPE_DOCKER_LAYER_GZIP,                    OCI_MEDIA_LAYER,    true, OCI_COMPRESSION_GZIP },
	{ DOCKER "image.rootfs.diff.tar.zstd",           OCI_MEDIA_LAYER,    true, OCI_COMPRESSION_ZSTD },
	{ DOCKER "image.rootfs.foreign.diff.tar",        OCI_MEDIA_LAYER,    true, OCI_COMPRESSION_NONE, true },
	{ DOCKER "image.rootfs.foreign.diff.tar.gzip",   OCI_MEDIA_LAYER,    true, OCI_COMPRESSION_GZIP, true },
};
// clang-format on

const struct oci_media_type *oci_media_type(const char *name)
{
	for (size_t i = 0; name && i < N(types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

const struct oci_media_type *oci_media_type_like(const struct oci_media_type *type, bool docker,
                                                 enum oci_compression compression)
{
	for (size_t i = 0; i < N(types); i++)
		if (types[i].kind == type->kind && types[i].docker == docker &&
		    types[i].compression == compression &&
		    types[i].non_distributable == type->non_distributable)
			return &types[i];
	return NULL;
}
