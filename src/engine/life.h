// SPDX-License-Identifier: Apache-2.0
// One life of a container, from its row to the last thing that bears its instance. Making is
// run.c's; here is the way back, which is the same for the one who waited, for the monitor's
// cleaner and for whoever finds the owner dead: everything needed stands in the row.
#pragma once
#include "engine/private.h"
#include "runtime/runtime.h"

enum life_owner {
	LIFE_NONE,     // no task: nothing runs
	LIFE_STARTING, // the CLI that makes it lives, or cleans after it
	LIFE_RUNNING,  // its monitor lives
	LIFE_DEAD,     // there is a task, and nobody who looks after it
	LIFE_STOPPED,  // a kept container, whose task has ended and owes nothing any more
	LIFE_DEAF,     // its monitor is there and doesn't answer: nobody knows
};

struct life {
	struct store_container *container; // NULL: no row
	struct store_task *task;           // NULL: no row
	enum life_owner owner;
	struct runtime_task *monitor; // of one that runs, and what it said; NULL
	struct runtime_state state;
	struct error *deaf; // why it doesn't answer; NULL unless LIFE_DEAF
};
// Reads both rows and asks who lives. NOT_FOUND if there is neither.
fallible life_read(struct engine *e, const char *ns, const char *id, struct life *ret);
void life_forget(struct life *life);
// Lets go of the monitor alone, which serves few at once: before a long work that needs it no more.
void life_hang_up(struct life *life);
// For who needs to know whether it runs: the error of a monitor that doesn't answer, once.
fallible life_answers(struct life *life);
// The same for commands on a container: NOT_FOUND without its row, with a hint.
fallible life_of_container(struct engine *e, const char *id, struct life *ret);
// The same for commands on a task: `container "x" in namespace "default": not found`, and
// `no running task found: task x not found`, with hints. life.task is there, and known what it
// does.
fallible life_of_task(struct engine *e, const char *id, struct life *ret);

// "/coracle/<store>/<ns>/<id>.<instance>" without the first slash, the caller's.
char *life_cgroup(struct engine *e, const char *ns, const char *id, uint64_t instance);

// Removes what stands outside of the process for this task: attachments, network namespace, rows,
// writable layer, state folder; in the order of which a crash leaves what the next can find.
// Group and mount namespace must be gone or going (runtime_reap(), runtime_release()). With
// `claim`, which is taken over. A kept container loses its task only. First of all its poststop
// hooks are run, if `spec` (its container's; NULL: not known) has any that were not yet.
fallible life_clean(struct engine *e, const struct store_task *task, const char *spec, bool passing,
                    struct store_claim *claim);
// What becomes of the task of a kept container, once it has ended.
enum life_after {
	LIFE_FORGET,   // it goes: whoever waited has the exit code
	LIFE_REMEMBER, // it stays, STOPPED with its exit code, until somebody removes or starts it
};
// Collects a dead life: what still runs of it is killed. Takes the claim over.
fallible life_collect(struct engine *e, const struct life *life, enum life_after after,
                      struct store_claim *claim);
// Claims `id` after collecting what is dead there; EXISTS if the ID is in use, alive or kept.
fallible life_claim(struct engine *e, const char *id, struct store_claim **ret);
// When the engine is closed what was renamed away is deleted, in a child that nobody waits for and
// that holds none of our streams; `task` (may be NULL, taken over) is released there first. Once.
void life_leave(struct engine *e, struct runtime_task *task);
void life_part(struct engine *e); // engine_close()'s: that child, if it was asked for
// After the end of a process that this life's maker waited for: cleans if the rows still are of
// this instance (somebody else may have removed it meanwhile).
// `reap`: its monitor is gone.
fallible life_finish(struct engine *e, const char *id, uint64_t instance, bool reap,
                     enum life_after after);
// For runtime_request: `context` is the engine.
void life_warn(void *context, const char *line);
void life_debug(void *context, const char *step);
// Kills all of a running one, and waits until its monitor is gone. Without the claim.
fallible life_kill(struct engine *e, const struct life *life);
const char *task_stop_signal(const struct store_container *c); // NULL: SIGTERM
// Who freezes or thaws it is alone with that as long as *ret is open, the caller's. A commit holds
// it over its whole work, which `waits` waits for; else BUSY if it takes longer than to freeze or
// thaw.
fallible life_lock_freezer(struct engine *e, const char *id, bool waits, int *ret);
// Waits until the monitor of a killed container is gone (its lock is free).
fallible life_await_monitor(int state_dirfd);
