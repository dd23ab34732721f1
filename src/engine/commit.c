// SPDX-License-Identifier: Apache-2.0
// A container's changes become a layer on top of its image's. The confined worker reads them; what
// the new image's documents say is drawn from rows. The layer is unpacked like any other, so what
// runs is what was stored, and all of it is published at once.
#include "engine/commit.h"
#include "engine/life.h"
#include "oci/reference.h"
#include "sys/lock.h"
#include "sys/path.h"
#include "json/json.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

// --- what is read: a folder and what is below it
// --------------------------------------------------

void commit_source_done(struct commit_source *s)
{
	fd_cleanup_(&s->upper);
	snapshot_layers_free(s->lower);
	snapshots_close(s->snapshots);
	free(s->parent);
}

static fallible check_driver(const struct snapshots *s)
{
	if (snapshots_copies(s) || !strcmp(snapshots_name(s), SNAPSHOTS_WINDOWS))
		return error_new(ERROR_UNSUPPORTED,
		                 "snapshotter %s: only overlayfs' snapshots can become layers",
		                 snapshots_name(s));
	return NULL;
}

static fallible open_active(struct commit_source *s, const char *key)
{
	struct snapshot_active *a = NULL;
	TRY(snapshots_open_active(s->snapshots, key, &a));
	s->upper = fd_take(&a->fs);
	s->lower = take(&a->lower);
	snapshot_active_free(a);
	if (s->upper < 0)
		return error_new(ERROR_INVALID, "snapshot %s: is a view, nothing is changed there",
		                 key);
	return NULL;
}

// The topmost layer is the source, the others are below it.
static fallible open_committed(struct commit_source *s, const char *key)
{
	TRY(snapshots_open_layers(s->snapshots, key, &s->lower));
	s->upper = s->lower->fds[0];
	s->lower->n--;
	memmove(s->lower->fds, s->lower->fds + 1, s->lower->n * sizeof(*s->lower->fds));
	return NULL;
}

fallible commit_open_snapshot(struct engine *e, const char *snapshotter, const char *key,
                              struct commit_source *s)
{
	struct store_snapshot *row = NULL;
	TRY(engine_snapshots_of(e, snapshotter, key, &s->snapshots));
	TRY(snapshots_stat(s->snapshots, key, &row));
	s->parent = alloc_string(row->parent);
	bool committed = row->kind == STORE_COMMITTED;
	store_snapshot_free(row);
	TRY(check_driver(s->snapshots));
	return committed ? open_committed(s, key) : open_active(s, key);
}

// `run --rm`: its writable layer has no row of its own.
static fallible open_upper(struct engine *e, const struct store_task *task, struct commit_source *s)
{
	char instance[STORE_ID_SIZE];
	store_instance_text(task->instance, instance);
	TRY(engine_snapshots(e, task->snapshotter, &s->snapshots));
	TRY(check_driver(s->snapshots));
	s->parent = alloc_string(task->layers);
	TRY(snapshots_open_layers(s->snapshots, task->layers, &s->lower));
	auto_free char *path = alloc_printf("uppers/%s/fs", instance);
	return path_open_beneath(store_rootfd(e->store), path, O_RDONLY | O_DIRECTORY, 0,
	                         &s->upper);
}

fallible commit_write_layer(struct engine *e, const struct commit_source *s, int blob,
                            const char *compression, bool with_root,
                            struct transfer_diff_result *ret)
{
	struct transfer transfer;
	auto_free char *program = NULL;
	TRY(engine_transfer(e, &transfer, &program));
	const struct transfer_diff_request request = {
		.transfer = &transfer,
		.upper_dirfd = s->upper,
		.lower_dirfds = s->lower->fds,
		.n_lower = s->lower->n,
		.blob_fd = blob,
		.compression = compression,
		.with_root = with_root,
	};
	return transfer_diff(&request, ret);
}

// --- standing still
// -------------------------------------------------------------------------------

