// SPDX-License-Identifier: Apache-2.0
// One entry after the other: whiteout or made, by the row of its type.
#include "layer/internal.h"
#include "layer/windows.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

void unpack_warn(struct unpack *u, enum warning kind, const char *format, ...)
{
	if (u->warned & 1U << kind || !u->r->warn)
		return;
	u->warned |= 1U << kind;
	va_list args;
	va_start(args, format);
	auto_free char *line = alloc_vprintf(format, args);
	va_end(args);
	u->r->warn(u->r->arg, line);
}

// --- making -----------------------------------------------------------------------------------

// Where an entry goes: `name` in `dir`.
struct place {
	struct dir *dir;
	char name[TAR_COMPONENT_MAX + 1];
};

typedef int make_node(const struct tar_entry *e, const struct place *p);

static int node_symlink(const struct tar_entry *e, const struct place *p)
{
	return symlinkat(e->link, p->dir->fd, p->name);
}

static int node_device(const struct tar_entry *e, const struct place *p)
{
	mode_t type = e->type == TAR_CHAR_DEVICE    ? S_IFCHR
	              : e->type == TAR_BLOCK_DEVICE ? S_IFBLK
	                                            : S_IFIFO;
	return mknodat(p->dir->fd, p->name, type | 0600, makedev(e->dev_major, e->dev_minor));
}

// What stands in the way goes; the last of a name wins.
static fallible make_other(struct unpack *u, const struct tar_entry *e, const struct place *p)
{
	const bool is_link = e->type == TAR_SYMLINK;
	make_node *const make = is_link ? node_symlink : node_device;
	struct metadata m;
	TRY(entry_metadata(u, e, &m));
	int failed = make(e, p);
	if (failed && errno == EEXIST) {
		TRY(remove_existing(u, p->dir, p->name));
		failed = make(e, p);
	}
	if (failed)
		FAIL_ERRNO("create");
	TRY(bring(u, p->dir->fd, p->name));
	return apply_to_name(u, p->dir->fd, p->name, &m, e->xattrs, e->n_xattrs, is_link);
}

static fallible next_piece(struct unpack *u, const void **ret_bytes, size_t *ret_size,
                           uint64_t *ret_offset)
{
	if (!u->first.is_read)
		return tar_read(u->tar, ret_bytes, ret_size, ret_offset);
	u->first.is_read = false;
	*ret_bytes = u->first.bytes;
	*ret_size = u->first.size;
	*ret_offset = u->first.offset;
	return NULL;
}

static fallible write_data(struct unpack *u, const struct tar_entry *e, int fd)
{
	uint64_t at = 0;
	for (;;) {
		const void *bytes;
		size_t size;
		uint64_t offset;
		TRY(next_piece(u, &bytes, &size, &offset));
		if (!size)
			break;
		if (offset != at && lseek(fd, (off_t)offset, SEEK_SET) < 0)
			FAIL_ERRNO("seek");
		TRY(fd_write_all(fd, bytes, size));
		at = offset + size;
		u->done.bytes += size;
		if (u->r->progress)
			u->r->progress(u->r->arg);
	}
	if (e->sparse && ftruncate(fd, (off_t)e->size) < 0)
		FAIL_ERRNO("set the size");
	return NULL;
}

static fallible make_file(struct unpack *u, const struct tar_entry *e, const struct place *p)
{
	enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
	struct metadata m;
	TRY(entry_metadata(u, e, &m));
	TRY(count_bytes(u, e->size));
	auto_fd int fd = openat(p->dir->fd, p->name, FLAGS, 0600);
	if (fd < 0 && errno == EEXIST) {
		TRY(remove_existing(u, p->dir, p->name));
		fd = openat(p->dir->fd, p->name, FLAGS, 0600);
	}
	if (fd < 0)
		FAIL_ERRNO("create");
	TRY(write_data(u, e, fd));
	TRY(apply_to_fd(u, fd, &m, e->xattrs, e->n_xattrs, true));
	TRY(bring(u, p->dir->fd, p->name));
	return fd_close(&fd);
}

static fallible make_directory(struct unpack *u, const struct tar_entry *e, const struct place *p)
{
	struct metadata m;
	char path[PATH_BYTES + 1];
	bool made = false;
	TRY(entry_metadata(u, e, &m));
	path[0] = 0;
	if (*p->name) { // else the root
		TRY(join_path(p->dir->path, p->name, path));
		TRY(make_dir(u, p->dir, p->name, &made));
	}
	u->root_is_set |= !*path;
	auto_dir_pin struct dir *d = NULL;
	TRY(dirs_open(u, path, &d));
	if (!made)
		TRY(clear_xattrs(u, d->fd));
	TRY(apply_to_fd(u, d->fd, &m, e->xattrs, e->n_xattrs, false));
	return dirs_remember_time(u, path, m.mtime);
}

