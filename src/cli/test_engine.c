// SPDX-License-Identifier: Apache-2.0
// An engine that only pretends: fixed answers, and what `run` was asked for printed.
#include "cli/test_engine.h"
#include "engine/engine.h"
#include "engine/spec.h"
#include <stdio.h>

struct engine {
	struct engine_options options;
};
static struct engine the_engine;

fallible engine_open(const struct engine_options *options, struct engine **ret)
{
	the_engine.options = *options;
	if (strchr(options->ns, ' '))
		return error_new(ERROR_INVALID,
		                 "namespace validation: identifier \"%s\" must match x",
		                 options->ns);
	*ret = &the_engine;
	return NULL;
}

void engine_close(struct engine *engine)
{
	(void)engine;
}

static char *platform_items[] = {(char *)"linux/amd64", NULL};
static struct engine_label label_items[] = {{(char *)"c", (char *)"1"}, {(char *)"d", (char *)""}};
static struct engine_image image_items[] = {
	{.name = (char *)"bb",
         .media_type = (char *)OCI "manifest.v1+json",
         .digest = (char *)MANIFEST,
         .size_bytes = 1032207,
         .created_ns = CREATED,
         .platforms = {platform_items, 1, 2},
         .labels = {label_items, 2},
         .n_blobs = 2,
         .n_present = 1,
         .blobs_bytes = 1031785,
         .present_bytes = 307},
	{.name = (char *)BUSYBOX,
         .media_type = (char *)OCI "index.v1+json",
         .digest = (char *)MANIFEST,
         .size_bytes = 233,
         .n_blobs = 2,
         .n_present = 2,
         .blobs_bytes = 1031785,
         .present_bytes = 1031785,
         .is_complete = true,
         .is_unpacked = true},
};
static struct engine_images images = {image_items, 2};

fallible engine_image_list(struct engine *engine, const char *const *filters, size_t n_filters,
                           bool check, const char *snapshotter, struct engine_images **ret)
{
	(void)engine, (void)check, (void)snapshotter;
	if (n_filters > 0 && text_equal(filters[0], "name=="))
		return error_new(ERROR_INVALID, "filters: parse error");
	*ret = &images;
	return NULL;
}

void engine_images_free(struct engine_images *i)
{
	(void)i;
}

static struct error *image_not_found(const char *name)
{
	return error_hint(error_new(ERROR_NOT_FOUND, "image \"%s\": not found", name),
	                  "coracle images ls shows what is there");
}

fallible engine_image_remove(struct engine *engine, const char *name)
{
	(void)engine;
	if (text_starts(name, "nosuch"))
		return image_not_found(name);
	return NULL;
}

fallible engine_image_tag(struct engine *engine, const char *source, const char *target, bool force)
{
	(void)engine;
	if (text_equal(source, "nosuch"))
		return image_not_found(source);
	if (!force)
		return error_new(ERROR_EXISTS, "image \"%s\": already exists", target);
	return NULL;
}

fallible engine_image_label(struct engine *engine, const char *name, const char *const *labels,
                            size_t n_labels, bool replace_all, struct engine_labels *ret)
{
	(void)engine, (void)name, (void)labels, (void)replace_all;
	*ret = (struct engine_labels){label_items, n_labels > 0 ? 2 : 0};
	return NULL;
}

void engine_labels_done(struct engine_labels *labels)
{
	(void)labels;
}

fallible engine_import(struct engine *engine, const struct engine_import *request,
                       struct strings *ret)
{
	struct engine_progress p = {
		.item = "layer sha256:deb7", .done_bytes = 1024, .finished = true};
	engine->options.sink.progress(engine->options.sink.context, &p);
	engine->options.sink.warn(engine->options.sink.context, "a warning");
	if (engine->options.sink.debug)
		return error_new(ERROR_INVALID, "debug is on");
	strings_add(ret, BUSYBOX);
	if (request->base_name)
		strings_add(ret, request->base_name);
	for (size_t i = 0; i < request->n_labels; i++)
		strings_add(ret, request->labels[i]);
	return NULL;
}

fallible engine_export(struct engine *engine, const struct engine_export *request)
{
	(void)engine;
	return request->n_names == 1 ? NULL
	                             : error_new(ERROR_INVALID, "%zu names", request->n_names);
}

void engine_blobs_free(struct engine_blobs *blobs)
{
	(void)blobs;
}

