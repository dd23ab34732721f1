// SPDX-License-Identifier: Apache-2.0
// What containers use: top for one, stats for all that run.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL_MS = 1000, FIRST_MS = 200, COMMAND_SHOWN = 60 };

static void processes_cleanup(struct engine_processes **processes)
{
	engine_processes_free(*processes);
}

static struct json *process_json(const struct engine_process *p)
{
	struct json *object = json_new_object();
	char state[2] = {p->state ? p->state : '?', 0};
	json_set_i64(object, "pid", p->pid);
	json_set_i64(object, "parent", p->parent);
	json_set_string(object, "state", state);
	json_set_u64(object, "cpu_ms", p->cpu_ms);
	json_set_u64(object, "resident_bytes", p->resident_bytes);
	json_set_string(object, "exec_id", p->exec_id);
	json_set_string(object, "command", p->command ? p->command : "");
	return object;
}

static void process_row(struct table *t, const struct engine_process *p)
{
	auto_str struct str resident = STR_LIMIT(64);
	units_binary(&resident, p->resident_bytes);
	table_printf(t, "%lld", (long long)p->pid);
	table_printf(t, "%lld", (long long)p->parent);
	table_printf(t, "%c", p->state ? p->state : '?');
	table_printf(t, "%llu.%02llu", (unsigned long long)p->cpu_ms / 1000,
	             (unsigned long long)p->cpu_ms % 1000 / 10);
	table_cell(t, resident.bytes);
	auto_free char *command = alloc_printf("%.*s", COMMAND_SHOWN, p->command ? p->command : "");
	table_end(t, command);
}

fallible command_tasks_top(struct invocation *in)
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
	static const char *const heads[] = {"PID", "PPID", "STATE", "CPU", "RESIDENT"};
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		table_cell(&t, heads[i]);
	table_end(&t, "COMMAND");
	for (size_t i = 0; i < list->n; i++) {
		json_append(array, process_json(&list->items[i]));
		process_row(&t, &list->items[i]);
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	if (json)
		print_json(array);
	else
		table_print(&t, &text);
	output_str(&text);
	return NULL;
}

// --- stats

struct sample {
	char *id;
	struct engine_metrics metrics;
	int64_t taken_ns;
};
struct samples {
	struct sample *items;
	size_t n, capacity;
};

static void samples_done(struct samples *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].id);
	free(s->items);
	*s = (struct samples){0};
}

static int64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static bool is_wanted(const struct invocation *in, const struct engine_container *c)
{
	if (!c->status || text_equal(c->status, "STOPPED"))
		return false;
	for (size_t i = 0; i < in->n_args; i++)
		if (text_equal(in->args[i], c->id))
			return true;
	return !in->n_args;
}

static fallible take_samples(const struct invocation *in, struct engine *engine,
                             struct samples *ret)
{
	struct engine_containers *list = NULL;
	TRY(engine_container_list(engine, NULL, 0, &list));
	for (size_t i = 0; i < list->n; i++) {
		struct sample sample = {.taken_ns = monotonic_ns()};
		if (!is_wanted(in, &list->items[i]))
			continue;
		struct error *e = engine_task_metrics(engine, list->items[i].id, &sample.metrics);
		if (e) { // it has ended meanwhile
			error_free(e);
			continue;
		}
		alloc_grow(&ret->items, &ret->capacity, ret->n, sizeof(*ret->items));
		sample.id = alloc_string(list->items[i].id);
		ret->items[ret->n++] = sample;
	}
	engine_containers_free(list);
	return NULL;
}

// Per cent of one CPU since the last sample.
static double cpu_percent(const struct samples *before, const struct sample *now)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct sample *b = &before->items[i];
		int64_t ns = now->taken_ns - b->taken_ns;
		if (text_equal(b->id, now->id) && ns > 0 &&
		    now->metrics.cpu_usage_ns >= b->metrics.cpu_usage_ns)
			return 100.0 *
			       (double)(now->metrics.cpu_usage_ns - b->metrics.cpu_usage_ns) /
			       (double)ns;
	}
	return 0;
}

static void print_samples(const struct samples *before, const struct samples *now, bool json)
{
	auto_json struct json *array = json_new_array();
	auto_table struct table t = TABLE_WIDE;
	table_row(&t, (const char *[]){"CONTAINER", "CPU", "MEMORY", "LIMIT", "PIDS", NULL});
	for (size_t i = 0; i < now->n; i++) {
		const struct sample *x = &now->items[i];
		const struct engine_metrics *m = &x->metrics;
		uint64_t memory = m->has_memory ? m->memory_usage_bytes : m->resident_bytes;
		bool has_limit = m->has_memory && m->memory_limit_bytes != UINT64_MAX;
		auto_str struct str used = STR_LIMIT(64), limit = STR_LIMIT(64);
		units_binary(&used, memory);
		if (has_limit)
			units_binary(&limit, m->memory_limit_bytes);
		table_cell(&t, x->id);
		table_printf(&t, "%.1f%%", cpu_percent(before, x));
		table_cell(&t, used.bytes);
		table_cell(&t, has_limit ? limit.bytes : "-");
		table_printf(&t, "%llu", (unsigned long long)m->n_processes);
		table_end(&t, "");
		struct json *object = json_new_object();
		json_set_string(object, "id", x->id);
		json_set_u64(object, "cpu_usage_ns", m->cpu_usage_ns);
		json_set_u64(object, "memory_bytes", memory);
		if (has_limit)
			json_set_u64(object, "memory_limit_bytes", m->memory_limit_bytes);
		json_set_u64(object, "pids", m->n_processes);
		json_append(array, object);
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	if (json)
		print_json(array);
	else
		table_print(&t, &text);
	output_str(&text);
}

// The first figures need two looks; then one a second, until Ctrl-C.
fallible command_tasks_stats(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	bool is_live = !json && !flag_bool(in, "no-stream") && isatty(STDOUT_FILENO);
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	for (size_t i = 0; i < in->n_args; i++) {
		struct engine_containers *one = NULL;
		TRY(engine_container_info(s.engine, in->args[i], &one));
		engine_containers_free(one);
	}
	defer(samples_done) struct samples before = {0}, now = {0};
	TRY(take_samples(in, s.engine, &before));
	poll(NULL, 0, FIRST_MS);
	for (;;) {
		TRY(take_samples(in, s.engine, &now));
		if (is_live)
			fputs("\033[H\033[2J", stdout);
		print_samples(&before, &now, json);
		if (!is_live)
			return NULL;
		if (!output_flush())
			return NULL; // said at the end
		samples_done(&before);
		before = now;
		now = (struct samples){0};
		poll(NULL, 0, INTERVAL_MS);
	}
}
