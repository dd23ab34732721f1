// SPDX-License-Identifier: Apache-2.0
// What happens to the processes of a group, and its end.
#include "base/memory.h"
#include "kernel/cgroup_tree.h"
#include "sys/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIDS_MAX = 1 << 22, EVENTS_SIZE = 512, GROUPS_MAX = 65536 };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

fallible cgroup_join(const struct cgroup *g, pid_t pid, bool born_inside)
{
	auto_free char *text = alloc_printf("%d", (int)pid);
	for (int i = -1; i < V1_HIERARCHIES; i++) {
		int root = i < 0 ? g->c->v2 : g->c->v1[i];
		if (root < 0 || (i < 0 && (born_inside || g->v2 < 0)))
			continue;
		int opened = -1;
		int sys = cgroup_open_path(root, g->path, &opened);
		auto_fd int fd = opened;
		if (sys == ENOENT) // no limit needed this hierarchy
			continue;
		if (sys)
			return error_system(sys, "cgroup %s", g->path);
		TRY_AS(file_write_value(fd, "cgroup.procs", text), "cgroup %s", g->path);
	}
	return NULL;
}

static fallible open_entrance(const struct cgroup *g, int root, int *ret)
{
	int opened = -1;
	int sys = cgroup_open_path(root, g->path, &opened);
	auto_fd int fd = opened;
	if (sys == ENOENT) // no limit needed this hierarchy
		return NULL;
	if (sys)
		return error_system(sys, "cgroup %s", g->path);
	int entrance = openat(fd, "tasks", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (entrance < 0)
		FAIL_ERRNO("cgroup %s: tasks", g->path);
	*ret = entrance;
	return NULL;
}

fallible cgroup_open_entrances(const struct cgroup *g, int ret[static CGROUP_ENTRANCES])
{
	_Static_assert((int)V1_HIERARCHIES < CGROUP_ENTRANCES, "one stays -1");
	size_t n = 0;
	for (size_t i = 0; i < CGROUP_ENTRANCES; i++)
		ret[i] = -1;
	struct error *e = NULL;
	for (int i = 0; i < V1_HIERARCHIES && !e; i++) {
		if (g->c->v1[i] < 0)
			continue;
		e = open_entrance(g, g->c->v1[i], &ret[n]);
		n += ret[n] >= 0;
	}
	while (e && n) {
		close(ret[--n]);
		ret[n] = -1;
	}
	return e;
}

int cgroup_enter(int entrance)
{
	return write(entrance, "0", 1) == 1 ? 0 : errno;
}

// ---- Events -------------------------------------------------------------------------------------

// The value of a line "key value" in a small file; false if there is none.
static bool find_value(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != ' ')
			continue;
		char digits[24] = "";
		size_t length = strspn(line + n + 1, "0123456789");
		if (length == 0 || length >= sizeof(digits))
			return false;
		memcpy(digits, line + n + 1, length);
		auto_error struct error *e = text_parse_u64(digits, 10, UINT64_MAX, ret);
		return !e;
	}
	return false;
}

