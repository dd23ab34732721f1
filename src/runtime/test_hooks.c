// SPDX-License-Identifier: Apache-2.0
// Hooks by the runtime's contract: what is owed and when. What each sees is test/e2e/test_hooks.py.
#include "runtime/test_fixture.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture fixture;
static bool is_possible;
static struct strings warnings;

static void need_fixture(void)
{
	if (!is_possible)
		skip();
}

static void warn(void *context, const char *message)
{
	(void)context;
	strings_add(&warnings, message);
}

static void add(struct life *l, enum oci_hook_kind kind, const char *script)
{
	struct oci_hook *hook = oci_spec_add_hook(l->spec, kind, "/bin/sh");
	const char *const args[] = {"sh", "-c", script};
	oci_spec_set_strings(l->spec, &hook->args, args, 3);
}

static void make(struct life *l)
{
	life_make(&fixture, l, (const char *const[]){"true", NULL});
	l->request.warn = warn;
	strings_done(&warnings);
	warnings = (struct strings){0};
}

static bool is_owed(const struct life *l)
{
	return faccessat(l->state, "config.json", F_OK, 0) == 0;
}

static void pay(const struct life *l)
{
	const struct runtime_poststop p = {.state_dirfd = l->state, .id = l->name, .warn = warn};
	assert_null(runtime_poststop(&p));
	assert_false(is_owed(l));
	size_t said = warnings.n;
	assert_null(runtime_poststop(&p)); // once
	assert_int_equal(warnings.n, said);
}

static void test_owed(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	struct outcome o;
	make(&l);
	add(&l, OCI_HOOK_POSTSTART, "exit 1");
	add(&l, OCI_HOOK_POSTSTART, "exit 2");
	add(&l, OCI_HOOK_POSTSTOP, "cat >&2; exit 3");
	add(&l, OCI_HOOK_POSTSTOP, "exit 4");
	life_run(&l, &o);
	assert_null(o.error);
	assert_int_equal(o.code, 0);
	assert_int_equal(warnings.n, 2);
	assert_string_equal(warnings.items[1], "poststart hook /bin/sh: exit status 2");
	assert_true(is_owed(&l));
	pay(&l);
	assert_int_equal(warnings.n, 4);
	assert_true(text_starts(warnings.items[2],
	                        "poststop hook /bin/sh: exit status 3: {\"ociVersion\":\"1.2.1\","
	                        "\"id\":\"c"));
	assert_non_null(strstr(warnings.items[2], "\"status\":\"stopped\",\"bundle\":\"/"));
	assert_null(strstr(warnings.items[2], "pid"));
	life_done(&fixture, &l);
}

static void test_failures(void **state)
{
	(void)state;
	need_fixture();
	for (enum oci_hook_kind kind = 0; kind <= OCI_HOOK_START_CONTAINER; kind++) {
		struct life l;
		struct outcome o;
		make(&l);
		add(&l, kind, "exit 0");
		add(&l, kind, "echo why; exit 9");
		add(&l, kind, "exit 0");
		life_run(&l, &o);
		assert_non_null(o.error);
		auto_free char *wanted =
			alloc_printf("%s hook /bin/sh: exit status 9: why", oci_hook_names[kind]);
		assert_string_equal(o.error->message, wanted);
		assert_int_equal(o.error->code, ERROR_SYSTEM);
		error_free(o.error);
		assert_true(is_owed(&l));
		pay(&l);
		life_done(&fixture, &l);
	}
}

static void test_interrupted(void **state)
{
	(void)state;
	need_fixture();
	for (enum oci_hook_kind kind = 0; kind <= OCI_HOOK_START_CONTAINER; kind++) {
		struct life l;
		struct outcome o;
		make(&l);
		auto_fd int fd = eventfd(1, EFD_CLOEXEC);
		l.request.interrupt_fd = &fd;
		add(&l, kind, "exec sleep 1000");
		life_run(&l, &o);
		assert_non_null(o.error);
		assert_non_null(strstr(o.error->message, "interrupted"));
		error_free(o.error);
		pay(&l);
		life_done(&fixture, &l);
	}
}

static void test_what_cannot_be_read(void **state)
{
	(void)state;
	need_fixture();
	struct life l;
	make(&l);
	const struct runtime_poststop p = {.state_dirfd = l.state, .id = l.name, .warn = warn};
	int fd = openat(l.state, "config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "{", 1), 1);
	close(fd);
	struct error *e = runtime_poststop(&p);
	assert_non_null(e);
	assert_true(text_starts(e->message, "config.json: "));
	error_free(e);
	assert_false(is_owed(&l)); // else its ID would never be free
	life_done(&fixture, &l);
}

static int setup(void **state)
{
	(void)state;
	is_possible = fixture_make(&fixture, SHIM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strings_done(&warnings);
	if (is_possible)
		fixture_done(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owed),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_what_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
