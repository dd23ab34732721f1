// SPDX-License-Identifier: Apache-2.0
// From an overlay's upper to the tar of a layer. What is read is hostile, and of a container that
// runs on it changes meanwhile:
// 1. Nothing is followed; what isn't a file or directory is never opened, but looked at.
// 2. A file's entry has the size that was told first: what came later is left out, what went is
//    zeros.
// 3. A directory is read in one go, then those in it, the last first on a stack: neither depth nor
//    width costs descriptors.
#include "layer/internal.h"
#include "sys/path.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

enum { PIECE_SIZE = 256 << 10, PIECES_MAX = 10000, NAMES_MAX = TAR_ENTRIES_MAX };

struct first_name {  // of an inode with several
	ino_t inode; // 0: free
	char *path;
};

enum diff_warning { DIFF_SOCKET = 1 };

struct diff {
	const struct layer_diff_request *r;
	struct tar_writer tar;
	struct strings todo;    // directories, the next one last
	struct path_set opaque; // they hide what is below, and so in all below them
	struct first_name *links;
	size_t n_links, links_capacity;
	uint64_t done;
	size_t n_names;
	unsigned warned;
	char *buffer, *other;
};

struct folder {           // that is being read
	const char *path; // "" is the root
	int fd, lower;    // lower: the same one below; -1: none, or hidden
};

struct thing { // in a folder
	const char *name;
	char *path;
	struct stat st;
	int fd; // of a file
};

static fallible join(const char *dir, const char *name, char **ret)
{
	*ret = *dir ? alloc_printf("%s/%s", dir, name) : alloc_string(name);
	if (strlen(*ret) <= TAR_NAME_MAX - 5) // room for ".wh." or "/"
		return NULL;
	free(take(ret));
	return error_new(ERROR_INVALID, "a name longer than %d bytes can't be in a layer: %.100s…",
	                 TAR_NAME_MAX - 5, name);
}

// --- names of one inode
// ---------------------------------------------------------------------------

static size_t find_link(const struct first_name *links, size_t capacity, ino_t inode)
{
	size_t i = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15)) & (capacity - 1);
	while (links[i].inode && links[i].inode != inode)
		i = (i + 1) & (capacity - 1);
	return i;
}

static void grow_links(struct diff *d)
{
	size_t capacity = d->links_capacity ? d->links_capacity * 2 : 64;
	struct first_name *links = alloc_array(capacity, sizeof(*links));
	for (size_t i = 0; i < d->links_capacity; i++)
		if (d->links[i].inode)
			links[find_link(links, capacity, d->links[i].inode)] = d->links[i];
	free(d->links);
	d->links = links;
	d->links_capacity = capacity;
}

// The name that the inode was written under; NULL: this is the first, from now on.
static const char *first_name(struct diff *d, const struct thing *t)
{
	if (t->st.st_nlink < 2)
		return NULL;
	if (d->n_links * 4 >= d->links_capacity * 3)
		grow_links(d);
	struct first_name *l = &d->links[find_link(d->links, d->links_capacity, t->st.st_ino)];
	if (l->inode)
		return l->path;
	*l = (struct first_name){t->st.st_ino, alloc_string(t->path)};
	d->n_links++;
	return NULL;
}

// --- data
// -----------------------------------------------------------------------------------------

