// SPDX-License-Identifier: Apache-2.0
// `run`, first half: what it is to be. From flags or a config.json to spec, layers and network
// configuration; makes nothing.
#include "engine/run.h"
#include "engine/spec.h"
#include "sys/path.h"
#include "json/json.h"
#include <fcntl.h>

void run_done(struct run *run)
{
	store_image_free(run->image);
	store_container_free(run->stored);
	oci_spec_free(run->spec);
	oci_spec_free(run->linux_spec);
	windows_files_done(&run->windows);
	free(run->os_version);
	free(run->scratch);
	free(run->scratch_parent);
	free(run->joined_netns);
	free(run->adapters);
	fd_cleanup_(&run->template_fd);
	free(run->lowers);
	snapshot_layers_free(run->layers);
	snapshot_active_free(run->active);
	snapshots_close(run->snapshots);
	network_config_free(run->network);
	network_result_free(run->attached);
	free(run->cgroup);
	free(run->detach_keys);
	free(run->spec_text);
	free(run->resolv_conf);
	free(run->hosts);
	free(run->config_dir);
	labels_done(&run->labels);
	fd_cleanup_(&run->dirfd);
	fd_cleanup_(&run->upper);
	fd_cleanup_(&run->work);
	fd_cleanup_(&run->netns_fd);
	fd_cleanup_(&run->log_fd);
	logger_done(&run->logger);
	fd_cleanup_(&run->scratch_lock);
	fd_cleanup_(&run->engine->interrupt_fd);
	run->engine->interrupt_fd = -1;
}

static fallible check_request(const struct run *run)
{
	const struct engine_run *r = run->request;
	if (!r->id || !*r->id)
		return error_new(ERROR_USAGE, "container id must be provided");
	TRY_AS(store_check_id(r->id), "create container failed validation: container.ID");
	if (!r->config && (!r->image || !*r->image))
		return error_new(ERROR_USAGE, "image ref must be provided");
	if (r->config && r->image)
		return error_new(ERROR_USAGE,
		                 "with spec config file, only container id should be provided");
	return NULL;
}

static fallible pull_image(struct run *run, const char *name)
{
	const struct engine_run *r = run->request;
	struct engine_pull pull = *r->pull;
	auto_free char *stored = NULL;
	pull.reference = name;
	pull.platforms = r->platform ? &r->platform : NULL;
	pull.n_platforms = r->platform ? 1 : 0;
	pull.snapshotter = r->snapshotter;
	pull.quietly = true; // find_image() says it
	return engine_pull(run->engine, &pull, &stored, NULL);
}

static fallible look_up(struct run *run, const char *name)
{
	TRY(engine_find_image(run->engine, name, &run->image));
	TRY(engine_choose_manifest(run->image, run->request->platform, &run->manifest));
	if (engine_is_windows(run->manifest))
		TRY(run_windows_allowed(run));
	struct error *e = engine_ensure_unpacked(run->engine, run->snapshotter, run->manifest);
	run->lost_layers = error_is(e, ERROR_NOT_FOUND);
	return e;
}

// Whether the image came without its layers. If it was removed meanwhile, and perhaps came again,
// the layers are another's question: its row is no longer the one that we read.
static fallible is_incomplete(struct run *run, const char *name, bool *ret)
{
	struct store *store = run->engine->store;
	struct store_image *again = NULL;
	bool lacks = false;
	for (size_t i = 0; i < run->manifest->n_layers && !lacks; i++) {
		struct store_blobs *row = NULL;
		struct error *e = store_find_blob(store, run->engine->ns,
		                                  run->manifest->layers[i].descriptor.digest, &row);
		store_blobs_free(row);
		lacks = error_is(e, ERROR_NOT_FOUND);
		if (lacks)
			error_drop(&e); // that is the question
		TRY(e);
	}
	struct error *e = lacks ? engine_find_image(run->engine, name, &again) : NULL;
	*ret = again && again->updated_ns == run->image->updated_ns;
	store_image_free(again);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // removed
	return e;
}

