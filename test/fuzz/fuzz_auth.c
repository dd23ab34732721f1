// SPDX-License-Identifier: Apache-2.0
// What servers say in headers: challenges and redirects. A resolved redirect is http or https to a
// host without user information; Basic survives base64. And NO_PROXY, for each of some hosts; and
// what a dump shows of heads.
#include "base/text.h"
#include "registry/auth.h"
#include "registry/proxy.h"
#include "registry/shown.h"

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

static void check_proxy(const char *none)
{
	static const char *const hosts[] = {"http://a.example:80/", "https://[fd00::1]/",
	                                    "http://10.1.2.3/", "http://127.0.0.1/"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		auto_url struct url u = {0};
		const struct proxies p = {"http://p", "http://p", none};
		if (url_parse(hosts[i], &u) || (*proxy_for(&p, &u) && i == 3))
			abort();
		if (strstr(none, ",*,") && *proxy_for(&p, &u))
			abort();
	}
}

// Nothing of a login is shown, whatever it is; no text rules a terminal.
static void check_shown(const char *text, const uint8_t *data, size_t size)
{
	for (int is_ours = 0; is_ours < 2; is_ours++) {
		auto_free char *shown = shown_head((const char *)data, size, is_ours);
		for (const char *c = shown; *c; c++)
			if ((unsigned char)*c < ' ' || *c == 127)
				abort();
		if (strlen(shown) > 2000)
			abort();
	}
	if (strchr(text, '\n'))
		return;
	auto_free char *head = alloc_printf("GET / HTTP/1.1\r\nAuthorization: %s\r\n\r\n", text);
	auto_free char *shown = shown_head(head, strlen(head), true);
	const char *value = shown + strlen("GET / HTTP/1.1 | Authorization: ");
	if (strcmp(value, "[not shown]") != 0 && strcmp(value, "Basic [not shown]") != 0 &&
	    strcmp(value, "Bearer [not shown]") != 0)
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
	check_proxy(text);
	check_shown(text, data, size);
	return 0;
}
