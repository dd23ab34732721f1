// SPDX-License-Identifier: Apache-2.0
// --mount: fields divided by commas as in a line of CSV (RFC 4180), options by colons. Docker's
// fields are understood beside ctr's: target, readonly and ro.
#include "engine/spec_private.h"
#include <string.h>

// Takes one field off *p. *ret_more: a comma followed.
static fallible next_field(const char **p, struct str *out, bool *ret_more)
{
	const char *c = *p;
	out->size = 0;
	str_add_bytes(out, "", 0);
	if (*c == '"') {
		for (c++; *c && (*c != '"' || c[1] == '"'); c++) {
			str_add_char(out, *c);
			c += *c == '"';
		}
		if (*c++ != '"')
			return error_new(ERROR_USAGE,
			                 "invalid mount specification: the quote isn't closed");
		if (*c && *c != ',')
			return error_new(ERROR_USAGE,
			                 "invalid mount specification: text behind a quoted field");
	} else {
		size_t size = strcspn(c, ",");
		if (memchr(c, '"', size))
			return error_new(
				ERROR_USAGE,
				"invalid mount specification: a quote inside a field that isn't quoted");
		str_add_bytes(out, c, size);
		c += size;
	}
	*ret_more = *c == ',';
	*p = c + (*c == ',');
	return NULL;
}

struct wish { // what one --mount says
	char *type, *source, *destination, *options;
	bool read_only;
	bool is_dockers; // one of its words was used: what its form leaves unsaid is meant
};

static void wish_done(struct wish *w)
{
	free(w->type);
	free(w->source);
	free(w->destination);
	free(w->options);
}

static struct error *with_form(struct error *e)
{
	return error_hint(e, "such as type=bind,src=/srv,dst=/srv,options=rbind:ro or "
	                     "type=bind,source=/srv,target=/srv,readonly");
}

// "readonly", "ro=false": docker's; false if `field` is none of them.
static bool read_access(struct wish *w, const char *field)
{
	// clang-format off
	static const struct {
		const char *field;
		bool read_only;
	} fields[] = {
		{"readonly", true}, {"readonly=true", true}, {"readonly=1", true},
		{"ro", true}, {"ro=true", true}, {"ro=1", true},
		{"readonly=false", false}, {"readonly=0", false}, {"ro=false", false},
		{"ro=0", false}, {"rw", false},
	};
	// clang-format on
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(fields[i].field, field) == 0) {
			w->read_only = fields[i].read_only;
			w->is_dockers = true;
			return true;
		}
	return false;
}

static fallible read_field(struct wish *w, const char *field)
{
	const struct {
		const char *key;
		char **value;
	} keys[] = {
		{"type", &w->type},          {"source", &w->source},
		{"src", &w->source},         {"destination", &w->destination},
		{"dst", &w->destination},    {"options", &w->options},
		{"target", &w->destination},
	};
	if (read_access(w, field))
		return NULL;
	const char *equals = strchr(field, '=');
	if (!equals)
		return with_form(
			error_new(ERROR_USAGE, "invalid mount specification: expected key=val"));
	auto_free char *key = alloc_bytes(field, (size_t)(equals - field));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(keys[i].key, key)) {
			free(*keys[i].value);
			*keys[i].value = alloc_string(equals + 1);
			w->is_dockers |= strcmp(key, "target") == 0;
			return NULL;
		}
	return with_form(error_new(ERROR_USAGE, "mount option \"%.64s\" not supported", key));
}

static bool has_option(const char *options, const char *option)
{
	size_t size = strlen(option);
	for (const char *o = options; o; o = strchr(o, ':') ? strchr(o, ':') + 1 : NULL)
		if (strcspn(o, ":") == size && memcmp(o, option, size) == 0)
			return true;
	return false;
}

static void add_option(struct wish *w, const char *option)
{
	char *longer = w->options && *w->options ? alloc_printf("%s:%s", w->options, option)
	                                         : alloc_string(option);
	free(w->options);
	w->options = longer;
}

// What docker's form leaves unsaid: a bind mount binds, and everything below it.
// ctr's form needs it said, else the kernel looks for a file system called bind.
static void complete(struct wish *w)
{
	if (w->is_dockers && w->type && strcmp(w->type, "bind") == 0 &&
	    !has_option(w->options, "bind") && !has_option(w->options, "rbind"))
		add_option(w, "rbind");
	if (w->read_only && !has_option(w->options, "ro"))
		add_option(w, "ro");
}

static fallible read_mount(const char *text, bool dockers, struct wish *w)
{
	w->is_dockers = dockers;
	const char *p = text;
	auto_str struct str field = STR_LIMIT(strlen(text) + 1);
	for (bool more = true; more;) {
		TRY(next_field(&p, &field, &more));
		TRY(read_field(w, field.bytes));
	}
	if (!w->destination || !*w->destination)
		return with_form(
			error_new(ERROR_USAGE, "invalid mount specification: no destination"));
	complete(w);
	return NULL;
}