fallible engine_content_list(struct engine *engine, struct engine_blobs **ret)
{
	static char digest[] = "sha256:5891";
	static struct engine_blob item = {.digest = digest, .size_bytes = 1031478};
	static struct engine_blobs blobs = {&item, 1};
	(void)engine;
	item.created_ns = INT64_MAX; // in the future: its age is always the same
	*ret = &blobs;
	return NULL;
}

fallible engine_content_open(struct engine *engine, const char *digest, int *ret_fd)
{
	(void)engine, (void)ret_fd;
	return error_new(ERROR_NOT_FOUND, "content digest %s: not found", digest);
}

fallible engine_content_remove(struct engine *engine, const char *digest)
{
	(void)engine;
	return *digest == 's' ? NULL : error_new(ERROR_INVALID, "invalid checksum digest format");
}

fallible engine_content_label(struct engine *engine, const char *digest, const char *const *labels,
                              size_t n_labels, struct engine_labels *ret)
{
	(void)engine, (void)digest, (void)labels;
	*ret = (struct engine_labels){label_items, n_labels > 0 ? 2 : 0};
	return NULL;
}

void engine_leases_free(struct engine_leases *leases)
{
	(void)leases;
}

fallible engine_lease_list(struct engine *engine, const char *const *filters, size_t n_filters,
                           struct engine_leases **ret)
{
	static char demo[] = "demo", l3[] = "l3";
	static struct engine_lease items[] = {
		{.id = demo, .expires_ns = INT64_C(86400000000000)},
		{.id = l3},
	};
	static struct engine_leases leases = {items, 2};
	(void)engine, (void)filters, (void)n_filters;
	*ret = &leases;
	return NULL;
}

fallible engine_lease_create(struct engine *engine, const char *id, int64_t life_ns,
                             const char *const *labels, size_t n_labels, char **ret_id)
{
	(void)engine, (void)life_ns, (void)labels, (void)n_labels;
	*ret_id = alloc_string(id ? id : "random");
	return NULL;
}

fallible engine_lease_remove(struct engine *engine, const char *id)
{
	(void)engine;
	return error_new(ERROR_NOT_FOUND, "lease \"%s\": not found", id);
}

fallible engine_login(struct engine *engine, const char *server,
                      const struct engine_registry *registry, bool *ret_plain)
{
	(void)engine, (void)server, (void)registry;
	*ret_plain = true;
	return NULL;
}

fallible engine_logout(struct engine *engine, const char *server, const char *docker_config)
{
	(void)engine, (void)docker_config;
	return error_new(ERROR_NOT_FOUND, "nobody is logged in at %s", server);
}

fallible engine_push(struct engine *engine, const struct engine_push *request)
{
	(void)engine;
	return *request->remote ? NULL : error_new(ERROR_INVALID, "no remote");
}

fallible engine_pull(struct engine *engine, const struct engine_pull *request, char **ret_name,
                     char **ret_chain)
{
	(void)engine;
	*ret_name = alloc_string(request->reference);
	*ret_chain = alloc_string("sha256:7991");
	return NULL;
}

static struct engine_node children[] = {
	{.media_type = (char *)OCI "config.v1+json",
         .digest = (char *)CONFIG,
         .size_bytes = 307,
         .content = (char *)"{\"os\":\"linux\",\"config\":{\"Cmd\":[\"/bin/sh\"]}}",
         .labels = {label_items, 1}},
	{.media_type = (char *)OCI "layer.v1.tar+gzip",
         .digest = (char *)LAYER,
         .size_bytes = 1031478,
         .is_missing = true},
};
static struct engine_image_tree tree = {
	.name = (char *)BUSYBOX,
	.created_ns = CREATED,
	.updated_ns = CREATED,
	.node = {.media_type = (char *)OCI "manifest.v1+json",
                 .digest = (char *)MANIFEST,
                 .size_bytes = 422,
                 .children = children,
                 .n_children = 2},
};

fallible engine_image_inspect(struct engine *engine, const char *name, bool content,
                              struct engine_image_tree **ret)
{
	(void)engine, (void)content;
	if (text_equal(name, "nosuch"))
		return image_not_found(name);
	*ret = &tree;
	return NULL;
}

void engine_image_tree_free(struct engine_image_tree *t)
{
	(void)t;
}

