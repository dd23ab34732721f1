// SPDX-License-Identifier: Apache-2.0
// ADD, DEL, CHECK and GC over lists. Specification: CNI SPEC.md 1.1.0; libcni 1.3.0 api.go.
// Order of ADD: record, plugins, cache. Order of DEL: plugins backwards, cache, record. So at any
// moment what exists has a record, and who finds a record can undo all of it.
#include "network/attach.h"
#include "network/field.h"
#include "network/names.h"
#include "network/netlink.h"
#include "network/nft.h"
#include "network/paths.h"
#include "network/visit.h"
#include "sys/process.h"
#include <linux/netfilter/nfnetlink.h>
#include <sys/stat.h>

enum { CAPABILITIES_MAX = 1 << 20 };

// --- An attachment

void attachment_done(struct attachment *a)
{
	free(a->container_id);
	free(a->netns_path);
	free(a->owner);
	json_free(a->capabilities);
	fd_cleanup_(&a->opened_fd);
}

const char *attachment_ifname(const struct network_attachment *r)
{
	return r->ifname ? r->ifname : "eth0";
}

fallible attachment_init(const struct network_paths *paths, const struct network_attachment *r,
                         struct attachment *ret)
{
	auto_attachment struct attachment a = {.paths = paths,
	                                       .request = r,
	                                       .ifname = attachment_ifname(r),
	                                       .netns = "",
	                                       .netns_fd = -1,
	                                       .opened_fd = -1};
	a.container_id = alloc_printf("%s-%s", r->ns ? r->ns : "", r->id ? r->id : "");
	if (!r->instance)
		return error_new(ERROR_INVALID, "network: instance is 0");
	if (!name_is_valid(a.container_id))
		return error_new(ERROR_INVALID, "invalid characters in containerID; %.255s",
		                 a.container_id);
	TRY(name_check_interface(a.ifname));
	a.owner = alloc_printf("%s/%016llx %.40s", r->store_id, (unsigned long long)r->instance,
	                       a.container_id);
	if (r->capabilities)
		TRY_AS(json_parse(r->capabilities, strlen(r->capabilities), CAPABILITIES_MAX,
		                  &a.capabilities),
		       "capability arguments");
	*ret = a;
	a = (struct attachment){.opened_fd = -1};
	return NULL;
}

// Opens the namespace. `inode`: must be that one (0: any), since a path may lead to another
// namespace by now (a re-used pid). Gone is no error: netns stays "".
static fallible attachment_open_netns(struct attachment *a, const char *recorded_path,
                                      uint64_t inode)
{
	const char *path = a->request->netns_path ? a->request->netns_path : recorded_path;
	int fd = a->request->netns_fd;
	if (fd < 0) {
		if (!path || !*path)
			return NULL;
		struct error *e = network_namespace_open(a->paths, path, &a->opened_fd);
		if (error_is(e, ERROR_NOT_FOUND) || error_is(e, ERROR_INVALID)) {
			error_drop(&e); // the namespace or its pin is gone
			return NULL;
		}
		TRY(e);
		fd = a->opened_fd;
	}
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat namespace");
	if (inode && inode != st.st_ino)
		return NULL;
	a->netns_path = path && *path ? alloc_string(path) : alloc_printf("/proc/self/fd/%d", fd);
	a->netns = a->netns_path;
	a->netns_fd = fd;
	a->netns_inode = st.st_ino;
	return NULL;
}

// --- Calls

// The intersection of what the plugin can do and what we were given.
static struct json *runtime_config(const struct attachment *a, const struct json *plugin)
{
	auto_json struct json *o = json_new_object();
	const struct json *capabilities = json_member_folded(plugin, "capabilities"), *enabled;
	const char *key;
	struct json_cursor at = {0};
	while (json_kind(capabilities) == JSON_OBJECT &&
	       json_next(capabilities, &at, &key, &enabled)) {
		bool on = false;
		auto_error struct error *e =
			enabled ? json_as_bool(enabled, &(struct json_path){.name = key}, &on)
				: NULL;
		const struct json *value = json_member(a->capabilities, key);
		if (!e && on && value)
			json_set(o, key, json_copy(value));
	}
	return json_size(o) ? take(&o) : NULL;
}

