// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"

static void namespaces_cleanup(struct engine_namespaces **namespaces)
{
	engine_namespaces_free(*namespaces);
}

static void list_json(const struct engine_namespaces *namespaces)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < namespaces->n; i++) {
		struct json *object = json_new_object();
		json_set_string(object, "name", namespaces->items[i].name);
		json_set(object, "labels", print_labels_json(&namespaces->items[i].labels));
		json_append(array, object);
	}
	print_json(array);
}

static void list_table(const struct engine_namespaces *namespaces)
{
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"NAME", "LABELS", NULL});
	for (size_t i = 0; i < namespaces->n; i++) {
		auto_str struct str labels = STR_LIMIT(OUTPUT_LIMIT);
		print_labels(&labels, &namespaces->items[i].labels);
		table_row(&t, (const char *[]){namespaces->items[i].name, labels.bytes, NULL});
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
}

fallible command_namespaces_list(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(namespaces_cleanup) struct engine_namespaces *namespaces = NULL;
	TRY(engine_namespace_list(s.engine, &namespaces));
	if (flag_bool(in, "quiet"))
		for (size_t i = 0; i < namespaces->n; i++)
			output_line(namespaces->items[i].name);
	else if (json)
		list_json(namespaces);
	else
		list_table(namespaces);
	return NULL;
}

static const char *const *labels_of(const struct invocation *in)
{
	return (const char *const *)in->args + 1;
}

fallible command_namespaces_create(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please specify a namespace"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_namespace_create(s.engine, in->args[0], labels_of(in), in->n_args - 1);
}

fallible command_namespaces_label(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please specify a namespace"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_namespace_label(s.engine, in->args[0], labels_of(in), in->n_args - 1);
}

fallible command_namespaces_remove(struct invocation *in)
{
	if (!in->ctr) // which does nothing then, and exits 0
		TRY(argument_needed(in, 0, "a namespace to remove must be named"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	struct error *first = NULL;
	for (size_t i = 0; i < in->n_args; i++) {
		struct error *e = engine_namespace_remove(s.engine, in->args[i]);
		if (in->ctr && error_is(e, ERROR_NOT_FOUND))
			error_drop(&e); // ctr prints the name and exits 0, and scripts rely on it
		if (!e) {
			output_line(in->args[i]);
			continue;
		}
		auto_free char *message = alloc_printf("unable to delete %s", in->args[i]);
		report_one_of(in, &first, error_prefix(e, "%s", message), message);
	}
	return first;
}
