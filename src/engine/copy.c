// SPDX-License-Identifier: Apache-2.0
// `cp` between the host and a container, running or not. The container is hostile and may change
// its tree under our hands: each name is opened from the descriptor of its folder, never followed,
// and looked at before it is opened for more than looking: opening a device has effects, opening a
// FIFO waits. What is no file, folder or link is passed over, and so are mounts below.
#include "engine/life.h"
#include "kernel/mount.h"
#include "kernel/namespace.h"
#include "sys/path.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 200, BUFFER_SIZE = 64 << 10, LINK_MAX_SIZE = 4096 };

struct copying {
	struct engine *engine;
	const char *id;
	char *buffer;
	dev_t device; // of the folders that are copied
	uid_t uid;    // who owns what is made: root of a container with a user namespace
	gid_t gid;
};

static fallible copy_bytes(struct copying *c, int from, int to, uint64_t size, const char *name)
{
	while (size) { // not more than there was: a file can grow for ever
		size_t wanted = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;
		ssize_t n = read(from, c->buffer, wanted);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read %s", name);
		if (n == 0)
			break;
		TRY_AS(fd_write_all(to, c->buffer, (size_t)n), "write %s", name);
		size -= (uint64_t)n;
	}
	return NULL;
}

// Opens anew what was opened to look at.
static fallible reopen(int fd, int flags, const char *name, int *ret)
{
	auto_free char *path = alloc_printf("/proc/self/fd/%d", fd);
	*ret = open(path, flags | O_NOCTTY | O_CLOEXEC);
	if (*ret < 0)
		FAIL_ERRNO("open %s", name);
	return NULL;
}

static fallible give(const struct copying *c, int fd, const char *name)
{
	if ((c->uid || c->gid) && fchownat(fd, "", c->uid, c->gid, AT_EMPTY_PATH) < 0)
		FAIL_ERRNO("owner of %s", name);
	return NULL;
}

