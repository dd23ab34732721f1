// SPDX-License-Identifier: Apache-2.0
// Directories of the new layer: a few are held open, and paths of the archive are walked to them
// through the merged tree, links inside the root.
#include "layer/internal.h"
#include "sys/tree.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

static uint64_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3ULL;
	return hash;
}

static int open_resolved(int dirfd, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
	                       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	return (int)syscall(SYS_openat2, dirfd, *path ? path : ".", &how, sizeof(how));
}

fallible join_path(const char *dir, const char *name, char ret[PATH_BYTES + 1])
{
	size_t n = strlen(dir), m = strlen(name);
	if (n + 1 + m > PATH_BYTES)
		return error_new(ERROR_LIMIT, "path longer than %d bytes: %.100s…", PATH_BYTES,
		                 *dir ? dir : name);
	memmove(ret, dir, n);
	if (n)
		ret[n++] = '/';
	memcpy(ret + n, name, m + 1);
	return NULL;
}

// --- the cache --------------------------------------------------------------------------------

static struct dir *find(struct unpack *u, const char *path)
{
	uint64_t hash = hash_path(path);
	for (size_t i = 0; i < DIRS; i++) {
		struct dir *d = &u->dirs[i];
		if (d->path && d->hash == hash && !strcmp(d->path, path)) {
			d->pins++;
			d->used = ++u->clock;
			return d;
		}
	}
	return NULL;
}

static void clear(struct dir *d)
{
	free(take(&d->path));
	if (!d->pins && d->fd >= 0) {
		close(d->fd);
		d->fd = -1;
	}
}

void dir_release(struct dir *d)
{
	d->pins--;
	if (!d->path)
		clear(d);
}

// Takes over `fd`. At most three are pinned at any time.
static struct dir *insert(struct unpack *u, const char *path, int fd)
{
	struct dir *oldest = NULL;
	for (size_t i = 0; i < DIRS; i++) {
		struct dir *d = &u->dirs[i];
		if (!d->pins && (!oldest || !d->path || d->used < oldest->used))
			oldest = d;
		if (oldest && !oldest->path)
			break;
	}
	clear(oldest);
	*oldest = (struct dir){.path = alloc_string(path),
	                       .hash = hash_path(path),
	                       .used = ++u->clock,
	                       .pins = 1,
	                       .fd = fd};
	return oldest;
}

void dirs_forget(struct unpack *u, const char *path)
{
	size_t size = strlen(path);
	for (size_t i = 0; i < DIRS; i++) {
		struct dir *d = &u->dirs[i];
		if (d->path && !strncmp(d->path, path, size) &&
		    (!d->path[size] || d->path[size] == '/'))
			clear(d);
	}
}

void dirs_done(struct unpack *u)
{
	for (size_t i = 0; i < DIRS; i++) {
		u->dirs[i].pins = 0;
		clear(&u->dirs[i]);
	}
	for (size_t i = 0; i < u->n_times; i++)
		free(u->times[i].path);
	free(u->times);
}

