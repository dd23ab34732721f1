// SPDX-License-Identifier: Apache-2.0
// Windows images of our own making (windows/image.h): made as an archive, and imported like any.
#include "engine/private.h"
#include "oci/reference.h"
#include "sys/path.h"
#include "windows/image.h"
#include <stdio.h>

static void image_cleanup(struct store_image **image)
{
	store_image_free(*image);
}

static fallible import_archive(struct engine *e, const char *name,
                               const struct oci_image_config *config,
                               const struct windows_blob *layers, size_t n, int work, char **ret)
{
	auto_fd int archive = -1;
	TRY(windows_write_image(work, name, config, layers, n, &archive));
	const struct engine_import request = {.fd = archive, .platform = "windows/amd64"};
	auto_strings struct strings names = {0};
	TRY(engine_import(e, &request, &names));
	*ret = alloc_string(names.n ? names.items[0] : name);
	return NULL;
}

static fallible open_work(struct engine *e, int *ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	return path_open_dir(store_root(store), ret);
}

fallible engine_create_windows_base(struct engine *e, const struct engine_windows_base *r,
                                    char **ret_name)
{
	static const char *cmd[] = {"c:\\windows\\system32\\cmd.exe", NULL};
	auto_fd int work = -1;
	auto_free char *name = NULL;
	TRY(oci_reference_normalise(r->name, &name));
	TRY(open_work(e, &work));
	const char *version = r->os_version ? r->os_version : "10.0.20348.1";
	defer(windows_blob_done) struct windows_blob layer = {.fd = -1};
	TRY(windows_base_layer(work, version, r->fill_bytes, &layer));
	const char *diff_ids[] = {layer.digest, NULL};
	struct oci_image_config config = {
		.platform = {.os = "windows", .architecture = "amd64"},
		.created = "2024-01-01T00:00:00Z",
		.user = "ContainerUser",
		.working_dir = "",
		.stop_signal = "",
		.has_cmd = true,
		.cmd = cmd,
		.n_cmd = 1,
		.diff_ids = diff_ids,
		.n_diff_ids = 1,
	};
	snprintf(config.platform.os_version, sizeof(config.platform.os_version), "%s", version);
	return import_archive(e, name, &config, &layer, 1, work, ret_name);
}

struct layers {
	struct windows_blob *items;
	size_t n;
};

static void layers_done(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		windows_blob_done(&l->items[i]);
	free(l->items);
}

static fallible open_layers(struct engine *e, const struct store_manifest *m, struct layers *ret)
{
	ret->items = alloc_array(m->n_layers + 1, sizeof(*ret->items));
	for (size_t i = 0; i < m->n_layers; i++) {
		struct windows_blob *b = &ret->items[i];
		const struct store_descriptor *d = &m->layers[i].descriptor;
		b->fd = -1;
		b->media_type = d->media_type;
		snprintf(b->digest, sizeof(b->digest), "%s", d->digest);
		ret->n++;
		TRY(store_open_blob(e->store, e->ns, d->digest, &b->fd, &b->size_bytes));
	}
	return NULL;
}

fallible engine_add_windows_layer(struct engine *e, const struct engine_windows_layer *r,
                                  char **ret_name)
{
	auto_fd int work = -1, folder = -1;
	auto_free char *name = NULL;
	auto_arena struct arena *arena = arena_new();
	defer(image_cleanup) struct store_image *image = NULL;
	defer(layers_done) struct layers layers = {0};
	const struct store_manifest *m;
	struct oci_image_config config;
	TRY(oci_reference_normalise(r->name, &name));
	TRY_AS(path_open_dir(r->folder, &folder), "folder");
	TRY(open_work(e, &work));
	TRY(engine_find_image(e, r->base, &image));
	TRY(engine_choose_manifest(image, NULL, &m));
	if (!engine_is_windows(m))
		return error_new(ERROR_INVALID, "image \"%s\": not a Windows image", image->name);
	TRY(oci_config_read(m->config, strlen(m->config), arena, &config));
	TRY(open_layers(e, m, &layers));
	struct windows_blob *top = &layers.items[layers.n];
	top->fd = -1;
	TRY_AS(windows_folder_layer(work, folder, r->target ? r->target : "C:\\", top), "%s",
	       r->folder);
	layers.n++;
	const char **diff_ids = arena_alloc(arena, (layers.n + 1) * sizeof(*diff_ids));
	memcpy(diff_ids, config.diff_ids, config.n_diff_ids * sizeof(*diff_ids));
	diff_ids[config.n_diff_ids] = top->digest;
	config.diff_ids = diff_ids;
	config.n_diff_ids++;
	return import_archive(e, name, &config, layers.items, layers.n, work, ret_name);
}