fallible engine_image_mount(struct engine *engine, const struct engine_mount_image *request,
                            char **ret_chain_id)
{
	(void)engine;
	if (request->rw)
		return error_new(ERROR_EXISTS, "snapshot \"%s\": already exists", request->target);
	*ret_chain_id = alloc_string(CHAIN);
	return NULL;
}

fallible engine_image_unmount(struct engine *engine, const char *target, bool remove,
                              const char *snapshotter)
{
	(void)engine, (void)target, (void)remove, (void)snapshotter;
	return NULL;
}

static struct engine_snapshot snapshot_items[] = {
	{.key = (char *)"c1", .parent = (char *)CHAIN, .kind = "Committed"},
	{.key = (char *)"s1", .parent = (char *)CHAIN, .kind = "Active"},
	{.key = (char *)"s2",
         .parent = (char *)"",
         .kind = "Active",
         .created_ns = CREATED,
         .updated_ns = CREATED,
         .labels = {label_items, 1}},
	{.key = (char *)CHAIN, .parent = (char *)"", .kind = "Committed"},
	{.key = (char *)"v1", .parent = (char *)"c1", .kind = "View"},
};
static struct engine_snapshots snapshots = {snapshot_items, 5},
			       one_snapshot = {snapshot_items + 2, 1};

fallible engine_snapshot_list(struct engine *engine, const char *snapshotter,
                              struct engine_snapshots **ret)
{
	(void)engine;
	if (text_equal(snapshotter, "nosuch"))
		return error_new(ERROR_INVALID, "snapshotter not loaded: nosuch: invalid argument");
	*ret = &snapshots;
	return NULL;
}

fallible engine_snapshot_info(struct engine *engine, const char *snapshotter, const char *key,
                              struct engine_snapshots **ret)
{
	(void)engine, (void)snapshotter, (void)key;
	*ret = &one_snapshot;
	return NULL;
}

void engine_snapshots_free(struct engine_snapshots *s)
{
	(void)s;
}

static char *option_items[] = {(char *)"workdir=/var/lib/coracle/snapshots/overlayfs/7/work",
                               (char *)"index=off", NULL};
static struct engine_mount mount_items[] = {
	{(char *)"overlay", (char *)"overlay", NULL, {option_items, 2, 3}}};
static struct engine_mounts mounts = {mount_items, 1};

fallible engine_snapshot_prepare(struct engine *engine, const char *snapshotter, const char *key,
                                 const char *parent, bool view, struct engine_mounts **ret)
{
	(void)engine, (void)snapshotter, (void)key, (void)parent, (void)view;
	*ret = &mounts;
	return NULL;
}

fallible engine_snapshot_mounts(struct engine *engine, const char *snapshotter, const char *key,
                                struct engine_mounts **ret)
{
	(void)engine, (void)snapshotter, (void)key;
	*ret = &mounts;
	return NULL;
}

void engine_mounts_free(struct engine_mounts *m)
{
	(void)m;
}

fallible engine_snapshot_commit(struct engine *engine, const char *snapshotter, const char *key,
                                const char *active)
{
	(void)engine, (void)snapshotter, (void)active;
	return error_new(ERROR_EXISTS, "snapshot \"%s\": already exists", key);
}

fallible engine_snapshot_remove(struct engine *engine, const char *snapshotter, const char *key)
{
	(void)engine, (void)snapshotter;
	if (text_equal(key, "c1"))
		return error_new(ERROR_BUSY,
		                 "cannot remove snapshot with child: failed precondition");
	return NULL;
}

fallible engine_snapshot_usage(struct engine *engine, const char *snapshotter, const char *key,
                               uint64_t *ret_bytes, uint64_t *ret_inodes)
{
	(void)engine, (void)snapshotter, (void)key;
	*ret_bytes = 8192;
	*ret_inodes = 2;
	return NULL;
}

fallible engine_snapshot_label(struct engine *engine, const char *snapshotter, const char *key,
                               const char *const *labels, size_t n_labels,
                               struct engine_labels *ret)
{
	(void)snapshotter;
	return engine_image_label(engine, key, labels, n_labels, false, ret);
}

fallible engine_snapshot_unpack(struct engine *engine, const char *snapshotter, const char *digest,
                                char **ret_chain_id)
{
	(void)engine, (void)snapshotter, (void)digest;
	*ret_chain_id = alloc_string(CHAIN);
	return NULL;
}