// Go's path.Clean, ending inside the root: "." and empty components go, ".." takes one back.
static void clean_name(const char *name, char ret[TAR_NAME_MAX + 1])
{
	size_t out = 0;
	for (const char *c = name; *c;) {
		size_t size = strcspn(c, "/");
		if (size == 2 && c[0] == '.' && c[1] == '.') {
			while (out && ret[--out] != '/')
				;
		} else if (size && !(size == 1 && c[0] == '.')) {
			if (out)
				ret[out++] = '/';
			memcpy(ret + out, c, size);
			out += size;
		}
		c += size + (c[size] == '/');
	}
	ret[out] = 0;
}

// Finds where a name of the archive leads: its parent, made if need be, and the last component; ""
// for the root itself.
static fallible find_place(struct unpack *u, const char *name, struct place *ret)
{
	char clean[TAR_NAME_MAX + 1];
	clean_name(name, clean);
	const char *slash = strrchr(clean, '/');
	const char *last = slash ? slash + 1 : clean;
	size_t size = strlen(last);
	if (size > TAR_COMPONENT_MAX) // of a hard link's target: entries were checked
		return error_new(ERROR_LIMIT, "component longer than %d bytes", TAR_COMPONENT_MAX);
	TRY(dirs_enter(u, clean, slash ? (size_t)(slash - clean) : 0, &ret->dir));
	memcpy(ret->name, last, size + 1);
	return NULL;
}

static void place_done(struct place *p)
{
	if (p->dir)
		dir_release(p->dir);
}

// Both names end up as one inode. A target of a layer below is copied up first.
static fallible make_hardlink(struct unpack *u, const struct tar_entry *e, const struct place *p)
{
	defer(place_done) struct place target = {0};
	struct stat st;
	TRY_AS(find_place(u, e->link, &target), "link to %s", e->link);
	if (!*target.name)
		return error_new(ERROR_INVALID, "links to %s, a directory", e->link);
	if (target.dir == p->dir && !strcmp(target.name, p->name))
		return error_new(ERROR_INVALID, "links to itself");
	int missing = fstatat(target.dir->fd, target.name, &st, AT_SYMLINK_NOFOLLOW);
	if (missing && errno != ENOENT)
		FAIL_ERRNO("stat %s", e->link);
	if (!missing && is_whiteout(&st) && !u->r->native)
		return error_new(ERROR_INVALID, "links to %s, which isn't there", e->link);
	if (!missing && S_ISDIR(st.st_mode))
		return error_new(ERROR_INVALID, "links to %s, a directory", e->link);
	if (missing)
		TRY(copy_up(u, target.dir, target.name));
	int failed = linkat(target.dir->fd, target.name, p->dir->fd, p->name, 0);
	if (failed && errno == EEXIST) {
		TRY(remove_existing(u, p->dir, p->name));
		failed = linkat(target.dir->fd, target.name, p->dir->fd, p->name, 0);
	}
	if (failed)
		FAIL_ERRNO("link to %s", e->link);
	return u->r->native ? bring(u, p->dir->fd, p->name) : NULL;
}

// --- entries ----------------------------------------------------------------------------------

// Whether a component is one of aufs' own (".wh..wh.plnk" and what lies below it).
static bool is_aufs(const char *name)
{
	for (const char *c = name; (c = strstr(c, ".wh..wh.")); c++)
		if ((c == name || c[-1] == '/') && strcmp(c, ".wh..wh..opq") != 0)
			return true;
	return false;
}

static fallible unpack_whiteout(struct unpack *u, const struct place *p)
{
	const char *hidden = p->name + strlen(".wh.");
	if (!strcmp(p->name, ".wh..wh..opq"))
		return opaque(u, p->dir);
	if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
		return error_new(ERROR_INVALID, "invalid whiteout name");
	return whiteout(u, p->dir, hidden);
}

