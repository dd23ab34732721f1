// SPDX-License-Identifier: Apache-2.0
// Wine's folder in a container: registry files and the letters of drives. In the writable layer, so
// that the registry is kept with what the container wrote.
#include "boot/protocol.h"
#include "sys/sys.h"
#include "windows/private.h"
#include <fcntl.h>
#include <sys/stat.h>

void windows_files_done(struct windows_files *f)
{
	free(f->parameters);
	free(f->system_reg);
	free(f->user_reg);
	free(f->userdef_reg);
	*f = (struct windows_files){0};
}

static fallible put(int dirfd, const char *name, const char *text, const struct windows_files *f)
{
	TRY(publish_bytes(dirfd, name, text, strlen(text), 0600, 0));
	if (fchownat(dirfd, name, f->uid, f->gid, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("chown %s", name);
	return NULL;
}

static fallible fill(int prefix, const struct windows_files *f)
{
	TRY(put(prefix, "system.reg", f->system_reg, f));
	TRY(put(prefix, "user.reg", f->user_reg, f));
	TRY(put(prefix, "userdef.reg", f->userdef_reg, f));
	// Ours: without it Wine would make one with z: for the Linux root.
	if (mkdirat(prefix, "dosdevices", 0755) < 0)
		FAIL_ERRNO("mkdir dosdevices");
	if (symlinkat("../.." BOOT_DRIVE, prefix, "dosdevices/c:") < 0)
		FAIL_ERRNO("link c:");
	for (const char *c = f->drives; *c; c++) {
		auto_free char *name = alloc_printf("dosdevices/%c:", *c);
		auto_free char *to = alloc_printf("../.." BOOT_DRIVES "/%c", *c);
		if (symlinkat(to, prefix, name) < 0)
			FAIL_ERRNO("link %c:", *c);
	}
	// Wine refuses a prefix that isn't its user's.
	if (fchown(prefix, f->uid, f->gid) < 0)
		FAIL_ERRNO("chown");
	return NULL;
}

fallible windows_make_prefix(int upper_dirfd, const struct windows_files *files)
{
	auto_fd int upper = -1, prefix = -1;
	TRY(path_open_beneath(upper_dirfd, ".", O_RDONLY | O_DIRECTORY, 0, &upper));
	if (mkdirat(upper, &BOOT_PREFIX[1], 0755) < 0) {
		if (errno != EEXIST)
			FAIL_ERRNO("mkdir " BOOT_PREFIX);
		struct stat st;
		if (fstatat(upper, &BOOT_PREFIX[1], &st, AT_SYMLINK_NOFOLLOW) < 0)
			FAIL_ERRNO("stat " BOOT_PREFIX);
		if (!S_ISDIR(st.st_mode))
			return error_new(ERROR_INVALID,
			                 "the writable layer has a %s that is no folder",
			                 BOOT_PREFIX);
		if (st.st_uid != files->uid)
			return error_new(ERROR_INVALID,
			                 "the registry in the writable layer belongs to uid %u, "
			                 "not %u",
			                 st.st_uid, files->uid);
		return NULL; // an earlier run's, with its registry
	}
	TRY(path_open_beneath(upper, &BOOT_PREFIX[1], O_RDONLY | O_DIRECTORY, 0, &prefix));
	TRY_AS(fill(prefix, files), BOOT_PREFIX);
	return NULL;
}
