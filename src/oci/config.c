// SPDX-License-Identifier: Apache-2.0
// Image config: the foreign one read, the normalised one written.
// Specification: OCI image-spec 1.1, config.md.
#include "oci/image.h"
#include "oci/image_private.h"
#include "oci/names.h"
#include "oci/private.h"
#include <string.h>

#define LIST_LIMIT 4096
#define TEXT_LIMIT 131071 // what execve takes of one string (MAX_ARG_STRLEN)
#define NAME_LIMIT 4095   // of a path, a user
#define SET_LIMIT 1024

fallible read_text_list(const struct json *o, const struct json_path *path, const char *key,
                        size_t limit, size_t size_limit, struct arena *arena, const char ***ret,
                        size_t *ret_n)
{
	const struct json *array = NULL;
	struct json_path here = {path, key, 0};
	TRY(json_get_array(o, path, key, limit, &array));
	size_t n = json_size(array);
	const char **list = arena_alloc(arena, (n + 1) * sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		struct json_path item = {&here, NULL, i};
		const char *text;
		TRY(json_as_string(json_item(array, i), &item, &text));
		if (strlen(text) > size_limit)
			return member_error(ERROR_LIMIT, &item, NULL, "too long", NULL);
		list[i] = arena_string(arena, text);
	}
	*ret = list;
	*ret_n = n;
	return NULL;
}

// A name: short, and nothing that a terminal would obey.
static fallible read_name(const struct json *o, const struct json_path *path, const char *key,
                          struct arena *arena, const char **ret)
{
	const char *text = "";
	TRY(json_get_string(o, path, key, &text));
	if (strlen(text) > NAME_LIMIT)
		return member_error(ERROR_LIMIT, path, key, "too long", NULL);
	if (has_control(text))
		return member_error(ERROR_INVALID, path, key, "a control character", NULL);
	*ret = arena_string(arena, text);
	return NULL;
}

