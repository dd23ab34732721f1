// SPDX-License-Identifier: Apache-2.0
// From a document to the struct. Types and ranges are looked at here, meaning in spec_check.c.
#include "oci/names.h"
#include "oci/private.h"
#include "oci/spec_private.h"
#include <string.h>

#define ITEMS_LIMIT 65536  // of any list
#define MAPPINGS_LIMIT 340 // user_namespaces(7)
#define DEVICE_NUMBER_LIMIT UINT32_MAX

static fallible read_members(struct oci_spec *spec, const struct json *o,
                             const struct json_path *at, void *base, const struct spec_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct spec_member *m = &table->members[i];
		void *to = (char *)base + m->offset;
		if (!json_member(o, m->key))
			continue;
		switch (m->kind) {
		case SPEC_I64: {
			struct oci_i64 *number = to;
			TRY(json_get_i64(o, at, m->key, INT64_MIN, INT64_MAX, &number->value));
			number->set = true;
			break;
		}
		case SPEC_U64: {
			struct oci_u64 *number = to;
			uint64_t max = m->max ? m->max : UINT64_MAX;
			TRY(json_get_u64(o, at, m->key, max, &number->value));
			number->set = true;
			break;
		}
		case SPEC_BOOL: {
			struct oci_bool *flag = to;
			TRY(json_get_bool(o, at, m->key, &flag->value));
			flag->set = true;
			break;
		}
		case SPEC_FLAG:
			TRY(json_get_bool(o, at, m->key, to));
			break;
		case SPEC_TEXT: {
			const char *text;
			TRY(json_get_string(o, at, m->key, &text));
			*(char **)to = *text ? oci_spec_string(spec, text) : NULL;
			break;
		}
		}
	}
	return NULL;
}

static fallible read_text(struct oci_spec *spec, const struct json *o, const struct json_path *at,
                          const char *key, char **ret)
{
	const char *text = NULL;
	TRY(json_get_string(o, at, key, &text));
	if (text && *text)
		*ret = oci_spec_string(spec, text);
	return NULL;
}

static fallible read_strings(struct oci_spec *spec, const struct json *o,
                             const struct json_path *at, const char *key, struct oci_strings *ret)
{
	const struct json *array = NULL;
	struct json_path here = {at, key, 0};
	TRY(json_get_array(o, at, key, ITEMS_LIMIT, &array));
	for (size_t i = 0; i < json_size(array); i++) {
		struct json_path item = {&here, NULL, i};
		const char *text;
		TRY(json_as_string(json_item(array, i), &item, &text));
		oci_spec_add_string(spec, ret, text);
	}
	return NULL;
}

#define PAIRS_LIMIT 4096

static fallible read_pairs(struct oci_spec *spec, const struct json *o, const struct json_path *at,
                           const char *key, struct oci_pairs *ret)
{
	const struct json *map = NULL, *value;
	const char *name, *text;
	struct json_path here = {at, key, 0};
	TRY(json_get_object(o, at, key, &map));
	if (json_size(map) > PAIRS_LIMIT)
		return error_new(ERROR_LIMIT, "%s: %zu members, more than %d", key, json_size(map),
		                 PAIRS_LIMIT);
	for (struct json_cursor cursor = {0}; json_next(map, &cursor, &name, &value);) {
		struct json_path member = {&here, name, 0};
		TRY(json_as_string(value, &member, &text));
		oci_spec_set_pair(spec, ret, name, text);
	}
	return NULL;
}

// Calls `read` for each object of an array.
typedef struct error *read_item(struct oci_spec *spec, const struct json *o,
                                const struct json_path *at, void *context);

static fallible read_array(struct oci_spec *spec, const struct json *o, const struct json_path *at,
                           const char *key, size_t limit, read_item *read, void *context)
{
	const struct json *array = NULL;
	struct json_path here = {at, key, 0};
	TRY(json_get_array(o, at, key, limit, &array));
	for (size_t i = 0; i < json_size(array); i++) {
		struct json_path item = {&here, NULL, i};
		TRY(json_as_object(json_item(array, i), &item));
		TRY(read(spec, json_item(array, i), &item, context));
	}
	return NULL;
}

static struct error *wrong(const struct json_path *at, const char *key, const char *what,
                           const char *foreign)
{
	return member_error(ERROR_INVALID, at, key, what, foreign);
}

