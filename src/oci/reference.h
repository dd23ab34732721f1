// SPDX-License-Identifier: Apache-2.0
// Image references: "busybox", "localhost:5000/a/b:tag@sha256:…".
// Specification: distribution/reference (the grammar in its package comment): a first part with a
// dot, a colon or an upper-case letter, or "localhost", is the host; else the host is docker.io;
// names of docker.io without a slash are in library/; at most 255 bytes of host and path together,
// 128 of tag.
#pragma once
#include "base/error.h"

struct oci_reference {
	char *typed;  // as it was given
	char *host;   // "docker.io", with ":port" if there is one; lower case isn't forced
	char *path;   // "library/busybox"
	char *tag;    // "latest" when neither tag nor digest were given; NULL with a digest alone
	char *digest; // "sha256:…" or NULL
	char *normalised; // "docker.io/library/busybox:latest"
};

// Errors: INVALID, `reference "…": …`, foreign text cut to 64 bytes.
fallible oci_reference_parse(const char *text, struct oci_reference *ret);
// Only the normalised name: what `busybox` is completed to. The caller's.
fallible oci_reference_normalise(const char *text, char **ret);
void oci_reference_done(struct oci_reference *r);
#define auto_oci_reference defer(oci_reference_done)