static void say_texts(const char *name, const struct spec_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		printf(" %s=%s", name, texts->items[i]);
}

static void say_text(const char *name, const char *text)
{
	if (text)
		printf(" %s=%s", name, text);
}

// Prints what arrived, for the test to compare.
static void say_request(const struct engine_run *r)
{
	const struct spec_request *spec = r->spec;
	say_text("image", r->image);
	say_text("id", r->id);
	say_text("config", r->config);
	say_texts("arg", &spec->args);
	say_texts("env", &spec->env);
	say_texts("volume", &spec->volumes);
	say_texts("mount", &spec->mounts);
	say_texts("label", &spec->labels);
	say_text("cwd", spec->cwd);
	say_text("user", spec->user);
	say_text("cgroup", r->cgroup);
	say_text("snapshotter", r->snapshotter);
	printf("%s%s%s%s%s", r->remove ? " rm" : "", r->cni ? " cni" : "",
	       spec->privileged ? " privileged" : "", spec->no_seccomp ? " no-seccomp" : "",
	       spec->cap_prefix_required ? " as-ctr" : "");
	if (spec->cpu_shares.set)
		printf(" shares=%d", (int)spec->cpu_shares.value);
	if (spec->memory_limit)
		printf(" memory=%d", (int)spec->memory_limit);
	printf(" stdio=%d,%d,%d\n", r->stdio[0], r->stdio[1], r->stdio[2]);
}

fallible engine_run(struct engine *engine, const struct engine_run *request, int *ret_exit_code)
{
	(void)engine;
	if (request->image && text_equal(request->image, "nosuch"))
		return image_not_found(request->image);
	if (request->spec->args.n > 0 && text_equal(request->spec->args.items[0], "nosuch"))
		return error_new(ERROR_NO_PROGRAM, "exec: \"nosuch\": executable file not found in "
		                                   "$PATH");
	say_request(request);
	*ret_exit_code = 137;
	return NULL;
}

fallible engine_spec(struct engine *engine, const struct engine_run *request, char **ret)
{
	(void)engine, (void)request;
	*ret = alloc_string("{\"ociVersion\":\"1.2.1\"}");
	return NULL;
}

static struct engine_container container_items[] = {
	{.id = (char *)"demo",
         .image = (char *)BUSYBOX,
         .runtime = (char *)"io.containerd.runc.v2",
         .snapshotter = (char *)"overlayfs",
         .snapshot_key = (char *)"demo",
         .labels = {label_items, 1},
         .created_ns = CREATED,
         .updated_ns = CREATED,
         .spec = (char *)"{\"ociVersion\":\"1.2.1\"}",
         .cni = (char *)"{\"EnableCni\":true}",
         .status = "RUNNING",
         .pid = 24979,
         .command = (char *)"sleep 100"},
	{.id = (char *)"own", .runtime = (char *)"x", .spec = (char *)"{}"},
};
static struct engine_containers containers = {container_items, 2};

fallible engine_container_list(struct engine *engine, const char *const *filters, size_t n_filters,
                               struct engine_containers **ret)
{
	(void)engine, (void)filters, (void)n_filters;
	*ret = &containers;
	return NULL;
}

static struct error *container_not_found(const char *id)
{
	return error_new(ERROR_NOT_FOUND, "container \"%s\" in namespace \"default\": not found",
	                 id);
}

fallible engine_container_info(struct engine *engine, const char *id,
                               struct engine_containers **ret)
{
	(void)engine;
	if (text_equal(id, "nosuch"))
		return container_not_found(id);
	*ret = &containers;
	return NULL;
}

void engine_containers_free(struct engine_containers *c)
{
	(void)c;
}

fallible engine_container_remove(struct engine *engine, const char *id, bool keep_snapshot,
                                 bool force)
{
	(void)engine, (void)keep_snapshot, (void)force;
	return text_equal(id, "demo") ? NULL : container_not_found(id);
}

fallible engine_container_label(struct engine *engine, const char *id, const char *const *labels,
                                size_t n_labels, struct engine_labels *ret)
{
	return engine_image_label(engine, id, labels, n_labels, false, ret);
}

fallible engine_task_kill(struct engine *engine, const char *id, const char *exec_id,
                          const char *signal, bool all)
{
	(void)engine, (void)exec_id;
	printf("kill %s %s%s\n", id, signal ? signal : "-", all ? " all" : "");
	return NULL;
}