// Waits until `key` of cgroup.events is `wanted`; *ret says whether it is.
static fallible wait_event(const struct cgroup *g, const char *key, uint64_t wanted, int timeout_ms,
                           bool *ret)
{
	auto_fd int fd = openat(g->v2, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && wanted == 0) { // removed: nothing is in it
		*ret = true;
		return NULL;
	}
	if (fd < 0)
		FAIL_ERRNO("cgroup %s: cgroup.events", g->path);
	int64_t end = now_ms() + timeout_ms;
	for (;;) {
		char text[EVENTS_SIZE];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		if (n < 0 && errno == ENODEV && wanted == 0) { // removed meanwhile
			*ret = true;
			return NULL;
		}
		if (n < 0)
			FAIL_ERRNO("cgroup %s: cgroup.events", g->path);
		text[n] = 0;
		uint64_t value;
		*ret = find_value(text, key, &value) && value == wanted;
		int64_t left = end - now_ms();
		if (*ret || left <= 0)
			return NULL;
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		if (poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
			FAIL_ERRNO("cgroup %s: poll", g->path);
	}
}

fallible cgroup_wait_empty(const struct cgroup *g, int timeout_ms)
{
	bool empty = true;
	if (g->v2 >= 0)
		TRY(wait_event(g, "populated", 0, timeout_ms, &empty));
	if (!empty)
		return error_new(ERROR_BUSY, "cgroup %s: processes are left after %d ms", g->path,
		                 timeout_ms);
	return NULL;
}

static fallible set_frozen(const struct cgroup *g, bool frozen, int timeout_ms)
{
	if (g->v2 < 0)
		return error_new(ERROR_NOT_FOUND, "cgroup %s: not found", g->path);
	struct error *e = file_write_value(g->v2, "cgroup.freeze", frozen ? "1" : "0");
	if (e && e->sys == ENODEV) // removed between our open and our write
		e = error_recode(e, ERROR_NOT_FOUND);
	TRY_AS(e, "cgroup %s", g->path);
	bool done = false;
	TRY(wait_event(g, "frozen", frozen, timeout_ms, &done));
	if (!done)
		return error_new(ERROR_LIMIT, "cgroup %s: not %s after %d ms", g->path,
		                 frozen ? "frozen" : "thawed", timeout_ms);
	return NULL;
}

fallible cgroup_freeze(const struct cgroup *g, int timeout_ms)
{
	return set_frozen(g, true, timeout_ms);
}

fallible cgroup_thaw(const struct cgroup *g, int timeout_ms)
{
	return set_frozen(g, false, timeout_ms);
}

fallible cgroup_is_frozen(const struct cgroup *g, bool *ret)
{
	*ret = false;
	return g->v2 < 0 ? NULL : wait_event(g, "frozen", 1, 0, ret);
}

// ---- Processes ----------------------------------------------------------------------------------

static fallible add_pids(int group, pid_t **pids, size_t *n, size_t *capacity)
{
	auto_free char *text = NULL;
	TRY(file_read(group, "cgroup.procs", (size_t)PIDS_MAX * 8, &text, NULL));
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		uint64_t pid;
		if (!*line)
			continue;
		TRY(text_parse_u64(line, 10, INT32_MAX, &pid));
		if (pid == 0) // of another pid namespace: not ours to name
			continue;
		if (*n >= PIDS_MAX)
			return error_new(ERROR_LIMIT, "more than %d processes", PIDS_MAX);
		alloc_grow(pids, capacity, *n, sizeof(**pids));
		(*pids)[(*n)++] = (pid_t)pid;
	}
	return NULL;
}

// The names below `path` into the list; groups come and go, so what isn't there is no error.
static fallible add_children(int root, const char *path, struct strings *list)
{
	int fd = -1;
	if (cgroup_open_path(root, path, &fd) != 0)
		return NULL;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return NULL;
	}
	struct error *e = NULL;
	for (struct dirent *d; !e && (d = readdir(dir));) {
		if (!cgroup_is_child(d))
			continue;
		strings_adopt(list, alloc_printf("%s%s%s", path, *path ? "/" : "", d->d_name));
		if (list->n > GROUPS_MAX)
			e = error_new(ERROR_LIMIT, "more than %d groups", GROUPS_MAX);
	}
	closedir(dir);
	return e;
}