static struct error *read_mapping(struct oci_spec *spec, const struct json *o,
                                  const struct json_path *at, void *context)
{
	uint64_t container_id = 0, host_id = 0, size = 0; // Go's defaults
	TRY(json_get_u64(o, at, "containerID", UINT32_MAX, &container_id));
	TRY(json_get_u64(o, at, "hostID", UINT32_MAX, &host_id));
	TRY(json_get_u64(o, at, "size", UINT32_MAX, &size));
	if (!size || container_id + size > UINT32_MAX || host_id + size > UINT32_MAX)
		return wrong(at, "size", "not a range of IDs", NULL);
	oci_spec_add_id_mapping(spec, context, (uint32_t)container_id, (uint32_t)host_id,
	                        (uint32_t)size);
	return NULL;
}

static fallible read_user(struct oci_spec *spec, const struct json *o, const struct json_path *at)
{
	struct oci_user *user = &spec->process.user;
	const struct json *object = NULL, *gids = NULL;
	uint64_t uid = 0, gid = 0;
	struct json_path here = {at, "user", 0}, list = {&here, "additionalGids", 0};
	TRY(json_get_object(o, at, "user", &object));
	TRY(json_get_u64(object, &here, "uid", UINT32_MAX - 1, &uid)); // (uid_t)-1 is nobody
	TRY(json_get_u64(object, &here, "gid", UINT32_MAX - 1, &gid));
	TRY(read_members(spec, object, &here, user, &spec_user_umask));
	TRY(read_text(spec, object, &here, "username", &user->username));
	TRY(json_get_array(object, &here, "additionalGids", ITEMS_LIMIT, &gids));
	user->uid = (uint32_t)uid;
	user->gid = (uint32_t)gid;
	user->n_additional_gids = json_size(gids);
	user->additional_gids =
		arena_alloc(spec->arena, user->n_additional_gids * sizeof(*user->additional_gids));
	for (size_t i = 0; i < user->n_additional_gids; i++) {
		struct json_path item = {&list, NULL, i};
		TRY(json_as_u64(json_item(gids, i), &item, UINT32_MAX - 1, &gid));
		user->additional_gids[i] = (uint32_t)gid;
	}
	return NULL;
}

#define CAPABILITIES_LIMIT 256

static fallible read_capability_set(struct oci_spec *spec, const struct json *o,
                                    const struct json_path *at, const char *key, uint64_t *ret)
{
	const struct json *array = NULL;
	uint64_t mask = 0;
	struct json_path here = {at, key, 0};
	TRY(json_get_array(o, at, key, CAPABILITIES_LIMIT, &array));
	for (size_t i = 0; i < json_size(array); i++) {
		struct json_path item = {&here, NULL, i};
		const char *name;
		TRY(json_as_string(json_item(array, i), &item, &name));
		int number = strncmp(name, "CAP_", 4) ? -1 : oci_capability_number(name);
		struct oci_strings *unknown = &spec->process.capabilities.unknown;
		bool listed = number >= 0;
		for (size_t u = 0; !listed && u < unknown->n; u++)
			listed = !strcmp(unknown->items[u], name);
		if (number >= 0)
			mask |= UINT64_C(1) << number;
		else if (!listed)
			oci_spec_add_string(spec, unknown, name);
	}
	*ret = mask;
	return NULL;
}

static fallible read_capabilities(struct oci_spec *spec, const struct json *o,
                                  const struct json_path *at)
{
	struct oci_capabilities *c = &spec->process.capabilities;
	const struct json *object = NULL;
	struct json_path here = {at, "capabilities", 0};
	TRY(json_get_object(o, at, "capabilities", &object));
	c->set = object;
	TRY(read_capability_set(spec, object, &here, "bounding", &c->bounding));
	TRY(read_capability_set(spec, object, &here, "effective", &c->effective));
	TRY(read_capability_set(spec, object, &here, "inheritable", &c->inheritable));
	TRY(read_capability_set(spec, object, &here, "permitted", &c->permitted));
	return read_capability_set(spec, object, &here, "ambient", &c->ambient);
}

