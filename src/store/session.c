// SPDX-License-Identifier: Apache-2.0
#include "store/session.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static fallible make_folders(struct store_session *x)
{
	auto_fd int ingest = -1, folder = -1;
	TRY(store_folder(x->store, "content/ingest", &ingest));
	TRY(path_make_dir_at(ingest, x->name, 0700, &folder));
	x->lockfd = openat(folder, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (x->lockfd < 0)
		FAIL_ERRNO("create content/ingest/%s/lock", x->name);
	TRY(lock_try(x->lockfd, LOCK_EXCLUSIVE));
	TRY(path_make_dir_at(folder, "blobs", 0700, &x->blobsfd));
	return store_folder(x->store, "snapshots", &x->snapshotsfd);
}

fallible store_begin_session(struct store *s, struct store_session **ret)
{
	struct store_session *x = alloc(sizeof(*x));
	x->store = s;
	x->lockfd = x->blobsfd = x->snapshotsfd = -1;
	store_instance_text(random_u64(), x->name);
	// Between the making of its lock and the taking the session would look dead to a collector.
	auto_fd int content = -1;
	struct error *e = store_lock_content(s, LOCK_SHARED, &content);
	if (!e)
		e = make_folders(x);
	if (e)
		return error_join(e, store_end_session(x));
	*ret = x;
	return NULL;
}

int store_session_blobs(const struct store_session *x)
{
	return x->blobsfd;
}

fallible store_session_layer(struct store_session *x, size_t *ret_layer, int *ret_dirfd)
{
	auto_free char *name = alloc_printf(SESSION_LAYER, x->name, x->n_layers);
	if (mkdirat(x->snapshotsfd, name, 0700) < 0)
		FAIL_ERRNO("mkdir snapshots/%s", name);
	*ret_layer = x->n_layers++;
	return path_open_beneath(x->snapshotsfd, name, O_RDONLY | O_DIRECTORY, 0, ret_dirfd);
}

fallible store_end_session(struct store_session *x)
{
	if (!x)
		return NULL;
	struct error *e = NULL;
	for (size_t i = 0; i < x->n_layers; i++) {
		auto_free char *name = alloc_printf(SESSION_LAYER, x->name, i);
		e = error_join(e, tree_remove(x->snapshotsfd, name));
	}
	auto_fd int ingest = -1;
	struct error *f = store_folder(x->store, "content/ingest", &ingest);
	e = error_join(e, f ? f : tree_remove(ingest, x->name));
	fd_cleanup_(&x->blobsfd);
	fd_cleanup_(&x->snapshotsfd);
	fd_cleanup_(&x->lockfd); // last: until now a collector leaves the rest to us
	free(x);
	return e;
}
