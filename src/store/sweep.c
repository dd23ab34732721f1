// SPDX-License-Identifier: Apache-2.0
// What lies there without a row. Names that are not of our making are left alone.
#include "store/claim.h"
#include "store/gc.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool gc_has_name(const struct gc_names *l, const char *name)
{
	return l->n && bsearch(&name, l->items, l->n, sizeof(*l->items), by_text);
}

static void read_name(const struct rows *r, struct arena *a, void *item)
{
	*(const char **)item = rows_text(r, 0, a);
}

static fallible names(struct gc *g, struct database *d, const char *sql, struct gc_names *ret)
{
	TRY(database_collect(d, sql, NO_VALUES, g->arena, sizeof(*ret->items), read_name,
	                     &ret->items, &ret->n));
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_text);
	return NULL;
}

static bool is_hex(const char *name, size_t size)
{
	return strlen(name) == size && strspn(name, "0123456789abcdef") == size;
}

static bool is_number(const char *name)
{
	return *name && strspn(name, "0123456789") == strlen(name);
}

static uint64_t size_at(int dirfd, const char *name)
{
	struct stat st;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
	               ? (uint64_t)st.st_size
	               : 0;
}

// `shown`: how the name reads in the report.
static fallible take_file(struct gc *g, int dirfd, const char *name, const char *shown,
                          const char *kind, const char *reason)
{
	gc_note(g, kind, "", shown, reason, size_at(dirfd, name));
	return g->take ? store_trash(g->store, dirfd, name) : NULL;
}

// --- content --------------------------------------------------------------------------------

fallible gc_blob_names(struct gc *g, struct gc_names *ret)
{
	return names(g, g->meta, "SELECT DISTINCT substr(digest, 8) FROM blobs", ret);
}

static fallible sweep_blobs(struct gc *g)
{
	auto_strings struct strings files = {0};
	TRY(store_list_at(g->store->rootfd, "content/blobs/sha256", &files));
	struct gc_names kept;
	TRY(gc_blob_names(g, &kept));
	auto_fd int folder = -1;
	TRY(store_blob_folder(g->store, &folder));
	for (size_t i = 0; i < files.n; i++) {
		const char *file = files.items[i];
		auto_free char *digest = alloc_printf("sha256:%s", file);
		if (is_hex(file, 64) && !gc_has_name(&kept, file))
			TRY(take_file(g, folder, file, digest, "blob file", "no row names it"));
	}
	return NULL;
}

// Begun by a fetch that nobody has gone on with.
static fallible sweep_partial(struct gc *g, int folder, const char *name)
{
	struct stat st;
	bool held = false;
	auto_fd int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL; // not of our making
	int64_t touched = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	bool is_old = g->now_ns - touched >= STORE_PARTIAL_LIFE_NS;
	if (!is_old && !g->partials)
		return NULL;
	if (!g->take) {
		TRY(lock_is_held(fd, LOCK_EXCLUSIVE, &held));
	} else {
		// Until it is gone: a fetch that begins now sees that.
		struct error *busy = lock_try(fd, LOCK_EXCLUSIVE);
		held = error_is(busy, ERROR_BUSY);
		if (held)
			error_drop(&busy);
		TRY(busy);
	}
	return held ? NULL
	            : take_file(g, folder, name, name, "partial blob",
	                        is_old ? "nobody has gone on with it for a day"
	                               : "an interrupted pull has left it");
}

static fallible sweep_partials(struct gc *g)
{
	auto_strings struct strings files = {0};
	TRY(store_list_at(g->store->rootfd, STORE_PARTIAL_FOLDER, &files));
	auto_fd int folder = -1;
	if (!files.n)
		return NULL;
	TRY(store_folder(g->store, STORE_PARTIAL_FOLDER, &folder));
	for (size_t i = 0; i < files.n; i++)
		if (is_hex(files.items[i], 64))
			TRY(sweep_partial(g, folder, files.items[i]));
	return NULL;
}

static fallible session_is_dead(const struct store *s, const char *name, bool *ret)
{
	auto_free char *path = alloc_printf("content/ingest/%s/lock", name);
	auto_fd int fd = -1;
	struct error *e = path_open_beneath(s->rootfd, path, O_RDWR, 0, &fd);
	bool held = false;
	if (error_is(e, ERROR_NOT_FOUND)) // it died before it had one, or while it ended
		error_drop(&e);
	else if (!e)
		e = lock_is_held(fd, LOCK_EXCLUSIVE, &held);
	*ret = !held;
	return e;
}