// What isn't there, or not for the platform, or without its layers, is pulled, if the request says
// how. What the pull can't do comes behind what lacks.
static fallible get_image(struct run *run, const char *name)
{
	const struct engine_run *r = run->request;
	if (r->pull && r->pull_always)
		TRY(pull_image(run, name));
	struct error *lacks = look_up(run, name);
	if (!error_is(lacks, ERROR_NOT_FOUND) || !r->pull || r->pull_always)
		return lacks;
	bool is_missing = true;
	struct error *e = run->lost_layers ? is_incomplete(run, name, &is_missing) : NULL;
	if (e || !is_missing)
		return error_join(lacks, e);
	e = pull_image(run, name);
	run->lost_layers = false;
	if (e) {
		free(lacks->hint); // what helps is what the pull says
		lacks->hint = take(&e->hint);
		return error_join(lacks, e);
	}
	error_free(lacks);
	store_image_free(run->image);
	run->image = NULL;
	return look_up(run, name);
}

static fallible find_image(struct run *run, const char *name)
{
	TRY(get_image(run, name));
	if (run->request->platform)
		engine_warn_of_platform(run->engine, name, run->manifest, run->request->platform);
	run->snapshotter = engine_snapshotter_for(run->manifest, run->snapshotter);
	TRY(engine_snapshots(run->engine, run->snapshotter, &run->snapshots));
	struct error *e =
		snapshots_open_layers(run->snapshots, run->manifest->chain_id, &run->layers);
	run->lost_layers = error_is(e, ERROR_NOT_FOUND);
	return e;
}

fallible run_open_folder(struct run *run, const char *path)
{
	struct error *e = path_open_dir(path, &run->dirfd);
	if (e)
		return error_prefix(e, "invalid rootfs");
	return NULL;
}

static fallible read_config(struct run *run)
{
	const char *path = run->request->config;
	auto_free char *text = NULL;
	size_t size;
	struct error *e = file_read(AT_FDCWD, path, OCI_SPEC_SIZE_LIMIT, &text, &size);
	TRY_AS(e, "cannot load spec config file");
	e = oci_spec_parse(text, size, &run->spec);
	if (e)
		return error_hint(error_prefix(e,
		                               "decoding spec config file failed, current "
		                               "supported OCI runtime-spec : v" OCI_SPEC_VERSION),
		                  "coracle spec IMAGE ID > config.json writes one that works");
	spec_recognise_seccomp(run->spec);
	// Ours: `coracle spec` says which image it was made of.
	const struct oci_pairs *notes = &run->spec->annotations;
	const char *image = oci_pairs_value(notes, ANNOTATION_IMAGE);
	run->cni |= text_equal(oci_pairs_value(notes, ANNOTATION_CNI), "true");
	if (image) {
		if (!run->snapshotter)
			run->snapshotter = oci_pairs_value(notes, ANNOTATION_SNAPSHOTTER);
		return find_image(run, image);
	}
	if (run_is_windows(run))
		return run_windows_folders(run);
	const char *root = run->spec->root.path;
	if (!root || !*root)
		return error_hint(error_new(ERROR_INVALID, "%s: root.path is missing", path),
		                  "coracle spec IMAGE ID > config.json writes one that works");
	const char *slash = strrchr(path, '/');
	// A relative root lies beside its config.json (runtime-spec, bundle.md).
	auto_free char *beside = *root == '/' || !slash
	                                 ? alloc_string(root)
	                                 : alloc_printf("%.*s/%s", (int)(slash - path), path, root);
	return run_open_folder(run, beside);
}

static fallible read_user_files(struct run *run, char **ret_passwd, char **ret_group,
                                struct spec_source *source)
{
	struct root_files root = {.dirfd = run->dirfd};
	if (run->layers) {
		root.layers = run->layers->fds;
		root.n_layers = run->layers->n;
	}
	TRY(root_file_read(&root, "etc", "passwd", ret_passwd, &source->passwd_size));
	TRY(root_file_read(&root, "etc", "group", ret_group, &source->group_size));
	source->passwd = *ret_passwd;
	source->group = *ret_group;
	return NULL;
}

