// SPDX-License-Identifier: Apache-2.0
// Any bytes to the parsers of image documents. A config that is taken must come through its normal
// form unchanged; a path in an archive must stay inside it.
#include "oci/image.h"
#include "oci/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_config(const struct oci_image_config *c, struct arena *arena)
{
	struct oci_image_config read;
	auto_free char *text = oci_config_write(c);
	auto_error struct error *e = oci_config_read(text, strlen(text), arena, &read);
	if (e)
		abort();
	auto_free char *twice = oci_config_write(&read);
	if (strcmp(text, twice) != 0)
		abort();
	if (read.n_diff_ids) {
		char id[OCI_DIGEST_SIZE];
		oci_chain_id(read.diff_ids, read.n_diff_ids, id);
		if (oci_digest_check(id))
			abort();
	}
}

// What is made of a foreign document is one that our own parsers take, if they took that.
static void check_made(const char *text, size_t size, struct arena *arena)
{
	struct oci_replaced done;
	struct oci_index index;
	struct oci_image_config config, child;
	const struct oci_replacements none = {.media_type = OCI_TYPE_INDEX};
	struct error *e = oci_document_convert(text, size, &none, &done);
	if (!e) {
		enum oci_media_kind kind;
		e = oci_document_kind(done.text, strlen(done.text), &kind);
		if (!e && kind == OCI_MEDIA_INDEX &&
		    (e = oci_index_parse(done.text, strlen(done.text), "", arena, &index)))
			abort();
		free(done.text);
	}
	error_free(e);
	e = oci_config_parse(text, size, arena, &config);
	auto_json struct json *entry = json_new_object();
	char *made = NULL;
	if (!e)
		e = oci_config_child(text, size, &config, entry, &made);
	if (made) {
		error_free(oci_config_parse(made, strlen(made), arena, &child));
		free(made);
	}
	error_free(e);
}

static void check_archive(const struct oci_archive *a)
{
	for (size_t i = 0; i < a->n_images; i++)
		for (size_t l = 0; l < a->images[i].n_layers; l++)
			if (a->images[i].layers[l][0] == '/' ||
			    strstr(a->images[i].layers[l], "/../"))
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const types[] = {"", OCI_TYPE_INDEX, OCI_TYPE_DOCKER_MANIFEST};
	const char *text = (const char *)bytes;
	auto_arena struct arena *arena = arena_new();
	struct oci_index index;
	struct oci_manifest manifest;
	struct oci_image_config config;
	struct oci_archive archive;
	enum oci_media_kind kind;
	for (size_t i = 0; i < N(types); i++) {
		struct error *e = oci_index_parse(text, size, types[i], arena, &index);
		if (!e)
			for (size_t n = 0; n < index.n_manifests; n++)
				json_free(oci_descriptor_to_json(&index.manifests[n]));
		error_free(e);
		error_free(oci_manifest_parse(text, size, types[i], arena, &manifest));
	}
	struct error *e = oci_config_parse(text, size, arena, &config);
	if (!e)
		check_config(&config, arena);
	error_free(e);
	if (size)
		check_made(text, size, arena);
	e = oci_archive_parse(text, size, arena, &archive);
	if (!e)
		check_archive(&archive);
	error_free(e);
	error_free(oci_layout_check(text, size));
	error_free(oci_document_kind(text, size, &kind));
	return 0;
}
