// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"
#include <time.h>

#define RUNC_RUNTIME "io.containerd.runc.v2"
#define RUNC_OPTIONS "containerd.runc.v1.Options"
#define CNI_EXTENSION "ctr.cni-containerd.metadata"
#define CNI_TYPE "github.com/containerd/containerd/v2/cmd/ctr/commands/NetworkMetaData"
#define DOCUMENT_LIMIT ((size_t)16 << 20)
#define COMMAND_SHOWN 40 // characters of a command in a list

static void containers_cleanup(struct engine_containers **containers)
{
	engine_containers_free(*containers);
}
#define auto_containers defer(containers_cleanup)

static const char *const *arguments(const struct invocation *in)
{
	return (const char *const *)in->args;
}

static const char *or_dash(const char *text)
{
	return text && *text ? text : "-";
}

static struct json *list_object(const struct engine_container *c)
{
	struct json *object = json_new_object();
	json_set_string(object, "id", c->id);
	json_set_string(object, "image", c->image ? c->image : "");
	json_set_string(object, "runtime", c->runtime);
	json_set_string(object, "snapshotter", c->snapshotter ? c->snapshotter : "");
	json_set_string(object, "command", c->command ? c->command : "");
	json_set(object, "labels", print_labels_json(&c->labels));
	print_set_time(object, "created", c->created_ns);
	json_set_string(object, "status", c->status);
	if (c->status) {
		json_set_i64(object, "pid", c->pid);
		json_set_u64(object, "exit_code", (uint32_t)c->exit_code);
	}
	return object;
}

// Which containers a list shows.
typedef bool container_filter(const struct engine_container *c);

static bool any_container(const struct engine_container *c)
{
	(void)c;
	return true;
}

static bool has_task(const struct engine_container *c)
{
	return c->status != NULL;
}

static bool is_running(const struct engine_container *c)
{
	return c->status && !text_equal(c->status, "STOPPED");
}

static void list_json(const struct engine_containers *containers, container_filter *shown)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < containers->n; i++)
		if (shown(&containers->items[i]))
			json_append(array, list_object(&containers->items[i]));
	print_json(array);
}

// One list in all its forms: -q, --format json, and a table whose rows `row` makes.
static fallible list(struct invocation *in, container_filter *shown, struct table *t,
                     void (*row)(struct table *t, const struct engine_container *c))
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_containers struct engine_containers *containers = NULL;
	TRY(engine_container_list(s.engine, arguments(in), in->n_args, &containers));
	if (json && !flag_bool(in, "quiet")) {
		list_json(containers, shown);
		return NULL;
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	for (size_t i = 0; i < containers->n; i++) {
		if (!shown(&containers->items[i]))
			continue;
		if (flag_bool(in, "quiet"))
			output_line(containers->items[i].id);
		else
			row(t, &containers->items[i]);
	}
	if (!flag_bool(in, "quiet"))
		table_print(t, &text);
	output_str(&text);
	return NULL;
}

static void container_row(struct table *t, const struct engine_container *c)
{
	table_row(t, (const char *[]){c->id, or_dash(c->image), or_dash(c->runtime), NULL});
}

fallible command_containers_list(struct invocation *in)
{
	auto_table struct table t = TABLE_WIDE;
	table_row(&t, (const char *[]){"CONTAINER", "IMAGE", "RUNTIME", NULL});
	return list(in, any_container, &t, container_row);
}

static void task_row(struct table *t, const struct engine_container *c)
{
	table_cell(t, c->id);
	table_printf(t, "%lld", (long long)c->pid);
	table_end(t, c->status);
}

fallible command_tasks_list(struct invocation *in)
{
	auto_table struct table t = TABLE_WIDE;
	table_row(&t, (const char *[]){"TASK", "PID", "STATUS", NULL});
	return list(in, has_task, &t, task_row);
}

static void status_text(struct str *out, const struct engine_container *c)
{
	if (!c->status) // not started yet, or its task was removed at its end
		str_add(out, "no task");
	else if (text_equal(c->status, "STOPPED"))
		str_printf(out, "exited (%u)", (unsigned)c->exit_code);
	else
		for (const char *s = c->status; *s; s++)
			str_add_char(out, *s >= 'A' && *s <= 'Z' ? (char)(*s + 'a' - 'A') : *s);
}

static void ps_row(struct table *t, const struct engine_container *c)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	auto_str struct str status = STR_LIMIT(64), age = STR_LIMIT(64);
	status_text(&status, c);
	units_age(&age, now.tv_sec * INT64_C(1000000000) + now.tv_nsec - c->created_ns);
	const char *command = c->command ? c->command : "";
	size_t shown = strnlen(command, COMMAND_SHOWN + 1);
	while (shown > COMMAND_SHOWN || (shown > 0 && (command[shown] & 0xc0) == 0x80))
		shown--; // never in the middle of a character
	table_cell(t, c->id);
	table_cell(t, or_dash(c->image));
	table_cell(t, status.bytes);
	if (is_running(c))
		table_printf(t, "%lld", (long long)c->pid);
	else
		table_cell(t, "-");
	table_printf(t, "%s ago", age.bytes);
	table_printf(t, "%.*s%s", (int)shown, command, command[shown] ? "..." : "");
	table_end(t, "");
}

