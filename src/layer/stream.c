// SPDX-License-Identifier: Apache-2.0
// A blob's way to its reader: read → hash → inflate → (ring) → hash → reader. What stands before
// the ring may run in a thread; nothing but the ring, under its lock, is shared.
#include "base/memory.h"
#include "layer/inflate.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_SIZE = 128 << 10, BUFFER_SIZE = 256 << 10, BUFFERS = 8 };

struct buffer {
	unsigned char *bytes;
	size_t size;
};

struct layer_stream {
	int fd, flags;
	uint64_t limit_bytes;

	// The producer's.
	unsigned char *input;
	struct inflate_input in;
	struct inflater *inflater;
	struct layer_hash *read_hash;
	uint64_t inflated;
	_Atomic uint64_t consumed;
	int grown_fd;         // -1: the blob is whole
	uint64_t grows_until; // its size then
	_Atomic int compression;

	// The consumer's.
	struct layer_hash *diff_hash;
	uint64_t diff_size;
	bool holds; // a buffer was handed out
	bool ended;

	// The ring: buffers [taken, filled) are full. Without a thread one buffer is used.
	struct buffer buffers[BUFFERS];
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool up, go, stop, produced_all;
	size_t filled, taken;
	struct error *error; // the producer's last word
};

// --- producer ---------------------------------------------------------------------------------

