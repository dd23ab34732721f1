// SPDX-License-Identifier: Apache-2.0
// One `run` in the making: everything that its steps share.
#pragma once
#include "engine/logger.h"
#include "engine/private.h"
#include "engine/rootfile.h"
#include "runtime/runtime.h"
#include "windows/windows.h"
#include <signal.h>

// What `coracle spec` adds, so that `run --config` starts the same container.
#define ANNOTATION_IMAGE "io.coracle.image"
#define ANNOTATION_SNAPSHOTTER "io.coracle.snapshotter"
#define ANNOTATION_CNI "io.coracle.cni"

struct run {
	struct engine *engine;
	const struct engine_run *request;
	enum run_part {
		RUN_WHOLE,
		RUN_CREATE, // the record and the writable layer
		RUN_START,  // the process of one that was created
	} part;
	struct store_container *stored; // START: its record; NULL otherwise
	int signalfd;

	// what it is to be
	struct store_image *image; // NULL: a folder
	const struct store_manifest *manifest;
	const char *snapshotter;
	struct snapshots *snapshots;
	struct snapshot_layers *layers; // NULL: a folder
	int dirfd;                      // the folder
	struct oci_spec *spec;
	char *spec_text, *config_dir;
	// Windows: `spec` is what the record says, this is what Linux carries out.
	struct oci_spec *linux_spec;
	struct windows_files windows;
	int template_fd, *lowers;
	char *os_version; // NULL: not known
	char *scratch,
		*scratch_parent; // of windows.layerFolders; the snapshot isn't ours to remove
	bool cni;
	struct network_config *network;

	// its names and rows
	uint64_t instance;
	char guid[NETWORK_GUID_SIZE]; // "" if it needs no namespace of ours
	char *cgroup;
	struct store_claim *claim;
	struct store_task task;
	struct label_list labels;
	bool has_rows, has_snapshot;
	bool lost_layers; // a gc was faster: NOT_FOUND is to be tried again, from the image
	struct runtime_log log;
	int log_fd;
	struct logger logger;
	struct runtime_terminal terminal; // attached, if the spec asks for one
	char *detach_keys;

	// what stands outside of the process
	int upper, work;
	int scratch_lock; // Windows: of the snapshot that is written to
	struct snapshot_active *active;
	int netns_fd;
	char *joined_netns; // Windows: the path of a namespace that was there
	char *adapters;     // Windows: for ipconfig
	struct network_result *attached;
	char *resolv_conf, *hosts;
	struct runtime_task *process;
};
#define RUN_OF(e, r)                                                                     \
	{                                                                                \
		.engine = (e), .request = (r), .signalfd = -1, .dirfd = -1, .upper = -1, \
		.work = -1, .netns_fd = -1, .template_fd = -1, .log_fd = -1,             \
		.logger = LOGGER_NONE, .scratch_lock = -1                                \
	}

// From the request to spec, layers and network configuration; makes nothing.
fallible run_resolve(struct run *run);
fallible run_resolve_network(struct run *run);
fallible run_open_folder(struct run *run, const char *path);
void run_done(struct run *run);
// Rows, writable layer, network, process: as far as run->part says. All is undone on an error.
// Claims the ID, but for START, which takes run->claim over. Then the claim is released.
fallible run_start(struct run *run);
// runtime_wait(), the caller's terminal raw meanwhile if it is attached.
fallible run_watch(struct runtime_task *task, const struct runtime_terminal *terminal, int signalfd,
                   int *ret_exit_code);
// What of the program's output was lost is an error, unless its exit code tells of one already.
fallible run_tell_losses(struct engine *e, int sys, int exit_code);
// Waits for the end, forwards signals, cleans.
fallible run_wait(struct run *run, int *ret_exit_code);

// --- run_windows.c

bool run_is_windows(const struct run *run);
// The spec that runtime/ gets.
static inline struct oci_spec *run_linux_spec(const struct run *run)
{
	return run->linux_spec ? run->linux_spec : run->spec;
}
// Before anything is fetched or made: what Windows containers can't have, and whether Wine is here.
fallible run_windows_allowed(const struct run *run);
fallible run_windows_version(const struct store_manifest *m, char **ret);
// A spec whose layers are named by windows.layerFolders.
fallible run_windows_folders(struct run *run);
// A snapshot that two containers write into at once would be neither's. BUSY, in the end.
fallible run_windows_lock_scratch(struct run *run);
// From run->spec to run->linux_spec; opens the template (makes it at the first use).
fallible run_windows_translate(struct run *run);
// The network namespace of the spec: joined if it is there, else named for making.
fallible run_windows_namespace(struct run *run);
char *run_windows_adapters(const struct run *run); // the caller's

// --- run_hooks.c

// For the hooks of this run, if it has any: engine->interrupt_fd.
fallible run_watch_interrupts(struct run *run);
// After the end, before its hooks are run by life_finish().
fallible run_settle_hooks(struct run *run);
// What made us give up waiting for hooks must not end us as well, with work undone.
void run_forget_interrupts(struct run *run);

// --- logs.c

// Where the output of this run goes; opens a file of --log-uri.
fallible run_open_log(const struct engine_run *request, struct runtime_log *ret, int *ret_fd);
