// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include <signal.h>
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

int main(int argc, char **argv)
{
	forget_inheritance();
	return cli_main(argc, argv);
}
