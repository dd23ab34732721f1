// SPDX-License-Identifier: Apache-2.0
// A folder of Linux becomes a layer of Windows: its files below `target`, Hives/ empty as Windows
// wants it.
#include "base/text.h"
#include "boot/protocol.h"
#include "sys/sys.h"
#include "windows/layer_writer.h"
#include "windows/windows.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { ENTRIES_MAX = 1000000, COPY = 1 << 16 };

static fallible add_file(struct layer_writer *w, int fd, const char *name, uint64_t size)
{
	auto_free char *buffer = alloc(COPY);
	TRY(layer_file(w, name, size));
	for (uint64_t left = size; left;) {
		ssize_t n = read(fd, buffer, left < COPY ? (size_t)left : COPY);
		if (n < 0)
			FAIL_ERRNO("read");
		if (!n)
			return error_new(ERROR_CORRUPT, "became shorter");
		TRY(tar_write(&w->tar, buffer, (size_t)n));
		left -= (uint64_t)n;
	}
	return NULL;
}

// One path relative to the folder; what is in it, if it is one, is added to `todo`.
static fallible add_path(struct layer_writer *w, int folder, const char *path, const char *above,
                         struct strings *todo)
{
	auto_fd int fd = -1;
	auto_free char *name = alloc_printf("%s/%s", above, path);
	struct stat st;
	if (strpbrk(path, ":\\"))
		return error_new(ERROR_INVALID, "no name for Windows");
	if (fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("stat");
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_new(ERROR_UNSUPPORTED, "neither a file nor a folder");
	TRY(path_open_beneath(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd));
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat");
	if (S_ISREG(st.st_mode))
		return add_file(w, fd, name, (uint64_t)st.st_size);
	TRY(layer_folder(w, name));
	auto_strings struct strings names = {0};
	TRY(tree_names(fd, ".", &names));
	for (size_t i = names.n; i-- > 0;)
		strings_adopt(todo, alloc_printf("%s/%s", path, names.items[i]));
	return NULL;
}

static fallible add_all(struct layer_writer *w, int folder, const char *above)
{
	auto_strings struct strings todo = {0};
	TRY(tree_names(folder, ".", &todo));
	for (size_t n = 0; todo.n; n++) {
		auto_free char *path = todo.items[--todo.n];
		if (n > ENTRIES_MAX)
			return error_new(ERROR_LIMIT, "more than %d files", ENTRIES_MAX);
		TRY_AS(add_path(w, folder, path, above, &todo), "%.256s", path);
	}
	return NULL;
}

static fallible write_folder(struct layer_writer *w, int folder, const char *target)
{
	auto_free char *path = NULL;
	TRY(windows_path(target, &path));
	TRY(layer_folder(w, "Files"));
	TRY(layer_folder(w, "Hives"));
	for (char *c = path + strlen(BOOT_DRIVE); *c; c++) // each folder above has an entry
		if (*c == '/' && c > path + strlen(BOOT_DRIVE)) {
			*c = 0;
			TRY(layer_folder(w, path + 1));
			*c = '/';
		}
	if (strcmp(path, BOOT_DRIVE) != 0)
		TRY(layer_folder(w, path + 1));
	return add_all(w, folder, path + 1);
}

fallible windows_folder_layer(int work_dirfd, int folder_dirfd, const char *target,
                              struct windows_blob *ret)
{
	struct layer_writer w;
	TRY(layer_begin(&w, work_dirfd));
	struct error *e = write_folder(&w, folder_dirfd, target);
	if (!e)
		e = layer_end(&w, ret);
	fd_cleanup_(&w.fd);
	return e;
}
