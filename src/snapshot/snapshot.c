// SPDX-License-Identifier: Apache-2.0
#include "snapshot/snapshot.h"
#include "base/text.h"
#include "snapshot/driver.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <sys/stat.h>

struct snapshots {
	struct store *store;
	char *ns;
	const struct snapshot_driver *driver;
};

static const struct snapshot_driver *const drivers[] = {&snapshot_overlay, &snapshot_native,
                                                        &snapshot_windows};
enum { KEY_LIMIT = 4096 };

static void row_cleanup(struct store_snapshot **row)
{
	store_snapshot_free(*row);
}
#define auto_snapshot defer(row_cleanup)

fallible snapshots_open(struct store *store, const char *ns, const char *snapshotter,
                        struct snapshots **ret)
{
	const char *wanted = snapshotter ? snapshotter : SNAPSHOTS_DEFAULT;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(drivers[i]->name, wanted)) {
			struct snapshots *s = alloc(sizeof(*s));
			*s = (struct snapshots){store, alloc_string(ns), drivers[i]};
			*ret = s;
			return NULL;
		}
	return error_new(ERROR_INVALID, "snapshotter not loaded: %s: invalid argument", wanted);
}

void snapshots_close(struct snapshots *s)
{
	if (!s)
		return;
	free(s->ns);
	free(s);
}

const char *snapshots_name(const struct snapshots *s)
{
	return s->driver->name;
}

bool snapshots_copies(const struct snapshots *s)
{
	return s->driver->copies;
}

// --- mounts ---------------------------------------------------------------------------------

// The numbers of what `row` stands on, top first; n 0 without a parent.
static fallible lower_of(struct snapshots *s, const struct store_snapshot *row,
                         uint64_t **ret_numbers, size_t *ret_n)
{
	*ret_numbers = NULL;
	*ret_n = 0;
	if (!*row->parent)
		return NULL;
	return store_snapshot_chain(s->store, s->ns, s->driver->name, row->parent, ret_numbers,
	                            ret_n);
}

static const char *folder_path(struct snapshots *s, struct arena *a, uint64_t number)
{
	return arena_printf(a, "%s/snapshots/%s/%llu", store_root(s->store), s->driver->name,
	                    (unsigned long long)number);
}

static struct error *committed(const char *key)
{
	return error_new(ERROR_INVALID, "snapshot %s is committed: failed precondition", key);
}

fallible snapshots_mounts(struct snapshots *s, const char *key, struct snapshot_mounts **ret)
{
	auto_snapshot struct store_snapshot *row = NULL;
	TRY(store_find_snapshot(s->store, s->ns, s->driver->name, key, &row));
	if (row->kind == STORE_COMMITTED)
		return committed(key);
	auto_free uint64_t *numbers = NULL;
	size_t n;
	TRY(lower_of(s, row, &numbers, &n));
	auto_arena struct arena *a = arena_new();
	const char **lower = arena_alloc(a, (n + 1) * sizeof(*lower));
	for (size_t i = 0; i < n; i++)
		lower[i] = folder_path(s, a, numbers[i]);
	const struct snapshot_paths paths = {row->kind, folder_path(s, a, row->number), lower, n};
	struct snapshot_mounts *m = alloc(sizeof(*m));
	s->driver->mounts(&paths, m);
	*ret = m;
	return NULL;
}

// --- making ---------------------------------------------------------------------------------

fallible snapshot_make_root(int dirfd, const char *name, int like_fd, int *ret_fd)
{
	struct stat like = {.st_mode = 0755};
	if (like_fd >= 0 && fstat(like_fd, &like) < 0)
		FAIL_ERRNO("stat of the snapshot below");
	if (mkdirat(dirfd, name, 0755) < 0)
		FAIL_ERRNO("mkdir %s", name);
	auto_fd int fd = -1;
	TRY(path_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, &fd));
	if (fchown(fd, like.st_uid, like.st_gid) < 0)
		FAIL_ERRNO("chown %s", name);
	if (fchmod(fd, like.st_mode & 07777) < 0)
		FAIL_ERRNO("chmod %s", name);
	*ret_fd = fd_take(&fd);
	return NULL;
}

static fallible open_folder(struct snapshots *s, uint64_t number, const char *name, int flags,
                            int *ret_fd)
{
	auto_fd int dirfd = -1;
	TRY(store_open_snapshot(s->store, s->driver->name, number, &dirfd));
	struct error *e =
		path_open_beneath(dirfd, name, (uint64_t)(flags | O_DIRECTORY), 0, ret_fd);
	return error_prefix(e, "snapshot %llu", (unsigned long long)number);
}

