// SPDX-License-Identifier: Apache-2.0
// runtime-spec config-linux.md, seccomp: from the document to a filter.
#include "runtime/linux/plan.h"
#include "json/json.h"
#include <string.h>

enum { NAMES_MAX = 2048, RULES_MAX = 4096, ARGUMENTS_MAX = 6, ARCHITECTURES_MAX = 32 };

static fallible read_names(struct arena *arena, const struct json *object,
                           const struct json_path *path, const char *key, size_t max,
                           const char *const **ret, size_t *ret_n)
{
	const struct json *list = NULL;
	TRY(json_get_array(object, path, key, max, &list));
	size_t n = json_size(list);
	const char **names = arena_alloc(arena, (n + 1) * sizeof *names);
	const struct json_path list_path = {path, key, 0};
	for (size_t i = 0; i < n; i++) {
		const struct json_path item = {&list_path, NULL, i};
		TRY(json_as_string(json_item(list, i), &item, &names[i]));
		if (!names[i])
			return error_new(ERROR_INVALID, "%s[%zu]: null", key, i);
	}
	*ret = names;
	*ret_n = n;
	return NULL;
}

static fallible read_action(const struct json *object, const struct json_path *path,
                            const char *action_key, const char *errno_key, uint32_t *ret)
{
	const char *word = NULL;
	int64_t number = -1;
	TRY(json_require_string(object, path, action_key, &word));
	TRY(json_get_i64(object, path, errno_key, 0, 4095, &number));
	return seccomp_action(word, number, ret);
}

static fallible read_argument(const struct json *object, const struct json_path *path,
                              struct seccomp_argument *ret)
{
	uint64_t index = 0;
	const char *op = NULL;
	TRY(json_require_u64(object, path, "index", 5, &index));
	TRY(json_get_u64(object, path, "value", UINT64_MAX, &ret->value));
	TRY(json_get_u64(object, path, "valueTwo", UINT64_MAX, &ret->value_two));
	TRY(json_require_string(object, path, "op", &op));
	ret->index = (unsigned)index;
	return seccomp_compare(op, &ret->compare);
}

static fallible read_rule(struct arena *arena, const struct json *object,
                          const struct json_path *path, struct seccomp_rule *ret)
{
	TRY(json_as_object(object, path));
	TRY(read_names(arena, object, path, "names", NAMES_MAX, &ret->names, &ret->n_names));
	TRY(read_action(object, path, "action", "errnoRet", &ret->action));
	const struct json *list = NULL;
	TRY(json_get_array(object, path, "args", ARGUMENTS_MAX, &list));
	size_t n = json_size(list);
	struct seccomp_argument *arguments = arena_alloc(arena, (n + 1) * sizeof *arguments);
	const struct json_path list_path = {path, "args", 0};
	for (size_t i = 0; i < n; i++) {
		const struct json_path item = {&list_path, NULL, i};
		TRY(json_as_object(json_item(list, i), &item));
		TRY(read_argument(json_item(list, i), &item, &arguments[i]));
	}
	ret->arguments = arguments;
	ret->n_arguments = n;
	return NULL;
}

static fallible read_profile(struct arena *arena, const struct json *document,
                             struct seccomp_profile *ret)
{
	const struct json_path path = {NULL, "seccomp", 0};
	TRY(json_as_object(document, &path));
	TRY(read_action(document, &path, "defaultAction", "defaultErrnoRet", &ret->default_action));
	TRY(read_names(arena, document, &path, "architectures", ARCHITECTURES_MAX,
	               &ret->architectures, &ret->n_architectures));
	const char *listener = NULL;
	TRY(json_get_string(document, &path, "listenerPath", &listener));
	if (listener && *listener)
		return error_new(ERROR_UNSUPPORTED, "seccomp.listenerPath: not supported");
	const struct json *list = NULL;
	TRY(json_get_array(document, &path, "syscalls", RULES_MAX, &list));
	size_t n = json_size(list);
	struct seccomp_rule *rules = arena_alloc(arena, (n + 1) * sizeof *rules);
	const struct json_path list_path = {&path, "syscalls", 0};
	for (size_t i = 0; i < n; i++) {
		const struct json_path item = {&list_path, NULL, i};
		TRY(read_rule(arena, json_item(list, i), &item, &rules[i]));
	}
	ret->rules = rules;
	ret->n_rules = n;
	return NULL;
}

static fallible read_flags(struct arena *arena, const struct json *document, unsigned *ret)
{
	const struct json_path path = {NULL, "seccomp", 0};
	const char *const *words = NULL;
	size_t n = 0;
	unsigned flags = 0;
	TRY(read_names(arena, document, &path, "flags", 16, &words, &n));
	for (size_t i = 0; i < n; i++) {
		unsigned flag = 0;
		TRY(seccomp_flag(words[i], &flag));
		flags |= flag;
	}
	*ret = flags;
	return NULL;
}

fallible plan_seccomp(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_linux *l = &request->spec->linux_;
	switch (l->seccomp_kind) {
	case OCI_SECCOMP_NONE:
		return NULL;
	case OCI_SECCOMP_BUILTIN:
		plan->has_filter = true;
		return seccomp_default(plan->capabilities.bounding, &plan->filter);
	case OCI_SECCOMP_PROFILE:
		break;
	}
	if (!l->seccomp)
		return NULL;
	struct seccomp_profile profile = {0};
	TRY(read_profile(plan->arena, l->seccomp, &profile));
	TRY(read_flags(plan->arena, l->seccomp, &plan->filter_flags));
	TRY(seccomp_compile(&profile, &plan->filter, NULL));
	plan->has_filter = true;
	return NULL;
}
