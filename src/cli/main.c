// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

// What a parent can leave to us, and all our steps would have to bear: an ignored SIGCHLD takes
// exit statuses away, ours and the monitor's; a umask may forbid us our own files; a limit of file
// sizes is an error that we tell (EFBIG), not a death. Containers inherit none of it.
static void forget_inheritance(void)
{
	signal(SIGCHLD, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
	umask(umask(0) & 0077);
}

// What a command allocates in its milliseconds comes in one piece, with its pages there: to get
// them by a fault each took 0.2 ms of 5 (docs/performance.md). And it isn't given back before the
// end.
static void make_heap(void)
{
	enum { HEAP = 512 << 10, KEPT = 4 << 20, PAGE = 4 << 10 };
	mallopt(M_TOP_PAD, HEAP);
	mallopt(M_MMAP_THRESHOLD, KEPT);
	mallopt(M_TRIM_THRESHOLD, KEPT);
	char *piece = malloc(HEAP);
	uintptr_t begin = ((uintptr_t)piece + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	if (piece)
		madvise((void *)begin, HEAP - PAGE, MADV_POPULATE_WRITE); // or one by one
	free(piece);
}

int main(int argc, char **argv)
{
	make_heap();
	forget_inheritance();
	return cli_main(argc, argv);
}
