// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"
#include "kernel/cgroup_tree.h"
#include "sys/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, PATH_SIZE_MAX = 4096, RACES_MAX = 100, GROUPS_MAX = 1 << 20 };

static bool is_writable(int fd)
{
	return faccessat(fd, ".", W_OK, AT_EACCESS) == 0; // EROFS too
}

static int open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// The folder if it is of that kind; -1: it is not there, or not for us, or of another kind.
// Whatever else keeps us from looking is an error: for the wrong hierarchy every group is gone and
// nobody lives.
static fallible find(int dirfd, const char *name, long magic, int *ret)
{
	struct statfs fs;
	*ret = -1;
	auto_fd int fd = open_dir(dirfd, name);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EPERM))
		return NULL;
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		FAIL_ERRNO("cgroups: %s", name);
	if (fs.f_type == magic)
		*ret = fd_take(&fd);
	return NULL;
}

// A v2 hierarchy exists in every kernel; one that is mounted nowhere can be had for ourselves.
static int mount_v2(void)
{
	auto_fd int fs = fsopen("cgroup2", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	auto_fd int mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return mount < 0 ? -1 : open_dir(mount, ".");
}

static fallible find_v1(struct cgroups *c, int top)
{
	static const char *const names[V1_HIERARCHIES] = {
		[V1_MEMORY] = "memory", [V1_CPU] = "cpu",         [V1_CPUSET] = "cpuset",
		[V1_PIDS] = "pids",     [V1_DEVICES] = "devices", [V1_BLKIO] = "blkio",
	};
	for (int i = 0; i < V1_HIERARCHIES; i++) {
		int found;
		TRY(find(top, names[i], CGROUP_SUPER_MAGIC, &found));
		auto_fd int fd = found;
		if (fd >= 0 && is_writable(fd))
			c->v1[i] = fd_take(&fd);
	}
	return NULL;
}

static fallible find_all(struct cgroups *c)
{
	TRY(find(AT_FDCWD, "/sys/fs/cgroup", CGROUP2_SUPER_MAGIC, &c->v2));
	if (c->v2 >= 0)
		return NULL;
	auto_fd int top = open_dir(AT_FDCWD, "/sys/fs/cgroup");
	if (top < 0)
		return NULL;
	TRY(find_v1(c, top));
	return find(top, "unified", CGROUP2_SUPER_MAGIC, &c->v2);
}

// Our own v2 group: where somebody without rights at the root may have been given some.
static int open_own_group(int root)
{
	auto_free char *text = NULL;
	auto_error struct error *e =
		file_read(AT_FDCWD, "/proc/self/cgroup", 64 << 10, &text, NULL);
	if (e)
		return -1;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		if (text_starts(line, "0::/"))
			return open_dir(root, line[4] ? line + 4 : ".");
	}
	return -1;
}

static void choose_base(struct cgroups *c)
{
	if (c->v2 < 0)
		return;
	c->is_v2_writable = is_writable(c->v2);
	if (!c->is_v2_writable) {
		auto_fd int own = open_own_group(c->v2);
		if (own >= 0 && is_writable(own)) {
			close(c->v2);
			c->v2 = fd_take(&own);
			c->is_v2_writable = true;
		}
	}
	auto_free char *list = NULL;
	auto_error struct error *e = file_read(c->v2, "cgroup.controllers", 4096, &list, NULL);
	if (e) // no list: no controllers
		return;
	for (char *s = list; *s; s++) {
		if (*s == '\n')
			*s = ' ';
	}
	free(c->v2_controllers);
	c->v2_controllers = alloc_printf(" %s ", list);
}

fallible cgroups_open(struct cgroups **ret)
{
	auto_cgroups struct cgroups *c = alloc(sizeof(*c));
	*c = (struct cgroups){.v2 = -1, .v2_controllers = alloc_string("")};
	for (int i = 0; i < V1_HIERARCHIES; i++)
		c->v1[i] = -1;
	TRY(find_all(c));
	if (c->v2 < 0)
		c->v2 = mount_v2();
	choose_base(c);
	*ret = take(&c);
	return NULL;
}

