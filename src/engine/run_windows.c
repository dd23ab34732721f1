// SPDX-License-Identifier: Apache-2.0
// What `run` does differently for Windows: its spec has two forms, its root one layer more, and its
// layers may be named by folders (docs/design.md §8).
#include "boot/protocol.h"
#include "engine/run.h"
#include "engine/spec.h"
#include "sys/lock.h"
#include "sys/path.h"
#include "sys/process.h"
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#define TEMPLATES "templates" // beside our programs: made when we are installed

enum { REGISTRY_TEXT_LIMIT = 64 << 20 };

bool run_is_windows(const struct run *run)
{
	return run->spec && run->spec->windows.present && !run->spec->linux_.present;
}

fallible run_windows_allowed(const struct run *run)
{
	if (run->request->spec && run->request->spec->net_host)
		return error_new(ERROR_UNSUPPORTED,
		                 "Cannot use host mode networking with Windows containers");
	return error_hint(
		windows_check_wine(),
		"apt-get install --no-install-recommends wine64, or install.sh --windows");
}

// --- layer folders
// --------------------------------------------------------------------------------

// Where containerd keeps them on Windows; the walk's files name layers by it.
#define CONTAINERD_FOLDER \
	"C:\\ProgramData\\containerd\\root\\io.containerd.snapshotter.v1.windows\\snapshots\\"

// The number of the snapshot of ours that a folder means.
static fallible folder_number(struct run *run, size_t i, uint64_t *ret)
{
	const char *folder = run->spec->windows.layer_folders.items[i];
	auto_free char *own =
		alloc_printf("%s/snapshots/" SNAPSHOTS_WINDOWS "/", store_root(run->engine->store));
	const char *number = NULL;
	if (!strncasecmp(folder, CONTAINERD_FOLDER, strlen(CONTAINERD_FOLDER)))
		number = folder + strlen(CONTAINERD_FOLDER);
	else if (text_starts(folder, own))
		number = folder + strlen(own);
	if (number)
		return error_prefix(text_parse_u64(number, 10, INT64_MAX, ret),
		                    "windows.layerFolders[%zu]", i);
	return error_hint(error_new(ERROR_INVALID,
	                            "windows.layerFolders[%zu]: %.256s is no folder "
	                            "of a snapshot",
	                            i, folder),
	                  "coracle snapshots prepare --mounts prints them");
}

static const struct store_snapshot *find_number(const struct store_snapshots *rows, uint64_t number)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->items[i].number == number)
			return &rows->items[i];
	return NULL;
}

static const struct store_snapshot *find_key(const struct store_snapshots *rows, const char *key)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(rows->items[i].key, key))
			return &rows->items[i];
	return NULL;
}

// The last folder is the scratch; the ones before it are what it stands on, the topmost first.
static fallible check_folders(struct run *run, const struct store_snapshots *rows)
{
	size_t n = run->spec->windows.layer_folders.n;
	if (n < 2)
		return error_new(ERROR_INVALID, "windows.layerFolders: must pass at least two");
	uint64_t number;
	TRY(folder_number(run, n - 1, &number));
	const struct store_snapshot *row = find_number(rows, number);
	if (!row || row->kind != STORE_ACTIVE)
		return error_hint(error_new(ERROR_NOT_FOUND,
		                            "windows.layerFolders[%zu]: no active snapshot %llu",
		                            n - 1, (unsigned long long)number),
		                  "coracle snapshots prepare --mounts KEY PARENT makes one");
	run->scratch = alloc_string(row->key);
	run->scratch_parent = alloc_string(row->parent);
	for (size_t i = 0; i + 1 < n; i++) {
		row = find_key(rows, row->parent);
		TRY(folder_number(run, i, &number));
		if (!row || row->number != number)
			return error_new(ERROR_INVALID,
			                 "windows.layerFolders[%zu]: snapshot %llu is not what the "
			                 "scratch stands on there",
			                 i, (unsigned long long)number);
	}
	if (*row->parent)
		return error_new(ERROR_INVALID,
		                 "windows.layerFolders: the base of snapshot %llu is missing",
		                 (unsigned long long)row->number);
	return NULL;
}

