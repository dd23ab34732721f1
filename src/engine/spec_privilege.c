// SPDX-License-Identifier: Apache-2.0
// Capabilities, devices, and what --privileged opens.
#include "engine/spec_private.h"
#include "oci/names.h"
#include <string.h>

static bool is_all(const char *name)
{
	return !strcmp(name, "ALL") || !strcmp(name, "all");
}

static fallible parse_capabilities(const struct spec_texts *names, bool prefix_required,
                                   uint64_t all, uint64_t *ret)
{
	uint64_t mask = 0;
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->items[i];
		if (prefix_required && strncmp(name, "CAP_", 4) != 0)
			return error_new(ERROR_USAGE,
			                 "capabilities must be specified with 'CAP_' prefix");
		if (!prefix_required && is_all(name)) {
			mask |= all;
			continue;
		}
		int number = oci_capability_number(name);
		if (number < 0)
			return error_new(ERROR_USAGE, "capability \"%.64s\": unknown", name);
		mask |= UINT64_C(1) << number;
	}
	*ret = mask;
	return NULL;
}

// ctr adds before it drops. docker's "--cap-drop ALL --cap-add X" means X alone, so ALL goes first.
static fallible apply_capabilities(struct oci_spec *spec, const struct spec_request *r,
                                   const struct spec_host *host)
{
	struct oci_capabilities *c = &spec->process.capabilities;
	bool required = r->cap_prefix_required, drop_all = false;
	uint64_t add, drop;
	TRY(parse_capabilities(&r->cap_add, required, host->capabilities, &add));
	TRY(parse_capabilities(&r->cap_drop, required, 0, &drop));
	for (size_t i = 0; i < r->cap_drop.n; i++)
		drop_all = drop_all || (!required && is_all(r->cap_drop.items[i]));
	uint64_t *sets[] = {&c->bounding, &c->effective, &c->permitted};
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		*sets[i] = ((drop_all ? 0 : *sets[i]) | add) & ~drop;
	return NULL;
}

static void make_sysfs_writable(struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		struct oci_mount *m = &spec->mounts.items[i];
		if (!m->type || strcmp(m->type, "sysfs") != 0)
			continue;
		for (size_t o = 0; o < m->options.n; o++)
			if (!strcmp(m->options.items[o], "ro"))
				m->options.items[o] = oci_spec_string(spec, "rw");
	}
}

static void add_device(struct oci_spec *spec, const struct spec_host_device *d)
{
	struct oci_device *device = oci_spec_add_device(spec, d->path, d->type, d->major, d->minor);
	device->file_mode = (struct oci_u64){true, d->mode};
	device->uid = (struct oci_u64){true, d->uid};
	device->gid = (struct oci_u64){true, d->gid};
}

static void open_up(struct oci_spec *spec, const struct spec_request *r,
                    const struct spec_host *host)
{
	struct oci_capabilities *c = &spec->process.capabilities;
	c->bounding = c->effective = c->permitted = host->capabilities;
	spec->linux_.masked_paths = (struct oci_strings){0};
	spec->linux_.readonly_paths = (struct oci_strings){0};
	spec->process.apparmor_profile = NULL;
	make_sysfs_writable(spec);
	if (r->privileged_without_host_devices)
		return;
	spec->linux_.resources.devices = (struct oci_device_rules){0};
	oci_spec_add_device_rule(spec, true, 'a', -1, -1, "rwm");
	for (size_t i = 0; i < host->n_devices; i++)
		add_device(spec, &host->devices[i]);
}

fallible spec_apply_privileges(struct oci_spec *spec, const struct spec_request *r,
                               const struct spec_host *host)
{
	if (r->privileged)
		open_up(spec, r, host);
	TRY(apply_capabilities(spec, r, host));
	for (size_t i = 0; i < host->n_asked; i++) {
		const struct spec_host_device *d = &host->asked[i];
		add_device(spec, d);
		oci_spec_add_device_rule(spec, true, d->type, d->major, d->minor, "rwm");
	}
	const char *profile = r->apparmor_profile && *r->apparmor_profile
	                              ? r->apparmor_profile
	                              : r->apparmor_default_profile;
	if (profile && *profile) // beats --privileged
		spec->process.apparmor_profile = oci_spec_string(spec, profile);
	return NULL;
}