void cgroups_close(struct cgroups *c)
{
	if (!c)
		return;
	if (c->v2 >= 0)
		close(c->v2);
	for (int i = 0; i < V1_HIERARCHIES; i++) {
		if (c->v1[i] >= 0)
			close(c->v1[i]);
	}
	free(c->v2_controllers);
	free(c);
}

bool cgroups_has_v2(const struct cgroups *c, const char *controller)
{
	auto_free char *word = alloc_printf(" %s ", controller);
	return c->is_v2_writable && strstr(c->v2_controllers, word);
}

// ---- Paths --------------------------------------------------------------------------------------

static fallible check_path(const char *path, const char **ret)
{
	while (*path == '/')
		path++;
	unsigned depth = 0;
	bool bad = !*path || strlen(path) >= PATH_SIZE_MAX || strchr(path, '\n');
	for (const char *name = path; !bad && name; depth++) {
		size_t n = strcspn(name, "/");
		bad = n == 0 || n > 255 || (n <= 2 && strspn(name, ".") >= n);
		name = name[n] ? name + n + 1 : NULL;
	}
	if (bad || depth > DEPTH_MAX)
		return error_new(ERROR_INVALID, "cgroup \"%.255s\": not a path of 1 to %d names",
		                 path, DEPTH_MAX);
	*ret = path;
	return NULL;
}

// Copies the name at *path and moves on; false behind the last.
static bool next_name(const char **path, char name[256])
{
	if (!**path)
		return false;
	size_t n = strcspn(*path, "/");
	memcpy(name, *path, n);
	name[n] = 0;
	*path += n;
	*path += **path == '/';
	return true;
}

static int make_path_once(int root, const char *path, bool exclusive, int *ret)
{
	char name[256];
	auto_fd int fd = open_dir(root, ".");
	while (fd >= 0 && next_name(&path, name)) {
		bool is_there = mkdirat(fd, name, 0755) < 0;
		if (is_there && (errno != EEXIST || (exclusive && !*path)))
			return errno;
		int child = open_dir(fd, name);
		if (child < 0)
			return errno;
		close(fd);
		fd = child;
	}
	if (fd < 0)
		return errno;
	*ret = fd_take(&fd);
	return 0;
}

int cgroup_make_path(int root, const char *path, bool exclusive, int *ret)
{
	// Whoever removes the last container of a namespace removes the parents too, perhaps
	// between our two calls: ENOENT, or ENODEV from a group that is dying. Then again from the
	// top.
	int sys = ENOENT;
	for (int i = 0; i < RACES_MAX && (sys == ENOENT || sys == ENODEV); i++)
		sys = make_path_once(root, path, exclusive, ret);
	return sys;
}

int cgroup_open_path(int root, const char *path, int *ret)
{
	int fd = open_dir(root, *path ? path : ".");
	if (fd < 0)
		return errno;
	*ret = fd;
	return 0;
}

bool cgroup_first_child(int fd, char *name)
{
	int copy = open_dir(fd, "."); // an own offset
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	bool found = false;
	for (struct dirent *d; !found && (d = readdir(dir));) {
		found = cgroup_is_child(d);
		if (found)
			memcpy(name, d->d_name, strlen(d->d_name) + 1);
	}
	closedir(dir);
	return found;
}

// ---- Groups -------------------------------------------------------------------------------------

static struct cgroup *new_group(const struct cgroups *c, const char *path, int v2)
{
	struct cgroup *g = alloc(sizeof(*g));
	*g = (struct cgroup){c, alloc_string(path), v2};
	return g;
}

