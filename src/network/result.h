// SPDX-License-Identifier: Apache-2.0
// Results of plugins: reading and writing every version of the specification. One form inside,
// that of 1.1.0. Private to network/; struct network_result is public.
// Specification: CNI SPEC.md 0.1.0 … 1.1.0, "Result"; upstream's pkg/types/{020,040,100}.
#pragma once
#include "network/address.h"
#include "json/json.h"

extern const char *const cni_versions[]; // "0.1.0" … "1.1.0", ends in NULL
bool cni_version_is_known(const char *version);
// Of two known versions: is `a` at least `b`?
bool cni_version_at_least(const char *a, const char *b);

struct network_result *result_new(void);
struct network_result *result_copy(const struct network_result *r); // NULL: a new one
struct network_interface *result_add_interface(struct network_result *r, const char *name,
                                               const char *mac, const char *sandbox);
struct network_ip *result_add_ip(struct network_result *r);
struct network_route *result_add_route(struct network_result *r);
// Moves *dns into the result, in place of its own.
void result_set_dns(struct network_result *r, struct network_dns *dns);
bool dns_is_empty(const struct network_dns *dns);
void dns_done(struct network_dns *dns);
// Reads {nameservers, domain, search, options} (`object` may be NULL) over what *ret holds.
fallible dns_parse(const struct json *object, struct network_dns *ret);

// Reads a result; `version` is that of the configuration, for results without one. NULL (null)
// gives an empty result.
fallible result_parse(const struct json *value, const char *version, struct network_result **ret);
fallible result_to_json(const struct network_result *r, const char *version, struct json **ret);

static inline void result_cleanup_(struct network_result **r)
{
	network_result_free(*r);
}
#define auto_result defer(result_cleanup_)
