// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"
#include <stdio.h>
#include <string.h>

static void die_without_memory(void)
{
	fputs("coracle: out of memory\n", stderr);
	abort();
}

void *alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		die_without_memory();
	return p;
}

void *alloc_array(size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		die_without_memory();
	return alloc(bytes);
}

void alloc_grow(void *items, size_t *capacity, size_t n, size_t size)
{
	if (n < *capacity)
		return;
	size_t more = *capacity ? *capacity * 2 : 8;
	if (more <= n)
		more = n + 1;
	void **array = items;
	void *grown = alloc_array(more, size);
	if (*capacity)
		memcpy(grown, *array, *capacity * size);
	free(*array);
	*array = grown;
	*capacity = more;
}

char *alloc_bytes(const void *bytes, size_t size)
{
	char *p = alloc(size + 1);
	if (size)
		memcpy(p, bytes, size);
	return p;
}

char *alloc_string(const char *s)
{
	return alloc_bytes(s, strlen(s));
}

char *alloc_vprintf(const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (size < 0)
		die_without_memory();
	char *text = alloc((size_t)size + 1);
	vsnprintf(text, (size_t)size + 1, format, args);
	return text;
}

char *alloc_printf(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = alloc_vprintf(format, args);
	va_end(args);
	return text;
}

// Blocks in a list, the newest first. A piece larger than a block gets a block of its own.
struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(16) unsigned char bytes[];
};
struct arena {
	struct arena_block *blocks;
};
enum { ARENA_BLOCK = 8192 };

struct arena *arena_new(void)
{
	return alloc(sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	int saved = errno;
	for (struct arena_block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
	errno = saved;
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		die_without_memory();
	size = (size + 15) & ~(size_t)15;
	struct arena_block *b = a->blocks;
	if (!b || b->size - b->used < size) {
		size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
		b = alloc(sizeof(*b) + room);
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
	}
	void *p = b->bytes + b->used;
	b->used += size;
	return p;
}

char *arena_bytes(struct arena *a, const void *bytes, size_t size)
{
	char *p = arena_alloc(a, size + 1);
	if (size)
		memcpy(p, bytes, size);
	return p;
}

char *arena_string(struct arena *a, const char *s)
{
	return s ? arena_bytes(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *text = alloc_vprintf(format, args);
	va_end(args);
	return arena_string(a, text);
}