static fallible read_some(int fd, void *bytes, size_t size, size_t *ret_size)
{
	ssize_t n;
	do
		n = read(fd, bytes, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		FAIL_ERRNO("read the blob");
	*ret_size = (size_t)n;
	return NULL;
}

// Nothing at the end. The end of a blob that is being written is where its size says.
static fallible read_piece(struct layer_stream *s, void *bytes, size_t size, size_t *ret_size)
{
	if (s->grown_fd < 0)
		return read_some(s->fd, bytes, size, ret_size);
	*ret_size = 0;
	for (;;) {
		uint64_t left = s->grows_until - atomic_load(&s->consumed), pieces;
		if (!left)
			return NULL;
		TRY(read_some(s->fd, bytes, left < size ? (size_t)left : size, ret_size));
		if (*ret_size)
			return NULL;
		TRY(read_some(s->grown_fd, &pieces, sizeof(pieces), ret_size));
	}
}

static fallible read_input(struct layer_stream *s)
{
	// What is left moves to the front: only the detection leaves something.
	memmove(s->input, s->in.bytes, s->in.size);
	s->in.bytes = s->input;
	size_t n;
	TRY(read_piece(s, s->input + s->in.size, INPUT_SIZE - s->in.size, &n));
	if (!n)
		s->in.ended = true;
	if (s->read_hash)
		TRY(layer_hash_add(s->read_hash, s->input + s->in.size, n));
	s->in.size += n;
	atomic_fetch_add(&s->consumed, n);
	return NULL;
}

static fallible detect(struct layer_stream *s)
{
	while (!s->in.ended && s->in.size < INFLATE_MAGIC_SIZE)
		TRY(read_input(s));
	enum layer_compression c = inflate_detect(s->in.bytes, s->in.size);
	atomic_store(&s->compression, (int)c);
	return inflater_new(c, &s->inflater);
}

// Fills one buffer, as far as a piece of input goes; size 0 only at the end.
static fallible produce(struct layer_stream *s, struct buffer *b)
{
	b->size = 0;
	if (!s->inflater)
		TRY(detect(s));
	while (b->size < BUFFER_SIZE / 2) {
		size_t n;
		TRY(inflater_run(s->inflater, &s->in, b->bytes + b->size, BUFFER_SIZE - b->size,
		                 &n));
		b->size += n;
		s->inflated += n;
		if (s->inflated > s->limit_bytes)
			return error_because(error_new(ERROR_LIMIT,
			                               "inflates to more than %llu bytes",
			                               (unsigned long long)s->limit_bytes),
			                     EFBIG);
		if (!n && !s->in.size) {
			if (s->in.ended)
				break;
			TRY(read_input(s));
		}
	}
	return NULL;
}

static bool wait_for_room(struct layer_stream *s)
{
	while (!s->stop && (!s->go || s->filled - s->taken == BUFFERS))
		pthread_cond_wait(&s->changed, &s->lock);
	return !s->stop;
}

static void *producer(void *arg)
{
	struct layer_stream *s = arg;
	pthread_mutex_lock(&s->lock);
	s->up = true;
	pthread_cond_broadcast(&s->changed);
	while (wait_for_room(s)) {
		struct buffer *b = &s->buffers[s->filled % BUFFERS];
		pthread_mutex_unlock(&s->lock);
		struct error *e = produce(s, b);
		pthread_mutex_lock(&s->lock);
		s->error = e;
		s->produced_all = e || !b->size;
		if (!s->produced_all)
			s->filled++;
		pthread_cond_broadcast(&s->changed);
		if (s->produced_all)
			break;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

// --- consumer ---------------------------------------------------------------------------------

static fallible next_of_ring(struct layer_stream *s, const struct buffer **ret)
{
	pthread_mutex_lock(&s->lock);
	s->taken += s->holds;
	s->holds = false;
	s->go = true;
	pthread_cond_broadcast(&s->changed);
	while (s->filled == s->taken && !s->produced_all)
		pthread_cond_wait(&s->changed, &s->lock);
	struct error *e = NULL;
	*ret = NULL;
	if (s->filled != s->taken) {
		*ret = &s->buffers[s->taken % BUFFERS];
		s->holds = true;
	} else {
		e = s->error;
		s->error = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

fallible layer_stream_more(void *stream, const void **ret_bytes, size_t *ret_size)
{
	struct layer_stream *s = stream;
	const struct buffer *b = NULL;
	*ret_bytes = NULL;
	*ret_size = 0;
	if (s->ended)
		return NULL;
	s->ended = true; // unless this goes well
	if (s->threaded) {
		TRY(next_of_ring(s, &b));
	} else {
		TRY(produce(s, &s->buffers[0]));
		b = s->buffers[0].size ? &s->buffers[0] : NULL;
	}
	if (!b)
		return NULL;
	if (s->diff_hash)
		TRY(layer_hash_add(s->diff_hash, b->bytes, b->size));
	s->ended = false;
	s->diff_size += b->size;
	*ret_bytes = b->bytes;
	*ret_size = b->size;
	return NULL;
}

enum layer_compression layer_stream_compression(const struct layer_stream *s)
{
	return (enum layer_compression)atomic_load(&s->compression);
}

uint64_t layer_stream_consumed(const struct layer_stream *s)
{
	return atomic_load(&s->consumed);
}

fallible layer_stream_finish(struct layer_stream *s, struct layer_sums *ret)
{
	const void *bytes;
	for (size_t size = 1; size;)
		TRY(layer_stream_more(s, &bytes, &size));
	struct layer_sums sums = {.size_bytes = layer_stream_consumed(s),
	                          .diff_size_bytes = s->diff_size};
	TRY(layer_hash_end(s->read_hash, sums.digest));
	TRY(layer_hash_end(s->diff_hash, sums.diff_id));
	*ret = sums;
	return NULL;
}

// --- life -------------------------------------------------------------------------------------

static fallible start(struct layer_stream *s)
{
	if (s->flags & LAYER_HASH) {
		TRY(layer_hash_new(&s->read_hash));
		TRY(layer_hash_new(&s->diff_hash));
	}
	s->input = alloc(INPUT_SIZE);
	s->in.bytes = s->input;
	for (size_t i = 0; i < (s->flags & LAYER_THREAD ? BUFFERS : 1); i++)
		s->buffers[i].bytes = alloc(BUFFER_SIZE);
	if (!(s->flags & LAYER_THREAD))
		return NULL;
	int sys = pthread_create(&s->thread, NULL, producer, s);
	if (sys)
		return error_system(sys, "start a thread");
	s->threaded = true;
	// Its start-up makes system calls that the caller's filter needn't allow.
	pthread_mutex_lock(&s->lock);
	while (!s->up)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

fallible layer_stream_new(int fd, int flags, uint64_t limit_bytes, struct layer_stream **ret)
{
	auto_layer_stream struct layer_stream *s = alloc(sizeof(*s));
	s->fd = fd;
	s->flags = flags;
	s->limit_bytes = limit_bytes;
	s->grown_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	TRY(start(s));
	*ret = take(&s);
	return NULL;
}

void layer_stream_follow(struct layer_stream *s, int grown_fd, uint64_t size_bytes)
{
	s->grown_fd = grown_fd;
	s->grows_until = size_bytes;
}

void layer_stream_free(struct layer_stream *s)
{
	if (!s)
		return;
	if (s->threaded) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL); // a read from a pipe may take until its writer goes
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	inflater_free(s->inflater);
	layer_hash_free(s->read_hash);
	layer_hash_free(s->diff_hash);
	error_free(s->error);
	for (size_t i = 0; i < BUFFERS; i++)
		free(s->buffers[i].bytes);
	free(s->input);
	free(s);
}