static struct error *read_rlimit(struct oci_spec *spec, const struct json *o,
                                 const struct json_path *at, void *context)
{
	const char *type = "";
	uint64_t hard = 0, soft = 0;
	(void)context;
	TRY(json_require_string(o, at, "type", &type));
	TRY(json_get_u64(o, at, "hard", UINT64_MAX, &hard));
	TRY(json_get_u64(o, at, "soft", UINT64_MAX, &soft));
	int resource = oci_rlimit_number(type);
	if (resource < 0)
		return wrong(at, "type", "unknown limit", type);
	for (size_t i = 0; i < spec->process.rlimits.n; i++)
		if (spec->process.rlimits.items[i].resource == resource)
			return wrong(at, "type", "given twice:", type);
	oci_spec_set_rlimit(spec, resource, soft, hard);
	return NULL;
}

static fallible read_process(struct oci_spec *spec, const struct json *document)
{
	struct oci_process *p = &spec->process;
	const struct json *o = NULL, *size = NULL;
	struct json_path here = {NULL, "process", 0}, console = {&here, "consoleSize", 0};
	TRY(json_get_object(document, NULL, "process", &o));
	p->present = o;
	p->cwd = NULL;
	TRY(json_get_bool(o, &here, "terminal", &p->terminal));
	TRY(json_get_object(o, &here, "consoleSize", &size));
	p->console_size.set = size;
	TRY(json_get_u64(size, &console, "height", UINT16_MAX, &p->console_size.height));
	TRY(json_get_u64(size, &console, "width", UINT16_MAX, &p->console_size.width));
	TRY(read_user(spec, o, &here));
	TRY(read_strings(spec, o, &here, "args", &p->args));
	TRY(read_text(spec, o, &here, "commandLine", &p->command_line));
	TRY(read_strings(spec, o, &here, "env", &p->env));
	TRY(read_text(spec, o, &here, "cwd", &p->cwd));
	TRY(read_capabilities(spec, o, &here));
	TRY(read_array(spec, o, &here, "rlimits", OCI_RLIMITS, read_rlimit, NULL));
	return read_members(spec, o, &here, p, &spec_process_tail);
}

static struct error *read_mount(struct oci_spec *spec, const struct json *o,
                                const struct json_path *at, void *context)
{
	const char *destination = "", *type = NULL, *source = NULL;
	(void)context;
	TRY(json_require_string(o, at, "destination", &destination));
	TRY(json_get_string(o, at, "type", &type));
	TRY(json_get_string(o, at, "source", &source));
	struct oci_mount *mount = oci_spec_add_mount(spec, destination, type, source, NULL, 0);
	TRY(read_strings(spec, o, at, "options", &mount->options));
	TRY(read_array(spec, o, at, "uidMappings", MAPPINGS_LIMIT, read_mapping,
	               &mount->uid_mappings));
	return read_array(spec, o, at, "gidMappings", MAPPINGS_LIMIT, read_mapping,
	                  &mount->gid_mappings);
}

static struct error *read_hook(struct oci_spec *spec, const struct json *o,
                               const struct json_path *at, void *context)
{
	const enum oci_hook_kind *kind = context;
	const char *name = "";
	TRY(json_require_string(o, at, "path", &name));
	struct oci_hook *hook = oci_spec_add_hook(spec, *kind, name);
	TRY(read_strings(spec, o, at, "args", &hook->args));
	TRY(read_strings(spec, o, at, "env", &hook->env));
	hook->timeout.set = json_member(o, "timeout");
	return json_get_i64(o, at, "timeout", 1, INT32_MAX, &hook->timeout.value);
}

#define HOOKS_LIMIT 256

static fallible read_hooks(struct oci_spec *spec, const struct json *document)
{
	const struct json *o = NULL;
	struct json_path here = {NULL, "hooks", 0};
	TRY(json_get_object(document, NULL, "hooks", &o));
	for (enum oci_hook_kind kind = 0; kind < OCI_HOOK_KINDS; kind++)
		TRY(read_array(spec, o, &here, oci_hook_names[kind], HOOKS_LIMIT, read_hook,
		               &kind));
	return NULL;
}

// -1 means any, as absence does (runc's legacy).
static fallible read_device_number(const struct json *o, const struct json_path *at,
                                   const char *key, struct oci_i64 *ret)
{
	int64_t value = -1;
	TRY(json_get_i64(o, at, key, -1, DEVICE_NUMBER_LIMIT, &value));
	*ret = (struct oci_i64){value >= 0, value >= 0 ? value : 0};
	return NULL;
}

