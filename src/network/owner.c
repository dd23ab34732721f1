// SPDX-License-Identifier: Apache-2.0
#include "network/owner.h"
#include "network/names.h"
#include "sys/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { RECORD_MAX = 4 << 20 };

void owner_done(struct owner_record *r)
{
	free(r->ns);
	free(r->id);
	free(r->netns);
	free(r->ifname);
	json_free(r->list);
	fd_cleanup_(&r->lock);
	*r = OWNER_RECORD;
}

char *owner_file(uint64_t instance, const char *ifname)
{
	return alloc_printf("%016llx-%s", (unsigned long long)instance, ifname);
}

bool owner_parse_file(const char *file, uint64_t *ret_instance, const char **ret_ifname)
{
	if (strspn(file, "0123456789abcdef") != 16 || file[16] != '-')
		return false;
	auto_free char *hex = alloc_bytes(file, 16);
	auto_error struct error *e = text_parse_u64(hex, 16, UINT64_MAX, ret_instance);
	auto_error struct error *bad_name = name_check_interface(file + 17);
	*ret_ifname = file + 17;
	return !e && !bad_name && *ret_instance;
}

static fallible take_lock(int fd, const char *what)
{
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("lock %s", what);
	return NULL;
}

fallible owner_write(int store, const struct network_attachment *a, const char *ifname,
                     const char *netns, uint64_t netns_inode, const struct network_config *config,
                     int *ret_lock)
{
	char boot[BOOT_ID_SIZE];
	TRY(boot_id(boot));
	auto_json struct json *o = json_new_object();
	json_set_string(o, "boot", boot);
	json_set_string(o, "ns", a->ns);
	json_set_string(o, "id", a->id);
	json_set_string(o, "netns", netns);
	json_set_u64(o, "netnsInode", netns_inode);
	json_set(o, "list", json_share(config->list));
	auto_free char *text = json_to_text(o, 0, JSON_PLAIN),
		       *file = owner_file(a->instance, ifname);
	// Under its name at once: a half of it is not valid JSON, and then nothing was made yet.
	auto_fd int fd = openat(store, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return error_new(ERROR_EXISTS, "interface %s of this instance exists already",
		                 ifname);
	if (fd < 0)
		FAIL_ERRNO("owner record %s", file);
	struct error *e = take_lock(fd, file);
	if (!e)
		e = fd_write_all(fd, text, strlen(text));
	if (e) {
		ignore(unlinkat(store, file, 0)); // gc takes it otherwise
		return error_prefix(e, "owner record %s", file);
	}
	*ret_lock = fd_take(&fd);
	return NULL;
}

static fallible parse(const struct json *o, struct owner_record *r)
{
	const char *ns, *id, *netns, *boot;
	TRY(json_require_string(o, NULL, "ns", &ns));
	TRY(json_require_string(o, NULL, "id", &id));
	TRY(json_require_string(o, NULL, "netns", &netns));
	TRY(json_require_string(o, NULL, "boot", &boot));
	TRY(json_require_u64(o, NULL, "netnsInode", UINT64_MAX, &r->netns_inode));
	r->ns = alloc_string(ns);
	r->id = alloc_string(id);
	r->netns = alloc_string(netns);
	snprintf(r->boot, sizeof(r->boot), "%s", boot);
	const struct json *list;
	TRY(json_require_object(o, NULL, "list", &list));
	r->list = json_copy(list);
	return NULL;
}

static fallible open_locked(int store, const char *file, int *ret)
{
	auto_fd int fd = openat(store, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0 && errno == ENOENT)
		return error_new(ERROR_NOT_FOUND, "owner record %s: not found", file);
	if (fd < 0)
		FAIL_ERRNO("owner record %s", file);
	TRY(take_lock(fd, file));
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("owner record %s", file);
	if (!st.st_nlink) // whoever had the lock has done the work
		return error_new(ERROR_NOT_FOUND, "owner record %s: not found", file);
	*ret = fd_take(&fd);
	return NULL;
}

fallible owner_read(int store, const char *file, struct owner_record *ret)
{
	auto_free char *text = NULL;
	size_t size;
	auto_json struct json *o = NULL;
	auto_owner struct owner_record r = OWNER_RECORD;
	const char *ifname;
	if (!owner_parse_file(file, &r.instance, &ifname))
		return error_new(ERROR_CORRUPT, "owner record %s: bad name", file);
	r.ifname = alloc_string(ifname);
	TRY(open_locked(store, file, &r.lock));
	TRY(fd_read_to_end(r.lock, RECORD_MAX, &text, &size));
	struct error *e = json_parse(text, size, RECORD_MAX, &o);
	if (!e)
		e = parse(o, &r);
	if (e)
		return error_recode(error_prefix(e, "owner record %s", file), ERROR_CORRUPT);
	*ret = r;
	r = OWNER_RECORD;
	return NULL;
}

// --- Claims, read and changed under a lock on the folder

char *owner_claim_name(const char *container_id, const char *ifname)
{
	char key[33];
	name_key(container_id, ifname, key);
	return alloc_printf("claim-%s", key);
}

// *ret NULL: nobody has it.
static fallible read_claim(int store, const char *claim, char **ret)
{
	char target[64]; // 16 digits, '-', an interface
	ssize_t n = readlinkat(store, claim, target, sizeof(target) - 1);
	if (n < 0 && errno != ENOENT)
		FAIL_ERRNO("claim");
	*ret = n > 0 ? alloc_bytes(target, (size_t)n) : NULL;
	return NULL;
}

static fallible claim_locked(int store, const char *claim, const char *file, char **ret_holder)
{
	auto_free char *holder = NULL;
	*ret_holder = NULL;
	TRY(read_claim(store, claim, &holder));
	if (text_equal(holder, file))
		return NULL;
	if (holder && faccessat(store, holder, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		*ret_holder = take(&holder);
		return NULL;
	}
	if (unlinkat(store, claim, 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("claim");
	if (symlinkat(file, store, claim) < 0)
		FAIL_ERRNO("claim");
	return NULL;
}

fallible owner_claim(int store, const char *claim, const char *file, char **ret_holder)
{
	TRY(take_lock(store, "owner records"));
	struct error *e = claim_locked(store, claim, file, ret_holder);
	flock(store, LOCK_UN);
	return e;
}

static fallible unclaim(int store, const char *claim, const char *file)
{
	TRY(take_lock(store, "owner records"));
	auto_free char *holder = NULL;
	// A claim that can't be read keeps its record: gc finds it by that.
	struct error *e = read_claim(store, claim, &holder);
	if (text_equal(holder, file) && unlinkat(store, claim, 0) < 0)
		e = error_system(errno, "remove claim");
	flock(store, LOCK_UN);
	return e;
}

fallible owner_remove(int store, const char *file, const char *claim)
{
	if (claim)
		TRY(unclaim(store, claim, file));
	if (unlinkat(store, file, 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("remove owner record %s", file);
	return NULL;
}

fallible owner_list(int store, struct strings *ret)
{
	auto_strings struct strings names = {0};
	uint64_t instance;
	const char *ifname;
	TRY_AS(tree_names(store, ".", &names), "owner records");
	for (size_t i = 0; i < names.n; i++)
		if (owner_parse_file(names.items[i], &instance, &ifname))
			strings_add(ret, names.items[i]);
	return NULL;
}
