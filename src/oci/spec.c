// SPDX-License-Identifier: Apache-2.0
// The spec as memory: birth, death and the adders.
#include "oci/spec.h"
#include "base/text.h"
#include <string.h>

struct oci_spec *oci_spec_new(void)
{
	struct arena *arena = arena_new();
	struct oci_spec *spec = arena_alloc(arena, sizeof(*spec));
	spec->arena = arena;
	spec->oci_version = arena_string(arena, OCI_SPEC_VERSION);
	spec->process.present = true;
	spec->process.cwd = arena_string(arena, "/");
	return spec;
}

void oci_spec_free(struct oci_spec *spec)
{
	if (!spec)
		return;
	struct oci_resources *r = &spec->linux_.resources;
	struct oci_windows *w = &spec->windows;
	struct json *owned[] = {
		spec->document, spec->linux_.seccomp, r->block_io,        r->network, r->rdma,
		w->resources,   w->devices,           w->credential_spec, w->hyperv,
	};
	for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
		json_free(owned[i]);
	arena_free(spec->arena);
}

char *oci_spec_string(struct oci_spec *spec, const char *s)
{
	return arena_string(spec->arena, s);
}

// One more item of `size` bytes at the end of a list in the arena, zeroed, with room for a zeroed
// one behind it. The old array stays in the arena: growth doubles, so that is at most as much
// again.
static void *add_item(struct oci_spec *spec, void *items, size_t *n, size_t *capacity, size_t size)
{
	void **array = items;
	if (*n + 1 >= *capacity) {
		size_t more = *capacity ? *capacity * 2 : 8;
		char *grown = arena_alloc(spec->arena, more * size);
		if (*n)
			memcpy(grown, *array, *n * size);
		*array = grown;
		*capacity = more;
	}
	char *item = (char *)*array + (*n)++ * size;
	memset(item, 0, size); // a removed item may have stood here
	return item;
}
#define ADD(spec, list) \
	add_item((spec), &(list)->items, &(list)->n, &(list)->capacity, sizeof(*(list)->items))

void oci_spec_add_string(struct oci_spec *spec, struct oci_strings *list, const char *s)
{
	char **item = ADD(spec, list);
	*item = oci_spec_string(spec, s);
	item[1] = NULL;
}

void oci_spec_set_strings(struct oci_spec *spec, struct oci_strings *list, const char *const *items,
                          size_t n)
{
	*list = (struct oci_strings){0};
	for (size_t i = 0; i < n; i++)
		oci_spec_add_string(spec, list, items[i]);
}

// The entry of that name, or n.
static size_t find_env(const struct oci_strings *env, const char *name, size_t size)
{
	size_t i = 0;
	while (i < env->n && (strncmp(env->items[i], name, size) != 0 ||
	                      (env->items[i][size] && env->items[i][size] != '=')))
		i++;
	return i;
}

void oci_spec_set_env(struct oci_spec *spec, const char *entry)
{
	struct oci_strings *env = &spec->process.env;
	size_t i = find_env(env, entry, strcspn(entry, "="));
	if (i < env->n)
		env->items[i] = oci_spec_string(spec, entry);
	else
		oci_spec_add_string(spec, env, entry);
}

void oci_spec_unset_env(struct oci_spec *spec, const char *name)
{
	struct oci_strings *env = &spec->process.env;
	size_t i = find_env(env, name, strlen(name));
	if (i < env->n) {
		memmove(env->items + i, env->items + i + 1, (env->n - i) * sizeof(*env->items));
		env->n--;
	}
}

const char *oci_spec_env(const struct oci_spec *spec, const char *name)
{
	const struct oci_strings *env = &spec->process.env;
	size_t size = strlen(name), i = find_env(env, name, size);
	return i < env->n && env->items[i][size] == '=' ? env->items[i] + size + 1 : NULL;
}

void oci_spec_set_pair(struct oci_spec *spec, struct oci_pairs *pairs, const char *key,
                       const char *value)
{
	struct oci_pair *pair = NULL;
	for (size_t i = 0; i < pairs->n; i++)
		if (!strcmp(pairs->items[i].key, key))
			pair = &pairs->items[i];
	if (!pair) {
		pair = ADD(spec, pairs);
		pair->key = oci_spec_string(spec, key);
	}
	pair->value = oci_spec_string(spec, value);
}

const char *oci_pairs_value(const struct oci_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (!strcmp(pairs->items[i].key, key))
			return pairs->items[i].value;
	return NULL;
}

