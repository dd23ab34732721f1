// SPDX-License-Identifier: Apache-2.0
// The template: made once for a version of Wine and of our programs, never changed afterwards (a
// lower layer of mounted overlays must not), found by a hash over what it is made of.
#include "base/text.h"
#include "boot/protocol.h"
#include "sys/sys.h"
#include "windows/private.h"
#include "windows/windows.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define WINEBOOT "wineboot.exe"
#define LAYOUT "4" // changes with what is done below

const char *const windows_programs[] = {
	"findstr.exe", "ipconfig.exe", "more.exe",    "nslookup.exe", "ping.exe",
	"sort.exe",    "timeout.exe",  "tracert.exe", NULL,
};

// What else comes of ours; start.exe is no name for Windows' path.
static const struct {
	const char *name, *folder;
} other_files[] = {
	{"coracle-boot", "coracle"},
	{"start.exe", "coracle"},
};

// What Go's and Rust's programs need of Windows 10; a newer Wine has its own.
#define RANDOM_DLL "bcryptprimitives.dll"

// What Wine's loader and the console need of Linux; the last five keep Wine from printing that it
// has no FreeType. Where a machine has another release of one, that is found by its own name.
static const struct {
	const char *name;
	bool needed;
} libraries[] = {
	{"libc.so.6", true},          {"libm.so.6", true},
	{"libgcc_s.so.1", true},      {"libunwind.so.8", false},
	{"liblzma.so.5", false},      {"libfreetype.so.6", false},
	{"libpng16.so.16", false},    {"libz.so.1", false},
	{"libbrotlidec.so.1", false}, {"libbrotlicommon.so.1", false},
};
#define LOADER "/lib64/ld-linux-x86-64.so.2"

// Wine's loader is linked at 0x7d000000 and needs the page at 0x7ffe0000. Executed by itself its
// heap begins at random in the gigabyte behind it: once in some thousand starts on that page, and
// the process ends with 1 and no word. Wine has a preloader against it, which Debian's package
// lacks; but the dynamic linker in its place serves as well, since the kernel puts the heap of what
// it executes without an interpreter far above.
#define WINE_PRELOADER WINE_BIN "/wine64-preloader"

static const char *const folders[] = {
	"etc",
	"coracle",
	"dev",
	"proc",
	"sys",
	"run",
	"tmp",
	"lib64",
	"usr",
	"usr/lib",
	"usr/lib/wine",
	"usr/lib/x86_64-linux-gnu",
	"usr/lib/x86_64-linux-gnu/wine",
	"usr/share",
	"usr/share/wine",
	"Files",
	"Files/windows",
	WINDOWS_SYSTEM,
	WINDOWS_SYSTEM "/drivers",
	"Files/windows/fonts", // asked for at each start: what isn't there is looked for in any
                               // case
	"Files/windows/system",
	"Files/windows/temp",
	"Files/ProgramData",
	"Files/Program Files",
	"Files/Users",
	"Files/Users/Public",
	"Files/Users/ContainerAdministrator",
	"Files/Users/ContainerAdministrator/AppData",
	"Files/Users/ContainerAdministrator/AppData/Local",
	"Files/Users/ContainerAdministrator/AppData/Local/Temp",
	"Files/Users/ContainerAdministrator/AppData/Roaming",
	"Files/Users/ContainerUser",
	"Files/Users/ContainerUser/AppData",
	"Files/Users/ContainerUser/AppData/Local",
	"Files/Users/ContainerUser/AppData/Local/Temp",
	"Files/Users/ContainerUser/AppData/Roaming",
};

static const struct {
	const char *path, *text;
} texts[] = {
	{"etc/passwd", "ContainerAdministrator:x:0:0::/:/bin/false\n"
                       "ContainerUser:x:1000:1000::/:/bin/false\n"},
	{"etc/group", "ContainerAdministrator:x:0:\nContainerUser:x:1000:\n"},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	// Mount points of what each container has of its own.
	{"etc/hosts", "127.0.0.1 localhost\n"},
	{"etc/resolv.conf", ""},
	{"usr/lib/wine/wine64", ""},
	{"usr/lib/wine/wineserver64", ""},
	{"coracle/start", ""},
	{"coracle/network", ""},
	// A program of DOS, 64 bytes at least: Wine sees at once that it can't run that, and
        // doesn't start a process to find out.
	{WINDOWS_SYSTEM "/" WINEBOOT,
         "MZ: no program at all. coracle's start.exe does what it would have to.\r\n"},
};

// --- its name ---------------------------------------------------------------------------------

static void add_to_hash(uint64_t *hash, const char *text)
{
	for (; *text; text++)
		*hash = (*hash ^ (unsigned char)*text) * 0x100000001b3ULL;
}

