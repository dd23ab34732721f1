// SPDX-License-Identifier: Apache-2.0
// Between client and worker. The worker is started with these descriptors:
//   3 a SOCK_SEQPACKET socket: packets from the worker to the client, never back
//   4 the request: a document, rewound (the client's own words: trusted by the worker)
//   5 the answer of `archive`: a memfd that the client reads when the worker is gone (untrusted)
//   6 the input: archive or blob
//   7 a detached mount of the folder to write: ingest, or the layer's new one
//   8 a detached, read-only mount of what is below, merged; not for `archive`, nor for a base layer
//
// Every packet is one struct packet; of OPAQUE ones a directory's descriptor comes along, which the
// client marks with trusted.overlay.opaque: the worker hasn't the capability. The last packet is
// DONE or ERROR; a worker that ends without one has crashed or was killed.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include "json/json.h"
#include <stdbool.h>
#include <stdint.h>

enum {
	WORKER_SOCKET = 3,
	WORKER_REQUEST,
	WORKER_ANSWER,
	WORKER_INPUT,
	WORKER_TARGET,
	WORKER_LOWER
};

enum packet_kind {
	PACKET_PROGRESS,
	PACKET_WARN,
	PACKET_DEBUG,
	PACKET_OPAQUE,
	PACKET_ERROR,
	PACKET_DONE
};

enum {
	PACKET_TEXT = 2048,
	REQUEST_SIZE_MAX = 1 << 20,
	ANSWER_SIZE_MAX = 64 << 20,
	BLOBS_MAX = 65536, // files of an archive
};

struct packet {
	uint32_t kind;
	int32_t code, sys;        // ERROR: enum error_code, errno
	uint32_t item_i, n_items; // PROGRESS
	uint64_t done, total;     // PROGRESS: bytes; DONE: bytes written and inodes made
	char text[PACKET_TEXT];   // with a zero
};
