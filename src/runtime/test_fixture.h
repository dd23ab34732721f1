// SPDX-License-Identifier: Apache-2.0
// For tests and benches: a busybox root on a tmpfs in a mount namespace of our own, and ctr's
// default spec.
#pragma once
#include "runtime/runtime.h"

struct fixture {
	char *dir; // a tmpfs that only this process and its children see
	int dirfd, lower;
	char *shim;
	unsigned count;
};

// False: prints why it can't be had here.
bool fixture_make(struct fixture *f, const char *shim);
void fixture_done(struct fixture *f);

struct life { // what one container needs; names differ for each
	struct oci_spec *spec;
	int upper, work, state;
	char *name;
	char *cgroup;
	struct runtime_request request;
};
// argv ends with NULL; each a word of the command. Standard streams: /dev/null.
void life_make(struct fixture *f, struct life *l, const char *const *argv);
void life_done(struct fixture *f, struct life *l); // removes upper, work, state
struct oci_spec *fixture_spec(const char *const *argv);

struct outcome {
	struct error *error; // of run or wait
	int code;
	char out[16384]; // standard output and error together, through a pipe
};
// Runs to the end and cleans; free the error. l->request.stdio[1] and [2] are set here.
void life_run(struct life *l, struct outcome *ret);
// The whole: make, run, done, with the script given to sh.
void fixture_sh(struct fixture *f, const char *script, struct outcome *ret);
