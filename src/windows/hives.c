// SPDX-License-Identifier: Apache-2.0
#include "windows/hives.h"
#include "hive/hive.h"
#include "sys/sys.h"
#include "windows/private.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

enum { TEXT_LIMIT = 64 << 20, FILE_LIMIT = 128 << 20, KEY_LIMIT = 64 << 10 };

enum root { SOFTWARE, SYSTEM, DEFAULT, USER, N_ROOTS };

static const struct {
	const char *name;  // in Registry/
	const char *base;  // in a base layer
	const char *delta; // in Hives/, in any case; NULL: each layer brings all of it
	const char *wine;  // the key above, in Wine's file
	const char *file;
} roots[N_ROOTS] = {
	// clang-format off
	{"SOFTWARE",   "Files/windows/system32/config/SOFTWARE", "Software_Delta",    "Software", "system.reg"},
	{"SYSTEM",     "Files/windows/system32/config/SYSTEM",   "System_Delta",      "System",   "system.reg"},
	{"DEFAULT",    "Files/windows/system32/config/DEFAULT",  "DefaultUser_Delta", "",         "userdef.reg"},
	{"NTUSER.DAT", "Files/Users/Default/NTUSER.DAT",         NULL,                "",         "user.reg"},
	// clang-format on
};

// What Wine has to own, or what would start programs of the image in every container.
static const struct {
	enum root root;
	const char *key;
} left_out[] = {
	{SOFTWARE, "Wine"},
	{SOFTWARE, "Classes\\CLSID"},
	{SOFTWARE, "Classes\\Interface"},
	{SOFTWARE, "Classes\\WOW6432Node"},
	{SOFTWARE, "WOW6432Node"},
	{SOFTWARE, "Microsoft\\Cryptography\\Defaults"},
	{SOFTWARE, "Microsoft\\Windows\\CurrentVersion\\Run"},
	{SOFTWARE, "Microsoft\\Windows\\CurrentVersion\\RunOnce"},
	{SOFTWARE, "Microsoft\\Windows\\CurrentVersion\\RunServices"},
	{SOFTWARE, "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options"},
	{SOFTWARE, "Microsoft\\Windows NT\\CurrentVersion\\Windows"}, // AppInit_DLLs
	{SYSTEM, "Services"},
	{SYSTEM, "Enum"},
	{SYSTEM, "Control\\Class"},
	{SYSTEM, "Control\\ComputerName"},
	{SYSTEM, "Control\\TimeZoneInformation"},
	{DEFAULT, "Software\\Wine"},
	{DEFAULT, "Control Panel"},
	{USER, "Software\\Wine"},
	{USER, "Control Panel"},
	{USER, "Software\\Microsoft\\Windows\\CurrentVersion\\Run"},
	{USER, "Software\\Microsoft\\Windows\\CurrentVersion\\RunOnce"},
};

static bool is_left_out(enum root root, const char *path)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		if (left_out[i].root == root && !strcasecmp(left_out[i].key, path))
			return true;
	return false;
}

// --- text ---------------------------------------------------------------------------------------

static void add_escaped(struct str *s, const char *text, const char *special)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 127)
			str_printf(s, "\\x%04x", *c);
		else if (strchr(special, *c))
			str_printf(s, "\\%c", *c);
		else
			str_add_char(s, (char)*c);
	}
}

// As plain text if it is that, with its zero at the end.
static bool is_plain(const struct hive_value *v)
{
	if ((v->type != HIVE_SZ && v->type != HIVE_EXPAND_SZ) || v->size < 2 || v->size & 1 ||
	    v->data[v->size - 2] || v->data[v->size - 1])
		return false;
	for (size_t i = 0; i + 2 < v->size; i += 2)
		if (v->data[i + 1] || v->data[i] < ' ' || v->data[i] > '~')
			return false;
	return true;
}

static void add_value(struct str *s, const struct hive_value *v)
{
	if (*v->name) {
		str_add_char(s, '"');
		add_escaped(s, v->name, "\\\"");
		str_add(s, "\"=");
	} else {
		str_add(s, "@=");
	}
	if (is_plain(v)) {
		auto_free char *text = hive_text(v);
		str_add(s, v->type == HIVE_SZ ? "\"" : "str(2):\"");
		add_escaped(s, text, "\\\"");
		str_add(s, "\"\n");
		return;
	}
	if (v->type == HIVE_DWORD && v->size == 4) {
		str_printf(s, "dword:%02x%02x%02x%02x\n", v->data[3], v->data[2], v->data[1],
		           v->data[0]);
		return;
	}
	if (v->type == HIVE_BINARY)
		str_add(s, "hex:");
	else
		str_printf(s, "hex(%x):", v->type);
	for (size_t i = 0; i < v->size; i++)
		str_printf(s, "%s%02x", i ? "," : "", v->data[i]);
	str_add_char(s, '\n');
}

