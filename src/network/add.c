// SPDX-License-Identifier: Apache-2.0
// ADD over a list. Specification: CNI SPEC.md 1.1.0; libcni 1.3.0 api.go.
// Order: record, plugins, cache. So at any moment what exists has a record, and who finds a record
// can undo all of it.
#include "network/attach.h"
#include "network/names.h"
#include "network/paths.h"
#include "network/visit.h"
#include "sys/fd.h"

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

// Backwards over all of it, the failing one too: it may have made something. Every DEL is tried;
// what stays has its record. `n`: so many plugins from the front.
static fallible undo_list(struct attachment *a, int store, const struct network_result *result,
                          size_t n)
{
	auto_later struct later later = {0};
	struct error *e = NULL;
	a->later = &later;
	for (size_t i = n; i--;)
		e = error_join(e, del_plugin(a, i, result, false));
	e = error_join(e, cache_forget(a));
	// Now, not later: the caller may try again under the same names.
	e = error_join(e, later_run(&later, store));
	a->later = NULL;
	return e;
}

// *ret_undone: nothing is left of a failure.
static fallible add_list(struct attachment *a, int store, struct network_result **ret,
                         bool *ret_undone)
{
	auto_result struct network_result *result = NULL;
	struct error *e = NULL;
	size_t n = 0;
	while (n < a->config->n && !e)
		e = attachment_call(a, n++, result, "add", call_add, &result);
	// EXISTS: IPAM, its first step, has found a lease of this very name, another store's. DEL
	// goes by the name and would take that one away.
	if (error_is(e, ERROR_EXISTS))
		n--;
	else
		n = a->config->n;
	if (!e)
		e = cache_write(a, result);
	if (!e) {
		*ret = take(&result);
		return NULL;
	}
	struct error *undo = undo_list(a, store, result, n);
	*ret_undone = !undo;
	return error_join(e, error_prefix(undo, "undo"));
}

static fallible collect_now(const struct attachment *a, int store, const char *file)
{
	auto_later struct later later = {0};
	struct network_attachment how = {
		.netns_fd = -1, .warn = a->request->warn, .warn_context = a->request->warn_context};
	struct error *e = collect(a->paths, a->request->store_id, store, file, &how, &later);
	return error_join(e, later_run(&later, store));
}

// The name may be held by an earlier life of this container, which is over, since the caller holds
// its name: collected. Or by another container whose name looks the same ("a-b" + "c", "a" +
// "b-c").
static fallible claim(const struct attachment *a, int store, const char *claim_name,
                      const char *file)
{
	for (int attempt = 0; attempt < 10; attempt++) {
		auto_free char *holder = NULL;
		TRY(owner_claim(store, claim_name, file, &holder));
		if (!holder)
			return NULL;
		{
			auto_owner struct owner_record r = OWNER_RECORD;
			struct error *e = owner_read(store, holder, &r);
			bool gone = error_is(e, ERROR_NOT_FOUND) || error_is(e, ERROR_CORRUPT);
			if (gone)
				error_drop(&e); // collected below
			TRY(e);
			if (!gone && (strcmp(r.ns, a->request->ns) != 0 ||
			              strcmp(r.id, a->request->id) != 0))
				return error_new(ERROR_BUSY,
				                 "the network name %s is in use by container %s in "
				                 "namespace %s",
				                 a->container_id, r.id, r.ns);
		}
		TRY(collect_now(a, store, holder));
	}
	return error_new(ERROR_BUSY, "the network name %s is claimed again and again",
	                 a->container_id);
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
	struct network_result *none = NULL;
	if (!name_is_valid(config->name)) // refused before it becomes part of a path
		return attachment_call(&a, 0, NULL, "add", call_add, &none);
	auto_fd int store = -1;
	TRY(paths_open_store(paths, attachment->store_id, true, &store));
	auto_fd int lock = -1;
	TRY(owner_write(store, attachment, a.ifname,
	                attachment->netns_path ? attachment->netns_path : "", a.netns_inode, config,
	                &lock));
	auto_free char *file = owner_file(attachment->instance, a.ifname);
	auto_free char *claim_name = owner_claim_name(a.container_id, a.ifname);
	struct error *e = claim(&a, store, claim_name, file);
	bool undone = e != NULL;
	if (!e)
		e = add_list(&a, store, ret, &undone);
	return e && undone ? error_join(e, owner_remove(store, file, claim_name)) : e;
}
