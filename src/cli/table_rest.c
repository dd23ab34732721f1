// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
static const struct flag plugins_list_flags[] = {
	{"quiet", "q", BOOL},
	{"detailed", "d", BOOL},
	{NULL},
};

static const struct flag content_active_flags[] = {
	{"timeout", "t", DURATION("TIME"), "accepted: nobody is waited for", .bits = FLAG_IDLE,
	 .env = "CONTAINERD_FETCH_TIMEOUT"},
	{"root", NULL, TEXT("DIR"), "accepted: the store is --root's", .bits = FLAG_IDLE,
	 .initial = "/tmp/content"},
	{NULL},
};

static const struct flag content_edit_flags[] = {
	{"validate", NULL, TEXT("TYPE"), "refused, as in ctr"},
	{"editor", NULL, TEXT("COMMAND"), "the editor, as a shell's command", .env = "EDITOR"},
	{NULL},
};

static const struct flag content_fetch_flags[] = {
	{"label", NULL, TEXTS("KEY=VALUE"), "label the image"},
	{"platform", NULL, TEXTS("OS/ARCH"), "fetch the image of this platform"},
	{"all-platforms", NULL, BOOL, "fetch the images of all platforms"},
	{"all-metadata", NULL, BOOL, "accepted", .bits = FLAG_HIDDEN | FLAG_IDLE},
	{"skip-metadata", NULL, BOOL, "accepted", .bits = FLAG_IDLE},
	{"metadata-only", NULL, BOOL, "manifests and configs of all platforms, no layers"},
	{NULL},
};

static const struct flag content_fetch_blob_flags[] = {
	{"media-type", NULL, TEXT("TYPE"), "what the digests are: manifests lie elsewhere"},
	{NULL},
};

static const struct flag content_ingest_flags[] = {
	{"expected-size", NULL, INT("N"), "so many bytes are taken, or nothing"},
	{"expected-digest", NULL, TEXT("DIGEST"), "bytes of this digest are taken, or nothing"},
	{NULL},
};

static const struct flag content_list_flags[] = {
	{"quiet", "q", BOOL, "print digests only"},
	{NULL},
};

static const struct flag content_prune_references_flags[] = {
	{"async", NULL, BOOL, "accepted: the collection is quick", .bits = FLAG_IDLE},
	{"dry", NULL, BOOL, "print what would be removed"},
	{NULL},
};

static const struct flag leases_list_flags[] = {
	{"quiet", "q", BOOL, "print ids only"},
	{NULL},
};

static const struct flag leases_create_flags[] = {
	{"id", NULL, TEXT("ID"), "id of the lease; a random one without it"},
	{"expires", "x", DURATION("TIME"), "how long it holds; 0s: for ever", .initial = "24h0m0s"},
	{NULL},
};

static const struct flag leases_delete_flags[] = {
	{"sync", NULL, BOOL, "accepted: what it held goes with the next gc", .bits = FLAG_IDLE},
	{NULL},
};

static const struct flag pprof_flags[] = {
	{"debug-socket", "d", TEXT("TEXT"), .initial = "/run/containerd/debug.sock"},
	{NULL},
};

