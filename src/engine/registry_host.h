// SPDX-License-Identifier: Apache-2.0
// What pull and push have in common.
#pragma once
#include "engine/private.h"
#include "oci/reference.h"
#include "registry/hosts.h"

// The hosts for a reference, each with what we are known by there.
fallible registry_hosts_for(struct engine *e, const struct engine_registry *r,
                            const struct oci_reference *reference, struct registry_hosts *ret);
// What the worker is told; the environment's proxies. All borrowed.
struct transfer_registry registry_request(const struct engine_registry *r,
                                          const struct oci_reference *reference,
                                          const struct registry_hosts *hosts, size_t n_at_once);
// Says what was tried, and what to do about it. Takes and returns `e`.
struct error *registry_explain(struct error *e, const struct engine_registry *r, const char *verb,
                               const char *reference);
