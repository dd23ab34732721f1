// SPDX-License-Identifier: Apache-2.0
// A session's folders. Private to store/.
//
//   content/ingest/<name>/lock    held by the owner as long as it lives
//   content/ingest/<name>/ref     what others may know it by, if it was named
//   content/ingest/<name>/blobs/
//   snapshots/new-<name>-<i>/     layers
#pragma once
#include "store/room.h"

struct store_session {
	struct store *store;
	char name[STORE_ID_SIZE];
	int lockfd, blobsfd, snapshotsfd;
	size_t n_layers;
};
#define SESSION_LAYER "new-%s-%zu"
