// SPDX-License-Identifier: Apache-2.0
// A foreign manifest or index with other descriptors in it; what we don't know stays.
#include "oci/image.h"
#include "oci/private.h"

static const struct oci_replacement *find(const struct oci_replacements *r, const struct json *o)
{
	const char *digest = json_text(json_member(o, "digest"));
	for (size_t i = 0; digest && i < r->n; i++)
		if (!strcmp(r->items[i].from, digest))
			return &r->items[i];
	return NULL;
}

static struct json *replaced(const struct json *from, const struct oci_replacement *r)
{
	struct json *o = json_copy(from);
	json_set_string(o, "mediaType", r->media_type);
	json_set_string(o, "digest", r->digest);
	json_set_u64(o, "size", r->size);
	if (strcmp(r->from, r->digest) != 0)
		json_unset(o, "urls"); // there lies what it was before
	return o;
}

static fallible replace_list(struct json *o, const char *key, const struct oci_replacements *r,
                             bool is_index, struct oci_replaced *ret)
{
	const struct json *from = json_member(o, key);
	struct json *to = json_new_array();
	for (size_t i = 0; i < json_size(from); i++) {
		const struct oci_replacement *one = find(r, json_item(from, i));
		if (one) {
			json_append(to, replaced(json_item(from, i), one));
			ret->n++;
		} else if (is_index) {
			ret->n_dropped++;
		} else {
			json_free(to);
			return error_new(ERROR_INVALID, "manifest: a layer that isn't known");
		}
	}
	json_set(o, key, to);
	return NULL;
}

fallible oci_document_convert(const char *text, size_t size, const struct oci_replacements *r,
                              struct oci_replaced *ret)
{
	auto_json struct json *o = NULL;
	auto_arena struct arena *arena = arena_new();
	struct oci_replaced done = {0};
	struct oci_index index;
	struct oci_manifest manifest;
	enum oci_media_kind kind;
	TRY(oci_document_kind(text, size, &kind));
	bool is_index = kind == OCI_MEDIA_INDEX;
	TRY(is_index ? oci_index_parse(text, size, "", arena, &index)
	             : oci_manifest_parse(text, size, "", arena, &manifest));
	TRY(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o));
	json_set_string(o, "mediaType", r->media_type);
	TRY(replace_list(o, is_index ? "manifests" : "layers", r, is_index, &done));
	const struct json *config = json_member(o, "config");
	const struct oci_replacement *one = find(r, config);
	if (!is_index && one)
		json_set(o, "config", replaced(config, one));
	done.text = json_to_text(o, 0, JSON_PLAIN);
	*ret = done;
	return NULL;
}
