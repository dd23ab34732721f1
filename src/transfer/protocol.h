// SPDX-License-Identifier: Apache-2.0
// Between client and worker. The worker is started with these descriptors:
//   3 a SOCK_SEQPACKET socket: packets from the worker to the client; back only to WANT
//   4 the request: a document, rewound (the client's own words: trusted by the worker)
//   5 the answer of `archive` and `fetch`: a memfd that the client reads when the worker is gone
//   (untrusted) 6 the input: archive or blob 7 a detached mount of the folder to write: ingest, or
//   the layer's new one 8 a detached, read-only mount of what is below, merged; not for `archive`,
//   nor for a base layer, nor while it isn't whole 9 an eventfd, if 6 is a blob that grows
// `diff` has as 6 the file to write the layer to, as 7 the folder to read, read-only; `config` has
// as 6 a foreign image config, and its answer is the new one's text; `repack` reads 6 and
// writes the file 7; `convert` has as 6 a foreign manifest or index, and answers like `config`.
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
	WORKER_LOWER,
	WORKER_GROWN, // `unpack`: an eventfd, if the blob is still being written
};

enum packet_kind {
	PACKET_PROGRESS,
	PACKET_WARN,
	PACKET_DEBUG,
	PACKET_OPAQUE,
	PACKET_WANT,       // `fetch`: the blob named in the text, of `total` bytes (0: not known);
	                   // `item_i` has want flags. It is answered by one struct want_answer
	PACKET_DESCRIBED,  // `fetch`: the answer is written; layers are asked for from here on
	PACKET_LOWER,      // `unpack`: what is below is needed; answered by one struct want_answer
	                   // when it is mounted on the folder `lower`
	PACKET_GOT,        // `fetch`: the blob's descriptor has all of it, and its digest is right
	PACKET_ASK_OPAQUE, // `diff`: is the directory that comes along marked so? Answered by one
	                   // struct want_answer, 0 or 1
	PACKET_ERROR,
	PACKET_DONE
};

enum {
	PACKET_TEXT = 2048,
	REQUEST_SIZE_MAX = 16 << 20, // a config may be in it
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

enum want_flags {
	WANT_DOCUMENT = 1,  // a manifest, index or config: it will be read
	WANT_PATIENTLY = 2, // wait while somebody else is fetching it
};
enum want_kind {
	WANT_HAVE,  // the store has it; of documents its descriptor comes along, for reading
	WANT_FETCH, // a descriptor to read and write comes along, with what is there of it, and for
	            // layers perhaps an eventfd that counts the pieces that are written
	WANT_LATER, // somebody else is fetching it
};
struct want_answer {
	uint32_t kind;
};
