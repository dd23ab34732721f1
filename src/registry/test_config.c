// SPDX-License-Identifier: Apache-2.0
#include "registry/auth.h"
#include "registry/docker_config.h"
#include "registry/hosts.h"
#include "registry/proxy.h"
#include "registry/shown.h"
#include "registry/toml.h"
#include "registry/url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_error(struct error *e, const char *message)
{
	if (!message && e)
		fail_msg("%s", e->message);
	if (message && !e)
		fail_msg("no error, wanted: %s", message);
	if (message && !strstr(e->message, message))
		fail_msg("error \"%s\", wanted \"%s\"", e->message, message);
	error_free(e);
}

static void toml_documents(void **state)
{
	static const struct {
		const char *toml, *json, *error;
	} rows[] = {
		{"", "{}", NULL},
		{"# nothing\n\n", "{}", NULL},
		{"a = \"b\"", "{\"a\":\"b\"}", NULL},
		{"a = 'b\\c' # d\r\nn = -3\nt = true", "{\"a\":\"b\\\\c\",\"n\":-3,\"t\":true}",
	         NULL},
		{"a = \"\\u00e9\\n\"", "{\"a\":\"\xc3\xa9\\n\"}", NULL},
		{"a = [ \"x\",\n 'y', # z\n]\n", "{\"a\":[\"x\",\"y\"]}", NULL},
		{"a = [[\"x\", 'y'], []]", "{\"a\":[[\"x\",\"y\"],[]]}", NULL},
		{"a = {b = 1, \"c\" = {}}", "{\"a\":{\"b\":1,\"c\":{}}}", NULL},
		{"[h.\"https://x:1\"]\nc = 1\n[h.\"https://x:1\".header]\nz = 2",
	         "{\"h\":{\"https://x:1\":{\"c\":1,\"header\":{\"z\":2}}}}", NULL},
		{"a.b = 1", "{\"a\":{\"b\":1}}", NULL},
		{"a", NULL, "line 1: \"=\" is missing"},
		{"\n= 1", NULL, "line 2: a key is missing"},
		{"a = ", NULL, "line 1: a value that is no string"},
		{"a = 1.5", NULL, "line 1: a value that is no string"},
		{"a = 1 2", NULL, "line 1: the line should end here"},
		{"a = \"x", NULL, "line 1: a string without its end"},
		{"a = \"x\ny\"", NULL, "line 1: a string without its end"},
		{"a = \"\"\"x\"\"\"", NULL, "several lines"},
		{"a = \"\\q\"", NULL, "an unknown escape"},
		{"a = \"\\ud800\"", NULL, "a wrong escape"},
		{"a = \"\\u0000\"", NULL, "a wrong escape"},
		{"a = \"\x01\"", NULL, "a control character"},
		{"a = 1\na = 2", NULL, "line 2: a key twice"},
		{"a = 1\n[a]", NULL, "line 2: a key that is no table"},
		{"[[a]]", NULL, "arrays of tables"},
		{"[a", NULL, "\"]\" is missing"},
		{"[a]x", NULL, "the line should end"},
		{"a = [1 2]", NULL, "\",\" or \"]\" is missing"},
		{"a = {b = 1", NULL, "\",\" or \"}\" is missing"},
		{"a = [[[[[[[[[[[[[[[[[[1", NULL, "too deep"},
		{"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1", NULL, "too deep"},
		{"a = \"\xff\"", NULL, "not UTF-8"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_json struct json *value = NULL;
		assert_error(toml_parse(rows[i].toml, strlen(rows[i].toml), &value), rows[i].error);
		if (rows[i].error)
			continue;
		auto_free char *text = json_to_text(value, 0, JSON_PLAIN);
		assert_string_equal(text, rows[i].json);
	}
}

static void urls(void **state)
{
	static const struct {
		const char *base, *location, *resolved, *error;
	} rows[] = {
		{"https://a/v2/x?q", "/b", "https://a/b", NULL},
		{"https://a:5/v2/x?q", "c", "https://a:5/v2/c", NULL},
		{"http://a/v2/x", "//b:1/c", "http://b:1/c", NULL},
		{"http://a/v2/x", "https://B.c/d?e#f", "https://B.c/d?e#f", NULL},
		{"http://a", "?x", "http://a/?x", NULL},
		{"http://a/", "file:///etc/passwd", NULL, "only http and https"},
		{"http://a/", "ftp://b/", NULL, "only http and https"},
		{"http://a/", "javascript:x", NULL, "only http and https"},
		{"http://a/", "http://u:p@b/", NULL, "user information"},
		{"http://a/", "http:///b", NULL, "no host"},
		{"http://a/", "http://b:0/", NULL, "a port that is none"},
		{"http://a/", "http://b:65536/", NULL, "65536"},
		{"http://a/", "http://b c/", NULL, "a character"},
		{"http://a/", "/b\r\nx: y", NULL, "a character"},
		{"http://a/", "http://b\\@c/", NULL, "a character"},
		{"http://a/", "http://[::1/", NULL, "no address"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_free char *resolved = NULL;
		assert_error(url_resolve(rows[i].base, rows[i].location, &resolved), rows[i].error);
		if (rows[i].resolved)
			assert_string_equal(resolved, rows[i].resolved);
	}
	assert_true(url_host_is_loopback("localhost"));
	assert_true(url_host_is_loopback("127.9.0.1"));
	assert_false(url_host_is_loopback("127.0.0.1.evil.example"));
	assert_false(url_host_is_loopback("localhost.evil.example"));
	assert_true(url_host_is_link_local("169.254.169.254"));
	assert_true(url_host_is_link_local("[fe80::1]"));
	assert_false(url_host_is_link_local("169.253.0.1"));
}

static void challenges(void **state)
{
	static const struct {
		const char *header;
		enum auth_scheme scheme;
		const char *realm, *service, *scope, *error;
	} rows[] = {
		{"Basic realm=\"r\"", AUTH_BASIC, "r", NULL, NULL, NULL},
		{"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull\"",
	         AUTH_BEARER, "https://a/t", "s", "repository:x:pull", NULL},
		{"bearer realm = \"a\\\"b\" , service=s", AUTH_BEARER, "a\"b", "s", NULL, NULL},
		{"Negotiate, Basic realm=x", AUTH_BASIC, "x", NULL, NULL, NULL},
		{"Negotiate dG9rZW4=, Bearer realm=\"y\"", AUTH_BEARER, "y", NULL, NULL, NULL},
		{"Basic realm=x, Bearer realm=y", AUTH_BEARER, "y", NULL, NULL, NULL},
		{"Digest realm=x", AUTH_NONE, NULL, NULL, NULL, NULL},
		{"", AUTH_NONE, NULL, NULL, NULL, NULL},
		{"Bearer realm=\"x", AUTH_NONE, NULL, NULL, NULL, "without its end"},
		{"Bearer realm=\"x\\", AUTH_NONE, NULL, NULL, NULL, "without its end"},
		{"=", AUTH_NONE, NULL, NULL, NULL, "no scheme"},
		{"Bearer realm=;", AUTH_NONE, NULL, NULL, NULL, "without its value"},
		{"Bearer \"x\"", AUTH_BEARER, NULL, NULL, NULL, "no scheme"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_auth_challenge struct auth_challenge c = {0};
		assert_error(auth_challenge_add(rows[i].header, &c), rows[i].error);
		assert_int_equal(c.scheme, rows[i].scheme);
		assert_true(text_equal(c.realm, rows[i].realm));
		assert_true(text_equal(c.service, rows[i].service));
		assert_true(text_equal(c.scope, rows[i].scope));
	}
	auto_free char *basic = auth_basic("Aladdin", "open sesame"), *plain = NULL;
	assert_string_equal(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	assert_error(auth_decode(basic + 6, &plain), NULL);
	assert_string_equal(plain, "Aladdin:open sesame");
	assert_error(auth_decode("a*b", &plain), "not base64");
	assert_error(auth_decode("AAAA", &plain), "a zero byte");
}

static fallible read_file(void *arg, const char *path, char **ret)
{
	(void)arg;
	if (!strcmp(path, "missing"))
		return error_new(ERROR_NOT_FOUND, "missing: no such file");
	*ret = alloc_printf("<%s>", path);
	return NULL;
}

static void hosts(void **state)
{
	static const struct registry_flags none = {0}, plain = {.plain_http = true},
					   unverified = {.skip_verify = true},
					   with_ca = {.ca = "ca.pem"}, bad_ca = {.ca = "missing"};
	static const struct {
		const char *host, *toml;
		const struct registry_flags *flags;
		const char *wanted,
			*error; // "url capabilities[ own][ fallback][ unverified][ ca]; …"
	} rows[] = {
		{"docker.io", NULL, &none, "https://registry-1.docker.io/v2 7 own; ", NULL},
		{"localhost:5000", NULL, &none, "https://localhost:5000/v2 7 own fallback; ", NULL},
		{"127.0.0.1:5000", NULL, &plain, "http://127.0.0.1:5000/v2 7 own; ", NULL},
		{"[::1]:5000", NULL, &unverified, "https://[::1]:5000/v2 7 own unverified; ", NULL},
		{"localhost:5000", NULL, &with_ca, "https://localhost:5000/v2 7 own ca; ", NULL},
		{"localhost:5000", NULL, &bad_ca, NULL, "--tlscacert: missing: no such file"},
		{"docker.io",
	         "server = 'https://d.example'\n[host.'https://m.example']\n"
	         "capabilities = ['pull', 'resolve']\nskip_verify = true\n"
	         "[host.'http://n.example:8080/proxy']\n",
	         &none,
	         "https://m.example/v2 3 unverified; http://n.example:8080/proxy/v2 7; "
	         "https://d.example/v2 7; ",
	         NULL},
		{"x.example", "[host.'m.example/a/']\noverride_path = true\nca = ['a', 'b']", &none,
	         "https://m.example/a 7 ca; https://x.example/v2 7 own; ", NULL},
		{"x.example", "[host.'https://m/v2']", &none,
	         "https://m/v2 7; https://x.example/v2 7 own; ", NULL},
		{"x.example", "ca = 'missing'", &none, NULL, "missing: no such file"},
		{"x.example", "capabilities = ['fly']", &none, NULL, "unknown capability \"fly\""},
		{"x.example", "skip_verify = 'yes'", &none, NULL, "skip_verify: not a boolean"},
		{"x.example", "host = 1", &none, NULL, "hosts.toml.host: not an object"},
		{"x.example", "[host]\nm = 1", &none, NULL, "host \"m\": not a table"},
		{"x.example", "[host.'ftp://m']", &none, NULL, "only http and https"},
		{"x.example", "[host.'https://m?x']", &none, NULL, "a query"},
		{"x.example", "[host.m.header]\n'a b' = 'c'", &none, NULL, "header \"a b\""},
		{"x.example", "[host.m.header]\na = \"c\\r\\nd: e\"", &none, NULL, "header \"a\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_json struct json *toml = NULL;
		auto_registry_hosts struct registry_hosts h = {0};
		auto_str struct str s = STR_LIMIT(4096);
		if (rows[i].toml)
			assert_error(toml_parse(rows[i].toml, strlen(rows[i].toml), &toml), NULL);
		assert_error(registry_parse_hosts(rows[i].host, toml, rows[i].flags, read_file,
		                                  NULL, &h),
		             rows[i].error);
		if (rows[i].error)
			continue;
		auto_json struct json *json = registry_hosts_to_json(&h);
		auto_registry_hosts struct registry_hosts again = {0};
		assert_error(registry_hosts_from_json(json, &again), NULL);
		for (size_t k = 0; k < again.n; k++) {
			const struct registry_host *one = &again.items[k];
			str_printf(&s, "%s %u%s%s%s%s; ", one->url, one->capabilities,
			           one->is_own ? " own" : "", one->http_fallback ? " fallback" : "",
			           one->skip_verify ? " unverified" : "", one->ca ? " ca" : "");
		}
		assert_string_equal(s.bytes, rows[i].wanted);
	}
}

static void logins(void **state)
{
	static const struct {
		const char *config, *host, *wanted, *error; // user/secret/token/helper/server
	} rows[] = {
		{"{}", "x", "-/-/-/-/x", NULL},
		{"{\"auths\":{\"x\":{\"auth\":\"YTpiOmM=\"}}}", "x", "a/b:c/-/-/x", NULL},
		{"{\"auths\":{\"https://x/v1/\":{\"username\":\"a\",\"password\":\"b\"}}}", "x",
	         "a/b/-/-/x", NULL},
		{"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"YTpi\"}}}", "docker.io",
	         "a/b/-/-/https://index.docker.io/v1/", NULL},
		{"{\"auths\":{\"x\":{\"auth\":\"YTpi\"}}}", "y", "-/-/-/-/y", NULL},
		{"{\"auths\":{\"x\":{\"auth\":\"YTpi\"}}}", "x:5000", "-/-/-/-/x:5000", NULL},
		{"{\"auths\":{\"x\":{\"identitytoken\":\"t\"}}}", "x", "-/-/t/-/x", NULL},
		{"{\"credHelpers\":{\"x\":\"pass\"},\"credsStore\":\"s\"}", "x", "-/-/-/pass/x",
	         NULL},
		{"{\"credHelpers\":{\"x\":\"pass\"},\"credsStore\":\"s\"}", "y", "-/-/-/s/y", NULL},
		{"{\"credsStore\":\"../x\"}", "y", NULL, "credential helper"},
		{"{\"auths\":{\"x\":{\"auth\":\"YQ==\"}}}", "x", NULL, "no colon"},
		{"{\"auths\":{\"x\":{\"auth\":\"?\"}}}", "x", NULL, "not base64"},
		{"{\"auths\":{\"x\":1}}", "x", NULL, "not an object"},
		{"{\"auths\":[]}", "x", NULL, "auths: not an object"},
	};
	(void)state;
#define OR(text) ((text) ? (text) : "-")
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_json struct json *config = NULL;
		auto_docker_login struct docker_login l = {0};
		assert_error(json_parse(rows[i].config, strlen(rows[i].config), 65536, &config),
		             NULL);
		assert_error(docker_config_find(config, rows[i].host, &l), rows[i].error);
		if (rows[i].error)
			continue;
		auto_free char *got = alloc_printf("%s/%s/%s/%s/%s", OR(l.user), OR(l.secret),
		                                   OR(l.identity_token), OR(l.helper), l.server);
		assert_string_equal(got, rows[i].wanted);
	}
}

static void proxies(void **state)
{
	static const struct {
		const char *url, *none;
		bool wanted;
	} rows[] = {
		{"https://x.example/", NULL, true},
		{"https://x.example/", "", true},
		{"https://x.example/", "*", false},
		{"https://x.example/", "a, *", false},
		{"https://x.example/", "x.example", false},
		{"https://x.example/", "EXAMPLE", false},
		{"https://x.example/", "a.b,example", false},
		{"https://x.example/", ".example", false},
		{"https://x.example/", "*.example", false},
		{"https://x.example/", ".x.example", true},
		{"https://example/", ".example", true},
		{"https://notx.example/", "x.example", true},
		{"https://x.example/", "x.example:443", false},
		{"https://x.example/", "x.example:5000", true},
		{"http://x.example:5000/", "x.example:5000", false},
		{"http://10.1.2.3/", "10.0.0.0/8", false},
		{"http://10.1.2.3/", "10.1.2.3", false},
		{"http://10.1.2.3:81/", "10.1.2.3:80", true},
		{"http://11.1.2.3/", "10.0.0.0/8", true},
		{"http://10.1.2.3/", "10.0.0.0/33", true},
		{"http://10.1.2.3/", "10.0.0.0/", true},
		{"http://10.1.2.3/", "0.0.0.0/0", false},
		{"http://[fd00::1]/", "fd00::/16", false},
		{"http://[fd00::1]:81/", "[fd00::1]:81", false},
		{"http://[fd00::1]/", "fd00:0::1", false},
		{"http://[fe00::1]/", "fd00::/16", true},
		{"http://x.example/", "10.0.0.0/8,,:,/,.", true},
		{"http://localhost/", NULL, false},
		{"http://127.1.2.3:5000/", NULL, false},
		{"http://[::1]/", NULL, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_url struct url u = {0};
		assert_error(url_parse(rows[i].url, &u), NULL);
		const struct proxies p = {"http://plain", "http://tls", rows[i].none};
		const char *wanted = !rows[i].wanted ? "" : u.is_https ? p.https : p.http;
		if (strcmp(proxy_for(&p, &u), wanted) != 0)
			fail_msg("%s with no_proxy=%s", rows[i].url, rows[i].none);
	}
}

static void link_locals(void **state)
{
	static const struct {
		const char *host;
		bool wanted;
	} rows[] = {
		{"169.254.169.254", true},
		{"169.254.169.254.", true},
		{"0xa9fea9fe", true},
		{"2852039166", true},
		{"0251.254.169.254", true},
		{"169.254.43518", true},
		{"[fe80::1]", true},
		{"[febf::1]", true},
		{"[::ffff:169.254.169.254]", true},
		{"[::ffff:a9fe:a9fe]", true},
		{"[::a9fe:a9fe]", true},
		{"[64:ff9b::a9fe:a9fe]", true},
		{"169.253.1.1", false},
		{"[fec0::1]", false},
		{"[::1]", false},
		{"localhost", false},
		{"169.254.169.254.example", false},
		{"a9fea9fe", false},
		{"[::ffff:10.0.0.1]", false},
		{"[]", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (url_host_is_link_local(rows[i].host) != rows[i].wanted)
			fail_msg("%s", rows[i].host);
}

static void shown(void **state)
{
	(void)state;
	char long_url[400] = "https://x/", wanted[400] = "https://x/";
	memset(long_url + 10, 'a', 380);
	memset(wanted + 10, 'a', 290);
	memcpy(wanted + 300, "...", 4);
	const char *const rows[][2] = {
		{"https://x/a", "https://x/a"},
		{"https://x/a?X-Signature=1", "https://x/a?..."},
		{"https://x?a", "https://x?..."},
		{"", ""},
		{long_url, wanted},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_free char *got = url_shown(rows[i][0]);
		assert_string_equal(got, rows[i][1]);
	}
}

// What a log may say of an exchange.
static void heads(void **state)
{
	static const struct {
		bool is_ours;
		const char *head, *shown;
	} rows[] = {
		{true, "GET /v2/x/blobs/sha256:1 HTTP/1.1\r\nHost: a:5000\r\nAccept: */*\r\n\r\n",
	         "GET /v2/x/blobs/sha256:1 HTTP/1.1 | Host: a:5000 | Accept: */*"},
		{true, "PUT /u?state=abc&digest=sha256:1 HTTP/1.1\r\n\r\n", "PUT /u?... HTTP/1.1"},
		{true, "GET http://a/?s=1 HTTP/1.1\r\n", "GET http://a/?... HTTP/1.1"},
		{true, "GET / HTTP/1.1\r\nauthorization: Basic dTpw\r\n\r\n",
	         "GET / HTTP/1.1 | authorization: Basic [not shown]"},
		{true, "GET / HTTP/1.1\r\nAuthorization: Bearer e.y.J\r\n\r\n",
	         "GET / HTTP/1.1 | Authorization: Bearer [not shown]"},
		{true, "GET / HTTP/1.1\r\nAuthorization: dTpw\r\nProxy-Authorization: Basic x\r\n",
	         "GET / HTTP/1.1 | Authorization: [not shown] | Proxy-Authorization: Basic [not "
	         "shown]"},
		{true, "GET / HTTP/1.1\r\nX-Mine: open sesame\r\nCookie: a=b\r\nBare\r\n",
	         "GET / HTTP/1.1 | X-Mine: [not shown] | Cookie: [not shown] | [not shown]"},
		{false,
	         "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer "
	         "realm=\"https://a/t?x\",scope=\"repository:x:pull\"\r\n\r\n",
	         "HTTP/1.1 401 Unauthorized | WWW-Authenticate: Bearer "
	         "realm=\"https://a/t?...\",scope=\"repository:x:pull\""},
		{false, "HTTP/2 307 \r\nlocation: https://b/x?X-Sig=1&y=2\r\nSet-Cookie: s=1\r\n",
	         "HTTP/2 307  | location: https://b/x?... | Set-Cookie: [not shown]"},
		{false, "HTTP/1.1 200 OK\r\nLink: <https://a/1?s=1>; rel=a, </2?s=2>; rel=b\r\n",
	         "HTTP/1.1 200 OK | Link: <https://a/1?..."},
		{true, "GET /b?x=\"b\"&sig=1 HTTP/1.1\r\n\r\n", "GET /b?... HTTP/1.1"},
		{true, "GET /b?x=a HTTP/1.1 c HTTP/1.1\r\n\r\n", "GET /b?... HTTP/1.1"},
		{false, "HTTP/1.1 307 T\r\nLocation: /v2/b?x=\"b\">c d&sig=1\r\n",
	         "HTTP/1.1 307 T | Location: /v2/b?..."},
		{false, "HTTP/1.1 307 T\r\nLocation: https://u:p@h:1/x#f\r\nLink: <//u@h>\r\n",
	         "HTTP/1.1 307 T | Location: https://[not shown]@h:1/x?... | Link: <//[not "
	         "shown]@h>"},
		{false, "HTTP/1.1 200 OK\r\nX-Amz-Signature: 1\r\nX-Echo: bEarer e.y\r\nA: a@b\r\n",
	         "HTTP/1.1 200 OK | X-Amz-Signature: [not shown] | X-Echo: Bearer [not shown] | "
	         "A: a@b"},
		{false,
	         "HTTP/1.1 401 U\r\nWWW-Authenticate: Negotiate YII=\r\n"
	         "Proxy-Authenticate: NTLM\r\nWWW-Authenticate: Bearer "
	         "realm=\"https://u:p@a/t#x\r\n",
	         "HTTP/1.1 401 U | WWW-Authenticate: Negotiate [not shown] | Proxy-Authenticate: "
	         "NTLM | WWW-Authenticate: Bearer realm=\"https://[not shown]@a/t?...\""},
		{false, "HTTP/1.1 200 \xe2\x80\xae\r\n", "HTTP/1.1 200 ..."},
		{false, "HTTP/1.1 200 OK\r\nLink: <https://a/x>, <https://u:p@b/y>\r\n",
	         "HTTP/1.1 200 OK | Link: <https://a/x>, <https://[not shown]@b/y>"},
		{false, "HTTP/1.1 401 U\r\nWWW-Authenticate: Bearer realm=https://a/t?sig=1\r\n",
	         "HTTP/1.1 401 U | WWW-Authenticate: Bearer [not shown]"},
		{false, "HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=\"x\", Negotiate YII=\r\n",
	         "HTTP/1.1 401 U | WWW-Authenticate: Basic realm=\"x\"[not shown]"},
		{false, "HTTP/1.1 200 OK\r\nX-Auth-Token: 1\r\nX-Subject-Token: 2\r\nServer: s\r\n",
	         "HTTP/1.1 200 OK | X-Auth-Token: [not shown] | X-Subject-Token: [not shown] | "
	         "Server: s"},
		{false, "HTTP/1.1 200 \x1b[2J\r\nServer: a\tb\rc\r\n",
	         "HTTP/1.1 200 .[2J | Server: a.b.c"},
		// The second half of a long head, and a trailer.
		{true, "dTpw\r\nHost: a\r\n", "[not shown] | Host: a"},
		{false, "X-Token: 1\r\nA: b\r\n", "X-Token: [not shown] | A: b"},
		{false, "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\n b: c\r\n\td: e\r\n",
	         "HTTP/1.1 200 OK | Set-Cookie: [not shown] | [not shown] | [not shown]"},
		{false, "", ""},
		{false, "\n\n", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_free char *shown =
			shown_head(rows[i].head, strlen(rows[i].head), rows[i].is_ours);
		assert_string_equal(shown, rows[i].shown);
	}
	struct registry_header chosen[] = {{(char *)"User-Agent", (char *)"secret"}};
	static const char agent[] = "GET / HTTP/1.1\r\nHost: a\r\nuser-agent: secret\r\n\r\n";
	auto_free char *hidden = shown_request(agent, strlen(agent), chosen, 1);
	assert_string_equal(hidden, "GET / HTTP/1.1 | Host: a | user-agent: [not shown]");
	char *zeros = shown_head("HTTP/1.1 200\0\r\nA: \0b\r\n", 22, false);
	assert_string_equal(zeros, "HTTP/1.1 200. | A: .b");
	free(zeros);
	auto_free char *much = alloc(100000);
	memset(much, 'x', 99999);
	auto_free char *bounded = shown_head(much, 99999, false);
	assert_true(strlen(bounded) < 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(toml_documents), cmocka_unit_test(urls),
		cmocka_unit_test(challenges),     cmocka_unit_test(hosts),
		cmocka_unit_test(logins),         cmocka_unit_test(proxies),
		cmocka_unit_test(link_locals),    cmocka_unit_test(shown),
		cmocka_unit_test(heads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
