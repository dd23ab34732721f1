// SPDX-License-Identifier: Apache-2.0
// Classes of block I/O: what --blockio-config-file defines, and --blockio-class takes of it.
// Private to engine.
// Specification: https://github.com/intel/goresctrl, doc/blockio.md and pkg/blockio (0.9).
#pragma once
#include "engine/spec.h"

enum blockio_value {
	BLOCKIO_WEIGHT, // 10 to 1000
	BLOCKIO_READ_BPS,
	BLOCKIO_WRITE_BPS,
	BLOCKIO_READ_IOPS,
	BLOCKIO_WRITE_IOPS,
	BLOCKIO_VALUES,
};
struct blockio_rule {
	bool has_devices;               // else for all that no rule names
	struct strings devices;         // paths and patterns
	int64_t values[BLOCKIO_VALUES]; // -1: not given
};
struct blockio_class {
	bool is_there;
	struct blockio_rule *rules; // in order, the later ones win
	size_t n, capacity;
};
#define BLOCKIO_SIZE_LIMIT ((size_t)256 << 10)
enum { BLOCKIO_DEVICES_LIMIT = 256 }; // of a rule, and of what its patterns match

// Reads a whole configuration, of which every class must be sound, and gives the one with this
// name ("" for none). Pure.
// Errors: INVALID and LIMIT, with goresctrl's texts for what it checks too.
fallible blockio_parse(const char *text, size_t size, const char *class, struct blockio_class *ret);
void blockio_class_done(struct blockio_class *class);
#define auto_blockio_class defer(blockio_class_done)

// A quantity of Kubernetes ("50M", "1.5Gi", "10k", "1e3"), rounded up to a whole number, at most
// INT64_MAX. False: it is none. Pure.
bool blockio_quantity(const char *text, int64_t *ret);

// Parses the request's file and looks for the class's devices: host->block_io, the spec's
// linux.resources.blockIO, and host->warnings of what matches no block device.
// Errors: `blockio-config-file error: failed to set …` and `blockio-class error: …`, as ctr has
// them.
fallible blockio_look(const struct spec_request *request, struct spec_host *host);
