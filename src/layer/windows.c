// SPDX-License-Identifier: Apache-2.0
// Windows layers (hcsshim's and go-winio's form): Files/ is drive C:, Hives/ holds changes of the
// registry, UtilityVM/ is for virtual machines and is left out, as is everything else at the top.
//
// 1. Names know no case: each component takes the spelling that is there already, in this layer or
//    below; the template's spelling (windows/template.c) where nothing is there yet.
// 2. Nothing is made below a link: Windows' own import doesn't follow them either.
// 3. Links are made relative, and stay inside Files/.
// 4. Owners and rights are not Linux': everything is root's, 0644 and 0755. Descriptors, streams
//    and extended attributes stay in the blob.
// 5. Windows' own programs are left out (programs.c).
#include "layer/windows.h"
#include "hive/upcase.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>

enum {
	NAMES_BYTES_MAX = 256 << 20, // of the table of names
	LINKS_BYTES_MAX = 64 << 20,  // of hard links that wait
	RECORDS_MAX = 512,
	DESCRIPTOR_MAX = 88 << 10, // base64 of 64 KiB
	ATTRIBUTE_READONLY = 1,
	ATTRIBUTE_HIDDEN = 2,
	ATTRIBUTE_SYSTEM = 4,
};

// One name: the upper case of its whole path, and how its last component is spelt.
struct name {
	char *folded, *leaf; // folded NULL: a free slot
	char kind;   // 'd', 'l', 'f' of this layer; 'D', 'L', 'F' from below; 0: expected only
	bool listed; // a directory of which the names below have been added
};

struct windows_state {
	struct name *slots;
	size_t n, capacity, bytes;
	struct name *current; // of the entry that was given last, until the table grows
	char *(*links)[2];    // name and target, both folded
	size_t n_links, links_capacity, links_done, links_bytes;
	char path[TAR_NAME_MAX + 1], target[TAR_NAME_MAX + 1], previous[TAR_NAME_MAX + 1];
	char attribute[16];
	struct tar_record xattr;
	size_t n_programs, n_links_lost;
	bool has_previous, root_listed;
};

// --- the table of names -------------------------------------------------------------------------

static struct name *find_slot(const struct windows_state *w, const char *folded)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	for (const char *c = folded; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
	size_t i = (size_t)hash & (w->capacity - 1);
	while (w->slots[i].folded && strcmp(w->slots[i].folded, folded) != 0)
		i = (i + 1) & (w->capacity - 1);
	return &w->slots[i];
}

static void grow(struct windows_state *w)
{
	struct windows_state bigger = {.capacity = w->capacity * 2};
	bigger.slots = alloc_array(bigger.capacity, sizeof(*bigger.slots));
	for (size_t i = 0; i < w->capacity; i++)
		if (w->slots[i].folded)
			*find_slot(&bigger, w->slots[i].folded) = w->slots[i];
	free(w->slots);
	w->slots = bigger.slots;
	w->capacity = bigger.capacity;
}

// The slot of that name; made with this spelling if there is none.
static fallible add_name(struct windows_state *w, const char *folded, const char *leaf, char kind,
                         struct name **ret)
{
	struct name *slot = find_slot(w, folded);
	if (!slot->folded) {
		w->bytes += strlen(folded) + strlen(leaf) + sizeof(*slot);
		if (w->bytes > NAMES_BYTES_MAX)
			return error_new(ERROR_LIMIT, "too many names in the layer");
		if (2 * ++w->n > w->capacity) {
			grow(w);
			slot = find_slot(w, folded);
		}
		*slot = (struct name){alloc_string(folded), alloc_string(leaf), kind, false};
	}
	*ret = slot;
	return NULL;
}

// What the template has, spelt as there; parents first.
static const char *const expected[] = {
	"Files",
	"Hives",
	"Files/windows",
	"Files/windows/system32",
	"Files/windows/system32/drivers",
	"Files/windows/temp",
	"Files/ProgramData",
	"Files/Program Files",
	"Files/Users",
	"Files/Users/Public",
	"Files/Users/ContainerAdministrator",
	"Files/Users/ContainerUser",
};

