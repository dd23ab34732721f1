// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"
#include "oci/reference.h"

static void images_cleanup(struct engine_images **images)
{
	engine_images_free(*images);
}
#define auto_images defer(images_cleanup)

static const char *const *filters(const struct invocation *in)
{
	return (const char *const *)in->args;
}

static void join(struct str *out, const struct strings *list)
{
	str_add(out, list->n > 0 ? "" : "-");
	for (size_t i = 0; i < list->n; i++)
		str_printf(out, "%s%s", i > 0 ? "," : "", list->items[i]);
}

static void list_json(const struct engine_images *images, bool check)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < images->n; i++) {
		const struct engine_image *image = &images->items[i];
		struct json *object = json_new_object();
		json_set_string(object, "name", image->name);
		json_set_string(object, "media_type", image->media_type);
		json_set_string(object, "digest", image->digest);
		json_set_u64(object, "size_bytes", image->size_bytes);
		json_set(object, "platforms", print_strings_json(&image->platforms));
		json_set(object, "labels", print_labels_json(&image->labels));
		print_set_time(object, "created", image->created_ns);
		print_set_time(object, "updated", image->updated_ns);
		if (check) {
			json_set_bool(object, "complete", image->is_complete);
			json_set_bool(object, "unpacked", image->is_unpacked);
			json_set_u64(object, "blobs", image->n_blobs);
			json_set_u64(object, "present_blobs", image->n_present);
		}
		json_append(array, object);
	}
	print_json(array);
}

