// SPDX-License-Identifier: Apache-2.0
// Seccomp filters: containerd's default, a user's profile, allow-lists of our own; and loading.
// Specification: seccomp(2); runtime-spec config-linux.md, seccomp; containerd 2.1.1
// contrib/seccomp (which calls, which capability opens which).
//
// Differences of the default filter from containerd's: x32 system calls (bit 30) are ENOSYS, as in
// a kernel without them; socket() compares the family as the kernel does, by 32 bits; calls with
// numbers over the profile's highest are ENOSYS, as runc makes them, not EPERM.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;
struct seccomp_filter {
	struct sock_filter *code; // owned
	unsigned short n;
};
void seccomp_filter_done(struct seccomp_filter *f);
#define auto_seccomp_filter defer(seccomp_filter_done)

// Loads the filter into this thread for good: 0 or an errno, child-safe. Needs no_new_privs or
// CAP_SYS_ADMIN (EACCES). flags: SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW, …; unknown ones are EINVAL.
int seccomp_install(const struct seccomp_filter *f, unsigned flags);

// The default filter for a container whose bounding set is `capabilities` (bit mask). Costs about
// 40 µs to build and 100 µs to load, most of it first touches of memory and the i386 half.
fallible seccomp_default(uint64_t capabilities, struct seccomp_filter *ret);

// Allows the n calls `nrs` (of this architecture), every other gets `otherwise`, which is a
// SECCOMP_RET_* with its data; another architecture's calls end the process.
fallible seccomp_allow_only(const int *nrs, size_t n, uint32_t otherwise,
                            struct seccomp_filter *ret);

// ---- A user's profile ---------------------------------------------------------------------------

enum seccomp_compare { // values of libseccomp's enum scmp_compare
	SECCOMP_NE = 1,
	SECCOMP_LT,
	SECCOMP_LE,
	SECCOMP_EQ,
	SECCOMP_GE,
	SECCOMP_GT,
	SECCOMP_MASKED_EQ, // (argument & value) == value_two
};
struct seccomp_argument {
	unsigned index; // 0–5
	enum seccomp_compare compare;
	uint64_t value, value_two;
};
struct seccomp_rule {
	const char *const *names;
	size_t n_names;
	uint32_t action;                          // SECCOMP_RET_* with its data
	const struct seccomp_argument *arguments; // all must hold
	size_t n_arguments;                       // at most 6
};
struct seccomp_profile {
	uint32_t default_action;
	const char *const *architectures; // "SCMP_ARCH_X86_64"…; none: ours
	size_t n_architectures;
	const struct seccomp_rule *rules;
	size_t n_rules;
};
// Words of the runtime-spec. errno_ret: the profile's errnoRet, -1 if it has none (EPERM).
// Errors: INVALID (unknown word), UNSUPPORTED (SCMP_ACT_NOTIFY needs a listener).
fallible seccomp_action(const char *word, int64_t errno_ret, uint32_t *ret);
fallible seccomp_compare(const char *word, enum seccomp_compare *ret);
fallible seccomp_flag(const char *word, unsigned *ret);
// Compiles by libseccomp, loaded at run time (milliseconds: cache the result by the profile's
// hash). Names that this libseccomp doesn't know are skipped, as containerd's runtimes do, and
// added to *ret_unknown (may be NULL). Errors: UNSUPPORTED (no libseccomp.so.2), INVALID, LIMIT.
fallible seccomp_compile(const struct seccomp_profile *p, struct seccomp_filter *ret,
                         struct strings *ret_unknown);
