// SPDX-License-Identifier: Apache-2.0
// A hostile init, for test_attacks.c: makes the descriptor of its exit code a blocking one, and
// leaves nothing in it.
#include <fcntl.h>
#include <stdlib.h>

int main(void)
{
	int fd = 0;
	for (const char *digit = getenv("CODE"); digit && *digit; digit++)
		fd = fd * 10 + *digit - '0';
	if (fd < 3 || fcntl(fd, F_SETFL, 0) < 0)
		return 1;
	return 7;
}
