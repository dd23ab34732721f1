// SPDX-License-Identifier: Apache-2.0
// A config made from another: what we know of comes from us, everything else from the foreign one
// (Healthcheck, OnBuild, Shell, what others invent), and the past goes on.
#include "oci/image.h"
#include "oci/private.h"
#include <strings.h>

static const char *const known_members[] = {"created", "architecture", "variant", "os",
                                            "config",  "rootfs",       "history", NULL};
static const char *const known_settings[] = {
	"User",       "ExposedPorts", "Env",        "Entrypoint",  "Cmd", "Volumes",
	"WorkingDir", "Labels",       "StopSignal", "ArgsEscaped", NULL};

static bool is_known(const char *const *known, const char *key)
{
	for (; *known; known++)
		if (!strcasecmp(*known, key)) // Go reads members whatever their case
			return true;
	return false;
}

static void inherit(struct json *to, const struct json *from, const char *const *known)
{
	struct json_cursor at = {0};
	const char *key;
	const struct json *value;
	while (json_next(from, &at, &key, &value))
		if (!is_known(known, key))
			json_set(to, key, json_copy(value));
}

// Whether it tells of these layers: one entry each, beside those that made none.
static bool is_whole(const struct json *history, size_t n_layers)
{
	size_t n = 0;
	for (size_t i = 0; i < json_size(history); i++) {
		const struct json *entry = json_item(history, i);
		bool is_empty = false;
		if (json_kind(entry) != JSON_OBJECT)
			return false;
		struct error *e = json_get_bool(entry, NULL, "empty_layer", &is_empty);
		bool is_understood = !e;
		error_free(e);
		if (!is_understood)
			return false;
		n += !is_empty;
	}
	return json_kind(history) == JSON_ARRAY && n == n_layers;
}

static struct json *continue_history(const struct json *foreign, size_t n_layers,
                                     const struct json *entry)
{
	const struct json *past = json_member(foreign, "history");
	const char *created = json_text(json_member(foreign, "created"));
	struct json *list = json_new_array();
	bool whole = is_whole(past, n_layers);
	for (size_t i = 0; whole && i < json_size(past); i++)
		json_append(list, json_copy(json_item(past, i)));
	for (size_t i = 0; !whole && i < n_layers; i++) { // only when is known
		struct json *o = json_new_object();
		json_set_string(o, "created", created);
		json_append(list, o);
	}
	json_append(list, json_copy(entry));
	return list;
}

fallible oci_config_child(const char *foreign, size_t size, const struct oci_image_config *config,
                          const struct json *entry, char **ret)
{
	auto_json struct json *parent = NULL, *child = NULL;
	const struct json *settings = NULL;
	auto_free char *normal = oci_config_write(config);
	TRY_AS(json_parse(foreign, size, OCI_CONFIG_SIZE_LIMIT, &parent), "config");
	TRY_AS(json_as_object(parent, NULL), "config");
	TRY(json_get_object(parent, NULL, "config", &settings));
	TRY(json_parse(normal, strlen(normal), OCI_CONFIG_SIZE_LIMIT, &child));
	struct json *own = json_copy(json_member(child, "config"));
	inherit(own, settings, known_settings);
	json_set(child, "config", own);
	inherit(child, parent, known_members);
	const char *author = json_text(json_member(entry, "author"));
	if (author)
		json_set_string(child, "author", author);
	size_t below = config->n_diff_ids ? config->n_diff_ids - 1 : 0;
	json_set(child, "history", continue_history(parent, below, entry));
	auto_free char *text = json_to_text(child, 0, JSON_PLAIN);
	if (strlen(text) > OCI_CONFIG_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "config: more than %zu bytes", OCI_CONFIG_SIZE_LIMIT);
	*ret = take(&text);
	return NULL;
}
