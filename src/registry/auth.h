// SPDX-License-Identifier: Apache-2.0
// What a registry says of how it wants to be asked. Pure.
// Specification: RFC 9110 §11.6.1 (WWW-Authenticate); distribution's "Token Authentication".
#pragma once
#include "base/error.h"
#include <stdbool.h>

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
	enum auth_scheme scheme;
	char *realm, *service, *scope; // NULL if not given
	bool is_insufficient;          // error="insufficient_scope" or "invalid_token"
};
// Looks through one WWW-Authenticate value, which may hold several challenges, and keeps in *c the
// best so far: Bearer before Basic. What we don't know is passed over. Errors: INVALID (syntax).
fallible auth_challenge_add(const char *header, struct auth_challenge *c);
void auth_challenge_done(struct auth_challenge *c);
#define auto_auth_challenge defer(auth_challenge_done)

// "Basic <base64 of user:secret>", the caller's.
char *auth_basic(const char *user, const char *secret);
// Text as part of a query: all but unreserved characters as %XX. The caller's.
char *auth_escape(const char *text);
// Decodes base64 (standard alphabet, padded or not). The caller's. Errors: INVALID.
fallible auth_decode(const char *text, char **ret);
