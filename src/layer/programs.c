// SPDX-License-Identifier: Apache-2.0
// Which programs and libraries of a layer belong to Windows itself. Wine has its own, and none of
// Microsoft's may be loaded in their place, nor those that Wine lacks: they call into a kernel that
// isn't here. A base layer has nothing else below Files/Windows. Layers above it are updates of the
// system, or what people install: there the version resource tells (its ProductName).
#include "layer/windows.h"
#include <fcntl.h>
#include <unistd.h>

// UTF-16: "Microsoft(R) Windows(R) Operating System".
static const char product[] = "M\0i\0c\0r\0o\0s\0o\0f\0t\0\xae\0 \0W\0i\0n\0d\0o\0w\0s\0\xae\0 \0"
			      "O\0p\0e\0r\0a\0t\0i\0n\0g\0 \0S\0y\0s\0t\0e\0m";

bool program_begins(const void *bytes, size_t size)
{
	return size >= 2 && !memcmp(bytes, "MZ", 2);
}

static fallible find_product(int fd, bool *ret)
{
	enum { PIECE = 64 << 10, KEPT = sizeof(product) - 2 }; // behind its last letter is a zero
	auto_free char *bytes = alloc(PIECE);
	size_t size = 0;
	for (ssize_t n; (n = read(fd, bytes + size, PIECE - size));) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read");
		size += (size_t)n;
		*ret = memmem(bytes, size, product, sizeof(product) - 1) != NULL;
		if (*ret)
			return NULL;
		size_t kept = size < KEPT ? size : KEPT;
		memmove(bytes, bytes + size - kept, kept);
		size = kept;
	}
	return NULL;
}

fallible program_is_windows_own(struct unpack *u, int dirfd, const char *name, bool *ret)
{
	*ret = false;
	auto_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP) // a hard link to a symbolic one
		return NULL;
	if (fd < 0)
		FAIL_ERRNO("look at %s", name);
	char first[2];
	ssize_t n = pread(fd, first, sizeof(first), 0);
	if (n < 0)
		FAIL_ERRNO("look at %s", name);
	if (!program_begins(first, (size_t)n))
		return NULL;
	if (u->r->lower_dirfd < 0) {
		*ret = true;
		return NULL;
	}
	return find_product(fd, ret);
}
