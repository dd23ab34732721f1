// SPDX-License-Identifier: Apache-2.0
#include "registry/hosts.h"
#include "sys/fd.h"
#include "transfer/client_private.h"
#include <sys/mman.h>
#include <unistd.h>

enum { AT_ONCE = 3, AT_ONCE_MAX = 32, STALL_S = 30 };

_Static_assert((int)TRANSFER_HAVE == WANT_HAVE && (int)TRANSFER_FETCH == WANT_FETCH &&
                       (int)TRANSFER_LATER == WANT_LATER,
               "one enum, two headers");

static const char *find_ca_file(void)
{
	static const char *const usual[] = {
		"/etc/ssl/certs/ca-certificates.crt",                // Debian, Arch
		"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora
		"/etc/ssl/ca-bundle.pem",                            // SUSE
		"/etc/ssl/cert.pem",                                 // Alpine
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL
	};
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (!access(usual[i], R_OK))
			return usual[i];
	return NULL;
}

static size_t at_once(size_t wanted)
{
	size_t n = wanted ? wanted : AT_ONCE;
	return n < AT_ONCE_MAX ? n : AT_ONCE_MAX;
}

static void add_registry(struct json *request, const struct transfer_registry *r)
{
	json_set(request, "hosts", registry_hosts_to_json(r->hosts));
	json_set_string(request, "ns", r->ns);
	json_set_string(request, "repository", r->repository);
	json_set_string(request, "name", r->name);
	json_set_u64(request, "atOnce", at_once(r->n_at_once));
	json_set_u64(request, "stall", r->stall_s ? r->stall_s : STALL_S);
	json_set_string(request, "httpProxy", r->http_proxy);
	json_set_string(request, "httpsProxy", r->https_proxy);
	json_set_string(request, "noProxy", r->no_proxy);
	json_set_bool(request, "dump", r->dump);
	json_set_bool(request, "trace", r->trace);
	json_set_string(request, "ca", r->ca_file ? r->ca_file : find_ca_file());
}

static fallible make_request(const struct transfer_fetch_request *r, struct json **ret)
{
	auto_free char *host = NULL;
	TRY(client_host_platform(&host));
	struct json *request = json_new_object(), *platforms = json_new_array();
	add_registry(request, &r->registry);
	json_set_string(request, "host", host);
	for (size_t i = 0; i < r->n_platforms; i++)
		json_append_string(platforms, r->platforms[i]);
	json_set(request, "platforms", platforms);
	json_set_bool(request, "all", r->all_platforms);
	json_set_bool(request, "documentsOnly", r->documents_only);
	*ret = request;
	return NULL;
}

// The fetcher, and beside it those that unpack what comes.
static fallible run_beside(struct client_job *job)
{
	struct client_worker *workers[CLIENT_WORKERS_MAX];
	TRY(client_start(job, &workers[0]));
	struct error *e = NULL;
	for (bool ended = false; !e && !ended;) {
		size_t i, n = 1;
		if (job->beside)
			n += client_unpack_workers(job->beside, workers + 1);
		e = client_wait(workers, n, job->transfer->stop_fd, &i);
		if (!e && !i)
			e = client_listen(&workers[0], &ended);
		else if (!e)
			client_unpack_listen(job->beside, i - 1);
	}
	client_kill(workers[0]);
	return e;
}

fallible transfer_fetch(const struct transfer_fetch_request *r)
{
	auto_json struct json *request = NULL;
	auto_fd int answer = memfd_create("answer", MFD_CLOEXEC);
	if (answer < 0)
		FAIL_ERRNO("answer of the worker");
	TRY(make_request(r, &request));
	struct client_job job = {.transfer = r->transfer,
	                         .role = "fetch",
	                         .request = request,
	                         .input = -1,
	                         .answer = answer,
	                         .target = -1,
	                         .lower = -1,
	                         .grown = -1,
	                         .network = true,
	                         .blobs = r->blobs};
	TRY(run_beside(&job));
	return job.is_described ? NULL : error_new(ERROR_CORRUPT, "the worker described no image");
}

fallible transfer_fetch_object(const struct transfer *transfer, const struct transfer_registry *r,
                               bool is_blob, int fd)
{
	auto_free char *host = NULL;
	uint64_t room;
	TRY(client_host_platform(&host));
	TRY(client_free_bytes(fd, &room));
	auto_json struct json *request = json_new_object();
	add_registry(request, r);
	json_set_string(request, "host", host);
	json_set_bool(request, "blob", is_blob);
	json_set_u64(request, "limit", room);
	struct client_job job = {.transfer = transfer,
	                         .role = "object",
	                         .request = request,
	                         .input = fd,
	                         .answer = -1,
	                         .target = -1,
	                         .lower = -1,
	                         .grown = -1,
	                         .network = true};
	return client_run(&job);
}

fallible transfer_check_login(const struct transfer *transfer, const struct transfer_registry *r)
{
	auto_free char *host = NULL;
	TRY(client_host_platform(&host));
	auto_json struct json *request = json_new_object();
	add_registry(request, r);
	json_set_string(request, "host", host);
	struct client_job job = {.transfer = transfer,
	                         .role = "login",
	                         .request = request,
	                         .input = -1,
	                         .answer = -1,
	                         .target = -1,
	                         .lower = -1,
	                         .grown = -1,
	                         .network = true};
	return client_run(&job);
}

fallible transfer_push(const struct transfer_push_request *r)
{
	auto_free char *host = NULL;
	TRY(client_host_platform(&host));
	auto_json struct json *request = json_new_object();
	struct json *sources = json_new_object();
	add_registry(request, &r->registry);
	json_set_string(request, "host", host);
	json_set_string(request, "digest", r->digest);
	json_set_string(request, "mediaType", r->media_type);
	json_set_u64(request, "size", r->size_bytes);
	json_set_bool(request, "foreign", r->with_foreign);
	json_set_bool(request, "alone", r->alone);
	for (size_t i = 0; i < r->n_sources; i++)
		json_set_string(sources, r->sources[i].digest, r->sources[i].repository);
	json_set(request, "sources", sources);
	struct client_job job = {.transfer = r->transfer,
	                         .role = "push",
	                         .request = request,
	                         .input = -1,
	                         .answer = -1,
	                         .target = -1,
	                         .lower = -1,
	                         .grown = -1,
	                         .network = true,
	                         .blobs = r->blobs};
	return client_run(&job);
}
