// SPDX-License-Identifier: Apache-2.0
// What the runtime's part of a start costs: create, start and wait of busybox's `true`, from a spec
// in memory and layers by descriptor to the exit code; then what is done after the answer.
//
//	runtime_bench SHIM [ROUNDS [-v]]        -v: the steps too, each from the one before
#include "base/text.h"
#include "runtime/test_fixture.h"
#include <stdio.h>
#include <time.h>

enum { ROUNDS_MAX = 10000 };

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

enum { STEPS_MAX = 16 };
static struct series {
	const char *name;
	size_t n;
	double values[ROUNDS_MAX];
} steps[STEPS_MAX];
static double last_step;

static void note_step(void *context, const char *name)
{
	(void)context;
	double now = now_ms();
	for (size_t i = 0; i < STEPS_MAX; i++) {
		if (steps[i].name && strcmp(steps[i].name, name) != 0)
			continue;
		steps[i].name = name;
		steps[i].values[steps[i].n++] = now - last_step;
		break;
	}
	last_step = now;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_series(const char *what, double *series, size_t n)
{
	qsort(series, n, sizeof *series, compare);
	printf("%-28s min %.3f  median %.3f  95%% %.3f ms\n", what, series[0], series[n / 2],
	       series[n * 95 / 100]);
}

static fallible one_round(struct life *l, double *ret_started, double *ret_ended, double *ret_gone)
{
	struct runtime_task *task = NULL;
	int code = -1;
	double begun = last_step = now_ms();
	TRY(runtime_run(&l->request, &task));
	*ret_started = now_ms() - begun;
	TRY(runtime_wait(task, -1, &code));
	*ret_ended = now_ms() - begun;
	if (l->request.step)
		note_step(NULL, "ended");
	TRY(runtime_release(task));
	*ret_gone = now_ms() - begun - *ret_ended;
	return code == 0 ? NULL : error_new(ERROR_CORRUPT, "exit code %d", code);
}

static fallible bench(struct fixture *f, size_t rounds, bool is_verbose)
{
	static double started[ROUNDS_MAX], ended[ROUNDS_MAX], gone[ROUNDS_MAX];
	for (size_t i = 0; i < rounds; i++) {
		struct life l;
		life_make(f, &l, (const char *const[]){"true", NULL});
		if (is_verbose)
			l.request.step = note_step;
		struct error *e = one_round(&l, &started[i], &ended[i], &gone[i]);
		life_done(f, &l);
		TRY(e);
	}
	for (size_t i = 0; i < STEPS_MAX && steps[i].name; i++)
		print_series(steps[i].name, steps[i].values, steps[i].n);
	print_series("create and start", started, rounds);
	print_series("create, start, wait", ended, rounds);
	print_series("release (after the answer)", gone, rounds);
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t rounds = 200;
	if (argc < 2) {
		fprintf(stderr, "runtime_bench SHIM [ROUNDS [-v]]\n");
		return 2;
	}
	struct fixture f;
	auto_error struct error *e =
		argc > 2 ? text_parse_u64(argv[2], 10, ROUNDS_MAX, &rounds) : NULL;
	if (!e && rounds && fixture_make(&f, argv[1])) {
		e = bench(&f, rounds, argc > 3);
		fixture_done(&f);
	}
	if (e)
		fprintf(stderr, "runtime_bench: %s\n", e->message);
	return e ? 1 : 0;
}
