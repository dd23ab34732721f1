// SPDX-License-Identifier: Apache-2.0
// Addresses from files, in upstream's folder and format, under upstream's lock, so that both can
// use one pool:
//   DIR/<address>              "<container id>\r\n<interface>", made with O_EXCL
//   DIR/last_reserved_ip.<N>   the last address of range set N
//   DIR/lock                   flock(2)
// Ours beside it: DIR/.coracle/<hash of container and interface>.<N>, a symbolic link to
// <boot>/<address> (it leads nowhere), made before the lease. It spares reading every lease on ADD
// and DEL; without one the leases are read, as upstream does. And it says that a lease is of an
// earlier boot, whose namespaces are gone: such a lease is free. (A link lies in its inode: it
// can't be torn, nor lost where the later lease was kept.)
// An empty lease is what a power cut leaves; a writer fills it under the lock, so with the lock in
// hand it belongs to nobody.
#include "network/plugins/host_local.h"
#include "network/field.h"
#include "network/names.h"
#include "network/paths.h"
#include "network/plugins/plugin.h"
#include "sys/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { LEASE_MAX = 1024 };
#define INDEX ".coracle"

struct pool {
	int dir, lock, index; // -1 if not open
	char *lease;          // our content
	char boot[9];         // the beginning of the boot's ID
};

static void pool_close(struct pool *p)
{
	fd_cleanup_(&p->index);
	fd_cleanup_(&p->dir);
	fd_cleanup_(&p->lock); // releases it
	free(p->lease);
}

static char *index_name(const char *container_id, const char *ifname, size_t set)
{
	char key[33];
	name_key(container_id, ifname, key);
	return alloc_printf("%s.%zu", key, set);
}

