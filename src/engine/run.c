// SPDX-License-Identifier: Apache-2.0
// `run`: from a request to an exit code. The steps of docs/flow.md, in their order; each makes
// what undo() or life_clean() takes back. Rows come before what they name.
#include "engine/run.h"
#include "boot/protocol.h"
#include "engine/life.h"
#include "engine/signals.h"
#include "engine/spec.h"
#include "engine/terminal.h"
#include "oci/names.h"
#include "sys/path.h"
#include "sys/process.h"
#include "sys/publish.h"
#include "json/json.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

// --- The rows

static fallible container_labels(struct run *run)
{
	if (run->image) {
		auto_arena struct arena *arena = arena_new();
		struct oci_image_config config;
		TRY(oci_config_read(run->manifest->config, strlen(run->manifest->config), arena,
		                    &config));
		for (size_t i = 0; i < config.labels.n; i++)
			labels_set(&run->labels, config.labels.items[i].key,
			           config.labels.items[i].value);
		labels_set(&run->labels, "io.containerd.image.config.stop-signal",
		           *config.stop_signal ? config.stop_signal : "SIGTERM");
	}
	if (run->request->stop_signal)
		labels_set(&run->labels, "io.containerd.image.config.stop-signal",
		           run->request->stop_signal);
	return labels_parse(run->request->labels, run->request->n_labels, true, &run->labels);
}

static fallible put_rows(struct run *run)
{
	struct store *store = run->engine->store;
	const struct engine_run *r = run->request;
	TRY(container_labels(run));
	struct store_extension cni = {
		.key = "ctr.cni-containerd.metadata",
		.type_url = "github.com/containerd/containerd/v2/cmd/ctr/commands/NetworkMetaData",
		.value = "{\"EnableCni\":true}",
	};
	struct store_container row = {
		.ns = run->engine->ns,
		.id = r->id,
		.instance = run->instance,
		.life = r->remove ? STORE_PASSING : STORE_KEPT,
		.image = run->image ? run->image->name : "",
		.image_digest = run->image ? run->image->target.digest : "",
		.snapshotter = run->snapshots ? snapshots_name(run->snapshots) : "",
		.snapshot_key = run->snapshots && !run->scratch ? r->id : "",
		.runtime = r->runtime ? r->runtime : "io.containerd.runc.v2",
		.runtime_options = "containerd.runc.v1.Options",
		.sandbox = r->sandbox ? r->sandbox : "",
		.spec = run->spec_text,
		.labels = labels_view(&run->labels),
		.extensions = &cni,
		.n_extensions = run->cni ? 1 : 0,
	};
	TRY(process_start_time(getpid(), &run->task.owner_start));
	run->task.owner_pid = getpid();
	if (run->part == RUN_START)
		return store_put_task(store, run->claim, &run->task);
	if (run->part == RUN_CREATE)
		return store_put_container(store, run->claim, &row);
	run->task.upper =
		r->remove && run->layers && !run->scratch && !snapshots_copies(run->snapshots);
	if (r->remove)
		return store_put_run(store, run->claim, &row, &run->task);
	TRY(store_put_container(store, run->claim, &row));
	run->has_rows = true;
	return store_put_task(store, run->claim, &run->task);
}

// A namespace of ours, if the network needs one that isn't there.
static fallible name_netns(struct run *run)
{
	if (run_is_windows(run))
		return run_windows_namespace(run);
	const struct oci_namespace *net = oci_spec_namespace(run->spec, OCI_NAMESPACE_NETWORK);
	bool own_netns = run->cni && net && !net->path;
	if (own_netns)
		random_guid(run->guid);
	return NULL;
}

