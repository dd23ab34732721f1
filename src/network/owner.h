// SPDX-License-Identifier: Apache-2.0
// Owner records: what was begun for whom, written before anything is made. Private to network/.
//   OWNER_DIR/<store>/<instance, 16 hex digits>-<interface>    one JSON object; a truncated one is
//   of
//                              an ADD that was killed before it made anything. flock(2) on it is
//                              held by whoever adds or deletes
//   OWNER_DIR/<store>/claim-<hash of container ID and interface>  a link to the record whose life
//                              holds that name: leases and caches know no instance, so two lives
//                              of one name must never overlap
#pragma once
#include "network/config.h"

struct owner_record {
	char *ns, *id, *netns;
	uint64_t instance;
	char *ifname;
	uint64_t netns_inode; // 0: unknown
	char boot[37];
	struct json *list; // the configuration at ADD
	int lock;          // held until owner_done(); -1: none
};
#define OWNER_RECORD ((struct owner_record){.lock = -1})
void owner_done(struct owner_record *r);
#define auto_owner defer(owner_done)

char *owner_file(uint64_t instance, const char *ifname); // the caller's
// False if it isn't the name of a record. *ret_ifname points into `file`.
bool owner_parse_file(const char *file, uint64_t *ret_instance, const char **ret_ifname);
// EXISTS if the record is there. *ret_lock: the descriptor that holds its lock.
fallible owner_write(int store, const struct network_attachment *a, const char *ifname,
                     const char *netns, uint64_t netns_inode, const struct network_config *config,
                     int *ret_lock);
// Waits for the record's lock, then reads. NOT_FOUND, also if it went away meanwhile. CORRUPT: it
// was being written.
fallible owner_read(int store, const char *file, struct owner_record *ret);
// The claim's name for ns-id and interface; the caller's.
char *owner_claim_name(const char *container_id, const char *ifname);
// Claims the name for record `file`. *ret_holder: NULL, or the record that holds it; the caller's.
fallible owner_claim(int store, const char *claim, const char *file, char **ret_holder);
// Removes the record, before that the claim (may be NULL) if it is the record's.
fallible owner_remove(int store, const char *file, const char *claim);
// Names of all records, sorted.
fallible owner_list(int store, struct strings *ret);
