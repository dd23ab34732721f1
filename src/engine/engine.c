// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"
#include "engine/life.h"
#include "engine/private.h"
#include "sys/process.h"
#include "windows/windows.h"
#include <sys/utsname.h>
#include <unistd.h>

static char *copy(const char *s)
{
	return s ? alloc_string(s) : NULL;
}

fallible engine_open(const struct engine_options *o, struct engine **ret)
{
	const char *ns = o->ns ? o->ns : "default";
	if (!*ns)
		return error_new(ERROR_INVALID, "namespace is required: failed precondition");
	TRY_AS(store_check_id(ns), "namespace validation");
	struct engine *e = alloc(sizeof(*e));
	*e = (struct engine){
		.root = copy(o->root),
		.state = copy(o->state),
		.ns = alloc_string(ns),
		.snapshotter = copy(o->snapshotter),
		.cni_conf_dir = copy(o->cni_conf_dir),
		.sink = o->sink,
		.stop_fd = -1,
		.interrupt_fd = -1,
	};
	for (const char *const *dir = o->cni_plugin_dirs; dir && *dir; dir++)
		strings_add(&e->cni_plugin_dirs, *dir);
	*ret = e;
	return NULL;
}

void engine_close(struct engine *e)
{
	if (!e)
		return;
	life_part(e);
	store_close(e->store);
	free(e->root);
	free(e->state);
	free(e->ns);
	free(e->snapshotter);
	free(e->cni_conf_dir);
	strings_done(&e->cni_plugin_dirs);
	free(e);
}

fallible engine_store(struct engine *e, struct store **ret)
{
	struct store_options o = {.root = e->root, .state = e->state};
	struct error *error = e->store ? NULL : store_open(&o, &e->store);
	if (error && geteuid() != 0)
		return error_hint(error, "coracle needs root: sudo coracle ...");
	TRY(error);
	*ret = e->store;
	return NULL;
}

void engine_warn(const struct engine *e, const char *format, ...)
{
	if (!e->sink.warn)
		return;
	va_list args;
	va_start(args, format);
	auto_free char *line = alloc_vprintf(format, args);
	va_end(args);
	e->sink.warn(e->sink.context, line);
}

void engine_debug(const struct engine *e, const char *format, ...)
{
	if (!e->sink.debug)
		return;
	va_list args;
	va_start(args, format);
	auto_free char *line = alloc_vprintf(format, args);
	va_end(args);
	e->sink.debug(e->sink.context, line);
}

void engine_progress(const struct engine *e, const struct engine_progress *progress)
{
	if (e->sink.progress)
		e->sink.progress(e->sink.context, progress);
}

fallible engine_snapshots(struct engine *e, const char *snapshotter, struct snapshots **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	return snapshots_open(store, e->ns, snapshotter ? snapshotter : e->snapshotter, ret);
}

fallible engine_program(const char *name, char **ret)
{
	auto_free char *dir = NULL;
	TRY(process_libexec(&dir));
	*ret = alloc_printf("%s/%s", dir, name);
	return NULL;
}

static void worker_progress(void *arg, const struct transfer_progress *p)
{
	struct engine_progress progress = {
		.item = p->item,
		.item_i = p->item_i,
		.n_items = p->n_items,
		.done_bytes = p->done_bytes,
		.total_bytes = p->total_bytes,
	};
	engine_progress(arg, &progress);
}

static void worker_warn(void *arg, const char *line)
{
	engine_warn(arg, "%s", line);
}

static void worker_debug(void *arg, const char *line)
{
	engine_debug(arg, "worker: %s", line);
}

fallible engine_transfer(struct engine *e, struct transfer *ret, char **ret_program)
{
	TRY(engine_program("coracle-transfer", ret_program));
	*ret = (struct transfer){
		.program = *ret_program,
		.progress = worker_progress,
		.warn = worker_warn,
		.debug = worker_debug,
		.arg = e,
		.stop_fd = e->stop_fd,
	};
	return NULL;
}

struct network_paths engine_network_paths(const struct engine *e)
{
	return (struct network_paths){
		.conf_dir = e->cni_conf_dir,
		.plugin_dirs =
			e->cni_plugin_dirs.n ? (const char *const *)e->cni_plugin_dirs.items : NULL,
	};
}

fallible engine_info(struct engine *e, struct engine_info **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	struct utsname u;
	if (uname(&u) < 0)
		FAIL_ERRNO("uname");
	struct engine_info *info = alloc(sizeof(*info));
	*info = (struct engine_info){
		.version = alloc_string(CORACLE_VERSION),
		.root = alloc_string(store_root(store)),
		.state = alloc_string(store_state(store)),
		.store_id = alloc_string(store_id(store)),
		.kernel = alloc_string(u.release),
	};
	auto_windows_wine struct windows_wine wine = {0};
	struct error *none = windows_look_at_wine(&wine);
	error_drop(&none); // said by `wine` being NULL
	info->wine = take(&wine.version);
	info->wine_is_unlike = wine.differences;
	wine.differences = (struct strings){0};
	*ret = info;
	return NULL;
}

void engine_info_free(struct engine_info *info)
{
	if (!info)
		return;
	free(info->version);
	free(info->root);
	free(info->state);
	free(info->store_id);
	free(info->kernel);
	free(info->wine);
	strings_done(&info->wine_is_unlike);
	free(info);
}
