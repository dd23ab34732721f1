// SPDX-License-Identifier: Apache-2.0
// Processes by pidfd, and what a process does to itself before exec. sys/process.h has the rest
// (start times, running programs). `int` functions: 0 or an errno, child-safe.
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <sys/types.h>

int pidfd_open_process(pid_t pid, int *ret_pidfd);      // ESRCH; EINVAL for a thread
int pidfd_take_descriptor(int pidfd, int fd, int *ret); // a copy of the process' `fd`
int pidfd_signal(int pidfd, int signal);                // ESRCH: ended and reaped
enum pidfd_wait { PIDFD_REAP = 0, PIDFD_KEEP = 1, PIDFD_NO_HANG = 2 };
// Waits for a child (over EINTR). *ret_status as waitpid(2) writes it. PIDFD_KEEP leaves it to be
// waited for again; PIDFD_NO_HANG: EAGAIN if it still runs. ECHILD: not our child.
int pidfd_wait_exit(int pidfd, int flags, int *ret_status);
// 128+n on a signal, else the exit code.
int pidfd_exit_code(int status);

// Sets close-on-exec on all descriptors from `first` on.
int process_close_on_exec(int first);
// Closes all descriptors from `first` on.
int process_close_from(int first);

int process_no_new_privs(void);
int process_set_dumpable(bool on); // off: not ptrace-able, /proc/PID owned by root
int process_keep_caps(bool on);    // permitted set survives the change of uid
// ESRCH: `parent` has died meanwhile. 0 in a new pid namespace, where it can't be seen.
int process_death_signal(int signal, pid_t parent);
int process_subreaper(void);
int process_new_session(void); // EPERM is no error: already a leader
// Groups (NULL: left as they are), gid, uid; real, effective and saved ones.
int process_set_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups);
int process_drop_groups(void); // all but the gid
