// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "engine/private.h"
#include "registry/hosts.h"

// Gives each host what we are known by there: by the request, else by docker's config.json. `ns` is
// what the registry itself, the last of them, is called.
fallible engine_login_hosts(struct engine *e, const struct engine_pull *r, const char *ns,
                            struct registry_hosts *hosts);
