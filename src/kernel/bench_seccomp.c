// SPDX-License-Identifier: Apache-2.0
// How long the default filter takes to build and to load, in fresh processes. Figures, no verdict:
// build/src/kernel/bench_seccomp (meson -Dbench=true).
#include "kernel/process.h"
#include "kernel/seccomp.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200 };

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void print(const char *what, int64_t *ns)
{
	qsort(ns, ROUNDS, sizeof(*ns), by_size);
	printf("%s: min %.1f us, median %.1f us\n", what, (double)ns[0] / 1e3,
	       (double)ns[ROUNDS / 2] / 1e3);
}

int main(void)
{
	// Written by the children.
	int64_t(*ns)[ROUNDS] = mmap(NULL, sizeof(*ns) * 2, PROT_READ | PROT_WRITE,
	                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ns == MAP_FAILED)
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct seccomp_filter f;
			int64_t start = now_ns();
			struct error *e = seccomp_default(0, &f);
			int64_t built = now_ns();
			if (e || process_no_new_privs() || seccomp_install(&f, 0))
				_exit(1);
			ns[0][i] = built - start;
			ns[1][i] = now_ns() - built;
			_exit(0);
		}
		int status;
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
	}
	print("build", ns[0]);
	print("load", ns[1]);
	return 0;
}
