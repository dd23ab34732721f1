// SPDX-License-Identifier: Apache-2.0
// What registries and archives send: good documents, and what an attacker makes of them.
#include "oci/image.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA "sha256:" HEX64
#define CONFIG_D "{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"" SHA "\",\"size\":7}"
#define LAYER_D "{\"mediaType\":\"" OCI_TYPE_LAYER_GZIP "\",\"digest\":\"" SHA "\",\"size\":9}"

static void check_error(struct error *e, const char *message)
{
	if (!e || strcmp(e->message, message) != 0)
		print_message("%s, not %s\n", e ? e->message : "no error", message);
	assert_non_null(e);
	assert_string_equal(e->message, message);
	error_free(e);
}

static void media_types(void **state)
{
	(void)state;
	const struct oci_media_type *t = oci_media_type(OCI_TYPE_LAYER_ZSTD);
	assert_int_equal(t->kind, OCI_MEDIA_LAYER);
	assert_int_equal(t->compression, OCI_COMPRESSION_ZSTD);
	t = oci_media_type("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
	assert_true(t->non_distributable && t->docker);
	assert_null(oci_media_type(NULL));
	assert_null(oci_media_type("application/json"));
	assert_null(oci_media_type(OCI_TYPE_INDEX "; charset=utf-8"));
}

static void good_index(void **state)
{
	(void)state;
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":["
		"{\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"digest\":\"" SHA "\",\"size\":481,"
		"\"annotations\":{\"z\":\"1\",\"org.opencontainers.image.ref.name\":\"latest\"},"
		"\"platform\":{\"architecture\":\"amd64\",\"os\":\"windows\","
		"\"os.version\":\"10.0.20348.1\",\"os.features\":[\"win32k\"]}}]}";
	auto_arena struct arena *arena = arena_new();
	struct oci_index index;
	assert_null(oci_index_parse(text, strlen(text), OCI_TYPE_INDEX, arena, &index));
	assert_int_equal(index.n_manifests, 1);
	const struct oci_descriptor *d = &index.manifests[0];
	assert_string_equal(d->digest, SHA);
	assert_int_equal(d->size, 481);
	assert_true(d->has_platform && d->platform.win32k);
	assert_string_equal(d->platform.os_version, "10.0.20348.1");
	assert_string_equal(d->annotations.items[1].key, "z");
	assert_string_equal(
		oci_pair_list_value(&d->annotations, "org.opencontainers.image.ref.name"),
		"latest");
	assert_null(oci_pair_list_value(&d->annotations, "nosuch"));
	auto_json struct json *o = oci_descriptor_to_json(d);
	auto_free char *again = json_to_text(o, 0, JSON_PLAIN);
	assert_string_equal(again,
	                    "{\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"digest\":\"" SHA
	                    "\",\"size\":481,\"annotations\":{\"org.opencontainers.image.ref."
	                    "name\":\"latest\",\"z\":\"1\"},\"platform\":{\"architecture\":"
	                    "\"amd64\",\"os\":\"windows\",\"os.version\":\"10.0.20348.1\","
	                    "\"os.features\":[\"win32k\"]}}");
	enum oci_media_kind kind;
	assert_null(oci_document_kind(text, strlen(text), &kind));
	assert_int_equal(kind, OCI_MEDIA_INDEX);
}

// clang-format off
static void bad_indexes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *media_type, *message;
	} cases[] = {
		{ "", "", "index: unexpected end of JSON input" },
		{ "[]", "", "index: not an object" },
		{ "{}", "", "index.manifests: missing" },
		{ "{\"manifests\":{}}", "", "index.manifests: not an array" },
		{ "{\"manifests\":[1]}", "", "index.manifests[0]: not an object" },
		{ "{\"manifests\":[null]}", "", "index.manifests[0]: not an object" },
		{ "{\"manifests\":[{}]}", "", "index.manifests[0].digest: missing" },
		{ "{\"manifests\":[{\"digest\":\"x\"}]}", "", "index.manifests[0].digest: digest \"x\": not ALGORITHM:HEX" },
		{ "{\"manifests\":[{\"digest\":\"" SHA "\"}]}", "", "index.manifests[0].size: missing" },
		{ "{\"manifests\":[{\"digest\":\"" SHA "\",\"size\":-1}]}", "",
		  "index.manifests[0].size: not a number from 0 to 9223372036854775807" },
		{ "{\"manifests\":[{\"digest\":\"" SHA "\",\"size\":1,\"mediaType\":\"a b\"}]}", "",
		  "index.manifests[0].mediaType: not a media type: \"a b\"" },
		// Found by fuzz_oci: the search for bad characters ran past the text's end.
		{ "{\"manifests\":[{\"digest\":\"" SHA "\",\"size\":1,\"mediaType\":\"application/x\\n\"}]}", "",
		  "index.manifests[0].mediaType: not a media type: \"application/x?\"" },
		{ "{\"manifests\":[{\"digest\":\"" SHA "\",\"size\":1,\"platform\":{\"os\":\"../x\"}}]}", "",
		  "index.manifests[0].platform.os: not a name: \"../x\"" },
		{ "{\"manifests\":[{\"digest\":\"" SHA "\",\"size\":1,\"annotations\":{\"a\":1}}]}", "",
		  "index.manifests[0].annotations.a: not a string" },
		{ "{\"manifests\":[{\"digest\":\"" SHA "\",\"size\":1,\"annotations\":{\"\\u001b\":\"\"}}]}", "",
		  "index.manifests[0].annotations.?: a control character in the name" },
		{ "{\"schemaVersion\":1,\"manifests\":[]}", "", "index.schemaVersion: not 2" },
		{ "{\"fsLayers\":[],\"manifests\":[]}", "", "index.schemaVersion: not 2" },
		{ "{\"manifests\":[],\"layers\":[]}", "", "index: an index and a manifest at once, refused" },
		{ "{\"manifests\":[],\"config\":{}}", "", "index: an index and a manifest at once, refused" },
		{ "{\"manifests\":[],\"mediaType\":\"" OCI_TYPE_MANIFEST "\"}", "",
		  "index.mediaType: not the type of an index: \"" OCI_TYPE_MANIFEST "\"" },
		{ "{\"manifests\":[],\"mediaType\":\"" OCI_TYPE_INDEX "\"}", OCI_TYPE_DOCKER_INDEX,
		  "index.mediaType: the descriptor says another type, the document \"" OCI_TYPE_INDEX "\"" },
		{ "{\"manifests\":[]}", OCI_TYPE_MANIFEST, "index.mediaType: not the type of an index: \"" OCI_TYPE_MANIFEST "\"" },
		{ "{\"manifests\":[]}", "text/html", "index.mediaType: not the type of an index: \"text/html\"" },
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_arena struct arena *arena = arena_new();
		struct oci_index index = {0};
		check_error(oci_index_parse(cases[i].text, strlen(cases[i].text), cases[i].media_type, arena, &index),
			    cases[i].message);
		assert_null(index.manifests);
	}
}

