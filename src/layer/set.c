// SPDX-License-Identifier: Apache-2.0
// Open addressing, a quarter free at least. The hash of paths is keyed by nothing: an archive made
// to collide costs its own unpacking time, bounded by SET_BYTES_MAX.
#include "layer/internal.h"

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static uint64_t hash_bytes(const char *bytes, size_t size)
{
	uint64_t hash = size;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ULL;
	return mix(hash);
}

static size_t find_path(char *const *slots, size_t capacity, const char *path, size_t size)
{
	size_t i = hash_bytes(path, size) & (capacity - 1);
	while (slots[i] && (strncmp(slots[i], path, size) != 0 || slots[i][size]))
		i = (i + 1) & (capacity - 1);
	return i;
}

bool path_set_has(const struct path_set *s, const char *path, size_t size)
{
	return s->n && s->slots[find_path(s->slots, s->capacity, path, size)];
}

fallible path_set_add(struct path_set *s, const char *path)
{
	size_t size = strlen(path);
	if (path_set_has(s, path, size))
		return NULL;
	s->bytes += size + 64;
	if (s->bytes > SET_BYTES_MAX)
		return error_new(ERROR_LIMIT, "too many opaque directories");
	if (s->n * 4 >= s->capacity * 3) {
		size_t capacity = s->capacity ? s->capacity * 2 : 64;
		char **slots = alloc_array(capacity, sizeof(*slots));
		for (size_t i = 0; i < s->capacity; i++)
			if (s->slots[i])
				slots[find_path(slots, capacity, s->slots[i],
				                strlen(s->slots[i]))] = s->slots[i];
		free(s->slots);
		s->slots = slots;
		s->capacity = capacity;
	}
	s->slots[find_path(s->slots, s->capacity, path, size)] = alloc_string(path);
	s->n++;
	return NULL;
}

void path_set_done(struct path_set *s)
{
	for (size_t i = 0; i < s->capacity; i++)
		free(s->slots[i]);
	free(s->slots);
	*s = (struct path_set){0};
}

static size_t find_inode(const uint64_t *slots, size_t capacity, uint64_t inode)
{
	size_t i = mix(inode) & (capacity - 1);
	while (slots[i] && slots[i] != inode)
		i = (i + 1) & (capacity - 1);
	return i;
}

bool inode_set_has(const struct inode_set *s, uint64_t inode)
{
	return s->n && s->slots[find_inode(s->slots, s->capacity, inode)] == inode;
}

void inode_set_add(struct inode_set *s, uint64_t inode)
{
	if (s->n * 4 >= s->capacity * 3) {
		size_t capacity = s->capacity ? s->capacity * 2 : 1024;
		uint64_t *slots = alloc_array(capacity, sizeof(*slots));
		for (size_t i = 0; i < s->capacity; i++)
			if (s->slots[i])
				slots[find_inode(slots, capacity, s->slots[i])] = s->slots[i];
		free(s->slots);
		s->slots = slots;
		s->capacity = capacity;
	}
	size_t at = find_inode(s->slots, s->capacity, inode);
	s->n += !s->slots[at];
	s->slots[at] = inode;
}

void inode_set_done(struct inode_set *s)
{
	free(s->slots);
	*s = (struct inode_set){0};
}