fallible cgroup_processes(const struct cgroup *g, pid_t **ret, size_t *ret_n)
{
	auto_free pid_t *pids = NULL;
	size_t n = 0, capacity = 0;
	auto_strings struct strings groups = {0};
	strings_add(&groups, "");
	for (size_t i = 0; g->v2 >= 0 && i < groups.n; i++) {
		int opened = -1;
		// A path over 4096 bytes (a container may nest that deep) is ENAMETOOLONG: said.
		int sys = cgroup_open_path(g->v2, groups.items[i], &opened);
		auto_fd int fd = opened;
		if (sys == ENOENT || sys == ENODEV)
			continue;
		if (sys)
			return error_system(sys, "cgroup %s", g->path);
		auto_error struct error *e = add_pids(fd, &pids, &n, &capacity);
		// A threaded group (EOPNOTSUPP) has no processes of its own: they are counted above
		// it.
		if (e && e->sys != ENODEV && e->sys != EOPNOTSUPP && !error_is(e, ERROR_NOT_FOUND))
			return error_prefix(take(&e), "cgroup %s", g->path);
		TRY_AS(add_children(g->v2, groups.items[i], &groups), "cgroup %s", g->path);
	}
	*ret = take(&pids);
	*ret_n = n;
	return NULL;
}

// A removed group can still be held by descriptor; there is nothing in it.
static bool is_removed(const struct cgroup *g)
{
	return faccessat(g->v2, "cgroup.procs", F_OK, 0) < 0 &&
	       (errno == ENOENT || errno == ENODEV);
}

fallible cgroup_signal(const struct cgroup *g, int signal)
{
	if (g->v2 < 0)
		return NULL;     // only leftovers in v1 hierarchies
	if (signal == SIGKILL) { // all at once, also frozen ones, below and being forked (5.14)
		struct error *e = file_write_value(g->v2, "cgroup.kill", "1");
		if (e && is_removed(g))
			error_drop(&e); // since it was opened: then nobody was in it
		return error_prefix(e, "cgroup %s", g->path);
	}
	auto_free pid_t *pids = NULL;
	size_t n;
	TRY(cgroup_processes(g, &pids, &n));
	for (size_t i = 0; i < n; i++) {
		if (kill(pids[i], signal) < 0 && errno != ESRCH)
			FAIL_ERRNO("signal %d to process %d", signal, (int)pids[i]);
	}
	return NULL;
}

// ---- The end ------------------------------------------------------------------------------------

// Removes all groups below `fd`, however deep the container nested them, with two descriptors: the
// way up is "..". 0 or an errno (EBUSY: a process is in one).
static int remove_below(int group)
{
	char name[256];
	size_t depth = 0;
	bool came_up = false; // the first child has been found empty already
	auto_fd int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0) {
		if (!cgroup_first_child(fd, name)) {
			if (depth == 0)
				return 0;
			int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			close(fd);
			fd = up;
			depth--;
			came_up = true;
			continue;
		}
		if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
			came_up = false;
			continue;
		}
		if ((errno != EBUSY && errno != ENOTEMPTY) || came_up)
			return errno;
		int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 && errno == ENOENT)
			continue;
		close(fd);
		fd = child;
		depth++;
	}
	return errno;
}

