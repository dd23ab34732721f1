// SPDX-License-Identifier: Apache-2.0
// Windows images on Linux: what Wine needs around it, and a Windows runtime spec as Linux has to
// carry it out. Called by: engine. Knows nothing of images' names, stores, snapshots or networks.
//
// The container's root is one overlay, the topmost first:
//   upper      what the container writes; /prefix (Wine's registry files) is made in it
//   layers     of applications and updates: /Files (drive C:), as layer/ unpacks them
//   template   the Linux files that Wine needs, coracle-boot, start.exe, and in /Files/windows a
//              name for every DLL and program of Wine and ours
//   base       the image's lowest layer, without Windows' own programs
// Where an application's layer has a file of Wine's name in system32, Wine still loads its own (the
// registry says so, WINDOWS_OVERRIDES); data files of a layer win over the template's.
// Wine's own folders are bound from the host, read-only, so that all containers share one page
// cache. Wine is no sandbox: confinement is the same as every Linux container's.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "oci/spec.h"

// UNSUPPORTED names what is missing of Wine on this machine.
fallible windows_check_wine(void);

struct windows_wine {
	char *version;              // "8.0 (Debian 8.0~repack-4)"
	struct strings differences; // from Windows, a line each
};
void windows_wine_done(struct windows_wine *wine);
#define auto_windows_wine defer(windows_wine_done)
// Reads Wine's files; starts nothing. UNSUPPORTED as windows_check_wine().
fallible windows_look_at_wine(struct windows_wine *ret);

// Opens (O_PATH) the root of the template for this Wine and these programs of ours: in `installed`,
// else in `folder` (made if need be), where it is made when it isn't there either. `programs` is
// the folder of coracle-boot and the .exe files. Several processes may do so at once; after kill -9
// the next one cleans. Errors: UNSUPPORTED (Wine or our programs are missing), SYSTEM.
fallible windows_open_template(const char *installed, const char *folder, const char *programs,
                               int *ret_dirfd);

// --- From the Windows spec to a Linux one ---------------------------------------------------

struct windows_start {
	const struct oci_spec *spec; // Windows form: what the container's record says
	const char *id;              // computer name if the spec has no hostname
	const char *default_user;    // of the image, for a spec without a user; "" or NULL: none
	bool keep_registry;          // what programs write there is to be saved at the end
	const char *os_version;      // "10.0.20348.1", "" or NULL: a default
	int template_dirfd; // windows_open_template(); -1: without its values of the registry
	// Of the layers' registry (hives.h); NULL: none.
	const char *environment; // NAME=VALUE lines
	const char *system_reg, *user_reg, *userdef_reg;
};

// What the engine binds into the container and puts into the prefix.
struct windows_files {
	char *parameters; // for BOOT_PARAMETERS (boot/protocol.h)
	size_t parameters_size;
	char *system_reg, *user_reg, *userdef_reg;
	uint32_t uid, gid; // who owns the prefix
	char drives[27];   // letters besides c
};
void windows_files_done(struct windows_files *f);
#define auto_windows_files defer(windows_files_done)

// Lays process, hostname, mounts and what guards the Linux side into `linux_spec`, which holds the
// engine's defaults for a Linux container.
// Errors: INVALID and UNSUPPORTED, naming the member of the Windows spec.
fallible windows_translate(const struct windows_start *start, struct oci_spec *linux_spec,
                           struct windows_files *ret);
// Arguments as one command line, quoted as ctr's shim on Windows does. The caller's.
char *windows_join_arguments(const char *const *args, size_t n);
// Where `path` ("C:\data", "d:", "\data", "/data") lies in the container's Linux root:
// "/Files/data"; another drive's is below
// "/drives/d". The caller's.
fallible windows_path(const char *path, char **ret);

// Makes /prefix in the writable layer, unless it has one (then its registry is kept). What a
// container may have left there in its place is refused, never followed.
fallible windows_make_prefix(int upper_dirfd, const struct windows_files *files);
