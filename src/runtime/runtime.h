// SPDX-License-Identifier: Apache-2.0
// From a runtime spec to a process, and back to nothing: create, start, wait, signal, clean.
// Called by: engine. Knows nothing of images, stores, networks' making, or ctr's defaults.
// The contract is neutral of the operating system; runtime/linux/ fills it.
// Specification: OCI runtime-spec 1.2, runtime.md (life cycle), config-linux.md; docs/design.md §5.
//
// A container's process (init) is the child of its monitor, the program coracle-shim, from its
// first instant. The monitor outlives the caller, holds a lock and a socket in the state directory,
// writes the exit status there, and tells whoever waits.
//
// What stands in the state directory (all are the runtime's; runtime_remove_state() removes them):
//   monitor.lock  locked (OFD, exclusive) by the monitor as long as it lives
//   monitor.sock  where others speak to it (shim/protocol.h); 0600, peers of another user are
//   refused exit          "CODE\n" once init has ended and been reaped, published by rename; never
//   before.
//                 CODE is 128+n for a signal n
//   log, log.1…   a kept log, newest first; removed with the directory, not by the runtime
//   config.json   the spec, if it has hooks: the directory is the bundle that they are told of. As
//                 long as it is there the poststop hooks are owed (runtime_poststop())
//
// Who detaches, the exit cleans: if at init's end no caller holds the task (it detached, or was
// killed), the monitor executes the cleaner (request.cleaner) and is gone. A caller that is there
// cleans itself: runtime_remove_state() before it answers, runtime_release() when it likes.
#pragma once
#include "base/error.h"
#include "oci/spec.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The root file system. Descriptors are borrowed until runtime_create() returns; O_PATH is enough.
struct runtime_root {
	enum runtime_root_kind {
		RUNTIME_ROOT_OVERLAY,   // layers, and a writable one on top
		RUNTIME_ROOT_DIRECTORY, // a directory as it stands, with the mounts below it
	} kind;
	const int *lowers; // overlay: the topmost first
	size_t n_lowers;
	int upper, work;  // overlay: -1 and -1 make it read-only
	bool is_volatile; // overlay: never synced; upper and work can only be deleted afterwards
	int dirfd;        // directory
	// With a user namespace: the layers are seen through its mapping, as if the IDs on disk
	// were those inside. False: as they stand. Overlay: the upper is given to the namespace's
	// root.
	bool is_mapped;
};

// A text file of ours (/etc/hosts, …), bound read-only over `path` in the container. If the image
// has no such path an empty file is made there (links are resolved inside the root).
// `unless_mounted` leaves it away if the spec has a mount at that very path.
struct runtime_file {
	const char *path; // absolute
	const void *bytes;
	size_t size;
	unsigned mode; // 0644 usual
	bool unless_mounted;
};

// Where output goes that is handed to nobody.
struct runtime_log {
	enum runtime_log_kind {
		RUNTIME_LOG_NONE, // to request.stdio
		RUNTIME_LOG_KEPT, // JSON lines in the state directory (shim/log.h)
		RUNTIME_LOG_FILE, // both streams as they come to `fd`, which is borrowed
	} kind;
	uint64_t size_bytes; // kept: of each file, about
	unsigned n_files;    // kept: 1 to 9
	int fd;
};

// The caller's side of a program's terminal. Descriptors are borrowed until the task is let go.
struct runtime_terminal {
	bool is_attached;
	int input, output;       // -1: none. Both ends in raw mode are the caller's business
	uint16_t rows, columns;  // 0: not known
	const char *detach_keys; // bytes that let go of it when they are typed; n_keys 0: none
	size_t n_keys;
};

struct runtime_request {
	// Checked by oci_spec_check(); read-only root comes from here. Must live until
	// runtime_start() has returned; all else in here until runtime_create() has.
	const struct oci_spec *spec;
	struct runtime_root root;
	const char *ns, *id; // for messages and the monitor's command line
	uint64_t instance;   // told by runtime_state(): proof that it is this life of the ID
	int state_dirfd;     // NAMESPACE/ID in /run: empty of the names above

	// The group, as kernel/cgroup.h takes it ("coracle/<store>/<ns>/<id>.<instance>"). Made by
	// runtime_create() (EXISTS if it is there), removed by runtime_release(). NULL: no group,
	// and then limits are an error.
	const char *cgroup;
	// Somebody asked for what linux.resources says: without a controller it is an error; else a
	// warning for what is more than ctr's default spec carries.
	bool limits_required;
	// The program is the child of an init of ours, which passes signals on, reaps what is left
	// to it and ends with the program's code (docker's --init; shim/protocol.h, STAY). Errors
	// are the same, and SYSTEM `init: clone: …` if the spec's filter or limits forbid it that.
	bool init_stays;
	int netns_fd; // join this network namespace (lo is up already); -1: as the spec says
	// Readable once nobody wants to wait for hooks any more, until runtime_start() has
	// returned; borrowed. NULL: none.
	const int *interrupt_fd;

