// SPDX-License-Identifier: Apache-2.0
// Docker's config.json and credential helpers.
#pragma once
#include "engine/private.h"
#include "registry/docker_config.h"
#include "json/json.h"

// The config.json of a folder; *ret NULL: there is none.
fallible docker_login_read(const char *folder, struct json **ret);
// What it, or the helper that it names, knows of a host.
fallible docker_login_find(struct engine *e, const struct json *config, const char *host,
                           struct docker_login *ret);
// Runs `docker-credential-<helper> <verb>`. *ret_output NULL: it ended with another status than 0.
fallible docker_login_helper(const char *helper, const char *verb, const char *input,
                             char **ret_output, size_t *ret_size);
