// SPDX-License-Identifier: Apache-2.0
// A claim. Private to store/.
#pragma once
#include "store/room.h"

struct store_claim {
	struct store *store;
	char *ns, *id;
	int dirfd, lockfd;
};