// The image that these layers are of, for its version; none is no error.
static fallible find_version(struct run *run)
{
	struct store_images *rows;
	TRY(store_list_images(run->engine->store, run->engine->ns, &rows));
	struct error *error = NULL;
	for (size_t i = 0; i < rows->n && !run->os_version && !error; i++)
		for (size_t k = 0; k < rows->items[i].n_manifests; k++) {
			const struct store_manifest *m = &rows->items[i].manifests[k];
			if (engine_is_windows(m) && !strcmp(m->chain_id, run->scratch_parent)) {
				error = run_windows_version(m, &run->os_version);
				break;
			}
		}
	store_images_free(rows);
	return error;
}

fallible run_windows_folders(struct run *run)
{
	TRY(run_windows_allowed(run));
	TRY(engine_snapshots(run->engine, SNAPSHOTS_WINDOWS, &run->snapshots));
	struct store_snapshots *rows;
	TRY(snapshots_list(run->snapshots, &rows));
	struct error *error = check_folders(run, rows);
	store_snapshots_free(rows);
	TRY(error);
	TRY(find_version(run));
	return snapshots_open_layers(run->snapshots, run->scratch_parent, &run->layers);
}

fallible run_windows_lock_scratch(struct run *run)
{
	// What has told its end may hold its mounts for some milliseconds more.
	enum { PATIENCE_MS = 2000 };
	if (!run->active)
		return NULL;
	TRY(path_open_beneath(run->active->fs, ".", O_RDONLY | O_DIRECTORY, 0, &run->scratch_lock));
	struct error *e = lock_folder(run->scratch_lock, PATIENCE_MS);
	if (!error_is(e, ERROR_BUSY))
		return e;
	error_free(e);
	return error_hint(error_new(ERROR_BUSY, "snapshot \"%s\" is in use by another container",
	                            run->scratch ? run->scratch : run->request->id),
	                  "coracle ps shows what runs; snapshots prepare makes another one");
}

// --- two forms of the spec
// ------------------------------------------------------------------------

fallible run_windows_version(const struct store_manifest *m, char **ret)
{
	struct oci_platform host, have;
	engine_host_platform(&host);
	TRY(oci_platform_parse(m->platform, &host, &have));
	*ret = alloc_string(have.os_version);
	return NULL;
}

// Of the flags only what concerns Linux' side: the others are in the Windows form.
static void linux_request(const struct run *run, struct spec_request *ret)
{
	*ret = (struct spec_request){0};
	if (!run->request->config)
		*ret = *run->request->spec;
	const struct spec_texts none = {0};
	ret->args = ret->env = ret->labels = ret->annotations = ret->mounts = ret->volumes = none;
	ret->tmpfs = ret->ulimits = none;
	ret->shm_size_bytes = 0;
	ret->entrypoint = ret->cwd = ret->env_file = ret->user = ret->hostname = NULL;
	ret->read_only = ret->tty = ret->has_rootfs = ret->init = false;
}

static fallible read_resources(const struct run *run, struct spec_request *request)
{
	const struct json *memory = NULL, *resources = run->spec->windows.resources;
	const struct json_path path = {NULL, "windows.resources", 0};
	TRY(json_get_object(resources, &path, "memory", &memory));
	return json_get_u64(memory, &path, "limit", INT64_MAX, &request->memory_limit);
}

// A file of the topmost layer that has it (windows/hives.h); NULL: none has. The caller's.
static fallible read_registry(const struct run *run, const char *name, char **ret)
{
	for (size_t i = 0; i < run->layers->n; i++) {
		auto_fd int dir = -1;
		struct error *e = path_open_beneath(run->layers->fds[i], "Registry",
		                                    O_RDONLY | O_DIRECTORY, 0, &dir);
		if (!e)
			e = file_read(dir, name, REGISTRY_TEXT_LIMIT, ret, NULL);
		if (!error_is(e, ERROR_NOT_FOUND))
			return error_prefix(e, "registry of the layers");
		error_drop(&e); // this layer changes nothing of it
	}
	return NULL;
}

