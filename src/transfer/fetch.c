// SPDX-License-Identifier: Apache-2.0
// Role `fetch`: an image from a registry, into descriptors that the client passes, and a
// description of it. The documents are read first, one after another; then the layers come, several
// at a time. Only the main thread speaks to the client; a downloader has a conversation of its own
// and shares nothing but the job that it was given.
#include "base/text.h"
#include "oci/image.h"
#include "oci/sha256.h"
#include "registry/registry.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/describe.h"
#include "transfer/download.h"
#include "transfer/protocol.h"
#include "transfer/worker.h"
#include <curl/curl.h>
#include <sys/stat.h>

enum {
	PLATFORMS_MAX = 64,
	DEPTH_MAX = 3,
	DOCUMENTS_MAX = 2000,
	MANIFESTS_MAX = 1000,
};
#define DOCUMENTS_BYTES_MAX ((size_t)64 << 20)

struct fetch {
	struct registry_hosts hosts;
	struct registry_options options;
	struct registry *registry;
	struct arena *arena;
	struct ingest in;
	struct downloads downloads;
	struct oci_platform host, platforms[PLATFORMS_MAX];
	size_t n_platforms;
	bool all, is_default;
	const char *name; // tag or digest
	uint64_t n_downloads;
	size_t documents_size;
};

// What an index offers.
struct choice {
	struct oci_descriptor *items;
	size_t n, capacity;
};

static void choice_done(struct choice *c)
{
	free(c->items);
}

// --- the order ----------------------------------------------------------------------------------

static void tell(void *arg, const char *line)
{
	(void)arg;
	channel_debug(line);
}

static fallible read_platforms(struct fetch *f, const struct json *request)
{
	const char *host;
	const struct json *platforms = NULL;
	const struct oci_platform any = {.os = "linux", .architecture = "amd64"};
	TRY(json_require_string(request, NULL, "host", &host));
	TRY(oci_platform_parse(host, &any, &f->host));
	TRY(json_get_array(request, NULL, "platforms", PLATFORMS_MAX, &platforms));
	for (size_t i = 0; i < json_size(platforms); i++) {
		const char *text = json_text(json_item(platforms, i));
		TRY(oci_platform_parse(text ? text : "", &f->host,
		                       &f->platforms[f->n_platforms++]));
	}
	f->is_default = !f->n_platforms;
	if (f->is_default)
		f->platforms[f->n_platforms++] = f->host;
	return json_get_bool(request, NULL, "all", &f->all);
}

