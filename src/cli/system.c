// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"

fallible command_system_version(struct invocation *in)
{
	(void)in;
	output_line("Client:");
	output_line("  Version:  " CORACLE_VERSION);
	output_line("  Compatible with: ctr 2.1.1");
	return NULL;
}

static void info_cleanup(struct engine_info **info)
{
	engine_info_free(*info);
}

static struct json *wine_json(const struct engine_info *info)
{
	struct json *windows = json_new_object(), *unlike = json_new_array();
	json_set(windows, "wine", json_new_string(info->wine)); // null: it isn't here
	for (size_t i = 0; i < info->wine_is_unlike.n; i++)
		json_append_string(unlike, info->wine_is_unlike.items[i]);
	json_set(windows, "unlike_windows", unlike);
	return windows;
}

// For install.sh: so that a new store works at once.
fallible command_system_template(struct invocation *in)
{
	(void)in;
	return engine_make_windows_template();
}

fallible command_system_info(struct invocation *in)
{
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(info_cleanup) struct engine_info *info = NULL;
	TRY(engine_info(s.engine, &info));
	struct json *server = json_new_object();
	json_set_string(server, "uuid", info->store_id);
	json_set_string(server, "version", info->version);
	json_set_string(server, "root", info->root);
	json_set_string(server, "state", info->state);
	json_set_string(server, "kernel", info->kernel);
	auto_json struct json *object = json_new_object();
	json_set(object, "server", server);
	json_set(object, "windows", wine_json(info));
	print_json(object);
	return NULL;
}

static void garbage_cleanup(struct engine_garbage_list **garbage)
{
	engine_garbage_free(*garbage);
}

static void garbage_json(const struct engine_garbage_list *garbage)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < garbage->n; i++) {
		struct json *object = json_new_object();
		json_set_string(object, "kind", garbage->items[i].kind);
		json_set_string(object, "name", garbage->items[i].name);
		json_set_string(object, "reason", garbage->items[i].reason);
		json_set_u64(object, "size_bytes", garbage->items[i].size_bytes);
		json_append(array, object);
	}
	print_json(array);
}

fallible command_system_gc(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(garbage_cleanup) struct engine_garbage_list *garbage = NULL;
	TRY(engine_gc(s.engine, flag_bool(in, "dry-run"), flag_bool(in, "partial"), &garbage));
	if (json) {
		garbage_json(garbage);
		return NULL;
	}
	auto_table struct table t = TABLE_WIDE;
	table_row(&t, (const char *[]){"KIND", "NAME", "SIZE", "REASON", NULL});
	for (size_t i = 0; i < garbage->n; i++) {
		const struct engine_garbage *g = &garbage->items[i];
		auto_str struct str size = STR_LIMIT(64);
		if (g->size_bytes > 0)
			units_binary(&size, g->size_bytes);
		table_row(&t, (const char *[]){g->kind, g->name, size.size > 0 ? size.bytes : "-",
		                               g->reason, NULL});
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
	return NULL;
}

// The monitor's last word where nobody waits for its container; ID and instance are in the row.
fallible command_system_clean(struct invocation *in)
{
	TRY(argument_needed(in, 0, "container id must be provided"));
	TRY(argument_needed(in, 1, "instance must be provided"));
	uint64_t instance;
	TRY_AS(text_parse_u64(in->args[1], 16, UINT64_MAX, &instance), "instance");
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_clean_up(s.engine, in->args[0], instance);
}
