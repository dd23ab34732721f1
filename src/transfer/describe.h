// SPDX-License-Identifier: Apache-2.0
// What an ingested archive holds: index → manifests → configs → layers, checked, as the answer of
// the role `archive`.
#pragma once
#include "oci/image.h"
#include "transfer/ingest.h"
#include "json/json.h"

struct describe_request {
	struct oci_platform host;
	const struct oci_platform *platforms; // wanted, best first
	size_t n_platforms;
	bool all;
};

// What stands below an archive's index. Marks the files that the answer names as `keep`.
// Errors as transfer_read_archive().
fallible describe_index(struct ingest *in, const struct describe_request *r,
                        struct ingest_file *index, struct json **ret);
// The same below one manifest or index that was fetched: the answer has it as its only image.
fallible describe_target(struct ingest *in, const struct describe_request *r,
                         const struct oci_descriptor *target, struct json **ret);

// docker.c: writes manifests and an index for a docker-archive, and gives the index's file.
fallible docker_convert(struct ingest *in, struct ingest_file **ret_index);