static fallible name_everything(struct run *run)
{
	const struct engine_run *r = run->request;
	run->instance = random_u64();
	run->cgroup = r->cgroup && *r->cgroup
	                      ? alloc_string(r->cgroup + strspn(r->cgroup, "/"))
	                      : life_cgroup(run->engine, run->engine->ns, r->id, run->instance);
	if (run->part != RUN_CREATE)
		TRY(name_netns(run));
	run->task = (struct store_task){
		.ns = run->engine->ns,
		.id = r->id,
		.instance = run->instance,
		.netns = run->guid,
		.cni = run->cni && run->part != RUN_CREATE,
		.network_id = "",
		.cgroup = run->cgroup,
		.snapshotter = run->snapshots ? snapshots_name(run->snapshots) : "",
		.layers = run->manifest  ? run->manifest->chain_id
	                  : run->scratch ? run->scratch_parent
	                                 : "",
		.log_uri = r->log_uri ? r->log_uri : "",
		.detached = r->detach,
		.terminal = run_linux_spec(run)->process.terminal,
	};
	return NULL;
}

// --- What stands outside of the process

static fallible make_writable(struct run *run)
{
	if (run->stored)
		return *run->stored->snapshot_key
		               ? snapshots_open_active(run->snapshots, run->stored->snapshot_key,
		                                       &run->active)
		               : NULL;
	if (!run->layers)
		return NULL;
	if (run->scratch)
		return snapshots_open_active(run->snapshots, run->scratch, &run->active);
	if (run->task.upper) {
		int like = run->layers->n ? run->layers->fds[0] : -1;
		return store_make_upper(run->engine->store, run->instance, like, &run->upper,
		                        &run->work);
	}
	auto_labels struct label_list labels = {0};
	TRY(labels_parse(run->request->snapshot_labels, run->request->n_snapshot_labels, true,
	                 &labels));
	struct store_labels view = labels_view(&labels);
	struct error *error = snapshots_prepare(run->snapshots, run->request->id,
	                                        run->manifest->chain_id, &view, NULL);
	run->lost_layers = error_is(error, ERROR_NOT_FOUND);
	TRY(error);
	run->has_snapshot = true;
	return snapshots_open_active(run->snapshots, run->request->id, &run->active);
}

// Windows' template lies on the lowest layer, below those of applications.
static fallible make_root(struct run *run)
{
	TRY(make_writable(run));
	if (!run_is_windows(run))
		return NULL;
	TRY(run_windows_lock_scratch(run));
	const struct snapshot_layers *below = run->active ? run->active->lower : run->layers;
	run->lowers = alloc_array(below->n + 1, sizeof(*run->lowers));
	size_t above = below->n ? below->n - 1 : 0;
	for (size_t i = 0; i < above; i++)
		run->lowers[i] = below->fds[i];
	run->lowers[above] = run->template_fd;
	if (below->n)
		run->lowers[above + 1] = below->fds[above];
	return windows_make_prefix(run->active ? run->active->fs : run->upper, &run->windows);
}

static fallible attach_network(struct run *run)
{
	struct engine *e = run->engine;
	if (!run->cni)
		return NULL;
	struct network_paths paths = engine_network_paths(e);
	auto_free char *path = NULL;
	if (*run->guid) {
		TRY(network_namespace_create(&paths, store_id(e->store), run->guid,
		                             &run->netns_fd));
		path = network_namespace_path(&paths, run->guid);
	} else {
		const struct oci_namespace *net =
			oci_spec_namespace(run_linux_spec(run), OCI_NAMESPACE_NETWORK);
		path = alloc_string(run->joined_netns ? run->joined_netns : net->path);
		TRY(network_namespace_open(&paths, path, &run->netns_fd));
	}
	struct network_attachment attachment = {
		.store_id = store_id(e->store),
		.ns = e->ns,
		.id = run->request->id,
		.instance = run->instance,
		.netns_path = path,
		.netns_fd = run->netns_fd,
		.warn = life_warn,
		.warn_context = e,
	};
	TRY(network_add(&paths, run->network, &attachment, &run->attached));
	engine_debug(e, "network %s: attached", network_config_name(run->network));
	auto_free char *warning = NULL;
	TRY(network_resolv_conf(&paths, run->attached, &run->resolv_conf, &warning));
	if (warning)
		engine_warn(e, "%s", warning);
	// Without --hostname a container shows the host's name; it can be found by its ID, too.
	char host[HOST_NAME_MAX + 1] = "";
	ignore(gethostname(host, sizeof(host) - 1)); // too long: the ID alone then
	const char *name = run->spec->hostname ? run->spec->hostname : host;
	run->hosts =
		network_hosts(run->attached, *name ? name : run->request->id, run->request->id);
	return NULL;
}