static struct error *read_device_rule(struct oci_spec *spec, const struct json *o,
                                      const struct json_path *at, void *context)
{
	const char *type = "", *access = "";
	bool allow = false;
	struct oci_i64 major, minor;
	(void)context;
	TRY(json_get_bool(o, at, "allow", &allow));
	TRY(json_get_string(o, at, "type", &type));
	TRY(read_device_number(o, at, "major", &major));
	TRY(read_device_number(o, at, "minor", &minor));
	TRY(json_get_string(o, at, "access", &access));
	if (*type && (type[1] || !strchr("abc", *type)))
		return wrong(at, "type", "not a, b or c:", type);
	if (access[strspn(access, "rwm")] || strlen(access) > 3)
		return wrong(at, "access", "not of r, w and m:", access);
	oci_spec_add_device_rule(spec, allow, *type ? *type : 'a', major.set ? major.value : -1,
	                         minor.set ? minor.value : -1, access);
	return NULL;
}

static struct error *read_hugepage_limit(struct oci_spec *spec, const struct json *o,
                                         const struct json_path *at, void *context)
{
	const char *size = "";
	uint64_t limit = 0;
	(void)context;
	TRY(json_require_string(o, at, "pageSize", &size));
	TRY(json_get_u64(o, at, "limit", UINT64_MAX, &limit));
	oci_spec_add_hugepage_limit(spec, size, limit);
	return NULL;
}

static fallible read_raw(const struct json *o, const struct json_path *at, const char *key,
                         struct json **ret)
{
	const struct json *value = NULL;
	TRY(json_get_object(o, at, key, &value));
	*ret = json_share((struct json *)(uintptr_t)value);
	return NULL;
}

static fallible read_resources(struct oci_spec *spec, const struct json *linux_object,
                               const struct json_path *at)
{
	struct oci_resources *r = &spec->linux_.resources;
	const struct json *o = NULL, *memory = NULL, *cpu = NULL, *pids = NULL;
	struct json_path here = {at, "resources", 0}, in_memory = {&here, "memory", 0},
			 in_cpu = {&here, "cpu", 0}, in_pids = {&here, "pids", 0};
	TRY(json_get_object(linux_object, at, "resources", &o));
	r->present = o;
	TRY(read_array(spec, o, &here, "devices", ITEMS_LIMIT, read_device_rule, NULL));
	TRY(json_get_object(o, &here, "memory", &memory));
	TRY(read_members(spec, memory, &in_memory, &r->memory, &spec_memory));
	TRY(json_get_object(o, &here, "cpu", &cpu));
	TRY(read_members(spec, cpu, &in_cpu, &r->cpu, &spec_cpu));
	TRY(json_get_object(o, &here, "pids", &pids));
	r->pids_limit.set = json_member(pids, "limit");
	TRY(json_get_i64(pids, &in_pids, "limit", INT64_MIN, INT64_MAX, &r->pids_limit.value));
	TRY(read_raw(o, &here, "blockIO", &r->block_io));
	TRY(read_array(spec, o, &here, "hugepageLimits", 64, read_hugepage_limit, NULL));
	TRY(read_raw(o, &here, "network", &r->network));
	TRY(read_raw(o, &here, "rdma", &r->rdma));
	return read_pairs(spec, o, &here, "unified", &r->unified);
}

static struct error *read_namespace(struct oci_spec *spec, const struct json *o,
                                    const struct json_path *at, void *context)
{
	const char *type = "", *file = NULL;
	(void)context;
	TRY(json_require_string(o, at, "type", &type));
	TRY(json_get_string(o, at, "path", &file));
	for (enum oci_namespace_type t = 0; t < OCI_NAMESPACE_TYPES; t++) {
		if (strcmp(oci_namespace_names[t], type) != 0)
			continue;
		if (oci_spec_namespace(spec, t))
			return wrong(at, "type", "given twice:", type);
		oci_spec_set_namespace(spec, t, file && *file ? file : NULL);
		return NULL;
	}
	return wrong(at, "type", "unknown namespace", type);
}