	const struct runtime_file *files;
	size_t n_files;

	// Standard streams of the caller, borrowed; -1: /dev/null. Pipes are handed through, and
	// the monitor keeps none. A regular file as stdin goes in as a read-only clone at its
	// current offset, which doesn't move for the caller. Everything else has a pipe between:
	// output is copied by the monitor, complete before the exit is told; input is copied by
	// runtime_wait(). stdout and stderr that are one file share the pipe, so that their order
	// is kept.
	int stdio[3];
	// With a log stdio[1] and [2] mean nothing: the program writes into pipes that the monitor
	// reads whatever happens. What can't be written (a full disk) is dropped, and counted in a
	// kept log.
	struct runtime_log log;
	// With process.terminal: the monitor holds a terminal made from the container's own devpts,
	// and stdio means nothing. Whoever is attached (here: from the first byte on) sees all that
	// comes out from then on and types; a kept log gets it, too.
	struct runtime_terminal terminal;

	// Windows' exit codes have 32 bits. Init gets an eventfd, whose number is in this variable
	// of its environment; before it ends it may add its code plus one. NULL: there is none.
	const char *code_variable;

	// A descriptor that the monitor keeps open for the container's life, such as a lock's;
	// borrowed. NULL: none.
	const int *keep_fd;

	const char *shim_program;               // path of coracle-shim; coracle-init lies beside it
	const char *const *cleaner;             // argv; [0] is a path. NULL: nothing is executed
	const char *const *cleaner_environment; // NULL: empty
	bool no_pivot;                          // for roots on a ramfs

	void (*warn)(void *context, const char *message); // may be NULL
	// Names of the steps done, for --debug; may be NULL.
	void (*step)(void *context, const char *step);
	void *context;
};

struct runtime_task; // a living container's process, or one that has just ended; not thread-safe

// Makes group, namespaces and root; init exists and waits, has not executed the program. The state
// directory has the monitor's files. On an error nothing is left of all this, but empty mount
// points that were made in the root. After SIGKILL of the caller in the middle: init dies by itself
// unless it was started, the monitor executes the cleaner; what a cleaner that isn't there leaves
// is found by the cgroup's name and removed by runtime_reap(). Errors: UNSUPPORTED (this kernel or
// machine can't what the spec asks for), INVALID (spec, root), EXISTS (cgroup), BUSY (the state
// directory has a living monitor), SYSTEM. Makes the caller not dumpable if the spec joins a user
// namespace.
fallible runtime_create(const struct runtime_request *request, struct runtime_task **ret);
// Hooks: prestart, createRuntime and createContainer here, one that fails is an error (SYSTEM);
// startContainer, the same, and poststart, where it is a warning, by runtime_start(). After an
// error of either runtime_poststop() is the caller's to call, as after the end. Executes the
// program; returns after exec(2) succeeded. On an error the task can only be released. Errors, with
// texts that scripts look for:
//   NO_PROGRAM      exec: "nosuch": executable file not found in $PATH
//                   exec: "/nosuch": stat /nosuch: no such file or directory
//   NOT_EXECUTABLE  exec: "/etc/passwd": permission denied
fallible runtime_start(struct runtime_task *task);
// Both with one round trip: what an attached run wants. Errors of both; on one nothing is left.
fallible runtime_run(const struct runtime_request *request, struct runtime_task **ret);

// Runs one more process in the container `container` (from runtime_open()), with the namespaces and
// the group of its init, and with capabilities, filter, limits and user as request->spec says. Of
// the request count: spec.process and its seccomp, ns, id, state_dirfd (a directory of its own for
// what runtime_create() writes; -1: nobody else can find it), cgroup (the container's, as it was
// created), stdio, log, shim_program, warn, step. It has a monitor of its own, so the task is used
// like a container's; runtime_release() kills it and leaves the container alone. No host
// descriptor goes in, and no process in there can trace it before it executes.
// Makes the caller not dumpable. Errors as runtime_run(); NOT_FOUND: the container doesn't run;
// BUSY: it is paused.
fallible runtime_exec(const struct runtime_request *request, struct runtime_task *container,
                      struct runtime_task **ret);

