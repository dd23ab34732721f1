// SPDX-License-Identifier: Apache-2.0
#include "engine/private.h"
#include "oci/reference.h"
#include <stdio.h>
#include <sys/utsname.h>

static fallible find_exactly(struct store *store, const char *ns, const char *name,
                             struct store_image **ret)
{
	*ret = NULL;
	struct error *e = store_find_image(store, ns, name, ret);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // the caller has another name to try
	return e;
}

fallible engine_find_image(struct engine *e, const char *typed, struct store_image **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	struct store_image *image;
	TRY(find_exactly(store, e->ns, typed, &image));
	if (!image) {
		auto_free char *complete = NULL;
		struct error *bad = oci_reference_normalise(typed, &complete);
		if (bad)
			error_drop(&bad); // what can't be completed can still be "not found"
		else
			TRY(find_exactly(store, e->ns, complete, &image));
	}
	if (!image)
		return error_hint(error_new(ERROR_NOT_FOUND, "image \"%.256s\": not found", typed),
		                  "coracle images ls shows what is there, coracle images import "
		                  "FILE brings one in");
	*ret = image;
	return NULL;
}

void engine_host_platform(struct oci_platform *ret)
{
	struct utsname u;
	*ret = (struct oci_platform){.os = "linux"};
	if (uname(&u) == 0)
		snprintf(ret->architecture, sizeof(ret->architecture), "%.31s", u.machine);
	oci_platform_normalise(ret);
}

bool engine_is_windows(const struct store_manifest *m)
{
	return text_starts(m->platform, "windows");
}

const char *engine_snapshotter_for(const struct store_manifest *m, const char *snapshotter)
{
	return engine_is_windows(m) ? SNAPSHOTS_WINDOWS : snapshotter;
}

static fallible best_manifest(const struct store_image *image, const struct oci_platform *want,
                              const struct store_manifest **ret)
{
	unsigned best = 0;
	uint64_t newest = 0;
	struct oci_platform host;
	engine_host_platform(&host);
	*ret = NULL;
	for (size_t i = 0; i < image->n_manifests; i++) {
		struct oci_platform have;
		TRY_AS(oci_platform_parse(image->manifests[i].platform, &host, &have), "image %s",
		       image->name);
		unsigned match = oci_platform_match(want, &have);
		uint64_t version = oci_platform_version(&have);
		if (match > best || (match && match == best && version > newest)) {
			best = match;
			newest = version;
			*ret = &image->manifests[i];
		}
	}
	return NULL;
}

void engine_warn_of_platform(struct engine *e, const char *name, const struct store_manifest *m,
                             const char *platform)
{
	struct oci_platform host, want, have;
	engine_host_platform(&host);
	struct error *bad = oci_platform_parse(platform, &host, &want);
	if (!bad)
		bad = oci_platform_parse(m->platform, &host, &have);
	if (!bad && !oci_platform_match(&want, &have))
		engine_warn(e, "image \"%s\" is for %s alone, not for %s", name, m->platform,
		            platform);
	error_free(bad); // then somebody else says so
}

fallible engine_choose_manifest(const struct store_image *image, const char *platform,
                                const struct store_manifest **ret)
{
	struct oci_platform host, want;
	engine_host_platform(&host);
	want = host;
	if (platform)
		TRY(oci_platform_parse(platform, &host, &want));
	const struct store_manifest *found = NULL;
	TRY(best_manifest(image, &want, &found));
	const struct oci_media_type *type = oci_media_type(image->target.media_type);
	bool single = type && type->kind == OCI_MEDIA_MANIFEST && image->n_manifests == 1;
	if (!found && single)
		found = &image->manifests[0];
	if (!found && !platform) {
		struct oci_platform windows = {.os = "windows"};
		snprintf(windows.architecture, sizeof(windows.architecture), "%s",
		         host.architecture);
		TRY(best_manifest(image, &windows, &found));
	}
	if (!found) {
		auto_free char *text = oci_platform_format(&want);
		return error_hint(error_new(ERROR_NOT_FOUND,
		                            "image \"%s\": nothing for platform %s", image->name,
		                            text),
		                  "coracle images ls shows its platforms");
	}
	*ret = found;
	return NULL;
}
