// SPDX-License-Identifier: Apache-2.0
// The client against workers that lie, crash and end (fake_worker.c), and that are not there.
#include "base/text.h"
#include "sys/fd.h"
#include "sys/tree.h"
#include "transfer/client.h"
#include "transfer/client_private.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char folder[] = "/tmp/client-XXXXXX";
static int folderfd = -1;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	folderfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return mkdirat(folderfd, "new", 0700) || mkdirat(folderfd, "lower", 0700);
}

static int tear_down(void **state)
{
	(void)state;
	close(folderfd);
	auto_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_null(tree_remove(tmp, folder + strlen("/tmp/")));
	return 0;
}

static int open_folder(const char *name)
{
	int fd = openat(folderfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int stop_fd = -1;

// The name decides what the fake worker does.
static char *fake(const char *what)
{
	ignore(symlinkat(FAKE_WORKER, folderfd, what)); // it may be there already
	return alloc_printf("%s/%s", folder, what);
}

static struct error *read_archive(const char *program)
{
	const struct transfer t = {.program = program, .stop_fd = stop_fd};
	auto_fd int input = memfd_create("archive", MFD_CLOEXEC);
	auto_fd int ingest = open_folder("new");
	const struct transfer_archive_request r = {
		.transfer = &t, .fd = input, .ingest_dirfd = ingest};
	struct transfer_archive *a = NULL;
	struct error *e = transfer_read_archive(&r, &a);
	transfer_archive_free(a);
	return e;
}

static struct error *unpack(const char *program, const char *media_type)
{
	const struct transfer t = {.program = program, .stop_fd = stop_fd};
	auto_fd int blob = memfd_create("blob", MFD_CLOEXEC);
	auto_fd int new = open_folder("new");
	auto_fd int lower = open_folder("lower");
	struct transfer_unpack_layer layer = {.blob_fd = blob,
	                                      .digest = DIGEST,
	                                      .media_type = media_type,
	                                      .diff_id = DIGEST,
	                                      .new_dirfd = new};
	struct transfer_unpack_request r = {.transfer = &t,
	                                    .layers = &layer,
	                                    .n_layers = 1,
	                                    .lower_dirfds = &lower,
	                                    .n_lower = 1};
	return transfer_unpack(&r);
}

static bool lacks_root(void)
{
	if (!geteuid())
		return false;
	print_message("skipped: needs root (mount namespaces)\n");
	return true;
}

static void archives_of_liars(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	static const struct {
		const char *what, *message;
	} cases[] = {
		{"crash", "the worker crashed: Illegal instruction"},
		{"silent", "the worker ended with status 0"},
		{"garbage", "the worker broke the protocol"},
		{"foreign-directory", "the worker broke the protocol"},
		{"terminal", "?]0;x? ????"},
		{"no-json", "answer of the worker: answer.json"},
		{"nowhere", "answer of the worker: index: nothing to point to"},
		{"outside", "answer of the worker: file name \"../../etc/passwd\""},
		{"no-file", "answer of the worker: file 7: No such file or directory"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_free char *program = fake(cases[i].what);
		auto_error struct error *e = read_archive(program);
		assert_non_null(e);
		if (!strcmp(cases[i].what, "no-json")) // the rest is json's business
			assert_true(text_starts(e->message, "answer of the worker: "));
		else
			assert_string_equal(e->message, cases[i].message);
	}
}

static void layers_of_liars(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	static const struct {
		const char *what, *message;
	} cases[] = {
		{"foreign-directory", "the worker named a directory that isn't its own"},
		{"below", "the worker named a directory that isn't its own"},
		{"no-directory", "the worker named a directory that isn't its own"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_free char *program = fake(cases[i].what);
		auto_free char *wanted = alloc_printf("layer " DIGEST ": %s", cases[i].message);
		auto_error struct error *e =
			unpack(program, "application/vnd.oci.image.layer.v1.tar");
		assert_string_equal(e ? e->message : "", wanted);
	}
}

static void interrupted(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	stop_fd = eventfd(1, EFD_CLOEXEC);
	auto_free char *program = fake("hang");
	auto_error struct error *e = read_archive(program);
	close(fd_take(&stop_fd));
	assert_string_equal(e ? e->message : "", "interrupted");
}

static void without_a_worker(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	auto_error struct error *missing = read_archive("/nonexistent/coracle-transfer");
	assert_string_equal(missing->message,
	                    "/nonexistent/coracle-transfer: No such file or directory");
	auto_error struct error *type = unpack("/nonexistent", "text/plain");
	assert_string_equal(type->message, "layer " DIGEST ": media type text/plain is no layer");
}

static void texts_are_cleaned(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"plain", "plain"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"a\nb\tc", "a?b?c"},
		{"\x1b[31m", "?[31m"},
		{"\xff\x41", "?A"},
		{"\xc2\x9b"
	         "1m",
	         "??1m"},
		{"\x7f", "?"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_free char *text = alloc_string(cases[i][0]);
		client_clean_text(text);
		assert_string_equal(text, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archives_of_liars), cmocka_unit_test(layers_of_liars),
		cmocka_unit_test(interrupted),       cmocka_unit_test(without_a_worker),
		cmocka_unit_test(texts_are_cleaned),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
