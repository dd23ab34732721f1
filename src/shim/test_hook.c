// SPDX-License-Identifier: Apache-2.0
// One hook: what it gets, and what is told of its end.
#include "base/defer.h"
#include "base/text.h"
#include "shim/hook.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char said[HOOK_TEXT];

static int run_call(struct hook_call *call, const char *script)
{
	char *const argv[] = {(char[]){"its name"}, (char[]){"-c"}, (char *)(uintptr_t)script,
	                      NULL};
	char *const env[] = {(char[]){"A=b"}, NULL};
	call->hook.path = "/bin/sh";
	call->hook.argv = argv;
	call->hook.env = env;
	memset(said, 'x', sizeof said);
	return hook_run(call, said);
}

static int run(const char *script)
{
	struct hook_call call = {
		.before = "{\"pid\":", .behind = ",\"x\":1}", .pid = 42, .interrupt_fd = -1};
	return run_call(&call, script);
}

#define EXIT(n) (-((n) << 8))

static void ends(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		int result;
		const char *said;
	} cases[] = {
		{"echo out", 0, ""}, // nobody asks one that is content
		{"exit 3", EXIT(3), ""},
		{"exit 127", EXIT(127), ""}, // not to be taken for a failing exec
		{"echo out; echo err >&2; exit 255", EXIT(255), "out\nerr\n"},
		{"kill -9 $$", -SIGKILL, ""},
		{"kill -TERM $$", -SIGTERM, ""}, // blocked or ignored by us, it is not by them
		{"cat; exit 1", EXIT(1), "{\"pid\":42,\"x\":1}"},
		{"cat >&2; cat; exit 1", EXIT(1), "{\"pid\":42,\"x\":1}"}, // read once
		{"echo $0; exit 1", EXIT(1), "its name\n"},
		{"env | grep -v ^PWD= | grep -v ^SHLVL= | grep -v ^_=; exit 1", EXIT(1), "A=b\n"},
		{"printf 'a\\000b'; exit 1", EXIT(1), "a b"},
		{"for n in 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$n && echo $n; done; exit 1",
	         EXIT(1), ""},
		{"exec <&- >&- 2>&-; exit 4", EXIT(4), ""},
		{"sleep 1 & exit 5", EXIT(5), ""}, // what it leaves is not waited for
		{"ps -o sid= -p $$ | grep -qw $$ && exit 6", EXIT(6), ""},
	};
	signal(SIGTERM, SIG_IGN);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int result = run(cases[i].script);
		if (result != cases[i].result)
			print_error("%s\n", cases[i].script);
		assert_int_equal(result, cases[i].result);
		assert_string_equal(said, cases[i].said);
	}
	signal(SIGTERM, SIG_DFL);
}

static void last_words(void **state)
{
	(void)state;
	// More than a pipe holds, and more than is kept.
	assert_int_equal(run("i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i+1)); done; exit 1"),
	                 EXIT(1));
	assert_int_equal(strlen(said), HOOK_TEXT - 1);
	assert_true(text_ends(said, "\n29998\n29999\n"));
	// In pieces: none of it is lost.
	assert_int_equal(run("for i in 1 2 3; do printf %0100d $i; sleep 0.01; done; exit 1"),
	                 EXIT(1));
	assert_int_equal(strlen(said), HOOK_TEXT - 1);
	assert_int_equal(said[HOOK_TEXT - 2], '3');
	assert_int_equal(said[HOOK_TEXT - 102], '2');
}

static void cannot_be_executed(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int sys;
	} cases[] = {{"/nosuch", ENOENT}, {"/etc", EACCES}, {"/etc/passwd", EACCES}};
	char *const none[] = {NULL};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct hook_call call = {
			.hook = {cases[i].path, none, none, 0}, .before = "{}", .interrupt_fd = -1};
		assert_int_equal(hook_run(&call, said), cases[i].sys);
	}
}

static void its_time_is_over(void **state)
{
	(void)state;
	struct hook_call call = {.before = "{}", .interrupt_fd = -1, .hook = {.timeout_s = 1}};
	assert_int_equal(run_call(&call, "trap '' TERM; echo on; sleep 1000 & wait"), ETIMEDOUT);
	assert_string_equal(said, "on\n");
	call.hook.timeout_s = INT32_MAX;
	assert_int_equal(run_call(&call, "exit 0"), 0);
}

static void interrupted(void **state)
{
	(void)state;
	int fd = eventfd(1, EFD_CLOEXEC);
	struct hook_call call = {.before = "{}", .interrupt_fd = fd};
	assert_int_equal(run_call(&call, "exec sleep 1000"), ECANCELED);
	close(fd);
}

static int enter(void *context)
{
	const int *sys = context;
	umask(0751);
	return *sys;
}

static void enters(void **state)
{
	(void)state;
	int sys = 0;
	struct hook_call call = {
		.before = "{}", .interrupt_fd = -1, .enter = enter, .context = &sys};
	assert_int_equal(run_call(&call, "umask; exit 1"), EXIT(1));
	assert_string_equal(said, "0751\n");
	sys = EXDEV;
	assert_int_equal(run_call(&call, "exit 1"), EXDEV);
}

static void keeps_nothing(void **state)
{
	(void)state;
	int before = dup(0);
	close(before);
	assert_int_equal(run("exit 0"), 0);
	int after = dup(0);
	close(after);
	assert_int_equal(before, after);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),          cmocka_unit_test(last_words),
		cmocka_unit_test(interrupted),   cmocka_unit_test(cannot_be_executed),
		cmocka_unit_test(enters),        cmocka_unit_test(its_time_is_over),
		cmocka_unit_test(keeps_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
