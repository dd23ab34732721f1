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
	char name[32];
	char *cgroup;
	struct runtime_request request;
};
// argv ends with NULL; each a word of the command. Standard streams: /dev/null.
void life_make(struct fixture *f, struct life *l, const char *const *argv);
void life_done(struct fixture *f, struct life *l); // removes upper, work, state
struct oci_spec *fixture_spec(const char *const *argv);