// The next key in depth-first order; `skip`: not those below.
static const struct hive_key *next_key(const struct hive_key *top, const struct hive_key *key,
                                       bool skip)
{
	if (key->first && !skip)
		return key->first;
	while (key != top && !key->next)
		key = key->parent;
	return key == top ? NULL : key->next;
}

// A key's path below `top`; false if it is too long to be used by anybody.
static bool key_path(const struct hive_key *top, const struct hive_key *key, struct str *ret)
{
	const struct hive_key *chain[HIVE_DEPTH_MAX + 2];
	size_t n = 0;
	for (; key != top && n < HIVE_DEPTH_MAX + 2; key = key->parent)
		chain[n++] = key;
	ret->size = 0;
	ret->over = false;
	str_add(ret, "");
	while (n-- > 0)
		str_printf(ret, "%s%s", ret->size ? "\\" : "", chain[n]->name);
	return !ret->over;
}

// The path with backslashes doubled. A name may itself hold what ends a line or a section.
static void add_section(struct str *s, const char *above, const char *wine_key, const char *path)
{
	str_add(s, "\n[");
	const char *const parts[] = {above, wine_key, path};
	bool begun = false;
	for (size_t i = 0; i < 3; i++) {
		if (!*parts[i])
			continue;
		if (begun)
			str_add(s, "\\\\");
		add_escaped(s, parts[i], "\\[]");
		begun = true;
	}
	str_add(s, "] 1\n");
}

static fallible add_tree(struct str *s, enum root root, const char *wine_key,
                         const struct hive_key *top)
{
	auto_str struct str path = STR_LIMIT(KEY_LIMIT);
	for (const struct hive_key *key = top; key;) {
		bool skip =
			!key_path(top, key, &path) || key->is_link || is_left_out(root, path.bytes);
		if (!skip && key->values && (path.size || *roots[root].wine || *wine_key)) {
			add_section(s, roots[root].wine, wine_key, path.bytes);
			for (const struct hive_value *v = key->values; v; v = v->next)
				if (strcasecmp(v->name, "PendingFileRenameOperations") != 0)
					add_value(s, v);
		}
		if (s->over)
			return error_new(ERROR_LIMIT, "the registry is more than %d bytes of text",
			                 TEXT_LIMIT);
		key = next_key(top, key, skip);
	}
	return NULL;
}

// The set of SYSTEM that counts: Windows links CurrentControlSet to it.
static const struct hive_key *current_set(const struct hive *system)
{
	const struct hive_key *select = hive_find(system->root, "Select");
	const struct hive_value *v = select ? hive_find_value(select, "Current") : NULL;
	unsigned number = v && v->size == 4 ? v->data[0] : 1;
	char name[32];
	snprintf(name, sizeof(name), "ControlSet%03u", number);
	return hive_find(system->root, name);
}

static void add_environment(struct str *s, const struct hive_key *key, bool is_user)
{
	for (const struct hive_value *v = key ? key->values : NULL; v; v = v->next) {
		auto_free char *text = hive_text(v);
		if ((v->type != HIVE_SZ && v->type != HIVE_EXPAND_SZ) || !*v->name ||
		    strpbrk(v->name, "=\n\r") || strpbrk(text, "\n\r"))
			continue;
		// A user's path comes behind the machine's.
		bool behind = is_user && !strcasecmp(v->name, "Path");
		str_printf(s, "%s=%s%s\n", v->name, behind ? "%Path%;" : "", text);
	}
}

// --- files --------------------------------------------------------------------------------------