static void manifests(void **state)
{
	(void)state;
	static const char good[] = "{\"schemaVersion\":2,\"config\":" CONFIG_D ",\"layers\":[" LAYER_D "," LAYER_D "]}";
	auto_arena struct arena *arena = arena_new();
	struct oci_manifest m;
	assert_null(oci_manifest_parse(good, strlen(good), "", arena, &m));
	assert_null(m.media_type);
	assert_int_equal(m.n_layers, 2);
	assert_int_equal(m.config.size, 7);
	assert_null(oci_manifest_parse(good, strlen(good), OCI_TYPE_DOCKER_MANIFEST, arena, &m));
	enum oci_media_kind kind;
	assert_null(oci_document_kind(good, strlen(good), &kind));
	assert_int_equal(kind, OCI_MEDIA_MANIFEST);
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{}", "manifest.config: missing" },
		{ "{\"config\":[]}", "manifest.config: not an object" },
		{ "{\"config\":" CONFIG_D "}", "manifest.layers: missing" },
		{ "{\"config\":" CONFIG_D ",\"layers\":[{}]}", "manifest.layers[0].digest: missing" },
		{ "{\"config\":" CONFIG_D ",\"layers\":[],\"manifests\":[]}", "manifest: an index and a manifest at once, refused" },
		{ "{\"config\":" CONFIG_D ",\"layers\":[],\"mediaType\":\"" OCI_TYPE_INDEX "\"}",
		  "manifest.mediaType: not the type of a manifest: \"" OCI_TYPE_INDEX "\"" },
	};
	for (size_t i = 0; i < N(cases); i++)
		check_error(oci_manifest_parse(cases[i].text, strlen(cases[i].text), "", arena, &m), cases[i].message);
	auto_str struct str many = STR_LIMIT(1 << 20);
	str_add(&many, "{\"config\":" CONFIG_D ",\"layers\":[");
	for (size_t i = 0; i < OCI_LAYERS_LIMIT + 1; i++)
		str_add(&many, i ? "," LAYER_D : LAYER_D);
	str_add(&many, "]}");
	check_error(oci_manifest_parse(many.bytes, many.size, "", arena, &m), "manifest.layers: 501 items, more than 500");
}