// One commit of a container at a time; while it is frozen, a child of ours waits for our end,
// however that comes, and lets it go on. It is in a process group of its own: Ctrl-C and what else
// ends a whole group are not for it. It holds the lock as well, so that the next commit doesn't
// freeze what it is about to thaw.
struct stillness {
	struct store_claim *claim; // of one that doesn't run, so that it stays so
	int lock, alive;           // alive: the pipe whose end the child waits for
	pid_t child;               // 0: none
};

static fallible end_stillness(struct stillness *s)
{
	int status = 0;
	fd_cleanup_(&s->alive);
	s->alive = -1;
	if (s->child)
		while (waitpid(s->child, &status, 0) < 0 && errno == EINTR)
			;
	s->child = 0;
	return status ? error_new(ERROR_SYSTEM, "the container couldn't be let go on") : NULL;
}

static void stillness_done(struct stillness *s)
{
	error_free(end_stillness(s)); // an error stands already
	fd_cleanup_(&s->lock);
	store_claim_release(s->claim);
}

static _Noreturn void be_guard(int alive, const char *cgroup)
{
	char byte;
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd); // a pipe of ours would stay open
	while (read(alive, &byte, 1) < 0 && errno == EINTR)
		;
	struct error *e = runtime_resume(cgroup);
	_exit(e && !error_is(e, ERROR_NOT_FOUND)); // it may have ended
}

static fallible freeze(const char *cgroup, struct stillness *s)
{
	int ends[2];
	bool is_frozen = false;
	TRY(runtime_is_frozen(cgroup, &is_frozen));
	if (is_frozen)
		return NULL; // by its user, who wants it so
	if (pipe2(ends, O_CLOEXEC) < 0)
		FAIL_ERRNO("pipe");
	auto_fd int theirs = ends[0];
	s->alive = ends[1];
	s->child = fork();
	if (s->child < 0) {
		s->child = 0;
		FAIL_ERRNO("fork");
	}
	if (!s->child) {
		close(s->alive);
		be_guard(theirs, cgroup);
	}
	if (setpgid(s->child, s->child) < 0) // before anything is frozen
		FAIL_ERRNO("guard of the frozen container");
	return runtime_pause(cgroup);
}

// --- the image's documents
// ------------------------------------------------------------------------

struct commit {
	struct engine *engine;
	const struct engine_commit *request;
	struct store_session *session;
	struct arena *arena;
	char *name;
	struct life life;
	struct commit_source source;
	struct store_image *base;           // NULL: the container stands on nothing
	const struct store_manifest *below; // of `base`
	struct transfer_diff_result layer;
	const char *created;
	struct store_manifest manifest;
	struct store_descriptor config_blob;
};

static void commit_done(struct commit *c)
{
	free(c->name);
	life_forget(&c->life);
	commit_source_done(&c->source);
	store_image_free(c->base);
	arena_free(c->arena);
}

static const struct store_manifest *of_chain(const struct store_image *image, const char *chain)
{
	for (size_t i = 0; i < image->n_manifests; i++)
		if (!strcmp(image->manifests[i].chain_id, chain))
			return &image->manifests[i];
	return NULL;
}

// The container's image by its name, or, when that stands for another now, any on these layers.
static fallible find_base(struct commit *c)
{
	struct store *store = c->engine->store;
	const char *ns = c->engine->ns, *chain = c->source.parent;
	struct store_images *rows = NULL;
	TRY(store_list_images(store, ns, &rows));
	const char *found = NULL;
	for (size_t i = 0; i < rows->n; i++)
		if (of_chain(&rows->items[i], chain) &&
		    (!found || !strcmp(rows->items[i].name, c->life.container->image)))
			found = rows->items[i].name;
	struct error *e =
		found ? store_find_image(store, ns, found, &c->base)
		      : error_hint(error_new(ERROR_NOT_FOUND,
	                                     "the image that container %s was made of is gone",
	                                     c->life.container->id),
	                           "a commit stands on its layers: bring %s back first",
	                           c->life.container->image);
	store_images_free(rows);
	TRY(e);
	c->below = of_chain(c->base, chain);
	return c->below ? NULL : error_new(ERROR_BUSY, "image %s was just replaced", c->base->name);
}

