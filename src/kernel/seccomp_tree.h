// SPDX-License-Identifier: Apache-2.0
// Filters as a binary tree over ranges of call numbers. Loading costs the kernel one run of the
// filter for every number, so depth counts: a tree of ranges loads 3 to 5 times faster than a list.
// Private to kernel/.
#pragma once
#include "kernel/seccomp.h"
#include <linux/filter.h>

struct seccomp_verdict { // a piece of program that ends with a return on every way
	const struct sock_filter *code;
	unsigned n; // at most SECCOMP_VERDICT_MAX
};
enum { SECCOMP_VERDICT_MAX = 16 };

struct seccomp_call {
	uint32_t nr;
	uint32_t verdict; // index
};
struct seccomp_table {                    // one architecture
	uint32_t arch;                    // AUDIT_ARCH_*
	const struct seccomp_call *calls; // sorted by nr, each once
	size_t n;
	uint32_t end, beyond; // numbers from `end` on (0: none) get verdict `beyond`
};

// Verdict 0 is for every number that a table doesn't have; other_arch is a SECCOMP_RET_*. Numbers
// of x32 (bit 30) are beyond every range.
// At most 8 verdicts may be longer than one instruction. Errors: LIMIT (over 4096 instructions).
fallible seccomp_build(const struct seccomp_table *tables, size_t n_tables,
                       const struct seccomp_verdict *verdicts, uint32_t other_arch,
                       struct seccomp_filter *ret);