fallible run_windows_translate(struct run *run)
{
	struct engine *e = run->engine;
	struct spec_request request;
	const struct spec_source source = {.ns = e->ns, .id = run->request->id};
	linux_request(run, &request);
	TRY(read_resources(run, &request));
	auto_spec_host struct spec_host host = {0};
	TRY(spec_host_look(&request, &host));
	auto_strings struct strings warnings = {0};
	TRY(spec_make(&request, &source, &host, &warnings, &run->linux_spec));
	if (run->spec->process.terminal)
		run->linux_spec->process.terminal = true;
	if (run->manifest)
		TRY(run_windows_version(run->manifest, &run->os_version));
	auto_free char *environment = NULL, *system_reg = NULL, *user_reg = NULL,
		       *userdef_reg = NULL;
	TRY(read_registry(run, "environment", &environment));
	TRY(read_registry(run, "system.reg", &system_reg));
	TRY(read_registry(run, "user.reg", &user_reg));
	TRY(read_registry(run, "userdef.reg", &userdef_reg));
	auto_free char *programs = NULL;
	TRY(process_libexec(&programs));
	auto_free char *folder = alloc_printf("%s/windows", store_root(e->store));
	auto_free char *installed = alloc_printf("%s/" TEMPLATES, programs);
	TRY(windows_open_template(installed, folder, programs, &run->template_fd));
	const struct windows_start start = {
		.template_dirfd = run->template_fd,
		.spec = run->spec,
		.id = run->request->id,
		.keep_registry = !run->request->remove || run->scratch,
		.os_version = run->os_version,
		.environment = environment,
		.system_reg = system_reg,
		.user_reg = user_reg,
		.userdef_reg = userdef_reg,
	};
	return windows_translate(&start, run->linux_spec, &run->windows);
}

fallible engine_make_windows_template(void)
{
	auto_free char *programs = NULL;
	TRY(process_libexec(&programs));
	auto_free char *folder = alloc_printf("%s/" TEMPLATES, programs);
	auto_fd int fd = -1;
	return windows_open_template(folder, folder, programs, &fd);
}

// --- namespaces of networks
// -----------------------------------------------------------------------

fallible run_windows_namespace(struct run *run)
{
	struct oci_windows *w = &run->spec->windows;
	const char *wanted = w->network.network_namespace;
	if (!run->cni)
		return NULL;
	if (!wanted || !*wanted) {
		random_guid(run->guid);
		w->network.present = true;
		w->network.network_namespace = oci_spec_string(run->spec, run->guid);
		return NULL;
	}
	auto_free char *guid = alloc_string(wanted);
	for (char *c = guid; *c; c++)
		*c |= *c >= 'A' && *c <= 'F' ? 32 : 0;
	if (!network_guid_is_valid(guid))
		return error_new(ERROR_INVALID,
		                 "windows.network.networkNamespace: \"%.64s\" is not a GUID",
		                 wanted);
	struct network_paths paths = engine_network_paths(run->engine);
	auto_strings struct strings there = {0};
	TRY(network_namespace_list(&paths, NULL, &there));
	if (strings_has(&there, guid)) // somebody's: it is used, and stays
		run->joined_netns = network_namespace_path(&paths, guid);
	else
		snprintf(run->guid, sizeof(run->guid), "%s", guid);
	return NULL;
}

// What ipconfig shows: the kernel knows none of these names.
char *run_windows_adapters(const struct run *run)
{
	struct str s = STR_LIMIT(65536);
	str_add(&s, "");
	const struct network_result *r = run->attached;
	for (size_t i = 0; r && i < r->n_ips; i++) {
		const struct network_ip *ip = &r->ips[i];
		if (ip->address.family != AF_INET)
			continue;
		auto_free char *address = network_address_print(&ip->address);
		auto_free char *gateway = network_address_print(&ip->gateway);
		uint32_t mask = ip->prefix ? ~UINT32_C(0) << (32 - ip->prefix) : 0;
		str_printf(&s, "adapter vEthernet (%s-%s_%s)\n", run->engine->ns, run->request->id,
		           network_config_name(run->network));
		str_printf(&s, "suffix %s\nipv4 %s\nmask %u.%u.%u.%u\n",
		           r->dns.domain ? r->dns.domain : "", address, mask >> 24,
		           mask >> 16 & 255, mask >> 8 & 255, mask & 255);
		str_printf(&s, "gateway %s\n", ip->gateway.family ? gateway : "");
	}
	return str_take(&s);
}