fallible dirs_open(struct unpack *u, const char *path, struct dir **ret)
{
	*ret = find(u, path);
	if (*ret)
		return NULL;
	auto_fd int fd = open_resolved(u->r->new_dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		FAIL_ERRNO("open directory %s", path);
	if (u->r->native) { // made by a layer below, met for the first time: its time is kept
		struct stat st;
		if (fstat(fd, &st) < 0)
			FAIL_ERRNO("stat %s", path);
		if (!inode_set_has(&u->brought, st.st_ino)) {
			inode_set_add(&u->brought, st.st_ino);
			TRY(dirs_remember_time(u, path, st.st_mtim));
		}
	}
	*ret = insert(u, path, fd_take(&fd));
	return NULL;
}

// --- times ------------------------------------------------------------------------------------

fallible dirs_remember_time(struct unpack *u, const char *path, struct timespec mtime)
{
	u->times_bytes += strlen(path) + sizeof(struct dir_time);
	if (u->times_bytes > DIR_TIMES_MAX)
		return error_new(ERROR_LIMIT, "too many directories");
	alloc_grow(&u->times, &u->times_capacity, u->n_times, sizeof(*u->times));
	u->times[u->n_times++] =
		(struct dir_time){alloc_string(path), mtime.tv_sec, (uint32_t)mtime.tv_nsec};
	return NULL;
}

fallible dirs_apply_times(struct unpack *u)
{
	for (size_t i = 0; i < u->n_times; i++) {
		struct dir_time *t = &u->times[i];
		auto_fd int fd = open_resolved(u->r->new_dirfd, t->path,
		                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue; // replaced by a later entry
		const struct timespec times[2] = {{t->s, t->ns}, {t->s, t->ns}};
		if (fd < 0 || futimens(fd, times) < 0)
			FAIL_ERRNO("set the time of %s", t->path);
	}
	return NULL;
}

// --- what is below ------------------------------------------------------------------------------

bool unpack_hides_lower(const struct unpack *u, const char *path)
{
	if (u->root_opaque)
		return true;
	if (!u->opaque.n)
		return false;
	for (size_t i = 0;; i++) {
		if (path[i] && path[i] != '/')
			continue;
		if (i && path_set_has(&u->opaque, path, i))
			return true;
		if (!path[i])
			return false;
	}
}

fallible lower_dir(struct unpack *u, int *ret)
{
	if (u->r->await_lower && !u->lower_is_awaited)
		TRY(u->r->await_lower(u->r->arg, &u->lower_dirfd));
	u->lower_is_awaited = true;
	*ret = u->lower_dirfd;
	return NULL;
}

fallible lower_open(struct unpack *u, const char *path, uint64_t flags, int *ret)
{
	int lower;
	*ret = -1;
	if (unpack_hides_lower(u, path))
		return NULL;
	TRY(lower_dir(u, &lower));
	if (lower < 0)
		return NULL;
	int fd = open_resolved(lower, path, flags | O_NOFOLLOW);
	// ELOOP, ENOTDIR: a link or file below stands where this layer has a directory, which hides
	// it.
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		FAIL_ERRNO("open %s below", path);
	*ret = fd;
	return NULL;
}

// --- making and removing ------------------------------------------------------------------------

bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && !st->st_rdev;
}

fallible bring(struct unpack *u, int dirfd, const char *name)
{
	u->done.n_inodes++;
	if (!u->r->native)
		return NULL;
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("stat %s", name);
	inode_set_add(&u->brought, st.st_ino);
	return NULL;
}

fallible remove_existing(struct unpack *u, struct dir *d, const char *name)
{
	if (!unlinkat(d->fd, name, 0) || errno == ENOENT)
		return NULL;
	if (errno != EISDIR && errno != EPERM)
		FAIL_ERRNO("remove %s", name);
	char path[PATH_BYTES + 1];
	TRY(join_path(d->path ? d->path : "", name, path));
	dirs_forget(u, path);
	return tree_remove(d->fd, name);
}

fallible mark_opaque(struct unpack *u, struct dir *d)
{
	if (!d->path)
		return NULL; // removed meanwhile
	if (!*d->path) {
		u->root_opaque = true; // overlay always merges roots: see hide_lower_root()
		return NULL;
	}
	if (path_set_has(&u->opaque, d->path, strlen(d->path)))
		return NULL;
	TRY(path_set_add(&u->opaque, d->path));
	return u->r->on_opaque ? u->r->on_opaque(u->r->arg, d->fd) : NULL;
}

fallible make_dir(struct unpack *u, struct dir *d, const char *name, bool *ret_made)
{
	*ret_made = true;
	if (!mkdirat(d->fd, name, 0700))
		return bring(u, d->fd, name);
	if (errno != EEXIST)
		FAIL_ERRNO("make directory %s", name);
	struct stat st;
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		FAIL_ERRNO("stat %s", name);
	*ret_made = !S_ISDIR(st.st_mode);
	if (!*ret_made)
		return NULL;
	// What stood here, a whiteout too, had removed everything below of that name.
	TRY(remove_existing(u, d, name));
	if (mkdirat(d->fd, name, 0700) < 0)
		FAIL_ERRNO("make directory %s", name);
	TRY(bring(u, d->fd, name));
	if (u->r->native)
		return NULL;
	char path[PATH_BYTES + 1];
	TRY(join_path(d->path, name, path));
	auto_dir_pin struct dir *made = NULL;
	TRY(dirs_open(u, path, &made));
	return mark_opaque(u, made);
}

// --- walking ------------------------------------------------------------------------------------

struct walk {
	struct str rest; // still to go
	unsigned links;
	struct dir *at; // pinned
};

static void walk_done(struct walk *w)
{
	str_done(&w->rest);
	if (w->at)
		dir_release(w->at);
}

static void move_to(struct walk *w, struct dir *d)
{
	dir_release(w->at);
	w->at = d;
}

// A link's target goes before what is left; an absolute one begins at the root.
static fallible follow(struct unpack *u, struct walk *w, const char *target, const char *name)
{
	if (++w->links > LINKS_MAX || strlen(target) + 1 + w->rest.size > (size_t)4 * PATH_BYTES)
		return error_new(ERROR_INVALID, "%s: too many links in the path", name);
	struct str rest = STR_LIMIT((size_t)4 * PATH_BYTES + 2);
	str_printf(&rest, "%s/", target);
	str_add_bytes(&rest, w->rest.bytes, w->rest.size);
	str_done(&w->rest);
	w->rest = rest;
	if (*target != '/')
		return NULL;
	struct dir *root;
	TRY(dirs_open(u, "", &root));
	move_to(w, root);
	return NULL;
}

static fallible go_up(struct unpack *u, struct walk *w)
{
	auto_free char *path = alloc_string(w->at->path);
	char *slash = strrchr(path, '/');
	path[slash ? slash - path : 0] = 0; // stops at the root
	struct dir *up;
	TRY(dirs_open(u, path, &up));
	move_to(w, up);
	return NULL;
}

static fallible read_link(int dirfd, const char *name, char target[PATH_BYTES + 1])
{
	ssize_t n = readlinkat(dirfd, name, target, PATH_BYTES);
	if (n < 0)
		FAIL_ERRNO("read link %s", name);
	target[n] = 0;
	return NULL;
}

// Makes a parent that the layer takes for granted: as it is below, or 0755 of root, time 0.
static fallible make_parent(struct unpack *u, struct dir *at, const char *name, const char *path,
                            int lower_fd)
{
	bool made;
	TRY(make_dir(u, at, name, &made));
	struct timespec mtime = {0};
	auto_dir_pin struct dir *d = NULL;
	TRY(dirs_open(u, path, &d));
	if (lower_fd >= 0) {
		TRY(inherit_dir(u, d->fd, lower_fd, &mtime));
	} else {
		const struct metadata plain = {.mode = 0755};
		TRY(apply_to_fd(u, d->fd, &plain, NULL, 0, false));
	}
	return dirs_remember_time(u, path, mtime);
}

// `name` isn't in the new layer at `w->at`.
static fallible step_below(struct unpack *u, struct walk *w, const char *name, const char *path)
{
	auto_fd int seen = -1;
	TRY(lower_open(u, path, O_PATH, &seen));
	struct stat st = {.st_mode = S_IFDIR};
	if (seen >= 0 && fstat(seen, &st) < 0)
		FAIL_ERRNO("stat %s below", path);
	if (S_ISLNK(st.st_mode)) {
		char target[PATH_BYTES + 1];
		TRY(read_link(seen, "", target));
		return follow(u, w, target, u->name);
	}
	if (!S_ISDIR(st.st_mode))
		return error_system(ENOTDIR, "%s", path);
	auto_fd int lower = -1;
	if (seen >= 0)
		TRY(lower_open(u, path, O_RDONLY | O_DIRECTORY, &lower));
	TRY(make_parent(u, w->at, name, path, lower));
	struct dir *next;
	TRY(dirs_open(u, path, &next));
	move_to(w, next);
	return NULL;
}

static fallible step(struct unpack *u, struct walk *w, const char *name)
{
	char path[PATH_BYTES + 1], target[PATH_BYTES + 1];
	TRY(join_path(w->at->path, name, path));
	struct dir *next = find(u, path);
	if (next) {
		move_to(w, next);
		return NULL;
	}
	struct stat st;
	if (fstatat(w->at->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			FAIL_ERRNO("stat %s", path);
		return step_below(u, w, name, path);
	}
	if (S_ISLNK(st.st_mode)) {
		TRY(read_link(w->at->fd, name, target));
		return follow(u, w, target, u->name);
	}
	if (is_whiteout(&st) && !u->r->native)
		TRY(make_parent(u, w->at, name, path, -1));
	else if (!S_ISDIR(st.st_mode))
		return error_system(ENOTDIR, "%s", path);
	TRY(dirs_open(u, path, &next));
	move_to(w, next);
	return NULL;
}

// Cuts the next component off `rest`. "" at the end.
static void next_component(struct str *rest, char name[TAR_COMPONENT_MAX + 2])
{
	size_t skip = 0, size;
	while (skip < rest->size && rest->bytes[skip] == '/')
		skip++;
	for (size = 0; skip + size < rest->size && rest->bytes[skip + size] != '/'; size++)
		;
	size_t kept = size <= TAR_COMPONENT_MAX + 1 ? size : TAR_COMPONENT_MAX + 1;
	if (kept)
		memcpy(name, rest->bytes + skip, kept);
	name[kept] = 0;
	if (!rest->size)
		return;
	rest->size -= skip + size;
	memmove(rest->bytes, rest->bytes + skip + size, rest->size + 1);
}

fallible dirs_enter(struct unpack *u, const char *path, size_t size, struct dir **ret)
{
	char clean[PATH_BYTES + 1];
	if (size <= PATH_BYTES) { // the usual case: a directory that is open, written plainly
		memcpy(clean, path, size);
		clean[size] = 0;
		*ret = find(u, clean);
		if (*ret)
			return NULL;
	}
	defer(walk_done) struct walk w = {.rest = STR_LIMIT((size_t)4 * PATH_BYTES + 2)};
	str_add_bytes(&w.rest, path, size);
	TRY(dirs_open(u, "", &w.at));
	for (;;) {
		char name[TAR_COMPONENT_MAX + 2];
		next_component(&w.rest, name);
		if (!*name)
			break;
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, ".."))
			TRY(go_up(u, &w));
		else
			TRY(step(u, &w, name));
	}
	*ret = take(&w.at);
	return NULL;
}
