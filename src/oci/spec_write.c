// SPDX-License-Identifier: Apache-2.0
// The spec as a document, in the order and with the omissions of Go's runtime-spec structs.
#include "oci/names.h"
#include "oci/spec_private.h"
#include <string.h>

static void write_members(struct json *object, const void *base, const struct spec_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct spec_member *m = &table->members[i];
		const void *at = (const char *)base + m->offset;
		const struct oci_i64 *i64 = at;
		const struct oci_u64 *u64 = at;
		const struct oci_bool *flag = at;
		const char *const *text = at;
		if (m->kind == SPEC_I64 && i64->set)
			json_set_i64(object, m->key, i64->value);
		else if (m->kind == SPEC_U64 && u64->set)
			json_set_u64(object, m->key, u64->value);
		else if (m->kind == SPEC_BOOL && flag->set)
			json_set_bool(object, m->key, flag->value);
		else if (m->kind == SPEC_FLAG && *(const bool *)at)
			json_set_bool(object, m->key, true);
		else if (m->kind == SPEC_TEXT && *text && **text)
			json_set_string(object, m->key, *text);
	}
}

static void set_flag(struct json *object, const char *key, bool value)
{
	if (value)
		json_set_bool(object, key, true);
}

static struct json *strings_json(const struct oci_strings *list)
{
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++)
		json_append_string(array, list->items[i]);
	return array;
}

static void set_strings(struct json *object, const char *key, const struct oci_strings *list)
{
	if (list->n)
		json_set(object, key, strings_json(list));
}

static void set_text(struct json *object, const char *key, const char *text)
{
	if (text && *text)
		json_set_string(object, key, text);
}

static void set_raw(struct json *object, const char *key, const struct json *value)
{
	if (value)
		json_set(object, key, json_copy(value));
}

static void set_pairs(struct json *object, const char *key, const struct oci_pairs *pairs)
{
	if (!pairs->n)
		return;
	struct json *map = json_new_object();
	auto_strings struct strings keys = {0}; // Go prints maps sorted
	for (size_t i = 0; i < pairs->n; i++)
		strings_add(&keys, pairs->items[i].key);
	strings_sort(&keys);
	for (size_t i = 0; i < keys.n; i++)
		json_set_string(map, keys.items[i], oci_pairs_value(pairs, keys.items[i]));
	json_set(object, key, map);
}

static void set_mappings(struct json *object, const char *key, const struct oci_id_mappings *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++) {
		struct json *item = json_new_object();
		json_set_u64(item, "containerID", list->items[i].container_id);
		json_set_u64(item, "hostID", list->items[i].host_id);
		json_set_u64(item, "size", list->items[i].size);
		json_append(array, item);
	}
	json_set(object, key, array);
}

static struct json *user_json(const struct oci_user *user)
{
	struct json *o = json_new_object();
	json_set_u64(o, "uid", user->uid);
	json_set_u64(o, "gid", user->gid);
	write_members(o, user, &spec_user_umask);
	if (user->n_additional_gids) {
		struct json *gids = json_new_array();
		for (size_t i = 0; i < user->n_additional_gids; i++)
			json_append(gids, json_new_u64(user->additional_gids[i]));
		json_set(o, "additionalGids", gids);
	}
	set_text(o, "username", user->username);
	return o;
}

static void set_capability_set(struct json *o, const char *key, uint64_t mask,
                               const struct oci_strings *unknown)
{
	if (!mask)
		return;
	struct json *names = json_new_array();
	for (int i = 0; i < OCI_CAPABILITIES; i++)
		if (mask >> i & 1)
			json_append_string(names, oci_capability_name(i));
	for (size_t i = 0; i < unknown->n; i++)
		json_append_string(names, unknown->items[i]);
	json_set(o, key, names);
}

static struct json *capabilities_json(const struct oci_capabilities *c)
{
	static const struct oci_strings none;
	struct json *o = json_new_object();
	set_capability_set(o, "bounding", c->bounding, &c->unknown);
	set_capability_set(o, "effective", c->effective, &none);
	set_capability_set(o, "inheritable", c->inheritable, &none);
	set_capability_set(o, "permitted", c->permitted, &none);
	set_capability_set(o, "ambient", c->ambient, &none);
	return o;
}

static void set_rlimits(struct json *o, const struct oci_rlimits *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++) {
		struct json *item = json_new_object();
		json_set_string(item, "type", oci_rlimit_name(list->items[i].resource));
		json_set_u64(item, "hard", list->items[i].hard);
		json_set_u64(item, "soft", list->items[i].soft);
		json_append(array, item);
	}
	json_set(o, "rlimits", array);
}

