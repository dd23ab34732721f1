// SPDX-License-Identifier: Apache-2.0
// Docker's config.json: who we are at which registry. Pure: who asks reads the file and runs the
// helper. Specification: docker login's reference, "Credential stores" and "Credential helpers".
#pragma once
#include "base/error.h"
#include "json/json.h"

struct docker_login {
	char *user, *secret; // NULL: none
	char *identity_token;
	char *helper; // run `docker-credential-<helper> get` with the server's name; NULL: none
	char *server; // what the config calls the registry: "https://index.docker.io/v1/"
};
void docker_login_done(struct docker_login *l);
#define auto_docker_login defer(docker_login_done)

// What `config` knows of `host` ("docker.io", "localhost:5000"); all NULL but `server` if nothing.
fallible docker_config_find(const struct json *config, const char *host, struct docker_login *ret);
// What a helper answers: {"ServerURL", "Username", "Secret"}; "<token>" means an identity token.
fallible docker_helper_answer(const char *text, size_t size, struct docker_login *ret);
// Puts the login of `host` into the config, or removes it (user and identity_token NULL).
void docker_config_set(struct json *config, const char *host, const char *user, const char *secret,
                       const char *identity_token);
