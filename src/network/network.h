// SPDX-License-Identifier: Apache-2.0
// Networks: CNI configurations, the plugins behind them, and network namespaces with a name.
// Called by: engine. Knows nothing of images, stores or processes; what it needs of a container
// stands in struct network_attachment.
// Specification: CNI 1.1.0 (SPEC.md); go-cni 1.1.12 and libcni 1.3.0 for search, order, error
// texts and cache; plugins 1.7.1 for bridge, host-local, portmap, loopback, static.
//
// Ownership. Before ADD makes the first thing it writes an owner record,
// OWNER_DIR/<store id>/<instance>-<ifname>; DEL removes it last. A namespace has one as well
// (netns-<guid>). So whatever bears a record of this store that no live owner claims is garbage,
// and network_gc() finds all of it without a scan of the host. Leases stay in upstream's format.
//
// Every function expects a process with one thread: some enter a namespace for a moment, and are
// back in the caller's when they return, on errors too.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdint.h>

// Where things stand. NULL means the default. `owner_dir` is ours alone.
struct network_paths {
	const char *conf_dir;           // /etc/cni/net.d
	const char *const *plugin_dirs; // ends in NULL; /opt/cni/bin, /usr/lib/cni
	const char *cache_dir;          // /var/lib/cni/results
	const char *lease_dir;          // /var/lib/cni/networks; a file's ipam.dataDir wins
	const char *owner_dir;          // /var/lib/cni/coracle
	const char *netns_dir;          // /run/netns
	const char *resolv_conf;        // /etc/resolv.conf, the host's
	bool external_plugins_first;    // a file in plugin_dirs wins over the type of ours
	unsigned plugin_timeout_ms;     // for one external plugin; 0: 60,000
};

// --- Configuration

struct network_config; // one network: a parsed list of plugins

// Loads the first configuration of conf_dir in bytewise order, as ctr does: nothing is skipped, an
// error in the first file is the error.
// Errors, in go-cni's words: NOT_FOUND "no network config found in DIR: cni plugin not
// initialized"; INVALID "failed to load CNI config file F: …: invalid cni config"; SYSTEM.
fallible network_config_load(const struct network_paths *paths, struct network_config **ret);
// The same for a list in memory; `file` is for messages, `is_list` as the extension .conflist.
fallible network_config_parse(const char *bytes, size_t size, const char *file, bool is_list,
                              struct network_config **ret);
void network_config_free(struct network_config *config);              // takes NULL
const char *network_config_name(const struct network_config *config); // "" if it has none
const char *network_config_file(const struct network_config *config);

// --- Attachments

struct network_attachment {
	const char *store_id; // [0-9A-Za-z_.-]{1,64}
	const char *ns, *id;  // containerd's namespace, the container
	uint64_t instance;    // this life of the container; names the host's interface
	const char *ifname;   // in the container; NULL: eth0
	const char
		*netns_path;  // for CNI_NETNS; NULL or gone on DEL: only the host's part is undone
	int netns_fd;         // the namespace itself; -1: netns_path is opened. Borrowed
	const char *cni_args; // CNI_ARGS, "K=V;K2=V2"; NULL: none
	const char *capabilities; // JSON object of capability arguments; NULL: none
	// DEL: the namespace dies with the container, which takes the interfaces along: no call is
	// made for that. Otherwise a child of init deletes the interface; nobody waits for it.
	bool namespace_dies;
	void (*warn)(void *context, const char *message); // one line, no newline; NULL: dropped
	void *warn_context;
};

struct network_address {
	int family; // AF_INET, AF_INET6; 0: none
	unsigned char bytes[16];
};

struct network_ip {
	struct network_address address, gateway; // gateway.family 0: none
	unsigned prefix;
	int interface; // index in interfaces; -1: none
};

struct network_interface {
	char *name, *mac, *sandbox; // "" if unknown; sandbox "" on the host
	char *socket_path, *pci_id;
	uint32_t mtu;
};

struct network_route {
	struct network_address dst, gw; // dst.family 0: none
	unsigned prefix;
	int mtu, advmss;      // 0: none
	int64_t priority;     // 0: none
	int64_t table, scope; // -1: none
};

struct network_dns {
	struct strings nameservers, search, options;
	char *domain; // "" if none
};

// What a list answered, in version 1.1.0's terms whatever the configuration's version.
struct network_result {
	struct network_interface *interfaces;
	struct network_ip *ips;
	struct network_route *routes;
	size_t n_interfaces, n_ips, n_routes;
	struct network_dns dns;
};
void network_result_free(struct network_result *result); // takes NULL
// The result as JSON of that version ("0.1.0" … "1.1.0"), as upstream prints it.
// Errors: UNSUPPORTED (version), INVALID (nothing that this version can say).
fallible network_result_print(const struct network_result *result, const char *version, char **ret);
// "10.1.2.3", "fd00::1", as Go prints it.
char *network_address_print(const struct network_address *address); // the caller's