static fallible sweep_sessions(struct gc *g)
{
	auto_strings struct strings sessions = {0};
	TRY(store_list_at(g->store->rootfd, "content/ingest", &sessions));
	auto_fd int folder = -1;
	TRY(store_folder(g->store, "content/ingest", &folder));
	for (size_t i = 0; i < sessions.n; i++) {
		const char *name = sessions.items[i];
		bool dead = false;
		if (is_hex(name, STORE_ID_SIZE - 1))
			TRY(session_is_dead(g->store, name, &dead));
		if (dead)
			TRY(take_file(g, folder, name, name, "session", "its process died"));
	}
	return NULL;
}

// --- snapshots ------------------------------------------------------------------------------

// new-<session>-<i>
static fallible sweep_new_layer(struct gc *g, int snapshots, const char *name)
{
	char session[STORE_ID_SIZE] = "";
	size_t size = sizeof("new-") - 1;
	snprintf(session, sizeof(session), "%s", name + size);
	bool dead = false;
	if (is_hex(session, STORE_ID_SIZE - 1) && name[size + STORE_ID_SIZE - 1] == '-')
		TRY(session_is_dead(g->store, session, &dead));
	if (dead)
		TRY(take_file(g, snapshots, name, name, "snapshot folder",
		              "the process that made it died"));
	return NULL;
}

static fallible sweep_snapshotter(struct gc *g, const char *snapshotter,
                                  const struct gc_names *kept)
{
	auto_free char *path = alloc_printf("snapshots/%s", snapshotter);
	auto_strings struct strings folders = {0};
	TRY(store_list_at(g->store->rootfd, path, &folders));
	if (!folders.n)
		return NULL;
	auto_fd int dirfd = -1;
	TRY(store_folder(g->store, path, &dirfd));
	for (size_t i = 0; i < folders.n; i++) {
		auto_free char *name = alloc_printf("%s/%s", snapshotter, folders.items[i]);
		if (is_number(folders.items[i]) && !gc_has_name(kept, name))
			TRY(take_file(g, dirfd, folders.items[i], name, "snapshot folder",
			              "no row names it"));
	}
	return NULL;
}

static fallible sweep_snapshots(struct gc *g)
{
	auto_strings struct strings entries = {0};
	TRY(store_list_at(g->store->rootfd, "snapshots", &entries));
	struct gc_names kept;
	TRY(names(g, g->meta, "SELECT snapshotter || '/' || number FROM snapshots", &kept));
	auto_fd int snapshots = -1;
	TRY(store_folder(g->store, "snapshots", &snapshots));
	for (size_t i = 0; i < entries.n; i++) {
		const char *name = entries.items[i];
		TRY(text_starts(name, "new-") ? sweep_new_layer(g, snapshots, name)
		                              : sweep_snapshotter(g, name, &kept));
	}
	return NULL;
}

// --- writable layers ------------------------------------------------------------------------

static void read_instance(const struct rows *r, struct arena *a, void *item)
{
	*(const char **)item =
		arena_printf(a, "%016llx", (unsigned long long)(uint64_t)rows_number(r, 0));
}

static fallible sweep_uppers(struct gc *g)
{
	// The folders first: who makes one has put its row before.
	auto_strings struct strings folders = {0};
	TRY(store_list_at(g->store->rootfd, "uppers", &folders));
	if (!folders.n)
		return NULL;
	struct gc_names kept;
	TRY(database_collect(
		g->state, "SELECT instance FROM tasks UNION SELECT instance FROM containers",
		NO_VALUES, g->arena, sizeof(*kept.items), read_instance, &kept.items, &kept.n));
	if (kept.n)
		qsort(kept.items, kept.n, sizeof(*kept.items), by_text);
	auto_fd int uppers = -1;
	TRY(store_folder(g->store, "uppers", &uppers));
	for (size_t i = 0; i < folders.n; i++) {
		const char *name = folders.items[i];
		if (is_hex(name, STORE_ID_SIZE - 1) && !gc_has_name(&kept, name))
			TRY(take_file(g, uppers, name, name, "writable layer",
			              "its container is gone"));
	}
	return NULL;
}

