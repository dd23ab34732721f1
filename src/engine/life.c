// SPDX-License-Identifier: Apache-2.0
#include "engine/life.h"
#include "sys/lock.h"
#include "sys/process.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REAP_TIMEOUT_MS = 10000, FREEZER_TIMEOUT_MS = 2000 };

char *life_cgroup(struct engine *e, const char *ns, const char *id, uint64_t instance)
{
	char text[STORE_ID_SIZE];
	store_instance_text(instance, text);
	return alloc_printf("coracle/%s/%s/%s.%s", store_id(e->store), ns, id, text);
}

void life_hang_up(struct life *life)
{
	runtime_close(life->monitor);
	life->monitor = NULL;
}

void life_forget(struct life *life)
{
	store_container_free(life->container);
	store_task_free(life->task);
	life_hang_up(life);
	error_free(life->deaf);
	*life = (struct life){0};
}

static bool find_monitor(struct engine *e, const struct store_task *task, struct life *ret)
{
	auto_fd int dir = -1;
	auto_runtime_close struct runtime_task *monitor = NULL;
	struct runtime_state state = {0};
	struct error *error = store_open_state_dir(e->store, task->ns, task->id, &dir);
	if (!error)
		error = runtime_open(dir, &monitor, &state);
	bool lives = !error && state.instance == task->instance;
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // nobody is there
	ret->deaf = error;
	if (lives) {
		ret->monitor = take(&monitor);
		ret->state = state;
	}
	return lives;
}

static enum life_owner find_owner(struct engine *e, const struct store_task *task,
                                  struct life *life)
{
	if (!task)
		return LIFE_NONE;
	if (find_monitor(e, task, life))
		return LIFE_RUNNING;
	if (task->owner_pid && process_is_alive(task->owner_pid, task->owner_start))
		return LIFE_STARTING;
	if (life->deaf)
		return LIFE_DEAF;
	return *task->cgroup ? LIFE_DEAD : LIFE_STOPPED;
}

static fallible read_rows(struct engine *e, const char *ns, const char *id, struct life *ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	struct life life = {0};
	struct error *none = store_find_task(store, ns, id, &life.task);
	if (!error_is(none, ERROR_NOT_FOUND))
		TRY(none);
	error_drop(&none); // a container may have no task
	struct error *error = store_find_container(store, ns, id, &life.container);
	if (error_is(error, ERROR_NOT_FOUND) && life.task)
		error_drop(&error); // and a crash may leave a task without its container
	if (error) {
		life_forget(&life);
		return error;
	}
	*ret = life;
	return NULL;
}

fallible life_read(struct engine *e, const char *ns, const char *id, struct life *ret)
{
	TRY(read_rows(e, ns, id, ret));
	ret->owner = find_owner(e, ret->task, ret);
	if (ret->owner == LIFE_STOPPED && !ret->container) // whoever removed both came half the way
		ret->owner = LIFE_DEAD;
	return NULL;
}

fallible life_answers(struct life *life)
{
	return life->owner == LIFE_DEAF ? take(&life->deaf) : NULL;
}

static fallible read_or_hint(struct engine *e, const char *id, struct life *ret)
{
	struct error *error = life_read(e, e->ns, id, ret);
	return error_is(error, ERROR_NOT_FOUND)
	               ? error_hint(error, "coracle ps -a shows what is there")
	               : error;
}

fallible life_of_container(struct engine *e, const char *id, struct life *ret)
{
	struct life life = {0};
	TRY(read_or_hint(e, id, &life));
	if (!life.container) {
		life_forget(&life);
		return error_new(ERROR_NOT_FOUND, "container \"%s\" in namespace \"%s\": not found",
		                 id, e->ns);
	}
	*ret = life;
	return NULL;
}

fallible life_of_task(struct engine *e, const char *id, struct life *ret)
{
	struct life life = {0};
	TRY(read_or_hint(e, id, &life));
	if (!life.task) {
		life_forget(&life);
		return error_hint(
			error_new(ERROR_NOT_FOUND, "no running task found: task %s not found", id),
			"coracle ps shows what runs");
	}
	struct error *deaf = life_answers(&life);
	if (deaf) {
		life_forget(&life);
		return deaf;
	}
	*ret = life;
	return NULL;
}

void life_warn(void *context, const char *line)
{
	engine_warn(context, "%s", line);
}

void life_debug(void *context, const char *step)
{
	engine_debug(context, "%s", step);
}