static void add_file(uint64_t *hash, const char *path)
{
	struct stat st = {0};
	ignore(stat(path, &st)); // what isn't there has size 0
	auto_free char *text = alloc_printf("%s %lld %lld.%09ld\n", path, (long long)st.st_size,
	                                    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	add_to_hash(hash, text);
}

static void add_program(uint64_t *hash, const char *programs, const char *name)
{
	auto_free char *path = alloc_printf("%s/%s", programs, name);
	add_file(hash, path);
}

static char *library_path(const char *name)
{
	static const char *const places[] = {"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"};
	for (size_t i = 0; i < 2; i++) {
		char *path = alloc_printf("%s/%s", places[i], name);
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

static char *template_name(const char *programs)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	add_to_hash(&hash, LAYOUT);
	for (size_t i = 0; windows_wine_file(i); i++)
		add_file(&hash, windows_wine_file(i));
	for (size_t i = 0; i < sizeof(other_files) / sizeof(*other_files); i++)
		add_program(&hash, programs, other_files[i].name);
	for (size_t i = 0; windows_programs[i]; i++)
		add_program(&hash, programs, windows_programs[i]);
	add_program(&hash, programs, RANDOM_DLL);
	add_file(&hash, LOADER);
	add_file(&hash, WINE_PRELOADER);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++) {
		auto_free char *path = library_path(libraries[i].name);
		add_file(&hash, path ? path : libraries[i].name);
	}
	return alloc_printf("template-%016llx", (unsigned long long)hash);
}

// --- making it --------------------------------------------------------------------------------

static fallible copy_file(const char *from, int dirfd, const char *to)
{
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		FAIL_ERRNO("open %s", from);
	ignore(unlinkat(dirfd, to, 0)); // Wine's own of that name
	auto_fd int out = openat(dirfd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (out < 0)
		FAIL_ERRNO("create %s", to);
	struct stat st;
	if (fstat(in, &st) < 0)
		FAIL_ERRNO("stat %s", from);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(out, in, NULL, (size_t)left);
		if (n < 0)
			FAIL_ERRNO("copy %s", from);
		if (!n)
			return error_new(ERROR_CORRUPT, "%s: became shorter", from);
		left -= n;
	}
	return fd_close(&out);
}

static fallible copy_program(const char *programs, const char *name, int root, const char *folder)
{
	auto_free char *path = alloc_printf("%s/%s", programs, name);
	auto_free char *to = alloc_printf("%s/%s", folder, name);
	if (access(path, R_OK) < 0)
		return error_new(ERROR_UNSUPPORTED,
		                 "%s is missing: this coracle was built without "
		                 "x86_64-w64-mingw32-gcc",
		                 path);
	return copy_file(path, root, to);
}

// A name for each of Wine's DLLs and programs: Wine looks whether the file exists and then loads
// its own; who reads the file (version resources) gets Wine's too. The case is the one in which
// Wine asks.
static fallible link_wine(int root)
{
	auto_strings struct strings names = {0};
	TRY(tree_names(AT_FDCWD, WINE_DLLS "/x86_64-windows", &names));
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.items[i];
		if (*name == '.' || !strcmp(name, WINEBOOT))
			continue;
		auto_free char *target = alloc_printf(WINE_DLLS "/x86_64-windows/%s", name);
		auto_free char *path = alloc_printf(
			"%s/%s",
			text_ends(name, ".sys") ? WINDOWS_SYSTEM "/drivers" : WINDOWS_SYSTEM, name);
		if (symlinkat(target, root, path) < 0)
			FAIL_ERRNO("link %s", path);
	}
	return NULL;
}

static bool is_ours(const char *name)
{
	for (size_t i = 0; windows_programs[i]; i++)
		if (!strcmp(windows_programs[i], name))
			return true;
	return false;
}

// Wine loads its own DLL in place of a file in system32, except for those that bear this mark
// (bit 0x10 of DllCharacteristics): for them an application's file would win there.
static bool prefers_native(const unsigned char *header, size_t size)
{
	if (size < 0x40)
		return false;
	size_t pe = header[0x3c] | (size_t)header[0x3d] << 8;
	return pe + 96 <= size && !memcmp(header + pe, "PE", 3) && header[pe + 94] & 0x10;
}

// Values of the registry: Wine's own in system32, an application's beside its program.
static fallible list_overrides(int root)
{
	auto_strings struct strings all = {0}, names = {0};
	TRY(tree_names(AT_FDCWD, WINE_DLLS "/x86_64-windows", &all));
	for (size_t i = 0; i < all.n; i++) {
		unsigned char header[1024];
		auto_free char *path = alloc_printf(WINE_DLLS "/x86_64-windows/%s", all.items[i]);
		auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, header, sizeof(header));
		if (n > 0 && prefers_native(header, (size_t)n) && !is_ours(all.items[i]))
			strings_add(&names, all.items[i]);
	}
	auto_str struct str s = STR_LIMIT(1 << 20);
	str_add(&s, "");
	for (size_t i = 0; i < names.n; i++) {
		size_t n = strlen(names.items[i]) - (text_ends(names.items[i], ".dll") ? 4 : 0);
		str_printf(&s, "\"%.*s\"=\"builtin\"\n\"*%.*s\"=\"native,builtin\"\n", (int)n,
		           names.items[i], (int)n, names.items[i]);
	}
	return publish_bytes(root, WINDOWS_OVERRIDES, s.bytes, s.size, 0644, 0);
}

