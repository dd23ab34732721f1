// SPDX-License-Identifier: Apache-2.0
// One `run` in the making: everything that its steps share.
#pragma once
#include "engine/private.h"
#include "engine/rootfile.h"
#include "runtime/runtime.h"

// What `coracle spec` adds, so that `run --config` starts the same container.
#define ANNOTATION_IMAGE "io.coracle.image"
#define ANNOTATION_SNAPSHOTTER "io.coracle.snapshotter"
#define ANNOTATION_CNI "io.coracle.cni"

struct run {
	struct engine *engine;
	const struct engine_run *request;
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
	bool cni;
	struct network_config *network;

	// its names and rows
	uint64_t instance;
	char guid[NETWORK_GUID_SIZE]; // "" if it needs no namespace of ours
	char *cgroup;
	struct store_claim *claim;
	struct store_task task;
	struct label_list labels;
	bool claimed_once, has_rows, has_snapshot;

	// what stands outside of the process
	int upper, work;
	struct snapshot_active *active;
	int netns_fd;
	struct network_result *attached;
	char *resolv_conf, *hosts;
	struct runtime_task *process;
};
#define RUN_OF(e, r)                                                                     \
	{                                                                                \
		.engine = (e), .request = (r), .signalfd = -1, .dirfd = -1, .upper = -1, \
		.work = -1, .netns_fd = -1                                               \
	}

// From the request to spec, layers and network configuration; makes nothing.
fallible run_resolve(struct run *run);
void run_done(struct run *run);
