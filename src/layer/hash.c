// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"
#include "layer/layer.h"
#include <openssl/evp.h>
#include <string.h>

struct layer_hash {
	EVP_MD_CTX *context;
};

static struct error *refused(void)
{
	return error_new(ERROR_SYSTEM, "sha256: libcrypto refused");
}

fallible layer_hash_new(struct layer_hash **ret)
{
	// Without the host's configuration file: it could load other code, and the worker has no
	// files.
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	struct layer_hash *h = alloc(sizeof(*h));
	h->context = EVP_MD_CTX_new();
	if (!h->context || EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) != 1) {
		layer_hash_free(h);
		return refused();
	}
	*ret = h;
	return NULL;
}

void layer_hash_free(struct layer_hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	free(h);
}

fallible layer_hash_add(struct layer_hash *h, const void *bytes, size_t size)
{
	return EVP_DigestUpdate(h->context, bytes, size) == 1 ? NULL : refused();
}

fallible layer_hash_end(struct layer_hash *h, char ret[LAYER_DIGEST_SIZE])
{
	unsigned char sum[32];
	unsigned size = sizeof(sum);
	if (EVP_DigestFinal_ex(h->context, sum, &size) != 1 || size != sizeof(sum) ||
	    EVP_DigestInit_ex(h->context, NULL, NULL) != 1)
		return refused();
	memcpy(ret, "sha256:", 7);
	for (size_t i = 0; i < sizeof(sum); i++) {
		ret[7 + 2 * i] = "0123456789abcdef"[sum[i] >> 4];
		ret[8 + 2 * i] = "0123456789abcdef"[sum[i] & 15];
	}
	ret[LAYER_DIGEST_SIZE - 1] = 0;
	return NULL;
}