static fallible read_order(struct fetch *f, const struct json *request)
{
	struct registry_options *o = &f->options;
	const struct json *hosts = NULL;
	uint64_t stall = 0;
	struct {
		const char *name, **to;
	} texts[] = {{"ns", &o->ns},
	             {"repository", &o->repository},
	             {"name", &f->name},
	             {"httpProxy", &o->http_proxy},
	             {"httpsProxy", &o->https_proxy},
	             {"noProxy", &o->no_proxy}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		TRY(json_get_string(request, NULL, texts[i].name, texts[i].to));
	if (!o->ns || !o->repository || !f->name)
		return error_new(ERROR_INVALID, "request: no name");
	TRY(json_require_u64(request, NULL, "stall", 3600, &stall));
	TRY(json_require_u64(request, NULL, "downloads", DOWNLOADERS_MAX, &f->n_downloads));
	TRY(json_get_array(request, NULL, "hosts", 128, &hosts));
	TRY(registry_hosts_from_json(hosts, &f->hosts));
	o->hosts = &f->hosts;
	o->stall_s = (unsigned)stall;
	o->debug = tell;
	return read_platforms(f, request);
}

// --- documents ----------------------------------------------------------------------------------

static struct ingest_file *remember(struct fetch *f, const char *digest, uint64_t size,
                                    const char *text)
{
	alloc_grow(&f->in.files, &f->in.capacity, f->in.n_files, sizeof(*f->in.files));
	struct ingest_file *file = &f->in.files[f->in.n_files++];
	*file = (struct ingest_file){.path = alloc_string(""), .size = size, .text = text};
	memcpy(file->digest, digest, strlen(digest) + 1);
	memcpy(file->name, "-", 2);
	return file;
}

static const struct ingest_file *recall(const struct fetch *f, const char *digest)
{
	for (size_t i = f->in.n_files; i--;)
		if (!strcmp(f->in.files[i].digest, digest))
			return &f->in.files[i];
	return NULL;
}

static fallible count_document(struct fetch *f, size_t size)
{
	f->documents_size += size;
	if (f->in.n_files >= DOCUMENTS_MAX || f->documents_size > DOCUMENTS_BYTES_MAX)
		return error_new(ERROR_LIMIT, "more than %d documents, or %zu bytes of them",
		                 DOCUMENTS_MAX, DOCUMENTS_BYTES_MAX);
	return NULL;
}

static fallible check_sum(const char *digest, const char *text, size_t size)
{
	char got[OCI_DIGEST_SIZE];
	oci_digest_of(text, size, got);
	if (!strcmp(got, digest))
		return NULL;
	return error_new(ERROR_CORRUPT, "%s: the digest of its bytes is %s", digest, got);
}

// A document that the store has, or that has just been fetched into its descriptor.
static fallible read_back(struct fetch *f, const char *digest, int fd, const char **ret,
                          size_t *ret_size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("%s", digest);
	if (st.st_size > (off_t)OCI_MANIFEST_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "%s: a document of %lld bytes", digest,
		                 (long long)st.st_size);
	size_t size = (size_t)st.st_size;
	char *text = arena_alloc(f->arena, size + 1);
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, text + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_new(ERROR_CORRUPT, "%s: can't be read back", digest);
		done += (size_t)n;
	}
	TRY(check_sum(digest, text, size));
	*ret = text;
	*ret_size = size;
	return NULL;
}

static fallible write_document(const char *digest, int fd, const char *text, size_t size)
{
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("%s", digest);
	return error_prefix(fd_write_all(fd, text, size), "%s", digest);
}

static fallible want_document(const char *digest, uint64_t size, enum want_kind *ret, int *ret_fd)
{
	TRY(channel_want(digest, size, WANT_DOCUMENT | WANT_PATIENTLY, ret, ret_fd));
	if (*ret == WANT_LATER || *ret_fd < 0)
		return error_new(ERROR_SYSTEM, "%s: the client gave no descriptor", digest);
	return NULL;
}

// By the digest of a descriptor: `size` bytes. Configs are blobs, the others manifests.
static fallible get_document(struct fetch *f, const struct oci_descriptor *d, bool is_config,
                             const char **ret, size_t *ret_size)
{
	auto_fd int fd = -1;
	enum want_kind kind;
	const struct ingest_file *known = recall(f, d->digest);
	if (known && known->text && known->size == d->size) {
		*ret = known->text;
		*ret_size = (size_t)known->size;
		return NULL;
	}
	if (!oci_digest_is_sha256(d->digest))
		return error_new(ERROR_UNSUPPORTED, "%.100s: only sha256 is supported", d->digest);
	if (d->size > OCI_MANIFEST_SIZE_LIMIT)
		return error_new(ERROR_LIMIT, "%s: a document of %llu bytes", d->digest,
		                 (unsigned long long)d->size);
	TRY(want_document(d->digest, d->size, &kind, &fd));
	if (kind == WANT_FETCH && is_config) {
		const struct registry_blob blob = {
			.digest = d->digest, .size_bytes = d->size, .fd = fd};
		TRY(registry_fetch_blob(f->registry, &blob));
	} else if (kind == WANT_FETCH) {
		struct registry_document fetched;
		TRY(registry_fetch_manifest(f->registry, d->digest, (size_t)d->size, &fetched));
		struct error *e = write_document(d->digest, fd, fetched.text, fetched.size);
		registry_document_done(&fetched);
		TRY(e);
	}
	TRY(read_back(f, d->digest, fd, ret, ret_size));
	if (*ret_size != d->size)
		return error_new(ERROR_CORRUPT, "%s: has %zu bytes, its descriptor says %llu",
		                 d->digest, *ret_size, (unsigned long long)d->size);
	if (kind == WANT_FETCH)
		channel_got(d->digest);
	TRY(count_document(f, *ret_size));
	remember(f, d->digest, d->size, *ret);
	return NULL;
}

