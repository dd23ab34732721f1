// SPDX-License-Identifier: Apache-2.0
// One attachment under way: what ADD, DEL and CHECK share. Private to network/.
#pragma once
#include "network/config.h"
#include "network/owner.h"
#include "network/plugins/plugin.h"
#include "network/result.h"

struct attachment {
	const struct network_paths *paths;
	const struct network_attachment *request;
	const struct network_config *config;
	const char *ifname;
	char *container_id, *netns_path, *owner;
	const char *netns; // netns_path, or "" if it is gone
	int netns_fd;      // -1 if it is gone; borrowed or opened_fd
	int opened_fd;
	uint64_t netns_inode;
	struct json *capabilities;
};
void attachment_done(struct attachment *a);
#define auto_attachment defer(attachment_done)

// Checks the request's names, fills everything but config and namespace.
fallible attachment_init(const struct network_paths *paths, const struct network_attachment *r,
                         struct attachment *ret);
const char *attachment_ifname(const struct network_attachment *r);

typedef struct error *attachment_verb(const struct plugin_call *c, void *context);
// Calls plugin `i` of the list: builds its configuration and names it in the error. `verb_name`
// is "add", "delete", "check".
fallible attachment_call(const struct attachment *a, size_t i,
                         const struct network_result *previous, const char *verb_name,
                         attachment_verb *verb, void *context);

// --- cache.c: libcni's record of the result, CACHE_DIR/<network>-<container id>-<interface>
fallible cache_write(const struct attachment *a, const struct network_result *result);
// *ret is NULL if there is none or it can't be read.
fallible cache_read(const struct attachment *a, struct network_result **ret);
fallible cache_remove(const struct attachment *a);
