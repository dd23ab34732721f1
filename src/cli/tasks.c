// SPDX-License-Identifier: Apache-2.0
// What is done with what runs: its log, more processes in it.
#include "cli/commands.h"
#include "cli/gotext.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/session.h"
#include <time.h>

// --- logs

// "10m": ago. "1795561517": seconds since 1970. Else RFC 3339, its zone Z or left out.
static fallible parse_since(const char *text, int64_t *ret_ns)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t ago_ns;
	uint64_t seconds;
	struct error *not_number = text_parse_u64(text, 10, INT64_MAX / 1000000000, &seconds);
	if (!not_number) {
		*ret_ns = (int64_t)seconds * INT64_C(1000000000);
		return NULL;
	}
	error_free(not_number);
	if (go_parse_duration(text, &ago_ns) == GO_OK) {
		*ret_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec - ago_ns;
		return NULL;
	}
	struct tm date = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &date);
	if (rest && *rest == 'T')
		rest = strptime(rest, "T%H:%M:%S", &date);
	if (rest && *rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789"); // a second more or less
	if (!rest || (*rest && strcmp(rest, "Z") != 0))
		return error_new(ERROR_USAGE,
		                 "--since %.64s: not a time such as 10m or 2026-11-26T02:15:00Z",
		                 text);
	*ret_ns = timegm(&date) * INT64_C(1000000000);
	return NULL;
}

struct log_output {
	bool has_times, flushes;
	bool is_inside[2]; // of a line that was divided: its next part has no time
};

static void print_log_line(void *context, const struct engine_log_line *line)
{
	struct log_output *o = context;
	FILE *out = line->is_error ? stderr : stdout;
	if (o->has_times && !o->is_inside[line->is_error])
		fprintf(out, "%s ", line->time);
	fwrite(line->bytes, 1, line->size, out);
	o->is_inside[line->is_error] = !line->size || line->bytes[line->size - 1] != '\n';
	if (o->flushes)
		fflush(out);
}

fallible command_tasks_logs(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	struct log_output output = {flag_bool(in, "timestamps"), flag_bool(in, "follow"), {0}};
	struct engine_logs request = {
		.id = in->args[0],
		.follow = output.flushes,
		.stops_with_output = output.flushes,
		.tail = -1,
		.line = print_log_line,
		.context = &output,
	};
	if (strcmp(flag_text(in, "tail"), "all") != 0)
		TRY_AS(text_parse_i64(flag_text(in, "tail"), -1, INT64_MAX, &request.tail),
		       "--tail");
	if (*flag_text(in, "since"))
		TRY(parse_since(flag_text(in, "since"), &request.since_ns));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_logs(s.engine, &request);
}

// --- exec

static fallible execute(struct invocation *in, struct engine_exec *request)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	request->id = in->args[0];
	request->args = (const char *const *)in->args + 1; // argv: ends with NULL
	request->cwd = optional(flag_text(in, "cwd"));
	request->user = optional(flag_text(in, "user"));
	request->detach = flag_bool(in, "detach");
	for (int fd = 0; fd < 3; fd++)
		request->stdio[fd] = in->closed[fd] ? -1 : fd;
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_exec(s.engine, request, &in->status);
}

fallible command_tasks_exec(struct invocation *in)
{
	struct engine_exec request = {
		.exec_id = flag_text(in, "exec-id"),
		.log_uri = optional(flag_text(in, "log-uri")),
	};
	return execute(in, &request);
}

// As docker's: standard input goes in if -i says so, else a loop over lines would lose its own.
fallible command_tasks_exec_anonymous(struct invocation *in)
{
	struct engine_exec request = {0};
	auto_strings struct strings env = {0};
	flag_environment(in, &env);
	request.env = (const char *const *)env.items;
	request.n_env = env.n;
	in->closed[0] |= !flag_bool(in, "interactive");
	return execute(in, &request);
}