static fallible open_target(const struct copying *c, int to, const char *name, int *ret)
{
	int fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		FAIL_ERRNO("%s", name);
	if (fd >= 0) {
		*ret = fd;
		return give(c, fd, name);
	}
	auto_fd int seen = openat(to, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (seen < 0 || fstat(seen, &st) < 0)
		FAIL_ERRNO("%s", name);
	if (!S_ISREG(st.st_mode))
		return error_new(ERROR_EXISTS, "%s: is there already, and no regular file", name);
	return reopen(seen, O_WRONLY | O_TRUNC, name, ret);
}

static fallible copy_file(struct copying *c, int seen, const struct stat *st, int to,
                          const char *name)
{
	int from = -1, target = -1;
	TRY(reopen(seen, O_RDONLY, name, &from));
	auto_fd int source = from;
	struct error *unopened = open_target(c, to, name, &target);
	auto_fd int written = target;
	TRY(unopened);
	TRY(copy_bytes(c, source, written, (uint64_t)st->st_size, name));
	if (fchmod(written, st->st_mode & 0777) < 0) // no set-user-ID of somebody else's
		FAIL_ERRNO("mode of %s", name);
	return fd_close(&written);
}

static fallible copy_link(const struct copying *c, int seen, int to, const char *name)
{
	char target[LINK_MAX_SIZE];
	ssize_t n = readlinkat(seen, "", target, sizeof(target) - 1);
	if (n < 0)
		FAIL_ERRNO("read link %s", name);
	target[n] = 0;
	if (symlinkat(target, to, name) < 0)
		FAIL_ERRNO("link %s", name);
	if ((c->uid || c->gid) && fchownat(to, name, c->uid, c->gid, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("owner of %s", name);
	return NULL;
}

static fallible copy_entry(struct copying *c, int from, const char *name, int to, const char *as,
                           unsigned depth);

static fallible copy_folder(struct copying *c, int seen, const struct stat *st, int to,
                            const char *name, unsigned depth)
{
	if (depth == DEPTH_MAX)
		return error_new(ERROR_LIMIT, "%s: more than %d folders deep", name, DEPTH_MAX);
	bool is_new = mkdirat(to, name, 0700) == 0;
	if (!is_new && errno != EEXIST)
		FAIL_ERRNO("make folder %s", name);
	auto_fd int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		FAIL_ERRNO("folder %s", name);
	if (is_new)
		TRY(give(c, target, name));
	auto_strings struct strings names = {0};
	TRY_AS(tree_names(seen, ".", &names), "%s", name);
	for (size_t i = 0; i < names.n; i++)
		TRY_AS(copy_entry(c, seen, names.items[i], target, names.items[i], depth + 1), "%s",
		       name);
	if (fchmod(target, st->st_mode & 0777) < 0)
		FAIL_ERRNO("mode of %s", name);
	return NULL;
}

static fallible copy_opened(struct copying *c, int seen, int to, const char *as, unsigned depth)
{
	struct stat st;
	if (fstat(seen, &st) < 0)
		FAIL_ERRNO("%s", as);
	if (!depth)
		c->device = st.st_dev;
	if (S_ISREG(st.st_mode))
		return copy_file(c, seen, &st, to, as);
	if (S_ISLNK(st.st_mode))
		return copy_link(c, seen, to, as);
	bool is_folder = S_ISDIR(st.st_mode) && st.st_dev == c->device;
	if (is_folder)
		return copy_folder(c, seen, &st, to, as, depth);
	engine_warn(c->engine, "%s: %s, not copied", as,
	            S_ISDIR(st.st_mode) ? "another file system is mounted there"
	                                : "no file, folder or link");
	return NULL;
}

static fallible copy_entry(struct copying *c, int from, const char *name, int to, const char *as,
                           unsigned depth)
{
	auto_fd int seen = openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (seen < 0)
		FAIL_ERRNO("%s", name);
	return copy_opened(c, seen, to, as, depth);
}

// --- The container's root

struct root {
	int fd;
	struct store_claim *claim; // of one that doesn't run, so that it stays so
	uid_t uid;                 // root's of its user namespace, or 0
	gid_t gid;
};

static void root_done(struct root *r)
{
	fd_cleanup_(&r->fd);
	store_claim_release(r->claim);
}

static fallible open_running(const struct life *life, const char *id, int *ret)
{
	struct runtime_state now;
	auto_free char *path = alloc_printf("/proc/%d/root", (int)life->state.pid);
	auto_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("root file system of container %s", id);
	auto_error struct error *e = runtime_state(life->monitor, &now);
	if (e && !error_is(e, ERROR_NOT_FOUND))
		return take(&e);
	if (e || now.pid != life->state.pid) // as long as it answers, the pid is its
		return error_new(ERROR_BUSY, "container %s: is just ending", id);
	*ret = fd_take(&fd);
	return NULL;
}

static fallible open_stopped(struct engine *e, const struct store_container *c, int *ret)
{
	if (!*c->snapshot_key)
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: stands on a folder; copy there, or start it",
		                 c->id);
	auto_snapshots struct snapshots *snapshots = NULL;
	struct snapshot_active *active = NULL;
	TRY(engine_snapshots(e, c->snapshotter, &snapshots));
	TRY(snapshots_open_active(snapshots, c->snapshot_key, &active));
	struct mount_overlay overlay = {.lowers = active->lower->fds,
	                                .n_lowers = active->lower->n,
	                                .upper = active->fs,
	                                .work = active->work};
	struct error *error = NULL;
	if (active->lower->n)
		error = mount_make_overlay(&overlay, ret);
	else
		*ret = fcntl(active->fs, F_DUPFD_CLOEXEC, 3);
	snapshot_active_free(active);
	return error;
}

static int64_t outside(const struct oci_id_mappings *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!list->items[i].container_id)
			return list->items[i].host_id;
	}
	return 0;
}

// The maps of a user namespace that was joined are known while somebody is in it.
static fallible find_joined_owner(const struct life *life, struct root *ret)
{
	auto_arena struct arena *arena = arena_new();
	struct id_maps maps;
	bool denies_groups;
	const char *id = life->container->id;
	if (life->owner != LIFE_RUNNING)
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: joins a user namespace, and its IDs are known only "
		                 "while it runs; start it",
		                 id);
	TRY_AS(id_maps_read(life->state.pid, arena, &maps, &denies_groups), "container %s", id);
	ret->uid = (uid_t)id_map_outside(maps.uids, maps.n_uids, 0);
	ret->gid = (gid_t)id_map_outside(maps.gids, maps.n_gids, 0);
	return NULL;
}