fallible engine_container_create(struct engine *engine, const struct engine_run *request)
{
	(void)engine;
	say_request(request);
	return NULL;
}

fallible engine_task_start(struct engine *engine, const struct engine_run *request, bool replace,
                           int *ret_exit_code)
{
	(void)engine;
	printf("start %s%s%s\n", request->id, request->detach ? " detach" : "",
	       replace ? " replace" : "");
	*ret_exit_code = 0;
	return NULL;
}

fallible engine_copy(struct engine *engine, const struct engine_copy *request)
{
	(void)engine;
	printf("copy %s %s %s%s\n", request->id, request->container_path, request->host_path,
	       request->is_into ? " into" : "");
	return NULL;
}

fallible engine_task_attach(struct engine *engine, const struct engine_attach *request,
                            int *ret_exit_code)
{
	(void)engine;
	printf("attach %s %s\n", request->id, request->detach_keys);
	*ret_exit_code = 4;
	return NULL;
}

fallible engine_task_stop(struct engine *engine, const char *id, const char *signal,
                          int64_t timeout_ms)
{
	(void)engine;
	printf("stop %s %s %d\n", id, signal ? signal : "-", (int)timeout_ms);
	return NULL;
}

fallible engine_task_wait(struct engine *engine, const char *id, int *ret_exit_code)
{
	(void)engine, (void)id;
	*ret_exit_code = 5;
	return NULL;
}

fallible engine_task_remove(struct engine *engine, const char *id, const char *exec_id, bool force,
                            int *ret_exit_code)
{
	(void)engine, (void)exec_id, (void)force;
	*ret_exit_code = 137;
	return text_equal(id, "demo") ? NULL : container_not_found(id);
}

fallible engine_task_pause(struct engine *engine, const char *id)
{
	(void)engine, (void)id;
	return NULL;
}

fallible engine_task_resume(struct engine *engine, const char *id)
{
	(void)engine, (void)id;
	return NULL;
}

static struct engine_process process_items[] = {{.pid = 24979},
                                                {.pid = 25286, .exec_id = (char *)"bg"}};
static struct engine_processes processes = {process_items, 2};

fallible engine_task_processes(struct engine *engine, const char *id, struct engine_processes **ret)
{
	(void)engine, (void)id;
	*ret = &processes;
	return NULL;
}

void engine_processes_free(struct engine_processes *p)
{
	(void)p;
}

fallible engine_task_metrics(struct engine *engine, const char *id, struct engine_metrics *ret)
{
	(void)engine, (void)id;
	*ret = (struct engine_metrics){.has_pids = true, .pids = 1, .pids_limit = UINT64_MAX};
	return NULL;
}

fallible engine_exec(struct engine *engine, const struct engine_exec *request, int *ret_exit_code)
{
	(void)engine;
	printf("exec %s", request->id);
	say_text("exec-id", request->exec_id);
	say_text("user", request->user);
	for (size_t i = 0; request->args[i]; i++)
		say_text("arg", request->args[i]);
	printf("%s stdio=%d\n", request->detach ? " detach" : "", request->stdio[0]);
	*ret_exit_code = 3;
	return NULL;
}

fallible engine_logs(struct engine *engine, const struct engine_logs *request)
{
	(void)engine;
	printf("logs %s tail=%d%s\n", request->id, (int)request->tail,
	       request->follow ? " follow" : "");
	return NULL;
}

static struct engine_namespace namespace_items[] = {
	{(char *)"default", {NULL, 0}},
	{(char *)"foo", {label_items, 1}},
};
static struct engine_namespaces namespaces = {namespace_items, 2};

fallible engine_namespace_list(struct engine *engine, struct engine_namespaces **ret)
{
	(void)engine;
	*ret = &namespaces;
	return NULL;
}

void engine_namespaces_free(struct engine_namespaces *n)
{
	(void)n;
}

fallible engine_namespace_create(struct engine *engine, const char *name, const char *const *labels,
                                 size_t n_labels)
{
	(void)engine, (void)labels, (void)n_labels;
	return error_new(ERROR_EXISTS, "namespace \"%s\": already exists", name);
}

