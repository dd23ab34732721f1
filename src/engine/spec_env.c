// SPDX-License-Identifier: Apache-2.0
// The environment. ctr applies the file, then the flags, and merges the image's below them: so a
// name without a value takes away what the file set, never what the image sets, and never what
// another flag sets.
#include "engine/spec_private.h"
#include <string.h>

static const char default_path[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static fallible check_entry(const char *entry, const char *where)
{
	if (*entry == '=')
		return error_new(ERROR_USAGE, "%s \"%.64s\": no name before the =", where, entry);
	return NULL;
}

// One entry a line, no trimming but for a carriage return before the newline; lines without = do
// nothing.
static fallible read_file(const char *text, struct strings *ret)
{
	while (*text) {
		size_t size = strcspn(text, "\n"), next = size + (text[size] == '\n');
		if (size && text[size - 1] == '\r')
			size--;
		char *entry = alloc_bytes(text, size);
		if (strchr(entry, '='))
			strings_adopt(ret, entry);
		else
			free(entry);
		text += next;
	}
	for (size_t i = 0; i < ret->n; i++)
		TRY(check_entry(ret->items[i], "environment file: line"));
	return NULL;
}

static bool is_unset(const struct spec_texts *env, const char *entry)
{
	size_t size = strcspn(entry, "=");
	for (size_t i = 0; i < env->n; i++)
		if (!strchr(env->items[i], '=') && strlen(env->items[i]) == size &&
		    !strncmp(env->items[i], entry, size))
			return true;
	return false;
}

fallible spec_apply_env(struct oci_spec *spec, const struct spec_request *r,
                        const struct spec_source *source)
{
	const struct oci_image_config *image = source->image;
	auto_strings struct strings file = {0};
	for (size_t i = 0; image && i < image->n_env; i++)
		oci_spec_set_env(spec, image->env[i]);
	if (image && !image->n_env)
		oci_spec_set_env(spec, default_path);
	if (r->env_file)
		TRY(read_file(r->env_file, &file));
	for (size_t i = 0; i < file.n; i++)
		if (!is_unset(&r->env, file.items[i]))
			oci_spec_set_env(spec, file.items[i]);
	for (size_t i = 0; i < r->env.n; i++) {
		TRY(check_entry(r->env.items[i], "environment variable"));
		if (strchr(r->env.items[i], '='))
			oci_spec_set_env(spec, r->env.items[i]);
	}
	return NULL;
}