static fallible find_owner(const struct life *life, struct root *ret)
{
	const struct store_container *c = life->container;
	auto_oci_spec struct oci_spec *spec = NULL;
	TRY_AS(oci_spec_parse(c->spec, strlen(c->spec), &spec), "container %s", c->id);
	const struct oci_namespace *user = oci_spec_namespace(spec, OCI_NAMESPACE_USER);
	if (user && user->path)
		return find_joined_owner(life, ret);
	ret->uid = (uid_t)outside(&spec->linux_.uid_mappings);
	ret->gid = (gid_t)outside(&spec->linux_.gid_mappings);
	return NULL;
}

static fallible open_root(struct engine *e, const char *id, struct root *ret)
{
	struct store *store;
	defer(life_forget) struct life life = {0};
	TRY(engine_store(e, &store));
	TRY(life_of_container(e, id, &life));
	TRY(life_answers(&life));
	TRY(find_owner(&life, ret));
	if (life.owner == LIFE_RUNNING)
		return open_running(&life, id, &ret->fd);
	life_forget(&life);
	TRY(store_claim(store, e->ns, id, STORE_CLAIM_WAIT, &ret->claim));
	TRY(life_of_container(e, id, &life));
	TRY(life_answers(&life));
	if (life.owner == LIFE_RUNNING || life.owner == LIFE_STARTING)
		return error_new(ERROR_BUSY, "container %s: is just being started", id);
	return open_stopped(e, life.container, &ret->fd);
}

// --- The whole

// Where it goes: into the folder `path` under the name of the source, or as the last name of
// `path`. In the container if `root` isn't -1, whose links lead nowhere else.
static fallible open_place(int root, const char *path, const char *source, int *ret_dirfd,
                           char **ret_name)
{
	static const int flags = O_RDONLY | O_DIRECTORY;
	struct error *error = root < 0 ? path_open_dir(path, ret_dirfd)
	                               : path_open_in_root(root, path, flags, 0, ret_dirfd);
	size_t end = strlen(source);
	while (end && source[end - 1] == '/')
		end--;
	const char *base = source + end;
	while (base > source && base[-1] != '/')
		base--;
	if (!error) {
		*ret_name = alloc_bytes(base, (size_t)(source + end - base));
		return NULL;
	}
	bool is_new =
		error_is(error, ERROR_NOT_FOUND) || error->sys == ENOTDIR || error->sys == ENOENT;
	const char *slash = strrchr(path, '/');
	if (!is_new || (slash && !slash[1]))
		return error;
	error_free(error);
	auto_free char *folder =
		slash ? alloc_bytes(path, (size_t)(slash - path) + (slash == path)) : NULL;
	const char *parent = folder ? folder : root < 0 ? "." : "/";
	TRY(root < 0 ? path_open_dir(parent, ret_dirfd)
	             : path_open_in_root(root, parent, flags, 0, ret_dirfd));
	*ret_name = alloc_string(slash ? slash + 1 : path);
	return NULL;
}

fallible engine_copy(struct engine *e, const struct engine_copy *request)
{
	defer(root_done) struct root root = {.fd = -1};
	TRY(open_root(e, request->id, &root));
	const char *source = request->is_into ? request->host_path : request->container_path;
	int seen = -1;
	if (request->is_into)
		seen = open(source, O_PATH | O_CLOEXEC);
	else
		TRY_AS(path_open_in_root(root.fd, source, O_PATH, 0, &seen), "container %s",
		       request->id);
	if (seen < 0)
		FAIL_ERRNO("%s", source);
	auto_fd int from = seen;
	int dirfd = -1;
	auto_free char *name = NULL, *buffer = alloc(BUFFER_SIZE);
	TRY(open_place(request->is_into ? root.fd : -1,
	               request->is_into ? request->container_path : request->host_path, source,
	               &dirfd, &name));
	auto_fd int to = dirfd;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_new(ERROR_INVALID, "%s: has no name of its own to be copied under",
		                 source);
	struct copying c = {.engine = e, .id = request->id, .buffer = buffer};
	if (request->is_into) {
		c.uid = root.uid;
		c.gid = root.gid;
	}
	return copy_opened(&c, from, to, name, 0);
}
