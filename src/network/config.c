// SPDX-License-Identifier: Apache-2.0
// Finding and reading configurations. Specification: go-cni 1.1.12 opts.go (search, frames of
// errors), libcni 1.3.0 conf.go (parsing, their insides).
#include "network/config.h"
#include "network/field.h"
#include "network/names.h"
#include "network/paths.h"
#include "network/result.h"
#include "sys/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { CONFIG_MAX = 1 << 20, PLUGINS_MAX = 64 };

void network_config_free(struct network_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n; i++) {
		free(config->plugins[i].type);
		json_free(config->plugins[i].config);
	}
	free(config->plugins);
	json_free(config->list);
	free(config->file);
	free(config->name);
	free(config->version);
	free(config);
}

const char *network_config_name(const struct network_config *config)
{
	return config->name;
}

const char *network_config_file(const struct network_config *config)
{
	return config->file;
}

// --- Parsing

// The words of Go's parser where scripts may know them; ours otherwise.
static fallible parse_json(const char *bytes, size_t size, struct json **ret)
{
	size_t blank = strspn(bytes, " \t\r\n");
	if (blank >= size)
		return error_new(ERROR_INVALID, "unexpected end of JSON input");
	struct error *e = json_parse(bytes, size, CONFIG_MAX, ret);
	if (error_is(e, ERROR_CORRUPT) || error_is(e, ERROR_LIMIT))
		return error_recode(e, ERROR_INVALID);
	return e;
}

static fallible add_plugin(struct network_config *c, const struct json *object)
{
	if (c->n == PLUGINS_MAX)
		return error_new(ERROR_LIMIT, "more than %d plugins", PLUGINS_MAX);
	const char *type = "";
	TRY_AS(json_as_object(object, &(struct json_path){.name = "plugin"}),
	       "error parsing configuration");
	TRY_AS(field_string(object, "type", &type), "error parsing configuration");
	if (!*type)
		return error_new(ERROR_INVALID, "error parsing configuration: missing 'type'");
	if (!c->plugins)
		c->plugins = alloc_array(PLUGINS_MAX, sizeof(*c->plugins));
	c->plugins[c->n].config = json_copy(object);
	c->plugins[c->n++].type = alloc_string(type);
	return NULL;
}

// bool, or "true" and "false" in any case. List keys are matched exactly.
static fallible list_bool(const struct json *list, const char *key, bool *ret)
{
	const struct json *value = json_member(list, key);
	const char *text = json_text(value);
	if (text && (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)) {
		*ret = strcasecmp(text, "true") == 0;
		return NULL;
	}
	return value ? json_as_bool(value, &(struct json_path){.name = key}, ret) : NULL;
}

// The highest of cniVersion and cniVersions that we know; cniVersion as it stands if none is.
static fallible choose_version(const struct json *list, char **ret)
{
	const char *best = "";
	const struct json *versions = json_member(list, "cniVersions");
	TRY(json_get_string(list, NULL, "cniVersion", &best));
	if (versions)
		TRY(json_as_array(versions, &(struct json_path){.name = "cniVersions"}));
	for (size_t i = 0; i < json_size(versions); i++) {
		const char *text = json_text(json_item(versions, i));
		if (!text)
			return error_new(ERROR_INVALID, "invalid cniVersions: not a string");
		if (cni_version_is_known(text) &&
		    (!cni_version_is_known(best) || cni_version_at_least(text, best)))
			best = text;
	}
	*ret = alloc_string(best);
	return NULL;
}

