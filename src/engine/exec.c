// SPDX-License-Identifier: Apache-2.0
// `exec`: one more process in a running container. One with an ID of its own has a folder
// "exec.ID" in the container's, with all that its monitor makes there; the folder goes with the
// container at the latest.
#include "engine/exec.h"
#include "engine/rootfile.h"
#include "engine/run.h"
#include "engine/signals.h"
#include "engine/spec.h"
#include "engine/terminal.h"
#include "sys/path.h"
#include "sys/tree.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

char *exec_folder(const char *exec_id)
{
	return alloc_printf(EXEC_FOLDER "%s", exec_id);
}

static fallible check_exec_id(const char *exec_id)
{
	return exec_id ? error_prefix(store_check_id(exec_id), "invalid exec id %s", exec_id)
	               : NULL;
}

// --- What to run

// Users are looked up in the container's own files, as they are now.
static fallible set_user(struct oci_spec *spec, const char *user, pid_t init)
{
	auto_free char *path = alloc_printf("/proc/%d/root", (int)init);
	auto_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		FAIL_ERRNO("root file system of process %d", (int)init);
	struct root_files files = {.dirfd = root};
	struct spec_source source = {0};
	auto_free char *passwd = NULL, *group = NULL;
	TRY(root_file_read(&files, "etc", "passwd", &passwd, &source.passwd_size));
	TRY(root_file_read(&files, "etc", "group", &group, &source.group_size));
	source.passwd = passwd;
	source.group = group;
	return spec_set_user(spec, user, &source);
}

static fallible make_spec(const struct engine_exec *r, const struct store_container *container,
                          pid_t init, struct oci_spec **ret)
{
	auto_oci_spec struct oci_spec *spec = NULL;
	TRY_AS(oci_spec_parse(container->spec, strlen(container->spec), &spec), "container %s",
	       r->id);
	if (spec->windows.present && !spec->linux_.present)
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: exec into a Windows container does not work yet",
		                 r->id);
	spec_recognise_seccomp(spec);
	struct oci_process *p = &spec->process;
	size_t n_args = 0;
	while (r->args[n_args])
		n_args++;
	if (!n_args)
		return error_hint(error_new(ERROR_USAGE, "args must not be empty"),
		                  "coracle exec %s PROGRAM [ARGUMENT...]", r->id);
	oci_spec_set_strings(spec, &p->args, r->args, n_args);
	for (size_t i = 0; i < r->n_env; i++) {
		const char *value = strchr(r->env[i], '=') ? NULL : getenv(r->env[i]);
		auto_free char *ours = value ? alloc_printf("%s=%s", r->env[i], value) : NULL;
		if (ours || strchr(r->env[i], '='))
			oci_spec_set_env(spec, ours ? ours : r->env[i]);
	}
	if (r->cwd)
		p->cwd = oci_spec_string(spec, r->cwd);
	p->terminal = r->tty;
	if (r->tty && !oci_spec_env(spec, "TERM"))
		oci_spec_set_env(spec, "TERM=xterm");
	if (p->cwd && *p->cwd != '/')
		return error_new(ERROR_INVALID, "working directory %s: not an absolute path",
		                 p->cwd);
	if (r->user)
		TRY(set_user(spec, r->user, init));
	*ret = take(&spec);
	return NULL;
}

// --- Where it is known

// Under the container's claim: nobody else makes one meanwhile.
static fallible make_folder(int dirfd, const char *exec_id, int *ret)
{
	auto_free char *name = exec_folder(exec_id);
	if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		FAIL_ERRNO("exec %s", exec_id);
	auto_fd int fd = -1;
	TRY_AS(path_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, &fd), "exec %s", exec_id);
	auto_runtime_close struct runtime_task *other = NULL;
	int code;
	struct error *e = runtime_open(fd, &other, NULL);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e);
		e = runtime_read_exit(fd, &code);
	}
	if (!e)
		return error_hint(error_new(ERROR_EXISTS, "id %s: already exists", exec_id),
		                  "coracle tasks rm --exec-id %s removes one that has ended",
		                  exec_id);
	if (!error_is(e, ERROR_NOT_FOUND))
		return e;
	error_drop(&e); // new, or left by a command that was killed
	*ret = fd_take(&fd);
	return NULL;
}

struct exec {
	const struct engine_exec *request;
	struct life life;
	int signalfd;
	int dirfd, folder; // the container's, and ours (-1: none)
	struct runtime_task *process;
	struct runtime_log log;
	int log_fd;
	struct logger logger;
	struct runtime_terminal terminal;
	char *detach_keys;
};

static void exec_done(struct exec *x)
{
	life_forget(&x->life);
	fd_cleanup_(&x->dirfd);
	fd_cleanup_(&x->folder);
	fd_cleanup_(&x->log_fd);
	logger_done(&x->logger);
	free(x->detach_keys);
}

static fallible stopped(void)
{
	return error_new(ERROR_INVALID, "cannot exec in a stopped state");
}