fallible attachment_call(const struct attachment *a, size_t i,
                         const struct network_result *previous, const char *verb_name,
                         attachment_verb *verb, void *context)
{
	const struct network_plugin *p = &a->config->plugins[i];
	auto_json struct json *config = json_copy(p->config);
	json_set_string(config, "name", a->config->name);
	json_set_string(config, "cniVersion", a->config->version);
	struct json *runtime = runtime_config(a, p->config);
	if (runtime)
		json_set(config, "runtimeConfig", runtime);
	const char *version = *a->config->version ? a->config->version : "0.1.0";
	struct plugin_call call = {.paths = a->paths,
	                           .type = p->type,
	                           .network = a->config->name,
	                           .version = version,
	                           .container_id = a->container_id,
	                           .ifname = a->ifname,
	                           .netns_path = a->netns,
	                           .netns_fd = a->netns_fd,
	                           .cni_args = a->request->cni_args ? a->request->cni_args : "",
	                           .config = config,
	                           .previous = previous,
	                           .instance = a->request->instance,
	                           .owner = a->owner,
	                           .namespace_dies = a->request->namespace_dies,
	                           .warn = a->request->warn,
	                           .warn_context = a->request->warn_context};
	struct error *e = verb(&call, context);
	if (!*a->config->name)
		return error_prefix(e, "plugin type=\"%.64s\" failed (%s)", p->type, verb_name);
	return error_prefix(e, "plugin type=\"%.64s\" name=\"%.64s\" failed (%s)", p->type,
	                    a->config->name, verb_name);
}

static struct error *call_add(const struct plugin_call *c, void *context)
{
	if (!*c->network)
		return error_new(ERROR_INVALID, "missing network name:");
	if (!name_is_valid(c->network))
		return error_new(ERROR_INVALID, "invalid characters found in network name; %.64s",
		                 c->network);
	struct network_result **result = context, *next = NULL;
	TRY(plugin_add(c, &next));
	network_result_free(*result);
	*result = next;
	return NULL;
}

static struct error *call_del(const struct plugin_call *c, void *context)
{
	(void)context;
	return plugin_del(c);
}

static struct error *call_check(const struct plugin_call *c, void *context)
{
	(void)context;
	return plugin_check(c);
}

static fallible del_list(const struct attachment *a, const struct network_result *previous)
{
	// Below 0.4.0 a plugin doesn't expect a result on DEL; ours takes it in any version.
	for (size_t i = a->config->n; i--;)
		TRY(attachment_call(a, i, previous, "delete", call_del, NULL));
	return NULL;
}

// --- ADD

static fallible add_list(const struct attachment *a, struct network_result **ret)
{
	auto_result struct network_result *result = NULL;
	struct error *e = NULL;
	for (size_t i = 0; i < a->config->n && !e; i++)
		e = attachment_call(a, i, result, "add", call_add, &result);
	if (!e)
		e = cache_write(a, result);
	if (e) {
		// Backwards over all of it, the failing one too: it may have made something. Every
		// DEL is tried; what stays has its record.
		struct error *undo = NULL;
		for (size_t i = a->config->n; i--;)
			undo = error_join(undo,
			                  attachment_call(a, i, result, "delete", call_del, NULL));
		undo = error_join(undo, cache_remove(a));
		e = error_join(e, error_prefix(undo, "undo"));
		return e;
	}
	*ret = take(&result);
	return NULL;
}

static fallible collect(const struct network_paths *paths, const char *store_id, int store,
                        const char *file, const struct network_attachment *how);