// Before the network goes, which was there before the first hook. What they do has no bound but
// their own timeouts, and the claim is held meanwhile: it is what makes it once.
static void run_poststop(struct engine *e, const struct store_task *task, const char *spec,
                         struct store_claim *claim)
{
	if (spec && !strstr(spec, "\"hooks\"")) // spares those without hooks the look
		return;
	const struct runtime_poststop request = {
		.state_dirfd = store_claim_dirfd(claim),
		.id = task->id,
		.interrupt_fd = &e->interrupt_fd,
		.warn = life_warn,
		.context = e,
	};
	struct error *error = runtime_poststop(&request);
	if (error) // it must not keep the ID
		engine_warn(e, "container %s: hooks: %s", task->id, error->message);
	error_drop(&error);
}

static fallible clean_network(struct engine *e, const struct store_task *task)
{
	struct network_paths paths = engine_network_paths(e);
	struct network_attachment attachment = {
		.store_id = store_id(e->store),
		.ns = task->ns,
		.id = task->id,
		.instance = task->instance,
		.netns_fd = -1,
		.namespace_dies = *task->netns != 0,
		.warn = life_warn,
		.warn_context = e,
	};
	struct error *error = NULL;
	if (task->cni)
		error = network_del(&paths, &attachment);
	if (*task->netns)
		error = error_join(
			error, network_namespace_delete(&paths, store_id(e->store), task->netns));
	return error;
}

fallible life_clean(struct engine *e, const struct store_task *task, const char *spec, bool passing,
                    struct store_claim *claim)
{
	run_poststop(e, task, spec, claim);
	// An attachment that can't be undone now must not keep the ID: it bears the instance, and
	// gc tries again.
	struct error *network = clean_network(e, task);
	if (network) {
		engine_warn(e, "container %s: network: %s", task->id, network->message);
		error_drop(&network);
	}
	struct error *error = store_trash_upper(e->store, task->instance);
	struct error *rows =
		passing ? store_remove_run(e->store, task->ns, task->id, task->instance)
			: store_remove_task(e->store, task->ns, task->id, task->instance);
	error = error_join(error, rows);
	return error_join(error, store_claim_remove(claim));
}

// Ended and cleaned: the row stays without what it owed. Its exit status and log stay as well.
static fallible remember(struct engine *e, const struct life *life, struct store_claim *claim)
{
	const struct store_task *ended = life->task;
	run_poststop(e, ended, life->container->spec, claim);
	struct error *error = clean_network(e, ended);
	if (error) { // as in life_clean()
		engine_warn(e, "container %s: network: %s", ended->id, error->message);
		error_drop(&error);
	}
	struct store_task task = *ended;
	task.owner_pid = task.monitor_pid = 0;
	task.netns = task.cgroup = task.layers = "";
	task.cni = false;
	// A monitor that was killed has left no code; this is what init has died of.
	error = runtime_leave_exit(store_claim_dirfd(claim), 137);
	if (!error)
		error = store_put_task(e->store, claim, &task);
	store_claim_release(claim);
	return error;
}

static bool is_passing(const struct life *life)
{
	return !life->container || life->container->life == STORE_PASSING;
}

static const char *spec_of(const struct life *life)
{
	return life->container ? life->container->spec : NULL;
}

// A passing container stands on a snapshot of its own where its snapshotter copies.
static fallible remove_passing_snapshot(struct engine *e, const struct life *life)
{
	const struct store_container *c = life->container;
	if (!c || !is_passing(life) || !*c->snapshot_key || life->task->upper)
		return NULL;
	auto_snapshots struct snapshots *snapshots = NULL;
	TRY(engine_snapshots(e, c->snapshotter, &snapshots));
	struct error *error = snapshots_remove(snapshots, c->snapshot_key);
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // it had not come so far
	return error;
}

fallible life_collect(struct engine *e, const struct life *life, enum life_after after,
                      struct store_claim *claim)
{
	const struct store_task *task = life->task;
	engine_debug(e, "container %s: its monitor is gone, collecting", task->id);
	struct error *error = runtime_reap(store_claim_dirfd(claim),
	                                   *task->cgroup ? task->cgroup : NULL, REAP_TIMEOUT_MS);
	if (error) {
		store_claim_release(claim);
		return error_prefix(error, "container %s", task->id);
	}
	if (after == LIFE_REMEMBER && !is_passing(life))
		return remember(e, life, claim);
	return error_join(remove_passing_snapshot(e, life),
	                  life_clean(e, task, spec_of(life), is_passing(life), claim));
}

static fallible in_use(struct engine *e, const struct life *life, const char *id)
{
	(void)e;
	struct error *error = error_new(ERROR_EXISTS, "container \"%s\": already exists", id);
	return life->owner == LIFE_RUNNING
	               ? error_hint(error,
	                            "it is running: choose another ID, or "
	                            "coracle rm -f %s",
	                            id)
	               : error_hint(error, "choose another ID, or coracle rm %s", id);
}