static void good_config(void **state)
{
	(void)state;
	static const char text[] =
		"{\"history\":[{\"created_by\":\"x\"}],\"architecture\":\"x86_64\",\"os\":\"Linux\",\"created\":\"2026-01-01T00:00:00Z\","
		"\"docker_version\":\"20\",\"config\":{\"Labels\":{\"b\":\"line\\nline\",\"a\":\"<1>\"},\"Env\":[\"PATH=/bin\",\"EMPTY=\",\"FLAG\"],"
		"\"Cmd\":[],\"Entrypoint\":[\"/bin/sh\",\"-c\",\"a\\nb\"],\"User\":\"app:wheel\",\"WorkingDir\":\"/app/..x\","
		"\"StopSignal\":\"RTMIN+3\",\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"Volumes\":{\"/data\":{}},\"OnBuild\":[\"x\"],"
		"\"Healthcheck\":{\"Test\":[\"x\"]}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\"]}}";
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config c, again;
	assert_null(oci_config_parse(text, strlen(text), arena, &c));
	assert_string_equal(c.platform.architecture, "amd64");
	assert_int_equal(c.n_env, 3);
	assert_null(c.env[3]);
	assert_true(c.has_cmd && !c.n_cmd);
	assert_string_equal(c.labels.items[0].key, "a");
	auto_free char *normal = oci_config_write(&c);
	assert_string_equal(normal,
		"{\"created\":\"2026-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"User\":\"app:wheel\","
		"\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},\"Env\":[\"PATH=/bin\",\"EMPTY=\",\"FLAG\"],\"Entrypoint\":[\"/bin/sh\",\"-c\",\"a\\nb\"],"
		"\"Cmd\":[],\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/app/..x\",\"Labels\":{\"a\":\"<1>\",\"b\":\"line\\nline\"},"
		"\"StopSignal\":\"RTMIN+3\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\"]}}");
	assert_null(oci_config_read(normal, strlen(normal), arena, &again));
	assert_string_equal(again.user, "app:wheel");
	check_error(oci_config_read(text, strlen(text), arena, &again), "config: not in the normal form");
	auto_free char *blank = alloc_printf("%s ", normal);
	check_error(oci_config_read(blank, strlen(blank), arena, &again), "config: not in the normal form");
	static const char windows[] =
		"{\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10.0.20348.1\",\"config\":{\"WorkingDir\":\"C:\\\\app\","
		"\"Volumes\":{\"c:/data\":{}},\"ArgsEscaped\":true},\"rootfs\":{\"type\":\"layers\"}}";
	assert_null(oci_config_parse(windows, strlen(windows), arena, &c));
	assert_true(c.args_escaped);
	static const char bare[] = "{\"architecture\":\"amd64\",\"os\":\"linux\"}";
	assert_null(oci_config_parse(bare, strlen(bare), arena, &c));
	assert_string_equal(c.user, "");
	assert_null(c.env[0]);
}

