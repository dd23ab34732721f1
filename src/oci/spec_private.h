// SPDX-License-Identifier: Apache-2.0
// Members of the spec that are a plain value, as tables: the parser and the writer share them, and
// the order is Go's.
#pragma once
#include "oci/spec.h"

enum spec_member_kind {
	SPEC_I64,  // struct oci_i64
	SPEC_U64,  // struct oci_u64
	SPEC_BOOL, // struct oci_bool
	SPEC_FLAG, // bool, written when true
	SPEC_TEXT, // char *, "" is absent
};
struct spec_member {
	const char *key;
	enum spec_member_kind kind;
	size_t offset;
	uint64_t max; // SPEC_U64; 0: no bound
};
struct spec_table {
	const struct spec_member *members;
	size_t n;
};
extern const struct spec_table spec_head, spec_process_tail, spec_user_umask, spec_memory, spec_cpu,
	spec_intel_rdt, spec_device_tail;

extern const char *const oci_namespace_names[OCI_NAMESPACE_TYPES];

// The raw members: key and where the spec keeps them.
struct spec_raw {
	const char *key;
	struct json **value;
};
