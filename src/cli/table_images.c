// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

// clang-format off
static const struct flag images_check_flags[] = {
	{"quiet", "q", BOOL, "print names only"},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag images_export_flags[] = {
	{"skip-manifest-json", NULL, BOOL, "leave out what docker load reads"},
	{"skip-non-distributable", NULL, BOOL, "leave out layers that may not be handed on"},
	{"platform", NULL, TEXTS("OS/ARCH"), "the image for this platform"},
	{"all-platforms", NULL, BOOL, "the images of all platforms that are here"},
	{"local", NULL, BOOL, "accepted: there is no other way", .bits = FLAG_IDLE},
	{NULL},
};

static const struct flag images_import_flags[] = {
	{"base-name", NULL, TEXT("NAME"), "base name for what the archive names only by a tag"},
	{"digests", NULL, BOOL, "make an image for each digest too"},
	{"skip-digest-for-named", NULL, BOOL, "make none for what has a name"},
	{"index-name", NULL, TEXT("NAME"), "store the index of the archive under this name"},
	{"all-platforms", NULL, BOOL, "import what is for other platforms too"},
	{"platform", NULL, TEXT("OS/ARCH"), "import what is for this platform"},
	{"no-unpack", NULL, BOOL, "do not unpack the layers"},
	{"local", NULL, BOOL, "accepted: there is one way only", .bits = FLAG_IDLE},
	{"compress-blobs", NULL, BOOL, "accepted: blobs are kept as they come", .bits = FLAG_IDLE},
	{"discard-unpacked-layers", NULL, BOOL, "accepted: blobs are kept", .bits = FLAG_IDLE},
	{"sync-fs", NULL, BOOL, "accepted: what is imported is always durable", .bits = FLAG_IDLE},
	{"label", NULL, TEXTS("KEY=VALUE"), "label the images"},
	{NULL},
};

static const struct flag images_create_windows_base_flags[] = {
	{"os-version", NULL, TEXT("V"), "the Windows that the image is for: 10.0.20348.1"},
	{"fill", NULL, TEXT("SIZE"), "add programs and data of that size, as a real base has"},
	{NULL},
};

static const struct flag images_add_windows_layer_flags[] = {
	{"target", NULL, TEXT("PATH"), "where the folder's files go: C:\\ if not given"},
	{NULL},
};

static const struct flag images_inspect_flags[] = {
	{"content", NULL, BOOL, "show labels and documents too"},
	{NULL},
};

static const struct flag images_list_flags[] = {
	{"quiet", "q", BOOL, "print names only"},
	FLAG_FORMAT,
	{NULL},
};

static const struct flag images_mount_flags[] = {
	{"label", NULL, TEXTS("KEY=VALUE"), "label the snapshot"},
	{"rw", NULL, BOOL, "writable"},
	{"platform", NULL, TEXT("OS/ARCH"),
	 "take the image of this platform", .initial = "linux/amd64"},
	{"sync-fs", NULL, BOOL, "accepted: what is unpacked is always durable", .bits = FLAG_IDLE},
	{NULL},
};

static const struct flag images_unmount_flags[] = {
	{"label", NULL, TEXTS("KEY=VALUE"), "accepted", .bits = FLAG_IDLE},
	{"rm", NULL, BOOL, "remove the snapshot too"},
	{NULL},
};

const struct flag images_pull_flags[] = {
	{"label", NULL, TEXTS("KEY=VALUE"), "label the image"},
	{"platform", NULL, TEXTS("OS/ARCH"), "pull the image of this platform"},
	{"all-platforms", NULL, BOOL, "pull and unpack the images of all platforms"},
	{"all-metadata", NULL, BOOL, "accepted", .bits = FLAG_HIDDEN | FLAG_IDLE},
	{"skip-metadata", NULL, BOOL, "accepted", .bits = FLAG_IDLE},
	{"print-chainid", NULL, BOOL, "print the chain ID of the image"},
	{"max-concurrent-downloads", NULL, INT("N"), "download so many layers at once (3)"},
	{"local", NULL, BOOL, "accepted: coracle always pulls by itself", .bits = FLAG_IDLE},
	{"sync-fs", NULL, BOOL, "accepted: what is unpacked is always durable", .bits = FLAG_IDLE},
	{NULL},
};

const struct flag images_push_flags[] = {
	{"manifest", NULL, TEXT("DIGEST"), "push this manifest instead of what the name stands for"},
	{"manifest-type", NULL, TEXT("TYPE"), "media type of the manifest",
	 .initial = "application/vnd.oci.image.manifest.v1+json"},
	{"platform", NULL, TEXTS("OS/ARCH"), "push the image of this platform alone"},
	{"max-concurrent-uploaded-layers", NULL, INT("N"), "upload so many layers at once (3)"},
	{"local", NULL, BOOL, "accepted: coracle always pushes by itself", .bits = FLAG_IDLE},
	{"allow-non-distributable-blobs", NULL, BOOL, "push layers that may not be handed on too"},
	{NULL},
};

static const struct flag images_prune_flags[] = {
	{"all", NULL, BOOL, "all that no container was made of"},
	{NULL},
};

static const struct flag images_usage_flags[] = {
	FLAG_FORMAT,
	{NULL},
};

static const struct flag images_delete_flags[] = {
	{"sync", NULL, BOOL, "collect what is free before returning"},
	{NULL},
};

static const struct flag images_tag_flags[] = {
	{"force", NULL, BOOL, "with --local: replace a name that exists"},
	{"local", NULL, BOOL, "refuse a name that exists"},
	{"skip-reference-check", NULL, BOOL, "do not check the new names"},
	{NULL},
};

static const struct flag images_label_flags[] = {
	{"replace-all", "r", BOOL, "drop the labels that are not named"},
	{NULL},
};

static const struct flag images_convert_flags[] = {
	{"uncompress", NULL, BOOL, "layers as plain tars"},
	{"oci", NULL, BOOL, "OCI's media types in place of Docker's"},
	{"platform", NULL, TEXTS("OS/ARCH"), "the image for this platform, and no other"},
	{"all-platforms", NULL, BOOL, "the images of all platforms that are here"},
	{"compression", NULL, TEXT("none|gzip|zstd"), "how layers are packed", .bits = FLAG_OURS},
	{NULL},
};

const struct command commands_images[] = {
	{"images", NULL, "Images: import, list, tag, remove, mount",
	 .aliases = "image i"},
	{"images check", "[flags] [<filter>, ...]", "Check that images are whole and unpacked",
	 "images check", command_images_check, .flags = {images_check_flags, flags_snapshotter},
	 .operand = "images"},
	{"images create-windows-base", "[flags] <ref>",
	 "Make a base for Windows images, without Microsoft's",
	 "images create-windows-base nanoserver", command_images_create_windows_base,
	 .flags = {images_create_windows_base_flags}, .bits = COMMAND_OURS | COMMAND_COUNT},
	{"images add-windows-layer", "[flags] <base> <folder> <ref>",
	 "Make a Windows image of a base and a folder of programs",
	 "images add-windows-layer nanoserver ./tools mine", command_images_add_windows_layer,
	 .flags = {images_add_windows_layer_flags}, .bits = COMMAND_OURS | COMMAND_COUNT,
	 .operand = "images"},
	{"images export", "[flags] <out> <image> ...", "Write images into an archive",
	 "images export busybox.tar busybox", command_images_export,
	 .flags = {images_export_flags}, .operand = "images"},
	{"images import", "[flags] <in>", "Import images from an archive",
	 "images import busybox.tar", command_images_import,
	 .flags = {images_import_flags, flags_snapshotter}, .bits = COMMAND_NO_MORE,
	 .operand = "files"},
	{"images inspect", "[flags] <image>", "Show the documents that make up an image",
	 "images inspect busybox", command_images_inspect, .flags = {images_inspect_flags}, .aliases = "i",
	 .operand = "images"},
	{"images list", "[flags] [<filter>, ...]", "List images",
	 "images ls name==docker.io/library/busybox:latest", command_images_list, .flags = {images_list_flags}, .aliases = "ls",
	 .operand = "images"},
	{"images mount", "[flags] <ref> <target>", "Mount an image on a folder",
	 "images mount busybox /mnt", command_images_mount,
	 .flags = {images_mount_flags, flags_registry, flags_snapshotter}, .operand = "images"},
	{"images unmount", "[flags] <target>", "Unmount an image from a folder",
	 "images unmount --rm /mnt", command_images_unmount,
	 .flags = {images_unmount_flags, flags_registry, flags_snapshotter}},
	{"images pull", "[flags] <ref>", "Pull an image from a registry",
	 "images pull docker.io/library/busybox:latest", command_images_pull,
	 .flags = {images_pull_flags, flags_registry, flags_snapshotter}, .operand = "images"},
	{"images push", "[flags] <remote> [<local>]", "Push an image to a registry",
	 "images push registry.example/me/app:1 app:1", command_images_push,
	 .flags = {images_push_flags, flags_registry}, .operand = "images"},
	{"images prune", "[flags]", "Remove images that no container was made of",
	 "images prune --all", command_images_prune, .flags = {images_prune_flags}},
	{"images delete", "[flags] <ref> [<ref>, ...]", "Remove images",
	 "images rm busybox", command_images_delete,
	 .flags = {images_delete_flags}, .aliases = "del remove rm", .operand = "images"},
	{"images tag", "[flags] <source_ref> <target_ref> [<target_ref>, ...]",
	 "Give an image more names",
	 "images tag busybox example.org/mine:1", command_images_tag, .flags = {images_tag_flags},
	 .operand = "images"},
	{"images label", "[flags] <name> [<key>=<value>, ...]",
	 "Set, change and remove labels of an image",
	 "images label busybox owner=me old=", command_images_label, .flags = {images_label_flags},
	 .operand = "images"},
	{"images convert", "[flags] <source_ref> <target_ref>", "Convert an image to other formats",
	 "images convert --oci --uncompress busybox plain:1", command_images_convert,
	 .flags = {images_convert_flags}, .operand = "images"},
	{"images usage", "[flags] <ref>", "Show what an image takes on disk",
	 "images usage busybox", command_images_usage,
	 .flags = {images_usage_flags, flags_snapshotter}, .operand = "images"},
	{NULL},
};
// clang-format on
