// SPDX-License-Identifier: Apache-2.0
// The graph of blobs below the archive's index. A blob is looked at once, whoever names it.
#include "transfer/describe.h"
#include "base/text.h"
#include "oci/image.h"

enum {
	INDEX_DEPTH_MAX = 3, // an index in an index in the archive's own
	MANIFESTS_MAX = 4096,
	IMAGES_MAX = 4096,
	UNWANTED = 0,
};

struct indices {
	size_t *items;
	size_t n, capacity;
};

struct blob {
	struct ingest_file *file;
	const char *media_type;
	struct indices references;
	struct indices manifests; // of images: those below it
	bool looked_at;           // an index or manifest: both lists are complete
};

struct manifest {
	size_t blob, config_blob;
	unsigned rank;
	uint64_t version; // of two of one rank the higher is better
	char *platform, *config;
	struct indices layers;
	const char **diff_ids;
};

struct graph {
	struct ingest *in;
	const struct describe_request *r;
	struct arena *arena;
	struct blob *blobs;
	size_t n_blobs, blobs_capacity;
	size_t *blob_of_file; // by the file's index; 0: none, else 1 + the blob
	struct manifest *manifests;
	size_t n_manifests, manifests_capacity;
	char *missing; // what a wanted platform would have needed: for the message
};

static void add_index(struct indices *list, size_t i)
{
	for (size_t j = 0; j < list->n; j++)
		if (list->items[j] == i)
			return;
	alloc_grow(&list->items, &list->capacity, list->n, sizeof(*list->items));
	list->items[list->n++] = i;
}

static void graph_done(struct graph *g)
{
	for (size_t i = 0; i < g->n_blobs; i++) {
		free(g->blobs[i].references.items);
		free(g->blobs[i].manifests.items);
	}
	for (size_t i = 0; i < g->n_manifests; i++) {
		free(g->manifests[i].platform);
		free(g->manifests[i].config);
		free(g->manifests[i].layers.items);
	}
	free(g->blobs);
	free(g->manifests);
	free(g->blob_of_file);
	free(g->missing);
	arena_free(g->arena);
}

// --- blobs --------------------------------------------------------------------------------------

// *ret_there is false if the archive lacks the blob.
static fallible find_blob(struct graph *g, const struct oci_descriptor *d, size_t *ret,
                          bool *ret_there)
{
	struct ingest_file *f = ingest_find_digest(g->in, d->digest);
	*ret_there = f;
	if (!f)
		return NULL;
	if (f->size != d->size)
		return error_new(ERROR_CORRUPT, "blob %s: has %llu bytes, its descriptor says %llu",
		                 d->digest, (unsigned long long)f->size,
		                 (unsigned long long)d->size);
	size_t *known = &g->blob_of_file[f - g->in->files];
	if (!*known) {
		alloc_grow(&g->blobs, &g->blobs_capacity, g->n_blobs, sizeof(*g->blobs));
		g->blobs[g->n_blobs++] = (struct blob){
			.file = f, .media_type = arena_string(g->arena, d->media_type)};
		*known = g->n_blobs;
	}
	*ret = *known - 1;
	return NULL;
}

static fallible need_blob(struct graph *g, const struct oci_descriptor *d, const char *what,
                          size_t *ret)
{
	bool there = false;
	TRY(find_blob(g, d, ret, &there));
	if (there)
		return NULL;
	return error_new(ERROR_NOT_FOUND, "%s %s: not in the archive", what, d->digest);
}

static fallible read_blob(struct graph *g, size_t blob, size_t limit, char **ret, size_t *ret_size)
{
	const struct ingest_file *f = g->blobs[blob].file;
	TRY_AS(ingest_text(g->in, f, limit, ret), "blob %s", f->digest);
	*ret_size = (size_t)f->size;
	return NULL;
}

// --- platforms ----------------------------------------------------------------------------------

// The higher the better; UNWANTED: not at all. Attestations have the platform unknown/unknown.
static unsigned rank(const struct graph *g, const struct oci_platform *have)
{
	enum { STEP = 1000000 };
	if (!strcmp(have->os, "unknown"))
		return UNWANTED;
	for (size_t i = 0; i < g->r->n_platforms; i++) {
		unsigned match = oci_platform_match(&g->r->platforms[i], have);
		if (match)
			return (unsigned)(g->r->n_platforms - i) * STEP +
			       (match < STEP ? match : STEP - 1);
	}
	return g->r->all ? 1 : UNWANTED;
}

