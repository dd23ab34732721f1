// SPDX-License-Identifier: Apache-2.0
// The spec of a Windows image, as ctr on Windows makes it (cmd/ctr/commands/run/run_windows.go,
// pkg/oci). What Linux makes of it is windows/translate.c's.
#include "engine/spec_private.h"
#include "windows/windows.h"
#include <ctype.h>
#include <string.h>

// A command replaces Entrypoint and Cmd both, as ctr does. ArgsEscaped: the first is a command
// line.
static fallible apply_command(struct oci_spec *spec, const struct spec_request *r,
                              const struct oci_image_config *image)
{
	struct oci_strings *args = &spec->process.args;
	if (r->entrypoint)
		oci_spec_add_string(spec, args, r->entrypoint);
	for (size_t i = 0; i < r->args.n; i++)
		oci_spec_add_string(spec, args, r->args.items[i]);
	if (args->n)
		return NULL;
	for (size_t i = 0; i < image->n_entrypoint; i++)
		oci_spec_add_string(spec, args, image->entrypoint[i]);
	for (size_t i = 0; i < image->n_cmd; i++)
		oci_spec_add_string(spec, args, image->cmd[i]);
	if (!args->n)
		return error_new(ERROR_INVALID, "no arguments specified");
	if (!image->args_escaped)
		return NULL;
	auto_free char *rest =
		windows_join_arguments((const char *const *)args->items + 1, args->n - 1);
	auto_free char *line = alloc_printf("%s%s%s", args->items[0], args->n > 1 ? " " : "", rest);
	spec->process.command_line = oci_spec_string(spec, line);
	args->n = 0;
	return NULL;
}

static fallible apply_environment(struct oci_spec *spec, const struct spec_request *r,
                                  const struct spec_source *source)
{
	struct spec_source windows = *source;
	if (!source->image->n_env) // no path of Linux' then
		windows.image = NULL;
	return spec_apply_env(spec, r, &windows);
}

// The list's reader makes destinations of Linux of them: "/C:\data".
static fallible apply_mounts(struct oci_spec *spec, const struct spec_request *r)
{
	TRY(spec_apply_mounts(spec, r));
	for (size_t i = 0; i < spec->mounts.n; i++) {
		char **d = &spec->mounts.items[i].destination;
		if ((*d)[0] == '/' && isalpha((unsigned char)(*d)[1]) && (*d)[2] == ':')
			(*d)++;
	}
	return NULL;
}

static void apply_windows(struct oci_spec *spec, const struct spec_request *r)
{
	struct oci_windows *w = &spec->windows;
	w->present = true;
	w->ignore_flushes_during_boot = true;
	w->network.present = w->network.allow_unqualified_dns_query = true;
	if (!r->memory_limit)
		return;
	struct json *memory = json_new_object();
	json_set_u64(memory, "limit", r->memory_limit);
	w->resources = json_new_object();
	json_set(w->resources, "memory", memory);
}

static fallible check_flags(const struct spec_request *r)
{
	const struct {
		bool is_given;
		const char *flag;
	} of_linux[] = {
		{r->tmpfs.n, "tmpfs"}, {r->ulimits.n, "ulimit"}, {r->shm_size_bytes, "shm-size"}};
	for (size_t i = 0; i < sizeof(of_linux) / sizeof(*of_linux); i++)
		if (of_linux[i].is_given)
			return error_new(ERROR_UNSUPPORTED, "--%s is not for Windows images",
			                 of_linux[i].flag);
	return NULL;
}

fallible spec_make_windows(const struct spec_request *r, const struct spec_source *source,
                           struct oci_spec **ret)
{
	TRY(check_flags(r));
	auto_oci_spec struct oci_spec *spec = oci_spec_new();
	const struct oci_image_config *image = source->image;
	spec->root.present = true;
	spec->root.path = oci_spec_string(spec, "");
	const char *cwd = r->cwd && *r->cwd     ? r->cwd
	                  : *image->working_dir ? image->working_dir
	                                        : "C:\\";
	spec->process.cwd = oci_spec_string(spec, cwd);
	const char *user = r->user && *r->user ? r->user : image->user;
	spec->process.user.username = *user ? oci_spec_string(spec, user) : NULL;
	TRY(apply_command(spec, r, image));
	TRY(apply_environment(spec, r, source));
	TRY(apply_mounts(spec, r));
	TRY(spec_apply_annotations(spec, r));
	if (r->hostname && *r->hostname)
		spec->hostname = oci_spec_string(spec, r->hostname);
	spec->process.terminal = r->tty;
	spec->root.readonly = r->read_only;
	apply_windows(spec, r);
	*ret = take(&spec);
	return NULL;
}
