// SPDX-License-Identifier: Apache-2.0
// Which hosts to ask for an image, in which order and how: mirrors first, the registry last.
// Called by: engine, which reads the files; transfer's worker, which asks the hosts.
// Specification: containerd 2.1, docs/hosts.md and core/remotes/docker/config/hosts.go.
#pragma once
#include "base/error.h"
#include "json/json.h"

enum registry_capability { REGISTRY_PULL = 1, REGISTRY_RESOLVE = 2, REGISTRY_PUSH = 4 };

struct registry_header {
	char *name, *value;
};

struct registry_host {
	char *url; // "https://host:port/v2", no slash at its end
	unsigned capabilities;
	bool is_own;          // at the registry's own name: no "?ns=" for it
	bool is_registry;     // the registry itself, as opposed to its mirrors: one of all
	bool http_fallback;   // http, if what answers doesn't speak TLS (loopback)
	bool skip_verify;     // certificates are not looked at
	char *ca;             // certificates (PEM) that are trusted beside the system's; NULL
	char *cert, *key;     // ours (PEM); NULL
	char *user, *secret;  // NULL: anonymous
	char *identity_token; // in place of a secret; NULL
	struct registry_header *headers;
	size_t n_headers;
};
struct registry_hosts {
	struct registry_host *items;
	size_t n;
};
void registry_hosts_done(struct registry_hosts *h);
// The index of the registry itself, the one that credentials of the command line are for: mostly
// the last; where a section names it, that one. There is one host at least.
size_t registry_own_host(const struct registry_hosts *hosts);
#define auto_registry_hosts defer(registry_hosts_done)

// What the command line says of the registry itself.
struct registry_flags {
	bool plain_http, skip_verify;
	const char *ca, *cert, *key; // paths; NULL: none
};

// The hosts for the images of `host` ("docker.io", "localhost:5000"). The first of `dirs` (NULL
// behind the last) that has a folder for it decides: `<host>_<port>_`, `<host>:<port>`, `<host>` or
// `_default`, with a hosts.toml in it, or docker's *.crt, *.cert and *.key.
// Errors name the file: INVALID, LIMIT, NOT_FOUND (a certificate), SYSTEM.
fallible registry_find_hosts(const char *host, const char *const *dirs,
                             const struct registry_flags *flags, struct registry_hosts *ret);

// The pure part: `toml` (NULL: none), whose files `read` gives; those of the flags with NULL for
// `arg`.
typedef fallible registry_read(void *arg, const char *path, char **ret);
fallible registry_parse_hosts(const char *host, const struct json *toml,
                              const struct registry_flags *flags, registry_read *read, void *arg,
                              struct registry_hosts *ret);

// To hand them over to the worker; secrets included.
struct json *registry_hosts_to_json(const struct registry_hosts *h);
fallible registry_hosts_from_json(const struct json *array, struct registry_hosts *ret);
