// SPDX-License-Identifier: Apache-2.0
// Platforms: what an image runs on. Specification: OCI image-spec 1.1, image-index.md, "platform";
// containerd/platforms 1.0 (parsing, normalising, matching).
#pragma once
#include "base/error.h"
#include "json/json.h"

struct oci_platform { // fixed sizes: no ownership. Empty string: not given
	char os[32], architecture[32], variant[32];
	char os_version[64]; // "10.0.20348.1": Windows
	bool win32k;         // os.features has "win32k"
};

// "linux/amd64", "linux", "arm64", "linux/arm/v7", "windows(10.0.20348.1)/amd64". What isn't said
// comes from `host`. The result is normalised.
// Errors: INVALID, as containerd's: `"nosuch": unknown operating system or architecture`.
fallible oci_platform_parse(const char *text, const struct oci_platform *host,
                            struct oci_platform *ret);
// From a descriptor's "platform" member. Unknown names are kept. Errors: INVALID (types, sizes).
fallible oci_platform_from_json(const struct json *object, const struct json_path *path,
                                struct oci_platform *ret);
struct json *oci_platform_to_json(const struct oci_platform *platform);
// x86_64 → amd64, aarch64 → arm64 (its v8 is left out), armhf → arm/v7, macos → darwin…
// `architecture` alone is what uname says: the caller's default platform begins with it.
void oci_platform_normalise(struct oci_platform *platform);
// "linux/arm/v7", "windows(10.0.20348.1)/amd64"; the caller's.
char *oci_platform_format(const struct oci_platform *platform);
// How well an image of platform `have` serves a wish: 0 not at all, higher is better. An amd64 runs
// 386, an arm/v7 also v6 and v5; a Windows wish with a version takes the same build number
// (10.0.20348), the nearest revision being best.
unsigned oci_platform_match(const struct oci_platform *want, const struct oci_platform *have);
// Of two that match equally well the one with the higher version is wanted: Windows' build and
// revision; 0 without one, and for other systems.
uint64_t oci_platform_version(const struct oci_platform *platform);
bool oci_platform_is_windows(const struct oci_platform *platform);