static struct json *process_json(const struct oci_process *p)
{
	struct json *o = json_new_object();
	set_flag(o, "terminal", p->terminal);
	if (p->console_size.set) {
		struct json *size = json_new_object();
		json_set_u64(size, "height", p->console_size.height);
		json_set_u64(size, "width", p->console_size.width);
		json_set(o, "consoleSize", size);
	}
	json_set(o, "user", user_json(&p->user));
	set_strings(o, "args", &p->args);
	set_text(o, "commandLine", p->command_line);
	set_strings(o, "env", &p->env);
	json_set_string(o, "cwd", p->cwd ? p->cwd : "");
	if (p->capabilities.set)
		json_set(o, "capabilities", capabilities_json(&p->capabilities));
	set_rlimits(o, &p->rlimits);
	write_members(o, p, &spec_process_tail);
	return o;
}

static void set_mounts(struct json *o, const struct oci_mounts *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_mount *m = &list->items[i];
		struct json *item = json_new_object();
		json_set_string(item, "destination", m->destination);
		set_text(item, "type", m->type);
		set_text(item, "source", m->source);
		set_strings(item, "options", &m->options);
		set_mappings(item, "uidMappings", &m->uid_mappings);
		set_mappings(item, "gidMappings", &m->gid_mappings);
		json_append(array, item);
	}
	json_set(o, "mounts", array);
}

static void set_hooks(struct json *o, const struct oci_spec *spec)
{
	struct json *hooks = json_new_object();
	for (size_t kind = 0; kind < OCI_HOOK_KINDS; kind++) {
		const struct oci_hooks *list = &spec->hooks[kind];
		if (!list->n)
			continue;
		struct json *array = json_new_array();
		for (size_t i = 0; i < list->n; i++) {
			struct json *item = json_new_object();
			json_set_string(item, "path", list->items[i].path);
			set_strings(item, "args", &list->items[i].args);
			set_strings(item, "env", &list->items[i].env);
			if (list->items[i].timeout.set)
				json_set_i64(item, "timeout", list->items[i].timeout.value);
			json_append(array, item);
		}
		json_set(hooks, oci_hook_names[kind], array);
	}
	if (json_size(hooks))
		json_set(o, "hooks", hooks);
	else
		json_free(hooks);
}

static void set_device_rules(struct json *o, const struct oci_device_rules *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_device_rule *r = &list->items[i];
		const char type[] = {r->type, 0};
		auto_str struct str access = STR_LIMIT(4);
		str_add(&access, r->read ? "r" : "");
		str_add(&access, r->write ? "w" : "");
		str_add(&access, r->mknod ? "m" : "");
		struct json *item = json_new_object();
		json_set_bool(item, "allow", r->allow);
		if (r->type && r->type != 'a') // absent is all
			json_set_string(item, "type", type);
		if (r->major.set)
			json_set_i64(item, "major", r->major.value);
		if (r->minor.set)
			json_set_i64(item, "minor", r->minor.value);
		set_text(item, "access", access.bytes);
		json_append(array, item);
	}
	json_set(o, "devices", array);
}

// An object that is left out when nothing stands in it.
static void set_members(struct json *o, const char *key, const void *base,
                        const struct spec_table *table)
{
	struct json *inner = json_new_object();
	write_members(inner, base, table);
	if (json_size(inner))
		json_set(o, key, inner);
	else
		json_free(inner);
}

static struct json *resources_json(const struct oci_resources *r)
{
	struct json *o = json_new_object();
	set_device_rules(o, &r->devices);
	set_members(o, "memory", &r->memory, &spec_memory);
	set_members(o, "cpu", &r->cpu, &spec_cpu);
	if (r->pids_limit.set) {
		struct json *pids = json_new_object();
		json_set_i64(pids, "limit", r->pids_limit.value);
		json_set(o, "pids", pids);
	}
	set_raw(o, "blockIO", r->block_io);
	if (r->hugepage_limits.n) {
		struct json *array = json_new_array();
		for (size_t i = 0; i < r->hugepage_limits.n; i++) {
			struct json *item = json_new_object();
			json_set_string(item, "pageSize", r->hugepage_limits.items[i].page_size);
			json_set_u64(item, "limit", r->hugepage_limits.items[i].limit);
			json_append(array, item);
		}
		json_set(o, "hugepageLimits", array);
	}
	set_raw(o, "network", r->network);
	set_raw(o, "rdma", r->rdma);
	set_pairs(o, "unified", &r->unified);
	return o;
}

static void set_namespaces(struct json *o, const struct oci_namespaces *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++) {
		struct json *item = json_new_object();
		json_set_string(item, "type", oci_namespace_names[list->items[i].type]);
		set_text(item, "path", list->items[i].path);
		json_append(array, item);
	}
	json_set(o, "namespaces", array);
}

