// SPDX-License-Identifier: Apache-2.0
// URLs of http and https, taken apart: who is asked, so that it can be decided who may know what.
// Pure. Specification: RFC 3986.
#pragma once
#include "base/error.h"
#include <stdbool.h>

enum { URL_SIZE_MAX = 8192 };

struct url {
	bool is_https;
	char *host;       // lower case, IPv6 with its brackets
	unsigned port;    // 80 or 443 if it says none
	char *path_query; // from the first slash on, without fragment; "/" if there is none
};
// Errors: INVALID: another scheme (`file: …`), user information, no host, a bad port, control
// characters, blanks, bytes beyond ASCII.
fallible url_parse(const char *text, struct url *ret);
void url_done(struct url *u);
#define auto_url defer(url_done)
// Scheme, host and port are the same.
bool url_same_origin(const struct url *a, const struct url *b);
// What a Location says, seen from `base`: absolute, "//host/…", "/…" or relative. The caller's.
fallible url_resolve(const char *base, const char *location, char **ret);
// For messages: at most 300 bytes, and no query or fragment, which may hold what opens a door
// (signatures of a redirect, the state of an upload). The caller's.
char *url_shown(const char *url);
bool url_host_is_loopback(const char *host); // localhost, 127.0.0.0/8, [::1]
// An address of 169.254.0.0/16 or [fe80::]/10, in any spelling; not what a name stands for.
bool url_host_is_link_local(const char *host);
