// SPDX-License-Identifier: Apache-2.0
// DEL, CHECK and GC by what ADD recorded. Specification: CNI SPEC.md 1.1.0; libcni 1.3.0 api.go.
// Order of DEL: plugins backwards, cache, what needn't be waited for (later.h), record.
#include "network/attach.h"
#include "network/paths.h"
#include "sys/sys.h"

static struct error *call_del(const struct plugin_call *c, void *context)
{
	(void)context;
	return plugin_del(c);
}

// A plugin that can't be found or refuses its configuration made nothing, unless ADD had come to
// its end with it. Else an ADD that failed because of it could never be undone.
static bool made_nothing(const struct error *e)
{
	return error_is(e, ERROR_NO_PROGRAM) || error_is(e, ERROR_UNSUPPORTED) ||
	       error_is(e, ERROR_INVALID);
}

fallible del_plugin(const struct attachment *a, size_t i, const struct network_result *previous,
                    bool finished)
{
	struct error *e = attachment_call(a, i, previous, "delete", call_del, NULL);
	if (!finished && made_nothing(e))
		error_drop(&e);
	return e;
}

static struct error *call_check(const struct plugin_call *c, void *context)
{
	(void)context;
	return plugin_check(c);
}

static fallible del_list(const struct attachment *a, const struct network_result *cached)
{
	// Below 0.4.0 a plugin doesn't expect a result on DEL; ours take it in any version.
	for (size_t i = a->config->n; i--;)
		TRY(del_plugin(a, i, cached, cached != NULL));
	return NULL;
}

// Undoes what one record stands for. `how`: netns, warnings and the like; its names don't matter.
fallible collect(const struct network_paths *paths, const char *store_id, int store,
                 const char *file, const struct network_attachment *how, struct later *later)
{
	auto_owner struct owner_record r = OWNER_RECORD;
	struct error *e = owner_read(store, file, &r);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // somebody else was faster
		return NULL;
	}
	if (error_is(e, ERROR_CORRUPT)) {
		error_drop(&e); // killed while it wrote this, its first step
		return owner_remove(store, file, NULL);
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
	a.later = later;
	char boot[BOOT_ID_SIZE];
	TRY(boot_id(boot));
	if (strcmp(boot, r.boot) == 0) // no namespace outlives a boot
		TRY(attachment_open_netns(&a, r.netns, r.netns_inode));
	auto_result struct network_result *previous = NULL;
	bool foreign;
	TRY(cache_read(&a, &previous, &foreign));
	TRY(del_list(&a, previous));
	if (!foreign)
		TRY(cache_remove(&a));
	strings_add(&later->records, file);
	strings_adopt(&later->claims, owner_claim_name(a.container_id, a.ifname));
	return NULL;
}

static fallible collect_all(const struct network_paths *paths, int store,
                            const struct network_attachment *attachment, struct later *later)
{
	auto_strings struct strings files = {0};
	TRY(owner_list(store, &files));
	struct error *e = NULL;
	for (size_t i = 0; i < files.n; i++) {
		uint64_t instance;
		const char *ifname;
		if (owner_parse_file(files.items[i], &instance, &ifname) &&
		    instance == attachment->instance)
			e = error_join(e, collect(paths, attachment->store_id, store,
			                          files.items[i], attachment, later));
	}
	return e;
}

fallible network_del(const struct network_paths *paths, const struct network_attachment *attachment)
{
	auto_fd int store = -1;
	auto_later struct later later = {0};
	struct error *e = paths_open_store(paths, attachment->store_id, false, &store);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // nothing was ever recorded
		return NULL;
	}
	TRY(e);
	if (attachment->ifname) {
		auto_free char *file = owner_file(attachment->instance, attachment->ifname);
		e = collect(paths, attachment->store_id, store, file, attachment, &later);
	} else {
		e = collect_all(paths, store, attachment, &later);
	}
	return error_join(e, later_fork(&later, store));
}

fallible network_check(const struct network_paths *paths,
                       const struct network_attachment *attachment)
{
	auto_fd int store = -1;
	auto_owner struct owner_record r = OWNER_RECORD;
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
	bool foreign;
	TRY(cache_read(&a, &previous, &foreign));
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
	auto_later struct later later = {0};
	auto_strings struct strings files = {0};
	TRY(owner_list(store, &files));
	struct error *e = NULL;
	for (size_t i = 0; i < files.n; i++) {
		uint64_t instance;
		const char *ifname;
		if (!owner_parse_file(files.items[i], &instance, &ifname) ||
		    live->has_instance(live->context, instance))
			continue;
		struct error *one = collect(paths, store_id, store, files.items[i], how, &later);
		report->n_attachments += !one;
		e = error_join(e, one);
	}
	return error_join(e, later_run(&later, store));
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
	*ret = report;
	return e;
}
