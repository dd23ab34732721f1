// SPDX-License-Identifier: Apache-2.0
// A task: the connection to its monitor, and for its creator what has to be cleaned.
#pragma once
#include "kernel/cgroup.h"
#include "runtime/linux/report.h"
#include "runtime/linux/stdio.h"
#include "shim/protocol.h"
#include <sys/un.h>

struct runtime_task {
	int control;     // to the monitor: as its creator, or as a peer; -1: not yet, or lost
	bool is_creator; // else a peer
	bool is_exec;    // the group is its container's
	pid_t pid;       // init's; 0: there is none yet
	bool has_ended;
	int exit_code;
	int lost;   // errno of output that couldn't be written; 0: all was
	char *name; // "NS/ID", for messages

	// Of the creator alone.
	pid_t monitor; // our child; 0: none
	int pidfd, state_dirfd, report;
	int container; // borrowed while an exec is made: a pidfd of the container's init
	pid_t container_pid;
	int held;            // init's mount namespace: the monitor's from the start on
	struct plan *plan;   // for the texts of errors until exec
	struct hooks *hooks; // NULL: none
	struct cgroups *cgroups;
	struct cgroup *group; // NULL: none
	uint64_t lock; // inode of our monitor.lock: the names beside it are ours; 0: they aren't
	struct stdio_pump pump;
	unsigned n_interrupts; // SIGINT that were forwarded

	// Attached to a terminal.
	int session;  // -1: not
	int screen;   // the terminal's output, never blocking; -1
	char *output; // what it hasn't taken yet
	size_t output_begin, output_end;
	struct runtime_terminal terminal;
	size_t n_keys_seen;
	bool is_let_go; // by the user, not by the program's end
};

struct runtime_task *task_new(void) __attribute__((returns_nonnull));
void task_free(struct runtime_task *task); // closes and forgets; cleans nothing
// The monitor's socket: by a path through /proc, since the real one may be longer than the 107
// bytes of sun_path.
fallible task_socket_address(int state_dirfd, struct sockaddr_un *ret);
// Sends a message, with a descriptor unless `fd` is -1. NOT_FOUND: the monitor is gone.
fallible task_tell(struct runtime_task *task, enum shim_kind kind, int value, int fd);
// Asks, and waits for the answer. BUSY: a stopped monitor.
fallible task_ask(struct runtime_task *task, enum shim_kind question, int value,
                  enum shim_kind answer, struct shim_message *ret);
enum { ANSWER_TIMEOUT_MS = 10000 };
struct error *task_is_deaf(const char *name); // BUSY
// Waits for an answer to what was told.
fallible task_hear(struct runtime_task *task, enum shim_kind answer, struct shim_message *ret);
// session.c: copies what can be copied now; `input` and `session` are what poll(2) said of both.
void session_serve(struct runtime_task *task, short input, short session);
void session_resize(struct runtime_task *task);
void session_close(struct runtime_task *task);
// Waits for init's next report. *ret_over: the pipe was closed, by exec or by init's death.
fallible task_read_report(struct runtime_task *task, struct shim_report *ret, bool *ret_over);