struct windows_state *windows_state_new(void)
{
	struct windows_state *w = alloc(sizeof(*w));
	w->capacity = 1024;
	w->slots = alloc_array(w->capacity, sizeof(*w->slots));
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		char folded[TAR_NAME_MAX + 1];
		folded[upcase_utf8(expected[i], strlen(expected[i]), folded)] = 0;
		const char *slash = strrchr(expected[i], '/');
		struct name *slot;
		struct error *e = add_name(w, folded, slash ? slash + 1 : expected[i], 0, &slot);
		error_drop(&e); // never: these are few
	}
	return w;
}

void windows_state_free(struct windows_state *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->capacity; i++) {
		free(w->slots[i].folded);
		free(w->slots[i].leaf);
	}
	for (size_t i = 0; i < w->n_links; i++) {
		free(w->links[i][0]);
		free(w->links[i][1]);
	}
	free(w->links);
	free(w->slots);
	free(w);
}

// --- folding ------------------------------------------------------------------------------------

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static char kind_below(int dirfd, const struct dirent *entry)
{
	struct stat st;
	if (fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 'F';
	return S_ISDIR(st.st_mode) ? 'D' : S_ISLNK(st.st_mode) ? 'L' : 'F';
}

// Adds what lies below in the directory `path`, whose upper case is `folded`.
static fallible list_below(struct unpack *u, const char *path, const char *folded)
{
	auto_fd int fd = -1;
	TRY(lower_open(u, path, O_RDONLY | O_DIRECTORY, &fd));
	if (fd < 0)
		return NULL;
	defer(close_dir) DIR *dir = fdopendir(fd);
	if (!dir)
		FAIL_ERRNO("list %s below", path);
	int dirfd = fd_take(&fd);
	const struct dirent *entry;
	while ((errno = 0, entry = readdir(dir))) {
		char key[2 * TAR_NAME_MAX + 1];
		size_t n = strlen(folded), size = strlen(entry->d_name);
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    n + size > TAR_NAME_MAX)
			continue;
		memcpy(key, folded, n);
		if (n)
			key[n++] = '/';
		key[n + upcase_utf8(entry->d_name, size, key + n)] = 0;
		struct name *slot;
		TRY(add_name(u->windows, key, entry->d_name, kind_below(dirfd, entry), &slot));
		if (!slot->kind) { // the spelling below wins over the expected one
			free(slot->leaf);
			slot->leaf = alloc_string(entry->d_name);
			slot->kind = kind_below(dirfd, entry);
		}
	}
	if (errno)
		FAIL_ERRNO("list %s below", path);
	return NULL;
}

// A path in the making: as it will be on disk, and its upper case.
struct folding {
	char *path; // TAR_NAME_MAX + 1 bytes
	size_t size;
	char folded[TAR_NAME_MAX + 2];
	size_t folded_size;
	struct name *last;
};

static fallible list_once(struct unpack *u, const struct folding *f)
{
	bool *listed = f->last ? &f->last->listed : &u->windows->root_listed;
	if (*listed)
		return NULL;
	*listed = true; // now: list_below() may move the table
	return list_below(u, f->path, f->folded);
}

