// SPDX-License-Identifier: Apache-2.0
// A run in two halves: the container is made now and started later, by its record.
#include "engine/life.h"
#include "engine/run.h"
#include "engine/signals.h"
#include "engine/spec.h"

fallible engine_container_create(struct engine *engine, const struct engine_run *request)
{
	defer(run_done) struct run run = RUN_OF(engine, request);
	struct engine_run kept = *request;
	kept.remove = kept.detach = false;
	run.request = &kept;
	run.part = RUN_CREATE;
	TRY(run_resolve(&run));
	if (run_is_windows(&run))
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: a Windows container can't be created apart yet: "
		                 "run does both",
		                 request->id);
	return run_start(&run);
}

// What the record says: the reverse of put_rows().
static fallible resolve(struct run *run)
{
	struct engine *e = run->engine;
	const struct store_container *c = run->stored;
	TRY_AS(oci_spec_parse(c->spec, strlen(c->spec), &run->spec), "container %s", c->id);
	if (run_is_windows(run))
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: a Windows container can't be started again yet",
		                 c->id);
	spec_recognise_seccomp(run->spec);
	TRY(run_open_log(run->request, &run->log, &run->log_fd));
	if (*c->snapshot_key)
		TRY(engine_snapshots(e, c->snapshotter, &run->snapshots));
	else
		TRY(run_open_folder(run, run->spec->root.path ? run->spec->root.path : "rootfs"));
	run->cni = c->n_extensions > 0; // the one extension that we write
	return run_resolve_network(run);
}

// The claim on a container without a task. Collects what is dead.
static fallible claim(struct run *run, bool replace)
{
	struct engine *e = run->engine;
	const char *id = run->request->id;
	for (;;) {
		struct store *store;
		struct store_claim *c;
		defer(life_forget) struct life life = {0};
		TRY(engine_store(e, &store));
		TRY(life_of_container(e, id, &life)); // a claim makes a folder for any ID
		life_forget(&life);
		TRY(store_claim(store, e->ns, id, STORE_CLAIM_WAIT, &c));
		struct error *error = life_of_container(e, id, &life);
		if (!error)
			error = life_answers(&life);
		bool is_free = !error && !life.task;
		bool is_over = !error && life.task &&
		               (life.owner == LIFE_DEAD || life.owner == LIFE_STOPPED);
		if (is_free) {
			run->stored = take(&life.container);
			run->claim = c;
			return NULL;
		}
		if (is_over && (replace || life.owner == LIFE_DEAD)) {
			TRY(life_collect(e, &life, replace ? LIFE_FORGET : LIFE_REMEMBER, c));
			continue;
		}
		store_claim_release(c);
		return error ? error
		             : error_hint(error_new(ERROR_EXISTS, "task %s: already exists", id),
		                          "coracle ps -a shows it");
	}
}

static fallible start(struct run *run, bool replace)
{
	TRY(claim(run, replace));
	struct error *error = resolve(run);
	if (!error)
		return run_start(run);
	store_claim_release(run->claim);
	run->claim = NULL;
	return error;
}

fallible engine_task_start(struct engine *engine, const struct engine_run *request, bool replace,
                           int *ret_exit_code)
{
	int signals = -1;
	sigset_t old;
	TRY(signals_catch(&signals, &old));
	auto_fd int signalfd = signals;
	defer(run_done) struct run run = RUN_OF(engine, request);
	run.signalfd = signalfd;
	run.part = RUN_START;
	struct error *error = start(&run, replace);
	if (!error && !request->detach)
		error = run_wait(&run, ret_exit_code);
	else if (!error)
		runtime_detach(take(&run.process));
	signals_let_in(engine, &old);
	return error;
}
