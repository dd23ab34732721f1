// SPDX-License-Identifier: Apache-2.0
// Role `config`: a foreign image config becomes that of an image on top of its own.
#include "oci/image.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <string.h>

fallible worker_config(const struct json *request, struct worker_result *ret)
{
	struct confine_role role = {.file_size_max = ANSWER_SIZE_MAX};
	auto_arena struct arena *arena = arena_new();
	auto_free char *foreign = NULL, *child = NULL;
	struct oci_image_config config;
	size_t size;
	int landlock;
	TRY(confine_begin(&role, &landlock));
	TRY(confine_end(CONFINE_READS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	auto_free char *normal = json_to_text(json_member(request, "config"), 0, JSON_PLAIN);
	TRY_AS(oci_config_read(normal, strlen(normal), arena, &config), "request");
	TRY_AS(fd_read_to_end(WORKER_INPUT, OCI_CONFIG_SIZE_LIMIT, &foreign, &size), "config");
	TRY(oci_config_child(foreign, size, &config, json_member(request, "entry"), &child));
	*ret = (struct worker_result){.bytes = strlen(child)};
	return fd_write_all(WORKER_ANSWER, child, strlen(child));
}