// --- manifests ----------------------------------------------------------------------------------

static fallible take_layers(struct graph *g, const struct oci_manifest *m,
                            const struct oci_image_config *config, struct manifest *to)
{
	if (m->n_layers != config->n_diff_ids)
		return error_new(ERROR_INVALID, "%zu layers, but %zu diff IDs in its config",
		                 m->n_layers, config->n_diff_ids);
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct oci_descriptor *d = &m->layers[i];
		const struct oci_media_type *type = oci_media_type(d->media_type);
		size_t blob;
		if (!type || type->kind != OCI_MEDIA_LAYER)
			return error_new(ERROR_UNSUPPORTED, "layer %s: media type %.100s",
			                 d->digest, d->media_type);
		TRY(need_blob(g, d, "layer", &blob));
		// A layer may occur twice: this list keeps that.
		alloc_grow(&to->layers.items, &to->layers.capacity, to->layers.n,
		           sizeof(*to->layers.items));
		to->layers.items[to->layers.n++] = blob;
		add_index(&g->blobs[to->blob].references, blob);
	}
	to->diff_ids = config->diff_ids;
	return NULL;
}

// A manifest that isn't wanted changes nothing. `said`: the platform by its descriptor, or NULL.
static fallible look_at_manifest(struct graph *g, size_t blob, const struct oci_platform *said)
{
	auto_free char *text = NULL, *config_text = NULL;
	size_t size = 0, config_blob;
	struct oci_manifest m;
	struct oci_image_config config;
	TRY(read_blob(g, blob, OCI_MANIFEST_SIZE_LIMIT, &text, &size));
	TRY(oci_manifest_parse(text, size, g->blobs[blob].media_type, g->arena, &m));
	const struct oci_media_type *type = oci_media_type(m.config.media_type);
	if (!type || type->kind != OCI_MEDIA_CONFIG)
		return NULL; // an artifact, no image
	if (said && rank(g, said) == UNWANTED)
		return NULL;
	TRY(need_blob(g, &m.config, "config", &config_blob));
	TRY(read_blob(g, config_blob, OCI_CONFIG_SIZE_LIMIT, &config_text, &size));
	TRY_AS(oci_config_parse(config_text, size, g->arena, &config), "config %s",
	       m.config.digest);
	// What it runs on is the config's word; the descriptor may add Windows' version.
	struct oci_platform platform = config.platform;
	if (said && !*platform.os_version)
		memcpy(platform.os_version, said->os_version, sizeof(platform.os_version));
	unsigned how = rank(g, said ? said : &platform);
	if (how == UNWANTED)
		return NULL;
	if (g->n_manifests >= MANIFESTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d manifests", MANIFESTS_MAX);
	alloc_grow(&g->manifests, &g->manifests_capacity, g->n_manifests, sizeof(*g->manifests));
	struct manifest *new = &g->manifests[g->n_manifests];
	*new = (struct manifest){.blob = blob,
	                         .config_blob = config_blob,
	                         .rank = how,
	                         .version = oci_platform_version(said ? said : &platform)};
	add_index(&g->blobs[blob].manifests, g->n_manifests++);
	new->platform = oci_platform_format(&platform);
	new->config = oci_config_write(&config);
	add_index(&g->blobs[blob].references, config_blob);
	return take_layers(g, &m, &config, new);
}

// --- indices ------------------------------------------------------------------------------------

static fallible look_at(struct graph *g, const struct oci_descriptor *d, unsigned depth,
                        size_t *ret, bool *ret_there);

static void note_missing(struct graph *g, const struct oci_descriptor *d)
{
	if (g->missing || (d->has_platform && rank(g, &d->platform) == UNWANTED))
		return;
	auto_free char *platform =
		d->has_platform ? oci_platform_format(&d->platform) : alloc_string("any platform");
	g->missing = alloc_printf("%s (%s): not in the archive", d->digest, platform);
}

// What an index names beside images: attestations and the like. With all platforms they come along,
// as bytes, so that the index can be pushed and exported whole.
static fallible look_at_artifact(struct graph *g, const struct oci_descriptor *d, size_t index)
{
	auto_free char *text = NULL;
	struct oci_manifest m;
	size_t size = 0, blob, part;
	bool there = false;
	const struct oci_media_type *type = oci_media_type(d->media_type);
	if (!type || type->kind != OCI_MEDIA_MANIFEST)
		return NULL;
	TRY(find_blob(g, d, &blob, &there));
	if (!there)
		return NULL;
	TRY(read_blob(g, blob, OCI_MANIFEST_SIZE_LIMIT, &text, &size));
	TRY(oci_manifest_parse(text, size, d->media_type, g->arena, &m));
	add_index(&g->blobs[index].references, blob);
	for (size_t i = 0; i <= m.n_layers; i++) {
		TRY(find_blob(g, i < m.n_layers ? &m.layers[i] : &m.config, &part, &there));
		if (there)
			add_index(&g->blobs[blob].references, part);
	}
	return NULL;
}

static fallible look_at_index(struct graph *g, size_t blob, unsigned depth)
{
	auto_free char *text = NULL;
	size_t size = 0;
	struct oci_index index;
	TRY(read_blob(g, blob, OCI_MANIFEST_SIZE_LIMIT, &text, &size));
	TRY(oci_index_parse(text, size, g->blobs[blob].media_type, g->arena, &index));
	if (depth >= INDEX_DEPTH_MAX)
		return error_new(ERROR_LIMIT, "indices more than %d deep", INDEX_DEPTH_MAX);
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct oci_descriptor *d = &index.manifests[i];
		size_t child;
		bool there = false;
		TRY(look_at(g, d, depth + 1, &child, &there));
		if (!there && g->r->all && rank(g, &d->platform) != UNWANTED)
			return error_new(ERROR_NOT_FOUND, "%s: not in the archive", d->digest);
		const struct indices below =
			there ? g->blobs[child].manifests : (struct indices){0};
		if (!below.n && g->r->all)
			TRY_AS(look_at_artifact(g, d, blob), "manifest %s", d->digest);
		for (size_t j = 0; j < below.n; j++)
			add_index(&g->blobs[blob].manifests, below.items[j]);
		if (below.n)
			add_index(&g->blobs[blob].references, child);
	}
	return NULL;
}