static fallible check_key(struct snapshots *s, const char *key)
{
	if (!*key || strlen(key) > KEY_LIMIT)
		return error_new(ERROR_INVALID, "snapshot key of %zu bytes: invalid argument",
		                 strlen(key));
	struct store_snapshot *there;
	struct error *e = store_find_snapshot(s->store, s->ns, s->driver->name, key, &there);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // as it should be
		return NULL;
	}
	TRY(e);
	store_snapshot_free(there);
	return error_new(ERROR_EXISTS, "snapshot \"%s\": already exists", key);
}

// *ret_fs: the `fs` of the parent, -1 if there is none.
static fallible open_parent(struct snapshots *s, const char *parent, int *ret_fs)
{
	if (!parent || !*parent)
		return NULL;
	auto_free uint64_t *numbers = NULL;
	size_t n;
	struct error *e =
		store_snapshot_chain(s->store, s->ns, s->driver->name, parent, &numbers, &n);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // a text that says whose
		return error_new(ERROR_NOT_FOUND, "parent snapshot %s does not exist: not found",
		                 parent);
	}
	TRY(e);
	if (n > STORE_LAYERS_LIMIT)
		return error_new(ERROR_LIMIT, "snapshot %s: has %zu layers, at most %d can be used",
		                 parent, n, STORE_LAYERS_LIMIT);
	return open_folder(s, numbers[0], "fs", O_RDONLY, ret_fs);
}

static fallible publish(struct snapshots *s, struct store_session *x,
                        const struct store_new_snapshot *n)
{
	return store_publish(
		x, &(struct store_publication){.ns = s->ns, .snapshots = n, .n_snapshots = 1});
}

static fallible make_in(struct snapshots *s, struct store_session *x, int parent_fs,
                        struct store_new_snapshot *n)
{
	auto_fd int dirfd = -1, fs = -1;
	TRY(store_session_layer(x, &n->layer, &dirfd));
	TRY_AS(s->driver->fill(dirfd, n->kind, parent_fs, &fs), "snapshot \"%s\"", n->key);
	return publish(s, x, n);
}

static fallible make(struct snapshots *s, enum store_snapshot_kind kind, const char *key,
                     const char *parent, const struct store_labels *labels,
                     struct snapshot_mounts **ret)
{
	TRY(check_key(s, key)); // before the work; store_publish() looks again
	auto_fd int parent_fs = -1;
	TRY(open_parent(s, parent, &parent_fs));
	struct store_new_snapshot n = {
		.snapshotter = s->driver->name,
		.key = key,
		.parent = parent,
		.kind = kind,
		.empty = !s->driver->copies || parent_fs < 0,
		.labels = labels ? *labels : (struct store_labels){0},
	};
	struct store_session *x;
	TRY(store_begin_session(s->store, &x));
	struct error *e = make_in(s, x, parent_fs, &n);
	TRY(error_join(e, store_end_session(x)));
	return ret ? snapshots_mounts(s, key, ret) : NULL;
}

fallible snapshots_prepare(struct snapshots *s, const char *key, const char *parent,
                           const struct store_labels *labels, struct snapshot_mounts **ret)
{
	return make(s, STORE_ACTIVE, key, parent, labels, ret);
}

fallible snapshots_view(struct snapshots *s, const char *key, const char *parent,
                        const struct store_labels *labels, struct snapshot_mounts **ret)
{
	return make(s, STORE_VIEW, key, parent, labels, ret);
}

fallible snapshots_new_layer(struct snapshots *s, struct store_session *session, int parent_fs,
                             struct snapshot_new_layer *ret)
{
	auto_fd int dirfd = -1;
	struct snapshot_new_layer l = {.fs = -1};
	TRY(store_session_layer(session, &l.layer, &dirfd));
	TRY_AS(s->driver->fill(dirfd, STORE_COMMITTED, parent_fs, &l.fs), "new layer");
	*ret = l;
	return NULL;
}

void snapshot_new_layer_done(struct snapshot_new_layer *l)
{
	fd_cleanup_(&l->fs);
	l->fs = -1;
}

// --- changing -------------------------------------------------------------------------------

static fallible measure(struct snapshots *s, uint64_t number, uint64_t *ret_size_bytes,
                        uint64_t *ret_n_inodes)
{
	auto_fd int fs = -1;
	TRY(open_folder(s, number, "fs", O_RDONLY, &fs));
	return tree_usage(fs, ret_size_bytes, ret_n_inodes);
}