static void set_devices(struct json *o, const struct oci_devices *list)
{
	if (!list->n)
		return;
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_device *d = &list->items[i];
		const char type[] = {d->type, 0};
		struct json *item = json_new_object();
		json_set_string(item, "path", d->path);
		json_set_string(item, "type", type);
		json_set_i64(item, "major", d->major);
		json_set_i64(item, "minor", d->minor);
		write_members(item, d, &spec_device_tail);
		json_append(array, item);
	}
	json_set(o, "devices", array);
}

static void set_time_offsets(struct json *o, const struct oci_linux *l)
{
	const struct {
		const char *key;
		bool set;
		int64_t secs;
		uint32_t nanosecs;
	} clocks[] = {
		{"boottime", l->boottime_offset.set, l->boottime_offset.secs,
	         l->boottime_offset.nanosecs},
		{"monotonic", l->monotonic_offset.set, l->monotonic_offset.secs,
	         l->monotonic_offset.nanosecs},
	};
	if (!clocks[0].set && !clocks[1].set)
		return;
	struct json *offsets = json_new_object();
	for (size_t i = 0; i < 2; i++) {
		if (!clocks[i].set)
			continue;
		struct json *clock = json_new_object();
		if (clocks[i].secs)
			json_set_i64(clock, "secs", clocks[i].secs);
		if (clocks[i].nanosecs)
			json_set_u64(clock, "nanosecs", clocks[i].nanosecs);
		json_set(offsets, clocks[i].key, clock);
	}
	json_set(o, "timeOffsets", offsets);
}

static struct json *linux_json(const struct oci_linux *l)
{
	struct json *o = json_new_object();
	set_mappings(o, "uidMappings", &l->uid_mappings);
	set_mappings(o, "gidMappings", &l->gid_mappings);
	set_pairs(o, "sysctl", &l->sysctl);
	if (l->resources.present)
		json_set(o, "resources", resources_json(&l->resources));
	set_text(o, "cgroupsPath", l->cgroups_path);
	set_namespaces(o, &l->namespaces);
	set_devices(o, &l->devices);
	set_raw(o, "seccomp", l->seccomp);
	set_text(o, "rootfsPropagation", l->rootfs_propagation);
	set_strings(o, "maskedPaths", &l->masked_paths);
	set_strings(o, "readonlyPaths", &l->readonly_paths);
	set_text(o, "mountLabel", l->mount_label);
	if (l->intel_rdt.present)
		set_members(o, "intelRdt", &l->intel_rdt, &spec_intel_rdt);
	if (l->personality.set) {
		struct json *p = json_new_object();
		json_set_string(p, "domain", l->personality.linux32 ? "LINUX32" : "LINUX");
		json_set(o, "personality", p);
	}
	set_time_offsets(o, l);
	return o;
}

static struct json *windows_json(const struct oci_windows *w)
{
	struct json *o = json_new_object();
	json_set(o, "layerFolders", w->layer_folders.n ? strings_json(&w->layer_folders) : NULL);
	set_raw(o, "devices", w->devices);
	set_raw(o, "resources", w->resources);
	set_raw(o, "credentialSpec", w->credential_spec);
	set_flag(o, "servicing", w->servicing);
	set_flag(o, "ignoreFlushesDuringBoot", w->ignore_flushes_during_boot);
	set_raw(o, "hyperv", w->hyperv);
	if (w->network.present) {
		struct json *n = json_new_object();
		set_strings(n, "endpointList", &w->network.endpoint_list);
		set_flag(n, "allowUnqualifiedDNSQuery", w->network.allow_unqualified_dns_query);
		set_strings(n, "DNSSearchList", &w->network.dns_search_list);
		set_text(n, "networkSharedContainerName", w->network.network_shared_container_name);
		set_text(n, "networkNamespace", w->network.network_namespace);
		json_set(o, "network", n);
	}
	return o;
}

struct json *oci_spec_to_json(const struct oci_spec *spec)
{
	struct json *o = json_new_object();
	json_set_string(o, "ociVersion", spec->oci_version);
	if (spec->process.present)
		json_set(o, "process", process_json(&spec->process));
	if (spec->root.present) {
		struct json *root = json_new_object();
		json_set_string(root, "path", spec->root.path ? spec->root.path : "");
		set_flag(root, "readonly", spec->root.readonly);
		json_set(o, "root", root);
	}
	write_members(o, spec, &spec_head);
	set_mounts(o, &spec->mounts);
	set_hooks(o, spec);
	set_pairs(o, "annotations", &spec->annotations);
	if (spec->linux_.present)
		json_set(o, "linux", linux_json(&spec->linux_));
	if (spec->windows.present)
		json_set(o, "windows", windows_json(&spec->windows));
	return o;
}