// ADD over the whole list. If a plugin fails, DEL is run over the list in reverse, and the
// plugin's error is returned with what DEL said behind it. The cache is written last.
// When it returns the container's first packet gets through (the bridge port forwards).
// An earlier life of (ns, id) that was never cleaned is collected first: the caller holds that
// name. Errors: "plugin type=\"T\" name=\"N\" failed (add): …" with the plugin's code; BUSY if
// another container has this "<ns>-<id>"; EXISTS if another store's has it, or this instance has
// this interface; LIMIT if the addresses are used up; NOT_FOUND if there is no such namespace.
// After kill -9 in the middle: network_del() or network_gc() removes what was made.
fallible network_add(const struct network_paths *paths, const struct network_config *config,
                     const struct network_attachment *attachment, struct network_result **ret);

// DEL by what ADD recorded: the configuration of that time, not today's. Nothing recorded: no
// error. The first plugin's error ends it and keeps the record, so that it can be repeated.
// Removes the interface attachment->ifname, all of this instance if that is NULL.
fallible network_del(const struct network_paths *paths,
                     const struct network_attachment *attachment);

// CHECK by what ADD recorded. Errors: NOT_FOUND (no record), else the plugin's.
fallible network_check(const struct network_paths *paths,
                       const struct network_attachment *attachment);

// Removes what a network has of its own on the host: bridge, chains of nftables. For `network rm`
// and uninstalling; containers still in it lose their connection (BUSY while the bridge has ports).
// The interfaces of its last container may be dying still: BUSY then, too, for some ms.
fallible network_remove(const struct network_config *config);

// Who lives. Asked after a thing was found, so that an answer from rows that are written before
// anything is made can't be too old.
struct network_live {
	bool (*has_instance)(void *context, uint64_t instance);
	bool (*has_namespace)(void *context, const char *guid);
	void *context;
};
struct network_gc_report {
	size_t n_attachments, n_namespaces; // what was removed
};
// Removes what bears this store's ID and has no owner in `live`: interfaces, leases,
// cache entries, namespaces. Never another store's, never what other programs made. Call
// it after a boot, too: leases survive one.
// One failure doesn't keep the others; the errors are joined.
fallible network_gc(const struct network_paths *paths, const char *store_id,
                    const struct network_live *live,
                    void (*warn)(void *context, const char *message), void *warn_context,
                    struct network_gc_report *ret);

// --- Files for the container (the caller writes and binds them)

// Text for /etc/resolv.conf: the result's DNS, else the host's file. If that names only servers on
// the loopback: /run/systemd/resolve/resolv.conf; else a warning and no server. `result` may be
// NULL. *ret is the caller's; *ret_warning is NULL or the caller's.
fallible network_resolv_conf(const struct network_paths *paths, const struct network_result *result,
                             char **ret, char **ret_warning);
// Text for /etc/hosts: localhost and each of the container's addresses with `hostname` and, unless
// it is NULL or the same, `alias`.
char *network_hosts(const struct network_result *result, const char *hostname, const char *alias);

// --- Namespaces, pinned at NETNS_DIR/cni-<guid>

#define NETWORK_GUID_SIZE 37 // with the final zero: 8-4-4-4-12 hex digits, lower case

fallible network_guid_new(char ret[static NETWORK_GUID_SIZE]); // version 4, random
bool network_guid_is_valid(const char *guid);
// Makes a namespace with `lo` up, pins it, returns an open descriptor (the caller's).
// Errors: EXISTS, INVALID (guid). After kill -9: network_gc() removes the pin.
fallible network_namespace_create(const struct network_paths *paths, const char *store_id,
                                  const char *guid, int *ret_fd);
// Opens a namespace by its path; NETNS_DIR/cni-<guid> if `path_or_guid` is a GUID.
// Errors: NOT_FOUND; INVALID (not a network namespace, as an empty file that never was a pin).
fallible network_namespace_open(const struct network_paths *paths, const char *path_or_guid,
                                int *ret_fd);
// Unpins it; processes in it keep it alive. Absent is no error.
fallible network_namespace_delete(const struct network_paths *paths, const char *store_id,
                                  const char *guid);
// GUIDs of this store's namespaces, sorted; with store_id NULL those of all cni-<guid> pins.
fallible network_namespace_list(const struct network_paths *paths, const char *store_id,
                                struct strings *ret);
char *network_namespace_path(const struct network_paths *paths, const char *guid);
// Brings `lo` up in that namespace.
fallible network_loopback_up(int netns_fd);