static fallible kind_of(struct graph *g, size_t blob, enum oci_media_kind *ret)
{
	const struct oci_media_type *type = oci_media_type(g->blobs[blob].media_type);
	*ret = type ? type->kind : OCI_MEDIA_UNKNOWN;
	if (type || *g->blobs[blob].media_type)
		return NULL;
	auto_free char *text = NULL;
	size_t size = 0;
	TRY(read_blob(g, blob, OCI_MANIFEST_SIZE_LIMIT, &text, &size));
	return oci_document_kind(text, size, ret);
}

static fallible look_at(struct graph *g, const struct oci_descriptor *d, unsigned depth,
                        size_t *ret, bool *ret_there)
{
	if (d->has_platform && rank(g, &d->platform) == UNWANTED) {
		*ret_there = false;
		return NULL;
	}
	TRY(find_blob(g, d, ret, ret_there));
	if (!*ret_there) {
		note_missing(g, d);
		return NULL;
	}
	if (g->blobs[*ret].looked_at)
		return NULL;
	enum oci_media_kind kind;
	TRY(kind_of(g, *ret, &kind));
	g->blobs[*ret].looked_at = true;
	if (kind == OCI_MEDIA_INDEX)
		TRY_AS(look_at_index(g, *ret, depth), "index %s", d->digest);
	else if (kind == OCI_MEDIA_MANIFEST)
		TRY_AS(look_at_manifest(g, *ret, d->has_platform ? &d->platform : NULL),
		       "manifest %s", d->digest);
	return NULL;
}

// --- the answer ---------------------------------------------------------------------------------

static struct json *numbers(const struct indices *list)
{
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++)
		json_append(array, json_new_u64(list->items[i]));
	return array;
}

static struct json *describe_blob(const struct blob *b)
{
	struct json *o = json_new_object();
	b->file->keep = true;
	json_set_string(o, "digest", b->file->digest);
	json_set_string(o, "mediaType", b->media_type);
	json_set_string(o, "name", b->file->name);
	json_set_u64(o, "size", b->file->size);
	json_set(o, "references", numbers(&b->references));
	return o;
}

static struct json *describe_manifest(const struct manifest *m)
{
	struct json *o = json_new_object(), *layers = json_new_array();
	json_set_u64(o, "blob", m->blob);
	json_set_u64(o, "configBlob", m->config_blob);
	json_set_string(o, "platform", m->platform);
	json_set_string(o, "config", m->config);
	for (size_t i = 0; i < m->layers.n; i++) {
		struct json *layer = json_new_object();
		json_set_u64(layer, "blob", m->layers.items[i]);
		json_set_string(layer, "diffID", m->diff_ids[i]);
		json_append(layers, layer);
	}
	json_set(o, "layers", layers);
	return o;
}