// NOT_FOUND if the pool doesn't exist and `make` is false.
static fallible pool_open(const struct plugin_call *c, const char *data_dir, bool make,
                          struct pool *ret)
{
	__attribute__((cleanup(pool_close))) struct pool p = {.dir = -1, .lock = -1, .index = -1};
	auto_free char *path =
		alloc_printf("%s/%s", *data_dir ? data_dir : paths_lease_dir(c->paths), c->network);
	struct error *e = path_open_dir(path, &p.dir);
	if (e && make && error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // the network's first container
		e = path_make_dirs(path, 0755, &p.dir);
	}
	TRY(e);
	p.lock = openat(p.dir, "lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0750);
	if (p.lock < 0)
		FAIL_ERRNO("open %s/lock", path);
	while (flock(p.lock, LOCK_EX) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("lock %s/lock", path);
	TRY_AS(path_make_dir_at(p.dir, INDEX, 0755, &p.index), "%s", path);
	char boot[BOOT_ID_SIZE];
	TRY(boot_id(boot));
	snprintf(p.boot, sizeof(p.boot), "%.8s", boot);
	p.lease = alloc_printf("%s\r\n%s", c->container_id, c->ifname);
	*ret = p;
	p = (struct pool){.dir = -1, .lock = -1, .index = -1};
	return NULL;
}
#define auto_pool defer(pool_close)

// The content of a lease without blanks around it; NULL if there is none or it is unreadable.
static char *read_lease(const struct pool *p, const char *name)
{
	char *text = NULL;
	struct error *e = file_read(p->dir, name, LEASE_MAX, &text, NULL);
	if (e) {
		error_drop(&e); // not a lease of ours, whatever it is
		return NULL;
	}
	size_t n = strlen(text);
	while (n && strchr(" \t\r\n", text[n - 1]))
		text[--n] = 0;
	return text;
}

// Upstream's older leases hold the container alone.
static bool is_ours(const struct plugin_call *c, const struct pool *p, const char *lease)
{
	return lease && (strcmp(lease, p->lease) == 0 || strcmp(lease, c->container_id) == 0);
}

// --- Finding what we hold

static bool is_address_name(const char *name, struct network_address *ret)
{
	auto_error struct error *e = address_parse(name, ret);
	return !e;
}

// What the index says: the address and whether it was reserved in this boot. False: nothing.
static bool read_index(const struct pool *p, const char *name, char ret_address[static 64],
                       bool *ret_this_boot)
{
	char target[64];
	ssize_t n = readlinkat(p->index, name, target, sizeof(target) - 1);
	size_t prefix = strlen(p->boot) + 1;
	if (n <= (ssize_t)prefix)
		return false;
	target[n] = 0;
	*ret_this_boot = strncmp(target, p->boot, prefix - 1) == 0 && target[prefix - 1] == '/';
	snprintf(ret_address, 64, "%s", target + prefix);
	struct network_address a;
	return is_address_name(ret_address, &a); // nothing else becomes a path
}

// Names of the leases that are ours: by the index, else by reading all.
static fallible find_leases(const struct plugin_call *c, const struct pool *p, struct strings *ret)
{
	for (size_t set = 0; set < SETS_MAX; set++) {
		auto_free char *name = index_name(c->container_id, c->ifname, set);
		char address[64];
		bool this_boot;
		if (!read_index(p, name, address, &this_boot))
			break;
		auto_free char *lease = read_lease(p, address);
		// Empty: of an ADD that was killed between making and filling it.
		if (lease && (!*lease || is_ours(c, p, lease)))
			strings_add(ret, address);
	}
	if (ret->n)
		return NULL;
	int fd = fcntl(p->dir, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		FAIL_ERRNO("list leases of %s", c->network);
	rewinddir(dir);
	struct dirent *entry;
	struct network_address a;
	while ((errno = 0, entry = readdir(dir))) {
		if (!is_address_name(entry->d_name, &a))
			continue;
		auto_free char *lease = read_lease(p, entry->d_name);
		if (is_ours(c, p, lease))
			strings_add(ret, entry->d_name);
	}
	int sys = errno;
	closedir(dir);
	return sys ? error_system(sys, "list leases of %s", c->network) : NULL;
}

// --- Reserving

// Is a lease nobody's? An empty one is; one of ours from an earlier boot is, too. Another
// program's never is: it has no index.
static bool is_free(const struct pool *p, const char *address, const char *lease)
{
	const char *end = strstr(lease, "\r\n");
	if (!*lease)
		return true;
	if (!end)
		return false;
	auto_free char *id = alloc_bytes(lease, (size_t)(end - lease));
	for (size_t set = 0; set < SETS_MAX; set++) {
		auto_free char *name = index_name(id, end + 2, set);
		char held[64];
		bool this_boot;
		if (!read_index(p, name, held, &this_boot))
			return false;
		if (strcmp(held, address) == 0)
			return !this_boot;
	}
	return false;
}

// *ret: the address is ours now; false: it is taken.
static fallible reserve(const struct plugin_call *c, const struct pool *p,
                        const struct network_address *a, size_t set, bool *ret)
{
	auto_free char *name = network_address_print(a);
	// A taken address is the usual case in a full pool: look before the link is made.
	if (faccessat(p->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		auto_free char *lease = read_lease(p, name);
		if (!lease || !is_free(p, name, lease)) {
			*ret = false;
			return NULL;
		}
		if (unlinkat(p->dir, name, 0) < 0)
			FAIL_ERRNO("remove dead lease %s", name);
	}
	auto_free char *link = index_name(c->container_id, c->ifname, set);
	auto_free char *target = alloc_printf("%s/%s", p->boot, name);
	if (unlinkat(p->index, link, 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("index of lease %s", name);
	if (symlinkat(target, p->index, link) < 0)
		FAIL_ERRNO("index of lease %s", name);
	auto_fd int fd = openat(p->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("lease %s", name);
	struct error *e = fd_write_all(fd, p->lease, strlen(p->lease));
	if (e) {
		ignore(unlinkat(p->dir, name, 0));   // empty: free for the next
		ignore(unlinkat(p->index, link, 0)); // points nowhere
		return error_prefix(e, "lease %s", name);
	}
	*ret = true;
	return NULL;
}

static void write_last(const struct pool *p, size_t set, const struct network_address *a)
{
	auto_free char *file = alloc_printf("last_reserved_ip.%zu", set);
	auto_free char *text = network_address_print(a);
	auto_fd int fd =
		openat(p->dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	// Only a hint where to go on: without it the next search begins at the start.
	if (fd >= 0)
		ignore(write(fd, text, strlen(text)));
}

static bool read_last(const struct pool *p, size_t set, struct network_address *ret)
{
	auto_free char *file = alloc_printf("last_reserved_ip.%zu", set);
	auto_free char *text = read_lease(p, file);
	return text && is_address_name(text, ret);
}

static bool range_contains(const struct range *r, const struct network_address *a)
{
	return a->family == r->start.family && address_compare(&r->start, a) <= 0 &&
	       address_compare(a, &r->end) <= 0;
}

static const struct range *set_find(const struct range_set *s, const struct network_address *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (range_contains(&s->ranges[i], a))
			return &s->ranges[i];
	return NULL;
}

static void take_address(const struct range *r, const struct network_address *a,
                         struct network_result *result)
{
	struct network_ip *ip = result_add_ip(result);
	ip->address = *a;
	ip->prefix = r->prefix;
	ip->gateway = r->gateway;
}

// A step of the round: the next address, over the ranges of the set.
static void advance(const struct range_set *s, size_t *range, struct network_address *a)
{
	if (!address_equal(a, &s->ranges[*range].end)) {
		*a = address_next(a);
		return;
	}
	*range = (*range + 1) % s->n;
	*a = s->ranges[*range].start;
}

static fallible allocate_next(const struct plugin_call *c, const struct pool *p, size_t set,
                              const struct range_set *s, struct network_result *result)
{
	struct network_address a;
	size_t range = 0;
	bool resumed = read_last(p, set, &a) && set_find(s, &a);
	if (resumed) {
		range = (size_t)(set_find(s, &a) - s->ranges);
		advance(s, &range, &a);
	} else {
		a = s->ranges[0].start;
	}
	struct network_address first = a;
	do {
		const struct range *r = &s->ranges[range];
		bool mine = false;
		if (!address_equal(&a, &r->gateway))
			TRY(reserve(c, p, &a, set, &mine));
		if (mine) {
			write_last(p, set, &a);
			take_address(r, &a, result);
			return NULL;
		}
		advance(s, &range, &a);
	} while (!address_equal(&a, &first));
	auto_free char *text = range_set_print(s);
	return error_new(
		ERROR_LIMIT,
		"failed to allocate for range %zu: no IP addresses available in range set: %s", set,
		text);
}

static fallible allocate_requested(const struct plugin_call *c, const struct pool *p, size_t set,
                                   const struct range_set *s, const struct network_address *a,
                                   struct network_result *result)
{
	const struct range *r = set_find(s, a);
	auto_free char *text = network_address_print(a);
	if (address_equal(a, &r->gateway)) {
		auto_free char *subnet = prefix_print(&r->subnet, r->prefix);
		return error_new(ERROR_INVALID,
		                 "failed to allocate for range %zu: requested ip %s is subnet's "
		                 "gateway",
		                 set, text);
	}
	bool mine;
	TRY(reserve(c, p, a, set, &mine));
	if (!mine) {
		auto_free char *ranges = range_set_print(s);
		return error_new(ERROR_BUSY,
		                 "failed to allocate for range %zu: requested IP address %s is not "
		                 "available in range set %s",
		                 set, text, ranges);
	}
	write_last(p, set, a);
	take_address(r, a, result);
	return NULL;
}

static fallible release(const struct plugin_call *c, const struct pool *p)
{
	auto_strings struct strings leases = {0};
	TRY(find_leases(c, p, &leases));
	for (size_t i = 0; i < leases.n; i++)
		if (unlinkat(p->dir, leases.items[i], 0) < 0 && errno != ENOENT)
			FAIL_ERRNO("release %s", leases.items[i]);
	// Backwards: what looks for entries stops at the first that is missing.
	for (size_t set = SETS_MAX; set--;) {
		auto_free char *name = index_name(c->container_id, c->ifname, set);
		if (unlinkat(p->index, name, 0) < 0 && errno != ENOENT)
			FAIL_ERRNO("release %s", name);
	}
	return NULL;
}

// (Container, interface) must not hold an address already. The index alone tells: a lease that
// another program wrote for the same names doesn't keep us from an address of our own, and reading
// all leases would make each ADD dearer than the last.
static fallible refuse_second(const struct plugin_call *c, const struct pool *p)
{
	auto_free char *name = index_name(c->container_id, c->ifname, 0);
	char address[64];
	bool this_boot;
	if (!read_index(p, name, address, &this_boot))
		return NULL;
	if (!this_boot)
		return release(c, p);
	auto_free char *lease = read_lease(p, address);
	if (!is_ours(c, p, lease))
		return NULL;
	return error_new(ERROR_EXISTS,
	                 "failed to allocate for range 0: %s has been allocated to %s, duplicate "
	                 "allocation is not allowed",
	                 address, c->container_id);
}

static fallible allocate_all(const struct plugin_call *c, const struct pool *p,
                             const struct host_local *h, struct network_result *result)
{
	bool used[REQUESTS_MAX] = {false};
	for (size_t set = 0; set < h->n_sets; set++) {
		const struct range_set *s = &h->sets[set];
		size_t wanted = h->n_requested;
		for (size_t i = 0; i < h->n_requested && wanted == h->n_requested; i++)
			if (!used[i] && set_find(s, &h->requested[i]))
				wanted = i;
		if (wanted < h->n_requested) {
			used[wanted] = true;
			TRY(allocate_requested(c, p, set, s, &h->requested[wanted], result));
		} else {
			TRY(allocate_next(c, p, set, s, result));
		}
	}
	auto_str struct str missing = STR_LIMIT(4096);
	for (size_t i = 0; i < h->n_requested; i++) {
		if (used[i])
			continue;
		auto_free char *text = network_address_print(&h->requested[i]);
		str_printf(&missing, " %s", text);
	}
	if (missing.size)
		return error_new(ERROR_INVALID, "failed to allocate all requested IPs:%s",
		                 missing.bytes);
	return NULL;
}

fallible host_local_add(const struct plugin_call *c, struct network_result **ret)
{
	auto_host_local struct host_local h = {0};
	TRY(host_local_parse(c, &h));
	auto_pool struct pool p = {.dir = -1, .lock = -1, .index = -1};
	TRY(pool_open(c, h.data_dir, true, &p));
	TRY(refuse_second(c, &p));
	auto_result struct network_result *result = result_new();
	struct error *e = allocate_all(c, &p, &h, result);
	if (e)
		return error_join(e, release(c, &p));
	for (size_t i = 0; i < h.n_routes; i++)
		*result_add_route(result) = h.routes[i];
	result_set_dns(result, &h.dns);
	*ret = take(&result);
	return NULL;
}

static fallible open_existing(const struct plugin_call *c, struct pool *ret, bool *ret_absent)
{
	auto_free char *data_dir = host_local_data_dir(c);
	struct error *e = pool_open(c, data_dir, false, ret);
	*ret_absent = error_is(e, ERROR_NOT_FOUND);
	if (*ret_absent)
		error_drop(&e); // no pool, no lease
	return e;
}

fallible host_local_del(const struct plugin_call *c)
{
	auto_pool struct pool p = {.dir = -1, .lock = -1, .index = -1};
	bool absent;
	TRY(open_existing(c, &p, &absent));
	return absent ? NULL : release(c, &p);
}

fallible host_local_list(const struct plugin_call *c, struct network_result *ret)
{
	auto_pool struct pool p = {.dir = -1, .lock = -1, .index = -1};
	auto_strings struct strings leases = {0};
	bool absent;
	TRY(open_existing(c, &p, &absent));
	if (!absent)
		TRY(find_leases(c, &p, &leases));
	for (size_t i = 0; i < leases.n; i++) {
		struct network_address a;
		if (!is_address_name(leases.items[i], &a))
			continue;
		struct network_ip *ip = result_add_ip(ret);
		ip->address = a;
		ip->prefix = address_bits(&a);
	}
	return NULL;
}

fallible host_local_check(const struct plugin_call *c)
{
	auto_result struct network_result *held = result_new();
	TRY(host_local_list(c, held));
	if (!held->n_ips)
		return error_new(ERROR_NOT_FOUND,
		                 "host-local: Failed to find address added by container %s",
		                 c->container_id);
	return NULL;
}
