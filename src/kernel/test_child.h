// SPDX-License-Identifier: Apache-2.0
// For tests: work in a forked child with a mount namespace of its own, asserted in the parent. (A
// failing cmocka assertion is a longjmp: in a child it would go on with the remaining tests.)
#pragma once
#include "base/error.h"
#include "kernel/mount.h"
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_OK = 0, CHILD_FAILED = 1, CHILD_SKIPPED = 77 };

#define CHECK(condition)                                                                    \
	do {                                                                                \
		if (!(condition)) {                                                         \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, \
			        strerror(errno));                                           \
			return CHILD_FAILED;                                                \
		}                                                                           \
	} while (0)
#define CHECK_OK(call)                                                                       \
	do {                                                                                 \
		auto_error struct error *check_ = (call);                                    \
		if (check_) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, check_->message); \
			return CHILD_FAILED;                                                 \
		}                                                                            \
	} while (0)
#define CHECK_ERROR(call, wanted)                                          \
	do {                                                               \
		auto_error struct error *check_ = (call);                  \
		if (!check_ || strcmp(check_->message, wanted) != 0) {     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
			        check_ ? check_->message : "no error");    \
			return CHILD_FAILED;                               \
		}                                                          \
	} while (0)

// Runs `f` in a child; with `own_mounts` in a private mount namespace, in a fresh tmpfs (on /run:
// not on /tmp, where the tests themselves may lie).
static inline int run_in_child(int (*f)(void), int own_mounts)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		if (own_mounts &&
		    (unshare(CLONE_NEWNS) < 0 || mount_make_all(MS_PRIVATE) != 0 ||
		     mount("tmp", "/run", "tmpfs", 0, NULL) < 0 || chdir("/run") < 0)) {
			perror("SKIP: no mount namespace");
			_exit(CHILD_SKIPPED);
		}
		_exit(f());
	}
	int status = 0;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		fprintf(stderr, "the child ended with status 0x%x\n", (unsigned)status);
		return CHILD_FAILED;
	}
	return WEXITSTATUS(status);
}

#define IN_CHILD(f, own_mounts)                          \
	do {                                             \
		int code_ = run_in_child(f, own_mounts); \
		if (code_ == CHILD_SKIPPED)              \
			skip();                          \
		assert_int_equal(code_, CHILD_OK);       \
	} while (0)
