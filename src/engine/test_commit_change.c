// SPDX-License-Identifier: Apache-2.0
// Instructions of --change, against the config that comes of them.
#include "engine/commit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CONFIG(members)                                                          \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{" members "}," \
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"
#define N(array) (sizeof(array) / sizeof(*(array)))
enum { CHANGES_MAX = 4 };

// What comes of `base` (NULL: the error).
static char *changed(const char *base, const char *const *changes, struct error **ret_error)
{
	auto_arena struct arena *arena = arena_new();
	struct oci_image_config config;
	size_t n = 0;
	while (n < CHANGES_MAX && changes[n])
		n++;
	assert_null(oci_config_parse(base, strlen(base), arena, &config));
	*ret_error = commit_change(&config, arena, changes, n);
	return *ret_error ? NULL : oci_config_write(&config);
}

static void instructions(void **state)
{
	(void)state;
	static const struct {
		const char *changes[CHANGES_MAX];
		const char *before, *after;
	} rows[] = {
		{{"CMD [\"a\",\"b c\"]"}, CONFIG(""), CONFIG("\"Cmd\":[\"a\",\"b c\"]")},
		{{"cmd []"}, CONFIG("\"Cmd\":[\"x\"]"), CONFIG("\"Cmd\":[]")},
		{{"CMD echo $A"}, CONFIG(""), CONFIG("\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"]")},
		{{"CMD [ -f x ]"}, CONFIG(""), CONFIG("\"Cmd\":[\"/bin/sh\",\"-c\",\"[ -f x ]\"]")},
		// the image's command was for its own entrypoint
		{{"ENTRYPOINT [\"e\"]"},
	         CONFIG("\"Cmd\":[\"x\"]"),
	         CONFIG("\"Entrypoint\":[\"e\"]")},
		{{"CMD [\"c\"]", "ENTRYPOINT [\"e\"]"},
	         CONFIG("\"Cmd\":[\"x\"]"),
	         CONFIG("\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]")},
		{{"ENV A=1"},
	         CONFIG("\"Env\":[\"A=0\",\"AB=2\",\"C\"]"),
	         CONFIG("\"Env\":[\"AB=2\",\"C\",\"A=1\"]")},
		{{"ENV C=1"},
	         CONFIG("\"Env\":[\"A=0\",\"C\"]"),
	         CONFIG("\"Env\":[\"A=0\",\"C=1\"]")},
		{{"ENV A=1 B=\"2 3\"  C='4 \"' D=5\\ 6 E="},
	         CONFIG(""),
	         CONFIG("\"Env\":[\"A=1\",\"B=2 3\",\"C=4 \\\"\",\"D=5 6\",\"E=\"]")},
		{{"ENV A  1 \"2\" B=3"}, CONFIG(""), CONFIG("\"Env\":[\"A=1 \\\"2\\\" B=3\"]")},
		{{"LABEL b=1 a=\"x y\"", "LABEL b=2"},
	         CONFIG("\"Labels\":{\"c\":\"3\"}"),
	         CONFIG("\"Labels\":{\"a\":\"x y\",\"b\":\"2\",\"c\":\"3\"}")},
		{{"EXPOSE 80 53/udp", "EXPOSE 80/tcp"},
	         CONFIG(""),
	         CONFIG("\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}}")},
		{{"VOLUME /b /a", "VOLUME [\"/c d\"]"},
	         CONFIG(""),
	         CONFIG("\"Volumes\":{\"/a\":{},\"/b\":{},\"/c d\":{}}")},
		{{"USER app:wheel", "WORKDIR /srv", "STOPSIGNAL SIGINT"},
	         CONFIG(""),
	         CONFIG("\"User\":\"app:wheel\",\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGINT\"")},
	};
	for (size_t i = 0; i < N(rows); i++) {
		struct error *e = NULL;
		auto_free char *got = changed(rows[i].before, rows[i].changes, &e);
		assert_string_equal(e ? e->message : "", "");
		assert_string_equal(got, rows[i].after);
	}
}

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *change, *message;
	} rows[] = {
		{"", "--change \"\": not understood"},
		{"CMD", "--change \"CMD\": not understood"},
		{"CMD  ", "--change \"CMD  \": not understood"},
		{"FROM x", "--change \"FROM x\": not understood"},
		{"CMDX x", "--change \"CMDX x\": not understood"},
		{"CMD [1]", "--change \"CMD [1]\": not all are strings"},
		{"VOLUME [\"/a\"", "--change \"VOLUME [\"/a\"\": not a list of strings"},
		{"ENV A", "--change \"ENV A\": not KEY=VALUE"},
		{"ENV =1", "--change \"ENV =1\": not KEY=VALUE"},
		{"ENV A=1 B", "--change \"ENV A=1 B\": not KEY=VALUE"},
		{"LABEL a=\"1", "--change \"LABEL a=\"1\": a quote isn't closed"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		const char *const changes[] = {rows[i].change, NULL};
		struct error *e = NULL;
		assert_null(changed(CONFIG(""), changes, &e));
		assert_string_equal(e->message, rows[i].message);
		error_free(e);
	}
	auto_free char *long_one = alloc(200001);
	memset(long_one, 'x', 200000);
	const char *const changes[] = {long_one, NULL};
	struct error *e = NULL;
	assert_null(changed(CONFIG(""), changes, &e));
	assert_string_equal(e->message, "--change: longer than 131071 bytes");
	error_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(instructions),
	                                   cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