fallible cgroup_create(const struct cgroups *c, const char *path, struct cgroup **ret)
{
	TRY(check_path(path, &path));
	if (c->v2 < 0 || !c->is_v2_writable)
		return error_new(ERROR_UNSUPPORTED, "no cgroup hierarchy can be written to");
	int fd = -1;
	int sys = cgroup_make_path(c->v2, path, true, &fd);
	if (sys == EEXIST)
		return error_new(ERROR_EXISTS, "cgroup %s exists", path);
	if (sys == EACCES || sys == EPERM || sys == EROFS)
		return error_new(ERROR_UNSUPPORTED, "cgroup %s: %s", path, strerror(sys));
	if (sys)
		return error_system(sys, "cgroup %s", path);
	*ret = new_group(c, path, fd);
	return NULL;
}

fallible cgroup_open(const struct cgroups *c, const char *path, struct cgroup **ret)
{
	TRY(check_path(path, &path));
	int v2 = -1;
	int sys = c->v2 >= 0 ? cgroup_open_path(c->v2, path, &v2) : ENOENT;
	if (sys && sys != ENOENT && sys != ENODEV) // it may well be there, and somebody in it
		return error_system(sys, "cgroup %s", path);
	bool found = !sys;
	for (int i = 0; i < V1_HIERARCHIES && !found; i++) {
		struct stat st;
		found = c->v1[i] >= 0 && fstatat(c->v1[i], path, &st, 0) == 0;
	}
	if (!found)
		return error_new(ERROR_NOT_FOUND, "cgroup %s: not found", path);
	*ret = new_group(c, path, v2);
	return NULL;
}

void cgroup_free(struct cgroup *g)
{
	if (!g)
		return;
	if (g->v2 >= 0)
		close(g->v2);
	free(g->path);
	free(g);
}

int cgroup_fd(const struct cgroup *g)
{
	return g->v2;
}

// Adds what is `depth` names below; recursion no deeper than the caller's depth.
static fallible list_below(int fd, const char *path, unsigned depth, struct strings *ret)
{
	if (ret->n > GROUPS_MAX)
		return error_new(ERROR_LIMIT, "cgroup %s: too many groups", path);
	if (depth == 0) {
		strings_add(ret, path);
		return NULL;
	}
	int copy = open_dir(fd, ".");
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) { // removed meanwhile
		if (copy >= 0)
			close(copy);
		return NULL;
	}
	struct error *e = NULL;
	for (struct dirent *d; !e && (d = readdir(dir));) {
		if (!cgroup_is_child(d))
			continue;
		auto_fd int child = open_dir(fd, d->d_name);
		if (child < 0)
			continue;
		auto_free char *below = alloc_printf("%s/%s", path, d->d_name);
		e = list_below(child, below, depth - 1, ret);
	}
	closedir(dir);
	return e;
}

static void drop_doubles(struct strings *l)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (kept && strcmp(l->items[kept - 1], l->items[i]) == 0)
			free(l->items[i]);
		else
			l->items[kept++] = l->items[i];
	}
	l->n = kept;
	if (l->items)
		l->items[kept] = NULL;
}

fallible cgroups_list(const struct cgroups *c, const char *prefix, unsigned depth,
                      struct strings *ret)
{
	TRY(check_path(prefix, &prefix));
	if (depth > DEPTH_MAX)
		return error_new(ERROR_INVALID, "cgroups deeper than %d", DEPTH_MAX);
	auto_strings struct strings found = {0};
	for (int i = -1; i < V1_HIERARCHIES; i++) {
		int root = i < 0 ? c->v2 : c->v1[i], opened = -1;
		if (root < 0 || cgroup_open_path(root, prefix, &opened) != 0)
			continue;
		auto_fd int fd = opened;
		TRY(list_below(fd, prefix, depth, &found));
	}
	strings_sort(&found);
	drop_doubles(&found);
	for (size_t i = 0; i < found.n; i++)
		strings_add(ret, found.items[i]);
	return NULL;
}