static void set_created(struct commit *c)
{
	struct timespec now;
	struct tm tm;
	char seconds[32];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	c->created = arena_printf(c->arena, "%s.%09ldZ", seconds, now.tv_nsec);
}

static struct json *history_entry(const struct commit *c)
{
	struct json *o = json_new_object();
	json_set_string(o, "created", c->created);
	json_set_string(o, "created_by", "coracle commit");
	json_set_string(o, "author", c->request->author);
	json_set_string(o, "comment", c->request->message);
	return o;
}

// What runs, in the normal form: the base's, the new layer, what --change says.
static fallible change_config(struct commit *c, char **ret)
{
	struct oci_image_config config, checked;
	const char *base = c->below->config;
	TRY(oci_config_read(base, strlen(base), c->arena, &config));
	const char **diff_ids = arena_alloc(c->arena, (config.n_diff_ids + 2) * sizeof(*diff_ids));
	memcpy(diff_ids, config.diff_ids, config.n_diff_ids * sizeof(*diff_ids));
	diff_ids[config.n_diff_ids++] = c->layer.diff_id;
	config.diff_ids = diff_ids;
	config.created = c->created;
	TRY(commit_change(&config, c->arena, c->request->changes, c->request->n_changes));
	auto_free char *normal = oci_config_write(&config);
	// What the changes say is as foreign as a config's own.
	TRY(oci_config_read(normal, strlen(normal), c->arena, &checked));
	char chain[OCI_DIGEST_SIZE];
	oci_chain_id(diff_ids, config.n_diff_ids, chain);
	c->manifest.chain_id = arena_string(c->arena, chain);
	*ret = take(&normal);
	return NULL;
}

static fallible make_config(struct commit *c)
{
	struct transfer transfer;
	auto_fd int foreign = -1;
	auto_free char *program = NULL, *normal = NULL, *text = NULL;
	auto_json struct json *entry = history_entry(c);
	uint64_t size;
	TRY(change_config(c, &normal));
	TRY(store_open_blob(c->engine->store, c->engine->ns, c->below->config_digest, &foreign,
	                    &size));
	TRY(engine_transfer(c->engine, &transfer, &program));
	TRY(transfer_child_config(&transfer, foreign, normal, entry, &text));
	c->manifest.config = arena_string(c->arena, normal);
	return engine_put_document(c->session, c->arena, "config", text, OCI_TYPE_CONFIG,
	                           &c->config_blob);
}

static struct json *descriptor(const struct store_descriptor *d)
{
	struct json *o = json_new_object();
	json_set_string(o, "mediaType", d->media_type);
	json_set_string(o, "digest", d->digest);
	json_set_u64(o, "size", d->size_bytes);
	return o;
}

// The bytes of docker's layers are the same; an OCI manifest says so in OCI's words.
static const char *oci_layer_type(const char *media_type)
{
	const struct oci_media_type *t = oci_media_type(media_type);
	const struct oci_media_type *ours = t ? oci_media_type_like(t, false, t->compression) : t;
	return ours ? ours->name : media_type;
}

