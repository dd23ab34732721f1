// SPDX-License-Identifier: Apache-2.0
// Runs commands in turn, many rounds, and prints what each run took. Small on purpose: the peak
// memory that the kernel reports of a child includes its parent's until exec.
//
//	measure ROUNDS COMMAND... + COMMAND... [+ ...]
//
// A line for each run: command's number, milliseconds, peak KiB, CPU milliseconds, exit status.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double ms_of(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void run(int number, char **argv, int null)
{
	struct rusage usage;
	int status;
	double began = now_ms();
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(null, 0);
		dup2(null, 1);
		execve(argv[0], argv, environ);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
		perror("measure");
		exit(1);
	}
	double took = now_ms() - began;
	printf("%d %.4f %ld %.3f %d\n", number, took, usage.ru_maxrss,
	       ms_of(usage.ru_utime) + ms_of(usage.ru_stime),
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(int argc, char **argv)
{
	unsigned rounds = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (argc < 3 || sscanf(argv[1], "%u", &rounds) != 1 || rounds == 0 || null < 0) {
		fprintf(stderr, "usage: measure ROUNDS COMMAND... + COMMAND...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "+") == 0)
			argv[i] = NULL;
	for (unsigned round = 0; round < rounds; round++) {
		int number = 0;
		for (int i = 2; i < argc; i++) {
			run(number++, argv + i, null);
			while (i < argc && argv[i])
				i++;
		}
		fflush(stdout);
	}
	return 0;
}
