// SPDX-License-Identifier: Apache-2.0
// The two folders, the store's ID, the boot.
//
// root/id            16 hex digits: the store. Its lock orders the making of databases and states.
// root/state_folder  path of the state folder in use
// state/.boot        "<boot ID> <store ID>": whose state this is. Names with a dot can't be
//                    namespaces, whose folders lie beside it.
// A store with two state folders at once would be a disaster: gc would take the writable layers
// of containers that it can't see. So who makes a state looks for another living one first.
#include "store/room.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

static const char *const meta_migrations[] = {store_meta_sql};
static const char *const state_migrations[] = {store_state_sql};
enum { WAIT_LIMIT_MS = 30000 };
static const struct schema meta_schema = {"meta.db", meta_migrations, 1, true, WAIT_LIMIT_MS};
static const struct schema state_schema = {"state.db", state_migrations, 1, false, WAIT_LIMIT_MS};

#define BOOT_FILE ".boot"
#define STATE_FOLDER_FILE "state_folder"
#define GONE ".gone-" // folders of the state on their way out

// SQLite's log needs memory shared by all processes that use it: not across machines.
static const struct network_file_system {
	const char *name;
	uint32_t magic; // statfs(2)
} network_file_systems[] = {
	// clang-format off
	{ "NFS",    NFS_SUPER_MAGIC },
	{ "SMB",    SMB_SUPER_MAGIC },
	{ "SMB2",   0xfe534d42 },
	{ "CIFS",   0xff534d42 },
	{ "9P",     V9FS_MAGIC },
	{ "AFS",    AFS_SUPER_MAGIC },
	{ "AFS",    AFS_FS_MAGIC },
	{ "Ceph",   0x00c36400 },
	{ "Coda",   CODA_SUPER_MAGIC },
	{ "Lustre", 0x0bd00bd0 },
	{ "GPFS",   0x47504653 },
	{ "GFS2",   0x01161970 },
	{ "OCFS2",  OCFS2_SUPER_MAGIC },
	// clang-format on
};

int64_t store_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void store_instance_text(uint64_t instance, char ret[STORE_ID_SIZE])
{
	snprintf(ret, STORE_ID_SIZE, "%016llx", (unsigned long long)instance);
}

// --- the folders ----------------------------------------------------------------------------

static fallible check_file_system(const char *path, int fd)
{
	struct statfs fs;
	while (fstatfs(fd, &fs) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("statfs %s", path);
	for (size_t i = 0; i < sizeof(network_file_systems) / sizeof(*network_file_systems); i++)
		if ((uint32_t)fs.f_type == network_file_systems[i].magic)
			return error_new(ERROR_UNSUPPORTED,
			                 "%s is on a network file system (%s): a store can't be",
			                 path, network_file_systems[i].name);
	return NULL;
}

// Ours alone, so that nobody else's names are below it, and tightening hurts nobody: /tmp isn't.
static fallible check_owner(const char *path, int fd, unsigned mode)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", path);
	if (st.st_uid != geteuid())
		return error_new(ERROR_INVALID, "%s: not a folder of this user's own", path);
	if (st.st_mode & S_ISVTX)
		return error_new(
			ERROR_INVALID,
			"%s: a folder for everybody, as /tmp is (mode %04o); chmod 0711 it if "
			"it is not",
			path, st.st_mode & 07777);
	if ((st.st_mode & 07777 & ~mode) && fchmod(fd, st.st_mode & mode) < 0)
		FAIL_ERRNO("chmod %s", path);
	return NULL;
}

// What was made on the way to a folder is durable by an fsync of what holds it.
static fallible sync_upwards(int dirfd)
{
	auto_fd int at = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	struct stat here, above;
	if (at < 0 || fstat(at, &here) < 0)
		FAIL_ERRNO("stat");
	for (;; here = above) {
		int up = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			FAIL_ERRNO("open ..");
		close(at);
		at = up;
		if (fstat(at, &above) < 0)
			FAIL_ERRNO("stat");
		if (above.st_dev != here.st_dev || above.st_ino == here.st_ino)
			return NULL; // another file system: it has its own, older order
		TRY(path_sync_dir(at, ".."));
	}
}