static int remove_in(int root, const char *path)
{
	if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return errno;
	int opened = -1;
	int sys = cgroup_open_path(root, path, &opened);
	auto_fd int fd = opened;
	if (sys)
		return sys == ENOENT || sys == ENODEV ? 0 : sys;
	sys = remove_below(fd);
	if (sys)
		return sys;
	return unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

static void remove_parents(int root, const char *path)
{
	// Only ours: with a literal path ("--cgroup") an empty parent may be somebody else's.
	auto_free char *parent = alloc_string(text_starts(path, "coracle/") ? path : "");
	for (char *slash; (slash = strrchr(parent, '/'));) {
		*slash = 0;
		if (unlinkat(root, parent, AT_REMOVEDIR) < 0)
			return; // in use by another container, or gone
	}
}

static fallible remove_one(const struct cgroup *g, int root, int64_t end)
{
	int sys;
	// A process that has ended may still be counted for a moment, and v1 tells nobody when it
	// isn't: hence the growing pauses.
	for (int64_t pause_ms = 1; (sys = remove_in(root, g->path)) == EBUSY && now_ms() < end;
	     pause_ms = pause_ms < 50 ? pause_ms * 2 : pause_ms)
		ignore(poll(NULL, 0, (int)pause_ms));
	if (sys == EBUSY)
		return error_new(ERROR_BUSY, "cgroup %s: in use", g->path);
	if (sys)
		return error_system(sys, "cgroup %s: remove", g->path);
	remove_parents(root, g->path);
	return NULL;
}

fallible cgroup_remove(const struct cgroup *g, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	TRY(cgroup_wait_empty(g, timeout_ms));
	struct error *e = NULL;
	// v2 last: as long as it is there, gc finds the rest by it.
	for (int i = V1_HIERARCHIES - 1; i >= -1; i--) {
		int root = i < 0 ? g->c->v2 : g->c->v1[i];
		if (root >= 0 && (i >= 0 || !e))
			e = error_join(e, remove_one(g, root, end));
	}
	return e;
}

// ---- Figures ------------------------------------------------------------------------------------

static int open_stat_group(const struct cgroup *g, enum v1_hierarchy h)
{
	int fd = -1;
	if (g->c->v1[h] < 0)
		return g->v2 < 0 ? -1 : fcntl(g->v2, F_DUPFD_CLOEXEC, 0);
	return cgroup_open_path(g->c->v1[h], g->path, &fd) == 0 ? fd : -1;
}

static bool read_number(int group, const char *file, uint64_t *ret)
{
	auto_free char *text = NULL;
	auto_error struct error *e = file_read(group, file, 64, &text, NULL);
	if (e)
		return false;
	text[strcspn(text, "\n")] = 0;
	if (strcmp(text, "max") == 0) {
		*ret = UINT64_MAX;
		return true;
	}
	auto_error struct error *f = text_parse_u64(text, 10, UINT64_MAX, ret);
	return !f;
}

static bool read_key(int group, const char *file, const char *key, uint64_t *ret)
{
	auto_free char *text = NULL;
	auto_error struct error *e = file_read(group, file, 64 << 10, &text, NULL);
	return !e && find_value(text, key, ret);
}

fallible cgroup_read_stats(const struct cgroup *g, struct cgroup_stats *ret)
{
	struct cgroup_stats s = {0};
	const uint64_t endless = UINT64_C(1) << 62; // v1 writes "none" as the largest page count
	bool v1 = g->c->v1[V1_MEMORY] >= 0;
	auto_fd int memory = open_stat_group(g, V1_MEMORY), pids = open_stat_group(g, V1_PIDS);
	if (memory >= 0 &&
	    read_number(memory, v1 ? "memory.usage_in_bytes" : "memory.current",
	                &s.memory_usage_bytes) &&
	    read_number(memory, v1 ? "memory.limit_in_bytes" : "memory.max", &s.memory_limit_bytes))
		s.known |= CGROUP_STAT_MEMORY;
	if (s.memory_limit_bytes >= endless)
		s.memory_limit_bytes = UINT64_MAX;
	if (memory >= 0 &&
	    read_key(memory, v1 ? "memory.oom_control" : "memory.events", "oom_kill", &s.oom_kills))
		s.known |= CGROUP_STAT_OOM;
	if (pids >= 0 && read_number(pids, "pids.current", &s.pids) &&
	    read_number(pids, "pids.max", &s.pids_limit))
		s.known |= CGROUP_STAT_PIDS;
	// There without any controller.
	if (g->v2 >= 0 && read_key(g->v2, "cpu.stat", "usage_usec", &s.cpu_usage_us)) {
		s.known |= CGROUP_STAT_CPU;
		ignore(read_key(g->v2, "cpu.stat", "user_usec", &s.cpu_user_us));
		ignore(read_key(g->v2, "cpu.stat", "system_usec", &s.cpu_system_us));
	}
	*ret = s;
	return NULL;
}
