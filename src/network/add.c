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
// what stays has its record.
static fallible undo_list(struct attachment *a, int store, const struct network_result *result)
{
	auto_later struct later later = {0};
	struct error *e = NULL;
	a->later = &later;
	for (size_t i = a->config->n; i--;)
		e = error_join(e, del_plugin(a, i, result, false));
	e = error_join(e, cache_remove(a));
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
	for (size_t i = 0; i < a->config->n && !e; i++)
		e = attachment_call(a, i, result, "add", call_add, &result);
	if (!e)
		e = cache_write(a, result);
	if (!e) {
		*ret = take(&result);
		return NULL;
	}
	struct error *undo = undo_list(a, store, result);
	*ret_undone = !undo;
	return error_join(e, error_prefix(undo, "undo"));
}

// A lease of this name exists: of another container whose name looks the same ("a-b" + "c", "a" +
// "b-c"), or of an earlier life of this one, which is over, since the caller holds its name.
static fallible make_way(const struct attachment *a, int store, bool *ret_again)
{
	auto_strings struct strings files = {0};
	auto_later struct later later = {0};
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
		struct network_attachment how = {.netns_fd = -1, .warn = a->request->warn};
		how.warn_context = a->request->warn_context;
		TRY(collect(a->paths, a->request->store_id, store, files.items[i], &how, &later));
		*ret_again = true;
	}
	return later_run(&later, store);
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
	TRY(owner_write(store, attachment, a.ifname,
	                attachment->netns_path ? attachment->netns_path : "", a.netns_inode,
	                config));
	bool undone = false;
	struct error *e = add_list(&a, store, ret, &undone);
	if (error_is(e, ERROR_EXISTS)) {
		bool again = false;
		struct error *other = make_way(&a, store, &again);
		if (other || again) {
			error_free(e);
			e = other ? other : add_list(&a, store, ret, &undone);
		}
	}
	auto_free char *file = owner_file(attachment->instance, a.ifname);
	return e && undone ? error_join(e, owner_remove(store, file)) : e;
}