static struct error *read_device(struct oci_spec *spec, const struct json *o,
                                 const struct json_path *at, void *context)
{
	const char *type = "", *file = "";
	int64_t major = 0, minor = 0;
	(void)context;
	TRY(json_require_string(o, at, "path", &file));
	TRY(json_require_string(o, at, "type", &type));
	TRY(json_get_i64(o, at, "major", 0, DEVICE_NUMBER_LIMIT, &major));
	TRY(json_get_i64(o, at, "minor", 0, DEVICE_NUMBER_LIMIT, &minor));
	if (strlen(type) != 1 || !strchr("cbup", *type))
		return wrong(at, "type", "not c, b, u or p:", type);
	struct oci_device *device =
		oci_spec_add_device(spec, file, *type == 'u' ? 'c' : *type, major, minor);
	return read_members(spec, o, at, device, &spec_device_tail);
}

static fallible read_seccomp(struct oci_spec *spec, const struct json *o,
                             const struct json_path *at)
{
	struct oci_linux *l = &spec->linux_;
	const char *action = NULL;
	struct json_path here = {at, "seccomp", 0};
	TRY(read_raw(o, at, "seccomp", &l->seccomp));
	if (!l->seccomp)
		return NULL;
	l->seccomp_kind = OCI_SECCOMP_PROFILE;
	TRY(json_require_string(l->seccomp, &here, "defaultAction", &action));
	l->seccomp_default_action = oci_spec_string(spec, action);
	return NULL;
}

static fallible read_personality(struct oci_spec *spec, const struct json *o,
                                 const struct json_path *at)
{
	const struct json *object = NULL, *flags = NULL;
	const char *domain = "";
	struct json_path here = {at, "personality", 0};
	TRY(json_get_object(o, at, "personality", &object));
	if (!object)
		return NULL;
	TRY(json_require_string(object, &here, "domain", &domain));
	TRY(json_get_array(object, &here, "flags", 0, &flags)); // none is defined
	spec->linux_.personality.set = true;
	spec->linux_.personality.linux32 = !strcmp(domain, "LINUX32");
	if (!spec->linux_.personality.linux32 && strcmp(domain, "LINUX") != 0)
		return wrong(&here, "domain", "not LINUX or LINUX32:", domain);
	return NULL;
}

static fallible read_clock(const struct json *o, const struct json_path *at, const char *key,
                           bool *ret_set, int64_t *ret_secs, uint32_t *ret_nanosecs)
{
	const struct json *object = NULL;
	uint64_t nanosecs = 0;
	struct json_path here = {at, key, 0};
	TRY(json_get_object(o, at, key, &object));
	*ret_set = object;
	TRY(json_get_i64(object, &here, "secs", INT32_MIN, INT32_MAX, ret_secs));
	TRY(json_get_u64(object, &here, "nanosecs", 999999999, &nanosecs));
	*ret_nanosecs = (uint32_t)nanosecs;
	return NULL;
}

static fallible read_linux_rest(struct oci_spec *spec, const struct json *o,
                                const struct json_path *at)
{
	struct oci_linux *l = &spec->linux_;
	const struct json *rdt = NULL, *offsets = NULL;
	struct json_path in_rdt = {at, "intelRdt", 0}, in_offsets = {at, "timeOffsets", 0};
	TRY(read_text(spec, o, at, "rootfsPropagation", &l->rootfs_propagation));
	TRY(read_strings(spec, o, at, "maskedPaths", &l->masked_paths));
	TRY(read_strings(spec, o, at, "readonlyPaths", &l->readonly_paths));
	TRY(read_text(spec, o, at, "mountLabel", &l->mount_label));
	TRY(json_get_object(o, at, "intelRdt", &rdt));
	l->intel_rdt.present = rdt;
	TRY(read_members(spec, rdt, &in_rdt, &l->intel_rdt, &spec_intel_rdt));
	TRY(json_get_object(o, at, "timeOffsets", &offsets));
	TRY(read_clock(offsets, &in_offsets, "monotonic", &l->monotonic_offset.set,
	               &l->monotonic_offset.secs, &l->monotonic_offset.nanosecs));
	return read_clock(offsets, &in_offsets, "boottime", &l->boottime_offset.set,
	                  &l->boottime_offset.secs, &l->boottime_offset.nanosecs);
}