static struct runtime_root windows_root(const struct run *run)
{
	return (struct runtime_root){
		.kind = RUNTIME_ROOT_OVERLAY,
		.lowers = run->lowers,
		.n_lowers = (run->active ? run->active->lower->n : run->layers->n) + 1,
		.upper = run->active ? run->active->fs : run->upper,
		.work = run->active ? run->active->work : run->work,
		.is_volatile = !run->active,
		.dirfd = -1,
	};
}

static struct runtime_root root_of(const struct run *run)
{
	if (run_is_windows(run))
		return windows_root(run);
	struct runtime_root root = {.upper = -1, .work = -1, .dirfd = -1};
	if (!run->layers && !run->active) {
		root.kind = RUNTIME_ROOT_DIRECTORY;
		root.dirfd = run->dirfd;
	} else if (!run->active) {
		root = (struct runtime_root){
			.kind = RUNTIME_ROOT_OVERLAY,
			.lowers = run->layers->fds,
			.n_lowers = run->layers->n,
			.upper = run->upper,
			.work = run->work,
			.is_volatile = true,
			.dirfd = -1,
			.is_mapped = true,
		};
	} else if (run->active->lower->n) {
		root = (struct runtime_root){
			.kind = RUNTIME_ROOT_OVERLAY,
			.lowers = run->active->lower->fds,
			.n_lowers = run->active->lower->n,
			.upper = run->active->fs,
			.work = run->active->work,
			.dirfd = -1,
			.is_mapped = true,
		};
	} else {
		root.kind = RUNTIME_ROOT_DIRECTORY;
		root.is_mapped = true;
		root.dirfd = run->active->fs;
	}
	return root;
}

static bool asks_for_init(const struct oci_spec *spec)
{
	return text_equal(oci_pairs_value(&spec->annotations, ANNOTATION_INIT), "true");
}

// ctr's default spec says cpu.shares and device rules; a limit beyond them was asked for.
static bool asks_for_limits(const struct oci_spec *spec)
{
	const struct oci_resources *r = &spec->linux_.resources;
	return r->memory.limit.set || r->memory.reservation.set || r->memory.swap.set ||
	       r->cpu.quota.set || r->cpu.period.set || r->cpu.cpus || r->cpu.mems ||
	       (r->cpu.shares.set && r->cpu.shares.value != 1024) || r->pids_limit.set ||
	       r->unified.n || json_size(r->block_io);
}

static fallible write_pid_file(const char *path, pid_t pid)
{
	auto_free char *text = alloc_printf("%d", (int)pid);
	const char *slash = strrchr(path, '/');
	auto_fd int dir = -1;
	auto_free char *folder =
		slash ? alloc_bytes(path, (size_t)(slash - path) + (slash == path)) : NULL;
	TRY_AS(path_open_dir(folder ? folder : ".", &dir), "pid file %s", path);
	TRY_AS(publish_bytes(dir, slash ? slash + 1 : path, text, strlen(text), 0644,
	                     PUBLISH_REPLACE),
	       "pid file %s", path);
	return NULL;
}

// DEL is done by the plugins that did ADD: the cleaner looks for them in the same folders.
static char *cleaner_plugins(const struct engine *e)
{
	auto_str struct str text = STR_LIMIT(65536);
	for (size_t i = 0; i < e->cni_plugin_dirs.n; i++)
		str_printf(&text, "%s%s", i ? ":" : "CNI_PATH=", e->cni_plugin_dirs.items[i]);
	return text.size ? str_take(&text) : NULL;
}

