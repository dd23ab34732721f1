// SPDX-License-Identifier: Apache-2.0
// What the spec takes from this machine: its name, our capabilities, device nodes.
// Specification: containerd 2.1 pkg/oci/utils_unix.go (which nodes --privileged passes).
#include "engine/apparmor.h"
#include "engine/blockio.h"
#include "kernel/capability.h"
#include "sys/fd.h"
#include "sys/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEPTH_LIMIT 8
#define DEVICES_LIMIT 16384

struct list {
	struct spec_host_device **items;
	size_t *n, *capacity;
};

void spec_host_done(struct spec_host *host)
{
	for (size_t i = 0; i < host->n_devices; i++)
		free(host->devices[i].path);
	for (size_t i = 0; i < host->n_asked; i++)
		free(host->asked[i].path);
	free(host->devices);
	free(host->asked);
	free(host->hostname);
	json_free(host->block_io);
	strings_done(&host->warnings);
	*host = (struct spec_host){0};
}

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static void add(struct list *l, const char *path, const struct stat *st)
{
	alloc_grow(l->items, l->capacity, *l->n + 1, sizeof(**l->items));
	(*l->items)[(*l->n)++] = (struct spec_host_device){
		.path = alloc_string(path),
		.type = S_ISCHR(st->st_mode) ? 'c' : 'b',
		.major = major(st->st_rdev),
		.minor = minor(st->st_rdev),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
}

static bool is_skipped(const char *name, bool folder)
{
	static const char *const folders[] = {"pts",  "shm",         "fd",   "mqueue",
	                                      ".lxc", ".lxd-mounts", ".udev"};
	if (!folder)
		return !strcmp(name, "console");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (!strcmp(name, folders[i]))
			return true;
	return false;
}

// Device nodes below a folder, in the order of names; what vanishes meanwhile is passed over. The
// recursion is bounded: /dev is ours, but not endless.
static fallible walk(int dirfd, const char *path, unsigned depth, struct list *list)
{
	auto_strings struct strings names = {0};
	if (depth == DEPTH_LIMIT)
		return NULL;
	TRY_AS(tree_names(dirfd, ".", &names), "%s", path);
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;
		auto_free char *inner = alloc_printf("%s/%s", path, names.items[i]);
		if (fstatat(dirfd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			FAIL_ERRNO("error stating device path: stat %s", inner);
		}
		if (is_skipped(names.items[i], S_ISDIR(st.st_mode)))
			continue;
		if (is_device(&st) && *list->n < DEVICES_LIMIT)
			add(list, inner, &st);
		if (!S_ISDIR(st.st_mode))
			continue;
		auto_fd int sub = openat(dirfd, names.items[i],
		                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 && errno != ENOENT)
			FAIL_ERRNO("open %s", inner);
		if (sub >= 0)
			TRY(walk(sub, inner, depth + 1, list));
	}
	return NULL;
}

static bool is_cdi_name(const char *name)
{
	return *name != '/' && strchr(name, '/') && strchr(name, '=');
}

static fallible ask(const char *path, struct list *list)
{
	struct stat st;
	if (is_cdi_name(path))
		return error_new(ERROR_UNSUPPORTED,
		                 "CDI device injection failed: unresolvable CDI devices %.128s",
		                 path);
	if (stat(path, &st) < 0) {
		if (errno == ENOENT) // Go's words
			return error_new(ERROR_NOT_FOUND,
			                 "error stating device path: stat %s: "
			                 "no such file or directory",
			                 path);
		FAIL_ERRNO("error stating device path: stat %s", path);
	}
	if (S_ISDIR(st.st_mode)) {
		size_t size = strlen(path);
		while (size > 1 && path[size - 1] == '/')
			size--;
		auto_free char *trimmed = alloc_bytes(path, size);
		auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			FAIL_ERRNO("open %s", path);
		return walk(fd, trimmed, 0, list);
	}
	if (lstat(path, &st) < 0)
		FAIL_ERRNO("error stating device path: lstat %s", path);
	if (!is_device(&st))
		return error_new(ERROR_INVALID, "device %s: not a device node", path);
	add(list, path, &st);
	return NULL;
}

static fallible look(const struct spec_request *r, struct spec_host *host)
{
	struct list all = {&host->devices, &host->n_devices, &host->capacity};
	struct list asked = {&host->asked, &host->n_asked, &host->asked_capacity};
	if (r->net_host) {
		host->hostname = alloc(256);
		if (gethostname(host->hostname, 255) < 0)
			FAIL_ERRNO("gethostname");
	}
	if (r->privileged || r->cap_add.n) {
		struct capability_sets sets;
		TRY(capability_get(&sets));
		host->capabilities = sets.effective;
	}
	if (r->privileged && !r->privileged_without_host_devices) {
		auto_fd int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			FAIL_ERRNO("open /dev");
		TRY(walk(fd, "/dev", 0, &all));
	}
	for (size_t i = 0; i < r->devices.n; i++)
		TRY(ask(r->devices.items[i], &asked));
	return NULL;
}

// What a kernel or machine without it can't have, in ctr's words.
static fallible refuse_missing(const struct spec_request *r)
{
	if (r->runc_systemd_cgroup && !(r->cgroup && *r->cgroup))
		return error_new(ERROR_USAGE,
		                 "option --runc-systemd-cgroup requires --cgroup to be set, e.g. "
		                 "\"machine.slice:foo:deadbeef\"");
	if (r->runc_systemd_cgroup)
		return error_new(
			ERROR_UNSUPPORTED,
			"--runc-systemd-cgroup: coracle makes its cgroups itself, and asks no "
			"systemd");
	if (!r->apparmor_default_profile || !*r->apparmor_default_profile)
		return NULL;
	if (r->apparmor_profile && *r->apparmor_profile)
		return error_new(ERROR_USAGE,
		                 "apparmor-profile conflicts with apparmor-default-profile");
	return apparmor_have_default(r->apparmor_default_profile);
}

fallible spec_host_look(const struct spec_request *request, struct spec_host *ret)
{
	auto_spec_host struct spec_host host = {0};
	TRY(refuse_missing(request));
	TRY(look(request, &host));
	TRY(blockio_look(request, &host));
	*ret = host;
	host = (struct spec_host){0};
	return NULL;
}
