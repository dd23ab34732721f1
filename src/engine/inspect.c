// SPDX-License-Identifier: Apache-2.0
// The tree of what an image is made of. It is drawn from rows: no foreign document is parsed here;
// with `content` documents are handed out as bytes to be shown.
#include "engine/private.h"
#include <unistd.h>

enum { CONTENT_LIMIT = 4 << 20 };

static void node_done(struct engine_node *node)
{
	// Depth is ours: index, manifest, config and layers.
	for (size_t i = 0; i < node->n_children; i++)
		node_done(&node->children[i]);
	free(node->children);
	free(node->media_type);
	free(node->digest);
	free(node->platform);
	free(node->content);
	engine_labels_done(&node->labels);
}

void engine_image_tree_free(struct engine_image_tree *tree)
{
	if (!tree)
		return;
	free(tree->name);
	engine_labels_done(&tree->labels);
	node_done(&tree->node);
	free(tree);
}

static void fill_node(struct engine *e, const struct store_descriptor *d, const char *platform,
                      bool is_document, struct engine_node *ret)
{
	*ret = (struct engine_node){
		.media_type = alloc_string(d->media_type ? d->media_type : ""),
		.digest = alloc_string(d->digest),
		.platform = platform ? alloc_string(platform) : NULL,
		.size_bytes = d->size_bytes,
	};
	auto_fd int fd = -1;
	uint64_t size;
	auto_error struct error *missing = store_open_blob(e->store, e->ns, d->digest, &fd, &size);
	ret->is_missing = missing != NULL;
	if (missing)
		return;
	ret->size_bytes = size;
	struct store_blobs *row;
	struct error *none = store_find_blob(e->store, e->ns, d->digest, &row);
	if (none) {
		error_drop(&none); // taken meanwhile
		return;
	}
	labels_copy(&row->items[0].labels, &ret->labels);
	store_blobs_free(row);
	if (is_document) {
		struct error *unreadable = fd_read_to_end(fd, CONTENT_LIMIT, &ret->content, NULL);
		error_drop(&unreadable); // shown without content
	}
}

static void fill_manifest(struct engine *e, const struct store_manifest *m, bool content,
                          struct engine_node *node)
{
	node->children = alloc_array(m->n_layers + 1, sizeof(*node->children));
	struct store_descriptor config = {.digest = m->config_digest, .media_type = ""};
	struct store_blobs *row = NULL;
	struct error *none = store_find_blob(e->store, e->ns, m->config_digest, &row);
	error_drop(&none); // the node says that it is missing
	if (row)
		config = row->items[0].descriptor;
	fill_node(e, &config, NULL, content, &node->children[node->n_children++]);
	store_blobs_free(row);
	for (size_t i = 0; i < m->n_layers; i++)
		fill_node(e, &m->layers[i].descriptor, NULL, false,
		          &node->children[node->n_children++]);
}

fallible engine_image_inspect(struct engine *e, const char *name, bool content,
                              struct engine_image_tree **ret)
{
	struct store_image *image;
	TRY(engine_find_image(e, name, &image));
	struct engine_image_tree *tree = alloc(sizeof(*tree));
	*tree = (struct engine_image_tree){
		.name = alloc_string(image->name),
		.created_ns = image->created_ns,
		.updated_ns = image->updated_ns,
	};
	labels_copy(&image->labels, &tree->labels);
	fill_node(e, &image->target, NULL, content, &tree->node);
	const struct oci_media_type *type = oci_media_type(image->target.media_type);
	if (type && type->kind == OCI_MEDIA_MANIFEST && image->n_manifests) {
		fill_manifest(e, &image->manifests[0], content, &tree->node);
	} else {
		tree->node.children = alloc_array(image->n_manifests, sizeof(*tree->node.children));
		for (size_t i = 0; i < image->n_manifests; i++) {
			const struct store_manifest *m = &image->manifests[i];
			struct engine_node *node = &tree->node.children[tree->node.n_children++];
			fill_node(e, &m->descriptor, m->platform, content, node);
			fill_manifest(e, m, content, node);
		}
	}
	store_image_free(image);
	*ret = tree;
	return NULL;
}
