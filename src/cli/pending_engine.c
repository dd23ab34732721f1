// SPDX-License-Identifier: Apache-2.0
// Stands in for calls of engine's that are not there yet; weak, so that the real ones win when
// the engine is linked whole. To be deleted with the last of them.
#include "engine/engine.h"

__attribute__((weak)) fallible engine_open(const struct engine_options *options,
                                           struct engine **ret)
{
	(void)options;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_open is not written yet");
}

__attribute__((weak)) void engine_close(struct engine *engine)
{
	(void)engine;
}

__attribute__((weak)) fallible
engine_import(struct engine *engine, const struct engine_import *request, struct strings *ret)
{
	(void)engine;
	(void)request;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_import is not written yet");
}

__attribute__((weak)) void engine_images_free(struct engine_images *images)
{
	(void)images;
}

__attribute__((weak)) fallible engine_image_list(struct engine *engine, const char *const *filters,
                                                 size_t n_filters, bool check,
                                                 const char *snapshotter,
                                                 struct engine_images **ret)
{
	(void)engine;
	(void)filters;
	(void)n_filters;
	(void)check;
	(void)snapshotter;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_image_list is not written yet");
}

__attribute__((weak)) fallible engine_image_remove(struct engine *engine, const char *name)
{
	(void)engine;
	(void)name;
	return error_new(ERROR_UNSUPPORTED, "engine_image_remove is not written yet");
}

__attribute__((weak)) fallible engine_image_tag(struct engine *engine, const char *source,
                                                const char *target, bool force)
{
	(void)engine;
	(void)source;
	(void)target;
	(void)force;
	return error_new(ERROR_UNSUPPORTED, "engine_image_tag is not written yet");
}

__attribute__((weak)) fallible engine_image_label(struct engine *engine, const char *name,
                                                  const char *const *labels, size_t n_labels,
                                                  bool replace_all, struct engine_labels *ret)
{
	(void)engine;
	(void)name;
	(void)labels;
	(void)n_labels;
	(void)replace_all;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_image_label is not written yet");
}

__attribute__((weak)) void engine_labels_done(struct engine_labels *labels)
{
	(void)labels;
}

__attribute__((weak)) fallible engine_image_inspect(struct engine *engine, const char *name,
                                                    bool content, struct engine_image_tree **ret)
{
	(void)engine;
	(void)name;
	(void)content;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_image_inspect is not written yet");
}

__attribute__((weak)) void engine_image_tree_free(struct engine_image_tree *tree)
{
	(void)tree;
}

__attribute__((weak)) fallible engine_image_mount(struct engine *engine,
                                                  const struct engine_mount_image *request,
                                                  char **ret_chain_id)
{
	(void)engine;
	(void)request;
	(void)ret_chain_id;
	return error_new(ERROR_UNSUPPORTED, "engine_image_mount is not written yet");
}

__attribute__((weak)) fallible engine_image_unmount(struct engine *engine, const char *target,
                                                    bool remove, const char *snapshotter)
{
	(void)engine;
	(void)target;
	(void)remove;
	(void)snapshotter;
	return error_new(ERROR_UNSUPPORTED, "engine_image_unmount is not written yet");
}

__attribute__((weak)) void engine_snapshots_free(struct engine_snapshots *snapshots)
{
	(void)snapshots;
}

__attribute__((weak)) fallible engine_snapshot_list(struct engine *engine, const char *snapshotter,
                                                    struct engine_snapshots **ret)
{
	(void)engine;
	(void)snapshotter;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_list is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_info(struct engine *engine, const char *snapshotter,
                                                    const char *key, struct engine_snapshots **ret)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_info is not written yet");
}

__attribute__((weak)) void engine_mounts_free(struct engine_mounts *mounts)
{
	(void)mounts;
}

__attribute__((weak)) fallible engine_snapshot_prepare(struct engine *engine,
                                                       const char *snapshotter, const char *key,
                                                       const char *parent, bool view,
                                                       struct engine_mounts **ret)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	(void)parent;
	(void)view;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_prepare is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_commit(struct engine *engine,
                                                      const char *snapshotter, const char *key,
                                                      const char *active)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	(void)active;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_commit is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_mounts(struct engine *engine,
                                                      const char *snapshotter, const char *key,
                                                      struct engine_mounts **ret)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_mounts is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_remove(struct engine *engine,
                                                      const char *snapshotter, const char *key)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_remove is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_usage(struct engine *engine, const char *snapshotter,
                                                     const char *key, uint64_t *ret_bytes,
                                                     uint64_t *ret_inodes)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	(void)ret_bytes;
	(void)ret_inodes;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_usage is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_label(struct engine *engine, const char *snapshotter,
                                                     const char *key, const char *const *labels,
                                                     size_t n_labels, struct engine_labels *ret)
{
	(void)engine;
	(void)snapshotter;
	(void)key;
	(void)labels;
	(void)n_labels;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_label is not written yet");
}

