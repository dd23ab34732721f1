// SPDX-License-Identifier: Apache-2.0
#include "network/attach.h"
#include "network/field.h"
#include "network/names.h"
#include "sys/fd.h"
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

fallible attachment_open_netns(struct attachment *a, const char *recorded_path, uint64_t inode)
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
	// A plugin that is a program has to find it, too.
	a->netns_path = path && *path ? alloc_string(path)
	                              : alloc_printf("/proc/%d/fd/%d", (int)getpid(), fd);
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
	                           .later = a->later,
	                           .warn = a->request->warn,
	                           .warn_context = a->request->warn_context};
	struct error *e = verb(&call, context);
	if (!*a->config->name)
		return error_prefix(e, "plugin type=\"%.64s\" failed (%s)", p->type, verb_name);
	return error_prefix(e, "plugin type=\"%.64s\" name=\"%.64s\" failed (%s)", p->type,
	                    a->config->name, verb_name);
}
