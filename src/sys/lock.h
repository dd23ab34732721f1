// SPDX-License-Identifier: Apache-2.0
// Locks on open files (OFD locks, fcntl(2)): held until the last descriptor of the open file is
// closed, so a lock dies with its process. Never leak such a descriptor into a container.
// The order of locks stands in store/store.h.
#pragma once
#include "base/error.h"

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };

// Waits for the lock.
fallible lock_take(int fd, enum lock_mode mode);
// Takes it, or gives BUSY at once.
fallible lock_try(int fd, enum lock_mode mode);
// Asks again and again for so long, then BUSY.
fallible lock_await(int fd, enum lock_mode mode, int timeout_ms);
// Locks an open folder (flock(2): OFD locks want a file), for as long as descriptors of this
// opening are there. Asks again and again for so long, then BUSY.
fallible lock_folder(int dirfd, int timeout_ms);
fallible lock_release(int fd);
// True if somebody else holds a lock that would keep us from `mode`.
fallible lock_is_held(int fd, enum lock_mode mode, bool *ret);
