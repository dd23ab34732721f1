// SPDX-License-Identifier: Apache-2.0
// containerd's list filters: `name==REF`, `labels."a.b"==c`, `labels.x` (present), `id!=1`.
// `name~=^docker` or `name~=/a{1,2}/`: has a match of the regular expression (oci/regex.h); what is
// not there is "". A comma is "and"; several filters are "or".
// Unlike containerd, which takes it and shows nothing, a bad expression is an error; between / or |
// what is no escape of Go's strings stays for the expression (`\.`), which containerd refuses.
// Specification: containerd 2.1, pkg/filters/parser.go (grammar), adaptor.go (paths).
#pragma once
#include "base/error.h"
#include <stddef.h>

struct oci_filters;

// Errors: INVALID, `filters: parse error: [a >|=|< b]: why`, as containerd writes them.
fallible oci_filters_parse(const char *const *texts, size_t n, struct oci_filters **ret);
void oci_filters_free(struct oci_filters *filters);

// Gives the value of a field: `path` has n parts. A label comes as two, {"labels", "a.b"}, quoted
// or not. NULL: not present.
typedef const char *oci_filter_field(void *context, const char *const *path, size_t n);
// True without any filter.
bool oci_filters_match(const struct oci_filters *filters, oci_filter_field *field, void *context);

static inline void oci_filters_cleanup_(struct oci_filters **f)
{
	oci_filters_free(*f);
}
#define auto_oci_filters defer(oci_filters_cleanup_)
