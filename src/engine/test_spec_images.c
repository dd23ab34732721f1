// SPDX-License-Identifier: Apache-2.0
#include "engine/test_spec.h"
#include <stdio.h>

const char *golden;

// clang-format off
static const struct {
	const char *name, *config;
} images[] = {
	{ "docker.io/library/busybox:latest",
	  "\"Cmd\":[\"/bin/sh\"],\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]" },
	{ "docker.io/demo/full:1",
	  "\"Entrypoint\":[\"/bin/echo\",\"entry\"],\"Cmd\":[\"cmd\"],\"WorkingDir\":\"/app/dir\",\"User\":\"app\","
	  "\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"A=image\"],"
	  "\"Labels\":{\"org.example.l\":\"1\",\"dup\":\"image\"},\"StopSignal\":\"SIGQUIT\"" },
	{ "docker.io/demo/empty:1", "" },
	{ "docker.io/demo/uid:1", "\"User\":\"1000\",\"Cmd\":[\"id\"]" },
	{ "docker.io/demo/baduser:1", "\"User\":\"ghost:1\"" },
};
static const char plain_passwd[] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
static const char plain_group[] = "root:x:0:\nnogroup:x:65534:\n";
static const char demo_passwd[] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
				  "app:x:1000:1000::/home:/bin/sh\n";
static const char demo_group[] = "root:x:0:\nnogroup:x:65534:\nwheel:x:10:root,app\naudio:x:29:app\napp:x:1000:\n";
const char test_seccomp_profile[] =
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
	"\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1}]}";
// clang-format on

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

// Arrays that are sets: names of calls, capabilities, gids.
static bool is_set(const char *key)
{
	static const char *const sets[] = {"bounding",    "effective", "permitted",
	                                   "inheritable", "names",     "additionalGids"};
	for (size_t i = 0; i < N(sets); i++)
		if (!strcmp(sets[i], key))
			return true;
	return false;
}

static struct json *normal_member(const struct json *value, const char *key)
{
	const char *name;
	const struct json *member;
	if (json_kind(value) == JSON_OBJECT) {
		struct json *o = json_new_object();
		for (struct json_cursor at = {0}; json_next(value, &at, &name, &member);)
			json_set(o, name, normal_member(member, name));
		return o;
	}
	if (json_kind(value) != JSON_ARRAY)
		return json_copy(value);
	struct json *array = json_new_array();
	auto_strings struct strings texts = {0};
	for (size_t i = 0; i < json_size(value); i++) {
		if (is_set(key))
			strings_adopt(&texts, json_to_text(json_item(value, i), 0, JSON_PLAIN));
		else
			json_append(array, normal_member(json_item(value, i), ""));
	}
	if (texts.n)
		qsort(texts.items, texts.n, sizeof(*texts.items), by_text);
	for (size_t i = 0; i < texts.n; i++)
		json_append_string(array, texts.items[i]);
	return array;
}

struct json *normal(const struct json *value)
{
	return normal_member(value, "");
}

char *read_golden(const char *name)
{
	auto_free char *path = alloc_printf("%s/%s", golden, name);
	FILE *f = fopen(path, "re");
	if (!f)
		print_message("%s: not there\n", path);
	assert_non_null(f);
	char *text = alloc((size_t)1 << 20);
	size_t n = fread(text, 1, ((size_t)1 << 20) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

struct json *parse(const char *text)
{
	struct json *value = NULL;
	assert_null(json_parse(text, strlen(text), 1 << 20, &value));
	return value;
}

fallible make(const struct spec_request *r, const char *image_name, const struct spec_host *host,
              struct oci_spec **ret)
{
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config image;
	struct spec_source source = {.ns = "default", .id = "demo"};
	bool demo = strstr(image_name, "/demo/");
	source.passwd = demo ? demo_passwd : plain_passwd;
	source.group = demo ? demo_group : plain_group;
	source.passwd_size = strlen(source.passwd);
	source.group_size = strlen(source.group);
	if (r->has_rootfs)
		source.rootfs = "/srv/rootfs";
	for (size_t i = 0; i < N(images); i++) {
		if (strcmp(images[i].name, image_name) != 0)
			continue;
		auto_free char *text = alloc_printf(
			"{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{%s}}",
			images[i].config);
		assert_null(oci_config_parse(text, strlen(text), arena, &image));
		source.image = &image;
	}
	auto_strings struct strings warnings = {0};
	return spec_make(r, &source, host, &warnings, ret);
}
