// SPDX-License-Identifier: Apache-2.0
// Where the files of a host lie.
#include "base/text.h"
#include "registry/hosts.h"
#include "registry/toml.h"
#include "sys/fd.h"
#include "sys/path.h"
#include <dirent.h>
#include <fcntl.h>

#define PEM_LIMIT ((size_t)1 << 20)

struct folder {
	char *path; // for messages
	int fd;     // -1: none was found
};

static void folder_done(struct folder *f)
{
	free(f->path);
	fd_cleanup_(&f->fd);
}

// Links are followed: certificates are the administrator's.
static fallible read_pem(void *arg, const char *path, char **ret)
{
	const struct folder *f = arg;
	auto_fd int fd =
		openat(f && f->fd >= 0 ? f->fd : AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_new(ERROR_NOT_FOUND, "%.200s: no such file", path);
	if (fd < 0)
		FAIL_ERRNO("open %.200s", path);
	return error_prefix(fd_read_to_end(fd, PEM_LIMIT, ret, NULL), "%.200s", path);
}

static fallible try_folder(const char *dir, const char *name, struct folder *f)
{
	auto_free char *path = alloc_printf("%s/%s", dir, name);
	struct error *e = path_open_dir(path, &f->fd);
	if (error_is(e, ERROR_NOT_FOUND) || (e && (e->sys == ENOENT || e->sys == ENOTDIR))) {
		error_drop(&e); // then another name may be there
		f->fd = -1;
		return NULL;
	}
	TRY(e);
	f->path = take(&path);
	return NULL;
}

static fallible find_folder(const char *host, const char *const *dirs, struct folder *ret)
{
	const char *colon = strrchr(host, ':');
	auto_free char *with_port =
		colon ? alloc_printf("%.*s_%s_", (int)(colon - host), host, colon + 1)
		      : alloc_string(host);
	const char *const names[] = {with_port, host, "_default"};
	for (; *dirs; dirs++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			TRY(try_folder(*dirs, names[i], ret));
			if (ret->fd >= 0)
				return NULL;
		}
	}
	return NULL;
}

// Docker's way: every *.crt is a CA, the first *.cert with its *.key is ours. As a table that
// hosts.toml could have.
static fallible docker_files(const struct folder *f, struct json **ret)
{
	auto_strings struct strings names = {0};
	DIR *dir = fdopendir(dup(f->fd));
	if (!dir)
		FAIL_ERRNO("read %s", f->path);
	for (const struct dirent *d; (d = readdir(dir)) && names.n < 1000;)
		strings_add(&names, d->d_name);
	closedir(dir);
	strings_sort(&names);
	auto_json struct json *table = json_new_object();
	struct json *ca = json_new_array();
	json_set(table, "ca", ca);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.items[i];
		if (text_ends(name, ".crt"))
			json_append_string(ca, name);
		if (text_ends(name, ".cert") && !json_member(table, "client")) {
			auto_free char *key =
				alloc_printf("%.*s.key", (int)(strlen(name) - 5), name);
			struct json *pair = json_new_array(), *pairs = json_new_array();
			json_append_string(pair, name);
			json_append_string(pair, key);
			json_append(pairs, pair);
			json_set(table, "client", pairs);
		}
	}
	*ret = take(&table);
	return NULL;
}

static fallible read_toml(const struct folder *f, struct json **ret)
{
	auto_free char *text = NULL;
	size_t size = 0;
	auto_fd int fd = openat(f->fd, "hosts.toml", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return docker_files(f, ret);
	if (fd < 0)
		FAIL_ERRNO("%s/hosts.toml: open", f->path);
	TRY_AS(fd_read_to_end(fd, TOML_SIZE_LIMIT, &text, &size), "%s/hosts.toml", f->path);
	return error_prefix(toml_parse(text, size, ret), "%s/hosts.toml", f->path);
}

fallible registry_find_hosts(const char *host, const char *const *dirs,
                             const struct registry_flags *flags, struct registry_hosts *ret)
{
	defer(folder_done) struct folder f = {.fd = -1};
	auto_json struct json *toml = NULL;
	TRY(find_folder(host, dirs, &f));
	if (f.fd < 0)
		return registry_parse_hosts(host, NULL, flags, read_pem, &f, ret);
	TRY(read_toml(&f, &toml));
	return error_prefix(registry_parse_hosts(host, toml, flags, read_pem, &f, ret), "%s",
	                    f.path);
}