fallible engine_namespace_remove(struct engine *engine, const char *name)
{
	(void)engine;
	if (text_equal(name, "gone"))
		return error_new(ERROR_NOT_FOUND, "namespace \"gone\": not found");
	if (text_equal(name, "full"))
		return error_new(ERROR_BUSY, "namespace \"full\" must be empty");
	return NULL;
}

fallible engine_namespace_label(struct engine *engine, const char *name, const char *const *labels,
                                size_t n_labels)
{
	(void)engine, (void)name, (void)labels, (void)n_labels;
	return NULL;
}

static struct engine_garbage garbage_items[] = {
	{(char *)"snapshot", (char *)"s9", (char *)"its owner is dead", 8192}};
static struct engine_garbage_list garbage = {garbage_items, 1};

fallible engine_gc(struct engine *engine, bool dry_run, bool partials,
                   struct engine_garbage_list **ret)
{
	(void)engine, (void)dry_run, (void)partials;
	*ret = &garbage;
	return NULL;
}

void engine_garbage_free(struct engine_garbage_list *g)
{
	(void)g;
}

static struct engine_info info = {(char *)"0", (char *)"/r",  (char *)"/s", (char *)"u",
                                  (char *)"6", (char *)"8.0", {0}};

fallible engine_info(struct engine *engine, struct engine_info **ret)
{
	(void)engine;
	*ret = &info;
	return NULL;
}

void engine_info_free(struct engine_info *i)
{
	(void)i;
}

fallible engine_make_windows_template(void)
{
	return NULL;
}

fallible engine_clean_up(struct engine *engine, const char *id, uint64_t instance)
{
	(void)engine;
	printf("clean %s %llx\n", id, (unsigned long long)instance);
	return NULL;
}

fallible engine_create_windows_base(struct engine *engine,
                                    const struct engine_windows_base *request, char **ret_name)
{
	(void)engine;
	*ret_name = alloc_string(request->name);
	return NULL;
}

fallible engine_add_windows_layer(struct engine *engine, const struct engine_windows_layer *request,
                                  char **ret_name)
{
	(void)engine;
	*ret_name = alloc_string(request->name);
	return NULL;
}

void engine_networks_free(struct engine_networks *networks)
{
	free(networks);
}

fallible engine_network_list(struct engine *engine, struct engine_networks **ret)
{
	(void)engine;
	*ret = alloc(sizeof(**ret));
	return NULL;
}

fallible engine_commit(struct engine *engine, const struct engine_commit *request,
                       char **ret_digest)
{
	(void)engine;
	(void)request;
	*ret_digest = alloc_string("sha256:1");
	return NULL;
}

fallible engine_snapshot_diff(struct engine *engine, const struct engine_diff *request)
{
	(void)engine;
	(void)request;
	return NULL;
}

fallible engine_image_prune(struct engine *engine, struct strings *ret)
{
	(void)engine;
	(void)ret;
	return NULL;
}

fallible engine_image_snapshots(struct engine *engine, const char *snapshotter, const char *name,
                                struct strings *ret)
{
	(void)engine;
	(void)snapshotter;
	(void)name;
	(void)ret;
	return NULL;
}

fallible engine_content_ingest(struct engine *engine, const struct engine_ingest *request,
                               char **ret_digest)
{
	(void)engine;
	(void)request;
	*ret_digest = alloc_string("sha256:1");
	return NULL;
}

fallible engine_content_active(struct engine *engine, const char *pattern,
                               struct engine_ingests **ret)
{
	(void)engine;
	(void)pattern;
	*ret = alloc(sizeof(**ret));
	return NULL;
}

void engine_ingests_free(struct engine_ingests *l)
{
	free(l);
}

fallible engine_content_edit(struct engine *engine, const char *digest, const char *editor,
                             char **ret_digest)
{
	(void)engine;
	(void)digest;
	(void)editor;
	*ret_digest = alloc_string("sha256:1");
	return NULL;
}

fallible engine_image_convert(struct engine *engine, const struct engine_convert *request,
                              char **ret_digest)
{
	(void)engine;
	(void)request;
	*ret_digest = alloc_string("sha256:1");
	return NULL;
}

fallible engine_fetch_object(struct engine *engine, const struct engine_object *request)
{
	(void)engine;
	(void)request;
	return NULL;
}

fallible engine_content_prune(struct engine *engine, bool dry, struct strings *ret)
{
	(void)engine;
	(void)dry;
	(void)ret;
	return NULL;
}
