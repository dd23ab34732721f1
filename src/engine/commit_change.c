// SPDX-License-Identifier: Apache-2.0
// Instructions of --change, as of a Dockerfile, one a flag.
// Specification: docker's reference of Dockerfile and of `docker commit`.
#include "engine/commit.h"
#include "json/json.h"
#include <ctype.h>

enum { ARGUMENTS_MAX = 4096, CHANGE_MAX = 131071 };

struct change {
	struct oci_image_config *config;
	struct arena *arena;
	bool has_cmd; // by an instruction, not by the image
};

// ["a","b"]; *ret NULL if it isn't JSON.
static fallible read_list(const char *text, struct arena *arena, const char ***ret, size_t *ret_n)
{
	auto_json struct json *o = NULL;
	struct error *e = json_parse(text, strlen(text), CHANGE_MAX, &o);
	error_free(e); // the caller knows what else it may be
	*ret = NULL;
	*ret_n = json_size(o);
	if (json_kind(o) != JSON_ARRAY)
		return NULL;
	if (*ret_n > ARGUMENTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d arguments", ARGUMENTS_MAX);
	const char **list = arena_alloc(arena, (*ret_n + 1) * sizeof(*list));
	for (size_t i = 0; i < *ret_n; i++) {
		const char *item = json_text(json_item(o, i));
		if (!item)
			return error_new(ERROR_INVALID, "not all are strings");
		list[i] = arena_string(arena, item);
	}
	*ret = list;
	return NULL;
}

// A list as it stands, anything else for a shell.
static fallible read_command(const char *text, struct arena *arena, const char ***ret,
                             size_t *ret_n)
{
	if (*text == '[')
		TRY(read_list(text, arena, ret, ret_n));
	if (*text == '[' && *ret)
		return NULL;
	const char **list = arena_alloc(arena, 4 * sizeof(*list));
	list[0] = "/bin/sh";
	list[1] = "-c";
	list[2] = arena_string(arena, text);
	*ret = list;
	*ret_n = 3;
	return NULL;
}

static fallible set_cmd(struct change *c, const char *text)
{
	c->has_cmd = true;
	c->config->has_cmd = true;
	return read_command(text, c->arena, &c->config->cmd, &c->config->n_cmd);
}

// The image's command was for its own entrypoint.
static fallible set_entrypoint(struct change *c, const char *text)
{
	struct oci_image_config *o = c->config;
	if (!c->has_cmd) {
		o->has_cmd = false;
		o->n_cmd = 0;
		o->cmd = arena_alloc(c->arena, sizeof(*o->cmd));
	}
	o->has_entrypoint = true;
	return read_command(text, c->arena, &o->entrypoint, &o->n_entrypoint);
}

// The next word: quotes hold blanks, a backslash holds what is behind it. *ret NULL: the end.
static fallible next_word(const char **text, struct arena *arena, const char **ret)
{
	const char *p = *text + strspn(*text, " \t");
	char *word = arena_alloc(arena, strlen(p) + 1), *end = word, quote = 0;
	if (!*p) {
		*ret = NULL;
		return NULL;
	}
	for (; *p && (quote || !strchr(" \t", *p)); p++) {
		if (*p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && p[1])
			*end++ = *++p;
		else
			*end++ = *p;
	}
	if (quote)
		return error_new(ERROR_INVALID, "a quote isn't closed");
	*end = 0;
	*text = p;
	*ret = word;
	return NULL;
}

static fallible each_word(struct change *c, const char *text,
                          void (*put)(struct change *, const char *))
{
	const char *word;
	for (;;) {
		TRY(next_word(&text, c->arena, &word));
		if (!word)
			return NULL;
		put(c, word);
	}
}

// "KEY=VALUE" as often as one likes, or once "KEY VALUE", the rest as it stands.
static fallible each_pair(struct change *c, const char *text,
                          void (*put)(struct change *, const char *key, const char *value))
{
	size_t size = strcspn(text, " \t=");
	if (text[size] && text[size] != '=') {
		const char *value = text + size + strspn(text + size, " \t");
		put(c, arena_bytes(c->arena, text, size), value);
		return NULL;
	}
	const char *word;
	for (;;) {
		TRY(next_word(&text, c->arena, &word));
		if (!word)
			return NULL;
		size_t key = strcspn(word, "=");
		if (!key || !word[key])
			return error_new(ERROR_INVALID, "not KEY=VALUE");
		put(c, arena_bytes(c->arena, word, key), word + key + 1);
	}
}

static void put_env(struct change *c, const char *key, const char *value)
{
	struct oci_image_config *o = c->config;
	const char **list = arena_alloc(c->arena, (o->n_env + 2) * sizeof(*list));
	size_t size = strlen(key), n = 0;
	for (size_t i = 0; i < o->n_env; i++)
		if (strncmp(o->env[i], key, size) != 0 ||
		    (o->env[i][size] && o->env[i][size] != '='))
			list[n++] = o->env[i];
	list[n++] = arena_printf(c->arena, "%s=%s", key, value);
	o->env = list;
	o->n_env = n;
}

static fallible add_env(struct change *c, const char *text)
{
	return each_pair(c, text, put_env);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct oci_text_pair *x = a, *y = b;
	return strcmp(x->key, y->key);
}

static void put_label(struct change *c, const char *key, const char *value)
{
	struct oci_pair_list *labels = &c->config->labels;
	struct oci_text_pair *list = arena_alloc(c->arena, (labels->n + 1) * sizeof(*list));
	size_t n = 0;
	for (size_t i = 0; i < labels->n; i++)
		if (strcmp(labels->items[i].key, key) != 0)
			list[n++] = labels->items[i];
	list[n++] = (struct oci_text_pair){key, arena_string(c->arena, value)};
	qsort(list, n, sizeof(*list), compare_pairs);
	labels->items = list;
	labels->n = n;
}

static fallible add_label(struct change *c, const char *text)
{
	return each_pair(c, text, put_label);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_to_set(struct arena *arena, const char ***set, size_t *n, const char *text)
{
	const char **list = arena_alloc(arena, (*n + 2) * sizeof(*list));
	size_t k = 0;
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*set)[i], text) != 0)
			list[k++] = (*set)[i];
	list[k++] = arena_string(arena, text);
	qsort(list, k, sizeof(*list), compare_texts);
	*set = list;
	*n = k;
}