static void child_of(const char *foreign, const char *wanted)
{
	static const char normal[] =
		"{\"created\":\"2026-02-02T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"new\"]},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\",\"" SHA "\"]}}";
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config config;
	auto_json struct json *entry = json_new_object();
	auto_free char *text = NULL;
	json_set_string(entry, "created_by", "me");
	json_set_string(entry, "author", "who");
	assert_null(oci_config_read(normal, strlen(normal), arena, &config));
	struct error *e = oci_config_child(foreign, strlen(foreign), &config, entry, &text);
	assert_string_equal(e ? e->message : text, wanted);
	error_free(e);
}

static void documents_converted(void **state)
{
	(void)state;
	struct oci_replacement items[] = {
		{"sha256:" HEX64, OCI_TYPE_LAYER, "sha256:" "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 5},
	};
	const struct oci_replacements r = {OCI_TYPE_MANIFEST, items, 1};
	struct oci_replaced done;
	static const char manifest[] =
		"{\"schemaVersion\":2,\"x\":[1],\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"sha256:"
		"2123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":7},"
		"\"layers\":[{\"mediaType\":\"" OCI_TYPE_LAYER_GZIP "\",\"digest\":\"" SHA "\",\"size\":9,\"urls\":[\"http://x\"],\"y\":true}]}";
	assert_null(oci_document_convert(manifest, strlen(manifest), &r, &done));
	assert_string_equal(done.text,
		"{\"schemaVersion\":2,\"x\":[1],\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"sha256:"
		"2123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":7},"
		"\"layers\":[{\"mediaType\":\"" OCI_TYPE_LAYER "\",\"digest\":\"sha256:"
		"1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":5,\"y\":true}],\"mediaType\":\"" OCI_TYPE_MANIFEST "\"}");
	assert_int_equal(done.n, 1);
	free(done.text);
	const struct oci_replacements none = {OCI_TYPE_MANIFEST, NULL, 0};
	check_error(oci_document_convert(manifest, strlen(manifest), &none, &done), "manifest: a layer that isn't known");
	static const char index[] = "{\"schemaVersion\":2,\"manifests\":[" CONFIG_D ",{\"digest\":\"sha256:"
		"3123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":1}]}";
	assert_null(oci_document_convert(index, strlen(index), &r, &done));
	assert_int_equal(done.n, 1);
	assert_int_equal(done.n_dropped, 1);
	free(done.text);
	check_error(oci_document_convert("{\"manifests\":[],\"layers\":[]}", 28, &r, &done),
	            "document: an index and a manifest at once, refused");
	check_error(oci_document_convert("[]", 2, &r, &done), "document: not an object");
	const struct oci_media_type *t = oci_media_type(OCI_TYPE_DOCKER_LAYER_GZIP);
	assert_string_equal(oci_media_type_like(t, false, OCI_COMPRESSION_ZSTD)->name, OCI_TYPE_LAYER_ZSTD);
	assert_string_equal(oci_media_type_like(t, true, OCI_COMPRESSION_NONE)->name, OCI_TYPE_DOCKER_LAYER);
	t = oci_media_type("application/vnd.docker.image.rootfs.foreign.diff.tar");
	assert_null(oci_media_type_like(t, true, OCI_COMPRESSION_ZSTD));
}

#define CHILD(settings, others, history) \
	"{\"created\":\"2026-02-02T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"new\"]" settings "}," \
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\",\"" SHA "\"]}" others ",\"author\":\"who\"," \
	"\"history\":[" history "{\"created_by\":\"me\",\"author\":\"who\"}]}"
