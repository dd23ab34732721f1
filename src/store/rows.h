// SPDX-License-Identifier: Apache-2.0
// A publication on its way: publish.c does the files, rows.c the transaction. Private to store/.
#pragma once
#include "store/session.h"

struct publishing {
	struct store_session *x;
	const struct store_publication *p;
	struct database *meta;
	struct placed { // for each snapshot
		uint64_t number;
		bool is_there; // renamed to its number
		bool lost;     // a snapshot of that key was published meanwhile: theirs it is
	} * placed;
};

// The body of the transaction; the argument is a struct publishing.
fallible store_publish_rows(void *arg);