static fallible start_process(struct run *run)
{
	struct engine *e = run->engine;
	const struct engine_run *r = run->request;
	auto_free char *shim = NULL, *self = NULL;
	TRY(engine_program("coracle-shim", &shim));
	auto_fd int self_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	TRY(path_of_fd(self_fd, &self));
	char instance[STORE_ID_SIZE];
	store_instance_text(run->instance, instance);
	const char *const cleaner[] = {self,
	                               "--root",
	                               store_root(e->store),
	                               "--state",
	                               store_state(e->store),
	                               "-n",
	                               e->ns,
	                               "__clean",
	                               r->id,
	                               instance,
	                               NULL};
	auto_free char *plugins = cleaner_plugins(e);
	const char *const environment[] = {plugins, NULL};
	struct runtime_file files[4];
	size_t n_files = 0;
	if (run->resolv_conf)
		files[n_files++] = (struct runtime_file){"/etc/resolv.conf", run->resolv_conf,
		                                         strlen(run->resolv_conf), 0644, true};
	if (run->hosts)
		files[n_files++] = (struct runtime_file){"/etc/hosts", run->hosts,
		                                         strlen(run->hosts), 0644, true};
	if (run_is_windows(run)) {
		run->adapters = run_windows_adapters(run);
		files[n_files++] = (struct runtime_file){BOOT_PARAMETERS, run->windows.parameters,
		                                         run->windows.parameters_size, 0644, false};
		files[n_files++] = (struct runtime_file){BOOT_NETWORK, run->adapters,
		                                         strlen(run->adapters), 0644, false};
	}
	bool is_closed = r->null_io || r->detach;
	const int *streams = run->logger.streams;
	bool is_logged = streams[0] >= 0;
	struct runtime_request request = {
		.spec = run_linux_spec(run),
		.root = root_of(run),
		.ns = e->ns,
		.id = r->id,
		.instance = run->instance,
		.state_dirfd = store_claim_dirfd(run->claim),
		.cgroup = run->cgroup,
		.limits_required = asks_for_limits(run_linux_spec(run)),
		.init_stays = asks_for_init(run_linux_spec(run)),
		.netns_fd = run->netns_fd,
		.files = files,
		.n_files = n_files,
		.stdio = {is_closed || r->log_uri ? -1 : r->stdio[0],
	                  is_logged   ? streams[0]
	                  : is_closed ? -1
	                              : r->stdio[1],
	                  is_logged   ? streams[1]
	                  : is_closed ? -1
	                              : r->stdio[2]},
		.log = run->log,
		.terminal = run->terminal,
		.code_variable = run_is_windows(run) ? BOOT_CODE_VARIABLE : NULL,
		.keep_fd = run->scratch_lock >= 0 ? &run->scratch_lock : NULL,
		.interrupt_fd = &e->interrupt_fd,
		.shim_program = shim,
		.cleaner = cleaner,
		.cleaner_environment = environment,
		.no_pivot = r->no_pivot,
		.warn = life_warn,
		.step = life_debug,
		.context = e,
	};
	struct error *error = r->pid_file ? runtime_create(&request, &run->process)
	                                  : runtime_run(&request, &run->process);
	logger_done(&run->logger); // the program alone holds its streams from here on
	if (error || !r->pid_file)
		return error;
	TRY(write_pid_file(r->pid_file, runtime_task_pid(run->process)));
	return runtime_start(run->process);
}

// --- The whole

