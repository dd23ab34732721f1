// SPDX-License-Identifier: Apache-2.0
#include "registry/token.h"
#include "registry/url.h"

enum { TOKEN_MAX = 32768, ANSWER_MAX = 1 << 18 };

struct realm {
	const struct registry_host *host;
	const char *url, *service;
	char *scope;
	bool with_credentials;
};

// Credentials go over https to what was named over https; without TLS at all, which the user asked
// for, to the registry's own machine.
static fallible may_know(const struct realm *realm, const char *registry_url, bool *ret)
{
	auto_url struct url registry = {0}, to = {0};
	TRY(url_parse(registry_url, &registry));
	TRY(url_parse(realm->url, &to));
	*ret = (registry.is_https && to.is_https) ||
	       (!registry.is_https && !strcmp(registry.host, to.host));
	return NULL;
}

static void add_parameter(struct str *s, const char *name, const char *value)
{
	auto_free char *escaped = auth_escape(value);
	str_printf(s, "%s%s=%s", s->size ? "&" : "", name, escaped);
}

// Several scopes stand in one text, divided by blanks; each is a parameter of its own.
static void add_scopes(struct str *s, const char *scopes)
{
	for (const char *c = scopes; *c;) {
		size_t n = strcspn(c, " ");
		auto_free char *scope = alloc_bytes(c, n);
		if (n)
			add_parameter(s, "scope", scope);
		c += n + (c[n] == ' ');
	}
}

static char *query_of(const struct realm *realm)
{
	auto_str struct str s = STR_LIMIT(8192);
	if (realm->service)
		add_parameter(&s, "service", realm->service);
	add_scopes(&s, realm->scope);
	return alloc_printf("%s%s%s", realm->url, strchr(realm->url, '?') ? "&" : "?",
	                    s.bytes ? s.bytes : "");
}

static char *form_of(const struct realm *realm)
{
	auto_str struct str s = STR_LIMIT(65536);
	add_parameter(&s, "grant_type", "refresh_token");
	add_parameter(&s, "service", realm->service ? realm->service : "");
	add_parameter(&s, "client_id", "coracle");
	add_parameter(&s, "scope", realm->scope);
	add_parameter(&s, "refresh_token", realm->host->identity_token);
	return str_take(&s);
}

static fallible read_answer(const struct http_response *response, char **ret)
{
	auto_json struct json *answer = NULL;
	const char *token = NULL;
	TRY(json_parse(response->text.bytes ? response->text.bytes : "", response->text.size,
	               ANSWER_MAX, &answer));
	TRY(json_get_string(answer, NULL, "token", &token));
	if (!token || !*token)
		TRY(json_get_string(answer, NULL, "access_token", &token));
	if (!token || !*token)
		return error_new(ERROR_INVALID, "no token in the answer");
	for (const char *c = token; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f)
			return error_new(ERROR_INVALID, "a token with blanks or controls");
	if (strlen(token) > TOKEN_MAX)
		return error_new(ERROR_LIMIT, "a token of more than %d bytes", TOKEN_MAX);
	*ret = alloc_printf("Bearer %s", token);
	return NULL;
}

// Redirects are not followed here: credentials go to the realm that was named, or to nobody.
static fallible ask_realm(struct registry *r, const struct realm *realm, char **ret)
{
	const struct registry_host *h = realm->host;
	bool by_form = realm->with_credentials && h->identity_token;
	auto_free char *url = by_form ? alloc_string(realm->url) : query_of(realm);
	auto_free char *form = by_form ? form_of(realm) : NULL;
	auto_strings struct strings headers = {0};
	auto_http_response struct http_response response = {0};
	if (realm->with_credentials && !by_form) {
		auto_free char *basic = auth_basic(h->user, h->secret);
		strings_adopt(&headers, alloc_printf("Authorization: %s", basic));
	}
	const struct http_request request = {
		.method = by_form ? "POST" : "GET",
		.url = url,
		.trust = h,
		.headers = &headers,
		.form = form,
		.body_limit = ANSWER_MAX,
	};
	TRY(http_exchange(r->http, &request, &response));
	auto_free char *shown = url_shown(realm->url);
	if (response.status != 200)
		return error_new(ERROR_INVALID, "%s: status %ld", shown, response.status);
	return error_prefix(read_answer(&response, ret), "%s", shown);
}

static fallible get_bearer(struct registry *r, size_t i, const struct auth_challenge *c,
                           const char *url, char **ret)
{
	const struct registry_host *h = &r->options.hosts->items[i];
	if (!c->realm)
		return error_new(ERROR_INVALID, "a Bearer challenge without a realm");
	// Without a repository it is only asked who we are.
	auto_free char *scope = !*r->options.repository ? alloc_string("")
	                        : c->scope              ? alloc_string(c->scope)
	                                   : alloc_printf("repository:%s:%s", r->options.repository,
	                                                  r->options.push ? "pull,push" : "pull");
	struct realm realm = {.host = h, .url = c->realm, .service = c->service, .scope = scope};
	bool may = false;
	TRY(may_know(&realm, url, &may));
	bool has = h->user || h->identity_token;
	if (has && !may)
		return error_new(ERROR_INVALID,
		                 "credentials are not given to the realm %.300s: it "
		                 "must be https, and be named over https",
		                 c->realm);
	realm.with_credentials = has;
	return ask_realm(r, &realm, ret);
}

fallible token_get(struct registry *r, size_t i, const struct http_response *challenged,
                   const char *url, bool *ret_known)
{
	const struct registry_host *h = &r->options.hosts->items[i];
	const struct auth_challenge *c = &challenged->challenge;
	struct host_state *state = &r->states[i];
	auto_free char *authorization = NULL;
	// A redirect's 401 says nothing of the host.
	auto_url struct url own = {0}, asked = {0};
	TRY(url_parse(h->url, &own));
	TRY(url_parse(url, &asked));
	*ret_known = false;
	if (strcmp(own.host, asked.host) != 0 || own.port != asked.port)
		return NULL;
	if (c->scheme == AUTH_BEARER)
		TRY_AS(get_bearer(r, i, c, url, &authorization), "authorization");
	else if (c->scheme == AUTH_BASIC && h->user && !state->authorization)
		authorization = auth_basic(h->user, h->secret);
	if (!authorization)
		return NULL;
	free(state->authorization);
	state->authorization = take(&authorization);
	*ret_known = true;
	return NULL;
}
