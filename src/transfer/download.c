// SPDX-License-Identifier: Apache-2.0
#include "transfer/download.h"
#include "base/memory.h"
#include "sys/fd.h"
#include "transfer/channel.h"
#include <pthread.h>
#include <time.h>

// A job belongs to the main thread while it waits or is over, to a downloader while it runs.
struct pool {
	struct downloads *downloads;
	const struct registry_options *options;
	pthread_mutex_t lock;
	pthread_cond_t given, ended;                // to the downloaders, to the main thread
	struct download_job *next[DOWNLOADERS_MAX]; // given, not begun
	size_t n_next, n_running;
	bool is_over;
};

struct download_job *downloads_add(struct downloads *d, const struct registry_blob *blob)
{
	alloc_grow(&d->jobs, &d->capacity, d->n, sizeof(struct download_job *));
	struct download_job *job = alloc(sizeof(*job));
	job->blob = *blob;
	job->blob.done_bytes = &job->done_bytes;
	d->jobs[d->n++] = job;
	return job;
}

void downloads_done(struct downloads *d)
{
	for (size_t i = 0; i < d->n; i++) {
		fd_cleanup_(&d->jobs[i]->blob.fd);
		fd_cleanup_(&d->jobs[i]->blob.grown_fd);
		error_free(d->jobs[i]->error);
		free(d->jobs[i]);
	}
	free(d->jobs);
}

static fallible do_job(struct registry *registry, struct download_job *job)
{
	if (!job->is_upload)
		return registry_fetch_blob(registry, &job->blob);
	const struct registry_upload upload = {.digest = job->blob.digest,
	                                       .size_bytes = job->blob.size_bytes,
	                                       .fd = job->blob.fd,
	                                       .mount_from = job->mount_from,
	                                       .done_bytes = &job->done_bytes};
	return registry_push_blob(registry, &upload, &job->is_sent);
}

static void *downloader(void *arg)
{
	struct pool *p = arg;
	struct registry *registry = NULL;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->n_next && !p->is_over)
			pthread_cond_wait(&p->given, &p->lock);
		if (p->is_over)
			break;
		struct download_job *job = p->next[--p->n_next];
		pthread_mutex_unlock(&p->lock);
		struct error *e = registry ? NULL : registry_new(p->options, &registry);
		if (!e)
			e = do_job(registry, job);
		pthread_mutex_lock(&p->lock);
		job->error = e;
		job->state = JOB_ENDED;
		pthread_cond_signal(&p->ended);
	}
	pthread_mutex_unlock(&p->lock);
	registry_free(registry);
	return NULL;
}

// --- the main thread ----------------------------------------------------------------------------

// Gives a job to the downloaders, unless there is nothing to do for it. Called without the lock:
// the client may have to wait for another pull.
static fallible begin_job(struct pool *p, struct download_job *job, bool patiently)
{
	enum want_kind kind;
	struct registry_blob *b = &job->blob;
	unsigned flags = job->is_upload ? WANT_DOCUMENT : patiently ? WANT_PATIENTLY : 0;
	TRY(channel_want(b->digest, b->size_bytes, flags, &kind, &b->fd, &b->grown_fd));
	job->is_late = kind == WANT_LATER;
	if (kind == WANT_HAVE && !job->is_upload)
		job->state = JOB_OVER;
	if (kind != (job->is_upload ? WANT_HAVE : WANT_FETCH))
		return NULL;
	if (b->fd < 0)
		return error_new(ERROR_SYSTEM, "%s: the client gave no descriptor", b->digest);
	pthread_mutex_lock(&p->lock);
	job->state = JOB_RUNS;
	p->n_running++;
	p->next[p->n_next++] = job;
	pthread_cond_signal(&p->given);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

// Late ones come when nothing else is left to do, so that two pulls don't wait for each other: who
// waits holds nothing.
static struct download_job *next_job(const struct downloads *d, bool late)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->jobs[i]->state == JOB_WAITS && d->jobs[i]->is_late == late)
			return d->jobs[i];
	return NULL;
}

