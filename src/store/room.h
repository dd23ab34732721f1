// SPDX-License-Identifier: Apache-2.0
// What the files of the room share. Private to store/.
#pragma once
#include "base/text.h"
#include "store/database.h"
#include "store/store.h"
#include "sys/sys.h"
#include <dirent.h>

struct store {
	char *root, *state;
	int rootfd, statefd;
	char id[STORE_ID_SIZE];
	bool state_checked;              // the boot is ours
	struct database *meta_, *state_; // NULL until needed: store_meta(), store_state_db()
};

extern const char store_meta_sql[], store_state_sql[];
#define STORE_ID_FILE "id" // in the root; also the lock for making databases and state

// The databases, opened when first asked for. The second also makes the state ours: see open.c.
fallible store_meta(struct store *s, struct database **ret);
fallible store_state_db(struct store *s, struct database **ret);
// Makes the state folder void if it is of another boot. Before anything is put into it.
fallible store_check_state(struct store *s);

// Opens a folder below the root; makes it, and those above it, if it isn't there. What is made is
// durable in its parent.
fallible store_folder(struct store *s, const char *path, int *ret_dirfd);

#define STORE_PARTIAL_FOLDER "content/partial"
#define STORE_PARTIAL_LIFE_NS (INT64_C(24) * 3600 * 1000000000) // untouched for so long: garbage

int64_t store_now_ns(void);

// Label kinds are those of store.h; the object of a snapshot is "snapshotter/key".
fallible store_read_labels(struct database *d, struct arena *a, enum store_kind kind,
                           const char *ns, const char *object, struct store_labels *ret);
// Adds or changes; an empty value removes.
fallible store_put_labels(struct database *d, enum store_kind kind, const char *ns,
                          const char *object, const struct store_labels *labels);
// When the object goes, in the same transaction.
fallible store_drop_labels(struct database *d, enum store_kind kind, const char *ns,
                           const char *object);
fallible store_put_namespace(struct database *d, const char *ns);
fallible store_check_namespace(const char *ns);
// NOT_FOUND in ctr's words.
struct error *store_not_found(enum store_kind kind, const char *ns, const char *name);
#define SNAPSHOT_OBJECT(arena, snapshotter, key) arena_printf(arena, "%s/%s", snapshotter, key)

// content/lock: shared by who brings files and then their rows, exclusive for the collector, which
// looks for files without rows. Short: never over a syncfs, a network or a user.
fallible store_lock_content(struct store *s, enum lock_mode mode, int *ret_fd);

fallible store_blob_folder(struct store *s, int *ret_dirfd); // content/blobs/sha256
#define BLOB_FILE(digest) ((digest) + sizeof("sha256:") - 1)
fallible store_snapshotter_folder(struct store *s, const char *snapshotter, int *ret_dirfd);

// syncfs of the store: everything written to its file system is on disk.
fallible store_sync(struct store *s);

// Renames `name` in `dirfd` into the trash. What is not there is no error.
fallible store_trash(struct store *s, int dirfd, const char *name);

// Under the shared content/lock: takes marks back that a dead collector left.
fallible store_clear_marks(struct database *meta);

// The names in a folder below dirfd but "." and "..", sorted; none if there is no such folder.
fallible store_list_at(int dirfd, const char *path, struct strings *ret);

// Takes state/NS/ID (`folder`) out of sight: renames it to *ret_gone (may be NULL), a name in the
// state folder that the sweep deletes if the caller doesn't. *ret_gone is the caller's.
fallible store_state_gone(struct store *s, const char *folder, char **ret_gone);
fallible store_sweep_gone(struct store *s);
