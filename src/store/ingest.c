// SPDX-License-Identifier: Apache-2.0
// What is being written: live sessions, and files of blobs that somebody has locked.
#include "store/session.h"
#include "sys/lock.h"
#include <fcntl.h>
#include <sys/stat.h>

#define INGEST_FOLDER "content/ingest"
enum { REFERENCE_MAX = 4096 };

static fallible is_live(int dirfd, const char *file, struct stat *ret_st, bool *ret)
{
	*ret = false;
	auto_fd int fd = openat(dirfd, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return NULL; // it just ended
	if (fd < 0 || fstat(fd, ret_st) < 0)
		FAIL_ERRNO("%s", file);
	return S_ISREG(ret_st->st_mode) ? lock_is_held(fd, LOCK_EXCLUSIVE, ret) : NULL;
}

static fallible add_up(int dirfd, uint64_t *ret)
{
	auto_strings struct strings files = {0};
	TRY(store_list_at(dirfd, "blobs", &files));
	auto_fd int blobs = openat(dirfd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; blobs >= 0 && i < files.n; i++) {
		struct stat st; // one that is gone meanwhile was published
		if (!fstatat(blobs, files.items[i], &st, AT_SYMLINK_NOFOLLOW))
			*ret += (uint64_t)st.st_size;
	}
	return NULL;
}

struct list {
	struct store_ingests *to;
	size_t capacity;
};

static void add(struct list *l, const char *reference, uint64_t size, const struct stat *st)
{
	struct store_ingests *to = l->to;
	if (to->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 16;
		struct store_ingest *items = arena_alloc(to->arena, capacity * sizeof(*to->items));
		for (size_t i = 0; i < to->n; i++)
			items[i] = to->items[i];
		to->items = items;
		l->capacity = capacity;
	}
	to->items[to->n++] = (struct store_ingest){
		.reference = arena_string(to->arena, reference),
		.size_bytes = size,
		.started_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec};
}

static fallible add_session(struct list *l, int ingest, const char *name)
{
	struct stat st;
	bool live;
	uint64_t size = 0;
	auto_free char *reference = NULL;
	auto_fd int dirfd = openat(ingest, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd < 0)
		return NULL; // it just ended
	TRY(is_live(dirfd, "lock", &st, &live));
	if (!live)
		return NULL;
	struct error *e = file_read(dirfd, "ref", REFERENCE_MAX, &reference, NULL);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_drop(&e); // nobody has named it
		reference = alloc_printf("session-%s", name);
	}
	TRY(e);
	TRY(add_up(dirfd, &size));
	add(l, reference, size, &st);
	return NULL;
}

static fallible add_partial(struct list *l, int folder, const char *name)
{
	struct stat st;
	bool live;
	TRY(is_live(folder, name, &st, &live));
	if (!live)
		return NULL; // the next fetch goes on with it
	auto_free char *reference = alloc_printf("blob-sha256:%s", name);
	add(l, reference, (uint64_t)st.st_size, &st);
	return NULL;
}

static fallible each(struct store *s, const char *path, struct list *l,
                     fallible (*take_one)(struct list *l, int folder, const char *name))
{
	auto_strings struct strings names = {0};
	auto_fd int folder = -1;
	TRY(store_list_at(s->rootfd, path, &names));
	if (names.n)
		TRY(store_folder(s, path, &folder));
	for (size_t i = 0; i < names.n; i++)
		TRY(take_one(l, folder, names.items[i]));
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct store_ingest *x = a, *y = b;
	return strcmp(x->reference, y->reference);
}

fallible store_list_ingests(struct store *s, struct store_ingests **ret)
{
	struct arena *arena = arena_new();
	struct list l = {.to = arena_alloc(arena, sizeof(*l.to))};
	l.to->arena = arena;
	struct error *e = each(s, INGEST_FOLDER, &l, add_session);
	if (!e)
		e = each(s, STORE_PARTIAL_FOLDER, &l, add_partial);
	if (e) {
		store_ingests_free(l.to);
		return e;
	}
	if (l.to->n)
		qsort(l.to->items, l.to->n, sizeof(*l.to->items), compare);
	*ret = l.to;
	return NULL;
}

void store_ingests_free(struct store_ingests *l)
{
	if (l)
		arena_free(l->arena);
}

static fallible check_free(struct store *s, const char *reference)
{
	struct store_ingests *all;
	bool used = false;
	TRY(store_list_ingests(s, &all));
	for (size_t i = 0; i < all->n; i++)
		used |= !strcmp(all->items[i].reference, reference);
	store_ingests_free(all);
	return used ? error_new(ERROR_BUSY, "ref %.100s locked: unavailable", reference) : NULL;
}

fallible store_name_session(struct store_session *x, const char *reference)
{
	auto_fd int content = -1, folder = -1;
	size_t size = strlen(reference);
	if (!size || size > REFERENCE_MAX - 1)
		return error_new(ERROR_INVALID, "a reference has from 1 to %d bytes",
		                 REFERENCE_MAX - 1);
	TRY(store_lock_content(x->store, LOCK_EXCLUSIVE, &content)); // one that looks at a time
	TRY(check_free(x->store, reference));
	auto_free char *path = alloc_printf(INGEST_FOLDER "/%s", x->name);
	TRY(store_folder(x->store, path, &folder));
	auto_fd int fd = openat(folder, "ref", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		FAIL_ERRNO("name the session");
	return error_prefix(fd_write_all(fd, reference, size), "name the session");
}
