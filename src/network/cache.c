// SPDX-License-Identifier: Apache-2.0
// Specification: libcni 1.3.0 api.go, cniCacheV1. Written beside and renamed: upstream writes in
// place, and a crash leaves a half.
#include "network/attach.h"
#include "network/names.h"
#include "network/paths.h"
#include "sys/sys.h"
#include <fcntl.h>

enum { CACHE_MAX = 4 << 20 };
#define OWNER_KEY "coracleOwner"

// The fields inside decide: the name is ambiguous in '-', and cut if it is too long for a file.
static char *cache_name(const struct attachment *a)
{
	auto_free char *name =
		alloc_printf("%s-%s-%s", a->config->name, a->container_id, a->ifname);
	if (strlen(name) <= 255)
		return take(&name);
	return alloc_printf("%.200s-%016llx-%s", name, (unsigned long long)name_hash(name, 0),
	                    a->ifname);
}

static char *temporary_name(const struct attachment *a)
{
	auto_free char *record = owner_file(a->request->instance, a->ifname);
	return alloc_printf(".coracle-%s", record);
}

static char *base64(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t size = strlen(text);
	char *out = alloc(size / 3 * 4 + 5), *at = out;
	for (size_t i = 0; i < size; i += 3) {
		unsigned left = size - i > 2 ? 3 : (unsigned)(size - i);
		unsigned bits = (unsigned)(unsigned char)text[i] << 16;
		if (left > 1)
			bits |= (unsigned)(unsigned char)text[i + 1] << 8;
		if (left > 2)
			bits |= (unsigned char)text[i + 2];
		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*at++ = left > 2 ? digits[bits & 63] : '=';
	}
	return out;
}

// CNI_ARGS as libcni keeps them: pairs of texts.
static struct json *split_arguments(const char *args)
{
	struct json *pairs = json_new_array();
	for (const char *at = args; *at;) {
		size_t size = strcspn(at, ";");
		const char *equals = memchr(at, '=', size);
		if (equals) {
			auto_free char *key = alloc_bytes(at, (size_t)(equals - at));
			auto_free char *value =
				alloc_bytes(equals + 1, (size_t)(at + size - equals - 1));
			struct json *pair = json_new_array();
			json_append_string(pair, key);
			json_append_string(pair, value);
			json_append(pairs, pair);
		}
		at += size + (at[size] == ';');
	}
	return pairs;
}

static fallible make_document(const struct attachment *a, const struct network_result *result,
                              struct json **ret)
{
	auto_json struct json *o = json_new_object();
	auto_free char *list = json_to_text(a->config->list, 0, JSON_SORT_KEYS | JSON_ESCAPE_HTML);
	auto_free char *encoded = base64(list);
	json_set_string(o, "kind", "cniCacheV1");
	json_set_string(o, "containerId", a->container_id);
	json_set_string(o, "config", encoded);
	json_set_string(o, "ifName", a->ifname);
	json_set_string(o, "networkName", a->config->name);
	if (*a->netns)
		json_set_string(o, "netns", a->netns);
	if (a->request->cni_args && *a->request->cni_args)
		json_set(o, "cniArgs", split_arguments(a->request->cni_args));
	if (json_size(a->capabilities))
		json_set(o, "capabilityArgs", json_copy(a->capabilities));
	json_set_string(o, OWNER_KEY, a->owner); // ours; libcni passes over it
	struct json *answer;
	TRY(result_to_json(result, a->config->version, &answer));
	json_set(o, "result", answer);
	*ret = take(&o);
	return NULL;
}

fallible cache_write(const struct attachment *a, const struct network_result *result)
{
	auto_json struct json *o = NULL;
	TRY(make_document(a, result, &o));
	auto_free char *text = json_to_text(o, 0, JSON_ESCAPE_HTML);
	auto_free char *name = cache_name(a), *temporary = temporary_name(a);
	auto_fd int dir = -1;
	struct error *e = path_open_dir(paths_cache_dir(a->paths), &dir);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // the first container of this machine
		e = path_make_dirs(paths_cache_dir(a->paths), 0700, &dir);
	}
	TRY(e);
	auto_fd int fd =
		openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		FAIL_ERRNO("cache %s", name);
	TRY_AS(fd_write_all(fd, text, strlen(text)), "cache %s", name);
	return publish_rename(dir, temporary, dir, name, PUBLISH_REPLACE);
}

// NULL and -1 if there is no cache at all.
static fallible open_cache(const struct attachment *a, int *ret)
{
	struct error *e = path_open_dir(paths_cache_dir(a->paths), ret);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // nothing was ever cached
	return e;
}

static bool is_for(const struct attachment *a, const struct json *o)
{
	return text_equal(json_text(json_member(o, "kind")), "cniCacheV1") &&
	       text_equal(json_text(json_member(o, "containerId")), a->container_id) &&
	       text_equal(json_text(json_member(o, "ifName")), a->ifname) &&
	       text_equal(json_text(json_member(o, "networkName")), a->config->name);
}

// Written by us for another life, or for another store's container of the same name.
static bool is_foreign(const struct attachment *a, const struct json *o)
{
	const char *owner = json_text(json_member(o, OWNER_KEY));
	return owner && strcmp(owner, a->owner) != 0;
}

fallible cache_read(const struct attachment *a, struct network_result **ret, bool *ret_foreign)
{
	auto_fd int dir = -1;
	auto_free char *name = cache_name(a), *text = NULL;
	size_t size;
	*ret = NULL;
	*ret_foreign = false;
	TRY(open_cache(a, &dir));
	if (dir < 0)
		return NULL;
	struct error *e = file_read(dir, name, CACHE_MAX, &text, &size);
	auto_json struct json *o = NULL;
	if (!e)
		e = json_parse(text, size, CACHE_MAX, &o);
	if (!e)
		*ret_foreign = !is_for(a, o) || is_foreign(a, o);
	if (!e && !*ret_foreign)
		e = result_parse(json_member(o, "result"), a->config->version, ret);
	error_free(e); // absent or unreadable: DEL works without a result, as libcni does
	return NULL;
}

static fallible remove_file(const struct attachment *a, const char *name)
{
	auto_fd int dir = -1;
	TRY(open_cache(a, &dir));
	if (dir >= 0 && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		FAIL_ERRNO("remove cache %s", name);
	return NULL;
}

fallible cache_remove(const struct attachment *a)
{
	auto_free char *name = cache_name(a);
	TRY(cache_forget(a));
	return remove_file(a, name);
}

fallible cache_forget(const struct attachment *a)
{
	auto_free char *temporary = temporary_name(a);
	return remove_file(a, temporary);
}
