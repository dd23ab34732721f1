// SPDX-License-Identifier: Apache-2.0
// What is done with what runs: signals, stopping, more processes in it, its log, figures.
#include "cli/commands.h"
#include "cli/gotext.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"
#include "oci/names.h"
#include <inttypes.h>
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

static bool print_log_line(void *context, const struct engine_log_line *line)
{
	struct log_output *o = context;
	FILE *out = line->is_error ? stderr : stdout;
	if (o->has_times && !o->is_inside[line->is_error])
		fprintf(out, "%s ", line->time);
	bool can_go_on = output_bytes(out, line->bytes, line->size);
	o->is_inside[line->is_error] = !line->size || line->bytes[line->size - 1] != '\n';
	if (o->flushes && !line->is_error)
		can_go_on = output_flush();
	return can_go_on || line->is_error;
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
	request->tty = flag_bool(in, "tty");
	request->detach_keys = flag_text(in, "detach-keys");
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
	in->closed[0] |= !flag_bool(in, "interactive") && !flag_bool(in, "tty");
	return execute(in, &request);
}

// --- attach

// The task stays, as STOPPED, until somebody removes it. (ctr's attach removes it at its end.)
fallible command_tasks_attach(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	struct log_output output = {.flushes = true};
	struct engine_attach request = {
		.id = in->args[0],
		.detach_keys = flag_text(in, "detach-keys"),
		.stdio = {in->closed[0] ? -1 : 0, in->closed[1] ? -1 : 1, in->closed[2] ? -1 : 2},
		.line = print_log_line,
		.context = &output,
	};
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_task_attach(s.engine, &request, &in->status);
}

// --- cp

// "web:/etc": the container before the colon. A path with a slash before its colon is the host's.
static bool split_place(const char *text, char **ret_id, const char **ret_path)
{
	const char *colon = strchr(text, ':');
	if (!colon || colon == text || memchr(text, '/', (size_t)(colon - text)))
		return false;
	*ret_id = alloc_bytes(text, (size_t)(colon - text));
	*ret_path = colon + 1;
	return true;
}

fallible command_tasks_copy(struct invocation *in)
{
	TRY(argument_needed(in, 1, "a source and a target must be provided"));
	auto_free char *from = NULL, *to = NULL;
	const char *source = in->args[0], *target = in->args[1];
	bool is_out = split_place(source, &from, &source);
	bool is_into = split_place(target, &to, &target);
	if (in->n_args != 2 || is_out == is_into)
		return error_hint(
			error_new(ERROR_USAGE, "one of source and target is CONTAINER:PATH"),
			"coracle cp web:/etc/hosts . or coracle cp file web:/tmp");
	if (!strcmp(is_into ? source : target, "-"))
		return error_hint(error_new(ERROR_UNSUPPORTED, "cp -: not in coracle yet"),
		                  "coracle exec CONTAINER tar -c PATH makes a tar; ./- is a file");
	struct engine_copy request = {
		.id = is_into ? to : from,
		.container_path = is_into ? target : source,
		.host_path = is_into ? source : target,
		.is_into = is_into,
	};
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_copy(s.engine, &request);
}

// --- kill, stop, wait, pause, resume, rm

static fallible check_signal(const char *text)
{
	int number;
	return *text ? error_hint(oci_signal_parse(text, &number),
	                          "a signal is a name such as TERM, KILL or HUP, or a number from "
	                          "1 to 64")
	             : NULL;
}

fallible command_tasks_kill(struct invocation *in)
{
	const char *exec_id = optional(flag_text(in, "exec-id"));
	TRY(argument_needed(in, 0, "container id must be provided"));
	if (exec_id && flag_bool(in, "all"))
		return error_new(ERROR_USAGE, "specify an exec-id or all; not both");
	TRY(check_signal(flag_text(in, "signal")));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_task_kill(s.engine, in->args[0], exec_id, optional(flag_text(in, "signal")),
	                        flag_bool(in, "all"));
}

// The same for each container named; the first error is the command's.
static fallible for_each(struct invocation *in,
                         fallible (*act)(struct invocation *in, struct engine *e, const char *id))
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	struct error *first = NULL;
	for (size_t i = 0; i < in->n_args; i++) {
		struct error *e = act(in, s.engine, in->args[i]);
		if (e)
			report_one_of(in, &first, e, "failed");
	}
	return first;
}

static fallible stop_one(struct invocation *in, struct engine *e, const char *id)
{
	int64_t seconds = flag_int(in, "time");
	return engine_task_stop(e, id, optional(flag_text(in, "signal")),
	                        seconds < 0 || seconds > INT32_MAX / 1000 ? -1 : seconds * 1000);
}

fallible command_tasks_stop(struct invocation *in)
{
	return for_each(in, stop_one);
}

static fallible wait_one(struct invocation *in, struct engine *e, const char *id)
{
	(void)in;
	int code = 0;
	TRY(engine_task_wait(e, id, &code));
	printf("%u\n", (unsigned)code);
	return NULL;
}

fallible command_tasks_wait(struct invocation *in)
{
	return for_each(in, wait_one);
}

fallible command_tasks_pause(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_task_pause(s.engine, in->args[0]);
}

fallible command_tasks_resume(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_task_resume(s.engine, in->args[0]);
}

static fallible delete_exec(struct invocation *in, struct engine *e, const char *exec_id)
{
	if (in->n_args != 1)
		return error_new(ERROR_USAGE, "--exec-id takes one container");
	return engine_task_remove(e, in->args[0], exec_id, flag_bool(in, "force"), &in->status);
}