static fallible open_container(struct engine *e, struct exec *x, pid_t *ret_init)
{
	const char *id = x->request->id;
	TRY(life_of_task(e, id, &x->life));
	if (x->life.owner != LIFE_RUNNING || !x->life.container ||
	    x->life.state.status != RUNTIME_RUNNING)
		return stopped();
	TRY(store_open_state_dir(e->store, e->ns, id, &x->dirfd));
	*ret_init = x->life.state.pid;
	return NULL;
}

static fallible explain(struct error *e, const char *id)
{
	if (error_is(e, ERROR_NOT_FOUND)) { // it ends this very moment
		error_free(e);
		return stopped();
	}
	if (error_is(e, ERROR_BUSY))
		return error_hint(e, "coracle unpause %s lets it go on", id);
	return e;
}

static fallible start(struct engine *e, struct exec *x)
{
	const struct engine_exec *r = x->request;
	pid_t init = 0;
	TRY(open_container(e, x, &init));
	auto_oci_spec struct oci_spec *spec = NULL;
	TRY(make_spec(r, x->life.container, init, &spec));
	struct engine_run output = {.detach = false, .log_uri = r->log_uri};
	TRY(run_open_log(&output, &x->log, &x->log_fd));
	auto_free char *shim = NULL;
	TRY(engine_program("coracle-shim", &shim));
	if (r->exec_id)
		TRY(make_folder(x->dirfd, r->exec_id, &x->folder));
	bool is_silent = r->detach, is_logged = logger_is_meant(r->log_uri);
	if (is_logged && r->tty)
		return error_new(ERROR_UNSUPPORTED,
		                 "-t: the output of a terminal can't go to a logger");
	if (is_logged)
		TRY(logger_start(r->log_uri, e->ns, r->id, x->signalfd, &x->logger));
	if (r->tty && !r->detach)
		TRY(terminal_of(r->stdio, r->detach_keys, &x->terminal, &x->detach_keys));
	struct runtime_request request = {
		.spec = spec,
		.ns = e->ns,
		.id = r->id,
		.instance = x->life.task->instance,
		.state_dirfd = x->folder,
		.cgroup = x->life.task->cgroup,
		.netns_fd = -1,
		.stdio = {is_silent ? -1 : r->stdio[0],
	                  is_logged   ? x->logger.streams[0]
	                  : is_silent ? -1
	                              : r->stdio[1],
	                  is_logged   ? x->logger.streams[1]
	                  : is_silent ? -1
	                              : r->stdio[2]},
		.log = x->log,
		.terminal = x->terminal,
		.shim_program = shim,
		.warn = life_warn,
		.step = life_debug,
		.context = e,
	};
	TRY(explain(runtime_exec(&request, x->life.monitor, &x->process), r->id));
	life_hang_up(&x->life);
	logger_done(&x->logger); // the program alone holds its streams from here on
	return NULL;
}

static fallible remove_folder(const struct exec *x)
{
	if (x->folder < 0)
		return NULL;
	auto_free char *name = exec_folder(x->request->exec_id);
	return tree_remove(x->dirfd, name);
}

static fallible start_claimed(struct engine *e, struct exec *x)
{
	if (!x->request->exec_id)
		return start(e, x);
	struct store *store;
	struct store_claim *claim;
	defer(life_forget) struct life life = {0};
	TRY(check_exec_id(x->request->exec_id));
	TRY(engine_store(e, &store));
	TRY(life_of_task(e, x->request->id, &life)); // a claim makes a folder for any ID
	life_forget(&life);
	TRY(store_claim(store, e->ns, x->request->id, STORE_CLAIM_WAIT, &claim));
	struct error *error = start(e, x);
	if (error)
		error = error_join(error, remove_folder(x));
	store_claim_release(claim);
	return error;
}

fallible engine_exec(struct engine *e, const struct engine_exec *request, int *ret_exit_code)
{
	int signals = -1;
	sigset_t old;
	TRY(signals_catch(&signals, &old));
	auto_fd int signalfd = signals;
	defer(exec_done) struct exec x = {.request = request,
	                                  .signalfd = signalfd,
	                                  .dirfd = -1,
	                                  .folder = -1,
	                                  .log_fd = -1,
	                                  .logger = LOGGER_NONE};
	int code = 137;
	struct error *error = start_claimed(e, &x);
	if (!error && request->detach) {
		runtime_detach(x.process);
	} else if (!error) {
		error = run_watch(x.process, &x.terminal, signalfd, &code);
		if (error_is(error, ERROR_BUSY)) { // let go of
			error_drop(&error);
			runtime_detach(x.process);
			*ret_exit_code = 0;
			sigprocmask(SIG_SETMASK, &old, NULL);
			return NULL;
		}
		if (error_is(error, ERROR_NOT_FOUND)) // killed with its monitor
			error_drop(&error);
		if (!error)
			error = run_tell_losses(e, runtime_task_lost(x.process), code);
		error = error_join(error, runtime_release(x.process));
		error = error_join(error, remove_folder(&x));
	}
	if (!error)
		*ret_exit_code = request->detach ? 0 : code;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return error;
}
