// SPDX-License-Identifier: Apache-2.0
#include "transfer/order.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include "transfer/confine.h"
#include "transfer/download.h"
#include <curl/curl.h>
#include <fcntl.h>

#define CA_FILE "etc/ssl/ca.pem"
enum { CA_MAX = 4 << 20 };

static void tell(void *arg, const char *line)
{
	(void)arg;
	channel_debug(line);
}

static fallible read_platforms(const struct json *request, struct order *o)
{
	const char *host;
	const struct json *platforms = NULL;
	const struct oci_platform any = {.os = "linux", .architecture = "amd64"};
	TRY(json_require_string(request, NULL, "host", &host));
	TRY(oci_platform_parse(host, &any, &o->host));
	TRY(json_get_array(request, NULL, "platforms", ORDER_PLATFORMS_MAX, &platforms));
	for (size_t i = 0; i < json_size(platforms); i++) {
		const char *text = json_text(json_item(platforms, i));
		TRY(oci_platform_parse(text ? text : "", &o->host,
		                       &o->platforms[o->n_platforms++]));
	}
	o->is_default = !o->n_platforms;
	if (o->is_default)
		o->platforms[o->n_platforms++] = o->host;
	TRY(json_get_bool(request, NULL, "documentsOnly", &o->documents_only));
	return json_get_bool(request, NULL, "all", &o->all);
}

// A host's own CA comes beside the system's, as in containerd.
static fallible join_certificates(struct order *o)
{
	auto_free char *system = NULL;
	for (size_t i = 0; i < o->hosts.n; i++) {
		struct registry_host *h = &o->hosts.items[i];
		if (!h->ca || !o->ca)
			continue;
		if (!system)
			TRY(file_read(AT_FDCWD, o->ca, CA_MAX, &system, NULL));
		char *both = alloc_printf("%s\n%s", h->ca, system);
		free(h->ca);
		h->ca = both;
	}
	return NULL;
}

fallible order_read(const struct json *request, struct order *o)
{
	struct registry_options *r = &o->options;
	const struct json *hosts = NULL;
	uint64_t stall = 0, at_once = 0;
	struct {
		const char *name, **to;
	} texts[] = {{"ns", &r->ns},
	             {"repository", &r->repository},
	             {"name", &o->name},
	             {"ca", &o->ca},
	             {"httpProxy", &r->http_proxy},
	             {"httpsProxy", &r->https_proxy},
	             {"noProxy", &r->no_proxy}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		TRY(json_get_string(request, NULL, texts[i].name, texts[i].to));
	if (!r->ns || !r->repository || !o->name)
		return error_new(ERROR_INVALID, "request: no name");
	TRY(json_get_bool(request, NULL, "dump", &r->dump));
	TRY(json_get_bool(request, NULL, "trace", &r->trace));
	TRY(json_require_u64(request, NULL, "stall", 3600, &stall));
	TRY(json_require_u64(request, NULL, "atOnce", DOWNLOADERS_MAX, &at_once));
	TRY(json_get_array(request, NULL, "hosts", 128, &hosts));
	TRY(registry_hosts_from_json(hosts, &o->hosts));
	TRY(join_certificates(o));
	r->hosts = &o->hosts;
	r->stall_s = (unsigned)stall;
	r->debug = tell;
	o->n_at_once = (size_t)at_once;
	return read_platforms(request, o);
}

fallible order_confine(struct order *o)
{
	static const char *const directories[] = {"etc", "etc/ssl", NULL};
	const struct confine_copy copies[] = {
		{"/etc/hosts", "etc/hosts"},
		{"/etc/resolv.conf", "etc/resolv.conf"},
		{"/etc/nsswitch.conf", "etc/nsswitch.conf"},
		{o->ca, CA_FILE},
	};
	struct confine_role role = {.directories = directories,
	                            .copies = copies,
	                            .n_copies = 3 + (o->ca != NULL),
	                            .network = true};
	int landlock;
	// Reads OpenSSL's configuration of the system, which is gone afterwards.
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return error_new(ERROR_SYSTEM, "libcurl doesn't start");
	TRY(confine_begin(&role, &landlock));
	TRY(confine_end(CONFINE_SPEAKS));
	if (!landlock)
		channel_debug("this kernel has no Landlock: confined by root, rights and seccomp");
	o->options.ca_file = o->ca ? "/" CA_FILE : NULL;
	return NULL;
}
