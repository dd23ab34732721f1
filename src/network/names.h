// SPDX-License-Identifier: Apache-2.0
// Names that CNI and the kernel accept, and the ones that we derive. Private to network/.
#pragma once
#include "base/error.h"
#include <linux/if.h>
#include <stdint.h>

// Container IDs and network names: [a-zA-Z0-9][a-zA-Z0-9_.-]*, here at most 255 bytes.
bool name_is_valid(const char *name);
// Interface names: 1–15 bytes, not "." or "..", without '/', ':' and white space.
fallible name_check_interface(const char *name);
bool name_is_store(const char *store_id); // [0-9A-Za-z_.-]{1,64}, not "." or ".."

// The host's end of a container's link, by its instance; the interface's name tells several
// networks of one container apart: "cor" + 12 hex digits. Never by the container's name alone: an
// interface of that name may still be dying.
void name_host_link(uint64_t instance, const char *ifname, char ret[static IFNAMSIZ]);
// The bridge of a `nat` network: "cor-" + name, or + 11 hex digits of its hash if it is too long.
void name_bridge(const char *network, char ret[static IFNAMSIZ]);
// 128 bits of hash over a container and its interface, in hex: a name of a file for the two.
void name_key(const char *container_id, const char *ifname, char ret[static 33]);
// FNV-1a over `text`: for names, not against an adversary.
uint64_t name_hash(const char *text, uint64_t seed);