struct oci_mount *oci_spec_add_mount(struct oci_spec *spec, const char *destination,
                                     const char *type, const char *source, const char *options,
                                     char divider)
{
	struct oci_mount *mount = ADD(spec, &spec->mounts);
	mount->destination = oci_spec_string(spec, destination);
	mount->type = oci_spec_string(spec, type);
	mount->source = oci_spec_string(spec, source);
	while (options && *options) {
		const char *end = strchr(options, divider);
		size_t size = end ? (size_t)(end - options) : strlen(options);
		char **item = ADD(spec, &mount->options);
		*item = arena_bytes(spec->arena, options, size);
		item[1] = NULL;
		options += size + (end != NULL);
	}
	return mount;
}

void oci_spec_remove_mount(struct oci_spec *spec, const char *destination)
{
	size_t kept = 0;
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (strcmp(spec->mounts.items[i].destination, destination) != 0)
			spec->mounts.items[kept++] = spec->mounts.items[i];
	spec->mounts.n = kept;
}

const struct oci_namespace *oci_spec_namespace(const struct oci_spec *spec,
                                               enum oci_namespace_type type)
{
	const struct oci_namespaces *list = &spec->linux_.namespaces;
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].type == type)
			return &list->items[i];
	return NULL;
}

void oci_spec_set_namespace(struct oci_spec *spec, enum oci_namespace_type type, const char *path)
{
	struct oci_namespaces *list = &spec->linux_.namespaces;
	const struct oci_namespace *found = oci_spec_namespace(spec, type);
	struct oci_namespace *ns = found ? &list->items[found - list->items] : ADD(spec, list);
	ns->type = type;
	ns->path = oci_spec_string(spec, path);
	spec->linux_.present = true;
}

void oci_spec_remove_namespace(struct oci_spec *spec, enum oci_namespace_type type)
{
	struct oci_namespaces *list = &spec->linux_.namespaces;
	size_t kept = 0;
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].type != type)
			list->items[kept++] = list->items[i];
	list->n = kept;
}

void oci_spec_set_rlimit(struct oci_spec *spec, int resource, uint64_t soft, uint64_t hard)
{
	struct oci_rlimits *list = &spec->process.rlimits;
	struct oci_rlimit *limit = NULL;
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].resource == resource)
			limit = &list->items[i];
	if (!limit)
		limit = ADD(spec, list);
	*limit = (struct oci_rlimit){.resource = resource, .soft = soft, .hard = hard};
}

void oci_spec_add_device_rule(struct oci_spec *spec, bool allow, char type, int64_t major,
                              int64_t minor, const char *access)
{
	struct oci_device_rule *rule = ADD(spec, &spec->linux_.resources.devices);
	*rule = (struct oci_device_rule){
		.allow = allow,
		.type = type,
		.major = {major >= 0, major},
		.minor = {minor >= 0, minor},
		.read = strchr(access, 'r'),
		.write = strchr(access, 'w'),
		.mknod = strchr(access, 'm'),
	};
	spec->linux_.present = spec->linux_.resources.present = true;
}

struct oci_device *oci_spec_add_device(struct oci_spec *spec, const char *path, char type,
                                       int64_t major, int64_t minor)
{
	struct oci_device *device = ADD(spec, &spec->linux_.devices);
	device->path = oci_spec_string(spec, path);
	device->type = type;
	device->major = major;
	device->minor = minor;
	spec->linux_.present = true;
	return device;
}

void oci_spec_add_id_mapping(struct oci_spec *spec, struct oci_id_mappings *list,
                             uint32_t container_id, uint32_t host_id, uint32_t size)
{
	struct oci_id_mapping *mapping = ADD(spec, list);
	*mapping = (struct oci_id_mapping){container_id, host_id, size};
}

void oci_spec_set_additional_gids(struct oci_spec *spec, const uint32_t *gids, size_t n)
{
	struct oci_user *user = &spec->process.user;
	user->additional_gids = n ? arena_alloc(spec->arena, n * sizeof(*gids)) : NULL;
	user->n_additional_gids = n;
	if (n)
		memcpy(user->additional_gids, gids, n * sizeof(*gids));
}

struct oci_hook *oci_spec_add_hook(struct oci_spec *spec, enum oci_hook_kind kind, const char *path)
{
	struct oci_hook *hook = ADD(spec, &spec->hooks[kind]);
	hook->path = oci_spec_string(spec, path);
	return hook;
}

bool oci_spec_has_hooks(const struct oci_spec *spec)
{
	size_t n = 0;
	for (size_t kind = 0; kind < OCI_HOOK_KINDS; kind++)
		n += spec->hooks[kind].n;
	return n > 0;
}

void oci_spec_add_hugepage_limit(struct oci_spec *spec, const char *page_size, uint64_t limit)
{
	struct oci_hugepage_limit *item = ADD(spec, &spec->linux_.resources.hugepage_limits);
	item->page_size = oci_spec_string(spec, page_size);
	item->limit = limit;
}