// The two commonest slips behind "not found".
static fallible explain_start(const struct run *run, struct error *e)
{
	if (!error_is(e, ERROR_NO_PROGRAM) || run->request->config)
		return e;
	const struct oci_spec *spec = run_linux_spec(run);
	if (!oci_spec_env(spec, "PATH") && !strchr(spec->process.args.items[0], '/'))
		return error_hint(e, "the image sets no PATH: give the program's whole path, or "
		                     "--env PATH=/bin:/usr/bin");
	if (*spec->process.args.items[0] == '-')
		return error_hint(e, "flags come before the image");
	if (run->request->is_named)
		return e;
	return error_hint(e, "the word behind the image is the container's ID, then comes the "
	                     "program: coracle run IMAGE ID PROGRAM");
}

static fallible make_everything(struct run *run)
{
	TRY(make_root(run));
	TRY(signals_check(run->signalfd));
	TRY(attach_network(run));
	TRY(signals_check(run->signalfd));
	if (logger_is_meant(run->request->log_uri) && !run->request->null_io)
		TRY(logger_start(run->request->log_uri, run->engine->ns, run->request->id,
		                 run->signalfd, &run->logger));
	TRY(run_watch_interrupts(run));
	struct error *error = explain_start(run, start_process(run));
	struct error *interrupted = error ? signals_check(run->signalfd) : NULL;
	if (!interrupted)
		return error;
	error_free(error); // that hooks were not waited for
	return interrupted;
}

// Back to nothing, after a failure at any step behind the claim.
static fallible undo(struct run *run)
{
	struct engine *e = run->engine;
	struct error *error = runtime_release(run->process);
	run->process = NULL;
	bool kept = run->stored || !run->request->remove;
	if (run->has_snapshot)
		error = error_join(error, snapshots_remove(run->snapshots, run->request->id));
	if (kept && run->has_rows && !run->stored)
		error = error_join(error, store_remove_container(e->store, e->ns, run->request->id,
		                                                 run->instance));
	if (run->has_rows)
		error = error_join(error,
		                   life_clean(e, &run->task, run->spec_text, !kept, run->claim));
	else
		error = error_join(error, store_claim_remove(run->claim));
	run->claim = NULL;
	run_forget_interrupts(run);
	return error_join(error, store_empty_trash(e->store));
}

// What `tasks ls` shows once it has ended.
static fallible note_process(struct run *run)
{
	run->task.init_pid = runtime_task_pid(run->process);
	run->task.owner_pid = 0;
	return store_put_task(run->engine->store, run->claim, &run->task);
}

// With a terminal output goes through the monitor, which then keeps a log as well.
static fallible prepare_terminal(struct run *run)
{
	const struct engine_run *r = run->request;
	if (!run_linux_spec(run)->process.terminal || run->part == RUN_CREATE)
		return NULL;
	if (logger_is_meant(r->log_uri))
		return error_new(
			ERROR_UNSUPPORTED,
			"-t: the output of a terminal can't go to a logger, but to a file or "
			"our own log");
	if (!r->detach)
		TRY(terminal_of(r->stdio, r->detach_keys, &run->terminal, &run->detach_keys));
	if (run->log.kind == RUNTIME_LOG_FILE)
		return NULL;
	struct engine_run logged = *r;
	logged.detach = true;
	return run_open_log(&logged, &run->log, &run->log_fd);
}

// The document goes before there is a child: what is freed behind the fork is copied first.
static char *text_of(const struct oci_spec *spec)
{
	auto_json struct json *document = oci_spec_to_json(spec);
	return json_to_text(document, 0, JSON_PLAIN);
}

fallible run_start(struct run *run)
{
	TRY(oci_spec_check(run_linux_spec(run)));
	TRY(prepare_terminal(run));
	TRY(name_everything(run));
	run->spec_text = text_of(run->spec);
	if (run->part != RUN_START)
		TRY(life_claim(run->engine, run->request->id, &run->claim));
	struct error *error = put_rows(run);
	run->lost_layers = error_is(error, ERROR_NOT_FOUND);
	if (!error) {
		run->has_rows = true;
		error = run->part == RUN_CREATE ? make_writable(run) : make_everything(run);
	}
	if (!error && run->request->detach && run->process)
		error = note_process(run);
	if (!error) {
		store_claim_release(run->claim);
		run->claim = NULL;
		return NULL;
	}
	struct error *second = undo(run);
	if (second) // the first error is the user's; what stays is gc's
		engine_warn(run->engine, "clean-up: %s", second->message);
	error_free(second);
	return error;
}

