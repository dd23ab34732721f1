// SPDX-License-Identifier: Apache-2.0
// Reading /etc/passwd and the like of an image before any of it is mounted. The usual case, plain
// folders and files, is answered from the layers themselves; whatever is odd (links, whiteouts,
// opaque folders) from a read-only overlay that nobody else sees.
#include "engine/rootfile.h"
#include "base/text.h"
#include "kernel/mount.h"
#include "sys/fd.h"
#include "sys/path.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static fallible read_regular(int fd, const char *path, char **ret, size_t *ret_size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_new(ERROR_INVALID, "%s of the image: not a regular file", path);
	TRY_AS(fd_read_to_end(fd, ROOT_FILE_LIMIT, ret, ret_size), "%s of the image", path);
	return NULL;
}

static fallible read_in(int rootfd, const char *path, char **ret, size_t *ret_size)
{
	auto_fd int fd = -1;
	struct error *e = path_open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd);
	if (error_is(e, ERROR_NOT_FOUND) || (e && e->sys == ENOTDIR)) {
		error_drop(&e); // an image without that file
		*ret = NULL;
		return NULL;
	}
	TRY(e);
	return read_regular(fd, path, ret, ret_size);
}

enum found { FOUND, NOWHERE, ODD };

// What one layer says of "DIR/NAME": the file itself, nothing (NOWHERE: look below), or ODD.
static enum found look(int layer, const char *dir, const char *name, int *ret_fd)
{
	auto_fd int folder = openat(layer, dir, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return errno == ENOENT ? NOWHERE : ODD;
	struct stat st;
	if (fstat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
		return ODD;
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		*ret_fd = fd;
		return FOUND;
	}
	if (errno != ENOENT)
		return ODD;
	auto_free char *mark = alloc_printf("/proc/self/fd/%d", folder);
	char value[2];
	return getxattr(mark, "trusted.overlay.opaque", value, sizeof(value)) < 0 ? NOWHERE : ODD;
}

static fallible read_merged(const struct root_files *root, const char *path, char **ret,
                            size_t *ret_size)
{
	struct mount_overlay overlay = {
		.lowers = root->layers, .n_lowers = root->n_layers, .upper = -1, .work = -1};
	auto_fd int mount = -1;
	TRY(mount_make_overlay(&overlay, &mount));
	return read_in(mount, path, ret, ret_size);
}

fallible root_file_read(const struct root_files *root, const char *dir, const char *name,
                        char **ret, size_t *ret_size)
{
	auto_free char *path = alloc_printf("%s/%s", dir, name);
	if (root->dirfd >= 0)
		return read_in(root->dirfd, path, ret, ret_size);
	for (size_t i = 0; i < root->n_layers; i++) {
		auto_fd int fd = -1;
		enum found found = look(root->layers[i], dir, name, &fd);
		if (found == NOWHERE)
			continue;
		struct stat st;
		if (found == FOUND && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			return read_regular(fd, path, ret, ret_size);
		return read_merged(root, path, ret, ret_size);
	}
	*ret = NULL;
	return NULL;
}