// --- the target ---------------------------------------------------------------------------------

// Where the answer's type is none of ours ("text/plain"), the document's own word is taken.
static fallible target_type(const char *said, const char *text, size_t size, const char **ret)
{
	const struct oci_media_type *type = oci_media_type(said);
	enum oci_media_kind kind;
	auto_json struct json *o = NULL;
	const char *own = NULL;
	if (type) {
		*ret = type->name;
		return NULL;
	}
	TRY(oci_document_kind(text, size, &kind));
	TRY(json_parse(text, size, OCI_MANIFEST_SIZE_LIMIT, &o));
	TRY(json_get_string(o, NULL, "mediaType", &own));
	type = own ? oci_media_type(own) : NULL;
	*ret = type                         ? type->name
	       : kind == OCI_MEDIA_INDEX    ? OCI_TYPE_INDEX
	       : kind == OCI_MEDIA_MANIFEST ? OCI_TYPE_MANIFEST
	                                    : "";
	return **ret ? NULL : error_new(ERROR_UNSUPPORTED, "neither a manifest nor an index");
}

// Puts it into its descriptor, unless the store turns out to have it.
static fallible keep_target(const struct registry_document *d, enum want_kind kind, int fd)
{
	auto_fd int own = -1;
	if (fd < 0)
		TRY(want_document(d->digest, d->size, &kind, &own));
	if (kind != WANT_FETCH)
		return NULL;
	TRY(write_document(d->digest, fd < 0 ? own : fd, d->text, d->size));
	channel_got(d->digest);
	return NULL;
}

static fallible take_target(struct fetch *f, const char *digest, const char *type, const char *text,
                            size_t size, struct oci_descriptor *ret)
{
	*ret = (struct oci_descriptor){.digest = arena_string(f->arena, digest), .size = size};
	TRY_AS(target_type(type, text, size, &ret->media_type), "%s", digest);
	TRY(count_document(f, size));
	remember(f, digest, size, text);
	return NULL;
}

static fallible find_target(struct fetch *f, struct oci_descriptor *ret)
{
	struct registry_target target = {0};
	auto_fd int fd = -1;
	enum want_kind kind = WANT_FETCH;
	const char *digest = f->name;
	if (!strchr(f->name, ':')) {
		TRY(registry_resolve(f->registry, f->name, &target));
		digest = target.digest;
	}
	if (*digest && !oci_digest_is_sha256(digest))
		return error_new(ERROR_UNSUPPORTED, "%.100s: only sha256 is supported", digest);
	if (*digest)
		TRY(want_document(digest, 0, &kind, &fd));
	if (kind == WANT_HAVE) {
		const char *text;
		size_t size;
		TRY(read_back(f, digest, fd, &text, &size));
		return take_target(f, digest, target.media_type, text, size, ret);
	}
	struct registry_document fetched;
	TRY(registry_fetch_manifest(f->registry, *digest ? digest : f->name,
	                            OCI_MANIFEST_SIZE_LIMIT, &fetched));
	const char *text = arena_bytes(f->arena, fetched.text, fetched.size);
	struct error *e = keep_target(&fetched, kind, fd);
	if (!e)
		e = take_target(f, fetched.digest, fetched.media_type, text, fetched.size, ret);
	registry_document_done(&fetched);
	return e;
}

// --- which manifests ----------------------------------------------------------------------------

static fallible offer(struct choice *c, const struct oci_descriptor *d)
{
	if (c->n >= MANIFESTS_MAX)
		return error_new(ERROR_LIMIT, "more than %d manifests", MANIFESTS_MAX);
	alloc_grow(&c->items, &c->capacity, c->n, sizeof(*c->items));
	c->items[c->n++] = *d;
	return NULL;
}

static bool is_index(const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	return type && type->kind == OCI_MEDIA_INDEX;
}

