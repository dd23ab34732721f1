// SPDX-License-Identifier: Apache-2.0
// Images: media types, descriptors, index, manifest, config, docker-archive. Everything that is
// parsed here is foreign.
// Specification: OCI image-spec 1.1; Docker Image Manifest Version 2, Schema 2; docker save.
// Memory: a parsed document lies in the arena that is handed in.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include "oci/digest.h"
#include "oci/platform.h"
#include "json/json.h"

#define OCI_MANIFEST_SIZE_LIMIT ((size_t)4 << 20) // as registries limit it
#define OCI_CONFIG_SIZE_LIMIT ((size_t)4 << 20)
#define OCI_LAYERS_LIMIT 500 // overlay takes as many lower folders
#define OCI_MANIFESTS_LIMIT 1000

enum oci_media_kind {
	OCI_MEDIA_UNKNOWN,
	OCI_MEDIA_INDEX,
	OCI_MEDIA_MANIFEST,
	OCI_MEDIA_CONFIG,
	OCI_MEDIA_LAYER,
};
enum oci_compression {
	OCI_COMPRESSION_NONE,
	OCI_COMPRESSION_GZIP,
	OCI_COMPRESSION_ZSTD,
};
struct oci_media_type {
	const char *name;
	enum oci_media_kind kind;
	bool docker;
	enum oci_compression compression; // layers
	bool non_distributable;           // "foreign" layers: Windows' base layers
};
#define OCI_TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_TYPE_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_TYPE_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define OCI_TYPE_DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define OCI_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define OCI_TYPE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define OCI_TYPE_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define OCI_TYPE_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
// The row of a media type, NULL if we don't know it. Parameters (";charset=") are not accepted.
const struct oci_media_type *oci_media_type(const char *name);

// The row that differs from `type` in what is given: Docker's words or OCI's, the compression (of
// layers). Docker's types have a row in OCI's words; NULL: there is no such type.
const struct oci_media_type *oci_media_type_like(const struct oci_media_type *type, bool docker,
                                                 enum oci_compression compression);

struct oci_pair_list { // annotations, labels: sorted by key
	struct oci_text_pair {
		const char *key, *value;
	} * items;
	size_t n;
};
const char *oci_pair_list_value(const struct oci_pair_list *list, const char *key); // or NULL

struct oci_descriptor {
	const char *media_type; // may be unknown to us; "" if absent
	const char *digest;     // well-formed
	uint64_t size;          // bytes, at most INT64_MAX
	bool has_platform;
	struct oci_platform platform;
	struct oci_pair_list annotations;
	const char *artifact_type; // or NULL
	const char **urls;         // where else a blob may be had: foreign layers; any text
	size_t n_urls;
};

struct oci_index {
	const char *media_type; // the document's, or NULL
	struct oci_descriptor *manifests;
	size_t n_manifests;
	struct oci_pair_list annotations;
};

struct oci_manifest {
	const char *media_type;
	struct oci_descriptor config;
	struct oci_descriptor *layers;
	size_t n_layers;
	struct oci_pair_list annotations;
};

// `media_type` is the descriptor's that led here ("" if none did): the document's own must agree,
// and a document that has both `layers` and `manifests` is refused (CVE-2021-41190).
// Errors: CORRUPT (not JSON), INVALID (a member, by its path), LIMIT (size, counts), UNSUPPORTED
// (schemaVersion 1, a media type that isn't the asked one).
fallible oci_index_parse(const char *text, size_t size, const char *media_type, struct arena *arena,
                         struct oci_index *ret);
fallible oci_manifest_parse(const char *text, size_t size, const char *media_type,
                            struct arena *arena, struct oci_manifest *ret);
// What a document is when nothing but itself says so.
fallible oci_document_kind(const char *text, size_t size, enum oci_media_kind *ret);
// A descriptor as JSON, in Go's order.
struct json *oci_descriptor_to_json(const struct oci_descriptor *descriptor);

// A foreign manifest or index with other descriptors: by their digests, all layers of a manifest
// (INVALID) and its config if it is named; of an index what is named, the others are dropped. What
// descriptors and documents have beside stays, but `urls` of what is other bytes now.
struct oci_replacements {
	const char *media_type; // of the document
	struct oci_replacement {
		const char *from, *media_type, *digest;
		uint64_t size;
	} * items;
	size_t n;
};
struct oci_replaced {
	char *text;          // the caller's
	size_t n, n_dropped; // descriptors but the config
};
// Errors: as of the parsers above.
fallible oci_document_convert(const char *text, size_t size, const struct oci_replacements *r,
                              struct oci_replaced *ret);

// The members that are used; all others of a config are never looked at (CVE-2022-23648).
struct oci_image_config {
	struct oci_platform platform;
	const char *created;                          // RFC 3339, "" if absent
	const char *user, *working_dir, *stop_signal; // "" if absent
	bool has_entrypoint, has_cmd;                 // null and [] differ for nobody but `inspect`
	const char **env, **cmd, **entrypoint;        // NULL behind the last
	size_t n_env, n_cmd, n_entrypoint;
	struct oci_pair_list labels;
	const char **exposed_ports, **volumes; // keys, sorted
	size_t n_exposed_ports, n_volumes;
	const char **diff_ids;
	size_t n_diff_ids;
	bool args_escaped; // Windows: cmd is one command line
};

// The foreign one. Checked: os and architecture are there; entries of env have a name; working_dir
// is absolute (for Windows with a drive) and without "..", volumes likewise; no control characters
// in names (values, arguments and labels may have newlines); stop_signal is one; diff IDs are
// sha256; counts and sizes.
fallible oci_config_parse(const char *text, size_t size, struct arena *arena,
                          struct oci_image_config *ret);
// The normalised form: what the worker hands over and the store keeps; the CLI reads no other. It
// is itself a valid OCI image config.
char *oci_config_write(const struct oci_image_config *config); // the caller's
// Errors as of oci_config_parse; CORRUPT if it isn't byte for byte what the writer would write.
fallible oci_config_read(const char *text, size_t size, struct arena *arena,
                         struct oci_image_config *ret);
// The config of an image that stands on another: `config` as written above, everything in `foreign`
// (that of the image below, as it came) that we don't know, and its history with `entry` behind it.
// The last of the diff IDs is the new layer's. A history that doesn't tell of as many layers as are
// below is replaced by empty entries. An "author" of `entry` is the image's too.
// Errors: CORRUPT, INVALID (`foreign`), LIMIT. *ret is the caller's.
fallible oci_config_child(const char *foreign, size_t size, const struct oci_image_config *config,
                          const struct json *entry, char **ret);

// docker-archive: manifest.json.
struct oci_archive_image {
	const char *config; // a path in the archive, relative, without ".."
	const char **repo_tags;
	size_t n_repo_tags;
	const char **layers; // paths, in order from the bottom
	size_t n_layers;
};
struct oci_archive {
	struct oci_archive_image *images;
	size_t n_images;
};
fallible oci_archive_parse(const char *text, size_t size, struct arena *arena,
                           struct oci_archive *ret);
// The file `oci-layout`: version 1.0.0.
fallible oci_layout_check(const char *text, size_t size);