static void config_children(void **state)
{
	(void)state;
	// What we don't know stays, what we know is ours, whatever its case; history goes on.
	child_of("{\"architecture\":\"arm\",\"os\":\"linux\",\"docker_version\":\"20\",\"os.features\":[\"x\"],"
	         "\"config\":{\"Cmd\":[\"old\"],\"cMD\":[\"older\"],\"Env\":[\"A=1\"],\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/zsh\"],"
	         "\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":9007199254740993},\"Tty\":null},"
	         "\"history\":[{\"created_by\":\"a\",\"x\":1},{\"created_by\":\"ENV\",\"empty_layer\":true}]}",
	         CHILD(",\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/zsh\"],\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],"
	               "\"Interval\":9007199254740993},\"Tty\":null",
	               ",\"docker_version\":\"20\",\"os.features\":[\"x\"]",
	               "{\"created_by\":\"a\",\"x\":1},{\"created_by\":\"ENV\",\"empty_layer\":true},"));
	// A history that tells of other layers, or of nothing that one understands.
	child_of("{\"created\":\"2026-01-01T00:00:00Z\",\"config\":null,\"history\":[{\"empty_layer\":true}]}",
	         CHILD("", "", "{\"created\":\"2026-01-01T00:00:00Z\"},"));
	child_of("{\"history\":[{},{}]}", CHILD("", "", "{},"));
	child_of("{\"history\":[{\"empty_layer\":\"no\"}]}", CHILD("", "", "{},"));
	child_of("{\"history\":[1]}", CHILD("", "", "{},"));
	child_of("{\"history\":{\"a\":1}}", CHILD("", "", "{},"));
	child_of("{\"author\":\"me\"}", CHILD("", "", "{},"));
	child_of("[]", "config: not an object");
	child_of("{\"config\":[]}", "config: not an object");
	child_of("{", "config: unexpected end of JSON input");
}

#define CONFIG(members) "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{" members "}}"
#define WINDOWS(members) "{\"architecture\":\"amd64\",\"os\":\"windows\",\"config\":{" members "}}"
static void bad_configs(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "null", "config: not an object" },
		{ "{}", "config.os: missing" },
		{ "{\"os\":\"linux\"}", "config.architecture: missing" },
		{ "{\"os\":\"a/b\"}", "config.os: not a name: \"a/b\"" },
		{ "{\"os\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "config.os: too long: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" },
		{ "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"yesterday\"}", "config.created: not a time: \"yesterday\"" },
		{ "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":[]}", "config.config: not an object" },
		{ CONFIG("\"Env\":\"PATH=/\""), "config.config.Env: not an array" },
		{ CONFIG("\"Env\":[1]"), "config.config.Env[0]: not a string" },
		{ CONFIG("\"Env\":[\"A=1\",\"=x\"]"), "config.config.Env[1]: not NAME=VALUE" },
		{ CONFIG("\"Env\":[\"\"]"), "config.config.Env[0]: not NAME=VALUE" },
		{ CONFIG("\"Env\":[\"A\\nB=1\"]"), "config.config.Env[0]: not NAME=VALUE" },
		{ CONFIG("\"Cmd\":{}"), "config.config.Cmd: not an array" },
		{ CONFIG("\"Entrypoint\":\"sh\""), "config.config.Entrypoint: not an array" },
		{ CONFIG("\"User\":1"), "config.config.User: not a string" },
		{ CONFIG("\"User\":\"a\\u001b[2J\""), "config.config.User: a control character" },
		{ CONFIG("\"WorkingDir\":\"app\""), "config.config.WorkingDir: not an absolute path: \"app\"" },
		{ CONFIG("\"WorkingDir\":\"/../x\""), "config.config.WorkingDir: \"..\" in the path \"/../x\"" },
		{ CONFIG("\"WorkingDir\":\"/a/..\""), "config.config.WorkingDir: \"..\" in the path \"/a/..\"" },
		{ WINDOWS("\"WorkingDir\":\"C:\\\\a\\\\..\\\\b\""), "config.config.WorkingDir: \"..\" in the path \"C:\\a\\..\\b\"" },
		{ CONFIG("\"WorkingDir\":\"C:\\\\a\""), "config.config.WorkingDir: not an absolute path: \"C:\\a\"" },
		{ CONFIG("\"Volumes\":{\"/../../etc\":{}}"), "config.config.Volumes./../../etc: \"..\" in the path \"/../../etc\"" },
		{ CONFIG("\"Volumes\":{\"\":{}}"), "config.config.Volumes.: not an absolute path: \"\"" },
		{ CONFIG("\"Volumes\":[]"), "config.config.Volumes: not an object" },
		{ CONFIG("\"StopSignal\":\"SIGNOSUCH\""), "config.config.StopSignal: invalid signal: SIGNOSUCH" },
		{ CONFIG("\"Labels\":{\"a\":{}}"), "config.config.Labels.a: not a string" },
		{ "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"nosuch\"}}", "config.rootfs.type: not layers: \"nosuch\"" },
		{ "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"sha256:../../../etc\"]}}",
		  "config.rootfs.diff_ids[0]: digest \"sha256:../../../etc\": not 64 hexadecimal digits" },
		{ "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"sha512:" HEX64 HEX64 "\"]}}",
		  "config.rootfs.diff_ids[0]: not a sha256 digest" },
	};
	for (size_t i = 0; i < N(cases); i++) {
		auto_arena struct arena *arena = arena_new();
		struct oci_image_config c = {0};
		check_error(oci_config_parse(cases[i].text, strlen(cases[i].text), arena, &c), cases[i].message);
		assert_null(c.user);
	}
}

