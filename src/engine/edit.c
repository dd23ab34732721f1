// SPDX-License-Identifier: Apache-2.0
// A blob is copied for an editor, and what that leaves becomes another blob. The copy has a folder
// of its own, since editors rename, and no session is open meanwhile: editing takes hours.
#include "engine/private.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct copy {
	char folder[32];
	char *path;
};

static void copy_done(struct copy *c)
{
	if (c->path)
		ignore(unlink(c->path)); // the editor may have removed it
	if (*c->folder)
		ignore(rmdir(c->folder)); // what else the editor left there is its user's
	free(c->path);
}

static fallible fill(int from, const char *path)
{
	auto_fd int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		FAIL_ERRNO("%s", path);
	return engine_copy_out(from, to);
}

static fallible make_copy(int from, struct copy *c)
{
	memcpy(c->folder, "/tmp/coracle-edit-XXXXXX", sizeof("/tmp/coracle-edit-XXXXXX"));
	if (!mkdtemp(c->folder)) {
		*c->folder = 0;
		FAIL_ERRNO("a folder in /tmp");
	}
	c->path = alloc_printf("%s/blob", c->folder);
	return fill(from, c->path);
}

// As system(3): Ctrl-C is the editor's.
static fallible run_editor(const char *editor, const char *path)
{
	struct sigaction ignored = {.sa_handler = SIG_IGN}, interrupt, quit;
	auto_free char *command = alloc_printf("%s \"$1\"", editor);
	int status = 0;
	sigaction(SIGINT, &ignored, &interrupt);
	sigaction(SIGQUIT, &ignored, &quit);
	pid_t pid = fork();
	if (!pid) {
		sigaction(SIGINT, &interrupt, NULL);
		sigaction(SIGQUIT, &quit, NULL);
		execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
		_exit(127);
	}
	int sys = pid < 0 ? errno : 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	if (sys)
		return error_system(sys, "start the editor");
	if (WIFSIGNALED(status))
		return error_new(ERROR_INVALID, "the editor was ended by signal %d",
		                 WTERMSIG(status));
	if (WEXITSTATUS(status))
		return error_new(ERROR_INVALID, "the editor's exit status is %d",
		                 WEXITSTATUS(status));
	return NULL;
}

static fallible open_result(const char *path, int *ret)
{
	struct stat st;
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		FAIL_ERRNO("what the editor left");
	if (!S_ISREG(st.st_mode))
		return error_new(ERROR_INVALID, "what the editor left is not a file");
	*ret = fd_take(&fd);
	return NULL;
}

fallible engine_content_edit(struct engine *e, const char *digest, const char *editor,
                             char **ret_digest)
{
	defer(copy_done) struct copy copy = {0};
	auto_fd int from = -1, to = -1;
	auto_free char *reference = alloc_printf("edit-%ld", (long)getpid());
	TRY(engine_content_open(e, digest, &from));
	TRY(make_copy(from, &copy));
	TRY(run_editor(editor, copy.path));
	TRY(open_result(copy.path, &to));
	const struct engine_ingest request = {.reference = reference, .fd = to};
	return engine_content_ingest(e, &request, ret_digest);
}
