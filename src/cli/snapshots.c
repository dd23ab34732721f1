// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"

static void snapshots_cleanup(struct engine_snapshots **snapshots)
{
	engine_snapshots_free(*snapshots);
}
#define auto_snapshots defer(snapshots_cleanup)

static void mounts_cleanup(struct engine_mounts **mounts)
{
	engine_mounts_free(*mounts);
}
#define auto_mounts defer(mounts_cleanup)

static const char *const *arguments(const struct invocation *in)
{
	return (const char *const *)in->args;
}

// As ctr a wrong count has shown the help before; as coracle it is an error.
static fallible count_needed(const struct invocation *in)
{
	const struct command *c = in->command;
	if (in->n_args >= command_count(c).min)
		return NULL;
	return error_hint(error_new(ERROR_USAGE, "%s takes %s", c->path, c->arguments),
	                  "%s %s --help shows the arguments", in->program, c->path);
}

// An object of ctr's `snapshots info`: empty members are left out.
static struct json *snapshot_json(const struct engine_snapshot *snapshot)
{
	struct json *object = json_new_object();
	json_set_string(object, "Kind", snapshot->kind);
	json_set_string(object, "Name", snapshot->key);
	if (snapshot->parent && *snapshot->parent)
		json_set_string(object, "Parent", snapshot->parent);
	if (snapshot->labels.n > 0)
		json_set(object, "Labels", print_labels_json(&snapshot->labels));
	print_set_time(object, "Created", snapshot->created_ns);
	print_set_time(object, "Updated", snapshot->updated_ns);
	return object;
}

static void list_json(const struct engine_snapshots *snapshots)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < snapshots->n; i++)
		json_append(array, snapshot_json(&snapshots->items[i]));
	print_json(array);
}

fallible command_snapshots_list(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_snapshots struct engine_snapshots *snapshots = NULL;
	TRY(engine_snapshot_list(s.engine, session_snapshotter(&s), &snapshots));
	if (json) {
		list_json(snapshots);
		return NULL;
	}
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"KEY", "PARENT", "KIND", NULL});
	for (size_t i = 0; i < snapshots->n; i++) {
		const struct engine_snapshot *snapshot = &snapshots->items[i];
		table_row(&t,
		          (const char *[]){snapshot->key, snapshot->parent ? snapshot->parent : "",
		                           snapshot->kind, NULL});
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
	return NULL;
}

fallible command_snapshots_info(struct invocation *in)
{
	TRY(count_needed(in));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_snapshots struct engine_snapshots *snapshots = NULL;
	TRY(engine_snapshot_info(s.engine, session_snapshotter(&s), in->args[0], &snapshots));
	auto_json struct json *object = snapshot_json(&snapshots->items[0]);
	print_json(object);
	return NULL;
}

static fallible prepare(struct invocation *in, bool view)
{
	TRY(count_needed(in));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_mounts struct engine_mounts *mounts = NULL;
	TRY(engine_snapshot_prepare(s.engine, session_snapshotter(&s), in->args[0], argument(in, 1),
	                            view, &mounts));
	if (flag_bool(in, "mounts"))
		print_mounts_json(mounts);
	else if (*flag_text(in, "target"))
		print_mounts_commands(mounts, flag_text(in, "target"));
	return NULL;
}

fallible command_snapshots_prepare(struct invocation *in)
{
	return prepare(in, false);
}

fallible command_snapshots_view(struct invocation *in)
{
	return prepare(in, true);
}

fallible command_snapshots_mounts(struct invocation *in)
{
	TRY(count_needed(in));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_mounts struct engine_mounts *mounts = NULL;
	TRY(engine_snapshot_mounts(s.engine, session_snapshotter(&s), in->args[1], &mounts));
	print_mounts_commands(mounts, in->args[0]);
	return NULL;
}

fallible command_snapshots_commit(struct invocation *in)
{
	TRY(count_needed(in));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_snapshot_commit(s.engine, session_snapshotter(&s), in->args[0], in->args[1]);
}

