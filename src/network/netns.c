// SPDX-License-Identifier: Apache-2.0
// Namespaces with a name: NETNS_DIR/cni-<guid>, a bind mount of the kernel's file, as `ip netns`
// makes them. The folder is a shared mount, so that a pin made in one mount namespace is seen in
// the others that had it before.
#include "network/link.h"
#include "network/network.h"
#include "network/paths.h"
#include "network/visit.h"
#include "sys/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

fallible network_loopback_up(int netns_fd)
{
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open_in(netns_fd, NETLINK_ROUTE, &n));
	auto_request struct netlink_request r = NETLINK_REQUEST;
	link_set_up(&r, LOOPBACK_INDEX, "bring lo up");
	return netlink_talk(&n, &r, NULL, NULL);
}

fallible network_guid_new(char ret[static NETWORK_GUID_SIZE])
{
	random_guid(ret);
	return NULL;
}

bool network_guid_is_valid(const char *guid)
{
	if (!guid || strlen(guid) != NETWORK_GUID_SIZE - 1)
		return false;
	for (size_t i = 0; guid[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? guid[i] != '-' : !strchr("0123456789abcdef", guid[i]))
			return false;
	}
	return true;
}

static fallible check_guid(const char *guid)
{
	if (network_guid_is_valid(guid))
		return NULL;
	return error_new(ERROR_INVALID, "\"%.64s\" is not a GUID", guid ? guid : "");
}

char *network_namespace_path(const struct network_paths *paths, const char *guid)
{
	return alloc_printf("%s/cni-%s", paths_netns_dir(paths), guid);
}

// Opens the folder of pins, a shared mount from now on. Returned with flock(2) held, the lock that
// `ip netns` takes as well; under it a pin without a namespace is the rest of a killed process.
static fallible open_locked(const struct network_paths *paths, int *ret)
{
	const char *dir = paths_netns_dir(paths);
	auto_fd int fd = -1;
	TRY(path_make_dirs(dir, 0755, &fd));
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("lock %s", dir);
	if (mount(NULL, dir, NULL, MS_SHARED | MS_REC, NULL) < 0) {
		if (errno != EINVAL) // EINVAL: no mount point yet
			FAIL_ERRNO("make %s shared", dir);
		if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) < 0)
			FAIL_ERRNO("bind %s", dir);
		if (mount(NULL, dir, NULL, MS_SHARED | MS_REC, NULL) < 0)
			FAIL_ERRNO("make %s shared", dir);
	}
	*ret = fd_take(&fd);
	return NULL;
}

static fallible make_namespace(int *ret)
{
	auto_fd int home = open(VISIT_OWN, O_RDONLY | O_CLOEXEC);
	if (home < 0)
		FAIL_ERRNO("open %s", VISIT_OWN);
	if (unshare(CLONE_NEWNET) < 0)
		FAIL_ERRNO("new network namespace");
	int fd = open(VISIT_OWN, O_RDONLY | O_CLOEXEC);
	struct error *e = fd < 0 ? error_system(errno, "open %s", VISIT_OWN) : NULL;
	struct visit visit = {.home = fd_take(&home)};
	e = error_join(e, visit_leave(&visit));
	if (!e)
		*ret = fd;
	return e;
}

// Pins `netns` under the lock of open_locked().
static fallible pin(const char *path, int netns)
{
	auto_fd int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		FAIL_ERRNO("create %s", path);
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		FAIL_ERRNO("statfs %s", path);
	if (fs.f_type == NSFS_MAGIC)
		return error_new(ERROR_EXISTS, "namespace %s: already exists", path);
	auto_free char *source = alloc_printf("/proc/self/fd/%d", netns);
	if (mount(source, path, NULL, MS_BIND, NULL) < 0) {
		int sys = errno;
		ignore(unlink(path)); // the next attempt takes it over
		return error_system(sys, "pin %s", path);
	}
	return NULL;
}

fallible network_namespace_create(const struct network_paths *paths, const char *store_id,
                                  const char *guid, int *ret_fd)
{
	TRY(check_guid(guid));
	auto_free char *path = network_namespace_path(paths, guid);
	auto_free char *record = alloc_printf("netns-%s", guid);
	auto_fd int store = -1, netns = -1, dir = -1;
	TRY(make_namespace(&netns));
	TRY_AS(network_loopback_up(netns), "namespace %s", guid);
	TRY(paths_open_store(paths, store_id, true, &store));
	TRY(open_locked(paths, &dir));
	bool had_record = faccessat(store, record, F_OK, 0) == 0;
	auto_fd int fd = openat(store, record, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		FAIL_ERRNO("record of namespace %s", guid);
	struct error *e = pin(path, netns);
	if (e) {
		// EXISTS: a pin that isn't ours must not become ours by a record.
		if (!had_record)
			ignore(unlinkat(store, record, 0)); // an empty record is harmless
		return e;
	}
	*ret_fd = fd_take(&netns);
	return NULL;
}

fallible network_namespace_open(const struct network_paths *paths, const char *path_or_guid,
                                int *ret_fd)
{
	auto_free char *path = network_guid_is_valid(path_or_guid)
	                               ? network_namespace_path(paths, path_or_guid)
	                               : alloc_string(path_or_guid);
	// Not O_NONBLOCK's business: a FIFO or device here is refused below, but must not block us.
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		int sys = errno;
		struct error *e = error_system(sys, "open namespace %s", path);
		return sys == ENOENT || sys == ESRCH ? error_recode(e, ERROR_NOT_FOUND) : e;
	}
	TRY(visit_check_netns(fd, path));
	*ret_fd = fd_take(&fd);
	return NULL;
}

static fallible unpin(const char *path)
{
	// Several mounts may lie on one another; EINVAL: none is left.
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	if (errno != EINVAL && errno != ENOENT)
		FAIL_ERRNO("unmount %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		FAIL_ERRNO("remove %s", path);
	return NULL;
}

fallible network_namespace_delete(const struct network_paths *paths, const char *store_id,
                                  const char *guid)
{
	TRY(check_guid(guid));
	auto_free char *path = network_namespace_path(paths, guid);
	TRY(unpin(path));
	auto_fd int store = -1;
	struct error *e = paths_open_store(paths, store_id, false, &store);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // this store never made one
	TRY(e);
	auto_free char *record = alloc_printf("netns-%s", guid);
	if (store >= 0 && unlinkat(store, record, 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("remove record of namespace %s", guid);
	return NULL;
}

fallible network_namespace_list(const struct network_paths *paths, const char *store_id,
                                struct strings *ret)
{
	const char *prefix = store_id ? "netns-" : "cni-";
	auto_fd int fd = -1;
	struct error *e = store_id ? paths_open_store(paths, store_id, false, &fd)
	                           : path_open_dir(paths_netns_dir(paths), &fd);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // no folder, no namespaces
		return NULL;
	}
	TRY(e);
	DIR *dir = fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("list namespaces");
	fd = -1; // the stream's now
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir)))
		if (text_starts(entry->d_name, prefix) &&
		    network_guid_is_valid(entry->d_name + strlen(prefix)))
			strings_add(ret, entry->d_name + strlen(prefix));
	int sys = errno;
	closedir(dir);
	if (sys)
		return error_system(sys, "list namespaces");
	strings_sort(ret);
	return NULL;
}