__attribute__((weak)) fallible engine_snapshot_unpack(struct engine *engine,
                                                      const char *snapshotter, const char *digest,
                                                      char **ret_chain_id)
{
	(void)engine;
	(void)snapshotter;
	(void)digest;
	(void)ret_chain_id;
	return error_new(ERROR_UNSUPPORTED, "engine_snapshot_unpack is not written yet");
}

__attribute__((weak)) fallible engine_run(struct engine *engine, const struct engine_run *request,
                                          int *ret_exit_code)
{
	(void)engine;
	(void)request;
	(void)ret_exit_code;
	return error_new(ERROR_UNSUPPORTED, "engine_run is not written yet");
}

__attribute__((weak)) fallible engine_spec(struct engine *engine, const struct engine_run *request,
                                           char **ret)
{
	(void)engine;
	(void)request;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_spec is not written yet");
}

__attribute__((weak)) fallible engine_clean_up(struct engine *engine, const char *id,
                                               uint64_t instance)
{
	(void)engine;
	(void)id;
	(void)instance;
	return error_new(ERROR_UNSUPPORTED, "engine_clean_up is not written yet");
}

__attribute__((weak)) void engine_containers_free(struct engine_containers *containers)
{
	(void)containers;
}

__attribute__((weak)) fallible engine_container_list(struct engine *engine,
                                                     const char *const *filters, size_t n_filters,
                                                     struct engine_containers **ret)
{
	(void)engine;
	(void)filters;
	(void)n_filters;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_container_list is not written yet");
}

__attribute__((weak)) fallible engine_container_info(struct engine *engine, const char *id,
                                                     struct engine_containers **ret)
{
	(void)engine;
	(void)id;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_container_info is not written yet");
}

__attribute__((weak)) fallible engine_container_remove(struct engine *engine, const char *id,
                                                       bool keep_snapshot, bool force)
{
	(void)engine;
	(void)id;
	(void)keep_snapshot;
	(void)force;
	return error_new(ERROR_UNSUPPORTED, "engine_container_remove is not written yet");
}

__attribute__((weak)) fallible engine_container_label(struct engine *engine, const char *id,
                                                      const char *const *labels, size_t n_labels,
                                                      struct engine_labels *ret)
{
	(void)engine;
	(void)id;
	(void)labels;
	(void)n_labels;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_container_label is not written yet");
}

__attribute__((weak)) fallible engine_task_kill(struct engine *engine, const char *id,
                                                const char *signal, bool all)
{
	(void)engine;
	(void)id;
	(void)signal;
	(void)all;
	return error_new(ERROR_UNSUPPORTED, "engine_task_kill is not written yet");
}

__attribute__((weak)) void engine_namespaces_free(struct engine_namespaces *namespaces)
{
	(void)namespaces;
}

__attribute__((weak)) fallible engine_namespace_list(struct engine *engine,
                                                     struct engine_namespaces **ret)
{
	(void)engine;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_namespace_list is not written yet");
}

__attribute__((weak)) fallible engine_namespace_create(struct engine *engine, const char *name,
                                                       const char *const *labels, size_t n_labels)
{
	(void)engine;
	(void)name;
	(void)labels;
	(void)n_labels;
	return error_new(ERROR_UNSUPPORTED, "engine_namespace_create is not written yet");
}

__attribute__((weak)) fallible engine_namespace_remove(struct engine *engine, const char *name)
{
	(void)engine;
	(void)name;
	return error_new(ERROR_UNSUPPORTED, "engine_namespace_remove is not written yet");
}

__attribute__((weak)) fallible engine_namespace_label(struct engine *engine, const char *name,
                                                      const char *const *labels, size_t n_labels)
{
	(void)engine;
	(void)name;
	(void)labels;
	(void)n_labels;
	return error_new(ERROR_UNSUPPORTED, "engine_namespace_label is not written yet");
}

__attribute__((weak)) void engine_garbage_free(struct engine_garbage_list *garbage)
{
	(void)garbage;
}

__attribute__((weak)) fallible engine_gc(struct engine *engine, bool dry_run,
                                         struct engine_garbage_list **ret)
{
	(void)engine;
	(void)dry_run;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_gc is not written yet");
}

__attribute__((weak)) fallible engine_network_check(struct engine *engine, char **ret_file)
{
	(void)engine;
	(void)ret_file;
	return error_new(ERROR_UNSUPPORTED, "engine_network_check is not written yet");
}

__attribute__((weak)) fallible engine_info(struct engine *engine, struct engine_info **ret)
{
	(void)engine;
	(void)ret;
	return error_new(ERROR_UNSUPPORTED, "engine_info is not written yet");
}

__attribute__((weak)) void engine_info_free(struct engine_info *info)
{
	(void)info;
}