static fallible begin_jobs(struct pool *p, size_t n_at_once)
{
	while (p->n_running < n_at_once) {
		struct download_job *job = next_job(p->downloads, false);
		if (!job && !p->n_running)
			job = next_job(p->downloads, true);
		if (!job)
			return NULL;
		TRY(begin_job(p, job, job->is_late));
	}
	return NULL;
}

static void tell(const struct downloads *d, size_t i, uint64_t done)
{
	const struct download_job *job = d->jobs[i];
	auto_free char *item =
		alloc_printf("%s %s", job->is_upload ? "upload" : "download", job->blob.digest);
	channel_progress_now(item, i, d->n, done, job->blob.size_bytes);
}

static void report(const struct downloads *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct download_job *job = d->jobs[i];
		if (job->state != JOB_RUNS)
			continue;
		tell(d, i, atomic_load(&job->done_bytes));
	}
}

static fallible end_job(struct downloads *d, size_t i)
{
	struct download_job *job = d->jobs[i];
	job->state = JOB_OVER;
	fd_cleanup_(&job->blob.fd);
	fd_cleanup_(&job->blob.grown_fd);
	job->blob.fd = job->blob.grown_fd = -1;
	TRY(take(&job->error));
	if (job->is_upload && !job->is_sent)
		return NULL;
	d->bytes += job->blob.size_bytes;
	tell(d, i, job->blob.size_bytes);
	if (!job->is_upload)
		channel_got(job->blob.digest);
	return NULL;
}

static fallible end_jobs(struct pool *p)
{
	struct downloads *d = p->downloads;
	struct timespec until;
	const long every_ns = 100000000;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += every_ns;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&p->lock);
	size_t n_ended = 0;
	for (int late = 0; !n_ended && !late;) {
		for (size_t i = 0; i < d->n; i++)
			n_ended += d->jobs[i]->state == JOB_ENDED;
		if (!n_ended)
			late = pthread_cond_timedwait(&p->ended, &p->lock, &until);
	}
	report(d);
	struct error *e = NULL;
	for (size_t i = 0; !e && i < d->n; i++) {
		if (d->jobs[i]->state != JOB_ENDED)
			continue;
		p->n_running--;
		e = end_job(d, i);
	}
	pthread_mutex_unlock(&p->lock);
	return e;
}

static bool is_work_left(const struct pool *p)
{
	return p->n_running || next_job(p->downloads, false) || next_job(p->downloads, true);
}

static fallible run(struct pool *p, size_t n_at_once)
{
	while (is_work_left(p)) {
		TRY(begin_jobs(p, n_at_once));
		if (p->n_running)
			TRY(end_jobs(p));
	}
	return NULL;
}

static fallible start(struct pool *p, size_t n)
{
	pthread_condattr_t monotonic;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->given, &monotonic);
	pthread_cond_init(&p->ended, &monotonic);
	for (size_t i = 0; i < n; i++) {
		pthread_t thread;
		int sys = pthread_create(&thread, NULL, downloader, p);
		if (sys)
			return error_system(sys, "start a downloader");
		pthread_detach(thread);
	}
	return NULL;
}

fallible downloads_run(struct downloads *d, const struct registry_options *o, size_t n_at_once)
{
	size_t n = n_at_once < 1 ? 1 : n_at_once > DOWNLOADERS_MAX ? DOWNLOADERS_MAX : n_at_once;
	if (n > d->n)
		n = d->n;
	if (!n)
		return NULL;
	// Never freed: a downloader that is left behind by an error dies with the process.
	struct pool *p = alloc(sizeof(*p));
	p->downloads = d;
	p->options = o;
	TRY(start(p, n));
	TRY(run(p, n));
	pthread_mutex_lock(&p->lock);
	p->is_over = true;
	pthread_cond_broadcast(&p->given);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}
