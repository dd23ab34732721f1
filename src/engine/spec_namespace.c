// SPDX-License-Identifier: Apache-2.0
#include "engine/spec_private.h"
#include <string.h>

static const struct {
	const char *name;
	enum oci_namespace_type type;
} types[] = {
	// ctr's list: no time namespace
	{"pid", OCI_NAMESPACE_PID},       {"network", OCI_NAMESPACE_NETWORK},
	{"uts", OCI_NAMESPACE_UTS},       {"mount", OCI_NAMESPACE_MOUNT},
	{"user", OCI_NAMESPACE_USER},     {"ipc", OCI_NAMESPACE_IPC},
	{"cgroup", OCI_NAMESPACE_CGROUP},
};

static fallible join_namespace(struct oci_spec *spec, const char *text)
{
	const char *colon = strchr(text, ':');
	if (!colon || strchr(colon + 1, ':') || !colon[1])
		return error_new(ERROR_USAGE, "joining a Linux namespace using --with-ns requires "
		                              "the format 'nstype:path'");
	auto_free char *name = alloc_bytes(text, (size_t)(colon - text));
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].name, name)) {
			oci_spec_set_namespace(spec, types[i].type, colon + 1);
			return NULL;
		}
	return error_new(ERROR_USAGE,
	                 "the Linux namespace type specified in --with-ns is not valid: %.64s",
	                 name);
}

static fallible parse_id(const char *text, size_t size, const char *what, uint32_t *ret)
{
	uint64_t value;
	auto_free char *part = alloc_bytes(text, size);
	auto_error struct error *e = text_parse_u64(part, 10, UINT32_MAX, &value);
	if (e)
		return error_new(ERROR_USAGE,
		                 "invalid %s for user namespace remapping: strconv.ParseUint: "
		                 "parsing \"%.64s\": invalid syntax",
		                 what, part);
	*ret = (uint32_t)value;
	return NULL;
}

static fallible add_mapping(struct oci_spec *spec, struct oci_id_mappings *list, const char *text)
{
	const char *first = strchr(text, ':'), *second = first ? strchr(first + 1, ':') : NULL;
	uint32_t container, host, size;
	if (!second || strchr(second + 1, ':'))
		return error_new(ERROR_USAGE, "user namespace mappings require the format "
		                              "`container-id:host-id:size`");
	TRY(parse_id(text, (size_t)(first - text), "container id", &container));
	TRY(parse_id(first + 1, (size_t)(second - first - 1), "host id", &host));
	TRY(parse_id(second + 1, strlen(second + 1), "size", &size));
	if (!size || container > UINT32_MAX - size || host > UINT32_MAX - size)
		return error_new(ERROR_USAGE, "user namespace mapping %.64s: not a range of IDs",
		                 text);
	oci_spec_add_id_mapping(spec, list, container, host, size);
	return NULL;
}

fallible spec_apply_namespaces(struct oci_spec *spec, const struct spec_request *r)
{
	struct oci_linux *l = &spec->linux_;
	if (!r->uidmap.n != !r->gidmap.n)
		return error_new(ERROR_USAGE,
		                 "flags --uidmap and --gidmap must be specified together");
	for (size_t i = 0; i < r->uidmap.n; i++)
		TRY(add_mapping(spec, &l->uid_mappings, r->uidmap.items[i]));
	for (size_t i = 0; i < r->gidmap.n; i++)
		TRY(add_mapping(spec, &l->gid_mappings, r->gidmap.items[i]));
	if (r->uidmap.n)
		oci_spec_set_namespace(spec, OCI_NAMESPACE_USER, NULL);
	for (size_t i = 0; i < r->with_ns.n; i++)
		TRY(join_namespace(spec, r->with_ns.items[i]));
	return NULL;
}