static fallible read_linux(struct oci_spec *spec, const struct json *document)
{
	struct oci_linux *l = &spec->linux_;
	const struct json *o = NULL;
	struct json_path here = {NULL, "linux", 0};
	TRY(json_get_object(document, NULL, "linux", &o));
	TRY(read_array(spec, o, &here, "uidMappings", MAPPINGS_LIMIT, read_mapping,
	               &l->uid_mappings));
	TRY(read_array(spec, o, &here, "gidMappings", MAPPINGS_LIMIT, read_mapping,
	               &l->gid_mappings));
	TRY(read_pairs(spec, o, &here, "sysctl", &l->sysctl));
	TRY(read_resources(spec, o, &here));
	TRY(read_text(spec, o, &here, "cgroupsPath", &l->cgroups_path));
	TRY(read_array(spec, o, &here, "namespaces", OCI_NAMESPACE_TYPES * 2, read_namespace,
	               NULL));
	TRY(read_array(spec, o, &here, "devices", ITEMS_LIMIT, read_device, NULL));
	TRY(read_seccomp(spec, o, &here));
	TRY(read_personality(spec, o, &here));
	TRY(read_linux_rest(spec, o, &here));
	l->present = o;
	return NULL;
}

static fallible read_windows(struct oci_spec *spec, const struct json *document)
{
	struct oci_windows *w = &spec->windows;
	const struct json *o = NULL, *network = NULL, *devices = NULL;
	struct json_path here = {NULL, "windows", 0}, in_network = {&here, "network", 0};
	TRY(json_get_object(document, NULL, "windows", &o));
	w->present = o;
	TRY(read_strings(spec, o, &here, "layerFolders", &w->layer_folders));
	TRY(json_get_bool(o, &here, "servicing", &w->servicing));
	TRY(json_get_bool(o, &here, "ignoreFlushesDuringBoot", &w->ignore_flushes_during_boot));
	TRY(read_raw(o, &here, "resources", &w->resources));
	TRY(read_raw(o, &here, "hyperv", &w->hyperv));
	TRY(json_get_array(o, &here, "devices", ITEMS_LIMIT, &devices));
	w->devices = json_share((struct json *)(uintptr_t)devices);
	w->credential_spec =
		json_share((struct json *)(uintptr_t)json_member(o, "credentialSpec")); // any type
	TRY(json_get_object(o, &here, "network", &network));
	w->network.present = network;
	TRY(json_get_bool(network, &in_network, "allowUnqualifiedDNSQuery",
	                  &w->network.allow_unqualified_dns_query));
	TRY(read_strings(spec, network, &in_network, "endpointList", &w->network.endpoint_list));
	TRY(read_strings(spec, network, &in_network, "DNSSearchList", &w->network.dns_search_list));
	TRY(read_text(spec, network, &in_network, "networkSharedContainerName",
	              &w->network.network_shared_container_name));
	return read_text(spec, network, &in_network, "networkNamespace",
	                 &w->network.network_namespace);
}

static fallible read_spec(struct oci_spec *spec, const struct json *document)
{
	const char *version = NULL;
	const struct json *root = NULL;
	struct json_path in_root = {NULL, "root", 0};
	TRY(json_as_object(document, &(struct json_path){NULL, "spec", 0}));
	TRY(json_require_string(document, NULL, "ociVersion", &version));
	spec->oci_version = oci_spec_string(spec, version);
	TRY(json_get_object(document, NULL, "root", &root));
	spec->root.present = root;
	TRY(read_text(spec, root, &in_root, "path", &spec->root.path));
	TRY(json_get_bool(root, &in_root, "readonly", &spec->root.readonly));
	TRY(read_members(spec, document, NULL, spec, &spec_head));
	TRY(read_process(spec, document));
	TRY(read_array(spec, document, NULL, "mounts", 4096, read_mount, NULL));
	TRY(read_hooks(spec, document));
	TRY(read_pairs(spec, document, NULL, "annotations", &spec->annotations));
	TRY(read_linux(spec, document));
	return read_windows(spec, document);
}

// runc takes "rel" for "/rel", and so do we.
static void complete_destinations(struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->mounts.n && !spec->windows.present; i++) {
		char **destination = &spec->mounts.items[i].destination;
		if (**destination && **destination != '/')
			*destination = arena_printf(spec->arena, "/%s", *destination);
	}
}

fallible oci_spec_parse(const char *text, size_t size, struct oci_spec **ret)
{
	auto_oci_spec struct oci_spec *spec = oci_spec_new();
	TRY(json_parse(text, size, OCI_SPEC_SIZE_LIMIT, &spec->document));
	TRY(read_spec(spec, spec->document));
	complete_destinations(spec);
	TRY(oci_spec_check(spec));
	*ret = take(&spec);
	return NULL;
}
