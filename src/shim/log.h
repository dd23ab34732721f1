// SPDX-License-Identifier: Apache-2.0
// The log of a container's output, as docker's json-file driver writes it: a line
//     {"log":"hello\n","stream":"stdout","time":"2026-11-26T02:15:11.123456789Z"}
// for each line of output; one that is longer than LOG_LINE_MAX, or that the end cuts off, is
// divided: only its last part has "\n". Bytes that aren't UTF-8 become U+FFFD, as docker's.
//
// `log` grows to a cap, then it is renamed to log.1, that one to log.2…, and the oldest goes.
// What can't be written (a disk with less than 8 MiB to spare, or half of it: the database needs
// room too) is dropped and counted, and the next line that can be
// written says how many lines were lost. Nothing here waits, and nothing allocates.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LOG_NAME "log" // log.1, log.2…: older
enum { LOG_LINE_MAX = 16 << 10, LOG_FILES_MAX = 9, LOG_STREAMS = 2 };

// In the directory `dirfd`: `n_files` (1 to LOG_FILES_MAX) of about `size_bytes` each.
void log_begin(int dirfd, uint64_t size_bytes, unsigned n_files);
// Stream 0 is stdout, 1 stderr.
void log_put(int stream, const char *bytes, size_t size);
// The stream has ended: its unfinished line goes out.
void log_end(int stream);
