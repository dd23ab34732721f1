// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
fallible images_check(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_import(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_inspect(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_list(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_mount(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_unmount(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_delete(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_tag(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible images_label(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_commit(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_info(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_list(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_mounts(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_prepare(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_delete(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_label(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_tree(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_unpack(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_usage(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible snapshots_view(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible containers_delete(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible containers_info(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible containers_list(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible containers_label(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible tasks_list(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible tasks_kill(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible system_version(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible system_info(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible system_ps(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible system_gc(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible namespaces_create(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible namespaces_list(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible namespaces_remove(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible namespaces_label(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible run_run(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible run_spec(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible build_man(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible build_completion(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
fallible build_compatibility(struct invocation *in)
{
	(void)in;
	return error_new(ERROR_UNSUPPORTED, "not written yet");
}
