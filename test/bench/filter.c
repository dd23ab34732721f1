// SPDX-License-Identifier: Apache-2.0
// Makes the floor's seccomp filter at build time: as libseccomp 2.5 lays out containerd's default
// profile for three architectures, as a binary tree. Reads rules from standard input, one a line:
//
//	ACTION ERRNO NAME [INDEX OP VALUE VALUE2]      ACTION: allow, errno; OP: ne, eq, masked
//
// and writes a C array.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what, int code)
{
	fprintf(stderr, "filter: %s: %s\n", what, strerror(code < 0 ? -code : code));
	exit(1);
}

static void add_rule(scmp_filter_ctx ctx, const char *line)
{
	char action[16], name[64], op[16] = "";
	unsigned error, index;
	uint64_t a, b;
	int n = sscanf(line, "%15s %u %63s %u %15s %" SCNu64 " %" SCNu64, action, &error, name,
	               &index, op, &a, &b);
	if (n != 3 && n != 7)
		die(line, EINVAL);
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR)
		return; // newer than libseccomp
	uint32_t what = action[0] == 'a' ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(error);
	enum scmp_compare compare = op[0] == 'n'   ? SCMP_CMP_NE
	                            : op[0] == 'e' ? SCMP_CMP_EQ
	                                           : SCMP_CMP_MASKED_EQ;
	struct scmp_arg_cmp arg = {n == 7 ? index : 0, compare, n == 7 ? a : 0, n == 7 ? b : 0};
	int r = seccomp_rule_add_array(ctx, what, number, n == 7, &arg);
	if (r < 0)
		die(name, r);
}

int main(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx || seccomp_arch_add(ctx, SCMP_ARCH_X86) < 0 ||
	    seccomp_arch_add(ctx, SCMP_ARCH_X32) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
		die("seccomp", EINVAL);
	for (char line[256]; fgets(line, sizeof(line), stdin);)
		add_rule(ctx, line);

	int fd = memfd_create("filter", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	if (r < 0)
		die("export", r);
	struct sock_filter program[BPF_MAXINSNS];
	ssize_t size = pread(fd, program, sizeof(program), 0);
	if (size <= 0)
		die("read", errno);
	size_t n = (size_t)size / sizeof(*program);
	printf("// %zu instructions\n#include <linux/filter.h>\n"
	       "static const struct sock_filter floor_filter[] = {\n",
	       n);
	for (size_t i = 0; i < n; i++)
		printf("\t{0x%x, %u, %u, 0x%x},\n", program[i].code, program[i].jt, program[i].jf,
		       program[i].k);
	printf("};\n");
	seccomp_release(ctx);
	return 0;
}
