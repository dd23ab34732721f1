// SPDX-License-Identifier: Apache-2.0
// The grammar, read from the right: digest, tag, then the name; and the name from the left: host,
// then path. No backtracking, so no surprise on hostile text.
#include "oci/reference.h"
#include "oci/digest.h"
#include "oci/private.h"
#include <string.h>

#define TEXT_LIMIT 1024
#define NAME_LIMIT 255 // host and path together, with the slash
#define TAG_LIMIT 128

static const char lower_alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
static bool is_tag(const char *tag)
{
	size_t size = strlen(tag);
	if (!size || size > TAG_LIMIT || !strchr(word, tag[0]))
		return false;
	for (const char *p = tag; *p; p++)
		if (!strchr(word, *p) && *p != '.' && *p != '-')
			return false;
	return true;
}

// Components of lower-case letters and digits, divided inside by one '.', one or two '_', or any
// number of '-'; components divided by '/'.
static bool is_path(const char *path)
{
	for (const char *p = path;;) {
		size_t run = strspn(p, lower_alnum);
		if (!run)
			return false;
		p += run;
		if (!*p)
			return true;
		if (*p == '/' || *p == '.')
			p++;
		else if (*p == '_')
			p += p[1] == '_' ? 2 : 1;
		else if (*p == '-')
			p += strspn(p, "-");
		else
			return false;
	}
}

static bool is_port(const char *port)
{
	size_t size = strspn(port, "0123456789");
	return size && size <= 5 && !port[size];
}

// A domain label doesn't begin or end with '-'.
static bool is_domain(const char *name, size_t size)
{
	for (const char *p = name, *end = name + size;;) {
		const char *start = p;
		while (p < end && (strchr(alnum, *p) || *p == '-'))
			p++;
		if (p == start || *start == '-' || p[-1] == '-')
			return false;
		if (p == end)
			return true;
		if (*p++ != '.')
			return false;
	}
}

static bool is_host(const char *host)
{
	if (*host == '[') { // an IPv6 address
		size_t size = strspn(host + 1, "0123456789abcdefABCDEF:");
		const char *end = host + 1 + size;
		return size && *end == ']' && (!end[1] || (end[1] == ':' && is_port(end + 2)));
	}
	const char *colon = strchr(host, ':');
	size_t size = colon ? (size_t)(colon - host) : strlen(host);
	return is_domain(host, size) && (!colon || is_port(colon + 1));
}

// Is what stands before the first slash a host? (distribution: splitDockerDomain)
static bool looks_like_host(const char *part)
{
	if (strpbrk(part, ".:") || !strcmp(part, "localhost"))
		return true;
	for (; *part; part++)
		if (*part >= 'A' && *part <= 'Z')
			return true;
	return false;
}

static struct error *invalid(const char *typed, const char *why)
{
	char shown[SHOWN];
	return error_new(ERROR_INVALID, "reference \"%s\": %s", show(typed, shown), why);
}

static void split_name(const char *name, struct oci_reference *r)
{
	const char *slash = strchr(name, '/');
	auto_free char *first = slash ? alloc_bytes(name, (size_t)(slash - name)) : NULL;
	if (first && looks_like_host(first)) {
		r->host = take(&first);
		name = slash + 1;
	} else {
		r->host = alloc_string("docker.io");
	}
	if (!strcmp(r->host, "index.docker.io")) { // its old name
		free(r->host);
		r->host = alloc_string("docker.io");
	}
	bool official = !strcmp(r->host, "docker.io") && !strchr(name, '/');
	r->path = alloc_printf("%s%s", official ? "library/" : "", name);
}

static fallible split(const char *text, struct oci_reference *r)
{
	auto_free char *name = alloc_string(text);
	char *at = strchr(name, '@');
	if (at) {
		r->digest = alloc_string(at + 1);
		*at = 0;
	}
	char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
	if (colon && (!slash || colon > slash)) {
		r->tag = alloc_string(colon + 1);
		*colon = 0;
	}
	if (strspn(name, "0123456789abcdef") == 64 && !name[64])
		return invalid(text, "64 hexadecimal digits are an image's ID, not a name");
	split_name(name, r);
	return NULL;
}

static fallible check(const char *text, const struct oci_reference *r)
{
	if (!is_host(r->host))
		return invalid(text, "the host is not a host name with an optional port");
	for (const char *p = r->path; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			return invalid(text, "repository name must be lowercase");
	if (!is_path(r->path))
		return invalid(text, "invalid reference format");
	if (strlen(r->host) + 1 + strlen(r->path) > NAME_LIMIT)
		return invalid(text, "the name is longer than 255 bytes");
	if (r->tag && !is_tag(r->tag))
		return invalid(text, "the tag is not 1 to 128 of A-Z a-z 0-9 _ . -");
	if (r->digest) {
		auto_error struct error *e = oci_digest_check(r->digest);
		if (e)
			return invalid(text, "what follows the @ is not a digest");
	}
	return NULL;
}

fallible oci_reference_parse(const char *text, struct oci_reference *ret)
{
	auto_oci_reference struct oci_reference r = {0};
	if (!*text)
		return invalid(text, "empty");
	if (strlen(text) > TEXT_LIMIT)
		return invalid(text, "longer than 1024 bytes");
	r.typed = alloc_string(text);
	TRY(split(text, &r));
	TRY(check(text, &r));
	if (!r.tag && !r.digest)
		r.tag = alloc_string("latest");
	r.normalised =
		alloc_printf("%s/%s%s%s%s%s", r.host, r.path, r.tag ? ":" : "", r.tag ? r.tag : "",
	                     r.digest ? "@" : "", r.digest ? r.digest : "");
	*ret = r;
	r = (struct oci_reference){0};
	return NULL;
}

fallible oci_reference_normalise(const char *text, char **ret)
{
	auto_oci_reference struct oci_reference r = {0};
	TRY(oci_reference_parse(text, &r));
	*ret = take(&r.normalised);
	return NULL;
}

void oci_reference_done(struct oci_reference *r)
{
	char *owned[] = {r->typed, r->host, r->path, r->tag, r->digest, r->normalised};
	for (size_t i = 0; i < N(owned); i++)
		free(owned[i]);
	*r = (struct oci_reference){0};
}