fallible run_watch(struct runtime_task *task, const struct runtime_terminal *terminal, int signalfd,
                   int *ret_exit_code)
{
	auto_outer_terminal struct outer_terminal outer = OUTER_TERMINAL;
	if (terminal->is_attached)
		TRY(terminal_make_raw(terminal->input, &outer));
	return runtime_wait(task, signalfd, ret_exit_code);
}

fallible run_tell_losses(struct engine *e, int sys, int exit_code)
{
	if (sys && !exit_code)
		return error_system(sys, "write the container's output");
	if (sys)
		engine_warn(e, "write the container's output: %s", strerror(sys));
	return NULL;
}

fallible run_wait(struct run *run, int *ret_exit_code)
{
	struct engine *e = run->engine;
	int code = 137; // what a killed init would have given
	struct error *lost = run_watch(run->process, &run->terminal, run->signalfd, &code);
	if (error_is(lost, ERROR_BUSY) && run->terminal.is_attached) {
		error_drop(&lost); // let go of: its end cleans
		runtime_detach(take(&run->process));
		*ret_exit_code = 0;
		return NULL;
	}
	if (error_is(lost, ERROR_BUSY)) {
		error_drop(&lost); // whoever insists may go; the monitor cleans
		engine_warn(
			e,
			"container %s takes no notice and goes on: coracle kill -s KILL %s ends it "
			"(with run --init a signal ends what has no handler for it)",
			run->request->id, run->request->id);
		runtime_detach(take(&run->process));
		*ret_exit_code = 128 + SIGINT;
		return NULL;
	}
	if (lost) {
		engine_warn(e, "container %s: its monitor was killed, and the container with it",
		            run->request->id);
		error_drop(&lost);
		runtime_close(run->process);
		run->process = NULL;
	}
	// The program has run, and its exit code is the answer, also where cleaning fails.
	bool is_lost = run->process == NULL;
	int sys = is_lost ? 0 : runtime_task_lost(run->process);
	struct error *left = run_settle_hooks(run);
	left = error_join(left,
	                  life_finish(e, run->request->id, run->instance, is_lost, LIFE_FORGET));
	run_forget_interrupts(run);
	if (left)
		engine_warn(e, "clean-up: %s", left->message);
	error_free(left);
	life_leave(e, run->process);
	run->process = NULL;
	*ret_exit_code = code;
	return run_tell_losses(e, sys, code);
}

fallible engine_run(struct engine *engine, const struct engine_run *request, int *ret_exit_code)
{
	int signals = -1;
	sigset_t old;
	TRY(signals_catch(&signals, &old));
	auto_fd int signalfd = signals;
	struct error *error;
	for (int tries = 0;; tries++) {
		defer(run_done) struct run run = RUN_OF(engine, request);
		run.signalfd = signalfd;
		error = run_resolve(&run);
		if (!error)
			error = run_start(&run);
		// A gc took the layers between our look and our row: once more, from the image.
		if (error_is(error, ERROR_NOT_FOUND) && run.lost_layers && tries < 3) {
			error_drop(&error);
			continue;
		}
		if (!error && !request->detach)
			error = run_wait(&run, ret_exit_code);
		else if (!error)
			runtime_detach(take(&run.process));
		break;
	}
	signals_let_in(engine, &old);
	return error;
}

fallible engine_clean_up(struct engine *engine, const char *id, uint64_t instance)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	TRY(life_finish(engine, id, instance, true, LIFE_REMEMBER));
	return store_empty_trash(store);
}
