// SPDX-License-Identifier: Apache-2.0
#include "oci/digest.h"
#include "oci/private.h"
#include "oci/sha256.h"
#include <string.h>

static const struct {
	const char *prefix;
	size_t hex;
} algorithms[] = {{"sha256:", 64}, {"sha512:", 128}};

fallible oci_digest_check(const char *digest)
{
	char shown[SHOWN];
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
		if (!text_starts(digest, algorithms[i].prefix))
			continue;
		const char *hex = digest + strlen(algorithms[i].prefix);
		if (strlen(hex) != algorithms[i].hex || hex[strspn(hex, "0123456789abcdef")])
			return error_new(ERROR_INVALID, "digest \"%s\": not %zu hexadecimal digits",
			                 show(digest, shown), algorithms[i].hex);
		return NULL;
	}
	size_t name = strspn(digest, "abcdefghijklmnopqrstuvwxyz0123456789+._-");
	if (!name || digest[name] != ':' || !digest[name + 1])
		return error_new(ERROR_INVALID, "digest \"%s\": not ALGORITHM:HEX",
		                 show(digest, shown));
	return error_new(ERROR_UNSUPPORTED, "digest \"%s\": unknown algorithm",
	                 show(digest, shown));
}

bool oci_digest_is_sha256(const char *digest)
{
	return text_starts(digest, "sha256:");
}

const char *oci_digest_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

static void write_digest(struct sha256 *s, char ret[OCI_DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[32];
	sha256_done(s, hash);
	memcpy(ret, "sha256:", 7);
	for (unsigned i = 0; i < 32; i++) {
		ret[7 + 2 * i] = digits[hash[i] >> 4];
		ret[8 + 2 * i] = digits[hash[i] & 15];
	}
	ret[71] = 0;
}

void oci_digest_of(const void *bytes, size_t size, char ret[OCI_DIGEST_SIZE])
{
	struct sha256 s;
	sha256_init(&s);
	sha256_add(&s, bytes, size);
	write_digest(&s, ret);
}

void oci_chain_id(const char *const *diff_ids, size_t n, char ret[OCI_DIGEST_SIZE])
{
	memcpy(ret, diff_ids[0], OCI_DIGEST_SIZE);
	for (size_t i = 1; i < n; i++) {
		struct sha256 s;
		sha256_init(&s);
		sha256_add(&s, ret, strlen(ret));
		sha256_add(&s, " ", 1);
		sha256_add(&s, diff_ids[i], strlen(diff_ids[i]));
		write_digest(&s, ret);
	}
}