static int by_rank(const void *a, const void *b, void *arg)
{
	const struct manifest *manifests = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	unsigned x = manifests[i].rank, y = manifests[j].rank;
	uint64_t v = manifests[i].version, w = manifests[j].version;
	if (x != y)
		return (x < y) - (x > y);
	return v != w ? (v < w) - (v > w) : (i > j) - (i < j);
}

static struct json *describe_image(struct graph *g, const struct oci_descriptor *d, size_t target)
{
	struct indices *below = &g->blobs[target].manifests;
	struct json *o = json_new_object();
	qsort_r(below->items, below->n, sizeof(*below->items), by_rank, g->manifests);
	json_set_string(o, "name",
	                oci_pair_list_value(&d->annotations, "io.containerd.image.name"));
	json_set_string(o, "refName",
	                oci_pair_list_value(&d->annotations, "org.opencontainers.image.ref.name"));
	json_set_u64(o, "target", target);
	json_set(o, "manifests", numbers(below));
	return o;
}

static fallible look_at_images(struct graph *g, size_t top, const struct oci_index *index,
                               struct json *images)
{
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct oci_descriptor *d = &index->manifests[i];
		size_t target;
		bool there = false;
		TRY(look_at(g, d, 0, &target, &there));
		if (!there || !g->blobs[target].manifests.n)
			continue;
		add_index(&g->blobs[top].references, target);
		json_append(images, describe_image(g, d, target));
	}
	if (json_size(images))
		return NULL;
	if (g->missing)
		return error_new(ERROR_NOT_FOUND, "%s", g->missing);
	return error_new(ERROR_NOT_FOUND, "no image for the wanted platform in the archive: "
	                                  "image might be filtered out");
}

static struct json *make_answer(const struct graph *g, size_t top, struct json *images)
{
	struct json *answer = json_new_object(), *blobs = json_new_array(),
		    *manifests = json_new_array();
	for (size_t i = 0; i < g->n_blobs; i++)
		json_append(blobs, describe_blob(&g->blobs[i]));
	for (size_t i = 0; i < g->n_manifests; i++)
		json_append(manifests, describe_manifest(&g->manifests[i]));
	json_set_u64(answer, "index", top);
	json_set(answer, "blobs", blobs);
	json_set(answer, "manifests", manifests);
	json_set(answer, "images", images);
	return answer;
}

static fallible describe(struct graph *g, struct ingest_file *index_file, struct json **ret)
{
	auto_free char *text = NULL;
	struct oci_index index;
	struct oci_descriptor d = {.digest = index_file->digest, .size = index_file->size};
	size_t top;
	bool there = false;
	TRY_AS(ingest_text(g->in, index_file, OCI_MANIFEST_SIZE_LIMIT, &text), "index.json");
	TRY(oci_index_parse(text, (size_t)index_file->size, "", g->arena, &index));
	d.media_type = index.media_type ? index.media_type : OCI_TYPE_INDEX;
	TRY(find_blob(g, &d, &top, &there));
	auto_json struct json *images = json_new_array();
	TRY(look_at_images(g, top, &index, images));
	*ret = make_answer(g, top, take(&images));
	return NULL;
}

fallible describe_index(struct ingest *in, const struct describe_request *r,
                        struct ingest_file *index, struct json **ret)
{
	defer(graph_done) struct graph g = {.in = in, .r = r, .arena = arena_new()};
	g.blob_of_file = alloc_array(in->n_files, sizeof(*g.blob_of_file));
	return describe(&g, index, ret);
}

// The target stands for the archive's index, and is its only image.
static fallible describe_one(struct graph *g, const struct oci_descriptor *d, struct json **ret)
{
	size_t target = 0;
	bool there = false;
	TRY(look_at(g, d, 0, &target, &there));
	if (!there || !g->blobs[target].manifests.n)
		return error_new(ERROR_NOT_FOUND, "%s",
		                 g->missing ? g->missing : "no image for the wanted platform");
	struct json *images = json_new_array();
	json_append(images, describe_image(g, d, target));
	*ret = make_answer(g, target, images);
	return NULL;
}

fallible describe_target(struct ingest *in, const struct describe_request *r,
                         const struct oci_descriptor *d, struct json **ret)
{
	defer(graph_done) struct graph g = {.in = in, .r = r, .arena = arena_new()};
	g.blob_of_file = alloc_array(in->n_files, sizeof(*g.blob_of_file));
	return describe_one(&g, d, ret);
}