// Waits for init's end, copies the caller's stdin meanwhile (see stdio), and forwards every signal
// that can be read from `signalfd` (-1: none) to init. Exit code, 128+n for a signal n; all 32 bits
// of one with a code_variable, as the int that has them. The answer
// may be given right away: what is left has no name that a new container needs after
// runtime_remove_state().
// Errors: NOT_FOUND (the monitor was killed; init is dead or dying: see runtime_reap()); BUSY (the
// third SIGINT came and init still runs: a program that is pid 1 gets none that it doesn't catch).
// Attached to a terminal it copies both ways; SIGWINCH then resizes, and any other signal lets go.
// BUSY: let go of (by the detach keys, such a signal, or the third SIGINT); the program goes on.
fallible runtime_wait(struct runtime_task *task, int signalfd, int *ret_exit_code);
// Attaches to the terminal of a task from runtime_open(), for runtime_wait(). INVALID: it has none;
// BUSY: four are attached already.
fallible runtime_attach(struct runtime_task *task, const struct runtime_terminal *terminal);
// Asks to be told of the end: then *ret_fd (borrowed) becomes readable, and runtime_wait() doesn't
// wait. For those who poll other things too.
fallible runtime_watch(struct runtime_task *task, int *ret_fd);
pid_t runtime_task_pid(const struct runtime_task *task); // init's, as we see it
// After the end, for the creator: why output that the monitor copied couldn't be written (an errno,
// ENOSPC); 0: all was, or its reader has gone.
int runtime_task_lost(const struct runtime_task *task);
// Sends a signal to init. NOT_FOUND: it has ended.
fallible runtime_signal(struct runtime_task *task, int signal);

// The three ways to let go of a task; each frees it and takes NULL.
// The container goes on without us; its exit cleans. (What dying without a word does, too.)
void runtime_detach(struct runtime_task *task);
// After the end (kills init otherwise): waits for the mount namespace to go, removes the group. Up
// to milliseconds, or the time of a sync of upper's file system: do it after the answer. Removes
// the names in the state directory, unless runtime_remove_state() was called before. May be called
// in a fork of the process that created the task.
fallible runtime_release(struct runtime_task *task);
// Forgets a task from runtime_open(): no effect on the container.
void runtime_close(struct runtime_task *task);

struct runtime_poststop {
	int state_dirfd;
	const char *id;
	const int *interrupt_fd; // as in struct runtime_request
	void (*warn)(void *context, const char *message);
	void *context;
};
// Runs the poststop hooks that a life owes, once it is over: one that fails is a warning, and the
// others follow. Then config.json goes, and nothing is owed any more. Whoever is killed meanwhile
// leaves it to the next, who begins with the first. One at a time: the caller has a lock for that.
fallible runtime_poststop(const struct runtime_poststop *request);

// Removes the names that the runtime made in a state directory; those that aren't there are fine.
// config.json isn't among them: it is runtime_poststop()'s.
fallible runtime_remove_state(int state_dirfd);

// ---- For other commands -------------------------------------------------------------------------

struct runtime_state {
	enum runtime_status {
		RUNTIME_CREATED,
		RUNTIME_RUNNING,
		RUNTIME_PAUSED,
		RUNTIME_STOPPED
	} status;
	pid_t pid; // init's; 0 once stopped
	uint64_t instance;
	int exit_code; // when stopped
};
// Finds the living monitor of a container, and asks it how things are (`ret_state` may be NULL):
// it sleeps, and to wake it is what a look at a container costs. The connection is for
// runtime_state(), _signal(), _wait() (which copies nothing), _task_pid(); let go by
// runtime_close(). Errors: NOT_FOUND (no monitor lives: read the exit status, then runtime_reap()).
fallible runtime_open(int state_dirfd, struct runtime_task **ret, struct runtime_state *ret_state);
fallible runtime_state(struct runtime_task *task, struct runtime_state *ret);
// Freezes every process of a container, or lets them go on; waits until it is so. A frozen one
// still can be killed. NOT_FOUND: there is no such group.
fallible runtime_pause(const char *cgroup);
fallible runtime_resume(const char *cgroup);
fallible runtime_is_frozen(const char *cgroup, bool *ret);
// All processes of a container, by their pids here; *ret is the caller's.
fallible runtime_processes(const char *cgroup, pid_t **ret, size_t *ret_n);
// Sends a signal to every process of a container. SIGKILL misses none.
fallible runtime_signal_all(const char *cgroup, int signal);
// The status that a monitor left. NOT_FOUND: none (it runs still, or its monitor was killed).
fallible runtime_read_exit(int state_dirfd, int *ret_exit_code);
// Writes it in a killed monitor's stead, unless one is there.
fallible runtime_leave_exit(int state_dirfd, int exit_code);
// Collects what a dead monitor left: kills every process of the group, waits until it is empty,
// removes it. BUSY if the monitor lives. state_dirfd -1: the directory is gone. cgroup NULL: none.
// What is not there is no error. Holds monitor.lock meanwhile, leaves the names there.
fallible runtime_reap(int state_dirfd, const char *cgroup, int timeout_ms);

static inline void runtime_close_cleanup_(struct runtime_task **task)
{
	runtime_close(*task);
}
#define auto_runtime_close defer(runtime_close_cleanup_)
