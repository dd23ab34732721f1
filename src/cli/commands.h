// SPDX-License-Identifier: Apache-2.0
// What the rows of the table are made of: flags that several commands share, and the functions
// that carry the commands out. Each fills a request of engine's, calls, and prints.
#pragma once
#include "cli/command.h"

#define BOOL FLAG_BOOL, NULL
#define TEXT(value) FLAG_TEXT, value
#define TEXTS(value) FLAG_TEXTS, value
#define INTS(value) FLAG_INTS, value
#define INT(value) FLAG_INT, value
#define UINT(value) FLAG_UINT, value
#define FLOAT(value) FLAG_FLOAT, value
#define DURATION(value) FLAG_DURATION, value

#define FLAG_PULL                                                                     \
	{                                                                             \
		"pull", NULL, TEXT("missing|always|never"),                           \
			"pull the image; missing if called as coracle, never as ctr", \
			.bits = FLAG_OURS                                             \
	}
#define FLAG_FORMAT                                                                    \
	{                                                                              \
		"format", NULL, TEXT("table|json"), "how to print", FLAG_OURS, "table" \
	}

#define FLAG_DETACH_KEYS                                                                        \
	{                                                                                       \
		"detach-keys", NULL, TEXT("KEYS"), "keys that let go of a terminal", FLAG_OURS, \
			"ctrl-p,ctrl-q"                                                         \
	}

extern const struct flag flags_docker[], containers_create_flags[], containers_info_flags[],
	tasks_start_flags[];
extern const struct flag containers_delete_flags[], tasks_kill_flags[], images_pull_flags[],
	images_push_flags[];
extern const struct flag flags_container[], flags_runtime[], flags_snapshotter[], flags_registry[],
	flags_log[];

// images.c
fallible command_images_check(struct invocation *in);
fallible command_images_export(struct invocation *in); // export.c
fallible command_images_import(struct invocation *in);
fallible command_images_create_windows_base(struct invocation *in);
fallible command_images_add_windows_layer(struct invocation *in);
fallible command_images_inspect(struct invocation *in); // command_images_inspect.c
fallible command_images_list(struct invocation *in);
fallible command_images_mount(struct invocation *in);
fallible command_images_unmount(struct invocation *in);
fallible command_images_delete(struct invocation *in);
fallible command_images_pull(struct invocation *in); // pull.c
char *docker_config_folder(void);                    // where docker keeps its logins; the caller's
fallible command_login(struct invocation *in);       // pull.c
fallible command_logout(struct invocation *in);      // pull.c
fallible command_images_push(struct invocation *in); // pull.c
fallible command_commit(struct invocation *in);      // commit.c
fallible command_images_convert(struct invocation *in);
fallible command_images_prune(struct invocation *in);
fallible command_images_usage(struct invocation *in); // snapshots.c
fallible command_images_tag(struct invocation *in);
fallible command_images_label(struct invocation *in);

// content.c
fallible command_content_list(struct invocation *in);
fallible command_content_get(struct invocation *in);
fallible command_content_delete(struct invocation *in);
fallible command_content_active(struct invocation *in);       // ingest.c
fallible command_content_edit(struct invocation *in);         // ingest.c
fallible command_content_fetch(struct invocation *in);        // pull.c
fallible command_content_fetch_blob(struct invocation *in);   // pull.c
fallible command_content_fetch_object(struct invocation *in); // pull.c
fallible command_content_prune(struct invocation *in);
fallible command_content_push_object(struct invocation *in); // pull.c
fallible command_content_ingest(struct invocation *in);      // ingest.c
fallible command_content_label(struct invocation *in);
fallible command_leases_list(struct invocation *in);
fallible command_leases_create(struct invocation *in);
fallible command_leases_delete(struct invocation *in);

// snapshots.c
fallible command_snapshots_commit(struct invocation *in);
fallible command_snapshots_diff(struct invocation *in); // commit.c
fallible command_snapshots_info(struct invocation *in);
fallible command_snapshots_list(struct invocation *in);
fallible command_snapshots_mounts(struct invocation *in);
fallible command_snapshots_prepare(struct invocation *in);
fallible command_snapshots_delete(struct invocation *in);
fallible command_snapshots_label(struct invocation *in);
fallible command_snapshots_tree(struct invocation *in);
fallible command_snapshots_unpack(struct invocation *in);
fallible command_snapshots_usage(struct invocation *in);
fallible command_snapshots_view(struct invocation *in);

// containers.c
fallible command_containers_delete(struct invocation *in);
fallible command_containers_info(struct invocation *in);
fallible command_containers_list(struct invocation *in);
fallible command_containers_label(struct invocation *in);
fallible command_containers_ps(struct invocation *in);
fallible command_tasks_list(struct invocation *in);

// tasks.c
fallible command_tasks_attach(struct invocation *in);
fallible command_tasks_copy(struct invocation *in);
fallible command_tasks_logs(struct invocation *in);
fallible command_tasks_exec(struct invocation *in);
fallible command_tasks_kill(struct invocation *in);
fallible command_tasks_stop(struct invocation *in);
fallible command_tasks_wait(struct invocation *in);
fallible command_tasks_pause(struct invocation *in);
fallible command_tasks_resume(struct invocation *in);
fallible command_tasks_delete(struct invocation *in);
fallible command_tasks_ps(struct invocation *in);
fallible command_tasks_metrics(struct invocation *in);
fallible command_tasks_exec_anonymous(struct invocation *in);

// stats.c
fallible command_tasks_top(struct invocation *in);
fallible command_tasks_stats(struct invocation *in);

// system.c
fallible command_system_version(struct invocation *in);
fallible command_system_info(struct invocation *in);
fallible command_system_gc(struct invocation *in);
fallible command_system_clean(struct invocation *in);
fallible command_system_template(struct invocation *in);

// namespaces.c
fallible command_namespaces_create(struct invocation *in);
fallible command_namespaces_list(struct invocation *in);
fallible command_namespaces_remove(struct invocation *in);
fallible command_namespaces_label(struct invocation *in);

// networks.c
fallible command_network_list(struct invocation *in);
fallible command_netns_list(struct invocation *in);

// run.c
fallible command_run_run(struct invocation *in);
fallible command_run_spec(struct invocation *in);
fallible command_run_create(struct invocation *in);
fallible command_run_start(struct invocation *in);

// manual.c, completion.c, compatibility.c: what the build installs
fallible command_build_man(struct invocation *in);
fallible command_build_completion(struct invocation *in);
fallible command_build_compatibility(struct invocation *in);