// A lease of this name exists: of another container whose name looks the same ("a-b" + "c", "a" +
// "b-c"), or of an earlier life of this one, which is over, since the caller holds its name.
static fallible make_way(const struct attachment *a, int store, bool *ret_again)
{
	auto_strings struct strings files = {0};
	auto_free char *own = owner_file(a->request->instance, a->ifname);
	TRY(owner_list(store, &files));
	for (size_t i = 0; i < files.n; i++) {
		auto_owner struct owner_record r = {0};
		if (strcmp(files.items[i], own) == 0)
			continue;
		struct error *e = owner_read(store, files.items[i], &r);
		error_free(e); // of an ADD that has just begun: not what we look for
		if (!r.id)
			continue;
		auto_free char *id = alloc_printf("%s-%s", r.ns, r.id);
		if (strcmp(id, a->container_id) != 0)
			continue;
		if (strcmp(r.ns, a->request->ns) != 0 || strcmp(r.id, a->request->id) != 0)
			return error_new(ERROR_BUSY,
			                 "the network name %s is in use by container %s in "
			                 "namespace %s",
			                 id, r.id, r.ns);
		TRY(collect(a->paths, a->request->store_id, store, files.items[i], a->request));
		*ret_again = true;
	}
	return NULL;
}

fallible network_add(const struct network_paths *paths, const struct network_config *config,
                     const struct network_attachment *attachment, struct network_result **ret)
{
	auto_attachment struct attachment a = {.opened_fd = -1};
	TRY(attachment_init(paths, attachment, &a));
	a.config = config;
	TRY(attachment_open_netns(&a, NULL, 0));
	if (a.netns_fd < 0)
		return error_new(ERROR_NOT_FOUND, "no network namespace at \"%s\"",
		                 attachment->netns_path ? attachment->netns_path : "");
	TRY(visit_check_foreign(a.netns_fd, a.netns));
	auto_fd int store = -1;
	TRY(paths_open_store(paths, attachment->store_id, true, &store));
	TRY(owner_write(store, attachment, a.ifname,
	                attachment->netns_path ? attachment->netns_path : "", a.netns_inode,
	                config));
	struct error *e = add_list(&a, ret);
	if (error_is(e, ERROR_EXISTS)) {
		bool again = false;
		struct error *other = make_way(&a, store, &again);
		if (other || again) {
			error_free(e);
			e = other ? other : add_list(&a, ret);
		}
	}
	auto_free char *file = owner_file(attachment->instance, a.ifname);
	bool undone = e && !strstr(e->message, "; undo: ");
	return undone ? error_join(e, owner_remove(store, file)) : e;
}

// --- DEL

// Undoes what one record stands for. `how`: netns, warnings and the like; its names don't matter.
static fallible collect(const struct network_paths *paths, const char *store_id, int store,
                        const char *file, const struct network_attachment *how)
{
	auto_owner struct owner_record r = {0};
	struct error *e = owner_read(store, file, &r);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // somebody else was faster
		return NULL;
	}
	if (error_is(e, ERROR_CORRUPT)) {
		error_drop(&e); // killed while it wrote this, its first step
		return owner_remove(store, file);
	}
	TRY(e);
	struct network_attachment request = *how;
	request.store_id = store_id;
	request.ns = r.ns;
	request.id = r.id;
	request.instance = r.instance;
	request.ifname = r.ifname;
	auto_attachment struct attachment a = {.opened_fd = -1};
	TRY(attachment_init(paths, &request, &a));
	auto_config struct network_config *config = NULL;
	TRY_AS(config_from_list(r.list, &config), "owner record %s", file);
	a.config = config;
	char boot[BOOT_ID_SIZE];
	TRY(boot_id(boot));
	if (strcmp(boot, r.boot) == 0) // no namespace outlives a boot
		TRY(attachment_open_netns(&a, r.netns, r.netns_inode));
	auto_result struct network_result *previous = NULL;
	TRY(cache_read(&a, &previous));
	TRY(del_list(&a, previous));
	TRY(cache_remove(&a));
	return owner_remove(store, file);
}

fallible network_del(const struct network_paths *paths, const struct network_attachment *attachment)
{
	auto_fd int store = -1;
	struct error *e = paths_open_store(paths, attachment->store_id, false, &store);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // nothing was ever recorded
		return NULL;
	}
	TRY(e);
	if (attachment->ifname) {
		auto_free char *file = owner_file(attachment->instance, attachment->ifname);
		return collect(paths, attachment->store_id, store, file, attachment);
	}
	auto_strings struct strings files = {0};
	TRY(owner_list(store, &files));
	for (size_t i = 0; i < files.n; i++) {
		uint64_t instance;
		const char *ifname;
		if (owner_parse_file(files.items[i], &instance, &ifname) &&
		    instance == attachment->instance)
			e = error_join(e, collect(paths, attachment->store_id, store,
			                          files.items[i], attachment));
	}
	return e;
}

