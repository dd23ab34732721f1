// SPDX-License-Identifier: Apache-2.0
#include "engine/docker_login.h"
#include "sys/process.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { CONFIG_LIMIT = 1 << 20, ANSWER_LIMIT = 65536 };

fallible docker_login_read(const char *folder, struct json **ret)
{
	auto_free char *path = alloc_printf("%s/config.json", folder), *text = NULL;
	size_t size = 0;
	struct error *e = file_read(AT_FDCWD, path, CONFIG_LIMIT, &text, &size);
	*ret = NULL;
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // nobody has logged in
		return NULL;
	}
	TRY(e);
	return error_prefix(json_parse(text, size, CONFIG_LIMIT, ret), "%s", path);
}

// --- helpers ------------------------------------------------------------------------------------

static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	for (const char *c = path ? path : "/usr/local/bin:/usr/bin:/bin"; *c;) {
		size_t n = strcspn(c, ":");
		auto_free char *file = alloc_printf("%.*s/%s", (int)n, c, name);
		if (*file == '/' && !access(file, X_OK))
			return take(&file);
		c += n + (c[n] == ':');
	}
	return NULL;
}

static fallible memory_file(const char *text, int *ret)
{
	auto_fd int fd = memfd_create("login", MFD_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("memory of a credential helper");
	TRY(fd_write_all(fd, text, strlen(text)));
	if (lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("memory of a credential helper");
	*ret = fd_take(&fd);
	return NULL;
}

fallible docker_login_helper(const char *helper, const char *verb, const char *input,
                             char **ret_output, size_t *ret_size)
{
	auto_free char *name = alloc_printf("docker-credential-%s", helper);
	auto_free char *program = find_program(name);
	auto_fd int in = -1, out = -1;
	int status = 0;
	*ret_output = NULL;
	if (!program)
		return error_hint(error_new(ERROR_NOT_FOUND,
		                            "credential helper %s: not found in $PATH", name),
		                  "docker's config.json names it; --user NAME:PASSWORD does "
		                  "without");
	TRY(memory_file(input, &in));
	TRY(memory_file("", &out));
	const char *const argv[] = {program, verb, NULL};
	const int stdio[3] = {in, out, -1};
	TRY_AS(process_run(argv, NULL, stdio, &status), "%s", name);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return NULL;
	if (lseek(out, 0, SEEK_SET) < 0)
		FAIL_ERRNO("%s", name);
	return error_prefix(fd_read_to_end(out, ANSWER_LIMIT, ret_output, ret_size), "%s", name);
}

// A helper that knows nothing fails: then nobody has logged in.
fallible docker_login_find(struct engine *e, const struct json *config, const char *host,
                           struct docker_login *ret)
{
	auto_free char *text = NULL;
	size_t size = 0;
	TRY(docker_config_find(config, host, ret));
	if (!ret->helper)
		return NULL;
	TRY(docker_login_helper(ret->helper, "get", ret->server, &text, &size));
	if (!text) {
		engine_debug(e, "credential helper %s knows nothing of %s", ret->helper,
		             ret->server);
		return NULL;
	}
	return error_prefix(docker_helper_answer(text, size, ret), "credential helper %s",
	                    ret->helper);
}