static fallible delete_tasks(struct invocation *in, struct engine *e)
{
	struct error *first = NULL;
	for (size_t i = 0; i < in->n_args; i++) {
		int code = 0;
		const char *id = in->args[i];
		struct error *error =
			engine_task_remove(e, id, NULL, flag_bool(in, "force"), &code);
		auto_free char *text = alloc_printf(error_is(error, ERROR_NOT_FOUND)
		                                            ? "failed to load task from %s"
		                                            : "unable to delete %s",
		                                    id);
		if (error)
			report_one_of(in, &first, error, text);
		if (error || !code)
			continue;
		auto_free char *note =
			alloc_printf("task %s exit with non-zero exit code %u", id, (unsigned)code);
		if (in->ctr)
			output_log(in, "warning", note, NULL);
	}
	return first;
}

fallible command_tasks_delete(struct invocation *in)
{
	auto_session struct session s = {0};
	const char *exec_id = optional(flag_text(in, "exec-id"));
	TRY(session_open(in, &s));
	return exec_id ? delete_exec(in, s.engine, exec_id) : delete_tasks(in, s.engine);
}

// --- ps, metrics

static void processes_cleanup(struct engine_processes **processes)
{
	engine_processes_free(*processes);
}

fallible command_tasks_ps(struct invocation *in)
{
	bool json;
	TRY(argument_needed(in, 0, "container id must be provided"));
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(processes_cleanup) struct engine_processes *list = NULL;
	TRY(engine_task_processes(s.engine, in->args[0], &list));
	auto_json struct json *array = json_new_array();
	auto_table struct table t = TABLE_WIDE;
	table_cell(&t, "PID");
	table_end(&t, "INFO");
	for (size_t i = 0; i < list->n; i++) {
		const struct engine_process *p = &list->items[i];
		struct json *object = json_new_object();
		json_set_i64(object, "pid", p->pid);
		json_set_string(object, "exec_id", p->exec_id);
		json_append(array, object);
		table_printf(&t, "%lld", (long long)p->pid);
		auto_free char *info =
			p->exec_id ? alloc_printf("exec_id:\"%s\"", p->exec_id) : alloc_string("-");
		table_end(&t, info);
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	if (json)
		print_json(array);
	else
		table_print(&t, &text);
	output_str(&text);
	return NULL;
}

static void metric(struct table *t, const char *name, uint64_t value)
{
	table_cell(t, name);
	table_printf(t, "%" PRIu64, value);
	table_end(t, "");
}

#define MEMORY_UNLIMITED UINT64_C(0x7ffffffffffff000) // as cgroups of version 1 say it

// What ctr makes of containerd's cgroups v1 statistics, as far as it is known here: the names are
// its JSON's.
static struct json *metrics_json(const struct engine_metrics *m, uint64_t memory_limit)
{
	struct json *all = json_new_object();
	if (m->has_pids) {
		struct json *pids = json_new_object();
		json_set_u64(pids, "current", m->pids);
		if (m->pids_limit != UINT64_MAX)
			json_set_u64(pids, "limit", m->pids_limit);
		json_set(all, "pids", pids);
	}
	if (m->has_cpu) {
		struct json *cpu = json_new_object(), *usage = json_new_object();
		json_set_u64(usage, "total", m->cpu_usage_ns);
		json_set(cpu, "usage", usage);
		json_set(all, "cpu", cpu);
	}
	if (m->has_memory) {
		struct json *memory = json_new_object(), *usage = json_new_object();
		json_set_u64(usage, "limit", memory_limit);
		json_set_u64(usage, "usage", m->memory_usage_bytes);
		json_set(memory, "usage", usage);
		json_set(all, "memory", memory);
	}
	return all;
}

static void metrics_table(const struct engine_metrics *m, uint64_t memory_limit, struct table *t)
{
	table_row(t, (const char *[]){"METRIC", "VALUE", NULL});
	if (m->has_memory) {
		metric(t, "memory.usage_in_bytes", m->memory_usage_bytes);
		metric(t, "memory.limit_in_bytes", memory_limit);
	}
	if (m->has_cpu)
		metric(t, "cpuacct.usage", m->cpu_usage_ns);
	if (m->has_pids) {
		metric(t, "pids.current", m->pids);
		metric(t, "pids.limit", m->pids_limit == UINT64_MAX ? 0 : m->pids_limit);
	}
}

fallible command_tasks_metrics(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	struct engine_metrics m;
	TRY(engine_task_metrics(s.engine, in->args[0], &m));
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t memory_limit =
		m.memory_limit_bytes > MEMORY_UNLIMITED ? MEMORY_UNLIMITED : m.memory_limit_bytes;
	auto_json struct json *object = metrics_json(&m, memory_limit);
	auto_table struct table head = TABLE_WIDE, t = TABLE_WIDE;
	table_row(&head, (const char *[]){"ID", "TIMESTAMP", NULL});
	table_cell(&head, in->args[0]);
	table_printf(&head, "seconds:%lld nanos:%ld", (long long)now.tv_sec, now.tv_nsec);
	table_end(&head, "");
	metrics_table(&m, memory_limit, &t);
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	if (json) {
		print_json(object);
	} else {
		table_print(&head, &text);
		str_add_char(&text, '\n');
		table_print(&t, &text);
	}
	output_str(&text);
	return NULL;
}