// In Wine's folder of programs names are small, as Wine asks for them and the template has them.
static void spell(const struct folding *f, const char *component, size_t size, char *ret)
{
	static const char *const small[] = {"FILES/WINDOWS/SYSTEM32",
	                                    "FILES/WINDOWS/SYSTEM32/DRIVERS"};
	memcpy(ret, component, size);
	ret[size] = 0;
	if (strcmp(f->folded, small[0]) != 0 && strcmp(f->folded, small[1]) != 0)
		return;
	for (char *c = ret; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 32;
}

static fallible add_component(struct unpack *u, struct folding *f, const char *component,
                              size_t size)
{
	if (f->last && (f->last->kind | 32) == 'l')
		return error_new(ERROR_INVALID, "lies below a link");
	if (size > TAR_COMPONENT_MAX || f->size + size + 1 > TAR_NAME_MAX)
		return error_new(ERROR_LIMIT, "a name longer than %d bytes", TAR_COMPONENT_MAX);
	TRY(list_once(u, f));
	char leaf[TAR_COMPONENT_MAX + 1];
	spell(f, component, size, leaf);
	if (f->folded_size)
		f->folded[f->folded_size++] = '/';
	f->folded_size += upcase_utf8(component, size, f->folded + f->folded_size);
	f->folded[f->folded_size] = 0;
	TRY(add_name(u->windows, f->folded, leaf, 0, &f->last));
	if (f->size)
		f->path[f->size++] = '/';
	size_t n = strlen(f->last->leaf);
	if (f->size + n > TAR_NAME_MAX)
		return error_new(ERROR_LIMIT, "a path longer than %d bytes", TAR_NAME_MAX);
	memcpy(f->path + f->size, f->last->leaf, n + 1);
	f->size += n;
	return NULL;
}

// --- names --------------------------------------------------------------------------------------

// Backslashes divide too. Gives components with '/' between, without a slash at the end.
static fallible check_name(const char *name, char ret[TAR_NAME_MAX + 1])
{
	size_t size = strlen(name);
	if (!text_is_utf8(name, size))
		return error_new(ERROR_INVALID, "the name is not UTF-8");
	if (size > TAR_NAME_MAX)
		return error_new(ERROR_LIMIT, "a path longer than %d bytes", TAR_NAME_MAX);
	for (size_t i = 0; i <= size; i++)
		ret[i] = name[i] == '\\' ? '/' : name[i];
	if (size && ret[size - 1] == '/')
		ret[--size] = 0;
	for (const char *c = ret;; c++) {
		size_t n = strcspn(c, "/");
		if (!n)
			return error_new(ERROR_INVALID, "an empty name in the path");
		if ((n == 1 && *c == '.') || (n == 2 && c[0] == '.' && c[1] == '.'))
			return error_new(ERROR_INVALID, "\"%.*s\" in the path", (int)n, c);
		c += n;
		if (memchr(c - n, ':', n) && *c)
			return error_new(ERROR_INVALID, "a colon in the path");
		if (!*c)
			return NULL;
	}
}

// "name:stream" and "name:stream:$DATA" directly behind their file. True if `name` is one.
static fallible check_stream(struct windows_state *w, char *name, bool *ret)
{
	char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');
	*ret = colon;
	if (!colon)
		return NULL;
	char *type = strchr(colon + 1, ':');
	if (colon == name || colon[-1] == '/' || !colon[1] || type == colon + 1 ||
	    (type && strcasecmp(type, ":$DATA") != 0))
		return error_new(ERROR_INVALID, "a colon in the name");
	*colon = 0;
	if (!w->has_previous || strcmp(w->previous, name) != 0)
		return error_new(ERROR_INVALID, "a stream that doesn't follow its file");
	return NULL;
}

static bool first_is(const char *name, const char *top)
{
	size_t n = strcspn(name, "/");
	return n == strlen(top) && !strncasecmp(name, top, n);
}

// --- records ------------------------------------------------------------------------------------

static fallible read_attributes(const struct tar_entry *e, uint64_t *ret)
{
	*ret = 0;
	if (e->n_records > RECORDS_MAX)
		return error_new(ERROR_LIMIT, "more than %d records", RECORDS_MAX);
	for (size_t i = 0; i < e->n_records; i++) {
		const struct tar_record *r = &e->records[i];
		if (strlen(r->value) != r->value_size && text_starts(r->key, "MSWINDOWS."))
			return error_new(ERROR_INVALID, "%.64s: a zero byte in it", r->key);
		if (!strcmp(r->key, "MSWINDOWS.fileattr"))
			TRY_AS(text_parse_u64(r->value, 10, UINT32_MAX, ret), "MSWINDOWS.fileattr");
		else if (text_starts(r->key, "MSWINDOWS.") && r->value_size > DESCRIPTOR_MAX)
			return error_new(ERROR_LIMIT, "%.64s: %zu bytes", r->key, r->value_size);
	}
	return NULL;
}

// --- links --------------------------------------------------------------------------------------

// The spelling of a whole path that must lead to something by now; *ret_there.
static fallible fold_target(struct unpack *u, const char *name, char *path, bool *ret_there)
{
	struct folding f = {.path = path};
	*ret_there = true;
	for (const char *c = name; *c && *ret_there;) {
		size_t n = strcspn(c, "/");
		TRY(add_component(u, &f, c, n));
		*ret_there = f.last->kind != 0;
		c += n;
		c += *c == '/';
	}
	return NULL;
}

static fallible keep_link(struct windows_state *w, const char *path, const char *target)
{
	w->links_bytes += strlen(path) + strlen(target) + 2 * sizeof(char *);
	if (w->links_bytes > LINKS_BYTES_MAX)
		return error_new(ERROR_LIMIT, "too many hard links");
	alloc_grow(&w->links, &w->links_capacity, w->n_links, sizeof(*w->links));
	w->links[w->n_links][0] = alloc_string(path);
	w->links[w->n_links++][1] = alloc_string(target);
	return NULL;
}

static bool is_in_windows(const struct folding *f)
{
	return !strncmp(f->folded, "FILES/WINDOWS/", strlen("FILES/WINDOWS/"));
}

fallible windows_next_link(struct unpack *u, struct tar_entry *ret)
{
	struct windows_state *w = u->windows;
	*ret = (struct tar_entry){.type = TAR_HARDLINK};
	while (w->links_done < w->n_links) {
		const char *name = w->links[w->links_done][0], *to = w->links[w->links_done][1];
		w->links_done++;
		bool there;
		u->name = name;
		TRY_AS(fold_target(u, to, w->target, &there), "link to %.200s", to);
		struct folding f = {.path = w->path};
		for (const char *c = name; *c;) {
			size_t n = strcspn(c, "/");
			TRY(add_component(u, &f, c, n));
			c += n;
			c += *c == '/';
		}
		if (!there || !strcmp(w->target, w->path)) {
			w->n_links_lost++;
			continue;
		}
		f.last->kind = 'f';
		w->current = is_in_windows(&f) ? f.last : NULL;
		ret->name = w->path;
		ret->link = w->target;
		return NULL;
	}
	return NULL;
}

// --- one entry ----------------------------------------------------------------------------------

static fallible note_kind(struct folding *f, char kind)
{
	struct name *slot = f->last;
	if ((slot->kind == 'd' || slot->kind == 'l' || slot->kind == 'f') && slot->kind != kind)
		return error_new(ERROR_INVALID,
		                 "another entry of that name, upper and lower case being the same, "
		                 "is of another type");
	slot->kind = kind;
	return NULL;
}

// Those of a base layer aren't even written; of others more than the beginning counts.
static fallible take_file(struct unpack *u, struct folding *f, struct tar_entry *ret)
{
	if (!is_in_windows(f))
		return NULL;
	u->windows->current = f->last;
	if (u->r->lower_dirfd >= 0)
		return NULL;
	TRY(tar_read(u->tar, &u->first.bytes, &u->first.size, &u->first.offset));
	u->first.is_read = true;
	if (!u->first.offset && program_begins(u->first.bytes, u->first.size)) {
		u->windows->n_programs++;
		f->last->kind = 0; // links to it lead nowhere
		ret->name = NULL;
	}
	return NULL;
}

static fallible take_whiteout(struct unpack *u, struct folding *f, const char *leaf)
{
	size_t size = strlen(leaf);
	if (u->r->lower_dirfd < 0)
		return error_new(ERROR_INVALID, "base layer cannot have tombstones");
	if (!strcmp(leaf, ".wh..wh..opq"))
		return join_path(f->path, leaf, f->path);
	char parent[TAR_NAME_MAX + 1], marked[TAR_NAME_MAX + 1];
	memcpy(parent, f->path, f->size + 1);
	if (size == 4)
		return error_new(ERROR_INVALID, "invalid whiteout name");
	TRY(add_component(u, f, leaf + 4, size - 4));
	int n = snprintf(marked, sizeof(marked), "%s/.wh.%s", parent, f->last->leaf);
	if (n < 0 || (size_t)n >= sizeof(marked))
		return error_new(ERROR_LIMIT, "a path longer than %d bytes", TAR_NAME_MAX);
	memcpy(f->path, marked, (size_t)n + 1);
	f->last->kind = f->last->kind >= 'a' ? f->last->kind : 0; // what is below is gone
	return NULL;
}

// Rights, times and attributes, as far as Linux and Wine have them.
static void set_metadata(struct windows_state *w, const struct tar_entry *e, uint64_t attributes,
                         struct tar_entry *ret)
{
	ret->mode = e->type == TAR_DIRECTORY ? 0755 : attributes & ATTRIBUTE_READONLY ? 0444 : 0644;
	ret->uid = ret->gid = 0;
	ret->xattrs = NULL;
	ret->n_xattrs = 0;
	uint64_t kept = attributes & (ATTRIBUTE_HIDDEN | ATTRIBUTE_SYSTEM);
	if (!kept || (e->type != TAR_FILE && e->type != TAR_DIRECTORY))
		return;
	// Wine's own way to keep them (and Samba's).
	int n = snprintf(w->attribute, sizeof(w->attribute), "0x%x", (unsigned)kept);
	w->xattr = (struct tar_record){"user.DOSATTRIB", w->attribute, (size_t)n};
	ret->xattrs = &w->xattr;
	ret->n_xattrs = 1;
}

static fallible take_entry(struct unpack *u, const struct tar_entry *e, const char *name,
                           struct tar_entry *ret)
{
	struct windows_state *w = u->windows;
	struct folding f = {.path = w->path};
	uint64_t attributes;
	TRY(read_attributes(e, &attributes));
	const char *leaf = strrchr(name, '/'), *c = name;
	leaf = leaf ? leaf + 1 : name;
	while (c < leaf) {
		size_t n = strcspn(c, "/");
		TRY(add_component(u, &f, c, n));
		c += n + 1;
	}
	set_metadata(w, e, attributes, ret);
	ret->name = w->path;
	if (text_starts(leaf, ".wh.") && f.size)
		return take_whiteout(u, &f, leaf);
	TRY(add_component(u, &f, leaf, strlen(leaf)));
	switch (e->type) {
	case TAR_DIRECTORY:
		return note_kind(&f, 'd');
	case TAR_FILE:
		TRY(note_kind(&f, 'f'));
		return take_file(u, &f, ret);
	case TAR_SYMLINK:
		TRY(note_kind(&f, 'l'));
		if (windows_link_target(w->path, e->link, w->target))
			ret->link = w->target;
		else {
			unpack_warn(u, WARN_WINDOWS_LINK, "%.200s: leads out of drive C:, left out",
			            e->name);
			ret->name = NULL;
		}
		return NULL;
	default:
		return error_new(ERROR_INVALID, "a device in a layer of Windows");
	}
}

fallible windows_entry(struct unpack *u, const struct tar_entry *e, struct tar_entry *ret)
{
	struct windows_state *w = u->windows;
	char name[TAR_NAME_MAX + 1], target[TAR_NAME_MAX + 1];
	bool is_stream;
	w->current = NULL;
	*ret = *e;
	ret->name = NULL;
	TRY(check_name(e->name, name));
	TRY(check_stream(w, name, &is_stream));
	if (is_stream)
		return NULL; // the blob keeps it
	w->has_previous = e->type != TAR_HARDLINK;
	memcpy(w->previous, name, strlen(name) + 1);
	bool in_files = first_is(name, "Files"), has_slash = strchr(name, '/');
	if (first_is(name, "UtilityVM"))
		return NULL;
	if (!in_files && !first_is(name, "Hives")) {
		unpack_warn(u, WARN_WINDOWS_TOP, "%.200s: neither in Files nor in Hives, left out",
		            e->name);
		return NULL;
	}
	if (!has_slash && e->type != TAR_DIRECTORY)
		return error_new(ERROR_INVALID, "not a directory");
	if (!in_files && has_slash && e->type != TAR_FILE)
		return error_new(ERROR_INVALID, "Hives holds files only");
	if (e->type != TAR_HARDLINK)
		return take_entry(u, e, name, ret);
	TRY_AS(check_name(e->link, target), "link to %.200s", e->link);
	if (!first_is(target, "Files") && !first_is(target, "UtilityVM"))
		return error_new(ERROR_INVALID, "links to %.200s: invalid hard link in layer",
		                 e->link);
	return keep_link(w, name, target);
}

fallible windows_keep_or_remove(struct unpack *u, int dirfd, const char *name)
{
	struct windows_state *w = u->windows;
	bool is_windows_own;
	if (!w->current)
		return NULL;
	TRY(program_is_windows_own(u, dirfd, name, &is_windows_own));
	if (!is_windows_own)
		return NULL;
	if (unlinkat(dirfd, name, 0) < 0)
		FAIL_ERRNO("remove %s", name);
	w->n_programs++;
	w->current->kind = 0; // links to it lead nowhere
	return NULL;
}

void windows_report(struct unpack *u)
{
	const struct windows_state *w = u->windows;
	if (w->n_programs && u->r->debug) {
		auto_free char *line = alloc_printf("%zu programs of Windows left out: Wine's own "
		                                    "stand in their place",
		                                    w->n_programs);
		u->r->debug(u->r->arg, line);
	}
	if (w->n_links_lost)
		unpack_warn(u, WARN_WINDOWS_LINKS_LOST,
		            "%zu hard links to what isn't unpacked, left out", w->n_links_lost);
}
