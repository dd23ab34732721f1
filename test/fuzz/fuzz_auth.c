// SPDX-License-Identifier: Apache-2.0
// What servers say in headers: challenges and redirects. A resolved redirect is http or https to a
// host without user information; Basic survives base64.
#include "base/text.h"
#include "registry/auth.h"
#include "registry/url.h"

static void check_url(const char *text)
{
	auto_free char *to = NULL;
	auto_url struct url u = {0};
	struct error *e = url_resolve("https://registry.example/v2/a?b", text, &to);
	if (!e && ((!text_starts(to, "http://") && !text_starts(to, "https://")) ||
	           strpbrk(to, " \r\n\\")))
		abort();
	if (!e && (url_parse(to, &u) || !*u.host || *u.path_query != '/'))
		abort();
	error_free(e);
}

static void check_base64(const char *text)
{
	if (strchr(text, ':'))
		return;
	auto_free char *basic = auth_basic(text, "s"), *back = NULL;
	auto_free char *wanted = alloc_printf("%s:s", text);
	if (auth_decode(basic + strlen("Basic "), &back) || strcmp(back, wanted) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_bytes(data, size), *plain = NULL;
	auto_auth_challenge struct auth_challenge c = {0};
	error_free(auth_challenge_add(text, &c));
	error_free(auth_decode(text, &plain));
	check_url(text);
	check_base64(text);
	return 0;
}