static fallible make_spec_of_flags(struct run *run)
{
	const struct engine_run *r = run->request;
	auto_arena struct arena *arena = arena_new();
	struct spec_source source = {.ns = run->engine->ns, .id = r->id};
	struct oci_image_config config;
	auto_free char *folder = NULL, *passwd = NULL, *group = NULL;
	if (r->spec->has_rootfs) {
		TRY(run_open_folder(run, r->image));
		TRY(path_of_fd(run->dirfd, &folder));
		source.rootfs = folder;
	} else {
		TRY(find_image(run, r->image));
		TRY_AS(oci_config_read(run->manifest->config, strlen(run->manifest->config), arena,
		                       &config),
		       "image \"%s\"", run->image->name);
		source.image = &config;
	}
	if (run->manifest && engine_is_windows(run->manifest))
		return spec_make_windows(r->spec, &source, &run->spec);
	TRY(read_user_files(run, &passwd, &group, &source));
	auto_spec_host struct spec_host host = {0};
	TRY(spec_host_look(r->spec, &host));
	auto_strings struct strings warnings = {0};
	TRY(spec_make(r->spec, &source, &host, &warnings, &run->spec));
	for (size_t i = 0; i < warnings.n; i++)
		engine_warn(run->engine, "%s", warnings.items[i]);
	return NULL;
}

fallible run_resolve(struct run *run)
{
	TRY(check_request(run));
	TRY(run_open_log(run->request, &run->log, &run->log_fd));
	struct store *store;
	TRY(engine_store(run->engine, &store));
	run->cni = run->request->cni;
	run->snapshotter = run->request->snapshotter;
	TRY(run->request->config ? read_config(run) : make_spec_of_flags(run));
	if (run_is_windows(run)) { // what is translated has to be sound
		TRY(oci_spec_check(run->spec));
		TRY(run_windows_translate(run));
	}
	return run_resolve_network(run);
}

fallible run_resolve_network(struct run *run)
{
	if (!run->cni)
		return NULL;
	struct oci_spec *spec = run_linux_spec(run);
	const struct oci_namespace *net = oci_spec_namespace(spec, OCI_NAMESPACE_NETWORK);
	if (!net && !run->request->config)
		return error_hint(
			error_new(ERROR_INVALID, "--net-host and --cni can't be used together"),
			"leave one of them away");
	if (!net)
		oci_spec_set_namespace(spec, OCI_NAMESPACE_NETWORK, NULL);
	struct network_paths paths = engine_network_paths(run->engine);
	struct error *e = network_config_load(&paths, &run->network);
	return error_is(e, ERROR_NOT_FOUND)
	               ? error_hint(e, "coracle's install.sh writes one; or copy a CNI "
	                               "configuration into that folder (docs/network.md)")
	               : e;
}

fallible engine_spec(struct engine *engine, const struct engine_run *request, char **ret)
{
	defer(run_done) struct run run = RUN_OF(engine, request);
	struct engine_run without = *request;
	without.cni = false; // the configuration isn't needed to write its wish down
	run.request = &without;
	TRY(run_resolve(&run));
	struct oci_spec *spec = run.spec;
	if (run.image) {
		oci_spec_set_pair(spec, &spec->annotations, ANNOTATION_IMAGE, run.image->name);
		oci_spec_set_pair(spec, &spec->annotations, ANNOTATION_SNAPSHOTTER,
		                  snapshots_name(run.snapshots));
	}
	if (request->cni)
		oci_spec_set_pair(spec, &spec->annotations, ANNOTATION_CNI, "true");
	auto_json struct json *document = oci_spec_to_json(spec);
	*ret = json_to_text(document, 4, JSON_ESCAPE_HTML);
	return NULL;
}