static void archives(void **state)
{
	(void)state;
	static const char good[] =
		"[{\"Config\":\"blobs/sha256/" HEX64 "\",\"RepoTags\":[\"busybox:latest\"],\"Layers\":[\"" HEX64 "/layer.tar\"],\"LayerSources\":{}},"
		"{\"Config\":\"x.json\",\"RepoTags\":null,\"Layers\":null}]";
	auto_arena struct arena *arena = arena_new();
	struct oci_archive a;
	assert_null(oci_archive_parse(good, strlen(good), arena, &a));
	assert_int_equal(a.n_images, 2);
	assert_string_equal(a.images[0].repo_tags[0], "busybox:latest");
	assert_int_equal(a.images[1].n_layers, 0);
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{}", "manifest.json: not an array" },
		{ "[1]", "manifest.json[0]: not an object" },
		{ "[{}]", "manifest.json[0].Config: missing" },
		{ "[{\"Config\":\"../x\"}]", "manifest.json[0].Config: not a path inside the archive: \"../x\"" },
		{ "[{\"Config\":\"/x\"}]", "manifest.json[0].Config: not a path inside the archive: \"/x\"" },
		{ "[{\"Config\":\"a//x\"}]", "manifest.json[0].Config: not a path inside the archive: \"a//x\"" },
		{ "[{\"Config\":\"a/./x\"}]", "manifest.json[0].Config: not a path inside the archive: \"a/./x\"" },
		{ "[{\"Config\":\"\"}]", "manifest.json[0].Config: not a path inside the archive: \"\"" },
		{ "[{\"Config\":\"x\",\"Layers\":[\"a\\\\b\"]}]", "manifest.json[0].Layers[0]: not a path inside the archive: \"a\\b\"" },
		{ "[{\"Config\":\"x\",\"Layers\":[\"a/\"]}]", "manifest.json[0].Layers[0]: not a path inside the archive: \"a/\"" },
		{ "[{\"Config\":\"x\",\"RepoTags\":[\"A\"]}]",
		  "manifest.json[0].RepoTags[0]: reference \"A\": repository name must be lowercase" },
	};
	for (size_t i = 0; i < N(cases); i++)
		check_error(oci_archive_parse(cases[i].text, strlen(cases[i].text), arena, &a), cases[i].message);
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}", later[] = "{\"imageLayoutVersion\":\"2.0.0\"}";
	assert_null(oci_layout_check(layout, strlen(layout)));
	check_error(oci_layout_check(later, strlen(later)), "oci-layout.imageLayoutVersion: not 1.0.0: \"2.0.0\"");
	check_error(oci_layout_check("{}", 2), "oci-layout.imageLayoutVersion: missing");
}
// clang-format on

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_types),
		cmocka_unit_test(good_index),
		cmocka_unit_test(bad_indexes),
		cmocka_unit_test(manifests),
		cmocka_unit_test(good_config),
		cmocka_unit_test(bad_configs),
		cmocka_unit_test(archives),
		cmocka_unit_test(config_children),
		cmocka_unit_test(documents_converted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