fallible network_check(const struct network_paths *paths,
                       const struct network_attachment *attachment)
{
	auto_fd int store = -1;
	auto_owner struct owner_record r = {0};
	auto_attachment struct attachment a = {.opened_fd = -1};
	auto_config struct network_config *config = NULL;
	auto_result struct network_result *previous = NULL;
	TRY(paths_open_store(paths, attachment->store_id, false, &store));
	TRY(attachment_init(paths, attachment, &a));
	auto_free char *file = owner_file(attachment->instance, a.ifname);
	TRY(owner_read(store, file, &r));
	TRY(config_from_list(r.list, &config));
	a.config = config;
	bool knows_check = cni_version_is_known(config->version) &&
	                   cni_version_at_least(config->version, "0.4.0");
	if (!knows_check)
		return error_new(
			ERROR_UNSUPPORTED,
			"configuration version \"%.32s\" does not support the CHECK command",
			config->version);
	if (config->disable_check)
		return NULL;
	TRY(attachment_open_netns(&a, r.netns, r.netns_inode));
	if (a.netns_fd < 0)
		return error_new(ERROR_NOT_FOUND, "namespace %s is gone", r.netns);
	TRY(cache_read(&a, &previous));
	for (size_t i = 0; i < config->n; i++)
		TRY(attachment_call(&a, i, previous, "check", call_check, NULL));
	return NULL;
}

// --- GC

static fallible gc_attachments(const struct network_paths *paths, const char *store_id, int store,
                               const struct network_live *live,
                               const struct network_attachment *how,
                               struct network_gc_report *report)
{
	auto_strings struct strings files = {0};
	TRY(owner_list(store, &files));
	struct error *e = NULL;
	for (size_t i = 0; i < files.n; i++) {
		uint64_t instance;
		const char *ifname;
		if (!owner_parse_file(files.items[i], &instance, &ifname) ||
		    live->has_instance(live->context, instance))
			continue;
		struct error *one = collect(paths, store_id, store, files.items[i], how);
		report->n_attachments += !one;
		e = error_join(e, one);
	}
	return e;
}

static fallible gc_namespaces(const struct network_paths *paths, const char *store_id,
                              const struct network_live *live, struct network_gc_report *report)
{
	auto_strings struct strings guids = {0};
	TRY(network_namespace_list(paths, store_id, &guids));
	struct error *e = NULL;
	for (size_t i = 0; i < guids.n; i++) {
		if (live->has_namespace(live->context, guids.items[i]))
			continue;
		struct error *one = network_namespace_delete(paths, store_id, guids.items[i]);
		report->n_namespaces += !one;
		e = error_join(e, one);
	}
	return e;
}

static fallible gc_chains(void)
{
	auto_netlink struct netlink n = NETLINK_CLOSED;
	TRY(netlink_open(NETLINK_NETFILTER, &n));
	return nft_prune(&n);
}

fallible network_gc(const struct network_paths *paths, const char *store_id,
                    const struct network_live *live,
                    void (*warn)(void *context, const char *message), void *warn_context,
                    struct network_gc_report *ret)
{
	struct network_gc_report report = {0};
	auto_fd int store = -1;
	struct error *e = paths_open_store(paths, store_id, false, &store);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // this store never had a network
		*ret = report;
		return NULL;
	}
	TRY(e);
	struct network_attachment how = {
		.netns_fd = -1, .warn = warn, .warn_context = warn_context};
	e = gc_attachments(paths, store_id, store, live, &how, &report);
	e = error_join(e, gc_namespaces(paths, store_id, live, &report));
	if (report.n_attachments)
		e = error_join(e, gc_chains());
	*ret = report;
	return e;
}