static void list_table(const struct engine_images *images)
{
	auto_table struct table t = TABLE_NARROW;
	table_row(&t,
	          (const char *[]){"REF", "TYPE", "DIGEST", "SIZE", "PLATFORMS", "LABELS", NULL});
	for (size_t i = 0; i < images->n; i++) {
		const struct engine_image *image = &images->items[i];
		auto_str struct str size = STR_LIMIT(64), platforms = STR_LIMIT(65536),
				    labels = STR_LIMIT(OUTPUT_LIMIT);
		units_binary(&size, image->size_bytes);
		join(&platforms, &image->platforms);
		print_labels(&labels, &image->labels);
		table_row(&t, (const char *[]){image->name, image->media_type, image->digest,
		                               size.bytes, platforms.bytes,
		                               labels.size > 0 ? labels.bytes : "-", NULL});
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
}

fallible command_images_list(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_images struct engine_images *images = NULL;
	TRY(report_as_ctr(
		in, engine_image_list(s.engine, filters(in), in->n_args, false, NULL, &images),
		"failed to list images"));
	if (flag_bool(in, "quiet"))
		for (size_t i = 0; i < images->n; i++)
			output_line(images->items[i].name);
	else if (json)
		list_json(images, false);
	else
		list_table(images);
	return NULL;
}

static void add_check_row(struct table *t, const struct engine_image *image)
{
	auto_str struct str size = STR_LIMIT(128);
	table_cell(t, image->name);
	table_cell(t, image->media_type);
	table_cell(t, image->digest);
	if (image->n_blobs == 0) { // the manifest itself is not there
		table_cell(t, "unavailable (0/?)");
		table_cell(t, "-");
	} else {
		table_printf(t, "%s (%zu/%zu)", image->is_complete ? "complete" : "incomplete",
		             image->n_present, image->n_blobs);
		units_binary(&size, image->present_bytes);
		str_add_char(&size, '/');
		units_binary(&size, image->blobs_bytes);
		table_cell(t, size.bytes);
	}
	table_end(t, image->is_unpacked ? "true" : "false");
}

fallible command_images_check(struct invocation *in)
{
	bool json;
	TRY(print_wants_json(in, &json));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_images struct engine_images *images = NULL;
	TRY(report_as_ctr(in,
	                  engine_image_list(s.engine, filters(in), in->n_args, true,
	                                    session_snapshotter(&s), &images),
	                  "failed listing images"));
	if (flag_bool(in, "quiet")) {
		for (size_t i = 0; i < images->n; i++)
			if (images->items[i].is_complete)
				output_line(images->items[i].name);
		return NULL;
	}
	if (json) {
		list_json(images, true);
		return NULL;
	}
	auto_table struct table t = TABLE_NARROW;
	table_row(&t,
	          (const char *[]){"REF", "TYPE", "DIGEST", "STATUS", "SIZE", "UNPACKED", NULL});
	for (size_t i = 0; i < images->n; i++)
		add_check_row(&t, &images->items[i]);
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
	return NULL;
}

// A name that isn't there: ctr warns and exits 0, and scripts rely on it. As coracle an error.
static void warn_of_missing(const struct invocation *in, const char *name, struct error *e)
{
	auto_free char *text = alloc_printf("%s: image not found", name);
	output_log(in, "warning", text, NULL);
	error_drop(&e);
}

fallible command_images_delete(struct invocation *in)
{
	if (!in->ctr) // which does nothing then, and exits 0
		TRY(argument_needed(in, 0, "an image to delete must be named"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	struct error *first = NULL;
	for (size_t i = 0; i < in->n_args; i++) {
		struct error *e = engine_image_remove(s.engine, in->args[i]);
		if (!e) {
			output_line(in->args[i]);
			continue;
		}
		if (in->ctr && error_is(e, ERROR_NOT_FOUND)) {
			warn_of_missing(in, in->args[i], e);
			continue;
		}
		auto_free char *message = alloc_printf("unable to delete %s", in->args[i]);
		report_one_of(in, &first, e, message);
	}
	return first;
}

fallible command_images_convert(struct invocation *in)
{
	TRY(argument_needed(in, 0, "src and target image need to be specified"));
	TRY(argument_needed(in, 1, "src and target image need to be specified"));
	size_t n_platforms;
	auto_free const char **platforms = flag_texts(in, "platform", &n_platforms);
	const char *compression = optional(flag_text(in, "compression"));
	if (flag_bool(in, "uncompress") && compression)
		return error_new(ERROR_USAGE, "--uncompress and --compression: one of them");
	const struct engine_convert request = {
		.source = argument(in, 0),
		.target = argument(in, 1),
		.oci = flag_bool(in, "oci"),
		.compression = flag_bool(in, "uncompress") ? "none" : compression,
		.platforms = platforms,
		.n_platforms = n_platforms,
		.all_platforms = flag_bool(in, "all-platforms"),
	};
	auto_session struct session s = {0};
	auto_free char *digest = NULL;
	TRY(session_open(in, &s));
	TRY(engine_image_convert(s.engine, &request, &digest));
	output_line(digest);
	return NULL;
}

// Without --all nothing: as ctr.
fallible command_images_prune(struct invocation *in)
{
	if (!flag_bool(in, "all")) {
		output_log(in, "warning",
		           "No images pruned. `image prune` requires --all to be specified.", NULL);
		return NULL;
	}
	auto_session struct session s = {0};
	auto_strings struct strings names = {0};
	TRY(session_open(in, &s));
	struct error *e = engine_image_prune(s.engine, &names);
	for (size_t i = 0; i < names.n; i++)
		output_line(names.items[i]);
	return e;
}

fallible command_images_tag(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an image reference to tag from"));
	TRY(argument_needed(in, 1, "please provide an image reference to tag to"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	bool force = !flag_bool(in, "local") || flag_bool(in, "force");
	for (size_t i = 1; i < in->n_args; i++) {
		auto_free char *name = in->ctr ? alloc_string(in->args[i]) : NULL;
		if (!name) // "mine" is one image, whichever command makes it
			TRY(oci_reference_normalise(in->args[i], &name));
		TRY(engine_image_tag(s.engine, in->args[0], name, force));
		output_line(name);
	}
	return NULL;
}

fallible command_images_label(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an image name"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	defer(engine_labels_done) struct engine_labels labels = {0};
	TRY(engine_image_label(s.engine, in->args[0], filters(in) + 1, in->n_args - 1,
	                       flag_bool(in, "replace-all"), &labels));
	print_label_line(&labels);
	return NULL;
}

fallible command_images_mount(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an image reference to mount"));
	TRY(argument_needed(in, 1, "please provide a target path to mount to"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	size_t n_labels;
	auto_free const char **labels = flag_texts(in, "label", &n_labels);
	struct engine_mount_image request = {
		.name = in->args[0],
		.target = in->args[1],
		.rw = flag_bool(in, "rw"),
		.platform = flag_given(in, "platform") ? optional(flag_text(in, "platform")) : NULL,
		.snapshotter = session_snapshotter(&s),
		.labels = labels,
		.n_labels = n_labels,
	};
	auto_free char *chain_id = NULL;
	TRY(engine_image_mount(s.engine, &request, &chain_id));
	output_line(chain_id);
	output_line(in->args[1]);
	return NULL;
}

fallible command_images_unmount(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide a target path to unmount from"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	TRY(engine_image_unmount(s.engine, in->args[0], flag_bool(in, "rm"),
	                         session_snapshotter(&s)));
	output_line(in->args[0]);
	return NULL;
}

static void print_saved(const char *name)
{
	auto_str struct str line = STR_LIMIT(65536), clean = STR_LIMIT(65536);
	output_clean(&clean, name);
	str_printf(&line, "%-40s\tsaved\t\n", clean.bytes);
	output_str(&line);
}

fallible command_images_create_windows_base(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide a name for the image"));
	auto_session struct session s = {0};
	struct engine_windows_base request = {
		.name = in->args[0],
		.os_version = optional(flag_text(in, "os-version")),
	};
	const char *fill = optional(flag_text(in, "fill"));
	if (fill)
		TRY_AS(units_parse_size(fill, &request.fill_bytes), "--fill");
	TRY(session_open(in, &s));
	auto_free char *name = NULL;
	TRY(engine_create_windows_base(s.engine, &request, &name));
	print_saved(name);
	return NULL;
}

fallible command_images_add_windows_layer(struct invocation *in)
{
	TRY(argument_needed(in, 2, "please provide a base, a folder and a name for the image"));
	auto_session struct session s = {0};
	const struct engine_windows_layer request = {
		.base = in->args[0],
		.folder = in->args[1],
		.name = in->args[2],
		.target = optional(flag_text(in, "target")),
	};
	TRY(session_open(in, &s));
	auto_free char *name = NULL;
	TRY(engine_add_windows_layer(s.engine, &request, &name));
	print_saved(name);
	return NULL;
}
