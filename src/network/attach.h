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
	struct later *later; // where DEL puts what needn't be waited for
};
void attachment_done(struct attachment *a);
#define auto_attachment defer(attachment_done)

// Checks the request's names, fills everything but config and namespace.
fallible attachment_init(const struct network_paths *paths, const struct network_attachment *r,
                         struct attachment *ret);
// Opens the namespace: the request's, else the recorded path. `inode`: it must be that one (0:
// any), since a path may lead to another namespace by now (a re-used pid). Gone is no error:
// netns_fd stays -1.
fallible attachment_open_netns(struct attachment *a, const char *recorded_path, uint64_t inode);
const char *attachment_ifname(const struct network_attachment *r);

typedef struct error *attachment_verb(const struct plugin_call *c, void *context);
// Calls plugin `i` of the list: builds its configuration and names it in the error. `verb_name`
// is "add", "delete", "check".
fallible attachment_call(const struct attachment *a, size_t i,
                         const struct network_result *previous, const char *verb_name,
                         attachment_verb *verb, void *context);

// DEL by a record; on success the record is in later->records. `how` gives the namespace (or leaves
// it to the record) and where warnings go. Absence is no error.
fallible collect(const struct network_paths *paths, const char *store_id, int store,
                 const char *file, const struct network_attachment *how, struct later *later);
// Plugin `i`'s DEL. `finished`: ADD had come to its end.
fallible del_plugin(const struct attachment *a, size_t i, const struct network_result *previous,
                    bool finished);

// --- cache.c: libcni's record of the result, CACHE_DIR/<network>-<container id>-<interface>
fallible cache_write(const struct attachment *a, const struct network_result *result);
// *ret is NULL if there is none or it can't be read. *ret_foreign: it is of another life or store.
fallible cache_read(const struct attachment *a, struct network_result **ret, bool *ret_foreign);
fallible cache_remove(const struct attachment *a);
// What a failed cache_write() left.
fallible cache_forget(const struct attachment *a);