static fallible open_top(const char *path, unsigned mode, char **ret_path, int *ret_fd)
{
	auto_free char *copy = alloc_string(path);
	size_t size = strlen(copy);
	while (size > 1 && copy[size - 1] == '/')
		copy[--size] = 0;
	auto_fd int fd = -1;
	auto_error struct error *e = path_open_dir(copy, &fd);
	if (*copy != '/' || error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // then it is made; or it is not absolute, which that says too
		TRY(path_make_dirs(copy, mode, &fd));
		TRY_AS(sync_upwards(fd), "%s", copy);
	}
	if (e)
		return take(&e);
	TRY(check_owner(copy, fd, mode));
	TRY(check_file_system(copy, fd));
	*ret_path = take(&copy);
	*ret_fd = fd_take(&fd);
	return NULL;
}

static fallible make_folder(int rootfd, const char *path, int *ret_dirfd)
{
	auto_fd int at = fcntl(rootfd, F_DUPFD_CLOEXEC, 0);
	if (at < 0)
		FAIL_ERRNO("dup");
	for (const char *name = path; *name;) {
		size_t size = strcspn(name, "/");
		auto_free char *component = alloc_bytes(name, size);
		auto_fd int below = -1;
		TRY(path_make_dir_at(at, component, 0700, &below));
		TRY(path_sync_dir(at, component));
		close(at);
		at = fd_take(&below);
		name += size + (name[size] == '/');
	}
	*ret_dirfd = fd_take(&at);
	return NULL;
}

fallible store_folder(struct store *s, const char *path, int *ret_dirfd)
{
	struct error *e = path_open_beneath(s->rootfd, path, O_RDONLY | O_DIRECTORY, 0, ret_dirfd);
	if (!error_is(e, ERROR_NOT_FOUND))
		return error_prefix(e, "%s", s->root);
	error_drop(&e); // the first who needs it
	TRY_AS(make_folder(s->rootfd, path, ret_dirfd), "%s/%s", s->root, path);
	return NULL;
}

fallible store_blob_folder(struct store *s, int *ret_dirfd)
{
	return store_folder(s, "content/blobs/sha256", ret_dirfd);
}

fallible store_snapshotter_folder(struct store *s, const char *snapshotter, int *ret_dirfd)
{
	auto_free char *path = alloc_printf("snapshots/%s", snapshotter);
	return store_folder(s, path, ret_dirfd);
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static fallible list_fd(int *adopted_fd, struct strings *ret)
{
	__attribute__((cleanup(dir_cleanup))) DIR *dir = fdopendir(*adopted_fd);
	if (!dir)
		FAIL_ERRNO("read a directory");
	*adopted_fd = -1;
	for (;;) {
		errno = 0;
		struct dirent *d = readdir(dir);
		if (!d && errno)
			FAIL_ERRNO("read a directory");
		if (!d)
			break;
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			strings_add(ret, d->d_name);
	}
	strings_sort(ret);
	return NULL;
}

fallible store_list_at(int dirfd, const char *path, struct strings *ret)
{
	auto_fd int fd = -1;
	struct error *e = path_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (error_is(e, ERROR_NOT_FOUND) || (e && e->sys == ENOTDIR)) {
		error_drop(&e); // nothing was put there yet, or a file that isn't ours
		return NULL;
	}
	TRY(e);
	TRY_AS(list_fd(&fd, ret), "%s", path);
	return NULL;
}

fallible store_lock_content(struct store *s, enum lock_mode mode, int *ret_fd)
{
	auto_fd int dirfd = -1;
	TRY(store_folder(s, "content", &dirfd));
	auto_fd int fd = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		FAIL_ERRNO("open content/lock");
	TRY(lock_take(fd, mode));
	*ret_fd = fd_take(&fd);
	return NULL;
}

// --- the store's ID -------------------------------------------------------------------------

static fallible read_id(struct store *s)
{
	auto_free char *text = NULL;
	size_t size;
	TRY(file_read(s->rootfd, STORE_ID_FILE, 64, &text, &size));
	if (size != STORE_ID_SIZE || strspn(text, "0123456789abcdef") != STORE_ID_SIZE - 1)
		return error_new(ERROR_CORRUPT, "%s: not a store's ID", STORE_ID_FILE);
	memcpy(s->id, text, STORE_ID_SIZE - 1);
	return NULL;
}

static fallible read_or_make_id(struct store *s)
{
	struct error *e = read_id(s);
	if (!error_is(e, ERROR_NOT_FOUND))
		return e;
	error_drop(&e); // a new store
	auto_free char *text = alloc_printf("%016llx\n", (unsigned long long)random_u64());
	e = publish_bytes(s->rootfd, STORE_ID_FILE, text, strlen(text), 0600, PUBLISH_DURABLE);
	if (error_is(e, ERROR_EXISTS))
		error_drop(&e); // another process was faster: its ID it is
	TRY(e);
	return read_id(s);
}

// --- the boot -------------------------------------------------------------------------------

enum owner { OWNER_NOBODY, OWNER_OLD_BOOT, OWNER_OTHER_STORE, OWNER_US };

static fallible read_owner(const struct store *s, int statefd, enum owner *ret)
{
	auto_free char *text = NULL;
	struct error *e = file_read(statefd, BOOT_FILE, 256, &text, NULL);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // never was a state
		*ret = OWNER_NOBODY;
		return NULL;
	}
	TRY(e);
	char boot[BOOT_ID_SIZE];
	TRY(boot_id(boot));
	auto_free char *ours = alloc_printf("%s %s\n", boot, s->id);
	if (!text_starts(text, boot))
		*ret = OWNER_OLD_BOOT;
	else
		*ret = text_equal(text, ours) ? OWNER_US : OWNER_OTHER_STORE;
	return NULL;
}

