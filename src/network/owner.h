// SPDX-License-Identifier: Apache-2.0
// Owner records: what was begun for whom, written before anything is made. Private to network/.
//   OWNER_DIR/<store>/<instance, 16 hex digits>-<interface>
// One JSON object. A truncated one is of an ADD that was killed before it made anything.
#pragma once
#include "network/config.h"

struct owner_record {
	char *ns, *id, *netns;
	uint64_t instance;
	char *ifname;
	uint64_t netns_inode; // 0: unknown
	char boot[37];
	struct json *list; // the configuration at ADD
};
void owner_done(struct owner_record *r);
#define auto_owner defer(owner_done)

char *owner_file(uint64_t instance, const char *ifname); // the caller's
// False if it isn't the name of a record. *ret_ifname points into `file`.
bool owner_parse_file(const char *file, uint64_t *ret_instance, const char **ret_ifname);
// EXISTS if the record is there.
fallible owner_write(int store, const struct network_attachment *a, const char *ifname,
                     const char *netns, uint64_t netns_inode, const struct network_config *config);
// NOT_FOUND. CORRUPT: it was being written.
fallible owner_read(int store, const char *file, struct owner_record *ret);
fallible owner_remove(int store, const char *file);
// Names of all records, sorted.
fallible owner_list(int store, struct strings *ret);
