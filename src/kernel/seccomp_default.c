// SPDX-License-Identifier: Apache-2.0
// containerd's default profile from one list, and allow-lists of our own. Built by the tree builder
// when it is needed (some µs), since every set of capabilities has its own filter.
#include "base/memory.h"
#include "kernel/seccomp_tree.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <stdlib.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW(i) LOAD(args[i])
#define LOAD_HIGH(i) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[i]) + 4)
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define REFUSE SECCOMP_RET_ERRNO | 1   // EPERM
#define UNKNOWN SECCOMP_RET_ERRNO | 38 // ENOSYS

enum { FAMILY_VSOCK = 40, NEW_NAMESPACES = 0x7e020000 }; // all CLONE_NEW* but CLONE_NEWTIME

// clang-format off
static const struct sock_filter refuse[] = {RETURN(REFUSE)};
static const struct sock_filter allow[] = {RETURN(SECCOMP_RET_ALLOW)};
// Only then glibc falls back from clone3, whose flags a filter can't see, to clone.
static const struct sock_filter unknown[] = {RETURN(UNKNOWN)};
// vsock would speak to the hypervisor past every network namespace.
static const struct sock_filter socket_family[] = {
	LOAD_LOW(0),
	IF_EQUAL(FAMILY_VSOCK, 0, 1),
	RETURN(REFUSE),
	RETURN(SECCOMP_RET_ALLOW),
};
static const struct sock_filter clone_flags[] = {
	LOAD_LOW(0),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1),
	RETURN(REFUSE),
	RETURN(SECCOMP_RET_ALLOW),
};
// PER_LINUX, PER_LINUX32, both with UNAME26, and the question 0xffffffff. Never
// ADDR_NO_RANDOMIZE or READ_IMPLIES_EXEC.
static const struct sock_filter personalities[] = {
	LOAD_HIGH(0),
	IF_EQUAL(0, 0, 6),
	LOAD_LOW(0),
	IF_EQUAL(0, 5, 0),
	IF_EQUAL(8, 4, 0),
	IF_EQUAL(0x20000, 3, 0),
	IF_EQUAL(0x20008, 2, 0),
	IF_EQUAL(0xffffffff, 1, 0),
	RETURN(REFUSE),
	RETURN(SECCOMP_RET_ALLOW),
};
// clang-format on

enum action { EPERM_ACTION, ALLOW, CLONE3, SOCKET, CLONE, PERSONALITY };
#define VERDICT(code)                                \
	{                                            \
		code, sizeof(code) / sizeof(*(code)) \
	}
static const struct seccomp_verdict verdicts[] = {
	[EPERM_ACTION] = VERDICT(refuse), [ALLOW] = VERDICT(allow),
	[CLONE3] = VERDICT(unknown),      [SOCKET] = VERDICT(socket_family),
	[CLONE] = VERDICT(clone_flags),   [PERSONALITY] = VERDICT(personalities),
};
_Static_assert(sizeof(personalities) / sizeof(*personalities) <= SECCOMP_VERDICT_MAX, "near jumps");

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define ALWAYS 0
#define CALL(name, x86_64, i386, action, capabilities) {x86_64, i386, action, capabilities},
static const struct profile_call {
	int16_t x86_64, i386;
	uint8_t action;        // enum action
	uint64_t capabilities; // one of them is enough; ALWAYS: no matter which
} profile[] = {
#include "kernel/seccomp_profile.inc"
};
enum { PROFILE_CALLS = sizeof(profile) / sizeof(*profile), NUMBERS_MAX = 512 };
#define CALL_FITS(name, x86_64, i386, action, capabilities) \
	_Static_assert((x86_64) < NUMBERS_MAX && (i386) < NUMBERS_MAX, #name);
#undef CALL
#define CALL CALL_FITS
#include "kernel/seccomp_profile.inc"

// The calls that these capabilities open, by number: through an array over all numbers, which is
// sorted by being one (qsort took most of the time).
static size_t choose(uint64_t capabilities, bool is_i386, struct seccomp_call *calls)
{
	uint8_t actions[NUMBERS_MAX] = {0};
	for (size_t i = 0; i < PROFILE_CALLS; i++) {
		const struct profile_call *c = &profile[i];
		int nr = is_i386 ? c->i386 : c->x86_64;
		if (nr < 0 || (c->capabilities && !(c->capabilities & capabilities)))
			continue;
		bool opened = (c->action == CLONE || c->action == CLONE3) &&
		              capabilities & CAP(SYS_ADMIN);
		actions[nr] = opened ? ALLOW : c->action;
	}
	size_t n = 0;
	for (uint32_t nr = 0; nr < NUMBERS_MAX; nr++) {
		if (actions[nr])
			calls[n++] = (struct seccomp_call){nr, actions[nr]};
	}
	return n;
}

static uint32_t profile_end(bool is_i386)
{
	int last = 0;
	for (size_t i = 0; i < PROFILE_CALLS; i++) {
		int nr = is_i386 ? profile[i].i386 : profile[i].x86_64;
		last = nr > last ? nr : last;
	}
	return (uint32_t)last + 1;
}

fallible seccomp_default(uint64_t capabilities, struct seccomp_filter *ret)
{
#ifndef __x86_64__
	return error_new(ERROR_UNSUPPORTED, "no default seccomp filter for this architecture");
#endif
	struct seccomp_call native[NUMBERS_MAX], i386[NUMBERS_MAX];
	// Calls younger than the profile are ENOSYS, as runc makes them: programs fall back only
	// then.
	const struct seccomp_table tables[] = {
		{AUDIT_ARCH_X86_64, native, choose(capabilities, false, native), profile_end(false),
	         CLONE3},
		{AUDIT_ARCH_I386, i386, choose(capabilities, true, i386), profile_end(true),
	         CLONE3},
	};
	return seccomp_build(tables, 2, verdicts, SECCOMP_RET_KILL_PROCESS, ret);
}

static int by_number(const void *a, const void *b)
{
	const struct seccomp_call *x = a, *y = b;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

fallible seccomp_allow_only(const int *nrs, size_t n, uint32_t otherwise,
                            struct seccomp_filter *ret)
{
#ifdef __x86_64__
	const uint32_t arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
	const uint32_t arch = AUDIT_ARCH_AARCH64;
#else
#error "name the architecture's AUDIT_ARCH here"
#endif
	if (n > 1024)
		return error_new(ERROR_LIMIT, "allow-list of %zu calls", n);
	const struct sock_filter other[] = {RETURN(otherwise)};
	const struct seccomp_verdict two[] = {VERDICT(other), VERDICT(allow)};
	auto_free struct seccomp_call *calls = alloc_array(n + 1, sizeof(*calls));
	for (size_t i = 0; i < n; i++)
		calls[i] = (struct seccomp_call){(uint32_t)nrs[i], 1};
	qsort(calls, n, sizeof(*calls), by_number);
	size_t unique = 0;
	for (size_t i = 0; i < n; i++) {
		if (unique == 0 || calls[unique - 1].nr != calls[i].nr)
			calls[unique++] = calls[i];
	}
	const struct seccomp_table table = {arch, calls, unique, 0, 0};
	return seccomp_build(&table, 1, two, SECCOMP_RET_KILL_PROCESS, ret);
}
