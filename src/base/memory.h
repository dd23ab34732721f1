// SPDX-License-Identifier: Apache-2.0
// Memory. A failed small allocation ends the process: dying anywhere is a case that the store
// survives by design. A size that came from outside is compared with a limit before it gets here.
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

void *alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1))); // zeroed
void *alloc_array(size_t n, size_t size)
	__attribute__((malloc, returns_nonnull, alloc_size(1, 2))); // zeroed, overflow checked
// Grows *items (a pointer to an array of `size`-byte items) so that item `n` can be written.
// *capacity is in items. New items are zeroed.
void alloc_grow(void *items, size_t *capacity, size_t n, size_t size);
char *alloc_string(const char *s) __attribute__((malloc, returns_nonnull));
char *alloc_bytes(const void *bytes, size_t size)
	__attribute__((malloc, returns_nonnull)); // with a zero behind them
char *alloc_printf(const char *format, ...) PRINTF(1, 2) __attribute__((malloc, returns_nonnull));
char *alloc_vprintf(const char *format, va_list args) PRINTF(1, 0)
	__attribute__((malloc, returns_nonnull));

// An arena: one lifetime for a whole command or a whole parse; freed at once. Not for what loops.
struct arena;
struct arena *arena_new(void) __attribute__((returns_nonnull));
void arena_free(struct arena *a);                                                 // takes NULL
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull)); // zeroed
char *arena_string(struct arena *a, const char *s);                               // NULL gives NULL
char *arena_bytes(struct arena *a, const void *bytes, size_t size);
char *arena_printf(struct arena *a, const char *format, ...) PRINTF(2, 3)
	__attribute__((returns_nonnull));

static inline void arena_cleanup_(struct arena **a)
{
	arena_free(*a);
}
#define auto_arena defer(arena_cleanup_)
