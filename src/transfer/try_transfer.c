// SPDX-License-Identifier: Apache-2.0
// Not installed: what engine does with the worker, by hand and for tests.
//   try_transfer [--native] [--platform P]… WORKER ARCHIVE DIR
// Reads ARCHIVE ("-": standard input) into DIR/ingest and unpacks the layers of the first image's
// best manifest into DIR/0, DIR/1, … (native: all into DIR/0). Prints what the archive holds.
#include "sys/fd.h"
#include "transfer/client.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST = 500 };

static void print_line(void *kind, const char *line)
{
	(void)kind;
	fprintf(stderr, "note: %s\n", line);
}

static void print_progress(void *arg, const struct transfer_progress *p)
{
	(void)arg;
	fprintf(stderr, "progress: %s %zu/%zu %llu/%llu\n", p->item, p->item_i, p->n_items,
	        (unsigned long long)p->done_bytes, (unsigned long long)p->total_bytes);
}

static int make_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void print_archive(const struct transfer_archive *a)
{
	printf("index %s\n", a->blobs[a->index].digest);
	for (size_t i = 0; i < a->n_images; i++) {
		const struct transfer_image *image = &a->images[i];
		printf("image %s %s %s\n", image->name ? image->name : "-",
		       image->ref_name ? image->ref_name : "-", a->blobs[image->target].digest);
		for (size_t j = 0; j < image->n_manifests; j++) {
			const struct transfer_manifest *m = &a->manifests[image->manifests[j]];
			printf("  %s %s layers=%zu\n", m->platform, a->blobs[m->blob].digest,
			       m->n_layers);
		}
	}
	for (size_t i = 0; i < a->n_blobs; i++)
		printf("blob %s %llu %s refs=%zu\n", a->blobs[i].digest,
		       (unsigned long long)a->blobs[i].size_bytes, a->blobs[i].media_type,
		       a->blobs[i].n_references);
}

static fallible unpack(const struct transfer *t, const struct transfer_archive *a, int dirfd,
                       int ingest, bool native)
{
	const struct transfer_manifest *m = &a->manifests[a->images[0].manifests[0]];
	struct transfer_unpack_layer layers[MOST] = {0};
	struct transfer_unpack_request r = {
		.transfer = t, .native = native, .layers = layers, .n_layers = m->n_layers};
	for (size_t i = 0; i < m->n_layers && i < MOST; i++) {
		const struct transfer_blob *b = &a->blobs[m->layers[i].blob];
		char name[16];
		snprintf(name, sizeof(name), "%zu", native ? 0 : i);
		layers[i] = (struct transfer_unpack_layer){
			.blob_fd = openat(ingest, b->name, O_RDONLY | O_CLOEXEC),
			.size_bytes = b->size_bytes,
			.digest = b->digest,
			.media_type = b->media_type,
			.diff_id = m->layers[i].diff_id,
			.new_dirfd = make_dir(dirfd, name),
		};
		if (layers[i].blob_fd < 0 || layers[i].new_dirfd < 0)
			FAIL_ERRNO("layer %zu", i);
	}
	TRY(transfer_unpack(&r));
	for (size_t i = 0; i < m->n_layers; i++)
		printf("layer %zu bytes=%llu inodes=%llu\n", i,
		       (unsigned long long)layers[i].unpacked_bytes,
		       (unsigned long long)layers[i].n_inodes);
	return NULL;
}

static fallible run(const struct transfer *t, struct transfer_archive_request *r,
                    const char *archive, const char *dir, bool native)
{
	auto_fd int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = strcmp(archive, "-") ? open(archive, O_RDONLY | O_CLOEXEC)
	                                      : fcntl(0, F_DUPFD_CLOEXEC, 3);
	if (dirfd < 0 || fd < 0)
		FAIL_ERRNO("open");
	auto_fd int ingest = make_dir(dirfd, "ingest");
	struct transfer_archive *a;
	r->fd = fd;
	r->ingest_dirfd = ingest;
	TRY(transfer_read_archive(r, &a));
	print_archive(a);
	struct error *e = unpack(t, a, dirfd, ingest, native);
	transfer_archive_free(a);
	return e;
}

int main(int argc, char **argv)
{
	const char *platforms[MOST];
	struct transfer t = {
		.stop_fd = -1, .warn = print_line, .debug = print_line, .progress = print_progress};
	struct transfer_archive_request r = {.transfer = &t, .platforms = platforms};
	bool native = false;
	int i = 1;
	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--native"))
			native = true;
		else if (!strcmp(argv[i], "--all"))
			r.all_platforms = true;
		else if (i + 1 < argc && r.n_platforms < MOST)
			platforms[r.n_platforms++] = argv[++i];
	}
	if (argc - i != 3)
		return 2;
	t.program = argv[i];
	auto_error struct error *e = run(&t, &r, argv[i + 1], argv[i + 2], native);
	if (e)
		fprintf(stderr, "error: %s (%d)\n", e->message, e->code);
	return e != NULL;
}