static fallible parse_list_head(struct network_config *c, bool *ret_inlined)
{
	if (json_kind(c->list) != JSON_OBJECT)
		return error_new(ERROR_INVALID, "not an object");
	if (!json_member(c->list, "name"))
		return error_new(ERROR_INVALID, "no name");
	const char *name = json_text(json_member(c->list, "name"));
	if (!name)
		return error_new(ERROR_INVALID, "invalid name type");
	if (!*name || strchr(name, '/'))
		return error_new(ERROR_INVALID, "invalid name \"%.64s\"", name);
	c->name = alloc_string(name);
	TRY(choose_version(c->list, &c->version));
	TRY(list_bool(c->list, "disableCheck", &c->disable_check));
	TRY(list_bool(c->list, "disableGC", &c->disable_gc));
	TRY(list_bool(c->list, "loadOnlyInlinedPlugins", ret_inlined));
	const struct json *plugins = json_member(c->list, "plugins");
	if (*ret_inlined && !plugins)
		return error_new(ERROR_INVALID,
		                 "`loadOnlyInlinedPlugins` is true, and no 'plugins' key");
	if (plugins && json_kind(plugins) != JSON_ARRAY)
		return error_new(ERROR_INVALID, "invalid 'plugins' type");
	if (plugins && !json_size(plugins))
		return error_new(ERROR_INVALID, "no plugins in list");
	return NULL;
}

static fallible parse_list(struct network_config *c, bool *ret_inlined)
{
	TRY_AS(parse_list_head(c, ret_inlined), "error parsing configuration list");
	const struct json *plugins = json_member(c->list, "plugins");
	for (size_t i = 0; i < json_size(plugins); i++)
		TRY_AS(add_plugin(c, json_item(plugins, i)), "failed to parse plugin config %zu",
		       i);
	return NULL;
}

// One plugin becomes a list of its name and version.
static fallible parse_single(struct network_config *c)
{
	const char *name = "", *version = "";
	TRY(add_plugin(c, c->list));
	TRY_AS(field_string(c->list, "name", &name), "error parsing configuration");
	TRY_AS(field_string(c->list, "cniVersion", &version), "error parsing configuration");
	c->name = alloc_string(name);
	c->version = alloc_string(version);
	struct json *list = json_new_object(), *plugins = json_new_array();
	json_set_string(list, "cniVersion", version);
	json_set_string(list, "name", name);
	json_append(plugins, take(&c->list));
	json_set(list, "plugins", plugins);
	c->list = list;
	return NULL;
}

static fallible parse(struct network_config *c, const char *bytes, size_t size, bool is_list,
                      bool *ret_inlined)
{
	const char *frame =
		is_list ? "error parsing configuration list" : "error parsing configuration";
	TRY_AS(parse_json(bytes, size, &c->list), "%s", frame);
	return is_list ? parse_list(c, ret_inlined) : parse_single(c);
}

static struct error *in_frame(struct error *e, const char *file, bool is_list)
{
	if (!e)
		return NULL;
	struct error *framed =
		error_new(e->code, "failed to load CNI config %sfile %s: %s: invalid cni config",
	                  is_list ? "list " : "", file, e->message);
	framed->sys = e->sys;
	error_free(e);
	return framed;
}

// --- Folders

static fallible list_candidates(const char *dir_name, const char *const *extensions,
                                struct strings *ret)
{
	auto_fd int fd = -1;
	struct error *e = path_open_dir(dir_name, &fd);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // as if it were empty
		return NULL;
	}
	TRY(e);
	DIR *dir = fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("list %s", dir_name);
	fd = -1; // the stream's now
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir))) {
		struct stat st;
		const char *extension = strrchr(entry->d_name, '.');
		bool wanted = false;
		for (size_t i = 0; extension && extensions[i]; i++)
			wanted = wanted || strcmp(extension, extensions[i]) == 0;
		// A link to a directory counts: reading it is the error that upstream reports.
		if (wanted && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISDIR(st.st_mode))
			strings_adopt(ret, alloc_printf("%s/%s", dir_name, entry->d_name));
	}
	int sys = errno;
	closedir(dir);
	if (sys)
		return error_system(sys, "list %s", dir_name);
	strings_sort(ret);
	return NULL;
}

// Links are followed: administrators link configurations. FIFOs and devices aren't waited for.
static fallible read_config(const char *file, char **ret, size_t *ret_size)
{
	auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0)
		FAIL_ERRNO("open %s", file);
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", file);
	if (S_ISDIR(st.st_mode))
		return error_system(EISDIR, "read %s", file);
	if (!S_ISREG(st.st_mode))
		return error_new(ERROR_INVALID, "%s: not a regular file", file);
	return fd_read_to_end(fd, CONFIG_MAX, ret, ret_size);
}