fallible command_snapshots_delete(struct invocation *in)
{
	if (!in->ctr) // which does nothing then, and exits 0
		TRY(argument_needed(in, 0, "a snapshot to remove must be named"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	for (size_t i = 0; i < in->n_args; i++) { // ctr stops at the first that fails, too
		auto_free char *prefix = alloc_printf("failed to remove \"%s\"", in->args[i]);
		struct error *e =
			engine_snapshot_remove(s.engine, session_snapshotter(&s), in->args[i]);
		// The error of one that has children says it already.
		TRY(e && text_starts(e->message, prefix) ? e : report_as_ctr(in, e, prefix));
	}
	return NULL;
}

fallible command_snapshots_label(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please specify a snapshot"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(engine_labels_done) struct engine_labels labels = {0};
	TRY(engine_snapshot_label(s.engine, session_snapshotter(&s), in->args[0], arguments(in) + 1,
	                          in->n_args - 1, &labels));
	print_label_line(&labels);
	return NULL;
}

fallible command_snapshots_unpack(struct invocation *in)
{
	TRY(argument_needed(in, 0, "invalid checksum digest format"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_free char *chain_id = NULL;
	TRY(engine_snapshot_unpack(s.engine, session_snapshotter(&s), in->args[0], &chain_id));
	auto_str struct str line = STR_LIMIT(4096);
	str_printf(&line, "unpacking %s...done", in->args[0]);
	output_line(line.bytes);
	return NULL;
}

struct usage {
	const char *key;
	uint64_t size_bytes, n_inodes;
};

static void usage_json(const struct usage *usages, size_t n)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < n; i++) {
		struct json *object = json_new_object();
		json_set_string(object, "key", usages[i].key);
		json_set_u64(object, "size_bytes", usages[i].size_bytes);
		json_set_u64(object, "inodes", usages[i].n_inodes);
		json_append(array, object);
	}
	print_json(array);
}

static void usage_table(const struct usage *usages, size_t n, bool bytes)
{
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"KEY", "SIZE", "INODES", NULL});
	for (size_t i = 0; i < n; i++) {
		auto_str struct str size = STR_LIMIT(64);
		if (bytes)
			str_printf(&size, "%llu", (unsigned long long)usages[i].size_bytes);
		else
			units_binary(&size, usages[i].size_bytes);
		table_cell(&t, usages[i].key);
		table_cell(&t, size.bytes);
		table_printf(&t, "%llu", (unsigned long long)usages[i].n_inodes);
		table_end(&t, "");
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
}

fallible command_snapshots_usage(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_snapshots struct engine_snapshots *all = NULL;
	if (in->n_args == 0)
		TRY(engine_snapshot_list(s.engine, session_snapshotter(&s), &all));
	size_t n = all ? all->n : in->n_args;
	auto_free struct usage *usages = alloc_array(n + 1, sizeof(*usages));
	for (size_t i = 0; i < n; i++) {
		usages[i].key = all ? all->items[i].key : in->args[i];
		TRY(engine_snapshot_usage(s.engine, session_snapshotter(&s), usages[i].key,
		                          &usages[i].size_bytes, &usages[i].n_inodes));
	}
	if (json)
		usage_json(usages, n);
	else
		usage_table(usages, n, flag_bool(in, "b"));
	return NULL;
}

fallible command_images_usage(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	TRY(argument_needed(in, 0, "please provide an image reference"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	const char *snapshotter = session_snapshotter(&s), *name = in->args[0];
	auto_strings struct strings keys = {0};
	auto_free char *prefix = alloc_printf("failed to ensure if image %s exists", name);
	TRY(report_as_ctr(in, engine_image_snapshots(s.engine, snapshotter, name, &keys), prefix));
	auto_free struct usage *usages = alloc_array(keys.n + 1, sizeof(*usages));
	for (size_t i = 0; i < keys.n; i++) {
		usages[i].key = keys.items[i];
		TRY(engine_snapshot_usage(s.engine, snapshotter, keys.items[i],
		                          &usages[i].size_bytes, &usages[i].n_inodes));
	}
	if (json)
		usage_json(usages, keys.n);
	else
		usage_table(usages, keys.n, false);
	return NULL;
}

static bool is_child(const struct engine_snapshot *snapshot, const char *parent)
{
	return text_equal(snapshot->parent ? snapshot->parent : "", parent);
}

// Depth first by a stack of our own: a chain may be as long as somebody likes.
static void print_tree(const struct engine_snapshots *snapshots, struct str *out)
{
	struct place {
		size_t i, level;
	};
	auto_free struct place *stack = alloc_array(snapshots->n + 1, sizeof(*stack));
	size_t n = 0;
	for (size_t i = snapshots->n; i-- > 0;)
		if (is_child(&snapshots->items[i], ""))
			stack[n++] = (struct place){i, 0};
	while (n > 0) {
		struct place at = stack[--n];
		const char *key = snapshots->items[at.i].key;
		if (at.level == 0)
			str_add_char(out, ' ');
		else
			str_printf(out, "%*s\\_ ", (int)(2 * at.level), "");
		output_clean(out, key);
		str_add_char(out, '\n');
		for (size_t i = snapshots->n; i-- > 0;)
			if (is_child(&snapshots->items[i], key))
				stack[n++] = (struct place){i, at.level + 1};
	}
}

fallible command_snapshots_tree(struct invocation *in)
{
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_snapshots struct engine_snapshots *snapshots = NULL;
	TRY(engine_snapshot_list(s.engine, session_snapshotter(&s), &snapshots));
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	print_tree(snapshots, &text);
	output_str(&text);
	return NULL;
}