static fallible make_manifest(struct commit *c)
{
	bool zstd = c->request->compression && !strcmp(c->request->compression, "zstd");
	size_t n = c->below->n_layers + 1;
	struct store_layer *layers = arena_alloc(c->arena, n * sizeof(*layers));
	for (size_t i = 0; i + 1 < n; i++) {
		layers[i] = c->below->layers[i];
		layers[i].descriptor.media_type = oci_layer_type(layers[i].descriptor.media_type);
	}
	layers[n - 1] = (struct store_layer){
		.descriptor = {.media_type = zstd ? OCI_TYPE_LAYER_ZSTD : OCI_TYPE_LAYER_GZIP,
	                       .digest = c->layer.digest,
	                       .size_bytes = c->layer.size_bytes},
		.diff_id = c->layer.diff_id,
	};
	auto_json struct json *o = json_new_object();
	struct json *list = json_new_array();
	json_set_u64(o, "schemaVersion", 2);
	json_set_string(o, "mediaType", OCI_TYPE_MANIFEST);
	json_set(o, "config", descriptor(&c->config_blob));
	uint64_t size = c->config_blob.size_bytes;
	for (size_t i = 0; i < n; i++) {
		json_append(list, descriptor(&layers[i].descriptor));
		size += layers[i].descriptor.size_bytes;
	}
	json_set(o, "layers", list);
	auto_free char *text = json_to_text(o, 0, JSON_PLAIN);
	TRY(engine_put_document(c->session, c->arena, "manifest", text, OCI_TYPE_MANIFEST,
	                        &c->manifest.descriptor));
	c->manifest.platform = c->below->platform;
	c->manifest.config_digest = c->config_blob.digest;
	c->manifest.layers = layers;
	c->manifest.n_layers = n;
	c->manifest.size_bytes = size + c->manifest.descriptor.size_bytes;
	return NULL;
}

// --- publishing
// -----------------------------------------------------------------------------------

static fallible open_layer_of(void *context, const struct store_manifest *m, size_t i, int *ret_fd)
{
	const struct commit *c = context;
	uint64_t size;
	if (i + 1 < m->n_layers)
		return store_open_blob(c->engine->store, c->engine->ns,
		                       m->layers[i].descriptor.digest, ret_fd, &size);
	*ret_fd =
		openat(store_session_blobs(c->session), "layer", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*ret_fd < 0)
		FAIL_ERRNO("the new layer");
	return NULL;
}

static fallible publish(struct commit *c)
{
	const struct store_manifest *m = &c->manifest;
	defer(unpacking_cleanup_) struct unpacking *u = NULL;
	TRY(unpacking_begin(c->engine, c->session, snapshots_name(c->source.snapshots), &u));
	TRY(unpacking_add(u, m, open_layer_of, c));
	const struct store_label diff_id = {"containerd.io/uncompressed", c->layer.diff_id};
	size_t n = m->n_layers;
	const char **references = arena_alloc(c->arena, (n + 1) * sizeof(*references));
	struct store_new_blob *blobs = arena_alloc(c->arena, (n + 2) * sizeof(*blobs));
	for (size_t i = 0; i < n; i++) {
		references[i] = m->layers[i].descriptor.digest;
		blobs[i] = (struct store_new_blob){.descriptor = m->layers[i].descriptor};
	}
	references[n] = c->config_blob.digest;
	blobs[n - 1].name = "layer";
	blobs[n - 1].labels = (struct store_labels){&diff_id, 1};
	blobs[n] = (struct store_new_blob){.descriptor = c->config_blob, .name = "config"};
	blobs[n + 1] = (struct store_new_blob){.descriptor = m->descriptor,
	                                       .name = "manifest",
	                                       .references = references,
	                                       .n_references = n + 1};
	const struct store_new_image image = {.name = c->name,
	                                      .target = m->descriptor,
	                                      .manifests = &m->descriptor.digest,
	                                      .n_manifests = 1};
	struct store_publication p = {.ns = c->engine->ns,
	                              .blobs = blobs,
	                              .n_blobs = n + 2,
	                              .manifests = m,
	                              .n_manifests = 1,
	                              .images = &image,
	                              .n_images = 1};
	unpacking_result(u, &p);
	return store_publish(c->session, &p);
}

// --- the whole
// ------------------------------------------------------------------------------------