static fallible read_hive(int dirfd, const char *path, struct hive **ret)
{
	auto_fd int fd = -1;
	auto_free char *bytes = NULL;
	size_t size;
	*ret = NULL;
	struct error *e = dirfd < 0 ? error_new(ERROR_NOT_FOUND, "nothing below")
	                            : path_open_beneath(dirfd, path,
	                                                O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // the caller knows what that means
		return NULL;
	}
	TRY(e);
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("%s", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return NULL; // older hosts take empty files for hives
	TRY_AS(fd_read_to_end(fd, FILE_LIMIT, &bytes, &size), "%s", path);
	TRY_AS(hive_read(bytes, size, ret), "%s", path);
	return NULL;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

// The name in Hives/ that is `wanted` but for its case; NULL: none. The caller's.
static fallible find_delta(int new_dirfd, const char *wanted, char **ret)
{
	auto_fd int fd = -1;
	*ret = NULL;
	struct error *e = path_open_beneath(new_dirfd, "Hives", O_RDONLY | O_DIRECTORY, 0, &fd);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // nothing of the registry changed
		return NULL;
	}
	TRY(e);
	defer(close_dir) DIR *dir = fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("list Hives");
	fd_take(&fd);
	const struct dirent *entry;
	while (!*ret && (errno = 0, entry = readdir(dir)))
		if (!strcasecmp(entry->d_name, wanted))
			*ret = alloc_printf("Hives/%s", entry->d_name);
	if (!*ret && errno)
		FAIL_ERRNO("list Hives");
	return NULL;
}

struct conversion {
	int new_dirfd, lower_dirfd, registry; // registry: the folder, -1 until it is needed
	struct hive *hives[N_ROOTS];
	bool changed[N_ROOTS];
};

static fallible load(struct conversion *c, enum root i)
{
	bool is_base = c->lower_dirfd < 0;
	if (is_base || !roots[i].delta) {
		TRY(read_hive(c->new_dirfd, roots[i].base, &c->hives[i]));
		c->changed[i] = c->hives[i];
		if (c->hives[i])
			return NULL;
	}
	auto_free char *merged = alloc_printf("Registry/%s", roots[i].name), *name = NULL;
	auto_hive struct hive *delta = NULL;
	TRY(read_hive(c->lower_dirfd, merged, &c->hives[i]));
	if (!roots[i].delta)
		return NULL;
	TRY(find_delta(c->new_dirfd, roots[i].delta, &name));
	if (name)
		TRY(read_hive(c->new_dirfd, name, &delta));
	if (!delta)
		return NULL;
	if (!c->hives[i])
		c->hives[i] = hive_new();
	c->changed[i] = true;
	TRY_AS(hive_merge(c->hives[i], delta), "%s", name);
	return NULL;
}

static fallible put(struct conversion *c, const char *name, const char *bytes, size_t size)
{
	if (c->registry < 0) {
		if (mkdirat(c->new_dirfd, "Registry", 0755) < 0)
			FAIL_ERRNO("mkdir Registry");
		TRY(path_open_beneath(c->new_dirfd, "Registry", O_RDONLY | O_DIRECTORY, 0,
		                      &c->registry));
	}
	auto_fd int fd = openat(c->registry, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("create Registry/%s", name);
	TRY_AS(fd_write_all(fd, bytes, size), "Registry/%s", name);
	return fd_close(&fd);
}

static fallible put_hive(struct conversion *c, enum root i)
{
	auto_str struct str s = STR_LIMIT(FILE_LIMIT);
	TRY_AS(hive_write(c->hives[i], &s), "%s", roots[i].name);
	return put(c, roots[i].name, s.bytes, s.size);
}

static fallible put_text(struct conversion *c, const char *file)
{
	auto_str struct str s = STR_LIMIT(TEXT_LIMIT);
	bool changed = false;
	str_add(&s, "");
	for (size_t i = 0; i < N_ROOTS; i++)
		if (!strcmp(roots[i].file, file))
			changed |= c->changed[i];
	for (size_t i = 0; changed && i < N_ROOTS; i++) {
		if (strcmp(roots[i].file, file) != 0 || !c->hives[i])
			continue;
		const struct hive_key *top =
			i == SYSTEM ? current_set(c->hives[i]) : c->hives[i]->root;
		if (top)
			TRY_AS(add_tree(&s, (enum root)i, i == SYSTEM ? "CurrentControlSet" : "",
			                top),
			       "%s", roots[i].name);
	}
	return changed ? put(c, file, s.bytes, s.size) : NULL;
}

static fallible put_environment(struct conversion *c)
{
	auto_str struct str s = STR_LIMIT(1 << 20);
	if (!c->changed[SYSTEM] && !c->changed[USER])
		return NULL;
	str_add(&s, "");
	const struct hive_key *set = c->hives[SYSTEM] ? current_set(c->hives[SYSTEM]) : NULL;
	if (set)
		add_environment(&s, hive_find(set, "Control\\Session Manager\\Environment"), false);
	if (c->hives[USER])
		add_environment(&s, hive_find(c->hives[USER]->root, "Environment"), true);
	return put(c, "environment", s.bytes, s.over ? 0 : s.size);
}

static fallible convert(struct conversion *c)
{
	for (size_t i = 0; i < N_ROOTS; i++)
		TRY(load(c, (enum root)i));
	for (size_t i = 0; i < N_ROOTS; i++)
		if (c->changed[i])
			TRY(put_hive(c, (enum root)i));
	TRY(put_text(c, "system.reg"));
	TRY(put_text(c, "user.reg"));
	TRY(put_text(c, "userdef.reg"));
	return put_environment(c);
}

fallible windows_convert_hives(int new_dirfd, int lower_dirfd)
{
	struct conversion c = {new_dirfd, lower_dirfd, -1, {NULL}, {false}};
	struct error *e = convert(&c);
	for (size_t i = 0; i < N_ROOTS; i++)
		hive_free(c.hives[i]);
	fd_cleanup_(&c.registry);
	return e;
}