static const struct flag pprof_block_flags[] = {
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag pprof_goroutines_flags[] = {
	{"debug", NULL, UINT("N"), .initial = "2"},
	{NULL},
};

static const struct flag pprof_heap_flags[] = {
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag pprof_profile_flags[] = {
	{"seconds", "s", DURATION("TIME"), .initial = "30s"},
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag pprof_threadcreate_flags[] = {
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag pprof_trace_flags[] = {
	{"seconds", "s", DURATION("TIME"), .initial = "5s"},
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag install_flags[] = {
	{"libs", "l", BOOL},
	{"replace", "r", BOOL},
	{"path", NULL, TEXT("TEXT")},
	{NULL},
};

static const struct flag oci_spec_flags[] = {
	{"platform", NULL, TEXT("OS/ARCH")},
	{NULL},
};

static const struct flag sandboxes_run_flags[] = {
	{"runtime", NULL, TEXT("NAME"), .initial = "io.containerd.runc.v2"},
	{NULL},
};

static const struct flag sandboxes_list_flags[] = {
	{"filters", NULL, TEXTS("TEXT")},
	{NULL},
};

static const struct flag sandboxes_remove_flags[] = {
	{"force", "f", BOOL},
	{NULL},
};

static const struct flag deprecations_list_flags[] = {
	{"format", NULL, TEXT("table|json")},
	{NULL},
};

static const struct flag shim_flags[] = {
	{"id", NULL, TEXT("TEXT")},
	{"shim-address", NULL, TEXT("TEXT")},
	{NULL},
};

static const struct flag shim_exec_flags[] = {
	{"stdin", NULL, TEXT("TEXT")},
	{"stdout", NULL, TEXT("TEXT")},
	{"stderr", NULL, TEXT("TEXT")},
	{"tty", "t", BOOL},
	{"attach", "a", BOOL},
	{"env", "e", TEXTS("NAME=VALUE")},
	{"cwd", NULL, TEXT("DIR")},
	{"spec", NULL, TEXT("TEXT")},
	{NULL},
};

static const struct flag shim_state_flags[] = {
	{"task-id", "t", TEXT("TEXT")},
	{"api-version", NULL, INT("N"), .initial = "3"},
	{NULL},
};

static const struct flag shim_pprof_block_flags[] = {
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag shim_pprof_goroutines_flags[] = {
	{"debug", NULL, UINT("N"), .initial = "2"},
	{NULL},
};

static const struct flag shim_pprof_heap_flags[] = {
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag shim_pprof_profile_flags[] = {
	{"seconds", "s", DURATION("TIME"), .initial = "30s"},
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag shim_pprof_threadcreate_flags[] = {
	{"debug", NULL, UINT("N")},
	{NULL},
};

static const struct flag shim_pprof_trace_flags[] = {
	{"seconds", "s", DURATION("TIME"), .initial = "5s"},
	{"debug", NULL, UINT("N")},
	{NULL},
};

const struct command commands_rest[] = {
	{"plugins", NULL, "What the engine is made of",
	 .aliases = "plugin"},
	{"plugins list", "[flags]", "List plugins",
	 .flags = {plugins_list_flags}, .bits = COMMAND_NOT_YET, .aliases = "ls"},
	{"plugins inspect-runtime", "[flags]", "Show what the runtime can do",
	 .flags = {flags_runtime}, .bits = COMMAND_NOT_YET},
	{"content", NULL, "Stored blobs"},
	{"content active", "[flags] [<regexp>]", "List transfers that are under way",
	 "content active", command_content_active, .flags = {content_active_flags}},
	{"content delete", "[<digest>, ...]", "Remove blobs",
	 "content rm sha256:…", command_content_delete, .aliases = "del remove rm"},
	{"content edit", "[flags] <digest>", "Make a blob of another, by an editor",
	 "content edit --editor vi sha256:…", command_content_edit, .flags = {content_edit_flags}},
	{"content fetch", "[flags] <remote> <object>", "Fetch an image without unpacking it",
	 "content fetch busybox", command_content_fetch,
	 .flags = {content_fetch_flags, flags_registry}, .operand = "images"},
	{"content fetch-object", "[flags] <remote> <object> [<hint>, ...]",
	 "Write a manifest or index of a registry to standard output",
	 "content fetch-object busybox", command_content_fetch_object, .flags = {flags_registry}},
	{"content fetch-blob", "[flags] <remote> [<digest>, ...]",
	 "Write blobs of a registry to standard output",
	 "content fetch-blob busybox sha256:…", command_content_fetch_blob,
	 .flags = {content_fetch_blob_flags, flags_registry}},
	{"content get", "[<digest>, ...]", "Write a blob to standard output",
	 "content get sha256:…", command_content_get},
	{"content ingest", "[flags] <key>", "Store standard input as a blob",
	 "content ingest mine", command_content_ingest, .flags = {content_ingest_flags}},
	{"content list", "[flags]", "List blobs",
	 "content ls", command_content_list, .flags = {content_list_flags}, .aliases = "ls"},
	{"content push-object", "[flags] <remote> <object> <type>", "Push one blob to a registry",
	 "content push-object registry.example/me/app:1 sha256:… "
	 "application/vnd.oci.image.manifest.v1+json",
	 command_content_push_object, .flags = {flags_registry}},
	{"content label", "<digest> [<label>=<value> ...]",
	 "Set, change and remove labels of a blob",
	 "content label sha256:… owner=me", command_content_label},
	{"content prune", NULL, "Drop parts of stored images"},
	{"content prune references", "[flags]", "Remove the layers' blobs of what is unpacked",
	 "content prune references --dry", command_content_prune,
	 .flags = {content_prune_references_flags}},
	{"events", NULL, "Show events as they come",
	 .bits = COMMAND_NOT_YET, .aliases = "event"},
	{"leases", NULL, "Leases: what the garbage collector must keep"},
	{"leases list", "[flags] <filter>", "List leases",
	 "leases ls", command_leases_list, .flags = {leases_list_flags}, .aliases = "ls"},
	{"leases create", "[flags] <label>=<value> ...", "Make a lease",
	 "leases create --id keep --expires 1h", command_leases_create,
	 .flags = {leases_create_flags}},
	{"leases delete", "[flags] <lease id> ...", "Remove leases",
	 "leases rm keep", command_leases_delete, .flags = {leases_delete_flags}, .aliases = "del remove rm"},
	{"pprof", "[flags]", "Debug the daemon",
	 .flags = {pprof_flags}, .bits = COMMAND_NO_DAEMON},
	{"pprof block", "[flags]", "Debug the daemon",
	 .flags = {pprof_block_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"pprof goroutines", "[flags]", "Debug the daemon",
	 .flags = {pprof_goroutines_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"pprof heap", "[flags]", "Debug the daemon",
	 .flags = {pprof_heap_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"pprof profile", "[flags]", "Debug the daemon",
	 .flags = {pprof_profile_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"pprof threadcreate", "[flags]", "Debug the daemon",
	 .flags = {pprof_threadcreate_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"pprof trace", "[flags]", "Debug the daemon",
	 .flags = {pprof_trace_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"install", "[flags] <ref>", "Install the files of an image on the host",
	 .flags = {install_flags}, .bits = COMMAND_NOT_YET},
	{"oci", NULL, "Runtime specs"},
	{"oci spec", "[flags]", "Print the default runtime spec",
	 .flags = {oci_spec_flags}, .bits = COMMAND_NOT_YET},
	{"sandboxes", NULL, "Sandboxes: groups of containers",
	 .aliases = "sandbox sb s"},
	{"sandboxes run", "[flags] <pod-config.json> <sandbox-id>", "Start a sandbox",
	 .flags = {sandboxes_run_flags}, .bits = COMMAND_NOT_YET, .aliases = "create c r"},
	{"sandboxes list", "[flags]", "List sandboxes",
	 .flags = {sandboxes_list_flags}, .bits = COMMAND_NOT_YET, .aliases = "ls"},
	{"sandboxes remove", "[flags] <id> [<id>, ...]", "Remove sandboxes",
	 .flags = {sandboxes_remove_flags}, .bits = COMMAND_NOT_YET, .aliases = "rm"},
	{"deprecations", NULL, "Deprecated features of the daemon",
	 .bits = COMMAND_NO_DAEMON},
	{"deprecations list", "[flags]", "List deprecated features in use",
	 .flags = {deprecations_list_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_flags}, .bits = COMMAND_NO_DAEMON},
	{"shim delete", NULL, "Debug a shim of the daemon",
	 .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim exec", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_exec_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim start", NULL, "Debug a shim of the daemon",
	 .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim state", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_state_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim pprof", NULL, "Debug a shim of the daemon",
	 .bits = COMMAND_NO_DAEMON},
	{"shim pprof block", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_pprof_block_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim pprof goroutines", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_pprof_goroutines_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim pprof heap", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_pprof_heap_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim pprof profile", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_pprof_profile_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim pprof threadcreate", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_pprof_threadcreate_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"shim pprof trace", "[flags]", "Debug a shim of the daemon",
	 .flags = {shim_pprof_trace_flags}, .bits = COMMAND_NOT_YET | COMMAND_NO_DAEMON},
	{"__clean", "ID INSTANCE", "Clean up after a container whose command is gone; for its monitor",
	 "__clean web 0123456789abcdef", command_system_clean, .bits = COMMAND_OURS | COMMAND_HIDDEN},
	{"__template", NULL, "Make what Windows containers stand on, for install.sh", "__template",
	 command_system_template, .bits = COMMAND_OURS | COMMAND_HIDDEN},
	{"__man", "DIR", "Write the manual pages", "__man man", command_build_man,
	 .bits = COMMAND_OURS | COMMAND_HIDDEN},
	{"__completion", "bash|zsh|fish", "Print a completion", "__completion bash", command_build_completion,
	 .bits = COMMAND_OURS | COMMAND_HIDDEN},
	{"__compatibility", NULL, "Print docs/compatibility.md", "__compatibility",
	 command_build_compatibility, .bits = COMMAND_OURS | COMMAND_HIDDEN},
	{NULL},
};
// clang-format on
