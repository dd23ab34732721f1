// SPDX-License-Identifier: Apache-2.0
// Terminals of a container's own devpts instance. `int`: 0 or an errno, child-safe.
// Specification: pty(7), ioctl_tty(2).
#pragma once
#include <stdint.h>

// Opens a pair from `devpts`, a descriptor of the root of a devpts mount (checked: ENODEV if it is
// another file system, or if "ptmx" there isn't the device 5:2: CVE-2025-52565). The slave comes by
// TIOCGPTPEER, never by a path. Having been opened once, it lets the master poll properly.
int pty_open(int devpts, int *ret_master, int *ret_slave);
// The slave's number: its name below /dev/pts.
int pty_number(int master, unsigned *ret);
int pty_set_size(int fd, uint16_t rows, uint16_t columns);
int pty_get_size(int fd, uint16_t *ret_rows, uint16_t *ret_columns);
// Makes `slave` the controlling terminal (after setsid) and descriptors 0, 1 and 2.
int pty_adopt_slave(int slave);