// The manifests of an index and of the indexes in it. No recursion without a bound: a digest can't
// hold itself, but depth costs the server nothing.
static fallible open_index(struct fetch *f, const struct oci_descriptor *d, unsigned depth,
                           struct choice *c)
{
	const char *text;
	size_t size;
	struct oci_index index;
	if (depth >= DEPTH_MAX)
		return error_new(ERROR_LIMIT, "indexes more than %d deep", DEPTH_MAX);
	TRY(get_document(f, d, false, &text, &size));
	TRY_AS(oci_index_parse(text, size, d->media_type, f->arena, &index), "index %s", d->digest);
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct oci_descriptor *item = &index.manifests[i];
		if (is_index(item))
			TRY(open_index(f, item, depth + 1, c));
		else
			TRY(offer(c, item));
	}
	return NULL;
}

static const struct oci_descriptor *best(const struct choice *c, const struct oci_platform *want)
{
	const struct oci_descriptor *found = NULL;
	unsigned most = 0;
	uint64_t newest = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct oci_descriptor *d = &c->items[i];
		unsigned match = d->has_platform ? oci_platform_match(want, &d->platform) : 0;
		uint64_t version = oci_platform_version(&d->platform);
		if (match > most || (match && match == most && version > newest)) {
			most = match;
			newest = version;
			found = d;
		}
	}
	return found;
}

// Attestations have the platform unknown/unknown: nothing runs there.
static bool is_image(const struct oci_descriptor *d)
{
	return !d->has_platform || strcmp(d->platform.os, "unknown") != 0;
}

static fallible choose(struct fetch *f, const struct choice *c, struct choice *ret)
{
	for (size_t i = 0; f->all && i < c->n; i++)
		if (is_image(&c->items[i]))
			TRY(offer(ret, &c->items[i]));
	for (size_t i = 0; !f->all && i < f->n_platforms; i++) {
		const struct oci_descriptor *d = best(c, &f->platforms[i]);
		if (d)
			TRY(offer(ret, d));
	}
	if (!ret->n && f->is_default) {
		struct oci_platform windows = f->host;
		memcpy(windows.os, "windows", sizeof("windows"));
		const struct oci_descriptor *d = best(c, &windows);
		if (d)
			f->platforms[0] = windows;
		if (d)
			TRY(offer(ret, d));
	}
	// Without a platform the manifests' configs have to say it.
	for (size_t i = 0; !ret->n && i < c->n; i++)
		if (!c->items[i].has_platform)
			TRY(offer(ret, &c->items[i]));
	if (ret->n)
		return NULL;
	auto_free char *platform = oci_platform_format(&f->platforms[0]);
	return error_new(ERROR_NOT_FOUND, "no match for platform in manifest: %s: not found",
	                 platform);
}

// --- a manifest ---------------------------------------------------------------------------------

static fallible add_layer(struct fetch *f, const struct oci_descriptor *d)
{
	const struct oci_media_type *type = oci_media_type(d->media_type);
	if (!type || type->kind != OCI_MEDIA_LAYER)
		return error_new(ERROR_UNSUPPORTED, "layer %s: media type %.100s", d->digest,
		                 d->media_type);
	if (!oci_digest_is_sha256(d->digest))
		return error_new(ERROR_UNSUPPORTED, "layer %.100s: only sha256 is supported",
		                 d->digest);
	const struct ingest_file *known = recall(f, d->digest);
	if (known && known->size == d->size)
		return NULL;
	if (known)
		return error_new(ERROR_CORRUPT, "%s: of two sizes", d->digest);
	remember(f, d->digest, d->size, NULL);
	const struct registry_blob blob = {
		.digest = d->digest,
		.size_bytes = d->size,
		.fd = -1,
		// Elsewhere is only asked for what registries may not have.
		.urls = (const char *const *)d->urls,
		.n_urls = type->non_distributable ? d->n_urls : 0,
	};
	downloads_add(&f->downloads, &blob);
	return NULL;
}