fallible life_claim(struct engine *e, const char *id, struct store_claim **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	for (;;) {
		struct store_claim *claim;
		TRY(store_claim(store, e->ns, id, STORE_CLAIM_WAIT, &claim));
		defer(life_forget) struct life life = {0};
		struct error *error = life_read(e, e->ns, id, &life);
		if (error_is(error, ERROR_NOT_FOUND)) {
			error_drop(&error); // the ID is free
			*ret = claim;
			return NULL;
		}
		bool dead = !error && life.owner == LIFE_DEAD;
		// A kept container keeps its ID, also when its task was lost.
		if (dead && life.container && life.container->life == STORE_KEPT)
			dead = false;
		if (!dead) {
			if (!error)
				error = in_use(e, &life, id);
			store_claim_release(claim);
			return error;
		}
		TRY(life_collect(e, &life, LIFE_FORGET, claim));
	}
}

static void __attribute__((noreturn)) part_child(struct engine *e)
{
	// Whoever reads our output must not wait for this.
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	setsid();
	struct error *error = runtime_release(take(&e->left));
	error_drop(&error); // a group that stays busy is gc's
	error = store_empty_trash(e->store);
	_exit(error ? 1 : 0);
}

void life_leave(struct engine *e, struct runtime_task *task)
{
	e->leaves = true;
	e->left = task;
}

// Last of all: whatever we write to behind the fork, and be it to free it, the kernel copies first.
// No connection of SQLite may be carried over a fork: they are closed before. Signals are blocked
// since the run: the child keeps them so, of a terminal's hang-up as well, if we lead its session.
void life_part(struct engine *e)
{
	if (!e->leaves)
		return;
	store_rest(e->store);
	pid_t pid = fork();
	if (!pid)
		part_child(e);
	if (pid < 0) { // no process for it: then we do it
		struct error *error = runtime_release(take(&e->left));
		if (!error)
			error = store_empty_trash(e->store);
		error_drop(&error); // gc takes what stays
	} else {
		runtime_detach(take(&e->left)); // ours to forget; the child has its own
	}
	sigprocmask(SIG_SETMASK, &e->signals, NULL);
}

fallible life_finish(struct engine *e, const char *id, uint64_t instance, bool reap,
                     enum life_after after)
{
	struct store_claim *claim;
	TRY(store_claim(e->store, e->ns, id, STORE_CLAIM_WAIT, &claim));
	defer(life_forget) struct life life = {0};
	struct error *error = read_rows(e, e->ns, id, &life);
	if (error_is(error, ERROR_NOT_FOUND) || (!error && !life.task)) {
		error_drop(&error); // somebody has removed it
		return store_claim_remove(claim);
	}
	bool is_other = !error && life.task->instance != instance; // …and begun another life
	if (error || is_other || (after == LIFE_REMEMBER && !*life.task->cgroup)) {
		store_claim_release(claim);
		return error;
	}
	if (reap)
		return life_collect(e, &life, after, claim);
	return error_join(remove_passing_snapshot(e, &life),
	                  life_clean(e, life.task, spec_of(&life), is_passing(&life), claim));
}

fallible life_lock_freezer(struct engine *e, const char *id, bool waits, int *ret)
{
	auto_fd int dirfd = -1;
	TRY(store_open_state_dir(e->store, e->ns, id, &dirfd));
	auto_fd int lock =
		openat(dirfd, "freezer.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		FAIL_ERRNO("lock of container %s", id);
	struct error *error = waits ? lock_take(lock, LOCK_EXCLUSIVE)
	                            : lock_await(lock, LOCK_EXCLUSIVE, FREEZER_TIMEOUT_MS);
	if (error_is(error, ERROR_BUSY)) {
		error_free(error);
		return error_new(ERROR_BUSY, "container %s: is just being committed", id);
	}
	TRY(error);
	*ret = fd_take(&lock);
	return NULL;
}

fallible life_await_monitor(int state_dirfd)
{
	auto_runtime_close struct runtime_task *task = NULL;
	struct error *error = runtime_open(state_dirfd, &task, NULL);
	int code;
	if (!error)
		error = runtime_wait(task, -1, &code);
	if (error_is(error, ERROR_NOT_FOUND))
		error_drop(&error); // it is gone
	TRY(error);
	// The answer came from the living monitor; its lock is what the reaper asks for.
	auto_fd int lock = openat(state_dirfd, "monitor.lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lock < 0)
		return NULL;
	TRY(lock_take(lock, LOCK_EXCLUSIVE));
	return lock_release(lock);
}