static fallible add_from_folder(struct network_config *c, const char *file)
{
	static const char *const extensions[] = {".conf", NULL};
	const char *slash = strrchr(file, '/');
	if (!slash)
		return NULL;
	auto_free char *dir = alloc_printf("%.*s/%s", (int)(slash - file), file, c->name);
	auto_strings struct strings files = {0};
	TRY(list_candidates(dir, extensions, &files));
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *bytes = NULL;
		size_t size;
		auto_json struct json *object = NULL;
		TRY_AS(read_config(files.items[i], &bytes, &size), "error reading %s",
		       files.items[i]);
		TRY_AS(parse_json(bytes, size, &object), "error parsing configuration");
		TRY_AS(add_plugin(c, object), "%s", files.items[i]);
		// What is recorded must be the whole list.
		struct json *plugins = json_copy(json_member(c->list, "plugins"));
		if (!plugins)
			plugins = json_new_array();
		json_append(plugins, take(&object));
		json_set(c->list, "plugins", plugins);
	}
	return NULL;
}

static fallible parse_file(const char *bytes, size_t size, const char *file, bool is_list,
                           struct network_config **ret)
{
	auto_config struct network_config *c = alloc(sizeof(*c));
	bool inlined = false;
	c->file = alloc_string(file);
	TRY(parse(c, bytes, size, is_list, &inlined));
	if (is_list && !inlined)
		TRY(add_from_folder(c, file));
	if (!c->n)
		return error_new(ERROR_INVALID, "no plugin configs found");
	*ret = take(&c);
	return NULL;
}

fallible network_config_parse(const char *bytes, size_t size, const char *file, bool is_list,
                              struct network_config **ret)
{
	return in_frame(parse_file(bytes, size, file, is_list, ret), file, is_list);
}

static fallible load(const char *file, bool is_list, struct network_config **ret)
{
	auto_free char *bytes = NULL;
	size_t size;
	TRY_AS(read_config(file, &bytes, &size), "error reading %s", file);
	return parse_file(bytes, size, file, is_list, ret);
}

fallible network_config_load(const struct network_paths *paths, struct network_config **ret)
{
	static const char *const extensions[] = {".conf", ".conflist", ".json", NULL};
	const char *dir = paths_conf_dir(paths);
	auto_strings struct strings files = {0};
	struct error *e = list_candidates(dir, extensions, &files);
	if (e) {
		struct error *framed = error_new(
			e->code, "failed to read config file: %s: failed to read config file",
			e->message);
		error_free(e);
		return framed;
	}
	if (!files.n)
		return error_new(ERROR_NOT_FOUND,
		                 "no network config found in %s: cni plugin not initialized", dir);
	// The first decides, also by being broken.
	const char *file = files.items[0];
	bool is_list = text_ends(file, ".conflist");
	return in_frame(load(file, is_list, ret), file, is_list);
}

fallible config_from_list(const struct json *list, struct network_config **ret)
{
	auto_config struct network_config *c = alloc(sizeof(*c));
	const char *name = "", *version = "";
	TRY(json_get_string(list, NULL, "name", &name));
	TRY(json_get_string(list, NULL, "cniVersion", &version));
	if (!name_is_valid(name))
		return error_new(ERROR_CORRUPT, "recorded list: bad name \"%.64s\"", name);
	const struct json *plugins = json_member(list, "plugins");
	c->list = json_copy(list);
	c->file = alloc_string("");
	c->name = alloc_string(name);
	if (json_member(list, "cniVersions"))
		TRY(choose_version(list, &c->version));
	else
		c->version = alloc_string(version);
	for (size_t i = 0; i < json_size(plugins); i++)
		TRY(add_plugin(c, json_item(plugins, i)));
	*ret = take(&c);
	return NULL;
}