static bool has_dotdot(const char *path, bool windows)
{
	const char *dividers = windows ? "/\\" : "/";
	for (const char *p = path; *p;) {
		size_t size = strcspn(p, dividers);
		if (size == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += size + (p[size] != 0);
	}
	return false;
}

static bool is_absolute(const char *path, bool windows)
{
	if (*path == '/' || (windows && *path == '\\'))
		return true;
	char drive = (char)(*path | 32);
	return windows && drive >= 'a' && drive <= 'z' && path[1] == ':';
}

static fallible check_path(const struct json_path *path, const char *key, const char *text,
                           const struct oci_platform *platform)
{
	bool windows = oci_platform_is_windows(platform);
	if (!is_absolute(text, windows))
		return member_error(ERROR_INVALID, path, key, "not an absolute path:", text);
	if (has_dotdot(text, windows))
		return member_error(ERROR_INVALID, path, key, "\"..\" in the path", text);
	return NULL;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// A set is a map with empty objects as values.
static fallible read_set(const struct json *o, const struct json_path *path, const char *key,
                         struct arena *arena, const char ***ret, size_t *ret_n)
{
	const struct json *map = NULL, *value;
	const char *name;
	struct json_path here = {path, key, 0};
	TRY(json_get_object(o, path, key, &map));
	if (json_size(map) > SET_LIMIT)
		return member_error(ERROR_LIMIT, path, key, "too many members", NULL);
	const char **list = arena_alloc(arena, (json_size(map) + 1) * sizeof(*list));
	size_t n = 0;
	for (struct json_cursor at = {0}; json_next(map, &at, &name, &value);) {
		struct json_path member = {&here, name, 0};
		if (has_control(name) || strlen(name) > NAME_LIMIT)
			return member_error(ERROR_INVALID, &member, NULL, "not a name", NULL);
		list[n++] = arena_string(arena, name);
	}
	if (n > 1)
		qsort(list, n, sizeof(*list), compare_texts);
	*ret = list;
	*ret_n = n;
	return NULL;
}

static bool is_env(const char *entry)
{
	for (; *entry && *entry != '='; entry++)
		if ((unsigned char)*entry < 0x20 || *entry == 0x7f)
			return false;
	return true;
}

static fallible read_process(const struct json *o, const struct json_path *path,
                             struct arena *arena, struct oci_image_config *c)
{
	int number;
	struct json_path in_env = {path, "Env", 0}, in_volumes = {path, "Volumes", 0};
	c->has_entrypoint = json_member(o, "Entrypoint");
	c->has_cmd = json_member(o, "Cmd");
	TRY(read_text_list(o, path, "Env", LIST_LIMIT, TEXT_LIMIT, arena, &c->env, &c->n_env));
	for (size_t i = 0; i < c->n_env; i++) {
		struct json_path item = {&in_env, NULL, i};
		if (!c->env[i][0] || c->env[i][0] == '=' || !is_env(c->env[i]))
			return member_error(ERROR_INVALID, &item, NULL, "not NAME=VALUE", NULL);
	}
	TRY(read_text_list(o, path, "Entrypoint", LIST_LIMIT, TEXT_LIMIT, arena, &c->entrypoint,
	                   &c->n_entrypoint));
	TRY(read_text_list(o, path, "Cmd", LIST_LIMIT, TEXT_LIMIT, arena, &c->cmd, &c->n_cmd));
	TRY(read_name(o, path, "User", arena, &c->user));
	TRY(read_name(o, path, "WorkingDir", arena, &c->working_dir));
	if (*c->working_dir)
		TRY(check_path(path, "WorkingDir", c->working_dir, &c->platform));
	TRY(read_name(o, path, "StopSignal", arena, &c->stop_signal));
	if (*c->stop_signal)
		TRY_AS(oci_signal_parse(c->stop_signal, &number), "config.config.StopSignal");
	TRY(read_set(o, path, "ExposedPorts", arena, &c->exposed_ports, &c->n_exposed_ports));
	TRY(read_set(o, path, "Volumes", arena, &c->volumes, &c->n_volumes));
	for (size_t i = 0; i < c->n_volumes; i++)
		TRY(check_path(&in_volumes, c->volumes[i], c->volumes[i], &c->platform));
	TRY(json_get_bool(o, path, "ArgsEscaped", &c->args_escaped));
	return read_pair_list(o, path, "Labels", LIST_LIMIT, arena, &c->labels);
}

static fallible read_rootfs(const struct json *o, const struct json_path *path, struct arena *arena,
                            struct oci_image_config *c)
{
	const char *type = "layers";
	struct json_path list = {path, "diff_ids", 0};
	TRY(json_get_string(o, path, "type", &type));
	if (strcmp(type, "layers") != 0)
		return member_error(ERROR_UNSUPPORTED, path, "type", "not layers:", type);
	TRY(read_text_list(o, path, "diff_ids", OCI_LAYERS_LIMIT, OCI_DIGEST_SIZE_MAX, arena,
	                   &c->diff_ids, &c->n_diff_ids));
	for (size_t i = 0; i < c->n_diff_ids; i++) {
		struct json_path item = {&list, NULL, i};
		auto_free char *where = json_path_text(&item);
		TRY_AS(oci_digest_check(c->diff_ids[i]), "%s", where);
		if (!oci_digest_is_sha256(c->diff_ids[i]))
			return member_error(ERROR_UNSUPPORTED, &item, NULL, "not a sha256 digest",
			                    NULL);
	}
	return NULL;
}

// RFC 3339's alphabet; the meaning is Go's business.
static fallible read_created(const struct json *o, const struct json_path *path,
                             struct arena *arena, struct oci_image_config *c)
{
	TRY(read_name(o, path, "created", arena, &c->created));
	if (strlen(c->created) > 40 || c->created[strspn(c->created, "0123456789TtZz:.+-")])
		return member_error(ERROR_INVALID, path, "created", "not a time:", c->created);
	return NULL;
}

fallible oci_config_parse(const char *text, size_t size, struct arena *arena,
                          struct oci_image_config *ret)
{
	auto_json struct json *o = NULL;
	struct oci_image_config c = {0};
	const struct json *process = NULL, *rootfs = NULL;
	struct json_path path = {NULL, "config", 0}, in_process = {&path, "config", 0},
			 in_rootfs = {&path, "rootfs", 0};
	TRY_AS(json_parse(text, size, OCI_CONFIG_SIZE_LIMIT, &o), "config");
	TRY(json_as_object(o, &path));
	TRY(oci_platform_from_json(o, &path, &c.platform));
	if (!*c.platform.os)
		return member_error(ERROR_INVALID, &path, "os", "missing", NULL);
	if (!*c.platform.architecture)
		return member_error(ERROR_INVALID, &path, "architecture", "missing", NULL);
	TRY(read_created(o, &path, arena, &c));
	TRY(json_get_object(o, &path, "config", &process));
	TRY(read_process(process, &in_process, arena, &c));
	TRY(json_get_object(o, &path, "rootfs", &rootfs));
	TRY(read_rootfs(rootfs, &in_rootfs, arena, &c));
	*ret = c;
	return NULL;
}

static struct json *texts_json(const char *const *items, size_t n)
{
	struct json *array = json_new_array();
	for (size_t i = 0; i < n; i++)
		json_append_string(array, items[i]);
	return array;
}

static void set_set(struct json *o, const char *key, const char *const *items, size_t n)
{
	if (!n)
		return;
	struct json *map = json_new_object();
	for (size_t i = 0; i < n; i++)
		json_set(map, items[i], json_new_object());
	json_set(o, key, map);
}

static void set_name(struct json *o, const char *key, const char *text)
{
	if (*text)
		json_set_string(o, key, text);
}

static struct json *process_json(const struct oci_image_config *c)
{
	struct json *o = json_new_object();
	set_name(o, "User", c->user);
	set_set(o, "ExposedPorts", c->exposed_ports, c->n_exposed_ports);
	if (c->n_env)
		json_set(o, "Env", texts_json(c->env, c->n_env));
	if (c->has_entrypoint)
		json_set(o, "Entrypoint", texts_json(c->entrypoint, c->n_entrypoint));
	if (c->has_cmd)
		json_set(o, "Cmd", texts_json(c->cmd, c->n_cmd));
	set_set(o, "Volumes", c->volumes, c->n_volumes);
	set_name(o, "WorkingDir", c->working_dir);
	if (c->labels.n)
		json_set(o, "Labels", pair_list_json(&c->labels));
	set_name(o, "StopSignal", c->stop_signal);
	if (c->args_escaped)
		json_set_bool(o, "ArgsEscaped", true);
	return o;
}

char *oci_config_write(const struct oci_image_config *c)
{
	auto_json struct json *o = json_new_object();
	struct json *rootfs = json_new_object();
	set_name(o, "created", c->created);
	json_set_string(o, "architecture", c->platform.architecture);
	set_name(o, "variant", c->platform.variant);
	json_set_string(o, "os", c->platform.os);
	set_name(o, "os.version", c->platform.os_version);
	if (c->platform.win32k) {
		const char *const features[] = {"win32k"};
		json_set(o, "os.features", texts_json(features, 1));
	}
	json_set(o, "config", process_json(c));
	json_set_string(rootfs, "type", "layers");
	json_set(rootfs, "diff_ids", texts_json(c->diff_ids, c->n_diff_ids));
	json_set(o, "rootfs", rootfs);
	return json_to_text(o, 0, JSON_PLAIN);
}

fallible oci_config_read(const char *text, size_t size, struct arena *arena,
                         struct oci_image_config *ret)
{
	struct oci_image_config c;
	TRY(oci_config_parse(text, size, arena, &c));
	auto_free char *again = oci_config_write(&c);
	if (strlen(again) != size || memcmp(again, text, size) != 0)
		return error_new(ERROR_CORRUPT, "config: not in the normal form");
	*ret = c;
	return NULL;
}