// Rows go before files: while this life's row is there, nothing of it was deleted.
static fallible check_life(const struct commit *c)
{
	struct store_container *now = NULL;
	const struct store_container *then = c->life.container;
	struct error *e = store_find_container(c->engine->store, c->engine->ns, then->id, &now);
	bool same = now && now->instance == then->instance;
	store_container_free(now);
	if (error_is(e, ERROR_NOT_FOUND) || (!e && !same)) {
		error_free(e);
		return error_new(ERROR_BUSY, "container %s was removed meanwhile", then->id);
	}
	return e;
}

// Its upper bears the host's IDs, and an image holds those that the container sees.
static fallible check_ids(const struct store_container *row)
{
	auto_oci_spec struct oci_spec *spec = NULL;
	if (!row->spec)
		return NULL;
	TRY_AS(oci_spec_parse(row->spec, strlen(row->spec), &spec), "container %s", row->id);
	if (oci_spec_namespace(spec, OCI_NAMESPACE_USER))
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: a commit out of a user namespace does not work yet",
		                 row->id);
	return NULL;
}

static fallible read_changes(struct commit *c)
{
	const char *id = c->request->container;
	defer(stillness_done) struct stillness s = {.lock = -1, .alive = -1};
	TRY(life_of_container(c->engine, id, &c->life));
	TRY(life_answers(&c->life));
	if (c->life.owner != LIFE_RUNNING) {
		life_forget(&c->life);
		TRY(store_claim(c->engine->store, c->engine->ns, id, STORE_CLAIM_WAIT, &s.claim));
		TRY(life_of_container(c->engine, id, &c->life));
		TRY(life_answers(&c->life));
		if (c->life.owner == LIFE_RUNNING || c->life.owner == LIFE_STARTING)
			return error_new(ERROR_BUSY, "container %s: is just being started", id);
	}
	const struct store_container *row = c->life.container;
	TRY(check_ids(row));
	if (c->life.task && c->life.task->upper)
		TRY(open_upper(c->engine, c->life.task, &c->source));
	else if (*row->snapshot_key)
		TRY(commit_open_snapshot(c->engine, row->snapshotter, row->snapshot_key,
		                         &c->source));
	else
		return error_new(ERROR_UNSUPPORTED,
		                 "container %s: stands on a folder, not on an image", id);
	TRY(find_base(c));
	if (c->life.owner == LIFE_RUNNING && !c->request->no_pause) {
		TRY(life_lock_freezer(c->engine, id, true, &s.lock));
		TRY(freeze(c->life.task->cgroup, &s));
	}
	life_hang_up(&c->life);
	auto_fd int blob = openat(store_session_blobs(c->session), "layer",
	                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (blob < 0)
		FAIL_ERRNO("make the layer");
	const char *compression = c->request->compression ? c->request->compression : "gzip";
	struct error *e =
		commit_write_layer(c->engine, &c->source, blob, compression, true, &c->layer);
	if (!e || error_is(e, ERROR_CORRUPT))
		e = error_join(check_life(c), e);
	return error_join(e, end_stillness(&s));
}

static fallible commit_into(struct commit *c)
{
	TRY(read_changes(c));
	set_created(c);
	TRY(make_config(c));
	TRY(make_manifest(c));
	return publish(c);
}

fallible engine_commit(struct engine *engine, const struct engine_commit *request,
                       char **ret_digest)
{
	struct store *store;
	TRY(engine_store(engine, &store));
	defer(commit_done) struct commit c = {.engine = engine,
	                                      .request = request,
	                                      .arena = arena_new(),
	                                      .source = {.upper = -1}};
	const char *compression = request->compression;
	if (compression && strcmp(compression, "gzip") != 0 && strcmp(compression, "zstd") != 0)
		return error_new(ERROR_USAGE, "--compression %.20s: gzip or zstd", compression);
	TRY(oci_reference_normalise(request->image, &c.name));
	TRY(engine_begin_session(engine, &c.session));
	struct error *e = error_prefix(commit_into(&c), "commit \"%.100s\"", request->container);
	TRY(error_join(e, engine_end_session(engine, c.session)));
	*ret_digest = alloc_string(c.manifest.descriptor.digest);
	return NULL;
}
