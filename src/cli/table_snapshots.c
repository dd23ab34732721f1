// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
static const struct flag snapshots_diff_flags[] = {
	{"media-type", NULL, TEXT("TYPE"), "media type of the layer: +gzip, +zstd or neither",
	 .initial = "application/vnd.oci.image.layer.v1.tar+gzip"},
	{"ref", NULL, TEXT("TEXT"), "what content active calls it while it is written"},
	{"keep", NULL, BOOL, "keep it as a blob too"},
	{"label", NULL, TEXTS("KEY=VALUE"), "with --keep: label the blob"},
	{NULL},
};

static const struct flag snapshots_list_flags[] = {

	FLAG_FORMAT,
	{NULL},
};

static const struct flag snapshots_prepare_flags[] = {
	{"target", "t", TEXT("DIR"), "print the mount commands for this folder"},
	{"mounts", NULL, BOOL, "print the mounts as JSON"},
	{NULL},
};

static const struct flag snapshots_unpack_flags[] = {
	{"sync-fs", NULL, BOOL, "accepted: what is unpacked is always durable", .bits = FLAG_IDLE},
	{NULL},
};

static const struct flag snapshots_usage_flags[] = {
	{"b", NULL, BOOL, "print bytes"},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag snapshots_view_flags[] = {
	{"target", "t", TEXT("DIR"), "print the mount commands for this folder"},
	{"mounts", NULL, BOOL, "print the mounts as JSON"},
	{NULL},
};

const struct command commands_snapshots[] = {
	{"snapshots", "[flags]", "Snapshots: the file trees of layers and containers",
	 .flags = {flags_snapshotter}, .aliases = "snapshot"},
	{"snapshots commit", "<key> <active>", "Turn an active snapshot into a committed one",
	 "snapshots commit mine work", command_snapshots_commit, .bits = COMMAND_COUNT,
	 .operand = "snapshots"},
	{"snapshots diff", "[flags] <idA> [<idB>]",
	 "Write what a snapshot changes, as a layer to standard output",
	 "snapshots diff work > layer.tar.gz", command_snapshots_diff,
	 .flags = {snapshots_diff_flags}, .operand = "snapshots"},
	{"snapshots info", "<key>", "Print a snapshot as JSON",
	 "snapshots info work", command_snapshots_info, .bits = COMMAND_COUNT,
	 .operand = "snapshots"},
	{"snapshots list", "[flags]", "List snapshots",
	 "snapshots ls", command_snapshots_list, .flags = {snapshots_list_flags}, .aliases = "ls"},
	{"snapshots mounts", "<target> <key>", "Print the mount commands of a snapshot, for sh",
	 "snapshots mounts /mnt work | sh", command_snapshots_mounts,
	 .bits = COMMAND_COUNT, .aliases = "m mount"},
	{"snapshots prepare", "[flags] <key> [<parent>]", "Make an active snapshot",
	 "snapshots prepare --mounts work", command_snapshots_prepare,
	 .flags = {snapshots_prepare_flags}, .bits = COMMAND_COUNT,
	 .operand = "snapshots"},
	{"snapshots delete", "<key> [<key>, ...]", "Remove snapshots",
	 "snapshots rm work", command_snapshots_delete, .aliases = "del remove rm",
	 .operand = "snapshots"},
	{"snapshots label", "<name> [<label>=<value> ...]",
	 "Set, change and remove labels of a snapshot",
	 "snapshots label work owner=me", command_snapshots_label, .operand = "snapshots"},
	{"snapshots tree", NULL, "Show snapshots below their parents",
	 "snapshots tree", command_snapshots_tree},
	{"snapshots unpack", "[flags] <digest>", "Unpack the layers of a stored manifest",
	 "snapshots unpack DIGEST", command_snapshots_unpack,
	 .flags = {snapshots_unpack_flags, flags_snapshotter}},
	{"snapshots usage", "[flags] [<key>, ...]", "Show what snapshots take on disk",
	 "snapshots usage", command_snapshots_usage, .flags = {snapshots_usage_flags},
	 .operand = "snapshots"},
	{"snapshots view", "[flags] <key> [<parent>]", "Make a read-only view of a snapshot",
	 "snapshots view --mounts look mine", command_snapshots_view,
	 .flags = {snapshots_view_flags}, .bits = COMMAND_COUNT,
	 .operand = "snapshots"},
	{NULL},
};
// clang-format on
