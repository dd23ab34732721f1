// SPDX-License-Identifier: Apache-2.0
// v2 has no list of devices: the kernel asks a BPF program at each open and mknod. Ours keeps the
// accesses still to be granted in r3 and goes through the rules from the last to the first, since
// the last that matches decides: an allowing rule takes its accesses off, a denying one that meets
// an access still wanted refuses. What no rule names is allowed, as in a new v1 group.
// Specification: Documentation/admin-guide/cgroup-v2.rst, device controller; linux/bpf.h.
#include "kernel/cgroup_devices.h"
#include "base/memory.h"
#include "sys/fd.h"
#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ALL_ACCESSES = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD };
enum { DEVICES_MAX = 1024, R0 = 0, CONTEXT = 1, WANTED = 3, TESTED = 4 };

struct code {
	struct bpf_insn *insns;
	size_t n, capacity;
};

static void emit(struct code *c, uint8_t code, uint8_t reg, uint8_t from, int16_t offset, int32_t k)
{
	alloc_grow(&c->insns, &c->capacity, c->n, sizeof(*c->insns));
	c->insns[c->n++] = (struct bpf_insn){
		.code = code, .dst_reg = reg & 15, .src_reg = from & 15, .off = offset, .imm = k};
}

static void emit_load(struct code *c, uint8_t reg, size_t offset)
{
	emit(c, BPF_LDX | BPF_MEM | BPF_W, reg, CONTEXT, (int16_t)offset, 0);
}

// Loaded anew for every test: a register that stayed would let the verifier tell states apart and
// follow each of them to the end (measured: 512 rules took 185 ms, 1024 were refused).
static void emit_test(struct code *c, size_t offset, int32_t wanted)
{
	emit_load(c, TESTED, offset);
	if (offset == offsetof(struct bpf_cgroup_dev_ctx, access_type))
		emit(c, BPF_ALU64 | BPF_AND | BPF_K, TESTED, 0, 0, 0xffff);
	emit(c, BPF_JMP32 | BPF_JNE | BPF_K, TESTED, 0, 0, wanted);
}

static void emit_return(struct code *c, bool allow)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, allow);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int32_t accesses_of(const struct cgroup_device *d)
{
	return (d->read ? BPF_DEVCG_ACC_READ : 0) | (d->write ? BPF_DEVCG_ACC_WRITE : 0) |
	       (d->mknod ? BPF_DEVCG_ACC_MKNOD : 0);
}

static bool is_for_everything(const struct cgroup_device *d)
{
	return d->type == 'a' && d->major < 0 && d->minor < 0 && accesses_of(d) == ALL_ACCESSES;
}

// A rule is at most 3 tests and 4 instructions more; a test that fails jumps behind all.
static void emit_rule(struct code *c, const struct cgroup_device *d)
{
	int32_t accesses = accesses_of(d);
	size_t first = c->n;
	if (d->type != 'a')
		emit_test(c, offsetof(struct bpf_cgroup_dev_ctx, access_type),
		          d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (d->major >= 0)
		emit_test(c, offsetof(struct bpf_cgroup_dev_ctx, major), (int32_t)d->major);
	if (d->minor >= 0)
		emit_test(c, offsetof(struct bpf_cgroup_dev_ctx, minor), (int32_t)d->minor);
	size_t tests = c->n;
	// Usual rules name every access: without arithmetic the verifier has one state to follow.
	if (accesses != ALL_ACCESSES && d->allow) {
		emit(c, BPF_ALU64 | BPF_AND | BPF_K, WANTED, 0, 0, ~accesses);
		emit(c, BPF_JMP32 | BPF_JNE | BPF_K, WANTED, 0, 2, 0);
	} else if (accesses != ALL_ACCESSES) {
		emit(c, BPF_JMP32 | BPF_JSET | BPF_K, WANTED, 0, 1, accesses);
		emit(c, BPF_JMP | BPF_JA, 0, 0, 2, 0);
	}
	emit_return(c, d->allow);
	for (size_t i = first; i < tests; i++) {
		if (c->insns[i].code == (BPF_JMP32 | BPF_JNE | BPF_K))
			c->insns[i].off = (int16_t)(c->n - i - 1);
	}
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

// A descriptor, or -1 and errno.
static int load(const struct cgroup_device *devices, size_t n)
{
	struct code c = {0};
	emit_load(&c, WANTED, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(&c, BPF_ALU64 | BPF_RSH | BPF_K, WANTED, 0, 0, 16);
	bool decided = false; // what stands before a rule for everything is never reached: refused
	while (n > 0 && !decided) {
		emit_rule(&c, &devices[--n]);
		decided = is_for_everything(&devices[n]);
	}
	if (!decided)
		emit_return(&c, true);
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)c.insns,
		.insn_cnt = (uint32_t)c.n,
		.license = (uint64_t)(uintptr_t) "Apache-2.0",
	};
	int fd = (int)bpf(BPF_PROG_LOAD, &attr); // close-on-exec by itself
	int sys = errno;
	free(c.insns);
	errno = sys;
	return fd;
}

bool cgroup_devices_possible(void)
{
	auto_fd int fd = load(NULL, 0);
	return fd >= 0;
}

fallible cgroup_devices_attach(int group, const struct cgroup_device *devices, size_t n,
                               uint32_t *missing)
{
	if (n > DEVICES_MAX)
		return error_new(ERROR_LIMIT, "more than %d device rules", DEVICES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (devices[i].major > INT32_MAX || devices[i].minor > INT32_MAX)
			return error_new(ERROR_INVALID, "device %lld:%lld: no such number",
			                 (long long)devices[i].major, (long long)devices[i].minor);
	}
	auto_fd int program = load(devices, n);
	union bpf_attr attr = {
		.target_fd = (uint32_t)group,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		// Groups that the container makes below can't undo it, only add their own.
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	if (program >= 0 && bpf(BPF_PROG_ATTACH, &attr) == 0)
		return NULL;
	if (errno == E2BIG)
		return error_new(ERROR_LIMIT, "%zu device rules are too many for the kernel", n);
	if (errno != EPERM && errno != EACCES && errno != ENOSYS && errno != EINVAL)
		FAIL_ERRNO("device rules");
	*missing |= CGROUP_DEVICES;
	return NULL;
}