static fallible check_other_state(struct store *s)
{
	auto_free char *other = NULL;
	auto_error struct error *none = file_read(s->rootfd, STATE_FOLDER_FILE, 4096, &other, NULL);
	if (none || text_equal(other, s->state))
		return NULL; // the first one, or a file that can't be a path
	auto_fd int fd = -1;
	auto_error struct error *gone = path_open_dir(other, &fd);
	enum owner owner = OWNER_NOBODY;
	if (!gone)
		TRY(read_owner(s, fd, &owner));
	struct stat a, b;
	if (owner != OWNER_US || fstat(fd, &a) < 0 || fstat(s->statefd, &b) < 0 ||
	    (a.st_dev == b.st_dev && a.st_ino == b.st_ino))
		return NULL;
	return error_new(ERROR_INVALID, "store %s is in use with the state folder %s, not %s",
	                 s->root, other, s->state);
}

// Renames state/NS/ID away for every folder that is a container's; foreign ones stay.
static fallible void_folders(struct store *s)
{
	auto_strings struct strings namespaces = {0};
	TRY(store_list_at(s->statefd, ".", &namespaces));
	for (size_t i = 0; i < namespaces.n; i++) {
		const char *ns = namespaces.items[i];
		auto_strings struct strings ids = {0};
		if (*ns != '.')
			TRY(store_list_at(s->statefd, ns, &ids));
		for (size_t j = 0; j < ids.n; j++) {
			auto_free char *folder = alloc_printf("%s/%s", ns, ids.items[j]);
			auto_free char *lock = alloc_printf("%s/lock", folder);
			if (faccessat(s->statefd, lock, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
				TRY(store_state_gone(s, folder, NULL));
		}
		if (ids.n)
			ignore(unlinkat(s->statefd, ns, AT_REMOVEDIR)); // foreign things in it
	}
	return NULL;
}

fallible store_state_gone(struct store *s, const char *folder, char **ret_gone)
{
	auto_free char *gone = alloc_printf(GONE "%016llx", (unsigned long long)random_u64());
	if (renameat(s->statefd, folder, s->statefd, gone) < 0 && errno != ENOENT)
		FAIL_ERRNO("rename %s/%s", s->state, folder);
	if (ret_gone)
		*ret_gone = take(&gone);
	return NULL;
}

fallible store_sweep_gone(struct store *s)
{
	auto_strings struct strings names = {0};
	TRY(store_list_at(s->statefd, ".", &names));
	struct error *e = NULL;
	for (size_t i = 0; i < names.n; i++)
		if (text_starts(names.items[i], GONE))
			e = error_join(e, tree_remove(s->statefd, names.items[i]));
	return error_prefix(e, "%s", s->state);
}

static fallible make_state_ours(struct store *s)
{
	auto_fd int lockfd = openat(s->rootfd, STORE_ID_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lockfd < 0)
		FAIL_ERRNO("open %s", STORE_ID_FILE);
	TRY(lock_take(lockfd, LOCK_EXCLUSIVE));
	enum owner owner;
	TRY(read_owner(s, s->statefd, &owner));
	if (owner == OWNER_US)
		return NULL; // another process did it
	TRY(check_other_state(s));
	static const char *const files[] = {"state.db", "state.db-wal", "state.db-shm"};
	for (size_t i = 0; owner == OWNER_OLD_BOOT && i < sizeof(files) / sizeof(*files); i++)
		if (unlinkat(s->statefd, files[i], 0) < 0 && errno != ENOENT)
			FAIL_ERRNO("unlink %s/%s", s->state, files[i]);
	if (owner == OWNER_OLD_BOOT)
		TRY(void_folders(s));
	TRY(publish_bytes(s->rootfd, STATE_FOLDER_FILE, s->state, strlen(s->state), 0600,
	                  PUBLISH_REPLACE));
	char boot[BOOT_ID_SIZE];
	TRY(boot_id(boot));
	auto_free char *text = alloc_printf("%s %s\n", boot, s->id);
	return publish_bytes(s->statefd, BOOT_FILE, text, strlen(text), 0600, PUBLISH_REPLACE);
}

fallible store_check_state(struct store *s)
{
	if (s->state_checked)
		return NULL;
	enum owner owner;
	TRY(read_owner(s, s->statefd, &owner));
	if (owner == OWNER_OTHER_STORE)
		return error_new(ERROR_INVALID, "state folder %s belongs to another store than %s",
		                 s->state, s->root);
	if (owner != OWNER_US) {
		TRY(make_state_ours(s));
		TRY(store_sweep_gone(s));
	}
	s->state_checked = true;
	return NULL;
}

// --- opening --------------------------------------------------------------------------------

static fallible open_parts(struct store *s, const struct store_options *o)
{
	const char *root = o->root ? o->root : STORE_DEFAULT_ROOT;
	TRY(open_top(root, 0711, &s->root, &s->rootfd));
	TRY_AS(read_or_make_id(s), "store %s", s->root);
	const char *state = o->state ? o->state : STORE_DEFAULT_STATE;
	return open_top(state, 0700, &s->state, &s->statefd);
}

fallible store_open(const struct store_options *o, struct store **ret)
{
	struct store *s = alloc(sizeof(*s));
	s->rootfd = s->statefd = -1;
	struct error *e = open_parts(s, o);
	if (e) {
		store_close(s);
		return e;
	}
	*ret = s;
	return NULL;
}

void store_rest(struct store *s)
{
	database_close(take(&s->meta_));
	database_close(take(&s->state_));
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_rest(s);
	fd_cleanup_(&s->rootfd);
	fd_cleanup_(&s->statefd);
	free(s->root);
	free(s->state);
	free(s);
}

fallible store_meta(struct store *s, struct database **ret)
{
	if (!s->meta_)
		TRY_AS(database_open(&meta_schema, s->root, s->rootfd, s->rootfd, STORE_ID_FILE,
		                     &s->meta_),
		       "store %s", s->root);
	*ret = s->meta_;
	return NULL;
}

fallible store_state_db(struct store *s, struct database **ret)
{
	TRY(store_check_state(s));
	if (!s->state_)
		TRY_AS(database_open(&state_schema, s->state, s->statefd, s->rootfd, STORE_ID_FILE,
		                     &s->state_),
		       "state %s", s->state);
	*ret = s->state_;
	return NULL;
}

const char *store_id(const struct store *s)
{
	return s->id;
}

const char *store_root(const struct store *s)
{
	return s->root;
}

const char *store_state(const struct store *s)
{
	return s->state;
}

int store_rootfd(const struct store *s)
{
	return s->rootfd;
}

int store_statefd(const struct store *s)
{
	return s->statefd;
}