fallible gc_sweep_files(struct gc *g)
{
	TRY(sweep_snapshots(g)); // before the sessions, whose locks it asks
	TRY(sweep_sessions(g));
	TRY(sweep_blobs(g));
	TRY(sweep_partials(g));
	return sweep_uppers(g);
}

// --- state ----------------------------------------------------------------------------------

static fallible is_known(struct gc *g, const char *ns, const char *id, bool *ret)
{
	const struct value *name = VALUES(TEXT(ns), TEXT(id));
	TRY(database_has(g->state, "SELECT 1 FROM containers WHERE ns = ? AND id = ?", name, ret));
	if (!*ret)
		TRY(database_has(g->state, "SELECT 1 FROM tasks WHERE ns = ? AND id = ?", name,
		                 ret));
	if (!*ret)
		TRY(database_has(g->meta, "SELECT 1 FROM containers WHERE ns = ? AND id = ?", name,
		                 ret));
	return NULL;
}

static fallible sweep_state_folder(struct gc *g, const char *ns, const char *id)
{
	bool known;
	TRY(is_known(g, ns, id, &known));
	if (known)
		return NULL;
	struct store_claim *claim;
	struct error *e = store_claim(g->store, ns, id, 0, &claim);
	if (error_is(e, ERROR_BUSY)) {
		error_drop(&e); // somebody is at it
		return NULL;
	}
	TRY(e);
	e = is_known(g, ns, id, &known);
	if (e || known || !g->take) {
		store_claim_release(claim);
		claim = NULL;
	}
	if (e || known)
		return e;
	auto_free char *name = alloc_printf("%s/%s", ns, id);
	gc_note(g, "state folder", ns, name, "no container has this ID", 0);
	return claim ? store_claim_remove(claim) : NULL;
}

static fallible sweep_state_of(struct gc *g, const char *ns)
{
	int statefd = g->store->statefd;
	auto_strings struct strings ids = {0};
	TRY(store_list_at(statefd, ns, &ids));
	for (size_t i = 0; i < ids.n; i++) {
		auto_error struct error *not_ours = store_check_id(ids.items[i]);
		if (not_ours)
			continue;
		auto_free char *folder = alloc_printf("%s/%s", ns, ids.items[i]);
		auto_free char *lock = alloc_printf("%s/lock", folder);
		if (faccessat(statefd, lock, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			TRY(sweep_state_folder(g, ns, ids.items[i]));
		else if (g->take) // empty: who made it died, or makes it again
			ignore(unlinkat(statefd, folder, AT_REMOVEDIR));
	}
	if (g->take)
		ignore(unlinkat(statefd, ns, AT_REMOVEDIR)); // only if it is empty
	return NULL;
}

fallible gc_sweep_state(struct gc *g)
{
	auto_strings struct strings namespaces = {0};
	TRY(store_list_at(g->store->statefd, ".", &namespaces));
	for (size_t i = 0; i < namespaces.n; i++) {
		auto_error struct error *foreign = store_check_namespace(namespaces.items[i]);
		if (!foreign)
			TRY(sweep_state_of(g, namespaces.items[i]));
	}
	return NULL;
}

fallible gc_sweep_trash(struct gc *g)
{
	if (g->take) {
		TRY(store_sweep_gone(g->store));
		return store_empty_trash(g->store);
	}
	auto_strings struct strings names_ = {0};
	TRY(store_list_at(g->store->rootfd, "trash", &names_));
	for (size_t i = 0; i < names_.n; i++)
		gc_note(g, "trash", "", names_.items[i], "removed before", 0);
	return NULL;
}

fallible store_collect_dead_sessions(struct store *s)
{
	auto_strings struct strings sessions = {0};
	TRY(store_list_at(s->rootfd, "content/ingest", &sessions));
	bool any = false;
	for (size_t i = 0; i < sessions.n && !any; i++)
		if (is_hex(sessions.items[i], STORE_ID_SIZE - 1))
			TRY(session_is_dead(s, sessions.items[i], &any));
	if (!any)
		return NULL;
	// Making its lock and taking it are two steps: the collector looks again, with nobody
	// between.
	struct store_garbage *taken = NULL;
	TRY(store_gc_run(s, 0, &taken));
	store_garbage_free(taken);
	return NULL;
}
