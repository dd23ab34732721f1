// SPDX-License-Identifier: Apache-2.0
#include "oci/platform.h"
#include "oci/private.h"
#include <string.h>

// clang-format off
static const char *const systems[] = {
	"aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd",
	"openbsd", "plan9", "solaris", "wasip1", "windows",
};
static const char *const architectures[] = {
	"386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64",
	"ppc64le", "riscv64", "s390x", "wasm",
};
static const struct {
	const char *name, *architecture, *variant;
} aliases[] = {
	{ "i386", "386", "" }, { "i486", "386", "" }, { "i586", "386", "" }, { "i686", "386", "" },
	{ "x86", "386", "" },
	{ "x86_64", "amd64", "" }, { "x86-64", "amd64", "" },
	{ "aarch64", "arm64", "" },
	{ "armhf", "arm", "v7" }, { "armel", "arm", "v6" },
	{ "armv7l", "arm", "v7" }, { "armv6l", "arm", "v6" }, { "armv5tel", "arm", "v5" },
	{ "loongarch64", "loong64", "" },
};
// clang-format on

static bool listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

static void set(char *to, size_t size, const char *text)
{
	size_t n = strlen(text);
	if (n >= size) // callers have checked; never cut silently into another name
		n = 0;
	memcpy(to, text, n);
	to[n] = 0;
}
#define SET(field, text) set((field), sizeof(field), (text))

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text |= 32;
}

void oci_platform_normalise(struct oci_platform *p)
{
	lower(p->os);
	lower(p->architecture);
	lower(p->variant);
	if (!strcmp(p->os, "macos"))
		SET(p->os, "darwin");
	for (size_t i = 0; i < N(aliases); i++)
		if (!strcmp(p->architecture, aliases[i].name)) {
			SET(p->architecture, aliases[i].architecture);
			if (!*p->variant)
				SET(p->variant, aliases[i].variant);
			break;
		}
	if (!strcmp(p->architecture, "arm64") &&
	    (!strcmp(p->variant, "8") || !strcmp(p->variant, "v8")))
		SET(p->variant, "");
	if (!strcmp(p->architecture, "amd64") && !strcmp(p->variant, "v1"))
		SET(p->variant, "");
	if (!strcmp(p->architecture, "arm")) {
		if (!*p->variant)
			SET(p->variant, "v7");
		else if (strlen(p->variant) == 1 && strchr("5678", p->variant[0]))
			SET(p->variant, ((char[]){'v', p->variant[0], 0}));
	}
}

bool oci_platform_is_windows(const struct oci_platform *platform)
{
	return !strcmp(platform->os, "windows");
}

char *oci_platform_format(const struct oci_platform *p)
{
	if (!*p->os)
		return alloc_string("unknown");
	bool version = *p->os_version;
	return alloc_printf("%s%s%s%s%s%s%s%s", p->os, version ? "(" : "", p->os_version,
	                    version ? ")" : "", *p->architecture ? "/" : "", p->architecture,
	                    *p->variant ? "/" : "", p->variant);
}

static struct error *bad(const char *text, const char *why)
{
	char shown[SHOWN];
	return error_new(ERROR_INVALID, "\"%s\": %s", show(text, shown), why);
}

// Takes the part up to the next slash, which must be of plain characters.
static bool take_part(const char **p, char *to, size_t size)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strspn(*p, plain);
	if (!n || n >= size || ((*p)[n] && (*p)[n] != '/' && (*p)[n] != '('))
		return false;
	memcpy(to, *p, n);
	to[n] = 0;
	*p += n;
	return true;
}

// "(10.0.20348.1)" after the system.
static bool take_version(const char **p, char *to, size_t size)
{
	if (**p != '(')
		return true;
	const char *end = strchr(*p, ')');
	size_t n = end ? (size_t)(end - *p - 1) : 0;
	if (!n || n >= size || strspn(*p + 1, "0123456789.") != n)
		return false;
	memcpy(to, *p + 1, n);
	to[n] = 0;
	*p = end + 1;
	return **p == '/' || !**p;
}

// One part only: a system or an architecture.
static fallible complete(const char *text, const struct oci_platform *host, struct oci_platform *p)
{
	struct oci_platform guess = {0};
	SET(guess.architecture, p->os);
	oci_platform_normalise(&guess);
	oci_platform_normalise(p);
	if (listed(systems, N(systems), p->os)) {
		SET(p->architecture, host->architecture);
		SET(p->variant, host->variant);
		return NULL;
	}
	if (!listed(architectures, N(architectures), guess.architecture) || *p->os_version)
		return bad(text, "unknown operating system or architecture");
	SET(guess.os, host->os);
	*p = guess;
	return NULL;
}

fallible oci_platform_parse(const char *text, const struct oci_platform *host,
                            struct oci_platform *ret)
{
	struct oci_platform p = {0};
	const char *at = text;
	if (!take_part(&at, p.os, sizeof(p.os)) ||
	    !take_version(&at, p.os_version, sizeof(p.os_version)))
		return bad(text, "unknown operating system or architecture");
	if (!*at) {
		TRY(complete(text, host, &p));
		*ret = p;
		return NULL;
	}
	at++;
	if (!take_part(&at, p.architecture, sizeof(p.architecture)) || *at == '(')
		return bad(text, "invalid platform");
	if (*at == '/' && (at++, !take_part(&at, p.variant, sizeof(p.variant)) || *at))
		return bad(text, "invalid platform");
	oci_platform_normalise(&p);
	if (!listed(systems, N(systems), p.os))
		return bad(text, "unknown operating system");
	if (!listed(architectures, N(architectures), p.architecture))
		return bad(text, "unknown architecture");
	*ret = p;
	return NULL;
}