// docker's -v SRC:DST[:OPTIONS].
static fallible read_volume(const char *text, struct wish *w)
{
	const char *first = strchr(text, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;
	if (*text != '/' || !first || first[1] != '/')
		return error_new(ERROR_USAGE,
		                 "volume \"%.64s\": not SRC:DST[:ro] with absolute paths", text);
	w->type = alloc_string("bind");
	w->source = alloc_bytes(text, (size_t)(first - text));
	w->destination = second ? alloc_bytes(first + 1, (size_t)(second - first - 1))
	                        : alloc_string(first + 1);
	const char *mode = second ? second + 1 : "rw";
	if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		return error_new(ERROR_USAGE, "volume \"%.64s\": the mode is not ro or rw", text);
	w->options = alloc_printf("rbind:%s", mode);
	return NULL;
}

// docker's --tmpfs DIR[:OPTION,...]. What isn't said is as there: no programs run from it.
static fallible read_tmpfs(const char *text, struct wish *w)
{
	const char *colon = strchr(text, ':');
	if (*text != '/')
		return error_new(ERROR_USAGE,
		                 "tmpfs \"%.64s\": not DIR[:OPTION,...] with an absolute path",
		                 text);
	w->type = alloc_string("tmpfs");
	w->source = alloc_string("tmpfs");
	w->destination = colon ? alloc_bytes(text, (size_t)(colon - text)) : alloc_string(text);
	w->options =
		alloc_printf("nosuid:nodev:noexec%s%s", colon ? ":" : "", colon ? colon + 1 : "");
	for (char *c = w->options; (c = strchr(c, ','));)
		*c = ':';
	return NULL;
}

static fallible read_wish(const struct spec_request *r, size_t i, struct wish *w)
{
	if (i < r->mounts.n)
		return read_mount(r->mounts.items[i], r->binds_bind, w);
	i -= r->mounts.n;
	return i < r->volumes.n ? read_volume(r->volumes.items[i], w)
	                        : read_tmpfs(r->tmpfs.items[i - r->volumes.n], w);
}

// "/dev/shm/" and "/dev/shm" are one place; so is "rel" and "/rel", as runc sees it.
static char *clean_destination(const char *path)
{
	size_t size = strlen(path);
	while (size > 1 && path[size - 1] == '/')
		size--;
	auto_free char *trimmed = alloc_bytes(path, size);
	return alloc_printf("%s%s", *path == '/' ? "" : "/", trimmed);
}

// The default's options, with another size.
static void size_shm(struct oci_spec *spec, uint64_t size_bytes)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		struct oci_strings *options = &spec->mounts.items[i].options;
		if (strcmp(spec->mounts.items[i].destination, "/dev/shm") != 0)
			continue;
		auto_free char *size = alloc_printf("size=%llu", (unsigned long long)size_bytes);
		for (size_t k = 0; k < options->n; k++)
			if (text_starts(options->items[k], "size="))
				options->items[k] = oci_spec_string(spec, size);
	}
}

fallible spec_apply_mounts(struct oci_spec *spec, const struct spec_request *r)
{
	if (r->shm_size_bytes)
		size_shm(spec, r->shm_size_bytes);
	size_t n = r->mounts.n + r->volumes.n + r->tmpfs.n;
	struct wish *wishes = alloc_array(n, sizeof(*wishes));
	struct error *e = NULL;
	for (size_t i = 0; i < n && !e; i++)
		e = read_wish(r, i, &wishes[i]);
	for (size_t i = 0; i < n && !e; i++) { // defaults go first, so that two wishes stay
		char *clean = clean_destination(wishes[i].destination);
		free(wishes[i].destination);
		wishes[i].destination = clean;
		oci_spec_remove_mount(spec, clean);
	}
	for (size_t i = 0; i < n && !e; i++)
		oci_spec_add_mount(spec, wishes[i].destination, wishes[i].type, wishes[i].source,
		                   wishes[i].options, ':');
	for (size_t i = 0; i < n; i++)
		wish_done(&wishes[i]);
	free(wishes);
	return e;
}

static bool is_mounted(const struct oci_spec *spec, const char *destination)
{
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (!strcmp(spec->mounts.items[i].destination, destination))
			return true;
	return false;
}

// What somebody mounted there himself stays.
void spec_apply_host_network(struct oci_spec *spec, const struct spec_host *host)
{
	static const char *const files[] = {"/etc/hosts", "/etc/resolv.conf"};
	auto_free char *hostname = alloc_printf("HOSTNAME=%s", host->hostname);
	oci_spec_remove_namespace(spec, OCI_NAMESPACE_NETWORK);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (!is_mounted(spec, files[i]))
			oci_spec_add_mount(spec, files[i], "bind", files[i], "rbind,ro", ',');
	oci_spec_set_env(spec, hostname);
}
