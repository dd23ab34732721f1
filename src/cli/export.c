// SPDX-License-Identifier: Apache-2.0
// images export: beside its place under another name, and there when it is whole.
#include "cli/commands.h"
#include "cli/session.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static fallible publish(int fd, const char *temporary, const char *path)
{
	if (fsync(fd) < 0)
		FAIL_ERRNO("%s: sync", path);
	if (close(fd) < 0)
		FAIL_ERRNO("%s: close", path);
	if (rename(temporary, path) < 0)
		FAIL_ERRNO("rename to %s", path);
	return NULL;
}

// What is no plain file (a pipe, /dev/null) is written as it is.
static bool is_special(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static fallible export_to(struct session *s, struct engine_export *request, const char *path)
{
	unsigned random = 0;
	ignore(getrandom(&random, sizeof(random), 0)); // a name only; O_EXCL decides
	auto_free char *temporary = alloc_printf("%s.%08x.new", path, random);
	bool special = is_special(path);
	int fd = special ? open(path, O_WRONLY | O_CLOEXEC)
	                 : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		FAIL_ERRNO("create %s", path);
	request->fd = fd;
	struct error *e = engine_export(s->engine, request);
	if (special || e)
		close(fd);
	if (!special && !e)
		e = publish(fd, temporary, path);
	if (!special && e)
		unlink(temporary);
	return e;
}

fallible command_images_export(struct invocation *in)
{
	if (in->n_args < 2)
		return error_new(ERROR_USAGE,
		                 "please provide both an output filename and an image reference to "
		                 "export");
	size_t n_platforms;
	auto_free const char **platforms = flag_texts(in, "platform", &n_platforms);
	struct engine_export request = {
		.fd = STDOUT_FILENO,
		.names = (const char *const *)in->args + 1,
		.n_names = in->n_args - 1,
		.platforms = platforms,
		.n_platforms = n_platforms,
		.all_platforms = flag_bool(in, "all-platforms"),
		.skip_manifest_json = flag_bool(in, "skip-manifest-json"),
		.skip_non_distributable = flag_bool(in, "skip-non-distributable"),
	};
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	const char *out = argument(in, 0);
	if (strcmp(out, "-") != 0)
		return export_to(&s, &request, out);
	if (isatty(STDOUT_FILENO))
		return error_new(ERROR_USAGE, "an archive isn't written to a terminal");
	if (in->closed[STDOUT_FILENO])
		return error_new(ERROR_USAGE, "standard output is closed");
	return engine_export(s.engine, &request);
}
