// SPDX-License-Identifier: Apache-2.0
#include "transfer/document.h"
#include "oci/image.h"
#include "sys/fd.h"
#include <sys/stat.h>

fallible document_read(struct arena *arena, const char *digest, int fd, const char **ret,
                       size_t *ret_size)
{
	struct stat st;
	char got[OCI_DIGEST_SIZE];
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("%s", digest);
	if (st.st_size > (off_t)OCI_MANIFEST_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "%s: a document of %lld bytes", digest,
		                 (long long)st.st_size);
	size_t size = (size_t)st.st_size;
	char *text = arena_alloc(arena, size + 1);
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, text + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_new(ERROR_CORRUPT, "%s: can't be read back", digest);
		done += (size_t)n;
	}
	oci_digest_of(text, size, got);
	if (strcmp(got, digest) != 0)
		return error_new(ERROR_CORRUPT, "%s: the digest of its bytes is %s", digest, got);
	*ret = text;
	*ret_size = size;
	return NULL;
}
