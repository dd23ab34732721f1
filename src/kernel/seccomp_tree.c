// SPDX-License-Identifier: Apache-2.0
#include "kernel/seccomp_tree.h"
#include "base/memory.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	INSTRUCTIONS_MAX = 4096, // BPF_MAXINSNS
	USUAL_MAX = 511,
	NEAR_RANGES =
		56, // so many need at most 2 × 56 + 8 × SECCOMP_VERDICT_MAX < 256 instructions
};

struct range { // from `first` to the next one's first
	uint32_t first, verdict;
};

struct program {
	struct sock_filter *code;
	size_t n, capacity;
	const struct seccomp_verdict *verdicts;
};

static size_t emit(struct program *p, struct sock_filter instruction)
{
	alloc_grow(&p->code, &p->capacity, p->n, sizeof(*p->code));
	p->code[p->n] = instruction;
	return p->n++;
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static size_t emit_jump(struct program *p)
{
	return emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
}

static void land(struct program *p, size_t jump)
{
	p->code[jump].k = (uint32_t)(p->n - jump - 1);
}

// Runs of numbers with the same verdict, from 0 to the end. *ret is the caller's.
static size_t make_ranges(const struct seccomp_table *t, struct range **ret)
{
	struct range *ranges = NULL;
	size_t n = 0, capacity = 0;
	uint32_t expected = 0; // the number after the last call
	for (size_t i = 0; i <= t->n; i++) {
		bool gap = i == t->n || t->calls[i].nr != expected;
		if (gap && (n == 0 || ranges[n - 1].verdict != 0)) {
			alloc_grow(&ranges, &capacity, n, sizeof(*ranges));
			ranges[n++] = (struct range){expected, 0};
		}
		if (i == t->n)
			break;
		if (n == 0 || ranges[n - 1].verdict != t->calls[i].verdict) {
			alloc_grow(&ranges, &capacity, n, sizeof(*ranges));
			ranges[n++] = (struct range){t->calls[i].nr, t->calls[i].verdict};
		}
		expected = t->calls[i].nr + 1;
	}
	if (t->end > 0 && t->end >= expected) {
		alloc_grow(&ranges, &capacity, n, sizeof(*ranges));
		// Right behind the last call the gap is empty.
		n -= t->end == ranges[n - 1].first;
		ranges[n++] = (struct range){t->end, t->beyond};
	}
	*ret = ranges;
	return n;
}

// Recursion as deep as the logarithm of the number of ranges.
static void emit_tree(struct program *p, const struct range *ranges, size_t n)
{
	if (n == 1) {
		const struct seccomp_verdict *v = &p->verdicts[ranges->verdict];
		for (unsigned i = 0; i < v->n; i++)
			emit(p, v->code[i]);
		return;
	}
	size_t left = n / 2;
	uint32_t first = ranges[left].first;
	if (left <= NEAR_RANGES) {
		size_t test = emit(
			p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 0));
		emit_tree(p, ranges, left);
		p->code[test].jt = (uint8_t)(p->n - test - 1);
	} else {
		// Conditional jumps reach 255 instructions: a long one stands behind.
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 1));
		size_t jump = emit_jump(p);
		emit_tree(p, ranges, left);
		land(p, jump);
	}
	emit_tree(p, ranges + left, n - left);
}

fallible seccomp_build(const struct seccomp_table *tables, size_t n_tables,
                       const struct seccomp_verdict *verdicts, uint32_t other_arch,
                       struct seccomp_filter *ret)
{
	struct program p = {.verdicts = verdicts};
	alloc_grow(&p.code, &p.capacity, USUAL_MAX, sizeof(*p.code)); // at once
	emit_load(&p, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < n_tables; i++) {
		emit(&p,
		     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, tables[i].arch, 1, 0));
		size_t next = emit_jump(&p);
		emit_load(&p, offsetof(struct seccomp_data, nr));
		struct range *ranges;
		size_t n = make_ranges(&tables[i], &ranges);
		emit_tree(&p, ranges, n);
		free(ranges);
		land(&p, next);
	}
	emit(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, other_arch));
	struct seccomp_filter f = {.code = p.code, .n = (unsigned short)p.n};
	if (p.n > INSTRUCTIONS_MAX) {
		seccomp_filter_done(&f);
		return error_new(ERROR_LIMIT, "seccomp filter of %zu instructions", p.n);
	}
	*ret = f;
	return NULL;
}

void seccomp_filter_done(struct seccomp_filter *f)
{
	free(f->code);
	*f = (struct seccomp_filter){0};
}

int seccomp_install(const struct seccomp_filter *f, unsigned flags)
{
	struct sock_fprog program = {.len = f->n, .filter = f->code};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? errno : 0;
}
