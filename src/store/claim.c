// SPDX-License-Identifier: Apache-2.0
// Claims on containers: state/NS/ID/lock. A folder goes by being renamed away as a whole, so a lock
// that was got on a file which is no longer at that path protects nothing: then we try again.
#include "store/claim.h"
#include <fcntl.h>
#include <sys/stat.h>

static fallible is_still_named(int statefd, const char *path, int fd, bool *ret)
{
	struct stat ours, named;
	if (fstat(fd, &ours) < 0)
		FAIL_ERRNO("stat");
	*ret = fstatat(statefd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
	return NULL;
}

// *ret false: somebody removed the folder in between.
static fallible claim_once(struct store_claim *c, bool wait, bool *ret)
{
	auto_fd int ns = -1, folder = -1;
	*ret = false;
	struct error *e = path_make_dir_at(c->store->statefd, c->ns, 0700, &ns);
	if (e && e->sys == ENOENT) {
		error_drop(&e); // its last container went between our mkdir and open
		return NULL;
	}
	TRY(e);
	if (mkdirat(ns, c->id, 0700) < 0 && errno != EEXIST) {
		if (errno == ENOENT)
			return NULL;
		FAIL_ERRNO("mkdir %s", c->id);
	}
	folder = openat(ns, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0 && errno == ENOENT)
		return NULL;
	if (folder < 0)
		FAIL_ERRNO("open %s", c->id);
	auto_fd int lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 && errno == ENOENT)
		return NULL;
	if (lock < 0)
		FAIL_ERRNO("open %s/lock", c->id);
	TRY(wait ? lock_take(lock, LOCK_EXCLUSIVE) : lock_try(lock, LOCK_EXCLUSIVE));
	auto_free char *path = alloc_printf("%s/%s/lock", c->ns, c->id);
	TRY(is_still_named(c->store->statefd, path, lock, ret));
	if (*ret) {
		c->dirfd = fd_take(&folder);
		c->lockfd = fd_take(&lock);
	}
	return NULL;
}

fallible store_claim(struct store *s, const char *ns, const char *id, int flags,
                     struct store_claim **ret)
{
	TRY(store_check_namespace(ns));
	TRY(store_check_id(id));
	TRY(store_check_state(s));
	struct store_claim *c = alloc(sizeof(*c));
	*c = (struct store_claim){s, alloc_string(ns), alloc_string(id), -1, -1};
	struct error *e = NULL;
	for (bool got = false; !e && !got;) // each turn somebody else got on
		e = claim_once(c, flags & STORE_CLAIM_WAIT, &got);
	if (error_is(e, ERROR_BUSY)) {
		error_drop(&e); // a text that names the thing
		e = error_new(ERROR_BUSY, "container \"%s\" is being changed by another process",
		              id);
	}
	if (e) {
		store_claim_release(c);
		return error_prefix(e, "state %s/%s", s->state, ns);
	}
	*ret = c;
	return NULL;
}

int store_claim_dirfd(const struct store_claim *c)
{
	return c->dirfd;
}

void store_claim_release(struct store_claim *c)
{
	if (!c)
		return;
	fd_cleanup_(&c->dirfd);
	fd_cleanup_(&c->lockfd);
	free(c->ns);
	free(c->id);
	free(c);
}

fallible store_claim_remove(struct store_claim *c)
{
	auto_free char *folder = alloc_printf("%s/%s", c->ns, c->id);
	auto_free char *gone = NULL;
	struct error *e = store_state_gone(c->store, folder, &gone);
	if (!e)
		e = tree_remove(c->store->statefd, gone);
	ignore(unlinkat(c->store->statefd, c->ns, AT_REMOVEDIR)); // others are in it
	store_claim_release(c);
	return e;
}

fallible store_open_state_dir(struct store *s, const char *ns, const char *id, int *ret_dirfd)
{
	TRY(store_check_namespace(ns));
	TRY(store_check_id(id));
	TRY(store_check_state(s));
	auto_free char *path = alloc_printf("%s/%s", ns, id);
	TRY_AS(path_open_beneath(s->statefd, path, O_RDONLY | O_DIRECTORY, 0, ret_dirfd), "%s",
	       s->state);
	return NULL;
}