static fallible read_at(int fd, char *to, size_t size, uint64_t at)
{
	size_t have = 0;
	while (have < size) {
		ssize_t n = pread(fd, to + have, size - have, (off_t)(at + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read");
		if (!n)
			break;
		have += (size_t)n;
	}
	memset(to + have, 0, size - have); // it has become shorter meanwhile
	return NULL;
}

static fallible write_piece(struct diff *d, int fd, struct tar_piece piece)
{
	while (piece.size) {
		size_t n = piece.size < PIECE_SIZE ? (size_t)piece.size : PIECE_SIZE;
		TRY(read_at(fd, d->buffer, n, piece.offset));
		TRY(tar_write(&d->tar, d->buffer, n));
		piece.offset += n;
		piece.size -= n;
		d->done += n;
		if (d->r->progress)
			d->r->progress(d->r->arg, d->done);
	}
	return NULL;
}

struct pieces {
	struct tar_piece *items;
	size_t n, capacity;
};

static void pieces_done(struct pieces *p)
{
	free(p->items);
}

// Where the file has data; the last of too many reaches to the end.
static fallible find_pieces(int fd, uint64_t size, struct pieces *ret)
{
	for (off_t at = 0; (uint64_t)at < size;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (end < 0)
			FAIL_ERRNO("find data");
		if ((uint64_t)data >= size)
			break;
		if ((uint64_t)end > size || ret->n == PIECES_MAX)
			end = (off_t)size;
		alloc_grow(&ret->items, &ret->capacity, ret->n, sizeof(*ret->items));
		ret->items[ret->n++] = (struct tar_piece){(uint64_t)data, (uint64_t)(end - data)};
		at = end;
	}
	return NULL;
}

static fallible write_file(struct diff *d, const struct thing *t, struct tar_entry *e)
{
	defer(pieces_done) struct pieces pieces = {0};
	e->size = (uint64_t)t->st.st_size;
	bool has_holes = (uint64_t)t->st.st_blocks * 512 < e->size;
	if (has_holes)
		TRY(find_pieces(t->fd, e->size, &pieces));
	// Compressed inside or packed into its inode: no hole.
	bool is_whole = pieces.n == 1 && pieces.items[0].size == e->size;
	if (!has_holes || is_whole) {
		TRY(tar_write_entry(&d->tar, e));
		return write_piece(d, t->fd, (struct tar_piece){0, e->size});
	}
	e->sparse = true;
	e->pieces = pieces.items;
	e->n_pieces = pieces.n;
	TRY(tar_write_entry(&d->tar, e));
	for (size_t i = 0; i < pieces.n; i++)
		TRY(write_piece(d, t->fd, pieces.items[i]));
	return NULL;
}

// --- equal to what is below
// -----------------------------------------------------------------------

static fallible read_attributes(int dirfd, const char *name, struct xattr_list *ret)
{
	if (fchdir(dirfd) < 0)
		FAIL_ERRNO("enter a directory");
	return read_xattrs(-1, name, ret);
}

static bool same_attributes(const struct xattr_list *a, const struct xattr_list *b)
{
	bool same = a->n == b->n;
	for (size_t i = 0; same && i < a->n; i++) {
		const struct tar_record *x = &a->items[i];
		same = false;
		for (size_t k = 0; !same && k < b->n; k++)
			same = !strcmp(x->key, b->items[k].key) &&
			       x->value_size == b->items[k].value_size &&
			       !memcmp(x->value, b->items[k].value, x->value_size);
	}
	return same;
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_size == b->st_size && a->st_rdev == b->st_rdev &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static fallible same_data(struct diff *d, const struct folder *f, const struct thing *t, bool *ret)
{
	auto_fd int below = -1;
	TRY(path_open_beneath(f->lower, t->name, O_RDONLY | O_NONBLOCK, 0, &below));
	*ret = true;
	for (uint64_t at = 0, size = (uint64_t)t->st.st_size; *ret && at < size;) {
		size_t n = size - at < PIECE_SIZE ? (size_t)(size - at) : PIECE_SIZE;
		TRY(read_at(t->fd, d->buffer, n, at));
		TRY(read_at(below, d->other, n, at));
		*ret = !memcmp(d->buffer, d->other, n);
		at += n;
	}
	return NULL;
}

static fallible is_equal_below(struct diff *d, const struct folder *f, const struct thing *t,
                               const struct xattr_list *xattrs, bool *ret)
{
	struct stat below;
	*ret = false;
	// One of several names is kept: a link to it would lead nowhere.
	if (f->lower < 0 || t->st.st_nlink > 1 ||
	    fstatat(f->lower, t->name, &below, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !same_stat(&t->st, &below))
		return NULL;
	defer(xattr_list_done) struct xattr_list others = {0};
	TRY(read_attributes(f->lower, t->name, &others));
	if (!same_attributes(xattrs, &others))
		return NULL;
	if (S_ISREG(t->st.st_mode))
		return same_data(d, f, t, ret);
	char a[PATH_BYTES + 1], b[PATH_BYTES + 1];
	*ret = true;
	if (!S_ISLNK(t->st.st_mode))
		return NULL;
	ssize_t n = readlinkat(f->fd, t->name, a, sizeof(a));
	ssize_t m = readlinkat(f->lower, t->name, b, sizeof(b));
	*ret = n > 0 && n == m && !memcmp(a, b, (size_t)n);
	return NULL;
}

// --- entries
// --------------------------------------------------------------------------------------

static struct tar_entry entry_of(const struct stat *st, const char *name,
                                 const struct xattr_list *xattrs)
{
	return (struct tar_entry){.name = name,
	                          .link = "",
	                          .mode = st->st_mode & 07777,
	                          .uid = st->st_uid,
	                          .gid = st->st_gid,
	                          .mtime_s = st->st_mtim.tv_sec,
	                          .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
	                          .xattrs = xattrs->items,
	                          .n_xattrs = xattrs->n};
}

static fallible whiteout_entry(struct diff *d, const char *dir, const char *name)
{
	auto_free char *marked = alloc_printf(".wh.%s", name), *path = NULL;
	TRY(join(dir, marked, &path));
	const struct tar_entry e = {.type = TAR_FILE, .name = path, .link = ""};
	return tar_write_entry(&d->tar, &e);
}

static fallible write_other(struct diff *d, const struct folder *f, const struct thing *t,
                            struct tar_entry *e)
{
	char target[PATH_BYTES + 1];
	switch (t->st.st_mode & S_IFMT) {
	case S_IFREG:
		e->type = TAR_FILE;
		return write_file(d, t, e);
	case S_IFLNK: {
		ssize_t n = readlinkat(f->fd, t->name, target, sizeof(target) - 1);
		if (n < 0)
			FAIL_ERRNO("read link");
		target[n] = 0;
		e->type = TAR_SYMLINK;
		e->mode = 0777;
		e->link = target;
		return tar_write_entry(&d->tar, e);
	}
	case S_IFIFO:
		e->type = TAR_FIFO;
		return tar_write_entry(&d->tar, e);
	default:
		e->type = S_ISCHR(t->st.st_mode) ? TAR_CHAR_DEVICE : TAR_BLOCK_DEVICE;
		e->dev_major = major(t->st.st_rdev);
		e->dev_minor = minor(t->st.st_rdev);
		return tar_write_entry(&d->tar, e);
	}
}

static fallible write_thing(struct diff *d, const struct folder *f, const struct thing *t)
{
	defer(xattr_list_done) struct xattr_list xattrs = {0};
	bool equal;
	TRY(read_attributes(f->fd, t->name, &xattrs));
	TRY(is_equal_below(d, f, t, &xattrs, &equal));
	if (equal)
		return NULL;
	struct tar_entry e = entry_of(&t->st, t->path, &xattrs);
	const char *first = first_name(d, t);
	if (!first)
		return write_other(d, f, t, &e);
	e.type = TAR_HARDLINK;
	e.link = first;
	e.n_xattrs = 0;
	return tar_write_entry(&d->tar, &e);
}

static fallible write_whiteout(struct diff *d, const struct folder *f, const struct thing *t)
{
	struct stat below; // what hides nothing isn't worth an entry
	if (f->lower < 0 || fstatat(f->lower, t->name, &below, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	return whiteout_entry(d, f->path, t->name);
}

// What it is is asked of the descriptor, and only a file's is opened for reading.
static fallible look(const struct folder *f, struct thing *t)
{
	if (fstatat(f->fd, t->name, &t->st, AT_SYMLINK_NOFOLLOW) < 0) {
		int sys = errno;
		struct error *e = error_system(sys, "look at it");
		return sys == ENOENT ? error_recode(e, ERROR_CORRUPT) : e;
	}
	if (!S_ISREG(t->st.st_mode))
		return NULL;
	TRY(path_open_beneath(f->fd, t->name, O_RDONLY | O_NONBLOCK, 0, &t->fd));
	if (fstat(t->fd, &t->st) < 0)
		FAIL_ERRNO("look at it");
	if (!S_ISREG(t->st.st_mode))
		return error_new(ERROR_CORRUPT, "changed while it was read");
	return NULL;
}

static fallible diff_thing(struct diff *d, const struct folder *f, const char *name,
                           struct strings *folders)
{
	auto_free char *path = NULL;
	auto_fd int fd = -1;
	TRY(join(f->path, name, &path));
	struct thing t = {.name = name, .path = path, .fd = -1};
	struct error *e = look(f, &t);
	fd = t.fd;
	TRY_AS(e, "%.200s", path);
	if (S_ISDIR(t.st.st_mode)) {
		strings_add(folders, path);
		return NULL;
	}
	if (S_ISSOCK(t.st.st_mode)) {
		if (d->r->warn && !(d->warned & DIFF_SOCKET)) {
			auto_free char *line =
				alloc_printf("%.200s: a socket, left out of the layer", path);
			d->r->warn(d->r->arg, line);
		}
		d->warned |= DIFF_SOCKET;
		return NULL;
	}
	bool hides = S_ISCHR(t.st.st_mode) && !t.st.st_rdev;
	TRY_AS(hides ? write_whiteout(d, f, &t) : write_thing(d, f, &t), "%.200s", path);
	return NULL;
}

// --- directories
// ----------------------------------------------------------------------------------

static fallible list(struct diff *d, int dirfd, struct strings *ret)
{
	TRY(tree_names(dirfd, ".", ret));
	d->n_names += ret->n;
	if (d->n_names > NAMES_MAX)
		return error_new(ERROR_LIMIT, "more than %d files", NAMES_MAX);
	for (size_t i = 0; i < ret->n; i++)
		if (text_starts(ret->items[i], ".wh."))
			return error_new(ERROR_INVALID,
			                 "%.255s: a layer can't hold this name: it would be read "
			                 "as the removal of another file",
			                 ret->items[i]);
	return NULL;
}

static fallible write_folder(struct diff *d, const struct folder *f, bool opaque)
{
	defer(xattr_list_done) struct xattr_list xattrs = {0};
	struct stat st;
	if (fstat(f->fd, &st) < 0)
		FAIL_ERRNO("look at it");
	TRY(read_xattrs(f->fd, NULL, &xattrs));
	auto_free char *name = *f->path ? alloc_printf("%s/", f->path) : alloc_string("./");
	struct tar_entry e = entry_of(&st, name, &xattrs);
	e.type = TAR_DIRECTORY;
	if (*f->path || d->r->with_root)
		TRY(tar_write_entry(&d->tar, &e));
	return opaque ? whiteout_entry(d, f->path, ".wh..opq") : NULL;
}

// The directory of that name below; -1 if there is none, something else, or a link on the way.
static fallible open_below(const struct diff *d, const char *path, int *ret)
{
	*ret = -1;
	if (d->r->lower_dirfd < 0)
		return NULL;
	struct error *e = path_open_beneath(d->r->lower_dirfd, *path ? path : ".",
	                                    O_RDONLY | O_DIRECTORY, 0, ret);
	if (error_is(e, ERROR_NOT_FOUND) || (e && (e->sys == ENOTDIR || e->sys == ELOOP))) {
		error_drop(&e); // new in this layer
		*ret = -1;
	}
	return e;
}

static bool is_hidden(const struct diff *d, const char *path)
{
	for (size_t i = strlen(path); i; i--)
		if ((!path[i] || path[i] == '/') && path_set_has(&d->opaque, path, i))
			return true;
	return path_set_has(&d->opaque, "", 0);
}

static fallible diff_folder(struct diff *d, const char *path)
{
	auto_fd int fd = -1, lower = -1;
	bool opaque = false;
	TRY(path_open_beneath(d->r->upper_dirfd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0,
	                      &fd));
	if (!is_hidden(d, path))
		TRY(open_below(d, path, &lower));
	TRY(d->r->is_opaque(d->r->arg, fd, &opaque));
	if (opaque)
		TRY(path_set_add(&d->opaque, path));
	struct folder f = {path, fd, opaque ? -1 : lower};
	// What is new hides nothing.
	TRY(write_folder(d, &f, opaque && lower >= 0));
	auto_strings struct strings names = {0}, folders = {0};
	TRY(list(d, fd, &names));
	for (size_t i = 0; i < names.n; i++)
		TRY(diff_thing(d, &f, names.items[i], &folders));
	while (folders.n)
		strings_adopt(&d->todo, folders.items[--folders.n]);
	return NULL;
}

static fallible diff_all(struct diff *d)
{
	strings_add(&d->todo, "");
	while (d->todo.n) {
		auto_free char *path = d->todo.items[--d->todo.n];
		struct error *e = diff_folder(d, path);
		if (error_is(e, ERROR_NOT_FOUND))
			e = error_recode(e, ERROR_CORRUPT); // it was listed
		TRY_AS(e, "/%.200s", path);
	}
	return tar_write_end(&d->tar);
}

static void diff_done(struct diff *d)
{
	strings_done(&d->todo);
	path_set_done(&d->opaque);
	for (size_t i = 0; i < d->links_capacity; i++)
		free(d->links[i].path);
	free(d->links);
	free(d->buffer);
	free(d->other);
}

fallible layer_diff(const struct layer_diff_request *r)
{
	defer(diff_done) struct diff d = {.r = r,
	                                  .tar = {.sink = {layer_packer_put, r->packer}},
	                                  .buffer = alloc(PIECE_SIZE),
	                                  .other = alloc(PIECE_SIZE)};
	return diff_all(&d);
}
