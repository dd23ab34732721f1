// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"
#include "cli/output.h"
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void say_warning(void *context, const char *line)
{
	struct session *s = context;
	progress_clear(&s->progress);
	output_log(s->in, "warning", line, NULL);
}

static void say_step(void *context, const char *line)
{
	struct session *s = context;
	auto_str struct str text = STR_LIMIT(65536);
	str_printf(&text, "%9.3f ms ", (double)(monotonic_ns() - s->begun_ns) / 1e6);
	output_clean(&text, line);
	str_add_char(&text, '\n');
	progress_clear(&s->progress);
	fwrite(text.bytes, 1, text.size, stderr);
}

static void say_progress(void *context, const struct engine_progress *e)
{
	struct session *s = context;
	progress_update(&s->progress, e);
}

const char *optional(const char *text)
{
	return *text ? text : NULL;
}

const char *session_snapshotter(const struct session *s)
{
	return optional(flag_text(s->in, "snapshotter"));
}

static void deadline_as_ctr(int signal)
{
	(void)signal;
	static const char text[] = "ctr: context deadline exceeded\n";
	progress_wipe();
	ignore(write(STDERR_FILENO, text, sizeof(text) - 1)); // we end in any case
	_exit(1);
}

static void deadline(int signal)
{
	(void)signal;
	static const char text[] = "coracle: the time that --timeout gave is over\n";
	progress_wipe();
	ignore(write(STDERR_FILENO, text, sizeof(text) - 1)); // we end in any case
	_exit(125);
}

// kill -9 at any moment leaves only what the next command collects: so a deadline may just end us.
// Not with `run`: its container would run on, and nobody would tell.
static fallible start_deadline(const struct invocation *in)
{
	int64_t ns = flag_duration_ns(in, "timeout");
	if (ns <= 0)
		return NULL;
	if (text_equal(in->command->path, "run"))
		return error_new(ERROR_UNSUPPORTED, "--timeout is not for run in coracle yet");
	struct sigaction action = {.sa_handler = in->ctr ? deadline_as_ctr : deadline};
	if (sigaction(SIGALRM, &action, NULL) < 0)
		FAIL_ERRNO("sigaction");
	struct itimerval timer = {
		.it_value = {.tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000 / 1000}};
	if (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0)
		timer.it_value.tv_usec = 1;
	if (setitimer(ITIMER_REAL, &timer, NULL) < 0)
		FAIL_ERRNO("setitimer");
	return NULL;
}

// "/a:/b" as a list that ends in NULL; NULL if the engine's own folders are meant.
static void split_plugin_dirs(struct session *s, const char *text)
{
	size_t n = 1;
	for (const char *c = text; *c; c++)
		n += *c == ':';
	s->plugin_text = alloc_string(text);
	s->plugin_dirs = alloc_array(n + 1, sizeof(*s->plugin_dirs));
	n = 0;
	for (char *dir = s->plugin_text; dir;) {
		char *colon = strchr(dir, ':');
		if (colon)
			*colon++ = 0;
		if (*dir)
			s->plugin_dirs[n++] = dir;
		dir = colon;
	}
}

// The flag's or variable's text; NULL where only the default would answer.
static const char *given(const struct invocation *in, const char *name)
{
	return flag_given(in, name) ? optional(flag_text(in, name)) : NULL;
}

// The engine makes the store that it is told to open. Who reads in a folder that isn't there has
// misspelt it.
static fallible check_root(const struct invocation *in)
{
	static const char reading[] = "list info inspect check tree usage ps logs gc";
	const char *root = given(in, "root");
	if (!root || !words_have(reading, command_name(in->command)) || access(root, F_OK) == 0 ||
	    errno != ENOENT)
		return NULL;
	return error_hint(error_new(ERROR_NOT_FOUND, "no store at %s", root),
	                  "the first coracle images import or coracle images pull makes one");
}

fallible session_open(struct invocation *in, struct session *s)
{
	s->in = in;
	s->begun_ns = monotonic_ns();
	s->progress.bar = output_is_fancy();
	if (flag_given(in, "address"))
		output_note(in, "%s is ignored: there is no daemon",
		            getenv("CONTAINERD_ADDRESS") ? "CONTAINERD_ADDRESS" : "--address");
	if (!*flag_text(in, "namespace"))
		return error_new(ERROR_INVALID, "namespace is required: failed precondition");
	if (given(in, "cni-path"))
		split_plugin_dirs(s, given(in, "cni-path"));
	TRY(check_root(in));
	TRY(start_deadline(in));
	struct engine_options options = {
		.root = given(in, "root"),
		.state = given(in, "state"),
		.ns = flag_text(in, "namespace"),
		.cni_conf_dir = given(in, "cni-netconfpath"),
		.cni_plugin_dirs = s->plugin_dirs,
		.sink = {.warn = say_warning,
	                 .debug = flag_bool(in, "debug") || s->show_steps ? say_step : NULL,
	                 .progress = say_progress,
	                 .context = s},
	};
	return engine_open(&options, &s->engine);
}

void session_done(struct session *s)
{
	progress_clear(&s->progress);
	engine_close(s->engine);
	free(s->plugin_text);
	free(s->plugin_dirs);
	*s = (struct session){0};
}
