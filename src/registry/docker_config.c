// SPDX-License-Identifier: Apache-2.0
#include "registry/docker_config.h"
#include "base/text.h"
#include "registry/auth.h"

#define DOCKER_HUB "https://index.docker.io/v1/"

void docker_login_done(struct docker_login *l)
{
	free(l->user);
	free(l->secret);
	free(l->identity_token);
	free(l->helper);
	free(l->server);
	*l = (struct docker_login){0};
}

static const char *server_of(const char *host)
{
	bool hub = !strcmp(host, "docker.io") || !strcmp(host, "registry-1.docker.io") ||
	           !strcmp(host, "index.docker.io");
	return hub ? DOCKER_HUB : host;
}

// Keys may be "host", "https://host", "https://host/v1/".
static bool is_for(const char *key, const char *server)
{
	if (!strcmp(key, server))
		return true;
	const char *name = strstr(key, "://") ? strstr(key, "://") + 3 : key;
	return strcspn(name, "/") == strlen(server) && !strncmp(name, server, strlen(server));
}

static const struct json *find_entry(const struct json *table, const char *server)
{
	const struct json *value, *found = json_member(table, server);
	struct json_cursor cursor = {0};
	const char *key;
	while (!found && json_next(table, &cursor, &key, &value))
		if (is_for(key, server))
			found = value;
	return found;
}

static fallible take_auth(const struct json *entry, struct docker_login *l)
{
	const char *auth = NULL, *user = NULL, *secret = NULL, *token = NULL;
	const struct json_path path = {NULL, "auths", 0};
	if (json_kind(entry) != JSON_OBJECT)
		return error_new(ERROR_INVALID, "auths: not an object");
	TRY(json_get_string(entry, &path, "auth", &auth));
	TRY(json_get_string(entry, &path, "username", &user));
	TRY(json_get_string(entry, &path, "password", &secret));
	TRY(json_get_string(entry, &path, "identitytoken", &token));
	auto_free char *pair = NULL;
	if (auth && *auth)
		TRY_AS(auth_decode(auth, &pair), "auths: auth");
	char *colon = pair ? strchr(pair, ':') : NULL;
	if (pair && !colon)
		return error_new(ERROR_INVALID, "auths: auth: no colon");
	if (colon) {
		*colon = 0;
		user = pair;
		secret = colon + 1;
	}
	if (token && *token)
		l->identity_token = alloc_string(token);
	if (user && *user && ((secret && *secret) || l->identity_token)) {
		l->user = alloc_string(user);
		l->secret = alloc_string(secret ? secret : "");
	}
	return NULL;
}

fallible docker_config_find(const struct json *config, const char *host, struct docker_login *ret)
{
	const struct json_path path = {NULL, "config.json", 0};
	const struct json *helpers = NULL, *auths = NULL;
	const char *store = NULL;
	auto_docker_login struct docker_login l = {.server = alloc_string(server_of(host))};
	TRY(json_get_object(config, &path, "credHelpers", &helpers));
	TRY(json_get_string(config, &path, "credsStore", &store));
	TRY(json_get_object(config, &path, "auths", &auths));
	const char *helper = json_text(find_entry(helpers, l.server));
	if (!helper)
		helper = store;
	if (helper && (!*helper || strchr(helper, '/')))
		return error_new(ERROR_INVALID, "config.json: credential helper \"%.64s\"", helper);
	if (helper)
		l.helper = alloc_string(helper);
	const struct json *entry = find_entry(auths, l.server);
	if (entry && !helper)
		TRY_AS(take_auth(entry, &l), "config.json");
	*ret = l;
	l = (struct docker_login){0};
	return NULL;
}

fallible docker_helper_answer(const char *text, size_t size, struct docker_login *ret)
{
	auto_json struct json *o = NULL;
	const char *user, *secret;
	TRY(json_parse(text, size, 65536, &o));
	TRY(json_require_string(o, NULL, "Username", &user));
	TRY(json_require_string(o, NULL, "Secret", &secret));
	bool is_token = !strcmp(user, "<token>");
	if (is_token)
		ret->identity_token = alloc_string(secret);
	ret->user = alloc_string(is_token ? "" : user);
	ret->secret = alloc_string(is_token ? "" : secret);
	return NULL;
}

// In every spelling: one that stayed would be found.
static void forget(struct json *auths, const char *server)
{
	const struct json *value;
	for (;;) {
		struct json_cursor cursor = {0};
		const char *key;
		bool found = false;
		while (!found && json_next(auths, &cursor, &key, &value))
			found = is_for(key, server);
		if (!found)
			return;
		auto_free char *name = alloc_string(key);
		json_unset(auths, name);
	}
}

void docker_config_set(struct json *config, const char *host, const char *user, const char *secret,
                       const char *identity_token)
{
	const char *server = server_of(host);
	const struct json *old = json_member(config, "auths");
	struct json *auths = json_kind(old) == JSON_OBJECT ? json_copy(old) : json_new_object();
	struct json *entry = json_new_object();
	if (user) {
		auto_free char *basic = auth_basic(user, secret);
		json_set_string(entry, "auth", basic + strlen("Basic "));
	}
	json_set_string(entry, "identitytoken", identity_token);
	forget(auths, server);
	if (user || identity_token)
		json_set(auths, server, entry);
	else
		json_free(entry);
	json_set(config, "auths", auths);
}
