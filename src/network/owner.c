// SPDX-License-Identifier: Apache-2.0
#include "network/owner.h"
#include "network/names.h"
#include "sys/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { RECORD_MAX = 4 << 20 };

void owner_done(struct owner_record *r)
{
	free(r->ns);
	free(r->id);
	free(r->netns);
	free(r->ifname);
	json_free(r->list);
	*r = (struct owner_record){0};
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

fallible owner_write(int store, const struct network_attachment *a, const char *ifname,
                     const char *netns, uint64_t netns_inode, const struct network_config *config)
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
	struct error *e = fd_write_all(fd, text, strlen(text));
	if (e)
		ignore(unlinkat(store, file, 0)); // gc takes it otherwise
	return error_prefix(e, "owner record %s", file);
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

fallible owner_read(int store, const char *file, struct owner_record *ret)
{
	auto_free char *text = NULL;
	size_t size;
	TRY(file_read(store, file, RECORD_MAX, &text, &size));
	auto_json struct json *o = NULL;
	auto_owner struct owner_record r = {0};
	const char *ifname;
	if (!owner_parse_file(file, &r.instance, &ifname))
		return error_new(ERROR_CORRUPT, "owner record %s: bad name", file);
	r.ifname = alloc_string(ifname);
	struct error *e = json_parse(text, size, RECORD_MAX, &o);
	if (!e)
		e = parse(o, &r);
	if (e)
		return error_recode(error_prefix(e, "owner record %s", file), ERROR_CORRUPT);
	*ret = r;
	r = (struct owner_record){0};
	return NULL;
}

fallible owner_remove(int store, const char *file)
{
	if (unlinkat(store, file, 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("remove owner record %s", file);
	return NULL;
}

fallible owner_list(int store, struct strings *ret)
{
	int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		FAIL_ERRNO("list owner records");
	struct dirent *entry;
	uint64_t instance;
	const char *ifname;
	while ((errno = 0, entry = readdir(dir)))
		if (owner_parse_file(entry->d_name, &instance, &ifname))
			strings_add(ret, entry->d_name);
	int sys = errno;
	closedir(dir);
	if (sys)
		return error_system(sys, "list owner records");
	strings_sort(ret);
	return NULL;
}