static fallible unpack_at(struct unpack *u, const struct tar_entry *e, const struct place *p)
{
	if (!*p->name && e->type != TAR_DIRECTORY)
		return NULL; // "/" as a file: ignored, as the others do
	if (!strncmp(p->name, ".wh.", 4))
		return unpack_whiteout(u, p);
	switch (e->type) {
	case TAR_FILE:
		return make_file(u, e, p);
	case TAR_DIRECTORY:
		return make_directory(u, e, p);
	case TAR_HARDLINK:
		return make_hardlink(u, e, p);
	case TAR_CHAR_DEVICE:
		if (!e->dev_major && !e->dev_minor) {
			unpack_warn(u, WARN_DEVICE_WHITEOUT,
			            "%s: a character device 0/0, taken for a whiteout", e->name);
			return whiteout(u, p->dir, p->name);
		}
		return make_other(u, e, p);
	default:
		return make_other(u, e, p);
	}
}

static fallible unpack_windows(struct unpack *u, const struct tar_entry *e)
{
	struct tar_entry entry;
	u->first.is_read = false;
	TRY(windows_entry(u, e, &entry));
	if (!entry.name)
		return NULL;
	defer(place_done) struct place place = {0};
	TRY(find_place(u, entry.name, &place));
	TRY(unpack_at(u, &entry, &place));
	return windows_keep_or_remove(u, place.dir->fd, place.name);
}

static fallible unpack_windows_links(struct unpack *u)
{
	for (;;) {
		struct tar_entry entry;
		TRY_AS(windows_next_link(u, &entry), "%.200s", u->name);
		if (!entry.name)
			break;
		defer(place_done) struct place place = {0};
		TRY_AS(find_place(u, entry.name, &place), "%.200s", entry.name);
		TRY_AS(unpack_at(u, &entry, &place), "%.200s", entry.name);
		TRY_AS(windows_keep_or_remove(u, place.dir->fd, place.name), "%.200s", entry.name);
	}
	windows_report(u);
	return NULL;
}

static fallible unpack_entry(struct unpack *u, const struct tar_entry *e)
{
	if (u->windows)
		return unpack_windows(u, e);
	if (is_aufs(e->name)) {
		unpack_warn(u, WARN_METADATA_NAME, "%s: metadata of aufs, left out", e->name);
		return NULL;
	}
	defer(place_done) struct place place = {0};
	TRY(find_place(u, e->name, &place));
	return unpack_at(u, e, &place);
}

static fallible begin_root(struct unpack *u)
{
	auto_dir_pin struct dir *root = NULL;
	bool is_empty = true;
	if (u->r->native)
		TRY(dir_is_empty(u->r->new_dirfd, &is_empty));
	u->root_is_set = !is_empty;     // a copy of what is below
	return dirs_open(u, "", &root); // native: remembers its time
}

// The root is as below unless the layer says otherwise. In the end, since nothing else may need
// what is below.
static fallible end_root(struct unpack *u)
{
	struct timespec mtime = {0};
	auto_dir_pin struct dir *root = NULL;
	int lower;
	if (u->root_is_set)
		return NULL;
	TRY(dirs_open(u, "", &root));
	TRY(lower_dir(u, &lower));
	if (lower >= 0) {
		TRY(inherit_dir(u, root->fd, lower, &mtime));
	} else {
		const struct metadata plain = {.mode = 0755};
		TRY(apply_to_fd(u, root->fd, &plain, NULL, 0, false));
	}
	return dirs_remember_time(u, "", mtime);
}

static fallible unpack_all(struct unpack *u)
{
	u->name = "/";
	TRY_AS(begin_root(u), "root");
	for (;;) {
		const struct tar_entry *e;
		TRY(tar_next(u->tar, &e));
		if (!e)
			break;
		u->name = e->name;
		TRY_AS(unpack_entry(u, e), "%.200s", e->name);
		if (u->r->progress)
			u->r->progress(u->r->arg);
	}
	if (u->windows)
		TRY(unpack_windows_links(u));
	TRY(hide_lower_root(u));
	TRY_AS(end_root(u), "root");
	return dirs_apply_times(u);
}

static void unpack_done(struct unpack *u)
{
	dirs_done(u);
	path_set_done(&u->opaque);
	inode_set_done(&u->brought);
	windows_state_free(u->windows);
	tar_reader_free(u->tar);
}

fallible layer_unpack(const struct layer_unpack_request *r, struct layer_unpacked *ret)
{
	struct tar_source source = {layer_stream_more, r->stream};
	defer(unpack_done) struct unpack u = {
		.r = r, .tar = tar_reader_new(&source), .lower_dirfd = r->lower_dirfd};
	for (size_t i = 0; i < DIRS; i++)
		u.dirs[i].fd = -1;
	if (r->windows)
		u.windows = windows_state_new();
	mode_t umask_before = umask(0); // modes are the archive's
	struct error *e = unpack_all(&u);
	umask(umask_before);
	TRY(e);
	*ret = u.done;
	return NULL;
}