fallible snapshots_usage(struct snapshots *s, const char *key, uint64_t *ret_size_bytes,
                         uint64_t *ret_n_inodes)
{
	auto_snapshot struct store_snapshot *row = NULL;
	TRY(store_find_snapshot(s->store, s->ns, s->driver->name, key, &row));
	if (row->kind != STORE_COMMITTED || !row->n_inodes)
		return measure(s, row->number, ret_size_bytes, ret_n_inodes);
	*ret_size_bytes = row->size_bytes;
	*ret_n_inodes = row->n_inodes;
	return NULL;
}

fallible snapshots_commit(struct snapshots *s, const char *name, const char *key,
                          const struct store_labels *labels)
{
	TRY(check_key(s, name));
	uint64_t size_bytes, n_inodes;
	TRY(snapshots_usage(s, key, &size_bytes, &n_inodes));
	return store_commit_snapshot(s->store, s->ns, s->driver->name, key, name, labels,
	                             size_bytes, n_inodes);
}

fallible snapshots_remove(struct snapshots *s, const char *key)
{
	TRY_AS(store_remove_snapshot(s->store, s->ns, s->driver->name, key),
	       "failed to remove \"%s\"", key);
	return NULL;
}

fallible snapshots_stat(struct snapshots *s, const char *key, struct store_snapshot **ret)
{
	return store_find_snapshot(s->store, s->ns, s->driver->name, key, ret);
}

fallible snapshots_list(struct snapshots *s, struct store_snapshots **ret)
{
	return store_list_snapshots(s->store, s->ns, s->driver->name, ret);
}

fallible snapshots_set_labels(struct snapshots *s, const char *key,
                              const struct store_labels *changes, struct store_labelled **ret)
{
	return store_set_labels(s->store, STORE_SNAPSHOT, s->ns, s->driver->name, key, changes,
	                        ret);
}

// --- descriptors ----------------------------------------------------------------------------

void snapshot_layers_free(struct snapshot_layers *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		fd_cleanup_(&l->fds[i]);
	free(l->fds);
	free(l);
}

static fallible open_all(struct snapshots *s, const uint64_t *numbers, size_t n,
                         struct snapshot_layers **ret)
{
	struct snapshot_layers *l = alloc(sizeof(*l));
	l->fds = alloc_array(n + 1, sizeof(*l->fds));
	struct error *e = NULL;
	while (!e && l->n < n) {
		l->fds[l->n] = -1;
		e = open_folder(s, numbers[l->n], "fs", O_PATH, &l->fds[l->n]);
		l->n += !e;
	}
	if (e)
		snapshot_layers_free(l);
	else
		*ret = l;
	return e;
}

fallible snapshots_open_layers(struct snapshots *s, const char *key, struct snapshot_layers **ret)
{
	auto_free uint64_t *numbers = NULL;
	size_t n = 0;
	if (*key)
		TRY(store_snapshot_chain(s->store, s->ns, s->driver->name, key, &numbers, &n));
	if (n > STORE_LAYERS_LIMIT)
		return error_new(ERROR_LIMIT, "snapshot %s: has %zu layers, at most %d can be used",
		                 key, n, STORE_LAYERS_LIMIT);
	return open_all(s, numbers, s->driver->copies && n ? 1 : n, ret);
}

void snapshot_active_free(struct snapshot_active *a)
{
	if (!a)
		return;
	fd_cleanup_(&a->fs);
	fd_cleanup_(&a->work);
	snapshot_layers_free(a->lower);
	free(a);
}

static fallible open_parts(struct snapshots *s, const struct store_snapshot *row,
                           struct snapshot_active *a)
{
	auto_free uint64_t *numbers = NULL;
	size_t n = 0;
	if (!s->driver->copies)
		TRY(lower_of(s, row, &numbers, &n));
	TRY(open_all(s, numbers, n, &a->lower));
	if (row->kind == STORE_ACTIVE || !n)
		TRY(open_folder(s, row->number, "fs", O_PATH, &a->fs));
	if (row->kind == STORE_ACTIVE && !s->driver->copies)
		TRY(open_folder(s, row->number, "work", O_PATH, &a->work));
	return NULL;
}

fallible snapshots_open_active(struct snapshots *s, const char *key, struct snapshot_active **ret)
{
	auto_snapshot struct store_snapshot *row = NULL;
	TRY(store_find_snapshot(s->store, s->ns, s->driver->name, key, &row));
	if (row->kind == STORE_COMMITTED)
		return committed(key);
	struct snapshot_active *a = alloc(sizeof(*a));
	a->fs = a->work = -1;
	struct error *e = open_parts(s, row, a);
	if (e)
		snapshot_active_free(a);
	else
		*ret = a;
	return e;
}