static fallible read_field(const struct json *o, const struct json_path *path, const char *key,
                           char *to, size_t size)
{
	const char *text = NULL;
	TRY(json_get_string(o, path, key, &text));
	if (!text)
		return NULL;
	if (strlen(text) >= size)
		return member_error(ERROR_INVALID, path, key, "too long:", text);
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("/()\\\"", *p))
			return member_error(ERROR_INVALID, path, key, "not a name:", text);
	set(to, size, text);
	return NULL;
}

fallible oci_platform_from_json(const struct json *object, const struct json_path *path,
                                struct oci_platform *ret)
{
	struct oci_platform p = {0};
	const struct json *features = NULL;
	TRY(read_field(object, path, "os", p.os, sizeof(p.os)));
	TRY(read_field(object, path, "architecture", p.architecture, sizeof(p.architecture)));
	TRY(read_field(object, path, "variant", p.variant, sizeof(p.variant)));
	TRY(read_field(object, path, "os.version", p.os_version, sizeof(p.os_version)));
	TRY(json_get_array(object, path, "os.features", 64, &features));
	for (size_t i = 0; i < json_size(features); i++)
		if (text_equal(json_text(json_item(features, i)), "win32k"))
			p.win32k = true;
	oci_platform_normalise(&p);
	*ret = p;
	return NULL;
}

struct json *oci_platform_to_json(const struct oci_platform *p)
{
	struct json *o = json_new_object();
	json_set_string(o, "architecture", p->architecture);
	json_set_string(o, "os", p->os);
	if (*p->os_version)
		json_set_string(o, "os.version", p->os_version);
	if (p->win32k) {
		struct json *features = json_new_array();
		json_append_string(features, "win32k");
		json_set(o, "os.features", features);
	}
	if (*p->variant)
		json_set_string(o, "variant", p->variant);
	return o;
}

// The size of "10.0.20348" in "10.0.20348.1".
static size_t build_size(const char *version)
{
	size_t dots = 0, i = 0;
	for (; version[i]; i++)
		if (version[i] == '.' && ++dots == 3)
			break;
	return i;
}

static uint64_t revision(const char *version)
{
	size_t size = build_size(version);
	uint64_t value = 0;
	auto_error struct error *e =
		version[size] ? text_parse_u64(version + size + 1, 10, UINT32_MAX, &value) : NULL;
	return e ? 0 : value;
}

#define BEST 1000000u

uint64_t oci_platform_version(const struct oci_platform *p)
{
	uint64_t build = 0;
	size_t size = build_size(p->os_version), start = size;
	if (!*p->os_version)
		return 0;
	while (start && p->os_version[start - 1] != '.')
		start--;
	for (size_t i = start; i < size && build < UINT32_MAX; i++)
		build = build * 10 + (uint64_t)(p->os_version[i] - '0');
	return (build & UINT32_MAX) << 32 | revision(p->os_version);
}

// The nearer the revision the better; equal is best. Without one in the wish all are equal.
static unsigned match_version(const char *want, const char *have)
{
	if (!*want || !strcmp(want, have))
		return BEST;
	size_t size = build_size(want);
	if (size != build_size(have) || strncmp(want, have, size) != 0)
		return 0;
	if (!want[size])
		return BEST;
	uint64_t a = revision(want), b = revision(have), distance = a > b ? a - b : b - a;
	return distance < BEST - 1 ? BEST - 1 - (unsigned)distance : 1;
}

static unsigned variant_number(const char *variant)
{
	return variant[0] == 'v' && variant[1] >= '1' && variant[1] <= '9'
	               ? (unsigned)variant[1] - '0'
	               : 0;
}

// What a processor runs, best first: BEST, BEST - 1, …; 0 for nothing.
static unsigned match_architecture(const struct oci_platform *want, const struct oci_platform *have)
{
	bool arm = !strcmp(want->architecture, "arm");
	unsigned wanted = variant_number(want->variant), had = variant_number(have->variant);
	if (!strcmp(want->architecture, have->architecture)) {
		if (!strcmp(want->variant, have->variant))
			return BEST;
		if (arm) // v7 runs v6 and v5
			return had && had < wanted ? BEST - (wanted - had) : 0;
		if (!strcmp(want->architecture, "amd64") || !strcmp(want->architecture, "arm64"))
			return !had || had < wanted ? BEST - 10 + had : 0;
		return 0;
	}
	if (!strcmp(want->architecture, "amd64") && !strcmp(have->architecture, "386"))
		return BEST - 100;
	if (!strcmp(want->architecture, "arm64") && !strcmp(have->architecture, "arm"))
		return BEST - 100 + had;
	return 0;
}

unsigned oci_platform_match(const struct oci_platform *want, const struct oci_platform *have)
{
	if (strcmp(want->os, have->os) != 0)
		return 0;
	unsigned architecture = match_architecture(want, have);
	if (!architecture || !oci_platform_is_windows(want))
		return architecture;
	unsigned version = match_version(want->os_version, have->os_version);
	return version < architecture ? version : architecture;
}
