// SPDX-License-Identifier: Apache-2.0
// What networks and network namespaces there are, by the files where CNI keeps them: the
// configuration, and libcni's cache of results (one file for each attachment).
#include "engine/private.h"
#include "sys/path.h"
#include <dirent.h>
#include <fcntl.h>

#define CACHE "/var/lib/cni/results"
enum { DOCUMENT_LIMIT = 1 << 20 };

void engine_networks_free(struct engine_networks *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++) {
		struct engine_endpoint *e = &n->items[i];
		free(e->network);
		free(e->container);
		free(e->address);
		free(e->netns);
	}
	free(n->items);
	free(n->name);
	free(n->type);
	free(n->subnet);
	free(n->gateway);
	strings_done(&n->netns);
	free(n);
}

// --- the configuration
// ----------------------------------------------------------------------------

static const char *text_of(const struct json *object, const char *key)
{
	return object ? json_text(json_member(object, key)) : NULL;
}

static const struct json *first_of(const struct json *object, const char *key)
{
	const struct json *array = object ? json_member(object, key) : NULL;
	return array ? json_item(array, 0) : NULL;
}

static void read_plugin(const struct json *plugin, struct engine_networks *ret)
{
	const struct json *ipam = plugin ? json_member(plugin, "ipam") : NULL;
	const struct json *set = first_of(ipam, "ranges");
	const struct json *range = set ? json_item(set, 0) : NULL;
	const struct json *route = first_of(ipam, "routes");
	const char *subnet = text_of(ipam, "subnet"), *gateway = text_of(ipam, "gateway");
	if (!subnet)
		subnet = text_of(range, "subnet");
	if (!gateway)
		gateway = text_of(range, "gateway");
	if (!gateway)
		gateway = text_of(route, "gateway"); // Windows' nat
	const char *type = text_of(plugin, "type");
	ret->type = alloc_string(type ? type : "");
	ret->subnet = alloc_string(subnet ? subnet : "");
	ret->gateway = alloc_string(gateway ? gateway : "");
}

static fallible read_configuration(struct engine *e, struct engine_networks *ret)
{
	struct network_paths paths = engine_network_paths(e);
	struct network_config *config;
	auto_free char *text = NULL, *file = NULL;
	size_t size;
	struct error *none = network_config_load(&paths, &config);
	if (error_is(none, ERROR_NOT_FOUND)) {
		error_drop(&none); // no network is an answer
		return NULL;
	}
	TRY(none);
	ret->name = alloc_string(network_config_name(config));
	file = alloc_string(network_config_file(config));
	network_config_free(config);
	TRY(file_read(AT_FDCWD, file, DOCUMENT_LIMIT, &text, &size));
	auto_json struct json *document = NULL;
	TRY_AS(json_parse(text, size, DOCUMENT_LIMIT, &document), "%s", file);
	const struct json *plugin = first_of(document, "plugins");
	read_plugin(plugin ? plugin : document, ret);
	return NULL;
}

// --- attachments
// ----------------------------------------------------------------------------------

static void add_endpoint(const struct json *document, struct engine_networks *ret, size_t *capacity)
{
	const char *network = text_of(document, "networkName");
	const char *container = text_of(document, "containerId");
	const struct json *ip = first_of(json_member(document, "result"), "ips");
	const char *address = text_of(ip, "address");
	const char *gateway = text_of(ip, "gateway");
	if (!network || !container)
		return;
	alloc_grow(&ret->items, capacity, ret->n, sizeof(*ret->items));
	ret->items[ret->n++] = (struct engine_endpoint){
		.network = alloc_string(network),
		.container = alloc_string(container),
		.address = alloc_string(address ? address : ""),
		.netns = alloc_string(""),
	};
	if (ret->name && !strcmp(ret->name, network) && !*ret->gateway && gateway) {
		free(ret->gateway); // the subnet's first: only an attachment says so
		ret->gateway = alloc_string(gateway);
	}
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int by_container(const void *a, const void *b)
{
	const struct engine_endpoint *x = a, *y = b;
	int order = strcmp(x->network, y->network);
	return order ? order : strcmp(x->container, y->container);
}

static fallible read_attachments(struct engine_networks *ret)
{
	size_t capacity = 0;
	int fd = open(CACHE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return NULL;
	defer(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("list " CACHE);
	const struct dirent *entry;
	while ((errno = 0, entry = readdir(dir))) {
		auto_free char *text = NULL;
		auto_json struct json *document = NULL;
		size_t size;
		if (entry->d_name[0] == '.')
			continue;
		struct error *e = file_read(fd, entry->d_name, DOCUMENT_LIMIT, &text, &size);
		if (!e)
			e = json_parse(text, size, DOCUMENT_LIMIT, &document);
		if (e)
			error_drop(&e); // just removed, or not ours to judge
		else
			add_endpoint(document, ret, &capacity);
	}
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_container);
	return NULL;
}

// Whose namespace is whose: by the rows of our tasks.
static fallible read_namespaces(struct engine *e, struct engine_networks *ret)
{
	struct network_paths paths = engine_network_paths(e);
	struct store *store;
	struct store_tasks *tasks;
	TRY(engine_store(e, &store));
	TRY(network_namespace_list(&paths, NULL, &ret->netns));
	TRY(store_list_tasks(store, NULL, &tasks));
	for (size_t i = 0; i < tasks->n; i++) {
		const struct store_task *t = &tasks->items[i];
		auto_free char *container = alloc_printf("%s-%s", t->ns, t->id);
		for (size_t k = 0; k < ret->n; k++)
			if (*t->netns && !strcmp(ret->items[k].container, container)) {
				free(ret->items[k].netns);
				ret->items[k].netns = alloc_string(t->netns);
			}
	}
	store_tasks_free(tasks);
	return NULL;
}

fallible engine_network_list(struct engine *e, struct engine_networks **ret)
{
	struct engine_networks *n = alloc(sizeof(*n));
	struct error *error = read_configuration(e, n);
	if (!error)
		error = read_attachments(n);
	if (!error)
		error = read_namespaces(e, n);
	if (error)
		engine_networks_free(n);
	else
		*ret = n;
	return error;
}