static fallible open_manifest(struct fetch *f, const struct oci_descriptor *d)
{
	const char *text;
	size_t size;
	struct oci_manifest m;
	TRY(get_document(f, d, false, &text, &size));
	TRY(oci_manifest_parse(text, size, d->media_type, f->arena, &m));
	const struct oci_media_type *type = oci_media_type(m.config.media_type);
	if (!type || type->kind != OCI_MEDIA_CONFIG)
		return f->all ? NULL
		              : error_new(ERROR_UNSUPPORTED, "not an image: its config is %.100s",
		                          m.config.media_type);
	if (m.n_layers > OCI_LAYERS_LIMIT)
		return error_new(ERROR_LIMIT, "%zu layers, the limit is %d", m.n_layers,
		                 OCI_LAYERS_LIMIT);
	TRY_AS(get_document(f, &m.config, true, &text, &size), "config");
	for (size_t i = 0; i < m.n_layers; i++)
		TRY(add_layer(f, &m.layers[i]));
	return NULL;
}

static fallible open_all(struct fetch *f, const struct oci_descriptor *target)
{
	if (!is_index(target)) {
		f->all = true; // a single manifest is taken as it is, as ctr does
		return error_prefix(open_manifest(f, target), "manifest %s", target->digest);
	}
	defer(choice_done) struct choice offered = {0}, chosen = {0};
	TRY(open_index(f, target, 0, &offered));
	TRY(choose(f, &offered, &chosen));
	for (size_t i = 0; i < chosen.n; i++)
		TRY_AS(open_manifest(f, &chosen.items[i]), "manifest %s", chosen.items[i].digest);
	return NULL;
}

// --- all of it ----------------------------------------------------------------------------------

static fallible answer(struct fetch *f, const struct oci_descriptor *target)
{
	auto_json struct json *said = NULL;
	struct describe_request r = {.host = f->host,
	                             .platforms = f->platforms,
	                             .n_platforms = f->n_platforms,
	                             .all = f->all};
	ingest_index(&f->in);
	TRY(describe_target(&f->in, &r, target, &said));
	auto_free char *text = json_to_text(said, 0, JSON_PLAIN);
	size_t size = strlen(text);
	if (size > ANSWER_SIZE_MAX)
		return error_new(ERROR_LIMIT, "the image's description is too large");
	return fd_write_all(WORKER_ANSWER, text, size);
}

static fallible fetch(struct fetch *f, struct worker_result *ret)
{
	struct oci_descriptor target;
	TRY(registry_new(&f->options, &f->registry));
	TRY(find_target(f, &target));
	TRY(open_all(f, &target));
	TRY(downloads_run(&f->downloads, &f->options, (size_t)f->n_downloads));
	ret->bytes = f->downloads.bytes;
	return answer(f, &target);
}

#define CA_FILE "etc/ssl/ca.pem"

fallible worker_fetch(const struct json *request, struct worker_result *ret)
{
	static const char *const directories[] = {"etc", "etc/ssl", NULL};
	const char *ca = NULL;
	// Never freed: after an error downloaders may still use it; it goes with the process.
	static struct fetch f;
	f.arena = arena_new();
	f.in.dirfd = -1;
	TRY(read_order(&f, request));
	TRY(json_get_string(request, NULL, "ca", &ca));
	const struct confine_copy copies[] = {
		{"/etc/hosts", "etc/hosts"},
		{"/etc/resolv.conf", "etc/resolv.conf"},
		{"/etc/nsswitch.conf", "etc/nsswitch.conf"},
		{ca, CA_FILE},
	};
	struct confine_role role = {.directories = directories,
	                            .copies = copies,
	                            .n_copies = 3 + (ca != NULL),
	                            .network = true};
	int landlock;
	// Reads OpenSSL's configuration of the system, which is gone afterwards.
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return error_new(ERROR_SYSTEM, "libcurl doesn't start");
	TRY(confine_begin(&role, &landlock));
	TRY(confine_end(CONFINE_SPEAKS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	f.options.ca_file = ca ? "/" CA_FILE : NULL;
	return fetch(&f, ret);
}
