// SPDX-License-Identifier: Apache-2.0
#include "kernel/namespace.h"
#include "base/text.h"
#include "kernel/process.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef NS_GET_NSTYPE
#define NS_GET_NSTYPE _IO(0xb7, 0x3)
#endif

const struct namespace_kind namespace_kinds[NAMESPACE_KINDS] = {
	// clang-format off
	{"user",    "user",   CLONE_NEWUSER},
	{"cgroup",  "cgroup", CLONE_NEWCGROUP},
	{"ipc",     "ipc",    CLONE_NEWIPC},
	{"uts",     "uts",    CLONE_NEWUTS},
	{"network", "net",    CLONE_NEWNET},
	{"pid",     "pid",    CLONE_NEWPID},
	{"time",    "time",   CLONE_NEWTIME},
	{"mount",   "mnt",    CLONE_NEWNS},
	// clang-format on
};

const struct namespace_kind *namespace_find(const char *type)
{
	for (size_t i = 0; i < NAMESPACE_KINDS; i++) {
		if (strcmp(namespace_kinds[i].type, type) == 0)
			return &namespace_kinds[i];
	}
	return NULL;
}

int namespace_clone(const struct namespace_clone *c, pid_t *ret_pid, int *ret_pidfd)
{
	const uint64_t possible = CLONE_NEWUSER | CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWUTS |
	                          CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_PARENT;
	if (c->flags & ~possible)
		return EINVAL;
	int pidfd = -1;
	struct clone_args args = {
		.flags = c->flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = (uint64_t)c->exit_signal,
	};
	if (c->cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)c->cgroup;
	}
	// The raw call: no handlers of pthread_atfork, which the child could not afford.
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return errno;
	*ret_pid = (pid_t)pid;
	if (pid > 0)
		*ret_pidfd = pidfd;
	return 0;
}

int namespace_enter_process(int pidfd, uint64_t flags)
{
	return setns(pidfd, (int)flags) < 0 ? errno : 0;
}

int namespace_enter(int fd, uint64_t flag)
{
	return setns(fd, (int)flag) < 0 ? errno : 0;
}

fallible namespace_open(const struct namespace_kind *kind, const char *path, int *ret)
{
	// O_NONBLOCK: the path is foreign and may be a FIFO.
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_new(ERROR_NOT_FOUND, "%s namespace %s: not found", kind->type, path);
	if (fd < 0)
		FAIL_ERRNO("%s namespace %s", kind->type, path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return error_new(ERROR_INVALID, "%s: not a namespace", path);
	if ((uint64_t)type != kind->clone_flag)
		return error_new(ERROR_INVALID, "%s: not a %s namespace", path, kind->type);
	*ret = fd_take(&fd);
	return NULL;
}

static bool overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
	return (uint64_t)a < (uint64_t)b + n_b && (uint64_t)b < (uint64_t)a + n_a;
}

static fallible map_text(const char *what, const struct id_map *maps, size_t n, struct str *text)
{
	if (n == 0)
		return error_new(ERROR_INVALID, "%s: empty", what);
	for (size_t i = 0; i < n && i <= ID_MAPS_MAX; i++) {
		const struct id_map *m = &maps[i];
		if (m->count == 0 || (uint64_t)m->inside + m->count > UINT32_MAX ||
		    (uint64_t)m->outside + m->count > UINT32_MAX)
			return error_new(ERROR_INVALID, "%s: %u:%u:%u is no range of IDs", what,
			                 m->inside, m->outside, m->count);
		for (size_t j = 0; j < i; j++) {
			if (overlap(m->inside, m->count, maps[j].inside, maps[j].count) ||
			    overlap(m->outside, m->count, maps[j].outside, maps[j].count))
				return error_new(ERROR_INVALID, "%s: %u:%u:%u overlaps another",
				                 what, m->inside, m->outside, m->count);
		}
		str_printf(text, "%u %u %u\n", m->inside, m->outside, m->count);
	}
	if (n > ID_MAPS_MAX || text->over)
		return error_new(ERROR_INVALID, "%s: too many ranges", what);
	return NULL;
}

static fallible open_process(pid_t pid, int *ret)
{
	auto_free char *path = alloc_printf("/proc/%d", (int)pid);
	*ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0 && errno == ENOENT)
		return error_new(ERROR_NOT_FOUND, "process %d: not found", (int)pid);
	if (*ret < 0)
		FAIL_ERRNO("process %d", (int)pid);
	return NULL;
}

fallible id_maps_write(pid_t pid, const struct id_maps *maps, bool deny_setgroups)
{
	// The kernel takes a map in one write of less than a page.
	auto_str struct str uid_text = STR_LIMIT(4095), gid_text = STR_LIMIT(4095);
	TRY(map_text("uid map", maps->uids, maps->n_uids, &uid_text));
	TRY(map_text("gid map", maps->gids, maps->n_gids, &gid_text));
	auto_fd int proc = -1;
	TRY(open_process(pid, &proc));
	if (deny_setgroups)
		TRY_AS(file_write_value(proc, "setgroups", "deny"), "process %d", (int)pid);
	TRY_AS(file_write_value(proc, "uid_map", uid_text.bytes), "process %d", (int)pid);
	TRY_AS(file_write_value(proc, "gid_map", gid_text.bytes), "process %d", (int)pid);
	return NULL;
}

// Lines of three numbers, as the kernel writes them.
static fallible read_map(int proc, const char *name, struct arena *arena, struct id_map **ret,
                         size_t *ret_n)
{
	auto_free char *text = NULL;
	TRY(file_read(proc, name, 1 << 16, &text, NULL));
	*ret = arena_alloc(arena, ID_MAPS_MAX * sizeof **ret);
	size_t n = 0;
	for (const char *line = text; *line && n < ID_MAPS_MAX; line = strchr(line, '\n') + 1) {
		struct id_map *m = &(*ret)[n++];
		if (sscanf(line, "%" SCNu32 "%" SCNu32 "%" SCNu32, &m->inside, &m->outside,
		           &m->count) != 3 ||
		    !strchr(line, '\n'))
			return error_new(ERROR_INVALID, "%s: \"%.64s\" is no range of IDs", name,
			                 line);
	}
	*ret_n = n;
	return NULL;
}

fallible id_maps_read(pid_t pid, struct arena *arena, struct id_maps *ret, bool *ret_denies_groups)
{
	auto_fd int proc = -1;
	TRY(open_process(pid, &proc));
	TRY(read_map(proc, "uid_map", arena, &ret->uids, &ret->n_uids));
	TRY(read_map(proc, "gid_map", arena, &ret->gids, &ret->n_gids));
	auto_free char *groups = NULL;
	TRY(file_read(proc, "setgroups", 64, &groups, NULL));
	*ret_denies_groups = !strncmp(groups, "deny", 4);
	return NULL;
}

int64_t id_map_outside(const struct id_map *maps, size_t n, uint32_t inside)
{
	for (size_t i = 0; i < n; i++) {
		if (inside >= maps[i].inside && inside - maps[i].inside < maps[i].count)
			return (int64_t)maps[i].outside + (inside - maps[i].inside);
	}
	return -1;
}
