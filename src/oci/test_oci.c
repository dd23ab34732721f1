// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "oci/digest.h"
#include "oci/filter.h"
#include "oci/names.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "oci/sha256.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA "sha256:" HEX64
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static void check_error(struct error *e, const char *message)
{
	if (!e || strcmp(e->message, message) != 0)
		print_message("%s, not %s\n", e ? e->message : "no error", message);
	assert_non_null(e);
	assert_string_equal(e->message, message);
	error_free(e);
}

// clang-format off
static void sha256_vectors(void **state) // FIPS 180-4's examples, from NIST
{
	(void)state;
	static const struct {
		const char *text, *digest;
	} cases[] = {
		{ "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "sha256:cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};
	char digest[OCI_DIGEST_SIZE];
	for (size_t i = 0; i < N(cases); i++) {
		oci_digest_of(cases[i].text, strlen(cases[i].text), digest);
		assert_string_equal(digest, cases[i].digest);
	}
	// A million "a", in pieces that don't fit the block.
	struct sha256 s;
	unsigned char hash[32];
	auto_free char *piece = alloc(999);
	memset(piece, 'a', 999);
	sha256_init(&s);
	for (size_t left = 1000000, n; left; left -= n) {
		n = left < 999 ? left : 999;
		sha256_add(&s, piece, n);
	}
	sha256_done(&s, hash);
	assert_memory_equal(hash, "\xcd\xc7\x6e\x5c\x99\x14\xfb\x92\x81\xa1\xc7\xe2\x84\xd7\x3e\x67"
				  "\xf1\x80\x9a\x48\xa4\x97\x20\x0e\x04\x6d\x39\xcc\xc7\x11\x2c\xd0", 32);
	for (size_t size = 50; size < 130; size++) { // all paddings: whole against in two pieces
		char whole[OCI_DIGEST_SIZE];
		oci_digest_of(piece, size, whole);
		sha256_init(&s);
		sha256_add(&s, piece, size / 3);
		sha256_add(&s, piece, size - size / 3);
		sha256_done(&s, hash);
		char start[3] = { "0123456789abcdef"[hash[0] >> 4], "0123456789abcdef"[hash[0] & 15], 0 };
		assert_memory_equal(start, whole + 7, 2);
	}
}

static void digests(void **state)
{
	(void)state;
	assert_null(oci_digest_check(SHA));
	assert_null(oci_digest_check("sha512:" HEX64 HEX64));
	assert_true(oci_digest_is_sha256(SHA));
	assert_string_equal(oci_digest_hex(SHA), HEX64);
	static const struct {
		const char *digest, *message;
	} cases[] = {
		{ "", "digest \"\": not ALGORITHM:HEX" },
		{ "sha256", "digest \"sha256\": not ALGORITHM:HEX" },
		{ ":x", "digest \":x\": not ALGORITHM:HEX" },
		{ "md5:", "digest \"md5:\": not ALGORITHM:HEX" },
		{ "../../x:y", "digest \"../../x:y\": not ALGORITHM:HEX" },
		{ "md5:00", "digest \"md5:00\": unknown algorithm" },
		{ "sha256:", "digest \"sha256:\": not 64 hexadecimal digits" },
		{ "sha256:ABC", "digest \"sha256:ABC\": not 64 hexadecimal digits" },
		{ "sha256:../x", "digest \"sha256:../x\": not 64 hexadecimal digits" },
		{ "sha256:\x1b[2J", "digest \"sha256:?[2J\": not 64 hexadecimal digits" },
		{ SHA "0", "digest \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef012345678...\": not 64 hexadecimal digits" },
	};
	for (size_t i = 0; i < N(cases); i++)
		check_error(oci_digest_check(cases[i].digest), cases[i].message);
}

static void chain_ids(void **state)
{
	(void)state;
	static const char *const diffs[] = {
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};
	char id[OCI_DIGEST_SIZE], wanted[OCI_DIGEST_SIZE];
	oci_chain_id(diffs, 1, id);
	assert_string_equal(id, diffs[0]);
	oci_chain_id(diffs, 2, id);
	auto_free char *both = alloc_printf("%s %s", diffs[0], diffs[1]);
	oci_digest_of(both, strlen(both), wanted);
	assert_string_equal(id, wanted);
}

static void references(void **state)
{
	(void)state;
	static const struct {
		const char *typed, *normalised;
	} cases[] = {
		{ "busybox", "docker.io/library/busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "library/busybox", "docker.io/library/busybox:latest" },
		{ "docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "index.docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "docker.io/library/busybox:latest", "docker.io/library/busybox:latest" },
		{ "a/b", "docker.io/a/b:latest" },
		{ "a/b/c:T_1.x-", "docker.io/a/b/c:T_1.x-" },
		{ "localhost/x", "localhost/x:latest" },
		{ "localhost:5000/x", "localhost:5000/x:latest" },
		{ "localhost:5000", "docker.io/library/localhost:5000" },
		{ "quay.io/a/b", "quay.io/a/b:latest" },
		{ "127.0.0.1:5001/x:y", "127.0.0.1:5001/x:y" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest" },
		{ "[fe80::1]/x:1", "[fe80::1]/x:1" },
		{ "MYHOST/x", "MYHOST/x:latest" },
		{ "busybox@" SHA, "docker.io/library/busybox@" SHA },
		{ "busybox:1@" SHA, "docker.io/library/busybox:1@" SHA },
		{ "a__b/c-----d/e.f", "docker.io/a__b/c-----d/e.f:latest" },
		{ "0123456789abcdef", "docker.io/library/0123456789abcdef:latest" },
		{ "mcr.microsoft.com/windows/nanoserver:ltsc2022", "mcr.microsoft.com/windows/nanoserver:ltsc2022" },
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_oci_reference struct oci_reference r = {0};
		struct error *e = oci_reference_parse(cases[i].typed, &r);
		if (e)
			print_message("%s\n", e->message);
		assert_null(e);
		assert_string_equal(r.normalised, cases[i].normalised);
		assert_string_equal(r.typed, cases[i].typed);
		auto_free char *again = NULL;
		assert_null(oci_reference_normalise(r.normalised, &again));
		assert_string_equal(again, r.normalised);
	}
}

#define BAD(text, why) { text, "reference \"" text "\": " why }
#define FORMAT "invalid reference format"
#define HOST "the host is not a host name with an optional port"
#define TAG "the tag is not 1 to 128 of A-Z a-z 0-9 _ . -"
static void bad_references(void **state)
{
	(void)state;
	static const struct {
		const char *typed, *message;
	} cases[] = {
		BAD("", "empty"),
		BAD("Busybox", "repository name must be lowercase"),
		BAD("a/B", "repository name must be lowercase"),
		BAD("/busybox", FORMAT),
		BAD("busybox/", FORMAT),
		BAD("a//b", FORMAT),
		BAD("a___b", FORMAT),
		BAD("a..b", FORMAT),
		BAD("a._b", FORMAT),
		BAD("-a", FORMAT),
		BAD("a-", FORMAT),
		BAD("a b", FORMAT),
		BAD("a/../b", FORMAT),
		{ "a\x1b[2J", "reference \"a?[2J\": repository name must be lowercase" },
		{ "caf\xc3\xa9", "reference \"caf??\": " FORMAT },
		BAD("../b", HOST),
		BAD("https://x/y", HOST),
		BAD("host:123456/x", HOST),
		BAD("host:x/y", HOST),
		BAD("-host.io/x", HOST),
		BAD("host-.io/x", HOST),
		BAD("ho_st.io/x", HOST),
		BAD("[::1/x", HOST),
		BAD("[]/x", FORMAT),
		BAD("busybox:", TAG),
		BAD("busybox:-x", TAG),
		BAD("busybox:a:b", FORMAT),
		BAD("busybox:a/b", HOST),
		BAD("busybox@", "what follows the @ is not a digest"),
		BAD("busybox@sha256:12", "what follows the @ is not a digest"),
		BAD("busybox@x@y", "what follows the @ is not a digest"),
		BAD(HEX64, "64 hexadecimal digits are an image's ID, not a name"),
		{ "busybox:" A100 A10 A10 A10, "reference \"busybox:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": " TAG },
		{ A100 A100 A10 A10 A10 A10 A10, "reference \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": the name is longer than 255 bytes" },
		{ A100 A100 A100 A100 A100 A100 A100 A100 A100 A100 A10 A10 A10,
		  "reference \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": longer than 1024 bytes" },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct oci_reference r = {0};
		check_error(oci_reference_parse(cases[i].typed, &r), cases[i].message);
		assert_null(r.typed);
	}
}

static const struct oci_platform host = { .os = "linux", .architecture = "amd64" };

static void platforms(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "linux/amd64", "linux/amd64" },
		{ "linux", "linux/amd64" },
		{ "windows", "windows/amd64" },
		{ "arm64", "linux/arm64" },
		{ "aarch64", "linux/arm64" },
		{ "x86_64", "linux/amd64" },
		{ "armhf", "linux/arm/v7" },
		{ "Linux/X86_64", "linux/amd64" },
		{ "linux/aarch64/v8", "linux/arm64" },
		{ "linux/arm", "linux/arm/v7" },
		{ "linux/arm/6", "linux/arm/v6" },
		{ "linux/arm/v7", "linux/arm/v7" },
		{ "linux/i386", "linux/386" },
		{ "macos/arm64", "darwin/arm64" },
		{ "windows(10.0.20348.1)/amd64", "windows(10.0.20348.1)/amd64" },
		{ "windows(10.0.20348.1)", "windows(10.0.20348.1)/amd64" },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct oci_platform p;
		struct error *e = oci_platform_parse(cases[i].text, &host, &p);
		if (e)
			print_message("%s\n", e->message);
		assert_null(e);
		auto_free char *text = oci_platform_format(&p);
		assert_string_equal(text, cases[i].wanted);
	}
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "nosuch", "\"nosuch\": unknown operating system or architecture" },
		{ "", "\"\": unknown operating system or architecture" },
		{ "nosuch/amd64", "\"nosuch/amd64\": unknown operating system" },
		{ "linux/nosuch", "\"linux/nosuch\": unknown architecture" },
		{ "linux/", "\"linux/\": invalid platform" },
		{ "linux/amd64/", "\"linux/amd64/\": invalid platform" },
		{ "linux/amd64/v1/x", "\"linux/amd64/v1/x\": invalid platform" },
		{ "linux/amd64(1)", "\"linux/amd64(1)\": invalid platform" },
		{ "windows()/amd64", "\"windows()/amd64\": unknown operating system or architecture" },
		{ "windows(10.0/amd64", "\"windows(10.0/amd64\": unknown operating system or architecture" },
		{ "windows(x)/amd64", "\"windows(x)/amd64\": unknown operating system or architecture" },
		{ "amd64(10.0)", "\"amd64(10.0)\": unknown operating system or architecture" },
		{ "linux/" A10 A10 A10 A10, "\"linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\": invalid platform" },
	};
	for (size_t i = 0; i < N(bad); i++) {
		struct oci_platform p;
		check_error(oci_platform_parse(bad[i].text, &host, &p), bad[i].message);
	}
}

static void platform_matching(void **state)
{
	(void)state;
	static const struct {
		const char *want, *better, *worse; // worse NULL: `better` alone must match; better NULL: `worse` must not
	} cases[] = {
		{ "linux/amd64", "linux/amd64", "linux/386" },
		{ "linux/amd64", NULL, "linux/arm64" },
		{ "linux/amd64", NULL, "windows/amd64" },
		{ "linux/386", NULL, "linux/amd64" },
		{ "linux/arm64", "linux/arm64", "linux/arm/v7" },
		{ "linux/arm64", "linux/arm/v7", "linux/arm/v6" },
		{ "linux/arm/v7", "linux/arm/v7", "linux/arm/v6" },
		{ "linux/arm/v7", "linux/arm/v6", "linux/arm/v5" },
		{ "linux/arm/v6", NULL, "linux/arm/v7" },
		{ "windows(10.0.20348.5)/amd64", "windows(10.0.20348.5)/amd64", "windows(10.0.20348.6)/amd64" },
		{ "windows(10.0.20348.5)/amd64", "windows(10.0.20348.6)/amd64", "windows(10.0.20348.900)/amd64" },
		{ "windows(10.0.20348.5)/amd64", NULL, "windows(10.0.17763.5)/amd64" },
		{ "windows(10.0.20348.5)/amd64", NULL, "windows/amd64" },
		{ "windows/amd64", "windows(10.0.17763.5)/amd64", NULL },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct oci_platform want, have;
		unsigned better = 1;
		assert_null(oci_platform_parse(cases[i].want, &host, &want));
		if (cases[i].better) {
			assert_null(oci_platform_parse(cases[i].better, &host, &have));
			better = oci_platform_match(&want, &have);
			assert_true(better > 0);
		}
		if (cases[i].worse) {
			assert_null(oci_platform_parse(cases[i].worse, &host, &have));
			unsigned worse = oci_platform_match(&want, &have);
			if (cases[i].better ? worse >= better || !worse : worse)
				print_message("%s %s\n", cases[i].want, cases[i].worse);
			assert_true(cases[i].better ? worse && worse < better : !worse);
		}
	}
}

static void versions(void **state)
{
	(void)state;
	static const char *const rising[] = {
		"windows/amd64",                    "windows(10.0.9.9)/amd64",
		"windows(10.0.17763.7314)/amd64",   "windows(10.0.20348)/amd64",
		"windows(10.0.20348.9)/amd64",      "windows(10.0.20348.10)/amd64",
		"windows(10.0.26100.4061)/amd64",
	};
	uint64_t before = 0;
	for (size_t i = 0; i < sizeof(rising) / sizeof(*rising); i++) {
		struct oci_platform p;
		assert_null(oci_platform_parse(rising[i], &host, &p));
		uint64_t version = oci_platform_version(&p);
		assert_true(i ? version > before : !version);
		before = version;
	}
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(oci_capability_number("CAP_CHOWN"), 0);
	assert_int_equal(oci_capability_number("net_admin"), 12);
	assert_int_equal(oci_capability_number("CAP_CHECKPOINT_RESTORE"), 40);
	assert_int_equal(oci_capability_number("CAP_NOSUCH"), -1);
	assert_int_equal(oci_capability_number("CAP_"), -1);
	assert_int_equal(oci_capability_number(""), -1);
	assert_null(oci_capability_name(41));
	assert_null(oci_capability_name(-1));
	assert_string_equal(oci_capability_name(21), "CAP_SYS_ADMIN");
	assert_int_equal(oci_rlimit_number("RLIMIT_NOFILE"), 7);
	assert_int_equal(oci_rlimit_number("RLIMIT_RTTIME"), 15);
	assert_int_equal(oci_rlimit_number("NOFILE"), -1);
	assert_null(oci_rlimit_name(16));
	assert_string_equal(oci_signal_name(15), "SIGTERM");
	assert_null(oci_signal_name(0));
	assert_null(oci_signal_name(34));
	static const struct {
		const char *text;
		int number; // 0: refused
	} cases[] = {
		{ "SIGTERM", 15 }, { "term", 15 }, { "sigKill", 9 }, { "9", 9 }, { "64", 64 }, { "USR1", 10 },
		{ "SIGIOT", 6 }, { "SIGSYS", 31 }, { "RTMIN", 34 }, { "SIGRTMIN+3", 37 }, { "rtmax-1", 63 },
		{ "SIGRTMAX", 64 },
		{ "0", 0 }, { "65", 0 }, { "-1", 0 }, { "NOSUCH", 0 }, { "", 0 }, { "SIG", 0 }, { "1x", 0 },
		{ "RTMIN-1", 0 }, { "RTMIN+31", 0 }, { "RTMAX+1", 0 }, { "RTMIN+", 0 }, { "99999999999999999999", 0 },
	};
	for (size_t i = 0; i < N(cases); i++) {
		int number = 0;
		auto_error struct error *e = oci_signal_parse(cases[i].text, &number);
		assert_int_equal(number, cases[i].number);
		assert_true(!e == (cases[i].number != 0));
	}
	int number;
	check_error(oci_signal_parse("NOSUCH", &number), "invalid signal: NOSUCH");
}

// clang-format on
static const char *field(void *context, const char *const *path, size_t n)
{
	(void)context;
	if (n == 1 && !strcmp(path[0], "name"))
		return "docker.io/library/busybox:latest";
	if (n == 2 && !strcmp(path[0], "labels") && !strcmp(path[1], "a.b"))
		return "c d";
	return NULL;
}

static void filters(void **state)
{
	(void)state;
	static const struct {
		const char *texts[2];
		size_t n;
		bool wanted;
	} cases[] = {
		{{NULL}, 0, true},
		{{""}, 1, true},
		{{"name==docker.io/library/busybox:latest"}, 1, true},
		{{"name == docker.io/library/busybox:latest"}, 1, true},
		{{"name==busybox"}, 1, false},
		{{"name!=busybox"}, 1, true},
		{{"nosuch!=x"}, 1, true},
		{{"nosuch==x"}, 1, false},
		{{"name"}, 1, true},
		{{"nosuch"}, 1, false},
		{{"labels.\"a.b\"==\"c d\""}, 1, true},
		{{"labels.a.b==\"c d\""}, 1, true},
		{{"labels.\"a.b\"==\"c d\",name"}, 1, true},
		{{"labels.\"a.b\"==\"c d\",nosuch"}, 1, false},
		{{"nosuch", "name"}, 2, true},
		{{"nosuch", "labels.a"}, 2, false},
		{{"name~=^docker\\.io/"}, 1, true},
		{{"name~=^busybox"}, 1, false},
		{{"name~=/library\\/(busy|toy)box:/"}, 1, true},
		{{"name~=|library/(busy\\|toy)box:|"}, 1, true},
		{{"name~=\"library/b\\\\w{3}box\""}, 1, true},
		{{"name~=/b\\w{4,5}x:/, labels.a.b ~= /c d/"}, 1, true},
		{{"name~=/docker\\.io/"}, 1, true},
		{{"nosuch~=^$"}, 1, true},
		{{"nosuch~=."}, 1, false},
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_oci_filters struct oci_filters *f = NULL;
		assert_null(oci_filters_parse(cases[i].texts, cases[i].n, &f));
		assert_int_equal(oci_filters_match(f, field, NULL), cases[i].wanted);
	}
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"-q", "filters: parse error: [ >|-|< q]: expected field or quoted"},
		{"name==", "filters: parse error: [name==]: expected value or quoted"},
		{"name==a b", "filters: parse error: [name==a  >|b|< ]: unexpected input"},
		{"name=a", "filters: parse error: [name >|=|< a]: unsupported operator"},
		{"name~=", "filters: parse error: [name~=]: expected value or quoted"},
		{"image~=,id?=?fbaq",
	         "filters: parse error: [image~= >|,|< id?=?fbaq]: expected value or quoted"},
		{"name~=(a",
	         "filters: parse error: [name~= >|(|< a]: error parsing regexp: missing closing ): `(a`"},
		{"name~=/[b-a]/",
	         "filters: parse error: [name~= >|/|< [b-a]/]: error parsing regexp: invalid "
	         "character class range: `b-a`"},
		{"name~=/a",
	         "filters: parse error: [name~= >|/|< a]: quoted literal not terminated"},
		{"name~=\"\\.\"",
	         "filters: parse error: [name~=\" >|\\|< .\"]: unknown escape in a quoted literal"},
		{"labels.|foo|==x",
	         "filters: parse error: [labels. >|||< foo|==x]: invalid quote encountered"},
		{"labels.ns/key==value",
	         "filters: parse error: [labels.ns >|/|< key==value]: unexpected input"},
		{"labels.key==/value",
	         "filters: parse error: [labels.key== >|/|< value]: quoted literal not terminated"},
		{"a,", "filters: parse error: [a,]: expected field or quoted"},
		{"a.", "filters: parse error: [a.]: expected field or quoted"},
		{"\"a", "filters: parse error: [ >|\"|< a]: quoted literal not terminated"},
		{"a==\"\\q\"",
	         "filters: parse error: [a==\" >|\\|< q\"]: unknown escape in a quoted literal"},
		{"a==\"\\",
	         "filters: parse error: [a==\" >|\\|< ]: unknown escape in a quoted literal"},
		{"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
	         "filters: parse error: [a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a. >|a|< ]: too many fields"},
	};
	for (size_t i = 0; i < N(bad); i++) {
		struct oci_filters *f = NULL;
		check_error(oci_filters_parse(&bad[i].text, 1, &f), bad[i].message);
		assert_null(f);
	}
	auto_str struct str many = STR_LIMIT(1 << 16);
	for (size_t i = 0; i < 65; i++)
		str_printf(&many, "%sa~=x", i ? "," : "");
	const char *text = many.bytes;
	struct oci_filters *f = NULL;
	check_error(
		oci_filters_parse(&text, 1, &f),
		"filters: parse error: [x,a~=x,a~=x,a~=x,a~=x,a~=x,a~=x,a~=x,a~= >|x|< ]: too many "
		"regular expressions");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_vectors),
		cmocka_unit_test(digests),
		cmocka_unit_test(chain_ids),
		cmocka_unit_test(references),
		cmocka_unit_test(bad_references),
		cmocka_unit_test(platforms),
		cmocka_unit_test(platform_matching),
		cmocka_unit_test(versions),
		cmocka_unit_test(names),
		cmocka_unit_test(filters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
