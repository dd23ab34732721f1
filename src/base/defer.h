// SPDX-License-Identifier: Apache-2.0
// Cleanup attributes: what a block owns is released when the block is left, by any way.
// Ownership leaves a block by take(&p). A cleanup keeps errno.
#pragma once
#include <errno.h>
#include <stdlib.h>

#define defer(fn) __attribute__((cleanup(fn), unused)) // unused: clang warns about guards

// Moves a pointer out of its variable, which becomes NULL.
#define take(p)                                 \
	__extension__({                         \
		__auto_type take_p_ = (p);      \
		__auto_type take_v_ = *take_p_; \
		*take_p_ = NULL;                \
		take_v_;                        \
	})

static inline void defer_free_(void *p)
{
	int saved = errno;
	free(*(void **)p);
	errno = saved;
}
#define auto_free defer(defer_free_)

// The result doesn't matter here, and the comment beside it says why. gcc ignores a (void) cast
// on functions that warn about an unused result.
#define ignore(call)                                                  \
	do {                                                          \
		__auto_type ignore_ __attribute__((unused)) = (call); \
	} while (0)