static fallible make_folders(int root)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (mkdirat(root, folders[i], 0755) < 0)
			FAIL_ERRNO("mkdir %s", folders[i]);
	if (symlinkat("usr/lib", root, "lib") < 0)
		FAIL_ERRNO("link lib");
	if (fchmodat(root, "tmp", 01777, 0) < 0 ||
	    fchmodat(root, "Files/windows/temp", 01777, 0) < 0)
		FAIL_ERRNO("chmod tmp");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (text_starts(folders[i], "Files/Users/ContainerUser") &&
		    fchownat(root, folders[i], WINDOWS_USER_ID, WINDOWS_USER_ID, 0) < 0)
			FAIL_ERRNO("chown %s", folders[i]);
	return NULL;
}

static fallible fill(int root, const char *programs)
{
	TRY(make_folders(root));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		TRY(publish_bytes(root, texts[i].path, texts[i].text, strlen(texts[i].text), 0644,
		                  0));
	TRY(copy_file(LOADER, root, &LOADER[1]));
	if (access(WINE_PRELOADER, X_OK) == 0)
		TRY(copy_file(WINE_PRELOADER, root, &WINE_PRELOADER[1]));
	else if (linkat(root, &LOADER[1], root, &WINE_PRELOADER[1], 0) < 0)
		FAIL_ERRNO("link %s", WINE_PRELOADER);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++) {
		auto_free char *path = library_path(libraries[i].name);
		auto_free char *to = alloc_printf("usr/lib/x86_64-linux-gnu/%s", libraries[i].name);
		if (path)
			TRY(copy_file(path, root, to));
		else if (libraries[i].needed)
			return error_new(ERROR_UNSUPPORTED, "%s is missing", libraries[i].name);
	}
	TRY(link_wine(root));
	TRY(list_overrides(root));
	for (size_t i = 0; i < sizeof(other_files) / sizeof(*other_files); i++)
		TRY(copy_program(programs, other_files[i].name, root, other_files[i].folder));
	for (size_t i = 0; windows_programs[i]; i++)
		TRY(copy_program(programs, windows_programs[i], root, WINDOWS_SYSTEM));
	if (access(WINE_DLLS "/x86_64-windows/" RANDOM_DLL, F_OK) < 0)
		TRY(copy_program(programs, RANDOM_DLL, root, WINDOWS_SYSTEM));
	return NULL;
}

// What a builder that was killed left; the lock is ours.
static fallible sweep(int folder)
{
	auto_strings struct strings names = {0};
	TRY_AS(tree_names(folder, ".", &names), "templates");
	for (size_t i = 0; i < names.n; i++)
		if (text_starts(names.items[i], "new-"))
			TRY(tree_remove(folder, names.items[i]));
	return NULL;
}

static fallible open_there(int folder, const char *name, int *ret)
{
	return path_open_beneath(folder, name, O_PATH | O_DIRECTORY, 0, ret);
}

static fallible make(int folder, const char *name, const char *programs, int *ret)
{
	auto_fd int lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		FAIL_ERRNO("lock");
	TRY(lock_take(lock, LOCK_EXCLUSIVE));
	struct error *e = open_there(folder, name, ret);
	if (!error_is(e, ERROR_NOT_FOUND))
		return e;
	error_drop(&e); // nobody made it while we waited
	TRY(sweep(folder));
	auto_free char *new_name = alloc_printf("new-%s", name);
	auto_fd int root = -1;
	TRY(path_make_dir_at(folder, new_name, 0755, &root));
	mode_t umask_before = umask(022);
	e = fill(root, programs);
	umask(umask_before);
	// A template is made again when it is missing, but half of one must never bear its name:
	// what is in it has to be on disk first.
	if (!e && syncfs(root) < 0)
		e = error_system(errno, "sync");
	if (!e)
		e = publish_rename(folder, new_name, folder, name, PUBLISH_DURABLE);
	if (e)
		return error_join(e, tree_remove(folder, new_name));
	return open_there(folder, name, ret);
}

fallible windows_open_template(const char *installed, const char *folder, const char *programs,
                               int *ret_dirfd)
{
	TRY(windows_check_wine());
	auto_free char *name = template_name(programs);
	auto_free char *there = alloc_printf("%s/%s", installed, name);
	int fd = open(there, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		*ret_dirfd = fd;
		return NULL;
	}
	auto_fd int dirfd = -1;
	TRY_AS(path_make_dirs(folder, 0755, &dirfd), "%s", folder);
	struct error *e = open_there(dirfd, name, ret_dirfd);
	if (!error_is(e, ERROR_NOT_FOUND))
		return e;
	error_drop(&e); // the first use
	TRY_AS(make(dirfd, name, programs, ret_dirfd), "template for Wine in %s", folder);
	return NULL;
}
