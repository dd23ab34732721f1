// SPDX-License-Identifier: Apache-2.0
// Which hosts to ask for a reference, and who we are there.
#include "engine/registry_host.h"
#include "engine/docker_login.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *copy(const char *text)
{
	return text ? alloc_string(text) : NULL;
}

static fallible login_to(struct engine *e, const struct json *config, const char *host,
                         struct registry_host *h)
{
	auto_docker_login struct docker_login l = {0};
	TRY(docker_login_find(e, config, host, &l));
	h->user = copy(l.user);
	h->secret = copy(l.secret);
	h->identity_token = copy(l.identity_token);
	return NULL;
}

// "https://host:port/v2" → "host:port", what config.json knows it by.
static char *name_of(const struct registry_host *h)
{
	const char *name = strstr(h->url, "://") + 3;
	return alloc_bytes(name, strcspn(name, "/"));
}

static fallible login_hosts(struct engine *e, const struct engine_registry *r, const char *ns,
                            struct registry_hosts *hosts)
{
	auto_json struct json *config = NULL;
	bool is_told = r->user || r->identity_token;
	size_t own = registry_own_host(hosts);
	if (!is_told && r->docker_config)
		TRY(docker_login_read(r->docker_config, &config));
	for (size_t i = 0; i < hosts->n; i++) {
		struct registry_host *h = &hosts->items[i];
		// --user is for the registry that was named, not for its mirrors.
		bool is_named = i == own;
		if (is_told && is_named) {
			h->user = copy(r->user);
			h->secret = alloc_string(r->secret ? r->secret : "");
			h->identity_token = copy(r->identity_token);
		} else if (config) {
			auto_free char *name = is_named ? alloc_string(ns) : name_of(h);
			TRY(login_to(e, config, name, h));
		}
	}
	return NULL;
}

// --- hosts --------------------------------------------------------------------------------------

static const char *environment(const char *name, const char *other)
{
	const char *value = getenv(name);
	if (!value || !*value)
		value = getenv(other);
	return value && *value ? value : NULL;
}

// For tests and slow links: how long silence is borne.
static unsigned stall_seconds(void)
{
	const char *text = getenv("CORACLE_REGISTRY_STALL");
	uint64_t seconds = 0;
	if (text)
		error_free(text_parse_u64(text, 10, 3600, &seconds)); // else the default
	return (unsigned)seconds;
}

fallible registry_hosts_for(struct engine *e, const struct engine_registry *r,
                            const struct oci_reference *reference, struct registry_hosts *ret)
{
	static const char *const usual[] = {"/etc/coracle/certs.d", "/etc/containerd/certs.d",
	                                    NULL};
	const char *const own[] = {r->hosts_dir, NULL};
	const struct registry_flags flags = {.plain_http = r->plain_http,
	                                     .skip_verify = r->skip_verify,
	                                     .ca = r->tls_ca,
	                                     .cert = r->tls_cert,
	                                     .key = r->tls_key};
	if (r->hosts_dir && access(r->hosts_dir, F_OK) < 0)
		FAIL_ERRNO("--hosts-dir %s", r->hosts_dir);
	TRY(registry_find_hosts(reference->host, r->hosts_dir ? own : usual, &flags, ret));
	return login_hosts(e, r, reference->host, ret);
}

struct transfer_registry registry_request(const struct engine_registry *r,
                                          const struct oci_reference *reference,
                                          const struct registry_hosts *hosts, size_t n_at_once)
{
	return (struct transfer_registry){
		.hosts = hosts,
		.ns = reference->host,
		.repository = reference->path,
		.name = reference->digest ? reference->digest : reference->tag,
		.n_at_once = n_at_once,
		.stall_s = stall_seconds(),
		.http_proxy = environment("HTTP_PROXY", "http_proxy"),
		.https_proxy = environment("HTTPS_PROXY", "https_proxy"),
		.no_proxy = environment("NO_PROXY", "no_proxy"),
		.ca_file = environment("SSL_CERT_FILE", "SSL_CERT_FILE"),
		.dump = r->dump,
		.trace = r->trace,
	};
}

struct error *registry_explain(struct error *e, const struct engine_registry *r, const char *verb,
                               const char *reference)
{
	if (!e)
		return NULL;
	e = error_prefix(e, "%s \"%.256s\"", verb, reference);
	const char *no_login = r->user || r->identity_token
	                               ? "does it exist? the registry knows no such user and "
	                                 "password, or doesn't let them do that"
	                               : "does it exist? if it needs a login: coracle login, or "
	                                 "--user NAME:PASSWORD";
	const struct {
		const char *words, *hint;
	} hints[] = {
		{"Could not resolve host", "is the name right, and does this machine reach a name "
	                                   "server?"},
		{"Failed to connect", "is the registry up, and is that its port?"},
		{"404 Not Found", !strcmp(verb, "fetch from") && strstr(e->message, "/blobs/")
	                                  ? "manifests are no blobs: content fetch-object has them"
	                                  : "is it the right name? without a host it is "
	                                    "docker.io/library/NAME, without a tag :latest"},
		{"401 Unauthorized", no_login},
		{"403 Forbidden", no_login},
		{"response 407",
	         "the proxy wants a login: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"},
		{": 407", "the proxy wants a login: HTTP_PROXY=http://NAME:PASSWORD@HOST:PORT"},
		{" alert ",
	         "perhaps it wants to see a certificate of yours: --tlscert and --tlskey, "
	         "or `client` in a hosts.toml"},
		{"wrong version number",
	         "it doesn't speak TLS: --plain-http, if that is all right"},
		{"certificate", "--tlscacert FILE or a hosts.toml names a CA to trust"},
	};
	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
		if (strstr(e->message, hints[i].words))
			return error_hint(e, "%s", hints[i].hint);
	return e;
}