static void put_port(struct change *c, const char *text)
{
	struct oci_image_config *o = c->config;
	const char *protocol = strchr(text, '/') ? "" : "/tcp";
	auto_free char *port = alloc_printf("%s%s", text, protocol);
	add_to_set(c->arena, &o->exposed_ports, &o->n_exposed_ports, port);
}

static fallible add_port(struct change *c, const char *text)
{
	return each_word(c, text, put_port);
}

static void put_volume(struct change *c, const char *text)
{
	struct oci_image_config *o = c->config;
	add_to_set(c->arena, &o->volumes, &o->n_volumes, text);
}

static fallible add_volume(struct change *c, const char *text)
{
	const char **list;
	size_t n;
	if (*text != '[')
		return each_word(c, text, put_volume);
	TRY(read_list(text, c->arena, &list, &n));
	if (!list)
		return error_new(ERROR_INVALID, "not a list of strings");
	for (size_t i = 0; i < n; i++)
		put_volume(c, list[i]);
	return NULL;
}

static fallible set_user(struct change *c, const char *text)
{
	c->config->user = arena_string(c->arena, text);
	return NULL;
}

static fallible set_folder(struct change *c, const char *text)
{
	c->config->working_dir = arena_string(c->arena, text);
	return NULL;
}

static fallible set_signal(struct change *c, const char *text)
{
	c->config->stop_signal = arena_string(c->arena, text);
	return NULL;
}

static const struct {
	const char *word;
	fallible (*change)(struct change *c, const char *text);
} instructions[] = {
	{"CMD", set_cmd},     {"ENTRYPOINT", set_entrypoint}, {"ENV", add_env},
	{"EXPOSE", add_port}, {"LABEL", add_label},           {"STOPSIGNAL", set_signal},
	{"USER", set_user},   {"VOLUME", add_volume},         {"WORKDIR", set_folder},
};

static fallible change(struct change *c, const char *text)
{
	size_t size = strcspn(text, " \t");
	const char *rest = text + size + strspn(text + size, " \t");
	char word[16] = "";
	if (strlen(text) > CHANGE_MAX)
		return error_new(ERROR_LIMIT, "--change: longer than %d bytes", CHANGE_MAX);
	for (size_t i = 0; size < sizeof(word) && i < size; i++)
		word[i] = (char)toupper((unsigned char)text[i]);
	for (size_t i = 0; *rest && i < sizeof(instructions) / sizeof(*instructions); i++)
		if (!strcmp(instructions[i].word, word))
			return error_prefix(instructions[i].change(c, rest), "--change \"%.100s\"",
			                    text);
	return error_hint(error_new(ERROR_INVALID, "--change \"%.100s\": not understood", text),
	                  "CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and "
	                  "WORKDIR are, with a value behind them");
}

fallible commit_change(struct oci_image_config *config, struct arena *arena,
                       const char *const *texts, size_t n)
{
	struct change c = {.config = config, .arena = arena};
	for (size_t i = 0; i < n; i++)
		TRY(change(&c, texts[i]));
	return NULL;
}
