// SPDX-License-Identifier: Apache-2.0
// The face of the engine: the programs `coracle` and `ctr`, one binary under two names.
// Called by: main.c alone. Knows what people type and read; everything else is engine's.
// Specification: the grammar is urfave/cli 2.27 over Go's package flag; texts, columns and exit
// codes are those of ctr 2.1.1.
#pragma once

// Parses the command line, carries it out, and returns the exit status of the program:
// the container's own for `run`; else 0, or the error's (see report.h). Standard output is
// written out and checked: a failure there is an error like any other.
int cli_main(int argc, char **argv);