fallible command_containers_ps(struct invocation *in)
{
	auto_table struct table t = TABLE_WIDE;
	table_row(&t, (const char *[]){"CONTAINER", "IMAGE", "STATUS", "PID", "CREATED", "COMMAND",
	                               NULL});
	return list(in, flag_bool(in, "all") ? any_container : is_running, &t, ps_row);
}

static struct json *runtime_json(const struct engine_container *c)
{
	struct json *runtime = json_new_object();
	json_set_string(runtime, "Name", c->runtime ? c->runtime : "");
	struct json *options = NULL;
	if (text_equal(c->runtime, RUNC_RUNTIME)) {
		options = json_new_object();
		json_set_string(options, "type_url", RUNC_OPTIONS);
	}
	json_set(runtime, "Options", options);
	return runtime;
}

static struct json *extensions_json(const struct engine_container *c)
{
	struct json *extensions = json_new_object();
	if (c->cni) {
		auto_str struct str value = STR_LIMIT(65536);
		print_base64(&value, c->cni, strlen(c->cni));
		struct json *extension = json_new_object();
		json_set_string(extension, "type_url", CNI_TYPE);
		json_set_string(extension, "value", value.bytes);
		json_set(extensions, CNI_EXTENSION, extension);
	}
	return extensions;
}

// As docker's inspect has it; ctr's has nothing of the kind.
static struct json *state_json(const struct engine_container *c)
{
	static const char *const words[][2] = {{"CREATED", "created"},
	                                       {"RUNNING", "running"},
	                                       {"PAUSED", "paused"},
	                                       {"STOPPED", "exited"}};
	if (!c->status)
		return NULL;
	struct json *state = json_new_object();
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(c->status, words[i][0]))
			json_set_string(state, "Status", words[i][1]);
	json_set_i64(state, "Pid", is_running(c) ? c->pid : 0);
	json_set_u64(state, "ExitCode", (uint32_t)c->exit_code);
	return state;
}

static fallible info_json(const struct engine_container *c, struct json **ret)
{
	auto_json struct json *spec = NULL;
	if (c->spec)
		TRY_AS(json_parse(c->spec, strlen(c->spec), DOCUMENT_LIMIT, &spec),
		       "container %s: spec", c->id);
	struct json *object = json_new_object();
	json_set_string(object, "ID", c->id);
	json_set(object, "Labels", print_labels_json(&c->labels));
	json_set_string(object, "Image", c->image ? c->image : "");
	json_set(object, "Runtime", runtime_json(c));
	json_set_string(object, "SnapshotKey", c->snapshot_key ? c->snapshot_key : "");
	json_set_string(object, "Snapshotter", c->snapshotter ? c->snapshotter : "");
	print_set_time(object, "CreatedAt", c->created_ns);
	print_set_time(object, "UpdatedAt", c->updated_ns);
	json_set(object, "Extensions", extensions_json(c));
	json_set_string(object, "SandboxID", "");
	json_set(object, "Spec", take(&spec));
	*ret = object;
	return NULL;
}

fallible command_containers_info(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided: invalid argument"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_containers struct engine_containers *containers = NULL;
	TRY(engine_container_info(s.engine, in->args[0], &containers));
	const struct engine_container *c = &containers->items[0];
	if (flag_bool(in, "spec")) {
		print_json_text(c->spec ? c->spec : "null");
		return NULL;
	}
	auto_json struct json *object = NULL;
	TRY(info_json(c, &object));
	if (!in->ctr)
		json_set(object, "State", state_json(c));
	print_json(object);
	return NULL;
}

fallible command_containers_delete(struct invocation *in)
{
	TRY(argument_needed(in, 0,
	                    "must specify at least one container to delete: invalid argument"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	struct error *first = NULL;
	for (size_t i = 0; i < in->n_args; i++) {
		struct error *e = engine_container_remove(s.engine, in->args[i],
		                                          flag_bool(in, "keep-snapshot"),
		                                          flag_bool(in, "force"));
		if (!e)
			continue;
		auto_free char *message =
			alloc_printf("failed to delete container \"%s\"", in->args[i]);
		report_one_of(in, &first, e, message);
	}
	return first;
}

fallible command_containers_label(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided: invalid argument"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(engine_labels_done) struct engine_labels labels = {0};
	TRY(engine_container_label(s.engine, in->args[0], arguments(in) + 1, in->n_args - 1,
	                           &labels));
	print_label_line(&labels);
	return NULL;
}
