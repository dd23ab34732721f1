// SPDX-License-Identifier: Apache-2.0
// The tree that `images inspect` prints:
//
//	docker.io/library/busybox:latest
//	│    Created: 2026-11-24 23:11:02.436625639 +0000 UTC
//	└── application/vnd.oci.image.manifest.v1+json @sha256:f38f… (422 bytes)
//	    ├── application/vnd.oci.image.config.v1+json @sha256:592d… (307 bytes)
//
// and with --content boxes of labels and documents below each node.
#include "cli/commands.h"
#include "cli/gotext.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/session.h"

#define DEPTH_LIMIT 16 // index, index in it, manifest, layer: more is nobody's image
#define DOCUMENT_LIMIT ((size_t)16 << 20)

static const char bar[] = "│   ", gap[] = "    ", middle[] = "├── ", last[] = "└── ";

static void box(struct str *out, const char *prefix, const char *title, const char *lines)
{
	str_printf(out, "%s┌────────%s\n", prefix, title);
	while (*lines) {
		size_t size = strcspn(lines, "\n");
		str_printf(out, "%s│%.*s\n", prefix, (int)size, lines);
		lines += size + (lines[size] == '\n');
	}
	str_printf(out, "%s└───────────────────────\n", prefix);
}

static void labels_box(struct str *out, const char *prefix, const struct engine_labels *labels)
{
	if (labels->n == 0)
		return;
	auto_str struct str lines = STR_LIMIT(OUTPUT_LIMIT);
	for (size_t i = 0; i < labels->n; i++) {
		go_quote(&lines, labels->items[i].key);
		str_add(&lines, ": ");
		go_quote(&lines, labels->items[i].value);
		str_add_char(&lines, '\n');
	}
	box(out, prefix, "Labels─────────", lines.bytes);
}

static void content_box(struct str *out, const char *prefix, const char *content)
{
	if (!content)
		return;
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT), lines = STR_LIMIT(OUTPUT_LIMIT);
	auto_json struct json *value = NULL;
	auto_error struct error *e = json_parse(content, strlen(content), DOCUMENT_LIMIT, &value);
	if (!e)
		json_print(value, 3, JSON_PLAIN, &text);
	output_clean_lines(&lines, e ? content : text.bytes); // no JSON: shown as it is
	str_add(&lines, "");
	box(out, prefix, "Content────────", lines.bytes);
}

static void node_lines(struct str *out, const struct engine_node *node, const char *prefix,
                       const char *branch, bool content)
{
	auto_str struct str below = STR_LIMIT(4096);
	str_printf(&below, "%s%s%s", prefix, branch == last ? gap : bar,
	           node->n_children > 0 ? bar : "");
	str_printf(out, "%s%s", prefix, branch);
	output_clean(out, node->media_type);
	str_add(out, " @");
	output_clean(out, node->digest);
	str_printf(out, " (%llu bytes)%s\n", (unsigned long long)node->size_bytes,
	           node->is_missing ? " (missing)" : "");
	if (node->platform) {
		str_printf(out, "%s Platform: ", below.bytes);
		output_clean(out, node->platform);
		str_add_char(out, '\n');
	}
	if (!content)
		return;
	labels_box(out, below.bytes, &node->labels);
	content_box(out, below.bytes, node->content);
}

static void print_node(struct str *out, const struct engine_node *node, const char *prefix,
                       const char *branch, bool content, unsigned depth)
{
	node_lines(out, node, prefix, branch, content);
	if (depth == DEPTH_LIMIT)
		return;
	auto_str struct str below = STR_LIMIT(4096);
	str_printf(&below, "%s%s", prefix, branch == last ? gap : bar);
	for (size_t i = 0; i < node->n_children; i++)
		print_node(out, &node->children[i], below.bytes,
		           i + 1 < node->n_children ? middle : last, content, depth + 1);
}

static void tree_cleanup(struct engine_image_tree **tree)
{
	engine_image_tree_free(*tree);
}

fallible command_images_inspect(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an image name to inspect"));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	bool content = flag_bool(in, "content");
	defer(tree_cleanup) struct engine_image_tree *tree = NULL;
	TRY(engine_image_inspect(s.engine, in->args[0], content, &tree));
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	output_clean(&text, tree->name);
	str_printf(&text, "\n%s Created: ", bar);
	go_time(&text, tree->created_ns);
	str_printf(&text, "\n%s Updated: ", bar);
	go_time(&text, tree->updated_ns);
	str_add_char(&text, '\n');
	print_node(&text, &tree->node, "", last, content, 0);
	output_str(&text);
	return NULL;
}
